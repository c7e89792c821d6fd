"""What holds of ``dlutils`` for any input: generators, pictures and the training loop, with examples of Hypothesis's.

The same few in each run; ATTACKS=20 in the environment tries a thousand new ones of most, as the weekly run does.
"""

import itertools
import math
import random
import warnings

from dlutils import data, plotting, training

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

matplotlib.use("Agg")

COUNTS = st.integers(1, 300)
SEEDS = st.integers(0, 2**64 - 1)
MAKERS = {
    "line": lambda m, seed: data.make_classes("line", m, seed=seed),
    "parabola": lambda m, seed: data.make_classes("parabola", m, seed=seed),
    "product": lambda m, seed: data.make_classes("product", m, seed=seed),
    "spirals": lambda m, seed: data.make_spirals(m, seed=seed),
    "sine": lambda m, seed: data.make_noisy_sine(m, seed=seed),
}


def state():
    """The random states that belong to all."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), name, keys.tolist(), rest


@given(st.sampled_from(sorted(MAKERS)), COUNTS, SEEDS)
def test_a_generator_is_its_seed_s_and_touches_nothing_global(name, m, seed):
    before = state()
    x, y = MAKERS[name](m, seed)
    np.random.random(3)  # noqa: NPY002 what others draw changes nothing
    again = MAKERS[name](np.int64(m), np.random.default_rng(seed))
    for one, other in zip((x, y), again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (len(x), y.shape) == (m, (m,))
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    if name != "sine":
        assert (x.shape, x.dtype, y.dtype) == ((m, 2), np.float32, np.int32)
        assert set(y.tolist()) <= {0, 1}
    np.random.set_state((before[1], np.array(before[2], np.uint32), *before[3]))  # noqa: NPY002
    MAKERS[name](m, seed)
    assert state() == before


@given(st.sampled_from(sorted(data._BOUNDARIES)), COUNTS, SEEDS)
def test_points_of_classes_lie_in_their_ranges_and_on_their_sides(boundary, m, seed):
    side, low, high = data._BOUNDARIES[boundary]
    x, y = data.make_classes(boundary, m, seed=seed)
    assert (x >= low).all()
    assert (x <= high).all()
    assert y.tolist() == [int(side(float(first), float(second)) >= 0) for first, second in x]


@given(COUNTS, st.floats(1e-3, 20), st.floats(0, 5), SEEDS)
def test_spirals_are_two_of_equal_size_as_wide_as_the_noise_allows(m, turns, noise, seed):
    x, y = data.make_spirals(m, turns=turns, noise=noise, seed=seed)
    assert abs((y == 0).sum() - (y == 1).sum()) <= 1
    exact = data.make_spirals(m, turns=turns, noise=0, seed=seed)[0]
    radius = np.hypot(*exact.T)
    assert radius.min() >= 0.1 - 1e-6
    assert radius.max() <= 1 + 1e-6
    assert np.abs(x - exact).max() <= 8 * noise + 1e-6


@given(COUNTS, st.floats(0, 1e6), SEEDS)
def test_a_noisy_sine_is_no_farther_off_than_its_noise(m, noise, seed):
    x, y = data.make_noisy_sine(m, noise=noise, seed=seed)
    assert (x[0], x[-1]) == ((-3, 3) if m > 1 else (-3, -3))
    assert (np.abs(y - np.sin(x)) <= noise * (1 + 1e-9) + 1e-9).all()


NO_COUNT = st.one_of(st.integers(max_value=0), st.floats(), st.text(), st.none(), st.lists(st.integers(), max_size=2))
NO_NOISE = st.one_of(
    st.floats(max_value=-1e-300),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.text(),
    st.none(),
    st.complex_numbers(),
)


@given(NO_COUNT, st.sampled_from(sorted(MAKERS)))
def test_what_is_no_count_is_refused_by_name(m, name):
    with pytest.raises((TypeError, ValueError), match=r"^m must be"):
        MAKERS[name](m, 0)


@given(NO_NOISE)
def test_what_is_no_noise_or_no_turns_is_refused_by_name(value):
    for make, name in (
        (lambda: data.make_spirals(5, noise=value), "noise"),
        (lambda: data.make_noisy_sine(5, noise=value), "noise"),
        (lambda: data.make_spirals(5, turns=value), "turns"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
            make()


@given(st.text() | st.integers() | st.none() | st.tuples(st.text()) | st.lists(st.text(), max_size=2))
def test_what_is_no_boundary_is_refused_by_name(boundary):
    assume(boundary not in list(data._BOUNDARIES))
    with pytest.raises((TypeError, ValueError), match=r"boundary must be one of|^boundary"):
        data.make_classes(boundary)


# Pictures: any finite data. Numbers near the end of the range overflow in matplotlib itself, and no chapter has them.
LARGE = float(np.float32(1e30))
NUMBERS = st.floats(-LARGE, LARGE, width=32)


def arrays(*sizes, elements=NUMBERS):
    return hnp.arrays(np.float32, st.tuples(*sizes), elements=elements)


def drawn(draw):
    """Draw, and have the picture made, without a warning but that the font lacks a letter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            ax = draw()
            ax.figure.canvas.draw()
        return ax
    finally:
        plt.close("all")


