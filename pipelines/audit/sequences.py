"""Numbers of the journal: dense and rising in the shard, in each event and in each market.

Kept apart from the fold on purpose: it knows nothing of states, only of numbers.
"""

from typing import Final

from pipelines.audit.tally import Place, Tally
from pipelines.limits import BETTOR_KEY_PREFIX
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages.apart import apart
from pipelines.messages.isolation_entries import (
    AwayMarketEnded,
    MarketArrived,
    MarketHandedOver,
    MarketRecalled,
    RequestTaken,
    RequestWaits,
)

__all__ = ["Sequences"]

#: Entries that may name a market without having a number in it: it is unknown, or not concerned.
_MAY_BE_OUTSIDE: Final = frozenset(
    {
        e.RiskWasSet,
        e.LeverWasSet,
        e.BetRejected,
        e.CancelRejected,
        co.CashOutRejected,
        oe.ChangeRejected,
        e.BetRepeated,
        e.BetConflict,
        e.RequestRefused,
        e.RecordDeadLettered,
        e.EventWasOpened,
        e.EventIsStarting,
        e.EventRetired,
        e.OperationRefused,
        be.LegRefused,
        co.CashOutRejected,
        oe.ChangeRejected,
        MarketRecalled,
        RequestWaits,
        RequestTaken,
        AwayMarketEnded,
    }
)


class _Event:
    __slots__ = ("markets", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.markets: dict[str, int] = {}


class Sequences:
    """Follows the numbers of one partition; memory is a number for each event and market."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._shard_seq = 0
        self._bets_next = 0
        self._events_next = 0
        self._events: dict[str, _Event] = {}
        self._bettors: dict[str, int] = {}

    def see(self, place: Place, key: bytes, record: e.JournalRecord) -> None:
        """Look at the next record of the journal; after a gap go on from what was found."""
        self._tally.count("journal entries")
        self._follows(place, "shard_seq", self._shard_seq + 1, record.shard_seq)
        self._shard_seq = record.shard_seq
        if record.bets_next < self._bets_next or record.events_next < self._events_next:
            self._tally.fail(place, "an input position goes back")
        self._bets_next, self._events_next = record.bets_next, record.events_next
        entry = record.entry
        if key != entry.event_id.encode():
            self._tally.fail(place, f"key {key!r} of an entry of event {entry.event_id!r}")
        for part in apart(entry):
            self._event(place, part)

    def _event(self, place: Place, entry: e.Entry) -> None:
        event = self._events.get(entry.event_id)
        if event is None:
            if entry.event_id.startswith(BETTOR_KEY_PREFIX) and entry.event_seq:
                self._bettor(place, entry)
                return
            if isinstance(entry, MarketArrived):  # a guest; its numbers begin where it likes
                event = self._events[entry.event_id] = _Event()
                event.seq = entry.event_seq - 1
            elif not isinstance(entry, e.EventWasOpened):
                if entry.event_seq:
                    self._tally.fail(place, f"event {entry.event_id!r} has not been opened")
                return
            else:
                event = self._events[entry.event_id] = _Event()
                self._tally.count("events")
        if isinstance(entry, MarketArrived) and entry.event_seq > event.seq:
            event.seq = entry.event_seq - 1  # above the numbers of both shards
            event.markets[entry.market_id] = entry.market_seq - 1  # see `moves.py`
        name = f"event_seq of {entry.event_id!r}"
        self._follows(place, name, event.seq + 1, entry.event_seq)
        event.seq = entry.event_seq
        self._market(place, event, entry)
        if isinstance(entry, e.EventRetired):
            del self._events[entry.event_id]

    def _bettor(self, place: Place, entry: e.Entry) -> None:
        known = self._bettors.get(entry.event_id, 0)
        self._follows(place, f"event_seq of {entry.event_id!r}", known + 1, entry.event_seq)
        self._bettors[entry.event_id] = entry.event_seq

    def _market(self, place: Place, event: _Event, entry: e.Entry) -> None:
        name, number = entry.market_id, entry.market_seq
        known = event.markets.get(name)
        if not number:
            if type(entry) not in _MAY_BE_OUTSIDE:
                self._tally.fail(place, f"{type(entry).__name__} without a number in its market")
            return
        if known is None:
            if not isinstance(entry, e.MarketWasOpened):
                self._tally.fail(place, f"market {name!r} has not been opened")
            self._tally.count("markets")
            known = 0
        self._follows(place, f"market_seq of {name!r}", known + 1, number)
        event.markets[name] = number
        if isinstance(entry, MarketHandedOver):
            del event.markets[name]

    def _follows(self, place: Place, name: str, expected: int, found: int) -> None:
        if found != expected:
            self._tally.fail(place, f"{name}: {found} where {expected} follows")
