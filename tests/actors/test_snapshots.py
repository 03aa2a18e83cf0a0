"""Snapshots where there are no standbys: written as the journal grows, by a process that ends."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from actors import launch
from actors.cast import cast_of
from actors.options import SNAPSHOTS
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from tests.pipelines.test_shard_loop import produce

WAIT_S = 90.0
BETS = 400


def health_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        a["health"] or {"status": {}} for a in launch.overview()["actors"] if a["name"] == name
    )
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, launch.overview()
        time.sleep(0.2)


def writers() -> list[psutil.Process]:
    """Processes that write a snapshot."""
    return [p for p in psutil.process_iter(["cmdline"]) if "ray::_write" in str(p.info["cmdline"])]


def test_they_are_there_where_nobody_else_writes_them() -> None:
    alone = Settings()
    assert SNAPSHOTS in {role.name for role in cast_of(alone, [], [])}
    for settings in (Settings(standbys=1), Settings(snapshot_records=0)):
        assert SNAPSHOTS not in {role.name for role in cast_of(settings, [], [])}


@pytest.mark.ray
@pytest.mark.slow
def test_a_growing_journal_gets_snapshots_and_restores_begin_there(
    start_cast: Callable[..., Settings],
) -> None:
    settings = start_cast(1, snapshot_records=BETS)
    servers = settings.kafka_bootstrap_servers
    for turn in range(2):
        produce(servers, BETS, first=turn * BETS, opened=turn > 0)
        wait_for(lambda n=turn: health_of(SNAPSHOTS)["status"].get("snapshots", 0) == n + 1)  # type: ignore[misc]
    values = list(KafkaShardLog(settings, 0).journal())
    found = KafkaSnapshotStore(settings, 0).load()
    assert found is not None
    assert state_hash(found.state) == state_hash(fold(0, values[: found.state.shard_seq]))
    assert found.state.shard_seq >= 2 * BETS
    deadline = time.monotonic() + WAIT_S
    while writers():  # all of their memory is given back
        assert time.monotonic() < deadline
        time.sleep(0.2)

    pid = health_of("shard-000")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: health_of("shard-000").get("pid", pid) != pid)
    wait_for(lambda: health_of("shard-000")["status"].get("bets_next") == 2 * BETS)
    assert launch.state_hashes(1)[0] == (len(values), state_hash(fold(0, values)))

    os.kill(health_of(SNAPSHOTS)["pid"], signal.SIGKILL)
    produce(servers, BETS, first=2 * BETS, opened=True)
    wait_for(lambda: health_of(SNAPSHOTS)["status"].get("snapshots", 0) == 1)
    with urllib.request.urlopen(
        f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=10
    ) as answer:
        shown = answer.read().decode()
    assert 'overround_snapshot_behind_records{partition="0"}' in shown
    assert 'overround_snapshot_age_seconds{partition="0"}' in shown
