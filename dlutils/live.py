"""Figures that a reader works with: a chapter's own surface, network or picture, computed on by plain JavaScript.

Each function returns what a notebook shows when it is the value of a cell's last line, without a semicolon. Where
scripts do not run, a picture stands in its place. What the figure holds comes out of the run that calls it.
"""

import base64
import html
import itertools
import json
import math
import numbers
from collections.abc import Mapping
from pathlib import Path

from dlutils.plotting import _encoded, _on_paper, _Player, plot_classes, plot_digits

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

_PARTS = Path(__file__).with_name("live")
_EVERY = 61  # of so many pixels one is compared
_MESH = 101  # places each way at which a loss is asked for
RULES = ("plain", "momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam")


def descent(
    loss, draw, walks, *, alt, shown=None, names=("ω₁", "ω₂"), reach=1, lowest=None, margin=0.0, ink=None, figsize=None
):
    """Let a reader start descents on a loss of two parameters: choose the start, the rules and their rates.

    Parameters
    ----------
    loss : callable
        Given parameters in an array of shape (..., 2), it returns their losses, shape (...). It must be smooth: the
        figure knows it by a cubic spline.
    draw : callable
        ``draw(ax)`` draws the map of the loss on Axes and sets their limits, which are those of the figure.
    walks : mapping of str to (float, array of shape (updates + 1, 2))
        Which rules of gradient descent there are, each with the rate that the figure begins with and the places of the
        chapter's own descent, which the figure repeats. The names are among "plain", "momentum", "Nesterov", "AdaGrad",
        "RMSProp" and "Adam", the rules as the chapter on variants of gradient descent writes them. All start at one
        place.
    alt : str
        What the figure shows, in a sentence or more, for those who cannot see it.
    shown : sequence of str, optional
        The rules that are drawn at first; all, if not given.
    names : pair of str
        What the two parameters are called.
    reach : float
        How many powers of ten the rates can be made larger or smaller, in steps of a tenth of one; above 0.
    lowest : float, optional
        The lowest loss there is; the figure then tells how much above it a descent is, else the loss.
    margin : float
        By which share of its width and height the surface reaches beyond the map on each side, for descents that leave
        it and come back; not negative.
    ink : str, optional
        The colour of all paths; each rule has its own if it is not given.
    figsize : pair of float, optional
        Width and height of the map in inches; the style's if not given.

    Returns
    -------
    object
        The live figure.

    Raises
    ------
    TypeError, ValueError
        If ``loss`` or ``draw`` cannot be called, ``loss`` gives something else than a finite number for each place or
        is not smooth enough, ``walks`` are of unknown rules, of different lengths or starts, or not on the surface, or
        ``alt`` is blank.
    """
    for name, function in (("loss", loss), ("draw", draw)):
        if not callable(function):
            raise TypeError(f"{name} must be a function, got {function!r}")
    walks = {name: (float(rate), np.asarray(path, dtype=float)) for name, (rate, path) in walks.items()}
    start, updates = _of_walks(walks)
    shown = list(walks) if shown is None else list(shown)
    if unknown := set(shown) - set(walks):
        raise ValueError(f"shown must be among the walks {sorted(walks)}, got {sorted(unknown)}")
    if not reach > 0:
        raise ValueError(f"reach must be above 0 powers of ten, got {reach}")
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0, got {margin}")

    figure, ax = _drawn(draw, figsize)
    view = [sorted(ax.get_xlim()), sorted(ax.get_ylim())]
    limits = [(low - margin * (high - low), high + margin * (high - low)) for low, high in view]
    if not all(low <= value <= high for value, (low, high) in zip(start, view, strict=True)):
        raise ValueError(f"walks must start on the map {view}, got {start.tolist()}")
    coefficients, scale, error = _spline(loss, limits)
    ground = _on_paper(figure)
    box = ax.get_window_extent()
    ratio = figure.dpi / 96  # the page's pixels, 96 to an inch
    height = ground.size[1] / ratio
    figure, ax = _drawn(draw, figsize)
    for number, (name, (_, path)) in enumerate(walks.items()):
        if name in shown:
            ax.plot(*path.T, color=ink or f"C{number}", linewidth=1.5, clip_on=True)
            ax.plot(*path[-1], "o", color=ink or f"C{number}", markeredgecolor="white", zorder=4)
    ax.plot(*start, "o", color="black", markerfacecolor="white", markersize=8, zorder=4)
    ax.set(xlim=view[0], ylim=view[1])
    state = {
        "pixels": [ground.size[0] / ratio, height],
        "box": [box.x0 / ratio, height - box.y1 / ratio, box.x1 / ratio, height - box.y0 / ratio],
        "view": view,
        "limits": limits,
        "size": _MESH,
        "rungs": round(10 * reach),
        "scale": scale,
        "lowest": lowest,
        "error": error,
        "coefficients": _packed(coefficients, "<f8"),
        "ground": "data:image/webp;base64," + _encoded(ground),
        "names": list(names),
        "start": start.tolist(),
        "updates": updates,
        "ink": ink,
        "walks": [
            {"name": name, "rate": rate, "end": path[-1].tolist(), "shown": name in shown}
            for name, (rate, path) in walks.items()
        ],
    }
    return _live("descent", state, _on_paper(figure), alt)


