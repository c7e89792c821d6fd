"""Mark a folder of returned notebooks: a table of points, and a page of feedback for each student.

    python -m tools.teach.grade FOLDER [--out FOLDER] [--jobs N] [--seconds S] [--memory GB]

A student is a subfolder of FOLDER, or a notebook in it, called after its file without the chapter's name. Which chapter
a notebook is, its cells tell. What a student submits is run as tools/teach/marking.py says.
"""

import argparse
import ast
import asyncio
import builtins
import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

from tools.build import exercises, notebooks, student
from tools.teach import leaning, marking, plans

import nbformat

LARGEST = 50 * 2**20  # bytes of a notebook
MOST_CELLS = 2000
MOST_CODE = 500_000  # characters in all code cells; the largest chapter has 40,000
LONGEST = 50_000  # characters of an answer that a page of feedback shows
SAID = {
    "right": "Right.",
    "wrong": "The check says: {}",
    "blank": "Not answered: the blank is still there.",
    "unfinished": "There is an answer, but what it runs still holds a `raise NotImplementedError`.",
    "syntax": "Python cannot read the answer. {}",
    "error": "It raised an error. {}",
    "memory": "It ran out of memory: {}",
    "time": "It did not come to an end: {}",
    "died": "It could not be marked: {}",
    "missing": "The answer is not in the notebook: its cell was deleted, and no other cells define {}.",
}


@dataclasses.dataclass
class Chapter:
    """A chapter as it is marked."""

    name: str
    title: str
    imports: str
    tasks: list
    sources: dict  # of its code cells as students get them, by name or id
    slots: list  # its code cells with the solutions
    written: dict  # by id, the headings above the cells that are answered in words

    def place(self, name):
        """Which of its code cells has this name or id."""
        return next(place for place, slot in enumerate(self.slots) if slot.name == name)


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
            blank = [cell for cell in exercises.blank(notebook).cells if cell.cell_type == "code"]
            sources = {exercises.key(cell): cell.source for cell in blank}
            imports = exercises.imports_of(notebook).source
            slots, title = plans.slots_of(notebook), exercises.title_of(notebook)
            found[path.stem] = Chapter(path.stem, title, imports, tasks, sources, slots, exercises.written_in(notebook))
    return found


def submissions(folder, chapters):
    """For each student in ``folder``, by name, the files that they handed in."""
    entries = visible(folder)
    while len(entries) == 1 and entries[0].is_dir():  # a download may be wrapped in a folder, or in two
        within = visible(entries[0])
        if len(within) < 2 or not all(each.is_dir() for each in within):
            break
        entries = within
    found = {}
    for entry in entries:
        if entry.is_dir():
            within = [] if entry.is_symlink() else sorted(entry.rglob("*"))
            parts = ((path, path.relative_to(entry).parts) for path in within if path.is_symlink() or not path.is_dir())
            files = [path for path, names in parts if not any(map(hidden, names))] or [entry] * entry.is_symlink()
            name = entry.name.strip(" _-") or entry.name
        else:
            files = [entry]
            names = "|".join(map(re.escape, chapters))
            name = re.sub(rf"(?:^|[-_. ]+)(?:{names})(?=$|[-_. ])[-_. ]*", " ", entry.stem).strip(" _-")
            name = name if re.search(r"[^\W\d_]", name) else entry.stem
        found.setdefault(" ".join(name.split()), []).extend(files)
    return found


def visible(folder):
    """What stands in ``folder``, sorted, but for what systems and programs leave there."""
    return sorted(path for path in folder.iterdir() if not hidden(path.name))


def hidden(name):
    """Whether a file or folder of this name is not the student's doing."""
    return name.startswith((".", "__MACOSX"))


@dataclasses.dataclass
class Submission:
    """What a notebook holds of a chapter's tasks, and of cells that may be run with them."""

    parts: dict  # by the task's name: its cells in their order, remarks, and whether the blank is all there is
    imports: list  # sources of the imports, if they were changed
    slots: list  # the chapter's code cells, with what the student made of them and put below them
    edited: set  # names of the chapter's cells that were changed


