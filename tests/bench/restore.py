"""How long a shard is away: restore by length and open bets, kill -9 with and without a standby.

    python -m tests.bench.restore [--lengths N,N] [--open-bets N] [--svg FILE]

Restore: one partition on a real broker, from the fence to the first poll, in a fresh process. Gap:
the actors on a local Ray; the longest time without a committed record around a kill of the owner.
"""

import argparse
import multiprocessing as mp
import os
import platform
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import ray
from confluent_kafka import Producer

from actors import launch
from actors.options import NAMESPACE, SNAPSHOTS, partition_of
from deploy.local.broker import Broker
from deploy.stack import free_port
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.metrics import ShardMetrics
from pipelines.ports import Record
from pipelines.settings import Settings
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.shard_loop import ShardLoop
from pipelines.standby import Standby
from pipelines.topics import EVENTS, JOURNAL
from tests.bench.core import bets, operations
from tests.bench.pipeline import fresh
from tests.bench.restore_plot import Restored, draw
from tests.cluster.load import Gap, Load, wait_until

EVENTS_OPEN = 200
RATE = 500
HISTORY_OPEN = 10_000
SETTLED, OPEN = b"event-", b"later-"  # what the ids of their events begin with
LATER_MS = 1_800_000_000_000
FORGOTTEN_MS = 400 * 24 * 3_600_000
WAIT_S = 180.0


def write_journal(bootstrap: str, count: int, settled: int = 0) -> None:
    """Fill a fresh journal with so many accepted bets, decided by the engine itself.

    Before them `settled` bets, whose events have had their results and are forgotten.
    """
    fresh(bootstrap)
    core = Engine(ShardState(0))
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    if settled:
        _open(core, SETTLED)
        _bet(core, producer, settled, SETTLED)
        for n in range(EVENTS_OPEN):
            where = {"event_id": f"event-{n:05d}", "market_id": f"1.{n:09d}"}
            for value in (
                {"type": "market_status", "status": "CLOSED"},
                {"type": "result", "winners": [1]},
            ):
                body = msgspec.json.encode(value | where)
                core.process(Record(EVENTS, 0, -1, LATER_MS, where["event_id"].encode(), body))
                _write(core, producer)
        core.tick(LATER_MS + FORGOTTEN_MS)
        _write(core, producer)
        assert not core.state.events, "all events are forgotten"
    _open(core, OPEN)
    _bet(core, producer, count, OPEN)
    assert producer.flush(60) == 0


def _named(record: Record, prefix: bytes) -> Record:
    """The record for an event of this name; its topic stays empty, to be read from its start."""
    key = (record.key or b"").replace(SETTLED, prefix)
    return record._replace(offset=-1, key=key, value=(record.value or b"").replace(SETTLED, prefix))


def _open(core: Engine, prefix: bytes) -> None:
    for record in operations(EVENTS_OPEN, "pool"):
        core.process(_named(record, prefix))


def _bet(core: Engine, producer: Producer, count: int, prefix: bytes) -> None:
    for start in range(0, count, 10_000):
        for record in bets(10_000, EVENTS_OPEN, "pool"):
            client_id = f"{record.client_id}-{start}"
            core.process(_named(record, prefix)._replace(client_id=client_id))
        _write(core, producer)


def _write(core: Engine, producer: Producer) -> None:
    for topic, key, value in core.drain().outputs:
        while topic == JOURNAL:
            try:
                producer.produce(topic, value, key, 0)
                break
            except BufferError:
                producer.poll(0.1)


def restore_once(bootstrap: str, answer: Any) -> None:
    """Restore one partition in this process, as a shard does; tell the seconds and open bets."""
    settings = Settings(kafka_bootstrap_servers=bootstrap, partitions=1)
    log = KafkaShardLog(settings, 0)
    loop = ShardLoop(0, log, SystemClock(), settings, ShardMetrics(0))
    tune_collector()
    began_s = time.monotonic()
    standby = standby_of(settings)
    loop.restore(standby)
    answer.put((time.monotonic() - began_s, loop.status()["open_bets"]))
    standby.close()
    log.close()


def standby_of(settings: Settings) -> Standby:
    """A fold of partition 0 from its newest snapshot."""
    tail, store = KafkaJournalTail(settings, 0), KafkaSnapshotStore(settings, 0)
    return Standby(0, tail, SystemClock(), store)


def save_once(bootstrap: str) -> None:
    """Write a snapshot, as `overround snapshot` does."""
    standby = standby_of(Settings(kafka_bootstrap_servers=bootstrap, partitions=1))
    standby.finish()
    assert standby.save(lambda: True)
    standby.close()


def save(bootstrap: str) -> float:
    """Write a snapshot in a process of its own; return the seconds with the fold before it."""
    began_s = time.monotonic()
    process = mp.Process(target=save_once, args=(bootstrap,), daemon=True)
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 0
    return time.monotonic() - began_s


def restored(bootstrap: str) -> tuple[float, int]:
    """Return seconds and open bets of a restore in a fresh process."""
    answer: Any = mp.Queue()
    process = mp.Process(target=restore_once, args=(bootstrap, answer), daemon=True)
    process.start()
    found: tuple[float, int] = answer.get(timeout=WAIT_S)
    process.join(20)
    return found


def copies() -> list[dict[str, Any]]:
    """Health of the partition's copies."""
    shown = launch.overview()["actors"]
    return [a["health"] for a in shown if partition_of(a["name"]) == 0 and a["health"]]


