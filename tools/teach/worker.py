"""Run answers and their checks, one after the other, in a process of its own; the other half of tools/teach/marking.py.

It is started by the path of this file, in an empty folder, with a job as JSON on stdin, and writes one line of JSON
when it begins with a task, whenever it turns from the student's code to the chapter's or back, and when it is through
with the task. It knows neither the project nor nbgrader.

Started with the word ``nursery`` it runs no job, but forks a worker for each that it is told of: importing TensorFlow
takes seconds, and is done once.
"""

import ast
import asyncio
import contextlib
import inspect
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
import types

LONGEST = 4000  # characters of a message or a traceback
MOST = 20  # remarks on one task


def limit(memory, cpu):
    """Bound the address space to ``memory`` bytes, the processor's time to ``cpu`` seconds and files to 64 MB.

    Where the system can; and write no core dump.
    """
    try:
        import resource
    except ImportError:  # on Windows; there the other half watches what the process takes
        return
    limits = ("RLIMIT_AS", memory), ("RLIMIT_CPU", cpu), ("RLIMIT_FSIZE", 64 * 2**20), ("RLIMIT_CORE", 0)
    for kind, most in limits:
        with contextlib.suppress(ValueError, OSError):  # macOS has some of them in name only
            resource.setrlimit(getattr(resource, kind), (most, most))


def private_channel():
    """The stdout that we were given, kept from the code that is run: for that, stdin and stdout lead nowhere."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return channel


def kind_of(error):
    """One word for what went wrong."""
    if isinstance(error, NotImplementedError):
        return "blank"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "memory"
    if isinstance(error, SyntaxError):
        return "syntax"
    return "error"


def described(error):
    """The error in a line, and where in the student's cells it arose; of the checks, parts are hidden from students."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if frame.filename.startswith(("<your ", "<a cell "))]
    within = [f"{frame.filename}, line {frame.lineno}: {frame.line}" for frame in theirs]
    if isinstance(error, SyntaxError):
        within = [f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"]
    message = f"{type(error).__name__}: {error}" if not isinstance(error, SyntaxError) else f"SyntaxError: {error.msg}"
    return message[:LONGEST], "\n".join(within)[:LONGEST]


class Space:
    """A namespace as a notebook's kernel has it, which is also the module ``__main__``."""

    def __init__(self):
        import linecache

        from IPython.core.interactiveshell import InteractiveShell
        from IPython.display import display

        self.lines = linecache.cache
        self.shell = InteractiveShell.instance()
        self.shell.enable_gui = lambda gui=None: None  # what %matplotlib asks for, and a bare shell cannot
        module = types.ModuleType("__main__")
        self.names = vars(module)
        self.names.update({"get_ipython": lambda: self.shell, "display": display})
        self.shell.user_ns = self.names
        sys.modules["__main__"] = module
        self.remarks = []

    def execute(self, source, name):
        """Run a cell; ``name`` is what its lines are known by in a traceback."""
        source = self.shell.transform_cell(source)
        self.lines[name] = (len(source), None, source.splitlines(keepends=True), name)
        code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, self.names))
        else:
            exec(code, self.names)

    def attempt(self, source, name):
        """Run a cell that may fail; return the error, or None."""
        try:
            self.execute(source, name)
        except (Exception, SystemExit) as error:
            return error

    def remark(self, text):
        """Note something, briefly, that whoever marks should know."""
        if len(self.remarks) < MOST:
            self.remarks.append(text[:300])


def prepared(job):
    """A namespace with the imports, and with what the student imports and defines for the whole notebook."""
    space = Space()
    space.execute(job["imports"], "<the imports>")
    for number, source in enumerate(job["own"], 1):
        if error := space.attempt(source, f"<your imports or functions {number}>"):
            space.remark(f"a cell of your own imports or functions was left out: {described(error)[0]}")
    return space


