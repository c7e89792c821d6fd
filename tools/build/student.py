"""Make the notebooks that are handed out: each chapter with blanks, without hidden tests, and a page that lists them.

    python -m tools.build.student [--solutions]

With --solutions it makes copies of the whole chapters, to read and to change, as ``make lab`` opens them. Both say in
words what the website shows of captions, numbers and references.
"""

import argparse
import base64
import copy
import hashlib
import json
import mimetypes
import re
import shutil
import sys
from pathlib import Path

from tools.build import exercises, notebooks, words

import jinja2
import nbformat

STUDENT, LAB = notebooks.BUILD / "student", notebooks.ROOT / "lab"
TEMPLATES = Path(__file__).with_name("templates")
PICTURE = re.compile(r"(!\[[^\]]*\]\()([\w./-]+)(?=\))")
MADE = ".made.json"  # in LAB: what the copies were when they were made
HOW = (
    " Where `# YOUR CODE HERE` stands, write your answer, and then run the cell below it: it says what is wrong, and "
    "nothing if all is right. An answer may use whatever the notebook defines above it, in the chapter's cells or in "
    "yours. What it cannot have when it is marked is what stands further down in the chapter, and files of your own."
)


def edition(notebook, book, solutions=False):
    """The student's version of a chapter of ``book``, a words.Book; with ``solutions``, that of a reader."""
    made = copy.deepcopy(notebook) if solutions else exercises.blank(notebook)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = exercises.shown(cell.source) if solutions else cell.source
        elif exercises.is_written(cell) and solutions:
            cell.source = f"<details><summary>An answer</summary>\n\n{cell.source}\n\n</details>"
    number = book.number_of.get(exercises.label_of(notebook))
    chapter = f"chapter {number} of" if number else "a chapter of"
    about = f"This notebook is {chapter} *{book.link(book.title, 'book/index')}*. Run it from the top, cell by cell."
    about += " Cells of nothing but `assert` or `findings` test what the text says: run them, skip them in reading."
    about += f" It imports `dlutils`, a small package: *{book.link('Setup', 'book/setup')}* says how to have that."
    about += "" if solutions else HOW
    made.cells.insert(0, nbformat.v4.new_markdown_cell(f"> {about}", id="about"))
    made = book.in_words(made)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            carry_pictures(cell)
    return made


def carry_pictures(cell):
    """Put the pictures of the book's folder that ``cell`` shows into it: the notebook will stand elsewhere."""

    def carried(found):
        path = notebooks.ROOT / "book" / found[2]
        if not path.is_file():
            return found[0]
        kind = mimetypes.guess_type(path.name)[0]
        cell.setdefault("attachments", {})[path.name] = {kind: base64.b64encode(path.read_bytes()).decode()}
        return f"{found[1]}attachment:{path.name}"

    cell.source = PICTURE.sub(carried, cell.source)


def page(template, **what):
    """The HTML page ``template``, with ``what`` in it, escaped."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template(template).render(**what)


def hand_out(chapters):
    """Write the students' edition of ``chapters``, notebooks and their tasks by path, whole or not at all."""
    aside, listed, book = notebooks.BUILD / "student-next", [], words.Book()
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for path, (notebook, tasks) in chapters.items():
            notebooks.write(edition(notebook, book), aside / path.name)
            number = book.number_of.get(exercises.label_of(notebook))
            listed.append({"file": path.name, "number": number, "title": exercises.title_of(notebook), "tasks": tasks})
            print(f"{path.stem}: {len(tasks)} tasks, {sum(task.points for task in tasks):g} points")
        (aside / "index.html").write_text(page("student.html", book=book.title, chapters=listed), "utf-8")
        notebooks.replace(aside, STUDENT)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    print(f"Hand out the folder {STUDENT}")


def copy_to_read(chapters):
    """Write copies of ``chapters`` into LAB; one that somebody has changed there is left as it is."""
    book, record = words.Book(), LAB / MADE
    made = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    for path, (notebook, _) in chapters.items():
        place = LAB / path.name
        text = nbformat.writes(edition(notebook, book, solutions=True)) + "\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        there = hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else None
        if there not in (None, digest, made.get(path.name)):
            if digest != made.get(path.name):
                print(f"{place} is yours by now and stays; remove it to have the chapter as it is today")
            continue
        if there != digest:
            notebooks.write_text(text, place)
        if made.get(path.name) != digest:
            made[path.name] = digest
            notebooks.write_text(json.dumps(made, indent=1), record)
    print(f"The chapters are in {LAB}, to read, run and change; what is changed there changes nothing in book/")


def main(arguments):
    """Make what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.student", description=__doc__.split("\n\n")[0])
    parser.add_argument("--solutions", action="store_true", help="whole chapters instead, to read: what make lab opens")
    options = parser.parse_args(arguments)
    chapters, path = {}, None
    try:
        for path in notebooks.chapters():
            notebook = notebooks.read(path)
            chapters[path] = notebook, exercises.tasks_of(notebook)
    except notebooks.ChapterError as error:
        print(f"{path.name}: {error}\nNothing was written.", file=sys.stderr)
        return 1
    with notebooks.alone():
        (copy_to_read if options.solutions else hand_out)(chapters)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
