"""Change a chapter's code in every small way, one change at a time: which of them do its checks not notice?

    python -m tools.trials.mutants NOTEBOOK [--jobs N] [--only CELL ...] [--sample N [--seed S]] [--fresh] [--list]

A change is a mutant (tools/trials/mutations.py lists the kinds). The cells are run once, in one process. Before each
cell that process forks: a copy of it runs the cell with a mutant in it, and then the cells behind, until an assert of a
check fails, or an output that the notebook keeps comes out differently. Checks, drawings and imports are not mutated,
and drawings are not run unless a later cell needs what they compute. Cells that a mutant cannot reach are not run
either (tools/trials/flow.py), where that saves a second.

A mutant that no check notices survives. Those that may are kept in tests/survivors/<chapter>.toml:

    [[survivor]]
    cell = "24dcfbc0"           # the cell's id, so that it may move
    old = "x = w + 1"
    new = "x = w + 2"           # with nth = 2 if the line stands there twice and the second is meant
    kind = "free choice"        # or "equivalent", or "label"
    reason = "any other number would do as well, and the text names none"

The score is the share that was caught of those that are neither equivalent nor a free choice. The exit status is 0 if
each survivor is explained and the score is at least 0.9.

TensorFlow's threads do not live on in a copy, so it has one of each kind here, compiles nothing with XLA, and runs what
would wait for a dead thread at once: see ``_Stage``. So it needs a system that can fork: Linux or macOS. A chapter that
is too slow so, or starts processes itself, is tried with --fresh: each mutant from the first cell on, in a process of
its own, with TensorFlow as it is.
"""

import argparse
import ast
import collections
import contextlib
import dataclasses
import io
import json
import os
import random
import select
import signal
import sys
import threading
import time
import tomllib
import traceback
from pathlib import Path

from tools.build import exercises, notebooks
from tools.trials import faults, fingerprints, flow, mutations

