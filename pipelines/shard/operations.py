"""Stages 2 to 8 for what operators and feeds say: each message is done, or refused with a code.

Looks at the state and changes nothing; several entries are numbered in the order they will apply.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from pipelines.books.exchange_ladder import ladder_of
from pipelines.codes import SENTENCES, Code
from pipelines.limits import (
    BETTOR_KEY_PREFIX,
    EVENTS_PER_SHARD_MAX,
    OPERATIONS_WAITING_MAX,
    SHARD_KEY_PREFIX,
)
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.messages import order_entries as oe
from pipelines.messages.risk_operations import RiskOperation
from pipelines.shard.numbering import Numbers
from pipelines.shard.opening import ENGINES, open_market
from pipelines.shard.order_life import before_change, withdraw
from pipelines.shard.risk_desk import decide_risk
from pipelines.shard.settle import (
    decide_chunk,
    decide_part,
    decide_result,
    decide_rollback,
    decide_void,
    refund_selection,
)
from pipelines.shard.state import EventState, MarketState, ShardState

__all__ = ["decide_operation", "decide_settling"]

#: From which status an operator may lead a market to which; a result leads it to CLOSED as well.
TRANSITIONS: dict[str, frozenset[str]] = {
    "INACTIVE": frozenset({"INACTIVE", "OPEN", "SUSPENDED", "CLOSED"}),
    "OPEN": frozenset({"INACTIVE", "OPEN", "SUSPENDED", "CLOSED"}),
    "SUSPENDED": frozenset({"INACTIVE", "OPEN", "SUSPENDED", "CLOSED"}),
    "CLOSED": frozenset({"CLOSED"}),
}


def decide_operation(
    shard: ShardState, key: str, operation: o.Operation, at_ms: int
) -> Iterator[e.Entry]:
    """Yield the entries of one operation; at least one, a refusal where it cannot be done."""
    kind = type(operation).__struct_config__.tag
    name = str(kind)
    if operation.event_id != key:
        yield _refused(shard, key, "", name, Code.EVENT_KEY_MISMATCH)
        return
    if key.startswith((BETTOR_KEY_PREFIX, SHARD_KEY_PREFIX)):  # kept for what is no event
        yield _refused(shard, key, "", name, Code.INVALID_EVENT_ID)
        return
    event = shard.events.get(key)
    if isinstance(operation, o.EventOpened):
        yield _open_event(shard, event, operation)
        return
    if event is None:
        code = Code.EVENT_RETIRED if key in shard.retired else Code.INVALID_EVENT_ID
        yield _refused(shard, key, "", name, code)
        return
    if isinstance(operation, o.MarketOpened):
        yield open_market(event, operation)
        return
    if isinstance(operation, RiskOperation):
        yield from decide_risk(shard, event, operation, at_ms)
        return
    market = event.markets.get(operation.market_id)
    if market is None:
        yield _refused(shard, key, "", name, Code.INVALID_MARKET_ID)
        return
    if isinstance(operation, o.SettlingOperation) and (market.settling or market.waiting):
        yield _wait(event, market, operation)
        return
    yield from _decide(shard, key, event, market, operation)


def _wait(
    event: EventState, market: MarketState, operation: o.SettlingOperation
) -> e.OperationWaits | e.OperationRefused:
    """Let an operation wait for the end of what goes through the market's bets."""
    head = Numbers(event, market).next()
    if len(market.waiting) >= OPERATIONS_WAITING_MAX:
        code = Code.MARKET_BEING_SETTLED
        name = str(type(operation).__struct_config__.tag)
        return e.OperationRefused(*head, name, code.value, SENTENCES[code])
    return e.OperationWaits(*head, operation)


def decide_settling(shard: ShardState, event: EventState, market: MarketState) -> Iterator[e.Entry]:
    """Yield the next chunk of what goes through a market's bets, or an operation that waited."""
    numbers = Numbers(event, market)
    if market.settling is not None:
        yield from decide_chunk(market, numbers)
        return
    operation = market.waiting[0]
    name = str(type(operation).__struct_config__.tag)
    yield e.OperationTaken(*numbers.next(), name)
    yield from _decide(shard, event.event_id, event, market, operation)


def _decide(
    shard: ShardState,
    key: str,
    event: EventState,
    market: MarketState,
    operation: o.SettlingOperation | o.MarketStatus | o.Prices,
) -> Iterator[e.Entry]:
    name = str(type(operation).__struct_config__.tag)
    if isinstance(operation, o.MarketStatus):
        yield from _change(shard, event, market, operation)
    elif isinstance(operation, o.Prices):
        yield _set_prices(shard, event, market, operation)
    elif isinstance(operation, o.SelectionRemoved):
        yield from _remove_selection(shard, event, market, operation)
    else:
        numbers = Numbers(event, market)
        if isinstance(operation, o.Result):
            found: Any = decide_result(event, market, numbers, operation)
        elif isinstance(operation, o.ResultRolledBack):
            found = decide_rollback(market, numbers, operation.reason)
        elif isinstance(operation, o.SelectionResulted):
            found = decide_part(market, numbers, operation)
        elif isinstance(operation, o.Discounts):
            found = _set_discounts(market, numbers, operation)
        else:
            found = decide_void(market, numbers, operation)
        if isinstance(found, Code):
            yield _refused(shard, key, operation.market_id, name, found)
        else:
            yield from found


