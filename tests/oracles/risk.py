"""What an event's books can lose, by trying every result; bets as lists, one for each market."""

from fractions import Fraction
from itertools import combinations, product
from math import floor
from typing import Any

from pipelines.books.fixed import FixedBook
from pipelines.shard.state import STATUS_NAMES, Bet, MarketState, ShardState

#: One bet: selection, stake, odds; one market: its selections and bets.
Taken = tuple[int, int, Fraction]
Market = tuple[list[int], list[Taken]]


def worst_loss(markets: list[Market]) -> int:
    """The most that the house loses over all results of all markets together, 0 for none."""
    worst = 0
    for winners in product(*(selections for selections, _ in markets)):
        result = 0
        for winner, (_, bets) in zip(winners, markets, strict=True):
            result += sum(stake for _, stake, _ in bets)
            result -= sum(floor(stake * odds) for on, stake, odds in bets if on == winner)
        # A market that wins money does not make up for one that loses: each has its own worst.
        worst = min(worst, result)
    return -worst


def separate_losses(markets: list[Market]) -> int:
    """The sum of each market's own worst loss."""
    return sum(worst_loss([market]) for market in markets)


def late_loss(
    odds: Fraction,
    prices: list[Fraction],
    mine: Fraction,
    rises: list[Fraction],
    delay: Fraction,
    places: int = 1,
) -> Fraction:
    """Expected loss in parts of the margin; `rises` of the last minute, `delay` in minutes."""
    book = sum(1 / price for price in prices) / places
    fair = 1 / mine / book
    lost = sum(max(Fraction(0), odds * min(Fraction(1), fair * rise) - 1) for rise in rises)
    return min(Fraction(1), lost * delay / (1 - 1 / book))


def kept_sums(shard: ShardState) -> dict[str, Any]:
    """What the engine keeps up to date, of the shard and of each event, where it does."""
    found: dict[str, Any] = {}
    if (risk := shard.risk) is not None:
        found["shard"] = (risk.staked, risk.payouts, risk.loss_minor)
    for event_id, event in shard.events.items():
        if event.risk is not None:
            found[event_id] = (event.risk.staked, event.risk.payouts, event.risk.loss_minor)
    return found


def sums_of(shard: ShardState) -> dict[str, Any]:
    """The same, from every bet and book of the state."""
    found: dict[str, Any] = {}
    everything = [
        (market, bet)
        for event in shard.events.values()
        for market in event.markets.values()
        for bet in market.bets
        if STATUS_NAMES[bet.status] == "accepted" and market.exchange is None
    ]
    if shard.risk is not None:
        live = [event for event in shard.events.values() if not event.feed_clock]
        markets = [market for event in live for market in event.markets.values()]
        loss = sum(_loss(market) for market in markets if not market.settled)
        bets = [bet for market, bet in everything if market in markets]
        found["shard"] = (*_by_bettor(bets), loss)
    for event_id, event in shard.events.items():
        if event.risk is not None:
            mine = [bet for market, bet in everything if market in event.markets.values()]
            found[event_id] = (*_by_bettor(mine), sum(map(_loss, event.markets.values())))
    return found


def _by_bettor(bets: list[Bet]) -> tuple[dict[str, int], dict[str, int]]:
    stakes: dict[str, int] = {}
    payouts: dict[str, int] = {}
    for bet in bets:
        paid = floor(bet.stake_minor * Fraction(bet.odds_e4, 10_000))
        stakes[bet.client_id] = stakes.get(bet.client_id, 0) + bet.stake_minor
        if paid:
            payouts[bet.client_id] = payouts.get(bet.client_id, 0) + paid
    return stakes, payouts


def _loss(market: MarketState) -> int:
    """A market's worst result by its bets alone; of each-way bets its book says."""
    book = market.book
    if market.settled:
        return max(0, -sum(amount for _, amount in market.postings))
    if market.exchange is not None or not isinstance(book, FixedBook):
        return 0
    if book.owed_places:
        return book.worst_loss_minor(-1, 0, 0)
    bets = [bet for bet in market.bets if STATUS_NAMES[bet.status] not in ("void", "cashed_out")]
    kept = sum(bet.stake_minor for bet in bets) + market.cashed_out_minor
    worst = 0
    for winners in combinations(market.selections, market.definition.number_of_winners):
        paid = sum(
            floor(bet.stake_minor * Fraction(bet.odds_e4, 10_000))
            for bet in bets
            if bet.selection_id in winners
        )
        worst = max(worst, paid - kept)
    return worst
