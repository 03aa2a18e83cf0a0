"""Stages 4 to 7 in one go for nearly every order: a good limit order on a plain exchange market.

It says the same as the whole way through the checks in `bets.py` and `orders.py` would; where that
is not sure at a glance, it says nothing.
"""

from typing import Final

from pipelines.limits import (
    BETS_PER_MARKET_MAX,
    MARKET_STAKES_MAX_MINOR,
    MATCHES_PER_ENTRY_MAX,
    ODDS_MAX_E4,
    ODDS_ONE,
)
from pipelines.messages.order_entries import OrderPlaced, OrderTraded
from pipelines.messages.requests import BetRequest
from pipelines.shard.state import EventState, MarketState

__all__ = ["quick_order"]

#: A lay of this size has room at any price in a market that is not half full.
STAKE_SURELY_GOOD_MINOR: Final = MARKET_STAKES_MAX_MINOR // 2 // (ODDS_MAX_E4 // ODDS_ONE)
HALF_FULL_MINOR: Final = MARKET_STAKES_MAX_MINOR // 2
HALF_FULL_BETS: Final = BETS_PER_MARKET_MAX // 2


def quick_order(
    event: EventState, market: MarketState, key: str, client_id: str, bet: BetRequest
) -> OrderPlaced | None:
    """Return the only entry that the order leads to, None where it takes more to know."""
    book = market.exchange
    assert book is not None
    selection_id, stake_minor, odds_e4 = bet.selection_id, bet.stake_minor, bet.odds_e4
    version = bet.market_version
    if (
        not book.plain
        or market.status != "OPEN"
        or market.selections.get(selection_id) != "ACTIVE"
        or (version and version != market.version)
        or not market.stake_min_minor <= stake_minor <= market.stake_max_minor
        or stake_minor > STAKE_SURELY_GOOD_MINOR
        or market.escrow_minor >= HALF_FULL_MINOR
        or len(market.bets) >= HALF_FULL_BETS
        or bet.event_id != key
        or bet.order_type != "LIMIT"
        or bet.persistence == "MARKET_ON_CLOSE"
        or bet.client_id
        or bet.time_in_force
        or bet.min_fill_minor
        or bet.tolerance_e4
        or odds_e4 not in book.ladder.valid
        or event.risk is not None
        or (market.bet_delay_ms and market.in_play)
    ):
        return None
    runner = book.runners[selection_id]
    opposite = runner.backs if bet.side == "LAY" else runner.lays
    order = (
        key,
        event.seq + 1,
        bet.market_id,
        market.seq + 1,
        client_id,
        bet.bet_id,
        selection_id,
        stake_minor,
        odds_e4,
        bet.price_policy,
        0,
        version,
        bet.side,
        "LIMIT",
        bet.persistence,
        "",
        0,
        "",
    )
    keys, limit = opposite.keys, opposite.key(odds_e4)
    if not keys or keys[-1] < limit:
        return OrderPlaced(*order, ())
    # As `plan_direct`: best price first, then oldest first.
    left = stake_minor
    fills: list[tuple[int, int, bool]] = []
    matches: list[tuple[str, str, int, int, int, bool]] = []
    at = len(keys)
    price_key = filled = price = 0
    for one in reversed(opposite.orders):
        at -= 1
        if keys[at] != price_key:
            price_key = keys[at]
            if price_key < limit:
                break
            if filled:
                fills.append((price, filled, False))
            price, filled = one.asked_odds_e4, 0
        who, waiting = one.client_id, one.remaining_minor
        if who == client_id:
            return None
        if waiting < left:
            matches.append((who, one.bet_id, price, waiting, 0, False))
            filled += waiting
            left -= waiting
            continue
        matches.append((who, one.bet_id, price, left, waiting - left, False))
        filled += left
        break
    else:
        if opposite.worse:
            return None
    if len(matches) > MATCHES_PER_ENTRY_MAX:
        return None
    fills.append((price, filled, False))
    return OrderTraded(*order, tuple(fills), tuple(matches))
