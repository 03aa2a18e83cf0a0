"""The bookmaker's book against published numbers, each test named after its source."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.fixed import FixedBook
from pipelines.codes import Code
from pipelines.messages.operations import Market, Selection
from pipelines.messages.requests import BetRequest, PricePolicy
from tests.oracles import fixed as oracle


def book(odds: dict[int, int], **rules: object) -> FixedBook:
    selections = tuple(Selection(s, odds_e4=o) for s, o in odds.items())
    return FixedBook(Market("1.1", selections, engine="fixed", **rules))  # type: ignore[arg-type]


def request(
    selection: int, stake: int, odds_e4: int, policy: PricePolicy = "exact", tolerance: int = 0
) -> BetRequest:
    return BetRequest("b", "e", "1.1", selection, stake, odds_e4, policy, tolerance)


class TestDeadHeat:
    def test_draftkings_two_way(self) -> None:
        # $50 at 2.5, two tied for one place: $62.50.
        assert book({1: 25_000, 2: 25_000}).payout(5_000, 25_000, 1, (1, 2), ()) == 6_250

    def test_betdaq_three_way(self) -> None:
        # 60 at 6.0, three tied for one place: returns 120, net 60.
        assert book({1: 60_000}).payout(6_000, 60_000, 1, (1, 2, 3), ()) == 12_000

    def test_flumine_back_10_at_4_halved(self) -> None:
        # Profit +10: half of the stake wins at 4.0, half is lost.
        assert book({1: 40_000}).payout(1_000, 40_000, 1, (1, 2), ()) - 1_000 == 1_000

    def test_betfair_greyhound_1_197931751_two_places(self) -> None:
        # Two PLACE winners of two places are no dead heat.
        market = book({37947503: 56_000, 39823721: 12_800}, number_of_winners=2)
        winners = (37947503, 39823721)
        assert market.payout(200, 56_000, 37947503, winners, ()) == 1_120
        assert market.payout(200, 12_800, 39823721, winners, ()) == 256


class TestSportradarSettlementAtoms:
    """payout = stake (void_factor + (1 - void_factor) result odds dead_heat_factor)."""

    @pytest.mark.parametrize(
        ("winners", "factor"), [((1,), Fraction(1)), ((2,), Fraction(0)), ((1, 2), Fraction(1, 2))]
    )
    def test_the_combinations_of_a_book(self, winners: tuple[int, ...], factor: Fraction) -> None:
        expected = int(1_000 * factor * Fraction(35_500, 10_000))
        assert book({1: 35_500, 2: 20_000}).payout(1_000, 35_500, 1, winners, ()) == expected


class TestMaximumStake:
    """betting.md 1.2: s_max = (limit + P&L of the selection)/(odds - 1)."""

    @pytest.mark.parametrize("odds_e4", [15_000, 20_000, 30_000, 50_000, 110_000])
    def test_of_an_empty_book(self, odds_e4: int) -> None:
        limit = 60_000
        market = book({1: odds_e4, 2: 20_000}, loss_limit_minor=limit)
        largest = limit * 10_000 // (odds_e4 - 10_000)
        assert market.price(request(1, largest, odds_e4)) == odds_e4
        # Payouts are rounded down, so at 1.5 one minor unit more costs nothing yet.
        assert market.price(request(1, largest + 2, odds_e4)) == Code.LOSS_LIMIT_EXCEEDED

    def test_money_on_the_others_makes_room(self) -> None:
        market = book({1: 30_000, 2: 30_000}, loss_limit_minor=1_000)
        market.take(2, 400, 30_000)  # P&L is -800 if 2 wins, +400 if 1 wins
        assert market.price(request(1, 700, 30_000)) == 30_000
        assert market.price(request(1, 701, 30_000)) == Code.LOSS_LIMIT_EXCEEDED
        assert market.price(request(2, 100, 30_000)) == 30_000
        assert market.price(request(2, 101, 30_000)) == Code.LOSS_LIMIT_EXCEEDED


taken = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 5_000), st.sampled_from([15_000, 30_000, 110_000])),
    max_size=12,
)


@given(bets=taken, places=st.integers(1, 3), limit=st.integers(1, 50_000), last=st.integers(1, 5))
def test_the_limit_is_the_worst_of_all_results(
    bets: list[tuple[int, int, int]], places: int, limit: int, last: int
) -> None:
    market = book(
        dict.fromkeys(range(1, 6), 30_000), loss_limit_minor=limit, number_of_winners=places
    )
    model = [(s, stake, Fraction(odds, 10_000)) for s, stake, odds in bets]
    for bet in bets:
        market.take(*bet)
    model.append((last, 1_000, Fraction(3)))
    worst = oracle.worst_case(range(1, 6), model, places)
    expected = 30_000 if worst >= -limit else Code.LOSS_LIMIT_EXCEEDED
    assert market.price(request(last, 1_000, 30_000)) == expected


@given(bets=taken, places=st.integers(1, 3), tied=st.integers(1, 5))
def test_no_result_costs_more_than_the_worst_case_not_even_a_dead_heat(
    bets: list[tuple[int, int, int]], places: int, tied: int
) -> None:
    market = book(dict.fromkeys(range(1, 6), 30_000), number_of_winners=places)
    model = [(s, stake, Fraction(odds, 10_000)) for s, stake, odds in bets]
    worst = oracle.worst_case(range(1, 6), model, places)
    staked = sum(stake for _, stake, _ in bets)
    for winners in combinations(range(1, 6), tied):
        paid = sum(market.payout(stake, odds, s, winners, ()) for s, stake, odds in bets)
        assert staked - paid >= worst - len(bets)  # each bet is rounded on its own


@given(
    asked=st.sampled_from([15_000, 29_800, 30_000, 30_500, 40_000]),
    offered=st.sampled_from([0, 10_100, 29_800, 30_000, 30_500, 10_000_000]),
    policy=st.sampled_from(["exact", "better", "any"]),
    tolerance=st.sampled_from([0, 199, 200, 500, 10_000, 10_000_000]),
)
def test_acceptable_odds(asked: int, offered: int, policy: PricePolicy, tolerance: int) -> None:
    expected = oracle.acceptable(Fraction(asked), Fraction(offered), policy, Fraction(tolerance))
    found = book({1: offered}).price(request(1, 100, asked, policy, tolerance))
    assert found == (Code.ODDS_CHANGED if expected is None else expected)
