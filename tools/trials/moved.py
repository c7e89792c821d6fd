"""Which of the book's numbers have moved between two runs, say of two versions of TensorFlow?

    python -m tools.trials.moved --record RUN.json [NOTEBOOK ...] [--seed N]    run the chapters, and keep their numbers
    python -m tools.trials.moved BEFORE.json AFTER.json                         what moved between two such runs

Kept are what each chapter measured of what a lecture or another source said, and both sides of every comparison that
the asserts of its checks make. A comparison that moved is shown with how much of its room it used up: 100 % is all that
lay between it and a failing assert, and a minus sign leads away from there.
"""

import argparse
import asyncio
import importlib.metadata
import json
import math
import os
import platform
import sys
import tempfile
from pathlib import Path

from tools.build import book, notebooks
from tools.trials import recorder, seeds

import nbformat

NOTICED = 1e-9  # relative to a number's size: what moves by less has not moved
PACKAGES = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu", "keras", "keras-nightly", "numpy", "scipy")
PACKAGES += ("scikit-learn", "scikit-image", "pandas", "matplotlib")


def versions():
    """What the chapters ran on."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def numbers_of(path, timeout, seed=None):
    """Run the chapter at ``path``, with ``seed`` if one is given; return what it measured, as JSON can have it.

    A dict: ``findings``, the records of what somebody said; ``compared``, the comparisons of its checks, by what they
    read like; ``failed``, the asserts that did not hold; ``error``, what ended the chapter, or None; ``seconds``.
    """
    notebook = notebooks.read(path)
    if seed is not None:
        notebook = seeds.reseeded(notebook, seed)
    notebook, sites = recorder.instrumented(notebook)
    with tempfile.TemporaryDirectory() as folder:
        kept, listed = Path(folder, "numbers"), Path(folder, "sites")
        listed.write_text(json.dumps(sites), "utf-8")
        start = "import importlib.util, json\n"  # by its path: a reader's environment may have a package called tools
        start += f"{recorder.NAME} = importlib.util.spec_from_file_location('recorder', {recorder.__file__!r})\n"
        start += f"{recorder.NAME} = importlib.util.module_from_spec({recorder.NAME})\n"
        start += f"{recorder.NAME}.__spec__.loader.exec_module({recorder.NAME})\n"
        start += f"{recorder.NAME}.begin({os.fspath(kept)!r}, json.load(open({os.fspath(listed)!r}, encoding='utf-8')))"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(start))
        error, seconds, findings = None, None, []
        with notebooks.variant(path, notebook, f"recorded-{os.getpid()}") as variant:
            try:
                executed, _, seconds = asyncio.run(notebooks.run(variant, timeout=timeout))
                findings = [record for records in book.findings_of(executed).values() for record in records]
            except notebooks.ChapterError as problem:
                error = str(problem)
        lines = kept.read_text("utf-8").splitlines() if kept.is_file() else []
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    compared, failed = collected(entries, sites)
    return {"findings": findings, "compared": compared, "failed": failed, "error": error, "seconds": seconds}


def collected(entries, sites):
    """What the recorder wrote, by comparison, and the asserts that failed."""
    compared, failed, times = {}, [], {}
    for entry in entries:
        site = sites[entry["site"]]
        if "failed" in entry:
            failed.append({name: site[name] for name in ("cell", "text", "message")} | {"why": entry["failed"]})
            continue
        link = f"{site['sides'][entry['place']]} {site['signs'][entry['place']]} {site['sides'][entry['place'] + 1]}"
        first = f"{site['cell']}/{site['assert']}/{entry['site']}/{entry['place']}"
        times[first] = times.get(first, 0) + 1
        compared[f"{first}/{times[first]}"] = {
            "link": " ".join(link.split()),
            "message": site["message"],
            "kind": site["kind"],
            "needed": site["needed"],
            **{name: entry[name] for name in ("left", "right", "margin", "room") if name in entry},
        }
    # A chapter that gained or lost a cell keeps its other keys: the number of the site is of the whole chapter.
    renamed = {}
    for key, value in compared.items():
        cell, number, _, place, time = key.split("/")
        again = 1
        while (name := f"{cell}/{number}/{value['link']}/{place}/{time}/{again}") in renamed:
            again += 1
        renamed[name] = value
    return renamed, failed


def record(paths, seed=None):
    """Run the chapters at ``paths`` one after another, and return their numbers."""
    timeout, found = notebooks.settings()["timeout"], {}
    for number, path in enumerate(paths, 1):
        print(f"{number} of {len(paths)}, {path.stem}: running", flush=True)
        found[path.stem] = numbers_of(path, timeout, seed)
        print(f"  {said(found[path.stem])}", flush=True)
    return {"versions": versions(), "seed": seed, "chapters": found}


def said(numbers):
    """A line on how a chapter went."""
    line = f"{len(numbers['compared'])} comparisons, {len(numbers['findings'])} findings"
    if numbers["failed"]:
        line += f", {len(numbers['failed'])} asserts failed"
    if numbers["error"]:
        line += f", ended early: {numbers['error'].splitlines()[0]}"
    return line


def flat(value):
    return value if isinstance(value, list) else [value]


def has_moved(before, after):
    """Whether two numbers, or lists of them, differ by more than rounding."""
    before, after = flat(before), flat(after)
    if len(before) != len(after):
        return True
    pairs = zip(before, after, strict=True)
    return any(not (one == other or math.isclose(one, other, rel_tol=NOTICED, abs_tol=1e-300)) for one, other in pairs)


def used(before, after):
    """The share of its room that a comparison has used up, or None if it has no margin in one of the two runs."""
    room, left = before.get("margin"), after.get("margin")
    if room is None or left is None:
        return None
    if room <= 0:
        return 0.0 if left == room else -math.inf if left > room else math.inf
    return (room - left) / room


def moves(before, after):
    """What moved between two runs: a list of (chapter, used or None, what, before, after), the most used first."""
    rows = []
    for chapter, one in before["chapters"].items():
        other = after["chapters"].get(chapter)
        if other is None:
            continue
        for key, first in one["compared"].items():
            second = other["compared"].get(key)
            if second is None:
                continue
            for side in ("left", "right"):
                if has_moved(first[side], second[side]):
                    share = used(first, second)
                    rows.append((chapter, share, first["link"], first[side], second[side], first["kind"]))
    return sorted(rows, key=lambda row: -math.inf if row[1] is None else row[1], reverse=True)


def finding_moves(before, after):
    """The findings of which the measured number or the verdict differs: (chapter, what, before, after)."""
    rows = []
    for chapter, one in before["chapters"].items():
        other = after["chapters"].get(chapter, {"findings": []})
        later = {(each["what"], each["row"]): each for each in other["findings"]}
        for first in one["findings"]:
            second = later.get((first["what"], first["row"]))
            told = [
                f"{each['measured']} ({book.verdict(each)})" if each and "agrees" in each else "nothing"
                for each in (first, second)
            ]
            if told[0] != told[1]:
                rows.append((chapter, first["what"], *told))
    return rows


def short(value):
    return ", ".join(f"{number:.4g}" for number in flat(value))


def table(head, rows):
    """A table in Markdown, which a workflow's summary shows as one."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(str(entry).replace("|", "\\|").replace("\n", " ") for entry in row) + " |")
    return "\n".join(lines)


