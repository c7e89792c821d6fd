"""What checks compare is written down; which numbers moved between two runs; how near checks are to failing."""

import copy
import json
import os
from datetime import date

from tools.build import notebooks
from tools.trials import margins, moved, recorder

import nbformat
import numpy as np
import pandas as pd
import pytest


def notebook(*checks, seed=True):
    cells = [nbformat.v4.new_code_cell("seed = 1\nimport numpy as np, pandas as pd, math")] if seed else []
    for source in checks:
        cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": ["check"]}))
    return nbformat.v4.new_notebook(cells=cells)


def recorded(source, tmp_path, **names):
    """What an instrumented check cell writes down, run here: (comparisons by their link, failed asserts)."""
    made, sites = recorder.instrumented(notebook(source, seed=False))
    recorder.begin(tmp_path / "numbers", sites)
    exec(made.cells[0].source, {"np": np, "pd": pd, recorder.NAME: recorder} | names)
    entries = [json.loads(line) for line in (tmp_path / "numbers").read_text("utf-8").splitlines()]
    compared, failed = moved.collected(entries, sites)
    return {entry["link"]: entry for entry in compared.values()}, failed


@pytest.mark.parametrize(
    ("test", "link", "margin"),
    [
        ("a < 1", "a < 1", 0.75),
        ("a > 1", "a > 1", -0.75),
        ("0 < a < 1", "0 < a", 0.25),
        ("0 < a < 1", "a < 1", 0.75),
        ("not a > 1", "a > 1", 0.75),
        ("seed != 1 or a < 1", "a < 1", 0.75),
        ("(v < 4).all()", "v < 4", 1.0),
        ("(v < 2).any()", "v < 2", 1.0),
        ("not (v > 2).all()", "v > 2", 1.0),
        ("np.all(v > 0.5)", "v > 0.5", 0.5),
        ("all(each < 4 for each in [3.5, 1.0])", "each < 4", 3.0),  # the last of the two that were written
        ("all((v < 4) & (v > 0))", "v > 0", 1.0),
        ("np.isclose(a, 0.26, rtol=0, atol=0.1)", "a ≈ 0.26", 0.09),
        ("np.allclose(v, [1.0, 2.0, 3.5], 0, 1)", "v ≈ [1.0, 2.0, 3.5]", 0.5),
        ("series.between(0, 5).all()", "series <= 5", 2.0),
        ("abs(a - 1) < (2 if seed == 1 else 3)", "abs(a - 1) < 2 if seed == 1 else 3", 1.25),
        ("not any(each > 1 for each in (a, a))", "each > 1", 0.75),
        ("(~(v > 4)).all()", "v > 4", 1.0),
        ("not np.allclose(v, 0)", "v ≈ 0", 3.0),
        ("count < 4", "count < 4", 0.5),  # a count fails from 4 on, half-way to which lies 3.5
        ("count <= 3", "count <= 3", 0.5),
        ("np.nan < 1", "np.nan < 1", None),
    ],
)
def test_a_comparison_is_written_down_with_its_margin(test, link, margin, tmp_path):
    names = {"a": 0.25, "v": np.array([1.0, 2.0, 3.0]), "seed": 1, "count": 3, "series": pd.Series([1.0, 3.0])}
    compared, failed = recorded(f"assert {test}, 'so'", tmp_path, **names)
    assert compared[link]["margin"] == pytest.approx(margin)
    assert compared[link]["message"] == "so"
    assert bool(failed) == (not eval(test, names | {"np": np}))


@pytest.mark.parametrize("test", ["a < 1 or b < 1", "any(each < 1 for each in (a, b))", "not (a > 1 and b > 1)"])
def test_what_another_side_can_make_good_is_not_needed(test, tmp_path):
    compared, failed = recorded(f"assert {test}", tmp_path, a=2.0, b=0.5)
    assert not failed
    assert [entry["margin"] for entry in compared.values() if entry["needed"]] in ([], [pytest.approx(0.5)])


def test_an_assert_that_fails_or_raises_is_written_down_and_the_rest_still_runs(tmp_path):
    source = "assert a > 1, 'large'\nassert {}['gone'] < 1\nassert a < 1\nassert a == 0.25\nassert 'a' < 'b'\nlast = 1"
    names = {"a": 0.25}
    compared, failed = recorded(source, tmp_path, **names)
    assert [each["why"] for each in failed] == ["is false", "KeyError: 'gone'"]
    assert failed[0]["message"] == "large"
    assert list(compared) == ["a > 1", "a < 1", "a == 0.25"], "words have no margin"
    assert "margin" not in compared["a == 0.25"]


def test_what_a_chapter_calls_in_its_asserts_is_called_once_and_in_order(tmp_path):
    calls = []
    source = "assert f(1) < f(2) < f(3)\nassert f(5) < f(4) < f(9) or True\nassert not f(6) > f(7) and f(8)"
    recorded(source, tmp_path, f=lambda n: calls.append(n) or n)
    assert calls == [1, 2, 3, 5, 4, 6, 7, 8]


