"""The core as the loop drives it: records and ticks in, journal records and odds images out.

`decide` yields entries that follow from the state, `evolve` applies each at once, so that the next
decision sees it. `Engine.drain` hands over what a transaction has to write.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipelines.codes import Code
from pipelines.errors import CodecError
from pipelines.limits import DEAD_LETTER_VALUE_BYTES_MAX, EVENTS_PER_SHARD_MAX, ID_LENGTH_MAX
from pipelines.messages import entries as e
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.operations import Result
from pipelines.messages.requests import BetRequest
from pipelines.ports import Output, Positions, Record
from pipelines.shard.bets import decide_bet, decide_due_bet
from pipelines.shard.clock import due_timers, time_of
from pipelines.shard.decode import (
    Incoming,
    Unreadable,
    decode_bets,
    decode_operation,
    decode_plain,
)
from pipelines.shard.evolve import evolve
from pipelines.shard.image import UNSEEN, image_of
from pipelines.shard.operations import decide_operation
from pipelines.shard.requests import decide_request
from pipelines.shard.state import EventState, ShardState, Timer
from pipelines.topics import BETS, DEAD_LETTERS, JOURNAL, ODDS

__all__ = ["JOURNAL_VERSION", "Drained", "Engine", "fold", "positions_of"]

JOURNAL_VERSION = 1

_BETS_TAKEN = frozenset({e.BetAccepted, e.BetConfirmed})

_decode_journal = msgspec.msgpack.Decoder(e.JournalRecord).decode
_encode = msgspec.msgpack.Encoder().encode


def positions_of(state: ShardState) -> Positions:
    """Return where the inputs of a state go on."""
    return Positions(state.bets_next, state.events_next, state.transfers_next)


class Drained(NamedTuple):
    """What a transaction writes: its records, and how many of each kind."""

    outputs: list[Output]  # topic, key, value
    journal_records: list[e.JournalRecord]
    images: int
    positions: Positions


def fold(partition: int, values: Iterable[bytes]) -> ShardState:
    """Return the state that a journal's record values lead to. Raises JournalError, CodecError."""
    shard = ShardState(partition)
    for value in values:
        try:
            record = _decode_journal(value)
        except msgspec.DecodeError as error:
            after = f"journal of partition {partition} after record {shard.shard_seq}"
            raise CodecError(f"{after}: {error}") from error
        evolve(shard, record)
    return shard


