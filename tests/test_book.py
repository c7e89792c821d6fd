"""The form of the chapters: rules that can be checked, each with a small broken notebook that it catches."""

import ast
import copy
import json
import re
import subprocess
import symtable
import sys
from pathlib import Path

from tools.build import book, exercises, notebooks
from tools.trials import faults

import nbformat
import pytest
import yaml

BOOK = notebooks.ROOT / "book"
CHAPTERS = sorted(BOOK.glob("[!.]*.ipynb"))  # tools put hidden variants beside chapters for a while
KEPT = {"keep_output", "nbval-check-output"}
MAX_LINES, MAX_LINES_OF_A_GRADED_CHECK = 20, 40  # these are folded away
MAX_WORDS = 4500  # of a chapter, its exercises and its quiz among them: half an hour of reading
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def tags(cell):
    return set(cell.metadata.get("tags", []))


def is_check(cell):
    return bool({"check", "said-and-measured"} & tags(cell))


def code_cells(notebook):
    return [(number, cell) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def prose(notebook):
    """All prose, without code blocks, formulas and directives' fences."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.DOTALL)


def words(notebook):
    """The words of all prose: no code, formulas, HTML tags, addresses, labels, names of roles and of directives."""
    text = re.sub(r"<[^>]*>|\]\([^)\s]*\)|^\([\w-]+\)=$|^:::.*$|^:\w+:.*$", " ", prose(notebook), flags=re.MULTILINE)
    text = re.sub(r"(?:\{[\w:]+\})?`[^`]*`|\$[^$]*\$", " ", text)
    return re.findall(r"[^\W\d_][\w’'-]*", text)


def bindings(source):
    """The names that ``source`` binds outside of functions and classes, each time it does: (name, whether by def)."""
    defined, assigned, nodes = [], [], [ast.parse(source)]
    for node in nodes:  # which grows
        if isinstance(node, (*DEFINITIONS, ast.Import, ast.ImportFrom)):
            names = [node.name] if isinstance(node, DEFINITIONS) else [name.asname or name.name for name in node.names]
            defined += [(name.partition(".")[0], True) for name in names]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assigned.append((node.id, False))
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            nodes += ast.iter_child_nodes(node)
    return defined + assigned


def globals_of(table):
    """The names that the code of ``table``, one of symtable's, reads or binds outside of functions and classes."""
    found = {symbol.get_name() for symbol in table.get_symbols() if table.get_type() == "module" or symbol.is_global()}
    return found.union(*(globals_of(child) for child in table.get_children()))


def glossary():
    """The terms of glossary.md, in lower case."""
    block = re.search(r"```\{glossary\}\n(.*?)```", (BOOK / "glossary.md").read_text("utf-8"), re.DOTALL).group(1)
    return {line.strip().lower() for line in block.splitlines() if line and not line.startswith(" ")}


# A rule takes a notebook and yields what is wrong with it.


def it_has_one_title_with_a_label(notebook):
    headings = re.findall(r"^# .+", prose(notebook), re.MULTILINE)
    if len(headings) != 1:
        yield f"there are {len(headings)} headings of the first level, not one"
    if not re.match(r"\([a-z][a-z0-9_-]*\)=\n# .+", notebook.cells[0].source):
        yield "cell 1 does not begin with a label, (name)=, and the title below it"


def it_has_testable_objectives_and_a_summary(notebook):
    opening = re.search(r"you will be able to\n\n((?:- .+\n?)+)", notebook.cells[0].source)
    if not opening:
        yield "cell 1 does not say what 'you will be able to' do, as a list"
    elif not 3 <= (count := opening.group(1).count("- ")) <= 6:
        yield f"cell 1 lists {count} objectives; three to six can be kept in mind"
    if not re.search(r"^## Summary$", prose(notebook), re.MULTILINE):
        yield "there is no section '## Summary'"


def it_sets_its_seeds_among_the_imports(notebook):
    number, first = code_cells(notebook)[0]
    if not re.search(r"^seed = \d+$", first.source, re.MULTILINE):
        yield f"cell {number}, the imports, does not set 'seed = …'"


def its_imports_stand_in_one_cell(notebook):
    for number, cell in code_cells(notebook)[1:]:
        if re.search(r"^(import|from) ", cell.source, re.MULTILINE):
            yield f"cell {number} imports; imports stand in the first code cell"


def its_cells_are_short(notebook):
    for number, cell in code_cells(notebook):
        most = MAX_LINES_OF_A_GRADED_CHECK if exercises.is_check(cell) else MAX_LINES
        if (lines := len(exercises.shown(cell.source).splitlines())) > most:
            yield f"cell {number} has {lines} lines; {most} is the most that is read at a glance"


def it_is_read_in_one_sitting(notebook):
    if (count := len(words(notebook))) > MAX_WORDS:
        yield f"it has {count:,} words of prose; {MAX_WORDS:,} is the most"


def its_functions_say_what_they_do(notebook):
    for number, cell in code_cells(notebook):
        for node in [] if is_check(cell) else ast.walk(ast.parse(cell.source)):
            if isinstance(node, DEFINITIONS) and node.name != "__init__" and not ast.get_docstring(node):
                yield f"cell {number}: {node.name} has no docstring; one line is enough"


def what_it_defines_or_imports_keeps_its_name(notebook):
    bound = [(name, by_def, number) for number, cell in code_cells(notebook) for name, by_def in bindings(cell.source)]
    for name in sorted({name for name, by_def, _ in bound if by_def}):
        if len(places := [f"cell {number}" for other, _, number in bound if other == name]) > 1:
            yield f"{name} is defined or imported, and bound again: {', '.join(places)}"


def what_is_folded_away_as_drawing_only_draws(notebook):
    drawn = set()
    for number, cell in code_cells(notebook):
        own = {name for name, _ in bindings(cell.source)}
        folded = "figure" in cell.metadata.get("mystnb", {}) and book.SHOW_CODE not in tags(cell)
        if folded and not exercises.is_answer(cell):
            drawn |= own
            continue
        for name in sorted(globals_of(symtable.symtable(cell.source, "", "exec")) & drawn - own):
            yield f"cell {number} uses {name}, which comes from a cell that only draws and is folded away"
        drawn -= own


def every_code_cell_follows_prose(notebook):
    for number, cell in code_cells(notebook):
        if not is_check(cell) and notebook.cells[number - 2].cell_type != "markdown":
            yield f"cell {number} follows another code cell without a sentence between them"


def its_figures_are_described(notebook):
    for number, cell in code_cells(notebook):
        myst = cell.metadata.get("mystnb", {})
        draws = re.search(r"\bplt\.|\bplotting\.|\blive\.|\bax\w*\.(plot|imshow|set|scatter)\(", cell.source)
        if draws and "figure" not in myst and "plt.style" not in cell.source:
            yield f"cell {number} draws and has no figure metadata (name, caption)"
        if "figure" not in myst:
            continue
        if not re.fullmatch(r"fig-[a-z0-9-]+", myst["figure"].get("name", "")):
            yield f"cell {number}: the figure's name must look like fig-something"
        if len(myst["figure"].get("caption", "")) < 30:
            yield f"cell {number}: the figure needs a caption that says what to see"
        last = ast.parse(cell.source).body[-1]
        # These take the alt text themselves, and are the output.
        film = ast.unparse(last).startswith(("plotting.animate(", "live."))
        if film:
            given = [ast.unparse(word.value) for word in last.value.keywords if word.arg == "alt"]
            alt = "".join(given).strip("f'\"")  # of a string or an f-string
        else:
            alt = myst.get("image", {}).get("alt", "")
        if len(alt) < 30:
            yield f"cell {number}: the figure needs alt text for those who cannot see it"
        elif re.search(r"\.(png|svg|jpe?g)\b|/", alt):
            yield f"cell {number}: the figure's alt text is a path"
        elif alt.lower().startswith(("plot of", "figure of", "image of", "a plot of", "a figure of")):
            yield f"cell {number}: the figure's alt text names a plot instead of saying what it shows"
        if film and cell.source.rstrip().endswith(";"):
            yield f"cell {number}: an animation or a live figure is not shown if its line ends in ';'"
        if isinstance(last, ast.Expr) and not film and not cell.source.rstrip().endswith(";"):
            yield f"cell {number}: the last line of a figure cell ends in ';', or its value is an output of its own"


def its_figures_have_names_of_their_own(notebook):
    names = [
        cell.metadata["mystnb"]["figure"]["name"]
        for _, cell in code_cells(notebook)
        if "figure" in cell.metadata.get("mystnb", {})
    ]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"two figures are called {name}"


def its_terms_are_in_the_glossary(notebook):
    for term in re.findall(r"(?<!\*)\*\*([^*]+)\*\*(?!\*)", prose(notebook)):
        if not glossary() & {term.lower(), term.lower().removesuffix("s"), term.lower().removesuffix("es")}:
            yield f"the term '{term}' is bold and not in the glossary"


def it_was_run_from_top_to_bottom(notebook):
    for expected, (number, cell) in enumerate(code_cells(notebook), 1):
        if cell.execution_count != expected:
            yield f"cell {number} has the count {cell.execution_count} instead of {expected}; make strip"


def its_outputs_are_those_that_are_kept(notebook):
    for number, cell in code_cells(notebook):
        kept = tags(cell) & KEPT
        if kept and kept != KEPT:
            yield f"cell {number} is tagged {kept.pop()} alone; keep_output and nbval-check-output go together"
        if kept and not cell.outputs:
            yield f"cell {number} is to be compared with its recorded output, and there is none; make strip"
        if not kept and cell.outputs:
            yield f"cell {number} was saved with its output; make strip"


def nothing_in_it_went_to_stderr(notebook):
    for number, cell in code_cells(notebook):
        if any(output.get("name") == "stderr" or output.output_type == "error" for output in cell.outputs):
            yield f"cell {number} has stderr or an error in its output"


def its_checks_say_what_failed(notebook):
    for number, cell in code_cells(notebook):
        if "check" in tags(cell) and "assert" not in cell.source:
            yield f"cell {number} is tagged check and asserts nothing"


def its_findings_stand_alone(notebook):
    known = set(re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text("utf-8"), re.MULTILINE))
    for number, cell in code_cells(notebook):
        statements = ast.parse(cell.source).body
        records = [ast.unparse(s.value.func) for s in statements if isinstance(getattr(s, "value", None), ast.Call)]
        recording = [name for name in records if name == "findings.said_and_measured"]
        if bool(recording) != ("said-and-measured" in tags(cell)):
            yield f"cell {number}: findings are recorded in cells tagged said-and-measured, and nowhere else"
        if recording and len(recording) != len(statements):
            yield f"cell {number} does something beside recording findings, which the page would not show"
        for who, key in re.findall(r'\b(lecture|source)="(\w*)"', cell.source if recording else ""):
            if key not in known:
                yield f"cell {number}: the {who} {key!r} is not in references.bib"


