"""How near are the checks to failing by chance? Run chapters with several seeds, and hold margins against scatter.

    python -m tools.trials.margins [NOTEBOOK ...] [--seeds 101 118 ... | --new N] [--keep FOLDER] [--runs FOLDER]

Every comparison on which an assert rests has a margin in each run: how far it is from the bound at which the assert
fails. Its distance is the mean of its margins over the runs in units of their standard deviation. Positive numbers that
differ more than threefold from run to run are compared by the logarithm of their ratio, and what is to be equal by the
share of its tolerance that is left.

What is nearer than four may fail by chance now and then: it is mended, by a claim that holds, or by a bound that the
claim does not need so near; unless it holds by construction, as what is sorted or drawn from a range. A bound farther
than fifty says next to nothing: it is tightened, if other processors and the stand-in data allow.

--new draws seeds from today's date, which nobody has tried; --keep writes each run to a folder, where a run that is
already there is not repeated; --runs reads such a folder and runs nothing.
"""

import argparse
import datetime
import math
import statistics
import sys
from pathlib import Path

from tools.build import notebooks
from tools.trials import moved

NEAR, FAR = 4, 50
STEP = 10  # between new seeds: some chapters also use the few numbers that follow theirs
WIDE = 3  # times as large from one run to another: a number's logarithm scatters evenly then, and not the number itself
FEWEST = 5  # runs below which a standard deviation says little


def new_seeds(count, day):
    """``count`` seeds that belong to ``day`` alone."""
    first = 100 * int(f"{day:%y%m%d}")
    return [first + STEP * number for number in range(count)]


def distances(runs):
    """For every comparison that an assert needs: a dict with its distance, by chapter.

    ``runs`` is a list of what ``moved.record`` returned. ``distance`` is None where all runs gave the same.
    """
    gathered = {}
    for run in runs:
        for chapter, numbers in run["chapters"].items():
            for key, entry in numbers["compared"].items():
                if entry["needed"] and entry.get("margin") is not None:
                    gathered.setdefault((chapter, key), []).append((run["seed"], entry))
    rows = []
    for (chapter, key), entries in gathered.items():
        margins = [entry["margin"] for _, entry in entries]
        on_scale, scale = scaled([entry for _, entry in entries])
        mean, spread = statistics.fmean(on_scale), statistics.stdev(on_scale) if len(on_scale) > 1 else 0.0
        same = spread <= moved.NOTICED * max(scale, abs(mean))
        first = entries[0][1]
        rows.append(
            {
                "chapter": chapter,
                "cell": key.split("/")[0],
                "link": first["link"],
                "message": first["message"] or "",
                "kind": first["kind"],
                "runs": len(margins),
                "least": min(margins),
                "mean": mean,
                "spread": spread,
                "distance": None if same else mean / spread,
                "worst": min(entries, key=lambda each: each[1]["margin"])[0],
                "example": f"{moved.short(first['left'])} | {moved.short(first['right'])}",
            }
        )
    return rows


def scaled(entries):
    """The margins of one comparison in several runs, on the scale on which they scatter, and their numbers' size."""
    margins = [entry["margin"] for entry in entries]
    if all(entry["kind"] == "close" and entry.get("room") for entry in entries):
        return [margin / entry["room"] for margin, entry in zip(margins, entries, strict=True)], 1.0
    sides = [[entry["left"] for entry in entries], [entry["right"] for entry in entries]]
    numbers = [number for side in sides for each in side for number in moved.flat(each)]
    single = not any(isinstance(each, list) for side in sides for each in side)
    if single and min(numbers) > 0 and any(max(side) > WIDE * min(side) for side in sides):
        ratios = [abs(math.log(one / other)) for one, other in zip(*sides, strict=True)]
        return [math.copysign(ratio, margin) for ratio, margin in zip(ratios, margins, strict=True)], 1.0
    return margins, max(abs(number) for number in numbers)


def nearest_of_each(rows):
    """Of comparisons that read the same in one cell, as those of a loop, only the nearest."""
    nearest = {}
    for row in rows:
        key = row["chapter"], row["cell"], row["link"]
        if key not in nearest or row["distance"] < nearest[key]["distance"]:
            nearest[key] = row
    return sorted(nearest.values(), key=lambda row: row["distance"])


