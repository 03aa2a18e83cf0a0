"""Actors `shard-NNN` and `standby-NNN`: each hosts a copy of one partition's books.

One of the two owns the partition and answers queries about its books; the other folds its journal.
"""

import logging
import threading

import ray

from actors.host import Host
from actors.lifeline import Lifeline
from actors.options import as_running
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.metrics import ShardMetrics
from pipelines.settings import Settings
from pipelines.shard.questions import SettledRow
from pipelines.shard_copy import ShardCopy
from pipelines.topics import BETS, EVENTS, TRANSFERS

__all__ = ["BookShard"]

logger = logging.getLogger(__name__)


class _Copy:
    """The copy in the shape that `Host` runs."""

    def __init__(
        self, settings: Settings, partition: int, metrics: ShardMetrics, alone: bool
    ) -> None:
        self._settings = settings
        self._partition = partition
        self._log: KafkaShardLog | None = None
        self.copy = ShardCopy(
            partition,
            self._new_log,
            lambda: KafkaJournalTail(settings, partition),
            lambda: KafkaSnapshotStore(settings, partition),
            SystemClock(),
            settings,
            metrics,
            alone,
        )

    def _new_log(self) -> KafkaShardLog:
        self._log = KafkaShardLog(self._settings, self._partition)
        return self._log

    def run_until(self, stop: threading.Event) -> None:
        tune_collector()
        self.copy.run_until(stop)

    def status(self) -> dict[str, object]:
        status = self.copy.status()
        log = self._log if self.copy.owns else None
        if log is None:
            return status | {"lag": {}, "lost": {}}
        lag = {}
        for topic in (BETS, EVENTS, TRANSFERS):
            read = status[f"{topic}_next"]
            if topic in log.input_ends and isinstance(read, int):
                lag[topic] = max(0, log.input_ends[topic] - read)
        return status | {"lag": lag, "lost": dict(log.lost)}


class BookShard:
    """One copy of a partition's books. Nothing crosses it but control and queries."""

    def __init__(
        self, name: str, version: str, settings: Settings, partition: int, alone: bool
    ) -> None:
        metrics = ShardMetrics(partition)
        hosted = _Copy(settings, partition, metrics, alone)
        self._copy = hosted.copy
        metrics.follow(hosted.status)
        self._lifeline = Lifeline(ray.util.get_node_ip_address())
        self._host = Host(name, version, lambda: hosted, metrics.registry, settings.log_level)
        self._told = False
        # After a restart the settings may be of another number of publishers than there is now.
        threading.Thread(target=self._find_lanes, args=(settings,), daemon=True).start()

    def _find_lanes(self, settings: Settings) -> None:
        try:
            lanes = as_running(settings, ray.util.list_named_actors()).lanes
        except ray.exceptions.RayError as error:
            logger.warning("lanes as in the settings, the supervisor tells others: %s", error)
        else:
            if not self._told:
                self._copy.keep_lanes(lanes)

    def health(self) -> dict[str, object]:
        """Return state and progress, and where this process' life can be watched."""
        return self._host.health() | {"lifeline": self._lifeline.address}

    def metrics(self) -> bytes:
        """Return this actor's metrics as text; only the owner's, as both have the same series."""
        return self._host.metrics() if self._copy.owns else b""

    def stop(self, timeout_s: float) -> bool:
        """End the loop; return whether it ended in time."""
        return self._host.stop(timeout_s)

    def term(self) -> int | None:
        """Return the number of its promotion if it owns the partition, 0 if it owned from its
        start, None if it follows."""
        status = self._copy.status()
        term = status["term"]
        assert isinstance(term, int)
        return term if status["role"] == "owner" else None

    def promote(self, term: int) -> bool:
        """Own the partition soon; False if it was told so already."""
        return self._copy.promote(term)

    def demote(self, timeout_s: float) -> bool:
        """Stop owning the partition; return whether that was so in time."""
        return self._copy.demote(timeout_s)

    def keep_lanes(self, lanes: int) -> int | None:
        """Isolate markets within these lanes from now on; return how many are away, None where
        that is not known, as by a follower."""
        self._told = True
        return self._copy.keep_lanes(lanes)

    def state_hash(self) -> tuple[int, str]:
        """Return the journal number reached and the hash of the state there."""
        return self._copy.loop.state_hash()

    def bettors_of(self, event_id: str) -> list[str]:
        """Return who has an open bet on the event."""
        return self._copy.loop.bettors_of(event_id)

    def names(self, event_id: str, market_id: str) -> tuple[str, str]:
        """Return the names of an event and a market."""
        return self._copy.loop.names(event_id, market_id)

    def holder_of(self, event_id: str, market_id: str) -> int:
        """Return the partition that has a market."""
        return self._copy.loop.holder_of(event_id, market_id)

    def settled_bets(
        self, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> tuple[list[SettledRow], int | None]:
        """Return a page of a settlement's bets, and where the next begins."""
        return self._copy.loop.settled_bets(event_id, market_id, settlement, after, limit)
