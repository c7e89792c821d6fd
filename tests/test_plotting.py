"""Pictures: what is on them."""

from dlutils import plotting

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

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
