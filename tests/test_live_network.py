"""The live network: its training without a page beside NumPy, faults planted in it, and what it refuses."""

import base64
import itertools
import json
import re
from html import unescape

from dlutils import data, live

import numpy as np
import pytest
import quickjs
from test_live import asked, engine, loss_and_gradient

ALT = "Two classes of points, and a line between them that bends as the network learns."
SIZES = (2, 3, 1)


def parameters(sizes=SIZES, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for n, m in itertools.pairwise(sizes) for shape in ((n, m), (m,))]


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def trained(start, sets, turns, rate=0.8, hidden="tanh"):
    x, y = (np.asarray(part, dtype="f4").astype(float) for part in sets[:2])
    w = flat(start)
    for _ in range(turns):
        w = w - rate * loss_and_gradient(SIZES, w, x, y[:, np.newaxis], hidden, "logistic")[1]
    return [w[:6].reshape(2, 3), w[6:9], w[9:12].reshape(3, 1), w[12:]]


def some_sets():
    x, y = data.make_spirals(90, seed=2)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    return {"spirals": (x[:50], y[:50], x[50:], y[50:]), "XOR": (corners, np.array([0, 1, 1, 0]))}


def made(**changes):
    sets = some_sets()
    start = parameters()
    given = {"chosen": "spirals", "rate": 0.8, "turns": 30, "activation": "tanh", "alt": ALT} | changes
    given = {"sets": sets, "start": start, "end": trained(start, sets["spirals"], 30)} | given
    return live.network(given.pop("sets"), given.pop("start"), given.pop("end"), **given)


def state_of(figure):
    return json.loads(unescape(re.search(r'data-state="([^"]*)"', figure._repr_mimebundle_()["text/html"])[1]))


RUN = """{
    const run = dlLive.training(state, settings);
    for (let t = 0; t < turns; t++) run.step();
    return { w: Array.from(run.network.w), x: Array.from(run.x), testX: Array.from(run.testX), ...run.measure(),
        norms: run.norms(), records: run.records, every: run.every, finite: run.finite };
}"""


@pytest.fixture(scope="module")
def state():
    return state_of(made())


def settings(state, **changes):
    return state["chapter"] | {"batch": "all", "noise": 0} | changes


def check_the_chapters_run(context, state):
    """It begins where the chapter's run began and ends where it ended; losses, shares and lengths of gradients."""
    sets = some_sets()
    got = asked(context, RUN, state=state, settings=settings(state), turns=30)
    end = trained(parameters(), sets["spirals"], 30)
    np.testing.assert_allclose(got["w"], flat(end), atol=1e-12)
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(state["chapter"]["end"])), flat(end))
    for key, (x, y) in (("train", sets["spirals"][:2]), ("test", sets["spirals"][2:])):
        x, y = x.astype(float), y[:, np.newaxis]
        loss, slope = loss_and_gradient(SIZES, flat(end), x, y, "tanh", "logistic")
        logits = np.tanh(x @ end[0] + end[1]) @ end[2] + end[3]
        np.testing.assert_allclose(got[key], [loss, np.mean((logits > 0) == y)], atol=1e-12)
        if key == "train":
            lengths = [np.linalg.norm(slope[:6]), np.linalg.norm(slope[9:12])]
            np.testing.assert_allclose(got["norms"], lengths, atol=1e-12)
    assert [record["made"] for record in got["records"]] == list(range(31))
    assert got["records"][0]["train"][0] > got["records"][-1]["train"][0]