SURVIVORS = notebooks.ROOT / "tests" / "survivors"
KINDS = ("equivalent", "free choice", "label")
UNCOUNTED = ("equivalent", "free choice")
ENOUGH = 0.9
FIELDS = {"cell", "old", "new", "nth", "kind", "reason"}
WORTH_SKIPPING = 1.0  # seconds; below that, all cells are run
COSTLY = 1.0  # seconds of a cell
PATIENCE = 10  # seconds of the processor that a cell may take beside five times its own
CAUGHT, OUTPUT, RAISED, TIME, SURVIVED, LOST = "caught", "output", "raised", "time", "survived", "lost"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one cell."""

    index: int  # of the cell, among the code cells
    number: int  # of the cell, among all, from 1
    cell: str
    line: int
    old: str
    new: str
    nth: int
    kind: str
    source: str

    @property
    def key(self):
        """What it is known by, also when cells before it come or go."""
        return self.cell, self.old, self.new, self.nth

    def __str__(self):
        before, after = (
            "\n".join(f"      {sign} {line}" for line in text.splitlines())
            for sign, text in (("-", self.old), ("+", self.new))
        )
        return f"  cell {self.number} ({self.cell}), line {self.line}: {self.kind}\n{before}\n{after}"


def is_check(cell):
    """Whether a cell checks or records, so that it is run and never changed."""
    return faults.is_check(cell) or exercises.is_check(cell) or "said-and-measured" in cell.metadata.get("tags", [])


def draws(cell):
    """Whether a cell only draws."""
    return "figure" in cell.metadata.get("mystnb", {})


def keeps_output(cell):
    """Whether what a cell puts out is compared with what is kept of it."""
    return "nbval-check-output" in cell.metadata.get("tags", [])


def source_of(cell):
    """What is run of a cell: an answer as the book shows it, a check with its hidden tests."""
    if exercises.is_check(cell):
        return exercises.MARK.sub("", cell.source)
    return exercises.shown(cell.source)


def code_cells(notebook):
    """The code cells, each with its number among all cells."""
    return [(number, cell) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def mutants_of(notebook):
    """All mutants of a notebook, in order."""
    cells = code_cells(notebook)
    sources = [source_of(cell) for _, cell in cells]
    definitions = [s for source in sources for s in ast.parse(source).body if isinstance(s, ast.FunctionDef)]
    found = []
    for index, (number, cell) in enumerate(cells):
        if index == 0 or is_check(cell) or draws(cell):
            continue
        seen = collections.Counter()
        for mutation in mutations.mutations(sources[index], definitions):
            old, new = mutation.lines(sources[index])
            seen[old, new] += 1
            changed = mutation.applied(sources[index])
            found.append(
                Mutant(
                    index,
                    number,
                    cell.get("id", str(number)),
                    mutation.line(sources[index]),
                    old,
                    new,
                    seen[old, new],
                    mutation.kind,
                    changed,
                )
            )
    return found


def survivors_of(path):
    """The survivors that are explained for the chapter at ``path``, as a list of dicts; none if there is no file."""
    source = SURVIVORS / f"{path.stem}.toml"
    if not source.is_file():
        return []
    return tomllib.loads(source.read_text("utf-8")).get("survivor", [])


def key_of(entry):
    """The key of the mutant that an entry explains."""
    return entry["cell"], entry["old"].strip(), entry["new"].strip(), entry.get("nth", 1)


def misfits(notebook, entries):
    """What is wrong with explanations of survivors; needs no run."""
    keys = {mutant.key for mutant in mutants_of(notebook)}
    for number, entry in enumerate(entries, 1):
        name = f"survivor {number} ({entry.get('new', '')!r})"
        if missing := FIELDS - {"nth"} - set(entry):
            yield f"{name} lacks {', '.join(sorted(missing))}"
            continue
        if unknown := set(entry) - FIELDS:
            yield f"{name} has {', '.join(sorted(unknown))}, which nothing reads"
        if entry["kind"] not in KINDS:
            yield f"{name}: the kind must be one of {', '.join(KINDS)}, got {entry['kind']!r}"
        if len(entry["reason"].split()) < 3:
            yield f"{name}: the reason says nothing"
        if key_of(entry) not in keys:
            yield f"{name} is stale: the chapter has no such mutant"
    doubled = collections.Counter(key_of(entry) for entry in entries if FIELDS - {"nth"} <= set(entry))
    for key, count in doubled.items():
        if count > 1:
            yield f"the survivor {key[2]!r} of cell {key[0]} is explained {count} times"


class _Stage:
    """The notebook's process: a namespace like a kernel's, in which cells are run and before which copies are made."""

    def __init__(self, cells, memory):
        from tools.teach import worker

        self.cells = cells
        self.sources = [source_of(cell) for _, cell in cells]
        self.memory = memory
        self.seconds, self.kept = [0.0] * len(cells), {}
        self.space = worker.Space()
        self.names = self.space.names

    def run(self, index, source=None):
        """Run a cell, or ``source`` in its place; return what it put out, if that is compared."""
        source, name = self.sources[index] if source is None else source, f"<cell {self.cells[index][0]}>"
        if not keeps_output(self.cells[index][1]):
            self.space.execute(source, name)
            return None
        body, out = ast.parse(source).body, io.StringIO()
        if body and isinstance(body[-1], ast.Expr):  # what a notebook answers to it is printed
            last = mutations.Source(source).span(body[-1].value)
            source = f"{source[: last[0]]}_answer(({source[last[0] : last[1]]})){source[last[1] :]}"
            self.names["_answer"] = lambda value: None if value is None else print(repr(value))
        with contextlib.redirect_stdout(out):
            self.space.execute(source, name)
        self.names.pop("_answer", None)
        return out.getvalue()

    # TensorFlow. A copy of a process has none of its threads. Ops that are called one by one do not miss them. A
    # tf.function does: it is put into the queue of a thread pool, and XLA compiles in a pool of its own, so both would
    # wait for ever. So XLA is left out, which changes results by rounding only, sessions run in the thread that calls,
    # and the pool has one thread. Then we go on in a copy, where that thread is gone, and fill its queue with calls
    # that wait for ever. Where a queue is full, TensorFlow runs what comes at once, in the thread that called. So it
    # does from then on, here and in copies.

    def prepare(self):
        """Import TensorFlow, if the notebook does, in the way in which copies of the process can use it."""
        imports = self.sources[0]
        if not any(name in imports for name in ("tensorflow", "keras", "training")):
            return
        import tensorflow as tf
        from tensorflow.python.client.session import BaseSession
        from tensorflow.python.eager import context
        from tensorflow.python.eager.polymorphic_function import polymorphic_function

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        options = context.FunctionCallOptions(executor_type="SINGLE_THREADED_EXECUTOR")
        context.context().function_call_options = options
        begin = polymorphic_function.Function.__init__

        def without_xla(function, *arguments, **keywords):
            begin(function, *arguments, **keywords)
            function._jit_compile = None

        open_session = BaseSession.__init__

        def without_threads(session, target="", graph=None, config=None):
            own = tf.compat.v1.ConfigProto()
            own.MergeFrom(config or context.context().config)
            own.inter_op_parallelism_threads = -1  # the thread that calls
            open_session(session, target, graph, own)

        polymorphic_function.Function.__init__ = without_xla
        BaseSession.__init__ = without_threads
        nothing = tf.function(tf.timestamp, autograph=False).get_concrete_function()
        nothing()
        _go_on_in_a_copy()
        _fill(nothing)

    # Copies

    def copy(self, work):
        """Fork; the copy calls ``work``, whose result comes back as JSON, and ends. Return a _Copy."""
        import resource

        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writing)
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
            return _Copy(pid, reading)
        try:
            os.close(reading)
            os.setpgid(0, 0)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU):
                signal.signal(number, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self._limit_memory(self.memory)
            result = work()
        except BaseException as error:
            result = {"outcome": RAISED, "what": f"{type(error).__name__}: {error}"[:300]}
        with os.fdopen(writing, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)

    @staticmethod
    def _limit_memory(most):
        """Allow what is taken already and ``most`` bytes beside."""
        import resource

        with contextlib.suppress(OSError, ValueError):  # macOS has neither the file nor the limit
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + most, taken + most))

    def _limit_time(self, index):
        """PATIENCE and five times what the cell takes, of the processor; and far more by the clock."""
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + PATIENCE + 5 * self.seconds[index]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        signal.setitimer(signal.ITIMER_REAL, 120 + 50 * self.seconds[index])

    def measure(self):
        """In a copy: run all cells; return how long each takes, what it puts out and leaves behind, or what failed."""
        seconds, kept, after = [], {}, []
        for index in range(len(self.cells)):
            start = time.process_time()
            try:
                kept[index] = self.run(index)
            except BaseException:
                return {"failed": self.cells[index][0], "what": traceback.format_exc()[-2000:]}
            seconds.append(time.process_time() - start)
            after.append(fingerprints.of_namespace(self.names))
        return {"seconds": seconds, "kept": kept, "after": after}

    def trial(self, index, source, plan):
        """In a copy: run ``source`` as cell ``index`` and then what ``plan`` says; return what happened, and where."""
        ran = []
        while index is not None:
            ran.append(index)
            self._limit_time(index)
            outcome, what = self._attempt(index, source)
            if outcome is None:
                source = None
                try:
                    index = plan.after(index, self.names)
                    continue
                except _Lost:
                    outcome, what = LOST, "a cell is needed that was left out"
            result = {"outcome": outcome, "at": self.cells[index][0], "what": what[:300]}
            return result | {"ran": ran, "skipped": plan.skipped}
        return {"outcome": SURVIVED, "ran": ran, "skipped": plan.skipped}

    def afresh(self, cells, mutant=None):
        """In a copy that has run nothing yet: run ``cells``, with the mutant among them; return what happened."""
        if mutant is not None:
            self.sources[mutant.index] = mutant.source
        return self.trial(cells[0], None, _Listed(cells[1:]))

    def _attempt(self, index, source):
        """Run a cell; return how a mutant ends here, and why, or None twice."""
        cell = self.cells[index][1]
        try:
            output = self.run(index, source)
        except AssertionError as error:
            return (CAUGHT if is_check(cell) else RAISED), str(error)
        except BaseException as error:
            return RAISED, f"{type(error).__name__}: {error}"
        if output is not None and output != self.kept.get(index):
            return OUTPUT, output
        return None, None


def _go_on_in_a_copy():
    """Fork; the copy returns from here, and the original hands it signals, and ends as it does."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)  # a terminal interrupts the original alone
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: os.kill(pid, number))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(status if status >= 0 else 128 - status)


