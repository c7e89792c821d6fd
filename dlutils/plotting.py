"""Pictures that more than one chapter draws: each function takes ``ax=None`` and returns the Axes it drew on."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator


def plot_digits(images, captions=None, *, columns=None, ax=None):
    """Draw grey-level images side by side, ink dark on a light ground, each with a caption below it.

    Parameters
    ----------
    images : array, shape (n, height, width) or (height, width)
        One image, or several. All share one grey scale, from 0 to the largest value among them.
    captions : sequence of n values, optional
        Shown as text under the images; a single one for a single image.
    columns : int, optional
        Images per row; all in one row if it is not given.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images = np.asarray(images)
    if images.ndim == 2:
        images = images[np.newaxis]
        captions = None if captions is None else [captions]
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(f"images must have shape (n, height, width) with n of at least 1, got {images.shape}")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"captions must be as many as images, got {len(captions)} for {len(images)}")
    columns = len(images) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    count, height, width = images.shape
    rows, columns = -(-count // columns), min(columns, count)
    gap = max(1, width // 14)
    lines = 0 if captions is None else 1 + max(str(caption).count("\n") for caption in captions)
    pitch = height + gap + round(lines * height * 0.24)
    if ax is None:
        figure_width = min(5.6, 1.4 * columns)
        _, ax = plt.subplots(figsize=(figure_width, figure_width * rows * pitch / (columns * (width + gap))))
    canvas = np.full((rows * pitch, columns * (width + gap) - gap), np.nan)
    for index, image in enumerate(images):
        top, left = index // columns * pitch, index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
        ax.add_patch(plt.Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor="0.75", linewidth=0.8))
        if captions is not None:
            ax.text(left + width / 2, top + height + gap / 2, str(captions[index]), ha="center", va="top", fontsize=11)
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=images.max() or 1, interpolation="nearest")
    ax.set(xlim=(-1, canvas.shape[1]), ylim=(canvas.shape[0], -1))
    ax.axis("off")
    return ax


def plot_history(history, metric="loss", *, labels=("training", "validation"), ax=None):
    """Draw a metric after each epoch: in training as a solid line, on validation data as a dashed one.

    Parameters
    ----------
    history : keras.callbacks.History or dict
        What ``fit`` returned, or its ``history``: lists of numbers by name, one number an epoch.
    metric : str
        Its name; the curve of ``val_<metric>`` is drawn beside it where there is one.
    labels : pair of str
        What the legend calls the two curves.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    curves = getattr(history, "history", history)
    if metric not in curves:
        raise ValueError(f"metric must be one of {sorted(curves)}, got {metric!r}")
    if ax is None:
        _, ax = plt.subplots()
    for name, label, line, marker in zip((metric, f"val_{metric}"), labels, ("-", "--"), ("o", "s"), strict=True):
        if name in curves:
            epochs = np.arange(1, len(curves[name]) + 1)
            ax.plot(epochs, curves[name], line, marker=marker if len(epochs) <= 30 else None, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=metric)
    ax.legend()
    return ax
