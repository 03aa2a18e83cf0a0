"""What the code imports is installed where it runs: on a cluster, that is without any extra."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("actors", "pipelines", "deploy")
FILES = sorted(
    file.relative_to(ROOT)
    for top in OWN
    for file in (ROOT / top).rglob("*.py")
    if "node_modules" not in file.parts
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = packages_distributions()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[\[<>=]", one)[0]) for one in requirements}


ALWAYS = _names(PROJECT["dependencies"])
#: What some commands need: imported when they run, and said where it is missing.
EXTRAS = set().union(
    *(_names(PROJECT["optional-dependencies"][extra]) for extra in ("local", "bench"))
)


def _imports(node: ast.AST) -> set[str]:
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        modules = [node.module]
    tops = {module.split(".")[0] for module in modules} - set(OWN) - sys.stdlib_module_names
    return {_normal(one) for top in tops for one in DISTRIBUTIONS.get(top, [top])}


def _needed(file: Path) -> tuple[set[str], set[str]]:
    """Distributions needed to import the file, and those that its functions import when called."""
    at_once: set[str] = set()
    when_called: set[str] = set()
    waiting = [(ast.parse((ROOT / file).read_text(), str(file)), at_once)]
    while waiting:
        node, found = waiting.pop()
        found |= _imports(node)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        waiting += [(c, when_called if inside else found) for c in ast.iter_child_nodes(node)]
    return at_once, when_called


def test_the_check_sees_both_kinds() -> None:
    assert _needed(Path("deploy/local/lockfile.py"))[0] == {"psutil"}
    assert "jgo" in _needed(Path("deploy/local/jars.py"))[1]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_what_a_file_imports_is_declared(file: Path) -> None:
    at_once, when_called = _needed(file)
    assert not at_once - ALWAYS, "needed to import it: a dependency, not an extra's"
    assert not when_called - ALWAYS - EXTRAS


def test_what_is_always_needed_is_locked_for_a_cluster() -> None:
    runtime = (ROOT / "requirements/runtime.txt").read_text()
    locked = {_normal(name) for name in re.findall(r"^([\w.-]+)==", runtime, re.M)}
    assert not ALWAYS - locked
