"""Running, caching and building, on a book of one page and one chapter of its own."""

import asyncio
import base64
import copy
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path

from dlutils import findings
from tools.build import book, exercises, notebooks, paper, strip, student, words
from tools.trials import faults, seeds

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

CONFIG = Path(notebooks.ROOT, "_config.yml")
TITLE = "(chapter)=\n# A chapter\n\nBy the end you will have seen one number."


def notebook(*sources, tags=()):
    cells = [nbformat.v4.new_markdown_cell(TITLE)]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    cells[-1].metadata["tags"] = list(tags)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def run(*sources, **options):
    path = Path("chapter.ipynb").absolute()
    nbformat.write(notebook(*sources), path)
    return asyncio.run(notebooks.run(path, timeout=60, **options))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def figure_notebook(source):
    made = notebook(source)
    made.cells[1].metadata["mystnb"] = {"figure": {"name": "fig-line", "caption": "A line."}}
    return made


class TestRun:
    def test_it_runs_in_the_folder_of_the_notebook_and_reports(self, folder):
        steps = []
        executed, printed, seconds = run(
            "import os; print(os.getcwd())",
            "number = 6 * 7",
            epilogue="print(number)",
            on_cell=lambda done, cells: steps.append((done, cells)),
        )
        assert executed.cells[1].outputs[0].text.strip() == os.fspath(folder)
        assert printed == "42"
        assert len(executed.cells) == 3, "the epilogue leaves no cell"
        assert (3, 3) in steps
        assert seconds > 0

    def test_a_cell_that_raises_is_named(self, folder):
        with pytest.raises(notebooks.ChapterError, match=r"(?s)chapter\.ipynb, cell 3 of 3 raised.*ZeroDivisionError"):
            run("x = 1", "x / 0")

    @pytest.mark.parametrize(
        "source",
        [
            "import warnings; warnings.warn('old')",
            "import logging; logging.warning('old')",
            "import sys; print('old', file=sys.stderr)",
            "print('WARNING:tensorflow:old')",
        ],
    )
    def test_a_cell_that_warns_is_named(self, folder, source):
        with pytest.raises(notebooks.ChapterError, match=r"(?s)chapter\.ipynb, cell 2 of 2 printed a warning.*old"):
            run(source)

    @pytest.mark.parametrize("source", ["x = 1", "plt.plot([1])", "print(1); plt.plot([1]);"])
    def test_a_captioned_cell_gives_one_picture_and_nothing_else(self, folder, source):
        path = folder / "chapter.ipynb"
        nbformat.write(figure_notebook(f"from matplotlib import pyplot as plt\n{source}"), path)
        with pytest.raises(notebooks.ChapterError, match=r"chapter\.ipynb, cell 2 of 2 has a caption and must give"):
            asyncio.run(notebooks.run(path, timeout=60))

    def test_figures_are_drawn_whatever_the_shell_says(self, folder, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        path = folder / "chapter.ipynb"
        nbformat.write(figure_notebook("from matplotlib import pyplot as plt\nplt.plot([1]);"), path)
        executed, _, _ = asyncio.run(notebooks.run(path, timeout=60))
        assert "image/png" in executed.cells[1].outputs[0].data

    def test_talk_of_warnings_is_not_a_warning(self, folder):
        run("print('This prints a UserWarning: see above')")

    def test_loading_mnist_is_silent_where_it_is_not_named(self, folder, monkeypatch):
        monkeypatch.delenv("DLUTILS_DATA", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(folder))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        folder.joinpath("cache", "dlutils").mkdir(parents=True)
        folder.joinpath("cache", "dlutils", "mnist.unreachable").touch()  # no network, no waiting
        executed, printed, _ = run(
            "from dlutils import data\ndigits = data.load_mnist()", epilogue="print(digits.is_mnist)"
        )
        assert "stand-in" in executed.cells[1].outputs[0].text
        assert printed == "False"

    def test_a_cell_that_hangs_and_a_kernel_that_dies_are_named(self, folder):
        nbformat.write(notebook("while True: pass"), "chapter.ipynb")
        with pytest.raises(notebooks.ChapterError, match=r"chapter\.ipynb: a cell ran for more than 2 s"):
            asyncio.run(notebooks.run(Path("chapter.ipynb").absolute(), timeout=2))
        with pytest.raises(notebooks.ChapterError, match=r"chapter\.ipynb: the kernel died"):
            run("import os; os._exit(1)")

    def test_what_is_no_notebook_is_named(self, folder):
        Path("chapter.ipynb").write_text('{"cells": [')
        with pytest.raises(notebooks.ChapterError, match=r"chapter\.ipynb is not a readable notebook"):
            asyncio.run(notebooks.run(Path("chapter.ipynb"), timeout=60))


def test_stripping_keeps_the_tagged_output_and_all_counts(folder):
    path = folder / "chapter.ipynb"
    nbformat.write(notebook("print(1)", "print(2)", tags=["keep_output", "nbval-check-output"]), path)
    assert strip.main([os.fspath(path)]) == 0
    _, first, second = nbformat.read(path, 4).cells
    assert (first.execution_count, first.outputs) == (1, [])
    assert second.execution_count == 2
    assert second.outputs[0].text == "2\n"
    before = path.read_bytes()
    assert strip.main([os.fspath(path)]) == 0
    assert path.read_bytes() == before, "a second time changes nothing"


def test_stripping_a_chapter_that_fails_leaves_it_as_it_was(folder, capsys):
    path = folder / "chapter.ipynb"
    nbformat.write(notebook("1 / 0"), path)
    before = path.read_bytes()
    assert strip.main([os.fspath(path)]) == 1
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_other_seeds_are_tried_and_a_check_that_fails_with_one_is_reported(folder, capsys):
    path = folder / "chapter.ipynb"
    sources = ("seed = 1", "value = 10 * seed", "assert value != 30, 'not three'")
    nbformat.write(notebook(*sources), path)
    before = path.read_bytes()
    monitored = [os.fspath(path), "--show", "value", "--seeds"]
    assert seeds.main([*monitored, "2", "4"]) == 0
    said = capsys.readouterr().out
    for line in ("   2  20.0000", "   4  40.0000", "mean  30.0000", "2 passed, 0 failed"):
        assert line in said
    assert seeds.main([*monitored, "2", "3"]) == 1
    said = capsys.readouterr().out
    assert "not three" in said
    assert "1 passed, 1 failed" in said
    assert path.read_bytes() == before
    assert [item.name for item in folder.glob("*.ipynb")] == ["chapter.ipynb"]
    nbformat.write(notebook("x = 1"), path)
    assert seeds.main([*monitored, "2"]) == 1
    assert "sets 'seed = …' 0 times, not once" in capsys.readouterr().out


def test_a_digest_sees_names_bytes_and_order(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("1")
    digests = [book.digest(tmp_path / "a", "text")]
    (tmp_path / "a" / "one.py").write_text("2")
    digests.append(book.digest(tmp_path / "a", "text"))
    (tmp_path / "a" / "one.py").rename(tmp_path / "a" / "two.py")
    digests.append(book.digest(tmp_path / "a", "text"))
    digests.append(book.digest("text", tmp_path / "a"))
    assert len(set(digests)) == 4
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "two.pyc").write_text("compiled")
    assert book.digest("text", tmp_path / "a") == digests[-1]


FIGURE = """
from matplotlib import pyplot as plt
_, ax = plt.subplots()
ax.plot([1, 2]);
"""


FAULTS = """
[[fault]]
name = "a wrong sign"
old = "a + b"
new = "a - b"

[[fault]]
name = "no fault at all"
old = "b = 2"
new = "b = 2.0"

[[fault]]
name = "a name unknown"
old = "a = 1"
new = "a = one"
"""


@pytest.fixture
def faulty_chapter(folder, monkeypatch):
    monkeypatch.setattr(faults, "FAULTS", folder / "faults")
    (folder / "faults").mkdir()
    (folder / "faults" / "chapter.toml").write_text(FAULTS)
    path = folder / "chapter.ipynb"
    sources = ("a = 1", "b = 2", "total = a + b", "assert total == a + b == 3, 'one and two'")
    nbformat.write(notebook(*sources, tags=["check"]), path)
    return path


def test_a_planted_fault_is_caught_by_a_check_and_by_nothing_else(faulty_chapter, capsys):
    before = faulty_chapter.read_bytes()
    assert faults.main([os.fspath(faulty_chapter)]) == 1
    said = capsys.readouterr().out
    assert "a wrong sign: caught: AssertionError: one and two" in said
    assert "no fault at all: NOT CAUGHT" in said
    assert "a name unknown: failed elsewhere: " in said
    assert "1 of 3 caught" in said
    assert faults.main([os.fspath(faulty_chapter), "--only", "a wrong sign", "--jobs", "1"]) == 0
    assert "1 of 1 caught" in capsys.readouterr().out
    assert faulty_chapter.read_bytes() == before
    assert [item.name for item in faulty_chapter.parent.glob("*.ipynb")] == ["chapter.ipynb"]


def test_a_fault_that_cannot_be_planted_is_named(faulty_chapter, folder, capsys):
    assert faults.main([os.fspath(faulty_chapter), "--only", "another"]) == 1
    assert "another" in capsys.readouterr().err
    (folder / "faults" / "chapter.toml").write_text(FAULTS.replace("a + b", "a * b"))
    assert faults.main([os.fspath(faulty_chapter)]) == 1
    assert "'a wrong sign': its old text stands 0 times" in capsys.readouterr().err
    (folder / "faults" / "chapter.toml").unlink()
    assert faults.main([os.fspath(faulty_chapter)]) == 1
    assert "no faults are kept for chapter.ipynb" in capsys.readouterr().err


@pytest.fixture
def small_book(folder, monkeypatch):
    """A book with the real configuration, an index and one chapter; returns a function that builds it."""
    for module in (notebooks, book):
        monkeypatch.setattr(module, "ROOT", folder)
        monkeypatch.setattr(module, "BUILD", folder / "_build")
    for name in ("executed", "stage", "html"):
        constant = {"executed": "EXECUTED", "stage": "STAGE", "html": "SITE"}[name]
        monkeypatch.setattr(book, constant, folder / "_build" / name)
    shutil.copy(CONFIG, folder)
    shutil.copytree(CONFIG.parent / "book" / "assets", folder / "book" / "assets")
    shutil.copy(CONFIG.parent / "book" / "references.bib", folder / "book")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/chapter\n")
    (folder / "book" / "index.md").write_text("# Index\n\nSee {ref}`chapter`.\n")
    (folder / "package").mkdir()
    (folder / "package" / "module.py").write_text("VALUE = 1\n")
    (folder / "requirements.lock").write_text("")
    (folder / "data.py").write_text("import time; print('took', time.time()); print('such data')\n")
    (folder / "tools").mkdir()
    (folder / "pyproject.toml").write_text(
        textwrap.dedent("""\
            [tool.book]
            inputs = ["package", "requirements.lock"]
            data = ["data.py"]
            provenance = "print('Run on a Tuesday.')"
            timeout = 60
            """)
    )
    chapter = notebook(FIGURE, "print('forty', 'two')", "assert True", tags=["check"])
    figure = {"name": "fig-line", "caption": "A line."}
    chapter.cells[1].metadata["mystnb"] = {"figure": figure, "image": {"alt": "It rises."}}
    nbformat.write(chapter, folder / "book" / "chapter.ipynb")
    return folder


def page(folder):
    return (folder / "_build" / "html" / "book" / "chapter.html").read_text("utf-8")


def change(folder, old, new):
    path = folder / "book" / "chapter.ipynb"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_book_is_built_and_rebuilt_only_as_far_as_it_must(small_book, capsys):
    def build():
        capsys.readouterr()
        assert book.main([]) == 0
        return capsys.readouterr().out

    said = build()
    assert "1 executed" in said
    start, own, total = map(float, re.search(r"^  chapter +([\d.]+) +([\d.]+) +(\d+)$", said, re.MULTILINE).groups())
    assert start > 0
    assert start + own == pytest.approx(total, abs=0.6), "its seconds, the start apart"
    first = page(small_book)
    for part in ("forty two", "Run on a Tuesday.", 'alt="It rises."', "A line.", "Fig. 1", "Show the check"):
        assert part in first
    assert '<span class="k">assert</span>' in first, "a check is folded, not gone"
    assert not (small_book / "book" / "_build").exists()

    stamp = (small_book / "_build" / "html" / "book" / "chapter.html").stat().st_mtime_ns
    again = build()
    assert "0 executed" in again
    assert "nothing changed" in again
    assert "own work" not in again, "what did not run took no time"
    assert (small_book / "_build" / "html" / "book" / "chapter.html").stat().st_mtime_ns == stamp

    change(small_book, "'two'", "'three'")
    assert "1 executed" in build()
    assert "forty three" in page(small_book)
    for name in ("colab", "binder"):  # which need a public address
        assert name not in page(small_book).lower()
    (small_book / "book" / "index.md").write_text("# Index\n\nNow see {ref}`chapter`.\n")
    assert "0 executed" in build()
    assert "Now see" in (small_book / "_build" / "html" / "book" / "index.html").read_text("utf-8")
    for name, text in (
        ("package/module.py", "VALUE = 2\n"),
        ("requirements.lock", "numpy==3\n"),
        ("data.py", "print('other data')\n"),
    ):
        (small_book / name).write_text(text)
        assert asyncio.run(book.execute(notebooks.chapters(), notebooks.settings(), 1))[1] == 1, name
    assert "0 executed" in build()
    assert len(list((small_book / "_build" / "executed").iterdir())) == 1, "old results do not pile up"


@pytest.mark.parametrize("shown", [False, True])
def test_the_source_of_what_only_draws_is_folded_and_its_figure_never(small_book, shown):
    path = small_book / "book" / "chapter.ipynb"
    chapter = nbformat.read(path, 4)
    chapter.cells[1].metadata["tags"] = ["show-code"] * shown
    chapter.cells[0].source += "\n\nLook at {numref}`fig-line`."
    moving = nbformat.v4.new_code_cell(FILM)
    moving.metadata["mystnb"] = {"figure": {"name": "fig-film", "caption": "A film."}}
    nbformat.write(nbformat.from_dict(chapter | {"cells": [*chapter.cells, moving]}), path)
    before = path.read_bytes()
    assert book.main([]) == 0
    assert path.read_bytes() == before, "in the notebook nothing is folded"
    built = BeautifulSoup(page(small_book), "html.parser")
    for name, number, caption in (("fig-line", "Fig. 1", "A line."), ("fig-film", "Fig. 2", "A film.")):
        figure = built.find("figure", id=name)
        assert figure.find_parent("details") is None
        assert figure.figcaption.get_text().split("#")[0].split() == [*number.split(), *caption.split()]
        folds = figure.find_parent("div", class_="cell").find_all("details")
        assert len(folds) == (0 if shown and name == "fig-line" else 1)
        for fold in folds:
            assert fold.summary.get_text(" ", strip=True) == "Show how it is drawn Hide how it is drawn"
            assert "plt" in fold.pre.get_text()
            assert not fold.has_attr("open")
    assert built.find("figure", id="fig-line").img["alt"] == "It rises."
    assert built.find("figure", id="fig-film").find(class_="dl-player").img["alt"] == "It moves."
    assert built.find("a", href="#fig-line", class_="reference").get_text() == "Fig. 1"
    printed = next(cell for cell in built.find_all("div", class_="cell") if "print(" in cell.get_text())
    assert printed.find("details") is None, "a cell without a figure stays open"


def test_a_figure_of_an_exercise_is_folded_with_it_and_that_of_a_blank_stays_open():
    made = notebook("use", "answer", "blank", "draw")
    for cell in made.cells[1:]:
        cell.metadata["mystnb"] = {"figure": {"name": "fig-line", "caption": "A line."}}
    for cell in made.cells[2:4]:
        cell.metadata["nbgrader"] = {"solution": True, "grade": False}
    for cell in made.cells[1:3]:
        cell.metadata["tags"] = ["exercise"]
    made.metadata["book"] = {"provenance": "", "seconds": 1}
    tags = [cell.metadata.get("tags", []) for cell in book.page_of(made, "chapter").cells[1:]]
    assert tags == [["exercise", "hide-cell"], ["exercise", "hide-cell"], [], ["hide-input"]]


def test_a_table_of_pandas_has_no_header_that_is_empty():
    pd = pytest.importorskip("pandas")
    made = notebook("table", "text")
    table = pd.DataFrame({"loss": [1.5, 2.5]}, index=pd.Index([1, 2], name="epoch"))._repr_html_()
    for cell, shown in zip(made.cells[1:], (table, "<p>&lt;th&gt;<b></b></p>"), strict=True):
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/html": shown, "text/plain": "x"})]
    made.metadata["book"] = {"provenance": "", "seconds": 1}
    first, second = (cell.outputs[0].data["text/html"] for cell in book.page_of(made, "chapter").cells[1:])
    assert table.count("<th></th>") == first.count("<td></td>") == 2
    assert "<th></th>" not in first
    assert BeautifulSoup(first, "html.parser").get_text() == BeautifulSoup(table, "html.parser").get_text()
    assert second == "<p>&lt;th&gt;<b></b></p>"


def test_what_a_large_live_figure_holds_lies_beside_its_page(tmp_path):
    made = notebook("large", "small", "another")
    states = ['{"letters":"' + 50_000 * "x" + '","text":"\\"<&"}', '{"letters":"x"}', "x" * 60_000]
    for cell, state, kind in zip(made.cells[1:], states, ("data-live", "data-live", "data-other"), strict=True):
        text = f'<div {kind}="digits" data-state="{html.escape(state)}"><img src="data:,"></div>'
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": text})]
    before = [cell.outputs[0].data["text/html"] for cell in made.cells[1:]]
    book.move_states(made, tmp_path)
    large, *others = (cell.outputs[0].data["text/html"] for cell in made.cells[1:])
    assert others == before[1:], "what is small, or no live figure, stays in the page"
    (script,) = tmp_path.iterdir()
    assert large == f'<div data-live="digits" data-file="{script.name}"><img src="data:,"></div>'
    assert script.read_text() == f'dlLive.files["{script.name}"] = {states[0]};\n'


FILM = """
from dlutils import plotting
from matplotlib import pyplot as plt
plotting.animate(lambda ax, frame: ax.plot([1, frame]), [1, 2], alt="It moves.")
"""


RECORD = """
from IPython.display import publish_display_data as show
record = {"what": "the *slope* at <1>", "measured": "2 | 3", "lecture": "lecun1998gradient", "row": "1"}
for said, agrees in (("$1$", False), ("2", True)):
    show({"text/plain": "x", "application/vnd.dlutils.finding+json": record | {"said": said, "agrees": agrees}})
"""

RECORD_OF_A_SOURCE = """
record = {"what": "the share", "said": "5 %", "source": "lecun1998mnist", "row": "2"}
for more in ({"measured": "6 %", "agrees": False}, {}):
    show({"text/plain": "x", "application/vnd.dlutils.finding+json": record | more})
"""


def test_findings_stand_in_the_chapter_and_on_the_page_of_all(small_book):
    path = small_book / "book" / "chapter.ipynb"
    chapter = nbformat.read(path, 4)
    chapter.cells.append(nbformat.v4.new_code_cell(RECORD))
    nbformat.write(chapter, path)
    index = small_book / "book" / "index.md"
    index.write_text("# Index\n\nSee {ref}`chapter`.\n\n% said-and-measured\n\n```{bibliography}\n```\n")
    assert book.main([]) == 0
    here = page(small_book)
    assert "publish_display_data" not in here, "the record is shown in words, not as code"
    for part in (
        "Said and measured",
        "The *slope* at &lt;1&gt;: the lecture said $1$",
        "we measured 2 | 3",
        "≠ differs",
    ):
        assert part in here
    listed = (small_book / "_build" / "html" / "book" / "index.html").read_text("utf-8")
    assert "Comparisons with what the lectures said: 2. Of these 1 differs, 1 agrees." in " ".join(listed.split())
    told = BeautifulSoup(listed, "html.parser").find("article").get_text()
    order = [told.index(part) for part in ("What did not hold", "≠ differs", "What held", "✓ agrees")]
    assert order == sorted(order), "one looks for what did not hold"
    assert listed.count('href="chapter.html#said-chapter-1"') == 2
    assert "✓ agrees" in listed
    assert "% said-and-measured" in index.read_text(), "the source is not touched"
    assert "other sources" not in listed
    chapter.cells.append(nbformat.v4.new_code_cell(RECORD_OF_A_SOURCE))
    nbformat.write(chapter, path)
    assert book.main([]) == 0
    lines = BeautifulSoup(page(small_book), "html.parser").find(id="said-chapter-2").get_text().split("\n")
    assert [line for line in lines if line.startswith("The share")] == [
        "The share: LeCun et al. [1998c] said 5 %, we measured 6 %. ≠ differs",
        "The share: LeCun et al. [1998c] said 5 %. That is of other data than this page’s, so nothing is compared.",
    ]
    listed = (small_book / "_build" / "html" / "book" / "index.html").read_text("utf-8")
    assert (
        "Comparisons with what the lectures said: 2. Of these 1 differs, 1 agrees. "
        "Comparisons with what other sources said: 1. Of these 1 differs."
    ) in " ".join(listed.split())
    assert listed.count('href="chapter.html#said-chapter-2"') == 1, "what is not compared is not listed"


def test_what_the_site_has_of_figures_to_download_is_not_on_paper(small_book, monkeypatch):
    monkeypatch.setattr(paper, "ROOT", small_book)
    monkeypatch.setattr(paper, "BUILD", small_book / "_build")
    prologue = tomllib.loads((CONFIG.parent / "pyproject.toml").read_text("utf-8"))["tool"]["book"]["prologue"]
    with (small_book / "pyproject.toml").open("a") as table:
        table.write(f"prologue = {json.dumps(prologue)}\n")
    change(small_book, "ax.plot([1, 2]);", "ax.plot([1, 2, 3], [1, 4, 9], label='squares')\\nax.legend();")
    results, _ = asyncio.run(book.execute(notebooks.chapters(), notebooks.settings(), 1))
    built, _ = paper.build(paper.stage(results, True), True)
    assert "A line." in (built / "book" / "chapter.xhtml").read_text("utf-8")
    assert "The numbers of" not in (built / "book" / "chapter.xhtml").read_text("utf-8")
    staged = small_book / "_build" / "stage" / "book"
    assert list(staged.rglob("*.csv")), "the site has them"
    assert not list(built.rglob("*.csv"))


SOLUTION = "first_part + second_part * 1000"
OTHER = "sum([first_part, 1000 * second_part])"
IN_WORDS = "Because the second part counts for much more."
NAME = {"schema_version": 3, "task": False}


@pytest.fixture
def book_with_an_exercise(small_book, monkeypatch):
    """The small book, whose chapter has a blank in the body and an exercise; both print something only they know."""
    path = small_book / "book" / "chapter.ipynb"
    chapter = nbformat.read(path, 4)
    parts = "first_part, second_part = 1, 2"
    for name, tags, printed in (("blank", [], "'out' + 'put one'"), ("task", ["exercise"], "'pri' + 'vate'")):
        source = f"{parts}\n### BEGIN SOLUTION\ntotal = {SOLUTION}\nprint({printed})\n### END SOLUTION"
        name = f"chapter-{name}"
        answer = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
        answer.metadata.nbgrader = NAME | {"grade_id": name, "solution": True, "grade": False, "locked": False}
        hidden = "### BEGIN HIDDEN TESTS\nassert abs(total - 2001) < 0.5, 'hidden'\n### END HIDDEN TESTS"
        check = nbformat.v4.new_code_cell(f"assert total > 0, 'open'\n{hidden}", metadata={"tags": ["check"]})
        check.metadata.nbgrader = NAME | {
            "grade_id": f"{name}-check",
            "solution": False,
            "grade": True,
            "locked": True,
            "points": 1,
        }
        chapter.cells += [nbformat.v4.new_markdown_cell(f"## Do {name}"), answer, check]
    use = nbformat.v4.new_code_cell("print('tot' + 'al', total)", metadata={"tags": ["exercise"]})
    chapter.cells += [nbformat.v4.new_markdown_cell("Use it."), use]
    chapter.cells += [nbformat.v4.new_markdown_cell(IN_WORDS, metadata={"tags": ["exercise"]})]
    nbformat.write(chapter, path)
    monkeypatch.setattr(student, "STUDENT", small_book / "_build" / "student")
    return small_book


def text_of(folder):
    """All that a reader of ``folder`` could find, HTML and JSON decoded."""
    texts = []
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".js", ".ipynb", ".md", ".txt"):
            text = path.read_text("utf-8")
            texts += [text, html.unescape(re.sub(r"<[^>]*>", "", text)), text.replace('\\"', '"')]
    return "\n".join(texts)


