"""Mutants: which changes are made, which are noticed, and that what is not run would not have noticed them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from tools.build import notebooks
from tools.trials import flow, mutants, mutations

import nbformat
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork a process")
IMPORTS = "import math\n\nseed = 1"
# Mutants are run each week, and so are these, which take seconds each.
weekly = pytest.mark.skipif(not os.environ.get("ATTACKS"), reason="in the weekly run, or with ATTACKS=1")


def code(source, cell=None, **metadata):
    made = nbformat.v4.new_code_cell(textwrap.dedent(source).strip(), metadata=metadata)
    made["id"] = cell or made["id"]
    return made


def check(source):
    return code(source, tags=["check"])


def chapter(*cells, imports=IMPORTS):
    return nbformat.v4.new_notebook(cells=[code(imports), *cells])


def changed(source, kind=None, definitions=()):
    """The sources that the mutations of ``source`` make, as a set."""
    found = mutations.mutations(source, definitions)
    return {mutation.applied(source) for mutation in found if kind in (None, mutation.kind)}


class TestMutations:
    @pytest.mark.parametrize(
        ("source", "wanted"),
        [
            ("y = a + b", {"y = a - b"}),
            ("y = (a) - (b)", {"y = (a) + (b)", "y = (b) - (a)"}),
            ("y = a @ b", {"y = a * b", "y = b @ a"}),
            ("y = a**b", {"y = a*b", "y = b**a"}),
            ("y = a < b", {"y = a <= b", "y = a > b"}),
            ("y = a is not b", {"y = a is b"}),
            ("y = a not in b", {"y = a in b"}),
            ("y = a and b", {"y = a or b"}),
            ("y = not a", {"y = a"}),
            ("y = -a", {"y = a"}),
            ("y = 0", {"y = 1"}),
            ("y = 10_000", {"y = 10_001"}),
            ("y = 0.25", {"y = 0.5"}),
            ("y = 0.0", {"y = 1.0"}),
            ("y = True", {"y = False"}),
            ("y += a", {"y -= a", "y = a"}),
            ("y = a[i:j]", {"y = a[i + 1:j]", "y = a[i:j + 1]"}),
            ("y = a[0]", {"y = a[1]"}),
            ("y = a[-1]", {"y = a[1]", "y = a[-2]"}),
            ("y = f(a)", {"y = a"}),
            ("y = a.f()", {"y = a"}),
            ("f(a)\ny = b", {"pass\ny = b", "a\ny = b"}),
            ("y = f(a, b)", {"y = f(b, a)", "y = f(a)", "y = f(b)", "y = a"}),
            ("y = a.f(b=c)", {"y = a", "y = a.f()"}),
            ("y = a, b", {"y = b, a"}),
            ("def f(a):\n    return a", {"def f(a):\n    return -a"}),
            ("if a:\n    y = b", {"if not a:\n    y = b"}),
            ("while a:\n    break", {"while not a:\n    break", "while a:\n    continue"}),
            ("y = 'é', a + b", {"y = a + b, 'é'", "y = 'é', a - b"}),
        ],
    )
    def test_each_kind_of_change(self, source, wanted):
        assert changed(source) == wanted

    @pytest.mark.parametrize(
        "source",
        [
            'y = "1 + 2"',
            'y = f"{a + 1}"',
            "print(a + 1)",
            "y = 'a' + b",
            "import a",
            "assert a + 1 == 2",
            "raise ValueError(a + 1)",
            'def f():\n    """One."""\n    pass',
            "y = default_rng(1)",
            "round(a + b, 3)",
            "f(1)[0]",
            "ax.plot(a + 1)\ny = b",
            "def draw(ax):\n    y = 1",
            "y = time.perf_counter() - begun",
            "y: a[1] = b",
        ],
    )
    def test_what_is_left_alone(self, source):
        assert changed(source) == set()

    def test_a_seed_and_what_is_only_shown_are_left_alone(self):
        assert changed("y = f(a, seed=1, verbose=0)") == {"y = f(seed=1, verbose=0)", "y = a"}

    def test_the_last_line_is_changed_where_it_does_something(self):
        defined = mutations.ast.parse("def act(a):\n    a.append(1)\n\ndef ask(a):\n    return a").body
        assert changed("act(a)", definitions=defined) == {"pass", "a"}
        assert changed("ask(a)", definitions=defined) == set()
        assert "pass" in changed("model.fit(a)")

    def test_an_argument_is_not_left_out_where_python_would_complain(self):
        defined = mutations.ast.parse("def f(a, b, c=1):\n    return a").body
        left_out = changed("y = f(a, b, c)", "an argument left out", defined)
        assert left_out == {"y = f(b, c)", "y = f(a, c)", "y = f(a, b)"}
        assert changed("y = f(a, b)", "an argument left out", defined) == set()

    def test_a_change_is_told_by_its_line(self):
        source = "a = 1\nif a:\n    b = a + 2"
        last = mutations.mutations(source)[-1]
        assert (last.line(source), last.lines(source)) == (3, ("b = a + 2", "b = a + 3"))


class TestKeys:
    CELLS = code("a = 1\na = 1", "first"), code("b = 2", "second")

    def test_they_survive_new_cells_and_lines(self):
        before = {mutant.key for mutant in mutants.mutants_of(chapter(*self.CELLS))}
        moved = chapter(code("c = f", "new"), code("c = f\n" + self.CELLS[0].source, "first"), self.CELLS[1])
        assert {mutant.key for mutant in mutants.mutants_of(moved)} == before

    def test_the_same_line_twice_has_two_keys(self):
        keys = [mutant.key for mutant in mutants.mutants_of(chapter(*self.CELLS))]
        assert keys == [("first", "a = 1", "a = 2", 1), ("first", "a = 1", "a = 2", 2), ("second", "b = 2", "b = 3", 1)]

    def test_checks_drawings_imports_and_records_are_not_mutated(self):
        cells = check("assert a == 1"), code("a = 1", tags=["said-and-measured"])
        drawing = code("a = 1", mystnb={"figure": {"name": "fig-a"}})
        assert mutants.mutants_of(chapter(*cells, drawing, imports="a = 1")) == []

    def test_an_answer_is_mutated_without_its_marks(self):
        nbgrader = {"grade_id": "a", "solution": True, "grade": False, "locked": False, "schema_version": 3}
        answer = code("### BEGIN SOLUTION\na = 1\n### END SOLUTION", "it", nbgrader=nbgrader)
        (only,) = mutants.mutants_of(chapter(answer))
        assert (only.source, only.line) == ("a = 2", 1)


def entry(**changes):
    return {"cell": "it", "old": "a = 1", "new": "a = 2", "kind": "label", "reason": "nobody looks at it"} | changes


class TestExplanations:
    BOOK = chapter(code("a = 1", "it"))

    def test_one_that_fits(self):
        assert list(mutants.misfits(self.BOOK, [entry()])) == []

    @pytest.mark.parametrize(
        ("entries", "problem"),
        [
            ([entry(old="a = 3")], "stale"),
            ([entry(cell="gone")], "stale"),
            ([entry(nth=2)], "stale"),
            ([entry(kind="whatever")], "kind"),
            ([entry(reason="ok")], "reason"),
            ([entry(note="this")], "note"),
            ([{"cell": "it", "old": "a = 1", "new": "a = 2", "kind": "label"}], "lacks reason"),
            ([entry(), entry()], "2 times"),
        ],
    )
    def test_one_that_does_not(self, entries, problem):
        (found,) = mutants.misfits(self.BOOK, entries)
        assert problem in found

    def report(self, outcomes, entries):
        """The report on mutants of four numbers that end as ``outcomes`` say."""
        made = mutants.mutants_of(chapter(code("\n".join(f"a{n} = {n}" for n in range(len(outcomes))), "it")))
        results = {mutant: {"outcome": outcome} for mutant, outcome in zip(made, outcomes, strict=True)}
        lines, passed = mutants.judged(Path("book/chapter.ipynb"), made, results, entries)
        return "\n".join(lines), passed

    def test_a_survivor_must_be_explained(self):
        report, passed = self.report(["caught"] * 9 + ["survived"], [])
        assert not passed
        assert "+ a9 = 10" in report
        assert report.endswith("chapter.ipynb: 9 of 10 caught, 0 survivors explained, 1 not explained")
        report, passed = self.report(["caught"] * 9 + ["survived"], [entry(old="a9 = 9", new="a9 = 10")])
        assert passed
        assert "score 0.900" in report
        assert report.endswith("chapter.ipynb: 9 of 10 caught, 1 survivors explained")

    @pytest.mark.parametrize(("kind", "passes"), [("equivalent", True), ("free choice", True), ("label", False)])
    def test_what_is_equivalent_or_free_does_not_count(self, kind, passes):
        explained = [entry(old=f"a{n} = {n}", new=f"a{n} = {n + 1}", kind=kind) for n in (0, 1)]
        report, passed = self.report(["survived"] * 2 + ["caught"] * 8, explained)
        assert passed is passes
        assert f"score {1 if passes else 0.8:.3f}" in report

    def test_an_explanation_of_what_is_caught_is_stale(self):
        report, _ = self.report(["caught"], [entry(old="a0 = 0", new="a0 = 1")])
        assert "Stale" in report
        assert "a0 = 1" in report

    def test_exceptions_and_limits_have_columns_of_their_own(self):
        report, _ = self.report(["caught", "raised", "raised", "time", "output", "survived"], [])
        assert [int(word) for word in report.split("all  ")[-1].split()[:6]] == [6, 1, 1, 2, 1, 1]
        assert "5 of 6; 3 of them by an exception or a limit" in report


class TestFlow:
    def reached(self, *sources, line=1):
        made = flow.Flow(sources)
        return made.reached(0, made.changed_by(0, made.number(0, line)))

    @pytest.mark.parametrize(
        "later",
        [
            "b = a",
            "b = f(a)",
            "b = [x for x in a]",
            'b = f"{a}"',
            "def f(x=a):\n    pass",
            "c = a.b[0]",
            "a += 1",
            "if a:\n    pass",
        ],
    )
    def test_what_reads_it_is_reached(self, later):
        assert self.reached("a = 1", later) == {1}

    @pytest.mark.parametrize("later", ["b = c", "a = 2", "def f(a):\n    return a", "b = lambda: 1"])
    def test_what_does_not_is_not(self, later):
        assert self.reached("a = 1", later) == set()

    @pytest.mark.parametrize(
        "between",
        [
            "b = a",
            "b.append(a)",
            "b[0] = a",
            "b.c = a",
            "b(a)",
            "training.fit(b, a)",
            "if a:\n    b = 1",
            "for b in a:\n    pass",
        ],
    )
    def test_it_spreads_to_what_is_written(self, between):
        assert self.reached("a = 1", between, "c = b") == {1, 2}

    def test_it_spreads_through_what_functions_read_and_write(self):
        reads = "def f():\n    return a\n\ndef g():\n    return f()"
        assert self.reached("a = 1", reads, "b = g()", "c = b") == {2, 3}
        writes = "memory = {}\ndef f(x):\n    memory[x] = x"
        assert self.reached("a = 1", writes, "f(a)", "c = memory") == {2, 3}
        changes = "def f(x, y):\n    x.append(y)\ndef g(x, y):\n    f(x, y)"
        assert self.reached("a = 1", changes, "g(b, a)", "c = b") == {2, 3}
        harmless = "def f(x, y):\n    return x + y"
        assert self.reached("a = 1", harmless, "d = f(b, a)", "c = b") == {2}

    def test_a_changed_function_reaches_its_callers(self):
        assert self.reached("def f():\n    return 1", "b = 1", "c = f()", "d = c") == {2, 3}

    def test_a_new_value_ends_it_unless_it_is_given_in_a_branch(self):
        assert self.reached("a = 1", "a = 2", "b = a") == set()
        assert self.reached("a = 1", "if c:\n    a = 2", "b = a") == {2}
        assert self.reached("a = 1", "a = a + 1", "b = a") == {1, 2}

    def test_within_the_cell_only_what_depends_counts(self):
        assert self.reached("a = 1\nb = 2\nc = a", "d = b", "e = c") == {2}

    def test_the_global_random_state_is_a_name_like_others(self):
        drawn = "a = np.random.normal()"
        assert self.reached(drawn, "b = np.random.normal()") == {1}
        assert self.reached(drawn, "keras.utils.set_random_seed(1)", "b = np.random.normal()") == set()
        seeded = "def f():\n    keras.utils.set_random_seed(1)\n    return keras.layers.Dense(1)"
        assert self.reached(drawn, seeded, "b = f()") == set()
        assert self.reached(drawn, seeded.replace("    keras.utils.set_random_seed(1)\n", ""), "b = f()") == {2}

    def test_what_a_cell_needs_is_found(self):
        made = flow.Flow(["x = 0", "a = 1", "b = 2", "def f():\n    return a", "c = f()"])
        assert made.needed(0, {4}) == {1, 3, 4}


# Runs. Each is a process of its own, as running a notebook makes that process the notebook's.

RUN = """
import json, os, sys, traceback
from pathlib import Path
from tools.build import notebooks
from tools.trials import mutants

