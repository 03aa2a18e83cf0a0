"""What a timer that is due leads to. Looks at the state and changes nothing."""

from collections.abc import Iterable

from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages.transfers import EventEnded, Send
from pipelines.shard.bets import decide_due_bet
from pipelines.shard.coupons import decide_due_coupon
from pipelines.shard.funds import decide_late_funds
from pipelines.shard.operations import decide_settling
from pipelines.shard.order_funds import released
from pipelines.shard.state import PENDING, ShardState, Timer

__all__ = ["decide_due"]


def decide_due(shard: ShardState, timer: Timer) -> Iterable[e.Entry | Send]:
    """Return the entries of a timer; the first of them removes it."""
    _, _, kind, key, client_id, bet_id = timer
    if kind == "coupon":
        bettor = shard.bettors[key]
        if bettor.coupons[bet_id].status == PENDING:
            return decide_due_coupon(shard, key, bet_id)
        return [be.CouponRetired(key, bettor.seq + 1, "", 0, client_id, bet_id)]
    event = shard.events[key]
    if kind == "bet":
        found = decide_due_bet(shard, event, timer)
        return found if isinstance(found, list) else [found]
    if kind == "settle":
        return decide_settling(shard, event, event.markets[client_id])
    if kind == "hold":
        return [decide_late_funds(event, client_id, bet_id)]
    if kind == "surplus":
        return [released(event, client_id, bet_id)]
    head = (key, event.seq + 1, "", 0)
    if kind == "start":
        return [e.EventIsStarting(*head, event.name)]
    return [e.EventRetired(*head), *(Send(to, EventEnded(key)) for to in event.guests)]
