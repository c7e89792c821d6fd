"""What somebody hands in to do harm, beside an honest student: names, links, HTML, files without end, and code."""

import contextlib
import csv
import itertools
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

from tools.build import book, notebooks
from tools.teach import grade, marking

import psutil
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from test_grade import body, cell, made, toy_of

SECRET = "what nobody but the teacher may read"
posix = pytest.mark.skipif(os.name != "posix", reason="names, links and pipes of POSIX")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    hand_in, mark, folder, out = toy_of(tmp_path, monkeypatch)
    hand_in("Honest/toy.ipynb")
    return hand_in, mark, folder, out


@pytest.fixture
def in_time():
    """A function that ends the test if what follows hangs."""

    def late(*_):
        raise KeyboardInterrupt("it hangs")  # nothing takes it for an error of a notebook

    def limit(seconds):
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, late)
            signal.alarm(seconds)

    yield limit
    limit(0)


def entries(folder):
    return sorted(os.fspath(path.relative_to(folder)) for path in folder.rglob("*"))


NAMES = [
    "a..\\..\\up",
    "C:\\up",
    "con",
    "NUL.txt",
    "lpt1",
    "grades.csv",
    "Honest.html",
    "a\nb",
    "\x1b]0;title\x07\x1b[2J",
    "\u202egnp.exe",
    "=HYPERLINK(1)",
    "＝1+1",
    "x" * 255,
    "é" * 127,
    "'; DROP TABLE students; --",
    "%2e%2e%2fup",
    "<img src=x onerror=alert(1)>",
    "~root",
    "$(touch x)",
    "-rf",
]


@posix
def test_no_name_leads_out_of_the_folder_or_onto_anothers_page(toy, tmp_path, capsys):
    hand_in, mark, folder, out = toy
    for number, name in enumerate(NAMES):  # what they hand in is marked for every tenth, which takes longer
        (folder / name).mkdir()
        if number % 10 == 0:
            hand_in(f"{name}/toy.ipynb")
    before = entries(tmp_path)
    marked = mark()
    assert len(marked) == len(NAMES) + 1
    assert [row["total"] for row in marked.values()].count("3") == 1 + len(NAMES[::10])
    made = set(entries(tmp_path)) - set(before) - {"out", "out/grades", "out/grades/grades.csv"}
    assert len(made) == len(marked), "one page each"
    for path in made:
        assert re.fullmatch(r"out/grades/[\w.-]{1,200}\.html", path)
        stem = Path(path).name.partition(".")[0].lower()
        assert stem not in {"con", "nul", "lpt1"}, "Windows would write to a device"
    assert len({name.lower() for name in made}) == len(made), "also where capitals do not count"
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        for text in itertools.chain(*csv.reader(file)):
            assert not text.startswith(("=", "+", "-", "@", "＝", "\t", "\r"))
            assert "\x1b" not in text
    said = capsys.readouterr().out
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", said), "nothing that a terminal obeys"


@posix
def test_links_are_not_followed_and_what_is_no_file_is_not_read(toy, tmp_path, in_time):
    hand_in, mark, folder, out = toy

    def solved(notebook):
        cell(notebook, "toy-one").source += f"  # {SECRET}"

    hand_in("../elsewhere/toy.ipynb", solved)
    hand_in("Copied/toy.ipynb", solved)
    links = {
        "file/toy.ipynb": tmp_path / "elsewhere" / "toy.ipynb",
        "relative/toy.ipynb": Path("../../elsewhere/toy.ipynb"),
        "neighbour/toy.ipynb": folder / "Honest" / "toy.ipynb",
        "zeros/toy.ipynb": Path("/dev/zero"),
        "round/toy.ipynb": folder / "round" / "toy.ipynb",
        "nowhere/toy.ipynb": tmp_path / "nothing",
        "within/sub": tmp_path / "elsewhere",
        "whole folder": tmp_path / "elsewhere",
        "toy_Linked.ipynb": tmp_path / "elsewhere" / "toy.ipynb",
    }
    for name, target in links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
    for name in ("pipe/toy.ipynb", "toy_Pipe.ipynb"):
        (folder / name).parent.mkdir(exist_ok=True)
        os.mkfifo(folder / name)
    (folder / "Socket").mkdir()
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder / "Socket"):
        server.bind("toy.ipynb")
    in_time(120)
    marked = mark()
    assert marked["Honest"]["total"] == marked["Copied"]["total"] == "3"
    refused = {"file", "relative", "neighbour", "zeros", "round", "nowhere", "within", "whole folder", "Linked"}
    for name in refused:
        assert "it is a link, and links are not followed" in marked[name]["remarks"], name
    for name in ("pipe", "Pipe", "Socket"):
        assert "it is not a file" in marked[name]["remarks"], name
    for name in {*marked} - {"Honest", "Copied"}:
        assert marked[name]["total"] == "", f"{name}: no points, and no zero"
    shown = {path.stem for path in out.glob("*.html") if SECRET in path.read_text("utf-8")}
    assert shown == {"Copied"}, "who has it, as their own, is shown it"