path, options = Path(sys.argv[1]), json.loads(sys.argv[2])
wanted = options.pop("wanted", None)
for name, value in options.pop("constants", {}).items():
    setattr(mutants, name, value)
say, complain = mutants._channels()
mutants._like_a_kernel(path)
notebook = notebooks.read(path)
memory = options.pop("memory", 2**30)
try:
    some = [mutant for mutant in mutants.mutants_of(notebook) if wanted is None or mutant.new in wanted]
    results, _ = mutants.tried(path, notebook, some, jobs=2, memory=memory, **options)
except BaseException:  # told here, as stderr leads nowhere
    complain(traceback.format_exc())
    os._exit(1)
say(json.dumps([[mutant.new, result] for mutant, result in results.items()]))
os._exit(0)
"""


def results_of(notebook, folder, **options):
    """What becomes of each mutant: a dict from its changed line to the outcome and where it came about."""
    path = folder / "chapter.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-c", RUN, path, json.dumps(options)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=notebooks.ROOT)
    assert ran.returncode == 0, ran.stderr
    return {new: (result["outcome"], result.get("at"), result.get("what")) for new, result in json.loads(ran.stdout)}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One notebook with a mutant of every fate."""
    nbgrader = {"grade_id": "it", "solution": True, "grade": False, "locked": False, "schema_version": 3}
    graded = nbgrader | {"grade_id": "it-check", "solution": False, "grade": True, "points": 1}
    shown = {"tags": ["keep_output", "nbval-check-output"]}
    return results_of(
        chapter(
            code("kept = 10\nhelp = 20"),  # 2
            check("assert kept == 10, 'ten'"),  # 3
            code("n = 3\nwhile n > 0:\n    n -= 1"),  # 4
            code("third = [1, 2, 3][2]"),  # 5
            code("crowd = bytearray(2**20)"),  # 6
            code("ends = 100\nif ends != 100:\n    import os; os._exit(3)"),  # 7
            code("dies = 200\nif dies != 200:\n    import signal; signal.raise_signal(signal.SIGSEGV)"),  # 8
            code("asked = 7\nasked, 1", **shown),  # 9
            code("drawn = 5\nax = 1", mystnb={"figure": {"name": "fig"}}),  # 10
            code("computed = drawn + 50"),  # 11
            check("assert computed == 55, 'needs what the drawing computes'"),  # 12
            code("### BEGIN SOLUTION\nanswer = 30\n### END SOLUTION", nbgrader=nbgrader),  # 13
            code(
                "assert answer > 0\n### BEGIN HIDDEN TESTS\nassert answer == 30\n### END HIDDEN TESTS",
                tags=["check"],
                nbgrader=graded,
            ),  # 14
            code("mine = 40\nassert mine == 40"),  # 15
            code("text = 60"),  # 16
            check("assert 'ab'[text - 60] == 'a'"),  # 17
            code("shared = []\nshared.append(70)"),  # 18
            check("assert shared in ([70], [71]) and len(shared) == 1, 'a copy has changed the original'"),  # 19
        ),
        tmp_path_factory.mktemp("mutants"),
        constants={"PATIENCE": 1},
        memory=2**30,
    )


