"""What an operator's word on risk leads to: limits, levers, and a trader's answer to a referral."""

from collections.abc import Iterator

from pipelines.codes import SENTENCES, Code
from pipelines.limits import LEVERS_PER_EVENT_MAX
from pipelines.messages import entries as e
from pipelines.messages import risk_operations as r
from pipelines.shard.numbering import Numbers
from pipelines.shard.state import PENDING, EventState, ShardState

__all__ = ["decide_risk"]


def decide_risk(
    shard: ShardState, event: EventState, operation: r.RiskOperation, at_ms: int
) -> Iterator[e.Entry]:
    """Yield the entry of the operation, or why it cannot be done."""
    if isinstance(operation, r.RiskSet):
        yield _set(event, operation)
    elif isinstance(operation, r.RiskLever):
        yield _pull(event, operation)
    else:
        yield _decide_referral(event, operation, at_ms)


def _refused(
    event: EventState, operation: r.RiskOperation, market_id: str, code: Code, why: str = ""
) -> e.OperationRefused:
    market = event.markets.get(market_id)
    seq = market.seq + 1 if market is not None else 0
    name = str(type(operation).__struct_config__.tag)
    head = (event.event_id, event.seq + 1, market_id, seq)
    return e.OperationRefused(*head, name, code.value, why or SENTENCES[code])


def _set(event: EventState, operation: r.RiskSet) -> e.Entry:
    names = {one.name for one in operation.classes}
    wanted = {name for _, name in operation.bettors} | {operation.default_class or ""}
    unknown = sorted(wanted - names - {""})
    if unknown or len(names) < len(operation.classes):
        why = f"there is no class {unknown[0]!r}" if unknown else "a class has two definitions"
        return _refused(event, operation, "", Code.INVALID_INPUT_DATA, why)
    if event.risk is not None and event.risk.rules == operation:
        return _refused(event, operation, "", Code.UNCHANGED)
    return e.RiskWasSet(event.event_id, event.seq + 1, "", 0, operation)


def _pull(event: EventState, operation: r.RiskLever) -> e.Entry:
    market = event.markets.get(operation.market_id)
    if operation.market_id and market is None:
        return _refused(event, operation, operation.market_id, Code.INVALID_MARKET_ID)
    levers = event.risk.levers if event.risk is not None else {}
    before = levers.get((operation.market_id, operation.client_id))
    code = None
    if operation.action == "none":
        code = Code.UNCHANGED if before is None else None
    elif before is None and len(levers) >= LEVERS_PER_EVENT_MAX:
        code = Code.TOO_MANY_LEVERS
    elif before is not None and (before.action, before.stake_max_minor) == (
        operation.action,
        operation.stake_max_minor,
    ):
        code = Code.UNCHANGED
    if code is not None:
        return _refused(event, operation, operation.market_id, code)
    head = Numbers(event, market).next() if market is not None else None
    return e.LeverWasSet(
        *(head or (event.event_id, event.seq + 1, "", 0)),
        operation.client_id,
        operation.action,
        operation.stake_max_minor,
        operation.reason,
    )


def _decide_referral(event: EventState, operation: r.ReferralDecided, at_ms: int) -> e.Entry:
    key = (operation.client_id, operation.bet_id)
    bet = event.bets.get(key)
    market = event.markets.get(operation.market_id)
    if bet is None or market is None or bet.market_id != operation.market_id:
        return _refused(event, operation, operation.market_id, Code.INVALID_BET_ID)
    if bet.status != PENDING or key not in market.referred:
        return _refused(event, operation, operation.market_id, Code.BET_TAKEN_OR_LAPSED)
    head = (*Numbers(event, market).next(), *key)
    if operation.accept:
        delay_ms = market.bet_delay_ms if market.in_play else 0
        return e.ReferralAccepted(*head, at_ms + delay_ms)
    code = Code.NOT_ACCEPTED
    offer = (operation.offer_odds_e4, operation.offer_stake_minor)
    return e.BetDeclined(*head, code.value, operation.reason or SENTENCES[code], *offer)
