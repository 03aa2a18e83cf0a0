"""Margin models as pure functions: from probabilities to odds with a margin, and back.

Names of the field: proportional (also multiplicative), additive, power, shin, odds_ratio. `inverse`
is 1/odds by selection; its sum is the book, 1 plus the overround (betting.md 1.2). Floats.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Final, Literal

__all__ = ["MODELS", "MarginModel", "inverse_with_margin", "probabilities_of"]

MarginModel = Literal["proportional", "additive", "power", "shin", "odds_ratio"]
MODELS: Final[tuple[MarginModel, ...]] = (
    "proportional",
    "additive",
    "power",
    "shin",
    "odds_ratio",
)
_STEPS = 200


def inverse_with_margin(
    probabilities: Sequence[float], book: float, model: MarginModel
) -> list[float]:
    """Return 1/odds by selection so that they sum to `book`, at least 1.

    Probabilities sum to 1. Models that can, keep each below 1; additive and proportional may not.
    """
    p = list(probabilities)
    if len(p) < 2 or book <= 1:
        return [one * book for one in p]
    if model == "proportional":
        return [one * book for one in p]
    if model == "additive":
        return [one + (book - 1) / len(p) for one in p]
    if model == "power":
        k = _root(lambda x: sum(one**x for one in p) - book, 1.0, 0.0)
        return [one**k for one in p]
    if model == "odds_ratio":
        c = 1 / _root(lambda x: sum(one / (x + one * (1 - x)) for one in p) - book, 1.0, 0.0)
        return [c * one / (1 + (c - 1) * one) for one in p]
    z = _root(lambda x: sum(_insiders(p, x)) ** 2 - book, 0.0, 1.0)
    roots = _insiders(p, z)
    inverse = [root * sum(roots) for root in roots]
    # Insiders alone explain a margin of at most (sum of square roots)^2; the rest is proportional.
    return [one * book / sum(inverse) for one in inverse]


def probabilities_of(inverse: Sequence[float], model: MarginModel) -> list[float]:
    """Return the probabilities behind odds: what the model of the margin leaves when removed."""
    pi = list(inverse)
    book = sum(pi)
    if len(pi) < 2 or book <= 1 or model == "proportional":
        return [one / book for one in pi]
    if model == "additive":
        return [one - (book - 1) / len(pi) for one in pi]
    if model == "power":
        high = 2.0
        while sum(one**high for one in pi) > 1:
            high *= 2
        k = _root(lambda x: 1 - sum(one**x for one in pi), 1.0, high)
        return [one**k for one in pi]
    if model == "odds_ratio":
        high = 2.0
        while sum(one / (high + one - high * one) for one in pi) > 1:
            high *= 2
        c = _root(lambda x: 1 - sum(one / (x + one - x * one) for one in pi), 1.0, high)
        return [one / (c + one - c * one) for one in pi]
    z = _root(lambda x: 1 - sum(_shin(pi, book, x)), 0.0, 1 - 1e-12)
    found = _shin(pi, book, z)
    return [one / sum(found) for one in found]


def _insiders(p: Sequence[float], z: float) -> list[float]:
    """Return Shin's square roots with a share z of insiders; 1/odds are each times their sum."""
    return [sqrt(z * one + (1 - z) * one * one) for one in p]


def _shin(pi: Sequence[float], book: float, z: float) -> list[float]:
    return [(sqrt(z * z + 4 * (1 - z) * one * one / book) - z) / (2 * (1 - z)) for one in pi]


def _root(rising: Callable[[float], float], start: float, end: float) -> float:
    """Return where a function that rises from `start` to `end` is 0, by halving; ends included."""
    for _ in range(_STEPS):
        middle = (start + end) / 2
        if middle in (start, end):
            break
        if rising(middle) < 0:
            start = middle
        else:
            end = middle
    return start
