"""Marking: ten submissions of a real chapter in one go, and what else may come back, on a chapter of three tasks."""

import asyncio
import csv
import html
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.build import exercises, notebooks, student, words
from tools.teach import grade, marking

import nbformat
import psutil
import pytest

CHAPTER = notebooks.ROOT / "book" / "backprop.ipynb"
POINTS = {
    "backprop-fib": 1,
    "backprop-multiply": 1,
    "backprop-backward": 2,
    "backprop-matrices": 3,
    "backprop-three-paths": 2,
    "backprop-wider": 2,
    "backprop-operations": 3,
    "backprop-fool": 3,
    "backprop-diagnosis": 3,
}


def rows(out):
    with (out / "grades.csv").open(encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def cell(notebook, name):
    return next(cell for cell in notebook.cells if exercises.name_of(cell) == name)


def replaced(notebook, name, old, new):
    source = cell(notebook, name).source
    assert source.count(old) == 1
    cell(notebook, name).source = source.replace(old, new)


def test_ten_submissions_are_marked_in_one_go(tmp_path):
    def hand_in(path, notebook):
        path = tmp_path / "submissions" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    def solved():
        """What students get, with the chapter's solutions as their answers."""
        chapter = notebooks.read(CHAPTER)
        made = student.edition(chapter, words.Book())
        for task in exercises.tasks_of(chapter):
            cell(made, task.name).source = exercises.shown(task.answer.source)
        return made

    hand_in("perfect/backprop.ipynb", solved())
    hand_in("blank/backprop.ipynb", student.edition(notebooks.read(CHAPTER), words.Book()))
    partly = solved()
    replaced(partly, "backprop-fib", "return 1 if n <= 2", "return n if n == 20 else 1 if n <= 2")
    replaced(partly, "backprop-backward", "gradient += slope", "gradient = slope")
    replaced(partly, "backprop-wider", "layers * units**2", "layers * units")
    hand_in("partly/backprop.ipynb", partly)
    looping = solved()
    replaced(looping, "backprop-wider", "one_unit = 0\n", "one_unit = 0\n    while True:\n        pass\n")
    hand_in("looping/backprop.ipynb", looping)
    bomb = solved()
    crowd = "    kept = [np.zeros(10**8) for _ in range(100)]\n"
    replaced(bomb, "backprop-three-paths", "    u1, u2 = ", f"{crowd}    u1, u2 = ")
    hand_in("bomb/backprop.ipynb", bomb)
    unreadable = solved()
    replaced(unreadable, "backprop-fool", "def fooled():", "def fooled()")
    hand_in("syntax/backprop.ipynb", unreadable)
    cut = hand_in("truncated/backprop.ipynb", solved())
    cut.write_text(cut.read_text("utf-8")[:9000], "utf-8")
    deleted = solved()
    gone = {"backprop-fib", "backprop-operations", "backprop-matrices-check", "backprop-fool-check"}
    deleted.cells = [cell for cell in deleted.cells if exercises.name_of(cell) not in gone]
    hand_in("deleted/backprop.ipynb", deleted)
    edited = solved()
    replaced(edited, "backprop-fool", "lambda x: 1e12 + x", "lambda x: x**2")
    cell(edited, "backprop-fool-check").source = "pass"
    hand_in("edited/backprop.ipynb", edited)
    hand_in("Copy of Final (2).ipynb", student.edition(notebooks.read(CHAPTER), words.Book(), solutions=True))

    totals = {
        "perfect": 20,
        "blank": 0,
        "partly": 20 - 1 - 2 - 2,
        "looping": 20 - 2,
        "bomb": 20 - 2,
        "syntax": 20 - 3,
        "truncated": None,
        "deleted": 20 - 1 - 3,
        "edited": 20 - 3,
        "Copy of Final (2)": 20,
    }
    out = tmp_path / "grades"
    assert grade.main([os.fspath(tmp_path / "submissions"), "--out", os.fspath(out), "--seconds", "3"]) == 0
    marked = rows(out)
    assert {name: float(row["total"]) if row["total"] else None for name, row in marked.items()} == totals
    assert {name: float(points) for name, points in list(marked["perfect"].items())[1:10]} == POINTS
    for name, task, reason in (
        ("looping", "backprop-wider", "time"),
        ("bomb", "backprop-three-paths", "memory"),
        ("syntax", "backprop-fool", "syntax"),
        ("deleted", "backprop-fib", "missing"),
        ("deleted", "backprop-operations", "missing"),
    ):
        assert marked[name][task] == "0"
        assert f"{task}: {reason}" in marked[name]["remarks"]
    assert "this is no zero" in marked["truncated"]["remarks"]
    assert marked["truncated"]["backprop-fib"] == "", "what could not be marked is empty, and not 0"
    assert "the check was edited; it was marked with the original" in marked["edited"]["remarks"]
    assert marked["perfect"]["remarks"] == marked["blank"]["remarks"] == marked["partly"]["remarks"] == ""
    pages = {path.stem: path.read_text("utf-8") for path in out.glob("*.html")}
    assert len(pages) == 10
    assert "one share has overwritten the other" in pages["partly"]
    assert "it ran for more than 3 s" in pages["looping"]
    assert "its cell was deleted" in pages["deleted"]
    assert "fib(20) is not right" in pages["partly"]
    assert "6765" not in pages["partly"], "the lines of hidden tests stay hidden"


# A chapter without slow imports, for all else that may come back.


def made(source, name=None, **graded):
    made = nbformat.v4.new_code_cell(source)
    if name:
        flags = dict.fromkeys(("grade", "solution", "locked", "task"), False)
        made.metadata.nbgrader = {"grade_id": name, "schema_version": 3} | flags | graded
    return made


def toy_task(name, function, value, needs=()):
    source = f"def {function}():\n    ### BEGIN SOLUTION\n    return {value}\n    ### END SOLUTION"
    answer = made(source, name, solution=True)
    if needs:
        answer.metadata.task = {"needs": list(needs)}
    check = f'assert {function}() == {value}, "not {value}"'
    return [answer, made(check, f"{name}-check", grade=True, locked=True, points=1)]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    return toy_of(tmp_path, monkeypatch)


def toy_of(tmp_path, monkeypatch):
    """A book of one chapter; returns a function that hands something in and one that marks and returns the rows."""
    cells = [
        nbformat.v4.new_markdown_cell("(toy)=\n# A toy"),
        made("import math"),
        made("SEVEN = 7", "toy-seven", locked=True),
        *toy_task("toy-one", "one", "1"),
        made("x = one()"),
        *toy_task("toy-two", "two", "math.floor(2.5)"),
        *toy_task("toy-three", "three", "SEVEN - 4", ["toy-seven"]),
    ]
    return book_of("toy", cells, tmp_path, monkeypatch)


def book_of(name, cells, tmp_path, monkeypatch):
    """As the fixture ``toy`` for a chapter of this name."""
    chapter = tmp_path / "book" / f"{name}.ipynb"
    notebooks.write(nbformat.v4.new_notebook(cells=cells), chapter)
    monkeypatch.setattr(notebooks, "chapters", lambda: [chapter])
    folder, out = tmp_path / "submissions", tmp_path / "out" / "grades"

    def hand_in(path, change=lambda notebook: None):
        notebook = notebooks.read(chapter)
        change(notebook)
        notebooks.write(notebook, folder / path)

    def mark(*options):
        assert grade.main([os.fspath(folder), "--out", os.fspath(out), "--seconds", "2", *options]) == 0
        return rows(out)

    return hand_in, mark, folder, out


def body(name, new):
    """A change that puts ``new`` in the place of the answer's last line."""

    def change(notebook):
        lines = exercises.shown(cell(notebook, name).source).splitlines()
        cell(notebook, name).source = "\n".join([*lines[:-1], *(f"    {line}" for line in new.splitlines())])

    return change


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("import os; os._exit(0)", "died"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "died"),
        ("import os, signal; os.kill(os.getppid(), signal.SIGKILL); os._exit(0)", "died"),
        ("import sys; sys.exit(0)", "error"),
        ("raise KeyboardInterrupt", "died"),
        ("return input()", "error"),
        ("while True: print('x' * 1000)", "time"),
        ("import subprocess\nsubprocess.run(['sleep', '60'])", "time"),
        ("return two()", "error"),
        ("return bytearray(10**11)", "memory"),
        (
            "import os\nfor fd in range(3, 40):\n  try: os.write(fd, b'{}' + bytes([10]))\n  except OSError: pass",
            "died",
        ),
    ],
)
def test_what_one_answer_does_costs_itself_alone(toy, new, reason):
    hand_in, mark, *_ = toy
    hand_in("somebody/toy.ipynb", body("toy-two", new))
    row = mark()["somebody"]
    assert (row["toy-one"], row["toy-two"], row["toy-three"], row["total"]) == ("1", "0", "1", "2")
    assert f"toy-two: {reason}" in row["remarks"]


