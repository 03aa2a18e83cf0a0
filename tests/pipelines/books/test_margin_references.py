"""Margin models against published numbers, and each there and back."""

from math import sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.books.margin import MODELS, MarginModel, inverse_with_margin, probabilities_of
from tests.oracles import margin as oracle

ODDS = (2.7, 2.3, 4.4)


@pytest.mark.parametrize(
    ("model", "probabilities"),
    [
        ("proportional", (0.358738, 0.421127, 0.220135)),
        ("additive", (0.359562, 0.423974, 0.216464)),
        ("power", (0.359171, 0.423731, 0.217098)),
        ("shin", (0.359344, 0.423244, 0.217412)),
        ("odds_ratio", (0.358810, 0.422561, 0.218628)),
    ],
)
def test_penaltyblog_calculate_implied(
    model: MarginModel, probabilities: tuple[float, float, float]
) -> None:
    inverse = [1 / odds for odds in ODDS]
    assert sum(inverse) == pytest.approx(1.0324257, abs=5e-8)
    assert probabilities_of(inverse, model) == pytest.approx(probabilities, abs=1e-6)
    assert oracle.probabilities(inverse, model) == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=20), st.integers(1, 3_000))
def test_a_margin_put_on_is_the_margin_taken_off(
    model: MarginModel, weights: list[int], margin_e4: int
) -> None:
    total = sum(weights)
    p = [weight / total for weight in weights]
    book = 1 + margin_e4 / 10_000
    if model == "shin":  # insiders explain no larger margin
        assume(book < 0.999 * sum(sqrt(one) for one in p) ** 2)
    inverse = inverse_with_margin(p, book, model)
    assert sum(inverse) == pytest.approx(book, abs=1e-9)
    assert all(one > 0 for one in inverse)
    assert probabilities_of(inverse, model) == pytest.approx(p, abs=1e-7)


@pytest.mark.parametrize("model", MODELS)
def test_a_long_shot_bears_at_least_its_part_of_the_margin(model: MarginModel) -> None:
    favourite, long_shot = inverse_with_margin([0.9, 0.1], 1.05, model)
    assert long_shot / 0.1 >= favourite / 0.9 - 1e-12


@pytest.mark.parametrize("model", MODELS)
def test_without_margin_odds_are_fair(model: MarginModel) -> None:
    assert inverse_with_margin([0.5, 0.3, 0.2], 1.0, model) == [0.5, 0.3, 0.2]
    assert probabilities_of([0.5, 0.3, 0.2], model) == pytest.approx([0.5, 0.3, 0.2])


@given(
    st.sampled_from(MODELS),
    st.lists(st.integers(50, 1_000), min_size=2, max_size=6),
    st.integers(100, 1_500),
)
def test_the_oracle_says_the_same(model: MarginModel, weights: list[int], margin_e4: int) -> None:
    total = sum(weights)
    inverse = [w / total * (1 + margin_e4 / 10_000) for w in weights]
    assume(max(inverse) < 0.991)  # odds of 1.01 and more
    assert probabilities_of(inverse, model) == pytest.approx(
        oracle.probabilities(inverse, model), abs=1e-5
    )
