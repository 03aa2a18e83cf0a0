"""A failing seed made short: the fewest steps and kinds of faults with which it still fails."""

from dataclasses import fields, replace
from typing import NamedTuple

from tests.sim.faults import Odds
from tests.sim.verdict import check
from tests.sim.world import World

__all__ = ["Failure", "run_seed", "shrunk"]

RUNS_MAX = 200


class Failure(NamedTuple):
    """A run that failed, and what it needed to."""

    seed: int
    steps: int
    odds: Odds
    lines: tuple[str, ...]
    error: Exception

    def told(self) -> str:
        """How to see it again, and its trace."""
        kinds = [one.name for one in fields(Odds) if getattr(self.odds, one.name)]
        head = [
            f"seed {self.seed} fails: {type(self.error).__name__}: {self.error}",
            f"again: make sim SEEDS={self.seed}-{self.seed}",
            f"it needs {self.steps} steps and faults of these kinds: {', '.join(kinds) or 'none'}",
        ]
        return "\n".join([*head, *self.lines])


def run_seed(seed: int, steps: int, odds: Odds) -> Failure | None:
    """Run a seed; None if all holds."""
    world = World(seed, odds)
    try:
        world.run(steps, check)
    except Exception as error:
        return Failure(seed, steps, odds, tuple(world.lines), error)
    return None


def shrunk(failure: Failure) -> Failure:
    """Leave out kinds of faults, then steps, as long as the seed fails in the same way."""
    found, runs, is_shorter = failure, 0, True
    while is_shorter and runs < RUNS_MAX:
        is_shorter = False
        for steps, odds in _smaller(found):
            runs += 1
            fails = run_seed(found.seed, steps, odds)
            if fails is not None and type(fails.error) is type(failure.error):
                found, is_shorter = fails, True
                break
    return found


def _smaller(found: Failure) -> list[tuple[int, Odds]]:
    """What to try next, the largest cuts first."""
    without = [
        (found.steps, replace(found.odds, **{one.name: 0}))
        for one in fields(Odds)
        if getattr(found.odds, one.name)
    ]
    steps = found.steps
    cuts = {steps // 2, steps * 3 // 4, steps * 9 // 10, steps - 5, steps - 1}
    return without + [(cut, found.odds) for cut in sorted(cuts) if 0 < cut < steps]