SIDE, FEW = st.integers(1, 6), settings.default.max_examples


@settings(max_examples=max(8, FEW // 4))
@given(arrays(st.integers(1, 5), SIDE, SIDE), st.integers(1, 7), st.booleans(), st.text(max_size=4))
def test_any_images_can_be_drawn(images, columns, captions, caption):
    assume("$" not in caption and caption.isprintable())
    ax = drawn(lambda: plotting.plot_digits(images, [caption] * len(images) if captions else None, columns=columns))
    assert len(ax.patches) == len(images)
    assert len(ax.texts) == captions * len(images)


@settings(max_examples=max(8, FEW // 4))
@given(st.data())
def test_any_points_can_be_drawn_with_any_answer(given):
    m = given.draw(st.integers(0, 30))
    x = given.draw(arrays(st.just(m), st.just(2)))
    y = given.draw(hnp.arrays(np.int32, m, elements=st.integers(0, 6)))
    weights = given.draw(arrays(st.just(2), st.integers(1, 4), elements=st.floats(-5, 5, width=32)))
    answer = given.draw(st.sampled_from([None, lambda points: 1 / (1 + np.exp(-np.tanh(points @ weights)))]))
    drawn(lambda: plotting.plot_classes(x, y, answer))


@settings(max_examples=max(8, FEW // 4))
@given(arrays(st.integers(1, 6), st.integers(1, 6)), st.none() | st.floats(1e-3, 1e3), st.booleans())
def test_any_weights_can_be_drawn(weights, limit, colorbar):
    drawn(lambda: plotting.plot_weights(weights, limit=limit, colorbar=colorbar))


@settings(max_examples=max(6, FEW // 4))
@given(st.lists(st.integers(1, 12), min_size=2, max_size=3), st.none() | NUMBERS, SEEDS)
def test_any_network_can_be_drawn(sizes, scale, seed):
    rng = np.random.default_rng(seed)
    weights = None if scale is None else [scale * rng.normal(size=pair) for pair in itertools.pairwise(sizes)]
    ax = drawn(lambda: plotting.plot_network(sizes, weights))
    assert len(ax.patches) == sum(min(size, 6) if size > 10 else size for size in sizes)


@settings(max_examples=max(8, FEW // 4))
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.lists(NUMBERS, min_size=1, max_size=40))
def test_any_curves_and_histories_can_be_drawn(first, second):
    drawn(lambda: plotting.plot_curves({"one": first, "two": second}))
    drawn(lambda: plotting.plot_history({"loss": first, "val_loss": second}))


@settings(max_examples=max(8, FEW // 4))
@given(arrays(st.integers(1, 5), st.integers(1, 8)), arrays(st.integers(1, 9), st.just(2)))
def test_any_fits_and_paths_can_be_drawn(fits, path):
    drawn(lambda: plotting.plot_fits(np.arange(fits.shape[1]), fits, path.T))
    limits = ((-1, 1), (-2, 2))
    drawn(lambda: plotting.plot_paths(lambda omega: (omega**2).sum(-1), {"a": path, "b": path[:1]}, limits=limits))


SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)


@settings(max_examples=max(8, FEW // 4))
@given(SHAPES, SHAPES)
def test_shapes_that_cannot_be_drawn_are_refused_by_name(first, second):
    """Whatever the shapes: a picture, or an error that begins with the name of a parameter."""
    x, y = np.zeros(first), np.zeros(second)
    for draw, names in (
        (lambda: plotting.plot_digits(x), "images"),
        (lambda: plotting.plot_classes(x, y), "x|y"),
        (lambda: plotting.plot_weights(x), "weights"),
        (lambda: plotting.plot_fits(np.zeros(3), x), "fits"),
        (lambda: plotting.plot_network([2, 3], [x]), "weights"),
    ):
        try:
            drawn(draw)
        except (ValueError, TypeError) as error:
            assert str(error).split()[0] in names.split("|")  # noqa: PT017


# The loop: beside Keras's own, which takes the batches in the order in which the examples stand.


def network(inputs, outputs, seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(outputs)]
    return keras.Sequential([keras.Input((inputs,)), *layers])


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
}


def by_hand(model, x, y, optimizer, batch_size, epochs, orders):
    """An eager loop over the batches with a GradientTape; returns the mean loss of each epoch."""
    losses = []
    for _, order in zip(range(epochs), orders, strict=False):
        total = 0.0
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x[batch]) - y[batch]) ** 2)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            total += float(loss) * len(batch)
        losses.append(total / len(x))
    return losses


@settings(max_examples=max(1, FEW // 20))  # each compiles three networks
@given(
    m=st.integers(1, 23),
    batch_size=st.integers(1, 30),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 2),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
@example(m=3, batch_size=30, inputs=1, outputs=1, optimizer="adam", shuffle=True, seed=3)
@example(m=13, batch_size=4, inputs=2, outputs=2, optimizer="sgd", shuffle=True, seed=2)
def test_any_batches_of_any_examples_in_any_order_give_what_a_plain_loop_and_keras_give(
    m, batch_size, inputs, outputs, optimizer, shuffle, seed
):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(m, inputs)).astype(np.float32)
    y = rng.normal(size=(m, outputs)).astype(np.float32)
    ours, plain, theirs = (network(inputs, outputs, seed % 1000) for _ in range(3))
    settings = {"loss": "mse", "optimizer": OPTIMIZERS[optimizer]()}
    history = training.fit(
        ours,
        x,
        y,
        batch_size=batch_size,
        epochs=2,
        shuffle=shuffle,
        seed=seed,
        jit_compile=False,
        verbose=0,
        **settings,
    )
    orders = [np.random.default_rng(seed)] * 2
    orders = [rng.permutation(m) if shuffle else np.arange(m) for rng in orders]
    losses = by_hand(plain, x, y, OPTIMIZERS[optimizer](), batch_size, 2, orders)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-4, atol=1e-6)
    theirs.compile(loss="mse", optimizer=OPTIMIZERS[optimizer]())
    for order in orders:
        theirs.fit(x[order], y[order], batch_size=batch_size, shuffle=False, verbose=0)
    for one, two, three in zip(ours.get_weights(), plain.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)
        np.testing.assert_allclose(one, three, rtol=0, atol=1e-5)


NO_POSITIVE = st.integers(max_value=0) | st.floats() | st.text(max_size=3) | st.none() | st.booleans()


@given(NO_POSITIVE, st.sampled_from(["epochs", "batch_size"]))
def test_what_is_no_number_of_epochs_or_examples_is_refused_by_name(value, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        training.fit(None, None, None, loss="mse", optimizer="sgd", **{name: value})


@settings(max_examples=max(8, FEW // 4))
@given(SHAPES, SHAPES)
def test_examples_that_do_not_match_are_refused_by_name(first, second):
    assume(not (first and second and first[0] == second[0] > 0))
    with pytest.raises((TypeError, ValueError), match=r"^(x|y) (and y )?must"):
        training.fit(network(1, 1, 0), np.zeros(first), np.zeros(second), loss="mse", optimizer="sgd", verbose=0)
