"""The live figures' engine, without a browser, beside NumPy and Keras; faults planted in it; what figures refuse."""

import base64
import itertools
import json
from pathlib import Path

from dlutils import live

import keras
import numpy as np
import pytest
import quickjs

PARTS = Path(live.__file__).with_name("live")
PAGE = "globalThis.atob = (text) => decode(text);"


def engine(*kinds, planted=None):
    """A JavaScript context that has run the engine and these kinds of figures, without a page.

    ``planted``: (file, text, other text), a fault.
    """
    context = quickjs.Context()
    context.add_callable("decode", lambda text: base64.b64decode(text).decode("latin-1"))
    context.eval(PAGE)
    for name in ("engine", *kinds):
        source = (PARTS / f"{name}.js").read_text("utf-8")
        if planted and planted[0] == name:
            assert source.count(planted[1]) == 1, f"{planted[1]!r} stands {source.count(planted[1])} times in {name}.js"
            source = source.replace(*planted[1:])
        context.eval(source)
        context.eval("dlLive.kinds = dlLive.kinds ?? {}; dlLive.number = dlLive.number ?? String")
    return context


def asked(context, expression, **given):
    """What the expression gives, with these names for values that JSON can hold; arrays of numbers as float64."""
    names = ", ".join(given)
    values = ", ".join(
        json.dumps(value.tolist() if isinstance(value, np.ndarray) else value) for value in given.values()
    )
    answer = context.eval(f"JSON.stringify((({names}) => {expression})({values}))")
    return json.loads(answer.replace("null", "NaN"))  # JSON has no NaN


# What the engine computes, once more in NumPy.

ANSWERS = {
    "linear": (lambda z: z, lambda a: np.ones_like(a)),
    "relu": (lambda z: np.maximum(z, 0), lambda a: 1.0 * (a > 0)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
}


def layers_of(sizes, w):
    """Kernels and biases out of one flat array."""
    layers, place = [], 0
    for n, m in itertools.pairwise(sizes):
        layers.append((w[place : place + n * m].reshape(n, m), w[place + n * m : place + n * m + m]))
        place += n * m + m
    return layers


def loss_and_gradient(sizes, w, x, y, hidden, loss):
    layers, answers = layers_of(sizes, w), [x]
    for kernel, bias in layers[:-1]:
        answers.append(ANSWERS[hidden][0](answers[-1] @ kernel + bias))
    out = answers[-1] @ layers[-1][0] + layers[-1][1]
    if loss == "logistic":
        value, slope = np.mean(np.logaddexp(0, out) - y * out), (1 / (1 + np.exp(-out)) - y) / out.size
    else:
        value, slope = np.abs(out - y).sum(axis=1).mean(), np.sign(out - y) / len(x)
    slopes = []
    for (kernel, _), answer in zip(layers[::-1], answers[::-1], strict=True):
        slopes = [(answer.T @ slope).ravel(), slope.sum(axis=0), *slopes]
        slope = slope @ kernel.T * ANSWERS[hidden][1](answer)
    return value, np.concatenate(slopes)


def walk(rule, w, rate, slope_at, updates):
    """All places of a descent by a rule, as the chapter on variants of gradient descent defines them."""
    v = q = np.zeros_like(w)
    path = [w]
    for t in range(1, updates + 1):
        g = slope_at(w)
        if rule == "AdaGrad":
            q = q + g**2
            move = g / np.sqrt(0.1 + q + 1e-7)
        elif rule == "RMSProp":
            q = 0.9 * q + 0.1 * g**2
            move = g / np.sqrt(q + 1e-7)
        else:
            v = 0.9 * v + 0.1 * g
            q = 0.999 * q + 0.001 * g**2
            b1, b2 = np.float32([0.9, 0.999]).astype(float)
            adam = v / (np.sqrt(q) + 1e-7) * np.sqrt(1 - b2**t) / (1 - b1**t)
            move = {"plain": g, "momentum": v, "Nesterov": 0.9 * v + 0.1 * g, "Adam": adam}[rule]
        w = w - rate * move
        path.append(w)
    return np.array(path)


RATES = {"plain": 0.5, "momentum": 0.5, "Nesterov": 0.5, "AdaGrad": 0.05, "RMSProp": 0.01, "Adam": 0.01}
TRAIN = """{
    const network = new dlLive.Network(sizes, { hidden, loss, most: x.length }), update = dlLive.rules[rule](w.length);
    network.w.set(w);
    let value;
    for (let t = 0; t < steps; t++) {
        network.a[0].set(x.flat());
        value = network.backward(Float64Array.from(y.flat()), x.length);
        update(network.w, network.g, rate);
    }
    return { w: Array.from(network.w), value };
}"""


def problem(sizes, m, loss="logistic"):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(m, sizes[0]))
    y = rng.normal(size=(m, sizes[-1])) if loss == "absolute" else 1.0 * (x[:, :1] * x[:, 1:2] > 0)
    count = sum((n + 1) * k for n, k in itertools.pairwise(sizes))
    return x, y, rng.normal(scale=0.7, size=count)


