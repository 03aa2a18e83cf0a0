"""Stages 4 to 7 for an order on an exchange: validate, risk, match; its first answer and trades.

Looks at the state and changes nothing. An order leads to one entry, with the resting orders that
it is matched with (after a bet delay: one each), and one more if what is left of it may not wait.
"""

from typing import NamedTuple

from pipelines.books.exchange import ExchangeBook
from pipelines.books.exchange_matching import NOTHING, Incoming, Plan
from pipelines.books.exchange_money import liability_minor
from pipelines.codes import SENTENCES, Code
from pipelines.limits import MARKET_STAKES_MAX_MINOR, MATCHES_PER_ENTRY_MAX
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages.requests import BetRequest
from pipelines.shard.exposure import exceeds_limit
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.order_funds import short_of_funds
from pipelines.shard.state import EventState, MarketState

__all__ = ["decide_due_order", "decide_order", "lapsed", "order_problem", "placed"]


def decide_order(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    at_ms: int,
    code: Code | None,
) -> list[e.Entry]:
    """Answer a new order; `code` is what is wrong with it as a bet, if anything."""
    if code is None:
        code = order_problem(market, client_id, bet)
    return placed(event, market, client_id, bet, at_ms, code, Numbers(event, market))


def placed(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    at_ms: int,
    code: Code | None,
    numbers: Numbers,
    replaces: str = "",
) -> list[e.Entry]:
    """Return the first answer to an order, and what follows from it."""
    body = (
        client_id,
        bet.bet_id,
        bet.selection_id,
        bet.stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        bet.side,
        bet.order_type,
        bet.persistence,
        bet.time_in_force,
        bet.min_fill_minor,
        replaces,
    )
    if code is not None:
        refusal = (*numbers.next(), *body, code.value, SENTENCES[code])
        return [oe.OrderRejected(*refusal)]
    if market.bet_delay_ms and market.in_play:
        pending = (*numbers.next(), *body, at_ms + market.bet_delay_ms)
        return [oe.OrderPending(*pending)]
    book = market.exchange
    assert book is not None
    lay = bet.side == "LAY"
    found = _matched(
        book,
        Incoming(
            client_id, bet.selection_id, lay, bet.odds_e4, bet.stake_minor, bet.min_fill_minor
        ),
        bet.order_type,
        bool(bet.time_in_force),
        bet.tolerance_e4,
    )
    plan = found.plan
    matches = _matches(plan, bet.selection_id)
    named = tuple(matches[:MATCHES_PER_ENTRY_MAX])
    whole = (*numbers.next(), *body, tuple(plan.fills))
    entries: list[e.Entry] = [oe.OrderTraded(*whole, named) if named else oe.OrderPlaced(*whole)]
    numbers.ahead(len(named))  # they are the entry's too
    _follow(entries, numbers, found, matches[MATCHES_PER_ENTRY_MAX:], client_id, bet.bet_id)
    return entries


class _Found(NamedTuple):
    plan: Plan
    lapse: Code | None  # why what is left of the order may not wait
    left_minor: int


def _matched(
    book: ExchangeBook, incoming: Incoming, order_type: str, killing: bool, tolerance_e4: int
) -> _Found:
    size = incoming.size_minor
    if order_type != "LIMIT":
        return _Found(NOTHING, None, size)
    if tolerance_e4:
        best = book.best_e4(incoming.selection_id, incoming.lay)
        gain = incoming.limit_e4 - best if incoming.lay else best - incoming.limit_e4
        if best and gain > tolerance_e4:
            return _Found(NOTHING, Code.BET_LAPSED_PRICE_IMPROVEMENT_TOO_LARGE, size)
    plan = book.plan(incoming, killing)
    if plan is not NOTHING:
        size -= sum([filled for _, filled, _ in plan.fills])
    if not size:
        return _Found(plan, None, 0)
    if plan.stopped:
        return _Found(plan, Code.INVALID_BACK_LAY_COMBINATION, size)
    return _Found(plan, Code.FILL_OR_KILL if killing else None, size)


_Matched = tuple[str, str, int, int, int, bool]  # as in `OrderTraded`


def _matches(plan: Plan, selection_id: int) -> list[_Matched]:
    """Return what an order means for those that it is matched with."""
    matches: list[_Matched] = []
    used: dict[int, int] = {}  # an order may be part of several virtual trades
    for order, size in plan.matches:
        which = id(order)
        used[which] = taken = used.get(which, 0) + size
        virtual = order.selection_id != selection_id
        left = order.remaining_minor - taken
        matches.append((order.client_id, order.bet_id, order.asked_odds_e4, size, left, virtual))
    return matches