def _refused(
    shard: ShardState, key: str, market_id: str, operation: str, code: Code, why: str = ""
) -> e.OperationRefused:
    event = shard.events.get(key)
    market = event.markets.get(market_id) if event is not None else None
    return e.OperationRefused(
        key,
        event.seq + 1 if event is not None else 0,
        market_id,
        market.seq + 1 if market is not None else 0,
        operation,
        code.value,
        why or SENTENCES[code],
    )


def _open_event(
    shard: ShardState, event: EventState | None, operation: o.EventOpened
) -> e.EventWasOpened | e.OperationRefused:
    if event is not None or operation.event_id in shard.retired:
        same = event is not None and (
            event.name == operation.name
            and event.event_type == operation.event_type
            and event.start_ms == operation.start_ms
            and event.feed_clock == (operation.clock == "feed")
        )
        code = Code.UNCHANGED if same else Code.DUPLICATE_EVENT
        return _refused(shard, operation.event_id, "", "event_opened", code)
    if len(shard.events) >= EVENTS_PER_SHARD_MAX:
        return _refused(shard, operation.event_id, "", "event_opened", Code.TOO_MANY_MARKETS)
    return e.EventWasOpened(
        operation.event_id,
        1,
        "",
        0,
        operation.name,
        operation.event_type,
        operation.start_ms,
        operation.clock,
    )


def _set_discounts(
    market: MarketState, numbers: Numbers, operation: o.Discounts
) -> Iterator[e.Entry] | Code:
    if market.exchange is None:
        return Code.INVALID_INPUT_DATA
    if market.settled:
        return Code.ALREADY_SETTLED
    if all(market.discounts.get(client, 0) == found for client, found in operation.discounts):
        return Code.UNCHANGED
    return iter([oe.DiscountsWereSet(*numbers.next(), operation.discounts)])


def _change(
    shard: ShardState, event: EventState, market: MarketState, operation: o.MarketStatus
) -> Iterator[e.Entry]:
    """Yield a change of the market, after what it means for orders on an exchange."""
    after = _change_market(shard, event, market, operation)
    if market.exchange is not None and isinstance(after, e.MarketChanged):
        yield from before_change(market, Numbers(event, market), after)
        after = _change_market(shard, event, market, operation)  # with its number as it is now
    yield after


def _change_market(
    shard: ShardState, event: EventState, market: MarketState, operation: o.MarketStatus
) -> e.MarketChanged | e.OperationRefused:
    status = market.status if operation.status is UNSET else operation.status
    in_play = market.in_play if operation.in_play is UNSET else operation.in_play
    delay = market.bet_delay_ms if operation.bet_delay_ms is UNSET else operation.bet_delay_ms
    code = None
    if market.settlement or status not in TRANSITIONS[market.status]:
        code = Code.INVALID_STATUS
    elif (status, in_play, delay) == (market.status, market.in_play, market.bet_delay_ms):
        code = Code.UNCHANGED
    if code is not None:
        return _refused(shard, event.event_id, operation.market_id, "market_status", code)
    material = operation.material
    if material is UNSET:
        material = in_play != market.in_play or market.status == "SUSPENDED"
    version = market.version + 1
    return e.MarketChanged(
        event.event_id,
        event.seq + 1,
        operation.market_id,
        market.seq + 1,
        status,
        in_play,
        delay,
        version,
        version if material else market.material_version,
        operation.reason,
    )


def _set_prices(
    shard: ShardState, event: EventState, market: MarketState, operation: o.Prices
) -> e.OddsSet | e.OperationRefused:
    code, why = None, ""
    valid = ladder_of(market.definition).valid
    if not market.book.needs_odds or market.definition.engine == "lmsr":
        code, why = (
            Code.INVALID_ODDS,
            f"{ENGINES.get(market.definition.engine, 'this engine')} makes its own odds",
        )
    elif market.status == "CLOSED":
        code = Code.MARKET_NOT_OPEN_FOR_BETTING
    else:
        for selection_id, odds_e4 in operation.prices:
            runner = market.selections.get(selection_id)
            if runner is None:
                code, why = Code.INVALID_RUNNER, f"selection {selection_id} is not in the market"
            elif runner != "ACTIVE" and odds_e4:
                code, why = Code.RUNNER_REMOVED, f"selection {selection_id} is out of the betting"
            elif odds_e4 and odds_e4 not in valid:
                code, why = Code.INVALID_ODDS, f"odds {odds_e4} are not on the ladder"
            else:
                continue
            break
    if code is None and all(market.book.odds(s) == p for s, p in operation.prices):
        code = Code.UNCHANGED
    if code is not None:
        return _refused(shard, event.event_id, operation.market_id, "prices", code, why)
    return e.OddsSet(
        event.event_id, event.seq + 1, operation.market_id, market.seq + 1, operation.prices
    )


def _remove_selection(
    shard: ShardState, event: EventState, market: MarketState, operation: o.SelectionRemoved
) -> Iterator[e.Entry]:
    runner = market.selections.get(operation.selection_id)
    code = None
    if runner is None:
        code = Code.INVALID_RUNNER
    elif runner != "ACTIVE":
        code = Code.UNCHANGED
    elif market.settlement:
        code = Code.ALREADY_SETTLED
    if code is not None:
        yield _refused(shard, event.event_id, operation.market_id, "selection_removed", code)
        return
    if market.exchange is not None:
        yield from withdraw(market, Numbers(event, market), operation)
    else:
        yield from refund_selection(market, Numbers(event, market), operation)
