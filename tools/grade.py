"""Mark a folder of returned notebooks: a table of points, and a page of feedback for each student.

    python -m tools.grade FOLDER [--out FOLDER] [--jobs N] [--seconds S] [--memory GB]

A student is a subfolder of FOLDER, or a notebook in it, called after its file without the chapter's name. Which chapter
a notebook is, its cells tell. What a student submits is run as tools/marking.py says.
"""

import argparse
import asyncio
import csv
import dataclasses
import os
import re
import shutil
import sys
import time
from pathlib import Path

from tools import exercises, marking, notebooks, student

LARGEST = 50 * 2**20  # bytes of a notebook
SAID = {
    "right": "Right.",
    "wrong": "The check says: {}",
    "blank": "Not answered: the blank is still there.",
    "syntax": "Python cannot read the answer. {}",
    "error": "It raised an error. {}",
    "memory": "It ran out of memory: {}",
    "time": "It did not come to an end: {}",
    "died": "It could not be marked: {}",
    "missing": "The answer is not in the notebook: its cell was deleted, and no other defines {}.",
}


@dataclasses.dataclass
class Chapter:
    """A chapter as it is marked."""

    name: str
    title: str
    imports: str
    tasks: list
    sources: dict  # of its code cells, by name or id


@dataclasses.dataclass
class Student:
    """Somebody, what came of each of their notebooks, and what is to be said beside."""

    name: str
    chapters: list = dataclasses.field(default_factory=list)
    remarks: list = dataclasses.field(default_factory=list)

    @property
    def total(self):
        """Points, or None where nothing could be marked."""
        return sum(mark["points"] for each in self.chapters for mark in each["marks"]) if self.chapters else None

    @property
    def out_of(self):
        """The points that there were for what was handed in."""
        return sum(mark["out_of"] for each in self.chapters for mark in each["marks"])


def chapters_to_mark():
    """The book's chapters that have tasks, by name."""
    found = {}
    for path in notebooks.chapters():
        notebook = notebooks.read(path)
        if tasks := exercises.tasks_of(notebook):
            sources = {key(cell): cell.source for cell in exercises.blank(notebook).cells if cell.cell_type == "code"}
            imports = exercises.imports_of(notebook).source
            found[path.stem] = Chapter(path.stem, student.title_of(notebook), imports, tasks, sources)
    return found


def key(cell):
    """What a cell is known by: its name, or its id."""
    return exercises.name_of(cell) or cell.get("id")