def marked(job, task, turn):
    """Run ``task``, with the imports and its own cells; return what came of it, as a dict.

    ``turn`` is told whose code comes next.
    """
    space = prepared(job)
    space.remarks = []  # of the student's own cells it was said when the job began
    spoken_of = [label for kind, label, _ in task["cells"] if kind != "chapter"]
    whose, failure, broken = "student", None, None
    for number, (kind, label, source) in enumerate(task["cells"], 1):
        if whose != (now := "chapter" if kind == "chapter" else "student"):
            turn(now)
        whose = now
        name = f"{label} ({number})" if spoken_of.count(label) > 1 else label
        error = space.attempt(source, f"<{name}>")
        if error and kind == "answer":
            failure = error
        elif error and kind == "chapter":
            broken = broken or described(error)[0]
        elif error and kind != "earlier":
            space.remark(f"{name} was left out: {described(error)[0]}")
    if whose != "student":
        turn("student")

    def outcome(kind, error=None):
        message, where = described(error) if error else ("", "")
        if broken and kind != "right":
            space.remark(f"a cell of the chapter that it leans on did not run to its end: {broken}")
        unknown = error.name if type(error) is NameError else None
        return {"outcome": kind, "message": message, "where": where, "unknown": unknown, "remarks": space.remarks}

    try:
        space.execute(task["check"], "<the check>")
    except AssertionError as error:
        # One that the answer itself raises is its failure, not the check's judgement; both cost the points.
        return outcome("wrong", error)
    except (Exception, SystemExit) as error:
        return outcome(kind_of(failure or error), failure or error)
    if failure:
        space.remark(f"the check is content, although the answer's cell raised {described(failure)[0]}")
    return outcome("right")


def main():
    """Read a job, run its tasks, write what came of each."""
    job = json.load(sys.stdin)
    channel, process = private_channel(), os.getpid()
    limit(job["memory"], job["cpu"])

    def say(**what):
        if os.getpid() != process:  # an answer has forked, and this is the copy
            os._exit(0)
        channel.write(json.dumps(what) + "\n")
        channel.flush()

    try:
        # What every task imports is imported once, and not on the time of the first of them.
        exec(compile(job["imports"], "<the imports>", "exec"), {"__name__": "__main__"})
    except Exception:
        say(broken=traceback.format_exc())
        return
    # Whether the student's own cells end is found out here, where no task is at stake.
    say(ready=True, remarks=prepared(job).remarks if job["own"] else [])
    for task in job["tasks"]:
        say(begins=task["name"])
        came = marked(job, task, lambda whose: say(turn=whose))
        say(ends=task["name"], **came)
        if job["until_right"] and came["outcome"] == "right":
            break
    channel.close()
    os._exit(0)  # threads that an answer has started must not hold us up


def nursery():
    """Fork a worker for each order that comes over the socket on stdin, until that is closed.

    An order is JSON with its ``number``; ``imports``, statements to run before, once and for all; and ``environment``,
    what is added to ours. With it come two descriptors, of the file with the job and of the pipe for what is said.
    Told back are the order's number and the worker's ``pid``, and when it has ended, its ``code``.
    """
    from IPython.core.interactiveshell import InteractiveShell  # noqa: F401, what every worker imports

    control, running, known = socket.socket(fileno=os.dup(0)), {}, set()
    while True:
        for ready in select.select([control, *running], [], [])[0]:
            if ready is not control:
                number, worker = running.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
                control.send(json.dumps({"number": number, "code": code}).encode())
                continue
            message, (*descriptors,), *_ = socket.recv_fds(control, 2**16, 2)
            if not message:  # whoever marks is gone
                for _, worker in running.values():
                    with contextlib.suppress(OSError):
                        os.killpg(worker, signal.SIGKILL)
                return
            order = json.loads(message)
            for statement in order["imports"]:
                if statement not in known:
                    known.add(statement)
                    with contextlib.suppress(Exception):  # the worker will meet it again, and say so
                        exec(statement, {})
            if (worker := os.fork()) == 0:
                os.setsid()
                control.close()
                for each in running:
                    os.close(each)
                for place, descriptor in enumerate(descriptors):
                    os.dup2(descriptor, place)
                    os.close(descriptor)
                os.environ.update(order["environment"])
                os.chdir(os.environ["HOME"])
                tempfile.tempdir = None  # it may be known from an import
                try:
                    main()
                finally:
                    os._exit(1)
            for descriptor in descriptors:
                os.close(descriptor)
            running[os.pidfd_open(worker)] = order["number"], worker
            control.send(json.dumps({"number": order["number"], "pid": worker}).encode())


if __name__ == "__main__":
    nursery() if sys.argv[1:] == ["nursery"] else main()
