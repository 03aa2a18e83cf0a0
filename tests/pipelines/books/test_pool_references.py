"""The pool against published dividends, each test named after where its numbers come from."""

from fractions import Fraction

import pytest

from pipelines.books.pool import PoolBook
from pipelines.limits import ODDS_MAX_E4, ODDS_ONE
from pipelines.messages.operations import Market, Selection


def pool(stakes: dict[int, int], **rules: object) -> PoolBook:
    """A pool with these stakes in minor units."""
    market = Market(
        market_id="1.1",
        selections=tuple(Selection(s) for s in stakes),
        engine="pool",
        **rules,  # type: ignore[arg-type]
    )
    book = PoolBook(market)
    for selection, stake in stakes.items():
        if stake:
            book.take(selection, stake, 0)
    return book


def dividends(book: PoolBook, *winners: int) -> dict[int, int]:
    outcome = book.outcome(winners)
    assert not outcome.refund
    return dict(outcome.dividends)


def paid(book: PoolBook, stake_minor: int, winner: int, *winners: int) -> int:
    found = book.outcome(winners).dividends
    return book.payout(stake_minor, 0, winner, winners, found)


class TestWestVirginiaRule178:
    """WV 178-5C: wagers 194,230, refunds 1,317, takeout 18 %, 23,872 on the winner, dime broken."""

    def book(self, breakage_e4: int) -> PoolBook:
        others = 194_230_00 - 1_317_00 - 23_872_00
        book = pool(
            {1: 23_872_00, 2: others, 3: 1_317_00}, takeout_e4=1_800, breakage_e4=breakage_e4
        )
        book.remove(3)
        book.give_back(3, 1_317_00, 0)  # refunded before the takeout
        return book

    def test_net_pool(self) -> None:
        book = self.book(1_000)
        assert book.gross == 192_913_00
        assert book.net() == 158_188_66
        assert book.gross - book.net() == 34_724_34

    def test_unbroken_and_broken_dividend(self) -> None:
        # 6.6265357 unbroken; the product knows it to a ten-thousandth.
        assert dividends(self.book(1), 1) == {1: 66_265}
        assert dividends(self.book(1_000), 1) == {1: 66_000}

    def test_paid_and_breakage(self) -> None:
        book = self.book(1_000)
        total = paid(book, 23_872_00, 1, 1)
        assert total == 157_555_20
        assert dict(book.house_postings(192_913_00, total, False)) == {
            "house:commission": 34_724_34,
            "house:breakage": 633_46,
        }


def test_wikipedia_example_of_parimutuel_betting() -> None:
    stakes = dict(enumerate([3_000, 7_000, 1_200, 5_500, 11_000, 4_700, 15_000, 4_000], 1))
    book = pool(stakes, takeout_e4=1_425)
    # 51,400 less 14.25 % is 44,075.5; the takeout is rounded up to the minor unit.
    assert book.net() == 44_075
    published = [14.69, 6.30, 36.73, 8.01, 4.01, 9.38, 2.94, 11.02]
    exact = pool(stakes, takeout_e4=1_425, breakage_e4=1)
    assert [round(exact.odds(s) / ODDS_ONE, 2) for s in stakes] == published
    assert dividends(exact, 5)[5] == exact.odds(5)


class TestTabcorpKata:
    """Win 15 %, place 12 %, exacta 18 %; result 2, 3, 1; dividends rounded to the cent."""

    def cents(self, book: PoolBook, *winners: int) -> dict[int, float]:
        return {s: round(d / ODDS_ONE, 2) for s, d in dividends(book, *winners).items()}

    def test_win(self) -> None:
        stakes = {1: 3 + 16 + 42, 2: 4 + 8 + 98, 3: 5 + 22 + 63, 4: 5 + 57 + 15}
        book = pool({s: 100 * v for s, v in stakes.items()}, takeout_e4=1_500, breakage_e4=1)
        assert self.cents(book, 2) == {2: 2.61}

    def test_place(self) -> None:
        stakes = {1: 31 + 40 + 18, 2: 89 + 16 + 74, 3: 28 + 82 + 39, 4: 72 + 52 + 105}
        book = pool(
            {s: 100 * v for s, v in stakes.items()},
            takeout_e4=1_200,
            breakage_e4=1,
            number_of_winners=3,
        )
        assert self.cents(book, 2, 3, 1) == {2: 1.06, 3: 1.27, 1: 2.13}

    def test_exacta_as_a_market_whose_selections_are_orders_of_finish(self) -> None:
        stakes = {12: 13 + 5 + 81, 23: 98 + 61 + 47, 13: 82 + 28 + 93, 32: 27 + 25 + 51}
        book = pool({s: 100 * v for s, v in stakes.items()}, takeout_e4=1_800, breakage_e4=1)
        assert self.cents(book, 23) == {23: 2.43}


