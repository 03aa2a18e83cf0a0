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
    """A copy for the life of its process. `run_until` blocks and is made of `step` and `close`, all
    in one thread; the rest is for other threads."""

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
        try:
            while not stop.is_set():
                self.step(stop.is_set)
        finally:
            self.close()

    def step(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Fold or decide what is there, take over, or step back, as it was told. Raises as
        `run_until` does."""
        loop = self._loop
        if loop is None:
            self._follow(stopping)
        elif self.owns:
            self._own(loop.step)
        else:
            self._leave()

    def close(self) -> None:
        """Stop following or owning; no step comes after."""
        if self._loop is not None and not self._left.is_set():
            self._leave()
        self._forget_standby()

    def _follow(self, stopping: Callable[[], bool]) -> None:
        standby = self._standby
        if standby is None:
            standby = self._standby = Standby(
                self.partition,
                self._make_tail(),
                self._clock,
                self._make_store(),
                self._settings.snapshot_records,
            )
        standby.step()
        # An owner to be catches up before it fences: most of a restore disturbs nobody.
        if self.owns and standby.caught_up():
            self._take_over(standby)
        elif not self.owns and standby.snapshot_is_due():
            standby.save(lambda: not (self.owns or stopping()))

    def _take_over(self, standby: Standby) -> None:
        args = (self._clock, self._settings, self._metrics)
        loop = ShardLoop(self.partition, self._make_log(), *args, self._lanes)
        self._left.clear()
        self._loop = loop
        loop.keep_lanes(self._lanes)  # others were told while it was being made
        if self.owns:
            self._own(lambda: loop.restore(standby))
        else:
            self._leave()  # told so while the loop was being made
        self._forget_standby()

    def _own(self, act: Callable[[], None]) -> None:
        try:
            act()
        except FencedError as error:
            self._promoted.clear()
            self._leave(error)
            if self._alone:
                raise
            logger.warning("partition=%d follows from now on: %s", self.partition, error.message)
        except Exception as error:
            self._leave(error)
            raise

    def _leave(self, error: Exception | None = None) -> None:
        assert self._loop is not None, "there is a loop to leave"
        self._loop.end(error)
        if error is None or not self._alone:
            self._loop = None
        self._left.set()

    def _forget_standby(self) -> None:
        standby, self._standby = self._standby, None
        if standby is not None:
            standby.close()

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