def check_other_settings(context, state):
    again = [asked(context, RUN, state=state, settings=settings(state, layers=2), turns=0)["w"] for _ in range(2)]
    assert again[0] == again[1], "the same weights each time"
    other = asked(context, RUN, state=state, settings=settings(state, draw=1), turns=0)["w"]
    assert not np.allclose(other, flat(parameters())), "new weights"
    wide = asked(context, RUN, state=state, settings=settings(state, units=8, layers=3, activation="relu"), turns=0)[
        "w"
    ]
    assert len(wide) == 2 * 8 + 8 + 2 * (64 + 8) + 8 + 1
    glorot = asked(context, RUN, state=state, settings=settings(state, units=8, layers=3), turns=0)["w"]
    assert np.isclose(np.std(wide[24:88]) / np.std(glorot[24:88]), np.sqrt((2 / 8) / (2 / 16)))
    line = asked(context, RUN, state=state, settings=settings(state, layers=0, set="XOR"), turns=5)
    assert len(line["w"]) == 3
    assert line["test"] is None or np.isnan(line["test"])


def check_noise(context, state):
    still = asked(context, RUN, state=state, settings=settings(state), turns=0)
    noisy = asked(context, RUN, state=state, settings=settings(state, noise=10), turns=0)
    for key in ("x", "testX"):
        moved = (np.array(noisy[key]) - still[key]).reshape(-1, 2)
        spans = np.ptp(state["sets"][0]["limits"], axis=1)
        np.testing.assert_allclose(moved.std(axis=0) / spans, 0.1, rtol=0.35)
    apart = {"sets": [dict(state["sets"][0], limits=[[0, 100], [0, 1]])], "chapter": state["chapter"]}
    moved = np.array(asked(context, RUN, state=apart, settings=settings(state, noise=10), turns=0)["x"]) - still["x"]
    assert np.ptp(moved[::2]) > 20 > 2 > np.ptp(moved[1::2]), "by its own span"


def check_batches(context, state):
    """An epoch of batches uses each example once, in another order each time."""
    sets = {**state, "chapter": {**state["chapter"], "layers": 0}}
    one = settings(sets, batch=1, layers=0, draw=5, rate=1e-9)
    first = np.array(asked(context, RUN, state=sets, settings=one, turns=0)["w"])
    moves = [np.array(asked(context, RUN, state=sets, settings=one, turns=t)["w"]) - first for t in (50, 100)]
    whole = settings(sets, batch="all", layers=0, draw=5, rate=50e-9)
    epoch = np.array(asked(context, RUN, state=sets, settings=whole, turns=1)["w"]) - first
    np.testing.assert_allclose(moves[0], epoch, rtol=1e-4)
    np.testing.assert_allclose(moves[1], 2 * epoch, rtol=1e-4)
    orders = []
    for start in (0, 50):
        w = [np.array(asked(context, RUN, state=sets, settings=one, turns=start + t)["w"]) for t in range(9)]
        orders.append(np.diff(w, axis=0)[:, 0])
    assert not np.allclose(*orders, rtol=1e-3, atol=0)
    x, y = some_sets()["spirals"][:2]
    in_order = 1e-9 * (y - 1 / (1 + np.exp(-(x @ first[:2] + first[2]))))[:8] * x[:8, 0]
    assert not np.allclose(orders[0], in_order, rtol=1e-3, atol=0), "shuffled from the first epoch on"
    rest = settings(sets, batch=30, layers=0, draw=5)
    assert asked(context, RUN, state=sets, settings=rest, turns=4)["finite"], "a rest that fills no batch"


def check_records(context, state):
    got = asked(context, RUN, state=state, settings=settings(state), turns=700)
    times = [record["made"] for record in got["records"]]
    assert len(times) <= 240
    assert times == list(range(0, 701, 4)), "twice thinned by half"
    wild = asked(context, RUN, state=state, settings=settings(state, activation="relu", rate=1e200), turns=9)
    assert not wild["finite"]


def check_lines(context, state):
    within = "dlLive.lineWithin(w, b, [[-1, 1], [-2, 2]])"
    for w, b in (((1.0, 0.0), 0.5), ((0.0, 1.0), -1.5), ((1.0, 1.0), 0.2), ((-3.0, 1.0), 0.0)):
        ends = np.array(asked(context, within, w=w, b=b))
        np.testing.assert_allclose(ends @ w + b, 0, atol=1e-12)
        assert np.all((np.abs(ends) <= [1, 2]) & np.isfinite(ends))
        assert np.any(np.isclose(np.abs(ends), [1, 2]), axis=1).all(), "from rim to rim"
        assert np.linalg.norm(ends[0] - ends[1]) > 1
    assert asked(context, within, w=(1.0, 0.0), b=5.0) is None or np.isnan(asked(context, within, w=(1.0, 0.0), b=5.0))


