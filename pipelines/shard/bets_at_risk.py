"""Bets that the risk desk or a limit has a say in: taken in part, held, referred, or refused.

The rest of `bets.py`, off the way of the many bets of events without limits. Of a bet whose bettor
allows it, the part within the limits is taken. Where the bet waits, for the bet delay, a trader or
its account, it waits as it was asked for, and the part is found when its time is over.
"""

from typing import Final

from msgspec import structs

from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import SENTENCES, Code
from pipelines.messages import entries as e
from pipelines.messages.requests import BetRequest, PricePolicy
from pipelines.shard.bet_answers import pending, rejected
from pipelines.shard.offers import offer_of
from pipelines.shard.risk import delay_of, is_referred, largest_part, largest_stake, why_not
from pipelines.shard.risk_state import EventRisk
from pipelines.shard.state import Bet, EventState, MarketState, ShardState

__all__ = ["decide_at_risk", "decide_waited", "refused", "take_part", "why_no_order"]

#: Refusals for which a smaller stake is a way out.
IN_PART: Final = frozenset({Code.ABOVE_MAX_BET_AMOUNT, Code.LOSS_LIMIT_EXCEEDED})


def decide_at_risk(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
    at_ms: int,
) -> e.Entry:
    """Answer a bet that its market would take at these odds, by what the risk desk has set."""
    code = why_not(shard, event, market, client_id, bet, odds_e4)
    if code is not None:
        return refused(shard, event, market, client_id, bet, code, at_ms, odds_e4)
    waits = _wait(event, market, client_id, bet, odds_e4, at_ms)
    if waits is not None:
        return waits
    shares = _shares_minor(market, bet.selection_id, bet.stake_minor, odds_e4)
    return e.BetAccepted(*_asked(event, market, client_id, bet), odds_e4, shares)


def refused(
    shard: ShardState,
    event: EventState,
    market: MarketState | None,
    client_id: str,
    bet: BetRequest,
    code: Code,
    at_ms: int,
    odds_e4: int | None = None,
) -> e.Entry:
    """Refuse a bet, or take the part of it that is within the limits, if the bettor asked so.

    `odds_e4`: at which its market would take it.
    """
    if market is None:
        return rejected(event, market, client_id, bet, code)
    if bet.accept_partial and code in IN_PART:
        odds, stake_minor = largest_part(shard, event, market, client_id, bet)
        if stake_minor:
            waits = _wait(event, market, client_id, bet, odds, at_ms)
            return waits or _partly_accepted(event, market, client_id, bet, stake_minor, odds)
    offer = _offer(shard, event, market, client_id, bet, code, odds_e4)
    return rejected(event, market, client_id, bet, code, offer)


def take_part(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    stake_minor: int,
    code: Code,
    at_ms: int,
) -> e.Entry:
    """Take so much of a bet, if that can be done at once; else refuse it with `code`."""
    part = structs.replace(bet, stake_minor=stake_minor, accept_partial=False)
    odds = market.book.price(part)
    if isinstance(odds, Code) or market.definition.accounts:
        return rejected(event, market, client_id, bet, code)
    if why_not(shard, event, market, client_id, part, odds) is not None:
        offer = _offer(shard, event, market, client_id, part, Code.LOSS_LIMIT_EXCEEDED, odds)
        return rejected(event, market, client_id, bet, code, offer)
    if _wait(event, market, client_id, part, odds, at_ms) is not None:
        return rejected(event, market, client_id, bet, code, (odds, stake_minor))
    return _partly_accepted(event, market, client_id, bet, stake_minor, odds)


def _partly_accepted(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    stake_minor: int,
    odds_e4: int,
) -> e.BetPartlyAccepted:
    part = structs.replace(bet, stake_minor=stake_minor)
    shares = _shares_minor(market, bet.selection_id, stake_minor, odds_e4)
    taken = _asked(event, market, client_id, part)
    return e.BetPartlyAccepted(*taken, odds_e4, bet.stake_minor, shares)


