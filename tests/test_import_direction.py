"""Imports point one way, and only the rim knows Kafka, Ably and Ray.

deploy > actors > pipelines > pipelines/books; an arrow means: may import.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("pipelines.books", "pipelines", "actors", "deploy")  # lowest first
FILES = sorted(
    file.relative_to(ROOT)
    for top in ("actors", "pipelines", "deploy")
    for file in (ROOT / top).rglob("*.py")
    if "node_modules" not in file.parts
)
BOOKS_MAY_IMPORT = ("pipelines.books", "pipelines.messages")
#: Modules without I/O that the books may use beside the messages.
BOOKS_MAY_IMPORT_MODULES = ("pipelines.limits", "pipelines.codes", "pipelines.errors")


def _layer(module: str) -> int | None:
    fitting = [
        rank
        for rank, layer in enumerate(LAYERS)
        if module == layer or module.startswith(f"{layer}.")
    ]
    return min(fitting) if fitting else None


def _imports(file: Path) -> set[str]:
    """Modules that the file imports anywhere, those under TYPE_CHECKING included."""
    package = ".".join(file.parent.parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(), str(file))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            # `from package import module` names a module too.
            found.add(module)
            found.update(
                name for alias in node.names if _is_module(name := f"{module}.{alias.name}")
            )
    return found


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _module(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def _under(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_there_are_files_to_check() -> None:
    assert {file.parts[0] for file in FILES} == {"actors", "pipelines", "deploy"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_imports_only_its_own_layer_and_those_below(file: Path) -> None:
    own = _layer(_module(file))
    assert own is not None
    upward = {
        module
        for module in _imports(file)
        if (layer := _layer(module)) is not None
        and layer > own
        # The vocabulary of messages and limits lies below the books, though beside them on disk.
        and not (
            LAYERS[own] == "pipelines.books"
            and (
                module == "pipelines"
                or _under(module, BOOKS_MAY_IMPORT)
                or module in BOOKS_MAY_IMPORT_MODULES
            )
        )
    }
    assert not upward, f"{file} imports from above: {sorted(upward)}"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_only_the_rim_imports_kafka_ably_and_ray(file: Path) -> None:
    imported = {module.split(".")[0] for module in _imports(file)}
    inside_deploy = file.parts[0] == "deploy"
    if not (inside_deploy or _under(_module(file), ("pipelines.kafka", "pipelines.edge_client"))):
        assert not imported & {"confluent_kafka", "ably"}
    if not (inside_deploy or file.parts[0] == "actors"):
        assert "ray" not in imported


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.parts[:2] == ("pipelines", "books")], ids=str
)
def test_books_do_no_input_or_output_and_read_no_clock(file: Path) -> None:
    imported = {module.split(".")[0] for module in _imports(file)}
    forbidden = {"asyncio", "datetime", "httpx", "io", "logging", "os", "pathlib", "random"}
    forbidden |= {"secrets", "socket", "subprocess", "threading", "time", "uuid"}
    assert not imported & forbidden
