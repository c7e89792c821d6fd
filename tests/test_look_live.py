"""What make look sees of live figures: broken ones, each caught. They need what make look installs."""

import shutil

from dlutils import data
from dlutils import live as figures
from tools.trials import live

import numpy as np
import pytest
import redrawn

sync_api = pytest.importorskip("playwright.sync_api")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright")
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title></head>
<body><main><h1>A page</h1><p>Some <a href="#">text</a>.</p>{}<p>More <a href="#">text</a>.</p></main></body></html>"""
ALT = "Two spirals, one of circles and one of crosses, before training and after."


@pytest.fixture(scope="module")
def browser():
    system = next((found for command in live.BROWSERS["chromium"] if (found := shutil.which(command))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=system)
        except sync_api.Error as error:
            pytest.skip(f"no browser: {error}")
        yield browser
        browser.close()


def trained(start, x, y, rate, turns):
    """W1, b1, W2, b2 after a descent, by hand."""
    W1, b1, W2, b2 = start
    for _ in range(turns):
        H = np.tanh(x @ W1 + b1)
        off = (1 / (1 + np.exp(-(H @ W2 + b2))) - y[:, np.newaxis]) / len(x)
        back = off @ W2.T * (1 - H**2)
        W1, b1 = W1 - rate * x.T @ back, b1 - rate * back.sum(axis=0)
        W2, b2 = W2 - rate * H.T @ off, b2 - rate * off.sum(axis=0)
    return W1, b1, W2, b2


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    x, y = data.make_spirals(80, seed=1)
    start = [rng.normal(size=shape) for shape in ((2, 4), 4, (4, 1), 1)]
    end = trained(start, x.astype(float), y, 0.5, 40)
    network = figures.network(
        {"spirals": (x, y), "others": (x + 1, y)},
        start,
        end,
        chosen="spirals",
        rate=0.5,
        turns=40,
        activation="tanh",
        speed=1,
        alt=ALT,
    )
    path = np.array([[1.0, 1.0], [0.5, 0.8], [0.25, 0.64]])
    bowl = figures.descent(
        lambda w: w @ np.array([0, 0]) + (w**2) @ [0.5, 0.2],
        lambda ax: ax.set(xlim=(-2, 2), ylim=(-2, 2)),
        {"plain": (0.5, path)},
        alt=ALT,
    )
    return {kind: each._repr_mimebundle_()["text/html"] for kind, each in (("network", network), ("descent", bowl))}


def seen(browser, folder, text):
    path = folder / "page.html"
    path.write_text(PAGE.format(text), "utf-8")
    problems = []
    page = live.open_page(browser, path, "desktop", "light", problems)
    for figure in page.locator(live.FIGURE).all():
        problems += live.work(page, figure, axe_api.Axe())
    page.context.close()
    page = live.open_page(browser, path, "phone", "light", problems, scripts=False)
    for figure in page.locator(live.FIGURE).all():
        problems += live.without_scripts(figure)
    page.context.close()
    return problems


@pytest.mark.parametrize("kind", ["network", "descent"])
def test_a_good_figure_is_let_through(browser, tmp_path, made, kind):
    assert seen(browser, tmp_path, made[kind]) == []


@pytest.mark.parametrize(
    ("kind", "text", "other", "said"),
    [
        ("network", "outline: 3px solid", "outline: none", "does not show the focus"),
        (
            "network",
            "document.createElement(name), properties);",
            'document.createElement(name), properties); if (name === "select") element.tabIndex = -1;',
            "lets the Tab key reach",
        ),
        (
            "network",
            'input.setAttribute("aria-valuetext", said(Number(input.value)));',
            "",
            "does not move its control",
        ),
        ("network", "stop() { on = false; },", "stop() {},", "does not pause"),
        ("network", "start() { if (!on) {", "start() { if (false) {", "does not start"),
        ("network", 'go.textContent = loop.on ? "Pause" : "Train";', "", "does not offer to pause"),
        (
            "network",
            "update(network.w, network.g, settings.rate);",
            "update(network.w, network.g, 2);",
            "does not repeat",
        ),
        ("network", 'live.element(element, "span", { textContent: text });', "", "axe, critical"),
        (
            "network",
            "drawPlane();\n",
            "drawPlane(); for (const t = performance.now(); performance.now() < t + 150;);\n",
            "keeps the page busy",
        ),
        ("network", "const WIDTH = 310", "console.error('hm'); const WIDTH = 310", "logged hm"),
        ("network", "const WIDTH = 310", "throw new Error('hm'); const WIDTH = 310", "stays a picture"),
        ("network", "picture.hidden = true;", "", "shows its picture beside"),
        (
            "network",
            'class="dl-live" role',
            'style="width: 1500px; max-width: none" class="dl-live" role',
            "beyond the window",
        ),
        (
            "network",
            "</div>\n<script>",
            "<button>Go</button></div>\n<script>",
            "offers controls where scripts do not run",
        ),
        ("network", f'alt="{ALT}"', 'alt=""', "picture without a description"),
        (
            "network",
            "<style>",
            '<img src="http://127.0.0.1:9/a.png" alt="" width="9"><style>',
            "asked for http://127.0.0.1:9",
        ),
    ],
)
def test_a_broken_figure_is_named(browser, tmp_path, made, kind, text, other, said):
    assert made[kind].count(text) >= 1
    problems = seen(browser, tmp_path, made[kind].replace(text, other, 1))
    assert any(said in problem for problem in problems), problems


def test_a_map_that_does_not_answer_to_the_pointer_is_named(browser, tmp_path, made):
    line = "live.draggable(canvas, width, height, near,"
    assert made["descent"].count(line) == 1
    text = made["descent"].replace(line, "canvas.dataset.pointer = ''; (() => {})(")
    assert any("does not answer to the pointer" in problem for problem in seen(browser, tmp_path, text))


def test_digits_redrawn_by_pen_are_read_in_the_built_page(browser):
    """Half a thousand test images, redrawn as strokes of random size, place and slant."""
    page_of_mnist = live.SITE / "book" / "mnist.html"
    digits = data.load_mnist()
    if not page_of_mnist.is_file() or not digits.is_mnist:
        pytest.skip("no built page, or no MNIST")
    images, labels = redrawn.digits_to_redraw(digits, 500)
    problems = []
    page = live.open_page(browser, page_of_mnist, "desktop", "light", problems)
    figure = page.locator(live.FIGURE).first
    figure.scroll_into_view_if_needed()
    figure.locator(".dl-body").wait_for(timeout=15_000)
    ask = "(figure, drawings) => drawings.map(strokes => figure.probe.read(strokes, true))"
    answers = np.array(figure.evaluate(ask, redrawn.redrawn(images)))
    page.context.close()
    assert answers.shape == (500, 10)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
    assert np.mean(answers.argmax(axis=1) == labels) >= 0.975
    assert problems == []
