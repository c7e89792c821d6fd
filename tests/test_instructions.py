"""The commands of the setup page: what the workflows run is what stands there, and what stands there exists."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib

from tools.build import notebooks
from tools.build.notebooks import ROOT
from tools.trials import instructions, links

import pytest
import yaml
from markdown_it import MarkdownIt

PAGES = [ROOT / page for page in (*instructions.PAGES, "book/teaching.md", "CONTRIBUTING.md")]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SETUP = (ROOT / "book" / "setup.md").read_text("utf-8")


def steps():
    """Every script that a workflow runs, with its job."""
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
            for step in job["steps"]:
                if "run" in step:
                    yield path.stem, job, step["run"]


def run_blocks():
    """The names of the blocks that a step of some workflow turns into a script and runs."""
    names = set()
    for _, job, source in steps():
        for name in re.findall(r'instructions(?:\.py"?)? "([^"]+)"', source):
            included = job.get("strategy", {}).get("matrix", {}).get("include", [])
            names |= {each["block"] for each in included} if name == "$BLOCK" else {name}
    return names


def test_every_block_is_run_by_a_workflow_or_listed_with_a_reason():
    named = run_blocks()
    assert len(named) > 5
    assert named.isdisjoint(instructions.NOT_RUN)
    assert named | set(instructions.NOT_RUN) == set(instructions.all_blocks())
    assert all(len(reason) > 10 for reason in instructions.NOT_RUN.values())


def test_no_block_is_overlooked():
    """Another parser finds as many, those in tabs and other directives among them."""

    def count(text):
        fences = [token for token in MarkdownIt().parse(text) if token.type == "fence" and token.info != "python"]
        return sum(count(token.content) if token.info.startswith("{") else 1 for token in fences)

    pages = [(ROOT / page).read_text("utf-8") for page in instructions.PAGES]
    assert sum(count(text) for text in pages) == len(instructions.all_blocks())


def commands():
    """All lines in blocks of all pages that speak of commands."""
    for path in PAGES:
        for name, (language, lines) in instructions.blocks(path.read_text("utf-8")).items():
            if language in ("bash", "powershell", instructions.NOTEBOOK):
                for line in lines:
                    if line.strip() and not line.startswith("#"):
                        yield path.name, name, line


def verbs():
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def called():
    """(where, module, options) of all that pages and workflows run by python -m, in blocks and in running text."""
    texts = [(path.name, path.read_text("utf-8")) for path in [*PAGES, ROOT / "Makefile"]]
    texts += [(f"{name}.yml", source) for name, _, source in steps()]
    for where, text in texts:
        for module, rest in re.findall(r"-m (tools(?:\.\w+)+|dlutils\.\w+)([^\n`;|)]*)", text):
            yield where, module, re.findall(r"(?<!\w)--[a-z-]+", rest)


def test_modules_and_their_options_exist():
    seen = list(called())
    assert len(seen) > 20
    for where, module, options in seen:
        path = ROOT / f"{module.replace('.', '/')}.py"
        assert path.is_file(), f"{where}: there is no {module}"
        source = path.read_text("utf-8")
        assert '__name__ == "__main__"' in source, f"{where}: {module} is nothing to run"
        for option in options:
            assert f'"{option}"' in source, f"{where}: {module} has no {option}"


def test_verbs_exist():
    texts = [(path.name, path.read_text("utf-8")) for path in PAGES] + [(name, source) for name, _, source in steps()]
    seen = [(where, verb) for where, text in texts for verb in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)]
    assert len(seen) > 20
    for where, verb in seen:
        assert verb in verbs(), f"{where}: there is no make {verb}"


def test_files_that_commands_name_exist():
    seen = 0
    for page, block, line in commands():
        for name in re.findall(r"(?:-r|-f|\./|book/|tests/|benchmarks/)[ ]?([\w/.-]+\.\w+)", line):
            found = [ROOT / folder / name for folder in ("", "book", "tests", "benchmarks")]
            assert any(path.exists() for path in found), f"{page}, {block}: there is no {name}"
            seen += 1
    assert seen >= 4


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_what_comes_out_is_a_script_of_its_shell():
    for name, (language, lines) in instructions.all_blocks().items():
        if language != "powershell":
            made = instructions.script(language, lines, "file:///somewhere")
            done = subprocess.run(["bash", "-n"], input=made, capture_output=True, text=True)
            assert done.returncode == 0, f"{name}: {done.stderr}"


def test_powershell_does_what_the_other_tab_does():
    """There is no PowerShell here to try: each of its lines must be the other tab's, in its own way of writing."""
    found = instructions.all_blocks()
    said, pending = [], ""
    for line in found["Windows (PowerShell)"][1]:
        if variable := re.fullmatch(r'\$env:(\w+) = "([^"]+)"', line):
            pending = f"{variable[1]}={variable[2]} "
            continue
        assert re.fullmatch(r"(py -3\.1[123]|\.venv\\Scripts\\python) [^$`'\"]+", line), line
        said.append(pending + re.sub(r"^py -3\.\d+", "python3", line).replace(r"\Scripts\python", r"\bin\python"))
        pending = ""
    assert not pending
    assert [line.replace("\\", "/") for line in said] == found["Linux and macOS"][1]


