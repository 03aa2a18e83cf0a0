"""Shards over several Ray nodes: standbys apart, moves, a drain, a dead node; the audit holds.

`make cluster` strikes more often; without CLUSTER=all each is done once.
"""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray

from actors import launch
from actors.options import NAMESPACE, SUPERVISOR, partition_of
from deploy.audit import run_audit
from deploy.cluster import node_called
from pipelines.errors import StackError
from pipelines.settings import Settings
from tests.cluster.load import Gap, Load, wait_until
from tests.cluster.nodes import Nodes, nodes_of

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

PARTITIONS = 2
RATE = 300
WAIT_S = 90.0
ROUNDS = 5 if os.environ.get("CLUSTER") == "all" else 1


def overview() -> dict[str, Any]:
    """What the supervisor sees; nothing while it is on its way back from a node that died."""
    try:
        return launch.overview()
    except StackError:
        return {"actors": []}


class Running:
    """The engine with standbys on some nodes, under load."""

    def __init__(self, nodes: Nodes, settings: Settings) -> None:
        self.nodes = nodes
        self.settings = settings
        self.load = Load(settings.kafka_bootstrap_servers, PARTITIONS, 8, RATE)

    def copies(self) -> dict[str, dict[str, Any]]:
        """Health of each copy of a shard by name; those that say nothing are left out."""
        return {
            a["name"]: a["health"]
            for a in overview()["actors"]
            if partition_of(a["name"]) is not None and a["health"]
        }

    def owner(self, partition: int) -> dict[str, Any]:
        found = [
            h
            for name, h in self.copies().items()
            if partition_of(name) == partition and h["status"].get("role") == "owner"
        ]
        return found[0] if len(found) == 1 else {}

    def decided(self) -> int:
        """Bets decided by the owners; -1 where one of them does not say."""
        owners = [self.owner(p) for p in range(PARTITIONS)]
        return sum(o["status"]["bets_next"] for o in owners) if all(owners) else -1

    def follower(self, partition: int) -> dict[str, Any]:
        found = [
            h
            for name, h in self.copies().items()
            if partition_of(name) == partition and h["status"].get("state") == "following"
        ]
        return found[0] if len(found) == 1 else {}

    def settle_down(self) -> None:
        """Wait until each partition has a running owner and a follower on another node."""

        def apart(partition: int) -> bool:
            owner, follower = self.owner(partition), self.follower(partition)
            return (
                bool(owner and follower)
                and owner["status"]["state"] == "running"
                and owner["node_id"] != follower["node_id"]
                and follower["status"]["behind"] is not None
            )

        wait_until(lambda: all(map(apart, range(PARTITIONS))), WAIT_S, overview)

    def wait_for_owner(self, partition: int, name: str, value: object) -> None:
        """Wait until the owner's health says this."""
        wait_until(lambda: self.owner(partition).get(name) == value, WAIT_S, self.copies)

    def ask(self, method: str, *arguments: object) -> Any:
        supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
        return ray.get(getattr(supervisor, method).remote(*arguments), timeout=WAIT_S)

    def audit(self) -> None:
        """The audit holds for what was decided so far."""
        report = run_audit(self.settings, edge=False, complete=False, ask=launch.state_hashes)
        assert report.holds, report


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with nodes_of(3) as found:
        yield found


@pytest.fixture(scope="module")
def running(
    nodes: Nodes, fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]]
) -> Iterator[Running]:
    (edge_port,) = free_ports(1)
    settings = Settings(
        kafka_bootstrap_servers=fresh_topics(PARTITIONS),
        partitions=PARTITIONS,
        standbys=1,
        ably_url=f"http://127.0.0.1:{edge_port}",
        ably_api_key="app.key:secret",
        metrics_port=0,  # several nodes of this test share one machine
    )
    launch.up(settings)
    try:
        launch.wait_ready(WAIT_S)
        made = Running(nodes, settings)
        made.load.start()
        try:
            yield made
        finally:
            made.load.stop()
    finally:
        launch.down()


def test_a_killed_owner_gives_way_to_its_standby(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(ROUNDS):
        running.settle_down()
        before, standby = running.owner(0), running.follower(0)
        gap = Gap(running.settings.kafka_bootstrap_servers, 0)
        os.kill(before["pid"], signal.SIGKILL)
        running.wait_for_owner(0, "pid", standby["pid"])
        running.settle_down()
        gap_s = gap.stop()
        with capsys.disabled():
            print(f"\nkill -9 of an owner: {gap_s * 1_000:.0f} ms without new decisions")
    running.audit()


def test_a_partition_moves_to_another_node(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(ROUNDS):
        running.settle_down()
        used = {running.owner(0)["node_id"], running.follower(0)["node_id"]}
        (target,) = set(running.nodes.ids()) - used
        result = running.ask("move", 0, node_called(target[:12]))
        assert result["error"] == ""
        with capsys.disabled():
            print(f"\nmove: {result['stall_ms']} ms stall")
        running.wait_for_owner(0, "node_id", target)
        running.settle_down()
    running.audit()


def test_a_move_to_where_nothing_is_says_so_and_changes_nothing(running: Running) -> None:
    running.settle_down()
    before = running.owner(1)["pid"]
    assert "is not there" in running.ask("move", 1, "0" * 56)["error"]
    assert running.owner(1)["pid"] == before


def test_owners_are_spread_over_as_many_nodes_as_asked_for(running: Running) -> None:
    running.settle_down()
    for count in (1, 2):
        results = running.ask("spread", count)
        assert not [r for r in results if r["error"]]
        wait_until(
            lambda n=count: (  # type: ignore[misc]
                len({running.owner(p).get("node_id") for p in range(PARTITIONS)}) == n
            ),
            WAIT_S,
            running.copies,
        )
    assert "were asked for" in running.ask("spread", 99)[0]["error"]
    running.audit()


def test_a_drained_node_hosts_nothing_but_its_metrics(running: Running) -> None:
    running.settle_down()
    node_id = running.owner(0)["node_id"]
    results = running.ask("drain", node_id)
    assert results
    assert not [r for r in results if r["error"]]
    wait_until(
        lambda: (
            bool(overview()["actors"])
            and all(
                a["health"] and (a["health"].get("node_id") != node_id)
                for a in overview()["actors"]
                if not a["name"].startswith("metrics")
            )
        ),
        WAIT_S,
        overview,
    )
    running.settle_down()
    running.audit()


def test_a_node_that_dies_takes_no_bet_with_it(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    running.nodes.add()
    running.settle_down()
    node_id = running.owner(0)["node_id"]
    gap = Gap(running.settings.kafka_bootstrap_servers, 0)
    running.nodes.kill(node_id)
    wait_until(
        lambda: running.owner(0).get("node_id") not in (None, node_id), WAIT_S, running.copies
    )
    running.settle_down()
    gap_s = gap.stop()
    with capsys.disabled():
        print(f"\nkill -9 of a node: {gap_s * 1_000:.0f} ms without new decisions")
    sent = running.load.stop()
    wait_until(
        lambda: running.decided() == sent,
        WAIT_S,
        running.copies,
    )
    report = run_audit(running.settings, edge=False, complete=True, ask=launch.state_hashes)
    assert report.holds, report
    assert report.figures.bets == sent
