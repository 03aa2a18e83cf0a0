"""What the notifier asks of a shard's state; answers are plain values.

Flow: notifier > `shard_loop.py`, which holds the state still meanwhile > **this file**.
"""

from typing import Final

from pipelines.limits import QUERY_PAGE_BETS_MAX
from pipelines.shard.state import ACCEPTED, LOST, PENDING, VOID, WON, AnyBet, ShardState

__all__ = ["SettledRow", "bettors_of", "holder_of", "names", "settled_bets"]

#: Bettor, bet id, result, payout and stake in minor units.
SettledRow = tuple[str, str, str, int, int]

RESULT_NAMES: Final = {WON: "win", LOST: "loss", VOID: "void"}


def bettors_of(shard: ShardState, event_id: str) -> list[str]:
    """Return the ids of those with an open bet on the event, in order of their first."""
    event = shard.events.get(event_id)
    bets = () if event is None else event.bets.values()
    return list(dict.fromkeys(b.client_id for b in bets if b.status in (PENDING, ACCEPTED)))


def names(shard: ShardState, event_id: str, market_id: str) -> tuple[str, str]:
    """Return the names of an event and a market, their ids where they have none."""
    event = shard.events.get(event_id)
    market = event.markets.get(market_id) if event is not None else None
    event_name = event.name if event is not None else ""
    market_name = market.definition.name if market is not None else ""
    return event_name or event_id, market_name or market_id


def holder_of(shard: ShardState, event_id: str, market_id: str) -> str:
    """Return the key of the book that has a market, "" where it is this shard's own."""
    event = shard.events.get(event_id)
    if event is None or market_id in event.markets:
        return ""
    away = event.away.get(market_id)
    if away is not None:
        return away.to
    return event_id if event.guest else ""


def settled_bets(
    shard: ShardState, event_id: str, market_id: str, settlement: int, after: int, limit: int
) -> tuple[list[SettledRow], int | None]:
    """Return a page of a settlement's bets from index `after`, and where the next begins."""
    event = shard.events.get(event_id)
    market = event.markets.get(market_id) if event is not None else None
    bets: list[AnyBet] = [] if market is None else market.bets
    end = min(after + min(limit, QUERY_PAGE_BETS_MAX), len(bets))
    rows = [
        (b.client_id, b.bet_id, RESULT_NAMES[b.status], b.payout_minor, b.stake_minor)
        for b in bets[after:end]
        if b.settlement == settlement and b.status in RESULT_NAMES
    ]
    return rows, end if end < len(bets) else None