def _fill(call):
    """Call ``call`` in new threads, where it waits, until one comes back: then the queue that it waits in is full."""
    import _thread

    full, begun = threading.Event(), time.monotonic()

    def wait():
        call()
        full.set()

    # Small, so that they do not take over the stacks of the threads that were lost, which TensorFlow still looks into.
    before = threading.stack_size(256 * 1024)
    while not full.is_set():
        if time.monotonic() - begun > 60:
            raise notebooks.ChapterError("TensorFlow's queue cannot be filled, so no copy of the process could go on")
        _thread.start_new_thread(wait, ())
    threading.stack_size(before)


class _Copy:
    """A forked process that will say something and end."""

    def __init__(self, pid, pipe):
        self.pid, self.pipe, self.text = pid, pipe, b""

    def read(self):
        """Read on; return whether it has ended, with the outcome in ``result``."""
        if part := os.read(self.pipe, 65536):
            self.text += part
            return False
        os.close(self.pipe)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)  # what it may have started itself; while its number is still its own
        _, status, used = os.wait4(self.pid, 0)
        self.seconds = used.ru_utime + used.ru_stime
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            late = number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)
            what = "it took too long" if late else f"the process was ended by {signal.Signals(number).name}"
            self.result = {"outcome": TIME if late else RAISED, "what": what}
        elif not self.text:
            self.result = {"outcome": RAISED, "what": f"the process ended itself, with {os.WEXITSTATUS(status)}"}
        else:
            self.result = json.loads(self.text)
        return True

    def end(self):
        """End it now."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(self.pid, 0)


class _Lost(Exception):
    """A cell turns out to be needed that was left out."""


class _Listed:
    """A plan that is a list."""

    skipped = True

    def __init__(self, cells):
        self.following = list(cells)

    def after(self, done, names):
        """The next of them, or None."""
        return self.following.pop(0) if self.following else None


class _Plan:
    """Which cells are run behind a mutant: all, or those that it reaches and what these need.

    What a mutant has changed is seen by comparing what the names hold, after each cell, with what they hold where
    nothing was mutated. If nothing differs, nothing will.
    """

    def __init__(self, stage, made, index, statement, whole=False):
        self.stage, self.flow, self.made, self.whole = stage, made.flow, made, whole
        self.unseen = set() if statement is None else self.flow.changed_by(index, statement)
        self.stale = set()  # names to which cells that were left out would have given new values
        self.skipped = False

    def after(self, done, names):
        """The cell to run after ``done``, or None."""
        later = range(done + 1, len(self.stage.cells))
        most = self.made.most(done)
        if self.whole or sum(self.stage.seconds[each] for each in most) < WORTH_SKIPPING:
            if self.stale and any(self.flow.reads(each) & self.stale for each in most):
                raise _Lost
            return most[0] if most else None
        differing = self.differing(done, names)
        reached = self.flow.reached(done, differing)
        wanted = {each for each in later if each in reached and not draws(self.stage.cells[each][1])}
        telling = self.flow.needed(done, wanted & self.made.tells)
        # Without a check that hears of it by a name, a cell is run to see what it changes, unless that costs much.
        costly = {each for each in wanted - telling if self.stage.seconds[each] > COSTLY}
        needed = self.flow.needed(done, wanted - costly)
        if any(self.flow.reads(each) & self.stale for each in needed):
            raise _Lost
        following = min(needed, default=None)
        if following is not None:
            for each in range(done + 1, following):
                self.stale |= self.flow.writes(each)
                self.skipped |= each in most
            self.stale -= self.flow.writes(following)
            if following in reached:
                self.unseen |= self.flow.writes(following)
        return following

    def differing(self, done, names):
        """The names that hold something else than without a mutant, or may, after the cell ``done``."""
        now, then = fingerprints.of_namespace(names), self.stage.after[done]
        known = {name for name in now.keys() & then.keys() if now[name] is not None and then[name] is not None}
        known -= self.made.noisy
        other = {name for name in known if now[name] != then[name]} | (now.keys() ^ then.keys())
        return (other | (self.unseen - known)) - self.stale


class _Plans:
    """What the plans of all mutants share."""

    def __init__(self, stage):
        self.stage = stage
        self.flow = flow.Flow(stage.sources)
        cells = [cell for _, cell in stage.cells]
        self.tells = {n for n, cell in enumerate(cells) if keeps_output(cell) or self._asserts(cell)}
        self.noisy = set()  # names that hold something else each time, such as seconds
        self._most = {}

    @staticmethod
    def _asserts(cell):
        return is_check(cell) and "said-and-measured" not in cell.metadata.get("tags", [])

    def most(self, done):
        """All cells from ``done`` to the last check but drawings that compute nothing which is needed."""
        if done not in self._most:
            later = range(done + 1, max(self.tells, default=-1) + 1)
            wanted = {each for each in later if not draws(self.stage.cells[each][1])}
            self._most[done] = sorted(self.flow.needed(done, wanted))
        return self._most[done]

    def compare(self, done):
        """Note which names hold something else in this run than in the first."""
        now, then = fingerprints.of_namespace(self.stage.names), self.stage.after[done]
        self.noisy |= {name for name in now.keys() & then.keys() if now[name] != then[name]}


class _Run:
    """The trials of a chapter's mutants, some at a time."""

    def __init__(self, stage, jobs, on_result):
        self.stage, self.jobs, self.on_result = stage, jobs, on_result
        self.running = {}  # what reads from a copy: the copy, and what it tries
        self.results, self.seconds = {}, 0.0

    def start(self, work, what):
        while len(self.running) >= self.jobs:
            self.wait()
        copy = self.stage.copy(work)
        self.running[copy.pipe] = copy, what

    def wait(self):
        """Until one of the copies has said something."""
        for pipe in select.select(list(self.running), [], [])[0]:
            copy, what = self.running[pipe]
            if copy.read():
                del self.running[pipe]
                self.seconds += copy.seconds
                self.results[what] = copy.result
                self.on_result(self.results)

    def finish(self):
        """Until all have ended."""
        while self.running:
            self.wait()

    def end(self):
        for copy, _ in self.running.values():
            copy.end()
        self.running.clear()


