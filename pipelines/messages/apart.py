"""An order and the orders that it was matched with at once are one entry: here are its parts.

For whoever follows each bet by itself: receipts, the audit, accounts.
"""

from collections.abc import Sequence

from pipelines.messages import order_entries as oe
from pipelines.messages.entries import Entry

__all__ = ["apart"]


def apart(entry: Entry) -> Sequence[Entry]:
    """Return what an entry stands for, each part with the number that is its own."""
    if not isinstance(entry, oe.OrderTraded):
        return (entry,)
    parts: list[Entry] = [_placed(entry)]
    event_seq, market_seq = entry.event_seq, entry.market_seq
    for client_id, bet_id, odds_e4, size_minor, remaining_minor, virtual in entry.matches:
        event_seq += 1
        market_seq += 1
        matched = oe.BetMatched(
            entry.event_id,
            event_seq,
            entry.market_id,
            market_seq,
            client_id,
            bet_id,
            odds_e4,
            size_minor,
            remaining_minor,
            "virtual" if virtual else "order",
        )
        parts.append(matched)
    return parts


def _placed(entry: oe.OrderTraded) -> oe.OrderPlaced:
    return oe.OrderPlaced(*[getattr(entry, name) for name in oe.OrderPlaced.__struct_fields__])
