"""The live figure of latent spaces, without a browser, beside NumPy; faults planted in it; what it refuses."""

import base64
import html
import json
import re
import warnings
from pathlib import Path

from dlutils import live

import keras
import numpy as np
import pytest
import quickjs

PARTS = Path(live.__file__).with_name("live")
# As much of a page as a figure asks for: elements in a tree, pens that draw nothing, a clock that is set by hand.
PAGE = """
globalThis.atob = (text) => decode(text);
globalThis.clock = 0;
globalThis.frames = [];
globalThis.performance = { now: () => clock };
globalThis.requestAnimationFrame = (frame) => frames.push(frame);
globalThis.IntersectionObserver = class { observe() {} };
globalThis.pen = { dots: [], puts: 0 };
const methods = ["clearRect", "drawImage", "save", "beginPath", "rect", "clip", "moveTo", "lineTo", "stroke", "fill",
  "restore", "strokeRect", "scale"];
for (const name of methods) pen[name] = () => {};
pen.arc = (x, y, radius) => pen.dots.push([x, y, radius]);
pen.createImageData = (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) });
pen.putImageData = (pixels) => { pen.picture = Array.from(pixels.data); pen.puts++; };
class Element {
  constructor(name) {
    Object.assign(this, { name, style: {}, dataset: {}, attributes: {}, children: [], textContent: "" });
    this.classList = { add() {}, toggle() {} };
  }
  append(child) {
    const old = child.parentElement;
    if (old) old.children = old.children.filter((other) => other !== child);
    this.children.push(child);
    child.parentElement = this;
  }
  addEventListener(name, listener) { this["on" + name] = listener; }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  getContext() { return pen; }
  getBoundingClientRect() { return { left: 10, top: 20, width: parseFloat(this.style.width), height: this.tall }; }
  setPointerCapture() {}
  all(name) { return [...(this.name === name ? [this] : []), ...this.children.flatMap((child) => child.all(name))]; }
}
globalThis.document = { createElement: (name) => new Element(name), querySelectorAll: () => [] };
globalThis.Image = class { complete = true; };
globalThis.open = (state) => {
  const figure = new Element("figure"), body = new Element("div");
  figure.append(body);
  const probe = dlLive.kinds.latent(body, state, new Element("img"));
  const press = (text) => body.all("button").find((button) => button.textContent === text).onclick();
  const set = (control, value, event) => { control.value = value; control[event](); };
  const slide = (number, value) => set(body.all("input")[number], value, "oninput");
  const choose = (number, value) => set(body.all("select")[number], value, "onchange");
  const texts = () => ({
    label: body.all("canvas")[0].attributes["aria-label"],
    drawn: body.all("canvas")[1].attributes["aria-label"],
    other: body.all("canvas")[2].attributes["aria-label"],
    status: body.all("p").at(-1).textContent,
    captions: body.all("p").slice(0, -1).map((p) => p.textContent),
    sliders: body.all("input").map((input) => input.attributes["aria-valuetext"]),
    button: body.all("button")[0].textContent,
  });
  const frame = (time) => { clock = time; for (const next of frames.splice(0)) next(); };
  return { body, probe, press, slide, choose, texts, frame };
};
"""


def engine(planted=None):
    """A JavaScript context with the figure's scripts; ``planted``: (file, text, other text), a fault."""
    context = quickjs.Context()
    context.add_callable("decode", lambda text: base64.b64decode(text).decode("latin-1"))
    context.eval(PAGE)
    for name in ("engine", "page", "latent"):
        source = (PARTS / f"{name}.js").read_text("utf-8")
        if planted and planted[0] == name:
            assert source.count(planted[1]) == 1, f"{planted[1]!r} stands {source.count(planted[1])} times in {name}.js"
            source = source.replace(*planted[1:])
        context.eval(source)
    return context


def asked(context, expression, **given):
    """What the expression gives, with these names for values that JSON can hold."""
    names, values = ", ".join(given), ", ".join(json.dumps(value) for value in given.values())
    answer = context.eval(f"JSON.stringify((({names}) => {expression})({values}))")
    return json.loads(answer.replace("null", "NaN"))  # JSON has no NaN


