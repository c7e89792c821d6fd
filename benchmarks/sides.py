"""The ways to train a work: the book's loop, and what a reader would otherwise write.

    python benchmarks/sides.py SIDE FILE

runs one of them on the work in FILE, in this process, and prints a line of JSON: ``seconds``, the whole training call,
its first call's start-up and compiling included, importing and loading data not; ``compile_s``, the first epoch less
the median of the others; ``epoch_s``, that median; ``rss_mb``, the most memory that the process has held; ``metric``.
"""

import ctypes
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from works import Work


class Clock:
    """Notes when the training begins, and when each epoch ends."""

    def __init__(self):
        self.marks = [time.perf_counter()]

    def lap(self, *_):
        self.marks.append(time.perf_counter())

    def told(self):
        laps = np.diff(self.marks)
        usual = statistics.median(laps[1:]) if len(laps) > 1 else float(laps[0])
        return {"compile_s": float(laps[0] - usual), "epoch_s": float(usual)}


def keras_model(work):
    """The network with its first weights, as a Keras model, and its loss and its rule."""
    import keras
    import tensorflow as tf

    *hidden, last = work.sizes[1:]
    layers = [keras.layers.Dense(units, activation=work.act) for units in hidden]
    model = keras.Sequential([keras.Input((work.sizes[0],)), *layers, keras.layers.Dense(last)])
    model.set_weights(work.first)

    def absolute(y, answers):
        return tf.reduce_mean(tf.reduce_sum(tf.abs(answers - y), axis=1))

    losses = {"softmax": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "squared": "mse"}
    rule, rate = work.rule
    rules = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    return model, losses.get(work.loss, absolute), rules[rule](rate)


def book(work):
    """The book's loop, dlutils.training.fit."""
    from dlutils import training

    import keras

    model, loss, optimizer = keras_model(work)
    x, y = work.arrays["x"], work.arrays["y"]
    metrics = ["accuracy"] if work.loss == "softmax" else None

    def run(clock):
        laps = keras.callbacks.LambdaCallback(on_epoch_end=clock.lap)
        options = {"epochs": work.epochs, "batch_size": work.batch, "shuffle": work.shuffle, "metrics": metrics}
        training.fit(model, x, y, loss=loss, optimizer=optimizer, callbacks=[laps], verbose=0, **options)
        return model.get_weights()

    return run


def keras_fit(work, *, steps=None, compiled=None, epochs=None, rows=None):
    """Keras model.fit as one writes it at first; ``compiled`` and ``steps`` tune it."""
    import keras

    model, loss, optimizer = keras_model(work)
    x, y = (work.arrays[name][:rows] for name in "xy")
    metrics = ["accuracy"] if work.loss == "softmax" else None

    def run(clock):
        laps = keras.callbacks.LambdaCallback(on_epoch_end=clock.lap)
        tuned = {} if steps is None else {"steps_per_execution": steps, "jit_compile": compiled}
        model.compile(loss=loss, optimizer=optimizer, metrics=metrics, **tuned)
        options = {"epochs": epochs or work.epochs, "batch_size": work.batch, "shuffle": work.shuffle}
        model.fit(x, y, callbacks=[laps], verbose=0, **options)
        return model.get_weights()

    return run


def keras_tuned(work):
    """Keras model.fit with steps_per_execution and XLA."""
    return keras_fit(work, steps=100, compiled=True)


def keras_by_step(work):
    """Keras model.fit, where the data are one batch and an epoch is a step: 300 of them, told for all steps."""
    return keras_fit(work, epochs=300, rows=work.batch)


def eager(work):
    """A loop with GradientTape, as in tutorials, not compiled."""
    import tensorflow as tf

    model, loss, optimizer = keras_model(work)
    loss = loss if callable(loss) else tf.keras.losses.MeanSquaredError()
    rng = np.random.default_rng(0)

    def run(clock):
        for _ in range(work.epochs):
            for x, y in work.batches(rng):
                with tf.GradientTape() as tape:
                    value = loss(y, model(x, training=True))
                optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
            clock.lap()
        return model.get_weights()

    return run


