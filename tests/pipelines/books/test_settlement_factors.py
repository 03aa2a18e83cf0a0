"""Half and quarter lines, each-way, Rule 4: settlement factors against published numbers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.fixed_terms import each_way_factors, each_way_places, rule_4_e4
from pipelines.books.handicap import (
    HALF_LOST,
    HALF_WON,
    LOST,
    REFUNDED,
    WON,
    handicap_factors,
    total_factors,
)
from pipelines.books.rounding import factor_payout_minor
from tests.oracles import terms as oracle


@pytest.mark.parametrize(
    ("factors", "payout"),
    [(LOST, 0), (WON, 18_000), (REFUNDED, 10_000), (HALF_WON, 14_000), (HALF_LOST, 5_000)],
)
def test_sportradar_uof_the_five_legal_combinations(
    factors: tuple[int, int, int], payout: int
) -> None:
    assert factor_payout_minor(10_000, 18_000, factors) == payout


@pytest.mark.parametrize(
    ("line", "score", "home"),
    [(-3, (1, 0), HALF_WON), (-3, (2, 0), WON), (-3, (0, 0), LOST), (-1, (0, 0), HALF_LOST),
     (1, (0, 0), HALF_WON), (0, (1, 1), REFUNDED), (-4, (1, 0), REFUNDED), (-2, (1, 0), WON),
     (-5, (1, 0), HALF_LOST), (2, (0, 0), WON)],
)  # fmt: skip
def test_asian_handicap(line: int, score: tuple[int, int], home: tuple[int, int, int]) -> None:
    assert handicap_factors(*score, line)[0] == home


@given(st.integers(0, 9), st.integers(0, 9), st.integers(-20, 20), st.integers(1, 10**6))
def test_a_quarter_line_is_half_a_bet_on_each_neighbour(
    home: int, away: int, line: int, stake: int
) -> None:
    for of, lead in ((handicap_factors, home - away), (total_factors, home + away)):
        for side, factors in enumerate(of(home, away, line)):
            right = oracle.line_payout(
                stake, Fraction(19, 10), lead, Fraction(line, 4),
                handicap=of is handicap_factors, first=side == 0,
            )  # fmt: skip
            assert factor_payout_minor(stake, 19_000, factors) == right


class TestRule4:
    def test_mathematician_betting_10_at_8_to_1_withdrawn_3_to_1_returns_70(self) -> None:
        assert rule_4_e4(40_000) == 2_500
        assert factor_payout_minor(1_000, 90_000, WON, 2_500) == 7_000

    def test_betbind_100_at_10_to_1_withdrawn_5_to_1_wins_850(self) -> None:
        assert rule_4_e4(60_000) == 1_500
        assert factor_payout_minor(10_000, 110_000, WON, 1_500) == 85_000 + 10_000

    def test_betsson_20_and_10_percent_of_10_at_4_return_31(self) -> None:
        assert factor_payout_minor(1_000, 40_000, WON, 3_000) == 3_100

    @pytest.mark.parametrize(
        ("fraction", "pence"),
        [("1/9", 90), ("2/17", 85), ("2/11", 85), ("1/5", 80), ("1/4", 80), ("2/7", 75),
         ("3/10", 75), ("1/3", 70), ("2/5", 70), ("4/9", 65), ("8/15", 65), ("4/7", 60),
         ("8/13", 60), ("4/6", 55), ("4/5", 55), ("5/6", 50), ("20/21", 50), ("1/1", 45),
         ("6/5", 45), ("5/4", 40), ("6/4", 40), ("13/8", 35), ("7/4", 35), ("15/8", 30),
         ("9/4", 30), ("5/2", 25), ("3/1", 25), ("10/3", 20), ("4/1", 20), ("9/2", 15),
         ("11/2", 15), ("6/1", 10), ("9/1", 10), ("10/1", 5), ("14/1", 5), ("15/1", 0),
         ("100/1", 0)],
    )  # fmt: skip
    def test_tattersalls_rule_4c_every_bracket(self, fraction: str, pence: int) -> None:
        numerator, denominator = map(int, fraction.split("/"))
        exact = Fraction(numerator, denominator) + 1
        assert rule_4_e4(int(exact * 10_000)) == pence * 100
        assert rule_4_e4(int(exact * 100 + Fraction(1, 2)) * 100) == pence * 100

    def test_without_a_price_nothing_is_deducted(self) -> None:
        assert rule_4_e4(0) == 0


class TestEachWay:
    def test_flumine_divisor_5_back_2_at_10(self) -> None:
        # 2 to win and 2 for a place: +21.60 for a win, +1.60 placed, -4.00 else.
        factors = each_way_factors(((1,), (2,), (3,)), 3, 5)
        assert factor_payout_minor(400, 100_000, factors[1]) == 2_560
        assert factor_payout_minor(400, 100_000, factors[2]) == 560
        assert 4 not in each_way_factors(((1,), (2,), (3,), (4,)), 3, 5)

    def test_a_dead_heat_for_the_last_place_halves_the_place_stake(self) -> None:
        factors = each_way_factors(((1,), (2,), (3, 4)), 3, 4)
        # 1.00 of 2.00 to win lost; of the other 1.00 half won at 1 + 8/4 = 3.
        assert factor_payout_minor(200, 90_000, factors[3]) == 150

    @given(
        st.lists(st.integers(1, 3), min_size=1, max_size=5),
        st.integers(1, 5),
        st.integers(1, 6),
        st.integers(1, 10**6),
        st.integers(10_100, 10**6),
    )
    def test_the_oracle_says_the_same(
        self, sizes: list[int], places: int, divisor: int, stake: int, odds_e4: int
    ) -> None:
        finish, runner = [], 0
        for size in sizes:
            finish.append(tuple(range(runner, runner + size)))
            runner += size
        factors = each_way_factors(tuple(finish), places, divisor)
        for one in range(runner):
            right = oracle.each_way_payout(
                stake, Fraction(odds_e4, 10_000), one, finish, places, divisor
            )
            assert factor_payout_minor(stake, odds_e4, factors.get(one, LOST)) == right

    def test_usual_terms(self) -> None:
        assert [each_way_places(n) for n in (4, 5, 7, 8, 20)] == [
            (1, 1), (2, 4), (2, 4), (3, 5), (3, 5),
        ]  # fmt: skip
        assert [each_way_places(n, handicap=True) for n in (8, 12, 16)] == [(3, 5), (3, 4), (4, 4)]
