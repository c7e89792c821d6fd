"""How the running process came by its results: said under the title of each chapter's page."""

import datetime
import os
import platform
import sys
from pathlib import Path


def describe():
    """One sentence on the TensorFlow, the Python, the processor, the day and the data of this process.

    Returns
    -------
    str
        Names TensorFlow only if it was imported, and data only if a ``load_*`` function was called.
    """
    software = f"Python {platform.python_version()}"
    if "tensorflow" in sys.modules:
        tensorflow = sys.modules["tensorflow"]
        software = f"TensorFlow {tensorflow.__version__}, {software}"
    where = _processor()
    if "tensorflow" in sys.modules and tensorflow.config.list_physical_devices("GPU"):
        where += " and a GPU"
    data = sys.modules.get("dlutils.data")
    loaded = f". Data: {'; '.join(data._loaded.values())}" if data and data._loaded else ""
    today = datetime.date.today()
    day = f"{today.day} {today:%B %Y}"
    return f"The results and figures of this page were computed on {day} with {software}, on {where}{loaded}."


def _processor():
    """The processor's name as its maker gives it, and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name} ({cores} {'core' if cores == 1 else 'cores'})"