def submissions(folder, chapters):
    """For each student in ``folder``, by name, the files that they handed in."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not path.is_file() or any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        if len(parts) > 1:
            name = parts[0]
        else:
            names = "|".join(map(re.escape, chapters))
            name = re.sub(rf"(?:^|[-_. ]+)(?:{names})(?=$|[-_. ])[-_. ]*", " ", path.stem).strip()
            name = name if re.search(r"[^\W\d_]", name) else path.stem
        found.setdefault(name, []).append(path)
    return found


def parts_of(notebook, chapter):
    """What ``notebook`` holds of each task of ``chapter``, and its imports if they were changed.

    Returns
    -------
    (dict, str)
        By the task's name ``answers`` and ``extras`` (sources: cells that the student put beside the answer), and
        ``remarks``; and the source of the imports, empty if they are the chapter's.
    """
    answers = {task.name for task in chapter.tasks}
    checks = {task.check.metadata.nbgrader.grade_id: task.name for task in chapter.tasks}
    original = {exercises.name_of(task.check): exercises.shown(task.check.source) for task in chapter.tasks}
    parts = {name: {"answers": [], "extras": [], "remarks": []} for name in answers}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    unchanged = {source.strip() for source in chapter.sources.values()}  # some programs drop the cells' ids
    pending, last, own_imports = [], None, ""
    for cell in cells:
        name = key(cell)
        if name in answers:
            parts[name]["extras"] += pending
            parts[name]["answers"].append(cell.source)
            pending, last = [], name
        elif name in checks:
            parts[checks[name]]["extras"] += pending
            if exercises.shown(cell.source) != original[name]:
                parts[checks[name]]["remarks"].append("the check was edited; it was marked with the original")
            pending, last = [], None
        elif name in chapter.sources or cell.source.strip() in unchanged:
            if chapter.sources.get(name) == chapter.imports:
                own_imports = cell.source if cell.source.strip() != chapter.imports.strip() else ""
            pending, last = [], None
        elif last:  # between an answer and its check
            parts[last]["extras"].append(cell.source)
        else:
            pending.append(cell.source)
    for task in chapter.tasks:
        part = parts[task.name]
        if len(part["answers"]) > 1:
            part["remarks"].append(f"the answer stands {len(part['answers'])} times; all were run, the last one counts")
        if not part["answers"] and (wanted := defined(task.answer.source)):
            for cell in cells:
                if wanted <= defined(cell.source):
                    part["answers"] = [cell.source]
            if part["answers"]:
                part["remarks"].append("the answer's cell is gone; another one that defines the same was marked")
    return parts, own_imports


def defined(source):
    """The names that ``source`` defines at its top level."""
    return set(re.findall(r"^(?:def|class) (\w+)", source, re.M)) | set(re.findall(r"^(\w+) = ", source, re.M))


async def mark_notebook(path, notebook, chapter, limits):
    """What came of each task of one notebook."""
    parts, own_imports = parts_of(notebook, chapter)
    tasks = [
        {
            "name": task.name,
            "needs": [cell.source for cell in task.needs],
            "answers": parts[task.name]["answers"],
            "extras": parts[task.name]["extras"],
            "check": task.check.source,
        }
        for task in chapter.tasks
        if parts[task.name]["answers"]
    ]
    results = await marking.mark(chapter.imports, tasks, own_imports=own_imports, **limits)
    marks = []
    for task in chapter.tasks:
        wanted = ", ".join(sorted(defined(task.answer.source)))
        missing = {"outcome": "missing", "message": wanted, "where": "", "remarks": []}
        result = results.get(task.name, missing)
        marks.append(
            {
                "name": task.name,
                "title": task.title,
                "outcome": result["outcome"],
                "points": task.points if result["outcome"] == "right" else 0,
                "out_of": task.points,
                "said": SAID[result["outcome"]].format(result["message"].removeprefix("AssertionError: ")),
                "where": result["where"],
                "remarks": parts[task.name]["remarks"] + result["remarks"],
                "source": "\n\n".join(parts[task.name]["answers"]),
            }
        )
    return {"name": chapter.name, "title": chapter.title, "file": path.name, "marks": marks}


def chapter_of(notebook, chapters):
    """The chapter that most cells of ``notebook`` come from, or None."""
    keys = {key(cell) for cell in notebook.cells}
    shared = {name: len(keys & set(chapter.sources)) for name, chapter in chapters.items()}
    best = max(shared, key=shared.get)
    return chapters[best] if shared[best] else None


async def mark_student(name, paths, chapters, limits):
    """Mark all that one student handed in."""
    made = Student(name)
    for path in paths:
        if path.suffix != ".ipynb":
            made.remarks.append(f"{path.name} was not marked: it is not a notebook")
            continue
        try:
            if path.stat().st_size > LARGEST:
                raise notebooks.ChapterError(f"{path.name} has more than {LARGEST // 2**20} MB")
            notebook = notebooks.read(path)
            chapter = chapter_of(notebook, chapters)
        except (notebooks.ChapterError, AttributeError, TypeError, OSError) as error:
            made.remarks.append(f"{path.name} was not marked, and this is no zero: {error}")
            continue
        if chapter is None:
            made.remarks.append(f"{path.name} was not marked: no cell of any chapter is in it")
            continue
        result = await mark_notebook(path, notebook, chapter, limits)
        if twin := next((each for each in made.chapters if each["name"] == chapter.name), None):
            better, other = sorted((twin, result), key=lambda each: -sum(mark["points"] for mark in each["marks"]))
            made.chapters[made.chapters.index(twin)] = better
            made.remarks.append(f"{chapter.name} came twice: {better['file']} counts, not {other['file']}")
        else:
            made.chapters.append(result)
    return made


async def mark_all(found, chapters, jobs, limits):
    """Mark every student; show each as soon as they are marked."""
    slots, done = asyncio.Semaphore(jobs), 0

    async def one(name, paths):
        nonlocal done
        async with slots:
            start = time.monotonic()
            made = await mark_student(name, paths, chapters, limits)
        done += 1
        points = "not marked" if made.total is None else f"{made.total:g} of {made.out_of:g}"
        print(f"[{done}/{len(found)}] {name}: {points}, {time.monotonic() - start:.0f} s", flush=True)
        for remark in made.remarks:
            print(f"    {remark.splitlines()[0]}", flush=True)
        return made

    return await asyncio.gather(*(one(name, paths) for name, paths in found.items()))


def safe(text):
    """``text`` as a spreadsheet shows it, and does not compute it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def write(students, chapters, out):
    """The table and the pages, whole or not at all."""
    aside = out.with_name(f".{out.name}-next")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    present = {each["name"] for made in students for each in made.chapters}
    columns = [task for name, chapter in chapters.items() if name in present for task in chapter.tasks]
    used = set()
    with (aside / "grades.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", *(task.name for task in columns), "total", "out of", "remarks"])
        for made in students:
            marks = {mark["name"]: mark for each in made.chapters for mark in each["marks"]}
            points = [f"{marks[task.name]['points']:g}" if task.name in marks else "" for task in columns]
            reasons = [
                f"{mark['name']}: {mark['outcome']}" for mark in marks.values() if mark["outcome"] not in ROUTINE
            ]
            reasons += [f"{mark['name']}: {remark}" for mark in marks.values() for remark in mark["remarks"]]
            totals = ["", ""] if made.total is None else [f"{made.total:g}", f"{made.out_of:g}"]
            remarks = "; ".join(" ".join(remark.split()) for remark in [*made.remarks, *reasons])
            table.writerow([safe(made.name), *points, *totals, safe(remarks)])
            stem = re.sub(r"[^\w.-]+", "-", made.name).strip(".-") or "student"
            while stem.lower() in used:
                stem += "-"
            used.add(stem.lower())
            (aside / f"{stem}.html").write_text(student.page("feedback.html", student=made), "utf-8")
    notebooks.replace(aside, out)


