"""The training loop: against Keras's own, and in what Keras's has no equal to."""

import io
import re
import sys
import warnings
from pathlib import Path

from dlutils import training

import keras
import numpy as np
import pytest
import tensorflow as tf

M = 70  # with batches of 16: four whole ones and a remainder of 6


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(M, 5)).astype("float32")
    return x, (x[:, 0] * x[:, 1] > 0).astype("int32") + (x[:, 2] > 0)


def classifier(seed=3, dropout=0.0, penalty=None):
    """Three classes; batch norm without a bias before it, whose gradient would be rounding alone."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(8, use_bias=False, kernel_regularizer=penalty),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.ReLU(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(3),
        ]
    )


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
}


def fit(model, x, y, **options):
    """Without XLA, which takes a second a model, where a test does not ask for it."""
    settings = {"loss": cross_entropy(), "optimizer": "sgd", "batch_size": 16, "verbose": 0, "jit_compile": False}
    settings |= options
    return training.fit(model, x, y, **settings)


def assert_same_weights(one, other, **tolerance):
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, **tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_does_the_arithmetic_of_keras(examples, name, jit_compile):
    x, y = examples
    ours, theirs = classifier(), classifier()
    assert_same_weights(ours, theirs, rtol=0)
    history = fit(
        ours,
        x,
        y,
        optimizer=OPTIMIZERS[name](),
        metrics=["accuracy"],
        epochs=4,
        validation_data=(x[:21], y[:21]),
        shuffle=False,
        jit_compile=jit_compile,
    )
    theirs.compile(loss=cross_entropy(), optimizer=OPTIMIZERS[name](), metrics=["accuracy"])
    expected = theirs.fit(x, y, epochs=4, batch_size=16, validation_data=(x[:21], y[:21]), shuffle=False, verbose=0)
    assert_same_weights(ours, theirs, rtol=0, atol=1e-5)  # running moments of batch norm among them
    assert history.epoch == expected.epoch
    assert set(history.history) == set(expected.history)
    for key, values in expected.history.items():
        np.testing.assert_allclose(history.history[key], values, atol=1e-5, err_msg=key)


def test_an_average_that_the_optimizer_keeps_of_the_weights_takes_their_place_at_the_end(examples):
    x, y = examples
    ours, theirs = classifier(), classifier()
    averaged = {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.9}
    fit(ours, x, y, optimizer=keras.optimizers.SGD(**averaged), epochs=2, shuffle=False, jit_compile="auto")
    theirs.compile(loss=cross_entropy(), optimizer=keras.optimizers.SGD(**averaged))
    theirs.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    assert_same_weights(ours, theirs, rtol=0, atol=1e-5)
    plain = classifier()
    fit(plain, x, y, optimizer=keras.optimizers.SGD(0.1), epochs=2, shuffle=False)
    assert not np.allclose(plain.get_weights()[0], ours.get_weights()[0], atol=1e-3)


def test_an_optimizer_that_scales_the_loss_takes_the_same_steps(examples):
    x, y = examples
    scaled, plain = classifier(), classifier()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0)
    first = fit(scaled, x, y, optimizer=optimizer, epochs=2, jit_compile="auto")
    second = fit(plain, x, y, optimizer=keras.optimizers.SGD(0.1), epochs=2)
    assert_same_weights(scaled, plain, rtol=0, atol=1e-5)
    np.testing.assert_allclose(first.history["loss"], second.history["loss"], rtol=1e-5)  # and tells the loss itself


def test_a_penalty_on_the_weights_counts_as_in_keras(examples):
    x, y = examples
    ours, theirs = classifier(penalty=keras.regularizers.L2(0.1)), classifier(penalty=keras.regularizers.L2(0.1))
    history = fit(ours, x, y, epochs=2, shuffle=False, validation_data=(x, y))
    theirs.compile(loss=cross_entropy(), optimizer="sgd")
    expected = theirs.fit(x, y, epochs=2, batch_size=16, shuffle=False, validation_data=(x, y), verbose=0)
    assert_same_weights(ours, theirs, rtol=0, atol=1e-5)
    for key in ("loss", "val_loss"):
        np.testing.assert_allclose(history.history[key], expected.history[key], atol=1e-5)


def test_targets_without_an_axis_for_the_single_output(examples):
    x, _ = examples
    models = []
    for train in (training.fit, None):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
        if train:
            train(model, x, x[:, 0], loss="mse", optimizer="sgd", epochs=3, shuffle=False, verbose=0)
        else:
            model.compile(loss="mse", optimizer="sgd")
            model.fit(x, x[:, 0], epochs=3, shuffle=False, verbose=0)
        models.append(model)
    assert_same_weights(*models, rtol=0, atol=1e-5)


def test_shuffling_takes_every_example_once_an_epoch_in_an_order_from_the_seed(examples):
    x, y = examples
    ours, theirs = classifier(), classifier()
    fit(ours, x, y, epochs=2, seed=11)
    theirs.compile(loss=cross_entropy(), optimizer="sgd")
    rng = np.random.default_rng(11)
    for _ in range(2):
        order = rng.permutation(M)
        theirs.fit(x[order], y[order], batch_size=16, shuffle=False, verbose=0)
    assert_same_weights(ours, theirs, rtol=0, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(examples):
    x, y = examples
    runs = []
    for seed in (1, 1, 2):
        model = classifier(dropout=0.5)
        fit(model, x, y, optimizer=OPTIMIZERS["adam"](), epochs=5, seed=seed, jit_compile="auto")
        runs.append(model)
    assert_same_weights(runs[0], runs[1], rtol=0)
    assert any((one != other).any() for one, other in zip(runs[0].get_weights(), runs[2].get_weights(), strict=True))


def test_it_leaves_the_global_random_state_alone(examples):
    np.random.seed(5)  # noqa: NPY002  the state in question
    expected = np.random.random()  # noqa: NPY002
    model = classifier()
    np.random.seed(5)  # noqa: NPY002
    fit(model, *examples, epochs=2)
    assert np.random.random() == expected  # noqa: NPY002


def test_dropout_is_on_in_training_and_off_in_validation(examples):
    x, y = examples
    model = classifier(dropout=0.5)
    still = keras.optimizers.SGD(0.0)
    whole = {"batch_size": M, "jit_compile": "auto"}
    history = fit(model, x, y, optimizer=still, epochs=3, validation_data=(x, y), **whole)
    assert len(set(history.history["loss"])) == 3, "a new mask in every epoch"
    keras.utils.set_random_seed(0)
    model = classifier()
    history = fit(model, x, y, optimizer=keras.optimizers.SGD(0.0), epochs=3, shuffle=False, **whole)
    assert len(set(history.history["loss"])) == 1


def test_validation_is_what_evaluate_says(examples, monkeypatch):
    x, y = examples
    monkeypatch.setattr(training, "_VALIDATION_BATCH", 32)  # so that validation has a remainder too
    model = classifier(dropout=0.3)
    history = fit(model, x, y, metrics=["accuracy"], epochs=2, validation_data=(x, y), jit_compile="auto")
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(loss, abs=1e-6)
    assert history.history["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-6)


def compiled(model):
    return vars(model)["_dlutils_fit"][-1]


def test_a_second_call_reuses_what_was_compiled_and_goes_on(examples):
    x, y = examples
    model, optimizer, loss = classifier(), OPTIMIZERS["adam"](), cross_entropy()
    options = {"loss": loss, "optimizer": optimizer, "metrics": ["accuracy"], "epochs": 2, "jit_compile": "auto"}
    fit(model, x, y, **options)
    first = compiled(model)
    fit(model, x, y, **options)
    assert compiled(model) is first
    assert first.train.experimental_get_tracing_count() == 1
    assert int(optimizer.iterations) == 2 * 2 * 5, "the optimizer counts on"
    fit(model, x, y, **options | {"batch_size": 20})
    assert compiled(model) is not first


def test_freezing_a_layer_between_two_calls_is_seen(examples):
    x, y = examples
    model, optimizer, loss = classifier(), OPTIMIZERS["sgd"](), cross_entropy()
    fit(model, x, y, loss=loss, optimizer=optimizer)
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()[0]
    fit(model, x, y, loss=loss, optimizer=keras.optimizers.SGD(0.1))
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], before)


def test_an_optimizer_named_by_a_word_starts_afresh(examples):
    x, y = examples
    model = classifier()
    fit(model, x, y, optimizer="adam", epochs=2)
    fit(model, x, y, optimizer="adam")
    assert int(model.optimizer.iterations) == 5


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
def test_a_call_of_compile_in_between_is_seen(examples, metrics):
    x, y = examples
    model, optimizer, loss = classifier(), OPTIMIZERS["sgd"](), cross_entropy()
    options = {"loss": loss, "optimizer": optimizer, "metrics": metrics}
    fit(model, x, y, **options)
    model.compile(loss="mse", optimizer=optimizer, metrics=metrics)
    losses = fit(model, x, y, **options, validation_data=(x, y)).history
    assert model.loss is loss
    assert losses["val_loss"][-1] == pytest.approx(np.ravel(model.evaluate(x, y, verbose=0))[0], abs=1e-6)


def test_freezing_a_layer_without_trainable_weights_is_seen(examples):
    x, y = examples
    keras.utils.set_random_seed(0)
    moments = keras.layers.BatchNormalization(center=False, scale=False)
    model = keras.Sequential([keras.Input((5,)), moments, keras.layers.Dense(3)])
    optimizer, loss = OPTIMIZERS["sgd"](), cross_entropy()
    fit(model, x, y, loss=loss, optimizer=optimizer)
    moments.trainable = False
    before = moments.get_weights()
    fit(model, x, y, loss=loss, optimizer=optimizer)
    for one, other in zip(before, moments.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_in_mixed_precision_it_trains_and_reuses(examples):
    x, y = examples
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, optimizer, loss = classifier(), OPTIMIZERS["sgd"](), cross_entropy()
        first = fit(model, x, y, loss=loss, optimizer=optimizer, epochs=5, jit_compile="auto")
        known = compiled(model)
        last = fit(model, x, y, loss=loss, optimizer=optimizer, epochs=5, jit_compile="auto")
    finally:
        keras.config.set_dtype_policy("float32")
    assert compiled(model) is known
    assert last.history["loss"][-1] < first.history["loss"][0]


def test_many_models_in_a_row_bring_no_warning(examples, caplog):
    for _ in range(7):
        fit(classifier(), *examples, epochs=2, validation_data=examples)
    assert "retracing" not in caplog.text


def test_a_batch_larger_than_the_data_is_the_whole_of_it(examples):
    x, y = examples
    one, other = classifier(), classifier()
    fit(one, x, y, batch_size=1000, epochs=2, shuffle=False)
    fit(other, x, y, batch_size=M, epochs=2, shuffle=False)
    assert_same_weights(one, other, rtol=0)


def test_a_learning_rate_schedule_advances_by_the_step(examples):
    x, y = examples
    ours, theirs, constant = classifier(), classifier(), classifier()
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 6], [0.1, 0.5, 0.0])
    fit(ours, x, y, optimizer=keras.optimizers.SGD(schedule), epochs=2, shuffle=False)
    theirs.compile(loss=cross_entropy(), optimizer=keras.optimizers.SGD(schedule))
    theirs.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    assert_same_weights(ours, theirs, rtol=0, atol=1e-5)
    fit(constant, x, y, optimizer=keras.optimizers.SGD(0.1), epochs=2, shuffle=False)
    assert not np.allclose(ours.layers[-1].get_weights()[0], constant.layers[-1].get_weights()[0], atol=1e-3)


class TestCallbacks:
    def test_early_stopping_stops_and_restores(self, examples):
        x, y = examples
        stopping = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
        model = classifier()
        history = fit(
            model,
            x,
            y,
            optimizer=keras.optimizers.Adam(0.2),
            epochs=200,
            validation_data=(x[:20], (y[:20] + 1) % 3),
            callbacks=[stopping],
        )
        losses = history.history["val_loss"]
        assert len(losses) == np.argmin(losses) + 3 < 200
        assert model.evaluate(x[:20], (y[:20] + 1) % 3, verbose=0) == pytest.approx(min(losses), abs=1e-5)

    def test_a_checkpoint_is_a_whole_model(self, examples, tmp_path):
        x, y = examples
        path = tmp_path / "model.keras"
        model = classifier()
        fit(model, x, y, epochs=2, callbacks=[keras.callbacks.ModelCheckpoint(path)])
        assert_same_weights(keras.models.load_model(path), model, rtol=0)

    def test_hooks_for_epochs_are_called_with_the_results(self, examples):
        seen = []
        hook = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: seen.append("begin"),
            on_epoch_begin=lambda epoch, logs: seen.append(epoch),
            on_epoch_end=lambda epoch, logs: seen.append(sorted(logs)),
            on_train_end=lambda logs: seen.append("end"),
        )
        fit(classifier(), *examples, epochs=2, metrics=["accuracy"], callbacks=[hook])
        assert seen == ["begin", 0, ["accuracy", "loss"], 1, ["accuracy", "loss"], "end"]

    def test_a_rate_set_by_a_callback_is_used(self, examples):
        x, y = examples
        model = classifier()
        before = model.layers[-1].get_weights()[0]
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.0)
        fit(model, x, y, epochs=2, callbacks=[rate])
        np.testing.assert_array_equal(model.layers[-1].get_weights()[0], before)

    def test_a_run_that_was_cut_off_goes_on_where_it_was(self, examples, tmp_path):
        x, y = examples

        def power_cut(epoch, logs):
            if epoch == 2:
                raise OSError("power cut")

        def train(model, hooks=()):
            backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
            adam = OPTIMIZERS["adam"]()
            return fit(model, x, y, optimizer=adam, epochs=4, callbacks=[backup, *hooks], shuffle=False)

        with pytest.raises(OSError, match="power cut"):
            train(classifier(), [keras.callbacks.LambdaCallback(on_epoch_begin=power_cut)])
        resumed, whole = classifier(), classifier()
        assert train(resumed).epoch == [2, 3]
        assert train(whole).epoch == [0, 1, 2, 3], "a run that ended well leaves no backup"
        assert_same_weights(resumed, whole, rtol=0, atol=1e-6)

    def test_validation_is_announced(self, examples):
        x, y = examples
        results = []
        for train in (fit, None):
            model = classifier()
            options = {
                "epochs": 3,
                "shuffle": False,
                "validation_data": (x, y),
                "callbacks": [keras.callbacks.SwapEMAWeights()],  # validates with averaged weights
            }
            optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
            if train:
                history = train(model, x, y, optimizer=optimizer, **options)
            else:
                model.compile(loss=cross_entropy(), optimizer=optimizer)
                history = model.fit(x, y, batch_size=16, verbose=0, **options)
            results.append(history.history["val_loss"])
        np.testing.assert_allclose(*results, atol=1e-5)

    @pytest.mark.parametrize(
        "callback",
        [
            keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
            keras.callbacks.ModelCheckpoint("x.keras", save_freq=10),
            keras.callbacks.TerminateOnNaN(),
        ],
    )
    def test_hooks_for_batches_are_refused_not_ignored(self, examples, callback):
        with pytest.raises(
            ValueError, match=rf"callbacks: {type(callback).__name__} wants to be called at every batch"
        ):
            fit(classifier(), *examples, callbacks=[callback])


class NotForXLA(keras.layers.Layer):
    def call(self, x):
        # A call back into Python, which no compiler can follow.
        zeros = tf.ensure_shape(tf.numpy_function(np.zeros_like, [x], x.dtype), x.shape)
        return x + tf.stop_gradient(zeros)


def with_layer(layer):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((5,)), layer, keras.layers.Dense(3)])


def test_where_xla_cannot_it_says_so_and_trains_all_the_same(examples):
    x, y = examples
    model, plain = with_layer(NotForXLA()), with_layer(NotForXLA())
    with pytest.warns(UserWarning, match="XLA cannot compile this model and it runs uncompiled"):
        fit(model, x, y, epochs=2, validation_data=(x, y), jit_compile="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(plain, x, y, epochs=2, validation_data=(x, y), jit_compile=False)
    assert_same_weights(model, plain, rtol=0)


def test_where_xla_was_demanded_and_cannot_it_fails(examples):
    with pytest.raises(tf.errors.InvalidArgumentError):
        fit(with_layer(NotForXLA()), *examples, jit_compile=True)


class Asking(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x) if tf.reduce_sum(x) > 0 else self.dense(-x)


@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_a_layer_that_asks_a_tensor_in_python_is_told_how_to_ask(examples, jit_compile):
    with pytest.raises(TypeError, match=r"model, loss or metrics use a tensor as Python's own bool.*keras\.ops\.where"):
        fit(Asking(), *examples, jit_compile=jit_compile)


def test_convolutions_are_left_to_tensorflow_without_a_gpu():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    nested = keras.Sequential([keras.Input((8, 8, 1)), model, keras.layers.Dense(3)])
    fit(nested, np.ones((4, 8, 8, 1)), np.zeros(4, "int32"), jit_compile="auto")
    assert compiled(nested).jit_compile is bool(tf.config.list_physical_devices("GPU"))


def test_the_model_is_left_compiled_and_can_be_saved(examples, tmp_path):
    x, y = examples
    model = classifier()
    fit(model, x, y, metrics=["accuracy"])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))


def test_double_precision_is_cast_to_the_precision_of_keras(examples):
    x, y = examples
    one, other = classifier(), classifier()
    fit(one, x.astype("float64"), y)
    fit(other, x, y)
    assert_same_weights(one, other, rtol=0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 2.0}, TypeError, "epochs must be an integer, got 2.0"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1, got -1"),
        ({"batch_size": True}, TypeError, "batch_size must be an integer, got True"),
        ({"x": np.ones((3, 5))}, ValueError, "x and y must hold as many examples as each other, got 3 and 70"),
        ({"x": np.ones((0, 5)), "y": np.ones(0)}, ValueError, "x must hold at least one example"),
        ({"x": [np.ones((M, 5))]}, TypeError, "x must be one array, got a list"),
        ({"y": np.full(M, 3)}, ValueError, "y must hold class numbers from 0 to 2.*from 3 to 3"),
        ({"y": np.full(M, -1)}, ValueError, "y must hold class numbers from 0 to 2.*from -1 to -1"),
        ({"validation_data": np.ones(3)}, TypeError, r"validation_data must be a pair \(x, y\), got ndarray"),
        (
            {"validation_data": (np.ones((2, 5)), np.ones(3))},
            ValueError,
            r"validation_data\[0\] and validation_data\[1\] must hold as many",
        ),
        ({"metrics": {"a": "accuracy"}}, TypeError, "metrics must be a list, got dict"),
        ({"callbacks": [print]}, TypeError, "callbacks must be Keras callbacks, got builtin_function_or_method"),
        ({"jit_compile": "yes"}, ValueError, "jit_compile must be"),
        ({"verbose": 2}, ValueError, "verbose must be"),
        ({"model": "a model"}, TypeError, "model must be a keras.Model, got str"),
    ],
)
def test_what_cannot_be_used_is_named(examples, changes, error, message):
    arguments = {"model": classifier(), "x": examples[0], "y": examples[1]} | changes
    with pytest.raises(error, match=message):
        fit(arguments.pop("model"), arguments.pop("x"), arguments.pop("y"), **arguments)


def test_data_that_do_not_fit_are_refused_and_the_way_is_shown(examples, monkeypatch):
    too_much = np.lib.stride_tricks.as_strided(np.zeros(1, "float32"), (2**42, 5), (0, 0))  # 80 TiB of one number
    with pytest.raises(MemoryError, match=r"x takes 81920\.0 GiB and does not fit .*Keras model\.fit with a tf\.data"):
        fit(classifier(), too_much, examples[1])

    model = classifier()

    def full(value):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(training.tf, "convert_to_tensor", full)
    with pytest.raises(MemoryError, match=r"x takes 0\.0 GiB and does not fit"):
        fit(model, *examples)


def test_the_way_that_the_setup_page_shows_for_them_works(tmp_path, monkeypatch):
    page = (Path(__file__).parent.parent / "book" / "setup.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.normal(size=(70, 4, 4)).astype("float32"))
    np.save("y.npy", rng.integers(10, size=70))
    space = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        exec(source.replace("epochs=5", "epochs=5, verbose=0"), space)
    history = space["model"].history.history
    assert history["loss"][-1] < history["loss"][0]
    assert len(history["loss"]) == 5
    assert int(space["model"].optimizer.iterations) == 5 * 3, "batches of 32, and the rest"


def test_labels_are_checked_in_every_form_of_the_loss(examples):
    x, y = examples
    bad = np.where(np.arange(M) == 5, 3, y)
    for loss in (cross_entropy(), "sparse_categorical_crossentropy", keras.losses.sparse_categorical_crossentropy):
        with pytest.raises(ValueError, match="y must hold class numbers"):
            fit(classifier(), x, bad, loss=loss)
    with pytest.raises(ValueError, match="y must hold class numbers"):
        fit(classifier(), x, y, validation_data=(x, bad))
    ignoring = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    losses = fit(classifier(), x, np.where(np.arange(M) == 5, 255, y), loss=ignoring).history["loss"]
    assert np.isfinite(losses).all()
    assert np.isfinite(fit(classifier(), x, y > 0).history["loss"]).all()


class Subclassed(keras.Model):
    def __init__(self, outputs=1):
        super().__init__()
        self.dense, self.outputs_wanted = keras.layers.Dense(3), outputs

    def call(self, x):
        return self.dense(x) if self.outputs_wanted == 1 else [self.dense(x)] * self.outputs_wanted


class WithItsOwnStep(Subclassed):
    def train_step(self, data):
        return {"loss": 42.0}


def test_any_model_of_one_output_will_do(examples):
    losses = fit(Subclassed(), *examples, epochs=5).history["loss"]
    assert losses[-1] < losses[0]
    with pytest.raises(TypeError, match="model must have one output, got a list"):
        fit(Subclassed(outputs=2), *examples)
    with pytest.raises(ValueError, match="model has a train_step of its own"):
        fit(WithItsOwnStep(), *examples)


def test_a_metric_that_is_a_vector_is_recorded(examples):
    x, y = examples
    f1 = keras.metrics.F1Score()
    history = fit(classifier(), x, np.eye(3)[y], loss="categorical_hinge", metrics=[f1], verbose="auto")
    assert history.history["f1_score"][0].shape == (3,)


def test_a_model_without_weights_is_refused(examples):
    model = keras.Sequential([keras.Input((5,)), keras.layers.ReLU()])
    with pytest.raises(ValueError, match="model has no trainable weights"):
        fit(model, *examples)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_one_line_is_rewritten(examples, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    fit(classifier(), *examples, epochs=2, metrics=["accuracy"], validation_data=examples, verbose="auto")
    last = screen.getvalue().split("\r")[-1]
    assert screen.getvalue().count("\n") == 1
    for part in ("2 epochs in", "loss", "accuracy", "val_loss", "val_accuracy"):
        assert part in last


def test_in_a_pipe_and_when_told_so_it_is_silent(examples, monkeypatch, capsys):
    fit(classifier(), *examples, verbose="auto")
    monkeypatch.setattr(sys, "stderr", Terminal())
    fit(classifier(), *examples, verbose=0)
    assert sys.stderr.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_one_output_is_left(tmp_path):
    import nbclient
    import nbformat

    source = (
        "from dlutils import training\nimport keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        "history = training.fit(model, np.ones((8, 1)), np.ones(8), loss='mse', optimizer='sgd', epochs=400)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"].startswith("400 epochs in ")
    assert set(output.data) == {"text/plain"}, "plain text needs no script on a static page"
