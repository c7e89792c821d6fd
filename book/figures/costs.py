"""Draws costs-ratios.png, costs-growth.png and costs-limit.png, for the page on costs.

    python book/figures/costs.py [--take]

They show what stands in costs.json: what the benchmark measured on one machine. --take
puts in there what `make bench GROWTH=1` has just measured, and --take-others what
`make bench OTHERS=1` has of JAX and PyTorch. Printed are the page's table and its other
phrases with numbers; a test looks for all of them on the page.
"""

import argparse
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

matplotlib.use("Agg")

HERE = Path(__file__).parent
BUILD = HERE.parent.parent / "_build"
KEPT = [
    *("work", "peer", "ours_s", "peer_s", "ratio", "to_reach", "same_quality"),
    *("ours_metric", "peer_metric", "ours_compile_s", "ours_rss_mb", "peer_rss_mb"),
    *("ours_epoch_s", "peer_epoch_s"),
    *("others_share", "gflop"),
]
TITLES = {
    "mnist": "MNIST, 784-100-10",
    "regression": "ten points, 1-30-100-100-30-1",
    "astronaut": "astronaut, 64 × 64",
    "autoencoder": "autoencoder, 784-…-2-…-784",
    "classifier": "curve, 2-4-2",
}
OTHERS = ("JAX", "PyTorch", "PyTorch, compiled")  # from environments of their own
OURS, THEIRS = "#0072B2", "#D55E00"


def record():
    """What was measured: machine, rows of the table, growth, limits."""
    return json.loads((HERE / "costs.json").read_text("utf-8"))


