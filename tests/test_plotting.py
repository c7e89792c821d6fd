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


def tint(ax, point):
    """The colour, if any, in which the region at ``point`` is filled."""
    for region in ax.collections:
        path, offsets = region.get_paths(), region.get_offsets()
        if region.get_zorder() == 0 and any(p.contains_point(point) for p in path) and len(offsets) == 1:
            return matplotlib.colors.to_hex(region.get_facecolor()[0])
    return None


def boundary(ax):
    """The points of the black line between the regions."""
    lines = [region for region in ax.collections if region.get_zorder() == 3 and len(region.get_paths())]
    return np.concatenate([path.vertices for line in lines for path in line.get_paths()]) if lines else np.empty((0, 2))


def test_each_class_has_its_colour_and_its_marker():
    x, y = np.array([[0.0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]), np.array([0, 1, 2, 1, 0])
    ax = plotting.plot_classes(x, y)
    drawn = {points.get_label(): points for points in ax.collections}
    assert list(drawn) == ["class 0", "class 1", "class 2"]
    for number, points in enumerate(drawn.values()):
        np.testing.assert_array_equal(points.get_offsets(), x[y == number])
        assert matplotlib.colors.same_color(points.get_facecolor()[0, :3], f"C{number}")
    assert len({len(points.get_paths()[0].vertices) for points in drawn.values()}) == 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x₁", "x₂")


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_the_regions_of_a_probability_meet_at_one_half(shape):
    x, y = np.array([[-2.0, -2], [2, 2]]), np.array([0, 1])
    ax = plotting.plot_classes(x, y, lambda points: (1 / (1 + np.exp(1 - points[:, 0]))).reshape(shape))
    assert tint(ax, (0, -1)) == matplotlib.colors.to_hex("C0")
    assert tint(ax, (1.9, -1)) == matplotlib.colors.to_hex("C1")
    np.testing.assert_allclose(boundary(ax)[:, 0], 1, atol=0.02)


def test_the_regions_of_scores_meet_where_the_largest_two_are_equal():
    x, y = np.array([[-2.0, -2], [2, 2]]), np.array([0, 1])
    ax = plotting.plot_classes(x, y, lambda p: np.stack([-p[:, 0], p[:, 0], 0.5 + p[:, 1]], axis=1))
    for point, number in (((-1, -1.5), 0), ((1, -1.5), 1), ((0.2, 1.5), 2)):
        assert tint(ax, point) == matplotlib.colors.to_hex(f"C{number}")
    first, second = boundary(ax).T
    scores = np.sort(np.stack([-first, first, 0.5 + second]), axis=0)
    np.testing.assert_allclose(scores[2], scores[1], atol=0.05)


def test_limits_that_are_set_are_kept_and_filled():
    _, ax = plt.subplots()
    ax.set(xlim=(-10, 10), ylim=(-20, 20))
    plotting.plot_classes(np.zeros((1, 2)), np.zeros(1, int), lambda points: points[:, 0], ax=ax)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-10, 10), (-20, 20))
    assert tint(ax, (9.9, 19.9)) == matplotlib.colors.to_hex("C1")


def test_one_answer_everywhere_has_no_boundary():
    ax = plotting.plot_classes(np.eye(2), np.array([0, 1]), lambda points: np.ones(len(points)))
    assert tint(ax, (0.5, 0.5)) == matplotlib.colors.to_hex("C1")
    assert len(boundary(ax)) == 0


def test_a_network_has_a_circle_a_unit_and_a_line_a_weight():
    ax = plotting.plot_network([2, 4, 1])
    assert (len(ax.patches), len(ax.lines)) == (7, 12)
    columns = [
        sum(abs(circle.center[0] - x) < 1e-9 for circle in ax.patches)
        for x in sorted({c.center[0] for c in ax.patches})
    ]
    assert columns == [2, 4, 1]
    assert [text.get_text() for text in ax.texts] == ["2", "4", "1"]
    centers = {tuple(np.round(circle.center, 6)) for circle in ax.patches}
    ends = {tuple(np.round(end, 6)) for line in ax.lines for end in zip(*line.get_data(), strict=True)}
    assert ends == centers


def test_a_long_layer_is_shown_by_its_ends_and_its_number():
    ax = plotting.plot_network([784, 10, 11], labels=["pixels", "ten", "eleven"])
    assert len(ax.patches) == 6 + 10 + 6
    assert [text.get_text() for text in ax.texts] == ["⋮", "pixels", "ten", "⋮", "eleven"]
    heights = [[c.center[1] for c in ax.patches][i : i + 6] for i in (0, 16)]
    np.testing.assert_allclose(heights, [[3.2, 2.2, 1.2, -1.2, -2.2, -3.2]] * 2)


def test_a_weight_s_line_shows_its_sign_and_size():
    first, last = np.array([[1.0, -2, 0.5]]), np.array([[4.0], [0], [-1]])
    ax = plotting.plot_network([1, 3, 1], [first, last])
    looks = [(line.get_linewidth(), line.get_linestyle(), line.get_color()) for line in ax.lines]
    assert [width for width, _, _ in looks] == pytest.approx([1, 2, 0.5, 4, 0, 1])
    for (_, style, color), weight in zip(looks, [*first[0], *last[:, 0]], strict=True):
        assert (style, color) == (("-", "#5e3c99") if weight > 0 else ("--", "#e66101"))
    assert [line.get_ydata()[1] for line in ax.lines][:3] == [1, 0, -1]  # from the top, in the matrix's order


