"""An order as the state hash has it: every field by name, whatever takes memory in the state."""

from pipelines.shard.order import Order

__all__ = ["hashed_order"]


def hashed_order(order: Order, place: int) -> dict[str, object]:
    """Return an order as plain values; `place` in time among its market's, 0 before it is there."""
    terms = order.terms
    return {
        "client_id": order.client_id,
        "bet_id": order.bet_id,
        "market_id": terms.market_id,
        "selection_id": terms.selection_id,
        "stake_minor": order.stake_minor,
        "asked_odds_e4": order.asked_odds_e4,
        "price_policy": terms.price_policy,
        "tolerance_e4": terms.tolerance_e4,
        "market_version": terms.market_version,
        "status": order.status,
        "odds_e4": order.odds_e4,
        "at_ms": order.at_ms,
        "payout_minor": order.payout_minor,
        "settlement": order.settlement,
        "due_ms": order.due_ms,
        "code": order.code,
        "lay": terms.lay,
        "order_type": terms.order_type,
        "persistence": order.persistence,
        "time_in_force": terms.time_in_force,
        "min_fill_minor": terms.min_fill_minor,
        "replaces": order.replaces,
        "asked_persistence": terms.persistence,
        "number": place,
        "matched_minor": order.matched_minor,
        "remaining_minor": order.remaining_minor,
        "lapsed_minor": order.lapsed_minor,
        "cancelled_minor": order.cancelled_minor,
        "voided_minor": order.voided_minor,
        "size_minor": order.size_minor,
        "value_e4": order.value_e4,
        "staked_minor": order.staked_minor,
        "fills": order.fills,
    }
