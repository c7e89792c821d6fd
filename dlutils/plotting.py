"""Pictures that more than one chapter draws: each function takes ``ax=None`` and returns the Axes it drew on, but for
:func:`animate`, which makes a series of pictures move."""

import base64
import html
import io
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

    pictures = [_picture(draw, frame, figsize) for frame in frames]
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
    return _Player({"text/html": text, "image/png": _encoded(last, "PNG"), "text/plain": alt})


class _Player:
    def __init__(self, bundle):
        self._bundle = bundle

    def _repr_mimebundle_(self, include=None, exclude=None):
        return dict(self._bundle)


def _listed(name, values):
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence, got {values!r}")
    return list(values)


def _picture(draw, frame, figsize):
    """The frame on white paper. Its figure is unknown to pyplot, which therefore has nothing to show or to close."""
    try:
        figure = Figure(figsize=figsize)
    except (TypeError, ValueError) as error:
        raise ValueError(f"figsize must be a width and a height in inches, got {figsize!r}") from error
    if min(figure.get_size_inches()) <= 0:
        raise ValueError(f"figsize must be positive, got {figsize!r}")
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_subplot(), frame)
    canvas.draw()
    drawn = Image.fromarray(np.array(canvas.buffer_rgba()))
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")


def _difference(picture, last):
    """``picture``, transparent where it equals ``last``; but for a rim, so that no edge shows where it is scaled."""
    differs = (np.array(picture) != np.array(last)).any(axis=-1)
    overlay = picture.copy()
    overlay.putalpha(Image.fromarray(differs).convert("L").filter(ImageFilter.MaxFilter(9)))
    return overlay


def _encoded(image, format="WEBP"):
    buffer = io.BytesIO()
    image.save(buffer, format, **({"lossless": True, "quality": 60} if format == "WEBP" else {"optimize": True}))
    return base64.b64encode(buffer.getvalue()).decode()
