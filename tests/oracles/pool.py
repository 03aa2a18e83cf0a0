"""The pari-mutuel pool by the rules, in exact fractions: what a winner is paid a unit staked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product
from math import floor


@dataclass(frozen=True)
class PoolRules:
    """Takeout, breakage and minimum as fractions of a unit; `split` net or profit."""

    takeout: Fraction
    breakage: Fraction
    minimum: Fraction
    split: str
    places: int


def stakes_on(bets: Iterable[tuple[int, int]], selection: int) -> int:
    """Sum of the stakes of one selection."""
    total = 0
    for on, stake in bets:
        if on == selection:
            total += stake
    return total


def net_pool(rules: PoolRules, gross: int) -> int:
    """What is left after the takeout, in whole minor units."""
    return floor(gross * (1 - rules.takeout))


def dividends(
    rules: PoolRules, bets: list[tuple[int, int]], winners: Iterable[int]
) -> dict[int, Fraction] | None:
    """What each winner with stakes pays a unit; None where nobody backed a winner."""
    placed = [w for w in winners if stakes_on(bets, w)]
    if not placed:
        return None
    net = net_pool(rules, sum(stake for _, stake in bets))
    found = {}
    for winner in placed:
        stake = stakes_on(bets, winner)
        if rules.split == "net":
            unbroken = Fraction(net, len(placed)) / stake
        else:
            profit = net - sum(stakes_on(bets, w) for w in placed)
            unbroken = 1 + Fraction(profit, len(placed)) / stake
        # Dividends are first known to a ten-thousandth, then broken.
        known = Fraction(floor(unbroken * 10_000), 10_000)
        broken = floor(max(known, Fraction(0)) / rules.breakage) * rules.breakage
        found[winner] = max(broken, rules.minimum)
    return found


def approximate(
    rules: PoolRules, bets: list[tuple[int, int]], selection: int, highest: Fraction
) -> Fraction:
    """Odds to show: the dividend of its part of the net pool, were it to take one place."""
    stake = stakes_on(bets, selection)
    if not stake:
        return Fraction(0)
    net = net_pool(rules, sum(s for _, s in bets))
    share = Fraction(net, rules.places) / stake
    known = Fraction(floor(share * 10_000), 10_000)
    broken = floor(known / rules.breakage) * rules.breakage
    return min(max(broken, rules.minimum), highest)


def postings(rules: PoolRules, staked: int, paid: int) -> Mapping[str, int]:
    """How what is left of the stakes goes to the house."""
    commission = staked - net_pool(rules, staked)
    rest = staked - paid - commission
    account = "house:breakage" if rest >= 0 else "house:minus-pool"
    return {
        name: amount
        for name, amount in (("house:commission", commission), (account, rest))
        if amount
    }


def place_dividends(
    rules: PoolRules, bets: list[tuple[int, int]], finish: list[tuple[int, ...]], carried: int
) -> dict[int, Fraction] | None:
    """The same by the order of finish: dead heats told apart in every way there is, on average."""
    everyone = [runner for group in finish for runner in group]
    parts = dict.fromkeys(everyone, Fraction(0))
    ways = list(product(*(list(permutations(group)) for group in finish)))
    for way in ways:
        order = [runner for group in way for runner in group]
        for runner in order[: rules.places]:
            parts[runner] += Fraction(1, len(ways))
    paid = {r: part for r, part in parts.items() if part and stakes_on(bets, r)}
    if not paid:
        return None
    pool = Fraction(net_pool(rules, sum(stake for _, stake in bets)) + carried)
    if rules.split == "profit":
        pool -= sum(stakes_on(bets, r) for r in paid)
    found = {}
    for runner, part in paid.items():
        share = pool * part / sum(paid.values())
        unbroken = share / stakes_on(bets, runner) + (1 if rules.split == "profit" else 0)
        known = max(Fraction(floor(unbroken * 10_000), 10_000), Fraction(0))
        found[runner] = max(floor(known / rules.breakage) * rules.breakage, rules.minimum)
    return found


def combinations_won(finish: list[tuple[int, ...]], length: int) -> set[tuple[int, ...]]:
    """Every order of the first `length` that breaking the dead heats could have given."""
    ways = product(*(list(permutations(group)) for group in finish))
    return {tuple(r for group in way for r in group)[:length] for way in ways}
