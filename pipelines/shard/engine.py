"""The core as the loop drives it: records and ticks in, journal records and odds images out.

`decide` yields entries that follow from the state; the emitter applies each at once, so that the
next decision sees it. `Engine.drain` hands over what a transaction has to write.
"""

from collections.abc import Sequence

from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages.account_operations import AccountOperation
from pipelines.messages.isolation_entries import RequestTaken
from pipelines.messages.isolation_operations import IsolationOperation
from pipelines.messages.operations import BetsVoided, Operation, Result
from pipelines.messages.requests import BetRequest
from pipelines.messages.risk_operations import ShardRiskSet
from pipelines.messages.transfers import Forwarded, Send
from pipelines.ports import Record
from pipelines.shard.account import decide_account
from pipelines.shard.bets import decide_bet
from pipelines.shard.clock import due_timers, time_of
from pipelines.shard.costs import with_money
from pipelines.shard.decode import (
    Incoming,
    Unreadable,
    decode_bets,
    decode_operation,
    decode_plain,
    decode_transfer,
)
from pipelines.shard.due import decide_due
from pipelines.shard.emitter import Drained, Emitter
from pipelines.shard.forward import (
    decide_forward,
    has_arrived,
    incoming_of,
    operation_elsewhere,
    request_elsewhere,
    waiting_for,
)
from pipelines.shard.intake import decide_transfer
from pipelines.shard.isolation import decide_isolation
from pipelines.shard.keys import Keys
from pipelines.shard.legs import void_legs
from pipelines.shard.operations import decide_operation
from pipelines.shard.requests import decide_request
from pipelines.shard.risk_desk import decide_shard_risk
from pipelines.shard.state import EventState, ShardState
from pipelines.shard.unanswerable import lettered, refusal_of
from pipelines.topics import BETS, TRANSFERS

__all__ = ["Drained", "Engine"]

#: Entries that set a timer by wall time, whatever their event's clock.
_BY_WALL = frozenset({e.MarketResulted, e.MarketSettled})

Answer = e.Entry | list[e.Entry] | list[e.Entry | Send]