class TestRun:
    def test_what_an_assert_of_a_check_notices_is_caught(self, results):
        assert results["kept = 11"] == ("caught", 3, "ten")

    def test_what_no_check_notices_survives(self, results):
        assert results["help = 21"][0] == "survived"

    def test_hidden_tests_are_run(self, results):
        assert results["answer = 31"][:2] == ("caught", 14)

    def test_a_loop_that_does_not_end_is_ended(self, results):
        assert results["n += 1"][0] == "time"

    def test_exceptions_are_told_apart(self, results):
        assert results["third = [1, 2, 3][3]"] == ("raised", 5, "IndexError: list index out of range")
        assert results["mine = 41"][:2] == ("raised", 15)  # an assert, but of no check
        assert results["text = 61"][0] == "caught"
        assert results["text = 61"][1] == 17

    def test_a_process_that_ends_or_dies_does_no_harm(self, results):
        assert results["ends = 101"] == ("raised", None, "the process ended itself, with 3")
        assert results["dies = 201"] == ("raised", None, "the process was ended by SIGSEGV")

    def test_memory_is_limited(self, results):
        assert results["crowd = bytearray(2**21)"][0] == "survived"
        assert results["crowd = bytearray(20**2)"][0] == "survived"

    def test_an_output_that_is_kept_is_compared(self, results):
        assert results["asked = 8"] == ("output", 9, "(8, 1)\n")

    def test_a_drawing_is_run_where_something_needs_it(self, results):
        assert results["computed = drawn - 50"][:2] == ("caught", 12)

    def test_copies_leave_the_original_alone(self, results):
        assert results["shared.append(71)"][0] == "survived"
        assert results["pass"][:2] == ("caught", 19)