def its_tasks_are_whole(notebook):
    try:
        tasks = exercises.tasks_of(notebook)
    except notebooks.ChapterError as error:
        yield str(error)
        return
    blanks = [task for task in tasks if not task.is_exercise]
    if not 2 <= len(blanks) <= 4:
        yield f"there are {len(blanks)} blanks in the body; two to four are wanted"
    if len(tasks) - len(blanks) < 4:
        yield f"there are {len(tasks) - len(blanks)} exercises; four are the least"
    label = re.match(r"\(([a-z0-9_-]+)\)=", notebook.cells[0].source)
    for task in tasks:
        if label and not task.name.startswith(f"{label.group(1)}-"):
            yield f"the task {task.name} must be called {label.group(1)}-something"
        if "check" not in tags(task.check):
            yield f"the check of {task.name} must have the tag check, too"
        asserts = [node for node in ast.walk(ast.parse(task.check.source)) if isinstance(node, ast.Assert)]
        if not asserts or any(node.msg is None for node in asserts):
            yield f"the check of {task.name} has an assert that does not say what is wrong"
    for number, task in enumerate([task for task in tasks if task.is_exercise], 1):
        statement = notebook.cells[notebook.cells.index(task.answer) - 1].source
        if not statement.startswith("### Exercise ") and "\n### Exercise " not in statement:
            yield f"the answer of {task.name} does not follow its statement, '### Exercise {number}: …'"
        elif not task.title.startswith(f"Exercise {number}: "):
            yield f"the title of {task.name} is '{task.title}', not 'Exercise {number}: …'"
        if '<details class="hint"><summary>Hint</summary>\n\n' not in statement:
            yield f"{task.name} has no hint that is folded away"