def endless(notebook):
    """By what is wrong with it, the bytes of a notebook that takes long, or much."""
    text = json.dumps(notebook)
    one = json.dumps(made("x = 1"))

    def with_(part, put):
        return text.replace(f'"{part}": ', f'"{part}": {put}, "old {part}": ', 1)

    deep = 100_000
    return {
        "nested lists": "[" * 10**7,
        "nested objects": '{"a":' * 10**6,
        "nested metadata": with_("metadata", '{"a":' * 900 + "1" + "}" * 900),
        "a million cells": with_("cells", "[" + ",".join(['{"cell_type":"code","source":""}'] * 10**6) + "]"),
        "a million numbers": with_("cells", "[" + "1," * 10**6 + "1]"),
        "a million empty objects": with_("cells", "[" + "{}," * 10**6 + "{}]"),
        "many outputs": with_("outputs", "[" + "{}," * 10**6 + "{}]"),
        "megabytes of code": text.replace("SEVEN = 7", "x = 1\\n" * 10**6),
        "blank lines": text.replace("SEVEN = 7", "\\n" * 400_000),
        "deep brackets": text.replace("SEVEN = 7", "(" * deep + ")" * deep),
        "deep minus": text.replace("SEVEN = 7", "x = " + "-" * deep + "1"),
        "deep attributes": text.replace("SEVEN = 7", "x" + ".a" * deep),
        "deep sum": text.replace("SEVEN = 7", "x = 1" + "+1" * deep),
        "deep lambda": text.replace("SEVEN = 7", "x = " + "lambda:" * 20_000 + "1"),
        "deep answer": text.replace("math.floor(2.5)", "-" * deep + "2"),
        "a huge integer": with_("metadata", "1" + "0" * 10**5),
        "a huge exponent": with_("metadata", "1e999999999"),
        "not a number": with_("metadata", "NaN"),
        "no notebook": '{"cells": {"a": 1}, "nbformat": 4}',
        "odd kinds": with_("cells", f'[{one}, {{"cell_type": [1], "source": [1], "metadata": 3}}]'),
        "old format": text.replace('"nbformat": 4', '"nbformat": 2'),
        "text as format": text.replace('"nbformat": 4', '"nbformat": "4"'),
        "no text": b"\xff\xfe" * 1000,
        "a NUL": text.replace("SEVEN = 7", "SEVEN = 7\\u0000"),
    }


MARKED = {
    "many outputs": "3",
    "nested metadata": "3",
    "blank lines": "3",
    "deep brackets": "3",
    "deep minus": "3",
    "deep attributes": "3",
    "deep sum": "3",
    "deep lambda": "3",
    "deep answer": "2",
    "a huge exponent": "3",
    "not a number": "3",
    "a NUL": "3",
}


