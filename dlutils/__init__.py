"""What the chapters of *Training Neural Networks* share: :mod:`~dlutils.data`, :mod:`~dlutils.plotting`,
:mod:`~dlutils.training` and :mod:`~dlutils.live`. Importing the package loads none of them."""

import os

__version__ = "0.1.0"

# TensorFlow reads these once, when it is imported, so every chapter imports dlutils first. The log level alone
# leaves oneDNN's notices on stderr, and what a library writes there lands on the page.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