def session(work):
    """A TensorFlow 1 graph, and a session that is fed each batch, as in the lectures."""
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    targets = work.arrays["y"]
    rng = np.random.default_rng(0)

    def run(clock):
        with graph.as_default():
            x = v1.placeholder(tf.float32, [None, work.sizes[0]])
            y = v1.placeholder(targets.dtype, [None, *targets.shape[1:]])
            parameters = [v1.Variable(each) for each in work.first]
            act = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "tanh": tf.tanh}[work.act]
            answers, layers = x, list(zip(parameters[::2], parameters[1::2], strict=True))
            for w, b in layers[:-1]:
                answers = act(answers @ w + b)
            answers = answers @ layers[-1][0] + layers[-1][1]
            if work.loss == "softmax":
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=answers))
            elif work.loss == "squared":
                loss = tf.reduce_mean((answers - y) ** 2)
            else:
                loss = tf.reduce_mean(tf.reduce_sum(tf.abs(answers - y), axis=1))
            rule, rate = work.rule
            rules = {  # with Keras's epsilon
                "adam": lambda rate: v1.train.AdamOptimizer(rate, epsilon=1e-7),
                "sgd": v1.train.GradientDescentOptimizer,
            }
            update = rules[rule](rate).minimize(loss)
            with v1.Session() as session:
                session.run(v1.global_variables_initializer())
                for _ in range(work.epochs):
                    for inputs, labels in work.batches(rng):
                        session.run(update, feed_dict={x: inputs, y: labels})
                    clock.lap()
                return session.run(parameters)

    return run


def plain_numpy(work):
    """NumPy alone: forward, backward and Adam by hand, for ReLU and softmax."""
    rng = np.random.default_rng(0)

    def run(clock):
        (w1, b1, w2, b2) = parameters = [each.copy() for each in work.first]
        means, squares = ([np.zeros_like(each) for each in parameters] for _ in range(2))
        t = 0
        for _ in range(work.epochs):
            for x, y in work.batches(rng):
                hidden = np.maximum(x @ w1 + b1, 0)
                answers = hidden @ w2 + b2
                p = np.exp(answers - answers.max(axis=1, keepdims=True))
                p /= p.sum(axis=1, keepdims=True)
                p[np.arange(len(y)), y] -= 1
                p /= len(y)
                back = (p @ w2.T) * (hidden > 0)
                t += 1
                rate = np.float32(work.rule[1] * np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
                gradients = x.T @ back, back.sum(axis=0), hidden.T @ p, p.sum(axis=0)
                for value, mean, square, gradient in zip(parameters, means, squares, gradients, strict=True):
                    mean += np.float32(0.1) * (gradient - mean)
                    square += np.float32(0.001) * (gradient**2 - square)
                    value -= rate * mean / (np.sqrt(square) + np.float32(1e-7))
            clock.lap()
        return parameters

    return run


def products(work):
    """No training: the matrix products of one, forward and backward, by NumPy's library, at their own shapes."""
    rng, sizes = np.random.default_rng(0), work.sizes
    weights = work.first[::2]
    layers = [rng.normal(size=(work.batch, size)).astype("float32") for size in sizes]
    outputs = [np.empty_like(each) for each in layers]
    gradients = [np.empty_like(each) for each in weights]

    def run(clock):
        for _ in range(work.epochs):
            for _ in range(work.steps // work.epochs):
                for number, w in enumerate(weights):
                    np.matmul(layers[number], w, out=outputs[number + 1])
                for number, w in reversed(list(enumerate(weights))):
                    np.matmul(layers[number].T, layers[number + 1], out=gradients[number])
                    if number:
                        np.matmul(layers[number + 1], w.T, out=outputs[number])
            clock.lap()
        return work.first

    return run


def jax_scan(work):
    """JAX: an epoch as one compiled scan."""
    import jax
    import jax.numpy as jnp

    x_all, y_all = jnp.asarray(work.arrays["x"]), jnp.asarray(work.arrays["y"])
    rng = np.random.default_rng(0)
    steps = len(x_all) // work.batch

    def loss(parameters, x, y):
        *hidden, (w, b) = parameters
        for w_hidden, b_hidden in hidden:
            x = jax.nn.relu(x @ w_hidden + b_hidden)
        log_p = jax.nn.log_softmax(x @ w + b)
        return -jnp.mean(jnp.take_along_axis(log_p, y[:, None], axis=1))

    def step(state, chosen):
        parameters, means, squares, t = state
        gradients = jax.grad(loss)(parameters, x_all[chosen], y_all[chosen])
        t = t + 1
        rate = work.rule[1] * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        means = jax.tree.map(lambda m, g: m + 0.1 * (g - m), means, gradients)
        squares = jax.tree.map(lambda v, g: v + 0.001 * (g**2 - v), squares, gradients)
        parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, means, squares)
        return (parameters, means, squares, t), None

    epoch = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches)[0])

    def run(clock):
        first = [jnp.asarray(each) for each in work.first]
        first = list(zip(first[::2], first[1::2], strict=True))
        zeros = jax.tree.map(jnp.zeros_like, first)
        state = first, zeros, zeros, jnp.float32(0)
        for _ in range(work.epochs):
            order = rng.permutation(len(x_all))[: steps * work.batch].reshape(steps, work.batch)
            state = jax.block_until_ready(epoch(state, jnp.asarray(order)))
            clock.lap()
        return [np.asarray(each) for pair in state[0] for each in pair]

    return run


