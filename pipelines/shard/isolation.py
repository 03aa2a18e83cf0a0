"""Stage 2 for a hot event: which of its markets go to other shards, and come back.

The event's home stays the one entry for all its records, so that the order of each market's is
kept: what comes after a market has left is sent on behind it. Looks at the state and changes
nothing.
"""

from collections.abc import Iterator

from pipelines.codes import SENTENCES, Code
from pipelines.limits import BETS_PER_MARKET_MAX, MOVED_BYTES_MAX
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import transfers as t
from pipelines.messages.isolation_operations import EventIsolated, IsolationOperation
from pipelines.shard.numbering import Numbers
from pipelines.shard.parcel import digest_of, packed, parts_of
from pipelines.shard.state import EventState, MarketState, ShardState
from pipelines.topics import partition_of

__all__ = ["decide_isolation", "decide_move", "guest_key"]

Decided = Iterator[e.Entry | t.Send]
SALTS_PER_PARTITION = 64  # keys tried to meet a partition: it is missed once in e**64


def guest_key(event_id: str, market_id: str, wanted: int, partitions: int) -> str:
    """Return a key of the market that lies in a partition; -1: wherever `event/market` lies."""
    key = plain = f"{event_id}/{market_id}"
    salt = 0
    while wanted >= 0 and partition_of(key.encode(), partitions) != wanted:
        salt += 1
        if salt > SALTS_PER_PARTITION * partitions:
            return ""
        key = f"{plain}/{salt}"
    return key


def decide_isolation(
    shard: ShardState, key: str, operation: IsolationOperation, partitions: int, lanes: int = 1
) -> Decided:
    """Yield what an operator's message on the shards of an event leads to; at least one entry.

    `lanes`: see `Settings`. A market stays in the lane of its event, because one publisher and one
    notifier must see it go and come, to keep the order of its odds.
    """
    name = str(type(operation).__struct_config__.tag)
    event = shard.events.get(key)
    if event is None or operation.event_id != key:
        code = Code.EVENT_RETIRED if key in shard.retired else Code.INVALID_EVENT_ID
        if operation.event_id != key:
            code = Code.EVENT_KEY_MISMATCH
        yield _refused(key, event, "", name, code)
        return
    before = event.seq
    for market_id in operation.markets:
        if market_id not in event.markets and market_id not in event.away:
            yield _refused(key, event, market_id, name, Code.INVALID_MARKET_ID)
    if isinstance(operation, EventIsolated):
        yield from _isolate(shard, event, operation, name, partitions, lanes)
    else:
        wanted = operation.markets or tuple(event.away)
        for market_id in wanted:
            away = event.away.get(market_id)
            if away is not None and not away.coming:
                yield ie.MarketRecalled(key, event.seq + 1, market_id, 0)
                yield t.Send(away.to, t.MarketAskedBack(key, market_id))
    if event.seq == before:
        yield _refused(key, event, "", name, Code.UNCHANGED)


def _isolate(
    shard: ShardState,
    event: EventState,
    operation: EventIsolated,
    name: str,
    partitions: int,
    lanes: int,
) -> Decided:
    key = event.event_id
    lane = range(shard.partition % lanes, partitions, lanes)
    why = ""
    if any(p >= partitions for p in operation.partitions):
        why = f"partitions are numbered from 0 to {partitions - 1}"
    elif any(p not in lane for p in operation.partitions):
        why = "only these partitions have its publisher and its notifier: "
        why += ", ".join(map(str, lane))
    if why:
        yield _refused(key, event, "", name, Code.INVALID_INPUT_DATA, why)
        return
    why = "an event in feed time stays in one shard" * event.feed_clock
    if lanes > 1 and len(lane) == 1:
        why = "no other partition has its publisher and its notifier"
    if why or event.risk is not None:
        why = why or "limits and levers of the risk desk are kept over all markets of an event"
        yield _refused(key, event, "", name, Code.NOT_ISOLABLE, why)
        return
    chosen = [m for m in operation.markets or tuple(event.markets) if m in event.markets]
    for number, market_id in enumerate(chosen):
        named = operation.partitions
        wanted = -1
        if named:
            wanted = named[number % len(named)]
        elif lanes > 1:
            wanted = lane[partition_of(f"{key}/{market_id}".encode(), len(lane))]
        to = guest_key(key, market_id, wanted, partitions)
        if not to or partition_of(to.encode(), partitions) == shard.partition:
            continue  # it lives here
        market = event.markets[market_id]
        why = _bound_here(market)
        data = b"" if why else packed(shard, event, market)
        if len(data) > MOVED_BYTES_MAX:
            why = f"its state has {len(data)} bytes, at most {MOVED_BYTES_MAX} are moved"
        if why:
            yield _refused(key, event, market_id, name, Code.NOT_ISOLABLE, why)
        else:
            yield from _hand_over(event, market, to, data)


def _bound_here(market: MarketState) -> str:
    """Say why a market cannot leave, "" where it can."""
    if market.definition.accounts:
        return "it takes bets from accounts, which answer to the event"
    if market.legs:
        return "coupons hold legs on it"
    if len(market.bets) + len(market.pending) > BETS_PER_MARKET_MAX // 4:
        return "it holds too many bets"
    return ""


def decide_move(shard: ShardState, body: t.Body) -> Decided:
    """Yield what a transfer about the place of a market leads to."""
    event = shard.events.get(body.event_id)  # type: ignore[union-attr]
    if isinstance(body, t.MarketMoved):
        yield from _arrive(shard, event, body)
    elif event is None:
        return  # forgotten meanwhile
    elif isinstance(body, t.MarketAskedBack):
        market = event.markets.get(body.market_id)
        if market is not None:
            data = packed(shard, event, market)
            yield from _hand_over(event, market, event.event_id, data)
    elif isinstance(body, t.MarketEnded):
        if body.market_id in event.away:
            head = (event.event_id, event.seq + 1, body.market_id, 0)
            yield ie.AwayMarketEnded(*head, body.settled)
    elif isinstance(body, t.EventEnded):
        yield e.EventRetired(event.event_id, event.seq + 1, "", 0)


def _hand_over(event: EventState, market: MarketState, to: str, data: bytes) -> Decided:
    event_id, event_seq, market_id, market_seq = Numbers(event, market).next()
    digest, parts = digest_of(data), parts_of(data)
    yield ie.MarketHandedOver(event_id, event_seq, market_id, market_seq, to, digest)
    for number, part in enumerate(parts):
        head = (event_id, market_id, event_seq, market_seq)
        yield t.Send(to, t.MarketMoved(*head, number, len(parts), part))


def _arrive(shard: ShardState, event: EventState | None, body: t.MarketMoved) -> Decided:
    where = (body.event_id, body.market_id)
    yield ie.MarketPartReceived("", 0, "", 0, *where, body.part, body.parts, body.data)
    if body.part + 1 < body.parts:
        return
    digest = digest_of(b"".join(shard.arriving[where]))
    # Above both shards' numbers, so that whoever orders by them sees it go forward.
    event_seq = max(body.event_seq, event.seq if event is not None else 0) + 1
    yield ie.MarketArrived(body.event_id, event_seq, body.market_id, body.market_seq + 1, digest)


def _refused(
    key: str, event: EventState | None, market_id: str, name: str, code: Code, why: str = ""
) -> e.OperationRefused:
    market = event.markets.get(market_id) if event is not None else None
    return e.OperationRefused(
        key,
        event.seq + 1 if event is not None else 0,
        market_id,
        market.seq + 1 if market is not None else 0,
        name,
        code.value,
        why or SENTENCES[code],
    )
