"""Run every chapter that changed and build the website.

    python -m tools.build.book [--solutions 0]

Chapters run in parallel, each result is kept under a key of all it depends on, and the site is built from a staging
tree with execution off. The finished site replaces the old one only when it is whole.
"""

import argparse
import asyncio
import hashlib
import html
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.build import exercises, finish, notebooks, tables, terms
from tools.build.notebooks import BUILD, ROOT

import nbformat
import yaml

EXECUTED, STAGE, SITE = BUILD / "executed", BUILD / "stage", BUILD / "html"
STAMP = finish.STAMP
FINDING = "application/vnd.dlutils.finding+json"  # an output in which a chapter records what somebody said
SHOW_CODE = "show-code"  # tag of a cell that draws and whose source stays open on the page
GLOSSARY = "book/glossary.md"
LARGE = 50_000  # letters from which on what a live figure holds lies beside its page, not in it
FINDINGS = "% said-and-measured"  # the line of a page in whose place all of them are listed


def digest(*items):
    """SHA-256 over files, whole folders, and text; folders by their files' names and bytes."""
    total = hashlib.sha256()
    for item in items:
        if isinstance(item, Path) and item.is_dir():
            for path in sorted(item.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    total.update(f"\0{path.relative_to(item)}\0".encode() + path.read_bytes())
        else:
            total.update(b"\0" + (item.read_bytes() if isinstance(item, Path) else item.encode()))
    return total.hexdigest()


def installed(lock):
    """The versions that are installed here of the packages that ``lock`` names, which need not be those it pins."""
    versions = []
    for name in sorted(set(re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==", lock.read_text("utf-8"), re.MULTILINE))):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    return "\n".join(versions)


def data_found(command):
    """What the chapters will find for data, as ``command`` says last; a download happens here, once, in view."""
    print("data: ", end="", flush=True)
    done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise notebooks.ChapterError(f"the data could not be loaded: {' '.join(command)} failed")
    found = done.stdout.strip().splitlines()[-1]  # above it may stand how it was found, which must not count
    print(found)
    return found


async def execute(paths, settings, jobs):
    """Bring every chapter's result up to date; return (path of the result by chapter, number that ran)."""
    inputs = [ROOT / name for name in settings["inputs"]]
    software = [platform.python_version(), platform.machine(), installed(ROOT / "requirements.lock")]
    environment = digest(*inputs, *software, repr(settings))
    found = data_found(settings["data"])
    names = {path: "-".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    results = {path: EXECUTED / f"{names[path]}-{digest(path, environment, found)[:20]}.ipynb" for path in paths}
    stale = [path for path in paths if not results[path].is_file()]
    print(f"chapters: {len(paths)}, of which {len(stale)} to run", flush=True)
    slots, progress, times = asyncio.Semaphore(jobs), _Progress(), {}

    async def one(path):
        async with slots:
            progress.show(path.stem, "starting")
            begun, started = time.perf_counter(), []

            def on_cell(done, cells):
                started.append(time.perf_counter() - begun)  # the first: the kernel's start, and the chapter's imports
                progress.show(path.stem, f"cell {done} of {cells}")

            notebook, provenance, seconds = await notebooks.run(
                path,
                timeout=settings["timeout"],
                prologue=settings.get("prologue"),
                epilogue=settings["provenance"],
                on_cell=on_cell,
            )
            times[path.stem] = started[0] if started else seconds, seconds
            notebook.metadata["book"] = {"provenance": provenance, "seconds": round(seconds, 1)}
            for old in EXECUTED.glob(f"{names[path]}-{'?' * 20}.ipynb"):
                old.unlink()
            notebooks.write(notebook, results[path])
            progress.done(path.stem, f"ran in {seconds:.0f} s")

    outcomes = await asyncio.gather(*(one(path) for path in stale), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    progress.close()
    for failure in failures:
        if not isinstance(failure, notebooks.ChapterError):
            raise failure
    if failures:
        raise notebooks.ChapterError("\n\n".join(str(failure) for failure in failures))
    if times:
        print(budget({path.stem: times[path.stem] for path in stale}), flush=True)
    return results, len(stale)


def budget(times):
    """A table of the seconds that chapters took, {name: (start and imports, all)}, as text."""
    lines = [f"{'seconds':30} {'start, imports':>14} {'own work':>9} {'all':>5}"]
    rows = [*times.items(), ("all, one after the other", tuple(map(sum, zip(*times.values(), strict=True))))]
    lines += [f"{name:30} {start:14.1f} {total - start:9.1f} {total:5.0f}" for name, (start, total) in rows]
    return "\n".join(f"  {line}" for line in lines)


class _Progress:
    """A line for each chapter that is through, and in a terminal one below them on those that are running."""

    def __init__(self):
        self.running = {}
        self.shown = 0.0
        self.terminal = sys.stdout.isatty()

    def show(self, name, state):
        if name not in self.running and not self.terminal:
            print(f"  {name}: running", flush=True)
        self.running[name] = state
        if self.terminal and time.monotonic() - self.shown > 0.1:
            self.shown = time.monotonic()
            line = "  " + ", ".join(f"{name}: {state}" for name, state in self.running.items())
            print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)

    def done(self, name, state):
        self.running.pop(name, None)
        self.close()
        print(f"  {name}: {state}", flush=True)

    def close(self):
        if self.terminal:
            print("\r\x1b[K", end="", flush=True)


def findings_of(notebook):
    """For each cell that records findings, its place in ``notebook`` and their records."""
    found = {}
    for place, cell in enumerate(notebook.cells):
        records = [output.data[FINDING] for output in cell.get("outputs", []) if FINDING in output.get("data", {})]
        if records:
            found[place] = records
    return found


def plain(text):
    """``text`` with nothing in it that MyST would take for markup."""
    return re.sub(r"([\\`*_{}\[\]<>$|~])", r"\\\1", text)


# By what a record says of agreement: its sign and verdict, the heading under which all such stand, and how they are
# counted, one and several. What differs stands first: one looks for it.
VERDICTS = {
    False: ("≠ differs", "What did not hold", ("differs", "differ")),
    "under a condition": (
        "✓ under a condition",
        "What held under a condition",
        ("holds under a condition", "hold under a condition"),
    ),
    "no clear difference": ("± no clear difference", "What could not be told", ("is not clear", "are not clear")),
    True: ("✓ agrees", "What held", ("agrees", "agree")),
}


def verdict(record):
    return VERDICTS[record["agrees"]][0]


def finding_line(record):
    """A finding as a sentence, in MyST."""
    what = plain(record["what"][0].upper() + record["what"][1:])
    if "lecture" in record:
        line = f"{what}: the lecture said {plain(record['said'])} {{cite}}`{record['lecture']}`"
    else:
        line = f"{what}: {{cite:t}}`{record['source']}` said {plain(record['said'])}"
    if "agrees" not in record:
        return f"{line}. That is of other data than this page's, so nothing is compared."
    return f"{line}, we measured {plain(record['measured'])}. **{verdict(record)}**"


def finding_row(record, label):
    """A finding as a row of a table in MyST; its first cell leads to the place called ``label``."""
    said = f"{plain(record['said'])} {{cite}}`{record.get('lecture') or record['source']}`"
    return f"| [{plain(record['what'])}](#{label}) | {said} | {plain(record['measured'])} | {verdict(record)} |"


def findings_page(source, chapters):
    """``source`` with the findings of all ``chapters``, (name, notebook) in their order, in place of its marker."""
    compared = []
    for name, notebook in chapters:
        for number, records in enumerate(findings_of(notebook).values(), 1):
            compared += [(name, notebook, number, record) for record in records if "agrees" in record]
    counts = []
    for key, who in (("lecture", "the lectures"), ("source", "other sources")):
        verdicts = [record["agrees"] for *_, record in compared if key in record]
        numbers = [f"{n} {words[n != 1]}" for agrees, (*_, words) in VERDICTS.items() if (n := verdicts.count(agrees))]
        if verdicts:
            counts.append(f"Comparisons with what {who} said: {len(verdicts)}. Of these {', '.join(numbers)}.")
    sections = []
    for agrees, (_, heading, _) in VERDICTS.items():
        tables = []
        for name, notebook in chapters:
            rows = [
                finding_row(record, f"said-{name}-{number}")
                for other, _, number, record in compared
                if other == name and record["agrees"] == agrees
            ]
            if rows:
                head = ["| what | said | measured here | verdict |", "|---|---|---|---|"]
                tables.append(f"### [{exercises.title_of(notebook)}]({name}.ipynb)\n\n" + "\n".join([*head, *rows]))
        sections += [f"## {heading}", *tables] if tables else []
    return source.replace(FINDINGS, "\n\n".join([" ".join(counts), *sections]) if compared else "None is recorded yet.")


def fold(cell, tag, what):
    """Fold ``cell``, or its source alone, away under a line that says ``what`` is to be shown."""
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), tag]
    cell.metadata.setdefault("mystnb", {})["code_prompt_show"] = f"Show {what}"
    cell.metadata["mystnb"]["code_prompt_hide"] = f"Hide {what}"


def without_empty_headers(cell):
    """Make plain cells of what pandas leaves empty in the heads of its tables: a screen reader would announce them."""
    for output in cell.get("outputs", []):
        table = output.get("data", {}).get("text/html", "")
        if 'class="dataframe"' in table:
            output.data["text/html"] = table.replace("<th></th>", "<td></td>")


def move_states(notebook, folder):
    """Move what large live figures hold, their ``data-state``, to scripts in ``folder``, which they load when needed.

    A page on a disk may load nothing but pictures and scripts, so the script hands the state over to ``dlLive.files``.
    """

    def moved(match):
        state = html.unescape(match[1])
        if len(state) < LARGE:
            return match[0]
        name = f"live-{digest(state)[:12]}.js"
        (folder / name).write_text(f"dlLive.files[{json.dumps(name)}] = {state};\n", "utf-8")
        return f'data-file="{name}"'

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data-live=" in output.get("data", {}).get("text/html", ""):
                output.data["text/html"] = re.sub(r'data-state="([^"]*)"', moved, output.data["text/html"])


def page_of(notebook, name, solutions=True):
    """``notebook`` as the website shows it: its provenance under the title, findings in words; folded are checks,
    exercises' solutions, and the sources of cells that only draw, but never a figure of the text.

    Without ``solutions``, what students are to write is blank, and what it had put out is gone.
    """
    book = notebook.metadata.pop("book")
    if not solutions:
        notebook = exercises.blank(notebook)
    title = notebook.cells[0]
    line = f"\n\n:::{{div}} provenance\n{book['provenance']}\n:::" if book["provenance"] else ""
    line += "\n\n:::{div} take\n:::\n"  # tools/build/finish.py says there what can be downloaded
    title.source = re.sub(r"^# .*$", lambda heading: heading[0] + line, title.source, count=1, flags=re.MULTILINE)
    for cell in notebook.cells:
        without_empty_headers(cell)
        tags = cell.metadata.get("tags", [])
        if exercises.is_written(cell):
            if solutions:
                cell.source = f"::::::{{dropdown}} Show an answer\n{cell.source}\n::::::"
        elif (exercises.is_answer(cell) or exercises.EXERCISE in tags) and not solutions:
            cell.outputs = []
        elif exercises.is_answer(cell):
            cell.source = exercises.shown(cell.source)
            if exercises.EXERCISE in tags:
                fold(cell, "hide-cell", "a solution")
        elif exercises.EXERCISE in tags:  # it puts an answer to use
            fold(cell, "hide-cell", "what comes of it")
        elif exercises.is_check(cell):
            cell.source = exercises.shown(cell.source)
            fold(cell, "hide-input", "the check of the cell above")
        elif "check" in tags:
            fold(cell, "hide-input", "the check of what was just said")
        elif "figure" in cell.metadata.get("mystnb", {}) and SHOW_CODE not in tags:
            fold(cell, "hide-input", "how it is drawn")
    for number, (place, records) in enumerate(findings_of(notebook).items(), 1):
        lines = [f"(said-{name}-{number})=", ":::{admonition} Said and measured"]
        lines += [f"- {finding_line(record)}" for record in records]
        source = "\n".join([*lines, ":::"])
        notebook.cells[place] = nbformat.v4.new_markdown_cell(source, id=notebook.cells[place].id)
    return notebook


def edition(folder, solutions):
    """Where the edition with or without solutions has ``folder``, which is STAGE or SITE."""
    return folder if solutions else folder.with_name(f"{folder.name}-without-solutions")


def stage(results, solutions=True):
    """Lay out what Jupyter Book reads: the sources, with executed chapters in place of bare ones; return the folder."""
    folder = edition(STAGE, solutions)
    for path in (ROOT / "book").rglob("*"):  # what a link leads to would be published
        if path.is_symlink() and not path.resolve().is_relative_to(ROOT.resolve()):
            raise notebooks.ChapterError(f"{path} leads to {path.resolve()}, out of {ROOT}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("*.ipynb", ".*", "__pycache__"))
    shutil.copy(ROOT / "_toc.yml", folder)
    chapters = {path: notebooks.read(result) for path, result in results.items()}
    for page in (folder / "book").glob("*.md"):
        source = page.read_text("utf-8")
        if FINDINGS in source.splitlines():
            named = [(path.stem, notebook) for path, notebook in chapters.items()]
            page.write_text(findings_page(source, named), "utf-8")
    if (folder / GLOSSARY).is_file():
        terms.link(chapters.values(), folder / GLOSSARY)
    for path, notebook in chapters.items():
        move_states(notebook, folder / "book" / "assets")
        page, place = page_of(notebook, path.stem, solutions), path.relative_to(ROOT)
        tables.unfold(page, folder / "book" / "assets", "../" * (len(place.parts) - 1) + "_static/")
        notebooks.write(page, folder / place)
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    if not config["repository"]["url"] or not solutions:  # buttons would lead nowhere, or to the solutions
        for key in ("repository", "launch_buttons"):
            config.pop(key)
        for key in [key for key in config["html"] if key.endswith("_button")]:
            config["html"].pop(key)
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "utf-8")
    return folder


def secrets_of(path):
    """The lines of the chapter at ``path`` that give answers away; or a ChapterError if its tasks are not in order."""
    notebook = notebooks.read(path)
    try:
        exercises.tasks_of(notebook)
        return exercises.solution_lines(notebook)
    except notebooks.ChapterError as error:
        raise notebooks.ChapterError(f"{path.name}: {error}") from None


def secrets(paths):
    """The lines of all these chapters that give answers away, but for those that stand openly in one of them."""
    lines = set().union(*map(secrets_of, paths))
    openly = "\n".join(exercises.in_the_open(notebooks.read(path)) for path in paths)
    return {line for line in lines if line not in openly}


def strings(node):
    """All strings in ``node``, a tree of dicts and lists."""
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [text for child in children for text in strings(child)]


def answers_in(site, secret):
    """The lines of ``secret`` that a reader of ``site`` could find, each with the file that holds it."""
    found = []
    for path in sorted(
        path for path in site.rglob("*") if path.suffix in (".csv", ".html", ".ipynb", ".js", ".md", ".txt")
    ):
        text = path.read_text("utf-8")
        if path.suffix == ".html":
            text = html.unescape(re.sub(r"<[^>]*>", "", text))
        elif path.suffix == ".ipynb":
            text = "\n".join(strings(notebooks.read(path)))
        found += [f"{path.relative_to(site)}: {line}" for line in secret if line in text]
    return found


def sweep(site):
    """Remove what a build that was killed has left behind; for whoever knows that no other is running."""
    for left in BUILD.glob("next-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in [*EXECUTED.glob(".*"), *BUILD.glob(".*.*"), *site.rglob(".*.*")]:
        if re.fullmatch(r"\..+\.\d+", left.name):  # written aside; the number is the process's
            left.unlink(missing_ok=True)


def stamp_of(folder):
    """What the staged ``folder`` and all that makes a site, or a book on paper, of it come down to."""
    return digest(folder, ROOT / "requirements.lock", ROOT / "tools")


def build(folder, site, secret=frozenset(), solutions=True):
    """Build ``site`` from the staged ``folder``, and put it in the place of the old one if all went well.

    None of the lines in ``secret`` may stand in it.
    """
    aside = BUILD / f"next-{os.getpid()}"  # of a build that was killed, Sphinx may still be writing its own
    notebooks.restore(site)
    stamp = stamp_of(folder)
    if (site / STAMP).is_file() and (site / STAMP).read_text() == stamp:
        print("site: nothing changed")
        finish.offer(site, solutions)
        return
    print("site: building", flush=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(folder)]
    command += ["--path-output", str(aside), "--warningiserror", "--nitpick", "--keep-going", "--all", "-q"]
    paths = [os.fspath(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]  # tools.build.places is there
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, **pipes)
    log = notebooks.plain(done.stdout).replace(f"{folder}{os.sep}", "")
    (BUILD / "sphinx.log").write_text(log, "utf-8")
    built = aside / "_build" / "html"
    if done.returncode != 0 or not (built / "index.html").is_file():
        warnings = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
        raise notebooks.ChapterError("Sphinx refused the book\n" + ("\n".join(warnings) or log))
    finish.dress(built, solutions)
    if leaks := answers_in(built, secret):
        raise notebooks.ChapterError("\n".join(["The site would give answers away:", *leaks]))
    (built / STAMP).write_text(stamp)
    notebooks.replace(built, site)
    shutil.rmtree(aside, ignore_errors=True)
    finish.offer(site, solutions)


def given_up(error, what, last):
    """Say why no new ``what`` was made, and where the last good one is, if there is one; return the exit status."""
    interrupted = isinstance(error, KeyboardInterrupt)
    print("\ninterrupted" if interrupted else f"\n{error}\n", file=sys.stderr)
    kept = f"; the last good one still stands in {last}" if last.exists() else ""
    print(f"No new {what} was made{kept}.", file=sys.stderr)
    return 130 if interrupted else 1


def main(arguments):
    """Build the book; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.book", description=__doc__.split("\n\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="chapters run at the same time")
    parser.add_argument("--solutions", choices=["0", "1"], default="1", help="0: a site for students, without them")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    start, solutions = time.monotonic(), options.solutions == "1"
    site = edition(SITE, solutions)
    try:
        with notebooks.alone():
            sweep(site)
            chapters = notebooks.chapters()
            secret = secrets(chapters)
            results, ran = asyncio.run(execute(chapters, notebooks.settings(), options.jobs))
            build(stage(results, solutions), site, frozenset() if solutions else secret, solutions)
    except (notebooks.ChapterError, KeyboardInterrupt) as error:
        return given_up(error, "site", site)
    print(f"{ran} executed, {time.monotonic() - start:.0f} s in all. Open {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
