"""The book's training loop: mini-batch gradient descent, a whole epoch compiled into one call."""

import functools
import os
import sys
import time
import warnings

import keras
import numpy as np
import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"dlutils.training needs Keras on TensorFlow, and KERAS_BACKEND selects {keras.backend.backend()!r}; unset it"
    )

_VALIDATION_BATCH = 1000  # bounds memory; the size of a validation batch changes no result


def fit(
    model,
    x,
    y,
    *,
    loss,
    optimizer,
    epochs=1,
    batch_size=32,
    metrics=None,
    validation_data=None,
    callbacks=None,
    shuffle=True,
    seed=0,
    jit_compile="auto",
    verbose="auto",
):
    """Train ``model`` by mini-batch gradient descent, with an epoch's steps in one compiled call.

    It does the arithmetic of Keras ``model.fit`` for the same order of batches, several times faster on small
    networks: the data stay on the device, and Python is entered once an epoch instead of once a batch.

    Parameters
    ----------
    model : keras.Model
        One input, one output, and Keras's own ``train_step``. It is trained in place, and left compiled with
        ``loss``, ``optimizer`` and ``metrics``, so that ``model.evaluate`` and ``model.save`` work afterwards.
    x : array, shape (m, ...)
        The inputs. Floating-point data are cast to Keras's default precision, float32.
    y : array, shape (m,) or (m, outputs)
        The targets, in the form that ``loss`` expects.
    loss, optimizer, metrics
        As in ``model.compile``, with metrics as a list. An optimizer given as an object keeps its state from one call
        to the next, and with the same model, optimizer object, loss, metrics and batch size a later call reuses what
        the earlier one compiled.
    epochs : int
        Passes over the data, at least 1.
    batch_size : int
        Examples per step, at least 1. The last batch of an epoch holds the remainder.
    validation_data : (x, y), optional
        Evaluated after each epoch; its results are recorded with the prefix ``val_``.
    callbacks : list of keras.callbacks.Callback, optional
        Their hooks for epochs, for validation and for training as a whole are called. Those for batches cannot be.
    shuffle : bool
        Draw a new order for each epoch; otherwise every epoch takes the examples as they stand. (Keras 3.15's ``fit``
        repeats one order in all epochs once ``keras.utils.set_random_seed`` was called.)
    seed : int
        Seeds the order of the examples, and nothing else: initial weights and dropout take theirs from
        ``keras.utils.set_random_seed`` or from the layers' own seeds.
    jit_compile : "auto" or bool
        Compile with XLA. "auto" does so but for networks with convolutions where there is no GPU, since XLA's are
        many times slower on a processor than TensorFlow's own, and falls back to an ordinary graph, with a warning,
        where XLA cannot compile the model.
    verbose : "auto" or 0
        Show progress in a notebook or a terminal, or show nothing.

    Returns
    -------
    keras.callbacks.History
        ``history.history["loss"]`` is the mean over the examples of each epoch, taken while the weights change.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot be used; the message names it.
    MemoryError
        If the data do not fit into memory, as a whole and beside the originals.
    """
    epochs = _positive_integer(epochs, "epochs")
    batch_size = _positive_integer(batch_size, "batch_size")
    if jit_compile not in (True, False, "auto"):
        raise ValueError(f'jit_compile must be "auto", True or False, got {jit_compile!r}')
    if verbose not in ("auto", 0):
        raise ValueError(f'verbose must be "auto" or 0, got {verbose!r}')
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    x, y = _tensors(x, y, "x", "y")
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise TypeError(f"validation_data must be a pair (x, y), got {type(validation_data).__name__}")
        validation_data = _tensors(*validation_data, "validation_data[0]", "validation_data[1]")
    if metrics is not None and not isinstance(metrics, (list, tuple)):
        raise TypeError(f"metrics must be a list, got {type(metrics).__name__}")
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError("model has a train_step of its own, which this loop would pass over; use Keras model.fit")
    callbacks = _checked_callbacks(callbacks)

    labels = [y] if validation_data is None else [y, validation_data[1]]
    compiled = _compiled(model, x, labels, loss, optimizer, metrics, batch_size, jit_compile)
    if verbose == "auto":
        callbacks.append(_Progress())
    callbacks = keras.callbacks.CallbackList(callbacks, add_history=True, model=model, epochs=epochs)
    rng = np.random.default_rng(seed)
    examples = np.arange(x.shape[0], dtype=np.int32)

    model.stop_training = False
    callbacks.on_train_begin()
    logs = {}
    for epoch in range(getattr(model, "_initial_epoch", None) or 0, epochs):  # BackupAndRestore sets where to go on
        callbacks.on_epoch_begin(epoch)
        order = tf.constant(rng.permutation(examples) if shuffle else examples)
        logs = compiled.run(compiled.train, x, y, order)
        if validation_data is not None:
            callbacks.on_test_begin()
            validation_logs = compiled.run(compiled.evaluate, *validation_data)
            callbacks.on_test_end(validation_logs)
            logs |= {f"val_{name}": value for name, value in validation_logs.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    callbacks.on_train_end(logs)
    return model.history


class _Compiled:
    """The two functions that ``fit`` compiles for a model: an epoch of training, and an evaluation."""

    def __init__(self, model, batch_size, jit_compile):
        self.model = model
        self.batch_size = batch_size
        self.jit_compile = jit_compile
        self._build()

    def _build(self):
        jit = bool(self.jit_compile)
        # Partial functions, since TensorFlow takes one method of many objects for one function that it traces anew
        # for each of them, and warns. Without AutoGraph, as in Keras: reading our own loops takes it 0.1 s a model.
        self.train, self.evaluate = (
            tf.function(functools.partial(function, self), jit_compile=jit, autograph=False)
            for function in (_Compiled._train_epoch, _Compiled._evaluate)
        )

    def _step(self, x, y):
        """One update from one batch; returns the batch's summed loss."""
        model = self.model
        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = model.compute_loss(x, y, y_pred, training=True)  # a mean over the batch, plus penalties
            scaled_loss = model.optimizer.scale_loss(loss)  # differs from loss in mixed precision only
        gradients = tape.gradient(scaled_loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        model.compute_metrics(x, y, y_pred)
        return loss * tf.cast(tf.shape(x)[0], loss.dtype)

    def _train_epoch(self, x, y, order):
        self.model.reset_metrics()
        total = tf.zeros((), keras.config.floatx())
        steps = order.shape[0] // self.batch_size
        whole = steps * self.batch_size
        batches = tf.reshape(order[:whole], (steps, self.batch_size))

        def one_more(step, total):
            return step + 1, total + self._step(tf.gather(x, batches[step]), tf.gather(y, batches[step]))

        if steps:  # XLA compiles a loop's body even if it never runs, and cannot slice what is empty
            _, total = tf.while_loop(lambda step, _: step < steps, one_more, (0, total))
        if whole < order.shape[0]:
            total += self._step(tf.gather(x, order[whole:]), tf.gather(y, order[whole:]))
        return self._results(total / order.shape[0])

    def _evaluate_batch(self, x, y):
        y_pred = self.model(x, training=False)
        self.model.compute_metrics(x, y, y_pred)
        loss = self.model.compute_loss(x, y, y_pred, training=False)
        return loss * tf.cast(tf.shape(x)[0], loss.dtype)

    def _evaluate(self, x, y):
        self.model.reset_metrics()
        total = tf.zeros((), keras.config.floatx())
        steps = x.shape[0] // _VALIDATION_BATCH
        whole = steps * _VALIDATION_BATCH
        if steps:
            x_batches = tf.reshape(x[:whole], (steps, _VALIDATION_BATCH, *x.shape[1:]))
            y_batches = tf.reshape(y[:whole], (steps, _VALIDATION_BATCH, *y.shape[1:]))

            def one_more(step, total):
                return step + 1, total + self._evaluate_batch(x_batches[step], y_batches[step])

            _, total = tf.while_loop(lambda step, _: step < steps, one_more, (0, total))
        if whole < x.shape[0]:
            total += self._evaluate_batch(x[whole:], y[whole:])
        return self._results(total / x.shape[0])

    def _results(self, loss):
        return self.model.get_metrics_result() | {"loss": loss}  # Keras's own tracker of the loss is idle here

    def run(self, function, *arguments):
        """Call ``function``, one of the two, and return the loss and the metrics as numbers."""
        try:
            results = function(*arguments)
        except tf.errors.OperatorNotAllowedInGraphError as error:
            raise TypeError(
                "model, loss or metrics use a tensor as Python's own bool, number or list, in an if or a for, say; "
                f"write it with keras.ops.where, cond or while_loop: {str(error).strip().splitlines()[0]}"
            ) from error
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if self.jit_compile != "auto":
                raise
            # XLA refuses before the first step, so no weight has moved and the epoch can start over.
            reason = str(error.message).strip().splitlines()[0]
            warnings.warn(f"fit: XLA cannot compile this model and it runs uncompiled: {reason}", stacklevel=3)
            name = "train" if function is self.train else "evaluate"
            self.jit_compile = False
            self._build()
            results = getattr(self, name)(*arguments)
        return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in results.items()}


def _compiled(model, x, labels, loss, optimizer, metrics, batch_size, jit_compile):
    """What was compiled for these arguments before, or else ``model`` compiled with them anew."""
    y_pred = model(x[:1], training=False)  # builds the model if its input shape was not declared
    if not tf.is_tensor(y_pred):
        raise TypeError(f"model must have one output, got a {type(y_pred).__name__}")
    for targets in labels:
        _check_labels(targets, loss, y_pred.shape[-1])
    if not model.trainable_variables:
        raise ValueError("model has no trainable weights")
    layers = tuple((id(layer), layer.trainable) for layer in _layers(model))
    variables = tuple(id(variable) for variable in model.trainable_variables)
    key = (loss, optimizer, tuple(metrics or ()), batch_size, jit_compile, layers, variables)
    # In the instance's dictionary, past Keras's tracking: it goes when the model goes, and is never saved.
    known_key, keras_state, compiled = vars(model).get("_dlutils_fit", (None, None, None))
    keeps_state = isinstance(optimizer, keras.optimizers.Optimizer)
    if keeps_state and known_key == key and keras_state is model._compile_loss:  # model.compile makes new ones
        return compiled
    model.compile(loss=loss, optimizer=optimizer, metrics=metrics, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    # Keras makes the variables of its metrics at their first use, which must not happen inside the compiled loop.
    model.compute_loss(x[:1], labels[0][:1], y_pred, training=False)
    model.compute_metrics(x[:1], labels[0][:1], y_pred)
    if jit_compile == "auto" and _has_convolutions(model) and not tf.config.list_physical_devices("GPU"):
        jit_compile = False
    compiled = _Compiled(model, batch_size, jit_compile)
    vars(model)["_dlutils_fit"] = (key, model._compile_loss, compiled)
    return compiled


def _layers(model):
    """Every layer of ``model``, those inside other layers included."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _has_convolutions(model):
    return any("Conv" in type(layer).__name__ for layer in _layers(model))


def _positive_integer(value, name):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)


def _tensors(x, y, x_name, y_name):
    """Both as tensors on the device, floating-point ones in Keras's default precision."""
    tensors = []
    for value, name in ((x, x_name), (y, y_name)):
        if isinstance(value, (list, tuple, dict)):
            raise TypeError(f"{name} must be one array, got a {type(value).__name__}")
        tensor = _in_memory(value, name)
        if tensor.shape.rank == 0 or tensor.shape[0] == 0:
            raise ValueError(f"{name} must hold at least one example, got shape {tuple(tensor.shape)}")
        tensors.append(tf.cast(tensor, keras.config.floatx()) if tensor.dtype.is_floating else tensor)
    if tensors[0].shape[0] != tensors[1].shape[0]:
        raise ValueError(
            f"{x_name} and {y_name} must hold as many examples as each other, got {tensors[0].shape[0]} "
            f"and {tensors[1].shape[0]}"
        )
    return tensors


def _in_memory(value, name):
    """``value`` as a tensor, or a MemoryError that says what to do where it is too large."""
    needed = getattr(value, "nbytes", 0)
    # What is there at all, as what is free is not known: systems lend it to the cache of files.
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else float("inf")
    try:
        if needed > there:
            raise MemoryError
        return tf.convert_to_tensor(value)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise MemoryError(
            f"{name} takes {needed / 2**30:.1f} GiB and does not fit into memory; this loop holds all of the data. "
            "Use Keras model.fit with a tf.data.Dataset, which reads as it goes (the book's setup page shows how)"
        ) from None


def _check_labels(y, loss, classes):
    """Refuse class numbers that the output has no unit for: XLA would turn them into NaN without a word."""
    loss = keras.losses.get(loss)
    ignored = getattr(loss, "ignore_class", None)
    name = type(loss).__name__ if isinstance(loss, keras.losses.Loss) else getattr(loss, "__name__", "")
    if name not in ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"):
        return
    y = tf.cast(y, tf.int64)
    if ignored is not None:
        y = tf.boolean_mask(y, y != ignored)
    if tf.size(y) == 0:
        return
    lowest, highest = int(tf.reduce_min(y)), int(tf.reduce_max(y))
    if lowest < 0 or highest >= classes:
        raise ValueError(
            f"y must hold class numbers from 0 to {classes - 1}, one for each output of the model, "
            f"got values from {lowest} to {highest}"
        )


def _checked_callbacks(callbacks):
    callbacks = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"callbacks must be Keras callbacks, got {type(callback).__name__}")
        # Keras's own ModelCheckpoint and TensorBoard have such hooks too, idle when they work by the epoch.
        by_epoch = "epoch" in (getattr(callback, "save_freq", None), getattr(callback, "update_freq", None))
        names = [f"on_{kind}batch_{when}" for kind in ("", "train_", "test_") for when in ("begin", "end")]
        if not by_epoch and not all(getattr(getattr(callback, name), "_is_default", False) for name in names):
            raise ValueError(
                f"callbacks: {type(callback).__name__} wants to be called at every batch, and an epoch here is one "
                "call; use Keras model.fit for it, or a hook for epochs"
            )
    return callbacks


class _Progress(keras.callbacks.Callback):
    """One line that is rewritten: in place in a notebook and a terminal, the last state alone on a static page."""

    def on_train_begin(self, logs=None):
        self._start = self._shown = time.perf_counter()
        self._done = 0
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        self._handle = None
        if shell is not None and hasattr(shell, "kernel"):
            self._handle = ipython.display.DisplayHandle()
            self._handle.display({"text/plain": "compiling …"}, raw=True)

    def on_epoch_end(self, epoch, logs=None):
        self._done = epoch + 1
        now = time.perf_counter()
        if now - self._shown > 0.2:
            self._shown = now
            self._show(f"epoch {self._done} of {self.params['epochs']}: {self._numbers(logs)}")

    def on_train_end(self, logs=None):
        seconds = time.perf_counter() - self._start
        epochs = "1 epoch" if self._done == 1 else f"{self._done} epochs"
        self._show(f"{epochs} in {seconds:.1f} s: {self._numbers(logs)}", last=True)

    @staticmethod
    def _numbers(logs):
        names = sorted(logs, key=lambda name: (name.startswith("val_"), "loss" not in name))
        return ", ".join(f"{name} {logs[name]:.4f}" for name in names if np.ndim(logs[name]) == 0)

    def _show(self, line, last=False):
        if self._handle is not None:
            self._handle.update({"text/plain": line.replace(", val_loss", "\nval_loss")}, raw=True)
        elif sys.stderr.isatty():
            print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