def check_training(context):
    """Full-batch training by each rule, each activation, each loss; layers and batches that fill no block of four."""
    cases = [((2, 4, 1), 25, "tanh", "logistic", rule) for rule in live.RULES]
    cases += [((2, 5, 7, 1), 9, hidden, "logistic", "plain") for hidden in ("sigmoid", "relu", "linear")]
    cases += [((3, 8, 5, 3), 10, "relu", "absolute", "Adam")]
    for sizes, m, hidden, loss, rule in cases:
        x, y, w = problem(sizes, m, loss)
        given = {"sizes": sizes, "hidden": hidden, "loss": loss, "rule": rule, "rate": RATES[rule]}
        got = asked(context, TRAIN, **given, x=x, y=y, w=w, steps=60)
        path = walk(
            rule, w, RATES[rule], lambda w, c=(sizes, x, y, hidden, loss): loss_and_gradient(c[0], w, *c[1:])[1], 60
        )
        np.testing.assert_allclose(got["w"], path[-1], rtol=0, atol=1e-12, err_msg=f"{sizes}, {hidden}, {rule}")
        value = loss_and_gradient(sizes, path[-2], x, y, hidden, loss)[0]
        np.testing.assert_allclose(got["value"], value, atol=1e-12)
    out = asked(
        context,
        """{
            const network = new dlLive.Network([2, 3, 2], { hidden: "tanh", output: "sigmoid", most: 2 });
            network.w.set(w);
            network.a[0].set(x.flat());
            return Array.from(network.forward(2));
        }""",
        x=problem((2, 1), 2)[0],
        w=np.linspace(-1, 1, 17),
    )
    answer = live._answer(layers_of((2, 3, 2), np.linspace(-1, 1, 17)), "tanh", "sigmoid", problem((2, 1), 2)[0])
    np.testing.assert_allclose(out, answer.ravel(), atol=1e-14)


def sfc32(seed, count):
    """Chris Doty-Humphrey's generator, seeded by splitmix32; in Python's whole numbers."""
    full = 2**32 - 1
    state, t = [], seed
    for _ in range(4):
        t = (t + 0x9E3779B9) & full
        z = ((t ^ (t >> 16)) * 0x21F0AAAD) & full
        z = ((z ^ (z >> 15)) * 0x735A2D97) & full
        state.append(z ^ (z >> 15))
    a, b, c, d = state
    drawn = []
    for _ in range(count):
        total = (a + b + d) & full
        d = (d + 1) & full
        a, b, c = b ^ (b >> 9), (c + (c << 3)) & full, (((c << 21) | (c >> 11)) + total) & full
        drawn.append(total / 2**32)
    return drawn


