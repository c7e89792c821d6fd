"""Make the student edition: each chapter with blanks, without hidden tests and outputs, and a page that lists them.

python -m tools.student
"""

import re
import shutil
import sys
from pathlib import Path

from tools import exercises, notebooks

import jinja2

STUDENT = notebooks.BUILD / "student"
TEMPLATES = Path(__file__).with_name("templates")


def edition(notebook):
    """The student's version of a chapter."""
    made = exercises.blank(notebook)
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return made


def page(template, **what):
    """The HTML page ``template``, with ``what`` in it, escaped."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template(template).render(**what)


def title_of(notebook):
    """The text of the first heading."""
    return re.search(r"^# (.*)$", notebook.cells[0].source, re.MULTILINE).group(1)


def main():
    """Write the edition whole or not at all; return the exit status."""
    aside, listed = notebooks.BUILD / "student-next", []
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for path in notebooks.chapters():
            notebook = notebooks.read(path)
            tasks = exercises.tasks_of(notebook)
            notebooks.write(edition(notebook), aside / path.name)
            listed.append({"file": path.name, "title": title_of(notebook), "tasks": tasks})
            print(f"{path.stem}: {len(tasks)} tasks, {sum(task.points for task in tasks):g} points")
    except notebooks.ChapterError as error:
        print(f"{path.name}: {error}\nNothing was written.", file=sys.stderr)
        shutil.rmtree(aside, ignore_errors=True)
        return 1
    (aside / "index.html").write_text(page("student.html", chapters=listed), "utf-8")
    notebooks.replace(aside, STUDENT)
    print(f"Hand out the folder {STUDENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
