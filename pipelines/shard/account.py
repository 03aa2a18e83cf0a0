"""Stage 5, risk, for a bettor's account: may so much be held, and what was posted.

Looks at the state and changes nothing. Double entry: every posting has its other side, an event's
escrow or the house's cash, so that all accounts sum to zero.
"""

from collections.abc import Iterator
from typing import Final

from pipelines.codes import SENTENCES, Code
from pipelines.limits import BETTORS_PER_SHARD_MAX, HOLDS_PER_BETTOR_MAX
from pipelines.messages import account_operations as ao
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import transfers as t
from pipelines.shard.bettor import BettorState, bettor_key
from pipelines.shard.state import ShardState

__all__ = ["CASH", "decide_account", "decide_funds", "funds_refusal", "post"]

CASH: Final = "house:cash"


def decide_account(
    shard: ShardState, key: str, operation: ao.AccountOperation
) -> Iterator[e.Entry]:
    """Yield what an operator's message on an account leads to: one entry."""
    name = str(type(operation).__struct_config__.tag)
    bettor = shard.bettors.get(key)
    seq = bettor.seq + 1 if bettor is not None else 1
    code, why = _operation_refusal(shard, key, bettor, operation)
    if code is not None:
        event = shard.events.get(key)  # written there by mistake
        seq = event.seq + 1 if event is not None else 0 if bettor is None else seq
        yield e.OperationRefused(key, seq, "", 0, name, code.value, why or SENTENCES[code])
        return
    client_id = operation.client_id
    if isinstance(operation, ao.AccountSet):
        yield be.AccountWasSet(key, seq, "", 0, client_id, operation.credit_minor, operation.open)
        return
    assert bettor is not None
    amount = operation.amount_minor
    if isinstance(operation, ao.Withdrawal):
        amount = -amount
    yield post(bettor, operation.reference, CASH, name, amount, 0)


def _operation_refusal(
    shard: ShardState, key: str, bettor: BettorState | None, operation: ao.AccountOperation
) -> tuple[Code | None, str]:
    if key != bettor_key(operation.client_id):
        return Code.EVENT_KEY_MISMATCH, ""
    if isinstance(operation, ao.AccountSet):
        if bettor is None:
            full = len(shard.bettors) >= BETTORS_PER_SHARD_MAX
            return (Code.TOO_MANY_MARKETS if full else None), ""
        same = (bettor.is_open, bettor.credit_minor) == (operation.open, operation.credit_minor)
        return (Code.UNCHANGED if same else None), ""
    if bettor is None:
        return Code.INVALID_ACCOUNT_STATE, "the bettor has no account"
    if operation.reference in bettor.references:
        return Code.UNCHANGED, "this reference was booked before"
    # Credit is for bets, not to be taken out.
    own = bettor.balance_minor - bettor.held_minor
    too_much = isinstance(operation, ao.Withdrawal) and operation.amount_minor > own
    return (Code.INSUFFICIENT_FUNDS if too_much else None), ""


def funds_refusal(bettor: BettorState | None, amount_minor: int) -> Code | None:
    """Return why an account cannot hold so much, None where it can."""
    if bettor is None or not bettor.is_open:
        return Code.INVALID_ACCOUNT_STATE
    if len(bettor.holds) + len(bettor.exposures) >= HOLDS_PER_BETTOR_MAX:
        return Code.TOO_MANY_BETS
    return Code.INSUFFICIENT_FUNDS if amount_minor > bettor.free_minor else None


def decide_funds(shard: ShardState, key: str, body: t.Body) -> Iterator[e.Entry | t.Send]:
    """Yield what an event's transfer means for an account."""
    bettor = shard.bettors.get(key)
    if isinstance(body, t.FundsAsked):
        yield from _ask(shard, key, bettor, body)
    elif bettor is not None and isinstance(body, t.FundsReturned):
        held = bettor.holds.get((body.event_id, body.bet_id))
        if held is not None:  # otherwise it was refused, and nothing is held
            head = (key, bettor.seq + 1, "", 0, bettor.client_id, body.bet_id)
            yield be.FundsReleased(*head, body.event_id, held)
    elif bettor is not None and isinstance(body, t.FundsTaken):
        held = bettor.holds.get((body.event_id, body.bet_id), 0)
        escrow = f"event:{body.event_id}"
        yield post(bettor, body.bet_id, escrow, "stake", -body.amount_minor, held)
    elif bettor is not None and isinstance(body, t.FundsPaid):
        kind = "payout" if body.amount_minor >= 0 else "payout_returned"
        yield post(bettor, body.bet_id, f"event:{body.event_id}", kind, body.amount_minor, 0)
    elif bettor is not None and isinstance(body, t.ExposureHeld | t.MarketPosted):
        yield _of_market(bettor, body)


def _of_market(bettor: BettorState, body: t.ExposureHeld | t.MarketPosted) -> e.Entry:
    """Return what is held for an exchange market from now on, and what it came to."""
    event_id, market_id, held = body.event_id, body.market_id, body.held_minor
    if isinstance(body, t.MarketPosted) and body.amount_minor:
        kind = "result_returned" if body.rolled_back else "result"
        less = bettor.exposures.get((event_id, market_id), 0) - held
        escrow = f"event:{event_id}"
        return post(bettor, "", escrow, kind, body.amount_minor, less, market_id)
    bet_id = body.bet_id if isinstance(body, t.ExposureHeld) else ""
    less = bettor.holds.get((event_id, bet_id), 0)
    head = (bettor_key(bettor.client_id), bettor.seq + 1, "", 0, bettor.client_id, bet_id)
    return be.ExposureWasHeld(*head, event_id, market_id, held, less)


def _ask(
    shard: ShardState, key: str, bettor: BettorState | None, body: t.FundsAsked
) -> Iterator[e.Entry | t.Send]:
    code = funds_refusal(bettor, body.amount_minor)
    client_id = key.partition("/")[2]
    seq = bettor.seq + 1 if bettor is not None else 0
    head = (key, seq, "", 0, client_id, body.bet_id, body.event_id, body.amount_minor)
    if code is None:
        yield be.FundsReserved(*head)
    else:
        yield be.FundsRefused(*head, code.value)
    told = "" if code is None else code.value
    yield t.Send(body.event_id, t.FundsAnswered(client_id, body.bet_id, told))


def post(
    bettor: BettorState,
    bet_id: str,
    other: str,
    kind: str,
    amount_minor: int,
    released_minor: int,
    of_market: str = "",
) -> be.FundsPosted:
    """Return a posting of `amount_minor` to the account, its other side on the account `other`."""
    key = bettor_key(bettor.client_id)
    source = other.removeprefix("event:") if other.startswith("event:") else ""
    return be.FundsPosted(
        key,
        bettor.seq + 1,
        "",
        0,
        bettor.client_id,
        bet_id,
        source,
        kind,
        amount_minor,
        released_minor,
        bettor.balance_minor + amount_minor,
        ((key, amount_minor), (other, -amount_minor)),
        of_market,
    )
