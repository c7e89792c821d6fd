"""The live painting: its training without a page beside NumPy and TensorFlow, planted faults, and what it refuses."""

import json
import re
from html import unescape

from dlutils import live

import keras
import numpy as np
import pytest
import quickjs
import tensorflow as tf
from test_live import asked, engine

ALT = "A small picture, what a network paints of it, and its cost."
SIDE, BATCH, STEPS = 10, 7, 4
RATES = np.float32([0.01, 0.008, 0.005])


def some_picture(seed=0, side=SIDE):
    """Smooth colours and an edge, so that rows and columns differ."""
    across, along = np.meshgrid(np.arange(side), np.arange(side))
    noise = np.random.default_rng(seed).uniform(0, 30, (side, side, 3))
    colours = np.stack([12 * across, 20 * along, 200.0 * (across > along)], axis=-1) + noise
    return np.clip(colours, 0, 255).astype("f4").astype(float)


def parameters(inputs, seed=1, spread=None, layers=(6, 5, 3)):
    rng, made, n = np.random.default_rng(seed), [], inputs
    for m in layers:
        made += [rng.normal(0, spread or np.sqrt(2 / n), (n, m)), rng.normal(0, 0.1, m)]
        n = m
    return [part.astype("f4") for part in made]


FREQUENCIES = np.random.default_rng(2).normal(0, 2, (2, 4))
STARTS = {"place": parameters(2), "waves": [*parameters(8)[:2], *parameters(2)[2:]]}


def told(kind, side=SIDE, stretch=1):
    """What the chapter tells a network of its pixels, pixel by pixel."""
    steps = [(k + 0.5) / side for k in range(side)]
    places = np.array([(row, column) for row in steps for column in steps])
    if kind == "place":
        return ((places - places.mean()) / places.std()).astype("f4").astype(float)
    angles = [[2 * np.pi * stretch * (x * f + y * g) for f, g in FREQUENCIES.T] for x, y in places]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("f4").astype(float)