@weekly
def test_memory_is_limited(tmp_path):
    cells = code("size = 2**20"), code("crowd = bytearray(256 * size)[0]"), check("assert crowd == 0")
    wanted = {"wanted": ["size = 2**21"]}
    found = results_of(chapter(*cells), tmp_path, memory=2**30, **wanted)
    assert found["size = 2**21"][0] == "survived"
    found = results_of(chapter(*cells), tmp_path, memory=int(0.375 * 2**30), **wanted)
    assert found["size = 2**21"] == ("raised", 3, "MemoryError: ")


SLOW = [
    code("a = 2\nb = 3\nunread = 4"),
    code("def double(x):\n    return 2 * x"),
    code("state = {'a': a}\nalias = state"),
    code("slow = sum(range(b))"),
    code("from_slow = slow + 1"),
    code("alias['b'] = double(a)"),
    check("assert state['b'] == 4"),
    check("assert from_slow == 4 and slow == 3"),
]


@weekly
def test_skipping_finds_what_running_all_finds(tmp_path):
    few = results_of(chapter(*SLOW), tmp_path, constants={"WORTH_SKIPPING": -1})
    assert few == results_of(chapter(*SLOW), tmp_path, whole=True)
    assert few["b = 4"][:2] == ("caught", 9)
    assert few["unread = 5"][0] == "survived"