def _alone(copy):
    """What a copy says, while nothing else is waited for."""
    try:
        while not copy.read():
            pass
    except BaseException:
        copy.end()
        raise
    return copy.result


def tried(path, notebook, mutants, *, jobs, memory, whole=False, fresh=False, on_result=lambda results: None):
    """Run the mutants; return their results by mutant, and the seconds of the processor that they took."""
    stage = _Stage(code_cells(notebook), memory)
    run = _Run(stage, jobs, on_result)
    try:
        if not fresh:
            stage.prepare()
        first = _alone(stage.copy(stage.measure))
        if "seconds" not in first:
            where = f", cell {first['failed']}" if "failed" in first else ""
            raise notebooks.ChapterError(f"{path.name}{where} fails without a mutant\n{first['what']}")
        stage.seconds = first["seconds"]
        stage.kept = {int(index): output for index, output in first["kept"].items()}
        stage.after = first["after"]
        plans = _Plans(stage)
        if fresh:
            _try_afresh(run, stage, plans.most(-1), mutants)
            return run.results, run.seconds
        by_cell = collections.defaultdict(list)
        for mutant in mutants:
            by_cell[mutant.index].append(mutant)
        for index in range(max(by_cell, default=-1) + 1):
            if by_cell[index]:
                _assure(stage, plans, index)
                _try_cell(run, stage, plans, by_cell[index], whole)
            stage.run(index)
            plans.compare(index)
    finally:
        run.end()
    return run.results, run.seconds


