"""Where the book's sources stand, and how its notebooks are run."""

import os
import re
import time
import tomllib
from pathlib import Path

import nbclient
import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"


_WARNING = re.compile(r"^(WARNING|ERROR):|\w+Warning: ", re.MULTILINE)  # in a kernel, TensorFlow logs to stdout


class ChapterError(Exception):
    """A chapter that did not run as it should; the message says where."""


def settings():
    """The [tool.book] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["book"]


def pages():
    """The files that _toc.yml names, in its order, without suffix and relative to ROOT."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    found = [toc["root"]]

    def walk(node):
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            if "file" in node:
                found.append(node["file"])
            for key in ("parts", "chapters", "sections"):
                walk(node.get(key))

    walk([toc.get("parts"), toc.get("chapters")])
    return found


def chapters():
    """The notebooks among the pages."""
    return [path for page in pages() if (path := ROOT / f"{page}.ipynb").is_file()]


def read(path):
    """The notebook at ``path``, or a ChapterError that names it."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises a different one for each way in which a file can be broken
        raise ChapterError(f"{path.name} is not a readable notebook: {error}") from error


def write(notebook, path):
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    nbformat.write(notebook, aside)
    os.replace(aside, path)


async def run(path, *, timeout, epilogue=None, on_cell=lambda done, cells: None):
    """Run the notebook at ``path`` from top to bottom in a fresh kernel, in its own folder.

    ``epilogue`` is source that runs in the kernel at the end; it leaves no trace but what it prints.

    Returns
    -------
    (notebook, str, float)
        The notebook with its outputs, what the epilogue printed, and the seconds it took.

    Raises
    ------
    ChapterError
        If a cell raises, takes longer than ``timeout`` seconds, or prints a warning, or if the kernel dies.
    """
    notebook = read(path)
    cells = len(notebook.cells)
    if epilogue is not None:
        notebook.cells.append(nbformat.v4.new_code_cell(epilogue))
    client = nbclient.NotebookClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        kernel_name="python3",  # this environment's, whatever the notebook was last opened with
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=lambda cell, cell_index, execute_reply: on_cell(cell_index + 1, cells),
    )
    start = time.perf_counter()
    try:
        await client.async_execute()
    except nbclient.exceptions.CellTimeoutError as error:
        raise ChapterError(f"{path.name}: a cell ran for more than {timeout} s\n{error}") from None
    except nbclient.exceptions.CellExecutionError as error:
        number = next(n for n, cell in enumerate(notebook.cells, 1) if _failed(cell))
        raise ChapterError(f"{path.name}, cell {number} of {cells} raised\n{plain(str(error))}") from None
    except nbclient.exceptions.DeadKernelError:
        raise ChapterError(f"{path.name}: the kernel died") from None
    seconds = time.perf_counter() - start
    printed = ""
    if epilogue is not None:
        printed = "".join(output.get("text", "") for output in notebook.cells.pop().outputs).strip()
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and (output.name == "stderr" or _WARNING.search(output.text)):
                raise ChapterError(
                    f"{path.name}, cell {number} of {cells} printed a warning, which would stand on the page\n"
                    f"{cell.source}\n--\n{plain(output.text)}"
                )
    return notebook, printed, seconds


def _failed(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def plain(text):
    """``text`` without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
