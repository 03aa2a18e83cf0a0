"""Stage 5, risk: levers, trust, the house's limits beyond one market, late bets, referral.

Only for events for which the risk desk has set something. Looks at the state and changes nothing.
Every limit is a question that only larger stakes fail, so the largest stake that would be taken is
found by halving, whatever stands in its way.
"""

from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.rounding import payout_minor
from pipelines.codes import Code
from pipelines.limits import LATE_WINDOW_MS, ODDS_ONE
from pipelines.messages.requests import BetRequest
from pipelines.shard.risk_state import EventRisk
from pipelines.shard.state import EventState, MarketState

__all__ = ["delay_of", "is_referred", "largest_stake", "late_loss_e4", "why_not"]


def why_not(
    event: EventState, market: MarketState, client_id: str, bet: BetRequest, odds_e4: int
) -> Code | None:
    """Return why the risk desk does not let a bet be taken at these odds, None if it does."""
    risk = event.risk
    assert risk is not None
    lever = risk.lever(bet.market_id, client_id)
    if lever is not None and lever.action == "reject":
        return Code.NOT_ACCEPTED
    return _too_much(event, market, client_id, bet.selection_id, bet.stake_minor, odds_e4)


def is_referred(risk: EventRisk, market_id: str, client_id: str) -> bool:
    """Whether a trader decides on the bet."""
    lever = risk.lever(market_id, client_id)
    return lever is not None and lever.action == "refer"


def largest_stake(
    event: EventState, market: MarketState, client_id: str, bet: BetRequest, odds_e4: int
) -> int:
    """Return the largest stake up to the bet's that its limits leave room for, 0 for none."""
    low, high = 0, min(bet.stake_minor, market.stake_max_minor)
    book = market.book
    if isinstance(book, FixedBook):
        high = book.stake_max_minor(bet.selection_id, odds_e4, high)
    if high and not _too_much(event, market, client_id, bet.selection_id, high, odds_e4):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if _too_much(event, market, client_id, bet.selection_id, middle, odds_e4):
            high = middle
        else:
            low = middle
    return low


def _too_much(
    event: EventState,
    market: MarketState,
    client_id: str,
    selection_id: int,
    stake_minor: int,
    odds_e4: int,
) -> Code | None:
    risk = event.risk
    assert risk is not None
    rules = risk.rules
    lever = risk.lever(market.definition.market_id, client_id)
    if lever is not None and lever.action == "limit" and stake_minor > lever.stake_max_minor:
        return Code.ABOVE_MAX_BET_AMOUNT
    factor = risk.trust(client_id).stake_factor_e4
    if factor < ODDS_ONE and stake_minor * ODDS_ONE > factor * _largest(
        market, selection_id, odds_e4
    ):
        return Code.ABOVE_MAX_BET_AMOUNT
    staked = risk.staked.get(client_id, 0) + stake_minor
    if rules.bettor_stake_max_minor and staked > rules.bettor_stake_max_minor:
        return Code.ABOVE_MAX_BET_AMOUNT
    owed = _pays(market, selection_id, stake_minor, odds_e4)
    payouts = risk.payouts.get(client_id, 0) + owed
    if rules.bettor_payout_max_minor and payouts > rules.bettor_payout_max_minor:
        return Code.LOSS_LIMIT_EXCEEDED
    staked, payouts = risk.on_market(market.definition.market_id, client_id)
    limit = rules.bettor_market_stake_max_minor
    if limit and staked + stake_minor > limit:
        return Code.ABOVE_MAX_BET_AMOUNT
    limit = rules.bettor_market_payout_max_minor
    if limit and payouts + owed > limit:
        return Code.LOSS_LIMIT_EXCEEDED
    limit = rules.selection_loss_limit_minor
    if limit and _cost(market, selection_id, stake_minor, odds_e4) > limit:
        return Code.LOSS_LIMIT_EXCEEDED
    limit = rules.event_loss_limit_minor
    if limit:
        others = sum(_loss(one) for one in event.markets.values() if one is not market)
        if others + _loss(market, selection_id, stake_minor, odds_e4) > limit:
            return Code.LOSS_LIMIT_EXCEEDED
    return None


