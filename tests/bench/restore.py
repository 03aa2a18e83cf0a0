"""How long a shard is away: restore by length and open bets, kill -9 with and without a standby.

    python -m tests.bench.restore [--lengths N,N] [--open-bets N] [--svg FILE]

Restore: one partition on a real broker, from the fence to the first poll, in a fresh process. Gap:
the actors on a local Ray; the longest time without a committed record around a kill of the owner.
"""

import argparse
import multiprocessing as mp
import os
import platform
import resource
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from actors import launch
from actors.options import NAMESPACE, SNAPSHOTS, partition_of
from deploy.local.broker import Broker
from deploy.stack import free_port
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.kafka.snapshot_writer import write_snapshot
from pipelines.metrics import ShardMetrics
from pipelines.settings import Settings
from pipelines.shard_loop import ShardLoop
from pipelines.standby import Standby
from tests.bench.restore_journal import write_journal
from tests.bench.restore_plot import Restored, draw
from tests.cluster.load import Gap, Load, wait_until

RATE = 500
HISTORY_OPEN = 10_000
WAIT_S = 180.0


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


def save_once(bootstrap: str, answer: Any) -> None:
    """Write a snapshot in this process; tell the seconds and the most memory it had (MiB)."""
    tune_collector()
    began_s = time.monotonic()
    settings = Settings(kafka_bootstrap_servers=bootstrap, partitions=1)
    assert write_snapshot(settings, 0, lambda: True).saved
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    answer.put((time.monotonic() - began_s, memory_mib))


def save(bootstrap: str) -> tuple[float, float]:
    """Write a snapshot in a process of its own; return seconds and MiB, with the fold before."""
    answer: Any = mp.Queue()
    process = mp.Process(target=save_once, args=(bootstrap, answer), daemon=True)
    process.start()
    found: tuple[float, float] = answer.get(timeout=WAIT_S)
    process.join(20)
    return found


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
                saved_s, saved_mib = save(address)
                short_s, _ = restored(address)
                rows.append(Restored(bets_open, seconds, short_s))
                print(
                    f"  restore, {bets_open:9,} open bets, nothing else: {seconds:6.2f} s, from a "
                    f"snapshot {short_s:6.2f} s (to write it {saved_s:.1f} s, {saved_mib:.0f} MiB)",
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
