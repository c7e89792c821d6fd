"""The book's training loop beside what a reader would otherwise write: the same work on both sides, in one run.

    python benchmarks/run.py [--quick] [--others] [--only WORK ...] [--rounds 3]

Each training is a process of its own. Before each other side the book's takes its turn, all of it several times, and
medians are compared: on two cores the very same training may take twice as long, as the system happens to put its
threads on them. What is timed is the whole training call, its start-up and compiling included, but not importing and
loading the data. A row whose sides did not reach the same quality has failed. --quick has one round of shorter
trainings and judges no ratio; --others installs JAX and PyTorch, in environments of their own, and times them as well.

The table is printed, and written with the machine to _build/bench.json.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from dlutils import data  # noqa: E402

import psutil  # noqa: E402
import works  # noqa: E402

BUILD = ROOT / "_build" / "bench"

# What -ffast-math allows the compiler, but for that: linked with it, a library switches off the smallest numbers in the
# whole process that loads it.
FAST = ["-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-freciprocal-math"]

# By work, each peer and how many times as fast the book's loop is to be; the works as they are, and quicker.
PEERS = {
    "mnist": {
        "Keras fit": 6,
        "Keras fit, tuned": 3,
        "GradientTape loop": 10,
        "NumPy": 5,
        "scikit-learn": None,
        "C, one thread": None,
    },
    "regression": {"TF 1 session": 2, "Keras fit, a step an epoch": 50},
    "astronaut": {"TF 1 session": 4.5, "Keras fit": 10},
    "autoencoder": {"TF 1 session": 1.2},
    "classifier": {"TF 1 session": 6},
}
ONCE = {("mnist", "GradientTape loop"), ("astronaut", "Keras fit")}  # minutes: in the first round alone
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # elsewhere PyTorch comes with gigabytes for GPUs
OTHERS = {"JAX": "jax", "PyTorch": "torch", "PyTorch, compiled": "torch"}
MAKE = {
    "mnist": lambda quick: works.mnist(data.load_mnist(), *((20_000, 2) if quick else ())),
    "regression": lambda quick: works.regression(epochs=2 if quick else 5),
    "astronaut": lambda quick: works.astronaut(passes=50 if quick else 500),
    "autoencoder": lambda quick: works.autoencoder(data.load_mnist(), epochs=2 if quick else 10),
    "classifier": lambda quick: works.classifier(epochs=10 if quick else 100),
}


def machine():
    """The machine in words."""
    names = []
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}"


def busy():
    """The seconds for which the machine's processors have been at work, and were wanted by others than this machine."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0)


def timed(side, path, python=sys.executable):
    """What ``side`` says of the work at ``path``, with the share of the processors that others had meanwhile."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    begun, before = time.perf_counter(), busy()
    mine = os.times()
    command = [os.fspath(python), os.fspath(ROOT / "benchmarks" / "sides.py"), side, os.fspath(path)]
    done = subprocess.run(command, env=os.environ | quiet, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    now = os.times()
    own = sum(now[:4]) - sum(mine[:4])
    others = (busy() - before - own) / (time.perf_counter() - begun) / (os.cpu_count() or 1)
    return json.loads(done.stdout.strip().splitlines()[-1]) | {"others": max(0.0, others)}


def compile_c():
    """Compile floor.c; return whether there was something to do it with."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler:
        flags = ["-O3", "-march=native", "-shared", "-fPIC", *FAST]
        source = ROOT / "benchmarks" / "floor.c"
        subprocess.run([compiler, *flags, source, "-o", BUILD / "floor.so", "-lm"], check=True)
    return bool(compiler)


