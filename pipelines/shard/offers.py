"""What the house would take instead of a bet that it refuses: the counter-offer of a refusal."""

from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import Code
from pipelines.messages.requests import BetRequest
from pipelines.shard.state import MarketState

__all__ = ["offer_of"]

_ANSWERED = frozenset({Code.ODDS_CHANGED, Code.LOSS_LIMIT_EXCEEDED, Code.ABOVE_MAX_BET_AMOUNT})


def offer_of(market: MarketState | None, bet: BetRequest, code: Code) -> tuple[int, int]:
    """Return the odds and the largest stake up to the bet's that would be taken now, or 0, 0.

    An offer is no promise: the bet has to be placed anew, and is decided by what holds then.
    """
    if market is None or code not in _ANSWERED:
        return 0, 0
    book, selection_id = market.book, bet.selection_id
    stake_minor = min(bet.stake_minor, market.stake_max_minor)
    if isinstance(book, FixedBook):
        odds = book.quote(selection_id)
        stake_minor = book.stake_max_minor(selection_id, odds, stake_minor) if odds else 0
    elif isinstance(book, LmsrBook):
        odds = book.odds_for(selection_id, stake_minor)
    else:
        return 0, 0
    return (odds, stake_minor) if odds and stake_minor >= market.stake_min_minor else (0, 0)
