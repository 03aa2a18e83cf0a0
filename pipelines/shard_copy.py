"""One copy of a partition's books: follows the journal until it is promoted, then owns it.

    following --promote--> owner --demote, or fenced by a newer owner--> following

Two copies may exist; who owns is settled in Kafka by fencing, so whoever errs about it does no
harm. A copy that is alone needs nobody to promote it: it owns from its start.
"""

import logging
import threading
from collections.abc import Callable

from pipelines.errors import FencedError, OverroundError
from pipelines.ports import Clock, JournalTail, ShardLog
from pipelines.settings import Settings
from pipelines.shard_loop import LoopMetrics, ShardLoop
from pipelines.snapshots import SnapshotStore
from pipelines.standby import Standby

__all__ = ["NotOwnerError", "ShardCopy"]

logger = logging.getLogger(__name__)


class NotOwnerError(OverroundError):
    """This copy follows, or is not ready yet: ask the other, or later."""


class ShardCopy:
    """A copy for the life of its process. `run_until` blocks; the rest is for other threads."""

    def __init__(
        self,
        partition: int,
        make_log: Callable[[], ShardLog],
        make_tail: Callable[[], JournalTail],
        make_store: Callable[[], SnapshotStore],
        clock: Clock,
        settings: Settings,
        metrics: LoopMetrics,
        alone: bool,
    ) -> None:
        self.partition = partition
        self._make_log = make_log
        self._make_tail = make_tail
        self._make_store = make_store
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._alone = alone
        self._lanes = settings.lanes
        self._term = 0
        self._promoted = threading.Event()
        self._left = threading.Event()  # no loop of this copy owns
        self._left.set()
        self._loop: ShardLoop | None = None
        self._standby: Standby | None = None
        self._began_s = clock.monotonic_s()
        if alone:
            self._promoted.set()

    @property
    def owns(self) -> bool:
        """Whether it owns the partition, or is about to."""
        return self._promoted.is_set()

    @property
    def loop(self) -> ShardLoop:
        """The loop that owns the partition. Raises NotOwnerError."""
        loop = self._loop
        if loop is None or not self.owns or not loop.ready:
            raise NotOwnerError(f"this copy of partition {self.partition} is not its owner now")
        return loop

    def promote(self, term: int) -> bool:
        """Own the partition soon; `term` grows with each promotion. False if it is no news."""
        if term <= self._term:
            return False
        self._term = term
        self._promoted.set()
        return True

    def demote(self, timeout_s: float) -> bool:
        """Stop owning, between two transactions; return whether that was so in time."""
        self._promoted.clear()
        loop = self._loop
        if loop is not None:
            loop.stop()
        return self._left.wait(timeout_s)

    def keep_lanes(self, lanes: int) -> int | None:
        """Isolate markets within these lanes from now on; return how many are away, None where
        that is not known, as by a follower."""
        self._lanes = lanes
        loop = self._loop
        away = loop.keep_lanes(lanes) if loop is not None else None
        return away if loop is not None and loop.ready and self.owns else None

    def run_until(self, stop: threading.Event) -> None:
        """Follow and own in turn. Raises what ends it; FencedError only where it is alone."""
        threading.Thread(target=self._stop_when, args=(stop,), daemon=True).start()
        while not stop.is_set():
            standby = self._follow(stop)
            try:
                if self.owns and not stop.is_set():
                    self._own(standby, stop)
            finally:
                self._standby = None
                standby.close()

    def _follow(self, stop: threading.Event) -> Standby:
        standby = self._standby = Standby(
            self.partition,
            self._make_tail(),
            self._clock,
            self._make_store(),
            self._settings.snapshot_records,
        )
        try:
            # An owner to be catches up before it fences: most of a restore disturbs nobody.
            while not stop.is_set() and not (self.owns and standby.caught_up()):
                standby.step()
                if not self.owns and standby.snapshot_is_due():
                    standby.save(lambda: not (self.owns or stop.is_set()))
        except BaseException:
            standby.close()
            raise
        return standby

    def _own(self, standby: Standby, stop: threading.Event) -> None:
        args = (self._clock, self._settings, self._metrics)
        loop = ShardLoop(self.partition, self._make_log(), *args, self._lanes)
        self._left.clear()
        self._loop = loop
        loop.keep_lanes(self._lanes)  # others were told while it was being made
        if stop.is_set() or not self.owns:
            loop.stop()  # told so while the loop was being made
        try:
            loop.run(standby)
        except FencedError as error:
            self._promoted.clear()
            if self._alone:
                raise
            logger.warning("partition=%d follows from now on: %s", self.partition, error.message)
        finally:
            if not self._alone:
                self._loop = None
            self._left.set()

    def _stop_when(self, stop: threading.Event) -> None:
        stop.wait()
        loop = self._loop
        if loop is not None:
            loop.stop()

    def status(self) -> dict[str, object]:
        """Return where the copy is, as plain values; `role` is owner or follower."""
        loop, standby = self._loop, self._standby
        told: dict[str, object] = {"role": "owner" if self.owns else "follower", "term": self._term}
        if loop is not None:
            return loop.status() | told
        state = standby.state if standby is not None else None
        return told | {
            "partition": self.partition,
            "state": "restoring" if self.owns else "following",
            "shard_seq": state.shard_seq if state is not None else 0,
            "bets_next": state.bets_next if state is not None else 0,
            "events_next": state.events_next if state is not None else 0,
            "transfers_next": state.transfers_next if state is not None else 0,
            "lanes": self._lanes,
            "behind": standby.behind if standby is not None else None,
            "snapshots": standby.snapshots if standby is not None else 0,
            "began_at": standby.began_at if standby is not None else 0,
            "last_progress_s": standby.progress_s if standby is not None else self._began_s,
            "last_error": "",
        }