def _assure(stage, plans, index):
    """See that without a mutant the cell and those up to the second check behind it run in a copy as they should."""
    most = plans.most(index)
    ends = [place for place, each in enumerate(most, 1) if each in plans.tells]
    near = most[: ends[1] if len(ends) > 1 else None]
    result = _alone(stage.copy(lambda: stage.trial(index, None, _Listed(near))))
    if result["outcome"] != SURVIVED:
        number = stage.cells[index][0]
        raise notebooks.ChapterError(f"cell {number} cannot be run in a copy: without a mutant, it ends with {result}")


def _try_afresh(run, stage, cells, mutants):
    """Try mutants from the first cell on, after these cells have been run without one."""
    result = _alone(stage.copy(lambda: stage.afresh(cells)))
    if result["outcome"] != SURVIVED:
        raise notebooks.ChapterError(f"the cells cannot be run without the drawings: they end with {result}")
    for mutant in mutants:
        run.start(lambda m=mutant: stage.afresh(cells, m), mutant)
    run.finish()


def _try_cell(run, stage, plans, mutants, whole):
    """Try the mutants of a cell; where leaving cells out may be what made a check fail, once more without that."""
    index = mutants[0].index
    for mutant in mutants:
        plan = _Plan(stage, plans, index, plans.flow.number(index, mutant.line), whole)
        run.start(lambda m=mutant, p=plan: stage.trial(index, m.source, p), mutant)
    run.finish()
    sound = {}
    for mutant in mutants:
        result = run.results[mutant]
        if result.get("skipped") and result["outcome"] != SURVIVED:
            ran = tuple(result["ran"][1:])
            if ran not in sound and result["outcome"] != LOST:
                control = _alone(stage.copy(lambda r=ran: stage.trial(index, None, _Listed(r))))
                sound[ran] = control["outcome"] == SURVIVED
            if not sound.get(ran):
                plan = _Plan(stage, plans, index, None, whole=True)
                run.start(lambda m=mutant, p=plan: stage.trial(index, m.source, p), mutant)
    run.finish()


