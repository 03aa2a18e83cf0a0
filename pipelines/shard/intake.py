"""Stage 2 for what other shards say: drop repeats, then hand a transfer to whom it concerns.

Looks at the state and changes nothing.
"""

from collections.abc import Iterator

from pipelines.codes import Code
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import transfers as t
from pipelines.shard.account import decide_funds
from pipelines.shard.coupons import decide_leg
from pipelines.shard.funds import decide_funds_answered
from pipelines.shard.isolation import decide_move
from pipelines.shard.legs import decide_leg_asked, decide_leg_ended
from pipelines.shard.state import ShardState

__all__ = ["decide_transfer"]

_OF_MARKETS = t.MarketMoved | t.MarketAskedBack | t.MarketEnded | t.EventEnded
_TO_ACCOUNTS = (
    t.FundsAsked | t.FundsReturned | t.FundsTaken | t.FundsPaid | t.ExposureHeld | t.MarketPosted
)


def decide_transfer(shard: ShardState, transfer: t.Transfer) -> Iterator[e.Entry | t.Send]:
    """Yield that a transfer came, and what it leads to."""
    sender, number, key, body = transfer.sender, transfer.number, transfer.to, transfer.body
    repeated = number <= shard.transfers_seen.get(sender, 0)
    code = Code.DUPLICATE_TRANSFER.value if repeated else ""
    yield be.TransferReceived("", 0, "", 0, key, sender, number, code)
    if repeated:
        return
    if isinstance(body, _TO_ACCOUNTS):
        yield from decide_funds(shard, key, body)
    elif isinstance(body, t.FundsAnswered):
        yield from decide_funds_answered(shard, key, body)
    elif isinstance(body, t.LegAsked):
        yield from decide_leg_asked(shard, key, body)
    elif isinstance(body, t.LegEnded):
        yield from decide_leg_ended(shard, key, body)
    elif isinstance(body, _OF_MARKETS):
        yield from decide_move(shard, body)
    elif isinstance(body, t.Forwarded):
        return  # the engine decides it as if it had come over `bets` or `events`
    else:
        yield from decide_leg(shard, key, body)