@weekly
def test_each_from_the_first_cell_on_finds_what_copies_find(tmp_path):
    noted = code("drawn = a", mystnb={"figure": {"name": "fig"}}), check("assert drawn == 2"), code("a = 9", "last")
    copies = results_of(chapter(*SLOW, *noted), tmp_path, whole=True)
    assert copies == results_of(chapter(*SLOW, *noted), tmp_path, fresh=True)
    assert {result[0] for result in copies.values()} == {"caught", "raised", "survived"}


@weekly
def test_what_is_skipped_is_not_run(tmp_path):
    log = tmp_path / "log"
    noisy = code(f"noise = 0\nwith open({os.fspath(log)!r}, 'a') as file:\n    file.write('x')")
    cells = code("a = 1"), noisy, check("assert noise == 0"), check("assert a == 1")
    assert results_of(chapter(*cells), tmp_path, constants={"WORTH_SKIPPING": -1})["a = 2"][:2] == ("caught", 5)
    few = len(log.read_text())
    log.write_text("")
    results_of(chapter(*cells), tmp_path, whole=True)
    assert len(log.read_text()) > few


TENSORFLOW = [
    code("units = 3\nrate = 0.5\nx = tf.constant([[1.0, 2.0]])\nweights = tf.Variable(tf.ones((2, units)))"),
    code(
        """
        @tf.function(jit_compile=True)
        def steps(count):
            total = tf.constant(0.0)
            for _ in tf.range(count):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_sum((x @ weights) ** 2)
                weights.assign_sub(rate / 100 * tape.gradient(loss, weights))
                total += loss
            return total


        total = float(steps(5))
        """
    ),
    check("assert abs(total - 111.12) < 0.1, total\nassert weights.shape == (2, 3)"),
    code(
        """
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        points = np.random.default_rng(seed).normal(size=(64, 2)).astype("float32")
        history = model.fit(points, points[:, :1], epochs=3, batch_size=16, verbose=0)
        """
    ),
    check("assert len(history.history['loss']) == 3\nassert model.count_params() == 17"),
    code("again = float(steps(5)) + 1.0\nlosses = history.history['loss'][1:]"),
    check("assert again < total + 1 and len(losses) == 2\nmodel.predict(points, verbose=0)"),
]


