"""The chapter with two processes leaves none behind: interrupted, or without a partner."""

import os
import signal
import socket
import subprocess
import sys
import time

from tools.build import notebooks
from tools.trials import mutants

import psutil
import pytest

CHAPTER = notebooks.ROOT / "book" / "beyond_one_machine.ipynb"


def cells(until):
    """The chapter's own code before the cell that holds a text, checks and figures aside; and that cell."""
    kept = []
    for cell in notebooks.read(CHAPTER).cells:
        if cell.cell_type != "code" or mutants.is_check(cell):
            continue
        if until in cell.source:
            return kept, cell.source
        if not mutants.draws(cell):
            kept.append(cell.source)
    raise AssertionError(f"no cell of {CHAPTER.name} holds {until!r}")


def wait_until(true, limit=60):
    """Wait until something is true; False if it is not in time."""
    until = time.monotonic() + limit
    while not true() and time.monotonic() < until:
        time.sleep(0.1)
    return true()


def running(folder):
    """Command lines of the processes that run a program in a folder."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line and "worker.py" in line]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_an_interrupted_or_killed_notebook_leaves_no_process_and_no_folder(tmp_path, name):
    before, team = cells("with team(2) as")
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join([*before, "print('begin', flush=True)", team]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    surroundings = {**os.environ, "TMPDIR": str(scratch), "MPLBACKEND": "Agg"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # also where the tests run unheard
    with subprocess.Popen([sys.executable, script], env=surroundings, **pipes) as notebook:
        try:
            assert notebook.stdout.readline().strip() == "begin"
            assert wait_until(lambda: len(running(scratch)) == 2), "both workers run"
            time.sleep(1)
            notebook.send_signal(getattr(signal, name))
            errors = notebook.communicate(timeout=60)[1]
        finally:
            notebook.kill()
    assert notebook.returncode != 0, errors
    assert name != "SIGINT" or "KeyboardInterrupt" in errors
    assert wait_until(lambda: not running(scratch)), "no process is left"
    assert wait_until(lambda: not list(scratch.glob("team-*"))), "nor a folder"


def test_a_worker_whose_partner_never_comes_ends_by_its_alarm(tmp_path):
    pieces = {}
    for source in cells("def background")[0]:
        if source.startswith("program "):
            exec(source, pieces)  # the chapter's own text
    assert pieces["program"].count("dump_traceback_later(120") == 1
    program = tmp_path / "worker.py"
    program.write_text(pieces["program"].replace("later(120", "later(5"))
    with socket.create_server(("127.0.0.1", 0)) as own, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # where nobody will ever answer
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in (own, silent)]
    command = [sys.executable, program, "0", *addresses]
    with open(tmp_path / "log", "w") as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        with subprocess.Popen(command, **pipes) as worker:
            try:
                assert worker.wait(timeout=90) == 1
            finally:
                worker.kill()
    assert "Timeout (0:00:05)!" in (tmp_path / "log").read_text()
