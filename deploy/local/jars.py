"""Fetches Kafka's server jars once, checks them, and keeps them in the user's cache.

Flow: `broker.py` asks for the class path > **this file** looks in the cache > else `jgo` resolves
the jars, their SHA-256 sums are compared with `kafka_jars.json`, and the folder is moved in place.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from pipelines.errors import StackError

__all__ = ["KAFKA_VERSION", "cache_dir", "is_cached", "kafka_class_path"]

KAFKA_VERSION: Final = "4.3.1"
KAFKA: Final = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Resolved in a call of its own: in one call with the server, its older constraints win and
# kafka-clients comes out as 3.9, with which the broker does not start.
LOGGING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
PINNED: Final = Path(__file__).with_name("kafka_jars.json")


def cache_dir() -> Path:
    """Where downloads are kept between runs; OVERROUND_CACHE_DIR moves it."""
    if chosen := os.environ.get("OVERROUND_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "overround"


def is_cached(cache: Path | None = None) -> bool:
    """Return whether all jars are there, so that nothing needs to be downloaded."""
    return _all_in(_folder(cache), json.loads(PINNED.read_text()))


def kafka_class_path(cache: Path | None = None) -> str:
    """Return the class path of the Kafka server, downloading its jars when they are not cached.

    Raises StackError when they cannot be fetched or are not the jars that were pinned.
    """
    pinned: dict[str, str] = json.loads(PINNED.read_text())
    folder = _folder(cache)
    if not _all_in(folder, pinned):
        _fill(folder, pinned)
    return os.pathsep.join(str(folder / name) for name in sorted(pinned))


def _folder(cache: Path | None) -> Path:
    return (cache or cache_dir()) / f"kafka-{KAFKA_VERSION}"


def _all_in(folder: Path, pinned: dict[str, str]) -> bool:
    return all((folder / name).is_file() for name in pinned)


def resolve_jars(work: Path) -> dict[str, Path]:
    """Resolve server and logging jars with jgo; file name to path, the server's own jars first.

    Raises StackError when they cannot be resolved.
    """
    try:
        import jgo
    except ImportError as error:
        raise StackError(
            "the local broker needs the package jgo: pip install 'overround[local]', "
            "or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
        ) from error
    jars: dict[str, Path] = {}
    artifacts: set[str] = set()
    for coordinate in (KAFKA, LOGGING):
        try:
            found = jgo.build(coordinate, cache_dir=work).all_jars
        except Exception as error:  # jgo raises whatever its HTTP and XML libraries raise
            raise StackError(
                f"Kafka's jars ({coordinate}) could not be fetched: {error}. Check the network, "
                "or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
            ) from error
        for jar in map(Path, found):
            artifact = jar.name.rpartition("-")[0]
            if artifact not in artifacts:
                artifacts.add(artifact)
                jars[jar.name] = jar
    if f"kafka-clients-{KAFKA_VERSION}.jar" not in jars:
        raise StackError(f"Kafka {KAFKA_VERSION} was resolved with other kafka-clients: {jars}")
    return jars


def sha256_of(file: Path) -> str:
    """The file's SHA-256 sum in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fill(folder: Path, pinned: dict[str, str]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="fetch-", dir=folder.parent))
    except OSError as error:
        raise StackError(
            f"the cache folder {folder.parent} cannot be written ({error}): "
            "set OVERROUND_CACHE_DIR to a folder that can"
        ) from error
    try:
        jars = resolve_jars(work / "jgo")
        ready = work / "ready"
        ready.mkdir()
        for name, expected in pinned.items():
            jar = jars.get(name)
            if jar is None or sha256_of(jar) != expected:
                raise StackError(f"{name} is missing or is not the pinned file: fetch it again")
            shutil.copyfile(jar, ready / name)
        shutil.rmtree(folder, ignore_errors=True)  # an unfinished or damaged copy
        try:
            ready.rename(folder)
        except OSError:  # another process was faster; its copy passed the same check
            if not _all_in(folder, pinned):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def pin() -> None:
    """Write `kafka_jars.json` anew; to be run by hand after a change of the versions above."""
    with tempfile.TemporaryDirectory() as work:
        sums = {name: sha256_of(jar) for name, jar in resolve_jars(Path(work)).items()}
    PINNED.write_text(json.dumps(dict(sorted(sums.items())), indent=2) + "\n")


if __name__ == "__main__":
    pin()
