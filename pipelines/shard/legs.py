"""A coupon's leg, in the partition of its event: hold it, keep it, tell its coupon how it came out.

Looks at the state and changes nothing. A leg is judged as a bet of the coupon's whole stake would
be; it does not count towards the market's own liabilities, which are those of single bets.
"""

from collections.abc import Iterator

from pipelines.books.fixed import FixedBook
from pipelines.books.leg_terms import VOID, leg_terms
from pipelines.books.multiples import leg_returns
from pipelines.codes import Code
from pipelines.limits import LEGS_PER_MARKET_MAX
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import transfers as t
from pipelines.messages.operations import BetsVoided
from pipelines.messages.requests import BetRequest
from pipelines.shard.bets import recheck
from pipelines.shard.bettor import bettor_key
from pipelines.shard.numbering import Numbers
from pipelines.shard.risk import is_referred, why_not
from pipelines.shard.state import EventState, MarketState, ShardState

__all__ = ["decide_leg_asked", "decide_leg_ended", "reopen_legs", "settle_legs", "void_legs"]

Decided = Iterator[e.Entry | t.Send]


def decide_leg_asked(shard: ShardState, key: str, asked: t.LegAsked) -> Decided:
    """Yield whether an event holds a leg, and the word to its coupon."""
    event = shard.events.get(key)
    market = event.markets.get(asked.market_id) if event is not None else None
    found = _judge(shard, key, event, market, asked)
    to = bettor_key(asked.client_id)
    head = (
        key,
        event.seq + 1 if event is not None else 0,
        asked.market_id,
        market.seq + 1 if market is not None else 0,
        asked.client_id,
        asked.bet_id,
        asked.leg,
    )
    if isinstance(found, Code):
        yield be.LegRefused(*head, found.value)
        yield t.Send(to, t.LegAnswered(asked.bet_id, asked.leg, found.value, 0, accounts=False))
        return
    assert market is not None
    yield be.LegHeld(*head, asked.selection_id, found)
    accounts = market.definition.accounts
    yield t.Send(to, t.LegAnswered(asked.bet_id, asked.leg, "", found, accounts))


def _judge(
    shard: ShardState,
    key: str,
    event: EventState | None,
    market: MarketState | None,
    asked: t.LegAsked,
) -> int | Code:
    """Return the odds at which the leg is held, or why it is not."""
    if event is None:
        return Code.EVENT_RETIRED if key in shard.retired else Code.INVALID_EVENT_ID
    if market is None:
        elsewhere = asked.market_id in event.away
        return Code.NOT_COMBINABLE if elsewhere else Code.INVALID_MARKET_ID
    code = recheck(market, asked.selection_id, asked.market_version)
    if code is not None:
        return code
    book = market.book
    delayed = market.in_play and market.bet_delay_ms > 0
    if not isinstance(book, FixedBook) or delayed or not market.definition.multiples:
        return Code.NOT_COMBINABLE
    if asked.each_way and not book.rules.each_way_divisor:
        return Code.NOT_COMBINABLE
    if asked.stake_minor > market.stake_max_minor:
        return Code.ABOVE_MAX_BET_AMOUNT
    if len(market.legs) >= LEGS_PER_MARKET_MAX:
        return Code.TOO_MANY_BETS
    bet = BetRequest(
        asked.bet_id,
        key,
        asked.market_id,
        asked.selection_id,
        asked.stake_minor,
        asked.odds_e4,
        asked.price_policy,
        asked.tolerance_e4,
        asked.market_version,
    )
    odds = book.price(bet)
    if isinstance(odds, Code) or (event.risk is None and shard.risk_over(event) is None):
        return odds
    return _at_risk(shard, event, market, asked.client_id, bet, odds)


def _at_risk(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
) -> int | Code:
    """Return the odds, or why limits and levers keep a bet from being a leg: it cannot wait."""
    code = why_not(shard, event, market, client_id, bet, odds_e4)
    if code is not None:
        return code
    if is_referred(event, bet.market_id, client_id):
        return Code.NOT_COMBINABLE
    held = event.risk is not None and event.risk.trust(client_id).delay_ms
    return Code.NOT_COMBINABLE if held else odds_e4


def decide_leg_ended(shard: ShardState, key: str, ended: t.LegEnded) -> Decided:
    """Yield that a held leg is kept or let go; one that came out meanwhile was told already."""
    event = shard.events.get(key)
    if event is None:
        return
    name = (ended.client_id, ended.bet_id, ended.leg)
    for market in event.markets.values():
        if name in market.legs:
            head = (*Numbers(event, market).next(), ended.client_id, ended.bet_id, ended.leg)
            yield be.LegKept(*head) if ended.taken else be.LegReleased(*head)
            return


def settle_legs(event: EventState, market: MarketState) -> Decided:
    """Yield how the legs on a market with a result came out."""
    book = market.book
    for (client_id, bet_id, number), leg in list(market.legs.items()):
        if leg.voided:
            continue
        win, place = VOID, VOID
        if not market.refund and market.selections[leg.selection_id] != "REMOVED":
            assert isinstance(book, FixedBook)
            win, place = leg_terms(
                book, leg.selection_id, market.winners, market.factors, market.finish
            )
        deduction = 0
        if isinstance(book, FixedBook):
            deduction = book.deduction_e4(leg.number)
            if leg.withdrawals >= 0:
                deduction = book.deduction_since_e4(leg.withdrawals)
        returns = leg_returns(leg.odds_e4, win, place, deduction)
        yield from _told(event, market, client_id, bet_id, number, market.settlement, *returns)


def void_legs(event: EventState, operation: BetsVoided) -> Decided:
    """Yield that legs struck in an interval are void, where single bets may be voided too."""
    market = event.markets.get(operation.market_id)
    if market is None or market.settled:
        return
    from_ms, to_ms = operation.from_ms, operation.to_ms
    for (client_id, bet_id, number), leg in list(market.legs.items()):
        if not leg.voided and from_ms <= leg.at_ms <= to_ms:
            yield from _told(event, market, client_id, bet_id, number, 0, (1, 1), (1, 1))


def _told(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet_id: str,
    number: int,
    settlement: int,
    win: t.Ratio,
    place: t.Ratio,
) -> Decided:
    head = (*Numbers(event, market).next(), client_id, bet_id, number)
    yield be.LegSettled(*head, settlement, win, place)
    yield t.Send(bettor_key(client_id), t.LegCameOut(bet_id, number, settlement, win, place))


def reopen_legs(event: EventState, market: MarketState, settlement: int) -> Decided:
    """Yield that the result of the legs on a market was rolled back."""
    for (client_id, bet_id, number), leg in list(market.legs.items()):
        if leg.settlement == settlement and not leg.voided:
            head = (*Numbers(event, market).next(), client_id, bet_id, number)
            yield be.LegUnsettled(*head, settlement)
            yield t.Send(bettor_key(client_id), t.LegReopened(bet_id, number, settlement))
