"""Run tasks as a student answered them, each with the chapter's imports and its own cells alone.

The code is somebody's: it runs in a process of its own, in an empty folder, with a limit on time and memory and
without the environment of whoever marks. That keeps an accident from harming anything but its own task. It is no
defence against malice: the code has the rights of the user who marks, on the disk and in the network.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from tools.notebooks import BUILD, ChapterError, settings

import psutil

WORKER = Path(__file__).with_name("worker.py")
STARTING = 120  # seconds for the chapter's imports on a slow machine


def environment(folder):
    """What the code may know of the environment: how to find programs, and where to write."""
    known = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = {name: value.format(build=BUILD) for name, value in settings().get("environment", {}).items()}
    places = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP"), folder)
    return known | own | places | {"MPLBACKEND": "Agg", "MALLOC_ARENA_MAX": "2"}


class _Gone(Exception):
    """The worker is no more, or must not be; ``outcome`` and ``message`` say why."""

    def __init__(self, outcome, message):
        super().__init__(message)
        self.outcome = outcome
        self.message = message


async def mark(imports, tasks, *, own_imports="", seconds=30, memory=4 * 2**30):
    """Run ``tasks`` and their checks.

    Parameters
    ----------
    imports : str
        The source of the chapter's imports, which comes first in every task.
    tasks : list of dict
        Each with ``name``, ``check`` (source) and lists of sources: ``needs``, ``extras`` (left out if they raise) and
        ``answers``.
    own_imports : str
        A student's version of the imports, run after the chapter's; left out if it raises or does not end.
    seconds : float
        For one task.
    memory : int
        Bytes for all that the process and those it starts hold.

    Returns
    -------
    dict
        By the task's name a dict with ``outcome``, one of right, wrong, blank, syntax, error, memory, time, died;
        ``message``, ``where`` and ``remarks``.

    Raises
    ------
    ChapterError
        If the chapter's own imports fail.
    """
    results, remarks, waiting = {}, [], list(tasks)
    while waiting:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            job = {"imports": imports, "own_imports": own_imports, "tasks": waiting, "memory": memory}
            process = await _start(job, folder)
            try:
                try:
                    started = await _answer(process, STARTING + seconds, memory)
                except _Gone as gone:
                    if not own_imports:
                        raise ChapterError(f"the chapter's imports do not run here: {gone.message}") from None
                    remarks.append(f"your imports were left out: {gone.message}")
                    own_imports = ""
                    continue
                if "broken" in started:
                    raise ChapterError(f"the chapter's imports do not run here\n{started['broken']}")
                while waiting:
                    name = waiting[0]["name"]
                    try:
                        for step in ("begins", "ends"):
                            said = await _answer(process, seconds, memory)
                            if said.pop(step, None) != name:
                                raise _Gone("died", "the answer wrote over what the check had to say")
                    except _Gone as gone:
                        results[name] = {"outcome": gone.outcome, "message": gone.message, "where": "", "remarks": []}
                        del waiting[0]
                        break
                    results[name] = said
                    del waiting[0]
            finally:
                await _end(process)
    for result in results.values():
        result["remarks"] = remarks + result["remarks"]
    return results


async def _start(job, folder):
    """A worker that has its job."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", os.fspath(WORKER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
        limit=2**20,
        start_new_session=True,
    )
    process.stdin.write(json.dumps(job).encode())
    with contextlib.suppress(OSError):  # it has ended already, which its answer will show
        await process.stdin.drain()
    process.stdin.close()
    return process


async def _answer(process, seconds, memory):
    """The worker's next line, read; or _Gone if it does not come in time, or at too high a price."""
    reading = asyncio.create_task(process.stdout.readline())
    watching = asyncio.create_task(_too_much(process, memory))
    try:
        done, _ = await asyncio.wait({reading, watching}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise _Gone("time", f"it ran for more than {seconds:g} s and was stopped")
        if reading not in done:
            raise _Gone("memory", f"it took more than {memory / 2**30:.1f} GB of memory and was stopped")
        try:
            line = reading.result()
            if line:
                return dict(json.loads(line))
        except (ValueError, TypeError):
            raise _Gone("died", "the answer wrote over what the check had to say") from None
        code = await process.wait()
        how = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit status {code}"
        raise _Gone("died", f"it ended the process that ran it ({how})")
    finally:
        for task in (reading, watching):
            task.cancel()
        await asyncio.gather(reading, watching, return_exceptions=True)


async def _too_much(process, memory):
    """Return once the worker and what it has started hold more than ``memory`` bytes."""
    while True:
        with contextlib.suppress(psutil.Error):
            worker = psutil.Process(process.pid)
            if sum(each.memory_info().rss for each in [worker, *worker.children(recursive=True)]) > memory:
                return
        await asyncio.sleep(0.1)


async def _end(process):
    """End the worker and what it has started."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    await process.wait()