def test_where_no_process_can_be_forked_each_is_started_anew(toy, monkeypatch):
    monkeypatch.setattr(marking.Nursery, "forks", False)
    hand_in, mark, *_ = toy
    hand_in("somebody/toy.ipynb", body("toy-two", "import os; os._exit(7)"))
    row = mark()["somebody"]
    assert (row["toy-one"], row["toy-two"], row["toy-three"], row["total"]) == ("1", "0", "1", "2")
    assert "toy-two: died" in row["remarks"]


def test_submitted_code_does_not_see_the_environment_and_works_in_a_folder_of_its_own(toy, monkeypatch, tmp_path):
    hand_in, mark, *_ = toy
    monkeypatch.setenv("SECRET_TOKEN", "42")
    seen = tmp_path / "seen"
    look = (
        f"import os, json\nopen({os.fspath(seen)!r}, 'w').write(json.dumps([dict(os.environ), os.getcwd()]))\nreturn 1"
    )
    hand_in("somebody/toy.ipynb", body("toy-one", look))
    assert mark()["somebody"]["toy-one"] == "1"
    environment, where = json.loads(seen.read_text())
    assert "SECRET_TOKEN" not in environment
    assert environment["HOME"] == where
    assert not Path(where).exists(), "the folder is gone when the marking is done"


