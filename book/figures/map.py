"""Draws map.png, for the index page: python book/figures/map.py

The chapters, numbered in the order of the book; a line leads to each from those that it
leans on.
"""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")

# The parts, each with its colours; the numbers in the boxes tell the parts, too.
PARTS = {
    "From neuron to network": (
        "#d6e9f8",
        "perceptron optimization training_a_network backprop vanishing_gradients",
    ),
    "Training well": ("#fde3cf", "gradient_descent_variants capacity regularization"),
    "TensorFlow": ("#d5efe3", "tf_graphs beyond_one_machine"),
    "Networks at work": ("#efe0f2", "mnist autoencoders inpainting"),
}
# What stands in the boxes, and where: from the left, from the top.
BOXES = {
    "perceptron": ("From perceptron\nto network", 1.5, 0),
    "optimization": ("Optimization", 1.5, 1),
    "training_a_network": ("Training\na network", 2.4, 2),
    "backprop": ("Back-\npropagation", 0.5, 2),
    "vanishing_gradients": ("Vanishing\ngradients", 1, 3),
    "gradient_descent_variants": ("Variants\nof descent", 3, 3),
    "capacity": ("Capacity", 2, 3),
    "regularization": ("Regularization", 1.4, 4),
    "tf_graphs": ("TensorFlow's\ngraphs", 0.1, 6),
    "beyond_one_machine": ("Beyond\none machine", 2.95, 6),
    "mnist": ("Handwritten\ndigits", 1.55, 5),
    "autoencoders": ("Auto-\nencoders", 2.4, 5),
    "inpainting": ("Painting\nan image", 2.4, 4),
}
# Each chapter leans on these and names them; tests/test_figures.py holds it to that.
NEEDS = {
    "optimization": ["perceptron"],
    "training_a_network": ["optimization"],
    "backprop": ["optimization"],
    "vanishing_gradients": ["backprop"],
    "gradient_descent_variants": ["training_a_network"],
    "capacity": ["training_a_network"],
    "regularization": ["capacity", "vanishing_gradients"],
    "tf_graphs": ["backprop", "regularization"],
    "beyond_one_machine": ["gradient_descent_variants", "tf_graphs"],
    "mnist": ["regularization"],
    "autoencoders": ["mnist"],
    "inpainting": ["capacity"],
}


def draw():
    """Return the figure."""
    figure, ax = plt.subplots(figsize=(5.6, 7.2))
    placed = {}
    for part, (colour, chapters) in PARTS.items():
        first = len(placed) + 1
        for chapter in chapters.split():
            name, x, y = BOXES[chapter]
            box = {
                "boxstyle": "round,pad=0.45",
                "facecolor": colour,
                "edgecolor": "0.35",
            }
            shown = f"{len(placed) + 1}\n{name}"
            placed[chapter] = ax.text(
                x,
                y,
                shown,
                ha="center",
                va="center",
                fontsize=9,
                linespacing=1.1,
                bbox=box,
            )
        ax.plot(
            [],
            [],
            "s",
            markersize=9,
            color=colour,
            markeredgecolor="0.35",
            label=f"{first}–{len(placed)} {part}",
        )
    for chapter, needed in NEEDS.items():
        for other in needed:
            ends = {
                "patchA": placed[other].get_bbox_patch(),
                "patchB": placed[chapter].get_bbox_patch(),
            }
            line = {
                "arrowstyle": "-|>",
                "color": "0.4",
                "shrinkA": 1,
                "shrinkB": 2,
            } | ends
            ax.annotate("", BOXES[chapter][1:], BOXES[other][1:], arrowprops=line)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    ax.set(xlim=(-0.5, 3.5), ylim=(6.5, -0.5))
    ax.axis("off")
    return figure


if __name__ == "__main__":
    draw().savefig(
        Path(__file__).with_name("map.png"),
        dpi=160,
        bbox_inches="tight",
        pad_inches=0.05,
    )
