"""Stages 4 to 7 in one go for nearly every order: a good limit order on a plain exchange market.

It says the same as the whole way through the checks in `bets.py` and `orders.py` would; where that
is not sure at a glance, it says nothing.
"""

from typing import Final

from pipelines.books.exchange_levels import Levels, negated
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

Fill = tuple[int, int, bool]  # as in `OrderPlaced`
Matched = tuple[str, str, int, int, int, bool]  # as in `OrderTraded`

#: Kind, stated identity, time in force, least fill and tolerance of nearly every order.
PLAIN: Final = ("LIMIT", "", "", 0, 0)

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
        or market.selections.get(selection_id) != "ACTIVE"
        or market.status != "OPEN"
        or (version and version != market.version)
        or not market.stake_min_minor <= stake_minor <= market.stake_max_minor
        or stake_minor > STAKE_SURELY_GOOD_MINOR
        or market.escrow_minor >= HALF_FULL_MINOR
        or len(market.bets) >= HALF_FULL_BETS
        or bet.event_id != key
        or bet.persistence == "MARKET_ON_CLOSE"
        or (bet.order_type, bet.client_id, bet.time_in_force, bet.min_fill_minor, bet.tolerance_e4)
        != PLAIN
        or odds_e4 not in book.ladder.valid
        or event.risk is not None
        or market.funds is not None
        or (market.bet_delay_ms and market.in_play)
    ):
        return None
    runner = book.runners[selection_id]
    if bet.side == "LAY":
        opposite, limit_key = runner.backs, negated[odds_e4]
    else:
        opposite, limit_key = runner.lays, odds_e4
    keys = opposite.keys
    if not keys or keys[-1] < limit_key:
        return OrderPlaced(
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
            (),
        )
    found = _trades(opposite, limit_key, client_id, stake_minor)
    return None if found is None else _traded(event, market, client_id, bet, *found)


def _traded(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    fills: list[Fill],
    matches: list[Matched],
) -> OrderTraded:
    return OrderTraded(
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
        0,
        bet.market_version,
        bet.side,
        "LIMIT",
        bet.persistence,
        "",
        0,
        "",
        tuple(fills),
        tuple(matches),
    )


def _trades(
    opposite: Levels, limit_key: int, client_id: str, left: int
) -> tuple[list[Fill], list[Matched]] | None:
    """Return with what so much is matched; as `plan_direct`, and None where that sees more."""
    fills: list[Fill] = []
    matches: list[Matched] = []
    keys = opposite.keys
    at = len(keys)
    price_key = filled = price = 0
    for one in reversed(opposite.orders):
        at -= 1
        if keys[at] != price_key:
            price_key = keys[at]
            if price_key < limit_key:
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
    return fills, matches
