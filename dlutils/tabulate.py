"""The numbers that a figure shows, read out of the figure itself: for a table beside it on the page."""

import itertools
import re

import numpy as np

MIME = "application/vnd.dlutils.numbers+json"
DIGITS = 8  # significant ones that are kept; float32 has seven
HANDED_OUT = re.compile(r"_(child|container|nolegend_)\d*$")  # labels that Matplotlib gives by itself


def show_with_figures():
    """Let this kernel show the numbers of each figure, under a type of their own, beside its picture.

    A notebook's front end shows a picture as before: it does not know the type. tools/build/tables.py does.

    Returns
    -------
    None
    """
    from IPython import get_ipython
    from IPython.core.formatters import JSONFormatter

    shell = get_ipython().display_formatter
    formatter = shell.formatters[MIME] = JSONFormatter(parent=shell)
    # Not for Figure itself, for which pyplot throws away what was registered.
    formatter.for_type_by_name("matplotlib.figure", "FigureBase", panels_of)
    formatter.for_type_by_name("dlutils.plotting", "_Player", lambda player: player.last and panels_of(player.last))


def panels_of(figure):
    """What the lines and bars of ``figure`` show.

    Panels with points of several classes, contours, images or a network show no numbers, nor do panels in space.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is left as it is.

    Returns
    -------
    list of dict, or None
        One for each panel that shows lines or bars: its ``number`` and how many there are ``in_all``, its ``title``,
        ``x`` and ``y``, what the axes are called, whether x is ``log``, ``series``, and ``also``, sentences on what
        else is drawn. A series has a ``name`` or None, ``x`` and ``y``, of numbers, of None where there is none, or,
        in x, of names; and ``low`` and ``high``, the ends of its error bars, or None. None instead of a list if there
        is no such panel.
    """
    axes = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    panels = []
    for number, ax in enumerate(axes, 1):
        if ax.name != "rectilinear" or not ax.axison or ax.images or _is_map(ax):
            continue
        series, also = _read(ax)
        if series:
            title = ax.get_title() or ax.get_title("left")
            x, y = _called(figure, ax, "x"), _called(figure, ax, "y")
            log = ax.get_xscale() == "log"
            if {each.pop("sideways") for each in series} == {True}:
                x, y, log = y, x, ax.get_yscale() == "log"
            panel = {"number": number, "in_all": len(axes), "title": title, "x": x, "y": y, "log": log}
            panels.append({**panel, "series": series, "also": also})
    return panels or None


def _is_map(ax):
    """Whether ``ax`` shows a plane: by points of classes, contours, regions, squares, arrows."""
    from matplotlib.collections import LineCollection, PolyCollection

    return any(not isinstance(each, (LineCollection, PolyCollection)) for each in ax.collections)


def _called(figure, ax, which):
    """What the axis ``which``, "x" or "y", is called: itself, or one that it shares, or all of the figure's."""
    own = getattr(ax, f"get_{which}label")()
    shared = [
        getattr(other, f"get_{which}label")() for other in getattr(ax, f"get_shared_{which}_axes")().get_siblings(ax)
    ]
    whole = getattr(figure, f"get_sup{which}label")()
    others = {getattr(other, f"get_{which}label")() for other in figure.axes} - {""}
    return next(filter(None, [own, *shared, whole, *(others if len(others) == 1 else [])]), "")


def _name(ax, artist):
    """The name of ``artist``, after the title of its legend, or None. After an underscore it stands in no legend."""
    label = str(artist.get_label() or "")
    if not label or HANDED_OUT.match(label):
        return None
    for legend in filter(None, [ax.get_legend(), *(other.get_legend() for other in ax.figure.axes)]):
        if label in [text.get_text() for text in legend.get_texts()]:
            return f"{legend.get_title().get_text()} {label}".strip()
    return label.removeprefix("_")


def _numbers(values):
    """``values`` as JSON can have them."""
    values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    return [float(f"{each:.{DIGITS}g}") if np.isfinite(each) else None for each in values]


def _names(axis):
    """The names that stand on ``axis`` in place of numbers, by their places."""
    from matplotlib import category, ticker

    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    named = isinstance(locator, ticker.FixedLocator) and isinstance(
        formatter, (ticker.FuncFormatter, ticker.FixedFormatter)
    )
    if not named and not isinstance(locator, category.StrCategoryLocator):
        return {}
    places = [float(place) for place in axis.get_majorticklocs()]
    return dict(zip(places, formatter.format_ticks(places), strict=True))


def _at(places, names):
    """``places`` as numbers; or the names that stand there, if there are names."""
    if not names:
        return _numbers(places)
    return [names[min(names, key=lambda known: abs(known - place))] for place in places]


