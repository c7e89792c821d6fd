"""Draws cover.png, for the README and the index page: python book/figures/cover.py

Left, test images with what the first network of the MNIST chapter answers, and four
mistakes among them; right, its loss over fifteen epochs.
"""

from pathlib import Path

from dlutils import data, plotting, training

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

matplotlib.use("Agg")
plt.style.use("dlutils.style")
keras.utils.set_random_seed(1)

digits = data.load_mnist()
x_test = digits.x_test.astype("float32") / 255
model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten()])
model.add(keras.layers.Dense(100, activation="relu"))
model.add(keras.layers.Dense(10))
history = training.fit(
    model,
    digits.x_train.astype("float32") / 255,
    digits.y_train,
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    optimizer="adam",
    epochs=15,
    validation_data=(x_test, digits.y_test),
    seed=1,
)
answers = np.argmax(model(x_test), axis=1)
correct = answers == digits.y_test
shown = [*np.flatnonzero(correct)[:8], *np.flatnonzero(~correct)[:4]]
captions = [f"“{answers[i]}”" + ("" if correct[i] else " ✗") for i in shown]

figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.2), width_ratios=(1.1, 1))
plotting.plot_digits(digits.x_test[shown], captions, columns=4, ax=left)
plotting.plot_history(history, labels=("training", "test"), ax=right)
right.set(ylim=(0, None))
figure.savefig(Path(__file__).with_suffix(".png"), dpi=160)
