"""Stages 5 to 7 for a bet with a market maker: it buys shares, as many as its stake pays for.

Looks at the state and changes nothing.
"""

from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages.requests import BetRequest
from pipelines.shard.bet_answers import pending, rejected
from pipelines.shard.bets_at_risk import decide_at_risk, refused, take_part
from pipelines.shard.state import EventState, MarketState, ShardState

__all__ = ["decide_shares"]


def decide_shares(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    at_ms: int,
) -> e.Entry:
    """Answer a bet that may be taken, by what its stake buys.

    With `price_limit_e6` it is a trade to a price: no more of the stake is taken than brings the
    price of the next share up to the limit.
    """
    book = market.book
    assert isinstance(book, LmsrBook)
    if bet.price_limit_e6:
        most = book.stake_to_price(bet.selection_id, bet.price_limit_e6 / 1_000_000)
        if most < bet.stake_minor:
            if most < market.stake_min_minor:
                return rejected(event, market, client_id, bet, Code.ODDS_CHANGED)
            return take_part(shard, event, market, client_id, bet, most, Code.ODDS_CHANGED, at_ms)
    odds = book.price(bet)
    if isinstance(odds, Code):
        return refused(shard, event, market, client_id, bet, odds, at_ms)
    if event.risk is not None or shard.risk is not None or bet.accept_partial:
        return decide_at_risk(shard, event, market, client_id, bet, odds, at_ms)
    if market.bet_delay_ms and market.in_play:
        return pending(event, market, client_id, bet, at_ms + market.bet_delay_ms)
    return e.BetAccepted(
        event.event_id,
        event.seq + 1,
        bet.market_id,
        market.seq + 1,
        client_id,
        bet.bet_id,
        bet.selection_id,
        bet.stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        odds,
        book.shares_at(bet.selection_id, bet.stake_minor, odds),
    )
