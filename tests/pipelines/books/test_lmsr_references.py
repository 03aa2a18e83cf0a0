"""The market maker against published numbers, each test named after where they come from."""

import pytest

from pipelines.books import lmsr


def test_erisian_com_au_prices() -> None:
    assert lmsr.prices([10, 20, 23], 10) == pytest.approx([0.13536, 0.36795, 0.49668], abs=5e-6)


def test_two_selections_at_b_100() -> None:
    q = [0.0, 0.0]
    assert lmsr.cost(q, 100) == pytest.approx(69.31472, abs=5e-6)
    assert lmsr.trade_cost(q, 100, 0, 10) == pytest.approx(5.124948, abs=5e-7)
    assert lmsr.prices([10, 0], 100)[0] == pytest.approx(0.524979, abs=5e-7)
    assert lmsr.trade_cost(q, 100, 0, 100) == pytest.approx(62.011451, abs=5e-7)
    assert lmsr.prices([100, 0], 100)[0] == pytest.approx(0.731059, abs=5e-7)


def test_to_reach_three_quarters() -> None:
    shares = lmsr.shares_to_price([0.0, 0.0], 100, 0, 0.75)
    assert shares == pytest.approx(109.861229, abs=5e-7)
    assert lmsr.trade_cost([0.0, 0.0], 100, 0, shares) == pytest.approx(69.314718, abs=5e-7)
    assert lmsr.shares_for([0.0, 0.0], 100, 0, 69.31471805599453) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("b", "n", "bound"),
    [(100, 2, 69.3147), (100, 3, 109.8612), (100, 8, 207.9442), (100, 20, 299.5732),
     (50, 8, 103.9721)],
)  # fmt: skip
def test_loss_bounds(b: float, n: int, bound: float) -> None:
    assert lmsr.loss_bound(b, n) == pytest.approx(bound, abs=5e-5)


def test_othman_sandholm_pennock_reeves_at_equal_shares() -> None:
    assert lmsr.sensitive_cost([100, 100], 0.05) == pytest.approx(106.931472, abs=5e-7)
    prices = lmsr.sensitive_prices([100, 100], 0.05)
    assert prices == pytest.approx([0.5346574, 0.5346574], abs=5e-8)
    assert sum(prices) == pytest.approx(1.0693147, abs=5e-8)


def test_othman_sandholm_pennock_reeves_at_unequal_shares() -> None:
    assert lmsr.sensitive_cost([150, 100], 0.05) == pytest.approx(150.226874, abs=5e-7)
    prices = lmsr.sensitive_prices([150, 100], 0.05)
    assert prices == pytest.approx([0.986519, 0.022491], abs=5e-7)
    assert sum(prices) == pytest.approx(1.009009, abs=1e-6)