def test_a_nested_or_huge_file_costs_its_own_student_alone(toy, in_time):
    _, mark, folder, _ = toy
    honest = json.loads((folder / "Honest" / "toy.ipynb").read_text("utf-8"))
    hostile = endless(honest)
    for name, text in hostile.items():
        (folder / name).mkdir()
        (folder / name / "toy.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "sparse").mkdir()
    with (folder / "sparse" / "toy.ipynb").open("wb") as file:
        file.truncate(2**30)
    in_time(240)
    marked = mark("--jobs", "1")
    assert marked["Honest"]["total"] == "3"
    totals = {name: row["total"] for name, row in marked.items() if name != "Honest"}
    assert totals == dict.fromkeys({*hostile, "sparse"}, "") | MARKED
    for name in set(totals) - set(MARKED):
        assert "was not marked, and this is no zero" in marked[name]["remarks"]
        assert len(marked[name]["remarks"]) < 1200, "what is said of it is not endless, either"
    assert "it has 1,000,000 cells; at most 2,000 are read" in marked["a million cells"]["remarks"]
    assert "characters of code; at most" in marked["megabytes of code"]["remarks"]
    assert "it has more than 50 MB" in marked["sparse"]["remarks"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "source": st.text() | st.lists(st.text(max_size=5), max_size=3) | JSON,
        "metadata": st.fixed_dictionaries({}, optional={"nbgrader": JSON, "tags": JSON}) | JSON,
        "id": st.text(max_size=3) | JSON,
        "outputs": JSON,
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={"cells": st.lists(CELL | JSON, max_size=4) | JSON, "nbformat": st.just(4) | JSON, "metadata": JSON},
    )
    | JSON
)
def test_whatever_json_comes_is_read_or_refused(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_text(json.dumps(tree))
    try:
        notebook = grade.read(path)
    except notebooks.ChapterError as error:
        assert len(str(error)) < 400  # noqa: PT017
    else:
        assert all(isinstance(cell.source, str) and isinstance(cell.id, str) for cell in notebook.cells)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


EVIL = (
    "</pre></title></style><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"
    "<svg/onload=document.title='ran'><a href=javascript:document.title='ran'>x</a><iframe srcdoc='<script>"
    "parent.document.title=1</script>'></iframe><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>"
    "\"'`{{7*7}}{%25 x %25}<!--]]>\u202e\x00&#60;script&#62;"
)


def hostile_feedback(hand_in):
    """Hand in a notebook all of whose texts are hostile."""
    name = EVIL.replace("/", "∕").replace("\x00", "")[:80]

    def change(notebook):
        body("toy-one", f"raise ValueError({EVIL!r})")(notebook)
        body("toy-two", f"{EVIL!r}\nreturn None")(notebook)
        cell(notebook, "toy-three").source = f"def three(): return  {EVIL}"
        notebook.cells[1].source = f"import math\nraise ValueError({EVIL!r})"
        cell(notebook, "toy-seven").source = f"SEVEN = {EVIL!r}"
        notebook.cells += [made(f"# {EVIL}")]
        notebook.metadata["title"] = notebook.metadata["kernelspec"] = EVIL

    hand_in(f"{name}/{name}.ipynb", change)
    hand_in(f"{name}/{name}2.ipynb.txt", lambda notebook: notebook.update(cells=[made(EVIL)]))


@posix
def test_no_html_of_theirs_is_on_a_page_of_feedback(toy):
    hand_in, mark, _, out = toy
    hostile_feedback(hand_in)
    mark()
    (path,) = [path for path in out.glob("*.html") if path.name != "Honest.html"]
    text = path.read_text("utf-8")
    page = BeautifulSoup(text, "html.parser")
    honest = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "strong", "code", "section"}
    assert {tag.name for tag in page.find_all()} <= honest | {"span", "pre", "details", "summary", "ul", "li"}
    names = {name for tag in page.find_all() for name in tag.attrs}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class"}
    assert text.count("&lt;script&gt;document.title=") >= 5, "all of it is shown as text"
    assert "{{7*7}}" in text
    (policy,) = page.find_all("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline';")


def alive(mark):
    """The processes whose command line holds ``mark``."""
    return [each for each in psutil.process_iter(["cmdline"]) if mark in " ".join(each.info["cmdline"] or [])]


def workers(known=()):
    """The processes that run answers, or fork those that do, but for those whose numbers are ``known``."""
    return [process for process in alive(os.fspath(marking.WORKER)) if process.pid not in known]


