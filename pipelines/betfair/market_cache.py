"""Folds stream messages to full market images: the definition and each runner's best prices.

An image flag replaces what was known, a delta changes it, a size of 0 takes a level away.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipelines.betfair.stream import Definition, Level, MarketChange, RunnerChange

__all__ = ["Handicapped", "MarketCache", "MarketImage", "RunnerPrices"]


class Handicapped(NamedTuple):
    """Key of a runner in its market: the same team takes part once a handicap."""

    runner_id: int
    hc: float


class RunnerPrices:
    """One runner's ladders: full depth by price, best offers by level, last traded price."""

    __slots__ = ("_levels", "atb", "atl", "ltp")

    def __init__(self) -> None:
        self.ltp: float | None = None
        self.atb: dict[float, float] = {}  # price -> size available to back
        self.atl: dict[float, float] = {}
        self._levels: dict[str, dict[int, float]] = {}  # ladder -> level -> price

    def apply(self, change: RunnerChange) -> None:
        """Take over what changed."""
        if change.ltp:
            self.ltp = change.ltp
        _apply(self.atb, change.atb)
        _apply(self.atl, change.atl)
        for name in ("batb", "batl", "bdatb", "bdatl"):
            levels: list[Level] = getattr(change, name)
            if levels:
                self._apply_levels(name, levels)

    def _apply_levels(self, name: str, levels: list[Level]) -> None:
        known = self._levels.setdefault(name, {})
        for level in levels:
            if len(level) != 3:
                continue
            if level[2] > 0 and level[1] > 0:
                known[int(level[0])] = level[1]
            else:
                known.pop(int(level[0]), None)

    @property
    def best_back(self) -> float | None:
        """Highest odds at which one can back now; None where nobody offers any."""
        return max(self.atb, default=None) or self._level_0("batb") or self._level_0("bdatb")

    @property
    def best_lay(self) -> float | None:
        """Lowest odds at which one can lay now."""
        return min(self.atl, default=None) or self._level_0("batl") or self._level_0("bdatl")

    def _level_0(self, name: str) -> float | None:
        return self._levels.get(name, {}).get(0)


class MarketImage:
    """One market as known so far; `definition` None until its first one has come."""

    __slots__ = ("definition", "market_id", "publish_ms", "runners")

    def __init__(self, market_id: str) -> None:
        self.market_id = market_id
        self.definition: Definition | None = None
        self.runners: dict[Handicapped, RunnerPrices] = {}
        self.publish_ms = 0


class MarketCache:
    """Images of all markets of a stream, by market id."""

    def __init__(self) -> None:
        self.markets: dict[str, MarketImage] = {}

    def apply(self, change: MarketChange, publish_ms: int) -> MarketImage:
        """Take over one change and return the market's image after it."""
        image = self.markets.get(change.id)
        if image is None:
            image = self.markets[change.id] = MarketImage(change.id)
        if change.img:
            image.runners = {}
        if change.marketDefinition is not None:
            image.definition = change.marketDefinition
        for runner in change.rc:
            key = Handicapped(runner.id, runner.hc)
            prices = image.runners.get(key)
            if prices is None:
                prices = image.runners[key] = RunnerPrices()
            prices.apply(runner)
        image.publish_ms = max(image.publish_ms, publish_ms)
        return image


def _apply(ladder: dict[float, float], levels: Iterable[Level]) -> None:
    for level in levels:
        if len(level) != 2:
            continue
        if level[1] > 0:
            ladder[level[0]] = level[1]
        else:
            ladder.pop(level[0], None)
