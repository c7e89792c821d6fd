"""Run tasks as a student answered them, each with the chapter's imports and the cells that it leans on.

The code is somebody's: it runs in a process of its own, in an empty folder, with a limit on time and memory and
without the environment of whoever marks. That keeps an accident from harming anything but its own task. It is no
defence against malice: the code has the rights of the user who marks, on the disk and in the network.
"""

import ast
import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.build.notebooks import BUILD, ROOT, ChapterError, settings

import psutil

WORKER = Path(__file__).with_name("worker.py")
STARTING = 120  # seconds for the chapter's imports on a slow machine
ENDING = 5  # seconds for a process that is no more to be gone
LARGEST = 2**30  # bytes of files in a worker's folder
WROTE_OVER = "the answer wrote over what the check had to say"


@functools.cache
def handed_on():
    """What the chapters' cells must know of the environment to find their data."""
    if not (command := settings().get("hand_on")):
        return {}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def places(folder):
    """Of the environment, where the code may write."""
    return dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP"), folder)


def environment(folder):
    """What the code may know of the environment: how to find programs and data, and where to write."""
    known = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    own = {name: value.format(build=BUILD) for name, value in settings().get("environment", {}).items()}
    return known | own | places(folder) | handed_on() | {"MPLBACKEND": "Agg", "MALLOC_ARENA_MAX": "2"}