def test_the_chapters_cells_and_what_the_student_put_beside_the_answer_are_run(toy):
    hand_in, mark, *_ = toy

    def change(notebook):
        place = notebook.cells.index(cell(notebook, "toy-two"))
        cell(notebook, "toy-two").source = "def two():\n    return half(fraction(4))"
        notebook.cells.insert(place, made("def half(x):\n    return x / 2"))
        notebook.cells.insert(place, made("a scratch cell that cannot be read"))
        notebook.cells[1].source = "import math\nfrom fractions import Fraction as fraction"

    hand_in("somebody/toy.ipynb", change)
    row = mark()["somebody"]
    assert row["total"] == "3"
    assert "a cell that you added (1) was left out: SyntaxError" in row["remarks"]


def test_imports_that_do_not_end_are_left_out_and_said(toy):
    hand_in, mark, *_ = toy

    def change(notebook):
        notebook.cells[1].source = "import math\nimport os\nos._exit(1)"

    hand_in("somebody/toy.ipynb", change)
    row = mark()["somebody"]
    assert row["total"] == "3"
    assert "toy: your own imports were left out" in row["remarks"]


def test_cells_of_the_chapter_are_not_run_when_a_program_has_dropped_their_ids(toy):
    hand_in, mark, folder, _ = toy

    def untouched(notebook):
        cell(notebook, "toy-one").source = cell(exercises.blank(notebook), "toy-one").source

    hand_in("somebody/toy.ipynb", untouched)
    path = folder / "somebody" / "toy.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    for each in notebook["cells"]:
        del each["id"]
    path.write_text(json.dumps(notebook | {"nbformat_minor": 4}), "utf-8")
    row = mark()["somebody"]
    assert row["total"] == "2"
    assert row["remarks"] == "", "x = one(), which fails without the first answer, is not the student's"


def test_an_answer_that_has_moved_is_found_and_a_copy_is_said(toy):
    hand_in, mark, *_ = toy

    def moved(notebook):
        source = exercises.shown(cell(notebook, "toy-one").source)
        notebook.cells.remove(cell(notebook, "toy-one"))
        notebook.cells.append(made(source))

    def copied(notebook):
        wrong = made("def one():\n    return 3", "toy-one", solution=True)
        notebook.cells.insert(3, wrong)

    hand_in("moved/toy.ipynb", moved)
    hand_in("copied/toy.ipynb", copied)
    marked = mark()
    assert marked["moved"]["total"] == marked["copied"]["total"] == "3"
    assert "cells that define the same were marked" in marked["moved"]["remarks"]
    assert "the answer stands 2 times" in marked["copied"]["remarks"]


def inserted(after, *sources, before=False):
    """A change that puts code cells after the cell of this name, or before it."""

    def change(notebook):
        place = notebook.cells.index(cell(notebook, after)) + (not before)
        notebook.cells[place:place] = [made(source) for source in sources]

    return change


def stub(name):
    """A change that leaves the task of this name as students get it."""

    def change(notebook):
        cell(notebook, name).source = cell(exercises.blank(notebook), name).source

    return change


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("import math; math.floor = len; return 0", ""),
        ("import numpy, sys; sys.modules['math'].floor = None; return 0", ""),
        ("import signal; signal.alarm(1); return 0", ""),
        ("import os; os.fork(); return 0", ""),
        ("import os\nif os.fork() == 0:\n  os.setsid()\n  import time; time.sleep(30)\nreturn 0", ""),
        ("import os; os.closerange(3, 256)\nwhile True: pass", "died"),
        ("raise ValueError('\\ud800')", "error"),
        ("raise ZeroDivisionError('x' * 10**7)", "error"),
    ],
)
def test_what_a_wrong_answer_leaves_behind_costs_no_other_task(toy, new, reason):
    hand_in, mark, *_ = toy
    hand_in("somebody/toy.ipynb", body("toy-one", f"import math\n{new}"))
    row = mark()["somebody"]
    assert (row["toy-one"], row["toy-two"], row["toy-three"]) == ("0", "1", "1")
    assert f"toy-one: {reason}" in row["remarks"] if reason else "toy-one" not in row["remarks"]
    if "fork" in new:
        assert row["remarks"] == "", "the copy of the process says nothing"


