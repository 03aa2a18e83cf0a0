"""Automated market makers as pure functions: Hanson's LMSR, and its liquidity-sensitive form.

`q` are shares by selection, `b` the liquidity, all in minor units; a share pays one unit if its
selection wins. The liquidity-sensitive form has b = alpha * sum(q) (betting.md 1.4). Floats, kept
stable by shifting to the largest exponent; whole units come out by the `_minor` functions, which
round to the house's side.
"""

from collections.abc import Sequence
from math import ceil, exp, expm1, floor, inf, log, log1p

__all__ = [
    "buy_cost_minor",
    "cost",
    "loss_bound",
    "prices",
    "sell_proceeds_minor",
    "sensitive_cost",
    "sensitive_prices",
    "sensitive_shares",
    "sensitive_shares_to_price",
    "shares_for",
    "shares_for_minor",
    "shares_to_price",
    "trade_cost",
]

_LARGE = 30.0  # e**-30 is below what a float keeps beside 1
_STEPS = 200


def cost(q: Sequence[float], b: float) -> float:
    """Return C(q) = b ln sum(exp(q_i / b)); never below the largest q."""
    top = max(q)
    return top + b * log(sum([exp((one - top) / b) for one in q]))


def prices(q: Sequence[float], b: float) -> list[float]:
    """Return the price of a share of each selection; they sum to 1."""
    top = max(q)
    weights = [exp((one - top) / b) for one in q]
    total = sum(weights)
    return [weight / total for weight in weights]


def trade_cost(q: Sequence[float], b: float, index: int, shares: float) -> float:
    """Return C(q + shares) - C(q), without the cancellation of that difference."""
    if shares < 0:  # what buying them back would cost: no difference of numbers near 1
        after = list(q)
        after[index] += shares
        return -trade_cost(after, b, index, -shares)
    price, step = prices(q, b)[index], shares / b
    if step > _LARGE or price < 1e-300:
        after = list(q)
        after[index] += shares
        return cost(after, b) - cost(q, b)
    return b * log1p(price * expm1(step))


def shares_for(q: Sequence[float], b: float, index: int, amount: float) -> float:
    """Return how many shares an amount buys: b ln((exp(amount / b) - 1 + p) / p)."""
    top = max(q)
    weights = [exp((one - top) / b) for one in q]
    own = weights[index]
    weights[index] = 0.0
    others = sum(weights)
    step = amount / b
    if step > _LARGE:
        return amount + b * log(own + others - others * exp(-step)) + top - q[index]
    if own < 1e-300:  # too small for a quotient: the logarithm of its price is known all the same
        return b * log(others * expm1(step)) + top - q[index]
    return b * log1p(expm1(step) * (own + others) / own)


def shares_to_price(q: Sequence[float], b: float, index: int, price: float) -> float:
    """Return the shares after which a selection has this price, negative to sell."""
    rest = [one for i, one in enumerate(q) if i != index]
    return b * log(price / (1 - price)) + cost(rest, b) - q[index]


def loss_bound(b: float, count: int, probabilities: Sequence[float] = ()) -> float:
    """Return what the maker loses at worst: b ln n, or b ln(1/p) of the least likely."""
    return b * log(1 / min(probabilities)) if probabilities else b * log(count)


def sensitive_cost(q: Sequence[float], alpha: float) -> float:
    """Return the cost function with b = alpha * sum(q)."""
    return cost(q, alpha * sum(q))


def sensitive_prices(q: Sequence[float], alpha: float) -> list[float]:
    """Return the gradient of the cost; the sum is at least 1, at most 1 + alpha n ln n."""
    total = sum(q)
    b = alpha * total
    top = max(q)
    weights = [exp((one - top) / b) for one in q]
    weight = sum(weights)
    common = alpha * (top / b + log(weight))
    held = sum([one * w for one, w in zip(q, weights, strict=True)])
    return [common + (total * w - held) / (total * weight) for w in weights]


def _sensitive_trade(q: Sequence[float], alpha: float, index: int, shares: float) -> float:
    after = list(q)
    after[index] += shares
    return sensitive_cost(after, alpha) - sensitive_cost(q, alpha)


def sensitive_shares(q: Sequence[float], alpha: float, index: int, amount: float) -> float:
    """Return how many shares an amount buys, by Newton's steps held between bounds."""
    low, high = 0.0, amount
    while _sensitive_trade(q, alpha, index, high) < amount:
        low, high = high, high * 2
    found = min(max(amount / max(sensitive_prices(q, alpha)[index], 1e-12), low), high)
    after = list(q)
    before = sensitive_cost(q, alpha)
    for _ in range(_STEPS):
        after[index] = q[index] + found
        error = sensitive_cost(after, alpha) - before - amount
        if error > 0:
            high = found
        else:
            low = found
        slope = sensitive_prices(after, alpha)[index]
        better = found - error / slope if slope > 1e-12 else inf
        if not low < better < high:
            better = (low + high) / 2
        near = 1e-12 * max(found, 1.0)
        if abs(better - found) <= near:
            return max(min(better, found) - near, 0.0)
        found = better
    return low


def sensitive_shares_to_price(q: Sequence[float], alpha: float, index: int, price: float) -> float:
    """Return the shares to buy until a selection has this price, 0 where it has more already."""
    low, high = 0.0, max(sum(q), 1.0)
    after = list(q)

    def at(shares: float) -> float:
        after[index] = q[index] + shares
        return sensitive_prices(after, alpha)[index]

    if at(0.0) >= price:
        return 0.0
    for _ in range(_STEPS):
        if at(high) >= price:
            break
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < price else (low, middle)
    return low


def _guard(q: Sequence[float], amount: float) -> float:
    """Return more than floats can be wrong by, so that rounding never errs to the bettor."""
    return 1e-9 + 1e-11 * abs(amount) + 1e-14 * max(abs(one) for one in q)


def buy_cost_minor(q: Sequence[float], b: float, index: int, shares: int) -> int:
    """Return the whole units that so many shares cost, rounded up."""
    exact = trade_cost(q, b, index, shares)
    return ceil(exact + _guard(q, exact)) if shares else 0


def sell_proceeds_minor(q: Sequence[float], b: float, index: int, shares: int) -> int:
    """Return the whole units that are paid for shares given back, rounded down."""
    exact = -trade_cost(q, b, index, -shares)
    return max(floor(exact - _guard(q, exact)), 0)


def shares_for_minor(q: Sequence[float], b: float, index: int, amount_minor: int) -> int:
    """Return the whole shares that an amount buys, rounded down."""
    exact = shares_for(q, b, index, amount_minor)
    return max(floor(exact - _guard(q, exact)), 0)