def its_quiz_explains_every_answer(notebook):
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    if "<script" in text:
        yield "there is a script in the text"
    quiz = re.search(r"^## Quiz\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    questions = re.split(r"^\*Question \d+\.\* ", quiz.group(1) if quiz else "", flags=re.MULTILINE)[1:]
    if len(questions) < 5:
        yield f"the quiz has {len(questions)} questions; five are the least"
    for number, question in enumerate(questions, 1):
        option = r'<details class="quiz"><summary>(.+?)</summary>\n\n(.+?)\n\n</details>'
        options = re.findall(option, question, re.DOTALL)
        if len(options) < 3 or len(options) != question.count("<details"):
            yield f"question {number} has {len(options)} answers in the form that folds; three are the least"
        if sum(explanation.startswith("✓") for _, explanation in options) != 1:
            yield f"question {number} must have one right answer, marked ✓"
        for answer, explanation in options:
            if re.search(r"[$`*]", answer):
                yield f"question {number}: '{answer}' is shown as it stands; markup there must be HTML"
            if explanation[0] not in "✓✗" or len(explanation) < 40:
                yield f"question {number}: '{answer}' is not explained"


RULES = [
    it_has_one_title_with_a_label,
    it_has_testable_objectives_and_a_summary,
    it_sets_its_seeds_among_the_imports,
    its_imports_stand_in_one_cell,
    its_cells_are_short,
    it_is_read_in_one_sitting,
    its_functions_say_what_they_do,
    what_it_defines_or_imports_keeps_its_name,
    what_is_folded_away_as_drawing_only_draws,
    every_code_cell_follows_prose,
    its_figures_are_described,
    its_figures_have_names_of_their_own,
    its_terms_are_in_the_glossary,
    it_was_run_from_top_to_bottom,
    its_outputs_are_those_that_are_kept,
    nothing_in_it_went_to_stderr,
    its_checks_say_what_failed,
    its_findings_stand_alone,
    its_tasks_are_whole,
    its_quiz_explains_every_answer,
]


def canonical(path):
    """The bytes that nbstripout's own command leaves of the notebook at ``path``."""
    command = [Path(sys.executable).parent / "nbstripout", "--keep-count", "--keep-id", "--textconv"]
    command += ["--extra-keys", "metadata.language_info.version", path]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_chapter_keeps_every_rule(path, rule):
    problems = list(rule(nbformat.read(path, 4)))
    assert not problems, f"{path.name}: " + "; ".join(problems)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_is_in_its_canonical_form(path):
    nbformat.validate(json.loads(path.read_text("utf-8")))
    assert canonical(path).decode().strip() == path.read_text("utf-8").strip(), f"{path.name}: run make strip"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_faults_that_can_be_planted_in_it(path):
    kept = faults.faults_of(path)
    assert len({fault["name"] for fault in kept}) == len(kept) >= 5
    notebook = nbformat.read(path, 4)
    for fault in kept:
        assert set(fault) == {"name", "old", "new"}
        assert faults.faulty(notebook, fault).cells != notebook.cells, fault["name"]


def test_the_table_of_contents_and_the_folder_agree():
    listed = {notebooks.ROOT / page for page in notebooks.pages()}
    there = {path.with_suffix("") for path in BOOK.glob("[!.]*") if path.suffix in (".md", ".ipynb")}
    assert not there - listed, f"not in _toc.yml: {sorted(path.name for path in there - listed)}"
    assert not listed - there, f"in _toc.yml and not in book/: {sorted(path.name for path in listed - there)}"


def test_pages_have_labels_that_are_unique():
    labels = []
    for path in sorted(BOOK.glob("*.md")):
        labels += re.findall(r"^\(([a-z0-9_-]+)\)=$", path.read_text("utf-8"), re.MULTILINE)
    for path in CHAPTERS:
        notebook = nbformat.read(path, 4)
        labels += re.findall(r"^\(([a-z0-9_-]+)\)=$", prose(notebook), re.MULTILINE)
    assert len(set(labels)) == len(labels)


PENCIL = re.compile(r"^## \d+\. .+?(?=^## )", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(
    r'<details class="hint"><summary>Answer</summary>\n\n(.+?)\n\n'
    r"```python\n(.+?)```\n\n```\n(.+?)\n```\n\n</details>\n\n\Z",
    re.DOTALL,
)


def run_as_a_cell(source, variables):
    """Run ``source``; return how a notebook would show the value of its last line."""
    *statements, last = ast.parse(source).body
    exec(compile(ast.Module(statements, []), "<page>", "exec"), variables)
    return repr(eval(compile(ast.Expression(last.value), "<page>", "eval"), variables))


def test_what_you_need_are_ten_questions_whose_folded_answers_are_what_the_code_gives():
    page = (BOOK / "what-you-need.md").read_text("utf-8")
    questions = PENCIL.findall(page)
    assert len(questions) == 10
    opening, *rest = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    variables = {}
    exec(opening, variables)
    for number, (question, code) in enumerate(zip(questions, rest, strict=True), 1):
        assert question.startswith(f"## {number}. ")
        before, _, answer = question.partition("<details")
        assert before.rstrip().endswith("?"), f"question {number} does not end in one"
        prose_of_it, source, result = ANSWER.fullmatch("<details" + answer).groups()
        assert source == code
        assert len(prose_of_it) > 10
        assert run_as_a_cell(source, variables) == result, f"question {number}"
    assert len(words(nbformat.v4.new_notebook(cells=[markdown(page)]))) < 1500


def test_the_configuration_calls_no_server_and_executes_nothing():
    config = yaml.safe_load((notebooks.ROOT / "_config.yml").read_text("utf-8"))
    assert "sphinx_thebe" not in config["sphinx"]["config"]["extensions"]
    assert "sphinx-mathjax-offline" in config["sphinx"]["config"]["extensions"]
    assert config["execute"] == {"execute_notebooks": "off", "stderr_output": "error"}


# Each rule has notebooks that break it, made from one that keeps them all.

FINDING = 'findings.said_and_measured("a", said="1", measured="2", agrees=False, lecture="lecun1998gradient", row=1)'
GOOD_TITLE = "(example)=\n# Example\n\nBy the end you will be able to\n\n- add;\n- subtract;\n- divide.\n"


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, count, **metadata):
    return nbformat.v4.new_code_cell(source, execution_count=count, metadata=metadata)


def figure(**changes):
    described = {"name": "fig-line", "caption": "A line that rises from one to two, slowly."} | changes
    alt = described.pop("alt", "A straight line rises from 1 at the left to 2 at the right.")
    return {"figure": described, "image": {"alt": alt}}


def graded(name, **what):
    base = {"grade_id": name, "grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return base | what


def task(name, tags=()):
    """The cells of a task; the counts are set later."""
    answer = code("### BEGIN SOLUTION\ntwo = 2\n### END SOLUTION", 0, tags=list(tags))
    answer.metadata.nbgrader = graded(name, solution=True)
    check = code('assert two == 2, "not two"', 0, tags=["check"])
    check.metadata.nbgrader = graded(f"{name}-check", grade=True, locked=True, points=1)
    return [answer, check]


SOLVED = "    ### BEGIN SOLUTION\n    return 2\n    ### END SOLUTION"
OPTION = (
    '<details class="quiz"><summary>{}</summary>\n\n{} This is so because of a reason that is given here.\n\n</details>'
)
QUESTION = "\n\n".join(["*Question {}.* Why?", OPTION.format(1, "✗"), OPTION.format(2, "✓"), OPTION.format(3, "✗")])


def work():
    """Blanks, exercises and a quiz that keep the rules."""
    cells = []
    for name in ("example-a", "example-b"):
        cells += [markdown("Fill in."), *task(name)]
    for number in (1, 2, 3, 4):
        hint = '<details class="hint"><summary>Hint</summary>\n\nCount.\n\n</details>'
        statement = f"### Exercise {number}: Count\n\nCount.\n\n{hint}"
        cells += [markdown(statement), *task(f"example-{number}", ["exercise"])]
    return [*cells, markdown("\n\n".join(["## Quiz", *(QUESTION.format(n) for n in range(1, 6))]))]


@pytest.fixture
def good():
    made = _good()
    for count, (_, cell) in enumerate(code_cells(made), 1):
        cell.execution_count = count
    return made


def _good():
    return nbformat.v4.new_notebook(
        cells=[
            markdown(GOOD_TITLE),
            code("import numpy as np\n\nseed = 1", 1),
            markdown("We draw. The **gradient** is not needed."),
            code("ax.plot([1, 2]);", 2, mystnb=figure()),
            markdown("We add."),
            code("total = np.add(1, 1)", 3),
            code('assert total == 2, "one and one"', 4, tags=["check"]),
            markdown("We print."),
            nbformat.v4.new_code_cell(
                "print(2)",
                execution_count=5,
                metadata={"tags": ["keep_output", "nbval-check-output"]},
                outputs=[nbformat.v4.new_output("stream", name="stdout", text="2\n")],
            ),
            code(FINDING, 6, tags=["said-and-measured"]),
            *work(),
            markdown("## Summary\n\nIt is two."),
        ]
    )


def test_a_good_notebook_keeps_every_rule(good):
    for rule in RULES:
        assert list(rule(good)) == [], rule.__name__


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Two words, and 3 more: the network’s well-known loss.", 8),
        ("(a-label)=\n## A title\n\n:::{note}\n:class: tip\nRead this.\n:::", 4),
        ("See {ref}`backprop` and [the page](https://example.org/a_b): it is $x + y$, `np.sum`.", 6),
        ('$$\nx = y \\text{if so}\n$$\n\n```python\nprint(1)\n```\n\n<details class="quiz"><summary>Yes</summary>', 1),
    ],
)
def test_words_are_counted_without_code_formulas_and_markup(text, count):
    assert len(words(nbformat.v4.new_notebook(cells=[markdown(text)]))) == count


