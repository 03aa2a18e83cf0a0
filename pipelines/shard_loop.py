"""The loop of one partition: fence, fold the journal, then read, decide, commit until stopped.

1. Fence: whoever starts last is the only writer of the partition.
2. Fold the committed journal: that is the state, and where the inputs go on.
3. Read what is there, decide it, commit journal and odds in one transaction; when drained, let
   time pass. A failed commit ends the loop, because the state in memory is then ahead of the
   journal: a restart folds the journal anew.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from pipelines.answer_names import ANSWER_NAMES
from pipelines.errors import FencedError
from pipelines.messages.isolation_entries import MarketArrived, MarketHandedOver
from pipelines.messages.order_entries import OrderTraded
from pipelines.ports import Clock, Record, ShardLog
from pipelines.settings import Settings
from pipelines.shard import questions
from pipelines.shard.clock import next_due_ms
from pipelines.shard.engine import Drained, Engine
from pipelines.shard.fold import fold, positions_of
from pipelines.shard.hash import state_hash
from pipelines.shard.questions import SettledRow
from pipelines.shard.state import ACCEPTED, PENDING, ShardState
from pipelines.standby import Standby
from pipelines.topics import BETS, partition_of

__all__ = ["LoopMetrics", "ShardLoop"]

logger = logging.getLogger(__name__)

IDLE_WAIT_S: Final = 0.05  # a waiting poll returns at once when a record comes
_MOVES: Final = (MarketHandedOver, MarketArrived)


class LoopMetrics(Protocol):
    """What the loop reports; `pipelines.metrics.ShardMetrics` counts it."""

    def answers(self, counts: dict[str, int]) -> None: ...
    def committed(
        self, inputs: int, journal_records: int, odds_images: int, duration_s: float
    ) -> None: ...
    def bet_latencies(self, seconds: Sequence[float]) -> None: ...
    def restored(self, seconds: float, entries: int) -> None: ...


class ShardLoop:
    """One partition's life. `run` blocks and is made of `restore`, `step` and `end`, all in one
    thread; the other methods may be called from other threads."""

    def __init__(
        self,
        partition: int,
        log: ShardLog,
        clock: Clock,
        settings: Settings,
        metrics: LoopMetrics,
        lanes: int = 0,
    ) -> None:
        """`lanes`: other ones than the settings say."""
        self.partition = partition
        self._lanes = lanes or settings.lanes
        self._log = log
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._stop = threading.Event()
        self._lock = threading.Lock()  # held while the state changes; queries take it briefly
        self._state = ShardState(partition)
        self._engine = Engine(self._state, settings.partitions, self._lanes)
        self._phase = "starting"
        self._restored_s = 0.0
        self._progress_s = clock.monotonic_s()
        self._transactions = 0
        self._inputs = 0
        self._bets = 0
        self._open_bets = 0
        self._last_error = ""

    def run(self, standby: Standby | None = None) -> None:
        """Run until `stop`, from a standby's state where there is one; the log is closed at the
        end. Raises FencedError or BrokerError."""
        try:
            self.restore(standby)
            while not self._stop.is_set():
                self.step()
        except Exception as error:
            self.end(error)
            raise
        self.end()

    def end(self, error: Exception | None = None) -> None:
        """Close the log; `status` says what ended the loop, where anything did."""
        if error is None:
            self._phase = "stopped"
        else:
            self._phase = "fenced" if isinstance(error, FencedError) else "failed"
            self._last_error = str(error)
        self._log.close()

    def stop(self) -> None:
        """Ask the loop to end after the present transaction."""
        self._stop.set()

    @property
    def ready(self) -> bool:
        """Whether its state is the partition's: questions before or after are for another."""
        return self._phase == "running"

    def restore(self, standby: Standby | None = None) -> None:
        """Take the partition over and fold its journal, or the rest of it where a standby has
        folded already; `step` goes on from there."""
        self._phase = "restoring"
        began_s = self._clock.monotonic_s()
        self._log.fence()
        if standby is None:
            state = fold(self.partition, self._heartbeat(self._log.journal()))
        else:
            state = standby.finish()
        with self._lock:
            self._state = state
        self._log.assign(positions_of(state))
        self._restored_s = self._clock.monotonic_s() - began_s
        self._open_bets = _open_bets(state)
        self._metrics.restored(self._restored_s, state.shard_seq)
        logger.info(
            "restored partition=%d entries=%d seconds=%.3f",
            self.partition,
            state.shard_seq,
            self._restored_s,
        )
        with self._lock:
            self._engine = Engine(state, self._settings.partitions, self._lanes)
        self._warn_of_lanes(state)
        self._phase = "running"

    def _warn_of_lanes(self, state: ShardState) -> None:
        """Say which events have markets where another publisher sees them: odds may cross there."""
        settings = self._settings
        for event in state.events.values():
            places = {partition_of(a.to.encode(), settings.partitions) for a in event.away.values()}
            if any((place - self.partition) % self._lanes for place in places):
                logger.warning(
                    "markets are with another publisher, bring them back event=%s", event.event_id
                )

    def keep_lanes(self, lanes: int) -> int:
        """Isolate markets within these lanes from now on; return how many are away."""
        with self._lock:
            self._lanes = self._engine.lanes = lanes
            return _away(self._state)

    def _heartbeat(self, values: Iterator[bytes]) -> Iterator[bytes]:
        for count, value in enumerate(values):
            if not count % 10_000:
                self._progress_s = self._clock.monotonic_s()
            yield value

    def step(self) -> None:
        """Read what is there, decide it, write it. Raises FencedError or BrokerError."""
        engine = self._engine
        wait_s = self._wait_s()
        records = self._log.poll(self._settings.transaction_records_max, wait_s)
        began_s = self._clock.monotonic_s()
        self._progress_s = began_s
        with self._lock:
            for record in records:
                engine.process(record)
            if not records:
                due = next_due_ms(self._state)
                if due is not None and due <= (now := self._clock.time_ms()):
                    engine.tick(now)
            drained = engine.drain()
        if drained.outputs:
            self._log.commit(drained.outputs, drained.positions)
            self._report(records, drained, began_s)

    def _wait_s(self) -> float:
        """How long to wait for a record: until the next timer, at most the idle wait."""
        due = next_due_ms(self._state)
        if due is None:
            return IDLE_WAIT_S
        return min(max((due - self._clock.time_ms()) / 1_000, 0.0), IDLE_WAIT_S)

    def _report(self, records: list[Record], drained: Drained, began_s: float) -> None:
        self._transactions += 1
        self._inputs += len(records)
        now_ms = self._clock.time_ms()
        latencies = [(now_ms - r.timestamp_ms) / 1_000 for r in records if r.topic == BETS]
        self._bets += len(latencies)
        counts: dict[str, int] = {}
        for record in drained.journal_records:
            entry = record.entry
            name = ANSWER_NAMES.get(type(entry))
            if name is not None:
                counts[name] = counts.get(name, 0) + 1
            if isinstance(entry, OrderTraded):
                counts["matched"] = counts.get("matched", 0) + len(entry.matches)
        self._open_bets += counts.get("accepted", 0) + counts.get("pending", 0)
        self._open_bets += counts.get("unsettled", 0)
        for closed in ("settled", "declined", "cancelled", "cashed_out"):
            self._open_bets -= counts.get(closed, 0)
        if any(isinstance(r.entry, _MOVES) for r in drained.journal_records):
            self._open_bets = _open_bets(self._state)
        metrics = self._metrics
        metrics.answers(counts)
        metrics.bet_latencies(latencies)
        metrics.committed(
            len(records),
            len(drained.journal_records),
            drained.images,
            self._clock.monotonic_s() - began_s,
        )

    def status(self) -> dict[str, object]:
        """Return where the shard is, as plain values."""
        state, risk = self._state, self._state.risk
        return {
            "partition": self.partition,
            "state": self._phase,
            "shard_seq": state.shard_seq,
            "bets_next": state.bets_next,
            "events_next": state.events_next,
            "transfers_next": state.transfers_next,
            "events": len(state.events),
            "markets": sum(len(event.markets) for event in tuple(state.events.values())),
            "open_bets": self._open_bets,
            "transactions": self._transactions,
            "inputs": self._inputs,
            "bets": self._bets,
            "restored_s": round(self._restored_s, 3),
            "markets_away": _away(state),
            "lanes": self._lanes,
            "house_loss_minor": risk.loss_minor if risk is not None else 0,
            "house_loss_limit_minor": risk.rules.loss_limit_minor if risk is not None else 0,
            "last_progress_s": self._progress_s,
            "last_error": self._last_error,
        }

    def state_hash(self) -> tuple[int, str]:
        """Return the journal number reached and the hash of the state there."""
        with self._lock:
            return self._state.shard_seq, state_hash(self._state)

    def bettors_of(self, event_id: str) -> list[str]:
        """Return the ids of those with an open bet on the event, in order of their first."""
        with self._lock:
            return questions.bettors_of(self._state, event_id)

    def names(self, event_id: str, market_id: str) -> tuple[str, str]:
        """Return the names of an event and a market, their ids where they have none."""
        with self._lock:
            return questions.names(self._state, event_id, market_id)

    def holder_of(self, event_id: str, market_id: str) -> int:
        """Return the partition that has a market, as far as is known here."""
        with self._lock:
            key = questions.holder_of(self._state, event_id, market_id)
        return partition_of(key.encode(), self._settings.partitions) if key else self.partition

    def settled_bets(
        self, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> tuple[list[SettledRow], int | None]:
        """Return a page of a settlement's bets from index `after`, and where the next begins."""
        with self._lock:
            return questions.settled_bets(
                self._state, event_id, market_id, settlement, after, limit
            )


def _away(state: ShardState) -> int:
    return sum(len(event.away) for event in tuple(state.events.values()))


def _open_bets(state: ShardState) -> int:
    return sum(
        bet.status in (PENDING, ACCEPTED)
        for event in state.events.values()
        for bet in event.bets.values()
    )
