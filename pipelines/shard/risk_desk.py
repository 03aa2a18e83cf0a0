"""What an operator's word on risk leads to: limits, levers, and a trader's answer to a referral.

Looks at the state and changes nothing.
"""

from collections.abc import Iterator

from pipelines.codes import SENTENCES, Code
from pipelines.limits import LEVERS_PER_EVENT_MAX, SHARD_KEY_PREFIX
from pipelines.messages import entries as e
from pipelines.messages import risk_operations as r
from pipelines.shard.numbering import Numbers
from pipelines.shard.state import PENDING, AnyBet, EventState, MarketState, ShardState

__all__ = ["decide_risk", "decide_shard_risk"]


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


def decide_shard_risk(shard: ShardState, key: str, operation: r.ShardRiskSet) -> e.Entry:
    """Return that limits hold for all books of the shard, or why not: they are another's."""
    wanted = f"{SHARD_KEY_PREFIX}{shard.partition}"
    event = shard.events.get(key)  # written there by mistake
    head = (key, 0 if event is None else event.seq + 1, "", 0)
    if event is not None or operation.partition != shard.partition or key != wanted:
        code, why = Code.EVENT_KEY_MISMATCH, f"this is partition {shard.partition}, key {wanted}"
    elif operation == (shard.risk.rules if shard.risk is not None else _no_limits(shard)):
        code, why = Code.UNCHANGED, SENTENCES[Code.UNCHANGED]
    else:
        return e.ShardRiskWasSet(*head, operation)
    name = str(type(operation).__struct_config__.tag)
    return e.OperationRefused(*head, name, code.value, why)


def _no_limits(shard: ShardState) -> r.ShardRiskSet:
    return r.ShardRiskSet(shard.partition)


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
    if market is not None and market.exchange is not None and operation.action == "refer":
        why = "on an exchange bettors bet with each other: there is nothing for a trader to decide"
        return _refused(event, operation, operation.market_id, Code.INVALID_INPUT_DATA, why)
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
    stake_minor = operation.stake_minor if operation.stake_minor != bet.stake_minor else 0
    too_small = 0 < stake_minor < market.stake_min_minor
    if operation.accept and (too_small or stake_minor > bet.stake_minor):
        return _refused(event, operation, operation.market_id, Code.INVALID_BET_SIZE)
    head = (*Numbers(event, market).next(), *key)
    if operation.accept and (not stake_minor or key in market.partial):
        return e.ReferralAccepted(*head, at_ms + _delay_ms(event, market, bet), stake_minor)
    offer = (operation.offer_odds_e4, operation.offer_stake_minor)
    if operation.accept:
        # Less than the bettor asked for, who did not allow that: it may place another bet.
        offer = (operation.offer_odds_e4 or market.book.quote(bet.selection_id), stake_minor)
    code = Code.NOT_ACCEPTED
    return e.BetDeclined(*head, code.value, operation.reason or SENTENCES[code], *offer)


def _delay_ms(event: EventState, market: MarketState, bet: AnyBet) -> int:
    """Return how long a bet is held after a trader's word, before it is checked again."""
    delay_ms = market.bet_delay_ms if market.in_play else 0
    trust_ms = event.risk.trust(bet.client_id).delay_ms if event.risk is not None else 0
    return max(delay_ms, trust_ms)
