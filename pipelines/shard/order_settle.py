"""Stage 8, settle, for an exchange: payouts, commission on net winnings, rollback, voids.

What the market takes in and pays out sums to zero together with the commission, and with what
rounding and virtual trades leave (account `house:rounding`). Postings are reversed, never edited.
"""

from collections.abc import Iterator
from itertools import islice

from pipelines.books.exchange_money import back_payout_minor, commission_minor, lay_payout_minor
from pipelines.codes import SENTENCES, Code
from pipelines.limits import SETTLE_CHUNK_BETS
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.messages import order_entries as oe
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.order_funds import raised, settle_accounts
from pipelines.shard.order_life import lapse_all, void_order
from pipelines.shard.order_sp import reconcile
from pipelines.shard.state import ACCEPTED, MarketState

__all__ = ["decline_pending", "settle_orders", "settle_orders_chunk", "void_orders"]


def decline_pending(market: MarketState, numbers: Numbers) -> Iterator[e.BetDeclined]:
    """Yield that waiting bets are too late; of very many, the rest are when they are due."""
    code = Code.MARKET_NOT_OPEN_FOR_BETTING
    for client_id, bet_id in tuple(islice(market.pending, SETTLE_CHUNK_BETS)):
        yield e.BetDeclined(*numbers.next(), client_id, bet_id, code.value, SENTENCES[code])


def settle_orders(
    market: MarketState, numbers: Numbers, operation: o.Result, winners: tuple[int, ...]
) -> Iterator[e.Entry]:
    """Yield that the result of an exchange market stands; its chunks come next."""
    yield from decline_pending(market, numbers)
    assert market.exchange is not None
    if market.definition.bsp_market and not market.exchange.reconciled and not operation.void:
        yield from reconcile(market, numbers)
    yield from lapse_all(market, numbers)
    refund, finish = operation.void, operation.finish
    winners = () if refund else winners
    settlement = market.settlement + 1
    yield e.MarketResulted(
        *numbers.next(), settlement, winners, refund, (), operation.reason, (), finish
    )


def settle_orders_chunk(
    market: MarketState, numbers: Numbers, first: int, last: int
) -> Iterator[e.Entry]:
    """Yield outcomes of orders, after the last of them commissions, then the end.

    `first` and `last` count the market's orders and then its bettors, in the order of their first.
    """
    settling = market.settling
    assert settling is not None
    settlement, refund = market.settlement, market.refund
    shares = _shares(market.definition.number_of_winners, market.winners, market.finish)
    why = settling.reason if refund else ""
    for order in market.bets[first : min(last, settling.end)]:
        if not isinstance(order, Order) or order.status != ACCEPTED or not order.size_minor:
            continue
        payout, result = _outcome(order, shares.get(order.selection_id, (0, 1)), refund)
        yield e.BetSettled(
            *numbers.next(), order.client_id, order.bet_id, settlement, result, payout, why
        )
    if last < settling.end:
        yield e.SettlementWentOn(*numbers.next(), settlement, last)
        return
    charged_from = max(first - settling.end, 0)
    clients = settling.clients[charged_from : last - settling.end]
    if not charged_from and len(settling.clients) <= SETTLE_CHUNK_BETS:
        clients, last = settling.clients, settling.end + len(settling.clients)
    yield from _commission(market, numbers, settlement, clients, settling.nets)
    yield from settle_accounts(market, numbers, clients, settling.nets)
    if last < settling.end + len(settling.clients):
        yield e.SettlementWentOn(*numbers.next(), settlement, last)
        return
    charged = sum(market.commissions.values())
    rest = market.escrow_minor - charged  # what the payouts have left
    postings = (("house:commission", charged), ("house:rounding", rest))
    posted = tuple((account, amount) for account, amount in postings if amount)
    totals = (settling.bets, settling.staked_minor, settling.paid_minor)
    yield e.MarketSettled(*numbers.next(), settlement, *totals, posted)


def _shares(
    places: int, winners: tuple[int, ...], finish: tuple[tuple[int, ...], ...]
) -> dict[int, tuple[int, int]]:
    """Return by winner which part of a win it has, as (places, tied).

    With an order of finish, outright places are paid whole, and what is left of them is shared by
    those tied for them; without, all winners share where they are more than the places.
    """
    shares: dict[int, tuple[int, int]] = {}
    for group in finish or ((winners,) if len(winners) > places else [(w,) for w in winners]):
        left = places - len(shares)
        if left <= 0:
            break
        shares |= dict.fromkeys(group, (min(left, len(group)), len(group)))
    return shares


def _outcome(order: Order, share: tuple[int, int], refund: bool) -> tuple[int, str]:
    """Return what an order is paid, stake or liability included, and its result."""
    if refund:
        return order.staked_minor, "void"
    places, tied = share
    if order.lay:
        held = order.staked_minor
        payout = lay_payout_minor(held, order.size_minor, order.value_e4, places, tied)
        return payout, "win" if payout > held else "loss"
    payout = back_payout_minor(order.value_e4, places, tied) if places else 0
    return payout, "win" if payout else "loss"


def _commission(
    market: MarketState,
    numbers: Numbers,
    settlement: int,
    clients: list[str],
    nets: dict[str, int],
) -> Iterator[oe.CommissionCharged]:
    base_rate = market.definition.market_base_rate_e4
    if not base_rate:
        return
    for client_id in clients:
        if client_id in market.commissions:
            continue
        net, discount = nets[client_id], market.discounts.get(client_id, 0)
        amount = commission_minor(net, base_rate, discount)
        if amount:
            yield oe.CommissionCharged(
                *numbers.next(), client_id, settlement, net, base_rate, discount, amount
            )


def void_orders(
    market: MarketState, numbers: Numbers, operation: o.BetsVoided
) -> Iterator[e.Entry] | Code:
    """Return that trades of an interval are void, on both sides, or why there are none."""
    orders = [one for one in market.bets if isinstance(one, Order) and one.status == ACCEPTED]
    first, last = operation.from_ms, operation.to_ms
    struck = [one for one in orders if any(first <= at <= last for _, _, at in one.fills)]
    if not struck:
        return Code.UNCHANGED
    return _void(market, struck, numbers, operation)


def _void(
    market: MarketState, orders: list[Order], numbers: Numbers, operation: o.BetsVoided
) -> Iterator[e.Entry]:
    reason = operation.reason or "voided by the operator"
    for order in orders:
        voided = void_order(numbers, order, operation.from_ms, operation.to_ms, reason)
        if voided is not None:
            yield voided
    yield from raised(market, numbers)