def parts_of(notebook, chapter):
    """The Submission that ``notebook`` is."""
    tasks = {task.name: task for task in chapter.tasks}
    checks = {exercises.name_of(task.check): task for task in chapter.tasks}
    parts = {name: {"cells": [], "remarks": []} for name in tasks}
    by_source = {source.strip(): name for name, source in chapter.sources.items()}  # some programs drop the cells' ids
    first = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    slots = [dataclasses.replace(slot, versions=[], added=[]) for slot in chapter.slots]
    imports, edited, pending, last, place = [], set(), [], None, 0

    def beside(name):
        """Give the cells that are pending to the task ``name``, or to none."""
        if name:
            parts[name]["cells"] += [dataclasses.replace(cell, kind="extra") for cell in pending]
        pending.clear()

    for cell in notebook.cells:
        name, source = exercises.key(cell), cell.source
        if name in tasks:
            beside(name)
            parts[name]["cells"].append(plans.Cell("answer", "your answer", source))
            if cell.cell_type != "code":
                parts[name]["remarks"].append("the answer's cell is no code cell any more; it was run as one")
            last, place = name, chapter.place(name)
            if source.split() not in (chapter.sources[name].split(), slots[place].cell.source.split()):
                slots[place].versions.append(plans.Cell("earlier", f"your answer to {name}", source))
        elif cell.cell_type != "code":
            continue
        elif name in checks:
            task = checks[name]
            beside(task.name)
            if exercises.shown(source) != exercises.shown(task.check.source):
                parts[task.name]["remarks"].append("the check was edited; it was marked with the original")
            last, place = None, chapter.place(name)
        elif name in chapter.sources or source.strip() in by_source:
            beside(last)
            name = name if name in chapter.sources else by_source[source.strip()]
            last, place = None, chapter.place(name)
            if source.strip() == chapter.sources[name].strip():
                continue
            edited.add(name)
            if chapter.sources[name] == chapter.imports:
                imports.insert(0, source)
            elif not slots[place].locked:
                slots[place].versions.append(plans.Cell("earlier", "your version of a cell of the chapter", source))
        elif cell is first and "import " in source:  # the imports, edited, in a program that drops the cells' ids
            imports.insert(0, source)
        else:
            added = plans.Cell("own", "a cell that you added", source)
            pending.append(added)
            slots[place].added.append(added)
    beside(last)
    submission = Submission(parts, imports, slots, edited)
    for task in chapter.tasks:
        find(task, parts[task.name], submission, chapter)
    return submission


def find(task, part, submission, chapter):
    """Complete ``part``: where the answer's cell is gone or untouched, see if other cells of the student's hold it."""
    blank = chapter.sources[task.name]
    answers = [cell.source for cell in part["cells"] if cell.kind == "answer"]
    part["untouched"] = all(source.split() == blank.split() for source in answers)
    if part["untouched"]:
        wanted = wanted_of(task, chapter.imports)
        theirs = [cell.source for slot in submission.slots for cell in slot.added]
        cells = [source for source in theirs if wanted & defined(source)]
        if wanted and wanted <= set().union(*map(defined, cells)):
            part["cells"] = [cell for cell in part["cells"] if cell.source not in cells]
            part["cells"] += [plans.Cell("answer", "your answer", source) for source in cells]
            part["untouched"] = False
            part["remarks"].append("the answer does not stand in its cell; cells that define the same were marked")
    if len(answers) > 1:
        part["remarks"].append(f"the answer stands {len(answers)} times; all were run, in their order")


def wanted_of(task, imports):
    """The names that the check of ``task`` uses and that only its answer can define."""
    used, there = set(), set(dir(builtins))
    for source in (imports, *(cell.source for cell in task.needs), task.check.source):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else there).add(node.id)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                there.add(node.name)
            elif isinstance(node, ast.arg):
                there.add(node.arg)
            elif isinstance(node, ast.alias):
                there.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.ExceptHandler) and node.name:
                there.add(node.name)
    return used - there


def defined(source):
    """The names that ``source`` defines at its top level, also where it cannot be parsed."""
    return set(re.findall(r"^(?:def|class) (\w+)", source, re.M)) | set(re.findall(r"^(\w+) = ", source, re.M))


def ways_of(task, submission, chapter):
    """The ways to run ``task`` (see tools/teach/plans.py) of what was handed in."""
    place = chapter.place(task.name)
    cells = submission.parts[task.name]["cells"]
    beside = {cell.source for cell in cells}

    def without(cells):
        return [cell for cell in cells if cell.source not in beside]

    slots = [dataclasses.replace(slot, added=without(slot.added)) for slot in submission.slots]
    below = [cell for slot in slots[place:] for cell in slot.added]
    return plans.ways_of(task, slots[:place], cells, [chapter.imports, *submission.imports], below)


