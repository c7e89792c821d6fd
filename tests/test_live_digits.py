"""The live figure of digits: what Python packs, what JavaScript makes of strokes and weights, and how both agree."""

import base64
import functools
import html
import json
import re

from dlutils import data, live, training
from tools.build import notebooks

import keras
import numpy as np
import pytest
import quickjs
import redrawn

# What stands in for a page: elements that keep what is set, ranges and selects that behave, a pen that draws nothing.
PAGE = """
const frames = [];
globalThis.requestAnimationFrame = (call) => frames.push(call);
globalThis.flush = () => { while (frames.length) frames.shift()(); };
globalThis.atob = (text) => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let bits = 0, count = 0, out = "";
  for (const letter of text.replace(/=/g, "")) {
    bits = (bits << 6) | letters.indexOf(letter);
    count += 6;
    if (count >= 8) { count -= 8; out += String.fromCharCode((bits >> count) & 255); }
  }
  return out;
};
class Element {
  constructor(name) {
    Object.assign(this, { name, children: [], attributes: {}, style: {}, names: new Set() });
    this.classList = { add: (one) => this.names.add(one), toggle: (one, on) => this.names[on ? "add" : "delete"](one) };
  }
  append(child) { this.children.push(child); child.parentElement = this; }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  getContext() { return new Proxy({}, { get: () => () => {}, set: () => true }); }
  getBoundingClientRect() { return { left: 10, top: 20, width: 140, height: 140 }; }
  setPointerCapture() {}
  get options() { return this.children; }
  get value() { return this.given ?? (this.name === "select" ? this.children[0].value : ""); }
  set value(value) {
    const number = Math.min(Math.max(Number(value), Number(this.min)), Number(this.max));
    this.given = String(this.name === "input" ? Number(this.min) + Math.round(number - this.min) : value);
  }
  all() { return [this, ...this.children.flatMap((child) => child.all())]; }
}
globalThis.document = { createElement: (name) => new Element(name) };
"""
START = """
globalThis.body = new Element("div");
globalThis.begin = (text) => {
  globalThis.state = JSON.parse(text);
  globalThis.probe = dlLive.kinds.digits(body, state);
  const of = (name, at) => body.all().filter((one) => one.name === name)[at];
  globalThis.parts = { pad: of("canvas", 0), clear: of("button", 0), undo: of("button", 1), framing: of("select", 0),
    ready: of("select", 1), size: of("input", 0), across: of("input", 1), down: of("input", 2), test: of("input", 3),
    previous: of("button", 2), next: of("button", 3) };
};
globalThis.slide = (name, value) => { parts[name].value = value; parts[name].oninput(); };
globalThis.choose = (name, value) => { parts[name].value = value; parts[name].onchange(); };
globalThis.drag = (text, last = "onpointerup") => {  // places on the pad, which is 140 pixels wide on this page
  const same = { pointerId: 3, button: 0, preventDefault() {} };
  const event = ([x, y]) => ({ ...same, clientX: 10 + 5 * x, clientY: 20 + 5 * y });
  const places = JSON.parse(text);
  parts.pad.onpointerdown(event(places[0]));
  for (const place of places.slice(1)) parts.pad.onpointermove(event(place));
  flush();
  if (last) parts.pad[last](event(places.at(-1)));
};
globalThis.said = () => body.all().filter((one) => one.name === "p")[0].textContent;
const pictures = () => body.all().filter((one) => one.attributes.role === "img");
globalThis.labels = () => pictures().map((one) => one.attributes["aria-label"]);
globalThis.answers = () => JSON.stringify({ ...probe.now(), said: said(), labels: labels(),
  disabled: parts.size.disabled, undo: parts.undo.attributes["aria-disabled"],
  sliders: ["size", "across", "down"].map((name) => Number(parts[name].value)) });
globalThis.framed = (drawings, asMnist) =>
  JSON.stringify(JSON.parse(drawings).map((strokes) => Array.from(dlLive.frame(strokes, asMnist))));
globalThis.logits = (network, x) => {
  const carried = dlLive.unpack(JSON.parse(network));
  return JSON.stringify(JSON.parse(x).map((row) => { carried.a[0].set(row); return Array.from(carried.forward(1)); }));
};
globalThis.placed = (strokes, lies) => JSON.stringify(dlLive.placed(JSON.parse(strokes), JSON.parse(lies)));
globalThis.lies = (strokes) => JSON.stringify(dlLive.lies(JSON.parse(strokes)));
"""


