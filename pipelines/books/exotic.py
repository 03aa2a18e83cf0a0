"""Exotic pools: each order of finish that can be bet on is a selection of the market.

So their number is bounded as that of selections is: an exacta of up to 16 runners (240), a
quinella of up to 23 (253), a trifecta of up to 7 (210).
"""

from collections.abc import Iterable
from itertools import combinations, permutations, product
from typing import Final

from pipelines.limits import SELECTIONS_PER_MARKET_MAX
from pipelines.messages.rules import PoolRules

__all__ = ["LENGTHS", "all_combinations", "combination_problem", "winning_combinations"]

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
    length = LENGTHS[rules.combination]
    everyone = [runner for group in finish for runner in group]
    if len(set(everyone)) != len(everyone) or len(everyone) < length:
        return ()
    # A dead heat may be broken either way: each way is an order of finish that has won.
    choices, left = [], length
    for group in finish:
        taken = min(len(group), left)
        choices.append(list(permutations(group, taken)) if taken else [()])
        left -= taken
        if len(group) > SELECTIONS_PER_MARKET_MAX or not left:
            break
    won = {
        _canonical(rules.combination, tuple(runner for part in order for runner in part))
        for order in product(*choices)
    }
    return tuple(
        selection
        for selection, runners in rules.combinations
        if _canonical(rules.combination, runners) in won
    )
