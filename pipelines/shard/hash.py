"""The state hash: the same for the same state, in every process, live or folded."""

import hashlib
from collections.abc import Iterator

import msgspec

from pipelines.shard.order import Order
from pipelines.shard.order_hash import hashed_order
from pipelines.shard.order_parts import places_of
from pipelines.shard.state import AnyBet, EventState, MarketState, ShardState

__all__ = ["state_hash"]

_encode = msgspec.msgpack.Encoder().encode


def state_hash(shard: ShardState) -> str:
    """Return 32 hex digits over all that decisions depend on, positions included."""
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(shard):
        digest.update(part)
    return digest.hexdigest()


def _parts(shard: ShardState) -> Iterator[bytes]:
    yield _encode(
        (
            shard.partition,
            shard.shard_seq,
            shard.now_ms,
            shard.bets_next,
            shard.events_next,
            shard.transfers_next,
            list(shard.timers),
            list(shard.retired),
            [(key, bet) for key, bet in shard.orphans.items()],
            shard.transfers_sent,
            list(shard.transfers_seen.items()),
        )
    )
    if shard.arriving:
        yield _encode(list(shard.arriving.items()))
    if shard.risk is not None:
        yield _encode(shard.risk.hashed())
    for key, bettor in shard.bettors.items():
        yield _encode((key, bettor))
    for event in shard.events.values():
        yield from _event_parts(event)


def _event_parts(event: EventState) -> Iterator[bytes]:
    yield _encode(
        (
            event.event_id,
            event.name,
            event.event_type,
            event.start_ms,
            event.feed_clock,
            event.seq,
            event.now_ms,
            list(event.timers),
            [_bet(one, {}) for one in event.refusals.values()],
            event.risk.hashed() if event.risk is not None else None,
            list(event.parts.items()),
        )
    )
    if event.guest or event.guests or event.away or event.routed:
        away = list(event.away.items())
        yield _encode((event.guest, event.guests, away, list(event.routed.items())))
    places: dict[int, int] = {}
    for market in event.markets.values():
        if market.exchange is not None:
            places |= places_of(market.bets)
        yield _encode(
            (
                market.definition,
                _book(market, places),
                list(market.selections.items()),
                market.status,
                market.in_play,
                market.bet_delay_ms,
                market.seq,
                market.event_seq,
                market.at_ms,
                market.version,
                market.material_version,
                market.settlement,
                market.settled,
                market.refund,
                market.winners,
                market.dividends,
                market.escrow_minor,
                market.postings,
                list(market.pending.items()),
                list(market.discounts.items()),
                list(market.commissions.items()),
                list(market.holds.items()),
                list(market.referred),
                list(market.partial),
                list(market.legs.items()),
                market.factors,
                market.finish,
                market.cashed_out_minor,
                market.settled_early,
                market.settling,
                market.waiting,
                [(bet.client_id, bet.bet_id) for bet in market.bets],  # settled in this order
            )
        )
        if market.funds is not None:
            yield _encode(market.funds)
    for bet in event.bets.values():
        yield _encode(_bet(bet, places))


def _book(market: MarketState, places: dict[int, int]) -> object:
    book = market.exchange
    return market.book.hashed() if book is None else book.hashed_by(places)


def _bet(bet: AnyBet, places: dict[int, int]) -> object:
    return hashed_order(bet, places.get(id(bet), 0)) if isinstance(bet, Order) else bet
