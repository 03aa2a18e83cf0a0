"""Exotic pools: each order of finish that can be bet on is a selection of the market.

So their number is bounded as that of selections is: an exacta of up to 16 runners (240), a
quinella of up to 23 (253), a trifecta of up to 7 (210).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, permutations, product
from typing import Final

from pipelines.limits import SELECTIONS_PER_MARKET_MAX
from pipelines.messages.rules import PoolRules

__all__ = [
    "LENGTHS",
    "all_combinations",
    "combination_problem",
    "consolations",
    "runners_of",
    "winning_combinations",
]

#: How many runners a combination names.
LENGTHS: Final = {"EXACTA": 2, "QUINELLA": 2, "TRIFECTA": 3}

Finish = tuple[tuple[int, ...], ...]


def all_combinations(kind: str, runners: Iterable[int]) -> list[tuple[int, ...]]:
    """Return every combination of the runners, in their order; for a market's `combinations`."""
    of = combinations if kind == "QUINELLA" else permutations
    return list(of(tuple(runners), LENGTHS[kind]))


def combination_problem(rules: PoolRules, selections: Iterable[int]) -> str:
    """Say what is wrong with a pool's combinations, "" where nothing is."""
    if not rules.combination:
        return "`combinations` need a `combination`" if rules.combinations else ""
    length = LENGTHS[rules.combination]
    if sorted(s for s, _ in rules.combinations) != sorted(selections):
        return "`combinations` must name each selection once"
    orders = [_canonical(rules.combination, runners) for _, runners in rules.combinations]
    if any(len(set(runners)) != length or len(runners) != length for runners in orders):
        return f"each combination must be {length} different runners"
    return "a combination stands twice in the market" if len(set(orders)) < len(orders) else ""


def _canonical(kind: str, runners: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(runners)) if kind == "QUINELLA" else runners


def winning_combinations(rules: PoolRules, finish: Finish) -> tuple[int, ...]:
    """Return the selections that name an order of finish that a dead heat leaves possible."""
    won = {_canonical(rules.combination, order) for order in _orders(rules, finish)}
    return tuple(
        selection
        for selection, runners in rules.combinations
        if _canonical(rules.combination, runners) in won
    )


def runners_of(rules: PoolRules) -> set[int]:
    """Return the runners that can be bet on."""
    return {runner for _, runners in rules.combinations for runner in runners}


def consolations(rules: PoolRules, finish: Finish) -> Iterator[list[tuple[int, ...]]]:
    """Yield sets of selections that are paid where nobody has the winning order, in turn.

    Sets named together have equal parts of the pool (ARCI model rules). Exacta: those with the
    first to win, and those with the second to place. Quinella: those with the first, and those
    with the second. Trifecta: the first two in order; then the first to win.
    """
    orders = _orders(rules, finish)
    firsts, seconds = {order[0] for order in orders}, {order[1] for order in orders}
    pairs = {order[:2] for order in orders}

    def named(wanted: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...]:
        return tuple(selection for selection, runners in rules.combinations if wanted(runners))

    if rules.combination == "TRIFECTA":
        yield [named(lambda runners: runners[:2] in pairs)]
        yield [named(lambda runners: runners[0] in firsts)]
    elif rules.combination == "EXACTA":
        yield [
            named(lambda runners: runners[0] in firsts),
            named(lambda runners: runners[1] in seconds),
        ]
    else:
        places = [firsts] if firsts == seconds else [firsts, seconds]  # one set in a dead heat
        yield [tuple(s for s, runners in rules.combinations if at & set(runners)) for at in places]


def _orders(rules: PoolRules, finish: Finish) -> list[tuple[int, ...]]:
    """Return the orders of finish that have won: a dead heat may be broken either way."""
    length = LENGTHS[rules.combination]
    everyone = [runner for group in finish for runner in group]
    if len(set(everyone)) != len(everyone) or len(everyone) < length:
        return []
    choices, left = [], length
    for group in finish:
        taken = min(len(group), left)
        choices.append(list(permutations(group, taken)) if taken else [()])
        left -= taken
        if len(group) > SELECTIONS_PER_MARKET_MAX or not left:
            break
    return [tuple(runner for part in order for runner in part) for order in product(*choices)]