def environment(package):
    """The Python of an environment that has ``package`` and NumPy, made at the first call."""
    folder = BUILD / f"env-{package}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / ".ready").exists():
        print(f"installing {package} in an environment of its own", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        options = ["-q", "--disable-pip-version-check"]
        options += ["--extra-index-url", CPU_WHEELS, "--retries", "1"] if package == "torch" else []
        subprocess.run([python, "-m", "pip", "install", *options, "numpy", package], check=True)
        (folder / ".ready").touch()
    return python


def row_of(work, peer, ours, theirs, wanted, quick):
    """A row of the table: medians over the rounds."""

    def median(runs, name):
        values = [run[name] for run in runs]
        return None if None in values else statistics.median(values)

    ours_metric, peer_metric = median(ours, "metric"), median(theirs, "metric")
    same = None
    if peer_metric is not None:
        off = abs(ours_metric - peer_metric)
        same = off <= (work.within if work.quality == "test accuracy" else work.within * max(ours_metric, peer_metric))
    ratio = median(theirs, "seconds") / median(ours, "seconds")
    return {
        "work": work.name,
        "peer": peer,
        "ours_s": median(ours, "seconds"),
        "peer_s": median(theirs, "seconds"),
        "ratio": ratio,
        "to_reach": wanted,
        "reached": None if wanted is None or quick else bool(ratio >= wanted and same is not False),
        "ours_compile_s": median(ours, "compile_s"),
        "ours_epoch_s": median(ours, "epoch_s"),
        "peer_epoch_s": median(theirs, "epoch_s"),
        "ours_rss_mb": median(ours, "rss_mb"),
        "peer_rss_mb": median(theirs, "rss_mb"),
        "quality": work.quality,
        "ours_metric": ours_metric,
        "peer_metric": peer_metric,
        "same_quality": same,
        "all_ours_s": [run["seconds"] for run in ours],
        "all_peer_s": [run["seconds"] for run in theirs],
        "others_share": median([*ours, *theirs], "others"),
        "gflop": work.operations() / 1e9,
        "quick": quick,
        "machine": machine(),
    }


HEAD = f"{'work':12} {'peer':28} {'book':>7} {'peer':>8} {'ratio':>6} {'wanted':>6}  {'quality':^19}  others"


def line_of(row):
    """The row as a line of the table."""
    wanted = "" if row["to_reach"] is None else f"{row['to_reach']:g}"
    metrics = " ".join("–" if row[name] is None else f"{row[name]:.4g}" for name in ("ours_metric", "peer_metric"))
    verdict = {True: "reached", False: "NOT REACHED", None: ""}[row["reached"]]
    if row["same_quality"] is False:
        verdict = "NOT THE SAME QUALITY"
    return (
        f"{row['work']:12} {row['peer']:28} {row['ours_s']:6.2f}s {row['peer_s']:7.2f}s {row['ratio']:6.1f} {wanted:>6}"
        f"  {metrics:^19}  {row['others_share']:4.0%}  {verdict}"
    )


def main(arguments):
    """Time, print, write; return 1 if two sides differ in quality."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of shorter trainings; judges no ratio")
    parser.add_argument("--others", action="store_true", help="JAX and PyTorch as well, installed at the first time")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), help="these works")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs; default: %(default)s")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")
    rounds, begun = 1 if options.quick else options.rounds, time.perf_counter()
    BUILD.mkdir(parents=True, exist_ok=True)
    peers = {name: dict(PEERS[name]) for name in options.only}
    pythons = {}
    if "mnist" in peers:
        if not compile_c():
            print("no C compiler is here: without the floor")
            del peers["mnist"]["C, one thread"]
        if options.others:
            peers["mnist"] |= dict.fromkeys(OTHERS)
            pythons = {side: environment(package) for side, package in OTHERS.items()}
    print(f"{machine()}\n", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, wanted in peers.items():
            work, path = MAKE[name](options.quick), Path(folder) / f"{name}.npz"
            work.save(path)
            print(f"{work.title}, {work.steps:,} steps of {work.batch}", flush=True)
            runs = {side: [] for side in ("book", *wanted)}
            for number in range(rounds):
                turns = [peer for peer in wanted if not (number and (name, peer) in ONCE)]
                for side in (side for peer in turns for side in ("book", peer)):
                    runs[side].append(took := timed(side, path, pythons.get(side, sys.executable)))
                    told = f"{took['seconds']:7.2f} s (compiling {took['compile_s']:.2f}), others {took['others']:.0%}"
                    print(f"  round {number + 1} of {rounds}  {side:28}{told}", flush=True)
            path.unlink()
            rows += [row_of(work, peer, runs["book"], runs[peer], wanted[peer], options.quick) for peer in wanted]
    aside = ROOT / "_build" / f".bench.json.{os.getpid()}"
    aside.write_text(json.dumps(rows, indent=1), "utf-8")
    aside.replace(ROOT / "_build" / "bench.json")
    print("\n".join(["", HEAD, *map(line_of, rows), ""]))
    print(f"{ROOT / '_build' / 'bench.json'}; {(time.perf_counter() - begun) / 60:.0f} minutes")
    return int(any(row["same_quality"] is False for row in rows if not row["quick"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