def network(
    sets,
    start,
    end,
    *,
    chosen,
    rate,
    turns,
    alt,
    activation="sigmoid",
    depths=(0, 1, 2, 3),
    units=(1, 2, 3, 4, 6, 8),
    rates=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
    gradients=False,
    speed=10,
):
    """Let a reader train a network that parts two classes of points, by gradient descent on the mean cross-entropy.

    Parameters
    ----------
    sets : mapping of str to (x, y) or (x, y, x_test, y_test)
        What the data sets are called, and their points, arrays of shape (m, 2), with classes, 0 or 1, of shape (m,).
    start, end : sequences of arrays
        The parameters W1, b1, W2, b2, … with which the chapter's own run began and ended; the figure begins with the
        first, and ends with the last if nothing is changed. Hidden layers are all of one size; there is one output.
    chosen : str
        The data set of that run, with all of its examples as one batch.
    rate : float
        Its learning rate, above 0.
    turns : int
        How many updates it made, at least 1.
    alt : str
        What the figure shows, in a sentence or more, for those who cannot see it.
    activation : str
        Of its hidden layers: "sigmoid", "tanh" or "relu".
    depths, units, rates : sequences of numbers
        What a reader may choose for the number of hidden layers, the units in each and the rate; those of the chapter's
        run are added.
    gradients : bool
        Draw how long the gradient of each layer's weights is, too.
    speed : int
        How many updates are made before the picture is drawn anew, at first: 1, 10, 100 or 1000.

    Returns
    -------
    object
        The live figure.

    Raises
    ------
    ValueError
        If points, classes or parameters have other shapes or values than these, or ``alt`` is blank.
    """
    packed = [_points(name, *given) for name, given in sets.items()]
    if chosen not in sets:
        raise ValueError(f"chosen must be one of the sets {sorted(sets)}, got {chosen!r}")
    if activation not in ("sigmoid", "tanh", "relu"):
        raise ValueError(f"activation must be sigmoid, tanh or relu, got {activation!r}")
    if not (rate > 0 and turns >= 1):
        raise ValueError(f"rate must be above 0 and turns at least 1, got {rate} and {turns}")
    if speed not in (1, 10, 100, 1000):
        raise ValueError(f"speed must be 1, 10, 100 or 1000 updates a picture, got {speed}")
    layers = {name: _layers(name, given) for name, given in (("start", start), ("end", end))}
    sizes = [2, *(kernel.shape[1] for kernel, _ in layers["start"])]
    if [kernel.shape for kernel, _ in layers["end"]] != [kernel.shape for kernel, _ in layers["start"]]:
        raise ValueError("end must have the shapes of start")
    if len(set(sizes[1:-1])) > 1:
        raise ValueError(f"start must have hidden layers of one size, got {sizes[1:-1]}")
    depth, width = len(sizes) - 2, sizes[1] if len(sizes) > 2 else units[0]
    flat = {name: np.concatenate([np.ravel(array) for layer in one for array in layer]) for name, one in layers.items()}
    x, y = (np.asarray(part) for part in sets[chosen][:2])
    limits = next(one["limits"] for one in packed if one["name"] == chosen)
    figure = Figure(figsize=(5.6, 2.9))
    FigureCanvasAgg(figure)
    for ax, title in zip(figure.subplots(1, 2, sharey=True), ("start", "end"), strict=True):
        ax.set(xlim=limits[0], ylim=limits[1])
        carried = layers[title], activation, "sigmoid"
        plot_classes(x, y, lambda z, carried=carried: _answer(*carried, z), ax=ax)
        ax.set(title=f"at the {title}", xlabel="x₁", ylabel="x₂" if title == "start" else "")
    state = {
        "sets": packed,
        "depths": sorted({*depths, depth}),
        "units": sorted({*units, width}),
        "rates": sorted({*rates, rate}),
        "gradients": bool(gradients),
        "speed": speed,
        "chapter": {
            "set": chosen,
            "layers": depth,
            "units": width,
            "activation": activation,
            "rate": rate,
            "draw": 0,
            "turns": turns,
            "start": _packed(flat["start"], "<f8"),
            "end": _packed(flat["end"], "<f8"),
        },
    }
    return _live("network", state, _on_paper(figure), alt)