def test_complex_numbers_are_compared_without_a_word(tmp_path, recwarn):
    compared, failed = recorded("assert np.allclose(a, [1j], rtol=0, atol=0.5)", tmp_path, a=np.array([0.3 + 1j]))
    assert not failed
    assert not recwarn.list, "a warning would end the chapter"
    assert compared["a ≈ [1j]"]["margin"] == pytest.approx(0.2)


def test_of_a_long_loop_not_every_turn_is_kept_but_the_nearest(tmp_path):
    recorded("for n in range(5000):\n    assert (n - 3000) ** 2 > -1", tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "numbers").read_text("utf-8").splitlines()]
    assert len(lines) < 3100
    assert min(line["margin"] for line in lines) == 0.5


def test_every_chapter_can_be_instrumented_and_most_asserts_compare():
    asserts = compared = 0
    for path in notebooks.chapters():
        original = notebooks.read(path)
        made, sites = recorder.instrumented(original)
        assert original == notebooks.read(path), "the chapter itself stays"
        for cell in made.cells:
            if "check" in cell.metadata.get("tags", []):
                compile(cell.source, path.name, "exec")
        asserts += sum("kind" not in site for site in sites)
        compared += sum("kind" in site for site in sites)
    assert asserts > 3000
    assert compared > 0.8 * asserts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A chapter that was recorded in a kernel, with another seed than its own."""
    path = tmp_path_factory.mktemp("book") / "chapter.ipynb"
    check = "loss = seed / 100\nassert loss < 0.5, 'low'\nassert loss > 0.2, 'not so low'\nassert len('ab') == 2"
    said = "from dlutils import findings\n"
    said += "findings.said_and_measured('x', said='1', measured=str(seed), agrees=seed > 3, row=1, lecture='y')"
    made = notebook(check, "assert 1 < 2")
    made.cells.insert(1, nbformat.v4.new_code_cell(said))
    nbformat.write(made, path)
    found = moved.numbers_of(path, timeout=60, seed=7)
    assert os.listdir(path.parent) == [path.name], "nothing is left beside the chapter"
    return {"versions": {"tensorflow": "2.21.0"}, "seed": 7, "chapters": {"chapter": found}}


def test_a_chapter_runs_to_its_end_and_its_numbers_are_kept(run):
    numbers = run["chapters"]["chapter"]
    assert numbers["error"] is None
    assert [record["measured"] for record in numbers["findings"]] == ["7"]
    assert [each["message"] for each in numbers["failed"]] == ["not so low"]
    assert {entry["link"]: entry["left"] for entry in numbers["compared"].values()} == {
        "loss < 0.5": 0.07,
        "loss > 0.2": 0.07,
        "len('ab') == 2": 2,
        "1 < 2": 1,
    }


def after(run, loss, measured="7", agrees=True):
    """A later run, in which the loss came out differently."""
    later = copy.deepcopy(run)
    later["versions"]["tensorflow"] = "2.22.0rc1"
    numbers = later["chapters"]["chapter"]
    for entry in numbers["compared"].values():
        if entry["link"].startswith("loss"):
            entry["left"] = loss
            entry["margin"] = 0.5 - loss if "<" in entry["link"] else loss - 0.2
    numbers["findings"][0] |= {"measured": measured, "agrees": agrees}
    return later


def test_nothing_moved(run):
    text, broken = moved.report(run, run, 50)
    assert not broken
    assert "Both ran on the same versions." in text
    assert "0 sides of 4 comparisons moved" in text
    assert "None of 1 moved." in text


def test_what_moved_stands_with_the_share_of_its_room(run):
    before = after(run, 0.3)
    rows = moved.moves(before, after(run, 0.4))
    assert [(link, round(share, 6)) for _, share, link, *_ in rows] == [("loss < 0.5", 0.5), ("loss > 0.2", -1)]
    text, broken = moved.report(run, after(run, 0.4, "8", False), 1)
    assert not broken
    assert "| tensorflow | 2.21.0 | 2.22.0rc1 |" in text
    assert "| chapter | x | 7 (✓ agrees) | 8 (≠ differs) |" in text
    assert "And 1 more." in text


def test_rounding_is_no_move(run):
    assert not moved.moves(after(run, 0.3), after(run, 0.3 * (1 + 1e-12)))
    assert moved.moves(after(run, 0.3), after(run, 0.3 * (1 + 1e-6)))


def test_what_holds_no_more_and_what_did_not_run_is_said(run):
    good, bad = copy.deepcopy(run), copy.deepcopy(run)
    good["chapters"]["chapter"]["failed"] = []
    text, broken = moved.report(good, bad, 50)
    assert broken
    assert "| chapter | not so low | `loss > 0.2` | is false |" in text
    bad["chapters"] = {}
    text, broken = moved.report(good, bad, 50)
    assert broken
    assert "did not run" in text
    bad = copy.deepcopy(good)
    bad["chapters"]["chapter"]["error"] = "chapter.ipynb, cell 2 of 3 raised\nValueError"
    text, broken = moved.report(good, bad, 50)
    assert broken
    assert "ended early" in text


def runs_with(*losses):
    """One run a loss, in which an assert says that it is below 0.5."""
    entry = {"link": "loss < 0.5", "message": "low", "kind": "bound", "needed": True, "right": 0.5}
    return [
        {
            "seed": seed,
            "versions": {},
            "chapters": {
                "chapter": {
                    "compared": {"id/1/loss < 0.5/0/1/1": entry | {"left": loss, "margin": 0.5 - loss}},
                    "findings": [],
                    "failed": [],
                    "error": None,
                }
            },
        }
        for seed, loss in enumerate(losses, 101)
    ]


def test_the_distance_is_in_standard_deviations_of_the_margin():
    losses = [0.1, 0.12, 0.15, 0.11, 0.13]
    (row,) = margins.distances(runs_with(*losses))
    assert row["distance"] == pytest.approx((0.5 - np.mean(losses)) / np.std(losses, ddof=1))
    assert (row["runs"], row["worst"]) == (5, 103)


def test_what_differs_widely_is_measured_by_its_logarithm():
    losses = [0.0001, 0.001, 0.01, 0.1, 0.6]
    (row,) = margins.distances(runs_with(*losses))
    ratios = np.log(0.5 / np.array(losses))
    assert row["distance"] == pytest.approx(np.mean(ratios) / np.std(ratios, ddof=1))
    assert row["least"] == pytest.approx(-0.1), "what failed is on the other side on either scale"


def test_of_what_is_to_be_equal_the_share_that_is_left_of_the_tolerance_counts():
    runs = runs_with(*range(5))
    for run, room, apart in zip(runs, (1, 10, 100, 1000, 1), (0.1, 2, 20, 100, 0.15), strict=True):
        (entry,) = run["chapters"]["chapter"]["compared"].values()
        entry |= {"kind": "close", "room": room, "margin": room - apart}
    (row,) = margins.distances(runs)
    left = [0.9, 0.8, 0.8, 0.9, 0.85]
    assert row["distance"] == pytest.approx(np.mean(left) / np.std(left, ddof=1))


def test_what_is_too_near_is_counted_and_what_is_far_is_listed_apart():
    near, wrong = margins.report(runs_with(0.2, 0.3, 0.2, 0.4, 0.15), 10)
    assert wrong == 0, "it did not fail"
    assert "1 are nearer than 4 standard deviations" in near
    assert "| 2.5 | chapter | id | `loss < 0.5` | low |" in near
    far, wrong = margins.report(runs_with(0.1, 0.101, 0.102, 0.099, 0.1), 10)
    assert wrong == 0
    assert "| 350.5 | chapter |" in far.split("## Bounds farther than 50")[1]


def test_an_assert_that_failed_and_a_chapter_that_ended_early_are_told():
    runs = runs_with(0.1, 0.6)
    runs[1]["chapters"]["chapter"]["failed"] = [
        {"cell": "id", "text": "loss < 0.5", "message": "low", "why": "is false"}
    ]
    runs[0]["chapters"]["chapter"]["error"] = "cell 3 raised\nOverflowError"
    text, wrong = margins.report(runs, 10)
    assert wrong == 2
    assert "| chapter | 102 | low | `loss < 0.5` | is false |" in text
    assert "| chapter | 101 | ended early |" in text


def test_what_is_the_same_with_every_seed_has_no_distance_and_few_runs_tell_none():
    (row,) = margins.distances(runs_with(*5 * [0.1]))
    assert row["distance"] is None
    text, wrong = margins.report(runs_with(*5 * [0.1]), 10)
    assert wrong == 0
    assert "1 come out the same" in text
    text, wrong = margins.report(runs_with(0.1, 0.4), 10)
    assert wrong == 0
    assert "1 were made in fewer than 5 runs" in text


def test_new_seeds_are_of_their_day_and_do_not_meet():
    seeds = margins.new_seeds(8, date(2026, 11, 22)) + margins.new_seeds(8, date(2026, 11, 23))
    assert seeds[0] == 26112200
    gaps = np.diff(sorted(seeds))
    assert min(gaps) >= 10
    assert max(seeds) < 2**31, "some generators take no more"


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (moved, ["one.json"], "name two recorded runs, BEFORE and AFTER, or say --record"),
        (moved, ["none.json", "none.json"], "none.json is not a recorded run"),
        (margins, [], "say which seeds"),
        (margins, ["--new", "0"], "--new must be at least 1, got 0"),
        (margins, ["--runs", "."], "there is no recorded run in ."),
    ],
)
def test_what_they_cannot_do_is_said(tool, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        status = tool.main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert said in capsys.readouterr().err
