"""Builds under attack: two at once in one tree, killed at any moment, and beside what else is run there.

ATTACKS=20 in the environment kills that many real builds, and does the rest at every step instead of every other one.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.build import book, notebooks

import nbformat
import psutil
import pytest

KILLED = Path(__file__).with_name("killed.py")
ATTACKS = int(os.environ.get("ATTACKS", "0"))
posix = pytest.mark.skipif(os.name != "posix", reason="Windows knows no SIGKILL and no fork")


@posix
def test_killed_at_any_step_nothing_is_lost_and_the_next_is_right(tmp_path):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([sys.executable, KILLED, tmp_path], **pipes)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    kills = dict(re.findall(r"^(\w+): (\d+) kills$", done.stdout, re.MULTILINE))
    fewest = {"book": 10, "student": 4, "lab": 3, "grades": 2, "mnist": 2}
    assert kills.keys() == fewest.keys()
    for name, least in fewest.items():
        assert int(kills[name]) >= least, f"{name}: its steps are still seen"


@pytest.fixture
def tree(tmp_path):
    """A book of one page and one chapter in a folder of its own, with the real tools and the real Sphinx."""
    for name in ("tools", "book/assets"):
        shutil.copytree(notebooks.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(notebooks.ROOT / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/chapter\n")
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "pyproject.toml").write_text(
        """[tool.book]\ninputs = []\ndata = ["-c", "print('data')"]\nprovenance = ""\ntimeout = 60\n"""
    )
    return tmp_path


def change(tree, version):
    """Make the page and the chapter, which counts how often it is run, say this version."""
    count = f"import pathlib\nwith pathlib.Path({os.fspath(tree)!r}, 'runs').open('a') as runs:\n    runs.write('x')"
    sources = f"print('version', {version})", count
    cells = [nbformat.v4.new_markdown_cell("(chapter)=\n# A chapter", id="title")]
    cells += [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    notebooks.write(nbformat.v4.new_notebook(cells=cells), tree / "book" / "chapter.ipynb")
    (tree / "book" / "index.md").write_text(f"# Index\n\nversion {version}\n")


def start(tree):
    """A build in ``tree``, as ``make book`` starts it."""
    surroundings = os.environ | {"PYTHONPATH": os.fspath(tree)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, "-m", "tools.build.book"], cwd=tree, env=surroundings, **pipes)


def finish(building):
    """The output of a build that must be good."""
    said, _ = building.communicate(timeout=300)
    assert building.returncode == 0, said
    return said


def versions(site):
    """The versions that the pages of ``site`` show."""
    assert (site / book.STAMP).is_file(), "it is whole"
    pages = [(site / "book" / name).read_text("utf-8") for name in ("index.html", "chapter.html")]
    return {number for page in pages for number in re.findall(r"version (\d+)", page)}


def take_turns(tree, version):
    """Start two builds at once, of which one waits and finds all done."""
    building = [start(tree), start(tree)]
    said = [finish(each) for each in building]
    waited = [text for text in said if "waiting until it is through" in text]
    assert len(waited) == 1
    first = next(each.pid for each, text in zip(building, said, strict=True) if text not in waited)
    assert f"process {first} is building in {tree / '_build'}" in waited[0]
    assert "chapters: 1, of which 0 to run" in waited[0]
    assert "site: nothing changed" in waited[0]
    assert versions(tree / "_build" / "html") == {str(version)}


@posix
def test_of_two_builds_one_waits_and_one_that_is_killed_leaves_a_whole_site_and_a_right_next_build(tree):
    """The kills of real builds only with ATTACKS; those above are at each step of one whose Sphinx is none."""
    change(tree, 1)
    begun = time.monotonic()
    take_turns(tree, 1)
    takes = time.monotonic() - begun
    assert (tree / "runs").read_text() == "x", "the chapter was run once"
    moments, site, left_over = random.Random(ATTACKS), tree / "_build" / "html", 0
    for number in range(2, 2 + ATTACKS):
        change(tree, number)
        building = start(tree)
        time.sleep(moments.uniform(0, takes))
        its_own = []
        with contextlib.suppress(psutil.Error):  # it may have ended by then
            its_own = psutil.Process(building.pid).children(recursive=True)
        building.send_signal(signal.SIGKILL)
        building.communicate()
        assert versions(site) in ({str(number - 1)}, {str(number)}), "what stands there is whole and of one version"
        left_over += any(map(is_sphinx, its_own))
        finish(start(tree))
        assert versions(site) == {str(number)}, "the next build is right"
        assert not list((tree / "_build" / "executed").glob(".*"))
        psutil.wait_procs(its_own, timeout=60)
        assert versions(site) == {str(number)}, "what the killed one had started has not touched it"
    if ATTACKS:
        print(f"{ATTACKS} kills of builds that take {takes:.0f} s, of which {left_over} left a Sphinx running")
        finish(start(tree))
        assert not list((tree / "_build").glob("next-*"))


def is_sphinx(process):
    """Whether ``process`` is alive and builds a site."""
    try:
        return "--path-output" in process.cmdline()
    except psutil.Error:
        return False


def test_what_a_killed_tool_leaves_beside_a_chapter_is_no_chapter(tmp_path):
    """It is not collected by the tests, not kept by git, and not laid into the site."""
    left = [".chapter-seed-3.ipynb", ".chapter.ipynb.1234"]
    (tmp_path / "book").mkdir()
    for name in (*left, "chapter.ipynb"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])
        nbformat.write(notebook, tmp_path / "book" / name)
    for name in ("conftest.py", ".gitignore", "pyproject.toml"):
        shutil.copy(notebooks.ROOT / name, tmp_path / name)
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", "-n0", "book"]
    said = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True).stdout
    assert "chapter.ipynb::" in said
    assert "seed" not in said
    if git := shutil.which("git"):
        subprocess.run([git, "init", "--quiet", tmp_path], check=True)
        listed = [git, "-C", tmp_path, "status", "--porcelain", "--untracked-files=all", "book"]
        assert subprocess.run(listed, stdout=subprocess.PIPE, text=True).stdout.split() == ["??", "book/chapter.ipynb"]
