"""What the audit's ledger holds of a market: each stake, where it is, and what the market has."""

from pipelines.books.engines import open_book
from pipelines.books.fixed import FixedBook
from pipelines.books.rounding import payout_minor
from pipelines.messages import entries as e
from pipelines.messages.operations import Market
from pipelines.shard.state import BetKey

__all__ = ["GONE", "MATCHED", "REMAINING", "SETTLED", "AuditedMarket", "AuditedStake"]

MATCHED = "matched"
REMAINING = "remaining"
SETTLED = "settled"
GONE = "lapsed, cancelled or voided"


class AuditedStake:
    __slots__ = (
        "in_part",
        "number",
        "odds_e4",
        "paid_minor",
        "place",
        "result",
        "selection_id",
        "shares_minor",
        "stake_minor",
    )

    def __init__(self, entry: e.BetEntry, place: str, odds_e4: int) -> None:
        self.selection_id = entry.selection_id
        self.stake_minor = entry.stake_minor
        self.in_part = isinstance(entry, e.BetPending) and entry.accept_partial
        self.odds_e4 = odds_e4
        self.place = place
        self.paid_minor = 0
        self.shares_minor = 0  # of a market maker
        self.result = ""
        self.number = 0  # in the order in which the market took its bets

    def take_part(self, entry: e.BetPartlyConfirmed) -> bool:
        """Keep so much of the stake as was taken; return whether that is right."""
        asked, self.stake_minor = self.stake_minor, entry.stake_minor
        right = asked == entry.asked_stake_minor and 0 < entry.stake_minor < asked
        return self.in_part and right

    def pays_minor(self) -> int:
        """Return what it pays if it wins outright, stake included."""
        return self.shares_minor or payout_minor(self.stake_minor, self.odds_e4)


class AuditedMarket:
    __slots__ = (
        "book",
        "definition",
        "early",
        "escrow_minor",
        "paid",
        "result",
        "staked",
        "stakes",
    )

    def __init__(self, definition: Market) -> None:
        self.definition = definition
        self.book = open_book(definition) if definition.engine in ("fixed", "lmsr") else None
        self.escrow_minor = 0
        self.stakes: dict[BetKey, AuditedStake] = {}
        self.result: e.MarketResulted | None = None
        self.staked = self.paid = 0  # of the present settlement, or of the one to come
        self.early: dict[int, str] = {}  # selections settled before the market

    def take(self, stake: AuditedStake) -> None:
        self.escrow_minor += stake.stake_minor
        if isinstance(self.book, FixedBook):
            stake.number = self.book.taken
        if self.book is not None:
            what = (stake.selection_id, stake.stake_minor, stake.odds_e4, stake.pays_minor())
            self.book.take(*what)

    def change(self, entry: e.OddsSet | e.SelectionWasRemoved) -> None:
        if self.book is None:
            return
        if isinstance(entry, e.OddsSet):
            self.book.set_prices(entry.prices)
        else:
            self.book.remove(entry.selection_id, entry.deduction_e4)

    def open_minor(self) -> int:
        return sum(s.stake_minor for s in self.stakes.values() if s.place == MATCHED)
