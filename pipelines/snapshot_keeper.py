"""Where no standby writes snapshots: sees to it that each partition has a fresh one.

It looks at how much journal has come since each partition's newest snapshot and lets the one that
is farthest be written, one at a time, so that no more than one state is in memory. Whoever decides
has nothing to do with it, and a write that fails costs time at the next restore, never truth.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from pipelines.errors import BrokerError, OverroundError
from pipelines.ports import Clock

__all__ = ["JournalLook", "KeeperMetrics", "Kept", "SnapshotKeeper"]

logger = logging.getLogger(__name__)

LOOK_INTERVAL_S: Final = 5.0
RETRY_S: Final = 60.0  # after a write that failed, others come first


class Kept(NamedTuple):
    """The newest whole snapshot of a partition: the journal goes on at `journal_next`."""

    journal_next: int
    written_ms: int


class JournalLook(Protocol):
    """What the keeper sees of Kafka."""

    def journal_end(self, partition: int) -> int:
        """Return the offset after the last journal record. Raises BrokerError."""

    def kept(self, partition: int) -> Kept | None:
        """Return the newest snapshot that this program can read. Raises BrokerError."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class KeeperMetrics(Protocol):
    """What the keeper reports; `pipelines.metrics.SnapshotMetrics` shows it."""

    def seen(self, partition: int, behind: int, age_s: float | None) -> None: ...
    def written(self, partition: int, seconds: float) -> None: ...
    def failed(self, partition: int) -> None: ...


class SnapshotKeeper:
    """`run_until` blocks; `status` is for other threads. `every_records`: of the journal.

    `write(partition, heartbeat)` writes a snapshot in a process of its own and calls `heartbeat`
    now and then, which is False once it is to give up. It raises OverroundError.
    """

    def __init__(
        self,
        partitions: int,
        every_records: int,
        look: JournalLook,
        write: Callable[[int, Callable[[], bool]], None],
        clock: Clock,
        metrics: KeeperMetrics,
    ) -> None:
        self._partitions = partitions
        self._every = every_records
        self._look = look
        self._write = write
        self._clock = clock
        self._metrics = metrics
        self._behind: dict[int, int] = {}
        self._not_before_s: dict[int, float] = {}
        self._writing: int | None = None
        self._written = 0
        self._last_error = ""
        self._progress_s = clock.monotonic_s()

    def run_until(self, stop: threading.Event) -> None:
        """Look and write until stopped."""
        try:
            while not stop.wait(LOOK_INTERVAL_S):
                self.step(stop)
        finally:
            self._look.close()

    def step(self, stop: threading.Event) -> bool:
        """Look at all partitions, let one snapshot be written where one is due; return whether."""
        self._progress_s = self._clock.monotonic_s()
        partition = self._due() if self._see(range(self._partitions)) else None
        if partition is None:
            return False
        began_s = self._clock.monotonic_s()
        self._writing = partition
        try:
            self._write(partition, lambda: self._heartbeat(stop))
        except OverroundError as error:
            self._not_before_s[partition] = self._clock.monotonic_s() + RETRY_S
            self._metrics.failed(partition)
            self._failed(error)
            return False
        finally:
            self._writing = None
        self._written += 1
        self._last_error = ""
        self._metrics.written(partition, self._clock.monotonic_s() - began_s)
        self._see([partition])
        return True

    def _see(self, partitions: Iterable[int]) -> bool:
        try:
            for partition in partitions:
                self._see_one(partition)
        except BrokerError as error:
            self._failed(error)
            return False
        return True

    def _see_one(self, partition: int) -> None:
        kept = self._look.kept(partition)
        end = self._look.journal_end(partition)
        self._behind[partition] = max(0, end - (kept.journal_next if kept is not None else 0))
        age_s = None
        if kept is not None:
            age_s = max(0.0, (self._clock.time_ms() - kept.written_ms) / 1_000)
        self._metrics.seen(partition, self._behind[partition], age_s)

    def _due(self) -> int | None:
        now_s = self._clock.monotonic_s()
        due = [
            partition
            for partition, behind in self._behind.items()
            if behind >= self._every and self._not_before_s.get(partition, now_s) <= now_s
        ]
        return max(due, key=self._behind.__getitem__, default=None)

    def _heartbeat(self, stop: threading.Event) -> bool:
        self._progress_s = self._clock.monotonic_s()
        return not stop.is_set()

    def _failed(self, error: OverroundError) -> None:
        if error.message != self._last_error:
            self._last_error = error.message
            logger.warning("snapshots: %s", error.message)

    def status(self) -> dict[str, object]:
        """Return where it is, as plain values; `behind`: journal records by partition."""
        return {
            "behind": dict(self._behind),
            "writing": self._writing,
            "snapshots": self._written,
            "last_error": self._last_error,
            "last_progress_s": self._progress_s,
        }