def latent(decoders, codes, labels, *, alt):
    """Let a reader move through latent spaces of two numbers, while their decoders draw what is there.

    The maps show where the same images have their codes, and circles of radius 1, 2 and 3, in which 39, 86 and 99 per
    cent of what is drawn from N(0, I) lies. A reader chooses a place in each, walks from one digit's code to another's
    in all maps at once, and draws places from N(0, I).

    Parameters
    ----------
    decoders : mapping of str to keras.Model
        What each map is called, and its decoder, made of dense layers: from two latent numbers to the grey levels of an
        image, rows of 784 or of another square number, or (height, width). Greys below 0 are drawn as 0, those above 1
        as 1, which is full ink.
    codes : mapping of str to array, shape (n, 2)
        For each of the decoders, under the same name, the codes of the same n images, of which the maps show the first
        500. A way leads from the first code of a digit to the first of another, or to the second of the same digit.
    labels : integer array, shape (n,)
        Which digits the images are, from 0 to 9; at least two different ones among the first 500.
    alt : str
        What the figure shows, in a sentence or more, for those who cannot see it.

    Returns
    -------
    object
        The live figure.

    Raises
    ------
    TypeError, ValueError
        If ``decoders`` cannot be carried over to a page, take something else than two numbers, draw no images, or draw
        others with weights of 8 bits: if that changes a pixel by more than 0.005, on average over all codes; if
        ``codes`` or ``labels`` have other names or shapes, or values that cannot be shown; or if ``alt`` is blank.
    """
    if not isinstance(decoders, Mapping) or not decoders:
        raise TypeError(f"decoders must map at least one name to a decoder, got {decoders!r}")
    if not isinstance(codes, Mapping) or set(codes) != set(decoders):
        names = sorted(codes) if isinstance(codes, Mapping) else codes
        raise ValueError(f"codes must have the names of the decoders, {sorted(decoders)}, got {names!r}")
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.isin(labels, range(10)).all():
        raise ValueError(f"labels must be digits from 0 to 9, shape (n,), got {labels.dtype} of shape {labels.shape}")
    digits = labels[:_CODES].astype(int)
    if len(np.unique(digits)) < 2:
        raise ValueError(f"labels must be of two digits or more among the first {_CODES}, got {np.unique(digits)}")
    maps = []
    for name, decoder in decoders.items():
        points = np.asarray(codes[name], dtype="f4").astype(float)
        if points.shape != (len(labels), 2):
            raise ValueError(f"codes[{name!r}] must have shape ({len(labels)}, 2), as the labels, got {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError(f"codes[{name!r}] must be finite")
        maps.append({"name": name, **_drawing(f"decoders[{name!r}]", decoder, points), "points": points[:_CODES]})
    ends = [np.flatnonzero(digits == digit)[0] for digit in np.unique(digits)[[0, -1]]]
    state = {"labels": "".join(map(str, digits)), "maps": []}
    for each in maps:
        figure = Figure(figsize=(3.125, 3.125))
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        _map_of_codes(ax, each["points"], digits)
        ground, box, ratio = _on_paper(figure), ax.get_window_extent(), figure.dpi / 96
        height = ground.size[1] / ratio
        view = np.array([sorted(ax.get_xlim()), sorted(ax.get_ylim())])
        places = np.concatenate([each["points"][:5], np.random.default_rng(0).uniform(*view.T, size=(5, 2))])
        drawn = each["answer"](places)
        probes = [drawn[k, k :: len(places)] for k in range(len(places))]  # each pixel at one of the places
        state["maps"].append(
            {
                "name": each["name"],
                "decoder": each["state"],
                "shape": each["shape"],
                "codes": _packed(each["points"], "<f4"),
                "pixels": [ground.size[0] / ratio, height],
                "box": [box.x0 / ratio, height - box.y1 / ratio, box.x1 / ratio, height - box.y0 / ratio],
                "view": view.tolist(),
                "ground": "data:image/webp;base64," + _encoded(ground),
                "places": places.tolist(),
                "probes": _packed(np.concatenate(probes), "<f4"),
            }
        )
    figure = Figure(figsize=(5.6, 4.4))
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(maps), squeeze=False, height_ratios=(2.4, 1))
    for (chart, beside), each in zip(axes.T, maps, strict=True):
        start, end = each["points"][ends]
        _map_of_codes(chart, each["points"], digits)
        chart.set(title=each["name"])
        chart.plot(*np.transpose([start, end]), "o-", color="black", linewidth=1.5, markeredgecolor="white", zorder=5)
        chart.plot(*(start + end) / 2, "o", color="black", markerfacecolor="white", markersize=9, zorder=6)
        image = each["answer"]((start + end)[np.newaxis] / 2).reshape(each["shape"])
        beside.imshow(np.clip(image, 0, 1), cmap="gray_r", vmin=0, vmax=1)
        beside.axis("off")
        beside.add_patch(Rectangle((0, 0), 1, 1, transform=beside.transAxes, fill=False, edgecolor="0.75"))
    return _live("latent", state, _on_paper(figure), alt)


def painting(
    pictures,
    starts,
    *,
    alt,
    rates,
    first,
    costs,
    painted,
    frequencies=None,
    bandwidth=8,
    bandwidths=(0.5, 1, 2, 4, 8, 16),
    hidden=None,
):
    """Let a network paint a picture while a reader watches, told places or waves, with a part of the picture hidden.

    The network has ReLU after each layer but the last, and the loss is the distance of two colours, summed over red,
    green and blue, its mean over a batch; Adam makes the steps as the chapter on inpainting writes it.

    Parameters
    ----------
    pictures : mapping of str to array of shape (side, side, 3)
        Colours from 0 to 255; the first picture is the chapter's own, and all are of one size, from 8 to 128. A reader
        can add one of theirs.
    starts : mapping of str to sequence of arrays
        The parameters that the training begins with, W1, b1, W2, b2 and so on, of a network that is told "place", a row
        and a column, standardized, or "waves", sines and then cosines of ``frequencies``. One of them or both; the
        figure begins with the first.
    alt : str
        What the figure shows, in a sentence or more, for those who cannot see it.
    rates : array of shape (passes,)
        The rate of each pass.
    first : mapping of str to (array of shape (steps, batch), array of shape (side * side, 3))
        For each of the starts the numbers of the pixels in the first batches, and what the network answers at all
        pixels after these steps at the first rate. The figure must come to the same, and its batches are as large.
    costs : mapping of str to mapping of int to float
        What the picture cost in the chapter's own runs after these passes, for each of the starts.
    painted : mapping of str to array of shape (side * side, 3) or (side, side, 3)
        What the chapter's own runs painted in the end, by captions; shown where scripts do not run.
    frequencies : array of shape (2, k), optional
        The waves' cycles down and across the picture; needed for "waves".
    bandwidth : float
        The standard deviation that the frequencies were drawn with.
    bandwidths : sequence of float
        The bandwidths to choose from, that of the frequencies among them. For another one they are all multiplied.
    hidden : mapping of str to array of bool, of shape (side, side), optional
        What a reader can hide from the network, by names such as "half" in "waves 8, half hidden".

    Returns
    -------
    object
        The live figure.

    Raises
    ------
    TypeError, ValueError
        If the pictures are no colours or of different shapes, ``starts`` are no parameters of such a network, their
        shapes do not follow on each other, ``first`` is not what these steps lead to, ``bandwidths`` lack that of the
        frequencies, ``hidden`` hides nothing or leaves less than a batch, or ``alt`` is blank.
    """
    pictures = {name: np.asarray(picture, dtype="f4").astype(float) for name, picture in pictures.items()}
    side = _of_pictures(pictures)
    rates = np.asarray(rates, dtype="f4")
    if rates.ndim != 1 or not rates.size or not (np.isfinite(rates) & (rates >= 0)).all() or not rates[0] > 0:
        raise ValueError(f"rates must be at least one finite rate, none below 0, the first above, got {rates}")
    if not starts or (unknown := set(starts) - {"place", "waves"}):
        raise ValueError(f"starts must be of 'place', 'waves' or both, got {sorted(starts) and sorted(unknown)}")
    if "waves" in starts:
        frequencies = np.asarray(frequencies, dtype=float)
        if frequencies.ndim != 2 or frequencies.shape[0] != 2 or not np.isfinite(frequencies).all():
            raise ValueError(f"frequencies must be finite, of shape (2, k), got shape {frequencies.shape}")
        if not all(0 < value < np.inf for value in [bandwidth, *bandwidths]) or bandwidth not in bandwidths:
            raise ValueError(f"bandwidths must be above 0, and bandwidth {bandwidth} among them, got {[*bandwidths]}")
    own = next(iter(pictures.values()))
    arrays, numbers_of, probes = [], {}, {}
    for kind, start in starts.items():
        told = _told(side, frequencies if kind == "waves" else None)
        start = _of_start(kind, start, told.shape[1])
        probes[kind] = _probe(kind, start, told, own.reshape(-1, 3), float(rates[0]), first)
        numbers_of[kind] = []
        for part in start:
            text = _packed(part, "<f4")
            arrays += [] if text in arrays else [text]
            numbers_of[kind].append(arrays.index(text))
    sizes = {len(np.asarray(first[kind][0])[0]) for kind in starts}
    if len(sizes) > 1:
        raise ValueError(f"first must have batches of one size, got {sorted(sizes)}")
    batch = sizes.pop()
    masks = {name: np.asarray(mask) for name, mask in (hidden or {}).items()}
    for name, mask in masks.items():
        if mask.dtype != bool or mask.shape != (side, side):
            raise ValueError(f"hidden[{name!r}] must be bool, of shape {side, side}, got {mask.dtype} of {mask.shape}")
        if name == "nothing" or not mask.any() or (~mask).sum() < batch:
            raise ValueError(f"hidden[{name!r}] must hide something and leave a batch of {batch}, hides {mask.sum()}")
    runs = {kind: dict(costs.get(kind, ())) for kind in starts}
    painted = {name: np.asarray(each, dtype=float) for name, each in painted.items()}
    for name, each in painted.items():
        if each.size != own.size or not np.isfinite(each).all():
            raise ValueError(f"painted[{name!r}] must be finite colours of {side * side} pixels, got {each.shape}")
    for kind, run in runs.items():
        if not run or not all(0 < done <= len(rates) and 0 <= cost < np.inf for done, cost in run.items()):
            raise ValueError(f"costs[{kind!r}] must be after 1 to {len(rates)} passes, and finite, got {run}")

    state = {
        "side": side,
        "batch": batch,
        "rates": _packed(rates, "<f4"),
        "pictures": [_packed_picture(name, picture) for name, picture in pictures.items()],
        "hidden": [{"name": name, "mask": _packed(np.packbits(mask), "u1")} for name, mask in masks.items()],
        "frequencies": _packed(frequencies, "<f8") if "waves" in starts else None,
        "bandwidth": bandwidth,
        "bandwidths": list(bandwidths),
        "arrays": arrays,
        "starts": numbers_of,
        "first": probes,
        "marks": [{"pass": int(done), "cost": float(cost)} for run in runs.values() for done, cost in run.items()],
        "marked": " and ".join(f"waves of {bandwidth:g}" if kind == "waves" else kind for kind in runs),
    }
    return _live("painting", state, _on_paper(_gallery(pictures, painted, runs)), alt)