def test_one_source_gives_the_book_the_site_without_solutions_and_the_students_notebook(book_with_an_exercise):
    build = book_with_an_exercise / "_build"

    def editions():
        assert book.main([]) == 0
        assert book.main(["--solutions", "0"]) == 0
        assert student.main([]) == 0
        return [text_of(build / name) for name in ("html", "html-without-solutions", "student")]

    full, without, handed_out = editions()
    for part in (
        SOLUTION,
        "output one",
        "private",
        "total 2001",
        "Show a solution",
        "Show the check of the cell above",
        "Show an answer",
        IN_WORDS,
    ):
        assert part in full
    for part in ("BEGIN SOLUTION", "HIDDEN", "2001) <"):
        assert part not in full
    for edition in (without, handed_out):
        for part in (SOLUTION, "output one", "private", "total 2001", "BEGIN SOLUTION", "HIDDEN", "2001) <", IN_WORDS):
            assert part not in edition, part
        assert "Write your answer here." in edition
        assert edition.count("raise NotImplementedError") >= 2
        assert "first_part, second_part = 1, 2" in edition
    change(book_with_an_exercise, SOLUTION, OTHER)
    full, without, handed_out = editions()
    assert OTHER in full
    assert SOLUTION not in full
    assert OTHER not in without + handed_out