def _can_fork():
    """Whether a process that has imported TensorFlow can be forked and watched: on macOS it cannot, nor on Windows."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class Nursery:
    """Where workers come from: where the system can, copies of one process that has imported what they import.

    To be used as a context, within which it lives.
    """

    forks = _can_fork()

    async def __aenter__(self):
        self.open, self.beginning = contextlib.AsyncExitStack(), asyncio.Lock()
        self.control, self.orders = None, {}  # by number, what is awaited: the process, and its end
        return self

    async def __aexit__(self, *error):
        await self.open.aclose()

    async def _begin(self):
        folder = self.open.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        with theirs:
            process = await _start("nursery", stdin=theirs, stdout=asyncio.subprocess.DEVNULL, folder=folder)
        self.open.push_async_callback(_end, _Started(process, folder))
        asyncio.get_running_loop().add_reader(self.control, self._hear)
        self.open.callback(self._lose)

    def _hear(self):
        try:
            message = self.control.recv(2**16)
        except OSError:
            message = b""
        if not message:
            return self._lose()
        said = json.loads(message)
        began, ended = self.orders[said["number"]]
        if "pid" in said:
            began.set_result(said["pid"])
        else:
            ended.set_result(said["code"])

    def _lose(self):
        """Give the process up; what it was to tell will not be known."""
        if self.control:
            asyncio.get_running_loop().remove_reader(self.control)
            self.control.close()
            self.control = None
        for began, ended in self.orders.values():
            if not began.done():
                began.set_exception(ConnectionError())
            if not ended.done():
                ended.set_result(None)

    async def worker(self, job, folder):
        """A worker that has its ``job`` and works in ``folder``."""
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(job).encode())
            file.seek(0)
            if self.forks:
                async with self.beginning:
                    if not self.control:  # it is the first time, or an answer has ended what forks
                        await self._begin()
                with contextlib.suppress(OSError, TimeoutError):
                    return await self._fork(job["imports"], file, folder)
                self._lose()  # and go on without
            return _Started(await _start(stdin=file, stdout=asyncio.subprocess.PIPE, folder=folder), folder)

    async def _fork(self, imports, file, folder):
        loop = asyncio.get_running_loop()
        began, ended = self.orders.setdefault(len(self.orders), (loop.create_future(), loop.create_future()))
        order = {"number": len(self.orders) - 1, "imports": _imported(imports), "environment": places(folder)}
        ours, theirs = os.pipe()
        said, pipe = asyncio.StreamReader(2**20), None
        try:
            pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), os.fdopen(ours, "rb", 0))
            socket.send_fds(self.control, [json.dumps(order).encode()], [file.fileno(), theirs])
            return _Forked(await asyncio.wait_for(began, STARTING), folder, said, pipe, ended)
        except BaseException:
            if pipe:
                pipe.close()
            raise
        finally:
            os.close(theirs)


def _imported(source):
    """The statements in ``source`` that import something."""
    with contextlib.suppress(SyntaxError):
        return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return []


class _Started:
    """A process that was started anew."""

    def __init__(self, process, folder):
        self.pid, self.folder, self.stdout = process.pid, folder, process.stdout
        self.kill, self.wait, self.close = process.kill, process.wait, process._transport.close


class _Forked:
    """A process that was forked; its code is None if whoever knew is no more."""

    def __init__(self, pid, folder, stdout, pipe, ended):
        self.pid, self.folder, self.stdout, self.ended = pid, folder, stdout, ended
        self.close = pipe.close

    def kill(self):
        if not self.ended.done():  # or its number may be another's by now
            os.kill(self.pid, signal.SIGKILL)

    async def wait(self):
        return await asyncio.shield(self.ended)


class _Gone(Exception):
    """The worker is no more, or must not be; ``outcome`` and the message say why."""

    def __init__(self, outcome, message):
        super().__init__(message)
        self.outcome = outcome


CERTAIN = ("right", "blank", "syntax")  # what no other answer can have brought about, and no other way would mend
STOPPED = ("time", "memory", "died")


async def mark(imports, tasks, *, own=(), seconds=30, chapter=600, memory=4 * 2**30, again=True, nursery=None):
    """Run ``tasks`` and their checks.

    A process runs one after the other, each in its first way. A task that fails there is run again in a process of its
    own, since an answer before it may have changed NumPy or left a thread behind, and then in its other ways until one
    is right.

    Parameters
    ----------
    imports : str
        The source of the chapter's imports, which comes first in every task.
    tasks : list of dict
        Each with ``name``; ``check``, a source; and ``ways``, dicts with ``why``, what is to be said if it is only
        this way that the check is content, and ``cells``: (kind, label, source), in the order in which they are run.
        The kind is "answer", "chapter", "earlier", or any other; what is said of the last if it raises.
    own : sequence of str
        Sources with a student's own imports, run after the chapter's; left out if they raise or do not end.
    seconds : float
        For the student's code in one task.
    chapter : float
        Seconds for the chapter's cells in one task.
    memory : int
        Bytes for all that the process and those it starts hold.
    again : bool
        False where the first way is to decide and answers are known not to disturb each other.
    nursery : Nursery
        Where the processes come from; left out, one that ends with the marking.

    Returns
    -------
    (dict, list of str)
        By the task's name a dict with ``outcome``, one of right, wrong, blank, syntax, error, memory, time, died;
        ``message``, ``where``, ``remarks``, and ``unknown``, the name that was not defined if it was that. And remarks
        on what is the student's ``own``.

    Raises
    ------
    ChapterError
        If the chapter's own imports fail.
    """
    if nursery is None:
        async with Nursery() as nursery:
            given = {"seconds": seconds, "chapter": chapter, "memory": memory, "again": again, "nursery": nursery}
            return await mark(imports, tasks, own=own, **given)
    limits = {"seconds": seconds, "chapter": chapter, "memory": memory}
    came, remarks, own = {task["name"]: [] for task in tasks}, [], list(own)
    by_name = {task["name"]: task for task in tasks}
    batches = [[(task["name"], {**task["ways"][0], "why": ""}) for task in tasks]] if tasks else []
    while batches:
        batch = batches.pop()
        alone = bool(came[batch[0][0]])  # these are ways for one task that has failed before
        jobs = [{"name": name, "cells": way["cells"], "check": by_name[name]["check"]} for name, way in batch]
        try:
            said, done = await _run(nursery, imports, own, jobs, alone, limits)
        except _Gone as gone:
            if not own:
                raise ChapterError(f"the chapter's imports do not run here: {gone}") from None
            remarks.append(f"your own imports were left out: {gone}")
            own = []
            batches.append(batch)
            continue
        remarks += [each for each in said if each not in remarks]
        for (name, way), result in zip(batch, done, strict=False):
            came[name].append({**result, "why": way["why"]})
        rest = batch[len(done) :]
        if rest and not (alone and done[-1]["outcome"] == "right"):
            batches.append(rest)
        if again and not alone:
            for place, ((name, way), result) in enumerate(zip(batch, done, strict=False)):
                others = by_name[name]["ways"][1:]
                if result["outcome"] in STOPPED:  # what did not end would not end there, either
                    others = [way for way in others if not way.get("whole")]
                ways = [{**way, "why": "when it is run by itself"}] * (place > 0) + others
                if ways and result["outcome"] not in CERTAIN:
                    batches.append([(name, way) for way in ways])
    return {name: _best(results) for name, results in came.items()}, remarks


def _best(results):
    """What counts of the results of one task: a right one, or else what the check said, or what came first."""
    first = results[0]
    if (last := results[-1])["outcome"] == "right":
        if last["why"]:
            note = f"at first: {first['outcome']}; it is right {last['why']}, and that counts"
            return {**last, "remarks": [*last["remarks"], note]}
        return last
    best = next((result for result in results if result["outcome"] == "wrong"), first)
    ended = [f"{each['why']}: {each['message']}" for each in results[1:] if each["outcome"] in STOPPED]
    return {**best, "remarks": best["remarks"] + [each for each in ended if first["outcome"] not in STOPPED]}


async def _run(nursery, imports, own, tasks, until_right, limits):
    """Run ``tasks`` in one process until one of them ends it; return the remarks on ``own``, and the results so far."""
    seconds, chapter, memory = limits["seconds"], limits["chapter"], limits["memory"]
    at_most = STARTING + sum(seconds + chapter * _leans(task) for task in [*tasks, {"cells": []}])
    cpu = int(2 * at_most * (os.cpu_count() or 1))  # it ends even if we are killed
    job = {"imports": imports, "own": own, "tasks": tasks, "until_right": until_right, "memory": memory, "cpu": cpu}
    results = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await nursery.worker(job, folder)
        try:
            started = await _answer(process, STARTING + seconds, memory)
            if "broken" in started:
                raise ChapterError(f"the chapter's imports do not run here\n{started['broken']}")
            if "ready" not in started:
                raise _Gone("died", WROTE_OVER)
            for task in tasks:
                try:
                    results.append(await _came(process, task["name"], limits))
                except _Gone as gone:
                    results.append({"outcome": gone.outcome, "message": str(gone), "where": "", "remarks": []})
                    break
                if until_right and results[-1]["outcome"] == "right":
                    break
        finally:
            await _end(process)
    return started["remarks"], results


def _leans(task):
    """Whether ``task`` runs cells of the chapter."""
    return any(kind == "chapter" for kind, *_ in task["cells"])


async def _came(process, name, limits):
    """What the worker says of the task ``name``; its time is the student's or the chapter's, by whose code it runs."""
    left = {"student": limits["seconds"], "chapter": limits["chapter"]}
    whose, begun = "student", False
    while True:
        start = time.monotonic()
        try:
            said = await _answer(process, left[whose], limits["memory"])
        except _Gone as gone:
            if gone.outcome != "time":
                raise
            what = "it" if whose == "student" else "what it leans on of the chapter"
            most = limits["seconds"] if whose == "student" else limits["chapter"]
            raise _Gone("time", f"{what} ran for more than {most:g} s and was stopped") from None
        left[whose] -= time.monotonic() - start
        if not begun and said == {"begins": name}:
            begun = True
        elif begun and said in [{"turn": each} for each in left]:
            whose = said["turn"]
        elif begun and said.pop("ends", None) == name:
            return said
        else:
            raise _Gone("died", WROTE_OVER)


async def _start(*arguments, stdin, stdout, folder):
    """The other half, as a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", os.fspath(WORKER), *arguments),
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
        limit=2**20,
        start_new_session=True,
    )


