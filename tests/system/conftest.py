"""The whole system as a user starts it, once for the tests of this folder."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
READY_S = 150.0
STOP_S = 60.0
COMMAND_S = 170.0


@dataclass
class Running:
    """A started `overround run`: what it printed so far, its environment and its ports."""

    environment: dict[str, str]
    ports: list[int]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def edge_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['OVERROUND_EDGE_PORT']}"

    def wait_for(self, words: str, timeout_s: float = READY_S) -> str:
        """Return the first line that holds these words."""
        deadline = time.monotonic() + timeout_s
        while True:
            for line in list(self.lines):
                if words in line:
                    return line
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < deadline, f"no {words!r} in\n" + "".join(self.lines)
            time.sleep(0.1)

    def stop(self) -> list[psutil.Process]:
        """Press Ctrl-C; return which of its processes are still there afterwards."""
        mine = psutil.Process(self.process.pid)
        family = mine.children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_S)
        _, left = psutil.wait_procs(family, timeout=10)
        return left

    def overround(
        self, *arguments: str, timeout_s: float = COMMAND_S
    ) -> subprocess.CompletedProcess[str]:
        """Run another command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


Start = Callable[[], Running]


def _start(environment: dict[str, str], ports: list[int]) -> Running:
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(environment, ports, process)

    def gather() -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            running.lines.extend(iter(stream.readline, ""))

    threading.Thread(target=gather, daemon=True).start()
    return running


@pytest.fixture(scope="module")
def environment(free_ports: Callable[[int], list[int]]) -> Iterator[dict[str, str]]:
    """Settings of a system of its own: a folder for its data, and ports."""
    kafka, controller, edge, metrics, dashboard = free_ports(5)
    with tempfile.TemporaryDirectory(prefix="ovr-", ignore_cleanup_errors=True) as folder:
        yield {
            **{name: value for name, value in os.environ.items() if "OVERROUND" not in name},
            "HOME": folder,
            "OVERROUND_DATA_DIR": str(Path(folder) / "data"),
            "OVERROUND_KAFKA_PORT": str(kafka),
            "OVERROUND_KAFKA_CONTROLLER_PORT": str(controller),
            "OVERROUND_EDGE_PORT": str(edge),
            "OVERROUND_METRICS_PORT": str(metrics),
            "OVERROUND_RAY_DASHBOARD_PORT": str(dashboard),
            "OVERROUND_PARTITIONS": "3",
            "PYTHONUNBUFFERED": "1",
        }


@pytest.fixture(scope="module")
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Factory: starts the system; whatever still runs at the end is ended, with its children."""
    started: list[Running] = []
    ports = [int(value) for name, value in environment.items() if name.endswith("_PORT")]

    def one() -> Running:
        started.append(_start(environment, ports))
        return started[-1]

    yield one
    for running in started:
        if running.process.poll() is None:
            family = psutil.Process(running.process.pid).children(recursive=True)
            running.process.terminate()
            try:
                running.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait(STOP_S)
            for process in family:
                if process.is_running():
                    process.kill()
