"""Pictures that more than one chapter draws: each function takes ``ax=None`` and returns the Axes it drew on, but for
:func:`animate`, which makes a series of pictures move."""

import base64
import html
import io
import itertools
import json
import math
import numbers
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageFilter

_PLAYER = Path(__file__).with_name("player.html")
_PLAYER_BYTES = 1_000_000  # at most: a page with a few players must still load over a telephone's connection


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
    if images.ndim != 3 or images.size == 0:
        raise ValueError(f"images must have shape (n, height, width), each at least 1, got {images.shape}")
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
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=images.max() if images.max() > 0 else 1, interpolation="nearest")
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
    ax = _axes(ax)
    for name, label, line, marker in zip((metric, f"val_{metric}"), labels, ("-", "--"), ("o", "s"), strict=True):
        if name in curves:
            epochs = np.arange(1, len(curves[name]) + 1)
            ax.plot(epochs, curves[name], line, marker=marker if len(epochs) <= 30 else None, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=metric)
    ax.legend()
    return ax


def plot_classes(x, y, answer=None, *, ax=None):
    """Draw points of the plane, each class with a colour and a marker of its own, over what a classifier answers.

    Parameters
    ----------
    x : array, shape (m, 2)
        The points. Where the axes have limits of their own already, these are kept; else they follow the points.
    y : integer array, shape (m,)
        Their classes, from 0 to 6.
    answer : callable, optional
        Given an array of points, shape (n, 2), it returns the probability of class 1, shape (n,) or (n, 1), or a score
        for each class, shape (n, K). Each class's region is tinted in its colour, and a black line drawn between them:
        where the probability is one half, or where the two largest scores are equal.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have shape (m, 2), got {x.shape}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y must be one class for each of the {len(x)} points, got shape {y.shape}")
    ax = _axes(ax)
    free = ax.get_autoscale_on()
    markers = ["o", "x", "s", "^", "D", "v", "P"]
    for number in np.unique(y).astype(int):
        style = {"color": f"C{number}", "marker": markers[number], "label": f"class {number}"}
        ax.scatter(*x[y == number].T, s=14, linewidths=1, alpha=0.7, **style)
    if answer is not None:
        _draw_regions(ax, answer)
    if free:
        ax.set(xlabel="x₁", ylabel="x₂")
    return ax


def _draw_regions(ax, answer):
    """Tint what ``answer`` gives to each class within the limits of ``ax``, with a line where it changes."""
    limits = *ax.get_xlim(), *ax.get_ylim()
    mesh = np.meshgrid(np.linspace(*limits[:2], 250), np.linspace(*limits[2:], 250))
    scores = np.asarray(answer(np.stack(mesh, axis=-1).reshape(-1, 2))).reshape(mesh[0].size, -1)
    if scores.shape[1] == 1:
        scores = np.hstack([1 - scores, scores])
    for number, own in enumerate(scores.T):
        lead = (own - np.delete(scores, number, axis=1).max(axis=1)).reshape(mesh[0].shape)
        if lead.max() > 0:
            ax.contourf(*mesh, lead, levels=[0, np.inf], colors=[f"C{number}"], alpha=0.15, zorder=0)
        if lead.min() < 0 < lead.max() and (number or scores.shape[1] > 2):  # two classes share one line
            ax.contour(*mesh, lead, levels=[0], colors="black", linewidths=2, zorder=3)
    ax.set(xlim=limits[:2], ylim=limits[2:])


def plot_network(sizes, weights=None, *, labels=None, ax=None):
    """Draw a fully connected network from the sizes of its layers, the inputs at the left.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, at least 1, the inputs first. Of a layer of more than 10, three stand at either end.
    weights : sequence of arrays, shapes (units, units of the next layer), optional
        Purple lines then stand for positive weights and orange, dashed ones for negative, the thicker the larger.
    labels : sequence of str, optional
        What stands below each layer; the number of its units if not given.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    sizes = [int(size) for size in sizes]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be two layers or more of at least one unit each, got {sizes}")
    pairs = list(itertools.pairwise(sizes))
    if weights is not None and [np.shape(matrix) for matrix in weights] != pairs:
        raise ValueError(f"weights must have the shapes {pairs}, got {[np.shape(matrix) for matrix in weights]}")
    labels = [f"{size:,}" for size in sizes] if labels is None else labels
    if len(labels) != len(sizes):
        raise ValueError(f"labels must be as many as layers, got {len(labels)} for {len(sizes)}")
    ax = _axes(ax)
    shown = [range(size) if size <= 10 else [0, 1, 2, size - 3, size - 2, size - 1] for size in sizes]
    # A layer's units stand around height 0, with room for three dots in the middle of a long layer.
    heights = [
        {
            unit: (len(units) - 1) / 2 - rank + (size > 10) * (0.7 if unit < 3 else -0.7)
            for rank, unit in enumerate(units)
        }
        for size, units in zip(sizes, shown, strict=True)
    ]
    tallest = max(max(layer.values()) for layer in heights) + 1
    gap = max(1.6, 2 * tallest / len(sizes))
    largest = max(np.abs(matrix).max() for matrix in weights) or 1 if weights is not None else 1
    for number, (left, right) in enumerate(itertools.pairwise(heights)):
        for (i, low), (j, high) in itertools.product(left.items(), right.items()):
            look = {"color": "0.6", "linewidth": 0.8}
            if weights is not None:
                weight = weights[number][i][j]
                look = {"color": "#5e3c99", "linestyle": "-"} if weight > 0 else {"color": "#e66101", "linestyle": "--"}
                look["linewidth"] = 4 * abs(weight) / largest
            ax.plot([number * gap, (number + 1) * gap], [low, high], zorder=1, **look)
    for number, (size, layer) in enumerate(zip(sizes, heights, strict=True)):
        for height in layer.values():
            ax.add_patch(plt.Circle((number * gap, height), 0.3, facecolor="white", edgecolor="black", zorder=2))
        if size > 10:
            ax.text(number * gap, 0, "⋮", ha="center", va="center", fontsize=14)
        ax.text(number * gap, -tallest, labels[number], ha="center", va="top")
    ax.set(xlim=(-0.7, (len(sizes) - 1) * gap + 0.7), ylim=(-tallest - 0.8, tallest), aspect="equal")
    ax.axis("off")
    return ax


