"""Adds up what the topics hold, over all partitions, until it becomes `Figures`."""

from collections import Counter
from typing import Final

from pipelines.audit.report import Figures
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe

__all__ = ["Totals"]

_ANSWERS: Final[dict[type, str]] = {
    e.BetAccepted: "accepted",
    e.BetPartlyAccepted: "accepted",
    e.BetPending: "pending",
    e.BetRejected: "rejected",
    e.BetConfirmed: "confirmed",
    e.BetPartlyConfirmed: "confirmed",
    e.BetDeclined: "declined",
    e.BetCancelled: "cancelled",
    e.BetRepeated: "repeated",
    e.BetConflict: "conflicts",
    e.RequestRefused: "refused",
    e.RecordDeadLettered: "dead_lettered",
    e.EventWasOpened: "events",
    e.MarketWasOpened: "markets",
    oe.OrderPlaced: "accepted",
    oe.OrderTraded: "accepted",
    oe.OrderPending: "pending",
    oe.OrderRejected: "rejected",
    oe.OrderConfirmed: "confirmed",
}
_RESULTS: Final = {"win": "won", "loss": "lost", "void": "void", "cash_out": "cashed_out"}


class Totals:
    """Counters; one object for all partitions."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._bettors: set[str] = set()

    def entry(self, entry: e.Entry) -> None:
        """Count an entry of the journal."""
        self._counts["journal_entries"] += 1
        name = _ANSWERS.get(type(entry))
        if name is not None:
            self._counts[name] += 1
        if isinstance(entry, e.BetEntry):
            self._bettors.add(entry.client_id)

    def count(self, name: str, number: int) -> None:
        """Add to a figure that is counted elsewhere."""
        self._counts[name] += number

    def staked(self, stake_minor: int) -> None:
        """A stake went into a market."""
        self._counts["money_in_minor"] += stake_minor

    def paid(self, result: str, payout_minor: int, bets: int) -> None:
        """A bet came out (`bets` 1), or is open again (-1, with the payout taken back)."""
        self._counts[_RESULTS.get(result, "void")] += bets
        self._counts["refunded_minor" if result == "void" else "paid_minor"] += payout_minor

    def posted(self, amount_minor: int, markets: int) -> None:
        """A market was settled (1), or its result rolled back (-1, with a reversed amount)."""
        self._counts["house_minor"] += amount_minor
        self._counts["markets_settled"] += markets

    def figures(self) -> Figures:
        """Return the sums. `accepted` counts bets taken at once and after the delay."""
        counts = dict(self._counts)
        confirmed = counts.pop("confirmed", 0)
        counts["accepted"] = counts.get("accepted", 0) + confirmed
        counts["pending"] = (
            counts.get("pending", 0)
            - confirmed
            - counts.get("declined", 0)
            - counts.get("cancelled", 0)
        )
        out = ("paid_minor", "refunded_minor", "house_minor")
        held = counts.get("money_in_minor", 0) - sum(counts.get(name, 0) for name in out)
        return Figures(bettors=len(self._bettors), held_minor=held, **counts)
