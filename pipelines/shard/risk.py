"""Stage 5, risk: levers, trust, the house's limits beyond one market, late bets, referral.

Only for events for which the risk desk has set something, or shards that have limits. Looks at the
state and changes nothing. Every limit is a question that only larger stakes fail, so the largest
stake that would be taken is found by halving, whatever stands in its way.
"""

from collections.abc import Callable

from msgspec import structs

from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import Code
from pipelines.limits import LATE_WINDOW_MS, MARKET_STAKES_MAX_MINOR, ODDS_ONE
from pipelines.messages.requests import BetRequest
from pipelines.shard.losses import pays_minor, worst_loss_minor
from pipelines.shard.risk_state import NOTHING_SET, EventRisk, ShardRisk
from pipelines.shard.state import EventState, MarketState, ShardState

__all__ = ["delay_of", "is_referred", "largest_part", "largest_stake", "late_loss_e4", "why_not"]


def why_not(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
) -> Code | None:
    """Return why the risk desk does not let a bet be taken at these odds, None if it does."""
    if event.risk is not None:
        lever = event.risk.lever(bet.market_id, client_id)
        if lever is not None and lever.action == "reject":
            return Code.NOT_ACCEPTED
    elif shard.risk_over(event) is None:
        return None
    return _too_much(shard, event, market, client_id, bet.selection_id, bet.stake_minor, odds_e4)


def is_referred(event: EventState, market_id: str, client_id: str) -> bool:
    """Return whether a trader decides on the bet."""
    lever = event.risk.lever(market_id, client_id) if event.risk is not None else None
    return lever is not None and lever.action == "refer"


def largest_stake(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    odds_e4: int,
) -> int:
    """Return the largest stake up to the bet's that its limits leave room for, 0 for none."""
    high = min(bet.stake_minor, market.stake_max_minor)
    book = market.book
    if isinstance(book, FixedBook):
        high = book.stake_max_minor(bet.selection_id, odds_e4, high)
    return _largest_of(
        high,
        lambda stake_minor: (
            _too_much(shard, event, market, client_id, bet.selection_id, stake_minor, odds_e4)
            is None
        ),
    )


def largest_part(
    shard: ShardState, event: EventState, market: MarketState, client_id: str, bet: BetRequest
) -> tuple[int, int]:
    """Return the odds and stake of the largest part of a bet that could be taken now, or 0, 0."""

    def odds_of(stake_minor: int) -> int:
        part = structs.replace(bet, stake_minor=stake_minor)
        odds = market.book.price(part)
        if isinstance(odds, Code) or why_not(shard, event, market, client_id, part, odds):
            return -1
        return odds

    room = MARKET_STAKES_MAX_MINOR - market.escrow_minor
    high = min(bet.stake_minor, market.stake_max_minor, room)
    stake_minor = _largest_of(high, lambda stake_minor: odds_of(stake_minor) >= 0)
    if stake_minor < market.stake_min_minor:
        return 0, 0
    return odds_of(stake_minor), stake_minor


def _largest_of(high: int, fits: Callable[[int], bool]) -> int:
    """Return the largest stake up to `high` that fits, 0 for none."""
    if high <= 0 or fits(high):
        return max(high, 0)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def _too_much(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    client_id: str,
    selection_id: int,
    stake_minor: int,
    odds_e4: int,
) -> Code | None:
    risk, market_id = event.risk or NOTHING_SET, market.definition.market_id
    lever = risk.lever(market_id, client_id)
    if lever is not None and lever.action == "limit" and stake_minor > lever.stake_max_minor:
        return Code.ABOVE_MAX_BET_AMOUNT
    factor = risk.trust(client_id).stake_factor_e4
    if factor < ODDS_ONE and stake_minor * ODDS_ONE > factor * _largest(
        market, selection_id, odds_e4
    ):
        return Code.ABOVE_MAX_BET_AMOUNT
    owed = pays_minor(market, selection_id, stake_minor, odds_e4)
    whole = shard.risk_over(event)
    code = _of_bettor(whole, risk, market_id, client_id, stake_minor, owed)
    return code or _of_house(whole, event, market, selection_id, stake_minor, odds_e4)


def _largest(market: MarketState, selection_id: int, odds_e4: int) -> int:
    """Return the largest stake that the market takes of anybody."""
    book, most = market.book, market.stake_max_minor
    return (
        book.stake_max_minor(selection_id, odds_e4, most) if isinstance(book, FixedBook) else most
    )


