"""Actor `snapshots`: where there are no standbys, it keeps a fresh snapshot of each partition.

Each snapshot is written by a Ray task in a process of its own, which ends with it: so at most one
state is in memory, and all of it is given back. That process runs when no other wants the core.
"""

import os
import time
from collections.abc import Callable
from typing import Final

import ray

from actors.host import Host
from actors.options import on_node
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.errors import StackError
from pipelines.kafka.snapshot_look import KafkaJournalLook
from pipelines.kafka.snapshot_writer import write_snapshot
from pipelines.metrics import SnapshotMetrics
from pipelines.settings import Settings
from pipelines.snapshot_keeper import SnapshotKeeper

__all__ = ["Snapshots"]

LOWEST_PRIORITY: Final = 19
WRITE_TIMEOUT_S: Final = 1_800.0  # on a busy machine the lowest priority gets little
WAIT_S: Final = 1.0


def _write(settings: Settings, partition: int) -> bool:
    """Write one snapshot; the threads of Kafka's client inherit the priority."""
    os.nice(LOWEST_PRIORITY)
    tune_collector()
    return write_snapshot(settings, partition, lambda: True).saved


class _Writer:
    """Has a snapshot written elsewhere, and waits for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One snapshot a process; a write that fails is the keeper's to repeat.
        task = ray.remote(num_cpus=0, max_calls=1, max_retries=0, enable_task_events=False)(_write)
        self._task = task.options(**on_node(ray.get_runtime_context().get_node_id()))

    def write(self, partition: int, heartbeat: Callable[[], bool]) -> None:
        """Wait for a snapshot to be written. Raises StackError where it was not."""
        deadline_s = time.monotonic() + WRITE_TIMEOUT_S
        asked = self._task.remote(self._settings, partition)
        why = ""
        while not why:
            ready, _ = ray.wait([asked], timeout=WAIT_S)
            if ready:
                try:
                    why = "" if ray.get(asked) else "Kafka did not take it"
                except ray.exceptions.RayError as error:
                    why = f"{type(error).__name__}: {error}".partition("\n")[0]
                break
            if not heartbeat():
                why = "asked to stop"
            elif time.monotonic() > deadline_s:
                why = f"not written within {WRITE_TIMEOUT_S:.0f} s"
        else:
            ray.cancel(asked, force=True)
        if why:
            raise StackError(f"snapshot of partition {partition}: {why}")


class Snapshots:
    """Writes snapshots as the journals grow."""

    def __init__(self, name: str, version: str, settings: Settings) -> None:
        metrics = SnapshotMetrics()

        def build() -> SnapshotKeeper:
            return SnapshotKeeper(
                settings.partitions,
                settings.snapshot_records,
                KafkaJournalLook(settings),
                _Writer(settings).write,
                SystemClock(),
                metrics,
            )

        self._host = Host(name, version, build, metrics.registry, settings.log_level)

    def health(self) -> dict[str, object]:
        """Return state, progress, and how far each partition's snapshot is behind."""
        return self._host.health()

    def metrics(self) -> bytes:
        """Return this actor's metrics as text."""
        return self._host.metrics()

    def stop(self, timeout_s: float) -> bool:
        """End the loop; return whether it ended in time."""
        return self._host.stop(timeout_s)