def marked_without_running(part):
    """What comes of a task that need not be run, or None."""
    if not any(cell.kind == "answer" for cell in part["cells"]):
        outcome = "missing"
    elif part["untouched"] and all(cell.kind == "answer" for cell in part["cells"]):
        outcome = "blank"
    else:
        return None
    return {"outcome": outcome, "message": "", "where": "", "remarks": []}


def said_of(task, result, chapter):
    """What came of ``task``, in words."""
    message = result["message"].removeprefix("AssertionError: ")
    if result["outcome"] == "missing":
        message = ", ".join(sorted(wanted_of(task, chapter.imports)))
    elif result["outcome"] == "error" and (name := result.get("unknown")):
        if name in leaning.uses_of(exercises.shown(task.answer.source)).binds:
            return f"The check looks for `{name}`, and the answer does not define it."
        if any(name in slot.cell.uses.binds for slot in chapter.slots[chapter.place(task.name) :]):
            return f"It uses `{name}`, which the chapter defines only further down."
        return f"It uses `{name}`, which neither the chapter above it defines nor a cell of yours."
    return SAID[result["outcome"]].format(message)


async def mark_notebook(label, notebook, chapter, limits):
    """What came of each task of one notebook, which is called ``label``."""
    submission = parts_of(notebook, chapter)
    results = {task.name: marked_without_running(submission.parts[task.name]) for task in chapter.tasks}
    tasks = []
    for task in [task for task in chapter.tasks if results[task.name] is None]:
        ways = ways_of(task, submission, chapter)
        part = submission.parts[task.name]
        for slot in chapter.slots:
            if slot.name in submission.edited & set(ways[0].needs):
                what = slot.name if slot.locked else f"the cell of the chapter that begins `{slot.cell.source[:40]}`"
                used = "used" if slot.locked else "used first"
                part["remarks"].append(f"{what}, on which it leans, was edited; the original was {used}")
        tasks.append({"name": task.name, "check": task.check.source, "ways": [way.job() for way in ways]})
    came, remarks = await marking.mark(chapter.imports, tasks, own=submission.imports, **limits)
    results |= came
    marks = []
    for task in chapter.tasks:
        part, result = submission.parts[task.name], results[task.name]
        outcome = result["outcome"]
        if outcome == "blank" and not part["untouched"]:
            result = result | {"outcome": (outcome := "unfinished")}
        marks.append(
            {
                "name": task.name,
                "title": task.title,
                "outcome": outcome,
                "points": task.points if outcome == "right" else 0,
                "out_of": task.points,
                "said": said_of(task, result, chapter),
                "where": result["where"],
                "remarks": part["remarks"] + result["remarks"],
                "source": cut("\n\n".join(cell.source for cell in part["cells"] if cell.kind == "answer")),
            }
        )
    written = [
        {"title": chapter.written[cell.id], "text": cut(cell.source)}
        for cell in notebook.cells
        if cell.get("id") in chapter.written and cell.source.split() != exercises.WRITE.split()
    ]
    about = {"name": chapter.name, "title": chapter.title, "file": label}
    return about | {"marks": marks, "written": written, "remarks": remarks}