def judged(path, mutants, results, entries):
    """The lines of the report, and whether the chapter passes."""
    explained = {key_of(entry): entry for entry in entries}
    outcomes = collections.Counter(result["outcome"] for result in results.values())
    alive = [mutant for mutant in mutants if results[mutant]["outcome"] == SURVIVED]
    kinds = collections.Counter(explained[mutant.key]["kind"] for mutant in alive if mutant.key in explained)
    unexplained = [mutant for mutant in alive if mutant.key not in explained]
    caught = len(mutants) - len(alive)
    counted = len(mutants) - sum(kinds[kind] for kind in UNCOUNTED)
    score = caught / counted if counted else 1.0
    lines = []
    if unexplained:
        lines += ["", f"Survivors that {SURVIVORS.name}/{path.stem}.toml does not explain:", ""]
        for mutant in unexplained:
            lines += [str(mutant), ""]
    dead = {mutant.key for mutant in mutants} - {mutant.key for mutant in alive}
    if stale := [key for key in explained if key in dead]:
        lines += ["Stale: explained as survivors, and caught:", ""]
        lines += [f"  cell {key[0]}: {key[2]}" for key in stale] + [""]
    lines += [f"{'kind of change':22}{'all':>6}{'caught':>8}{'output':>8}{'raised':>8}{'time':>6}{'survived':>10}"]
    for kind in [*sorted({mutant.kind for mutant in mutants}), "all"]:
        of_kind = [mutant for mutant in mutants if kind in (mutant.kind, "all")]
        count = collections.Counter(results[mutant]["outcome"] for mutant in of_kind)
        lines.append(
            f"{kind:22}{len(of_kind):6}{count[CAUGHT]:8}{count[OUTPUT]:8}{count[RAISED]:8}{count[TIME]:6}"
            f"{count[SURVIVED]:10}"
        )
    lines.append(
        f"survivors: {kinds['equivalent']} equivalent, {kinds['free choice']} a free choice, {kinds['label']} a label, "
        f"{len(unexplained)} unexplained"
    )
    by_exception = outcomes[RAISED] + outcomes[TIME]
    lines.append(
        f"score {score:.3f}: {caught} of {counted}; {by_exception} of them by an exception or a limit, no assert"
    )
    explained_ones = len(alive) - len(unexplained)
    lines.append(
        f"{path.name}: {caught} of {len(mutants)} caught, {explained_ones} survivors explained"
        + (f", {len(unexplained)} not explained" if unexplained else "")
    )
    return lines, not unexplained and score >= ENOUGH


def chosen(mutants, only, sample, seed):
    """Those of the named cells (by number or id), and of them a random sample."""
    if unknown := set(only) - {mutant.cell for mutant in mutants} - {str(mutant.number) for mutant in mutants}:
        raise notebooks.ChapterError(f"there are no mutants in cells {', '.join(sorted(unknown))}")
    if only:
        mutants = [mutant for mutant in mutants if mutant.cell in only or str(mutant.number) in only]
    if sample is not None and sample < len(mutants):
        picked = set(random.Random(seed).sample(range(len(mutants)), sample))
        mutants = [mutant for number, mutant in enumerate(mutants) if number in picked]
    return mutants


