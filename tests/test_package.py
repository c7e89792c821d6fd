"""The shape of the package: what imports what, and that what is public is documented."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import dlutils.data
import dlutils.live
import dlutils.plotting
import dlutils.provenance
import dlutils.tabulate
import dlutils.training

import pytest

MODULES = (dlutils.data, dlutils.live, dlutils.plotting, dlutils.tabulate, dlutils.training, dlutils.provenance)


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import dlutils") & {"numpy", "matplotlib", "tensorflow", "keras"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("dlutils.data", {"tensorflow", "keras", "matplotlib", "dlutils.plotting", "sklearn", "pooch"}),
        ("dlutils.plotting", {"tensorflow", "keras", "dlutils.data"}),
        ("dlutils.live", {"tensorflow", "keras", "dlutils.data", "scipy", "skimage"}),
        ("dlutils.tabulate", {"tensorflow", "keras", "matplotlib", "dlutils.plotting"}),
        ("tools.build.book", {"tensorflow", "keras", "dlutils"}),
        ("tools.build.strip", {"tensorflow", "keras", "dlutils"}),
    ],
)
def test_modules_do_not_load_what_they_should_not_know(module, absent):
    assert not loaded_by(f"import {module}") & absent


def test_tensorflow_starts_without_a_word():
    code = (
        "from dlutils import training; import tensorflow as tf; tf.function(lambda: tf.ones(3) + 1, jit_compile=True)()"
    )
    environment = {"PATH": "", "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""


def test_everything_public_says_what_it_takes_and_returns():
    for module in MODULES:
        assert module.__doc__
        for name, member in vars(module).items():
            if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
                continue
            assert member.__doc__, f"{module.__name__}.{name} has no docstring"
            if inspect.isfunction(member):
                assert "Returns\n" in member.__doc__, f"{module.__name__}.{name} does not say what it returns"
                for parameter in inspect.signature(member).parameters:
                    word = rf"^(\w+, )*{parameter}(, \w+)*( :|$)"
                    assert re.search(word, inspect.getdoc(member), re.MULTILINE), (
                        f"{module.__name__}.{name} does not say what {parameter} is"
                    )


def code_lines(text):
    """How many lines of ``text`` hold code: not those of docstrings, which say shapes, units, errors and sources."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef
    documented = [
        node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, kinds) and ast.get_docstring(node)
    ]
    doc = {number for node in documented for number in range(node.lineno, node.end_lineno + 1)}
    return sum(bool(line.strip()) and number not in doc for number, line in enumerate(text.splitlines(), 1))


def test_the_package_stays_small():
    paths = [path for path in Path(dlutils.__file__).parent.glob("*.py") if path.name != "live.py"]
    assert sum(code_lines(path.read_text("utf-8")) for path in paths) < 1000


def test_lines_of_code_are_counted():
    assert code_lines('"""A module."""\n\nx = 1  # one\n\n\ndef f():\n    """Two\n    lines."""\n    return "a"\n') == 3


def test_provenance_names_what_ran():
    code = (
        "from dlutils import data, training\nfrom dlutils.provenance import describe\n"
        "data._loaded['mnist'] = 'such data'\nprint(describe())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "TensorFlow 2." in done.stdout
    assert done.stdout.rstrip().endswith("Data: such data.")
    plain = subprocess.run(
        [sys.executable, "-c", "from dlutils.provenance import describe; print(describe())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "TensorFlow" not in plain.stdout
    assert "Data" not in plain.stdout


def test_tools_know_each_other_one_way():
    known = {"build": {"build"}, "teach": {"build", "teach"}, "trials": {"build", "teach", "trials"}}
    for folder, may in known.items():
        for path in (Path(__file__).parent.parent / "tools" / folder).glob("*.py"):
            named = set(re.findall(r"^\s*(?:from|import) tools\.(\w+)", path.read_text("utf-8"), re.MULTILINE))
            assert named <= may, f"{folder}/{path.name} imports from tools.{min(named - may)}"