def cut(text):
    """``text``, or its beginning if it is longer than anybody reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… and {len(text) - LONGEST:,} characters more"


def chapter_of(notebook, chapters):
    """The chapter that most cells of ``notebook`` come from, or None."""
    theirs = {exercises.key(cell) for cell in notebook.cells} | {cell.source.strip() for cell in notebook.cells}
    known = {
        name: {each for pair in chapter.sources.items() for each in (pair[0], pair[1].strip())}
        for name, chapter in chapters.items()
    }
    shared = {name: len(theirs & cells) for name, cells in known.items()}
    best = max(shared, key=shared.get)
    return chapters[best] if shared[best] else None


def unfit(path):
    """Why the file at ``path`` cannot be a notebook, or an empty text."""
    if path.is_symlink():  # to what a student may not read, whose page would show it
        return "it is a link, and links are not followed"
    if path.suffix.lower() in (".zip", ".rar", ".7z", ".gz"):
        return "it is an archive; unpack it first"
    if ".ipynb" not in path.name.lower():  # as also in toy.ipynb.txt, which some browsers make of it
        return "it is not a notebook"
    if not path.is_file():  # but a pipe, say, from which one would read for ever
        return "it is not a file"
    if path.stat().st_size > LARGEST:
        return f"it has more than {LARGEST // 2**20} MB"
    return ""


def read(path):
    """What marking needs of the notebook at ``path``; a ChapterError if it is none, or holds more than anybody writes.

    Not by nbformat, which takes an hour over a million cells, and meanwhile nobody else's answer is read.
    """
    try:
        tree = json.loads(notebooks.read_bytes(path, LARGEST).decode("utf-8-sig"))
        if tree["nbformat"] < 4:
            raise ValueError(f"its format is {tree['nbformat']}; open it in JupyterLab and save it")
        cells = list(tree["cells"])
        if len(cells) > MOST_CELLS:
            raise ValueError(f"it has {len(cells):,} cells; at most {MOST_CELLS:,} are read")
        notebook = nbformat.from_dict({"cells": [cell_of(cell) for cell in cells]})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise notebooks.ChapterError(f"it is not a readable notebook: {said[:300]}") from None
    known = set()
    for number, cell in enumerate(notebook.cells):  # as nbformat does: of two with one id, the second gets another
        if cell.id is None or cell.id in known:
            cell.id = f"number {number}"
        known.add(cell.id)
    if (code := sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")) > MOST_CODE:
        raise notebooks.ChapterError(f"it has {code:,} characters of code; at most {MOST_CODE:,} are read")
    return notebook


def cell_of(cell):
    """The kind, the names and the source of ``cell``, as JSON has them."""
    source, name = cell["source"], cell.get("metadata")
    for key in ("nbgrader", "grade_id"):
        name = name.get(key) if isinstance(name, dict) else None
    return {
        "cell_type": cell["cell_type"],
        "source": source if isinstance(source, str) else "".join(source),
        "metadata": {"nbgrader": {"grade_id": name}} if isinstance(name, str) else {},
        "id": cell["id"] if isinstance(cell.get("id"), str) else None,
    }


async def mark_student(name, paths, chapters, limits):
    """Mark all that one student handed in. What fails on the way costs the file that it fails with."""
    made = Student(name)
    if not paths:
        made.remarks.append("nothing was handed in")
    if len({path.parent for path in paths}) > 1:
        folders = ", ".join(sorted({path.parent.name for path in paths}))
        made.remarks.append(f"the files lie in several folders, {folders}: are they all of one student?")
    twins = [path.name for path in paths]
    for path in paths:
        label = path.name if twins.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        try:
            if why := unfit(path):
                raise notebooks.ChapterError(why)
            notebook = read(path)
            chapter = chapter_of(notebook, chapters)
            if chapter is None:
                raise notebooks.ChapterError("no cell of any chapter is in it")
            result = await mark_notebook(label, notebook, chapter, limits)
        except Exception as error:  # whatever it is, it must not cost the others
            text = str(error) if isinstance(error, notebooks.ChapterError) else f"{type(error).__name__}: {error}"
            made.remarks.append(f"{label} was not marked, and this is no zero: {text[:1000]}")
            continue
        if twin := next((each for each in made.chapters if each["name"] == chapter.name), None):
            better, other = sorted((twin, result), key=lambda each: -sum(mark["points"] for mark in each["marks"]))
            made.chapters[made.chapters.index(twin)] = better
            made.remarks.append(f"{chapter.name} came twice: {better['file']} counts, not {other['file']}")
        else:
            made.chapters.append(result)
    made.chapters.sort(key=lambda each: list(chapters).index(each["name"]))
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
        print(f"[{done}/{len(found)}] {tame(name)}: {points}, {time.monotonic() - start:.0f} s", flush=True)
        for remark in made.remarks:
            print(f"    {tame(remark.splitlines()[0])}", flush=True)
        return made

    async with marking.Nursery() as nursery:
        limits = {**limits, "nursery": nursery}
        return await asyncio.gather(*(one(name, paths) for name, paths in found.items()))


def tame(text):
    """``text`` without what a terminal would obey, or show in another order than it stands."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lambda found: f"\\x{ord(found[0]):02x}", text)


def safe(text):
    """``text`` as a spreadsheet shows it, and does not compute it."""
    text = tame(text)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else text


