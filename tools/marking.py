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
ENDING = 5  # seconds for a process that is no more to be gone
WROTE_OVER = "the answer wrote over what the check had to say"


def environment(folder):
    """What the code may know of the environment: how to find programs, and where to write."""
    known = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = {name: value.format(build=BUILD) for name, value in settings().get("environment", {}).items()}
    places = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP"), folder)
    return known | own | places | {"MPLBACKEND": "Agg", "MALLOC_ARENA_MAX": "2"}


class _Gone(Exception):
    """The worker is no more, or must not be; ``outcome`` and the message say why."""

    def __init__(self, outcome, message):
        super().__init__(message)
        self.outcome = outcome


CERTAIN = ("right", "blank", "syntax")  # what no other answer can have brought about
STOPPED = ("time", "memory", "died")


async def mark(imports, tasks, *, own=(), seconds=30, memory=4 * 2**30, again=True):
    """Run ``tasks`` and their checks.

    A process runs one after the other. A task that fails after others in the same process is run ``again`` in one of
    its own, since an answer before it may have changed NumPy or left a thread behind.

    Parameters
    ----------
    imports : str
        The source of the chapter's imports, which comes first in every task.
    tasks : list of dict
        Each with ``name``; ``needs``, a list of sources; ``cells``, pairs of "answer" or "extra" and a source, in the
        order in which they are run (an extra one may raise); and ``check``, a source.
    own : sequence of str
        Sources with a student's own imports and functions, run after the chapter's imports; left out if they raise or
        do not end.
    seconds : float
        For one task.
    memory : int
        Bytes for all that the process and those it starts hold.
    again : bool
        False where answers are known not to disturb each other; it saves the imports.

    Returns
    -------
    (dict, list of str)
        By the task's name a dict with ``outcome``, one of right, wrong, blank, syntax, error, memory, time, died;
        ``message``, ``where`` and ``remarks``. And remarks on what is the student's ``own``.

    Raises
    ------
    ChapterError
        If the chapter's own imports fail.
    """
    results, remarks, own = {}, [], list(own)
    batches = [list(tasks)]
    while batches:
        batch = batches.pop()
        try:
            said, done = await _run(imports, own, batch, seconds, memory)
        except _Gone as gone:
            if not own:
                raise ChapterError(f"the chapter's imports do not run here: {gone}") from None
            remarks.append(f"your own imports and functions were left out: {gone}")
            own = []
            batches.append(batch)
            continue
        remarks += [each for each in said if each not in remarks]
        if rest := batch[len(done) :]:
            batches.append(rest)
        for place, (task, result) in enumerate(zip(batch, done, strict=False)):
            before = task.get("before")
            if again and place > 0 and result["outcome"] not in CERTAIN:
                batches.append([{**task, "before": result}])
            elif result["outcome"] in STOPPED and any(kind == "extra" for kind, _ in task["cells"]):
                answers = [cell for cell in task["cells"] if cell[0] == "answer"]
                batches.append([{**task, "cells": answers, "before": result, "bare": True}])
            elif before and result["outcome"] == "right":
                why = "without the cells beside it" if task.get("bare") else "by itself"
                note = f"at first: {before['outcome']}; it is right when it is run {why}, and that counts"
                results[task["name"]] = {**result, "remarks": [*result["remarks"], note]}
            else:
                results[task["name"]] = before if task.get("bare") else result
    return results, remarks


async def _run(imports, own, tasks, seconds, memory):
    """Run ``tasks`` in one process until one of them ends it; return the remarks on ``own``, and the results so far."""
    cpu = int(2 * (STARTING + seconds * (len(tasks) + 1)) * (os.cpu_count() or 1))  # it ends even if we are killed
    job = {"imports": imports, "own": own, "tasks": tasks, "memory": memory, "cpu": cpu}
    results = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await _start(job, folder)
        try:
            started = await _answer(process, STARTING + seconds, memory)
            if "broken" in started:
                raise ChapterError(f"the chapter's imports do not run here\n{started['broken']}")
            if "ready" not in started:
                raise _Gone("died", WROTE_OVER)
            for task in tasks:
                try:
                    for step in ("begins", "ends"):
                        said = await _answer(process, seconds, memory)
                        if said.pop(step, None) != task["name"]:
                            raise _Gone("died", WROTE_OVER)
                except _Gone as gone:
                    results.append({"outcome": gone.outcome, "message": str(gone), "where": "", "remarks": []})
                    break
                results.append(said)
        finally:
            await _end(process)
    return started["remarks"], results


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
            raise _Gone("died", WROTE_OVER) from None
        try:
            code = await asyncio.wait_for(process.wait(), ENDING)
        except TimeoutError:
            raise _Gone("died", "it closed what the marking reads from, and ran on") from None
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
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), ENDING)
    process._transport.close()  # something that it started and cut loose may keep the other end of the pipe open