class Reference:
    """The chapter's network and its Adam in NumPy, with loops where they make it plain."""

    def __init__(self, start, inputs, colours):
        self.parts, self.inputs, self.colours = [np.array(part, dtype=float) for part in start], inputs, colours
        self.mean = [0 * part for part in self.parts]
        self.square = [0 * part for part in self.parts]
        self.t = 0

    def layers(self, x):
        passed = [x]
        for number in range(0, len(self.parts), 2):
            z = passed[-1] @ self.parts[number] + self.parts[number + 1]
            passed.append(z if number + 2 == len(self.parts) else np.where(z > 0, z, 0))
        return passed

    @property
    def answers(self):
        return self.layers(self.inputs)[-1]

    def step(self, rows, rate):
        passed = self.layers(self.inputs[rows])
        slope = np.sign(passed[-1] - self.colours[rows]) / len(rows)
        self.t += 1
        old = [part.copy() for part in self.parts]
        for layer in reversed(range(len(old) // 2)):
            for number, g in ((2 * layer, passed[layer].T @ slope), (2 * layer + 1, slope.sum(axis=0))):
                self.mean[number] = 0.9 * self.mean[number] + 0.1 * g
                self.square[number] = 0.999 * self.square[number] + 0.001 * g**2
                root = np.sqrt(self.square[number] / (1 - 0.999**self.t)) + 1e-7
                self.parts[number] -= rate * self.mean[number] / (1 - 0.9**self.t) / root
            slope = slope @ old[2 * layer].T * (passed[layer] > 0)


def first_of(kind, picture, start=None):
    rows = np.random.default_rng(5).permutation(SIDE**2)[: STEPS * BATCH].reshape(STEPS, BATCH)
    model = Reference(start or STARTS[kind], told(kind), picture.reshape(-1, 3))
    for row in rows:
        model.step(row, float(RATES[0]))
    return rows, model.answers


def made(**changes):
    picture = some_picture()
    hole = np.zeros((SIDE, SIDE), bool)
    hole[2:5, 3:6] = True
    given = {
        "pictures": {"hills": picture, "other": some_picture(3).round()},
        "starts": STARTS,
        "rates": RATES,
        "first": {kind: first_of(kind, picture) for kind in STARTS},
        "costs": {"place": {1: 90.0, 3: 80.0}, "waves": {3: 50.0}},
        "painted": {"in the end": picture.reshape(-1, 3)},
        "frequencies": FREQUENCIES,
        "bandwidth": 2,
        "bandwidths": [1, 2, 4],
        "hidden": {"a hole": hole},
        "alt": ALT,
    } | changes
    return live.painting(given.pop("pictures"), given.pop("starts"), **given)


def state_of(figure):
    text = figure._repr_mimebundle_()["text/html"]
    return json.loads(unescape(re.search(r'data-state="([^"]*)"', text)[1]))


HOLE = np.zeros(SIDE**2, int)
HOLE.reshape(SIDE, SIDE)[2:5, 3:6] = 1
MAKE = """
    const make = (given) => new dlLive.Painter({
        ...given, start: given.start.map((part) => Float64Array.from(part.flat())),
        told: Float64Array.from(given.told.flat()), colours: Float64Array.from(given.colours.flat()),
        hidden: given.hidden && Uint8Array.from(given.hidden) });
"""


def given_for(kind="waves", hidden=None, rates=RATES, start=None):
    return {
        "start": [part.astype(float).tolist() for part in start or STARTS[kind]],
        "told": told(kind).tolist(),
        "colours": some_picture().reshape(-1, 3).tolist(),
        "hidden": None if hidden is None else hidden.tolist(),
        "batch": BATCH,
        "rates": [float(rate) for rate in rates],
    }


def check_what_it_is_told(context):
    for side in (SIDE, 9):
        got = asked(context, "Array.from(dlLive.told(side, null))", side=side)
        np.testing.assert_allclose(np.reshape(got, (-1, 2)), told("place", side), atol=1e-7)
        for stretch in (1, 0.5):
            call = "Array.from(dlLive.told(side, Float64Array.from(f.flat()), stretch))"
            got = asked(context, call, side=side, f=FREQUENCIES, stretch=stretch)
            np.testing.assert_allclose(np.reshape(got, (-1, 8)), told("waves", side, stretch), atol=1e-7)
    places = asked(context, "Array.from(dlLive.told(64, null))")
    assert [float(np.float32(value)) for value in places] == places, "32 bits, as in the chapter"


def check_steps(context):
    """Batches of any size, small weights too: as in NumPy, to the last digits."""
    for kind, spread in (("place", None), ("waves", None), ("place", 0.002)):
        start = parameters(told(kind).shape[1], 4, spread)
        rows = [[int(p) for p in np.random.default_rng(t).integers(0, SIDE**2, BATCH)] for t in range(30)]
        run = """{
            const painter = make(given), costs = rows.map((row) => painter.step(row, 0.01));
            for (let p = 0; p < painter.n; p += 9) painter.ask(p, Math.min(9, painter.n - p));
            return { costs, answers: Array.from(painter.answers) };
        }"""
        got = asked(context, run.replace("{", "{" + MAKE, 1), given=given_for(kind, start=start), rows=rows)
        model, costs = Reference(start, told(kind), some_picture().reshape(-1, 3)), []
        for row in rows:
            costs.append(np.abs(model.answers[row] - model.colours[row]).sum(axis=1).mean())
            model.step(row, 0.01)
        np.testing.assert_allclose(got["costs"], costs, rtol=1e-10)
        np.testing.assert_allclose(np.reshape(got["answers"], (-1, 3)), model.answers, rtol=0, atol=1e-8)


PASSES = """{
    const painter = make(given), steps = [], rates = [], seen = [];
    const step = painter.step.bind(painter);
    painter.step = (rows, rate) => { steps.push([...rows]); rates.push(rate); return step(rows, rate); };
    for (let turn = 0; turn < 1000 && !painter.ended; turn++) {
        painter.next();
        if (painter.settled) seen.push([painter.pass, steps.length, Array.from(painter.answers)]);
    }
    const before = steps.length;
    painter.next();
    return { steps, rates, seen, costs: painter.costs, ended: painter.ended, more: steps.length - before };
}""".replace("{", "{" + MAKE, 1)


def check_passes(context):
    """Every pass has floor(n / batch) steps by its own rate, in a new order; the costs are those after it."""
    for hidden in (None, HOLE):
        got = asked(context, PASSES, given=given_for(hidden=hidden))
        each, colours = SIDE**2 // BATCH, some_picture().reshape(-1, 3)
        assert [len(got["steps"]), got["ended"], got["more"]] == [3 * each, "done", 0]
        np.testing.assert_allclose(got["rates"], np.repeat(RATES.astype(float), each))
        passes = np.reshape(got["steps"], (3, each * BATCH))
        shown = np.flatnonzero(HOLE == 0) if hidden is not None else np.arange(SIDE**2)
        for one in passes:
            assert set(one) <= set(shown), "a hidden pixel was used"
            counts = np.unique(one, return_counts=True)[1]
            assert counts.max() <= 1 + (len(one) > len(shown)), "each once, or twice where they come round again"
        assert len({tuple(one) for one in passes}) == 3, "a new order"
        assert passes[0].tolist() != sorted(passes[0])
        model = Reference(STARTS["waves"], told("waves"), colours)
        assert [(done, steps) for done, steps, _ in got["seen"]] == [(k, k * each) for k in range(4)]
        for number, (done, steps, answers) in enumerate(got["seen"]):
            for row in got["steps"][steps - each if done else 0 : steps]:
                model.step(row, float(RATES[done - 1]))
            answers = np.reshape(answers, (-1, 3))
            np.testing.assert_allclose(answers, model.answers, atol=1e-7)
            off = np.abs(model.answers - colours).sum(axis=1)
            gone = off[HOLE == 1].mean() if hidden is not None else np.nan
            np.testing.assert_allclose(got["costs"][number], [off[shown].mean(), gone], rtol=1e-9)


def check_hidden_colours_do_not_matter(context):
    """What stands in the hole leaves no trace in what is painted."""
    given = given_for(hidden=HOLE)
    spoiled = dict(given, colours=np.where(HOLE[:, np.newaxis], 99.0, given["colours"]).tolist())
    true, other = (asked(context, PASSES, given=each) for each in (given, spoiled))
    assert true["seen"] == other["seen"]
    assert true["costs"][-1][1] != other["costs"][-1][1]


def check_running_away(context):
    got = asked(context, PASSES, given=given_for(rates=[1e200, 0.01, 0.01]))
    assert got["ended"] == "lost"
    assert len(got["steps"]) < SIDE**2 // BATCH
    assert got["more"] == 0


def check_probes(context):
    """The figure's own check: the chapter's first steps, and what came of them."""
    state = state_of(made())
    body = """{
        const colours = dlLive.floats(state.pictures[0].values);
        const arrays = state.arrays.map(dlLive.floats), f = dlLive.doubles(state.frequencies);
        return Object.keys(state.starts).map((kind) => dlLive.redone(
            { rows: new Uint16Array(dlLive.bytes(state.first[kind].rows).buffer), rate: dlLive.floats(state.rates)[0],
              answers: dlLive.floats(state.first[kind].answers), every: state.first[kind].every },
            new dlLive.Painter({ start: state.starts[kind].map((i) => arrays[i]), colours, batch: state.batch,
                told: dlLive.told(state.side, kind === "waves" ? f : null), rates: [1] })));
    }"""
    assert max(asked(context, body, state=state)) < 1e-7
    true = first_of("waves", some_picture())[1][:: live._EVERY]
    wrong = true + np.eye(*true.shape) * 3
    state["first"]["waves"]["answers"] = live._packed(wrong, "<f4")
    np.testing.assert_allclose(asked(context, body, state=state)[1], 3 / np.abs(wrong).max(), rtol=1e-5)


def check_where_a_training_stops(context):
    """At the next multiple of twenty passes, at least one pass away."""
    stops = asked(context, "passes.map(dlLive.stopAfter)", passes=[-1, 0, 1, 19, 20, 39, 40])
    assert stops == [20, 20, 20, 20, 40, 40, 60]


def check_earlier_runs(context):
    """Those that made a pass, the last few; of one name the longest."""
    lengths = [("a", 3), ("b", 1), ("c", 4), ("a", 5), ("a", 2), ("d", 0), ("e", 2)]
    runs = [{"name": name, "costs": [0] * length} for name, length in lengths]
    for most, kept in ((9, [("c", 4), ("a", 5), ("e", 2)]), (2, [("a", 5), ("e", 2)])):
        got = asked(context, "dlLive.earlier(runs, most)", runs=runs, most=most)
        assert [(run["name"], len(run["costs"])) for run in got] == kept


CHECKS = (
    check_what_it_is_told,
    check_steps,
    check_passes,
    check_hidden_colours_do_not_matter,
    check_running_away,
    check_probes,
    check_where_a_training_stops,
    check_earlier_runs,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_painting_computes_what_numpy_does(check):
    check(engine("painting"))


FAULTS = [
    ("Math.sqrt((side * side - 1) / 12) / side", "Math.sqrt(1 / 12)"),
    ("row * frequencies[i] + column * frequencies[k + i]", "column * frequencies[i] + row * frequencies[k + i]"),
    ("2 * Math.PI * stretch", "Math.PI * stretch"),
    ("told[2 * k * p + k + i]", "told[2 * k * p + i + 1]"),
    ("Math.fround(frequencies ? Math.cos(angle)", "(frequencies ? Math.cos(angle)"),
    ("(Math.sqrt(q[i] / second) + 1e-7)", "Math.sqrt((q[i] + 1e-14) / second)"),
    ("[1 - 0.9 ** t, 1 - 0.999 ** t]", "[1 - 0.9 ** t, 1 - 0.9 ** t]"),
    ("q[i] = 0.999 * q[i] + 0.001 * g[i] * g[i];", "q[i] = 0.999 * q[i] + 0.001 * Math.abs(g[i]);"),
    ('hidden: "relu"', 'hidden: "tanh"'),
    ('loss: "absolute"', 'loss: "logistic"'),
    (".filter((p) => !this.hidden[p])", ""),
    ("if (this.at === 0) this.random.shuffle(this.order);", ""),
    ("if (this.at === 0) this.random.shuffle(this.order);", "this.random.shuffle(this.order);"),
    ("(this.at * this.batch + k) % this.order.length", "k"),
    ("this.rates[this.pass]", "this.rates[0]"),
    ("this.at * this.batch + this.batch > this.n", "this.at * this.batch >= this.n"),
    ("targets[3 * k + c] = colours[3 * p + c]", "targets[3 * k + c] = colours[3 * k + c]"),
    ("sums[this.hidden[p]] += Math.abs(", "sums[this.hidden[p]] += ("),
    ("counts[this.hidden[p]]++;", "counts[0]++;"),
    ('if (!Number.isFinite(cost)) this.ended = "lost";', ""),
    ("this.pass === this.rates.length", "this.pass > this.rates.length"),
    ("most = Math.max(most, Math.abs(painter.answers[3 * p + c] - answers[i]) / largest)", "most = 0"),
    ("painter.ask(p, 1);", "painter.ask(0, 1);"),
    ("Math.floor(Math.max(0, passes) / LEG) + 1", "Math.ceil(Math.max(0, passes) / LEG)"),
    ("Math.max(0, passes) / LEG", "passes / LEG"),
    ("longest.delete(run.name);", ""),
    ("run.costs.length <= Math.max(1, longest.get(run.name)?.costs.length ?? 0)", "run.costs.length <= 1"),
    ("Math.max(1, longest.get(run.name)", "Math.max(0, longest.get(run.name)"),
    (".slice(-most)", ".slice(0, most)"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0][:30]}>{fault[1][:20]}")
def test_a_fault_in_the_painting_is_noticed(fault):
    context = engine("painting", planted=("painting", *fault))
    for check in CHECKS:
        try:
            check(context)
        except (AssertionError, IndexError, quickjs.JSException):
            return
    pytest.fail("no check failed")


def test_training_goes_as_with_keras():
    """Keras's Adam adds its 1e-7 elsewhere, which with slopes of this size hardly matters."""
    kind, start = "waves", parameters(8, spread=1.0)
    dense = [keras.layers.Dense(part.size, "relu" if part.size > 3 else None, dtype="float64") for part in start[1::2]]
    model = keras.Sequential([keras.Input((8,), dtype="float64"), *dense])
    model.set_weights(start)
    adam, rng = keras.optimizers.Adam(float(np.float32(0.05))), np.random.default_rng(6)
    rows = [rng.permutation(SIDE**2)[:BATCH].tolist() for _ in range(60)]
    colours = some_picture().reshape(-1, 3)
    for row in rows:
        with tf.GradientTape() as tape:
            off = tf.abs(model(told(kind)[row]) - colours[row])
            loss = tf.reduce_mean(tf.reduce_sum(off, axis=-1))
        adam.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    run = """{
        const painter = make(given);
        for (const row of rows) painter.step(row, Math.fround(0.05));
        painter.ask(0, painter.n);
        return Array.from(painter.answers);
    }"""
    got = asked(engine("painting"), run.replace("{", "{" + MAKE, 1), given=given_for(kind, start=start), rows=rows)
    np.testing.assert_allclose(np.reshape(got, (-1, 3)), model(told(kind)), atol=1e-4 * np.ptp(got))
    assert np.ptp(got) > 20, "it has learned something"


def test_the_state_holds_what_was_given():
    state = state_of(made())
    names = [picture["name"] for picture in state["pictures"]]
    assert (names, state["side"], state["batch"]) == (["hills", "other"], SIDE, BATCH)
    assert [picture["bits"] for picture in state["pictures"]] == [32, 8], "whole numbers take a byte each"
    context = engine("painting")
    first = asked(context, "Array.from(dlLive.floats(v))", v=state["pictures"][0]["values"])
    np.testing.assert_array_equal(first, some_picture().ravel())
    assert asked(context, "Array.from(dlLive.bytes(v))", v=state["pictures"][1]["values"]) == [
        int(value) for value in some_picture(3).round().ravel()
    ]
    bits = np.unpackbits(np.array(asked(context, "Array.from(dlLive.bytes(v))", v=state["hidden"][0]["mask"]), "u1"))
    assert bits[: SIDE**2].tolist() == HOLE.tolist()
    assert len(state["arrays"]) == 2 + len(STARTS["waves"]), "what both share stands there once"
    assert state["marks"][1:] == [{"pass": 3, "cost": 80.0}, {"pass": 3, "cost": 50.0}]


def test_it_stands_beside_a_picture_with_the_alt_text():
    bundle = made()._repr_mimebundle_()
    assert bundle["text/plain"] == ALT
    assert f'alt="{ALT}"' in bundle["text/html"]
    assert 'data-live="painting"' in bundle["text/html"]
    assert "getImageData" not in bundle["text/html"], "browsers falsify it"


def test_one_kind_is_enough_and_biases_may_have_two_dimensions():
    place = [part[np.newaxis] if part.ndim == 1 else part for part in STARTS["place"]]
    only = {"place": place}
    state = state_of(made(starts=only, frequencies=None, hidden=None))
    assert [*state["starts"]] == ["place"]
    assert state["frequencies"] is None
    assert state["hidden"] == []


PICTURE = some_picture()
WAVES = STARTS["waves"]
ROWS, ANSWERS = first_of("waves", PICTURE)
ONLY = {"place": STARTS["place"]}
NO_HOLE, ALL = np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"pictures": {}}, ValueError, "pictures must be at least one"),
        ({"pictures": {"a": PICTURE[:, :, 0]}}, ValueError, "pictures['a'] must be square and in colour"),
        ({"pictures": {"a": PICTURE[:-1]}}, ValueError, "pictures['a'] must be square and in colour"),
        ({"pictures": {"a": PICTURE / 255}}, ValueError, "pictures['a'] must be colours from 0 to 255"),
        ({"pictures": {"a": PICTURE + 100}}, ValueError, "pictures['a'] must be colours from 0 to 255"),
        ({"pictures": {"a": PICTURE * np.nan}}, ValueError, "pictures['a'] must be colours from 0 to 255"),
        ({"pictures": {"a": PICTURE, "b": some_picture(0, 12)}}, ValueError, "pictures must all have one side"),
        ({"pictures": {"a": some_picture(0, 130)}}, ValueError, "pictures must all have one side, from 8 to 128"),
        ({"rates": []}, ValueError, "rates must be"),
        ({"rates": [0.01, np.nan]}, ValueError, "rates must be"),
        ({"rates": [-0.01]}, ValueError, "rates must be"),
        ({"starts": {}}, ValueError, "starts must be of"),
        ({"starts": {"polar": WAVES}}, ValueError, "starts must be of 'place', 'waves' or both, got ['polar']"),
        ({"starts": {"waves": keras.Sequential()}}, TypeError, "starts['waves'] must list W1, b1"),
        ({"starts": {"waves": WAVES[:-1]}}, TypeError, "starts['waves'] must list W1, b1"),
        ({"starts": {"waves": STARTS["place"]}}, ValueError, "starts['waves'] must lead from 8 numbers to 3"),
        ({"starts": {"waves": WAVES[:-2]}}, ValueError, "starts['waves'] must lead from 8 numbers to 3"),
        ({"starts": {"waves": [WAVES[0] * np.nan, *WAVES[1:]]}}, ValueError, "starts['waves'] must be finite"),
        ({"frequencies": None}, ValueError, "frequencies must be finite, of shape (2, k)"),
        ({"frequencies": FREQUENCIES.T}, ValueError, "frequencies must be finite, of shape (2, k)"),
        ({"bandwidth": 3}, ValueError, "bandwidths must be above 0, and bandwidth 3 among them"),
        ({"bandwidths": [0, 2]}, ValueError, "bandwidths must be above 0"),
        ({"first": {}}, ValueError, "first['place'] must be two arrays"),
        (
            {"first": {"waves": (ROWS + 90, ANSWERS)}, "starts": {"waves": WAVES}},
            ValueError,
            "first['waves'] must begin",
        ),
        (
            {"first": {"waves": (ROWS * 1.0, ANSWERS)}, "starts": {"waves": WAVES}},
            ValueError,
            "first['waves'] must begin",
        ),
        ({"first": {"waves": (ROWS, ANSWERS[1:])}, "starts": {"waves": WAVES}}, ValueError, "first['waves'] must end"),
        (
            {"first": {"waves": (ROWS, ANSWERS + 2)}, "starts": {"waves": WAVES}},
            ValueError,
            "first['waves'] must be what",
        ),
        ({"rates": RATES * 3}, ValueError, "first['place'] must be what 4 steps of Adam at rate 0.03 lead to"),
        ({"hidden": {"a": NO_HOLE}}, ValueError, "hidden['a'] must hide something"),
        ({"hidden": {"a": ALL}}, ValueError, "hidden['a'] must hide something and leave a batch of 7"),
        ({"hidden": {"a": HOLE}}, ValueError, "hidden['a'] must be bool, of shape (10, 10)"),
        ({"costs": {"place": {1: 80.0}}}, ValueError, "costs['waves'] must be after 1 to 3 passes"),
        ({"costs": {"place": {9: 80.0}}, "starts": ONLY}, ValueError, "costs['place'] must be after 1 to 3 passes"),
        ({"painted": {"end": PICTURE[1:]}}, ValueError, "painted['end'] must be finite colours of 100 pixels"),
        ({"alt": " "}, ValueError, "alt must say"),
    ],
)
def test_what_it_cannot_carry_over_is_refused(changes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        made(**changes)