# Windows takes these for a device, whatever follows the first dot.
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def write(students, chapters, out):
    """Write the table and the pages into the folder ``out``, which is empty."""
    present = {each["name"] for made in students for each in made.chapters}
    columns = [task for name, chapter in chapters.items() if name in present for task in chapter.tasks]
    used = set()
    # With the mark by which Excel knows UTF-8. What is not Unicode, as names from old archives, is written as \\x….
    with (out / "grades.csv").open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(["student", *(task.name for task in columns), "total", "out of", "remarks"])
        for made in students:
            marks = {mark["name"]: mark for each in made.chapters for mark in each["marks"]}
            points = [f"{marks[task.name]['points']:g}" if task.name in marks else "" for task in columns]
            reasons = [f"{each['name']}: {remark}" for each in made.chapters for remark in each["remarks"]]
            reasons += [
                f"{mark['name']}: {mark['outcome']}" for mark in marks.values() if mark["outcome"] not in ROUTINE
            ]
            reasons += [f"{mark['name']}: {remark}" for mark in marks.values() for remark in mark["remarks"]]
            totals = ["", ""] if made.total is None else [f"{made.total:g}", f"{made.out_of:g}"]
            remarks = "; ".join(" ".join(remark.split()) for remark in [*made.remarks, *reasons])
            table.writerow([safe(made.name), *points, *totals, safe(remarks)])
            stem = re.sub(r"[^\w.-]+", "-", made.name)[:60].strip(".-") or "student"
            stem = f"student-{stem}" if DEVICE.match(stem) else stem
            while stem.lower() in used:
                stem += "-"
            used.add(stem.lower())
            page = student.page("feedback.html", student=made)
            (out / f"{stem}.html").write_text(page, "utf-8", errors="backslashreplace")


ROUTINE = ("right", "wrong", "blank")  # all else is said in the table


def foreign(out, folder):
    """Why the grades of what is in ``folder`` cannot go to ``out``, or an empty text."""
    if out == folder or out in folder.parents or folder in out.parents:
        return "and the submissions must not stand in each other"
    if out.exists() and not out.is_dir():
        return "is not a folder"
    names = [path.name for path in out.iterdir()] if out.exists() else []
    if names and ("grades.csv" not in names or any(not name.endswith((".csv", ".html")) for name in names)):
        return "holds other things than grades"
    return ""


def put_in_place(aside, out):
    """Make ``aside`` the folder ``out``; return where the grades are now that stood there before, or None."""
    earlier = None
    if (out / "grades.csv").exists():
        when = time.localtime((out / "grades.csv").stat().st_mtime)
        earlier = out.with_name(f"{out.name}-of-{time.strftime('%Y-%m-%d-%H%M%S', when)}")
        while earlier.exists():
            earlier = earlier.with_name(f"{earlier.name}-")
        out.rename(earlier)
    elif out.exists():
        out.rmdir()
    aside.rename(out)
    return earlier


def main(arguments):
    """Mark; return 0 if all that was handed in was dealt with."""
    parser = argparse.ArgumentParser(prog="python -m tools.teach.grade", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="one subfolder or one notebook for each student")
    parser.add_argument("--out", type=Path, default=notebooks.BUILD / "grades", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="students marked at the same time")
    parser.add_argument("--seconds", type=float, default=30, help="for one task; default: %(default)s")
    parser.add_argument("--memory", type=float, default=4, help="GB for one student's code; default: %(default)s")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a name may hold what the terminal cannot show
        stream.reconfigure(errors="backslashreplace")
    for name, least in (("jobs", 1), ("seconds", 1), ("memory", 2)):
        if not getattr(options, name) >= least:
            parser.error(f"--{name} must be at least {least}, got {getattr(options, name)}")
    if not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}")
    chapters = chapters_to_mark()
    found = submissions(options.folder, chapters)
    if not found:
        parser.error(f"nothing was handed in: {options.folder} is empty")
    out = options.out.resolve()
    if why := foreign(out, options.folder.resolve()):
        parser.error(f"--out {out} {why}")
    aside = out.with_name(f".{out.name}-{os.getpid()}")
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        parser.error(f"--out {out} cannot be written: {error}")
    print(f"{len(found)} students; each task has {options.seconds:g} s and {options.memory:g} GB", flush=True)
    limits = {"seconds": options.seconds, "memory": int(options.memory * 2**30)}
    try:
        students = asyncio.run(mark_all(found, chapters, options.jobs, limits))
        write(students, chapters, aside)
        earlier = put_in_place(aside, out)
    except KeyboardInterrupt:
        print("interrupted\nNothing was written.", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if earlier:
        print(f"The grades that were there before are now in {earlier}")
    print(f"{out / 'grades.csv'}, and a page of feedback for each beside it")
    return 0


if __name__ == "__main__":
    for ending in ("SIGTERM", "SIGHUP"):  # end what was started, as on Ctrl-C; unless it is ignored, as under nohup
        number = getattr(signal, ending, None)
        if number and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