def test_weights_have_colours_about_zero():
    ax = plotting.plot_weights([[1.0, -3], [0, 2]])
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), [[1, -3], [0, 2]])
    assert image.get_clim() == (-3, 3)
    red, _, blue, _ = image.to_rgba(np.array([[3.0]]))[0, 0]
    assert blue > red, "purple above zero"
    assert len(ax.figure.axes) == 2, "a bar of colours"
    plain = plotting.plot_weights(np.zeros((2, 2)), limit=0.5, colorbar=False)
    assert plain.images[0].get_clim() == (-0.5, 0.5)
    assert len(plain.figure.axes) == 1


def test_curves_have_lines_of_their_own_and_names():
    ax = plotting.plot_curves({"slow": [3.0, 2, 1], 0.1: [3.0, 1]}, ylabel="error")
    assert [line.get_ydata().tolist() for line in ax.lines] == [[3, 2, 1], [3, 1]]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 1, 2], [0, 1]]
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert [text.get_text() for text in ax.get_legend().texts] == ["slow", "0.1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iteration", "error")
    ax = plotting.plot_curves({"a": [1, 2]}, [5, 10], xlabel="epoch")
    assert (ax.lines[0].get_xdata().tolist(), ax.get_xlabel()) == ([5, 10], "epoch")


def test_paths_lie_over_the_contours_of_their_loss():
    paths = {"first": [[1.0, 1], [0.5, 0.2], [0, 0.1]], "second": np.array([[-1.0, 1], [-0.5, 0]])}

    def bowl(omega):
        return omega[..., 0] ** 2 + 9 * omega[..., 1] ** 2

    ax = plotting.plot_paths(bowl, paths, limits=((-2, 2), (-1, 1)), levels=[1, 4])
    for path, line, end in zip(paths.values(), ax.lines[::2], ax.lines[1::2], strict=True):
        np.testing.assert_array_equal(np.transpose(line.get_data()), path)
        np.testing.assert_array_equal(np.transpose(end.get_data()), path[-1:])
    assert len({line.get_linestyle() for line in ax.lines[::2]}) == 2
    contours = ax.collections[0]
    for level, path in zip([1, 4], contours.get_paths(), strict=True):
        np.testing.assert_allclose(bowl(path.vertices), level, atol=0.01)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 1))
    assert [text.get_text() for text in ax.get_legend().texts] == ["first", "second"]
    alone = plotting.plot_paths(bowl, {"": paths["second"]}, limits=((-2, 2), (-1, 1)))
    assert alone.get_legend() is None


def test_contours_can_be_drawn_from_losses_at_hand():
    first, second = np.meshgrid(np.linspace(-2, 2, 90), np.linspace(-1, 1, 70))
    ax = plotting.plot_paths(first + 3 * second, {"": [[0, 0]]}, limits=((-2, 2), (-1, 1)), levels=[0.5])
    (line,) = ax.collections[0].get_paths()
    np.testing.assert_allclose(line.vertices @ [1, 3], 0.5, atol=1e-6)


def test_fits_darken_with_time():
    x = np.array([0.0, 1, 2])
    ax = plotting.plot_fits(x, [x, 2 * x, 3 * x], (x, x + 1))
    points, *fits = ax.lines
    np.testing.assert_array_equal(points.get_ydata(), x + 1)
    for k, line in enumerate(fits, 1):
        np.testing.assert_array_equal(line.get_data(), [x, k * x])
    assert [line.get_alpha() for line in fits] == pytest.approx([0.1, 0.55, 1])
    assert [line.get_alpha() for line in plotting.plot_fits(x, [x]).lines] == [1]


@pytest.mark.parametrize(
    ("draw", "word"),
    [
        (
            lambda: plotting.plot_classes(np.zeros((3, 3)), np.zeros(3, int)),
            r"x must have shape \(m, 2\), got \(3, 3\)",
        ),
        (
            lambda: plotting.plot_classes(np.zeros((3, 2)), np.zeros(2, int)),
            "y must be one class for each of the 3 points",
        ),
        (lambda: plotting.plot_network([3]), "sizes must be two layers or more"),
        (lambda: plotting.plot_network([3, 0]), "sizes must be two layers or more"),
        (lambda: plotting.plot_network([2, 1], [np.zeros((1, 2))]), r"weights must have the shapes \[\(2, 1\)\]"),
        (lambda: plotting.plot_network([2, 1], labels=["x"]), "labels must be as many as layers, got 1 for 2"),
        (lambda: plotting.plot_weights(np.zeros(3)), "weights must have two dimensions"),
        (lambda: plotting.plot_weights(np.eye(2), limit=0), "limit must be above 0, got 0"),
        (
            lambda: plotting.plot_fits([0, 1], [[1, 2, 3]]),
            r"fits must have shape \(times, 2\) with at least one time, got \(1, 3\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, word):
    with pytest.raises(ValueError, match=word):
        draw()


def test_each_picture_takes_axes_and_returns_them():
    drawings = [
        lambda ax: plotting.plot_classes(np.eye(2), np.arange(2), lambda points: points[:, 0], ax=ax),
        lambda ax: plotting.plot_network([1, 1], ax=ax),
        lambda ax: plotting.plot_weights(np.eye(2), ax=ax),
        lambda ax: plotting.plot_curves({"a": [1, 2]}, ax=ax),
        lambda ax: plotting.plot_paths(lambda omega: omega[..., 0], {"a": np.eye(2)}, limits=((0, 1), (0, 1)), ax=ax),
        lambda ax: plotting.plot_fits([0, 1], np.eye(2), ax=ax),
    ]
    for draw in drawings:
        _, ax = plt.subplots()
        assert draw(ax) is ax
        assert ax.has_data() or ax.patches