def test_a_mark_that_another_answer_had_changed_is_said(toy):
    hand_in, mark, *_ = toy
    hand_in("somebody/toy.ipynb", body("toy-one", "import math; math.floor = len; return 1"))
    row = mark()["somebody"]
    assert row["total"] == "3"
    assert "toy-two: at first: error; it is right when it is run by itself" in row["remarks"]


TWO = "def two():\n    return 2"


def answered_in_a_copy(notebook):
    place = notebook.cells.index(cell(notebook, "toy-two"))
    notebook.cells.insert(place, made(cell(exercises.blank(notebook), "toy-two").source, "toy-two", solution=True))


@pytest.mark.parametrize(
    "changes",
    [
        [body("toy-two", "import pickle\nreturn pickle.loads(pickle.dumps(two)) and 2")],
        [
            lambda notebook: cell(notebook, "toy-two").update(
                source=f"import asyncio\nawait asyncio.sleep(0)\n!ls\n%time 1 + 1\nlen?\n{TWO}"
            )
        ],
        [lambda notebook: cell(notebook, "toy-two").update(source=f"%matplotlib inline\n{TWO}")],
        [lambda notebook: cell(notebook, "toy-two").update(source=f"{TWO}\nprint(three())")],
        [lambda notebook: cell(notebook, "toy-two").update(cell_type="markdown")],
        [stub("toy-two"), inserted("toy-two", TWO)],
        [stub("toy-two"), inserted("toy-three-check", TWO)],
        [answered_in_a_copy],
        [
            inserted("toy-seven", "from math import floor as down", "import no_such_module"),
            body("toy-two", "return down(2.5)"),
        ],
        [inserted("toy-three-check", "def half(x):\n    return x // 2"), body("toy-two", "return half(5)")],
        [inserted("toy-two", "while True: pass")],
        [inserted("toy-two", "import os; os._exit(1)", before=True)],
        [inserted("toy-two", *(f"raise ValueError('{number}' * 10**5)" for number in range(100)))],
    ],
    ids=range(13),
)
def test_a_right_answer_counts_however_it_stands_in_the_notebook(toy, changes):
    hand_in, mark, *_ = toy
    hand_in("somebody/toy.ipynb", lambda notebook: [change(notebook) for change in changes])
    row = mark()["somebody"]
    assert row["total"] == "3"
    assert "missing" not in row["remarks"]


@pytest.mark.parametrize("kept", ["ids", "metadata", "nothing"])
def test_a_program_may_drop_ids_and_metadata_and_the_student_change_the_imports(toy, kept):
    hand_in, mark, folder, _ = toy

    def change(notebook):
        notebook.cells[1].source = "import math\nfrom fractions import Fraction\nprint(math.pi)"
        body("toy-two", "return int(Fraction(2))")(notebook)
        body("toy-three", "return int(Fraction(3))")(notebook)

    hand_in("somebody/toy.ipynb", change)
    path = folder / "somebody" / "toy.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    for each in notebook["cells"]:
        if kept != "ids":
            del each["id"]
        if kept != "metadata":
            each["metadata"] = {}
    path.write_text(json.dumps(notebook | {"nbformat_minor": 5 if kept == "ids" else 4}), "utf-8")
    assert mark()["somebody"]["total"] == "3"


def test_no_zero_is_silent(toy):
    hand_in, mark, _, out = toy
    hand_in("begun/toy.ipynb", body("toy-one", "if 2 < 1:\n    return 1\nraise NotImplementedError"))
    hand_in("given/toy.ipynb", lambda notebook: cell(notebook, "toy-seven").update(source="SEVEN = 8"))
    two = "def help():\n    pass", "def one():\n    return undefined", "def one():\n    # \n    return other"
    hand_in(
        "two/toy.ipynb",
        lambda notebook: notebook.cells.__setitem__(
            slice(3, 4), [made(source, "toy-one", solution=True) for source in two]
        ),
    )
    marked = mark()
    assert "toy-one: unfinished" in marked["begun"]["remarks"]
    assert "toy-three: toy-seven, on which it leans, was edited; the original was used" in marked["given"]["remarks"]
    assert "<your answer (3)>, line 3: return other" in html.unescape((out / "two.html").read_text("utf-8"))


def test_an_unfinished_answer_gets_no_points_and_costs_no_other(toy):
    hand_in, mark, *_ = toy
    hand_in("begun/toy.ipynb", body("toy-one", "if 2 < 1:\n    return 1\nraise NotImplementedError"))
    hand_in("untouched/toy.ipynb", lambda notebook: cell(notebook, "toy-one").update(source=exercises.STUB))
    for row in mark().values():
        assert (row["toy-one"], row["toy-two"], row["toy-three"], row["total"]) == ("0", "1", "1", "2")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_an_answer_cannot_fill_the_disk(toy):
    hand_in, mark, *_ = toy
    write = "with open('{name}', 'wb') as file:\n  for _ in range({mega}): file.write(bytes(2**20))\nreturn {value}"
    hand_in("large/toy.ipynb", body("toy-one", write.format(name="large", mega=80, value=1)))
    hand_in("small/toy.ipynb", body("toy-one", write.format(name="small", mega=40, value=1)))
    marked = mark()
    assert (marked["large"]["toy-one"], marked["large"]["total"]) == ("0", "2")
    assert (marked["small"]["toy-one"], marked["small"]["total"]) == ("1", "3")


