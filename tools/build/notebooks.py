"""Where the book's sources stand, and how its notebooks are run."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import time
import tomllib
from pathlib import Path

import filelock
import nbclient
import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"

# In a kernel, TensorFlow logs to stdout.
_WARNING = re.compile(r"^(WARNING|ERROR):|^\S+:\d+: \w+Warning: ", re.MULTILINE)


LARGEST = 100 * 2**20  # bytes of a chapter with its outputs; the largest has three million


class ChapterError(Exception):
    """A chapter that did not run as it should; the message says where, and ``cell`` is what raised, if a cell did."""

    def __init__(self, message, cell=None):
        super().__init__(message)
        self.cell = cell


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
    """The notebooks among the pages; a ChapterError if one lies, or leads, out of ROOT."""
    found = [path for page in pages() if (path := ROOT / f"{page}.ipynb").is_file()]
    for path in found:
        if not path.resolve().is_relative_to(ROOT.resolve()) or ".." in path.parts:
            raise ChapterError(f"_toc.yml names {path}, which is not in {ROOT}")
    return found


def read(path):
    """The notebook at ``path``, or a ChapterError that names it."""
    try:
        return nbformat.reads(read_bytes(path, LARGEST).decode("utf-8-sig"), as_version=4)  # editors may write a BOM
    except Exception as error:  # nbformat raises a different one for each way in which a file can be broken
        raise ChapterError(f"{path.name} is not a readable notebook: {error}") from error


def read_bytes(path, most):
    """The bytes of the file at ``path``, or a ValueError if there are more than ``most``, however long it grows."""
    with path.open("rb") as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise ValueError(f"it has more than {most // 2**20} MB")
    return text


def write(notebook, path):
    """Write whole or not at all."""
    write_text(f"{nbformat.writes(notebook)}\n", path)


def write_text(text, path):
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, "utf-8", newline="\n")
    os.replace(aside, path)


@contextlib.contextmanager
def alone():
    """Keep other commands that build in this tree from BUILD until this one is through; wait for one that is at it.

    The lock is the system's, which takes it from a process that is killed.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    lock, holder = filelock.FileLock(BUILD / ".lock"), BUILD / ".lock-holder"
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        other = f"process {holder.read_text('utf-8')}" if holder.is_file() else "another process"
        print(f"{other} is building in {BUILD}; waiting until it is through", flush=True)
        lock.acquire()
    try:
        holder.write_text(str(os.getpid()), "utf-8")
        yield
    finally:
        lock.release()


def replace(aside, folder):
    """Put the finished folder ``aside`` in the place of ``folder``, which is kept until then."""
    restore(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(_old(folder))
    aside.rename(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)


def restore(folder):
    """Bring ``folder`` back if ``replace`` was killed between taking it away and putting the new one there.

    If it was killed later, what it had not yet removed of the old one goes.
    """
    if folder.exists():
        shutil.rmtree(_old(folder), ignore_errors=True)
    elif _old(folder).exists():
        _old(folder).rename(folder)


def _old(folder):
    return folder.with_name(f".{folder.name}-old")


@contextlib.contextmanager
def variant(path, notebook, name):
    """A file with ``notebook`` beside the chapter at ``path``, which is what it is a variant of; removed afterwards."""
    copy = path.with_name(f".{path.stem}-{name}.ipynb")
    try:
        nbformat.write(notebook, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


async def run(path, *, timeout, prologue=None, epilogue=None, on_cell=lambda done, cells: None):
    """Run the notebook at ``path`` from top to bottom in a fresh kernel, in its own folder.

    ``prologue`` is a line of source that runs in the kernel before the first cell. ``epilogue`` is source that runs in
    it at the end; it leaves no trace but what it prints.

    Returns
    -------
    (notebook, str, float)
        The notebook with its outputs, what the epilogue printed, and the seconds it took.

    Raises
    ------
    ChapterError
        If a cell raises, takes longer than ``timeout`` seconds, prints a warning, or has the metadata of a figure and
        does not end in exactly one picture; or if the kernel dies.
    """
    notebook = read(path)
    cells = len(notebook.cells)
    if epilogue is not None:
        notebook.cells.append(nbformat.v4.new_code_cell(epilogue))
    client = nbclient.NotebookClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        extra_arguments=["--log-level=ERROR", *([f"--IPKernelApp.exec_lines={prologue}"] if prologue else [])],
        kernel_name="python3",  # this environment's, whatever the notebook was last opened with
        resources={"metadata": {"path": str(path.parent)}},
        on_notebook_start=lambda notebook: _leave_interrupts_to_python(),
        on_cell_executed=lambda cell, cell_index, execute_reply: on_cell(cell_index + 1, cells),
    )
    start = time.perf_counter()
    own = settings().get("environment", {})
    environment = os.environ | {name: value.format(build=BUILD) for name, value in own.items()}
    try:
        await client.async_execute(env=environment)
    except nbclient.exceptions.CellTimeoutError as error:
        raise ChapterError(f"{path.name}: a cell ran for more than {timeout} s\n{error}") from None
    except nbclient.exceptions.CellExecutionError as error:
        number = max(n for n, cell in enumerate(notebook.cells, 1) if _failed(cell))
        message = f"{path.name}, cell {number} of {cells} raised\n{plain(str(error))}"
        raise ChapterError(message, notebook.cells[number - 1]) from None
    except nbclient.exceptions.DeadKernelError:
        if asyncio.current_task().cancelling():  # it was ended because we are
            raise asyncio.CancelledError from None
        raise ChapterError(f"{path.name}: the kernel died") from None
    seconds = time.perf_counter() - start
    printed = ""
    if epilogue is not None:
        printed = "".join(output.get("text", "") for output in notebook.cells.pop().outputs).strip()
    for number, cell in enumerate(notebook.cells, 1):
        if problem := _unfit_for_a_page(cell):
            raise ChapterError(f"{path.name}, cell {number} of {cells} {problem}")
    return notebook, printed, seconds


def _leave_interrupts_to_python():
    """Undo nbclient's handler, which ends one kernel and lets the others run on."""
    with contextlib.suppress(NotImplementedError):  # on Windows
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


def _unfit_for_a_page(cell):
    """What is wrong with the outputs of ``cell``, or None."""
    outputs = cell.get("outputs", [])
    for output in outputs:
        if output.output_type == "stream" and (output.name == "stderr" or _WARNING.search(output.text)):
            return f"printed a warning, which would stand on the page\n{cell.source}\n--\n{plain(output.text)}"
    if "figure" in cell.metadata.get("mystnb", {}):
        pictures = [output for output in outputs if any(kind.startswith("image/") for kind in output.get("data", {}))]
        if len(outputs) != 1 or len(pictures) != 1:
            return f"has a caption and must give one picture and no other output, not {len(outputs)} outputs"
    return None


def _failed(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def plain(text):
    """``text`` without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
