"""Pictures: what is on them."""

import base64
import html
import io
import json
import re

from dlutils import plotting

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def shown(ax):
    return ax.images[0].get_array().filled(-1)


def test_digits_stand_in_rows_from_left_to_right_each_whole():
    images = np.arange(1, 6)[:, None, None] * np.ones((5, 28, 28))
    canvas = shown(plotting.plot_digits(images, columns=3))
    for index in range(5):
        row, column = divmod(index, 3)
        block = canvas[row * 30 : row * 30 + 28, column * 30 : column * 30 + 28]
        np.testing.assert_array_equal(block, images[index])
    assert (canvas > 0).sum() == 5 * 28 * 28


def test_each_caption_stands_under_its_image():
    ax = plotting.plot_digits(np.ones((4, 28, 28)), ["a", "b", "c", "d"], columns=2)
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places["a"][0] == places["c"][0] < places["b"][0] == places["d"][0]
    assert 28 <= places["a"][1] == places["b"][1] < places["c"][1] == places["d"][1]


def test_frames_and_captions_are_in_place_and_in_view():
    """Each frame runs round its image, each caption stands in the middle below it and above the next row."""
    for lines in (1, 2):
        ax = plotting.plot_digits(np.ones((4, 28, 28)), ["\n".join("x" * lines)] * 4, columns=2)
        ax.figure.canvas.draw()
        frames = [patch.get_bbox() for patch in ax.patches]
        canvas = shown(ax)
        assert not any(patch.get_fill() for patch in ax.patches)
        assert not ax.axison
        left, right, bottom, top = *ax.get_xlim(), *ax.get_ylim()
        for frame, text in zip(frames, ax.texts, strict=True):
            (x0, y0), (x1, y1) = frame.min, frame.max
            inside = canvas[round(y0 + 0.5) : round(y1 + 0.5), round(x0 + 0.5) : round(x1 + 0.5)]
            assert inside.shape == (28, 28)
            assert (inside == 1).all()
            extent = text.get_window_extent().transformed(ax.transData.inverted())
            assert text.get_position()[0] == pytest.approx((x0 + x1) / 2, abs=1)
            assert (extent.x0 + extent.x1) / 2 == pytest.approx((x0 + x1) / 2, abs=2)
            below = min([frame.y0 for frame in frames if frame.y0 > y1], default=bottom)
            assert y1 < min(extent.y0, extent.y1)
            assert max(extent.y0, extent.y1) < below + 0.5
            assert left < x0 < x1 < right
            assert top < y0 < y1 < bottom
        assert top <= -0.5 <= left + 0.5
        assert bottom - top < 2.2 * 28 * (1.3 + 0.25 * lines)  # and no more room than they need


def test_the_figure_has_the_proportions_of_the_images():
    for count, columns in ((3, 3), (12, 6), (40, 10)):
        ax = plotting.plot_digits(np.ones((count, 28, 28)), columns=columns)
        width, height = ax.figure.get_size_inches()
        rows, across = shown(ax).shape
        assert width <= 5.6
        assert width / columns <= 1.4
        assert height / width == pytest.approx(rows / across, rel=0.05)


def test_a_long_history_has_no_markers_and_epochs_are_whole():
    assert plotting.plot_history({"loss": [1.0] * 30}).lines[0].get_marker() == "o"
    assert plotting.plot_history({"loss": [1.0] * 31}).lines[0].get_marker() == "None"
    ticks = plotting.plot_history({"loss": [1.0, 0.5]}).get_xticks()
    assert all(tick == round(tick) for tick in ticks)


def test_a_single_image_and_a_single_caption():
    ax = plotting.plot_digits(np.ones((28, 28)), 7)
    assert ax.texts[0].get_text() == "7"


def test_ink_is_dark_on_a_common_scale():
    images = np.zeros((2, 8, 8))
    images[1, 0, 0] = 3
    picture = plotting.plot_digits(images).images[0]
    assert picture.get_clim() == (0, 3)
    assert picture.to_rgba(3.0)[:3] == (0, 0, 0)