def take(others):
    """Keep what has just been measured, rounded: of JAX and PyTorch, or all else."""
    rows = json.loads((BUILD / "bench.json").read_text("utf-8"))
    if any(row["quick"] for row in rows):
        raise SystemExit("_build/bench.json was made by --quick, which judges nothing")
    kept = record()
    rows_now = [
        {name: row[name] for name in KEPT}
        for row in rows
        if (row["peer"] in OTHERS) == others
    ]
    if others:
        kept["others"] = rows_now
    else:
        growth = json.loads((BUILD / "bench-growth.json").read_text("utf-8"))
        kept |= {"machine": rows[0]["machine"], "rows": rows_now}
        kept |= {"growth": growth["growth"], "limits": growth["limits"]}
    rounded = json.loads(
        json.dumps(kept), parse_float=lambda text: float(f"{float(text):.4g}")
    )
    (HERE / "costs.json").write_text(
        json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def table(rows):
    """The rows as a table in Markdown."""
    lines = [
        "| work | beside | book | other | times as fast | quality |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        other = (
            "not compared"
            if row["peer_metric"] is None
            else f"{row['ours_metric']:.3g} and {row['peer_metric']:.3g}"
        )
        told = [TITLES[row["work"]], row["peer"]]
        told += [f"{row[name]:.1f} s" for name in ("ours_s", "peer_s")]
        told += [f"{row['ratio']:.1f}", other]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def phrases(kept):
    """What else the page says in numbers, each phrase as it stands there."""
    by = {(row["work"], row["peer"]): row for row in kept["rows"]}
    names = ("Keras fit", "Keras fit, tuned", "GradientTape loop", "NumPy")
    names = (*names, "scikit-learn", "C, one thread")
    yield (
        "On MNIST Keras fit takes {} times as long as the book's loop, tuned {}, a "
        "GradientTape loop {}, NumPy {}, scikit-learn {}, C on one thread {}."
    ).format(*(f"{by['mnist', name]['ratio']:.1f}" for name in names))
    sessions = [row["ratio"] for row in kept["rows"] if row["peer"] == "TF 1 session"]
    by_step = by["regression", "Keras fit, a step an epoch"]["ratio"]
    yield (
        f"TensorFlow 1 sessions take {min(sessions):.1f} to {max(sessions):.1f} times "
        f"as long, Keras fit {by['astronaut', 'Keras fit']['ratio']:.1f} on the "
        f"astronaut and {by_step:.0f} with a step an epoch."
    )
    numpy = by["mnist", "NumPy"]
    yield (
        f"of the book's {numpy['ours_s']:.1f} seconds on MNIST "
        f"{numpy['ours_compile_s']:.1f} are start-up and compiling"
    )
    seconds = (f"{row['peer_s']:.1f}" for row in kept["others"])
    yield (
        "JAX took {} seconds for MNIST, PyTorch {}, and by torch.compile {}, where the "
        "book's loop took {:.1f}"
    ).format(*seconds, kept["others"][0]["ours_s"])
    limits = {row["work"]: row for row in kept["limits"]}
    taking = [by["mnist", peer] for peer in ("Keras fit", "GradientTape loop")]
    each = (limits["mnist"]["products"], *(row["peer_epoch_s"] for row in taking))
    yield (
        "MNIST's network is {:.2f} milliseconds of matrix products; Keras fit takes "
        "{:.1f} for it, and a GradientTape loop {:.1f}"
    ).format(*(1000 * seconds / 1875 for seconds in each))
    both = numpy["peer_epoch_s"], numpy["ours_epoch_s"]
    yield "its epoch is {:.2f} s and the loop's {:.2f}".format(*both)
    starts = [row["ours_compile_s"] for row in kept["rows"]]
    yield f"{min(starts):.1f} to {max(starts):.1f} seconds for these networks"
    said = (
        "on MNIST {} and {} milliseconds an epoch, {:.1f} times as long",
        "on the astronaut {} and {}, {:.1f} times",
        "on the autoencoder {} and {}, {:.1f} times",
    )
    for text, row in zip(said, limits.values(), strict=True):
        both = milliseconds(row["products"]), milliseconds(row["book"])
        yield text.format(*both, row["book"] / row["products"])
    ends = {key: [rows[0], rows[-1]] for key, rows in by_size(kept).items()}
    said = (
        "from 7,500 to 60,000 images the book's loop grows from {} to {} seconds and "
        "Keras fit from {} to {}",
        "from 32 to 512 pixels a side from {} to {} and from {} to {}",
        "for MNIST from {} to {} gigabytes and from {} to {}, for pictures from {} to "
        "{} and from {} to {}",
    )
    seconds = {key: [f"{row['epoch_s']:.2g}" for row in ends[key]] for key in ends}
    memory = {key: [f"{row['rss_mb'] / 1000:.2f}" for row in ends[key]] for key in ends}
    for text, kind, whats in (
        (said[0], seconds, ["examples"]),
        (said[1], seconds, ["side"]),
        (said[2], memory, ["examples", "side"]),
    ):
        keys = [(what, side) for what in whats for side in ("book", "Keras fit")]
        yield text.format(*(told for key in keys for told in kind[key]))
    power = {key: exponent(rows) for key, rows in by_size(kept).items()}
    yield f"their number to the power of {power['examples', 'book']:.2f} on MNIST"
    side = power["side", "book"]
    yield f"to the power of {side:.2f}, the pixels to that of {side / 2:.2f}"
    both = power["examples", "Keras fit"], power["side", "Keras fit"]
    yield "({:.2f} and {:.2f})".format(*both)
    pairs = list(pairs_of(kept))
    more = max(ours["rss_mb"] - theirs["rss_mb"] for ours, theirs in pairs)
    share = max(ours["rss_mb"] / theirs["rss_mb"] - 1 for ours, theirs in pairs)
    yield f"at most {more:.0f} megabytes more than Keras, {100 * share:.0f} %"


def milliseconds(seconds):
    """Three digits of them or so."""
    return f"{1000 * seconds:.{0 if seconds > 0.1 else 1}f}"


def by_size(kept):
    """The rows of the growth by (what grows, side), each from the smallest size on."""
    rows = {}
    for row in kept["growth"]:
        rows.setdefault((row["what"], row["side"]), []).append(row)
    return rows


def pairs_of(kept):
    """The rows of the growth of one size, the book's and Keras's."""
    rows = by_size(kept)
    for what in ("examples", "side"):
        yield from zip(rows[what, "book"], rows[what, "Keras fit"], strict=True)


def exponent(rows):
    """The power of the size with which an epoch's seconds grow."""
    sizes, seconds = ([row[name] for row in rows] for name in ("size", "epoch_s"))
    return np.polyfit(np.log(sizes), np.log(seconds), 1)[0]


def draw_ratios(rows):
    """A bar for each row: how many times as long as the book's loop."""
    _, ax = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
    names = [f"{row['peer']}\n{TITLES[row['work']]}" for row in rows]
    ratios = [row["ratio"] for row in rows]
    beyond = [ratio - 1 for ratio in ratios]
    ax.barh(range(len(rows)), beyond, left=1, color=OURS, height=0.6)
    for place, ratio in enumerate(ratios):
        ax.annotate(
            f"{ratio:.1f}",
            (max(ratio, 1), place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.axvline(1, color="black", linewidth=1)
    ax.set(
        xscale="log",
        xlabel="time, as a multiple of the book's loop",
        xlim=(min(0.9, *ratios) / 1.1, 3 * max(ratios)),
    )
    ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.figure.savefig(HERE / "costs-ratios.png", dpi=150)


def draw_growth(rows_by):
    """Seconds an epoch, and memory, by the number of examples, for both loops."""
    _, axes = plt.subplots(2, 2, figsize=(6.8, 5.2), layout="constrained")
    shown = (
        ("examples", "images of MNIST"),
        ("side", "side of the picture, in pixels"),
    )
    for column, (what, label) in zip(axes.T, shown, strict=True):
        for side, color, marker in (("book", OURS, "o"), ("Keras fit", THEIRS, "s")):
            rows = rows_by[what, side]
            sizes = [row["size"] for row in rows]
            name = "book's loop" if side == "book" else side
            style = {"color": color, "marker": marker, "label": name}
            column[0].plot(sizes, [row["epoch_s"] for row in rows], **style)
            column[1].plot(sizes, [row["rss_mb"] / 1000 for row in rows], **style)
            for ax in column:
                ax.set_xscale("log", base=2)
                ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
                ax.minorticks_off()
        column[0].set(yscale="log", ylabel="seconds an epoch")
        column[1].set(ylabel="memory (GB)", ylim=(0, 1.4), xlabel=label)
    axes[0, 0].legend()
    axes[0, 0].figure.savefig(HERE / "costs-growth.png", dpi=150)


def draw_limit(limits):
    """For three works an epoch's time, as a multiple of its matrix products' alone."""
    _, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    for place, row in enumerate(limits):
        sides = (("products", "#999999", "//"), ("book", OURS, None))
        for shift, (side, color, hatch) in zip((-0.2, 0.2), sides, strict=True):
            times, name = row[side] / row["products"], side if place == 0 else None
            name = name and {"products": "products alone", "book": "book's loop"}[side]
            style = {"color": color, "hatch": hatch, "edgecolor": "white"}
            ax.barh(place + shift, times, 0.36, label=name, **style)
            told = f"{milliseconds(row[side])} ms"
            spot = {"textcoords": "offset points", "va": "center", "fontsize": 10}
            ax.annotate(told, (times, place + shift), (4, 0), **spot)
    ax.set_yticks(range(len(limits)), [TITLES[row["work"]] for row in limits])
    most = max(row["book"] / row["products"] for row in limits)
    ax.set(xlabel="time, as a multiple of the products'", xlim=(0, 1.2 * most))
    ax.invert_yaxis()
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.figure.savefig(HERE / "costs-limit.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--take", action="store_true", help="of make bench GROWTH=1")
    parser.add_argument("--take-others", action="store_true", help="of OTHERS=1")
    options = parser.parse_args()
    if options.take or options.take_others:
        take(options.take_others)
    plt.style.use(HERE.parent.parent / "dlutils" / "style.mplstyle")
    kept = record()
    draw_ratios(kept["rows"])
    draw_growth(by_size(kept))
    draw_limit(kept["limits"])
    print(table(kept["rows"]))
    print("\n".join(["", *phrases(kept)]))