def network(sizes, hidden, output, number, *more):
    """A decoder with random weights."""
    layers = [keras.layers.Dense(units, hidden) for units in sizes[1:-1]]
    model = keras.Sequential([keras.Input((sizes[0],)), *layers, keras.layers.Dense(sizes[-1], output), *more])
    rng = np.random.default_rng(number)
    model.set_weights([rng.normal(scale=0.6, size=array.shape) for array in model.get_weights()])
    return model


LABELS = np.tile([1, 5, 6, 8, 5], 12)
DECODERS = {
    "plain": network((2, 7, 6, 25), "tanh", None, 1),
    "other": network((2, 9, 12), "relu", "sigmoid", 2, keras.layers.Reshape((3, 4, 1))),
}
CODES = {
    "plain": np.random.default_rng(3).normal([2, -1], [4, 2], size=(60, 2)),
    "other": np.random.default_rng(4).normal(size=(60, 2)),
}
ALT = "Two maps of codes, and what is drawn at a place."


def made(**changed):
    given = {"decoders": DECODERS, "codes": CODES, "labels": LABELS, "alt": ALT} | changed
    return live.latent(**given)._repr_mimebundle_()


@pytest.fixture(scope="module")
def state():
    return state_of(made())


def state_of(bundle):
    return json.loads(html.unescape(re.search(r'data-state="([^"]*)"', bundle["text/html"])[1]))


SPACE = "dlLive.latentSpace(map, labels)"


def check_drawing(context, state):
    """Decoders draw as with the same rounded weights in NumPy, at codes, on the maps and beyond."""
    places = np.random.default_rng(5).uniform(-9, 9, size=(40, 2)).tolist()
    for map_, decoder in zip(state["maps"], DECODERS.values(), strict=True):
        layers, hidden, output = live._carried("decoder", decoder)
        rounded = live._quantized(layers, hidden, output, 8)[1]
        wanted = live._answer(rounded, hidden, output, np.array(places))
        each = f"{{ const s = {SPACE}; return places.map((place) => Array.from(s.answer(place))); }}"
        got = asked(context, each, map=map_, labels=state["labels"], places=places)
        np.testing.assert_allclose(got, wanted, atol=1e-4)
        by_keras = np.reshape(decoder(np.array(places)), (len(places), -1))
        np.testing.assert_allclose(got, by_keras, atol=0.1)