def test_what_a_cell_binds_is_seen_at_its_top_level():
    source = """
import os.path, numpy as np
from math import pi as circle
for i, (a, *b) in pairs:
    with tape() as t:
        total += (c := 1)
def f(x):
    y = 1
    def g(): pass
shown = [z for z in range(3)]
x.attribute = lookup["key"] = 2
"""
    names = {"os": True, "np": True, "circle": True, "f": True}
    assert dict(bindings(source)) == names | dict.fromkeys(("i", "a", "b", "t", "total", "c", "shown"), False)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.cells[9].update(source=FINDING.replace("lecture", "source", 1)),
        lambda n: n.cells[5].update(source='class Two:\n    """A number."""\n\n    def __init__(self): pass\n'),
        lambda n: n.cells[6].update(source='def twice(): return 2\n\n\nassert twice() == 2, "not two"'),
        lambda n: n.cells[3].update(source=SHADED),
        lambda n: draws_a_number(n, used_in=5).cells[3].metadata.update(tags=[book.SHOW_CODE]),
        lambda n: draws_a_number(n, used_in=5).cells[5].update(source="total = 2\nprint(total)"),
        lambda n: draws_a_number(n, used_in=5).cells[5].update(source=ANOTHER_TOTAL),
        lambda n: n.cells[4].update(source="word " * 4000),
    ],
)
def test_what_may_be_is_let_through(good, change):
    change(good)
    for rule in RULES:
        assert list(rule(good)) == [], rule.__name__