def test_one_notebook_that_cannot_be_dealt_with_costs_nobody_else(toy, monkeypatch):
    hand_in, mark, folder, _ = toy
    for name, change in {
        "no source": lambda cells: cells[3].pop("source"),
        "null": lambda cells: cells[3].update(source=None),
        "no type": lambda cells: cells[3].pop("cell_type"),
        "surrogate": lambda cells: cells[3].update(source="def one():\n    return 1  # \ud83d"),
        os.fsdecode(b"M\xfcller"): lambda cells: None,
        "x" * 254: lambda cells: None,
        "\t=1+1\nx": lambda cells: None,
    }.items():
        hand_in(f"{name}/toy.ipynb")
        path = folder / name / "toy.ipynb"
        notebook = json.loads(path.read_text("utf-8"))
        change(notebook["cells"])
        path.write_text(json.dumps(notebook), "utf-8")
    hand_in("Łukasz/toy.ipynb")
    hand_in("unforeseen/toy.ipynb", lambda notebook: notebook.cells.append(made("unforeseen")))
    parts_of = grade.parts_of

    def failing(notebook, chapter):
        assert notebook.cells[-1].source != "unforeseen"
        return parts_of(notebook, chapter)

    monkeypatch.setattr(grade, "parts_of", failing)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    marked = mark()
    totals = {name: row["total"] for name, row in marked.items()}
    assert totals == {"no source": "", "null": "", "no type": "", "surrogate": "2", "unforeseen": ""} | dict.fromkeys(
        ["M\\udcfcller", "x" * 254, "'=1+1 x", "Łukasz"], "3"
    )
    for name in ("no source", "null", "no type", "unforeseen"):
        assert "was not marked, and this is no zero" in marked[name]["remarks"]