class TestHongKongDeadHeatOf2007:
    """SCMP, 8 March 2007: net pool about 12.455 M, 4.8582 M and 1.2504 M on the two winners."""

    STAKES = {1: 485_820_000, 2: 125_040_000, 3: 1_245_500_000 - 485_820_000 - 125_040_000}

    def test_profit_split_as_it_was_paid(self) -> None:
        # Per unit of 10, floored to 0.50: 16.50 and 35.00 by these stakes, 35.38 unbroken.
        exact = dividends(pool(self.STAKES, split="profit", breakage_e4=1), 1, 2)
        assert (round(exact[1] / 1_000, 2), round(exact[2] / 1_000, 2)) == (16.53, 35.38)
        broken = dividends(pool(self.STAKES, split="profit", breakage_e4=500), 1, 2)
        assert broken == {1: 16_500, 2: 35_000}

    def test_net_split_as_almost_every_jurisdiction_pays(self) -> None:
        exact = dividends(pool(self.STAKES, split="net", breakage_e4=1), 1, 2)
        assert (round(exact[1] / 1_000, 2), round(exact[2] / 1_000, 2)) == (12.82, 49.80)
        broken = dividends(pool(self.STAKES, split="net", breakage_e4=500), 1, 2)
        assert broken == {1: 12_500, 2: 49_500}


@pytest.mark.parametrize("seed", range(200))
def test_hong_kong_displayed_odds_are_the_floored_dividend(seed: int) -> None:
    # For every race without a dead heat what was shown last is what is paid.
    stakes = {s: 1 + (seed * 7_919 + s * s * 104_729) % 900_001 for s in range(1, 13)}
    book = pool(stakes, takeout_e4=1_750, breakage_e4=500, minimum_dividend_e4=10_100)
    for selection in stakes:
        assert min(dividends(book, selection)[selection], ODDS_MAX_E4) == book.odds(selection)


@pytest.mark.parametrize(
    ("unbroken", "minimum_e4", "paid_e4"),
    [("1.05", 11_000, 11_000), ("0.95", 11_000, 11_000), ("3.47", 11_000, 34_000),
     ("0.55", 6_000, 6_000), ("0.90", 10_200, 10_200), ("1.10", 11_000, 11_000)],
)  # fmt: skip
def test_uk_tote_floors(unbroken: str, minimum_e4: int, paid_e4: int) -> None:
    # Rounded down to 10p, never below the minimum that holds for the case.
    winner = 1_000_000
    net = int(Fraction(unbroken) * winner)
    stakes = {1: winner, 2: max(net - winner, 0)}
    # Below 1.00 the net pool is smaller than what is on the winner: a takeout makes it so.
    takeout_e4 = int((1 - Fraction(net, sum(stakes.values()))) * ODDS_ONE)
    book = pool(stakes, takeout_e4=takeout_e4, breakage_e4=1_000, minimum_dividend_e4=minimum_e4)
    assert dividends(book, 1) == {1: paid_e4}


def test_florida_minus_pool_is_charged_to_the_house() -> None:
    # Florida 75-7.002: below 1.10 pay 1.05, the minus pool is the permit holder's.
    book = pool({1: 95_000, 2: 5_000}, takeout_e4=1_500, breakage_e4=1_000,
                minimum_dividend_e4=10_500)  # fmt: skip
    total = paid(book, 95_000, 1, 1)
    assert total == 99_750
    assert dict(book.house_postings(100_000, total, False)) == {
        "house:commission": 15_000,
        "house:minus-pool": -14_750,
    }


def test_virginia_no_ticket_on_the_winner_is_a_refund() -> None:
    book = pool({1: 500, 2: 0})
    outcome = book.outcome((2,))
    assert outcome.refund
    assert book.house_postings(500, 500, True) == ()


def test_virginia_show_pool_splits_the_profit() -> None:
    # 11VAC10-20-320: each placed selection gets back its stakes and an equal part of the profit.
    book = pool({1: 4_000, 2: 2_000, 3: 1_000, 4: 3_000}, split="profit", breakage_e4=1,
                number_of_winners=3, takeout_e4=1_000)  # fmt: skip
    # Net 9,000 less 7,000 on the placed: profit 2,000, 666.67 each.
    assert dividends(book, 1, 2, 3) == {1: 11_666, 2: 13_333, 3: 16_666}