class Engine:
    """One shard's decisions. Not thread-safe: its loop owns it. `lanes`: see `Settings`."""

    def __init__(self, state: ShardState, partitions: int = 1, lanes: int = 1) -> None:
        self.state = state
        self._partitions = partitions
        self.lanes = lanes
        self._out = Emitter(state)
        self._emit = self._out.emit
        self._apply = self._out.apply
        keys = Keys()
        self._keys = keys.known
        self._key_of = keys.read

    def process(self, record: Record) -> None:
        """Decide one input record; it leaves at least one journal entry."""
        topic, _, offset, _, raw_key, value, client_id = record
        if topic == BETS:
            self._out.bets_next = offset + 1
            key = self._keys.get(raw_key) or self._key_of(raw_key)
            if key is not None and client_id:
                request = decode_plain(value)
                if type(request) is BetRequest:
                    self._plain_bet(record, key, request)
                    return
                if request is not None:
                    self._request(record, key, Incoming(client_id, "", request))
                    return
            incoming = decode_bets(value, client_id)
            if key is None:
                self._without_key(record, incoming)
                return
            for one in incoming:
                self._request(record, key, one)
            return
        if topic == TRANSFERS:
            self._transfer(record)
            return
        self._out.events_next = record.offset + 1
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
        return self._out.drain()

    def _plain_bet(self, record: Record, key: str, request: BetRequest) -> None:
        """Decide the common case, with as few calls as can be."""
        state = self.state
        event = state.events.get(key)
        if event is not None and (event.feed_clock or event.away):
            # It has a clock of its own, or markets in other shards.
            one = Incoming(record.client_id, "", request)
            self._request(record, key, one, record.value or b"")
            return
        at_ms = record.timestamp_ms
        if at_ms < state.now_ms:
            at_ms = state.now_ms
        if state.timers.due_ms <= at_ms:
            self._fire(None, at_ms)
            event = state.events.get(key)
        answer = decide_bet(state, event, key, record.client_id, request, at_ms)
        if state.account_markets or type(answer) is list:
            self._answer(record, key, answer, at_ms)
        else:
            self._emit(answer, at_ms)  # type: ignore[arg-type]

    def _request(self, record: Record, key: str, one: Incoming, value: bytes = b"") -> None:
        state = self.state
        event = self._pass_time(record, key)
        at_ms = time_of(state, event, 0, record.timestamp_ms)
        if event is not None and event.away and one.client_id:
            elsewhere = request_elsewhere(state, event, one.client_id, one.request, value)
            if elsewhere is not None:
                self._apply(decide_forward(event, elsewhere), at_ms)
                return
        answer = decide_request(state, key, one, at_ms)
        if isinstance(answer, tuple):
            self._unanswerable(record, key, one, *answer)
        else:
            self._answer(record, key, answer, at_ms)

    def _answer(self, record: Record, key: str, answer: Answer, at_ms: int) -> None:
        """Emit the answer to a request; on a market of accounts a bet waits for its money."""
        found: Sequence[e.Entry | Send] = answer if isinstance(answer, list) else [answer]
        wall_ms = 0
        if self.state.account_markets:
            found, wall_ms = with_money(self.state, key, found, at_ms, record.timestamp_ms)
        for one in found:
            self._apply(one, at_ms, wall_ms)

    def _transfer(self, record: Record) -> None:
        """Decide what another shard says."""
        self._out.transfers_next = record.offset + 1
        state = self.state
        transfer = decode_transfer(record.value)
        if isinstance(transfer, Unreadable) or record.key != transfer.to.encode():
            self._pass_time(record, "")
            reason = transfer.reason if isinstance(transfer, Unreadable) else "not its key"
            self._dead_letter(record, "", Code.INVALID_INPUT_DATA, reason)
            return
        key, body = transfer.to, transfer.body
        wall_ms = max(state.now_ms, record.timestamp_ms)
        self._fire(None, wall_ms)
        event = self._pass_time(record, key)
        at_ms = time_of(state, event, 0, record.timestamp_ms)
        feed = event if event is not None and event.feed_clock else None
        repeated = transfer.number <= state.transfers_seen.get(transfer.sender, 0)
        waiting = waiting_for(state, body)
        for one in decide_transfer(state, transfer):
            # Only what happens to a feed's event goes by its feed's time.
            of_event = not isinstance(one, Send) and one.event_id == key
            self._apply(one, at_ms if of_event else wall_ms)
        if isinstance(body, Forwarded) and not repeated:
            self._decide_item(body, wall_ms)
        for item in waiting if has_arrived(state, body) else ():
            head = (item.event_id, state.events[item.event_id].seq + 1, item.market_id, 0)
            self._emit(RequestTaken(*head), wall_ms)
            self._decide_item(item, wall_ms)
        self._fire(feed, at_ms)

    def _decide_item(self, item: Forwarded, at_ms: int) -> None:
        """Decide what came for a market elsewhere, as if it had come here."""
        state, key = self.state, item.event_id
        if item.topic == BETS:
            answer = decide_request(state, key, incoming_of(item), at_ms)
            assert not isinstance(answer, tuple), "its bettor is known"
            for one in answer if isinstance(answer, list) else [answer]:
                self._apply(one, at_ms)
            return
        operation = decode_operation(item.value)
        assert isinstance(operation, Operation)
        for entry in decide_operation(state, key, operation, at_ms):
            self._emit(entry, at_ms)

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
        if isinstance(operation, AccountOperation):
            self._pass_time(record, key)
            for entry in decide_account(state, key, operation):
                self._emit(entry, time_of(state, None, 0, record.timestamp_ms))
            return
        if isinstance(operation, ShardRiskSet):
            self._pass_time(record, key)
            found = decide_shard_risk(state, key, operation)
            self._emit(found, time_of(state, None, 0, record.timestamp_ms))
            return
        wall_ms = max(state.now_ms, record.timestamp_ms)
        if isinstance(operation, Result):
            self._fire(None, wall_ms)  # settling sets a timer by wall time, whatever the clock
        event = self._pass_time(record, key, operation.at_ms)
        feed = event is not None and event.feed_clock
        at_ms = time_of(state, event, operation.at_ms, record.timestamp_ms)
        if isinstance(operation, IsolationOperation):
            for one in decide_isolation(state, key, operation, self._partitions, self.lanes):
                self._apply(one, at_ms)
            return
        if event is not None and event.away:
            elsewhere = operation_elsewhere(event, operation, record.value or b"")
            if elsewhere is not None:
                self._apply(elsewhere, at_ms)
                return
        decided = decide_operation(state, key, operation, at_ms)
        if event is not None and not feed:
            self._out.apply_all(decided, at_ms)
        else:
            for entry in decided:
                if isinstance(entry, e.EventWasOpened) and entry.clock == "feed":
                    self._emit(entry, operation.at_ms)
                else:
                    self._emit(entry, at_ms, wall_ms if feed and type(entry) in _BY_WALL else 0)
        if isinstance(operation, BetsVoided) and event is not None:
            for one in void_legs(event, operation):
                self._apply(one, at_ms)

    def _pass_time(self, record: Record, key: str, stated_ms: int = 0) -> EventState | None:
        """Fire what is due before a record; return its event, which may be forgotten by that."""
        state = self.state
        event = state.events.get(key)
        at_ms = time_of(state, event, stated_ms, record.timestamp_ms)
        feed = event if event is not None and event.feed_clock else None
        if (state.timers if feed is None else feed.timers).due_ms > at_ms:
            return event
        self._fire(feed, at_ms)
        return state.events.get(key)

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
        at_ms = time_of(self.state, event, 0, record.timestamp_ms)
        self._emit(refusal_of(event, key, one, code, reason), at_ms)

    def _dead_letter(self, record: Record, key: str, code: Code, reason: str) -> None:
        event = self.state.events.get(key)
        at_ms = time_of(self.state, event, 0, record.timestamp_ms)
        self._out.keep(record, code, reason)
        self._emit(lettered(event, key, record, code, reason), at_ms)

    def _fire(self, feed: EventState | None, until_ms: int) -> None:
        """Decide every timer that is due by `until_ms` on one clock, each at its own due time."""
        timers = self.state.timers if feed is None else feed.timers
        for timer in due_timers(timers, until_ms):
            event = self.state.events.get(timer[3]) if timer[2] in ("hold", "settle") else None
            at_ms, wall_ms = timer[0], timer[0] if timer[2] == "surplus" else 0
            if event is not None and event.feed_clock:
                at_ms, wall_ms = event.now_ms, timer[0]
            self._out.apply_all(decide_due(self.state, timer), at_ms, wall_ms)