@posix
@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("import os, sys, time\nfor _ in range(40):\n  if os.fork() == 0:\n    time.sleep(300)\nreturn 0", ""),
        (
            "import subprocess, sys\nfor _ in range(5):\n"
            "  subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', 'left-by-an-answer'])\nreturn 0",
            "",
        ),
        (
            "import os\nfor n in range(10**6):\n  with open(f'{n}', 'wb') as file: file.write(bytes(2**20))\n",
            "toy-one: died",
        ),
        ("import os\nfor n in range(10**6): os.mkdir('d' + str(n)); open(f'd{n}/x', 'w').close()", "toy-one: died"),
        (
            "import os\nwhile True:\n  print('x' * 10**6)\n  os.write(1, b'y' * 10**6)\n  os.write(2, b'z' * 10**6)",
            "time",
        ),
    ],
    ids=["forks", "starts programs", "fills the disk", "fills the disk with nothing", "floods"],
)
def test_an_answer_that_forks_fills_or_floods_costs_itself_alone(toy, monkeypatch, in_time, new, said):
    hand_in, mark, *_ = toy
    monkeypatch.setattr(marking, "LARGEST", 2**23)
    others = {process.pid for process in workers()}  # of another test
    hand_in("somebody/toy.ipynb", body("toy-one", new))
    in_time(240)
    marked = mark()
    assert marked["Honest"]["total"] == "3"
    row = marked["somebody"]
    assert (row["toy-one"], row["toy-two"], row["toy-three"]) == ("0", "1", "1")
    assert said in row["remarks"]
    until = time.monotonic() + 10
    while (left := alive("left-by-an-answer") + workers(others)) and time.monotonic() < until:
        time.sleep(0.1)
    own = {process.pid for process in psutil.Process().children(recursive=True)}
    assert not [process for process in left if process.pid in own or "left-by" in " ".join(process.info["cmdline"])]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A book of one page in a folder, as ``tools.build.book`` sees it before anything is run."""
    for module in (notebooks, book):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(book, "SITE", tmp_path / "_build" / "html")
    monkeypatch.setattr(book, "STAGE", tmp_path / "_build" / "stage")
    monkeypatch.setattr(book, "EXECUTED", tmp_path / "_build" / "executed")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.md").write_text("# Index\n")
    (tmp_path / "_config.yml").write_text("repository: {url: ''}\nlaunch_buttons: {}\nhtml: {}\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/chapter\n")
    return tmp_path


@pytest.mark.parametrize("kind", ["nested", "nested objects", "sparse", "no text", "integer"])
def test_a_chapter_that_is_nested_or_huge_is_refused_by_name(small, capsys, in_time, kind):
    path = small / "book" / "chapter.ipynb"
    texts = {
        "nested": b"[" * 10**6,
        "nested objects": b'{"a":' * 10**6,
        "no text": b"\xff\xfe\x00",
        "integer": b'{"cells": [], "metadata": {"a": ' + b"9" * 10**5 + b'}, "nbformat": 4, "nbformat_minor": 5}',
    }
    path.write_bytes(texts.get(kind, b""))
    if kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**30)
    in_time(120)
    assert book.main([]) == 1
    said = capsys.readouterr().err
    assert "chapter.ipynb is not a readable notebook" in said
    assert "No new site was made" in said
    assert len(said) < 2000


@pytest.mark.parametrize("name", ["../out", "book/../../out", "/tmp/../{out}", "linked"])
def test_a_table_of_contents_leads_to_no_notebook_outside(small, capsys, name, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "out.ipynb"
    text = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    outside.write_text(text)
    (small.parent / "out.ipynb").write_text(text)
    (small / "linked.ipynb").symlink_to(outside)
    name = name.format(out=os.fspath(outside.with_suffix(""))[1:])
    (small / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\nchapters:\n  - file: {name}\n")
    assert book.main([]) == 1
    assert f"which is not in {small}" in capsys.readouterr().err
    (small.parent / "out.ipynb").unlink()


def test_a_link_in_the_books_folder_publishes_nothing_from_outside(small, tmp_path_factory):
    secret = tmp_path_factory.mktemp("home") / "key"
    secret.write_text(SECRET)
    (small / "book" / "figures").mkdir()
    (small / "book" / "figures" / "inside.png").write_text("a picture")
    (small / "book" / "twice.png").symlink_to(small / "book" / "figures" / "inside.png")
    book.stage({})
    (small / "book" / "figures" / "picture.png").symlink_to(secret)
    with pytest.raises(notebooks.ChapterError, match=r"picture\.png leads to .*key, out of"):
        book.stage({})
    assert not list((small / "_build" / "stage").rglob("picture.png"))
