"""A market as it goes from shard to shard: book, bets and timers, in parts of bounded size.

Bytes are those of `freeze.py`: only shards of the same version exchange markets. What was handed
over stays readable as long as fields are only added to the state, with defaults.
"""

import hashlib
import pickle
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from pipelines.errors import CodecError
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.shard.freeze import load
from pipelines.shard.state import AnyBet, BetKey, EventState, MarketState, ShardState
from pipelines.shard.timers import Timer

__all__ = ["PART_BYTES", "Parcel", "digest_of", "packed", "parts_of", "timers_named", "unpacked"]

#: The journal has a part twice: sent, and received.
PART_BYTES: Final = RECORD_BYTES_MAX // 2
_PROTOCOL: Final = 5


class Parcel(Struct):
    """All that a shard knows of a market, and of its event's name and start."""

    event_name: str
    event_type: str
    start_ms: int
    market: MarketState
    bets: list[AnyBet]
    refusals: list[AnyBet]
    stakes_asked: dict[BetKey, int]  # of bets that were taken in part
    timers: list[Timer]


def packed(shard: ShardState, event: EventState, market: MarketState) -> bytes:
    """Return a market's state as it is now."""
    market_id = market.definition.market_id
    bets = [bet for bet in event.bets.values() if bet.market_id == market_id]
    keys = ((bet.client_id, bet.bet_id) for bet in bets)
    parcel = Parcel(
        event.name,
        event.event_type,
        event.start_ms,
        market,
        bets,
        [bet for bet in event.refusals.values() if bet.market_id == market_id],
        {key: event.parts[key] for key in keys if key in event.parts},
        timers_named(shard, event, market),
    )
    return pickle.dumps(parcel, _PROTOCOL)


def timers_named(shard: ShardState, event: EventState, market: MarketState) -> list[Timer]:
    """Return what waits of a market, earliest first."""
    names: list[tuple[str, str, str, str]] = [
        ("bet", event.event_id, client_id, bet_id) for client_id, bet_id in market.pending
    ]
    names.append(("settle", event.event_id, market.definition.market_id, ""))
    found = [shard.timers.named(*name) for name in names]
    return sorted(timer for timer in found if timer is not None)


def parts_of(data: bytes) -> list[bytes]:
    """Cut a parcel; there is at least one part."""
    return [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]


def digest_of(data: bytes) -> str:
    """Return 32 hex digits over all parts."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def unpacked(parts: Iterable[bytes], digest: str) -> Parcel:
    """Return the market that was packed. Raises CodecError."""
    data = b"".join(parts)
    if digest_of(data) != digest:
        raise CodecError("a market arrived with other bytes than it was sent with")
    parcel = load(data)
    if not isinstance(parcel, Parcel):
        raise CodecError("what arrived is no market")
    return parcel