def test_a_powershell_script_stops_at_what_fails():
    made = instructions.script("powershell", ['$env:A = "$PWD\\b"', "first", "second"]).splitlines()
    assert made[0] == "$ErrorActionPreference = 'Stop'"
    assert [number for number, line in enumerate(made) if "exit $LASTEXITCODE" in line] == [3, 5]
    assert made.index("first") == 2


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_a_script_stops_at_what_fails():
    made = instructions.script("bash", ["echo one", "false", "echo two"])
    done = subprocess.run(["bash"], input=made, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "one\n")


def test_a_line_of_a_notebook_comes_out_as_the_shells():
    made = instructions.script("notebook", [f'%pip install "dlutils @ git+{instructions.ADDRESS}"'], "file:///here")
    assert made == 'set -e\npython -m pip install "dlutils @ git+file:///here"\n'


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 0, "Windows (PowerShell): 7 lines, powershell"),
        (["With make"], 2, "<the address of the repository> is to be replaced"),
        (["With make", "--address", "/here"], 0, "git clone /here training-neural-networks"),
        (["Elsewhere"], 2, "no block is called 'Elsewhere'; there are: With make"),
    ],
)
def test_the_command_line(arguments, status, said, capsys):
    assert instructions.main(arguments) == status
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert bool(told.err) == (status != 0)


def test_two_blocks_of_one_heading_are_told_apart():
    page = "# A\n```bash\none\n```\n```bash\ntwo\n```\n::::{note}\n::::\n## B\n"
    page += "````{tab-item} C\n```powershell\nthree\n```\n````\n```bash\nfour\n```\n```python\nx = 5\n```\n"
    found = {name: lines for name, (_, lines) in instructions.blocks(page).items()}
    assert found == {"A": ["one"], "A (2)": ["two"], "C": ["three"], "B": ["four"]}
    with pytest.raises(ValueError, match="not closed under 'A'"):
        instructions.blocks("# A\n```bash\none\n")


def test_the_tool_needs_nothing_but_python():
    """It runs before anything is installed."""
    imported = {
        alias.name
        for node in ast.walk(ast.parse((ROOT / "tools" / "trials" / "instructions.py").read_text("utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names
    assert (ROOT / "tools" / "__init__.py").read_text("utf-8") == ""
    (docstring,) = ast.parse((ROOT / "tools" / "trials" / "__init__.py").read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)


def test_the_page_installs_what_chapters_import():
    """One chapter by itself: its requirements, by the names under which Python knows them."""
    brings = {"scikit-learn": "sklearn", "scikit-image": "skimage"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = re.findall(r'pip install "\./training-neural-networks\[(\w+)\]"', SETUP)

    def required(names):
        for text in names:
            if own := re.match(r"dlutils\[([\w,]+)\]", text):
                for extra in own[1].split(","):
                    yield from required(project["optional-dependencies"][extra])
            else:
                name = re.match(r"[\w-]+", text)[0]
                yield brings.get(name, name)

    there = {
        "dlutils",
        "IPython",
        *required([*project["dependencies"], f"dlutils[{wanted}]"]),
        *sys.stdlib_module_names,
    }
    there.add("keras")  # of which TensorFlow brings a version that fits it
    for path in notebooks.chapters():
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "code" and not cell.source.startswith("%"):
                for node in ast.walk(ast.parse(cell.source)):
                    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                    names += [node.module] if isinstance(node, ast.ImportFrom) else []
                    missing = {name.split(".")[0] for name in names} - there
                    assert not missing, f"{path.name} imports {missing}, which [{wanted}] does not bring"


def entry(uri, status="broken", info="404 Client Error: Not Found for url: x"):
    return {"filename": "a.md", "lineno": 2, "status": status, "uri": uri, "info": info}


def test_a_dead_link_is_told_from_a_server_that_refuses_programs():
    refused = "403 Client Error: Forbidden for url: x"
    gone = "HTTPConnectionPool(host='x', port=80): Max retries exceeded"
    entries = [entry("https://a"), entry("https://b", info=refused), entry("https://c", "working", "")]
    entries += [entry("https://d", "timeout", ""), entry("https://e", info=gone), entry("https://f", "redirected", "")]
    entries += [entry("https://g", info="410 Client Error: Gone for url: x")]
    dead, untold = links.sorted_out(entries)
    assert [link for *_, link, _ in dead] == ["https://a", "https://e", "https://g"]
    assert [link for *_, link, _ in untold] == ["https://b", "https://d"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"filename": "a.md", "lineno": 2, "status": "working", "uri": "https://a", "info": ""}\n', 0),
        ('{"filename": "a.md", "lineno": 2, "status": "broken", "uri": "https://a", "info": "404 Client Error: x"}', 1),
        ("", 1),
        ('{"filename": "a.md", "lineno": 2, "status": "unchecked", "uri": "b.html", "info": ""}\n', 1),
        ("no JSON", 2),
        ('{"a": 1}', 2),
    ],
)
def test_dead_links_and_links_that_nobody_tried_fail(text, status, tmp_path, capsys):
    (tmp_path / "output.json").write_text(text)
    assert links.main([str(tmp_path / "output.json")]) == status
    assert capsys.readouterr().err if status == 2 else True
