"""The price walk of one generated market, in ladder ticks: pure, from an injected generator.

Only `Random.random` and whole numbers are used, so the same seed walks the same on every machine.
"""

from itertools import accumulate
from random import Random
from typing import Final

from pipelines.books.ladder import LADDERS
from pipelines.limits import ODDS_ONE

__all__ = ["Walk"]

LADDER: Final = LADDERS["CLASSIC"]
TICK_MAX: Final = 329  # 800.0: room for the lay side above
TICK_MIN: Final = 4
DEPTH: Final = 3
SIZE_STEP: Final = 5

#: Price and size of each level, best first.
Side = list[tuple[float, float]]


class Walk:
    """Prices of the runners of one market; a runner is its index."""

    def __init__(self, rng: Random, runners: int, winners: int) -> None:
        self._rng = rng
        fair = max(runners, 2) * ODDS_ONE // max(winners, 1)
        middle = LADDER.prices.index(LADDER.at_or_below(max(fair, 15_000)))
        self.ticks = [self._held(middle + self.pick(70) - 35) for _ in range(runners)]
        self.out: set[int] = set()

    def pick(self, count: int) -> int:
        """Return a whole number from 0 to below `count`."""
        return min(int(self._rng.random() * count), count - 1)

    def step(self, runner: int, drift: int = 0) -> None:
        """Move a runner by up to two ticks; `drift` ticks more, negative towards favourite."""
        self.ticks[runner] = self._held(self.ticks[runner] + self.pick(5) - 2 + drift)

    def drop(self, runner: int) -> None:
        """A runner does not take part any more: the others get shorter."""
        self.out.add(runner)
        for other in self.active():
            self.ticks[other] = self._held(self.ticks[other] - 2)

    def active(self) -> list[int]:
        """Return the runners that take part."""
        return [runner for runner in range(len(self.ticks)) if runner not in self.out]

    def order(self) -> list[int]:
        """Return the runners as they come in: short prices are more likely to be early."""
        left = self.active()
        order = []
        while left:
            weights = [1_000_000_000 // LADDER.prices[self.ticks[runner]] for runner in left]
            at = self.pick(sum(weights))
            chosen = next(n for n, end in enumerate(accumulate(weights)) if at < end)
            order.append(left.pop(chosen))
        return order

    def price(self, runner: int) -> float:
        """Return the odds at which one can back the runner now."""
        return _decimal(self.ticks[runner])

    def book(self, runner: int) -> tuple[Side, Side]:
        """Return what is offered to back and to lay."""
        tick = self.ticks[runner]
        back = [(_decimal(tick - level), self._size()) for level in range(DEPTH)]
        lay = [(_decimal(tick + 1 + level), self._size()) for level in range(DEPTH)]
        return back, lay

    def _size(self) -> float:
        return float((1 + self.pick(60)) * SIZE_STEP)

    def _held(self, tick: int) -> int:
        return min(max(tick, TICK_MIN), TICK_MAX)


def _decimal(tick: int) -> float:
    return LADDER.prices[tick] / ODDS_ONE
