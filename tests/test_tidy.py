"""The tree stays readable: sizes, docstrings, no traces of one machine, no hidden failures."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
SKIPPED_FOLDERS = {"node_modules", "vendor", "__pycache__", ".git", ".venv", ".overround"}
# Put together here so that this file does not find itself.
MACHINE_TRACES = re.compile(
    "|".join(
        (
            r"(?<![\w.])/" + r"work/",
            r"/" + r"home/[a-z]\w*/",
            r"/" + r"root/",
            r"files\." + r"pythonhosted\.org",
            r"registry\." + r"npmjs\.org",
            r"https?://[^\s\"']*(?:arti" + r"factory|ne" + r"xus|pypi-mirror|/api/npm/|/simple/)",
            r"--(?:extra-)?index" + r"-url|--find" + r"-links",
        )
    )
)


def _tracked_files() -> list[Path]:
    """What git tracks or would track; where there is no git, every file but the build's."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"],
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout.decode()
        files = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = list(ROOT.rglob("*"))
    return sorted(
        file
        for file in files
        if file.is_file() and not SKIPPED_FOLDERS & set(file.relative_to(ROOT).parts)
    )


FILES = _tracked_files()
SOURCES = [file for file in FILES if file.suffix == ".py"]
PRODUCT = [
    file for file in SOURCES if file.relative_to(ROOT).parts[0] in ("actors", "pipelines", "deploy")
]


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_there_are_files_to_check() -> None:
    assert len(PRODUCT) > 10
    assert ROOT / "pyproject.toml" in FILES


def test_the_patterns_find_what_they_are_for() -> None:
    for trace in ("see /" + "work/main", "https://registry." + "npmjs.org/ably"):
        assert MACHINE_TRACES.search(trace)
    assert not MACHINE_TRACES.search("a network/work/book")


@pytest.mark.parametrize("file", PRODUCT, ids=_name)
def test_files_and_functions_are_short_and_say_what_they_are(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") <= FILE_LINES_MAX, f"more than {FILE_LINES_MAX} lines"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module opens with its place in the flow"
    long = [
        f"{node.name} has {lines} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_no_failure_is_hidden(file: Path) -> None:
    hidden: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
        silent = all(isinstance(statement, ast.Pass) for statement in node.body)
        if node.type is None or (broad and silent):
            hidden.append(f"line {node.lineno}")
    assert not hidden, "bare except, or a broad one that does nothing"


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_every_silenced_check_names_its_code(file: Path) -> None:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")
    found = [
        number for number, line in enumerate(file.read_text().splitlines(), 1) if bare.search(line)
    ]
    assert not found or file == Path(__file__)


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    found: list[str] = []
    for file in FILES:
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue  # recorded data, images
        for number, line in enumerate(text.splitlines(), 1):
            if match := MACHINE_TRACES.search(line):
                found.append(f"{_name(file)}:{number} {match[0]!r}")
    assert not found, "\n".join(found)