def _points(name, x, y, x_test=(), y_test=()):
    """A data set as the figure holds it, with the limits of the plane that it is drawn on."""
    x, y, y_test = np.asarray(x, dtype=float), np.asarray(y), np.asarray(y_test)
    x_test = np.asarray(x_test, dtype=float).reshape(-1, 2) if len(y_test) else np.empty((0, 2))
    for what, inputs, classes in (("", x, y), ("_test", x_test, y_test)):
        if inputs.ndim != 2 or inputs.shape[1] != 2 or not np.isfinite(inputs).all():
            raise ValueError(f"sets[{name!r}] must have an x{what} of finite numbers, shape (m, 2), got {inputs.shape}")
        if classes.shape != inputs.shape[:1] or not np.isin(classes, (0, 1)).all():
            raise ValueError(f"sets[{name!r}] must have a y{what} of {len(inputs)} zeros and ones")
    if len(x) < 2 or not np.ptp(x, axis=0).all():
        raise ValueError(f"sets[{name!r}] must have points that differ in both inputs")
    low, high = x.min(axis=0), x.max(axis=0)
    margin = (high - low) * max(0.04, 1 / len(x) ** 0.5)  # a few points get more room
    return {
        "name": name,
        "limits": np.transpose([low - margin, high + margin]).tolist(),
        "x": _packed(x, "<f4"),
        "y": _packed(y, "u1"),
        "testX": _packed(x_test, "<f4"),
        "testY": _packed(y_test, "u1"),
    }


def _layers(name, arrays):
    """W1, b1, W2, b2, … as pairs of a kernel and a bias, from two inputs to one output."""
    arrays = [np.asarray(array, dtype=float) for array in arrays]
    layers = [(kernel, np.ravel(bias)) for kernel, bias in zip(arrays[::2], arrays[1::2], strict=False)]
    fits = len(arrays) >= 2 and len(arrays) % 2 == 0 and all(kernel.ndim == 2 for kernel, _ in layers)
    sizes = [2, *(bias.size for _, bias in layers)]
    fits = fits and sizes[-1] == 1 and [kernel.shape for kernel, _ in layers] == list(itertools.pairwise(sizes))
    if not fits:
        shapes = [array.shape for array in arrays]
        raise ValueError(f"{name} must be W1, b1, W2, b2, … of two inputs and one output, got the shapes {shapes}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name} must be finite numbers")
    return layers


