"""What holds for all tests, those of the chapters among them."""

import os

# As in make and in the chapters' kernels: with Agg, say, in the shell no kernel would show a figure.
os.environ.pop("MPLBACKEND", None)

# What tools.seeds and the like leave beside a chapter while they run it, or when they are killed.
collect_ignore_glob = ["*/.*.ipynb"]
