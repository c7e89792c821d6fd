"""Run answers and their checks, one after the other, in a process of its own; the other half of tools/marking.py.

It is started by the path of this file, in an empty folder, with a job as JSON on stdin, and writes one line of JSON
when it begins with a task and one when it is through with it. It knows neither the project nor nbgrader.
"""

import contextlib
import json
import os
import sys
import traceback

LONGEST = 4000  # characters of a message or a traceback


def limit(memory):
    """Bound the address space to ``memory`` bytes and files to 64 MB, where the system can; write no core dump."""
    try:
        import resource
    except ImportError:  # on Windows; there the other half watches what the process takes
        return
    for kind, most in (("RLIMIT_AS", memory), ("RLIMIT_FSIZE", 64 * 2**20), ("RLIMIT_CORE", 0)):
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


def marked(job, task):
    """Run ``task`` in a namespace of its own; return what came of it, as a dict."""
    import linecache

    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    shell = InteractiveShell.instance()
    space = {"__name__": "__main__", "get_ipython": lambda: shell, "display": display}
    shell.user_ns = space
    remarks = []

    def execute(source, name):
        source = shell.transform_cell(source)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), space)

    def attempt(source, name):
        try:
            execute(source, name)
        except (Exception, SystemExit) as error:
            remarks.append(f"{name[1:-1]} was left out: {described(error)[0]}")

    def outcome(kind, error=None):
        message, where = described(error) if error else ("", "")
        return {"outcome": kind, "message": message, "where": where, "remarks": remarks}

    execute(job["imports"], "<the imports>")
    if job["own_imports"]:
        attempt(job["own_imports"], "<your imports>")
    for source in task["needs"]:
        execute(source, "<the chapter>")
    for source in task["extras"]:
        attempt(source, "<a cell that you added>")
    try:
        for source in task["answers"]:
            execute(source, "<your answer>")
    except (Exception, SystemExit) as error:
        return outcome(kind_of(error), error)
    try:
        execute(task["check"], "<the check>")
    except AssertionError as error:
        # One that the answer itself raises is its failure, not the check's judgement; both cost the points.
        return outcome("wrong", error)
    except (Exception, SystemExit) as error:
        return outcome(kind_of(error), error)
    return outcome("right")


def main():
    """Read a job, run its tasks, write what came of each."""
    job = json.load(sys.stdin)
    channel = private_channel()
    limit(job["memory"])

    def say(**what):
        channel.write(json.dumps(what) + "\n")
        channel.flush()

    try:
        # What every task imports is imported once, and not on the time of the first of them.
        exec(compile(job["imports"], "<the imports>", "exec"), {"__name__": "__main__"})
    except Exception:
        say(broken=traceback.format_exc())
        return
    if job["own_imports"]:  # whether they end is found out here, where no task is at stake
        marked(job, {"needs": [], "extras": [], "answers": [], "check": ""})
    say(ready=True)
    for task in job["tasks"]:
        say(begins=task["name"])
        say(ends=task["name"], **marked(job, task))
    channel.close()
    os._exit(0)  # threads that an answer has started must not hold us up


if __name__ == "__main__":
    main()
