"""The market maker's functions for any state: stable, independent of the path, never generous."""

import os
import random
from decimal import Decimal
from math import exp, inf, isfinite, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.books import lmsr
from tests.oracles import lmsr as oracle

SEQUENCES = int(os.environ.get("OVERROUND_DIFFERENTIAL_SEQUENCES", "2000"))

books = st.tuples(
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=8), st.integers(1, 10**6)
)


@given(books)
def test_prices_sum_to_one_and_the_cost_is_above_every_share(
    book: tuple[list[int], int],
) -> None:
    q, b = book
    assert sum(lmsr.prices(q, b)) == pytest.approx(1)
    assert lmsr.cost(q, b) >= max(q)
    assert lmsr.cost(q, b) <= max(q) + b * log(len(q)) * (1 + 1e-9) + 1e-6


@given(books, st.integers(0, 7), st.integers(1, 10**6), st.integers(1, 10**6))
def test_two_trades_cost_what_one_does(
    book: tuple[list[int], int], at: int, first: int, second: int
) -> None:
    q, b = book
    index = at % len(q)
    after = list(q)
    after[index] += first
    parts = lmsr.trade_cost(q, b, index, first) + lmsr.trade_cost(after, b, index, second)
    whole = lmsr.trade_cost(q, b, index, first + second)
    assert parts == pytest.approx(whole, rel=1e-6, abs=1e-6)


@settings(max_examples=300)
@given(books, st.integers(0, 7), st.integers(1, 10**6))
def test_a_round_trip_never_earns(book: tuple[list[int], int], at: int, amount: int) -> None:
    q, b = book
    index = at % len(q)
    shares = lmsr.shares_for_minor(q, b, index, amount)
    assert lmsr.buy_cost_minor(q, b, index, shares) <= amount
    paid = lmsr.buy_cost_minor(q, b, index, shares)
    after = list(q)
    after[index] += shares
    assert lmsr.sell_proceeds_minor(after, b, index, shares) <= paid
    half = shares // 2
    parts = lmsr.sell_proceeds_minor(after, b, index, half)
    after[index] -= half
    assert parts + lmsr.sell_proceeds_minor(after, b, index, shares - half) <= paid


@given(st.integers(2, 12), st.integers(1, 10**4), st.integers(1, 10**5))
def test_all_selections_together_are_never_cheaper_than_what_they_pay(
    n: int, b: int, shares: int
) -> None:
    q = [0] * n
    paid = 0
    for index in range(n):
        paid += lmsr.buy_cost_minor(q, b, index, shares)
        q[index] += shares
    assert paid >= shares


def test_far_out_nothing_overflows() -> None:
    for q in ([0.0, 1e12], [1e12, 0.0], [-1e9, 1e9]):
        for index in (0, 1):
            for amount in (1.0, 1e3, 1e9):
                assert isfinite(lmsr.shares_for(q, 1.0, index, amount))
                assert isfinite(lmsr.trade_cost(q, 1.0, index, amount))
    # A share that costs nothing: a stake buys its way up to where it costs something.
    assert lmsr.shares_for([0.0, 1e6], 1.0, 0, 5.0) == pytest.approx(1e6 + log(exp(5) - 1))


@given(
    st.lists(st.integers(1, 10**6), min_size=2, max_size=6),
    st.integers(1, 200),
    st.integers(0, 5),
    st.integers(1, 10**5),
)
def test_liquidity_sensitive_prices_are_the_gradient_and_within_their_bounds(
    q: list[int], alpha_thousandths: int, at: int, amount: int
) -> None:
    alpha, index = alpha_thousandths / 1_000, at % len(q)
    prices = lmsr.sensitive_prices(q, alpha)
    assert 1 - 1e-9 <= sum(prices) <= 1 + alpha * len(q) * log(len(q)) + 1e-9
    step = max(q) * 1e-5
    up, down = list(map(float, q)), list(map(float, q))
    up[index] += step
    down[index] -= step
    slope = (lmsr.sensitive_cost(up, alpha) - lmsr.sensitive_cost(down, alpha)) / (2 * step)
    # The curve bends within b, so the step must be small beside it for the slope to say much.
    if step < 1e-3 * alpha * sum(q):
        assert prices[index] == pytest.approx(slope, abs=2e-4)
    bought = lmsr.sensitive_shares(q, alpha, index, amount)
    after: list[float] = list(q)
    after[index] += bought
    cost = lmsr.sensitive_cost(after, alpha) - lmsr.sensitive_cost(q, alpha)
    assert cost == pytest.approx(amount, rel=1e-6, abs=1e-5)


def test_liquidity_sensitive_trade_to_a_price() -> None:
    shares = lmsr.sensitive_shares_to_price([100, 100], 0.05, 0, 0.986519)
    assert shares == pytest.approx(50, abs=0.01)
    assert lmsr.sensitive_shares_to_price([150, 100], 0.05, 0, 0.5) == 0
    assert shares < inf


@pytest.mark.parametrize("part", range(4))
def test_whole_shares_are_those_of_the_oracle_or_one_less(part: int) -> None:
    exact = 0
    numbers = range(part, max(SEQUENCES // 10, 40), 4)
    for number in numbers:
        chance = random.Random(number)
        b = chance.choice([1, 10, 100, 5_000, 10**6])
        q = [chance.randrange(-20 * b, 20 * b + 1) for _ in range(chance.randrange(2, 7))]
        index = chance.randrange(len(q))
        amount = chance.choice([1, 7, 100, 9_999, chance.randrange(1, 30 * b + 2)])
        found = lmsr.shares_for_minor(q, b, index, amount)
        right = oracle.whole_shares([Decimal(x) for x in q], Decimal(b), index, amount)
        assert right - 1 <= found <= right, number
        exact += found == right
        assert lmsr.cost(q, b) == pytest.approx(
            float(oracle.cost([Decimal(x) for x in q], Decimal(b))), rel=1e-9, abs=1e-9 * b
        )
    assert exact > 0.9 * len(numbers)
