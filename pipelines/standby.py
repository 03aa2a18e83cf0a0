"""The state of a partition that somebody else decides: its journal, folded as it grows.

It stands beside `shard_loop.py`. A copy of a partition begins here: from the newest snapshot, then
the journal after it. It keeps up until it is promoted; then the loop fences, lets `finish` fold
what is left, and goes on from that state. Now and then it writes a snapshot, so that the next
restore is short; the loop that decides has nothing to do with that.
"""

import logging
from collections.abc import Callable
from typing import Final

from pipelines.errors import CodecError, JournalError
from pipelines.ports import Clock, JournalTail
from pipelines.shard.fold import fold_on
from pipelines.shard.state import ShardState
from pipelines.snapshots import Snapshot, SnapshotStore

__all__ = ["CAUGHT_UP_RECORDS", "Standby"]

logger = logging.getLogger(__name__)

FOLLOW_WAIT_S: Final = 0.02
#: So near to the end it may be promoted: the rest is folded in milliseconds.
CAUGHT_UP_RECORDS: Final = 2_000


class Standby:
    """Follows one partition; all but the attributes belongs to one thread."""

    def __init__(
        self,
        partition: int,
        tail: JournalTail,
        clock: Clock,
        store: SnapshotStore | None = None,
        snapshot_records: int = 0,
    ) -> None:
        self.state = ShardState(partition)
        self.progress_s = clock.monotonic_s()
        self.behind: int | None = None  # journal records that wait, None before any was seen
        self.snapshots = 0
        self.began_at = 0  # where in the journal the fold began
        self._tail = tail
        self._clock = clock
        self._store = store
        self._snapshot_records = snapshot_records
        self._saved_seq = 0
        self._loaded = False

    def load(self) -> None:
        """Begin at the newest snapshot, or at the journal's start."""
        found = self._store.load() if self._store is not None else None
        if found is not None and found.state.partition == self.state.partition:
            self.state, self.began_at = found
            self._saved_seq = self.state.shard_seq
            logger.info("partition=%d from a snapshot at %d", self.state.partition, self.began_at)
        self._tail.start(self.began_at)
        self._loaded = True
        self.progress_s = self._clock.monotonic_s()

    def step(self) -> None:
        """Fold what has come; may wait a moment. Raises BrokerError, JournalError, CodecError."""
        if not self._loaded:
            self.load()
        self._fold(self._tail.poll(FOLLOW_WAIT_S))
        self.behind = self._tail.behind()

    def caught_up(self) -> bool:
        """Return whether so little waits that it may be promoted."""
        return self.behind is not None and self.behind <= CAUGHT_UP_RECORDS

    def finish(self) -> ShardState:
        """Fold to the present end and return the state; call it once the partition is fenced."""
        if not self._loaded:
            self.load()
        for values in self._tail.rest():
            self._fold(values)
        return self.state

    def snapshot_is_due(self) -> bool:
        """Return whether enough was folded since the last snapshot to write the next."""
        if self._store is None or not self._snapshot_records or not self.caught_up():
            return False
        return self.state.shard_seq - self._saved_seq >= self._snapshot_records

    def save(self, go_on: Callable[[], bool]) -> bool:
        """Write a snapshot, as long as `go_on`; return whether it was written to its end."""
        assert self._store is not None, "there must be somewhere to write to"
        self._saved_seq = self.state.shard_seq
        reached = self._tail.reached()
        snapshot_id = f"{reached}-{self._clock.time_ms()}"
        saved = self._store.save(snapshot_id, Snapshot(self.state, reached), go_on)
        self.snapshots += saved
        self.progress_s = self._clock.monotonic_s()
        return saved

    def _fold(self, values: list[bytes]) -> None:
        try:
            fold_on(self.state, values)
        except (JournalError, CodecError):
            if not self.began_at:
                raise
            # The snapshot does not fit the journal: that costs a fold from the start, no more.
            logger.exception("partition=%d snapshot passed over", self.state.partition)
            self.state, self.began_at = ShardState(self.state.partition), 0
            self._tail.start(0)
        self.progress_s = self._clock.monotonic_s()

    def close(self) -> None:
        """Release connections; safe to call twice."""
        self._tail.close()
        if self._store is not None:
            self._store.close()
