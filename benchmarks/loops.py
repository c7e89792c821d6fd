"""The book's training loop beside Keras's, on the same network, data, batches and number of epochs, in one run.

    python benchmarks/loops.py [--rounds 3]

Compiling is included, and each round is a fresh network. Only the ratio means anything on another machine.
"""

import argparse
import statistics
import time

from dlutils import data, training

import keras


def network():
    """The 784-100-10 network of the MNIST chapter."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(100, activation="relu"), keras.layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28)), *layers])


def main():
    """Time both loops in turn and print the ratio of each round."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    digits = data.load_mnist()
    x, y = digits.x_train.astype("float32") / 255, digits.y_train
    options = {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "optimizer": "adam",
        "metrics": ["accuracy"],
    }
    print(f"{digits}; 784-100-10, Adam, batch 32, 5 epochs")
    ratios = []
    for number in range(rounds):
        model = network()
        start = time.perf_counter()
        ours = training.fit(model, x, y, epochs=5, batch_size=32, verbose=0, **options)
        ours_seconds = time.perf_counter() - start
        model = network()
        start = time.perf_counter()
        model.compile(**options)
        theirs = model.fit(x, y, epochs=5, batch_size=32, verbose=0)
        theirs_seconds = time.perf_counter() - start
        ratios.append(theirs_seconds / ours_seconds)
        print(
            f"round {number + 1}: training.fit {ours_seconds:.1f} s (accuracy {ours.history['accuracy'][-1]:.4f}), "
            f"Keras fit {theirs_seconds:.1f} s ({theirs.history['accuracy'][-1]:.4f}): {ratios[-1]:.1f} times",
            flush=True,
        )
    print(f"median: training.fit is {statistics.median(ratios):.1f} times as fast")


if __name__ == "__main__":
    main()