class Engine:
    """One shard's decisions. Not thread-safe: its loop owns it."""

    def __init__(self, state: ShardState) -> None:
        self.state = state
        self._records: list[e.JournalRecord] = []
        self._dead: list[tuple[bytes, DeadLetter]] = []
        self._dirty: dict[tuple[str, str], None] = {}
        self._bets_next = state.bets_next
        self._events_next = state.events_next
        self._transfers_next = state.transfers_next
        self._keys: dict[bytes, str] = {}  # a cache, bounded

    def process(self, record: Record) -> None:
        """Decide one input record; it leaves at least one journal entry."""
        if record.topic == BETS:
            self._bets_next = record.offset + 1
            key = self._key_of(record.key)
            if key is not None and record.client_id:
                request = decode_plain(record.value)
                if type(request) is BetRequest:
                    self._plain_bet(record, key, request)
                    return
            incoming = decode_bets(record.value, record.client_id)
            if key is None:
                self._without_key(record, incoming)
                return
            for one in incoming:
                self._request(record, key, one)
            return
        self._events_next = record.offset + 1
        self._operation(record)

    def tick(self, now_ms: int) -> None:
        """Let wall time pass: fire what is due."""
        self._fire(None, now_ms)

    def fire_all(self, at_ms: int) -> None:
        """Let time pass on every clock, as far as `at_ms` (for dry runs)."""
        self._fire(None, at_ms)
        for event in list(self.state.events.values()):
            if event.feed_clock:
                self._fire(event, at_ms)

    def drain(self) -> Drained:
        """Return and forget what was decided since the last call, images at the end."""
        records, self._records = self._records, []
        dirty, self._dirty = self._dirty, {}
        dead, self._dead = self._dead, []
        outputs: list[tuple[str, bytes, bytes]] = [
            (JOURNAL, r.entry.event_id.encode(), _encode(r)) for r in records
        ]
        images = 0
        for event_id, market_id in dirty:
            event = self.state.events.get(event_id)
            if event is not None:
                image = image_of(event, event.markets[market_id])
                outputs.append((ODDS, event_id.encode(), _encode(image)))
                images += 1
        outputs += [(DEAD_LETTERS, key, _encode(letter)) for key, letter in dead]
        positions = Positions(self._bets_next, self._events_next, self._transfers_next)
        return Drained(outputs, records, images, positions)

    def _plain_bet(self, record: Record, key: str, request: BetRequest) -> None:
        """Decide the common case, with as few calls as can be."""
        state = self.state
        event = state.events.get(key)
        if event is not None and event.feed_clock:
            at_ms, timers, feed = event.now_ms, event.timers, event
        else:
            at_ms, timers, feed = max(state.now_ms, record.timestamp_ms), state.timers, None
        if timers.due_ms <= at_ms:
            self._fire(feed, at_ms)
            event = state.events.get(key)
        answer = decide_bet(state, event, key, record.client_id, request, at_ms)
        if type(answer) is list:
            for entry in answer:
                self._emit(entry, at_ms)
        else:
            self._emit(answer, at_ms)  # type: ignore[arg-type]

    def _request(self, record: Record, key: str, one: Incoming) -> None:
        state = self.state
        event = self._pass_time(record, key)
        at_ms = time_of(state, event, 0, record.timestamp_ms)
        answer = decide_request(state, key, one, at_ms)
        if isinstance(answer, tuple):
            self._unanswerable(record, key, one, *answer)
        elif isinstance(answer, list):
            for entry in answer:
                self._emit(entry, at_ms)
        else:
            self._emit(answer, at_ms)

    def _operation(self, record: Record) -> None:
        state = self.state
        operation = decode_operation(record.value)
        key = self._key_of(record.key)
        if key is None and not isinstance(operation, Unreadable):
            operation = Unreadable(Code.EVENT_KEY_MISMATCH, "the record has no usable key", {})
        if isinstance(operation, Unreadable):
            self._pass_time(record, key or "")
            self._dead_letter(record, key or "", operation.code, operation.reason)
            return
        assert key is not None
        wall_ms = max(state.now_ms, record.timestamp_ms)
        if isinstance(operation, Result):
            self._fire(None, wall_ms)  # settling sets a timer by wall time, whatever the clock
        event = self._pass_time(record, key, operation.at_ms)
        feed = event is not None and event.feed_clock
        at_ms = time_of(state, event, operation.at_ms, record.timestamp_ms)
        for entry in decide_operation(state, key, operation):
            if isinstance(entry, e.EventWasOpened) and entry.clock == "feed":
                self._emit(entry, operation.at_ms)
            elif feed and isinstance(entry, e.MarketSettled):
                self._emit(entry, at_ms, wall_ms)
            else:
                self._emit(entry, at_ms)

    def _pass_time(self, record: Record, key: str, stated_ms: int = 0) -> EventState | None:
        """Fire what is due before a record; return its event, which may be forgotten by that."""
        state = self.state
        event = state.events.get(key)
        at_ms = time_of(state, event, stated_ms, record.timestamp_ms)
        self._fire(event if event is not None and event.feed_clock else None, at_ms)
        return state.events.get(key)

    def _key_of(self, key: bytes | None) -> str | None:
        """Return a record's key as an event id, None where it cannot be one."""
        if key is None:
            return None
        known = self._keys.get(key)
        if known is not None:
            return known
        if not key or len(key) > ID_LENGTH_MAX * 4:
            return None
        try:
            text = key.decode()
        except UnicodeDecodeError:
            return None
        if len(text) > ID_LENGTH_MAX:
            return None
        if len(self._keys) >= EVENTS_PER_SHARD_MAX:
            self._keys.clear()
        self._keys[key] = text
        return text

    def _without_key(self, record: Record, incoming: list[Incoming]) -> None:
        reason = "the record has no usable key"
        self._pass_time(record, "")
        self._dead_letter(record, "", Code.EVENT_KEY_MISMATCH, reason)
        for one in incoming:
            if one.client_id:
                self._refuse(record, "", one, Code.EVENT_KEY_MISMATCH, reason)

    def _unanswerable(
        self, record: Record, key: str, one: Incoming, code: Code, reason: str
    ) -> None:
        self._dead_letter(record, key, code, reason)
        if one.client_id:
            self._refuse(record, key, one, code, reason)

    def _refuse(self, record: Record, key: str, one: Incoming, code: Code, reason: str) -> None:
        event = self.state.events.get(key)
        seq = event.seq + 1 if event is not None else 0
        at_ms = time_of(self.state, event, 0, record.timestamp_ms)
        entry = e.RequestRefused(key, seq, "", 0, one.client_id, one.message_id, code.value, reason)
        self._emit(entry, at_ms)

    def _dead_letter(self, record: Record, key: str, code: Code, reason: str) -> None:
        value = record.value or b""
        letter = DeadLetter(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp_ms,
            record.key or b"",
            value[:DEAD_LETTER_VALUE_BYTES_MAX],
            len(value),
            code.value,
            reason,
        )
        self._dead.append((record.key or b"", letter))
        event = self.state.events.get(key)
        seq = event.seq + 1 if event is not None else 0
        at_ms = time_of(self.state, event, 0, record.timestamp_ms)
        entry = e.RecordDeadLettered(
            key, seq, "", 0, record.topic, record.offset, code.value, reason
        )
        self._emit(entry, at_ms)

    def _fire(self, feed: EventState | None, at_ms: int) -> None:
        """Decide every timer that is due by `at_ms` on one clock, each at its own due time."""
        timers = self.state.timers if feed is None else feed.timers
        for timer in due_timers(timers, at_ms):
            for entry in self._due(timer):
                self._emit(entry, timer[0])

    def _due(self, timer: Timer) -> list[e.Entry]:
        event = self.state.events[timer[3]]
        if timer[2] == "bet":
            found = decide_due_bet(self.state, event, timer)
            return found if isinstance(found, list) else [found]
        head = (event.event_id, event.seq + 1, "", 0)
        if timer[2] == "start":
            return [e.EventIsStarting(*head, event.name)]
        return [e.EventRetired(*head)]

    def _emit(self, entry: e.Entry, at_ms: int, wall_ms: int = 0) -> None:
        state = self.state
        record = e.JournalRecord(
            JOURNAL_VERSION,
            state.shard_seq + 1,
            at_ms,
            self._bets_next,
            self._events_next,
            entry,
            wall_ms,
            self._transfers_next,
        )
        evolve(state, record)
        self._records.append(record)
        if not entry.market_seq:
            return
        kind = type(entry)
        if kind in UNSEEN:
            return
        where = (entry.event_id, entry.market_id)
        if where not in self._dirty and (
            kind not in _BETS_TAKEN or state.events[where[0]].markets[where[1]].book.moves_on_bets
        ):
            self._dirty[where] = None