def check_random(context):
    draw = "Array.from({ length: count }, dlLive.random(seed)[kind])"
    for seed in (0, 1, 12345):
        assert asked(context, draw, seed=seed, count=50, kind="uniform") == sfc32(seed, 50)
    normal = np.array(asked(context, draw, seed=3, count=4000, kind="normal"))
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.04
    assert abs(np.mean(np.abs(normal) < 0.6745) - 0.5) < 0.03
    orders = np.array(
        asked(context, "Array.from({ length: 600 }, () => rng.shuffle([0, 1, 2]))".replace("rng", "dlLive.random(4)"))
    )
    assert (np.sort(orders, axis=1) == [0, 1, 2]).all()
    many = (
        "{ const rng = dlLive.random(4); return Array.from({ length: 1200 }, () => rng.shuffle([0, 1, 2]).join('')); }"
    )
    _, counts = np.unique(asked(context, many), return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 150
    start = """{
        const network = new dlLive.Network([50, 80, 20]);
        network.w.fill(9);
        network.start(dlLive.random(1), spread);
        return network.layers.map(([W, b]) => [Array.from(W), Array.from(b)]);
    }"""
    for spread, wanted in (("glorot", [130, 100]), ("he", [50, 80]), (0.3, [2 / 0.09, 2 / 0.09])):
        for (kernel, bias), places in zip(asked(context, start, spread=spread), wanted, strict=True):
            assert np.isclose(np.std(kernel), np.sqrt(2 / places), rtol=0.05)
            assert not np.any(bias)


def check_unpacking(context):
    rng = np.random.default_rng(2)
    for bits in (4, 8):
        layers = [(rng.normal(size=(5, 3)), rng.normal(size=3)), (rng.normal(size=(3, 3)), rng.normal(size=3))]
        layers[0][0][:, 1] = 0  # a unit without weights
        packed, rounded = live._quantized(layers, "relu", "linear", bits)
        assert max(np.abs(W - R).max() for (W, _), (R, _) in zip(layers, rounded, strict=True)) < (
            0.3 if bits == 4 else 0.02
        )
        x = rng.normal(size=(4, 5))
        got = asked(
            context,
            "{ const n = dlLive.unpack(packed, 4); n.a[0].set(x.flat()); return Array.from(n.forward(4)); }",
            packed=packed,
            x=x,
        )
        np.testing.assert_allclose(np.reshape(got, (4, 3)), live._answer(rounded, "relu", "linear", x), atol=1e-6)
    got = asked(context, "dlLive.softmax(Float64Array.from(logits))", logits=[1000.0, 1001.0, 998.0])
    np.testing.assert_allclose(got, np.exp([-1, 0, -3]) / np.exp([-1, 0, -3]).sum(), atol=1e-14)


def hills(w):
    """A loss that looks different along its two axes."""
    return np.sin(2 * w[..., 0]) + 0.4 * w[..., 1] ** 2 + 0.3 * w[..., 0] * w[..., 1]


def slope_of_hills(w):
    return np.stack([2 * np.cos(2 * w[..., 0]) + 0.3 * w[..., 1], 0.8 * w[..., 1] + 0.3 * w[..., 0]], axis=-1)


LIMITS = [(-1.5, 1.0), (-1.0, 2.0)]
SURFACE = "new dlLive.Surface(dlLive.doubles(packed), size, limits)"


def check_surface(context):
    coefficients, *_ = live._spline(hills, LIMITS)
    given = {"packed": live._packed(coefficients, "<f8"), "size": live._MESH, "limits": LIMITS}
    corners = np.array([(x, y) for x in LIMITS[0] for y in LIMITS[1]])
    places = np.concatenate([corners, np.random.default_rng(3).uniform(*np.transpose(LIMITS), size=(40, 2))])
    got = np.array(
        asked(context, f"{{ const s = {SURFACE}; return places.map(([x, y]) => s.at(x, y)); }}", **given, places=places)
    )
    np.testing.assert_allclose(got[:, 0], hills(places), atol=1e-6)
    np.testing.assert_allclose(got[:, 1:], slope_of_hills(places), atol=1e-4)
    run = f"""{{
        const run = dlLive.descent({SURFACE}, rule, rate, start);
        for (let t = 0; t < 40 && run.step(); t++);
        return {{ path: run.path, left: run.left, place: run.place }};
    }}"""
    for rule in live.RULES:
        got = asked(context, run, **given, rule=rule, rate=0.1, start=[0.2, 1.5])
        path = walk(rule, np.array([0.2, 1.5]), 0.1, slope_of_hills, 40)
        np.testing.assert_allclose(got["path"], path, atol=2e-4, err_msg=rule)
        assert not got["left"]
        assert got["place"] == got["path"][-1]
    off = asked(context, run, **given, rule="plain", rate=8.0, start=[0.2, 1.5])
    assert off["left"]
    assert len(off["path"]) == 1, "only places on the surface"
    assert off["place"] != off["path"][-1]


def check_fates(context):
    fate = "dlLive.fate(losses, left, { scale: 1 })"
    assert asked(context, fate, losses=[1], left=False) == "has not begun"
    assert asked(context, fate, losses=[1, 2, 3], left=True) == "left the map at update 3"
    assert asked(context, fate, losses=[1, 0.5], left=False) == "is at loss 0.5"
    assert asked(context, fate, losses=[1] + [0.25] * 30, left=False) == "rests at loss 0.25"
    assert asked(context, fate, losses=list(np.linspace(1, 0.5, 30)), left=False) == "is at loss 0.5"
    hops = asked(context, fate, losses=[5] + [0.5, 0.75] * 15, left=False)
    assert hops == "goes to and fro between 0.5 and 0.75"
    above = "dlLive.fate(losses, false, { scale: 1, lowest: 0.25, error: 0.001 })"
    assert asked(context, above, losses=[1] + [0.5] * 30) == "rests at 0.25 above the lowest"
    assert asked(context, above, losses=[1] + [0.2502] * 30) == "rests at less than 0.001 above the lowest"


CHECKS = (check_training, check_random, check_unpacking, check_surface, check_fates)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_engine_computes_what_numpy_does(check):
    check(engine("descent"))


FAULTS = [
    ("engine", "t = (t + 0x9e3779b9)", "t = (t + 0x9e3779b1)"),
    ("engine", "(c << 21) | (c >>> 11)", "(c << 21) | (c >> 11)"),
    ("engine", "Math.sqrt(-2 * Math.log(1 - uniform()))", "Math.sqrt(-Math.log(1 - uniform()))"),
    ("engine", "uniform() * (i + 1)", "uniform() * order.length"),
    (
        "engine",
        "for (; j < m; j++) {\n        let s = b[j], t = s;",
        "for (; j < m - 1; j++) {\n        let s = b[j], t = s;",
    ),
    ("engine", "t0 += y * w0; t1 += y * w1;", "t0 += y * w0; t1 += y * w0;"),
    ("engine", "t0 += y * a; t1 += y * b;", "t0 += x * a; t1 += y * b;"),
    (
        "engine",
        "for (let j = 0, w = i * m; j < m; j++) { s += D[p + j] * W[w + j]; t += D[q + j]",
        "for (let j = 0, w = i * m; j < m; j++) { s += D[p + j] * W[w + j]; t += D[p + j]",
    ),
    ("engine", "const k = i + 1 < n ? 1 : 0", "const k = 0"),
    ("engine", "r < rows; r++, d += m) s += D[d];", "r < rows; r++, d += m) s = D[d];"),
    ("engine", "tanh: [Math.tanh, (a) => 1 - a * a]", "tanh: [Math.tanh, (a) => 1 - a]"),
    ("engine", "relu: [(z) => (z > 0 ? z : 0), (a) => (a > 0 ? 1 : 0)]", "relu: [(z) => (z > 0 ? z : 0), () => 1]"),
    ("engine", "(a) => a * (1 - a)]", "(a) => 1 - a]"),
    ("engine", "sum += Math.max(out[i], 0) - out[i] * y[i]", "sum += Math.max(out[i], 0) - out[i]"),
    ("engine", "(sigmoid(out[i]) - y[i]) / (count * m)", "(y[i] - sigmoid(out[i])) / (count * m)"),
    ("engine", "d[i] = Math.sign(out[i] - y[i]) / count;", "d[i] = (out[i] - y[i]) / count;"),
    ("engine", "{ glorot: Math.sqrt(2 / (n + m))", "{ glorot: Math.sqrt(1 / (n + m))"),
    ("engine", "b.fill(0);", ""),
    (
        "engine",
        "l + 1 < this.layers.length ? this.hidden : this.output",
        "l < this.layers.length ? this.hidden : this.output",
    ),
    ("engine", "w[i] -= rate * v[i]; }", "w[i] += rate * v[i]; }"),
    ("engine", "rate * (0.9 * v[i] + 0.1 * g[i])", "rate * (0.9 * v[i] + g[i])"),
    ("engine", "Math.sqrt(0.1 + q[i] + 1e-7)", "Math.sqrt(q[i] + 1e-7)"),
    ("engine", "q[i] = 0.9 * q[i] + 0.1 * g[i] * g[i]", "q[i] = 0.99 * q[i] + 0.01 * g[i] * g[i]"),
    ("engine", "(1 - Math.fround(0.9) ** t)", "(1 - 0.9 * t)"),
    ("engine", "q[i] = 0.999 * q[i] + 0.001 * g[i] * g[i];", "q[i] = 0.999 * q[i] + 0.001 * g[i];"),
    ("engine", "i % 2 ? raw[i >> 1] & 15 : raw[i >> 1] >> 4", "i % 2 ? raw[i >> 1] >> 4 : raw[i >> 1] & 15"),
    ("engine", "four - 8", "four - 7"),
    ("engine", "(raw[i] << 24) >> 24", "raw[i]"),
    ("engine", "* scale[i % m]", "* scale[Math.floor(i / m) % m]"),
    ("engine", "Math.exp(logit - largest)", "Math.exp(logit)"),
    ("engine", "dx += c * along[k] * slopeAcross[l]", "dx += c * slopeAlong[k] * across[l]"),
    ("engine", "dy += c * slopeAlong[k] * across[l]", "dy -= c * slopeAlong[k] * across[l]"),
    ("engine", "(j + k) * (this.size + 2) + i + l", "(i + l) * (this.size + 2) + j + k"),
    ("engine", ".map((s) => s / pitch)", ""),
    ("engine", "if (!surface.inside(...w)) return false;", ""),
    ("engine", "value <= this.limits[k][1]", "value <= this.limits[0][1]"),
    ("descent", "update ${t + 1}", "update ${t}"),
    ("descent", "rises >= 5", "rises >= 0"),
    ("descent", "high - low < 1e-6 * scale && t >= 20", "t >= 20"),
    ("descent", "loss - lowest < error", "loss < error"),
    ("descent", "live.number(loss - lowest, 2)", "live.number(loss, 2)"),
    ("descent", "value > tail[k - 1]", "value < tail[k - 1]"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[2][:40])
def test_a_fault_in_the_engine_is_noticed(fault):
    context = engine("descent", planted=fault)
    for check in CHECKS:
        try:
            check(context)
        except (AssertionError, quickjs.JSException):
            return
    pytest.fail("no check failed")


@pytest.mark.parametrize("rule", live.RULES)
def test_training_goes_as_with_keras(rule):
    rate = float(np.float32(RATES[rule]))  # as Keras keeps it
    optimizer = {
        "plain": keras.optimizers.SGD(rate),
        "momentum": keras.optimizers.SGD(rate / 10, momentum=0.9),  # without the factor 1 - 0.9
        "Nesterov": keras.optimizers.SGD(rate / 10, momentum=0.9, nesterov=True),
        "AdaGrad": keras.optimizers.Adagrad(rate),
        "RMSProp": keras.optimizers.RMSprop(rate),
        "Adam": keras.optimizers.Adam(rate),
    }[rule]
    x, y, w = problem((2, 6, 1), 200)
    dense = [keras.layers.Dense(6, "tanh", dtype="float64"), keras.layers.Dense(1, dtype="float64")]
    model = keras.Sequential([keras.Input((2,), dtype="float64"), *dense])  # RMSProp blows rounding up
    model.set_weights([array for layer in layers_of((2, 6, 1), w) for array in layer])
    model.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=200, epochs=50, verbose=0)
    given = {"sizes": (2, 6, 1), "hidden": "tanh", "loss": "logistic", "rule": rule, "rate": rate}
    # Fifty steps: later RMSProp hops about the bottom and makes much of the last digit.
    got = asked(engine(), TRAIN, **given, x=x, y=y, w=w, steps=50)
    theirs = np.concatenate([np.ravel(array) for array in model.get_weights()])
    np.testing.assert_allclose(got["w"], theirs, atol=1e-4)
    assert np.abs(theirs - w).max() > 0.1, "they went somewhere"
