"""What is timed: a network, its data and its training, told in numbers that every side can read.

A work is made once, by NumPy alone, and saved; a side reads it in a process of its own. So all sides have the same
first weights, the same examples, batches of the same size and as many steps.
"""

import dataclasses
import json

import numpy as np


@dataclasses.dataclass
class Work:
    """A dense network and how it is trained; what is in ``arrays`` goes to the file beside it.

    ``act`` is the activation of the hidden layers; ``loss`` is "softmax" with class numbers, "squared", the mean over
    all outputs, or "absolute", their sum; ``rule`` a name and a rate. ``quality`` says what the metric is. Two sides
    have reached the same if theirs differ by ``within`` at most, of an accuracy, and else by that share of the larger.
    """

    name: str
    title: str
    sizes: list
    act: str
    loss: str
    rule: tuple
    batch: int
    epochs: int
    quality: str
    within: float
    start: float | None = None  # the weights' standard deviation; None is Glorot's
    shuffle: bool = True
    arrays: dict = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self):
        rng, pairs = np.random.default_rng(1), zip(self.sizes[:-1], self.sizes[1:], strict=True)
        for number, (n_in, n_out) in enumerate(pairs):
            limit = np.sqrt(6 / (n_in + n_out))
            weights = (
                rng.normal(0, self.start, (n_in, n_out)) if self.start else rng.uniform(-limit, limit, (n_in, n_out))
            )
            self.arrays.setdefault(f"w{number}", weights.astype("float32"))
            self.arrays.setdefault(f"b{number}", np.zeros(n_out, "float32"))

    @property
    def steps(self):
        """Updates in the whole training."""
        return self.epochs * -(-len(self.arrays["x"]) // self.batch)

    @property
    def first(self):
        """The first weights and biases, in turn."""
        return [self.arrays[f"{kind}{number}"] for number in range(len(self.sizes) - 1) for kind in "wb"]

    def batches(self, rng):
        """An epoch's batches, pairs of inputs and targets, in an order that ``rng`` draws or as they stand."""
        x, y = (self.arrays[name] for name in "xy")
        order = rng.permutation(len(x)) if self.shuffle else None
        for begin in range(0, len(x), self.batch):
            chosen = slice(begin, begin + self.batch)
            chosen = chosen if order is None else order[chosen]
            yield x[chosen], y[chosen]

    def operations(self):
        """Multiplications and additions of the whole training, from the shapes: forward, and twice that backward.

        The first layer's inputs need no gradient, and Adam's update has some twelve operations for a parameter.
        """
        pairs = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        an_example = sum(6 * n_in * n_out for n_in, n_out in pairs) - 2 * pairs[0][0] * pairs[0][1]
        parameters = sum((n_in + 1) * n_out for n_in, n_out in pairs)
        an_update = (12 if self.rule[0] == "adam" else 2) * parameters
        return an_example * len(self.arrays["x"]) * self.epochs + an_update * self.steps

    def save(self, path):
        """Write the work to ``path``, as NumPy keeps arrays."""
        told = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "arrays"}
        np.savez(path, told=json.dumps(told), **self.arrays)

    @classmethod
    def read(cls, path):
        """The work that was saved at ``path``."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "told"}
            return cls(**json.loads(str(file["told"])), arrays=arrays)

    def answers(self, parameters, x):
        """The outputs for inputs ``x``, by NumPy."""
        act = {"relu": lambda a: np.maximum(a, 0), "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh}[self.act]
        layers = list(zip(parameters[::2], parameters[1::2], strict=True))
        for w, b in layers[:-1]:
            x = act(x @ w + b)
        return x @ layers[-1][0] + layers[-1][1]

    def metric(self, parameters):
        """How good the trained network is, told by NumPy, the same for all sides."""
        arrays = self.arrays
        x, y = (arrays.get(f"{name}_test", arrays[name]) for name in "xy")
        answers = self.answers([np.asarray(each, "float32") for each in parameters], x)
        if self.quality == "test accuracy":
            return float(np.mean(answers.argmax(axis=1) == y))
        if self.loss == "softmax":
            top = answers.max(axis=1, keepdims=True)
            log_sums = np.log(np.exp(answers - top).sum(axis=1)) + top[:, 0]
            return float(np.mean(log_sums - answers[np.arange(len(y)), y]))
        off = answers - y
        return float(np.mean(off**2) if self.loss == "squared" else np.mean(np.abs(off).sum(axis=1)))


def mnist(digits, examples=60_000, epochs=5):
    """The network of the MNIST chapter."""
    flat = {name: getattr(digits, name).reshape(-1, 784).astype("float32") / 255 for name in ("x_train", "x_test")}
    arrays = {"x": flat["x_train"][:examples], "y": digits.y_train[:examples].astype("int32")}
    arrays |= {"x_test": flat["x_test"], "y_test": digits.y_test.astype("int32")}
    about = ("MNIST 784-100-10", [784, 100, 10], "relu", "softmax", ("adam", 0.001), 32, epochs)
    return Work("mnist", *about, "test accuracy", 0.006, arrays=arrays)


def regression(epochs=5):
    """The ten points of a lecture, drawn with replacement: 2,000 steps of 50 an epoch."""
    x = np.linspace(-4.5, 4.5, 10)
    y = np.array([0.9819, 0.7973, 1.9737, 0.1838, 1.3180, -0.8361, -0.6591, -2.4701, -2.8122, -6.2512])
    drawn = np.random.default_rng(0).integers(10, size=2000 * 50)
    arrays = {name: values[drawn, np.newaxis].astype("float32") for name, values in (("x", x), ("y", y))}
    sizes, rule = [1, 30, 100, 100, 30, 1], ("adam", 0.001)
    about = ("ten points 1-30-100-100-30-1", sizes, "sigmoid", "squared", rule, 50, epochs)
    return Work("regression", *about, "loss", 0.5, start=0.1, arrays=arrays)


def astronaut(side=64, passes=500):
    """A picture painted by a network that is told places: 81 steps of 50 a pass."""
    from skimage import data, transform

    picture = transform.resize(data.astronaut(), (side, side), anti_aliasing=True, preserve_range=True)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2)
    x = ((places - places.mean()) / places.std()).astype("float32")
    y = picture.reshape(-1, 3).astype("float32")
    kept = np.random.default_rng(0).permutation(len(x))[: len(x) // 50 * 50]  # a pass leaves 46 pixels out
    about = (f"astronaut {side} × {side}", [2, *[64] * 6, 3], "relu", "absolute", ("adam", 0.001), 50, passes)
    return Work("astronaut", *about, "loss", 0.15, start=0.1, arrays={"x": x[kept], "y": y[kept]})


def autoencoder(digits, epochs=10):
    """Digits 1, 5 and 6 through two numbers: 250 steps of 50 an epoch."""
    chosen = np.isin(digits.y_train, (1, 5, 6))
    x = np.resize(digits.x_train[chosen].reshape(-1, 784).astype("float32") / 255, (12_500, 784))
    sizes = [784, 500, 300, 2, 300, 500, 784]
    about = ("autoencoder 784-500-300-2-…", sizes, "tanh", "squared", ("adam", 0.0001), 50, epochs)
    return Work("autoencoder", *about, "loss", 0.1, start=0.05, arrays={"x": x, "y": x})


def classifier(epochs=100):
    """Two classes behind a curve, 2-4-2, every step on all 1,000 points: 400 steps an epoch."""
    x = np.random.default_rng(0).uniform((-5, -4), (5, 4), (1000, 2))
    y = -0.5 * (x[:, 0] * x[:, 1] - 1) ** 2 + 2 * x[:, 1] + 5 >= 0
    arrays = {"x": np.tile(x, (400, 1)).astype("float32"), "y": np.tile(y, 400).astype("int32")}
    about = ("curve 2-4-2, full batches", [2, 4, 2], "sigmoid", "softmax", ("sgd", 0.5), 1000, epochs)
    return Work("classifier", *about, "loss", 0.1, start=1.0, shuffle=False, arrays=arrays)