def digits(model, images, labels, *, alt, shown=100):
    """Let a reader write a digit, or choose a test image, and see what a trained network answers.

    What is written is framed as MNIST's digits were, or given to the network as it stands on the pad.

    Parameters
    ----------
    model : keras.Model
        Dense layers, with batch normalization, ReLU and dropout among them, that make ten logits of 28 × 28 pixels. The
        figure carries its weights with 4 bits each, or with 8 where 4 would change too many answers.
    images : array, shape (m, 28, 28)
        Test images in the scale that the model was trained on. Their smallest value is the ground, their largest full
        ink.
    labels : integer array, shape (m,)
        The digits that they show.
    alt : str
        What the figure shows, in a sentence or more, for those who cannot see it.
    shown : int
        How many test images there are to choose from: the model's mistakes first, those it is surest of before others,
        up to six in ten, and then images of each digit that it reads right.

    Returns
    -------
    object
        The live figure.

    Raises
    ------
    TypeError, ValueError
        If ``model`` is not of such layers, computes something else than these one after the other, or has other inputs
        and outputs; if its weights cannot be rounded to 8 bits without changing more than 0.5 % of its answers; if
        ``images`` or ``labels`` are of other shapes or values, ``shown`` is not a whole number above 0, or ``alt`` is
        blank.
    """
    layers, hidden, output = _carried("model", model)
    if (layers[0][0].shape[0], layers[-1][0].shape[1], output) != (784, 10, "linear"):
        raise ValueError(
            f"model must make 10 logits of 784 pixels, got {layers[-1][0].shape[1]} outputs, {output}, of "
            f"{layers[0][0].shape[0]} numbers"
        )
    images, labels = _of_digits(images, labels)
    if not isinstance(shown, numbers.Integral) or isinstance(shown, bool) or shown < 1:
        raise ValueError(f"shown must be a whole number above 0, got {shown!r}")
    own = np.asarray(model(images.reshape(-1, *model.input_shape[1:]).astype("f4")), dtype=float)
    low, high = images.min(), images.max()
    ink = (images.reshape(-1, 784) - low) / (high - low)
    kernel, bias = layers[0]
    layers[0] = kernel * (high - low), bias + low * kernel.sum(axis=0)
    if (off := np.abs(_answer(layers, hidden, output, ink) - own).max()) > 1e-3 * np.abs(own).max():
        raise ValueError(f"model must do what its layers do one after the other; its logits are up to {off:.2g} off")
    for bits in (4, 8):
        network, rounded = _quantized(layers, hidden, output, bits, ink)
        answers = _answer(rounded, hidden, output, ink)
        changed = int(np.sum(answers.argmax(axis=1) != own.argmax(axis=1)))
        if changed <= 0.005 * len(images):
            break
    else:
        raise ValueError(
            f"model cannot be carried over: weights of {bits} bits change {changed:,} of its {len(images):,} answers, "
            "more than 0.5 %"
        )

    probabilities = np.exp(own - own.max(axis=1, keepdims=True))
    chosen, mistakes = _chosen(probabilities / probabilities.sum(axis=1, keepdims=True), answers, labels, shown)
    packed = np.rint(255 * ink[chosen]).astype("u1")
    answers = _answer(rounded, hidden, output, packed / 255)
    probabilities = np.exp(answers - answers.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    state = {
        "network": network,
        "images": _packed(_runs(packed.ravel()), "u1"),
        "labels": labels[chosen].tolist(),
        "mistakes": mistakes,
        "probabilities": _packed(probabilities, "<f4"),
        "changed": [changed, len(images)],
    }
    return _live("digits", state, _answered(packed[0].reshape(28, 28), labels[chosen[0]], probabilities[0]), alt)


def _of_walks(walks):
    """The start and the number of updates that all walks share."""
    if not walks:
        raise ValueError("walks must be at least one")
    if unknown := set(walks) - set(RULES):
        raise ValueError(f"walks must be among the rules {', '.join(RULES)}, got {', '.join(sorted(unknown))}")
    for name, (rate, path) in walks.items():
        if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2:
            raise ValueError(f"walks[{name!r}] must have places of shape (updates + 1, 2), got {path.shape}")
        if not np.isfinite(path).all():
            raise ValueError(f"walks[{name!r}] must be finite places")
        if not 0 < rate < np.inf:
            raise ValueError(f"walks[{name!r}] must have a rate above 0, got {rate}")
    if (
        len({len(path) for _, path in walks.values()}) > 1
        or np.ptp([path[0] for _, path in walks.values()], axis=0).any()
    ):
        raise ValueError("walks must all have one start and as many updates")
    path = next(iter(walks.values()))[1]
    return path[0], len(path) - 1


def _spline(loss, limits):
    """The coefficients of a cubic spline through the loss on a mesh, how far the losses lie apart, and its error."""

    def of(shift):
        across, along = (np.linspace(*pair, _MESH) + shift * (pair[1] - pair[0]) / (_MESH - 1) for pair in limits)
        places = np.stack(np.meshgrid(across, along), axis=-1)
        rows = [np.asarray(loss(row), dtype=float) for row in places]  # a loss over many examples takes its memory
        if any(row.shape != (_MESH,) for row in rows):
            raise ValueError(f"loss must give shape ({_MESH},) for places ({_MESH}, 2), got {rows[0].shape}")
        values = np.array(rows)
        if not np.isfinite(values).all():
            raise ValueError("loss must be finite on the whole surface")
        return values

    values = of(0)
    # At each place a sum of three coefficients; at both ends the third derivative runs on (not-a-knot).
    matrix = sum(np.eye(_MESH + 2, k=k) * weight / 6 for k, weight in ((-1, 1), (0, 4), (1, 1)))
    matrix[0, :5] = matrix[-1, -5:] = 1, -4, 6, -4, 1
    padded = np.pad(values, 1)
    coefficients = np.linalg.solve(matrix, np.linalg.solve(matrix, padded.T).T)
    half = np.array([1, 23, 23, 1]) / 48  # half-way between two places
    cells = range(_MESH - 1)
    between = np.array([[half @ coefficients[j : j + 4, i : i + 4] @ half for i in cells] for j in cells])
    scale = np.ptp(values)
    if (off := np.abs(between - of(0.5)[:-1, :-1]).max()) > 1e-3 * scale:
        raise ValueError(
            f"loss must be smooth on the scale of a mesh of {_MESH} × {_MESH}: half-way between its places the spline "
            f"is {off:.2g} off, of {scale:.2g} in all"
        )
    return coefficients, float(scale), float(max(off, 1e-12 * scale))


def _drawn(draw, figsize):
    """A figure and its Axes, drawn by ``draw``, unknown to pyplot."""
    figure = Figure(figsize=figsize)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    draw(ax)
    canvas.draw()
    return figure, ax


def _carried(name, model):
    """The kernels and biases of a Keras model of dense layers, and what its hidden layers and its output answer by.

    Batch normalization is folded into the dense layer before it; what changes nothing once trained is left out.
    """
    layers, activations = [], []
    for layer in getattr(model, "layers", ()):
        kind = type(layer).__name__
        if kind == "Dense":
            kernel = np.asarray(layer.kernel, dtype=float)
            bias = np.asarray(layer.bias, dtype=float) if layer.use_bias else np.zeros(kernel.shape[1])
            layers.append((kernel, bias))
            activations.append(layer.activation.__name__)
        elif kind == "BatchNormalization" and layers and activations[-1] == "linear":
            kernel, bias = layers[-1]
            factor = 1 / np.sqrt(np.asarray(layer.moving_variance, dtype=float) + layer.epsilon)
            factor = factor * np.asarray(layer.gamma) if layer.scale else factor
            shift = np.asarray(layer.beta) if layer.center else 0
            layers[-1] = kernel * factor, (bias - np.asarray(layer.moving_mean, dtype=float)) * factor + shift
        elif kind in ("ReLU", "Activation") and activations and activations[-1] == "linear":
            plain = kind == "Activation" or (
                not layer.negative_slope and layer.max_value is None and not layer.threshold
            )
            activations[-1] = (
                layer.activation.__name__ if kind == "Activation" else "relu" if plain else "ReLU of its own"
            )
        elif not _idle(layer):
            raise ValueError(
                f"{name} must be made of dense layers, with batch normalization, ReLU and dropout among them; the "
                f"layer {layer.name!r} is a {kind}, which the figure cannot compute"
            )
    if not layers:
        raise TypeError(f"{name} must be a Keras model with dense layers, got {model!r}")
    hidden, output = set(activations[:-1]) or {"relu"}, activations[-1]
    if len(hidden) > 1 or not hidden | {output} <= {"linear", "relu", "tanh", "sigmoid"}:
        raise ValueError(
            f"{name} must have one activation in all its hidden layers, and no other than linear, relu, tanh or "
            f"sigmoid in any, got {activations}"
        )
    return layers, hidden.pop(), output


def _idle(layer):
    """Whether a layer hands on what it is given, in whichever shape."""
    given = np.random.default_rng(0).normal(size=(2, *layer.input.shape[1:])).astype("f4")
    return np.array_equal(np.ravel(layer(given)), given.ravel())


def _quantized(layers, hidden, output, bits, inputs=None):
    """A network's state with weights of so many bits, 4 or 8, a scale for each unit; and those weights as numbers.

    Where typical inputs are given, shape (n, inputs), the weights are rounded so that the sums over these change least.
    """
    top = 2 ** (bits - 1) - 1
    state = {
        "sizes": [layers[0][0].shape[0], *(kernel.shape[1] for kernel, _ in layers)],
        "bits": bits,
        "hidden": hidden,
        "output": output,
        "layers": [],
    }
    rounded, exact, x = [], inputs, inputs
    for kernel, bias in layers:
        scale = (np.abs(kernel).max(axis=0) / top).astype("<f4")
        scale[scale == 0] = 1
        whole = kernel / scale if inputs is None else _compensated(kernel / scale, top, exact)
        whole = np.clip(np.rint(whole), -top, top).astype("i1")
        if inputs is not None:
            sums, exact = x @ (whole * scale.astype(float)), exact @ kernel + bias
            bias = exact.mean(axis=0) - sums.mean(axis=0)
            x, exact = _ANSWERS[hidden](sums + bias), _ANSWERS[hidden](exact)
        raw = whole.ravel()
        if bits == 4:
            raw = (np.append(raw, 0) if raw.size % 2 else raw) + 8
            raw = (raw[::2].astype("u1") << 4) | raw[1::2].astype("u1")
        packed = {"numbers": _packed(raw, raw.dtype), "scale": _packed(scale, "<f4"), "bias": _packed(bias, "<f4")}
        state["layers"].append(packed)
        rounded.append((whole * scale.astype(float), bias.astype("<f4").astype(float)))
    return state, rounded


def _compensated(kernel, top, inputs):
    """A kernel with what rounding takes from an input's weights made up for by those of later inputs, as GPTQ does.

    See Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ" (2023): the later weights move to where, with the first ones
    rounded, the squared change of the sums over the inputs is least.
    """
    products = inputs.T @ inputs / len(inputs)
    products += (0.01 * np.trace(products) / len(products) + 1e-9) * np.eye(len(products))
    factor = np.linalg.cholesky(np.linalg.inv(products)).T
    kernel = kernel.copy()
    for i, row in enumerate(kernel):
        lost = row - np.clip(np.rint(row), -top, top)
        kernel[i + 1 :] -= np.outer(factor[i, i + 1 :] / factor[i, i], lost)
    return kernel


_ANSWERS = {
    "linear": lambda a: a,
    "relu": lambda a: np.maximum(a, 0),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


def _answer(layers, hidden, output, x):
    """What a network of kernels and biases answers to x, shape (n, inputs)."""
    for kernel, bias in layers[:-1]:
        x = _ANSWERS[hidden](x @ kernel + bias)
    kernel, bias = layers[-1]
    return _ANSWERS[output](x @ kernel + bias)


def _packed(array, dtype):
    return base64.b64encode(np.ascontiguousarray(array, dtype=dtype).tobytes()).decode()


def _live(kind, state, picture, alt):
    """The figure of this kind: its state, the scripts that bring it to life, and the picture for where they do not."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say in a sentence what the figure shows, got {alt!r}")
    scripts = {name: _PARTS.joinpath(f"{name}.js").read_text("utf-8") for name in ("engine", "page", kind)}
    text = (
        f"<style>\n{_PARTS.joinpath('live.css').read_text('utf-8')}</style>\n"
        f'<div class="dl-live" role="group" aria-label="Live figure" data-live="{kind}" '
        f'data-state="{html.escape(json.dumps(state, separators=(",", ":")))}">'
        f'<img src="data:image/webp;base64,{_encoded(picture)}" alt="{html.escape(alt)}"></div>\n'
        f"<script>\nif (!globalThis.dlLive?.mount) {{\n{scripts['engine']}{scripts['page']}}}\n"
        f"if (!dlLive.kinds.{kind}) {{\n{scripts[kind]}}}\ndlLive.mount();\n</script>\n"
    )
    return _Player({"text/html": text, "image/png": _encoded(picture, "PNG"), "text/plain": alt})


_CODES = 500  # in a map, at most
_CHANGE = 0.005  # of a pixel, on average, by rounding weights
_MARKERS = "oxs^DvP<>*"  # of the digits; up to 6 those of plotting.plot_classes


def _drawing(name, decoder, points):
    """A decoder's state, the shape of its images, and a function that draws as the page will."""
    layers, hidden, output = _carried(name, decoder)
    inputs, pixels = layers[0][0].shape[0], layers[-1][0].shape[1]
    if inputs != 2:
        raise ValueError(f"{name} must take two latent numbers, got {inputs}")
    shape = [size for size in decoder.output_shape[1:] if size != 1]
    if len(shape) != 2:
        shape = [math.isqrt(pixels)] * 2
    if math.prod(shape) != pixels or min(shape) < 2:
        raise ValueError(f"{name} must draw images, (height, width) or square ones as rows, got {decoder.output_shape}")
    state, rounded = _quantized(layers, hidden, output, bits=8)
    if not np.isfinite(exact := _answer(layers, hidden, output, points)).all():
        raise ValueError(f"{name} must draw finite numbers for all codes")
    drawn = _answer(rounded, hidden, output, points)
    if not (change := np.abs(np.clip(drawn, 0, 1) - np.clip(exact, 0, 1)).mean()) <= _CHANGE:
        raise ValueError(
            f"{name} must draw the same with weights of 8 bits, but its pixels change by {change:.2g} on average, "
            f"more than {_CHANGE}"
        )
    return {"state": state, "shape": shape, "answer": lambda places: _answer(rounded, hidden, output, places)}


def _map_of_codes(ax, points, digits):
    """Draw codes, each digit with its colour and marker and its name among them, and what N(0, I) would give."""
    halo = [withStroke(linewidth=3, foreground="white")]
    for radius in (1, 2, 3):
        ax.add_patch(Circle((0, 0), radius, fill=False, zorder=3))
    for digit in np.unique(digits):
        own = points[digits == digit]
        ax.scatter(*own.T, s=14, linewidths=1, alpha=0.7, color=f"C{digit}", marker=_MARKERS[digit])
        middle = own[np.argmin(np.sum((own - np.median(own, axis=0)) ** 2, axis=1))]
        ax.annotate(f"{digit}", middle, ha="center", va="center", weight="bold", size=15, zorder=4, path_effects=halo)
    ax.set(aspect="equal", adjustable="datalim", xlabel="z₁", ylabel="z₂")


def _of_digits(images, labels):
    """Test images and labels as arrays of floats and of whole numbers."""
    images = np.asarray(images, dtype=float)
    if images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) == 0:
        raise ValueError(f"images must have shape (m, 28, 28) with m of at least 1, got {images.shape}")
    if not np.isfinite(images).all() or np.ptp(images) == 0:
        raise ValueError("images must be finite numbers, and not all the same")
    labels = np.asarray(labels)
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be one whole number for each of the {len(images)} images, got {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"labels must be digits from 0 to 9, got {labels.min()} to {labels.max()}")
    return images, labels


def _chosen(probabilities, answers, labels, shown):
    """Which images are shown: mistakes, the surest first, then right ones of all digits in turn; and how many mistakes.

    Only such that the rounded network, whose logits are ``answers``, reads as the model does.
    """
    said = probabilities.argmax(axis=1)
    alike = said == answers.argmax(axis=1)
    wrong, right = (np.flatnonzero(alike & is_one) for is_one in (said != labels, said == labels))
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]
    wrong = surest[: max(shown * 6 // 10, shown - len(right))]
    turn = np.empty(len(right), dtype=int)
    for digit in range(10):
        turn[labels[right] == digit] = np.arange(np.sum(labels[right] == digit))
    chosen = np.concatenate([wrong, right[np.lexsort((labels[right], turn))][: shown - len(wrong)]])
    return chosen, len(wrong)


def _runs(levels):
    """Bytes, with each run of zeros as a 0 and how many they are, 255 at most."""
    packed, rest = [], 0
    for level in [*levels.tolist(), None]:
        if level == 0:
            rest += 1
            continue
        while rest:
            packed += [0, min(rest, 255)]
            rest -= packed[-1]
        packed += [] if level is None else [level]
    return np.array(packed, dtype="u1")


def _answered(image, label, probabilities):
    """The picture of a test image and of the ten probabilities that it was given."""
    figure = Figure(figsize=(5.6, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    plot_digits(image, f"label {label}", ax=left)
    right.barh(range(10), probabilities)
    right.set(yticks=range(10), xlim=(0, 1), ylim=(9.6, -0.6), xlabel="probability of each digit")
    return _on_paper(figure)


def _of_pictures(pictures):
    """The side that all pictures share."""
    if not pictures:
        raise ValueError("pictures must be at least one")
    for name, picture in pictures.items():
        if picture.ndim != 3 or picture.shape != (picture.shape[0], picture.shape[0], 3):
            raise ValueError(f"pictures[{name!r}] must be square and in colour, (side, side, 3), got {picture.shape}")
        if not ((picture >= 0) & (picture <= 255)).all() or picture.max() <= 1:
            raise ValueError(
                f"pictures[{name!r}] must be colours from 0 to 255, got {picture.min()} to {picture.max()}"
            )
    sides = {picture.shape[0] for picture in pictures.values()}
    if len(sides) > 1 or not 8 <= max(sides) <= 128:
        raise ValueError(f"pictures must all have one side, from 8 to 128, got {sorted(sides)}")
    return sides.pop()


def _of_start(kind, start, inputs):
    """The parameters as arrays, (n, m) and (m,) in turns; n is first ``inputs``, and m at last 3."""
    name = f"starts[{kind!r}]"
    if not isinstance(start, (list, tuple)) or len(start) < 4 or len(start) % 2:
        raise TypeError(f"{name} must list W1, b1, W2, b2 and so on, at least two layers, got {type(start).__name__}")
    start = [np.asarray(part, dtype="f4") for part in start]
    start[1::2] = [bias.ravel() if bias.shape[:-1] in ((), (1,)) else bias for bias in start[1::2]]
    shapes, n = [part.shape for part in start], inputs
    for weights, bias in zip(start[::2], start[1::2], strict=True):
        if weights.ndim != 2 or weights.shape[0] != n or bias.shape != weights.shape[1:]:
            raise ValueError(f"{name} must lead from {inputs} numbers to 3 colours, layer by layer, got {shapes}")
        n = weights.shape[1]
    if n != 3:
        raise ValueError(f"{name} must lead from {inputs} numbers to 3 colours, layer by layer, got {shapes}")
    if not all(np.isfinite(part).all() for part in start):
        raise ValueError(f"{name} must be finite")
    return start


def _told(side, frequencies):
    """What the network is told of each pixel, as float32: its standardized place, or sines and cosines of waves."""
    steps = (np.arange(side) + 0.5) / side
    places = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    if frequencies is None:
        return ((places - 0.5) / places.std()).astype("f4")
    angles = 2 * np.pi * places @ frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("f4")


def _probe(kind, start, told, colours, rate, first):
    """The first steps as the figure is to redo them, and what comes of them; they are redone here before."""
    name = f"first[{kind!r}]"
    try:
        rows, answers = first[kind]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name} must be two arrays, numbers of pixels and answers") from None
    rows, answers = np.asarray(rows), np.asarray(answers, dtype=float)
    if (
        rows.ndim != 2
        or not rows.size
        or rows.dtype.kind not in "iu"
        or not (0 <= rows.min() <= rows.max() < len(told))
    ):
        raise ValueError(
            f"{name} must begin with numbers of pixels below {len(told)}, (steps, batch), got {rows.shape}"
        )
    if answers.shape != colours.shape:
        raise ValueError(f"{name} must end with answers of shape {colours.shape}, got {answers.shape}")
    off = np.abs(_redone(start, told.astype(float), colours, rows, rate) - answers).max() / np.abs(answers).max()
    if not off < 0.01:  # 32 bits, and the order of sums, make a few hundred-thousandths
        raise ValueError(
            f"{name} must be what {len(rows)} steps of Adam at rate {rate:g} lead to, of a network with ReLU and an "
            f"absolute loss, the chapter's; they lead elsewhere, by {off:.2g} of the largest answer"
        )
    return {"rows": _packed(rows, "<u2"), "answers": _packed(answers[::_EVERY], "<f4"), "every": _EVERY}


def _redone(start, told, colours, rows, rate):
    """What the network answers after a step of Adam for each of the rows."""
    parts = [part.astype(float) for part in start]
    averages = [(np.zeros_like(part), np.zeros_like(part)) for part in parts]

    def forward(x):
        """What goes into each layer, and the answers."""
        passed = [x]
        for weights, bias in zip(parts[:-2:2], parts[1:-2:2], strict=True):
            passed.append(np.maximum(passed[-1] @ weights + bias, 0))
        return passed, passed[-1] @ parts[-2] + parts[-1]

    for t, row in enumerate(rows, 1):
        passed, answers = forward(told[row])
        slope, slopes = np.sign(answers - colours[row]) / len(row), []
        for layer in range(len(passed) - 1, -1, -1):
            slopes[:0] = [passed[layer].T @ slope, slope.sum(axis=0)]
            slope = (slope @ parts[2 * layer].T) * (passed[layer] > 0)
        for part, slope, (mean, square) in zip(parts, slopes, averages, strict=True):
            mean[:] = 0.9 * mean + 0.1 * slope
            square[:] = 0.999 * square + 0.001 * slope**2
            part -= rate * mean / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.999**t)) + 1e-7)
    return forward(told)[1]


