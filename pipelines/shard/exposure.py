"""Stage 5, risk, on an exchange: what a bettor may lose on a market at worst.

Matched and unmatched orders together, the unmatched ones as if only the bad side of them would be
matched (betting.md 1.5); so the exposure is never understated.
"""

from pipelines.books.exchange_money import liability_minor, market_worst_case
from pipelines.limits import ODDS_ONE
from pipelines.messages.requests import BetRequest
from pipelines.shard.order import Order
from pipelines.shard.state import ACCEPTED, PENDING, MarketState

__all__ = ["exceeds_limit", "exposure_minor"]


def exposure_minor(
    market: MarketState,
    orders: list[Order],
    bet: BetRequest | None = None,
    replaced: Order | None = None,
) -> int:
    """Return a bettor's worst result, negative for a loss; with `bet` in place of `replaced`."""
    positions: dict[int, list[int]] = {}
    for order in orders:
        if order.status not in (ACCEPTED, PENDING):
            continue
        position = positions.setdefault(order.selection_id, [0, 0])
        if order.lay:
            position[0] -= order.staked_minor
            position[1] += order.size_minor
        else:
            position[0] += order.value_e4 // ODDS_ONE - order.size_minor
            position[1] -= order.size_minor
        if order is replaced:
            continue
        limit = order.order_type == "LIMIT"
        _add_unmatched(position, order.lay, limit, order.remaining_minor, order.asked_odds_e4)
    if bet is not None:
        position = positions.setdefault(bet.selection_id, [0, 0])
        limit = bet.order_type == "LIMIT"
        _add_unmatched(position, bet.side == "LAY", limit, bet.stake_minor, bet.odds_e4)
    definition = market.definition
    active = sum(status == "ACTIVE" for status in market.selections.values())
    places = min(definition.number_of_winners, active)
    return min(market_worst_case(positions.values(), places, max(active, len(positions))), 0)


def _add_unmatched(position: list[int], lay: bool, limit: bool, size: int, odds_e4: int) -> None:
    if not lay:
        position[1] -= size
    elif limit:
        position[0] -= liability_minor(size, odds_e4)
    else:
        position[0] -= size


def exceeds_limit(
    market: MarketState, client_id: str, bet: BetRequest, replaced: Order | None = None
) -> bool:
    """Return whether a bettor could lose more than the market's limit with this order."""
    orders = [one for one in market.bets if isinstance(one, Order) and one.client_id == client_id]
    # Orders that wait for the bet delay are checked again, with all others, when it is over.
    return -exposure_minor(market, orders, bet, replaced) > market.definition.loss_limit_minor