def _follow(
    entries: list[e.Entry],
    numbers: Numbers,
    found: _Found,
    matches: list[_Matched],
    client_id: str,
    bet_id: str,
) -> None:
    """Add what follows from an order for others, and for what is left of it."""
    for of, which, odds_e4, size, left, virtual in matches:
        kind = "virtual" if virtual else "order"
        entries.append(oe.BetMatched(*numbers.next(), of, which, odds_e4, size, left, kind))
    code = Code.INVALID_BACK_LAY_COMBINATION
    for order in found.plan.lapsing:
        who = (order.client_id, order.bet_id)
        entries.append(lapsed(numbers, who, order.remaining_minor, code))
    if found.lapse is not None:
        entries.append(lapsed(numbers, (client_id, bet_id), found.left_minor, found.lapse))


def lapsed(
    numbers: Numbers, who: tuple[str, str], size_minor: int, code: Code, why: str = ""
) -> oe.OrderLapsed:
    """Return that so much of an order is out of the market."""
    return oe.OrderLapsed(*numbers.next(), *who, size_minor, code.value, why or SENTENCES[code])


def decide_due_order(
    event: EventState, market: MarketState, order: Order, code: Code | None
) -> list[e.Entry]:
    """Place an order whose bet delay is over, if it is still good; `code` says why it is not."""
    numbers = Numbers(event, market)
    book = market.exchange
    assert book is not None
    if code is None:
        if order.order_type != "LIMIT" and book.reconciled:
            code = Code.MARKET_NOT_OPEN_FOR_BSP_BETTING
        elif _too_much(market, order.lay, order.stake_minor, order.asked_odds_e4):
            code = Code.ABOVE_MAX_BET_AMOUNT
        elif market.definition.loss_limit_minor and exceeds_limit(
            market, order.client_id, _as_asked(event, order)
        ):
            code = Code.LOSS_LIMIT_EXCEEDED
        elif market.funds is not None and short_of_funds(market, order):
            code = Code.INSUFFICIENT_FUNDS
    who = (order.client_id, order.bet_id)
    if code is not None:
        return [e.BetDeclined(*numbers.next(), *who, code.value, SENTENCES[code])]
    incoming = Incoming(
        order.client_id,
        order.selection_id,
        order.lay,
        order.asked_odds_e4,
        order.stake_minor,
        order.min_fill_minor,
    )
    killing = bool(order.time_in_force)
    found = _matched(book, incoming, order.order_type, killing, order.tolerance_e4)
    entries: list[e.Entry] = [
        oe.OrderConfirmed(*numbers.next(), *who, tuple(found.plan.fills)),
    ]
    _follow(entries, numbers, found, _matches(found.plan, order.selection_id), *who)
    return entries


def _as_asked(event: EventState, order: Order) -> BetRequest:
    return BetRequest(
        order.bet_id,
        event.event_id,
        order.market_id,
        order.selection_id,
        order.stake_minor,
        order.asked_odds_e4,
        side="LAY" if order.lay else "BACK",
        order_type=order.order_type,
    )


def order_problem(
    market: MarketState, client_id: str, bet: BetRequest, replaced: Order | None = None
) -> Code | None:
    """Stages 4 and 5 for what only orders have: odds, kind, persistence, fill or kill, limits."""
    book = market.exchange
    assert book is not None
    limit = bet.order_type == "LIMIT"
    if bet.order_type != "MARKET_ON_CLOSE" and bet.odds_e4 not in book.ladder.valid:
        return Code.INVALID_ODDS
    bsp = market.definition.bsp_market and not book.reconciled and not market.in_play
    if not limit and not bsp:
        return Code.MARKET_NOT_OPEN_FOR_BSP_BETTING
    if bet.persistence != "LAPSE" and (
        not limit or (bet.persistence == "MARKET_ON_CLOSE" and not bsp)
    ):
        return Code.INVALID_PERSISTENCE_TYPE
    if bet.time_in_force:
        if not limit or bet.persistence != "LAPSE":
            return Code.TIME_IN_FORCE_CONFLICT
        if bet.min_fill_minor > bet.stake_minor:
            return Code.INVALID_MIN_FILL_SIZE
    elif bet.min_fill_minor:
        return Code.UNEXPECTED_MIN_FILL_SIZE
    lay = bet.side == "LAY"
    if lay and _too_much(market, limit, bet.stake_minor, bet.odds_e4):
        return Code.ABOVE_MAX_BET_AMOUNT
    if market.definition.loss_limit_minor and exceeds_limit(market, client_id, bet, replaced):
        return Code.LOSS_LIMIT_EXCEEDED
    return None


def _too_much(market: MarketState, by_liability: bool, stake_minor: int, odds_e4: int) -> bool:
    at_risk = stake_minor
    if by_liability:
        at_risk = max(stake_minor, liability_minor(stake_minor, odds_e4))
    return market.escrow_minor + at_risk > MARKET_STAKES_MAX_MINOR