def test_a_picture_of_the_book_travels_in_the_notebook_that_is_handed_out(small_book):
    (small_book / "book" / "figures").mkdir()
    (small_book / "book" / "figures" / "a.png").write_bytes(b"a picture")
    cell = nbformat.v4.new_markdown_cell("![a, b (c)](figures/a.png) and ![](https://x.org/b.png) ![](figures/no.png)")
    student.carry_pictures(cell)
    assert cell.source == "![a, b (c)](attachment:a.png) and ![](https://x.org/b.png) ![](figures/no.png)"
    assert cell.attachments == {"a.png": {"image/png": base64.b64encode(b"a picture").decode()}}
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))


def test_a_site_that_would_give_an_answer_away_is_not_made(book_with_an_exercise, capsys, monkeypatch):
    monkeypatch.setattr(exercises, "blank", copy.deepcopy)
    assert book.main(["--solutions", "0"]) == 1
    said = capsys.readouterr().err
    assert "would give answers away" in said
    for path in ("chapter.html", "downloads/chapter.ipynb"):
        assert f"{path}: total = {SOLUTION}" in said
        assert f"{path}: {IN_WORDS}" in said
    assert not (book_with_an_exercise / "_build" / "html-without-solutions").exists()


def test_what_stands_openly_in_one_chapter_is_no_secret_of_another(book_with_an_exercise):
    path = book_with_an_exercise / "book" / "chapter.ipynb"
    assert f"total = {SOLUTION}" in book.secrets([path])
    other = path.with_name("other.ipynb")
    nbformat.write(notebook(f"total = {SOLUTION}"), other)
    secret = book.secrets([path, other])
    assert f"total = {SOLUTION}" not in secret
    assert IN_WORDS in secret


