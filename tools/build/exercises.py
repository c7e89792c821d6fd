"""The tasks of a chapter, and the editions that are made of them.

A task is a code cell that a student is to write and the cell that checks it. They carry nbgrader's metadata: the
answer's cell is called, say, ``optimization-update``, and what the student does not get stands in it between
``### BEGIN SOLUTION`` and ``### END SOLUTION``; the check's cell is called ``optimization-update-check``, gives the
points, and may hold ``### BEGIN HIDDEN TESTS``. What of the chapter an answer and its check lean on is found out when
it is marked (tools/teach/plans.py); a task may also name locked cells that are run with it in any case, in its
metadata: ``"task": {"needs": ["backprop-node"]}``.

What is to be answered in words is a Markdown cell with the tag of an exercise. It holds the book's answer, and nobody
marks it.
"""

import copy
import dataclasses
import logging
import re

from tools.build.notebooks import ChapterError

from nbgrader import preprocessors, utils
from nbgrader.nbgraderformat import ValidationError

CHECK = "-check"
EXERCISE = "exercise"  # tag of an exercise's answer and of what puts it to use; an answer without it is in the body
WRITE = "*Write your answer here.*"
STUB = "# YOUR CODE HERE, with what is defined above; the next cell checks it\nraise NotImplementedError"
MARK = re.compile(r"^[ \t]*### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\n?", re.MULTILINE)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS\n.*?^[ \t]*### END HIDDEN TESTS\n?", re.MULTILINE | re.DOTALL)
SECRET = re.compile(r"^[ \t]*### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)^[ \t]*### END \1\n?", re.MULTILINE | re.DOTALL)

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_log.propagate = False  # what nbgrader would log, its errors say


@dataclasses.dataclass(frozen=True)
class Task:
    """One answer and its check, as cells of a chapter."""

    name: str
    title: str
    points: float
    needs: tuple
    answer: dict
    check: dict

    @property
    def is_exercise(self):
        """Whether it stands among the exercises, not in the body."""
        return EXERCISE in self.answer.metadata.get("tags", [])


def name_of(cell):
    """The name that nbgrader's metadata give ``cell``, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def key(cell):
    """What a cell is known by: its name, or its id."""
    return name_of(cell) or cell.get("id")


def label_of(notebook):
    """The label above the title of a chapter, by which it is referred to, or None."""
    found = re.match(r"\(([\w-]+)\)=", notebook.cells[0].source)
    return found and found[1]


def title_of(notebook):
    """The text of the first heading."""
    return re.search(r"^# (.*)$", notebook.cells[0].source, re.MULTILINE).group(1)


def is_answer(cell):
    """Whether ``cell`` is one that a student is to write."""
    return cell.cell_type == "code" and utils.is_solution(cell)


def is_check(cell):
    """Whether ``cell`` checks an answer."""
    return cell.cell_type == "code" and utils.is_grade(cell)


def is_written(cell):
    """Whether ``cell`` is an answer in words."""
    return cell.cell_type == "markdown" and EXERCISE in cell.metadata.get("tags", [])


def is_locked(cell):
    """Whether ``cell`` is given and must stay as it is."""
    return cell.cell_type == "code" and utils.is_locked(cell)


def imports_of(notebook):
    """The first code cell."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


def tasks_of(notebook):
    """The tasks of ``notebook``, a chapter with its solutions, in their order.

    Raises
    ------
    ChapterError
        If an answer has no check or no marked solution, a check has no answer, a name is used twice, or what a task
        needs is not a locked cell that stands before it.
    """
    try:
        _processed(preprocessors.CheckCellMetadata, notebook)
    except ValidationError as error:
        raise ChapterError(f"nbgrader's metadata are not in order: {error}") from None
    tasks, needed, answer = [], {}, None
    for cell, heading in with_headings(notebook):
        name = name_of(cell)
        if is_answer(cell):
            if answer is not None:
                raise ChapterError(f"the task {name_of(answer)} has no check before the next one, {name}")
            if "### BEGIN SOLUTION" not in cell.source:
                raise ChapterError(f"the task {name} has no '### BEGIN SOLUTION', so all of it would be blank")
            answer = cell
        elif is_check(cell):
            if answer is None or name != name_of(answer) + CHECK:
                raise ChapterError(f"the check {name} does not follow the answer that it is called after")
            needs = answer.metadata.get("task", {}).get("needs", [])
            if missing := [need for need in needs if need not in needed]:
                raise ChapterError(f"the task {name_of(answer)} needs {missing}, not locked cells that stand before it")
            points = cell.metadata.nbgrader.points
            cells = tuple(needed[need] for need in needs)
            exercise = EXERCISE in answer.metadata.get("tags", [])
            short = name_of(answer).removeprefix(f"{label_of(notebook)}-").replace("-", " ")
            title = heading if exercise else f"{heading} ({short})"
            tasks.append(Task(name_of(answer), title, points, cells, answer, cell))
            answer = None
        elif is_locked(cell):
            needed[name] = cell
    if answer is not None:
        raise ChapterError(f"the task {name_of(answer)} has no check")
    return tasks


def with_headings(notebook):
    """The cells of ``notebook``, each with the last heading in it or above it."""
    heading = ""
    for cell in notebook.cells:
        for line in re.findall(r"^#{1,3} (.*)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else []:
            heading = line
        yield cell, heading


def written_in(notebook):
    """By the ids of cells that are answered in words, the headings above them."""
    return {cell.id: heading for cell, heading in with_headings(notebook) if is_written(cell)}


def shown(source):
    """``source`` as the book shows it: with the solution, without marks and hidden tests."""
    return MARK.sub("", HIDDEN.sub("", source)).rstrip("\n")


def blank(notebook):
    """A copy of ``notebook`` for students: stubs in place of answers, no hidden tests, checks locked."""
    made = copy.deepcopy(notebook)
    _processed(preprocessors.ClearSolutions, made, code_stub={"python": STUB})
    _processed(preprocessors.ClearHiddenTests, made)
    _processed(preprocessors.LockCells, made)
    for cell in filter(is_written, made.cells):
        cell.source = WRITE
    return made


def _processed(processor, notebook, **settings):
    """Let one of nbgrader's preprocessors change ``notebook`` in place."""
    try:
        processor(log=_log, **settings).preprocess(notebook, {})
    except RuntimeError as error:
        raise ChapterError(f"the notebook's marks are not in order: {error}") from None


def solution_lines(notebook, shortest=20):
    """The lines of solutions and hidden tests that would give an answer away: long, and nowhere else in the chapter.

    It reads the marks by itself, and not with nbgrader as ``blank`` does, so that it can find what that leaves behind.
    """
    parts = [part[1] for cell in notebook.cells for part in SECRET.findall(cell.source)]
    parts += [cell.source for cell in filter(is_written, notebook.cells)]
    secret = {line.strip() for part in parts for line in part.splitlines()}
    elsewhere = in_the_open(notebook)
    return {line for line in secret if len(line) >= shortest and line not in elsewhere}


def in_the_open(notebook):
    """What everybody may read of the sources of ``notebook``: all but its solutions, hidden tests and answers."""
    return "\n".join(SECRET.sub("", cell.source) for cell in notebook.cells if not is_written(cell))