class Script:
    """A figure's scripts in QuickJS, with a fault or without; calls take and give what JSON can hold."""

    def __init__(self, state=None, fault=None):
        self.context = quickjs.Context()
        parts = {name: live._PARTS.joinpath(f"{name}.js").read_text("utf-8") for name in ("engine", "page", "digits")}
        if fault:
            name, old, new = fault
            assert parts[name].count(old) == 1, f"{old!r} stands {parts[name].count(old)} times in {name}.js"
            parts[name] = parts[name].replace(old, new)
        for text in (PAGE, parts["engine"], parts["page"], parts["digits"], START):
            self.context.eval(text)
        if state is not None:
            self.call("begin", json.dumps(state))

    def call(self, name, *given):
        answer = self.context.get(name)(*given)
        return json.loads(answer) if isinstance(answer, str) and answer[:1] in "[{" else answer

    def framed(self, strokes, as_mnist=True):
        images = np.array(self.call("framed", json.dumps(strokes), as_mnist))
        return images.reshape(len(strokes), 28, 28)

    def now(self):
        return self.call("answers")


def network(*layers, shape=(28, 28)):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), *layers])


@pytest.fixture(scope="module")
def standin():
    return data._standin_digits()


@pytest.fixture(scope="module")
def trained(standin):
    keras.utils.set_random_seed(1)
    dense, loss = keras.layers.Dense, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = network(dense(40, use_bias=False), keras.layers.BatchNormalization(), keras.layers.ReLU(), dense(10))
    x = (standin.x_train / 255).astype("f4")
    training.fit(model, x, standin.y_train, loss=loss, optimizer=keras.optimizers.Adam(0.01), epochs=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def figure(trained, standin):
    return live.digits(trained, standin.x_test / 255, standin.y_test, alt="A digit < 9 and its probabilities.")


def state_of(figure):
    text = figure._repr_mimebundle_()["text/html"]
    return json.loads(html.unescape(re.search(r'data-state="([^"]*)"', text).group(1)))


@pytest.fixture(scope="module")
def state(figure):
    return state_of(figure)


@pytest.fixture(scope="module")
def script():
    return Script()


def logits_of(model, images):
    return np.asarray(model(images.astype("f4")), dtype=float)


# In JavaScript

DRAWINGS = [
    [[[3, 4], [5, 3], [7, 5], [3, 10], [8, 10.5]]],
    [[[20, 2], [20.5, 20]], [[18, 11], [24, 10]], [[23, 4]]],
    [[[2, 14], [26, 15]]],
    [[[9.5, 6], [9.5, 22], [14, 22]]],
]


def by_numpy(strokes, as_mnist, pen=2.4):
    """What `frame` should make of strokes, from all distances at once."""
    rows, columns = np.mgrid[:28, :28] + 0.5

    def painted(strokes):
        ink = np.zeros((28, 28))
        for stroke in strokes:
            for (x, y), (u, v) in zip(stroke[:1] + stroke[:-1], stroke, strict=True):
                along = ((columns - x) * (u - x) + (rows - y) * (v - y)) / ((u - x) ** 2 + (v - y) ** 2 or 1)
                along = along.clip(0, 1)
                away = np.hypot(columns - x - along * (u - x), rows - y - along * (v - y))
                ink = np.maximum(ink, (0.5 + pen / 2 - away).clip(0, 1))
        return ink

    if not as_mnist:
        return painted(strokes)
    places = np.concatenate(strokes)
    scale = (20 - pen) / np.ptp(places, axis=0).max()
    middle = 14 - scale * (places.min(axis=0) + places.max(axis=0)) / 2
    strokes = [[list(scale * np.array(place) + middle) for place in stroke] for stroke in strokes]
    ink = painted(strokes)
    shift = [14.5 - np.sum(ink * at) / ink.sum() for at in (columns, rows)]
    return painted([[[x + shift[0], y + shift[1]] for x, y in stroke] for stroke in strokes])


def holds_as_drawn(script):
    images = script.framed(DRAWINGS, False)
    for strokes, image in zip(DRAWINGS, images, strict=True):
        assert np.allclose(image, by_numpy(strokes, False), atol=1e-9)
    assert images.max() == 1
    assert not script.framed([[]], False).any()


def holds_framed(script):
    images = script.framed(DRAWINGS)
    for strokes, image in zip(DRAWINGS, images, strict=True):
        assert np.allclose(image, by_numpy(strokes, True), atol=1e-9)
        longest = max(np.ptp(np.flatnonzero((image > 0.5).any(axis=axis))) + 1 for axis in (0, 1))
        assert 19 <= longest <= 21, "20 pixels, give or take one for where the edges fall"
        centre = [np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (0, 1)]
        assert np.allclose(centre, 14, atol=0.1), "the middle, as MNIST counts it"
    assert not script.framed([[]]).any(), "nothing drawn is nothing"
    dot = script.framed([[[[3, 3]]]])[0]
    assert 3 < dot.sum() < 6, "a dot is as large as the pen"
    assert dot[14, 14] == 1, "and in the middle"


def holds_wherever(script):
    reference = script.framed(DRAWINGS)
    for factor, across, down in ((1, 5, -3), (0.4, 0, 0), (1.3, -2, 4)):
        shifted = [[[[factor * x + across, factor * y + down] for x, y in s] for s in d] for d in DRAWINGS]
        assert np.allclose(script.framed(shifted), reference, atol=1e-6), "neither size nor place matters"
    assert not np.allclose(script.framed(DRAWINGS, False), reference, atol=0.1), "where it is not framed, both do"


def unpacked(state):
    """The kernels and biases that a network's state holds."""
    layers, sizes = [], state["sizes"]
    for layer, n, m in zip(state["layers"], sizes, sizes[1:], strict=False):
        raw = np.frombuffer(base64.b64decode(layer["numbers"]), "u1")
        if state["bits"] == 4:
            whole = np.stack([raw // 16, raw % 16], axis=1).ravel()[: n * m].astype(int) - 8
        else:
            whole = raw.view("i1")
        scale, bias = (np.frombuffer(base64.b64decode(layer[key]), "<f4").astype(float) for key in ("scale", "bias"))
        layers.append((whole.reshape(n, m) * scale, bias))
    return layers


def holds_weights(script, state, x):
    """Compare with NumPy on the numbers that the state holds."""
    expected = live._answer(unpacked(state), state["hidden"], state["output"], x)
    assert np.allclose(script.call("logits", json.dumps(state), json.dumps(x.tolist())), expected, atol=1e-4)


def holds_places(script):
    for strokes in DRAWINGS[:2]:
        lies = script.call("lies", json.dumps(strokes))
        places = np.concatenate(strokes)
        assert np.isclose(lies["size"], np.ptp(places, axis=0).max())
        same = script.call("placed", json.dumps(strokes), json.dumps(lies))
        assert np.allclose(np.concatenate(same), places), "put where it lies, it does not move"
        moved = script.call("placed", json.dumps(strokes), json.dumps({"size": 10, "across": 1, "down": 0}))
        low, high = np.concatenate(moved).min(axis=0), np.concatenate(moved).max(axis=0)
        assert np.isclose((high - low).max(), 10)
        assert np.allclose([high[0], low[1]], [28 - 1.2, 1.2]), "at the right and the upper edge, pen and all"
    assert script.call("placed", "[[[3, 3]]]", '{"size": 9, "across": 0, "down": 0}') == [[[1.2, 1.2]]], "a dot moves"


def holds_figure(script, state):
    """The figure on a page: drawn on, moved, shown test images, cleared."""
    expected = np.frombuffer(base64.b64decode(state["probabilities"]), "<f4").reshape(-1, 10)
    assert script.context.eval("probe.check()") < 1e-6, "the page and the chapter agree"
    now = script.now()
    assert now["digit"] is None, "nothing is read before anything is written"
    assert now["disabled"], "and nothing can be moved"
    for k in (1, 2, len(expected)):
        script.call("slide", "test", k)
        now = script.now()
        assert np.allclose(now["probabilities"], expected[k - 1], atol=1e-6), "a test image is read as it is"
        assert f"The label says {state['labels'][k - 1]}." in now["said"]
        assert f"Test image {k} (test images come framed): it reads a" in now["said"]
        assert now["test"] == k
        assert script.context.eval("parts.framing.disabled"), "it cannot be framed otherwise"
        word = "misread" if k <= state["mistakes"] else "read"
        assert script.context.eval("parts.test.attributes['aria-valuetext']") == f"{k} of {len(expected)}, {word}"
    steps = [("next", len(expected)), ("previous", len(expected) - 1), ("previous", len(expected) - 2)]
    for button, k in [*steps, ("next", len(expected) - 1)]:
        script.context.eval(f"parts.{button}.onclick()")
        assert script.now()["test"] == k, "one on or back, and not beyond the last"
    last = len(expected) - 1

    one = DRAWINGS[0][0]
    script.call("drag", json.dumps(one), None)
    assert script.context.eval("said()") == "Writing.", "a screen reader is not told every stroke's every step"
    assert script.now()["digit"] is not None, "it is read as one writes"
    script.context.eval("parts.pad.onpointercancel({ pointerId: 3 })")
    now = script.now()
    assert np.allclose(now["strokes"], [one], atol=1e-9), "strokes are kept in pixels of the pad"
    assert now["test"] == 0, "the test image is gone"
    assert not script.context.eval("parts.framing.disabled")
    script.context.eval("parts.undo.onclick()")
    now = script.now()
    assert (now["strokes"], now["test"]) == ([], last), "and comes back"
    script.call("drag", json.dumps(one))
    now = script.now()
    ask = json.dumps(now["strokes"])
    for framing, as_mnist in (("as drawn", False), ("framed as MNIST was", True)):
        script.call("choose", "framing", framing)
        now = script.now()
        assert now["framed"] == as_mnist
        read = script.context.eval(f"JSON.stringify(probe.read({ask}, {json.dumps(as_mnist)}))")
        assert np.allclose(now["probabilities"], json.loads(read), atol=1e-12), "read() asks as the pad does"
        assert np.isclose(sum(now["probabilities"]), 1)
        assert now["digit"] == np.argmax(now["probabilities"])
        assert f"reads {'an' if now['digit'] == 8 else 'a'} {now['digit']}," in now["said"]
    assert now["sliders"] == [10, round(100 * 1.8 / 20.6), round(100 * 1.8 / 18.1)], "the sliders follow what is drawn"
    assert "size and place" not in now["said"]
    assert "1 stroke from 3 to 8 across and 3 to 11 down" in now["labels"][0]
    assert "columns" in now["labels"][1]
    assert f"{now['digit']} {100 * max(now['probabilities']):.1f} %" in now["labels"][2]

    before = now["probabilities"]
    script.call("slide", "across", 100)
    now = script.now()
    assert np.isclose(np.max(now["strokes"], axis=1)[0][0], 26.8), "to the right edge"
    assert np.allclose(now["probabilities"], before, atol=1e-9), "framed, that changes nothing"
    assert now["said"].startswith("Framed, so size and place do not matter: it reads a")
    script.call("slide", "size", 20)
    assert np.isclose(np.ptp(np.concatenate(script.now()["strokes"]), axis=0).max(), 20 - 2.4), "pen and all"

    script.call("drag", json.dumps([[60, 2], [-9, 30]]))
    now = script.now()
    assert now["strokes"][1] == [[28, 2], [0, 28]], "no stroke leaves the pad"
    script.context.eval("parts.undo.onclick()")
    assert len(script.now()["strokes"]) == 1
    lies = script.call("lies", json.dumps(script.now()["strokes"]))
    script.call("choose", "ready", "4")
    now = script.now()
    assert len(now["strokes"]) == 2, "a ready-made 4 has two strokes"
    assert script.call("lies", json.dumps(now["strokes"])) == pytest.approx(lies), "put where the other one was"
    script.call("drag", json.dumps(one))
    now = script.now()
    assert len(now["strokes"]) == 3, "one may add to it"
    script.context.eval("parts.previous.onclick()")
    assert len(script.now()["strokes"]) == 3, "there is no test image before the first"
    assert script.context.eval("parts.ready.value") == "none"
    script.context.eval("parts.clear.onclick()")
    script.call("choose", "ready", "8")
    now = script.now()
    assert now["sliders"] == [20, 50, 50], "on an empty pad it stands as MNIST's do"
    ends = np.array([np.concatenate(now["strokes"]).min(axis=0), np.concatenate(now["strokes"]).max(axis=0)])
    assert np.allclose(ends.mean(axis=0), 14), "in the middle"
    script.context.eval("parts.clear.onclick()")
    now = script.now()
    assert (now["strokes"], now["digit"], now["undo"]) == ([], None, "true")
    assert "empty" in now["labels"][0]


CHECKS = {
    "as drawn": holds_as_drawn,
    "framed": holds_framed,
    "wherever": holds_wherever,
    "places": holds_places,
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_scripts_do_as_numpy_says(script, name):
    CHECKS[name](script)


def test_the_figure_works_on_a_page(state):
    holds_figure(Script(state), state)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("inputs", [False, True])
def test_weights_are_those_that_python_rounded(script, bits, inputs):
    rng = np.random.default_rng(bits)
    layers = [(rng.normal(size=(7, 5)), rng.normal(size=5)), (rng.normal(size=(5, 3)), rng.normal(size=3))]
    x = rng.normal(size=(40, 7))
    packed, rounded = live._quantized(layers, "relu", "linear", bits, x if inputs else None)
    holds_weights(script, packed, x[:6])
    expected = live._answer(rounded, "relu", "linear", x[:6])
    assert np.allclose(script.call("logits", json.dumps(packed), json.dumps(x[:6].tolist())), expected, atol=1e-4)


FAULTS = {
    "an edge that is twice as soft": ("engine", "- t * dy)) / soft)", "- t * dy)) / (2 * soft))"),
    "a pen that grows with the drawing": ("engine", "0.5 + (pen / 2 -", "0.5 + (pen * scale / 2 -"),
    "no pen within the longest side": ("engine", "scale = (side - pen) /", "scale = side /"),
    "the shortest side for the longest": (
        "engine",
        "/ Math.max(r - l, b - t, 1e-9)",
        "/ Math.max(Math.min(r - l, b - t), 1)",
    ),
    "the middle of the box for that of the ink": ("engine", "left += size / 2 - across / mass;", ""),
    "the middle counted from another pixel": ("engine", "top += size / 2 - along", "top += size / 2 - 0.5 - along"),
    "rows for columns": ("engine", "const u = c + 0.5 - x, v = r + 0.5 - y", "const u = r + 0.5 - x, v = c + 0.5 - y"),
    "pixels at their corners": ("engine", "const u = c + 0.5 - x", "const u = c - x"),
    "always framed": ("engine", "if (framed && places.length)", "if (places.length)"),
    "strokes joined to one": (
        "engine",
        "from = stroke[Math.max(k - 1, 0)]",
        "from = places[Math.max(places.indexOf(to) - 1, 0)]",
    ),
    "a softer pen reaches too few pixels": ("engine", "reach = (pen + soft) / 2", "reach = pen / 4"),
    "the halves of a byte swapped": (
        "engine",
        "i % 2 ? raw[i >> 1] & 15 : raw[i >> 1] >> 4",
        "i % 2 ? raw[i >> 1] >> 4 : raw[i >> 1] & 15",
    ),
    "scales of rows, not of units": ("engine", "scale[i % m]", "scale[Math.floor(i / m) % m]"),
    "grey levels not divided": ("digits", "levels.push(bytes[i] / 255)", "levels.push(bytes[i])"),
    "runs that are one too long": ("digits", "n > 0; n--", "n >= 0; n--"),
    "a softmax over more than ten": ("digits", ".subarray(0, 10)", ""),
    "the label of the next image": ("digits", "state.labels[test() - 1]", "state.labels[test()]"),
    "another image than its number": ("digits", "? image(test() - 1)", "? image(test() % count)"),
    "a switch that is turned round": ("digits", "framing.value === framing", "framing.value !== framing"),
    "read() that frames always": ("digits", "live.frame(drawn, asMnist)", "live.frame(drawn)"),
    "a drawing put too far across": ("digits", "PEN / 2 + [across, down]", "PEN + [across, down]"),
    "a drawing sized by its width": ("digits", "size: Math.max(...sides", "size: Math.min(...sides"),
    "strokes that leave the pad": ("digits", "Math.min(PAD, Math.max(0, value))", "value"),
    "a test image left under the strokes": ("digits", "if (under) wipe();", ""),
    "a test image that does not come back": ("digits", "if (!strokes.length && replaced) pick(replaced);", ""),
    "a ready-made digit that is wiped": ("digits", "if (under) wipe();", "if (under || strokes.length === 2) wipe();"),
    "a ready-made digit in a corner": ("digits", "across: 0.5, down: 0.5 }", "across: 0.06, down: 0.06 }"),
    "sizes without the pen": ("digits", "put(lies.size + PEN)", "put(lies.size)"),
    "buttons turned round": ("digits", 'image", 1);', 'image", -1);'),
    "a framing that can be chosen for test images": ("digits", "framing.disabled = test() > 0;", ""),
    "a test image before the first": ("digits", "test() + by < 0 || ", ""),
    "places said to matter": ("digits", "      moved = true;\n", ""),
    "undo that clears all": ("digits", "strokes.slice(0, -1)", "[]"),
    "sliders that stay behind": ("digits", "      drawing = null;\n      follow();", "      drawing = null;"),
    "a stroke that goes on when it has ended": ("digits", "      drawing = null;\n", ""),
    "check() of nothing": ("digits", "Math.abs(p - expected[10 * k + digit])", "0 * p"),
}


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "check() of nothing"])
def test_faults_in_the_scripts_are_noticed(name, state):
    def all_checks():
        script = Script(fault=FAULTS[name])
        for check in CHECKS.values():
            check(script)
        rng = np.random.default_rng(0)
        layers = [(rng.normal(size=(6, 5)), rng.normal(size=5)), (rng.normal(size=(5, 3)), rng.normal(size=3))]
        for bits in (4, 8):
            holds_weights(script, live._quantized(layers, "tanh", "linear", bits)[0], rng.normal(size=(4, 6)))
        holds_figure(Script(state, fault=FAULTS[name]), state)

    with pytest.raises((AssertionError, ValueError, quickjs.JSException)):
        all_checks()


def test_check_notices_weights_of_another_run(state):
    other = json.loads(json.dumps(state))
    other["network"]["layers"][1]["bias"] = live._packed(np.arange(10.0), "<f4")
    deviates = "probe.check() > 0.01"
    assert Script(other).context.eval(deviates)
    assert not Script(other, fault=FAULTS["check() of nothing"]).context.eval(deviates), "which a fault would hide"


# In Python


def test_it_carries_the_network_it_is_given(figure, state, trained, standin):
    own = logits_of(trained, standin.x_test / 255)
    assert state["network"]["sizes"] == [784, 40, 10]
    changed, count = state["changed"]
    assert count == len(standin.x_test)
    assert changed <= 0.005 * count
    mistakes, labels = state["mistakes"], np.array(state["labels"])
    assert len(labels) == 100
    assert 0 < mistakes <= 60
    said = np.frombuffer(base64.b64decode(state["probabilities"]), "<f4").reshape(-1, 10).argmax(axis=1)
    assert (said[:mistakes] != labels[:mistakes]).all(), "mistakes first"
    assert (said[mistakes:] == labels[mistakes:]).all(), "then right ones"
    assert sorted(labels[mistakes : mistakes + 10]) == list(range(10)), "of all digits"
    wrong = own.argmax(axis=1) != standin.y_test
    assert abs(mistakes - wrong.sum()) <= changed, "all of them, where they are few"


def test_without_scripts_there_is_the_picture(figure):
    bundle = figure._repr_mimebundle_()
    assert bundle["text/plain"] == "A digit < 9 and its probabilities."
    assert 'alt="A digit &lt; 9 and its probabilities."' in bundle["text/html"]
    assert base64.b64decode(bundle["image/png"])[:4] == b"\x89PNG"
    assert "<button" not in bundle["text/html"].split("<script>")[0]
    assert "getImageData" not in bundle["text/html"]


@pytest.mark.parametrize(("factor", "shift"), [(255, 0), (2, -1)])
def test_any_scale_of_the_images_is_carried(trained, standin, factor, shift):
    own = keras.models.clone_model(trained)
    own.set_weights(trained.get_weights())
    _, first, normalized, *_ = own.layers
    kernel = first.kernel.numpy() / factor
    first.kernel.assign(kernel)
    normalized.moving_mean.assign(normalized.moving_mean.numpy() + shift * kernel.sum(axis=0))
    plain, labels = standin.x_test[:60] / 255, standin.y_test[:60].astype(int)
    images = factor * plain + shift
    assert np.allclose(logits_of(own, images), logits_of(trained, plain), atol=1e-3), (
        "the same network, in another scale"
    )
    state = state_of(live.digits(own, images, labels, alt="A digit.", shown=60))
    assert Script(state).context.eval("probe.check()") < 1e-6
    shown = np.frombuffer(base64.b64decode(state["probabilities"]), "<f4").reshape(-1, 10)
    assert (shown.argmax(axis=1) == state["labels"])[state["mistakes"] :].all()
    softmax = np.exp(logits_of(trained, plain))
    softmax /= softmax.sum(axis=1, keepdims=True)
    surest = np.sort(softmax.max(axis=1))
    assert np.abs(np.sort(shown.max(axis=1)) - surest[-len(shown) :]).mean() < 0.1, "about as sure as the model"


def test_rounding_is_made_up_for():
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=(500, 6)) @ rng.normal(size=(6, 60)), 0)  # inputs that go together
    kernel, bias = rng.normal(size=(60, 8)), rng.normal(size=8)
    off = []
    for inputs in (None, x):
        packed, rounded = live._quantized([(kernel, bias)], "relu", "linear", 4, inputs)
        assert packed["sizes"] == [60, 8]
        whole = rounded[0][0] / np.frombuffer(base64.b64decode(packed["layers"][0]["scale"]), "<f4")
        assert np.allclose(whole, np.rint(whole), atol=1e-4)
        assert np.abs(whole).max() < 7.001
        off.append(np.abs(live._answer(rounded, "relu", "linear", x) - x @ kernel - bias).mean())
    assert off[1] < off[0] / 2