def owner() -> dict[str, Any]:
    """Health of the running owner; empty where there is none."""
    found = [h for h in copies() if h["status"].get("role") == "owner"]
    return found[0] if found and found[0]["status"]["state"] == "running" else {}


def settled_down(standbys: int) -> bool:
    """Whether there is an owner, and a follower that has caught up, where there is to be one."""
    followers = [h["status"] for h in copies() if h["status"].get("state") == "following"]
    caught_up = [s for s in followers if (s["behind"] or 10**9) < 2_000]
    return bool(owner()) and len(caught_up) == standbys


def snapshots_kept() -> int:
    """How many snapshots the actor `snapshots` has written."""
    shown = launch.overview()["actors"]
    health = next((a["health"] for a in shown if a["name"] == SNAPSHOTS), None)
    return int(health["status"].get("snapshots", 0)) if health else 0


def watch_snapshot(bootstrap: str) -> None:
    """Say how long nothing was committed while a snapshot was written, and as long after it."""
    began_s = time.monotonic()
    gap = Gap(bootstrap, 0)
    wait_until(lambda: snapshots_kept() > 0, WAIT_S, launch.overview)
    took_s, beside_s = time.monotonic() - began_s, gap.stop()
    gap = Gap(bootstrap, 0)
    time.sleep(took_s)
    print(
        f"  a snapshot written beside {RATE} bets/s within {took_s:.1f} s: at most "
        f"{1_000 * beside_s:.0f} ms without output, {1_000 * gap.stop():.0f} ms in as long after",
        flush=True,
    )


def gaps(
    bootstrap: str, standbys: int, open_bets: int, kills: int, snapshot_records: int
) -> list[float]:
    """Return the gap around each kill of the owner (seconds)."""
    write_journal(bootstrap, open_bets)
    settings = Settings(
        kafka_bootstrap_servers=bootstrap,
        partitions=1,
        standbys=standbys,
        snapshot_records=snapshot_records,
        ably_url="http://127.0.0.1:9",
        ably_api_key="app.key:secret",
        metrics_port=0,
    )
    launch.up(settings)
    try:
        launch.wait_ready(WAIT_S)
        load = Load(bootstrap, 1, 20, RATE)
        load.start()
        if snapshot_records and not standbys:
            watch_snapshot(bootstrap)
        found = []
        for _ in range(kills):
            wait_until(lambda: settled_down(standbys), WAIT_S, launch.overview)
            time.sleep(1)
            gap = Gap(bootstrap, 0)
            time.sleep(1)
            pid = owner()["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda p=pid: owner().get("pid") not in (None, p), WAIT_S, copies)  # type: ignore[misc]
            time.sleep(2)
            found.append(gap.stop())
        load.stop()
        return found
    finally:
        launch.down()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", default="100000,300000,1000000")
    parser.add_argument("--settled", default="100000,500000")
    parser.add_argument("--open-bets", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--svg", type=Path, default=None)
    arguments = parser.parse_args()
    mp.set_start_method("spawn")
    home = tempfile.mkdtemp(prefix="ovr-")
    os.environ |= {"HOME": home, "RAY_TMPDIR": home, "RAY_AUTH_MODE": "disabled"}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    print(f"Apache Kafka and all processes on {os.cpu_count()} cores, {platform.python_version()}")
    try:
        with Broker(Path(home) / "kafka", free_port(), free_port()) as broker:
            address = broker.bootstrap_servers
            rows, history = [], []
            for length in map(int, arguments.lengths.split(",")):
                write_journal(address, length)
                seconds, bets_open = restored(address)
                saved_s = save(address)
                short_s, _ = restored(address)
                rows.append(Restored(bets_open, seconds, short_s))
                print(
                    f"  restore, {bets_open:9,} open bets, nothing else: {seconds:6.2f} s, from a "
                    f"snapshot {short_s:6.2f} s (to write it {saved_s:.1f} s)",
                    flush=True,
                )
            for settled in map(int, arguments.settled.split(",")):
                write_journal(address, HISTORY_OPEN, settled)
                seconds, bets_open = restored(address)
                save(address)
                short_s, _ = restored(address)
                history.append(Restored(settled, seconds, short_s))
                print(
                    f"  restore, {bets_open:9,} open bets, {settled:,} settled and forgotten: "
                    f"{seconds:6.2f} s, from a snapshot {short_s:6.2f} s",
                    flush=True,
                )
            if arguments.svg is not None:
                draw(rows, history, arguments.svg)
            ray.init(
                address="local",
                num_cpus=2,
                resources={"shard": 64},
                include_dashboard=False,
                object_store_memory=80 * 2**20,
                log_to_driver=False,
                namespace=NAMESPACE,
                _temp_dir=home,
                _node_ip_address="127.0.0.1",
            )
            every = Settings().snapshot_records
            for standbys, records in ((1, every), (0, 0), (0, every)):
                found = gaps(address, standbys, arguments.open_bets, arguments.kills, records)
                words = " ".join(f"{s:.2f}" for s in found)
                way = "snapshots as they come" if records else "no snapshots"
                print(
                    f"  kill -9, {arguments.open_bets:,} open bets, {RATE} bets/s, standbys "
                    f"{standbys}, {way}: median {statistics.median(found):.2f} s without output "
                    f"({words})",
                    flush=True,
                )
    finally:
        ray.shutdown()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
