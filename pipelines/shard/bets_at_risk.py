"""Bets that the risk desk or a limit has a say in: taken in part, held, referred, or refused.

The rest of `bets.py`, off the way of the many bets of events without limits.
"""

from typing import Final

from msgspec import structs

from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages.requests import BetRequest, PricePolicy
from pipelines.shard.bet_answers import pending, rejected
from pipelines.shard.offers import offer_of
from pipelines.shard.risk import delay_of, is_referred, largest_stake, why_not
from pipelines.shard.risk_state import EventRisk
from pipelines.shard.state import EventState, MarketState

__all__ = [
    "decide_at_risk",
    "refused",
    "shares_minor",
    "take_part",
    "why_no_order",
    "why_not",
]

#: Refusals for which a smaller stake is a way out.
IN_PART: Final = frozenset({Code.ABOVE_MAX_BET_AMOUNT, Code.LOSS_LIMIT_EXCEEDED})


def decide_at_risk(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
    at_ms: int,
) -> e.Entry:
    """Answer a bet that its market would take at these odds, by what the risk desk has set."""
    risk = event.risk
    assert risk is not None
    code = why_not(event, market, client_id, bet, odds_e4)
    if code is not None:
        stake_minor = 0
        if code in IN_PART:
            stake_minor = largest_stake(event, market, client_id, bet, odds_e4)
        if stake_minor < market.stake_min_minor:
            return rejected(event, market, client_id, bet, code, (0, 0))
        if bet.accept_partial:
            return take_part(event, market, client_id, bet, stake_minor, code, at_ms)
        return rejected(event, market, client_id, bet, code, (odds_e4, stake_minor))
    if is_referred(risk, bet.market_id, client_id):
        due_ms = at_ms + risk.rules.referral_timeout_ms
        return pending(event, market, client_id, bet, due_ms, referred=True)
    delay_ms = delay_of(event, market, client_id, bet.selection_id, odds_e4, at_ms)
    if delay_ms:
        return pending(event, market, client_id, bet, at_ms + delay_ms)
    shares = shares_minor(market, bet.selection_id, bet.stake_minor, odds_e4)
    return e.BetAccepted(*_asked(event, market, client_id, bet), odds_e4, shares)


def refused(
    event: EventState,
    market: MarketState | None,
    client_id: str,
    bet: BetRequest,
    code: Code,
    at_ms: int,
) -> e.Entry:
    """Refuse a bet, or take the part of it that is within the limits, if the bettor asked so."""
    if market is None or not bet.accept_partial or code not in IN_PART:
        return rejected(event, market, client_id, bet, code)
    _, stake_minor = offer_of(market, bet, code)
    if not market.stake_min_minor <= stake_minor < bet.stake_minor:
        return rejected(event, market, client_id, bet, code)
    return take_part(event, market, client_id, bet, stake_minor, code, at_ms)


def take_part(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    stake_minor: int,
    code: Code,
    at_ms: int,
) -> e.Entry:
    """Take so much of a bet, if that can be done at once."""
    smaller = structs.replace(bet, stake_minor=stake_minor, accept_partial=False)
    odds = market.book.price(smaller)
    waits = market.definition.accounts or (market.in_play and market.bet_delay_ms)
    if isinstance(odds, Code) or waits:
        return rejected(event, market, client_id, bet, code)
    if event.risk is not None:
        answer = decide_at_risk(event, market, client_id, smaller, odds, at_ms)
        if not isinstance(answer, e.BetAccepted):
            offer = (
                (answer.offer_odds_e4, answer.offer_stake_minor)
                if isinstance(answer, e.BetRejected)
                else (odds, stake_minor)
            )
            return rejected(event, market, client_id, bet, code, offer)
    shares = shares_minor(market, bet.selection_id, stake_minor, odds)
    taken = _asked(event, market, client_id, smaller)
    return e.BetPartlyAccepted(*taken, odds, bet.stake_minor, shares)


def shares_minor(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what a stake buys of a market maker at these odds, 0 in other markets."""
    book = market.book
    return book.shares_at(selection_id, stake_minor, odds_e4) if isinstance(book, LmsrBook) else 0


def _asked(
    event: EventState, market: MarketState, client_id: str, bet: BetRequest
) -> tuple[str, int, str, int, str, str, int, int, int, PricePolicy, int, int]:
    return (
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
    )


def why_no_order(risk: EventRisk, client_id: str, bet: BetRequest) -> Code | None:
    """Return why the risk desk takes no such order on an exchange: no money of the house."""
    lever = risk.lever(bet.market_id, client_id)
    if lever is None:
        return None
    if lever.action == "reject":
        return Code.NOT_ACCEPTED
    above = lever.action == "limit" and bet.stake_minor > lever.stake_max_minor
    return Code.ABOVE_MAX_BET_AMOUNT if above else None
