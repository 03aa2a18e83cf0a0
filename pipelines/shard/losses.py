"""What the house loses on a market at worst: the field book, from which limits are made."""

from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.rounding import payout_minor
from pipelines.shard.state import MarketState

__all__ = ["pays_minor", "worst_loss_minor"]


def pays_minor(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what a new bet pays if it wins: of a market maker, the shares that it buys."""
    book, payout = market.book, payout_minor(stake_minor, odds_e4)
    if isinstance(book, LmsrBook):
        return max(payout, book.bought_minor(selection_id, stake_minor))
    return payout


def worst_loss_minor(
    market: MarketState, selection_id: int = -1, stake_minor: int = 0, odds_e4: int = 0
) -> int:
    """Return the loss in the worst result, 0 for none, with a bet more if any; settled: for good.

    A pool pays out of what was staked; on an exchange bettors pay each other.
    """
    book = market.book
    if market.settled:
        return max(0, -sum(amount for _, amount in market.postings))
    if isinstance(book, FixedBook):
        return book.worst_loss_minor(selection_id, stake_minor, odds_e4)
    if isinstance(book, LmsrBook):
        more = pays_minor(market, selection_id, stake_minor, odds_e4) if stake_minor else 0
        total = book.total + stake_minor
        owed = max(x + (more if s == selection_id else 0) for s, x in book.owed.items())
        return max(owed - total, 0)
    return 0