def _read(ax):
    """The series of ``ax``, and sentences on what else is drawn."""
    from matplotlib import category, container, lines, patches

    series, also, points, done = [], [], 0, set()

    def add(artist, x, y, low=None, high=None, sideways=False, names=None):
        if names is None:
            axis = ax.yaxis if sideways else ax.xaxis
            names = _names(axis) if isinstance(axis.get_major_locator(), category.StrCategoryLocator) else {}
        x, y = np.ma.asarray(x, dtype=float), np.ma.asarray(y, dtype=float)
        first, last = sorted(ax.get_ylim() if sideways else ax.get_xlim())
        shown = np.ma.filled((x >= first) & (x <= last), False)
        ends = [None if end is None else _numbers(np.asarray(end)[shown]) for end in (low, high)]
        places = {"x": _at(x[shown], names), "y": _numbers(y[shown]), "low": ends[0], "high": ends[1]}
        if any(each is not None for each in places["y"]):
            series.append({"name": _name(ax, artist), **places, "sideways": sideways})

    for each in ax.containers:
        if isinstance(each, container.ErrorbarContainer):
            line, caps, bars = each.lines
            done |= {line, *caps}
            sideways = each.has_xerr and not each.has_yerr
            low, high = _ends(bars[-1], sideways)
            if line is not None:
                add(each, *_turned(line.get_data(orig=False), sideways), low, high, sideways)
        elif isinstance(each, container.StemContainer):
            done |= {each.markerline, each.baseline}
            add(each, *each.markerline.get_data(orig=False))
        elif isinstance(each, container.BarContainer) and each.patches:
            done |= set(each.patches)
            sideways = each.orientation == "horizontal"
            boxes = [_turned([(b.get_x(), b.get_width()), (b.get_y(), b.get_height())], sideways) for b in each.patches]
            (start, width), (base, height) = np.moveaxis(np.array(boxes, dtype=float), 0, -1)
            # Bars that all begin at 1, say, on an axis of ratios, tell where they end; bars on bars, how long they are.
            end = height if len(set(base)) > 1 else base + height
            middle, touching = start + width / 2, len(start) > 1 and np.allclose(start[1:], (start + width)[:-1])
            names = {} if touching else _names(ax.yaxis if sideways else ax.xaxis)
            if touching:
                names = dict(
                    zip(middle, (f"{a:.4g} to {b:.4g}" for a, b in zip(start, start + width, strict=True)), strict=True)
                )
            error = each.errorbar and _ends(each.errorbar.lines[2][-1], sideways)
            name = each if _name(ax, each) else each.patches[0]
            add(name, middle, end, *(error or (None, None)), sideways, names)
    for patch in ax.patches:
        if isinstance(patch, patches.StepPatch):
            values, edges, _ = patch.get_data()
            names = {(a + b) / 2: f"{a:.4g} to {b:.4g}" for a, b in itertools.pairwise(edges)}
            add(patch, list(names), values, names=names)
        elif patch not in done and patch.get_data_transform() == ax.get_xaxis_transform():
            left, right = patch.get_extents().transformed(ax.transData.inverted()).intervalx
            also.append(f"The range from {left:.4g} to {right:.4g} is shaded.")
    for line in ax.lines:
        if line in done or not line.get_visible() or isinstance(line, lines.AxLine):
            continue
        x, y = line.get_data(orig=False)
        name, drawn = _name(ax, line), line.get_linestyle() not in ("None", " ", "")
        by_name = f" ({name})" if name else ""
        if line.get_transform() != ax.transData:
            which, place = ("horizontal", y[0]) if y[0] == y[-1] and tuple(x) == (0, 1) else ("vertical", x[0])
            also.append(f"A {which} line stands at {place:.4g}{by_name}.")
        elif len(x) == 1:
            also.append(f"A mark stands at ({x[0]:.4g}, {y[0]:.4g}){by_name}.")
        elif len(x) == 2 and drawn and not name:
            also.append(f"A line leads from ({x[0]:.4g}, {y[0]:.4g}) to ({x[1]:.4g}, {y[1]:.4g}).")
        elif drawn or name:
            add(line, x, y)
        else:
            points += len(x)
    if points:
        also.append(f"There are {points:,} single points, which are not in the table.")
    return series, list(dict.fromkeys(also))


def _turned(pair, sideways):
    return pair[::-1] if sideways else pair


def _ends(bars, sideways):
    """Where error bars begin and where they end; not a number where there is none."""
    ends = np.full((len(bars.get_paths()), 2), np.nan)
    for number, path in enumerate(bars.get_paths()):
        if len(path.vertices) == 2:
            ends[number] = np.ma.filled(path.vertices[:, 0 if sideways else 1], np.nan)
    return ends.T