def torch_loop(work, compiled=False):
    """PyTorch: a loop over batches of tensors; ``compiled`` is its step by torch.compile."""
    import torch

    x_all, y_all = torch.from_numpy(work.arrays["x"]), torch.from_numpy(work.arrays["y"]).long()
    layers = []
    for number in range(len(work.sizes) - 1):
        layer = torch.nn.Linear(*work.sizes[number : number + 2])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(work.arrays[f"w{number}"].T))
            layer.bias.zero_()
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), work.rule[1], eps=1e-7)
    loss = torch.nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    def run(clock):
        chosen_step = torch.compile(step) if compiled else step
        generator = torch.Generator().manual_seed(0)
        for _ in range(work.epochs):
            for chosen in torch.randperm(len(x_all), generator=generator).split(work.batch):
                chosen_step(x_all[chosen], y_all[chosen])
            clock.lap()
        return [each.detach().numpy().T for each in model.parameters()]

    return run


def torch_compiled(work):
    """PyTorch with torch.compile."""
    return torch_loop(work, compiled=True)


def scikit_learn(work):
    """scikit-learn's MLPClassifier, which draws its own first weights."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        work.sizes[1:-1],
        activation=work.act,
        alpha=0,
        batch_size=work.batch,
        learning_rate_init=work.rule[1],
        max_iter=work.epochs,
        n_iter_no_change=work.epochs + 1,
        random_state=0,
    )

    def run(clock):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model.fit(work.arrays["x"], work.arrays["y"])
        clock.lap()
        return [each for pair in zip(model.coefs_, model.intercepts_, strict=True) for each in pair]

    return run


def ctypes_library(path=Path(__file__).parent.parent / "_build" / "bench" / "floor.so"):
    """What benchmarks/run.py has compiled."""
    return ctypes.CDLL(str(path))


def c_floor(work):
    """A hundred lines of C, on one thread: floor.c, compiled beforehand."""
    library = ctypes_library()
    x, y = np.ascontiguousarray(work.arrays["x"]), np.ascontiguousarray(work.arrays["y"], np.int32)
    rng = np.random.default_rng(0)

    def pointer(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    def run(clock):
        parameters = [np.ascontiguousarray(each.copy()) for each in work.first]
        states = [np.zeros(2 * each.size, np.float32) for each in parameters]
        t = 0
        for _ in range(work.epochs):
            order = rng.permutation(len(x)).astype(np.int32)
            arrays = [pointer(each) for each in (x, y, order, *parameters, *states)]
            sizes = [len(x), *work.sizes, work.batch, t]
            t = library.epoch(*map(ctypes.c_int, sizes), ctypes.c_float(work.rule[1]), *arrays)
            clock.lap()
        return parameters

    return run


SIDES = {
    "book": book,
    "Keras fit": keras_fit,
    "Keras fit, tuned": keras_tuned,
    "Keras fit, a step an epoch": keras_by_step,
    "GradientTape loop": eager,
    "TF 1 session": session,
    "NumPy": plain_numpy,
    "products": products,
    "JAX": jax_scan,
    "PyTorch": torch_loop,
    "PyTorch, compiled": torch_compiled,
    "scikit-learn": scikit_learn,
    "C, one thread": c_floor,
}


def main():
    """Run one side and say what it took."""
    import resource

    side, work = SIDES[sys.argv[1]], Work.read(sys.argv[2])
    run = side(work)
    clock = Clock()
    cpu = time.process_time()
    parameters = run(clock)
    seconds = time.perf_counter() - clock.marks[0]
    told = {"seconds": seconds, "cpu_s": time.process_time() - cpu, **clock.told()}
    told["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    if side is keras_by_step:
        told |= {"seconds": told["epoch_s"] * work.steps, "metric": None}
    else:
        told["metric"] = work.metric(parameters)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