CHECKS = [check_the_chapters_run, check_other_settings, check_noise, check_batches, check_records, check_lines]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_it_trains_as_numpy_does(check, state):
    check(engine("network"), state)


FAULTS = [
    ('["set", "layers", "units", "activation", "draw"].every', '["set", "layers", "units", "activation"].every'),
    ("if (own) network.w.set", "if (!own) network.w.set"),
    ('settings.activation === "relu" ? "he" : "glorot"', '"glorot"'),
    ("(i % 2 ? high : low)", "(i % 2 ? low : high)"),
    ("settings.noise / 100", "settings.noise / 50"),
    ("[live.floats(set.x), live.floats(set.testX)].map(noisy)", "[noisy(live.floats(set.x)), live.floats(set.testX)]"),
    ("target > 0.5;", "target < 0.5;"),
    ("out[i] * target + Math.log1p", "out[i] + Math.log1p"),
    ("return [sum / targets.length", "return [sum / count"),
    ("test: tests ? loss(testX, testY) : null", "test: tests ? loss(x, y) : null"),
    ("run.every *= 2;", "run.every *= 3;"),
    ("made % run.every === 0);", "made % run.every !== 0);"),
    ("at + batch > count || at === 0", "at + batch > count"),
    ("part[i] = y[order[at + i]];", "part[i] = y[at + i];"),
    ("at += batch;", ""),
    ("run.finite = network.w.every(Number.isFinite);", ""),
    ("Math.hypot(...dW)", "Math.hypot(...dW) ** 2"),
    ("-(b + u * x) / v", "(b + u * x) / v"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[1][:40] or fault[0][:40])
def test_a_fault_is_noticed(fault, state):
    context = engine("network", planted=("network", *fault))
    for check in CHECKS:
        try:
            check(context, state)
        except (AssertionError, quickjs.JSException, TypeError, ValueError):
            return
    pytest.fail("no check failed")


def test_there_is_a_picture_where_scripts_do_not_run():
    bundle = made()._repr_mimebundle_()
    assert bundle["text/plain"] == ALT
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert f'alt="{ALT}"' in bundle["text/html"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chosen": "moons"}, "chosen must be one of the sets"),
        ({"activation": "elu"}, "activation must be"),
        ({"rate": 0}, "rate must be above 0"),
        ({"turns": 0}, "turns at least 1"),
        ({"speed": 7}, "speed must be"),
        ({"alt": " "}, "alt must say"),
        ({"end": parameters((2, 4, 1))}, "end must have the shapes of start"),
        ({"start": parameters((2, 3, 2))}, "start must be W1, b1, W2, b2"),
        ({"start": parameters((3, 3, 1))}, "start must be W1, b1, W2, b2"),
        ({"start": parameters()[:3]}, "start must be W1, b1, W2, b2"),
        ({"start": [np.nan * array for array in parameters()]}, "start must be finite"),
        ({"start": parameters((2, 3, 4, 1)), "end": parameters((2, 3, 4, 1))}, "hidden layers of one size"),
        ({"sets": {"spirals": (np.zeros((4, 3)), np.zeros(4))}}, r"sets\['spirals'\] must have an x of"),
        ({"sets": {"spirals": (np.zeros((4, 2)), [0, 1, 2, 1])}}, r"sets\['spirals'\] must have a y of 4"),
        ({"sets": {"spirals": (np.zeros((4, 2)), [0, 1, 1, 1])}}, "points that differ in both inputs"),
        ({"sets": {"spirals": (np.eye(2), [0, 1], np.eye(2), [0])}}, r"sets\['spirals'\] must have a y_test of 2"),
    ],
)
def test_what_it_cannot_show_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        made(**changes)
