"""The tests that nearly every order passes, each in one place and one go; `orders.py` asks them.

True is sure; false only means that the whole way through the checks is to be taken.
"""

from typing import Final

from pipelines.limits import (
    BETS_PER_MARKET_MAX,
    MARKET_STAKES_MAX_MINOR,
    ODDS_MAX_E4,
    ODDS_ONE,
)
from pipelines.messages.requests import BetRequest
from pipelines.shard.state import MarketState

__all__ = ["surely_good", "surely_waits"]

#: A lay of this size has room at any price in a market that is not half full.
STAKE_SURELY_GOOD_MINOR: Final = MARKET_STAKES_MAX_MINOR // 2 // (ODDS_MAX_E4 // ODDS_ONE)


def surely_good(market: MarketState, bet: BetRequest, key: str) -> bool:
    """Return whether all is well with an order as a bet; it may be so too where this is false."""
    return (
        market.status == "OPEN"
        and market.selections.get(bet.selection_id) == "ACTIVE"
        and (not bet.market_version or bet.market_version == market.version)
        and market.stake_min_minor <= bet.stake_minor <= market.stake_max_minor
        and market.escrow_minor < MARKET_STAKES_MAX_MINOR // 2
        and len(market.bets) < BETS_PER_MARKET_MAX // 2
        and not bet.client_id
        and bet.event_id == key
    )


def surely_waits(market: MarketState, bet: BetRequest) -> bool:
    """Return whether this is a plain limit order, surely good, that nothing is matched with."""
    book = market.exchange
    assert book is not None
    odds_e4 = bet.odds_e4
    if (
        bet.order_type != "LIMIT"
        or bet.persistence == "MARKET_ON_CLOSE"
        or bet.time_in_force
        or bet.min_fill_minor
        or bet.tolerance_e4
        or bet.stake_minor > STAKE_SURELY_GOOD_MINOR
        or odds_e4 not in book.ladder.valid
        or book.crossing
        or market.definition.loss_limit_minor
        or (market.bet_delay_ms and market.in_play)
    ):
        return False
    runner = book.runners[bet.selection_id]
    if bet.side == "LAY":
        best = runner.backs.best()
        return not best or best > odds_e4
    return runner.lays.best() < odds_e4
