"""Every task of every chapter, marked as grading marks it: the solution, the blank, and answers of other hands."""

import asyncio
import builtins
import collections
import contextlib
import io
import linecache
import os
import re
import sys
import tomllib

from tools.build import exercises, notebooks, student, words
from tools.teach import leaning, marking, plans

import nbformat
import pytest

ANSWERS = notebooks.ROOT / "tests" / "answers"
CHAPTERS = [path for path in notebooks.chapters() if exercises.tasks_of(notebooks.read(path))]
LEAST = {"right": 2, "wrong": 2}  # answers that each task is tried with


@pytest.fixture(autouse=True)
def a_precision_of_its_own():
    """A chapter may tell Keras to compute in float64: here, many share a process."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_floatx("float32")


@pytest.fixture(scope="session")
def marked():
    """A function as ``mark``, for which TensorFlow is imported once for all chapters."""
    with asyncio.Runner() as runner:
        nursery = runner.run(marking.Nursery().__aenter__())
        yield lambda notebook, sources: runner.run(mark(notebook, sources, nursery))
        runner.run(nursery.__aexit__())


def by_name(path):
    return path.stem


def answers_of(path, tasks):
    """The answers kept for a chapter: (kind, number, task, source, what the check says, whether only each week)."""
    kept = tomllib.loads((ANSWERS / f"{path.stem}.toml").read_text("utf-8"))
    solutions = {task.name: exercises.shown(task.answer.source) for task in tasks}
    for kind, answers in kept.items():
        for number, answer in enumerate(answers):
            seldom = answer.get("weekly", False)  # it takes seconds
            if kind == "wrong":
                source = solutions[answer["task"]]
                assert source.count(answer["old"]) == 1, f"{answer['task']}: {answer['old']!r} is not there once"
                source = source.replace(answer["old"], answer["new"])
                yield kind, number, answer["task"], source, answer["says"], seldom
            else:
                yield kind, number, answer["task"], answer["source"], "", seldom


def above(notebook, task):
    """The chapter's cells above ``task``."""
    slots = plans.slots_of(notebook)
    return slots[: [slot.name for slot in slots].index(task.name)]


def first_way(notebook, task, source, slots=None):
    """The quickest way to run ``source`` as an answer to ``task``, below ``slots``."""
    answer = plans.Cell("answer", "your answer", source)
    imports = [exercises.imports_of(notebook).source]
    return next(plans.each_way(task, slots or above(notebook, task), [answer], imports))


async def mark(notebook, sources, nursery):
    """What comes of ``sources``, (name, task, source): each with the imports, and what it leans on of the chapter."""
    tasks = {task.name: task for task in exercises.tasks_of(notebook)}
    wanted = []
    for name, of, source in sources:
        task = tasks[of]
        wanted.append({"name": name, "ways": [first_way(notebook, task, source).job()], "check": task.check.source})
    imports = exercises.imports_of(notebook).source
    return (await marking.mark(imports, wanted, seconds=120, again=False, nursery=nursery))[0]


ATTACKS = bool(os.environ.get("ATTACKS"))  # each week: every task
TRAINING = re.compile(r"^(?!def |class |@)\S.*\b(fit|train\w*)\(", re.MULTILINE)  # not within a function
NETWORK = "a network of the chapter in an answer"
QUICKEST = "vanishing_gradients"  # to train one


def a_network(notebook, task):
    """The name of a network that the chapter has trained by fit above ``task``, for which the fewest cells are run."""
    trained = [
        (cells, name)
        for cells, names in plans_for_names(notebook, task).items()
        for name in names
        if any("fit(" in cell.source and name in cell.uses.surely for cell in cells)
    ]
    return min(trained, key=lambda each: len(each[0]))[1] if trained else None


@pytest.mark.parametrize("path", CHAPTERS, ids=by_name)
def test_solutions_pass_blanks_do_not_and_other_answers_are_judged_rightly(path, marked):
    notebook = notebooks.read(path)
    tasks = exercises.tasks_of(notebook)
    empty = {exercises.name_of(cell): cell.source for cell in exercises.blank(notebook).cells}
    answers = list(answers_of(path, tasks))
    counts = collections.Counter((task, kind) for kind, _, task, *_ in answers)
    for task in tasks:
        for kind, least in LEAST.items():
            assert counts[task.name, kind] >= least, f"{task.name} is tried with too few {kind} answers"
    answers = [answer for *answer, seldom in answers if ATTACKS or not seldom]
    sources = [(f"{task.name} solution", task.name, task.answer.source) for task in tasks]
    sources += [(f"{task.name} blank", task.name, empty[task.name]) for task in tasks]
    sources += [(f"{task} {kind} {number}", task, source) for kind, number, task, source, _ in answers]
    if trained := (ATTACKS or path.stem == QUICKEST) and a_network(notebook, tasks[-1]):
        sources.append((NETWORK, tasks[-1].name, f"{exercises.shown(tasks[-1].answer.source)}\n{trained}"))
    results = marked(notebook, sources)
    misjudged = []
    if trained and (results[NETWORK]["outcome"] != "right" or results[NETWORK]["remarks"]):
        misjudged.append((NETWORK, trained, results[NETWORK]))
    for task in tasks:
        for edition, wanted in (("solution", "right"), ("blank", "blank")):
            if (result := results[f"{task.name} {edition}"])["outcome"] != wanted:
                misjudged.append((task.name, edition, result))
    for kind, number, task, source, says in answers:
        result = results[f"{task} {kind} {number}"]
        passed = result["outcome"] == "right"
        if passed != (kind == "right") or says not in result["message"]:
            misjudged.append((task, kind, source, result))
    assert not misjudged, "\n\n".join("\n".join(map(str, each)) for each in misjudged)


