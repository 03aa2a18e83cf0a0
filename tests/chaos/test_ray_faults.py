"""Ray itself is struck: a node's raylet, a whole node, the head. The audit holds after each.

Bets come straight into Kafka; what the edge shows is audited too.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.conftest import IS_ALL, RATE
from tests.chaos.watch import kill
from tests.cluster.load import Gap, Load
from tests.edge_process import RunningEdge, running_edge

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not IS_ALL, reason="make chaos does it"),
]

PARTITIONS = 2
NODES = 2
WAIT_S = 120.0
ROOT = Path(__file__).parents[2]


class RayCluster:
    """A running `tests.chaos.ray_cluster`; `close` ends it and all that it started."""

    def __init__(self, kafka: str, edge: RunningEdge) -> None:
        self._family: list[psutil.Process] = []
        arguments = (kafka, str(PARTITIONS), str(NODES), edge.url)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.ray_cluster", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "ABLY_API_KEY": edge.key},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert self._next() == "ready"
            self._family = psutil.Process(self.process.pid).children(recursive=True)
        except BaseException:
            self.close()
            raise

    def _next(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("="):
                # Ray writes on the same line when it likes.
                return json.JSONDecoder().raw_decode(line[1:])[0]
        raise AssertionError(f"the cluster's process ended: {self.process.poll()}")

    def ask(self, command: str) -> Any:
        """Send a command; return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._next()

    def owner(self, partition: int, other_than: int = 0) -> int:
        """Process of the partition's shard, once it runs and is not this one."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            found = self.ask("owners").get(str(partition))
            if found is not None and found != other_than:
                return int(found)
            assert time.monotonic() < deadline_s, "the shard did not come back"
            time.sleep(0.2)

    def called(self, words: str) -> list[psutil.Process]:
        """Its processes with these words in the command line."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if words in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue  # it ended meanwhile
        return found

    def close(self) -> None:
        """End it: in order where it can, with force where it cannot."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            with self.process.stdin as commands:
                commands.write("end\n")
            self.process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
        self.process.wait(10)
        for process in {*family, *self._family}:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.stdout.close()


@dataclass(frozen=True)
class Struck:
    """A cluster that decides bets at the load, and what `held` ends with the test."""

    kafka: str
    edge: RunningEdge
    cluster: RayCluster
    held: ExitStack


@pytest.fixture
def struck(
    fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]], tmp_path: Path
) -> Iterator[Struck]:
    """The cluster with an edge, before it is struck."""
    kafka = fresh_topics(PARTITIONS)
    with ExitStack() as held:
        edge = held.enter_context(running_edge(free_ports(1)[0], tmp_path))
        made = RayCluster(kafka, edge)
        held.callback(made.close)
        load = Load(kafka, PARTITIONS, 8, RATE)
        load.start()
        held.callback(load.stop)
        yield Struck(kafka, edge, made, held)


def checked(found: RayCluster, fault: str, gap_s: float, show: Callable[[str], None]) -> None:
    """The audit holds; say so."""
    report = found.ask("audit")
    show(
        f"\n{fault}: {gap_s:.1f} s without new decisions; {report['bets']:,} bets, "
        f"{report['wrong']} lost, doubled or unanswered; state hashes "
        f"{'equal' if report['hashes'] == 'holds' else 'NOT equal'}; "
        f"{'the audit holds' if not report['failed'] else report['failed']}"
    )
    assert report["failed"] == []
    assert report["hashes"] == "holds"


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints past the capture."""

    def past(text: str) -> None:
        with capsys.disabled():
            print(text)

    return past


@pytest.mark.parametrize("whole", [False, True], ids=["raylet", "whole node"])
def test_a_node_is_lost(struck: Struck, whole: bool, show: Callable[[str], None]) -> None:
    running = struck.cluster
    owner = running.owner(0)
    gap = Gap(struck.kafka, 0)
    raylet = psutil.Process(owner).parent()
    assert raylet is not None
    assert "raylet" in raylet.name()
    workers = raylet.children(recursive=True) if whole else []
    for process in [raylet, *workers]:
        try:
            kill(process.pid)
        except ProcessLookupError:
            continue  # it went with its parent
    running.owner(0, other_than=owner)
    time.sleep(2)
    name = "kill -9 of a whole node" if whole else "kill -9 of a raylet"
    checked(running, name, gap.stop(), show)


def test_the_head_is_lost_and_a_new_cluster_takes_over(
    struck: Struck, show: Callable[[str], None]
) -> None:
    """The old cluster's shards live on for a while without a head; the new ones fence them."""
    old = struck.cluster
    old.owner(0)
    gap = Gap(struck.kafka, 0)
    (head,) = old.called("gcs/gcs_server")
    kill(head.pid)
    began_s = time.monotonic()
    new = RayCluster(struck.kafka, struck.edge)
    struck.held.callback(new.close)
    new.owner(0)
    away_s = time.monotonic() - began_s
    time.sleep(5)
    name = f"kill -9 of Ray's head, a new cluster after {away_s:.0f} s"
    checked(new, name, gap.stop(), show)