def test_tasks_that_are_not_in_order_are_named(book_with_an_exercise, capsys):
    change(book_with_an_exercise, "chapter-task-check", "chapter-tusk-check")
    assert book.main([]) == 1
    assert student.main([]) == 1
    said = capsys.readouterr().err
    assert said.count("chapter.ipynb: the check chapter-tusk-check does not follow the answer") == 2
    assert not (book_with_an_exercise / "_build" / "student").exists()


def test_numbers_and_titles_in_words_are_those_of_the_website(small_book):
    toc = small_book / "_toc.yml"
    parts = "parts:\n  - numbered: true\n    chapters:\n      - file: book/first\n      - file: book/chapter\n"
    toc.write_text(f"format: jb-book\nroot: book/index\n{parts}")
    (small_book / "book" / "first.md").write_text("(first)=\n# What comes first\n\n$$\na\n$$ (eq-a)\n")
    index = "# Index\n\nSee {ref}`chapter`.\n\n```{bibliography}\n```\n"
    (small_book / "book" / "index.md").write_text(index)
    path = small_book / "book" / "chapter.ipynb"
    chapter = nbformat.read(path, 4)
    second = copy.deepcopy(chapter.cells[1])
    second.id, second.metadata.mystnb.figure.name = "second", "fig-second"
    text = (
        "We see {numref}`fig-line`, {numref}`fig-second`, {numref}`picture %s <fig-second>`, {eq}`eq-a`, {eq}`eq-c`, "
        "{ref}`first`, {ref}`here <chapter>`, {doc}`first`, "
        "{cite:t}`kingma2015adam`, {cite:t}`lecun1998gradient` end.\n\n"
        "$$\nb\n$$\n\n$$\nc\n$$ (eq-c)"
    )
    chapter.cells += [nbformat.v4.new_markdown_cell("And again."), second, nbformat.v4.new_markdown_cell(text)]
    nbformat.write(chapter, path)
    assert book.main([]) == 0
    shown = html.unescape(re.sub(r"<[^>]*>", "", page(small_book)))
    made = words.Book().in_words(chapter)
    told = next(cell.source for cell in made.cells if "We see" in cell.source)
    here, there = (re.search(r"We see (.*?) end\.", each, re.DOTALL)[1] for each in (told, shown))
    assert re.sub(r"[*()]", "", here).split() == re.sub(r"[()\[\]]", "", there).split()
    assert "Fig. 2.1, Fig. 2.2, picture 2.2, (1.1), (2.1), *What comes first*, here" in here
    captions = [cell.source for cell in made.cells if cell.id.endswith("-caption")]
    assert captions == ["**Fig. 2.1** A line.", "**Fig. 2.2** A line."]
    for caption in captions:
        assert caption.replace("*", "") in " ".join(shown.split())


