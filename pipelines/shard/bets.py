"""Stages 3 to 7 for a bet: dedupe, validate, risk, book, price; one answer each.

Looks at the state and changes nothing. The order of the checks is that of betting.md section 3:
cheap and certain ones first, so that the same bad request always gets the same code.
"""

from pipelines.codes import Code
from pipelines.limits import BETS_PER_MARKET_MAX, MARKET_STAKES_MAX_MINOR
from pipelines.messages import entries as e
from pipelines.messages.requests import BetRequest
from pipelines.shard.bet_answers import answer_again, answer_without_event, pending
from pipelines.shard.bets_at_risk import (
    decide_at_risk,
    decide_waited,
    refused,
    why_no_order,
)
from pipelines.shard.order import Order
from pipelines.shard.order_quick import quick_order
from pipelines.shard.orders import decide_due_order, decide_order
from pipelines.shard.shares import decide_shares
from pipelines.shard.state import EventState, MarketState, ShardState, Timer

__all__ = [
    "decide_bet",
    "decide_due_bet",
    "recheck",
]

REFUSING_STATUS = {
    "SUSPENDED": Code.MARKET_SUSPENDED,
    "INACTIVE": Code.MARKET_NOT_OPEN_FOR_BETTING,
    "CLOSED": Code.MARKET_NOT_OPEN_FOR_BETTING,
}


def decide_bet(
    shard: ShardState,
    event: EventState | None,
    key: str,
    client_id: str,
    bet: BetRequest,
    at_ms: int,
) -> e.Entry | list[e.Entry]:
    """Answer a readable bet of a known bettor; an order on an exchange leads to several entries."""
    if event is None:
        return answer_without_event(shard, key, client_id, bet)
    # Stage 3, dedupe: the same id and body gets the same answer, another body a conflict.
    bets = event.bets
    known = bets.by_id.get(bet.bet_id)
    if known is not None or bets.clashed:
        known = bets.of(client_id, bet.bet_id)
    if known is None and event.refusals:
        known = event.refusals.get((client_id, bet.bet_id))
    if known is None and shard.orphans:
        known = shard.orphans.get((key, client_id, bet.bet_id))  # refused before the event opened
    if known is not None:
        return answer_again(event, known, bet)
    market_id, selection_id, stake_minor = bet.market_id, bet.selection_id, bet.stake_minor
    market = event.markets.get(market_id)
    if market is not None and market.exchange is not None:
        quick = quick_order(event, market, key, client_id, bet)
        return quick or _order(event, market, client_id, bet, at_ms)
    # Stage 4, validate: nearly every bet passes this one test; `_refusal` judges the others.
    if (
        market is None
        or market.status != "OPEN"
        or market.selections.get(selection_id) != "ACTIVE"
        or bet.market_version != market.version
        or not market.stake_min_minor <= stake_minor <= market.stake_max_minor
        or market.escrow_minor > MARKET_STAKES_MAX_MINOR // 2
        or len(market.bets) >= BETS_PER_MARKET_MAX // 2
        or bet.client_id
        or bet.event_id != key
        or bet.side != "BACK"
        or bet.order_type != "LIMIT"
    ):
        code = _refusal(event, market, client_id, bet)
        if code is not None:
            return refused(shard, event, market, client_id, bet, code, at_ms)
        assert market is not None
    if market.book.sells_shares:
        return decide_shares(shard, event, market, client_id, bet, at_ms)
    odds = market.book.price(bet)
    if isinstance(odds, Code):
        return refused(shard, event, market, client_id, bet, odds, at_ms)
    if event.risk is not None or shard.risk is not None or bet.accept_partial:
        return decide_at_risk(shard, event, market, client_id, bet, odds, at_ms)
    if market.bet_delay_ms and market.in_play:
        return pending(event, market, client_id, bet, at_ms + market.bet_delay_ms)
    # The hot path: written out, positionally, because calls and keywords are what costs here.
    return e.BetAccepted(
        key,
        event.seq + 1,
        market_id,
        market.seq + 1,
        client_id,
        bet.bet_id,
        selection_id,
        stake_minor,
        bet.odds_e4,
        bet.price_policy,
        bet.tolerance_e4,
        bet.market_version,
        odds,
    )


def _order(
    event: EventState,
    market: MarketState,
    client_id: str,
    bet: BetRequest,
    at_ms: int,
) -> list[e.Entry]:
    code = _refusal(event, market, client_id, bet)
    if code is None and event.risk is not None:
        code = why_no_order(event.risk, bet.market_id, client_id, bet.stake_minor)
    return decide_order(event, market, client_id, bet, at_ms, code)


def _refusal(
    event: EventState, market: MarketState | None, client_id: str, bet: BetRequest
) -> Code | None:
    """Stage 4, validate: what is wrong with the bet before its price is looked at."""
    if bet.client_id and bet.client_id != client_id:
        return Code.PERMISSION_DENIED
    if bet.event_id != event.event_id:
        return Code.EVENT_KEY_MISMATCH
    if market is None:
        return Code.INVALID_MARKET_ID
    code = recheck(market, bet.selection_id, bet.market_version)
    if code is not None:
        return code
    if bet.stake_minor < market.stake_min_minor:
        return Code.INVALID_BET_SIZE
    if bet.stake_minor > market.stake_max_minor or _is_full(market, bet.stake_minor):
        return Code.ABOVE_MAX_BET_AMOUNT
    if len(market.bets) + len(market.pending) >= BETS_PER_MARKET_MAX:
        return Code.TOO_MANY_BETS
    if market.exchange is None and (bet.side != "BACK" or bet.order_type != "LIMIT"):
        return Code.INVALID_ORDER_TYPE
    return None


def _is_full(market: MarketState, stake_minor: int) -> bool:
    return market.escrow_minor + stake_minor > MARKET_STAKES_MAX_MINOR


def recheck(market: MarketState, selection_id: int, version: int) -> Code | None:
    """Return why the market takes no bet on this selection now: also the second check in-play."""
    if market.status != "OPEN":
        return REFUSING_STATUS[market.status]
    runner = market.selections.get(selection_id)
    if runner is None:
        return Code.INVALID_RUNNER
    if runner != "ACTIVE":
        return Code.RUNNER_REMOVED if runner == "REMOVED" else Code.MARKET_NOT_OPEN_FOR_BETTING
    # A bet older than the last material change did not see what everybody knows by now.
    seen = market.material_version <= version <= market.version
    if not seen and (version or market.book.needs_odds):
        return Code.INVALID_MARKET_VERSION
    return None


def decide_due_bet(shard: ShardState, event: EventState, timer: Timer) -> e.Entry | list[e.Entry]:
    """Stage 7 again for a pending bet whose delay is over: is it still good?"""
    bet = event.bets[(timer[4], timer[5])]
    market = event.markets[bet.market_id]
    outcome = recheck(market, bet.selection_id, bet.market_version)
    if (bet.client_id, bet.bet_id) in market.referred:
        outcome = Code.EXPIRED_DOWNSTREAM  # no trader has answered
    if isinstance(bet, Order):
        if outcome is None and event.risk is not None:
            outcome = why_no_order(event.risk, bet.market_id, bet.client_id, bet.stake_minor)
        return decide_due_order(event, market, bet, outcome)
    too_large = bet.stake_minor > market.stake_max_minor or _is_full(market, bet.stake_minor)
    if outcome is None and too_large:
        outcome = Code.ABOVE_MAX_BET_AMOUNT
    return decide_waited(shard, event, market, bet, outcome)
