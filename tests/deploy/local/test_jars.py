"""The cache of Kafka's jars: filled once, only with the pinned files, never half."""

import json
import os
from pathlib import Path

import pytest

from deploy.local import jars
from pipelines.errors import StackError

pytestmark = pytest.mark.usefixtures("resolved")

FOLDER = f"kafka-{jars.KAFKA_VERSION}"


@pytest.fixture
def resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two small files in place of the download, and a pin file that fits them."""
    source = tmp_path / "source"
    source.mkdir()
    files = {name: source / name for name in ("a-1.jar", "b-1.jar")}
    for name, file in files.items():
        file.write_bytes(name.encode())
    pinned = tmp_path / "pinned.json"
    pinned.write_text(json.dumps({name: jars.sha256_of(file) for name, file in files.items()}))
    monkeypatch.setattr(jars, "PINNED", pinned)
    monkeypatch.setattr(jars, "resolve_jars", lambda _: files)
    return files


def test_the_cache_is_filled_once_and_then_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    assert not jars.is_cached(cache)
    class_path = jars.kafka_class_path(cache)
    assert jars.is_cached(cache)
    paths = [Path(part) for part in class_path.split(os.pathsep)]
    assert [path.name for path in paths] == ["a-1.jar", "b-1.jar"]
    assert [path.read_bytes() for path in paths] == [b"a-1.jar", b"b-1.jar"]
    assert [entry.name for entry in cache.iterdir()] == [FOLDER]

    def no_network(_: Path) -> dict[str, Path]:
        raise StackError("asked the network")

    monkeypatch.setattr(jars, "resolve_jars", no_network)
    assert jars.kafka_class_path(cache) == class_path
    (cache / FOLDER / "b-1.jar").unlink()
    assert not jars.is_cached(cache)
    with pytest.raises(StackError, match="asked the network"):
        jars.kafka_class_path(cache)


def test_a_file_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, resolved: dict[str, Path]
) -> None:
    resolved["b-1.jar"].write_bytes(b"something else")
    with pytest.raises(StackError, match=r"b-1\.jar is missing or is not the pinned file"):
        jars.kafka_class_path(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_filled_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    class_path = jars.kafka_class_path(cache)
    (cache / FOLDER / "a-1.jar").unlink()
    assert jars.kafka_class_path(cache) == class_path
    assert (cache / FOLDER / "a-1.jar").read_bytes() == b"a-1.jar"


def test_a_cache_that_cannot_be_written_names_the_setting() -> None:
    with pytest.raises(StackError, match="OVERROUND_CACHE_DIR"):
        jars.kafka_class_path(Path("/proc/overround"))


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OVERROUND_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jars.cache_dir() == tmp_path / "overround"
    monkeypatch.setenv("OVERROUND_CACHE_DIR", str(tmp_path / "chosen"))
    assert jars.cache_dir() == tmp_path / "chosen"
