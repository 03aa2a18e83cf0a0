"""Stage 5, risk, on an exchange: what a bettor may lose on a market at worst.

Matched and unmatched orders together, the unmatched ones as if only the bad side of them would be
matched (betting.md 1.5); so the exposure is never understated, and what is matched never adds to
it: an order is rounded once, its waiting and its matched parts together.
"""

from collections.abc import Collection
from typing import Final

from pipelines.books.exchange_money import liability_minor, market_worst_case
from pipelines.limits import ODDS_ONE
from pipelines.messages.requests import BetRequest
from pipelines.shard.market_funds import Position
from pipelines.shard.order import Order
from pipelines.shard.state import ACCEPTED, PENDING, EventState, MarketState

__all__ = [
    "added",
    "asked_position",
    "exceeds_limit",
    "exposure_minor",
    "needed_minor",
    "position_of",
    "worst_loss_minor",
]

#: Of so many pending orders of a bettor each way that they come in is weighed, of more a bound.
WEIGHED_MAX: Final = 3

Positions = dict[int, Position]


def position_of(order: Order, waiting: bool = True) -> Position:
    """Return what an order comes to if its selection wins and if it loses; or its matched part."""
    left = order.remaining_minor if waiting else 0
    size, value_e4 = order.size_minor, order.value_e4
    if not order.lay:
        return value_e4 // ODDS_ONE - size, -size - left
    if order.order_type != "LIMIT":
        return -order.staked_minor - left, size
    at_risk_e4 = value_e4 - size * ODDS_ONE + left * (order.asked_odds_e4 - ODDS_ONE)
    return -at_risk_e4 // ODDS_ONE, size


def asked_position(lay: bool, limit: bool, stake_minor: int, odds_e4: int) -> Position:
    """Return the same of an order that is asked for."""
    if not lay:
        return 0, -stake_minor
    return -(liability_minor(stake_minor, odds_e4) if limit else stake_minor), 0


def added(positions: Positions, selection_id: int, change: Position) -> None:
    """Change one selection's position; one of nothing is dropped."""
    win, lose = positions.get(selection_id, (0, 0))
    found = (win + change[0], lose + change[1])
    if found == (0, 0):
        positions.pop(selection_id, None)
    else:
        positions[selection_id] = found


def worst_loss_minor(market: MarketState, positions: Collection[Position]) -> int:
    """Return the most that positions on different selections lose together, 0 for no loss."""
    active = sum(status == "ACTIVE" for status in market.selections.values())
    places = min(market.definition.number_of_winners, active)
    return max(-market_worst_case(positions, places, max(active, len(positions))), 0)


def exposure_minor(
    market: MarketState,
    orders: list[Order],
    bet: BetRequest | None = None,
    replaced: Order | None = None,
) -> int:
    """Return a bettor's worst result, negative for a loss; with `bet` in place of `replaced`."""
    positions: Positions = {}
    for order in orders:
        if order.status in (ACCEPTED, PENDING):
            added(positions, order.selection_id, position_of(order, order is not replaced))
    if bet is not None:
        added(positions, bet.selection_id, _asked(bet))
    return -worst_loss_minor(market, positions.values())


def _asked(bet: BetRequest) -> Position:
    return asked_position(
        bet.side == "LAY", bet.order_type == "LIMIT", bet.stake_minor, bet.odds_e4
    )


def exceeds_limit(
    market: MarketState, client_id: str, bet: BetRequest, replaced: Order | None = None
) -> bool:
    """Return whether a bettor could lose more than the market's limit with this order."""
    orders = [one for one in market.bets if isinstance(one, Order) and one.client_id == client_id]
    # Orders that wait for the bet delay are checked again, with all others, when it is over.
    return -exposure_minor(market, orders, bet, replaced) > market.definition.loss_limit_minor


def needed_minor(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: tuple[int, Position] | None = None,
    replaced: Order | None = None,
) -> int:
    """Return what an account must hold so that no order of a bettor is ever without its money.

    That is the worst loss of the orders in the market, and of `bet` (selection and position) in
    place of what waits of `replaced`: whichever of the pending orders come in as well, each with
    what was asked for it.
    """
    assert market.funds is not None
    exposure = market.funds.bettors.get(client_id)
    positions = dict(exposure.positions) if exposure is not None else {}
    if replaced is not None:
        whole, matched = position_of(replaced), position_of(replaced, waiting=False)
        gone = (matched[0] - whole[0], matched[1] - whole[1])
        added(positions, replaced.selection_id, gone)
    if bet is not None:
        added(positions, *bet)
    pending: list[tuple[int, Position, int]] = []
    for bet_id, asked in exposure.asked.items() if exposure is not None else ():
        order = event.bets[client_id, bet_id]
        assert isinstance(order, Order)
        pending.append((order.selection_id, position_of(order), asked or 0))
    if len(pending) > WEIGHED_MAX:
        # An order alone adds at most what it alone may lose.
        bound = sum(max(-min(position) - asked, 0) for _, position, asked in pending)
        return worst_loss_minor(market, positions.values()) + bound
    return _needed(market, positions, pending)


def _needed(
    market: MarketState, positions: Positions, pending: list[tuple[int, Position, int]]
) -> int:
    if not pending:
        return worst_loss_minor(market, positions.values())
    (selection_id, position, asked), rest = pending[0], pending[1:]
    with_it = dict(positions)
    added(with_it, selection_id, position)
    return max(_needed(market, positions, rest), _needed(market, with_it, rest) - asked)