def check_nearest(context, state):
    """The three codes that are nearest, told in words."""
    for map_, points in zip(state["maps"], CODES.values(), strict=True):
        points = points.astype("f4").astype(float)
        for place in ([0.3, -0.2], [-0.001, 20.0], points[7].tolist()):
            apart = np.hypot(*(points - place).T)
            order = np.argsort(apart)[:3]
            got = asked(context, f"{SPACE}.nearest(place)", map=map_, labels=state["labels"], place=place)
            assert [number for number, _ in got] == order.tolist()
            np.testing.assert_allclose([far for _, far in got], apart[order], atol=1e-12)
            told = asked(context, f"{SPACE}.told(place)", map=map_, labels=state["labels"], place=place)
            shown = ", ".join(f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−") for value in place)
            kinds = ", ".join(str(LABELS[number]) for number in order)
            assert told == f"at ({shown}); nearest are codes of {kinds} (within {apart[order[2]]:.2f})"


def check_ends(context, state):
    """A way leads from the first code of a digit to the first of another, or the second of the same."""
    map_, points = state["maps"][0], CODES["plain"].astype("f4").astype(float)
    for pair, numbers in (("16", (0, 2)), ("85", (3, 1)), ("55", (1, 4)), ("66", (2, 7))):
        ends = asked(context, f"{SPACE}.ends(...pair)", map=map_, labels=state["labels"], pair=pair)
        assert ends == points[list(numbers)].tolist()
    only = asked(context, "dlLive.latentSpace(map, '15').ends('1', '1')", map=map_)
    assert only == points[[0, 0]].tolist(), "a digit with one code"
    for share in (0, 0.25, 1):
        got = asked(context, "dlLive.between(ends, share)", ends=ends, share=share)
        np.testing.assert_allclose(got, (1 - share) * np.array(ends[0]) + share * np.array(ends[1]), atol=1e-15)


def check_paper(context, state):
    """Ink is dark, and what is off the scale is cut."""
    ink = "Array.from(dlLive.paper(Float64Array.from(ink), new Uint8ClampedArray(20)))"
    got = np.reshape(asked(context, ink, ink=[0, 1, 0.4, -3, 7]), (5, 4))
    assert got[:, 0].tolist() == [255, 0, 153, 255, 0]
    assert (got[:, :3] == got[:, :1]).all()
    assert (got[:, 3] == 255).all()


def check_page(context, state):
    """What controls do to places, and what is said; on a page that draws nothing."""

    def on_page(steps):
        return asked(context, f"{{ const f = open(state); {steps} }}", state=state)

    points = [CODES[name].astype("f4").astype(float) for name in DECODERS]
    half = [(one[0] + one[3]) / 2 for one in points]
    start = on_page("return [f.probe.now(), f.texts(), f.probe.check(), pen.picture.slice(0, 48)];")
    np.testing.assert_allclose(start[0]["places"], half, atol=1e-12, err_msg="half-way from a 1 to an 8")
    assert start[2] < 1e-6, "as the run has drawn"
    drawn = live._answer(*_rounded(DECODERS["other"]), half[1][np.newaxis])[0]
    np.testing.assert_allclose(np.reshape(start[3], (12, 4))[:, 0], 255 * (1 - drawn), atol=0.51)
    told, texts = start[0]["told"], start[1]
    assert texts["captions"] == told
    assert texts["label"].endswith(told[0])
    assert texts["drawn"].endswith(told[0])
    assert texts["status"] == f"plain: {told[0]}. other: {told[1]}."
    assert texts["sliders"][1] == f"{half[0][0]:.2f}".replace("-", "−"), "the place, and not the slider's nearest"
    off = on_page("state.maps[1].places[3][0] += 0.1; return open(state).probe.check();")
    assert off > 1e-3, "a difference is noticed"

    chosen = on_page("f.choose(0, '8'); f.choose(1, '5'); f.slide(0, 0); return f.probe.now();")
    np.testing.assert_allclose(chosen["places"], [one[3] for one in points], atol=1e-12)
    assert (chosen["from"], chosen["to"]) == ("8", "5")
    chosen = on_page("f.choose(1, '5'); f.slide(0, 40); return f.probe.now();")
    np.testing.assert_allclose(chosen["places"], [one[1] for one in points], atol=1e-12)

    moved = on_page("f.slide(3, 0); f.slide(4, 50); return [f.probe.now(), f.texts()];")
    low, high = np.transpose(state["maps"][1]["view"])
    np.testing.assert_allclose(moved[0]["places"], [half[0], [low[0], low[1] + (high[1] - low[1]) / 4]], atol=1e-12)
    assert moved[1]["status"] == f"other: {moved[0]['told'][1]}.", "only what has moved is said"

    width, height = state["maps"][0]["pixels"]
    left, top, right, bottom = state["maps"][0]["box"]
    click = (
        "const canvas = f.body.all('canvas')[0]; canvas.tall = %s;"
        "canvas.onclick({ clientX: 10 + %s, clientY: 20 + %s });"
        "return [f.probe.now(), pen.dots.at(-3)];"
    )
    (low, high), view = np.transpose(state["maps"][0]["view"]), state["maps"][0]["view"]
    clicked, dot = on_page(click % (height, left + (right - left) / 4, bottom - (bottom - top) / 5))
    np.testing.assert_allclose(clicked["places"][0], low + (high - low) / [4, 5], atol=1e-9)
    np.testing.assert_allclose(clicked["places"][1], half[1], atol=1e-12, err_msg="the other map's stays")
    np.testing.assert_allclose(dot[:2], [left + (right - left) / 4, bottom - (bottom - top) / 5], atol=1e-6)
    outside = on_page(click % (height, width, 0))[0]["places"][0]
    np.testing.assert_allclose(outside, [view[0][1], view[1][1]], atol=1e-9, err_msg="no place off the map")
    drag = (
        "const canvas = f.body.all('canvas')[0]; canvas.tall = 300;"
        "canvas.onpointerdown({ pointerType: '%s', clientX: 10, clientY: 20 }); return f.probe.now().places[0];"
    )
    np.testing.assert_allclose(on_page(drag % "touch"), half[0], atol=1e-12, err_msg="a finger scrolls")
    np.testing.assert_allclose(on_page(drag % "mouse"), [view[0][0], view[1][1]], atol=1e-9)

    draws = on_page(
        "const all = [];"
        "for (let k = 0; k < 400; k++) { f.press('Draw from N(0, I)'); all.push(f.probe.now().places); }"
        "const many = f.probe.now().drawn; f.slide(0, 7); f.press('Reset'); return [all, many, f.probe.now()];"
    )
    all_draws = np.array(draws[0])
    assert np.array_equal(all_draws[:, 0], all_draws[:, 1]), "both maps get the same places"
    assert np.abs(all_draws[:, 0].mean(axis=0)).max() < 0.15
    assert np.abs(all_draws[:, 0].std(axis=0) - 1).max() < 0.12
    assert abs(np.corrcoef(all_draws[:, 0].T)[0, 1]) < 0.15
    assert draws[1] == 400
    assert draws[2] == start[0], "as at first"

    walk = on_page(
        """const seen = [];
        const see = () => seen.push([f.probe.now().share, f.probe.now().on, f.texts().button, f.texts().status]);
        clock = 1000; f.press('Play'); see(); f.frame(2000); see(); f.press('Pause'); f.frame(9000); see();
        clock = 10000; f.press('Play'); f.frame(11000); see(); f.frame(16000); see(); f.frame(17000);
        const last = f.probe.now().places; clock = 20000; f.press('Play'); f.frame(20500); see();
        return [seen, last];"""
    )
    shares = [0.5, 0.2, 0.2, 0.4, 1, 0.1]
    np.testing.assert_allclose([share for share, *_ in walk[0]], shares, atol=1e-12, err_msg="five seconds for a way")
    assert [on for _, on, *_ in walk[0]] == [True, True, False, True, False, True]
    assert [button for *_, button, _ in walk[0]] == ["Pause", "Pause", "Play", "Pause", "Play", "Pause"]
    assert walk[0][0][3] == walk[0][1][3] == "on the way from 1 to 8", "said once"
    assert walk[0][2][3].startswith("plain: at (")
    np.testing.assert_allclose(walk[1], [one[3] for one in points], atol=1e-12, err_msg="it ends at the code")
    halted = on_page(
        "clock = 0; f.press('Play'); f.frame(500); f.slide(1, 9); f.frame(900); return [f.probe.now(), f.texts()];"
    )
    assert np.isclose(halted[0]["share"], 0.1), "a map that goes its own way ends the walk"
    assert halted[1]["captions"] == halted[0]["told"]
    assert halted[1]["other"].endswith(halted[0]["told"][1]), "and nobody is on the way any more"
    assert halted[1]["button"] == "Play"


def _rounded(decoder):
    layers, hidden, output = live._carried("decoder", decoder)
    return live._quantized(layers, hidden, output, 8)[1], hidden, output


CHECKS = (check_drawing, check_nearest, check_ends, check_paper, check_page)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_latent_spaces_are_as_in_numpy(check, state):
    check(engine(), state)


FAULTS = [
    ("engine", "(raw[i] << 24) >> 24", "raw[i]"),
    ("engine", "l + 1 < this.layers.length ? this.hidden : this.output", "this.hidden"),
    ("latent", "[flat[2 * i], flat[2 * i + 1]]", "[flat[2 * i + 1], flat[2 * i]]"),
    ("latent", "Math.hypot(flat[2 * i] - x, flat[2 * i + 1] - y)", "Math.hypot(flat[2 * i] - x, flat[2 * i + 1] + y)"),
    ("latent", "one[1] - other[1]", "other[1] - one[1]"),
    ("latent", "count = 3", "count = 2"),
    ("latent", "near.at(-1)[1]", "near[0][1]"),
    ("latent", "near.map(([i]) => labels[i])", "near.map(([i]) => i)"),
    ("latent", '.replace(/^-(?=[0.]*$)/, "")', ""),
    ("latent", "from === to ? start + 1 : 0", "0"),
    ("latent", "code(next < 0 ? start : next)", "code(next)"),
    ("latent", "(1 - share) * value + share * end[k]", "share * value + (1 - share) * end[k]"),
    ("latent", "255 * (1 - Math.min", "255 * (Math.min"),
    ("latent", "Math.min(1, Math.max(0, ink))", "ink % 1"),
    ("latent", "4 * p);\n    });", "4 * p + 1);\n    });"),
    ("latent", "share = 0.5, paused", "share = 0, paused"),
    ("latent", "bottom - ((y - y0)", "top + ((y - y0)"),
    ("latent", "[x0 + ((u - left)", "[x0 + (u"),
    ("latent", "((bottom - v) / (bottom - top))", "((v - top) / (bottom - top))"),
    ("latent", "Math.min(Math.max(value, map.view[k][0]), map.view[k][1])", "value"),
    ("latent", "k ? [own.place[0], at(1, r)] : [at(0, r), own.place[1]]", "[at(0, r), at(1, r)]"),
    ("latent", "r === rung(k) ? own.place[k] : at(k, r)", "at(k, r)"),
    ("latent", "answers[i] - probes[p++]", "answers[i] - answers[i]"),
    ("page", 'if (event.pointerType !== "mouse" && !near(at(event))) return;', ""),
    ("page", "canvas.onclick = (event) => put(at(event), true);", "canvas.onclick = () => {};"),
    ("latent", "tell([own]);\n      }));", "tell(maps);\n      }));"),
    ("latent", "if (k) to = select.value;\n        else from = select.value;", "from = select.value;"),
    ("latent", "for (const map of maps) map.way();", ""),
    ("latent", "paused ? share : 0", "share"),
    ("latent", "loop.stop();\n      tell(maps);\n    };\n    const step", "loop.stop();\n    };\n    const step"),
    ("latent", "paused = true;", ""),
    ("latent", "if (!loop.on) { paused = false; tell(maps); }", ""),
    ("latent", "share = steps / STEPS; walk();", "share = steps; walk();"),
    ("latent", "place = [rng.normal(), rng.normal()]", "place = [rng.uniform(), rng.uniform()]"),
    ("latent", "map.put(place);\n      }", "map.put([rng.normal(), rng.normal()]);\n      }"),
    ("latent", "map.drawn.length = 0", "map.drawn.length"),
    ("latent", "kinds[0], kinds.at(-1), 0.5]", "kinds[0], kinds[0], 0.5]"),
    ("latent", "easel.setAttribute", "canvas.setAttribute"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[2][:40] or fault[1][:40])
def test_a_fault_is_noticed(fault, state):
    context = engine(planted=fault)
    for check in CHECKS:
        try:
            check(context, state)
        except (AssertionError, quickjs.JSException, ValueError):
            return
    pytest.fail("no check failed")


def test_the_figure_holds_what_it_was_given(state):
    assert state["labels"] == "".join(map(str, LABELS))
    assert [each["name"] for each in state["maps"]] == ["plain", "other"]
    assert [each["shape"] for each in state["maps"]] == [[5, 5], [3, 4]]
    for each, points in zip(state["maps"], CODES.values(), strict=True):
        assert np.array_equal(np.frombuffer(base64.b64decode(each["codes"]), "<f4").reshape(-1, 2), points.astype("f4"))
        low, high = np.transpose(each["view"])
        assert np.all(low < np.minimum(points.min(axis=0), -3)), "all codes are on the map, and the circles"
        assert np.all(high > np.maximum(points.max(axis=0), 3))
        left, top, right, bottom = each["box"]
        assert np.isclose((right - left) / (high - low)[0], (bottom - top) / (high - low)[1], rtol=0.02), "one scale"
        pixels = each["shape"][0] * each["shape"][1]
        assert len(base64.b64decode(each["probes"])) == 4 * pixels, "each pixel at one place"
        assert len(each["places"]) == 10
    bundle = made()
    assert bundle["text/plain"] == ALT
    assert f'alt="{ALT}"' in bundle["text/html"]
    assert {"text/html", "image/png"} <= set(bundle)


def test_five_hundred_codes_are_shown_and_those_after_them_count_for_rounding():
    many = {name: np.tile(points, (10, 1)) for name, points in CODES.items()}
    state = state_of(made(codes=many, labels=np.tile(LABELS, 10)))
    assert len(state["labels"]) == 500
    assert len(base64.b64decode(state["maps"][0]["codes"])) == 500 * 8


def test_a_decoder_that_rounding_changes_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"decoders\['plain'\] must draw the same with weights of 8 bits"):
        made(decoders=DECODERS | {"plain": wild()})
    quantized = live._quantized
    monkeypatch.setattr(live, "_quantized", lambda *layers, bits: quantized(*layers, bits=4))
    with pytest.raises(ValueError, match=r"more than 0\.005"):
        made()


def wild():
    """A decoder with one large weight among small ones that count."""
    model = network((2, 40, 25), "tanh", None, 6)
    first, bias, last, shift = model.get_weights()
    last[0] *= 200
    first[:, 0] = bias[0] = 0
    model.set_weights([first, bias, last, shift])
    return model


@pytest.mark.parametrize(
    ("changed", "error", "named"),
    [
        ({"decoders": {}}, TypeError, "decoders must map"),
        ({"decoders": [DECODERS["plain"]]}, TypeError, "decoders must map"),
        ({"decoders": DECODERS | {"plain": abs}}, TypeError, r"decoders\['plain'\] must be a Keras model"),
        (
            {"decoders": DECODERS | {"other": network((3, 4, 9), "tanh", None, 1)}},
            ValueError,
            "two latent numbers, got 3",
        ),
        ({"decoders": DECODERS | {"other": network((2, 4, 12), "tanh", None, 1)}}, ValueError, "must draw images"),
        ({"decoders": DECODERS | {"other": network((2, 4, 9), "gelu", None, 1)}}, ValueError, "one activation"),
        (
            {"decoders": DECODERS | {"other": network((2, 4, 9), "tanh", "softplus", 1)}},
            ValueError,
            r"decoders\['other'\]",
        ),
        ({"codes": {"plain": CODES["plain"]}}, ValueError, "codes must have the names"),
        ({"codes": CODES["plain"]}, ValueError, "codes must have the names"),
        ({"codes": CODES | {"other": CODES["other"][:-1]}}, ValueError, r"codes\['other'\] must have shape \(60, 2\)"),
        ({"codes": CODES | {"other": np.zeros((60, 3))}}, ValueError, r"codes\['other'\] must have shape \(60, 2\)"),
        ({"codes": CODES | {"other": np.full((60, 2), np.nan)}}, ValueError, r"codes\['other'\] must be finite"),
        ({"labels": LABELS[:-1]}, ValueError, r"codes\['plain'\] must have shape \(59, 2\)"),
        ({"labels": LABELS[:, np.newaxis]}, ValueError, "labels must be digits"),
        ({"labels": LABELS + 2}, ValueError, "labels must be digits"),
        ({"labels": LABELS + 0.5}, ValueError, "labels must be digits"),
        ({"labels": 0 * LABELS}, ValueError, "labels must be of two digits"),
        ({"alt": " "}, ValueError, "alt must say"),
    ],
)
def test_what_cannot_be_shown_is_refused(changed, error, named):
    with pytest.raises(error, match=named):
        made(**changed)


def test_no_warning_reaches_the_page():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made()
