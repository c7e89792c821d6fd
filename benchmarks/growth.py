"""How the loop's cost grows with the data, and how near it comes to what the processor can do.

    python benchmarks/growth.py [--rounds 3] [--quick]

Seconds and the most memory for MNIST of 7,500 to 60,000 images and for pictures of 32 to 512 pixels a side, in the
book's loop and in Keras's, each in a process of its own; the exponents are slopes of straight lines through the
logarithms. Then, for three works, a steady epoch beside the same matrix products by NumPy alone, in the same run.
Written to _build/bench-growth.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from dlutils import data  # noqa: E402

import numpy as np  # noqa: E402
import run  # noqa: E402
import works  # noqa: E402

SIDES = ("book", "Keras fit")
LIMITED = ("mnist", "astronaut", "autoencoder")


def median(runs, name):
    """The middle of what ``runs`` say of ``name``."""
    return statistics.median(each[name] for each in runs)


def exponent(sizes, values):
    """The slope of the straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def grown(what, sizes, make, folder, rounds):
    """Rows with seconds, seconds a steady epoch and megabytes for each size and side."""
    rows, path = [], folder / "work.npz"
    for size in sizes:
        work = make(size)
        work.save(path)
        megabytes = sum(each.nbytes for each in work.arrays.values()) / 2**20
        runs = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, came in runs.items():
                came.append(run.timed(side, path))
        for side, came in runs.items():
            row = {"what": what, "size": size, "examples": len(work.arrays["x"]), "side": side, "data_mb": megabytes}
            row |= {name: median(came, name) for name in ("seconds", "epoch_s", "rss_mb")}
            rows.append(row)
            print(f"  {size:6} {side:10} {row['epoch_s']:7.3f} s an epoch, {row['rss_mb']:5.0f} MB", flush=True)
    for side in SIDES:
        own = [row for row in rows if row["side"] == side]
        slope = exponent([row["size"] for row in own], [row["epoch_s"] for row in own])
        print(f"  {side}: seconds an epoch grow as the size to the {slope:.2f}")
    return rows


def main(arguments):
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one round, and the smaller half of the sizes")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")
    rounds = 1 if options.quick else options.rounds
    half = slice(2 if options.quick else None)
    digits, rows, limits = data.load_mnist(), [], []
    run.BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        print("MNIST 784-100-10, three epochs, by the number of images", flush=True)
        sizes = [7_500, 15_000, 30_000, 60_000][half]
        rows += grown("examples", sizes, lambda m: works.mnist(digits, m, epochs=3), folder, rounds)
        print("astronaut, three passes, by the side of the image", flush=True)
        sides = [32, 64, 128, 256, 512][half]
        rows += grown("side", sides, lambda side: works.astronaut(side, passes=3), folder, 1)
        print("how near to the matrix products alone", flush=True)
        for name in LIMITED:
            work, path = run.MAKE[name](options.quick), folder / "work.npz"
            work.save(path)
            runs = {side: [] for side in ("book", "products")}
            for _ in range(rounds):
                for side, came in runs.items():
                    came.append(run.timed(side, path))
            epochs = {side: median(came, "epoch_s") for side, came in runs.items()}
            gflop = work.operations() / 1e9 / work.epochs
            limits.append({"work": name, "gflop": gflop, **epochs})
            rates = ", ".join(
                f"{side} {seconds:.3f} s ({gflop / seconds:.0f} GFLOP/s)" for side, seconds in epochs.items()
            )
            print(f"  {work.title}, {gflop:.1f} GFLOP an epoch: {rates}", flush=True)
    written = {"machine": run.machine(), "growth": rows, "limits": limits}
    aside = ROOT / "_build" / f".bench-growth.json.{os.getpid()}"
    aside.write_text(json.dumps(written, indent=1), "utf-8")
    aside.replace(ROOT / "_build" / "bench-growth.json")
    print(ROOT / "_build" / "bench-growth.json")


if __name__ == "__main__":
    main(sys.argv[1:])