def test_runs_of_ground_are_packed():
    levels = np.array([0] * 300 + [7, 0, 9] + [0] * 255 + [255, 0], dtype="u1")
    assert live._runs(levels).tolist() == [0, 255, 0, 45, 7, 0, 1, 9, 0, 255, 255, 0, 1]


class Odd(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def outlying(trained):
    """The same network, with a weight in each unit, of a pixel without ink, beside which all others round to 0."""
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    kernel = model.layers[1].kernel.numpy()
    kernel[0] = 1e6
    model.layers[1].kernel.assign(kernel)
    return model


def test_it_says_what_it_cannot_show(trained, standin):
    dense, flat = keras.layers.Dense, (28, 28, 1)
    images, labels = standin.x_test / 255, standin.y_test
    show = functools.partial(live.digits, alt="A digit.")
    for model, message in (
        (keras.Sequential([keras.Input(flat), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), dense(10)]), "Conv2D"),
        (network(dense(9)), "make 10 logits of 784 pixels, got 9"),
        (network(dense(10), shape=(27, 28)), "of 756 numbers"),
        (network(dense(10, activation="sigmoid")), "10 outputs, sigmoid"),
        (network(dense(10, activation="softmax")), "softmax"),
        (Odd([keras.Input((28, 28)), keras.layers.Flatten(), dense(10)]), "one after the other"),
        (outlying(trained), r"more than 0\.5 %"),
    ):
        with pytest.raises(ValueError, match=rf"model .*{message}"):
            show(model, images, labels)
    with pytest.raises(TypeError, match="model must be a Keras model"):
        show("a model", images, labels)
    for x, y, message in (
        (images.reshape(-1, 784), labels, r"images must have shape \(m, 28, 28\)"),
        (images[:0], labels[:0], "images must have shape"),
        (np.where(images > 0.9, np.nan, images), labels, "images must be finite"),
        (0 * images, labels, "images must be finite numbers, and not all the same"),
        (images, None, "labels must be one whole number for each of the 297 images"),
        (images, labels[:-1], "labels must be one whole"),
        (images, labels / 2, "labels must be one whole"),
        (images, labels + 1, "labels must be digits from 0 to 9, got 1 to 10"),
    ):
        with pytest.raises(ValueError, match=message):
            show(trained, x, y)
    for shown in (0, 2.5, True):
        with pytest.raises(ValueError, match="shown must be a whole number"):
            show(trained, images, labels, shown=shown)
    with pytest.raises(ValueError, match="alt must say"):
        show(trained, images[:50], labels[:50], alt=" ")