async def _answer(process, seconds, memory):
    """The worker's next line, read; or _Gone if it does not come in time, or at too high a price."""
    reading = asyncio.create_task(process.stdout.readline())
    watching = asyncio.create_task(_too_much(process, memory))
    try:
        done, _ = await asyncio.wait({reading, watching}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise _Gone("time", "it took too long")
        if reading not in done:
            raise _Gone(*watching.result())
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
        if code is None:
            raise _Gone("died", "it ended the process that ran it")
        how = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit status {code}"
        raise _Gone("died", f"it ended the process that ran it ({how})")
    finally:
        for task in (reading, watching):
            task.cancel()
        await asyncio.gather(reading, watching, return_exceptions=True)


async def _too_much(process, memory):
    """Once the worker and what it has started hold more than ``memory``, or its folder too much: what is to be said."""
    while True:
        for _ in range(5):
            with contextlib.suppress(psutil.Error):
                worker = psutil.Process(process.pid)
                if sum(each.memory_info().rss for each in [worker, *worker.children(recursive=True)]) > memory:
                    return "memory", f"it took more than {memory / 2**30:.1f} GB of memory and was stopped"
            await asyncio.sleep(0.1)
        if _size(process.folder) > LARGEST:
            return "died", f"it wrote more than {LARGEST / 2**30:g} GB of files and was stopped"


def _size(folder):
    """The bytes that files in ``folder`` take on the disk, each of them a block at least."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                total += max(4096, 512 * getattr(about, "st_blocks", 0) or about.st_size)
                if entry.is_dir(follow_symlinks=False):
                    total += _size(entry.path)
            if total > LARGEST:
                break
    return total


async def _end(process):
    """End the worker and what it has started."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):  # the last on Windows
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), ENDING)
    process.close()  # something that it started and cut loose may keep the other end of the pipe open
