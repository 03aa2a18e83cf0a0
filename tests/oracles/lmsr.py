"""The market maker by its definition, in 60 decimal digits; amounts by halving intervals."""

from decimal import Decimal, localcontext
from functools import lru_cache

DIGITS = 60


def cost(q: list[Decimal], b: Decimal) -> Decimal:
    """C(q) = b ln sum(exp(q / b)), just so."""
    return _cost(tuple(q), b)


@lru_cache(1_000)  # the cost before and after a bet is asked for again and again
def _cost(q: tuple[Decimal, ...], b: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        return b * sum((_exp(one / b) for one in q), Decimal(0)).ln()


@lru_cache(1_000)  # only one of the shares is another, mostly
def _exp(power: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = DIGITS
        return power.exp()


def sensitive_cost(q: list[Decimal], alpha: Decimal) -> Decimal:
    """The same with b = alpha sum(q)."""
    return cost(q, alpha * sum(q, Decimal(0)))


def price(q: list[Decimal], b: Decimal, index: int) -> Decimal:
    """exp(q_i / b) / sum(exp(q / b))."""
    with localcontext() as context:
        context.prec = DIGITS
        weights = [(one / b).exp() for one in q]
        return weights[index] / sum(weights, Decimal(0))


def whole_shares(q: list[Decimal], b: Decimal, index: int, amount: int) -> int:
    """The most whole shares whose exact cost is at most the amount."""
    with localcontext() as context:
        context.prec = DIGITS
        before = cost(q, b)

        def costs(shares: int) -> Decimal:
            after = list(q)
            after[index] += shares
            return cost(after, b) - before

        low, high = 0, 1
        while costs(high) <= amount:
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if costs(middle) <= amount else (low, middle)
        return low