def test_a_page_of_findings_without_any_says_so(small_book):
    assert book.findings_page("% said-and-measured", []) == "None is recorded yet."


def test_every_verdict_has_its_place_on_the_page_of_findings():
    assert set(findings.NEITHER) | {True, False} == set(book.VERDICTS), "what can be recorded can be shown"
    record = {"what": "a", "said": "1", "measured": "2", "lecture": "lee2018deep", "row": "1"}
    verdicts = [True, "no clear difference", False, "under a condition", False]
    outputs = [
        nbformat.v4.new_output("display_data", {book.FINDING: record | {"agrees": agrees}}) for agrees in verdicts
    ]
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1", outputs=outputs)]
    listed = book.findings_page("% said-and-measured", [("chapter", nbformat.v4.new_notebook(cells=cells))])
    assert listed.startswith(
        "Comparisons with what the lectures said: 5. "
        "Of these 2 differ, 1 holds under a condition, 1 is not clear, 1 agrees."
    )
    for before, (verdict, heading, _) in zip((0, 2, 3, 4), book.VERDICTS.values(), strict=True):
        above, below = listed.split(f"## {heading}\n")
        assert above.count("[a](#said-chapter-1)") == before, f"{heading}: in its order"
        assert below.split("\n## ")[0].count(f"| {verdict} |") == 2 - bool(before), heading
    assert listed.count("[a](#said-chapter-1)") == len(verdicts), "each once"


