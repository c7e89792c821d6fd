"""With what a task is run: the cells above it that its answer and its check lean on, and no others.

A student sees a check be silent in a notebook that holds the whole chapter, and what they wrote for earlier tasks. So
that it is silent in marking, too, there are several ways to run a task, from the quickest to the most faithful. The
first to make the check content counts.
"""

import builtins
import dataclasses

from tools.build import exercises
from tools.teach.leaning import lean, uses_of

WHOLE = "when all is run that stands above it"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A code cell as marking runs it."""

    kind: str  # chapter; earlier, the student's version of a chapter's cell; own; extra, beside the answer; or answer
    label: str  # what it is called where it is spoken of
    source: str
    draws: bool = False

    @property
    def uses(self):
        """What it does with names."""
        uses = uses_of(self.source)
        return dataclasses.replace(uses, changes=set()) if self.draws else uses


@dataclasses.dataclass
class Slot:
    """A code cell of a chapter, and what there is of a student's in its place and below it."""

    name: str
    cell: Cell
    locked: bool = False
    versions: list = dataclasses.field(default_factory=list)
    added: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Way:
    """One way to run a task."""

    why: str  # to be said if it is only this way that it is right
    cells: list
    needs: list  # names of the chapter's cells among them

    def job(self):
        """As tools/teach/marking.py takes it."""
        cells = [(cell.kind, cell.label, cell.source) for cell in self.cells]
        return {"why": self.why, "cells": cells, "whole": self.why == WHOLE}


def slots_of(notebook):
    """The code cells of a chapter with its solutions; the first, its imports, as an empty one."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [Slot(exercises.key(code[0]), Cell("chapter", "the imports", ""))]
    for cell in code[1:]:
        source = exercises.shown(cell.source)
        made = Cell("chapter", "the chapter", source, draws="figure" in cell.metadata.get("mystnb", {}))
        locked = exercises.is_locked(cell)
        found.append(Slot(exercises.key(cell), made, locked))
    return found


def ways_of(task, slots, cells, imports, below=()):
    """The ways to run ``task``, the quickest first; see ``each_way``."""
    return list(each_way(task, slots, cells, imports, below))


def each_way(task, slots, cells, imports, below=()):
    """The ways to run ``task``, the quickest first, one by one: to find them takes a while, too.

    Parameters
    ----------
    task : exercises.Task
        The task.
    slots : list of Slot
        What stands above it.
    cells : list of Cell
        The answer, and what stands beside it.
    imports : list of str
        The sources of the chapter's imports, and of the student's.
    below : sequence of Cell
        The student's other cells; one is run where it alone defines what is missing.

    Yields
    ------
    Way
    """
    there = set(dir(builtins)) | {"get_ipython", "display", "__name__"}
    there = there.union(*(uses_of(source).binds for source in imports))
    check = Cell("check", "the check", task.check.source)
    answered = uses_of(exercises.shown(task.answer.source)).binds
    needed = set(map(exercises.name_of, task.needs))
    names = {id(slot.cell): slot.name for slot in slots}

    def chosen(above, cells):
        """Those of ``above`` that are to be run, and whether there are values among what they give."""
        sequence = [*above, *cells, check]
        ends = {place: set() for place, cell in enumerate(above) if names.get(id(cell)) in needed}
        ends |= {place: set() for place in range(len(above), len(sequence) - 1)}
        ends[len(sequence) - 1] = answered
        found = lean([cell.uses for cell in sequence], ends, there=there)
        more = [cell for cell in below if cell.uses.binds & found.missing and cell not in above]
        if more:
            return chosen([*above, *more], cells)
        return [above[place] for place in found.chosen if place < len(above)], found.data

    def way(why, before, cells):
        return Way(why, [*before, *cells], [names[id(cell)] for cell in before if id(cell) in names])

    def found():
        """The ways, of which some may be alike."""
        first, _ = chosen([each for slot in slots for each in (*slot.versions, slot.cell, *slot.added)], cells)
        yield way("", first, cells)
        all_theirs = [each for slot in slots for each in (slot.cell, *slot.versions, *slot.added)]
        theirs, data = chosen(all_theirs, cells)
        yield way("with the student's own versions of the cells above it", theirs, cells)
        answer = [cell for cell in cells if cell.kind == "answer"]
        bare, _ = chosen([slot.cell for slot in slots], answer)
        yield way("without the cells that the student added", bare, answer)
        if data:
            leant = set(map(id, theirs))
            whole = [cell for cell in all_theirs if id(cell) in leant or not cell.draws]
            quiet = [dataclasses.replace(cell, kind="earlier") if cell.kind == "own" else cell for cell in whole]
            yield Way(WHOLE, [*quiet, *cells], [slot.name for slot in slots])

    kept = []
    for each in found():
        if not any(each.cells == other.cells for other in kept):
            kept.append(each)
            yield each
