"""What an event's books can lose, by trying every result; bets as lists, one for each market."""

from fractions import Fraction
from itertools import product
from math import floor

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
) -> Fraction:
    """Expected loss in parts of the margin; `rises` of the last minute, `delay` in minutes."""
    inverse = sum(1 / price for price in prices)
    fair = 1 / mine / inverse
    lost = sum(max(Fraction(0), odds * min(Fraction(1), fair * rise) - 1) for rise in rises)
    return min(Fraction(1), lost * delay / (inverse - 1))