def report(before, after, most):
    """What moved, in Markdown."""
    parts = ["# What moved"]
    names = [*before["versions"], *(name for name in after["versions"] if name not in before["versions"])]
    pairs = [(name, before["versions"].get(name, "none"), after["versions"].get(name, "none")) for name in names]
    differ = [pair for pair in pairs if pair[1] != pair[2]]
    parts.append(table(("", "before", "after"), differ) if differ else "Both ran on the same versions.")
    broken = []
    for chapter, numbers in after["chapters"].items():
        old = {(each["cell"], each["text"]) for each in before["chapters"].get(chapter, {"failed": []})["failed"]}
        for each in numbers["failed"]:
            if (each["cell"], each["text"]) not in old:
                broken.append((chapter, each["message"] or "", f"`{each['text']}`", each["why"]))
        if numbers["error"]:
            broken.append((chapter, "ended early", "", numbers["error"].splitlines()[0]))
    missing = sorted(set(before["chapters"]) - set(after["chapters"]))
    broken += [(chapter, "did not run", "", "") for chapter in missing]
    head = ("chapter", "claim", "assert", "why")
    parts += ["## What holds no more", table(head, broken) if broken else "All asserts that held still hold."]
    parts.append("## What the chapters measured of what was said")
    findings = finding_moves(before, after)
    count = sum(len(numbers["findings"]) for numbers in before["chapters"].values())
    parts.append(table(("chapter", "what", "before", "after"), findings) if findings else f"None of {count} moved.")
    rows = moves(before, after)
    count = sum(len(numbers["compared"]) for numbers in before["chapters"].values())
    parts.append("## The values of the checks")
    parts.append(f"{len(rows)} sides of {count} comparisons moved; those that used up most of their room stand first.")
    shown = [
        (chapter, "" if share is None else f"{100 * share:+.3g} %", f"`{link}`", short(one), short(other))
        for chapter, share, link, one, other, _ in rows[:most]
    ]
    if shown:
        parts.append(table(("chapter", "room used", "comparison", "before", "after"), shown))
    if len(rows) > most:
        parts.append(f"And {len(rows) - most} more.")
    return "\n\n".join(parts), bool(broken)


def read(path):
    """A run that was recorded."""
    try:
        run = json.loads(path.read_text("utf-8"))
        run["versions"], run["chapters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise notebooks.ChapterError(f"{path} is not a recorded run: {error}") from None
    return run


def write(run, path):
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(run, indent=1) + "\n", "utf-8")
    os.replace(aside, path)


def main(arguments):
    """Record, or compare; return 1 if something holds no more, or a chapter did not run."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.moved", description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, nargs="*", help="BEFORE AFTER; with --record, chapters, or none for all")
    parser.add_argument("--record", type=Path, metavar="RUN", help="run the chapters, and keep their numbers here")
    parser.add_argument("--seed", type=int, help="with --record: another seed than the chapters'")
    parser.add_argument("--most", type=int, default=50, help="rows of the last table")
    options = parser.parse_args(arguments)
    if not options.record and (len(options.file) != 2 or options.seed is not None):
        parser.error("name two recorded runs, BEFORE and AFTER, or say --record")
    try:
        if options.record:
            run = record([path.resolve() for path in options.file] or notebooks.chapters(), options.seed)
            write(run, options.record)
            return 1 if any(each["error"] or each["failed"] for each in run["chapters"].values()) else 0
        text, broken = report(*(read(path) for path in options.file), options.most)
    except notebooks.ChapterError as error:
        print(error, file=sys.stderr)
        return 2
    print(text)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