@pytest.mark.parametrize("path", CHAPTERS, ids=by_name)
def test_the_students_notebook_holds_no_line_of_a_solution_no_hidden_test_and_no_output(path):
    notebook = notebooks.read(path)
    made = student.edition(notebook, words.Book())
    nbformat.validate(made)
    text = nbformat.writes(made)
    decoded = "\n".join(cell.source for cell in made.cells)
    secret = exercises.solution_lines(notebook)
    for task in exercises.tasks_of(notebook):
        assert any(line in task.answer.source for line in secret), f"{task.name} could leak and nobody would see it"
    assert [line for line in secret if line in decoded or line in text] == []
    assert "HIDDEN TESTS" not in text
    assert "SOLUTION" not in text
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert text.count("raise NotImplementedError") >= len(exercises.tasks_of(notebook))
    by_id = {cell.id: cell for cell in made.cells}
    assert len(by_id) == len(made.cells)
    assert [cell.id for cell in made.cells if cell.id in {cell.id for cell in notebook.cells}] == [
        cell.id for cell in notebook.cells
    ]
    for before in notebook.cells:
        if before.cell_type == "code" and exercises.name_of(before) is None:
            assert before.source == by_id[before.id].source, "all other code is as in the book"
            assert before.metadata == by_id[before.id].metadata


@pytest.mark.parametrize("path", CHAPTERS, ids=by_name)
def test_a_blank_in_the_body_is_called_by_its_whole_name(path):
    notebook = notebooks.read(path)
    label = exercises.label_of(notebook)
    for task in exercises.tasks_of(notebook):
        if not task.is_exercise:
            name = task.title.rpartition("(")[2].removesuffix(")")
            assert f"{label}-{name.replace(' ', '-')}" == task.name


def test_the_teaching_page_places_every_exercise():
    page = (notebooks.ROOT / "book" / "teaching.md").read_text("utf-8")
    for path in CHAPTERS:
        for task in exercises.tasks_of(notebooks.read(path)):
            if task.is_exercise:
                assert f"{task.title.split(': ')[1]} (" in page, (
                    f"{path.stem}: {task.title} is neither lab nor homework"
                )


def test_a_students_notebook_runs_up_to_its_first_blank(tmp_path):
    # One is enough: above the first blank it is the book's, cell by cell, and how each blank ends is tried when marked.
    path = min(CHAPTERS, key=lambda path: "tensorflow" in exercises.imports_of(notebooks.read(path)).source)
    notebook = student.edition(notebooks.read(path), words.Book())
    first = next(cell for cell in notebook.cells if exercises.is_answer(cell) or exercises.is_check(cell))
    cells = notebook.cells[: notebook.cells.index(first) + 2]  # with the check, in which the first blank raises at last
    notebook.cells = cells
    notebooks.write(notebook, tmp_path / path.name)
    with pytest.raises(notebooks.ChapterError, match="NotImplementedError") as raised:
        asyncio.run(notebooks.run(tmp_path / path.name, timeout=120))
    assert exercises.name_of(raised.value.cell).removesuffix(exercises.CHECK) == exercises.name_of(first)


# What a student may use, and finds there when the answer is marked: each name that the chapter defines above a task.


def plans_for_names(notebook, task):
    """By the cells that are run for it, as a tuple, the names that the chapter defines above ``task``."""
    found, slots = collections.defaultdict(list), above(notebook, task)
    for name in sorted(set().union(*(slot.cell.uses.binds for slot in slots))):
        found[tuple(first_way(notebook, task, name, slots).cells[:-1])].append(name)
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=by_name)
def test_for_every_name_above_every_task_there_are_cells_that_define_it_and_what_it_needs(path):
    notebook = notebooks.read(path)
    there = set(dir(builtins)) | leaning.uses_of(exercises.imports_of(notebook).source).binds
    tasks = exercises.tasks_of(notebook)
    for task in tasks if ATTACKS else tasks[-1::-3]:  # the last leans on most
        slots = above(notebook, task)
        for cells, names in plans_for_names(notebook, task).items():
            bound, later = set(there), set()
            for cell in cells:
                assert cell.uses.needs <= bound, f"{task.name}: {cell.source} is run without what it uses"
                bound |= cell.uses.binds
                later |= cell.uses.later
            assert later <= bound, f"{task.name}: the functions use {later - bound}, which is not there"
            places = [[slot.cell for slot in slots].index(cell) for cell in cells]
            assert places == sorted(places), "they are run in the notebook's order"
            for name in names:
                last = max(place for place, slot in enumerate(slots) if name in slot.cell.uses.binds)
                assert last in places, f"{task.name}: {name} is not that of the last cell that defines it"


@pytest.mark.parametrize("path", CHAPTERS, ids=by_name)
def test_the_cells_that_are_chosen_for_a_name_run_without_the_rest_of_the_chapter(path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = notebooks.read(path)
    task = exercises.tasks_of(notebook)[-1]
    chosen = plans_for_names(notebook, task)
    imports, until, tried = exercises.imports_of(notebook).source, None, 0
    for cells in sorted(chosen, key=len):  # the longest take longest; they are tried as far as the time goes
        if any(TRAINING.search(cell.source) for cell in cells):
            continue
        space = {"__name__": "__main__"}
        for source in (imports, *(cell.source for cell in cells)):
            place = f"<{path.stem} {hash(source)}>"
            linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, place, "exec"), space)
        sure = set().union(*(cell.uses.surely for cell in cells))  # not if the data are MNIST's alone, say
        for name in sure.intersection(chosen[cells]):
            assert name in space
        spent = sum(os.times()[:4])  # by processes that the cells have started and ended, too
        until, tried = until or spent + 1, tried + len(chosen[cells])
        if spent > until:
            break
    assert tried > 10
