"""Margins taken off by trying parameters on a grid that becomes finer and finer."""

from collections.abc import Callable
from math import sqrt


def probabilities(inverse: list[float], model: str) -> list[float]:
    """The probabilities behind 1/odds."""
    book = sum(inverse)
    if model == "proportional":
        return [one / book for one in inverse]
    if model == "additive":
        return [one - (book - 1) / len(inverse) for one in inverse]
    rules: dict[str, tuple[float, float, Callable[[float, float], float]]] = {
        "power": (1.0, 50.0, lambda pi, k: pi**k),
        "odds_ratio": (1.0, 500.0, lambda pi, c: pi / (c + pi - c * pi)),
        "shin": (
            0.0,
            0.999999,
            lambda pi, z: (sqrt(z * z + 4 * (1 - z) * pi * pi / book) - z) / (2 * (1 - z)),
        ),
    }
    low, high, one_of = rules[model]
    for _ in range(12):
        grid = [low + (high - low) * step / 60 for step in range(61)]
        off = [abs(sum(one_of(pi, at) for pi in inverse) - 1) for at in grid]
        best = off.index(min(off))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 60)]
    return [one_of(pi, (low + high) / 2) for pi in inverse]
