"""Replay and simulator against the whole real system: Kafka, Ray, the edge, the engine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipelines.betfair.recordings import SHIPPED

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
READY_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 60.0
STACK = """
import sys
from deploy.stack import Stack
from pipelines.settings import load_settings
with Stack(load_settings(), print):
    print("up", flush=True)
    sys.stdin.read()
"""
REPLAY = """
import sys
from pathlib import Path
from deploy.replay_run import replay_run
from pipelines.errors import OverroundError
from pipelines.settings import load_settings
try:
    sys.exit(replay_run(load_settings(), [Path(sys.argv[1])], float(sys.argv[2]), 1, 3, sys.argv[3],
                        sys.argv[4], False))
except OverroundError as error:
    sys.exit(error.message)
"""


@dataclass(frozen=True)
class RunningStack:
    """The environment that finds the system, and its addresses."""

    environment: dict[str, str]
    kafka: str
    edge_url: str


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[RunningStack]:
    """A system of its own, in a process of its own."""
    data_dir = tmp_path_factory.mktemp("stack")
    kafka, controller, edge, dashboard, metrics = free_ports(5)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
        "OVERROUND_DATA_DIR": str(data_dir),
        "OVERROUND_KAFKA_PORT": str(kafka),
        "OVERROUND_KAFKA_CONTROLLER_PORT": str(controller),
        "OVERROUND_EDGE_PORT": str(edge),
        "OVERROUND_RAY_DASHBOARD_PORT": str(dashboard),
        "OVERROUND_METRICS_PORT": str(metrics),
        "OVERROUND_PARTITIONS": "2",
    }
    log_file = data_dir / "stack.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", STACK],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while "\nup" not in (said := log_file.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        yield RunningStack(environment, f"127.0.0.1:{kafka}", f"http://127.0.0.1:{edge}")
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _replay(stack: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REPLAY, str(SHIPPED), *arguments],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize("engine", ["fixed", "pool"])
def test_a_replay_answers_settles_and_tells_everybody(stack: RunningStack, engine: str) -> None:
    done = _replay(stack, "0", engine, f"run-{engine}")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {
        cells[1].strip(): cells[2].strip()
        for line in done.stdout.splitlines()
        if len(cells := line.split("│")) == 4
    }
    assert int(figures["bets placed"]) > 100
    assert figures["markets settled"] == "3"
    assert figures["held"] == "0.00"
    assert int(figures["bets settled"]) == int(figures["accepted"])
    assert int(figures["win"]) > 0


def test_a_run_id_is_played_once(stack: RunningStack) -> None:
    assert _replay(stack, "0", "fixed", "twice").returncode == 0
    again = _replay(stack, "0", "fixed", "twice")
    assert again.returncode == 1
    assert "played before" in again.stderr


def test_the_simulator_bets_and_ends_cleanly(stack: RunningStack, tmp_path: Path) -> None:
    status_file = tmp_path / "simulator.json"
    command = [sys.executable, "-m", "deploy.replay.simulator", "--kafka", stack.kafka]
    command += ["--edge-url", stack.edge_url, "--bettors", "4", "--rate", "40", "--seed", "1"]
    process = subprocess.Popen(
        [*command, "--status-file", str(status_file)],
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        status: dict[str, object] = {}
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.5)
            status = json.loads(status_file.read_text()) if status_file.exists() else {}
            if int(str(status.get("accepted", 0))) >= 100:
                break
        assert status.get("bettors_connected") == 4, status
        assert int(str(status["accepted"])) >= 100
        assert status["open"]
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0, said
        assert "Traceback" not in said
    finally:
        process.kill()
        process.wait()
    ended = json.loads(status_file.read_text())
    assert ended["open"] == []
    assert ended["lost"] == ended["unsent"] == 0