def _pays(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what a bet pays if it wins: of a market maker, the shares that it buys."""
    book = market.book
    if isinstance(book, LmsrBook):
        return max(payout_minor(stake_minor, odds_e4), book.bought_minor(selection_id, stake_minor))
    return payout_minor(stake_minor, odds_e4)


def _largest(market: MarketState, selection_id: int, odds_e4: int) -> int:
    """Return the largest stake that the market takes of anybody."""
    book, most = market.book, market.stake_max_minor
    return (
        book.stake_max_minor(selection_id, odds_e4, most) if isinstance(book, FixedBook) else most
    )


def _cost(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what the market loses if the selection alone is paid, with one bet more."""
    book = market.book
    if not isinstance(book, FixedBook | LmsrBook):
        return 0
    more = _pays(market, selection_id, stake_minor, odds_e4) - stake_minor
    return book.owed[selection_id] - book.total + more


def _loss(
    market: MarketState, selection_id: int = -1, stake_minor: int = 0, odds_e4: int = 0
) -> int:
    """Return what the house loses on a market in the worst result, 0 for none; settled: for good.

    A pool pays out of what was staked; on an exchange bettors pay each other.
    """
    book = market.book
    if market.settled:
        return max(0, -sum(amount for _, amount in market.postings))
    if isinstance(book, FixedBook):
        return book.worst_loss_minor(selection_id, stake_minor, odds_e4)
    if isinstance(book, LmsrBook):
        more = _pays(market, selection_id, stake_minor, odds_e4) if stake_minor else 0
        total = book.total + stake_minor
        owed = max(x + (more if s == selection_id else 0) for s, x in book.owed.items())
        return max(owed - total, 0)
    return 0


def delay_of(
    event: EventState,
    market: MarketState,
    client_id: str,
    selection_id: int,
    odds_e4: int,
    at_ms: int,
) -> int:
    """Return how long a bet is held before it is checked again, 0 for not at all."""
    risk = event.risk
    assert risk is not None
    trust = risk.trust(client_id)
    delay_ms = market.bet_delay_ms if market.in_play else 0
    if delay_ms and trust.late_loss_max_e4:
        loss = late_loss_e4(event, market, selection_id, odds_e4, delay_ms, at_ms)
        if loss <= trust.late_loss_max_e4:
            delay_ms = 0
    return max(delay_ms, trust.delay_ms)


def late_loss_e4(
    event: EventState,
    market: MarketState,
    selection_id: int,
    odds_e4: int,
    delay_ms: int,
    at_ms: int,
) -> int:
    """Return the part of the margin that a bet is expected to cost if it skips the delay.

    Sum over the market's recent jumps of P(one in the delay) * max(0, o * p' - 1), divided by the
    margin (Sportradar's live time delay, as in the field's own words "how much margin will be lost
    if odds change soon after placement"). 10,000 is all of it, also where there is no margin.
    """
    risk, book = event.risk, market.book
    assert risk is not None
    if not isinstance(book, FixedBook):
        return ODDS_ONE
    inverse = sum(ODDS_ONE**3 // one for one in book.prices.values() if one)
    margin = inverse - ODDS_ONE**2  # in 10**-8
    mine = book.prices.get(selection_id, 0)
    if margin <= 0 or not mine:
        return ODDS_ONE
    recent = [
        rise
        for jumped_ms, rise in risk.jumps.get(market.definition.market_id, ())
        if at_ms - jumped_ms <= LATE_WINDOW_MS
    ]
    # The fair probability is one by the odds, less the margin, in 10**-8.
    fair = ODDS_ONE**5 // (mine * inverse)
    lost = 0
    for rise in recent:
        jumped = min(fair * rise // ODDS_ONE, ODDS_ONE**2)
        gain = odds_e4 * jumped // ODDS_ONE - ODDS_ONE**2
        lost += max(0, gain)
    # Each recent jump comes again within the delay with delay / window.
    return min(lost * delay_ms * ODDS_ONE // (LATE_WINDOW_MS * margin), ODDS_ONE)
