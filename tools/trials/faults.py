"""Plant faults in a chapter, one at a time: do its own checks catch them?

    python -m tools.trials.faults NOTEBOOK [--only NAME ...] [--jobs N]

The faults of a chapter are data, in tests/faults/<chapter>.toml: each has a name, the ``old`` text, which stands
once in the chapter's code, and the ``new`` text that takes its place. The chapter itself is not touched.
"""

import argparse
import asyncio
import copy
import os
import sys
import tomllib
from pathlib import Path

from tools.build import notebooks

FAULTS = notebooks.ROOT / "tests" / "faults"


def is_check(cell):
    return "check" in cell.metadata.get("tags", [])


def faults_of(path):
    """The faults that are kept for the chapter at ``path``: a list of dicts with name, old and new."""
    source = FAULTS / f"{path.stem}.toml"
    if not source.is_file():
        raise notebooks.ChapterError(f"no faults are kept for {path.name}: there is no {source}")
    return tomllib.loads(source.read_text("utf-8"))["fault"]


def faulty(notebook, fault):
    """A copy of ``notebook`` with ``fault`` in it."""
    changed = copy.deepcopy(notebook)
    cells = [cell for cell in changed.cells if cell.cell_type == "code" and not is_check(cell)]
    count = sum(cell.source.count(fault["old"]) for cell in cells)
    if count != 1:
        raise notebooks.ChapterError(f"fault {fault['name']!r}: its old text stands {count} times in the code")
    for cell in cells:
        cell.source = cell.source.replace(fault["old"], fault["new"])
    return changed


async def outcome(path, notebook, fault, timeout):
    """Run the chapter with ``fault``; return (whether a check caught it, what happened)."""
    changed = faulty(notebook, fault)
    with notebooks.variant(path, changed, f"fault-{fault['name'].replace(' ', '-')}") as variant:
        try:
            await notebooks.run(variant, timeout=timeout)
        except notebooks.ChapterError as error:
            last = str(error).strip().splitlines()[-1]
            if error.cell is None or not is_check(error.cell):
                return False, f"failed elsewhere: {str(error).splitlines()[0]}: {last}"
            return True, f"caught: {last}"
    return False, "NOT CAUGHT: the chapter ran through"


async def plant(path, names, jobs):
    """Plant all faults, or those called ``names``; return the number that no check caught."""
    notebook, timeout = notebooks.read(path), notebooks.settings()["timeout"]
    faults = faults_of(path)
    if unknown := set(names) - {fault["name"] for fault in faults}:
        raise notebooks.ChapterError(f"no faults called {sorted(unknown)} are kept for {path.name}")
    faults = [fault for fault in faults if not names or fault["name"] in names]
    for fault in faults:
        faulty(notebook, fault)  # before any of them takes time
    slots = asyncio.Semaphore(jobs)

    async def one(fault):
        async with slots:
            caught, what = await outcome(path, notebook, fault, timeout)
            print(f"{fault['name']}: {what}", flush=True)
            return caught

    caught = await asyncio.gather(*(one(fault) for fault in faults))
    print(f"{path.name}: {sum(caught)} of {len(faults)} caught")
    return len(faults) - sum(caught)


def main(arguments):
    """Plant faults; return 0 if the chapter's checks caught them all."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.faults", description=__doc__.split("\n\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names of faults; all, if none is given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults planted at the same time")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    try:
        return 1 if asyncio.run(plant(options.notebook.resolve(), options.only, options.jobs)) else 0
    except notebooks.ChapterError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