def plot_weights(weights, *, limit=None, colorbar=True, ax=None):
    """Draw a matrix of weights as coloured squares, purple above zero, orange below, the darker the larger.

    Parameters
    ----------
    weights : array, shape (rows, columns)
        The first row is drawn at the top.
    limit : float, optional
        The size from which on a weight is darkest, above 0; the largest size there is, if not given.
    colorbar : bool
        Draw a bar of the colours with their numbers beside it.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.size == 0:
        raise ValueError(f"weights must have two dimensions of at least 1, got shape {weights.shape}")
    limit = np.abs(weights).max() or 1 if limit is None else limit
    if not limit > 0:
        raise ValueError(f"limit must be above 0, got {limit}")
    ax = _axes(ax)
    image = ax.imshow(weights, cmap="PuOr", vmin=-limit, vmax=limit, interpolation="nearest")
    if colorbar:
        ax.figure.colorbar(image, ax=ax)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(False)
    return ax


def plot_curves(curves, x=None, *, xlabel="iteration", ylabel="loss", ax=None):
    """Draw several curves, each in a colour and a line of its own, with a legend.

    Parameters
    ----------
    curves : mapping of str to sequence, shape (n,)
        What the legend calls a curve, and its numbers; a pandas DataFrame will do.
    x : sequence, shape (n,), optional
        Where all curves have their numbers; from 0 in steps of 1 if not given.
    xlabel, ylabel : str
        What the axes are called.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    lines = itertools.cycle(["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3))])
    for (name, values), line in zip(curves.items(), lines, strict=False):
        ax.plot(np.arange(len(values)) if x is None else x, values, linestyle=line, label=str(name))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()
    return ax


def plot_paths(loss, paths, *, limits, levels=12, ax=None):
    """Draw the ways of descents over the contours of a loss of two parameters; a large mark stands where each ends.

    Parameters
    ----------
    loss : callable or array, shape (rows, columns)
        Given parameters in an array of shape (..., 2), it returns their losses, shape (...). As an array: the losses
        themselves, evenly spaced between the limits, a row for each value of the second parameter.
    paths : mapping of str to array, shape (steps + 1, 2)
        What the legend calls a descent, and where it was.
    limits : pair of pairs
        Lowest and highest value of the first parameter, and of the second.
    levels : int or sequence
        How many contours, or at which losses.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = _axes(ax)
    rows, columns = (200, 200) if callable(loss) else np.shape(loss)
    mesh = np.meshgrid(np.linspace(*limits[0], columns), np.linspace(*limits[1], rows))
    losses = loss(np.stack(mesh, axis=-1)) if callable(loss) else loss
    ax.contour(*mesh, losses, levels, colors="0.75", linewidths=1, linestyles="-")
    lines, markers = itertools.cycle(["-", "--", "-.", ":"]), itertools.cycle("os^Dv*")
    for (name, path), line, marker in zip(paths.items(), lines, markers, strict=False):
        drawn = ax.plot(*np.transpose(path), line, marker=marker, markersize=4, linewidth=1.2, label=str(name))
        ax.plot(*path[-1], marker, color=drawn[0].get_color(), markeredgecolor="white", markersize=9, zorder=3)
    ax.set(xlim=limits[0], ylim=limits[1], xlabel="ω₁", ylabel="ω₂")
    ax.grid(False)
    if len(paths) > 1:
        ax.legend()
    return ax


def plot_fits(x, fits, points=None, *, ax=None):
    """Draw a curve as it was learned, the earliest fit faint and the last one black.

    Parameters
    ----------
    x : array, shape (n,)
        Where the fits have their numbers, in ascending order.
    fits : array, shape (times, n)
        What was answered there, the earliest time first.
    points : pair of arrays, shape (m,), optional
        The x and y of what it was learned from.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; a new figure if it is not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    fits = np.asarray(fits)
    if fits.ndim != 2 or fits.shape[1] != len(x) or len(fits) == 0:
        raise ValueError(f"fits must have shape (times, {len(x)}) with at least one time, got {fits.shape}")
    ax = _axes(ax)
    if points is not None:
        ax.plot(*points, "+", color="C0", alpha=0.3 if len(points[0]) > 100 else 1, markersize=4)
    shades = np.linspace(0.1, 1, len(fits)) if len(fits) > 1 else [1]
    for number, (darkness, fit) in enumerate(zip(shades, fits, strict=True), 1):
        hidden = f"_fit {number} of {len(fits)}"  # from the legend; the table of the figure's numbers says it
        ax.plot(x, fit, color="black", alpha=darkness, linewidth=1.5, label=hidden)
    ax.set(xlabel="x", ylabel="y")
    return ax


def _axes(ax):
    return plt.subplots()[1] if ax is None else ax


def animate(draw, frames, *, alt, labels=None, interval=0.2, figsize=None):
    """Make an animation, with a player to run it once, to pause, and to step through it.

    At first the last frame is shown, and it is all there is where scripts do not run, as in a notebook that is not
    trusted. The animation never starts by itself.

    Parameters
    ----------
    draw : callable
        ``draw(ax, frame)`` draws one frame on empty Axes of a new figure in the current style. It is called once for
        each frame, in order, and should set the limits of the axes, which otherwise jump.
    frames : sequence or finite iterable
        What ``draw`` is given, one element a frame; at least one. What looks the same in all frames costs next to
        nothing.
    alt : str
        What the animation shows, in a sentence or more, for those who cannot see it.
    labels : sequence of str, optional
        As many as frames, each shown beside the slider while its frame is; "1 of 40" and so on if not given.
    interval : float
        Seconds for which a frame is shown when the animation runs, above 0.
    figsize : pair of float, optional
        Width and height of the figure in inches; the style's if not given.

    Returns
    -------
    object
        A notebook shows it when it is the value of a cell's last line, without a semicolon: as the player, or as a
        PNG image of the last frame where HTML cannot be shown.

    Raises
    ------
    TypeError
        If ``draw`` cannot be called, ``frames`` or ``labels`` cannot be iterated over, ``alt`` or a label is not a
        string, or ``interval`` is not a number.
    ValueError
        If there are no frames or not as many labels, ``alt`` is blank, ``interval`` is not positive and finite,
        ``figsize`` is not a pair of positive numbers, ``draw`` changes the size of the figure, or the player takes more
        than 1,000,000 bytes of HTML.
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function of ax and frame, got {draw!r}")
    frames = _listed("frames", frames)
    if not frames:
        raise ValueError("frames must be at least one, got none")
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a sentence that says what the animation shows, got {alt!r}")
    if not alt.strip():
        raise ValueError(f"alt must say in a sentence what the animation shows, got {alt!r}")
    labels = [f"{n} of {len(frames)}" for n in range(1, len(frames) + 1)] if labels is None else labels
    labels = _listed("labels", labels)
    if len(labels) != len(frames):
        raise ValueError(f"labels must be as many as frames, got {len(labels)} for {len(frames)}")
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"labels must be strings, got {label!r} among them")
    if not isinstance(interval, numbers.Real):
        raise TypeError(f"interval must be a number of seconds, got {interval!r}")
    if not 0 < interval < math.inf:
        raise ValueError(f"interval must be a number of seconds above 0, got {interval}")

    pictures = []
    for frame in frames:
        figure = _drawn(draw, frame, figsize)
        pictures.append(_on_paper(figure))
    if len(sizes := {picture.size for picture in pictures}) > 1:
        raise ValueError(f"draw must leave the figure's size as it is, got frames of {sorted(sizes)} pixels")
    *earlier, last = pictures
    text = Template(_PLAYER.read_text("utf-8")).substitute(
        alt=html.escape(alt),
        labels=html.escape(json.dumps(labels)),
        interval=f"{1000 * interval:g}",
        frames=" ".join("data:image/webp;base64," + _encoded(_difference(picture, last)) for picture in earlier),
        last="data:image/webp;base64," + _encoded(last),
    )
    if (size := len(text.encode())) > _PLAYER_BYTES:
        raise ValueError(
            f"frames must fit into {_PLAYER_BYTES:,} bytes of HTML, got {len(frames)} that take {size:,}; "
            "draw fewer of them, or a smaller figsize"
        )
    return _Player({"text/html": text, "image/png": _encoded(last, "PNG"), "text/plain": alt}, figure)


class _Player:
    def __init__(self, bundle, last=None):
        self._bundle = bundle
        self.last = last  # the figure of an animation's last frame

    def _repr_mimebundle_(self, include=None, exclude=None):
        return dict(self._bundle)


def _listed(name, values):
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence, got {values!r}")
    return list(values)


def _drawn(draw, frame, figsize):
    """The figure of a frame, which is unknown to pyplot; that has therefore nothing to show or to close."""
    try:
        figure = Figure(figsize=figsize)
    except (TypeError, ValueError) as error:
        raise ValueError(f"figsize must be a width and a height in inches, got {figsize!r}") from error
    if min(figure.get_size_inches()) <= 0:
        raise ValueError(f"figsize must be positive, got {figsize!r}")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot(), frame)
    return figure


def _on_paper(figure):
    """The picture of a figure that has an Agg canvas."""
    figure.canvas.draw()
    drawn = Image.fromarray(np.array(figure.canvas.buffer_rgba()))
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")


def _difference(picture, last):
    """``picture``, transparent where it equals ``last``; but for a rim, so that no edge shows where it is scaled."""
    differs = (np.array(picture) != np.array(last)).any(axis=-1)
    overlay = picture.copy()
    # A blur reaches as far as a maximum over nine by nine pixels would, and takes a twentieth of the time.
    near = Image.fromarray(differs).convert("L").filter(ImageFilter.BoxBlur(4))
    overlay.putalpha(near.point(lambda value: 255 if value else 0))
    return overlay


def _encoded(image, format="WEBP"):
    buffer = io.BytesIO()
    image.save(buffer, format, **({"lossless": True, "quality": 60} if format == "WEBP" else {"optimize": True}))
    return base64.b64encode(buffer.getvalue()).decode()
