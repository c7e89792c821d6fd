"""The benchmark: all its sides do the same training, and its table says when they do not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
run = pytest.importorskip("run")
sides = pytest.importorskip("sides")
works = pytest.importorskip("works")


def small(loss="softmax", **changes):
    """A training of three steps, each on all twenty examples, so that no order matters."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 6)).astype("float32")
    y = rng.integers(3, size=20).astype("int32") if loss == "softmax" else rng.normal(size=(20, 3)).astype("float32")
    about = {"name": "small", "title": "6-5-3", "sizes": [6, 5, 3], "act": "relu", "rule": ("adam", 0.01)}
    about |= {"loss": loss, "batch": 20, "epochs": 3, "quality": "loss", "within": 0.1}
    return works.Work(**about | changes, arrays={"x": x, "y": y})


def trained(side, work):
    return [np.asarray(each) for each in sides.SIDES[side](work)(sides.Clock())]


@pytest.mark.parametrize("side", ["Keras fit", "Keras fit, tuned", "GradientTape loop", "TF 1 session", "NumPy"])
def test_each_side_takes_the_steps_of_the_books_loop(side):
    work = small()
    ours = trained("book", work)
    for one, other in zip(ours, trained(side, work), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert not np.allclose(ours[0], work.first[0], atol=1e-3), "it has learned something"


def test_so_does_the_floor_in_c(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    if not run.compile_c():
        pytest.skip("no C compiler is here")
    load = sides.ctypes_library
    monkeypatch.setattr(sides, "ctypes_library", lambda: load(tmp_path / "floor.so"))
    for one, other in zip(trained("book", small()), trained("C, one thread", small()), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
@pytest.mark.parametrize(("act", "rule"), [("tanh", ("adam", 0.01)), ("sigmoid", ("sgd", 0.1))])
def test_the_other_losses_activations_and_rules_agree(loss, act, rule):
    work = small(loss, act=act, rule=rule, start=0.5)
    for one, other in zip(trained("book", work), trained("TF 1 session", work), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_a_work_is_read_as_it_was_saved(tmp_path):
    work = small("squared", start=0.5)
    work.save(tmp_path / "work.npz")
    again = works.Work.read(tmp_path / "work.npz")
    assert (again.steps, again.sizes, again.loss) == (3, [6, 5, 3], "squared")
    for one, other in zip(work.first, again.first, strict=True):
        np.testing.assert_array_equal(one, other)


def test_operations_are_counted_from_the_shapes():
    work = small(epochs=1)
    forward, backward = 2 * 20 * (6 * 5 + 5 * 3), 2 * 20 * (6 * 5 + 2 * 5 * 3)  # of the inputs no gradient is needed
    assert work.operations() == forward + backward + 12 * (7 * 5 + 6 * 3)


def test_one_side_tells_what_it_took(tmp_path):
    small().save(tmp_path / "work.npz")
    command = [sys.executable, BENCHMARKS / "sides.py", "NumPy", tmp_path / "work.npz"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert set(told) == {"seconds", "cpu_s", "compile_s", "epoch_s", "rss_mb", "metric"}
    assert told["metric"] == pytest.approx(small().metric(trained("NumPy", small())))


def took(seconds, metric):
    usual = {"cpu_s": 1.0, "compile_s": 0.1, "epoch_s": 0.2, "rss_mb": 100.0, "others": 0.0}
    return {"seconds": seconds, "metric": metric, **usual}


@pytest.mark.parametrize(
    ("peer", "metric", "wanted", "reached", "same", "said"),
    [
        (8.0, 1.05, 4, True, True, "reached"),
        (8.0, 1.05, 5, False, True, "NOT REACHED"),
        (8.0, 1.2, 4, False, False, "NOT THE SAME QUALITY"),
        (8.0, None, 4, True, None, "reached"),
        (8.0, 1.0, None, None, True, ""),
    ],
)
def test_a_row_says_whether_it_was_reached_with_the_same_quality(peer, metric, wanted, reached, same, said):
    row = run.row_of(small(), "peer", [took(s, 1.0) for s in (1.0, 2.0, 9.0)], [took(peer, metric)], wanted, False)
    assert (row["ratio"], row["reached"], row["same_quality"]) == (4.0, reached, same)
    assert run.line_of(row).endswith(f"  {said}")
    quick = run.row_of(small(), "peer", [took(2.0, 1.0)], [took(peer, metric)], wanted, True)
    assert quick["reached"] is None, "shorter trainings judge nothing"
