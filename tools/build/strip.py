"""Bring chapters to the form that is kept in git: run from top to bottom, then without outputs but the tagged ones.

python -m tools.build.strip [NOTEBOOK ...]        all chapters, if none is named
"""

import argparse
import asyncio
import sys
from pathlib import Path

from tools.build import notebooks

from nbstripout import strip_output

# What the command nbstripout --keep-count --keep-id --extra-keys metadata.language_info.version takes out.
EXTRA_KEYS = [
    "metadata.language_info.version",
    "metadata.signature",
    "metadata.widgets",
    "cell.metadata.collapsed",
    "cell.metadata.ExecuteTime",
    "cell.metadata.execution",
    "cell.metadata.heading_collapsed",
    "cell.metadata.hidden",
    "cell.metadata.scrolled",
]


def stripped(notebook):
    """``notebook`` without outputs, but for those of cells tagged keep_output, and without what a machine leaves."""
    return strip_output(notebook, keep_output=False, keep_count=True, keep_id=True, extra_keys=EXTRA_KEYS)


def main(arguments):
    """Strip the named notebooks, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build.strip", description=__doc__.split("\n\n")[0])
    parser.add_argument("notebook", type=Path, nargs="*", help="all chapters, if none is named")
    options = parser.parse_args(arguments)
    timeout = notebooks.settings()["timeout"]
    for path in [path.resolve() for path in options.notebook] or notebooks.chapters():
        print(f"{path.name}: running", flush=True)
        try:
            notebook, _, seconds = asyncio.run(notebooks.run(path, timeout=timeout))
        except notebooks.ChapterError as error:
            print(error, file=sys.stderr)
            return 1
        notebooks.write(stripped(notebook), path)
        print(f"{path.name}: ran in {seconds:.0f} s and was stripped")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
