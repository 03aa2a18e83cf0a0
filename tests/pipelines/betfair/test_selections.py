"""Runners become selections: ids of both team and handicap, odds on the ladder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.betfair.market_cache import Handicapped, RunnerPrices
from pipelines.betfair.selections import ladder_of, odds_of, runner_name, selection_ids
from pipelines.betfair.stream import (
    Definition,
    LadderDefinition,
    RunnerChange,
    RunnerDefinition,
)
from pipelines.books.ladder import LADDERS


def _asian(*runners: tuple[int, float]) -> Definition:
    return Definition(
        bettingType="ASIAN_HANDICAP_DOUBLE_LINE",
        runners=tuple(RunnerDefinition(n, hc=hc) for n, hc in runners),
    )


def test_plain_runners_keep_their_ids() -> None:
    definition = Definition(runners=(RunnerDefinition(228749), RunnerDefinition(2857977)))
    assert list(selection_ids(definition).values()) == [228749, 2857977]


def test_a_handicap_is_part_of_the_id() -> None:
    ids = selection_ids(_asian((9163, -0.75), (9163, 0.0), (9163, 4.0)))
    assert ids == {
        Handicapped(9163, -0.75): 916349925,
        Handicapped(9163, 0.0): 916350000,
        Handicapped(9163, 4.0): 916350400,
    }


@given(
    st.sets(
        st.tuples(st.integers(0, 2**33), st.integers(-400, 400).map(lambda n: n / 4)), max_size=50
    )
)
def test_ids_differ_and_fit_a_javascript_number(runners: set[tuple[int, float]]) -> None:
    ids = selection_ids(_asian(*runners))
    assert len(ids) == len(runners)
    assert len(set(ids.values())) == len(ids)
    assert all(0 <= selection_id <= 2**53 for selection_id in ids.values())


def test_names_carry_the_handicap() -> None:
    names = {("1.1", 7): "Elm Park"}
    assert runner_name("1.1", RunnerDefinition(7, hc=-0.5), True, names) == "Elm Park -0.5"
    assert runner_name("1.1", RunnerDefinition(7), True, names) == "Elm Park 0"
    assert runner_name("1.1", RunnerDefinition(8), False, names) == "Runner 8"
    assert len(runner_name("1.1", RunnerDefinition(8, name="x" * 999), True, {})) == 256


@pytest.mark.parametrize(
    ("kind", "ladder"), [("CLASSIC", "CLASSIC"), ("FINEST", "FINEST"), ("LINE_RANGE", "FINEST")]
)
def test_ladders(kind: str, ladder: str) -> None:
    definition = Definition(priceLadderDefinition=LadderDefinition(kind))
    assert ladder_of(definition) == ladder


def _prices(best_back: float | None, ltp: float | None) -> RunnerPrices:
    prices = RunnerPrices()
    atb = [] if best_back is None else [[best_back, 1.0]]
    prices.apply(RunnerChange(7, atb=atb, ltp=ltp))
    return prices


@pytest.mark.parametrize(
    ("best_back", "ltp", "odds_e4"),
    [
        (8.8, 9.0, 88_000),  # the offer goes before what was traded
        (None, 9.0, 90_000),
        (None, None, 0),
        (4.13, None, 41_000),  # rounded down to the ladder
        (1.005, None, 10_100),
        (5_000.0, None, 10_000_000),
        (None, 1.0, 0),
        (None, float("inf"), 0),
    ],
)
def test_odds(best_back: float | None, ltp: float | None, odds_e4: int) -> None:
    assert odds_of(_prices(best_back, ltp), "CLASSIC") == odds_e4


def test_a_runner_that_was_never_priced_has_no_odds() -> None:
    assert odds_of(None, "CLASSIC") == 0


@given(st.floats(allow_nan=False), st.sampled_from(["CLASSIC", "FINEST"]))
def test_odds_are_always_on_the_ladder(price: float, ladder: str) -> None:
    odds_e4 = odds_of(_prices(price, None), ladder)
    assert odds_e4 == 0 or odds_e4 in LADDERS[ladder].valid
