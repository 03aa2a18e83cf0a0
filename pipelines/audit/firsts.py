"""Who has been answered: every bet has one first answer, and a pending one a final answer.

Kept apart from the fold on purpose. Refusals are remembered within the bounds that the engine
promises (pipelines/limits.py); a bet that was taken is remembered as long as its event lives.
"""

from collections import OrderedDict
from collections.abc import MutableMapping

from pipelines.audit.moves import FirstsOfMarket
from pipelines.limits import ANSWERS_OUTSIDE_MARKETS_MAX, BETTOR_KEY_PREFIX, ORPHAN_ANSWERS_MAX
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.shard.state import BetKey

__all__ = ["FirstAnswers"]


_REFUSALS = (e.BetRejected, oe.OrderRejected)
_FINAL = e.BetConfirmed | e.BetPartlyConfirmed | e.BetDeclined | e.BetCancelled | oe.OrderConfirmed


class _Event:
    __slots__ = ("pending", "refused", "taken")

    def __init__(self) -> None:
        self.taken: dict[BetKey, e.BetEntry] = {}
        self.refused: OrderedDict[BetKey, e.BetEntry] = OrderedDict()
        self.pending: dict[BetKey, int] = {}  # due in ms


class FirstAnswers:
    """Follows the answers of one partition. `see` says what is wrong with one, "" for nothing."""

    def __init__(self) -> None:
        self._events: dict[str, _Event] = {}
        self._orphans: OrderedDict[tuple[str, str, str], e.BetEntry] = OrderedDict()

    def known(self, event_id: str, client_id: str, bet_id: str) -> e.BetEntry | None:
        """Return the first answer to a bet, None where there is none."""
        event = self._events.get(event_id)
        key = (client_id, bet_id)
        found = None if event is None else event.taken.get(key) or event.refused.get(key)
        # Refused before the event was opened: the refusal stands.
        return found or self._orphans.get((event_id, *key))

    def see(self, entry: e.Entry) -> str:
        """Look at the next entry."""
        if isinstance(entry, e.BetEntry):
            return self._first(entry)
        if isinstance(entry, _FINAL):
            return self._final(entry)
        if isinstance(entry, e.BetRepeated | e.BetConflict):
            if entry.event_id.startswith(BETTOR_KEY_PREFIX):
                return ""  # a coupon, followed by `bettors.py`
            if self.known(entry.event_id, entry.client_id, entry.bet_id) is None:
                return f"{_name(entry)} is answered again, but was never answered"
        elif isinstance(entry, e.EventWasOpened):
            self._events[entry.event_id] = _Event()
        elif isinstance(entry, e.EventRetired):
            event = self._events.pop(entry.event_id, None)
            if event is not None and event.pending:
                return f"event {entry.event_id!r} retired with {len(event.pending)} pending bets"
        return ""

    def leave(self, event_id: str, market_id: str) -> FirstsOfMarket:
        """Return and forget the answers of a market that goes to another shard."""
        event = self._events.get(event_id) or _Event()
        gone = FirstsOfMarket({}, {}, {})
        kept: tuple[tuple[MutableMapping[BetKey, e.BetEntry], dict[BetKey, e.BetEntry]], ...]
        kept = ((event.taken, gone.taken), (event.refused, gone.refused))
        for here, there in kept:
            there.update((k, entry) for k, entry in here.items() if entry.market_id == market_id)
            for key in there:
                del here[key]
        for key in gone.taken.keys() & event.pending.keys():
            gone.pending[key] = event.pending.pop(key)
        return gone

    def arrive(self, event_id: str, firsts: FirstsOfMarket) -> None:
        """A market came from another shard, with its answers."""
        event = self._events.setdefault(event_id, _Event())
        event.taken.update(firsts.taken)
        event.refused.update(firsts.refused)
        event.pending.update(firsts.pending)

    def pending(self) -> list[tuple[str, BetKey, int]]:
        """Return event, bet and due time of every bet that still waits for its final answer."""
        return [
            (event_id, key, due_ms)
            for event_id, event in self._events.items()
            for key, due_ms in event.pending.items()
        ]

    def _first(self, entry: e.BetEntry) -> str:
        twice = self.known(entry.event_id, entry.client_id, entry.bet_id) is not None
        event = self._events.get(entry.event_id)
        key = (entry.client_id, entry.bet_id)
        if event is None:
            if not isinstance(entry, _REFUSALS):
                return f"{_name(entry)} was taken on an event that is not open"
            self._orphans[entry.event_id, entry.client_id, entry.bet_id] = entry
            if len(self._orphans) > ORPHAN_ANSWERS_MAX:
                self._orphans.popitem(last=False)
        elif isinstance(entry, _REFUSALS):
            event.refused[key] = entry
            if len(event.refused) > ANSWERS_OUTSIDE_MARKETS_MAX:
                event.refused.popitem(last=False)
        else:
            event.taken[key] = entry
            if isinstance(entry, e.BetPending | oe.OrderPending):
                event.pending[key] = entry.due_ms
        return f"{_name(entry)} has a second first answer" if twice else ""

    def _final(self, entry: e.BetReference) -> str:
        event = self._events.get(entry.event_id)
        if event is None or event.pending.pop((entry.client_id, entry.bet_id), None) is None:
            return f"{_name(entry)} has a final answer, but was not pending"
        return ""


def _name(entry: e.BetEntry | e.BetReference) -> str:
    return f"bet {entry.bet_id!r} of {entry.client_id!r}"
