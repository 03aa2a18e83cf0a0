"""The real edge in a process of its own, for tests."""

import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.edge.keys import EdgeKeys

ROOT = Path(__file__).parents[1]
START_S = 20.0


@dataclass(frozen=True)
class RunningEdge:
    """Where it is, and the backend's key `NAME:SECRET`."""

    port: int
    key: str
    pid: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running_edge(port: int, folder: Path, *options: str) -> Iterator[RunningEdge]:
    """Run `python -m deploy.edge`; keys are kept in the folder, so a second run has the same."""
    keys_file = folder / "keys.json"
    keys = EdgeKeys.load_or_create(keys_file, secrets.token_urlsafe)
    command = [sys.executable, "-m", "deploy.edge", "--port", str(port)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--keys-file", str(keys_file), *options],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(port, process, folder / "log")
        yield RunningEdge(port, keys.backend_key, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        assert process.poll() is None, f"the edge ended: {log.read_text()[-2000:]}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the edge did not start in time"
            time.sleep(0.05)