ROUTINE = ("right", "wrong", "blank")  # all else is said in the table


def main(arguments):
    """Mark; return 0 if all that was handed in was dealt with."""
    parser = argparse.ArgumentParser(prog="python -m tools.grade", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="one subfolder or one notebook for each student")
    parser.add_argument("--out", type=Path, default=notebooks.BUILD / "grades", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="students marked at the same time")
    parser.add_argument("--seconds", type=float, default=30, help="for one task; default: %(default)s")
    parser.add_argument("--memory", type=float, default=4, help="GB for one student's code; default: %(default)s")
    options = parser.parse_args(arguments)
    for name, least in (("jobs", 1), ("seconds", 1), ("memory", 2)):
        if not getattr(options, name) >= least:
            parser.error(f"--{name} must be at least {least}, got {getattr(options, name)}")
    if not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}")
    chapters = chapters_to_mark()
    found = submissions(options.folder, chapters)
    if not found:
        parser.error(f"there is nothing to mark in {options.folder}")
    if (out := options.out.resolve()).exists() and any(out.iterdir()) and not (out / "grades.csv").is_file():
        parser.error(f"--out {out} holds other things than grades, which would be lost")
    print(f"{len(found)} students; each task has {options.seconds:g} s and {options.memory:g} GB", flush=True)
    limits = {"seconds": options.seconds, "memory": int(options.memory * 2**30)}
    try:
        students = asyncio.run(mark_all(found, chapters, options.jobs, limits))
    except (notebooks.ChapterError, KeyboardInterrupt) as error:
        print(
            f"{'interrupted' if isinstance(error, KeyboardInterrupt) else error}\nNothing was written.", file=sys.stderr
        )
        return 1
    write(students, chapters, out)
    print(f"{out / 'grades.csv'}, and a page of feedback for each beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