def test_blank_images_can_be_drawn():
    assert plotting.plot_digits(np.zeros((2, 8, 8))).images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3),), "images must have shape"),
        ((np.ones((0, 28, 28)),), "images must have shape"),
        ((np.ones((2, 8, 8)), ["one"]), "captions must be as many as images, got 1 for 2"),
    ],
)
def test_digits_refuse_what_they_cannot_draw(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_digits(*arguments)


def test_columns_must_be_positive():
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        plotting.plot_digits(np.ones((2, 8, 8)), columns=0)


CURVES = {"loss": [3.0, 2.0, 1.0], "val_loss": [4.0, 3.0, 5.0], "accuracy": [0.1, 0.2, 0.3]}


def test_history_draws_both_curves_told_apart_by_more_than_colour():
    ax = plotting.plot_history(CURVES)
    training, validation = ax.lines
    assert training.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert validation.get_xydata().tolist() == [[1, 4], [2, 3], [3, 5]]
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_marker() != validation.get_marker()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_history_takes_what_fit_returns_and_other_labels():
    class History:
        history = CURVES

    ax = plotting.plot_history(History(), labels=("training", "test"))
    assert ax.get_legend().get_texts()[1].get_text() == "test"
    assert len(plotting.plot_history(History(), "accuracy").lines) == 1


def test_history_names_the_metrics_there_are():
    with pytest.raises(ValueError, match=r"metric must be one of \['accuracy', 'loss', 'val_loss'\], got 'auc'"):
        plotting.plot_history(CURVES, "auc")


@pytest.mark.parametrize(
    "draw",
    [lambda ax: plotting.plot_digits(np.ones((2, 8, 8)), ax=ax), lambda ax: plotting.plot_history(CURVES, ax=ax)],
)
def test_each_draws_on_the_axes_it_is_given(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert len(plt.get_fignums()) == 1


def test_the_style_is_found_by_its_name():
    with plt.style.context("dlutils.style"):
        assert plt.rcParams["figure.dpi"] == 144


ALT = 'A square "walks" <right> & stops.'


def square(ax, place):
    ax.plot(place, 0, "s", markersize=20)
    ax.set(xlim=(-1, 5), ylim=(-1, 1))


def bundle(frames=(0, 1, 2, 3), draw=square, **options):
    made = plotting.animate(draw, frames, **{"alt": ALT, "figsize": (2, 1)} | options)
    return made._repr_mimebundle_()


def attribute(text, name):
    return html.unescape(re.search(rf'\b{name}="([^"]*)"', text)[1])


def decoded(source):
    assert source.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGBA")


def film(text):
    """What the player shows: each frame on the last one, which is the image that the page has without its script."""
    last = decoded(attribute(text, "src"))
    earlier = [decoded(source) for source in attribute(text, "data-frames").split()]
    return [np.array(Image.alpha_composite(last, frame).convert("RGB")) for frame in [*earlier, last]]


def drawn(place):
    """The frame of ``place``, drawn here."""
    figure, ax = plt.subplots(figsize=(2, 1))
    square(ax, place)
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]


def test_a_film_has_all_frames_in_order_and_shows_the_last_one_first():
    with plt.style.context("dlutils.style"):
        pictures = film(bundle([0, 3, 1, 4])["text/html"])
        expected = [drawn(place) for place in [0, 3, 1, 4]]
    np.testing.assert_array_equal(pictures, expected)
    assert pictures[0].shape == (144, 288, 3), "2 by 1 inches in the style's resolution"
    assert len(np.unique(pictures, axis=0)) == 4


def test_a_film_without_its_script_is_the_last_frame_with_its_alt_text_and_nothing_to_press():
    made = bundle()
    page = re.sub(r"<(script|style)>.*?</\1>", "", made["text/html"], flags=re.DOTALL)
    assert re.findall(r"<(\w+)", page) == ["div", "img"]
    assert 'role="group"' in page
    assert attribute(page, "aria-label")
    assert made["text/plain"] == ALT
    png = Image.open(io.BytesIO(base64.b64decode(made["image/png"]))).convert("RGB")
    np.testing.assert_array_equal(png, film(made["text/html"])[-1])


def test_a_film_of_the_same_frames_is_the_same_to_the_byte():
    assert bundle() == bundle()


def test_a_film_asks_for_nothing():
    text = re.sub(r"data:image/webp;base64,[\w+/=]+", "DATA", bundle()["text/html"])
    assert "//" not in re.sub(r"^\s*//.*|;  //.*", "", text, flags=re.MULTILINE), "no address, only comments"
    assert re.findall(r'(?:src|href)="([^"]*)', text) == ["DATA"]
    assert not re.search(r"@import|\bfetch\b|XMLHttpRequest|\bimport\b", text)


def test_what_stays_the_same_costs_next_to_nothing():
    one, many = (len(bundle([0] * count, figsize=(4, 3))["text/html"]) for count in (1, 21))
    assert (many - one) / 20 < 500


def test_a_frame_covers_a_rim_about_what_differs_so_that_no_edge_shows_where_it_is_scaled():
    text = bundle([0, 1])["text/html"]
    covered = np.array(decoded(attribute(text, "data-frames")))[..., 3] > 0
    differs = (drawn(0) != drawn(1)).any(axis=-1)
    for rows, columns in ((-3, -3), (-3, 3), (3, -3), (3, 3)):
        assert covered[np.roll(differs, (rows, columns), axis=(0, 1))].all()
    assert covered.mean() < 0.5


def test_alt_and_labels_are_escaped_and_read_back():
    labels = ['"one"', "</script>", "θ & <b>", "$alt"]
    text = bundle(labels=labels)["text/html"]
    assert attribute(text, "alt") == ALT
    assert json.loads(attribute(text, "data-labels")) == labels
    assert ALT not in text
    assert text.count("</script>") == 1


def test_labels_count_the_frames_if_none_are_given():
    text = bundle(iter("abc"), lambda ax, letter: ax.set_title(letter), interval=0.25)["text/html"]
    assert json.loads(attribute(text, "data-labels")) == ["1 of 3", "2 of 3", "3 of 3"]
    assert attribute(text, "data-interval") == "250"


def test_a_film_leaves_no_figure_behind_and_the_current_one_as_it_was():
    current = plt.figure()
    bundle()
    assert plt.gcf() is current
    assert len(plt.get_fignums()) == 1


def test_a_film_whose_drawing_fails_leaves_no_figure_behind():
    def draw(ax, frame):
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        bundle(draw=draw)
    assert not plt.get_fignums()


def test_transparent_figures_lie_on_white_paper():
    with plt.rc_context({"figure.facecolor": "none"}):
        assert film(bundle()["text/html"])[0][0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"draw": "square"}, TypeError, "draw must be a function of ax and frame, got 'square'"),
        ({"frames": 4}, TypeError, "frames must be a sequence, got 4"),
        ({"frames": []}, ValueError, "frames must be at least one, got none"),
        ({"alt": None}, TypeError, "alt must be a sentence .*, got None"),
        ({"alt": " \n"}, ValueError, "alt must say in a sentence"),
        ({"labels": ["one"]}, ValueError, "labels must be as many as frames, got 1 for 4"),
        ({"labels": "abcd"}, TypeError, "labels must be a sequence, got 'abcd'"),
        ({"labels": ["a", "b", 3, "d"]}, TypeError, "labels must be strings, got 3 among them"),
        ({"interval": "fast"}, TypeError, "interval must be a number of seconds, got 'fast'"),
        ({"interval": 0}, ValueError, "interval must be a number of seconds above 0, got 0"),
        ({"interval": float("nan")}, ValueError, "interval must be a number of seconds above 0, got nan"),
        ({"interval": float("inf")}, ValueError, "interval must be a number of seconds above 0, got inf"),
        ({"figsize": 3}, ValueError, "figsize must be a width and a height in inches, got 3"),
        ({"figsize": (0, 1)}, ValueError, r"figsize must be positive, got \(0, 1\)"),
        (
            {"draw": lambda ax, frame: ax.figure.set_size_inches(2, 1 + frame)},
            ValueError,
            "draw must leave the figure's size as it is",
        ),
    ],
)
def test_a_film_names_what_it_cannot_use(changes, error, message):
    with pytest.raises(error, match=message):
        bundle(**changes)


def test_a_film_that_is_too_large_says_how_large_and_what_to_do():
    def noise(ax, seed):
        ax.imshow(np.random.default_rng(seed).random((400, 400, 3)))

    with pytest.raises(ValueError, match=r"frames must fit into 1,000,000 bytes of HTML, got 9 that take \d,.*figsize"):
        bundle(range(9), noise, figsize=(4, 4))