# Of an eager change before anything is compiled, of a tf.function and of Keras's fit, where all of it was used before.
FATES = {
    "units = 4": ("caught", 4),
    "weights.assign_sub(rate / 101 * tape.gradient(loss, weights))": ("caught", 4),
    "history = model.fit(points, points[:, :1], epochs=4, batch_size=16, verbose=0)": ("caught", 6),
    "history = model.fit(points, points[:, :1], epochs=3, batch_size=17, verbose=0)": ("survived", None),
    "again = float(steps(6)) + 1.0": ("survived", None),
    "losses = history.history['loss'][2:]": ("caught", 8),
}


SESSION = [
    code(
        """
        with tf.Graph().as_default():
            x = tf.compat.v1.placeholder(tf.float32, (2, 2))
            product = tf.matmul(x, x) + 1
            session = tf.compat.v1.Session()
        first = session.run(product, {x: np.eye(2)})
        """
    ),
    check("assert first.sum() == 6"),
    code("later = session.run(product, {x: np.full((2, 2), 3)})"),
    check("assert later.sum() == 76"),
]


SESSION_FATES = {
    "product = tf.matmul(x, x) + 2": ("caught", 10),
    "later = session.run(product, {x: np.full((2, 2), 4)})": ("caught", 12),
    "later = session.run(product, {x: np.full((2, 3), 3)})": ("raised", 11),
}


@weekly
def test_tensorflow_and_its_sessions_work_in_a_copy(tmp_path):
    imports = "import keras\nimport numpy as np\nimport tensorflow as tf\n\nseed = 1\nkeras.utils.set_random_seed(seed)"
    fates = FATES | SESSION_FATES
    found = results_of(chapter(*TENSORFLOW, *SESSION, imports=imports), tmp_path, wanted=list(fates))
    assert {new: result[:2] for new, result in found.items()} == fates


def start(folder, *arguments, **options):
    command = [sys.executable, "-m", "tools.trials.mutants", folder / "chapter.ipynb", "--jobs", "1", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # also where the tests run unheard
    return subprocess.Popen(command, cwd=notebooks.ROOT, **streams, **heard, **options)


def finished(process):
    out, error = process.communicate(timeout=120)
    return process.returncode, out, error


def test_the_command(tmp_path):
    nbformat.write(
        chapter(code("a = 1\nb = 2\nc = 3", "it"), check("assert (a, b) == (1, 2)")), tmp_path / "chapter.ipynb"
    )
    status, out, _ = finished(start(tmp_path, "--toml"))
    assert status == 1
    assert 'new = "c = 4"' in out
    assert out.endswith("chapter.ipynb: 2 of 3 caught, 0 survivors explained, 1 not explained\n")
    status, out, _ = finished(start(tmp_path, "--list", "--sample", "2"))
    assert (status, out.splitlines()[-1]) == (0, "chapter.ipynb: 2 mutants")
    status, out, error = finished(start(tmp_path, "--only", "that"))
    assert (status, error) == (1, "there are no mutants in cells that\n")


def test_a_chapter_that_fails_without_a_mutant_is_told(tmp_path):
    nbformat.write(chapter(code("a = 1"), check("assert a == 2, 'never'")), tmp_path / "chapter.ipynb")
    status, _, error = finished(start(tmp_path))
    assert status == 1
    assert "cell 3 fails without a mutant" in error
    assert "never" in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_copies(tmp_path, number):
    pids = tmp_path / "pids"
    source = f"""
        n = 1
        if n != 1:
            import os, time
            open({os.fspath(pids)!r}, 'w').write(str(os.getpid()))
            time.sleep(100)
        """
    nbformat.write(chapter(code(source)), tmp_path / "chapter.ipynb")
    process = start(tmp_path)
    for _ in range(600):
        time.sleep(0.1)
        if pids.is_file() and pids.read_text():
            break
    process.send_signal(number)
    status, _, error = finished(process)
    assert (status, error) == (130, "interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


@pytest.mark.parametrize("path", notebooks.chapters(), ids=lambda path: path.stem)
def test_the_survivors_that_are_explained_are_changes_of_the_chapter_as_it_is(path):
    assert list(mutants.misfits(notebooks.read(path), mutants.survivors_of(path))) == []


def test_every_file_of_survivors_belongs_to_a_chapter():
    chapters = {path.stem for path in notebooks.chapters()}
    assert {path.stem for path in mutants.SURVIVORS.glob("*.toml")} <= chapters
