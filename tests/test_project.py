"""What holds for the project as a whole: its files agree, it imports lightly, and no picture leaks into it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import redactkit

ROOT = Path(__file__).parents[1]
LARGEST_FILE = 4_000_000
CONDA_NAMES = {"opencv": "opencv-python", "matplotlib-base": "matplotlib"}


def _tracked_files() -> list:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git clone to know which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _notebooks() -> list:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def _leaks(notebook: dict) -> list[str]:
    found = ["metadata.widgets"] if "widgets" in notebook.get("metadata", {}) else []
    for number, cell in enumerate(notebook["cells"]):
        found += [f"cell {number}: outputs"] if cell.get("outputs") else []
        found += [f"cell {number}: execution_count"] if cell.get("execution_count") else []
        found += [f"cell {number}: attachments"] if cell.get("attachments") else []
    return found


def test_leaks_finds_outputs_widget_state_and_attachments():
    cells = [{"outputs": [{}], "execution_count": 3}, {"attachments": {"a.png": {}}}]
    assert len(_leaks({"metadata": {"widgets": {}}, "cells": cells})) == 4


@pytest.mark.parametrize("path", _notebooks(), ids=lambda path: path.name)
def test_notebook_holds_no_outputs_and_no_widget_state(path):
    assert _leaks(json.loads(path.read_text())) == []


@pytest.mark.parametrize("path", _notebooks(), ids=lambda path: path.name)
def test_notebook_cells_are_short_and_define_no_function(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    assert all(len(source.splitlines()) <= 10 for source in sources)
    assert not any(re.search(r"^\s*(def|class) ", source, re.MULTILINE) for source in sources)


def test_no_tracked_file_is_large():
    assert [str(path) for path in _tracked_files() if path.stat().st_size > LARGEST_FILE] == []


def test_no_tracked_file_names_a_machine_or_a_registry():
    secret = re.compile(rb"/home/\w+/|/root/|/tmp/\w+/venv|https?://[\w.-]*(pypi|npmjs|pythonhosted)[\w.-]*")
    text = [path for path in _tracked_files() if path.suffix not in {".mp4", ".jpg", ".png"}]
    assert [str(path) for path in text if path.name != "test_project.py" and secret.search(path.read_bytes())] == []


def test_environment_yml_has_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_conda = [entry for entry in listed if isinstance(entry, str) and entry != "pip"]
    from_pip = [name for entry in listed if isinstance(entry, dict) for name in entry["pip"]]
    given = {}
    for line in from_conda + from_pip:
        requirement = Requirement(line)
        given[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    wanted = {Requirement(line).name: str(Requirement(line).specifier) for line in project["dependencies"]}
    assert given == wanted | {"python": project["requires-python"]}


def test_ci_tries_every_python_that_the_package_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    allowed = re.search(r"^allowed=\((.*)\)$", (ROOT / ".ci" / "pythons").read_text(), re.MULTILINE)
    assert allowed[1].split() == named
    assert project["requires-python"] == f">={named[0]}"
    assert "\n.ci/pythons\n" in (ROOT / ".ci" / "run").read_text()


def test_import_redactkit_loads_no_heavy_module():
    heavy = ["av", "cv2", "openvino", "ipywidgets", "ipyevents", "matplotlib", "IPython", "pandas", "scipy"]
    script = f"import sys, redactkit; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_reached():
    import redactkit

    assert [name for name in redactkit.__all__ if getattr(redactkit, name, None) is None] == []


def test_readme_gives_the_command_that_ci_runs():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("redactkit demo")
    assert commands[1].endswith("-m pytest")


def test_layers_hold():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def _modules() -> dict[str, Path]:
    package = Path(redactkit.__file__).parent  # which may be installed
    files = {path.relative_to(package.parent).with_suffix(""): path for path in package.rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in files.items()}


def _imported(code: str, modules: dict[str, Path]) -> set[str]:
    """Return the project's modules that a module names in imports, also in functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, or this test does not see them"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                found.add(whole if whole in modules else node.module)
    return found & modules.keys()


def test_imported_sees_lazy_imports_and_those_for_types():
    modules = dict.fromkeys(["a", "a.b", "a.c"], Path())
    lazy = "def f():\n    from a.b import g\n"
    typed = "if TYPE_CHECKING:\n    from a import c, name\n"
    assert _imported(lazy + typed, modules) == {"a", "a.b", "a.c"}


def test_no_modules_import_each_other_in_a_circle():
    modules = _modules()
    graph = {name: _imported(path.read_text(), modules) - {name} for name, path in modules.items()}
    assert sum(map(len, graph.values())) > 500, "no imports were read"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def _code_in(tree: ast.Module) -> list[str]:
    """Return what a package's ``__init__`` defines beside the names it hands on, and how they are listed."""
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return [node.name for node in defined if node.name not in ("__getattr__", "__dir__")]


def test_packages_only_hand_on_names():
    assert _code_in(ast.parse("from a import b\ndef __dir__(): ...\ndef b(): ...\nclass C: ...")) == ["b", "C"]
    found = {name: path for name, path in _modules().items() if path.name == "__init__.py"}
    assert len(found) > 15
    assert {name: code for name, path in found.items() if (code := _code_in(ast.parse(path.read_text())))} == {}


MOST_LINES, MOST_PARAMETERS = 400, 8
PUBLIC_PASSES = {"analyze", "combined", "inspect", "read_annotations", "redact", "run_preset", "verify", "watch"}
"""Functions that a user calls with keywords; each of their options is worth a name of its own."""


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    plain = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in plain if name not in ("self", "cls")] + [
        each.arg for each in (given.vararg, given.kwarg) if each is not None
    ]


def test_functions_have_few_parameters():
    trees = {name: ast.parse(path.read_text()) for name, path in _modules().items()}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [(name, node) for name, tree in trees.items() for node in ast.walk(tree) if isinstance(node, functions)]
    many = [(name, node.name) for name, node in found if len(_parameters(node)) > MOST_PARAMETERS]
    assert [each for each in many if each[1] not in PUBLIC_PASSES] == []
    assert {name for _, name in many} == PUBLIC_PASSES, "a pass that takes fewer by now is no exception any more"


def test_modules_are_short():
    lines = {name: len(path.read_text().splitlines()) for name, path in _modules().items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
