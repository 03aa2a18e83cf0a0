"""The answers to a bet as entries: refused, pending, and the same again for a bet that is known."""

from pipelines.codes import SENTENCES, Code
from pipelines.messages import entries as e
from pipelines.messages.requests import BetRequest
from pipelines.shard.offers import offer_of
from pipelines.shard.order import Order
from pipelines.shard.state import STATUS_NAMES, AnyBet, EventState, MarketState, ShardState

__all__ = ["answer_again", "answer_without_event", "pending", "rejected"]


def pending(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    due_ms: int,
    referred: bool = False,
) -> e.BetPending:
    """Return that a bet waits until `due_ms`: for the bet delay, a trader's word, its money."""
    return e.BetPending(
        event.event_id,
        event.seq + 1,
        bet.market_id,
        market.seq + 1,
        client_id,
        bet.bet_id,
        bet.selection_id,
        bet.stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        due_ms,
        referred=referred,
        accept_partial=bet.accept_partial,
    )


def rejected(
    event: EventState,
    market: MarketState | None,
    client_id: str,
    bet: BetRequest,
    code: Code,
    offer: tuple[int, int] | None = None,
) -> e.BetRejected:
    """Return the refusal of a bet on a known event, with what would be taken instead."""
    return e.BetRejected(
        event.event_id,
        event.seq + 1,
        bet.market_id,
        market.seq + 1 if market is not None else 0,
        client_id,
        bet.bet_id,
        bet.selection_id,
        bet.stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        code.value,
        SENTENCES[code],
        *(offer if offer is not None else offer_of(market, bet, code)),
    )


def answer_without_event(
    shard: ShardState, key: str, client_id: str, bet: BetRequest
) -> e.BetRejected | e.BetRepeated | e.BetConflict:
    """Refuse a bet on an event that is not here; the same bet gets the same refusal again."""
    known = shard.orphans.get((key, client_id, bet.bet_id))
    if known is not None:
        return answer_again(None, known, bet, key)
    code = Code.EVENT_RETIRED if key in shard.retired else Code.INVALID_EVENT_ID
    if bet.client_id and bet.client_id != client_id:
        code = Code.PERMISSION_DENIED
    elif bet.event_id != key:
        code = Code.EVENT_KEY_MISMATCH
    return e.BetRejected(
        key,
        0,
        bet.market_id,
        0,
        client_id,
        bet.bet_id,
        bet.selection_id,
        bet.stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        code.value,
        SENTENCES[code],
    )


def answer_again(
    event: EventState | None, known: AnyBet, bet: BetRequest, key: str = ""
) -> e.BetRepeated | e.BetConflict:
    """Answer a known bet id: the same body as before, another body as a conflict."""
    if event is not None:
        market = event.markets.get(known.market_id)
        head = (
            event.event_id,
            event.seq + 1,
            known.market_id,
            market.seq + 1 if market is not None else 0,
            known.client_id,
            known.bet_id,
        )
    else:
        head = (key, 0, known.market_id, 0, known.client_id, known.bet_id)
    same = (
        known.market_id == bet.market_id
        and known.selection_id == bet.selection_id
        and _asked_stake(event, known) == bet.stake_minor
        and known.asked_odds_e4 == bet.odds_e4
        and known.price_policy == bet.price_policy
        and known.tolerance_e4 == bet.tolerance_e4
        and known.market_version == bet.market_version
    )
    if not same or (isinstance(known, Order) and not _same_terms(known, bet)):
        return e.BetConflict(*head)
    return e.BetRepeated(*head, STATUS_NAMES[known.status], known.odds_e4, known.code)


def _asked_stake(event: EventState | None, known: AnyBet) -> int:
    """Return the stake that was asked for; of a bet taken in part it is kept apart."""
    if event is None or not event.parts:
        return known.stake_minor
    return event.parts.get((known.client_id, known.bet_id), known.stake_minor)


def _same_terms(known: Order, bet: BetRequest) -> bool:
    return (
        known.lay == (bet.side == "LAY")
        and known.order_type == bet.order_type
        and known.asked_persistence == bet.persistence
        and known.time_in_force == bet.time_in_force
        and known.min_fill_minor == bet.min_fill_minor
        and not known.replaces
    )