def _of_bettor(
    whole: ShardRisk | None,
    risk: EventRisk,
    market_id: str,
    client_id: str,
    stake_minor: int,
    owed_minor: int,
) -> Code | None:
    """Return whether a bettor would have too much at stake: on the event, the market, the shard."""
    rules = risk.rules
    on_event = (risk.staked.get(client_id, 0), risk.payouts.get(client_id, 0))
    limits = [
        (on_event, rules.bettor_stake_max_minor, rules.bettor_payout_max_minor),
        (
            risk.on_market(market_id, client_id),
            rules.bettor_market_stake_max_minor,
            rules.bettor_market_payout_max_minor,
        ),
    ]
    if whole is not None:
        on_shard = (whole.staked.get(client_id, 0), whole.payouts.get(client_id, 0))
        most = (whole.rules.bettor_stake_max_minor, whole.rules.bettor_payout_max_minor)
        limits.append((on_shard, *most))
    for (staked, payouts), stake_max_minor, payout_max_minor in limits:
        if stake_max_minor and staked + stake_minor > stake_max_minor:
            return Code.ABOVE_MAX_BET_AMOUNT
        if payout_max_minor and payouts + owed_minor > payout_max_minor:
            return Code.LOSS_LIMIT_EXCEEDED
    return None


def _of_house(
    whole: ShardRisk | None,
    event: EventState,
    market: MarketState,
    selection_id: int,
    stake_minor: int,
    odds_e4: int,
) -> Code | None:
    """Return whether the house could lose too much: on the selection, the event, the shard.

    What other markets lose at worst is kept up to date, so only this one is worked out.
    """
    risk = event.risk or NOTHING_SET
    limit = risk.rules.selection_loss_limit_minor
    if limit and _cost(market, selection_id, stake_minor, odds_e4) > limit:
        return Code.LOSS_LIMIT_EXCEEDED
    on_event = risk.rules.event_loss_limit_minor
    on_shard = whole.rules.loss_limit_minor if whole is not None else 0
    if not on_event and not on_shard:
        return None
    name = market.definition.market_id
    loss = worst_loss_minor(market, selection_id, stake_minor, odds_e4)
    if on_event and risk.loss_minor - risk.losses.get(name, 0) + loss > on_event:
        return Code.LOSS_LIMIT_EXCEEDED
    if whole is not None and on_shard:
        others = whole.loss_minor - whole.losses.get((event.event_id, name), 0)
        return Code.LOSS_LIMIT_EXCEEDED if others + loss > on_shard else None
    return None


def _cost(market: MarketState, selection_id: int, stake_minor: int, odds_e4: int) -> int:
    """Return what the market loses if the selection alone is paid, with one bet more."""
    book = market.book
    if not isinstance(book, FixedBook | LmsrBook):
        return 0
    more = pays_minor(market, selection_id, stake_minor, odds_e4) - stake_minor
    return book.owed[selection_id] - book.total + more


def delay_of(
    event: EventState,
    market: MarketState,
    client_id: str,
    selection_id: int,
    stake_minor: int,
    odds_e4: int,
    at_ms: int,
) -> int:
    """Return how long a bet is held before it is checked again, 0 for not at all."""
    delay_ms = market.bet_delay_ms if market.in_play else 0
    if event.risk is None:
        return delay_ms
    trust = event.risk.trust(client_id)
    win_minor = pays_minor(market, selection_id, stake_minor, odds_e4) - stake_minor
    too_large = trust.late_win_max_minor and win_minor > trust.late_win_max_minor
    if delay_ms and trust.late_loss_max_e4 and not too_large:
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
    if odds change soon after placement"). The margin is what the house keeps of a unit staked,
    1 - 1 / B, with B the sum of 1 / o, over as many as win. 10,000 is all of it, also where there
    is no margin.
    """
    risk, book = event.risk, market.book
    assert risk is not None
    if not isinstance(book, FixedBook):
        return ODDS_ONE
    inverse = sum(ODDS_ONE**3 // one for one in book.prices.values() if one) // book.places
    mine = book.prices.get(selection_id, 0)
    if inverse <= ODDS_ONE**2 or not mine:
        return ODDS_ONE
    margin = ODDS_ONE**2 - ODDS_ONE**4 // inverse  # in 10**-8
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
