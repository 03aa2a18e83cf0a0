"""Runners of a definition to selections: ids, names, and odds on the ladder.

In handicap markets a team takes part once a handicap, so its selection id is made of both, readable
in decimal: runner 9163 at -0.75 is 9163 49925 (50000 is handicap 0, a hundredth is 1).
"""

from collections.abc import Mapping
from typing import Final

from pipelines.betfair.market_cache import Handicapped, RunnerPrices
from pipelines.betfair.stream import Definition, RunnerDefinition
from pipelines.books.ladder import LADDERS
from pipelines.limits import NAME_LENGTH_MAX, ODDS_MAX_E4, ODDS_MIN_E4, ODDS_ONE

__all__ = ["handicapped", "ladder_of", "odds_of", "runner_name", "selection_ids"]

HANDICAP_PLACES: Final = 100_000
HANDICAP_ZERO: Final = 50_000
HANDICAP_STEPS: Final = 100  # a hundredth is the finest step
SELECTION_ID_MAX: Final = 2**53


def handicapped(definition: Definition) -> bool:
    """Return whether runners take part once a handicap."""
    return definition.bettingType.startswith("ASIAN_HANDICAP") or len(
        {runner.id for runner in definition.runners}
    ) < len(definition.runners)


def selection_ids(definition: Definition) -> dict[Handicapped, int]:
    """Return the selection id of each runner that can have one, in the definition's order."""
    with_handicap = handicapped(definition)
    found: dict[Handicapped, int] = {}
    for runner in definition.runners:
        selection_id = runner.id
        if with_handicap:
            steps = round(runner.hc * HANDICAP_STEPS)
            if abs(steps) >= HANDICAP_ZERO:
                continue
            selection_id = runner.id * HANDICAP_PLACES + HANDICAP_ZERO + steps
        if 0 <= selection_id <= SELECTION_ID_MAX:
            found[Handicapped(runner.id, runner.hc)] = selection_id
    return found


def runner_name(
    market_id: str,
    runner: RunnerDefinition,
    with_handicap: bool,
    names: Mapping[tuple[str, int], str],
) -> str:
    """Return what bettors read: the name, where none is known the id; with the handicap."""
    name = runner.name or names.get((market_id, runner.id)) or f"Runner {runner.id}"
    if with_handicap:
        handicap = f" {runner.hc:+g}" if runner.hc else " 0"
        return name[: NAME_LENGTH_MAX - len(handicap)] + handicap
    return name[:NAME_LENGTH_MAX]


def ladder_of(definition: Definition) -> str:
    """Return the product's ladder for Betfair's: line markets have one of their own, every 0.01."""
    ladder = definition.priceLadderDefinition
    return "CLASSIC" if ladder is None or ladder.type == "CLASSIC" else "FINEST"


def odds_of(prices: RunnerPrices | None, ladder: str) -> int:
    """Return the odds that a bookmaker would show: best offer to back, else the last traded.

    Ten-thousandths, on the ladder, rounded down to it; 0 where the recording has no price.
    """
    price = None if prices is None else prices.best_back or prices.ltp
    # A book is empty or crossed for moments, and recorders write 0 or infinity for no price.
    if price is None or not 1.0 < price < float("inf"):
        return 0
    odds_e4 = round(min(price, ODDS_MAX_E4 / ODDS_ONE) * ODDS_ONE)
    return LADDERS[ladder].at_or_below(max(odds_e4, ODDS_MIN_E4))
