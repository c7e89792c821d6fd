"""Run a chapter with other seeds: do its checks still hold, and how far do its numbers scatter?

    python -m tools.trials.seeds NOTEBOOK [--seeds 2 3 4 5 6] [--show NAME ...]

The chapter is copied beside itself with ``seed = …`` rewritten, run, and removed; --show names variables of its that
are numbers, and prints their values, means and standard deviations.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
from pathlib import Path

from tools.build import notebooks

SEED = re.compile(r"^seed = \d+$", re.MULTILINE)


def reseeded(notebook, seed):
    """``notebook`` with the seed that its first code cell sets changed to ``seed``."""
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source, count = SEED.subn(f"seed = {seed}", first.source)
    if count != 1:
        raise notebooks.ChapterError(f"the first code cell sets 'seed = …' {count} times, not once")
    return notebook


def run(path, seed, names, timeout):
    """Run the chapter at ``path`` with ``seed``; return the values of the variables called ``names``, by name."""
    values = ", ".join(f"{name!r}: float({name})" for name in names)
    epilogue = f"import json; print(json.dumps({{{values}}}))"
    with notebooks.variant(path, reseeded(notebooks.read(path), seed), f"seed-{seed}") as copy:
        _, printed, _ = asyncio.run(notebooks.run(copy, timeout=timeout, epilogue=epilogue))
    return json.loads(printed)


def main(arguments):
    """Run the chapter with each seed; return 0 if all its checks held with all of them."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.seeds", description=__doc__.split("\n\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4, 5, 6])
    parser.add_argument("--show", nargs="*", default=[], help="variables of the chapter to tabulate")
    options = parser.parse_args(arguments)
    path, timeout = options.notebook.resolve(), notebooks.settings()["timeout"]
    width = max([len(name) for name in options.show], default=0) + 2
    print("seed  " + "".join(f"{name:>{width}}" for name in options.show), flush=True)
    rows, failed = [], 0
    for seed in options.seeds:
        try:
            values = run(path, seed, options.show, timeout)
        except notebooks.ChapterError as error:
            failed += 1
            print(f"{seed:4d}  failed: {error}", flush=True)
            continue
        rows.append(values)
        print(f"{seed:4d}  " + "".join(f"{values[name]:{width}.4f}" for name in options.show), flush=True)
    for label, statistic in (("mean", statistics.mean), ("std", statistics.stdev)):
        if len(rows) > 1 and options.show:
            print(f"{label:4}  " + "".join(f"{statistic([row[n] for row in rows]):{width}.4f}" for n in options.show))
    print(f"{len(rows)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