def _shares_minor(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what a stake buys of a market maker at these odds, 0 in other markets."""
    book = market.book
    return book.shares_at(selection_id, stake_minor, odds_e4) if isinstance(book, LmsrBook) else 0


def _offer(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    code: Code,
    odds_e4: int | None,
) -> tuple[int, int]:
    """Return the odds and the largest stake that would be taken instead, or 0, 0."""
    if code is Code.NOT_ACCEPTED:
        return 0, 0
    if odds_e4 is None:
        odds_e4, stake_minor = offer_of(market, bet, code)
        if not stake_minor or (event.risk is None and shard.risk_over(event) is None):
            return odds_e4, stake_minor
        bet = structs.replace(bet, stake_minor=stake_minor)
        if why_not(shard, event, market, client_id, bet, odds_e4) is Code.NOT_ACCEPTED:
            return 0, 0
    stake_minor = largest_stake(shard, event, market, client_id, bet, odds_e4)
    return (odds_e4, stake_minor) if stake_minor >= market.stake_min_minor else (0, 0)


def _wait(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
    at_ms: int,
) -> e.BetPending | None:
    """Return that a bet waits: for a trader, the bet delay, or, to be taken in part, its money.

    A bet that is taken as a whole is sent to its account by the engine.
    """
    if event.risk is not None and is_referred(event, bet.market_id, client_id):
        due_ms = at_ms + event.risk.rules.referral_timeout_ms
        return pending(event, market, client_id, bet, due_ms, referred=True)
    stake_minor, selection_id = bet.stake_minor, bet.selection_id
    delay_ms = delay_of(event, market, client_id, selection_id, stake_minor, odds_e4, at_ms)
    if delay_ms or (bet.accept_partial and market.definition.accounts):
        return pending(event, market, client_id, bet, at_ms + delay_ms)
    return None


def decide_waited(
    shard: ShardState, event: EventState, market: MarketState, bet: Bet, code: Code | None
) -> e.Entry:
    """Stages 5 to 7 again for a bet whose time is over; `code` is what is wrong, if anything."""
    key = (bet.client_id, bet.bet_id)
    asked = _as_asked(event, bet)
    odds: int | Code = code if code is not None else market.book.price(asked)
    if not isinstance(odds, Code):
        odds = why_not(shard, event, market, bet.client_id, asked, odds) or odds
    stake_minor = bet.stake_minor
    if isinstance(odds, Code) and odds in IN_PART and key in market.partial:
        found, part_minor = largest_part(shard, event, market, bet.client_id, asked)
        if part_minor:
            odds, stake_minor = found, part_minor
    head = (event.event_id, event.seq + 1, bet.market_id, market.seq + 1, *key)
    if isinstance(odds, Code):
        offer = _offer(shard, event, market, bet.client_id, asked, odds, None)
        return e.BetDeclined(*head, odds.value, SENTENCES[odds], *offer)
    asked_minor = event.parts.get(key, bet.stake_minor)  # of which a trader may have let in a part
    shares = _shares_minor(market, bet.selection_id, stake_minor, odds)
    if stake_minor < asked_minor:
        return e.BetPartlyConfirmed(*head, odds, stake_minor, asked_minor, shares)
    return e.BetConfirmed(*head, odds, shares)


def _as_asked(event: EventState, bet: Bet) -> BetRequest:
    return BetRequest(
        bet.bet_id,
        event.event_id,
        bet.market_id,
        bet.selection_id,
        bet.stake_minor,
        bet.asked_odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
    )


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


def why_no_order(risk: EventRisk, market_id: str, client_id: str, stake_minor: int) -> Code | None:
    """Return why the risk desk takes no such order on an exchange: no money of the house."""
    lever = risk.lever(market_id, client_id)
    if lever is None:
        return None
    if lever.action == "reject":
        return Code.NOT_ACCEPTED
    above = lever.action == "limit" and stake_minor > lever.stake_max_minor
    return Code.ABOVE_MAX_BET_AMOUNT if above else None