def main(arguments):
    """Try a chapter's mutants; return 0 if every survivor is explained and enough are caught."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials.mutants", description=__doc__.split("\n\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants tried at the same time")
    parser.add_argument("--only", nargs="+", default=[], metavar="CELL", help="ids or numbers of cells")
    parser.add_argument("--sample", type=int, metavar="N", help="try N of them, drawn at random, for a quick look")
    parser.add_argument("--seed", type=int, default=0, help="of that drawing (default 0)")
    parser.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    parser.add_argument(
        "--whole", action="store_true", help="run all cells behind a mutant, also those it cannot reach"
    )
    parser.add_argument("--fresh", action="store_true", help="run each mutant from the first cell on")
    parser.add_argument("--memory", type=float, metavar="GB", help="for each mutant (default 4; 40 if fresh)")
    parser.add_argument("--toml", action="store_true", help="print unexplained survivors as entries to be filled in")
    options = parser.parse_args(arguments)
    for name in ("jobs", "sample", "memory"):
        if (value := getattr(options, name)) is not None and value <= 0:
            parser.error(f"--{name} must be positive, got {value}")
    options.memory = options.memory or (40 if options.fresh else 4)
    if not hasattr(os, "fork"):
        print("tools.trials.mutants needs a system that can fork a process: Linux or macOS", file=sys.stderr)
        return 2
    say, complain = _channels()
    path = options.notebook.resolve()
    try:
        notebook = notebooks.read(path)
        entries = survivors_of(path)
        mutants = chosen(mutants_of(notebook), options.only, options.sample, options.seed)
        for problem in misfits(notebook, entries):
            say(problem)
        if options.list:
            for mutant in mutants:
                say(f"{mutant}")
            say(f"{path.name}: {len(mutants)} mutants")
            return 0
        return _tell(path, notebook, mutants, entries, options, say, complain)
    except notebooks.ChapterError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 130


def _tell(path, notebook, mutants, entries, options, say, complain):
    begun, told = time.monotonic(), [time.monotonic()]
    explained = {key_of(entry) for entry in entries}

    def on_result(results):
        newest = next(reversed(results))
        if options.toml and results[newest]["outcome"] == SURVIVED and newest.key not in explained:
            say(_entry(newest))  # at once, so that an interrupt loses none
        if time.monotonic() - told[0] > 10:
            told[0] = time.monotonic()
            alive = sum(result["outcome"] == SURVIVED for result in results.values())
            minutes = (told[0] - begun) / 60
            complain(
                f"cell {newest.number}: {len(results)} of {len(mutants)} tried, {alive} alive, {minutes:.1f} minutes"
            )

    _like_a_kernel(path)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the copies are ended, too
    results, seconds = tried(
        path,
        notebook,
        mutants,
        jobs=options.jobs,
        memory=int(options.memory * 2**30),
        whole=options.whole,
        fresh=options.fresh,
        on_result=on_result,
    )
    lines, passed = judged(path, mutants, results, entries)
    for line in lines[:-1]:
        say(line)
    say(f"{(time.monotonic() - begun) / 60:.1f} minutes, {seconds / 60:.1f} of the processor in copies")
    say(lines[-1])
    return 0 if passed else 1


def _entry(mutant):
    fields = {"cell": mutant.cell, "old": mutant.old, "new": mutant.new, "nth": mutant.nth, "kind": "", "reason": ""}
    if mutant.nth == 1:
        del fields["nth"]
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["[[survivor]]", *lines, ""])


def _channels():
    """Functions that print to stdout and stderr as they are now; for all else these lead nowhere from here on."""
    sys.stdout.flush()
    out, err = (os.fdopen(os.dup(number), "w", encoding="utf-8") for number in (1, 2))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    return (lambda text: print(text, file=out, flush=True)), (lambda text: print(text, file=err, flush=True))


def _like_a_kernel(path):
    """The folder and the environment in which a chapter's kernel runs."""
    for name, value in notebooks.settings().get("environment", {}).items():
        os.environ[name] = value.format(build=notebooks.BUILD)
    os.environ["MPLBACKEND"] = "agg"
    if "DLUTILS_DATA" in os.environ:
        os.environ["DLUTILS_DATA"] = str(Path(os.environ["DLUTILS_DATA"]).resolve())
    os.chdir(path.parent)
    sys.path[0:0] = [str(path.parent)]


if __name__ == "__main__":
    from tools.trials import mutants as this  # the notebook becomes __main__

    status = this.main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # threads that TensorFlow waits for may be gone
