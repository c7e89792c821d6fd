"""Commands killed at each of their steps on the disk, one kill after the other, and what must be left then.

    python tests/killed.py FOLDER

A step is whatever Python tells its auditors of that changes a folder or a file: open for writing, rename, remove, …
The kill is a SIGKILL, which the process sends to itself before it takes the step, or when a file is open and still
empty. Chapters and Sphinx are played here, so that hundreds of kills take seconds;
tests/test_builds.py kills real ones, too.
"""

import contextlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def in_a_process(action, step=None):
    """Do ``action`` in a copy of this process, killed before its ``step``-th step within this folder; its status."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    taken, within = 0, os.getcwd()

    def audit(event, arguments):
        nonlocal taken, step
        if event not in STEPS and not (event == "open" and (arguments[2] or 0) & WRITING):
            return
        if isinstance(arguments[0], int) or not os.path.abspath(os.fsdecode(arguments[0])).startswith(within):
            return
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "open" and arguments[2] & os.O_TRUNC and not os.path.isdir(arguments[0]):
            taken += 1
            if taken == step:
                step = None
                Path(os.fsdecode(arguments[0])).open("w").close()
                os.kill(os.getpid(), signal.SIGKILL)

    code = 70
    try:
        if step:
            sys.addaudithook(audit)
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
            code = action() or 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def at_each_step(action, look):
    """Do ``action`` again and again, killed at a later step each time, until it ends by itself; return the kills.

    Without ATTACKS in the environment, a third of the steps will do.
    """
    for kills, step in enumerate(range(1, 2000, 1 if os.environ.get("ATTACKS") else 3)):
        status = in_a_process(action, step)
        if status != -signal.SIGKILL:
            assert status == 0, f"it was to end by itself, and ended with {status}"
            return kills
        look(step)
    raise AssertionError("it does not end")


CHAPTER = {
    "cells": [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "(chapter)=\n# A chapter"},
        {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": 1, "source": "version = 0"},
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}

PAGE = """<html><head><meta charset="utf-8" /></head><body><article>
<h1>Title<a class="headerlink" href="#x">#</a></h1><p>version = {version}</p><div class="take docutils"></div>
</article></body></html>"""


def tree():
    """Lay a book of one chapter in this folder, and make it that of ``tools``; return a function that changes it."""
    from tools.build import book, notebooks, student

    here = Path.cwd()
    for module in (notebooks, book):
        module.ROOT, module.BUILD = here, here / "_build"
    book.EXECUTED, book.STAGE, book.SITE = (here / "_build" / name for name in ("executed", "stage", "html"))
    student.STUDENT, student.LAB = here / "_build" / "student", here / "lab"
    for folder in ("book", "tools", "package"):
        (here / folder).mkdir()
    (here / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/chapter\n")
    (here / "_config.yml").write_text("title: A book\nrepository: {url: ''}\nlaunch_buttons: {}\nhtml: {}\n")
    (here / "requirements.lock").touch()
    table = '[tool.book]\ninputs = ["package"]\ndata = []\nprovenance = ""\ntimeout = 60\n'
    (here / "pyproject.toml").write_text(table)

    def change(version):
        text = json.dumps(CHAPTER).replace("version = 0", f"version = {version}")
        (here / "book" / "chapter.ipynb").write_text(text)
        (here / "book" / "index.md").write_text(f"# Index\n\nversion = {version}\n")

    return change


def kill_book():
    """The site is whole and of one version, the old one or the new; the next build makes the new one, and tidies up."""
    from tools.build import book, notebooks

    async def played(path, **others):
        return notebooks.read(path), "", 0.0

    def sphinx(command, **others):
        staged, built = Path(command[command.index("build") + 1]), Path(command[command.index("--path-output") + 1])
        built = built / "_build" / "html"
        built.mkdir(parents=True)
        (built / "book").mkdir()
        (built / "index.html").touch()
        for name in ("index.md", "chapter.ipynb"):
            version = (staged / "book" / name).read_text().split("version = ")[1][:4]
            page = PAGE.format(version=version)
            (built / "book" / name).with_suffix(".html").write_text(page)
        return subprocess.CompletedProcess(command, 0, "")

    notebooks.run, book.subprocess.run, book.data_found = played, sphinx, lambda command: "data"
    change, site, old = tree(), book.SITE, notebooks._old(book.SITE)

    def versions(folder):
        assert (folder / "index.html").is_file()
        assert (folder / book.STAMP).is_file()
        pages = [(folder / "book" / name).read_text() for name in ("index.html", "chapter.html")]
        return {page.split("version = ")[1][:4] for page in pages}

    def build():
        return book.main(["--jobs", "1"])

    version = 1000
    change(version)
    assert in_a_process(build) == 0

    def look(step):
        nonlocal version
        there = site if site.exists() else old
        assert versions(there) in ({str(version - 1)}, {str(version)}), f"step {step}: a mixture stands there"
        assert in_a_process(build) == 0, f"step {step}: the next build does not go through"
        assert versions(site) == {str(version)}, f"step {step}: the next build is not right"
        left = {path.name for path in (Path.cwd() / "_build").iterdir()}
        known = {".lock", ".lock-holder", "a-book.zip", "executed", "html", "sphinx.log", "stage"}
        assert left == known, f"step {step}: {left}"
        assert not list(site.rglob(".*.*")), f"step {step}: something is left in the site"
        assert len(list(book.EXECUTED.iterdir())) == 1, f"step {step}: something is left beside the results"
        version += 1
        change(version)

    version += 1
    change(version)
    return at_each_step(build, look)


def kill_student():
    """The folder to hand out is whole and of one version, and the next command makes the new one."""
    from tools.build import notebooks, student

    change, out = tree(), student.STUDENT

    def versions():
        there = out if out.exists() else notebooks._old(out)
        assert (there / "index.html").read_text().rstrip().endswith("</html>")
        return (there / "chapter.ipynb").read_text().split("version = ")[1][:4]

    def make():
        return student.main([])

    version = 1000
    change(version)
    assert in_a_process(make) == 0

    def look(step):
        nonlocal version
        assert versions() in (str(version - 1), str(version)), f"step {step}"
        assert in_a_process(make) == 0, f"step {step}"
        assert versions() == str(version), f"step {step}"
        version += 1
        change(version)

    version += 1
    change(version)
    return at_each_step(make, look)


def kill_lab():
    """A copy is whole, is renewed by the next command, and is never taken for one that its reader has changed."""
    from tools.build import student

    change, copy, theirs = tree(), student.LAB / "chapter.ipynb", student.LAB / "second.ipynb"

    def make():
        return student.main(["--solutions"])

    toc = Path("_toc.yml")
    toc.write_text(toc.read_text() + "  - file: book/second\n")
    version = 1000
    change(version)
    shutil.copy("book/chapter.ipynb", "book/second.ipynb")
    assert in_a_process(make) == 0
    theirs.write_text(json.dumps(CHAPTER | {"metadata": {"my": "own"}}))

    def look(step):
        nonlocal version
        json.loads(copy.read_text())
        assert in_a_process(make) == 0, f"step {step}"
        assert f"version = {version}" in copy.read_text(), f"step {step}: it was taken for the reader's"
        assert '"my": "own"' in theirs.read_text(), f"step {step}: the reader's was lost"
        version += 1
        change(version)

    version += 1
    change(version)
    return at_each_step(make, look)


def kill_grades():
    """Grades that were there, perhaps corrected by hand, are somewhere; the next command makes new ones."""
    from tools.teach import grade

    out, corrected = Path.cwd() / "grades", "corrected by hand, "
    (Path.cwd() / "submissions" / "somebody").mkdir(parents=True)
    grade.chapters_to_mark = lambda: {"chapter": None}
    grade.write = lambda students, chapters, aside: (
        (aside / "grades.csv").write_text("new"),
        (aside / "somebody.html").write_text("new"),
    )

    def mark():
        return grade.main(["submissions", "--out", str(out)])

    assert in_a_process(mark) == 0
    number = 0

    def look(step):
        assert in_a_process(mark) == 0, f"step {step}"
        assert (out / "grades.csv").read_text() == (out / "somebody.html").read_text() == "new"
        everywhere = [path.read_text() for path in Path.cwd().rglob("grades.csv")]
        assert everywhere.count(f"{corrected}{number}") == 1, f"step {step}: corrections were lost"
        correct()

    def correct():
        nonlocal number
        number += 1
        (out / "grades.csv").write_text(f"{corrected}{number}")

    correct()
    return at_each_step(mark, look)


def kill_mnist():
    """What a killed download leaves is never taken for data; the next one is whole."""
    import hashlib

    from dlutils import data

    import numpy as np

    here = Path.cwd()
    (here / "served").mkdir()
    arrays = {name: np.arange(4000, dtype=np.uint8) for name in data.MNIST_SHA256}
    np.savez(here / "served" / "mnist.npz", **arrays)
    data.MNIST_FILE_SHA256 = hashlib.sha256((here / "served" / "mnist.npz").read_bytes()).hexdigest()
    data.MNIST_SHA256 = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    data._cache_folder = lambda: here / "cache"
    os.environ.update(KERAS_HOME=str(here / "keras"), NO_PROXY="*", no_proxy="*")
    os.environ.pop("DLUTILS_DATA", None)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(here / "served"))

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    data.MNIST_URL = f"http://127.0.0.1:{server.server_port}/"

    def load():
        return 0 if data.load_mnist().is_mnist else 1

    def look(step):
        assert in_a_process(load) == 0, f"step {step}"
        shutil.rmtree(here / "cache")

    return at_each_step(load, look)


def main(folder):
    """Kill everything, each in a folder of its own."""
    for name in ("book", "student", "lab", "grades", "mnist"):
        (folder / name).mkdir()
        os.chdir(folder / name)
        print(f"{name}: {globals()[f'kill_{name}']()} kills", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