# On MNIST


def final_network():
    """The network that the chapter ends with, trained by the chapter's own cells."""
    chapter = json.loads(notebooks.ROOT.joinpath("book/mnist.ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in chapter["cells"] if cell["cell_type"] == "code"]
    wanted = (
        "seed = 1\n",
        "digits = data.load_mnist()",
        "x_train = digits.x_train",
        "def right_answers(",
        "def start_anew(",
    )
    wanted += ("def recipe(", "class RandomShift(", "def deep_network(", "train_final = recipe(")
    space = {"passes": 1, "cross_entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    for start in wanted:
        (cell,) = (source for source in cells if any(start in f"{line}\n" for line in source.splitlines()))
        exec(cell, space)
    return space["final_model"], space["x_test"], space["y_test"]


@pytest.mark.skipif(data.find_mnist() is None, reason="MNIST is not at hand")
def test_digits_written_anywhere_are_read_if_framed_as_mnist_was():
    model, x_test, y_test = final_network()
    state = state_of(live.digits(model, x_test, y_test, alt="A digit."))
    script = Script(state)
    assert script.context.eval("probe.check()") < 1e-6
    assert state["network"]["bits"] == 4
    assert state["changed"][0] <= 30, "four bits change next to nothing"
    accuracy, layers = {}, unpacked(state["network"])
    images, labels = redrawn.digits_to_redraw(data.load_mnist(), 500)
    for name, as_mnist, more in (
        ("framed", True, {}),
        ("as drawn", False, {}),
        ("as drawn, in the middle", False, {"anywhere": False}),
    ):
        given = script.framed(redrawn.redrawn(images, **more), as_mnist).reshape(-1, 784)
        answers = live._answer(layers, "relu", "linear", given).argmax(axis=1)
        accuracy[name] = float(np.mean(answers == labels))
    print(accuracy)
    assert accuracy["framed"] >= 0.975
    assert accuracy["as drawn"] < 0.5
    assert 0.55 < accuracy["as drawn, in the middle"] < 0.85
    ask = "Array.from(probe.read(dlLive.placed(dlLive.written[0], {{ size: {}, across: 0, down: 0 }}), false))"
    for size in range(4, 14):
        read = np.array(json.loads(script.context.eval(f"JSON.stringify({ask.format(size)})")))
        assert read.argmax() != 0, "a small 0 in the corner is none, as drawn"
    for digit in range(10):  # ready-made ones, for those who cannot draw
        script.context.eval("parts.clear.onclick()")
        script.call("choose", "ready", str(digit))
        assert script.now()["digit"] == digit
