"""What the audit knows of a market goes with it from partition to partition.

A partition's journal is read on only once the market that arrives there was handed over in the one
it came from; so every check sees the market's whole life, in order, wherever it was.
"""

from dataclasses import dataclass

from pipelines.audit.exchange_money import ExchangeMoney
from pipelines.audit.stakes import AuditedMarket
from pipelines.audit.tally import Place, Tally
from pipelines.messages import entries as e
from pipelines.messages.isolation_entries import MarketArrived, MarketHandedOver
from pipelines.shard.state import BetKey

__all__ = ["FirstsOfMarket", "Luggage", "Moves"]


@dataclass(slots=True)
class FirstsOfMarket:
    """First answers to a market's bets, and when its pending ones are due (ms)."""

    taken: dict[BetKey, e.BetEntry]
    refused: dict[BetKey, e.BetEntry]
    pending: dict[BetKey, int]


@dataclass(slots=True)
class Luggage:
    """A market on its way: who was answered, its ledger, and the digest of its state."""

    firsts: FirstsOfMarket
    ledger: AuditedMarket | ExchangeMoney | None
    digest: str
    event_seq: int


class Moves:
    """Shared by all partitions."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        #: How many markets were followed from one partition to another so far.
        self.settled = 0
        #: No partition can be read on: what they wait for lies beyond what is read.
        self.stuck = False
        self._on_the_way: dict[tuple[str, str, int], tuple[Place, Luggage]] = {}

    def left(self, place: Place, entry: MarketHandedOver, luggage: Luggage) -> None:
        """A shard has handed a market over."""
        self._tally.count("markets handed over")
        self.settled += 1
        self._on_the_way[entry.event_id, entry.market_id, entry.market_seq] = (place, luggage)

    def is_there(self, entry: MarketArrived) -> bool:
        """Return whether the journal that this market came from has been read so far."""
        return (entry.event_id, entry.market_id, entry.market_seq - 1) in self._on_the_way

    def arrived(self, place: Place, entry: MarketArrived, complete: bool) -> Luggage | None:
        """Return what came with a market; None where it was not handed over, as far as was read."""
        name = (entry.event_id, entry.market_id, entry.market_seq - 1)
        _, luggage = self._on_the_way.pop(name, (None, None))
        self.settled += 1
        what = f"market {entry.market_id!r} of {entry.event_id!r} arrives"
        if luggage is None:
            if complete:
                self._tally.fail(place, f"{what}, which nobody handed over")
        elif luggage.digest != entry.digest:
            self._tally.fail(place, f"{what} with another state than it was handed over with")
        elif entry.event_seq <= luggage.event_seq:
            self._tally.fail(place, f"{what} with {entry.event_seq} after {luggage.event_seq}")
        return luggage

    def finish(self, complete: bool) -> None:
        """All partitions were read; with `complete`, no market may be on its way."""
        for (event_id, market_id, _), (place, _) in self._on_the_way.items():
            self._tally.count("markets on their way")
            if complete:
                self._tally.fail(place, f"market {market_id!r} of {event_id!r} has not arrived")
