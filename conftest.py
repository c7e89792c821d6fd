"""What holds for all tests, those of the chapters among them."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# As in make and in the chapters' kernels: with Agg, say, in the shell no kernel would show a figure.
os.environ.pop("MPLBACKEND", None)

# What tools.trials.seeds and the like leave beside a chapter while they run it, or when they are killed.
collect_ignore_glob = ["*/.*.ipynb"]

# The same few examples in each run; ATTACKS=20 in the environment tries many new ones.
settings.register_profile("usual", derandomize=True, deadline=None, max_examples=25, database=None)
settings.register_profile("attacks", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("attacks" if os.environ.get("ATTACKS") else "usual")


# What takes longest is begun first, so that all processes end together; any other order is right, too.
LONGEST = [
    "test_tools.py",
    "test_grade.py",
    "mnist.ipynb",
    "inpainting.ipynb",
    "test_training.py",
    "autoencoders.ipynb",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_xdist_auto_num_workers():
    """One more than there are processors, as tests wait for a clock or for a process that starts."""
    return (os.cpu_count() or 1) + 1


class ByFileOrChapter(LoadFileScheduling):
    """One process runs the tests of a file; of those in test_exercises, which are many, the tests of a chapter."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return nodeid.rpartition("[")[2] if file == "tests/test_exercises.py" else file


def pytest_xdist_make_scheduler(config, log):
    return ByFileOrChapter(config, log)


def pytest_terminal_summary(terminalreporter):
    """Seconds by chapter: the kernel's start and the imports, which are in its first cell, and the rest."""
    times = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        path, _, cell = getattr(report, "nodeid", "").partition("::")
        if path.endswith(".ipynb"):
            taken = times.setdefault(Path(path).stem, [0.0, 0.0])
            taken[cell != "Cell 0"] += getattr(report, "duration", 0.0)
    if times:
        terminalreporter.section("seconds by chapter")
        terminalreporter.line(f"{'':30} {'start, imports':>14} {'own work':>9} {'all':>5}")
        together = tuple(map(sum, zip(*times.values(), strict=True)))
        for name, (first, rest) in [*sorted(times.items()), ("all", together)]:
            terminalreporter.line(f"{name:30} {first:14.1f} {rest:9.1f} {first + rest:5.0f}")