def _packed_picture(name, picture):
    """A picture's state: bytes if its colours are whole numbers, else float32.

    Rounded more, a colour may come to lie on the other side of an answer, whose slope then has the other sign.
    """
    whole = np.array_equal(picture, np.rint(picture))
    return {"name": name, "bits": 8 if whole else 32, "values": _packed(picture, "u1" if whole else "<f4")}


def _gallery(pictures, painted, runs):
    """The picture and what was painted in a row, and below them what it cost on the way."""
    shown = {**dict([next(iter(pictures.items()))]), **painted}
    figure = Figure(figsize=(5.6, 5.6 / len(shown) + 2.6))
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=[5.6 / len(shown), 2.6])
    for ax, (name, each) in zip(np.ravel(upper.subplots(1, len(shown))), shown.items(), strict=True):
        ax.imshow(np.clip(each, 0, 255).reshape(next(iter(pictures.values())).shape) / 255, interpolation="nearest")
        ax.set_title(name)
        ax.axis("off")
    ax = lower.subplots()
    for kind, run in runs.items():
        ax.plot(*zip(*sorted(run.items()), strict=True), marker="ox"[kind == "waves"], label=kind)
    ax.set(xlabel="pass", ylabel="cost", ylim=(0, None))
    ax.legend()
    return figure
