"""What stands around the book: the lock, conda's file, the workflows, JupyterLab, the tools' command lines."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.build.notebooks import ROOT

import pytest
import yaml

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_lock_pins_and_hashes_everything_and_names_no_server():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    blocks = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(blocks) > 100
    for block in blocks:
        assert re.match(r"[a-z0-9.-]+(\[\S+\])?==\S+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "://" not in text


def test_the_lock_satisfies_the_ranges():
    from packaging.requirements import Requirement

    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = dict(re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==([^\s;]+)", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in ("mnist", "book", "lab", "test"):
        wanted += project["optional-dependencies"][extra]
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name == "dlutils":
            continue
        version = pinned.get(requirement.name.lower().replace("_", "-"))
        assert version, f"{requirement.name} is not in requirements.lock: make lock"
        assert version in requirement.specifier, f"{requirement.name} {version} is not in {requirement.specifier}"


def test_conda_installs_the_same_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert {"pip": ["-r requirements.lock"]} in environment["dependencies"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_ask_for_little_and_pin_their_actions(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job
        for step in job["steps"]:
            if "uses" in step:
                assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step["uses"]


def test_every_action_is_pinned_to_one_version_that_is_named_and_is_renewed_by_dependabot():
    pins = {}
    for path in WORKFLOWS:
        for line in re.findall(r"uses: (.+)", path.read_text("utf-8")):
            action, version = re.fullmatch(r"([\w/-]+)@[0-9a-f]{40} # (v\d+\.\d+\.\d+)", line).groups()
            assert pins.setdefault(action, (line, version)) == (line, version), f"{path.name}: {line}"
    assert len(pins) >= 6
    (update,) = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))["updates"]
    assert update["package-ecosystem"] == "github-actions"
    assert update["directory"] == "/", "it looks into .github/workflows from there"
    assert update["schedule"]["interval"] == "weekly"
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")
def test_make_keeps_the_shells_backend_from_jupyterlab():
    makefile = (ROOT / "Makefile").read_text("utf-8") + "\nprobe:\n\t@echo backend: $$MPLBACKEND\n"
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "probe"],
        input=makefile,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "backend:\n"


TOOLS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "tools").rglob("*.py"))
    if "def main(" in path.read_text("utf-8")
]
TOOLS.remove("tools.teach.worker")  # which no person calls: marking starts it and speaks to it in JSON


HELP = """
import contextlib, importlib, io, json, sys
said = {}
for tool in sys.argv[1:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            status = importlib.import_module(tool).main(["--help"])
        except SystemExit as end:
            status = end.code
    said[tool] = [status, out.getvalue()]
print(json.dumps(said))
"""


def test_every_tool_answers_help_and_does_nothing(tmp_path):
    """In a copy of the tree without any chapter, so that a tool which goes to work instead shows or fails."""
    for name in ("tools", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    before = sorted(path for path in tmp_path.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")
    environment = os.environ | {"PYTHONPATH": os.fspath(tmp_path)}
    command = [sys.executable, "-c", HELP, *TOOLS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for tool, (status, out) in json.loads(done.stdout).items():
        assert status == 0, tool
        assert out.startswith(f"usage: python -m {tool} ")
        assert "main(sys.argv[1:])" in (ROOT / f"{tool.replace('.', '/')}.py").read_text("utf-8")
    after = sorted(path for path in tmp_path.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")
    assert after == before


def extensions(**environment):
    """What JupyterLab says of its extensions."""
    command = [Path(sys.executable).parent / "jupyter", "labextension", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_jupyterlab_loads_the_extension_that_renders_myst():
    assert re.search(r"jupyterlab-myst v\S+ enabled +OK", said := extensions()), said


def test_make_lab_leaves_it_out():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    path = re.search(r'JUPYTER_CONFIG_PATH="\$\(CURDIR\)/(\S+)"', makefile)[1]
    said = extensions(JUPYTER_CONFIG_PATH=os.fspath(ROOT / path))
    assert re.search(r"jupyterlab-myst v\S+ disabled", said), said