def report(runs, most):
    """What the runs say, in Markdown, and how many asserts failed and chapters ended early."""
    rows = distances(runs)
    enough = [row for row in rows if row["runs"] >= FEWEST]
    moving = [row for row in enough if row["distance"] is not None]
    nearest = nearest_of_each(moving)
    near = [row for row in nearest if row["distance"] < NEAR]
    far = [row for row in nearest[::-1] if row["distance"] > FAR and row["kind"] == "bound"]
    failed = [
        (chapter, run["seed"], each["message"] or "", f"`{each['text']}`", each["why"])
        for run in runs
        for chapter, numbers in run["chapters"].items()
        for each in numbers["failed"]
    ]
    ended = [
        (chapter, run["seed"], "ended early", "", numbers["error"].splitlines()[0])
        for run in runs
        for chapter, numbers in run["chapters"].items()
        if numbers["error"]
    ]
    parts = ["# How near the checks are to failing"]
    counts = {}
    for run in runs:
        for chapter in run["chapters"]:
            counts[chapter] = counts.get(chapter, 0) + 1
    parts.append(", ".join(f"{chapter}: {count} seeds" for chapter, count in counts.items()) + ".")
    parts.append(
        f"{len(rows)} comparisons. {len(rows) - len(enough)} were made in fewer than {FEWEST} runs and are left out. "
        f"{len(enough) - len(moving)} come out the same with every seed. Of the others, {len(near)} are nearer than "
        f"{NEAR} standard deviations, and {len(far)} bounds are farther than {FAR}, those of one loop counted once."
    )
    if failed or ended:
        parts.append("## Failed")
        parts.append(moved.table(("chapter", "seed", "claim", "assert", "why"), [*failed, *ended]))
    head = ("distance", "chapter", "cell", "comparison", "claim", "sides, once", "least margin", "its seed", "runs")

    def lines(chosen):
        return [
            (
                f"{row['distance']:.1f}",
                row["chapter"],
                row["cell"],
                f"`{row['link']}`",
                row["message"],
                row["example"].replace(" | ", " and "),
                f"{row['least']:.3g}",
                row["worst"],
                row["runs"],
            )
            for row in chosen
        ]

    parts.append(f"## The {min(most, len(nearest))} nearest")
    parts.append(moved.table(head, lines(nearest[:most])))
    parts.append(f"## Bounds farther than {FAR}")
    parts.append(moved.table(head, lines(far)) if far else "None.")
    return "\n\n".join(parts), len(failed) + len(ended)


def kept_in(folder):
    """The runs that --keep left in ``folder``."""
    found = [moved.read(path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise notebooks.ChapterError(f"there is no recorded run in {folder}")
    return found


def main(arguments):
    """Run the chapters with the seeds; return 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.margins", description=__doc__.split("\n\n")[0])
    parser.add_argument("notebook", type=Path, nargs="*", help="all chapters, if none is named")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", type=int, nargs="+", help="the seeds to run with")
    seeds.add_argument("--new", type=int, metavar="N", help="N seeds of today's date")
    seeds.add_argument("--runs", type=Path, metavar="FOLDER", help="read what --keep left there; run nothing")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write each run there, once")
    parser.add_argument("--most", type=int, default=10, help="how many of the nearest to print")
    options = parser.parse_args(arguments)
    if options.new is not None and options.new < 1:
        parser.error(f"--new must be at least 1, got {options.new}")
    if not (options.seeds or options.new or options.runs):
        parser.error("say which seeds: --seeds, --new or --runs")
    try:
        if options.runs:
            runs = kept_in(options.runs)
        else:
            numbers = options.seeds or new_seeds(options.new, datetime.date.today())
            paths = [path.resolve() for path in options.notebook] or notebooks.chapters()
            runs = gathered(paths, numbers, options.keep)
        text, wrong = report(runs, options.most)
    except notebooks.ChapterError as error:
        print(error, file=sys.stderr)
        return 2
    print(text)
    return 1 if wrong else 0


def gathered(paths, numbers, keep):
    """Each chapter with each seed, from the folder ``keep`` where it is there already; progress goes to stderr."""
    runs, timeout, wanted = [], notebooks.settings()["timeout"], len(paths) * len(numbers)
    for path in paths:
        for seed in numbers:
            kept = keep / f"{path.stem}-{seed}.json" if keep else None
            how = "kept"
            if kept and kept.is_file():
                run = moved.read(kept)
            else:
                found = moved.numbers_of(path, timeout, seed)
                run = {"versions": moved.versions(), "seed": seed, "chapters": {path.stem: found}}
                how = moved.said(found)
                if kept:
                    moved.write(run, kept)
            runs.append(run)
            print(f"{len(runs)} of {wanted}, {path.stem}, seed {seed}: {how}", file=sys.stderr, flush=True)
    return runs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
