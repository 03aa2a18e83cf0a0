"""Stage 5, risk: on markets of accounts an answer that costs money waits for it.

Which way it waits, the market's kind says: for its stake, or for what a bettor may lose in all.
"""

from collections.abc import Sequence
from typing import Final

from pipelines.messages import entries as e
from pipelines.messages.order_entries import OrderCancelled, OrderPending, OrderPlaced
from pipelines.messages.transfers import Send
from pipelines.shard.funds import with_funds
from pipelines.shard.order_funds import with_order_funds
from pipelines.shard.state import ShardState

__all__ = ["with_money"]

#: First entries of such answers; a replace begins with a cancel.
_COSTS: Final = e.BetAccepted | e.BetPending | OrderPlaced | OrderPending | OrderCancelled


def with_money(
    shard: ShardState,
    key: str,
    found: Sequence[e.Entry | Send],
    at_ms: int,
    record_ms: int,
) -> tuple[Sequence[e.Entry | Send], int]:
    """Return the answer as it is given where it waits for money, and the wall time of that wait.

    The time is 0 where the event lives by the wall clock, or nothing waits.
    """
    first = found[0]
    if not isinstance(first, _COSTS):
        return found, 0
    event = shard.events[key]
    market = event.markets[first.market_id]
    if not market.definition.accounts:
        return found, 0
    wall_ms = max(shard.now_ms, record_ms)
    if market.funds is not None:
        found = with_order_funds(event, market, found, at_ms, wall_ms)
    else:
        found = [*with_funds(market, first, at_ms, wall_ms), *found[1:]]
    return found, wall_ms if event.feed_clock else 0
