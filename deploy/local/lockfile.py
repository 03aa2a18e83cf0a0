"""The file that says which stack runs in a data folder: one at a time, and where its parts are.

Flow: `overround run` takes it before it starts anything > other commands (`bet`, `status`, `stop`)
read it to find the running parts > it is removed at the end, or found stale by the next start.
"""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import psutil

from pipelines.errors import StackError

__all__ = ["StackFile", "StackInfo"]

NAME: Final = "stack.json"
FILE_BYTES_MAX: Final = 65_536
START_TOLERANCE_S: Final = 2.0  # the clock may be set between the two readings of a start time


@dataclass(frozen=True, slots=True)
class StackInfo:
    """Where the parts of a running stack are. Secrets are not in it, only the file they are in."""

    pid: int
    kafka_bootstrap_servers: str
    edge_url: str
    edge_api_key_file: str
    ray_address: str
    ray_namespace: str
    metrics_port: int
    dashboard_url: str
    partitions: int
    ray_token_file: str = ""


class StackFile:
    """`stack.json` in a data folder."""

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Where the file is, whether it exists or not."""
        return Path(data_dir) / NAME

    @staticmethod
    def read(data_dir: Path) -> StackInfo | None:
        """The running stack; None when there is none, or its process is gone."""
        content = _content(StackFile.path(data_dir))
        if content is None:
            return None
        started_s = content.pop("process_started_s", None)
        types = {field.name: field.type for field in fields(StackInfo)}
        if set(content) != set(types) or not isinstance(started_s, int | float):
            return None  # another version's, or cut short by a full disk
        if any(type(content[name]) is not kind for name, kind in types.items()):
            return None
        info = StackInfo(**content)  # type: ignore[arg-type]
        return info if _runs(info.pid, started_s) else None

    @staticmethod
    def write(data_dir: Path, info: StackInfo) -> None:
        """Take the folder for the process `info.pid`, or tell more about a stack that has it.

        Raises StackError when another live process has it, or the file cannot be written.
        """
        path = StackFile.path(data_dir)
        try:
            started_s = psutil.Process(info.pid).create_time()
            path.parent.mkdir(parents=True, exist_ok=True)
            with _exclusively(path.parent):
                other = StackFile.read(data_dir)
                if other is not None and other.pid != info.pid:
                    raise StackError(
                        f"a stack runs already in {data_dir}, process {other.pid}: stop it with "
                        f"kill {other.pid}, or set OVERROUND_DATA_DIR to another folder"
                    )
                _replace(path, {**asdict(info), "process_started_s": started_s})
        except (OSError, psutil.Error) as error:
            raise StackError(f"{path} cannot be written: {error}") from error

    @staticmethod
    def remove(data_dir: Path, pid: int | None = None) -> None:
        """Give the folder back; leaves the file of a live process other than `pid` (or this)."""
        other = StackFile.read(data_dir)
        if other is not None and other.pid != (os.getpid() if pid is None else pid):
            return
        StackFile.path(data_dir).unlink(missing_ok=True)


def _content(path: Path) -> dict[str, object] | None:
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(FILE_BYTES_MAX))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextlib.contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    """Of several starts at the same moment, one checks and writes at a time."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


def _replace(path: Path, content: dict[str, object]) -> None:
    """Write the file so that readers see the old one or the new one, never a half."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream, indent=2)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _runs(pid: int, started_s: float) -> bool:
    """Whether it is the very process that wrote the file: pids are used again."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(float(process.create_time()) - started_s) < START_TOLERANCE_S
    except (psutil.Error, ValueError, OverflowError):
        return False