def test_folders_as_learning_platforms_make_them(toy, tmp_path):
    hand_in, mark, folder, _ = toy
    hand_in("Course 2026/Ada_1_assignsubmission_file_/toy.ipynb")
    hand_in("Course 2026/Kurt/TOY.IPYNB")
    hand_in("Course 2026/Emmy/first/toy.ipynb", body("toy-one", "return 0"))
    hand_in("Course 2026/Emmy/second/toy.ipynb")
    hand_in("Course 2026/Alan/toy.ipynb.txt")
    (folder / "Course 2026" / "Nobody" / ".ipynb_checkpoints").mkdir(parents=True)
    (folder / "Course 2026" / "Zip").mkdir()
    (folder / "Course 2026" / "Zip" / "all.zip").write_text("x")
    path = folder / "Course 2026" / "Alan" / "toy.ipynb.txt"
    path.write_text(path.read_text("utf-8"), "utf-8-sig")
    marked = mark()
    wanted = {"Ada_1_assignsubmission_file": "3", "Kurt": "3", "Emmy": "3", "Alan": "3", "Nobody": "", "Zip": ""}
    assert {name: row["total"] for name, row in marked.items()} == wanted
    assert "nothing was handed in" in marked["Nobody"]["remarks"]
    assert "unpack it first" in marked["Zip"]["remarks"]
    assert "several folders, first, second" in marked["Emmy"]["remarks"]
    assert "second/toy.ipynb counts, not first/toy.ipynb" in marked["Emmy"]["remarks"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_marking_that_is_ended_leaves_nothing_behind(tmp_path, ending):
    looping = notebooks.read(CHAPTER)
    replaced(looping, "backprop-fib", "return 1 if n <= 2", "return fib(n) if n <= 2")
    cell(looping, "backprop-fib").source += "\nwhile True: pass"
    notebooks.write(looping, tmp_path / "submissions" / "somebody" / "backprop.ipynb")
    command = [sys.executable, "-m", "tools.teach.grade", tmp_path / "submissions", "--out", tmp_path / "grades"]
    heard = {"preexec_fn": lambda: signal.signal(ending, signal.SIG_DFL)}  # also where the tests run in the background
    with subprocess.Popen(command, cwd=notebooks.ROOT, stderr=subprocess.PIPE, text=True, **heard) as process:
        marking = psutil.Process(process.pid)
        while not (workers := marking.children(recursive=True)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(ending)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Nothing was written" in said
    assert [path.name for path in tmp_path.iterdir()] == ["submissions"]
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def test_what_is_no_notebook_of_the_book_is_said_and_the_rest_is_marked(toy, tmp_path):
    hand_in, mark, folder, _ = toy
    hand_in("good/work.ipynb")
    hand_in("twice/toy.ipynb", body("toy-one", "return 0"))
    hand_in("twice/toy (1).ipynb")
    hand_in("toy_Ada.ipynb")
    for name, text in {
        "text/answers.docx": "x",
        "empty/toy.ipynb": "",
        "list/toy.ipynb": "[]",
        "object/toy.ipynb": "{}",
        "odd/toy.ipynb": '{"cells": [1, {"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "__MACOSX/toy.ipynb": "x",
        ".hidden/toy.ipynb": "x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    notebooks.write(nbformat.v4.new_notebook(cells=[made("1 + 1")]), folder / "other" / "toy.ipynb")
    marked = mark()
    assert marked["good"]["total"] == marked["twice"]["total"] == marked["Ada"]["total"] == "3"
    assert "toy came twice: toy (1).ipynb counts" in marked["twice"]["remarks"]
    assert set(marked) == {"good", "twice", "Ada", "text", "empty", "list", "object", "odd", "other"}
    for name in ("text", "empty", "list", "object", "odd", "other"):  # and not a zero
        assert marked[name]["total"] == ""
        assert "was not marked" in marked[name]["remarks"]


# A chapter whose last task builds on what stands above it.


@pytest.fixture
def house(tmp_path, monkeypatch):
    drawing = made("box.append(1000)")
    drawing.metadata.mystnb = {"figure": {"name": "fig-box"}}
    cells = [
        nbformat.v4.new_markdown_cell("(house)=\n# A house"),
        made("import math\nimport time"),
        made("def double(x):\n    return 2 * x"),
        *toy_task("house-half", "half", "x / 2"),
        made("box = [1]"),
        made("box.append(2)"),
        made("def fill(b):\n    b.append(3)\n    return len(b)"),
        made("size = fill(box)"),
        made("time.sleep(3)\nslow = 4"),
        drawing,
        *toy_task("house-six", "six", "6"),
        made("def later():\n    return 6"),
    ]
    for cell in cells[3:5]:
        cell.source = cell.source.replace("half()", "half(x)" if cell is cells[3] else "half(6)")
    cells[4].source = "assert half(6) == 3, 'not the half'"
    return book_of("house", cells, tmp_path, monkeypatch)


def half(source):
    """A change that makes ``source`` the answer to the first task."""
    return lambda notebook: cell(notebook, "house-half").update(source=source)


def chapters_cell(begins, source):
    """A change to a cell of the chapter that is no task."""

    def change(notebook):
        next(each for each in notebook.cells if each.source.startswith(begins)).source = source

    return change


OPEN = half("def half(x):\n    # YOUR CODE HERE; the next cell checks it\n    raise NotImplementedError")
OWN = "with the student's own versions of the cells above it"


@pytest.mark.parametrize(
    ("new", "changes", "remark"),
    [
        ("return double(3)", [], ""),
        ("return double(half(6))", [], ""),
        ("return double(half(6))", [OPEN], ""),
        ("return double(half(6))", [half("def half(x):\n    return 0")], ""),
        ("return double(half(6, 2))", [half("def half(x, by):\n    return x / by")], OWN),
        ("return double(half(6, 2))", [half("by_two = 2\ndef half(x, by):\n    return x / by_two")], OWN),
        ("return helper()", [half("def helper():\n    return 6\n\ndef half(x):\n    return x / 2")], ""),
        ("return helper()", [half("def helper():\n    return 2 * half(6)\n\ndef half(x):\n    return 0")], ""),
        ("return box[0] + box[1] + 3", [], ""),
        ("return sum(box)", [], "it is right when all is run that stands above it"),
        ("return slow + 2", [], ""),
        ("return three + three", [inserted("house-half", "three = math.floor(3.5)", before=True)], ""),
        ("return double(1, 3)", [inserted("house-half", "def double(x, y):\n    return 2 * x * y", before=True)], ""),
        (
            "return double(3)",
            [inserted("house-half", "def double(x):\n    return 0", before=True)],
            "it is right without the cells that the student added",
        ),
        ("return triple(2)", [chapters_cell("def double", "def triple(x):\n    return 3 * x")], ""),
        ("return double(1)", [chapters_cell("def double", "def double(x):\n    return 6 * x")], OWN),
        ("return double(3)", [chapters_cell("def double", "def double(x):\n    return 6 * x")], "was edited"),
        ("return double(3)", [lambda notebook: notebook.cells.pop(2)], ""),
    ],
    ids=range(18),
)
def test_an_answer_may_use_what_stands_above_it(house, new, changes, remark):
    hand_in, mark, *_ = house
    hand_in(
        "somebody/house.ipynb", lambda notebook: [change(notebook) for change in (body("house-six", new), *changes)]
    )
    row = mark("--seconds", "2")["somebody"]
    assert row["house-six"] == "1"
    about_six = [each for each in row["remarks"].split("; ") if "house-half" not in each]
    assert remark in "; ".join(about_six) if remark else about_six in ([""], [])


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("return 7", "The check says: not 6"),
        ("return double(4)", "The check says: not 6"),
        ("return sum(box) + 1", "The check says: not 6"),
        ("return half(10)", "The check says: not 6"),
        ("return later()", "It uses `later`, which the chapter defines only further down."),
        ("return nowhere()", "It uses `nowhere`, which neither the chapter above it defines nor a cell of yours."),
        ("return 6\nsix = None\ndel six", "The check looks for `six`, and the answer does not define it."),
        ("while True: double(3)", "it ran for more than 2 s"),
    ],
)
def test_what_is_wrong_stays_wrong_with_all_that_stands_above_it(house, new, says):
    hand_in, mark, _, out = house
    hand_in("somebody/house.ipynb", lambda notebook: [body("house-six", new)(notebook), OPEN(notebook)])
    if "del six" in new:
        hand_in("somebody/house.ipynb", lambda notebook: cell(notebook, "house-six").update(source="seven = 7"))
    assert mark("--seconds", "2")["somebody"]["house-six"] == "0"
    assert says in html.unescape((out / "somebody.html").read_text("utf-8"))


def test_a_blank_that_nobody_has_touched_is_not_run(house, monkeypatch):
    hand_in, mark, *_ = house
    monkeypatch.setattr(marking, "_run", None)
    hand_in("somebody/house.ipynb", lambda notebook: notebook.update(cells=exercises.blank(notebook).cells))
    row = mark()["somebody"]
    assert (row["total"], row["remarks"]) == ("0", "")


def run_with_chapter(source, **limits):
    cells = [("chapter", "the chapter", source), ("answer", "your answer", "b = a")]
    task = {"name": "x", "check": "assert b == 1", "ways": [{"why": "", "cells": cells}]}
    return asyncio.run(marking.mark("import time", [task], **limits))[0]["x"]


def test_the_chapters_cells_have_a_time_of_their_own_and_their_failures_are_told():
    assert run_with_chapter("a = 1\ntime.sleep(3)", seconds=2, chapter=60)["outcome"] == "right"
    result = run_with_chapter("time.sleep(10)\na = 1", seconds=30, chapter=1)
    assert (result["outcome"], result["message"]) == (
        "time",
        "what it leans on of the chapter ran for more than 1 s and was stopped",
    )
    result = run_with_chapter("a = no_such_data()")
    assert result["outcome"] == "error"
    assert "a cell of the chapter that it leans on did not run to its end: NameError" in result["remarks"][0]
    result = run_with_chapter("raise NotImplementedError")
    assert result["outcome"] == "error", "what the chapter raises is no blank"


def test_what_a_newcomer_wrote_who_used_what_the_chapter_had_defined(tmp_path):
    """Each was silent in the notebook and marked 0, before names were looked up."""
    here = {name: notebooks.read(notebooks.ROOT / "book" / f"{name}.ipynb") for name in ("optimization", "backprop")}
    first = "np.random.default_rng(seed).uniform(-1, 1, size=(trials, starts))"
    cell(here["optimization"], "optimization-restarts").source = f"""
def best_places(loss, slope, starts, trials=1000):
    places = descend(slope, {first}, 0.0005, 400)[-1]
    return places[np.arange(trials), loss(places).argmin(axis=1)]"""
    cell(here["backprop"], "backprop-wider").source = """
def multiplications(units, layers):
    once, each = [0], 0
    memory = {}
    for unit in range(units):
        slope_of(unit, 0, np.ones((layers, units, units)), memory, once)
    for _ in range(layers):
        each = units * (1 + each)
    return units * each, once[0]"""
    cell(here["backprop"], "backprop-operations").source = """
def sigmoid(a):
    value = 1 / (1 + exp(-a).value)
    return Node(value, (a,), (value * (1 - value),), "sigmoid")


def relu(a):
    return Node(max(0.0, a.value), (a,), (float(a.value > 0),), "relu")"""
    for name, notebook in here.items():
        notebooks.write(notebook, tmp_path / "submissions" / "all answered" / f"{name}.ipynb")
    blank = {name: exercises.blank(notebooks.read(notebooks.ROOT / "book" / f"{name}.ipynb")) for name in here}
    left_open = ["optimization-descend", "backprop-fib", "backprop-multiply", "backprop-backward"]
    for name in left_open:
        cell(here[name.split("-")[0]], name).source = cell(blank[name.split("-")[0]], name).source
    for name, notebook in here.items():
        notebooks.write(notebook, tmp_path / "submissions" / "earlier blanks left open" / f"{name}.ipynb")
    out = tmp_path / "grades"
    assert grade.main([os.fspath(tmp_path / "submissions"), "--out", os.fspath(out)]) == 0
    marked = rows(out)
    assert marked["all answered"]["total"] == marked["all answered"]["out of"]
    tasks = {name: points for name, points in marked["earlier blanks left open"].items() if "-" in name}
    assert {name for name, points in tasks.items() if points == "0"} == set(left_open)
    assert all(row["remarks"] == "" for row in marked.values())


def test_feedback_has_the_chapters_in_the_books_order_and_what_was_written(tmp_path, monkeypatch):
    paths = []
    for name in ("zebra", "ant"):
        question = nbformat.v4.new_markdown_cell(f"### Say why: {name}")
        written = nbformat.v4.new_markdown_cell("As it is.", id=f"{name}-why", metadata={"tags": ["exercise"]})
        title = nbformat.v4.new_markdown_cell(f"({name})=\n# The {name}")
        cells = [title, made("import math"), *toy_task(f"{name}-one", "one", "1"), question, written]
        book_of(name, cells, tmp_path, monkeypatch)
        paths.append(tmp_path / "book" / f"{name}.ipynb")
        handed_in = exercises.blank(notebooks.read(paths[-1]))
        if name == "ant":
            handed_in.cells[-1].source = "Because <I> think so."
        notebooks.write(handed_in, tmp_path / "submissions" / "somebody" / f"{name}.ipynb")
    monkeypatch.setattr(notebooks, "chapters", lambda: paths)
    assert grade.main([os.fspath(tmp_path / "submissions"), "--out", os.fspath(tmp_path / "out")]) == 0
    feedback = (tmp_path / "out" / "somebody.html").read_text("utf-8")
    assert feedback.index("The zebra") < feedback.index("The ant")
    assert "Say why: ant: in words, not marked" in feedback
    assert "Because &lt;I&gt; think so." in feedback
    assert "Say why: zebra" not in feedback, "nothing was written there"
    assert "Write your answer" not in feedback


def test_help_marks_nothing(toy, capsys):
    _, _, _, out = toy
    with pytest.raises(SystemExit) as ended:
        grade.main(["--help"])
    assert ended.value.code == 0
    assert "--seconds" in capsys.readouterr().out
    assert not out.exists()


def test_names_and_answers_are_shown_and_not_executed(toy):
    hand_in, mark, _, out = toy
    hand_in("=1+1/toy.ipynb", body("toy-one", "raise ValueError('<script>alert(1)</script>')"))
    row = mark()["'=1+1"]
    assert row["total"] == "2"
    (page,) = [path.read_text("utf-8") for path in out.glob("*.html")]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_older_grades_are_kept_aside(toy, capsys):
    hand_in, mark, folder, out = toy
    hand_in("first/toy.ipynb")
    mark()
    (out / "grades.csv").write_text("corrected by hand")
    (folder / "first").rename(folder / "second")
    mark()
    assert sorted(path.name for path in out.iterdir()) == ["grades.csv", "second.html"]
    (earlier,) = [path for path in out.parent.iterdir() if path != out]
    assert (earlier / "grades.csv").read_text() == "corrected by hand"
    assert f"before are now in {earlier}" in capsys.readouterr().out


def test_bad_options_are_refused_before_anything_is_run(toy, capsys, tmp_path):
    hand_in, _, folder, _ = toy
    hand_in("somebody/toy.ipynb")
    (folder / "grades.csv").write_text("x")
    for name, file in (("precious", "thesis.tex"), ("graded", "grades.csv"), ("graded", "final.xlsx")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).write_text("x")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for options, message in (
        ([folder, "--out", tmp_path / "precious"], "precious holds other things than grades"),
        ([folder, "--out", tmp_path / "graded"], "graded holds other things than grades"),
        ([folder, "--out", folder], "and the submissions must not stand in each other"),
        ([folder, "--out", folder / "grades"], "and the submissions must not stand in each other"),
        ([folder, "--out", tmp_path], "and the submissions must not stand in each other"),
        ([folder, "--out", tmp_path / "precious" / "thesis.tex"], "thesis.tex is not a folder"),
        ([folder, "--out", tmp_path / "precious" / "thesis.tex" / "grades"], "grades cannot be written"),
        ([folder, "--jobs", "0"], "--jobs must be at least 1, got 0"),
        ([folder, "--seconds", "nan"], "--seconds must be at least 1, got nan"),
        ([folder, "--memory", "0.1"], "--memory must be at least 2"),
        ([tmp_path / "missing"], "there is no folder"),
        ([tmp_path / "empty"], "nothing was handed in"),
    ):
        with pytest.raises(SystemExit):
            grade.main([os.fspath(option) for option in options])
        assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_imports_of_the_chapter_that_fail_are_not_the_students_fault():
    with pytest.raises(notebooks.ChapterError, match=r"(?s)imports do not run here.*no_such_module"):
        asyncio.run(marking.mark("import no_such_module", [{"name": "x", "ways": [{"cells": []}], "check": ""}]))