def test_a_build_that_fails_says_where_and_leaves_the_site_as_it_was(small_book, capsys):
    assert book.main([]) == 0
    good = page(small_book)
    original = (small_book / "book" / "chapter.ipynb").read_bytes()
    faults = [
        ("print('forty', 'two')", "1 / 0", "chapter.ipynb, cell 3 of 4 raised"),
        ("print('forty', 'two')", "import warnings; warnings.warn('x')", "cell 3 of 4 printed a warning"),
        (
            "seen one number",
            "seen {numref}`fig-lime`, {cite}`nobody1999` and [this](missing.md)",
            "fig-lime nobody1999 missing.md",  # each of them, in one go
        ),
    ]
    for old, new, messages in faults:
        change(small_book, old, new)
        capsys.readouterr()
        assert book.main([]) == 1, f"{new} passed"
        said = capsys.readouterr().err
        for message in [messages] if "cell" in messages else messages.split():
            assert message in said
        assert "the last good one still stands" in said
        assert page(small_book) == good
        (small_book / "book" / "chapter.ipynb").write_bytes(original)
    (small_book / "data.py").write_text("raise SystemExit('no data')\n")
    assert book.main([]) == 1
    assert "the data could not be loaded" in capsys.readouterr().err


def test_an_interrupted_build_ends_at_once_and_leaves_the_site(small_book):
    shutil.rmtree(small_book / "tools")
    shutil.copytree(Path(book.__file__).parents[1], small_book / "tools")
    environment = os.environ | {"PYTHONPATH": os.fspath(small_book)}
    command = [sys.executable, "-m", "tools.build.book", "--jobs", "1"]
    subprocess.run(command, cwd=small_book, env=environment, check=True, stdout=subprocess.DEVNULL)
    good = page(small_book)
    for name in ("chapter", "second"):
        slow = notebook("import time, pathlib", f"pathlib.Path('{name}.started').touch()\ntime.sleep(50)")
        slow.cells[0].source = TITLE.replace("chapter", name)
        nbformat.write(slow, small_book / "book" / f"{name}.ipynb")
    with (small_book / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/second\n")
    building = subprocess.Popen(
        command, cwd=small_book, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (small_book / "book" / "chapter.started").exists():
        assert building.poll() is None
        time.sleep(0.1)
    building.send_signal(signal.SIGINT)
    _, said = building.communicate(timeout=40)
    assert building.returncode == 130
    assert not (small_book / "book" / "second.started").exists()
    assert b"interrupted" in said
    assert b"the last good one still stands" in said
    assert b"tools/build/book.py" not in said, said.decode()
    assert page(small_book) == good


def test_chapters_of_the_same_name_in_two_folders_keep_their_results(small_book, capsys):
    (small_book / "book" / "more").mkdir()
    second = notebook("print('another')")
    second.cells[0].source = TITLE.replace("(chapter)", "(second)")
    nbformat.write(second, small_book / "book" / "more" / "chapter.ipynb")
    with (small_book / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/more/chapter\n")
    assert book.main([]) == 0
    assert "2 executed" in capsys.readouterr().out
    assert book.main([]) == 0
    assert "0 executed" in capsys.readouterr().out


def test_the_key_sees_what_is_installed_in_place_of_what_is_locked(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==0.0.1 \\\n    --hash=sha256:0\nnever-installed==1\n")
    never, numpy = book.installed(lock).splitlines()
    assert numpy.startswith("numpy ")
    assert "0.0.1" not in numpy
    assert never == "no never-installed"


def test_launch_buttons_appear_with_a_public_address_and_not_without(small_book):
    config = yaml.safe_load((small_book / "_config.yml").read_text("utf-8"))
    config["repository"]["url"] = "https://github.com/somebody/something"
    (small_book / "_config.yml").write_text(yaml.safe_dump(config), "utf-8")
    assert book.main([]) == 0
    built = page(small_book)
    assert "https://colab.research.google.com/github/somebody/something/blob/main/book/chapter.ipynb" in built
    assert "https://mybinder.org/v2/gh/somebody/something/main" in built
    assert "https://github.com/somebody/something/issues" in built
    for downloaded in ("mathjax@3", "cdn.jsdelivr", "unpkg.com", "thebe"):
        assert downloaded not in built
    assert book.main(["--solutions", "0"]) == 0
    without = (small_book / "_build" / "html-without-solutions" / "book" / "chapter.html").read_text("utf-8")
    assert "somebody/something" not in without, "the repository holds the solutions"


def test_jobs_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        book.main(["--jobs", "0"])
    assert "--jobs must be at least 1, got 0" in capsys.readouterr().err