SHADED = 'def shade(ax):\n    """Shade it."""\n\n\nshade(ax);'


def draws_a_number(notebook, used_in):
    """``notebook`` with a drawing cell, 4, that computes ``total``, and a later cell that uses it."""
    notebook.cells[3].source = "total = 2\nax.plot([1, total]);"
    notebook.cells[5].source = "print(2)"
    notebook.cells[used_in].source = "print(total)"
    notebook.cells[6].source = "assert 2"
    return notebook


ANOTHER_TOTAL = 'def twice(total):\n    """It is its own."""\n    return 2 * total, [total for total in range(2)]'


FILM = 'plotting.animate(draw, [1, 2], alt=f"A line rises from 1 at the left to {top} at the right.")'
LIVE = FILM.replace("plotting.animate(draw, [1, 2],", "live.descent(loss, draw, walks,")


@pytest.mark.parametrize("source", [FILM, LIVE])
def test_a_film_keeps_the_rule_for_figures_by_its_own_alt_text(good, source):
    good.cells[3].metadata.mystnb.pop("image")
    good.cells[3].source = source
    assert list(its_figures_are_described(good)) == []


def with_stderr(notebook):
    notebook.cells[8].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="old"))


def with_picture(notebook):
    notebook.cells[3].outputs.append(nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="}))


def change_quiz(notebook, *replacement):
    notebook.cells[-2].source = notebook.cells[-2].source.replace(*replacement)


BROKEN = [
    (it_has_one_title_with_a_label, lambda n: n.cells.append(markdown("# Another"))),
    (it_has_one_title_with_a_label, lambda n: n.cells[0].update(source=GOOD_TITLE.split("\n", 1)[1])),
    (it_has_testable_objectives_and_a_summary, lambda n: n.cells[0].update(source="(example)=\n# Example\n")),
    (it_has_testable_objectives_and_a_summary, lambda n: n.cells[0].update(source=GOOD_TITLE.replace("- add;\n", ""))),
    (it_has_testable_objectives_and_a_summary, lambda n: n.cells.pop()),
    (it_sets_its_seeds_among_the_imports, lambda n: n.cells[1].update(source="import numpy as np")),
    (its_imports_stand_in_one_cell, lambda n: n.cells[5].update(source="import math")),
    (its_cells_are_short, lambda n: n.cells[5].update(source="x = 1\n" * 21)),
    (it_is_read_in_one_sitting, lambda n: n.cells[4].update(source="word " * 4500)),
    (its_functions_say_what_they_do, lambda n: n.cells[5].update(source="def total(): return 2")),
    (its_functions_say_what_they_do, lambda n: n.cells[5].update(source="class Total: total = 2")),
    (its_functions_say_what_they_do, lambda n: n.cells[5].update(source=SHADED.replace('"""Shade it."""', '""""""'))),
    (
        its_functions_say_what_they_do,
        lambda n: n.cells[5].update(source=SHADED.replace('it."""', 'it."""\n    def inner(): pass')),
    ),
    (its_functions_say_what_they_do, lambda n: n.cells[11].update(source="def two():\n" + SOLVED)),
    (what_it_defines_or_imports_keeps_its_name, lambda n: n.cells[5].update(source="np = 2")),
    (what_it_defines_or_imports_keeps_its_name, lambda n: n.cells[5].update(source=SHADED + "\nshade = 2")),
    (what_it_defines_or_imports_keeps_its_name, lambda n: n.cells[8].update(source="for np in range(2):\n    pass")),
    (
        what_it_defines_or_imports_keeps_its_name,
        lambda n: (n.cells[3].update(source=SHADED), n.cells[5].update(source=SHADED)),
    ),
    (what_is_folded_away_as_drawing_only_draws, lambda n: draws_a_number(n, used_in=5)),
    (what_is_folded_away_as_drawing_only_draws, lambda n: draws_a_number(n, used_in=8)),
    (
        what_is_folded_away_as_drawing_only_draws,
        lambda n: draws_a_number(n, used_in=5).cells[5].update(source=ANOTHER_TOTAL.replace("(total)", "(one)")),
    ),
    (every_code_cell_follows_prose, lambda n: n.cells.pop(4)),
    (its_figures_are_described, lambda n: n.cells[3].metadata.pop("mystnb")),
    (its_figures_are_described, lambda n: n.cells[3].metadata["mystnb"].pop("image")),
    (its_figures_are_described, lambda n: n.cells[3].metadata.update(mystnb=figure(name="line"))),
    (its_figures_are_described, lambda n: n.cells[3].metadata.update(mystnb=figure(caption="A line."))),
    (
        its_figures_are_described,
        lambda n: n.cells[3].metadata.update(mystnb=figure(alt="_images/a-line-that-rises.png")),
    ),
    (
        its_figures_are_described,
        lambda n: n.cells[3].metadata.update(mystnb=figure(alt="Plot of a loss over many epochs")),
    ),
    (its_figures_are_described, lambda n: n.cells[3].update(source="ax.plot([1, 2])")),
    (its_figures_are_described, lambda n: n.cells[3].update(source=FILM + ";")),
    (its_figures_are_described, lambda n: n.cells[3].update(source=LIVE + ";")),
    (its_figures_are_described, lambda n: n.cells[3].update(source="live.descent(loss, draw, walks)")),
    (its_figures_are_described, lambda n: n.cells[5].update(source=LIVE)),
    (its_figures_are_described, lambda n: n.cells[3].update(source='plotting.animate(draw, [1, 2], alt="A line.")')),
    (its_figures_are_described, lambda n: n.cells[3].update(source="plotting.animate(draw, [1, 2])")),
    (its_figures_have_names_of_their_own, lambda n: n.cells.append(copy.deepcopy(n.cells[3]))),
    (its_terms_are_in_the_glossary, lambda n: n.cells[4].update(source="We **flumox** the weights.")),
    (it_was_run_from_top_to_bottom, lambda n: n.cells[5].update(execution_count=None)),
    (it_was_run_from_top_to_bottom, lambda n: n.cells[5].update(execution_count=7)),
    (its_outputs_are_those_that_are_kept, lambda n: n.cells[8].update(outputs=[])),
    (its_outputs_are_those_that_are_kept, lambda n: n.cells[8].metadata.update(tags=["keep_output"])),
    (its_outputs_are_those_that_are_kept, with_picture),
    (nothing_in_it_went_to_stderr, with_stderr),
    (its_checks_say_what_failed, lambda n: n.cells[6].update(source="print(total)")),
    (its_findings_stand_alone, lambda n: n.cells[9].update(source=FINDING, metadata={})),
    (its_findings_stand_alone, lambda n: n.cells[9].update(source="total = 3\n" + FINDING)),
    (its_findings_stand_alone, lambda n: n.cells[9].update(source=FINDING.replace("lecun", "nobody"))),
    (
        its_findings_stand_alone,
        lambda n: n.cells[9].update(source=FINDING.replace("lecun", "nobody").replace("lecture", "source")),
    ),
    (its_cells_are_short, lambda n: n.cells[12].update(source="x = 1\n" * 41)),
    (its_tasks_are_whole, lambda n: n.cells.pop(12)),
    (its_tasks_are_whole, lambda n: n.cells.pop(11)),
    (its_tasks_are_whole, lambda n: n.cells[11].update(source="two = 2")),
    (its_tasks_are_whole, lambda n: n.cells[11].metadata.update(task={"needs": ["example-node"]})),
    (its_tasks_are_whole, lambda n: n.cells[11].metadata.nbgrader.update(grade_id="example-b")),
    (its_tasks_are_whole, lambda n: n.cells[12].metadata.nbgrader.update(grade_id="example-c")),
    (its_tasks_are_whole, lambda n: n.cells[12].metadata.update(tags=[])),
    (its_tasks_are_whole, lambda n: n.cells[12].update(source="assert two == 2")),
    (its_tasks_are_whole, lambda n: n.cells[11].metadata.update(tags=["exercise"])),
    (its_tasks_are_whole, lambda n: n.cells[16].update(source="### Exercise 2: Count")),
    (its_tasks_are_whole, lambda n: n.cells[17].metadata.update(tags=[])),
    (its_tasks_are_whole, lambda n: n.cells[0].update(source=GOOD_TITLE.replace("example", "sample"))),
    (its_quiz_explains_every_answer, lambda n: n.cells.pop(-2)),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, "✗", "✓", 1)),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, "✓", "✗", 1)),
    (
        its_quiz_explains_every_answer,
        lambda n: change_quiz(n, " This is so because of a reason that is given here.", "", 1),
    ),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, OPTION.format(3, "✗"), "", 1)),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, "*Question 5.*", "Question 5.", 1)),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, "Why?", "<script>", 1)),
    (its_quiz_explains_every_answer, lambda n: change_quiz(n, "<summary>", "<summary>$x$", 1)),
]


@pytest.mark.parametrize(("rule", "break_it"), BROKEN)
def test_each_rule_catches_what_breaks_it(good, rule, break_it):
    break_it(good)
    assert list(rule(good)), rule.__name__


def test_every_rule_has_a_notebook_that_it_catches():
    assert {rule for rule, _ in BROKEN} == set(RULES)
