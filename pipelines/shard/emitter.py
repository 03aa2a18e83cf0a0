"""What decisions become: entries applied at once, and the records that a transaction writes.

Each entry is applied before the next is decided. What follows from an entry by itself, whatever
decided it, is emitted here too: the word to a bettor's account, and to the coupons of a market's
legs.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from pipelines.messages.bettor_entries import TransferSent
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.transfers import MarketEnded, Send, Transfer
from pipelines.ports import Output, Positions, Record
from pipelines.shard.evolve import evolve
from pipelines.shard.funds import follow
from pipelines.shard.image import UNSEEN, image_bytes
from pipelines.shard.legs import reopen_legs, settle_legs
from pipelines.shard.settling_changes import outcome_followed
from pipelines.shard.state import ShardState
from pipelines.shard.unanswerable import letter_of
from pipelines.topics import DEAD_LETTERS, JOURNAL, ODDS, TRANSFERS

__all__ = ["JOURNAL_VERSION", "Drained", "Emitter"]

JOURNAL_VERSION = 1

_BETS_TAKEN = frozenset({e.BetAccepted, e.BetPartlyAccepted, e.BetConfirmed, e.BetPartlyConfirmed})
_ENDS = frozenset({e.MarketSettled, e.MarketUnsettled})

_encode = msgspec.msgpack.Encoder().encode


class Drained(NamedTuple):
    """What a transaction writes: its records, and how many of each kind."""

    outputs: list[Output]  # topic, key, value
    journal_records: list[e.JournalRecord]
    images: int
    positions: Positions


class Emitter:
    """Owns what waits to be written, and the positions reached."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._records: list[e.JournalRecord] = []
        self._dead: list[tuple[bytes, DeadLetter]] = []
        self._sent: list[Output] = []
        self._dirty: dict[tuple[str, str], None] = {}
        self.bets_next = state.bets_next
        self.events_next = state.events_next
        self.transfers_next = state.transfers_next

    def drain(self) -> Drained:
        """Return and forget what was decided since the last call, images at the end."""
        records, self._records = self._records, []
        dirty, self._dirty = self._dirty, {}
        dead, self._dead = self._dead, []
        sent, self._sent = self._sent, []
        outputs: list[tuple[str, bytes, bytes]] = [
            (JOURNAL, r.entry.event_id.encode(), _encode(r)) for r in records
        ]
        images = 0
        for event_id, market_id in dirty:
            event = self._state.events.get(event_id)
            market = event.markets.get(market_id) if event is not None else None
            if event is not None and market is not None:  # it may have left for another shard
                outputs.append((ODDS, event_id.encode(), image_bytes(event, market)))
                images += 1
        outputs += sent
        outputs += [(DEAD_LETTERS, key, _encode(letter)) for key, letter in dead]
        positions = Positions(self.bets_next, self.events_next, self.transfers_next)
        return Drained(outputs, records, images, positions)

    def keep(self, record: Record, code: Code, reason: str) -> None:
        """Keep a record as a dead letter; its entry is emitted apart."""
        self._dead.append((record.key or b"", letter_of(record, code, reason)))

    def apply(self, one: e.Entry | Send, at_ms: int, wall_ms: int = 0) -> None:
        """Emit an entry; or send a transfer, which leaves an entry too."""
        if not isinstance(one, Send):
            self.emit(one, at_ms, wall_ms)
            return
        state = self._state
        number = state.transfers_sent + 1
        transfer = Transfer(1, state.partition, number, one.to, one.body)
        self._sent.append((TRANSFERS, one.to.encode(), _encode(transfer)))
        self.emit(TransferSent("", 0, "", 0, one.to, number, one.body), max(state.now_ms, wall_ms))

    def apply_all(self, decided: Iterable[e.Entry | Send], at_ms: int, wall_ms: int = 0) -> None:
        """Emit what was decided together; outcomes of a market's bets, by the million, shorter."""
        state, add = self._state, self._records.append
        behind: type | None = None  # the kind of outcome whose first was applied in full
        for one in decided:
            outcome = one if type(one) is e.BetSettled or type(one) is e.BetUnsettled else None
            if outcome is None or type(outcome) is not behind:
                self.apply(one, at_ms, wall_ms)
                behind = None
                if outcome is not None and self._follows_plainly(outcome):
                    behind = type(outcome)
                    event = state.events[outcome.event_id]
                    market = event.markets[outcome.market_id]
                continue
            number = state.shard_seq + 1
            outcome_followed(state, event, market, outcome)
            add(
                e.JournalRecord(
                    JOURNAL_VERSION,
                    number,
                    at_ms,
                    self.bets_next,
                    self.events_next,
                    outcome,
                    wall_ms,
                    self.transfers_next,
                )
            )

    def _follows_plainly(self, outcome: e.BetSettled | e.BetUnsettled) -> bool:
        """Return whether `outcome_followed` may apply what comes behind an outcome."""
        state = self._state
        event = state.events[outcome.event_id]
        market = event.markets[outcome.market_id]
        settling = market.settling
        return (
            not state.account_markets
            and event.risk is None
            and state.risk_over(event) is None
            and market.exchange is None
            and settling is not None
            and settling.kind in ("settle", "roll_back")
        )

    def emit(self, entry: e.Entry, at_ms: int, wall_ms: int = 0) -> None:
        """Apply an entry, and what follows from it."""
        state = self._state
        record = e.JournalRecord(
            JOURNAL_VERSION,
            state.shard_seq + 1,
            at_ms,
            self.bets_next,
            self.events_next,
            entry,
            wall_ms,
            self.transfers_next,
        )
        evolve(state, record)
        self._records.append(record)
        if not entry.market_seq:
            return
        kind = type(entry)
        if state.account_markets:
            for part in apart(entry):
                if (send := follow(state, part)) is not None:
                    self.apply(send, at_ms)
        if kind in _ENDS:
            self._ended(entry, at_ms)
        if kind in UNSEEN:
            return
        where = (entry.event_id, entry.market_id)
        if where not in self._dirty and (
            kind not in _BETS_TAKEN or state.events[where[0]].markets[where[1]].book.moves_on_bets
        ):
            self._dirty[where] = None

    def _ended(self, entry: e.Entry, at_ms: int) -> None:
        """A market is settled, or open again: whom that concerns elsewhere is told."""
        event = self._state.events[entry.event_id]
        if event.guest:
            settled = isinstance(entry, e.MarketSettled)
            ended = MarketEnded(entry.event_id, entry.market_id, settled)
            self.apply(Send(entry.event_id, ended), at_ms)
        if event.markets[entry.market_id].legs:
            self._legs(entry, at_ms)

    def _legs(self, entry: e.Entry, at_ms: int) -> None:
        """A result, or its rollback, is complete: so is it for the legs of coupons."""
        event = self._state.events[entry.event_id]
        market = event.markets[entry.market_id]
        if isinstance(entry, e.MarketSettled):
            told = settle_legs(event, market)
        else:
            assert isinstance(entry, e.MarketUnsettled)
            told = reopen_legs(event, market, entry.settlement)
        for one in told:
            self.apply(one, at_ms)
