"""Published rules of totes with worked numbers, through `overround decide`."""

from typing import Any

import pytest

from pipelines.books.exotic import all_combinations
from tests.pipelines.decided import Decided, entries


def pool(stakes: dict[int, int], runners: int = 0, **market: Any) -> Decided:
    desk = Decided().open(runners or max(stakes), engine="pool", **({"breakage_e4": 1} | market))
    for selection, stake in stakes.items():
        if stake:
            desk.bet(f"b{selection}", selection, stake)
    return desk


def dividends(desk: Decided, **result: Any) -> dict[int, int]:
    found = desk.result(**result)
    (resulted,) = entries(found, "market_resulted")
    return dict(resulted["dividends"])


def postings(desk: Decided) -> dict[str, int]:
    return dict(entries(desk.printed, "market_settled")[-1]["postings"])


# --- one winner


@pytest.mark.parametrize(
    ("breakage", "pays", "kept"),
    [(500, 37_500, 600), (1_000, 37_000, 1_600), (2_000, 36_000, 3_600), (10_000, 30_000, 15_600)],
)
def test_breakage_to_a_nickel_a_dime_twenty_cents_a_unit(
    breakage: int, pays: int, kept: int
) -> None:
    # 900.00 less 16 % is 756.00 on 200.00: 3.78.
    desk = pool({1: 20_000, 2: 70_000}, takeout_e4=1_600, breakage_e4=breakage)
    assert dividends(desk, winners=[1]) == {1: pays}
    assert postings(desk) == {"house:commission": 14_400, "house:breakage": kept}


def test_ohio_win_pool_pays_the_net_pool_by_what_is_on_the_winner() -> None:
    desk = pool({1: 30_000, 2: 50_000, 3: 20_000}, takeout_e4=1_800, breakage_e4=1_000)
    assert dividends(desk, winners=[1]) == {1: 27_000}  # 82,000 / 30,000 = 2.7333
    assert postings(desk) == {"house:commission": 18_000, "house:breakage": 1_000}


def test_a_minimum_of_1_05_makes_a_minus_pool() -> None:
    desk = pool(
        {1: 95_000, 2: 5_000}, takeout_e4=1_700, breakage_e4=500, minimum_dividend_e4=10_500
    )
    assert dividends(desk, winners=[1]) == {1: 10_500}
    assert postings(desk) == {"house:commission": 17_000, "house:minus-pool": 83_000 - 99_750}


def test_a_scratched_runner_is_refunded_before_the_takeout() -> None:
    desk = pool({1: 40_000, 2: 40_000, 3: 20_000}, takeout_e4=2_000, breakage_e4=1_000)
    desk.operate("selection_removed", selection_id=3)
    assert {x["bet_id"]: x["payout_minor"] for x in entries(desk.printed, "bet_settled")} == {
        "b3": 20_000
    }
    assert dividends(desk, winners=[1]) == {1: 16_000}
    assert postings(desk) == {"house:commission": 16_000}


def test_montana_two_win_in_a_dead_heat_as_a_place_pool() -> None:
    # Profit 80,000 - 50,000, half to each: 1 + 15,000 / 30,000 and 1 + 15,000 / 20,000.
    desk = pool({1: 30_000, 2: 20_000, 3: 50_000}, takeout_e4=2_000, split="profit")
    assert dividends(desk, winners=[1, 2]) == {1: 15_000, 2: 17_500}


# --- places


def test_oklahoma_place_pool_is_a_profit_split() -> None:
    # 100,000 less 20 %; profit 80,000 - 50,000: 1 + 15,000 / 30,000, 1 + 15,000 / 20,000.
    desk = pool(
        {1: 30_000, 2: 20_000, 3: 50_000}, takeout_e4=2_000, split="profit", number_of_winners=2,
        breakage_e4=1_000,
    )  # fmt: skip
    assert dividends(desk, finish=[[1], [2]]) == {1: 15_000, 2: 17_000}


@pytest.mark.parametrize(
    ("finish", "pays"),
    [
        # The tied for third share a third of the profit of 24,000; each third is 8,000.
        ([[1], [2], [3, 4]], {1: 18_000, 2: 14_000, 3: 14_000, 4: 14_000}),
        # Two thirds to the three that tie for second.
        ([[1], [2, 3, 4]], {1: 18_000, 2: 12_666, 3: 15_333, 4: 15_333}),
        # All to the four that tie for first.
        ([[1, 2, 3, 4]], {1: 16_000, 2: 13_000, 3: 16_000, 4: 16_000}),
    ],
)
def test_montana_dead_heats_in_a_show_pool(finish: list[list[int]], pays: dict[int, int]) -> None:
    stakes = {1: 10_000, 2: 20_000, 3: 10_000, 4: 10_000, 5: 30_000}
    desk = pool(stakes, takeout_e4=750, split="profit", number_of_winners=3)
    profit = 74_000 - 50_000
    shares = {1: (1, 3), 2: (1, 3), 3: (1, 6), 4: (1, 6)}
    if len(finish) == 2:
        shares = {1: (1, 3), 2: (2, 9), 3: (2, 9), 4: (2, 9)}
    elif len(finish) == 1:
        shares = dict.fromkeys((1, 2, 3, 4), (1, 4))
    right = {s: 10_000 + profit * a * 10_000 // (b * stakes[s]) for s, (a, b) in shares.items()}
    assert dividends(desk, finish=finish) == right
    assert right == pays


@pytest.mark.parametrize(
    ("finish", "pays"),
    [
        # Net 154,500, 50,000 on each: two thirds of 54,500 to the entry, one to the other.
        ([[1], [1], [2]], {1: 17_266, 2: 13_633}),
        ([[1], [2], [1]], {1: 17_266, 2: 13_633}),
        ([[1], [1], [1]], {1: 30_900}),  # as a single price pool
        ([[1], [2], [3]], {1: 10_300, 2: 10_300, 3: 10_300}),
    ],
)
def test_oklahoma_coupled_entries_in_a_show_pool(
    finish: list[list[int]], pays: dict[int, int]
) -> None:
    stakes = dict.fromkeys((1, 2, 3, 4), 50_000)
    desk = pool(stakes, takeout_e4=2_275, split="profit", number_of_winners=3)
    assert dividends(desk, finish=finish) == pays


@pytest.mark.parametrize(
    ("stakes", "finish", "pays"),
    [
        # Nobody on the second: all to the first, as a win pool.
        ({1: 40_000, 2: 0, 3: 60_000}, [[1], [2], [3]], {1: 20_000}),
        # Nobody on either: the third, if told; else refunded.
        ({1: 0, 2: 0, 3: 60_000, 4: 40_000}, [[1], [2], [3], [4]], {3: 13_333}),
        ({1: 0, 2: 0, 3: 60_000, 4: 40_000}, [[1], [2], [3, 4]], {3: 6_666, 4: 10_000}),
        ({1: 0, 2: 0, 3: 60_000, 4: 40_000}, [[1], [2]], {}),
    ],
)
def test_oklahoma_no_ticket_on_the_placed(
    stakes: dict[int, int], finish: list[list[int]], pays: dict[int, int]
) -> None:
    desk = pool(
        stakes, 4, takeout_e4=2_000, number_of_winners=2, minimum_dividend_e4=0,
        pool={"no_winner": "next"},
    )  # fmt: skip
    assert dividends(desk, finish=finish) == pays
    paid = {x["bet_id"]: x["payout_minor"] for x in entries(desk.printed, "bet_settled")}
    if not pays:
        assert paid == {f"b{s}": stake for s, stake in stakes.items() if stake}
    for selection, dividend in pays.items():
        assert paid[f"b{selection}"] == stakes[selection] * dividend // 10_000


def test_virginia_no_ticket_on_the_winner_goes_to_the_second() -> None:
    desk = pool({2: 30_000, 3: 70_000}, takeout_e4=1_800, pool={"no_winner": "next"})
    assert dividends(desk, finish=[[1], [2], [3]]) == {2: 27_333}


# --- net split


def test_uk_tote_places_have_equal_parts_of_the_net_pool() -> None:
    # 20 % off 100,000: 26,666.67 for each of three places.
    stakes = {1: 20_000, 2: 10_000, 3: 5_000, 4: 65_000}
    desk = pool(stakes, takeout_e4=2_000, number_of_winners=3, breakage_e4=1_000)
    assert dividends(desk, finish=[[1], [2], [3]]) == {1: 13_000, 2: 26_000, 3: 53_000}


def test_hong_kong_dead_heat_for_the_last_place_by_net_split() -> None:
    # HK$0.50 on HK$10: a third of 82,500 each, the tied a sixth.
    stakes = {1: 10_000, 2: 10_000, 3: 10_000, 4: 5_000, 5: 65_000}
    desk = pool(stakes, takeout_e4=1_750, number_of_winners=3, breakage_e4=500)
    assert dividends(desk, finish=[[1], [2], [3, 4]]) == {
        1: 27_500, 2: 27_500, 3: 13_500, 4: 27_500,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("net", "pays"),
    [(1_100, 6_000), (1_200, 6_000), (1_500, 7_000), (1_900, 9_000), (2_300, 11_000)],
)
def test_uk_tote_floor_of_0_60_in_a_dead_heat(net: int, pays: int) -> None:
    # chisholm.uk.com: half of 1,100 on 1,000 is 0.55 and pays 0.60; 0.75 pays 0.70.
    rules = {"floors": [[9_001, 10_200], [11_000, 11_000]], "dead_heat_floors": [[6_001, 6_000]]}
    stakes = {1: 1_000, 2: 1_000, 3: 2 * net - 2_000}
    for result in ({"finish": [[1, 2], [3]]}, {"winners": [1, 2]}):
        desk = pool(stakes, takeout_e4=5_000, breakage_e4=1_000, pool=rules)
        assert dividends(desk, **result) == {1: pays, 2: pays}


@pytest.mark.parametrize(("rounding", "pays"), [("nearest", (21_300, 10_600, 12_700)),
                                                 ("down", (21_200, 10_500, 12_700))])  # fmt: skip
def test_tabcorp_kata_places_to_the_nearest_cent(rounding: str, pays: tuple[int, ...]) -> None:
    # 646.00 less 12 % is 568.48, a third is 189.49: on 89.00, 179.00 and 149.00.
    stakes = {1: 8_900, 2: 17_900, 3: 14_900, 4: 22_900}
    desk = pool(
        stakes, takeout_e4=1_200, breakage_e4=100, number_of_winners=3, pool={"rounding": rounding}
    )
    first, second, third = pays
    assert dividends(desk, finish=[[2], [3], [1]]) == {2: second, 3: third, 1: first}
    rest = (
        64_600
        - 7_752
        - sum(stakes[s] * paid // 10_000 for s, paid in zip((1, 2, 3), pays, strict=True))
    )
    account = "house:breakage" if rest >= 0 else "house:minus-pool"
    assert postings(desk) == {"house:commission": 7_752, account: rest}


@pytest.mark.parametrize(
    ("stakes", "winner", "pays"),
    [({1: 6_100, 2: 11_000, 3: 9_000, 4: 7_700}, 2, 26_100)],
)
def test_tabcorp_kata_win_to_the_nearest_cent(
    stakes: dict[int, int], winner: int, pays: int
) -> None:
    desk = pool(stakes, takeout_e4=1_500, breakage_e4=100, pool={"rounding": "nearest"})
    assert desk.image()[winner]["odds_e4"] == pays
    assert dividends(desk, winners=[winner]) == {winner: pays}


# --- exotic pools


def exotic(kind: str, runners: int, stakes: dict[tuple[int, ...], int], **more: Any) -> Decided:
    orders = all_combinations(kind, range(1, runners + 1))
    rules = {"combination": kind, "combinations": [[n, o] for n, o in enumerate(orders, 1)], **more}
    numbered = {orders.index(order) + 1: stake for order, stake in stakes.items()}
    return pool(numbered, len(orders), takeout_e4=2_000, pool=rules, minimum_dividend_e4=0)


def by_order(desk: Decided, kind: str, runners: int, **result: Any) -> dict[tuple[int, ...], int]:
    orders = all_combinations(kind, range(1, runners + 1))
    return {orders[s - 1]: dividend for s, dividend in dividends(desk, **result).items()}


@pytest.mark.parametrize(
    ("kind", "stakes", "finish", "pays"),
    [
        ("EXACTA", {(1, 2): 200, (2, 1): 300, (3, 4): 500}, [[1], [2]], {(1, 2): 40_000}),
        # A dead heat for first: both orders, each half.
        ("EXACTA", {(1, 2): 200, (2, 1): 300, (3, 4): 500}, [[1, 2]],
         {(1, 2): 20_000, (2, 1): 13_333}),
        # For second: the first with each.
        ("EXACTA", {(1, 2): 200, (1, 3): 300, (3, 4): 500}, [[1], [2, 3]],
         {(1, 2): 20_000, (1, 3): 13_333}),
        ("QUINELLA", {(1, 2): 400, (2, 3): 600}, [[2], [1]], {(1, 2): 20_000}),
        # Three tie for first: every pair of them.
        ("QUINELLA", {(1, 2): 400, (2, 3): 500, (1, 4): 100}, [[1, 2, 3]],
         {(1, 2): 10_000, (2, 3): 8_000}),
        ("TRIFECTA", {(1, 2, 3): 400, (1, 3, 2): 600}, [[1], [2, 3]],
         {(1, 2, 3): 10_000, (1, 3, 2): 6_666}),
    ],
)  # fmt: skip
def test_arci_winning_orders(
    kind: str,
    stakes: dict[tuple[int, ...], int],
    finish: list[list[int]],
    pays: dict[tuple[int, ...], int],
) -> None:
    assert by_order(exotic(kind, 4, stakes), kind, 4, finish=finish) == pays


@pytest.mark.parametrize(
    ("kind", "stakes", "pays"),
    [
        # The first to win, and the second to place: half each, whatever the other runner.
        ("EXACTA", {(1, 3): 100, (1, 4): 300, (3, 2): 200, (4, 3): 400},
         {(1, 3): 10_000, (1, 4): 10_000, (3, 2): 20_000}),
        ("EXACTA", {(1, 3): 200, (4, 3): 800}, {(1, 3): 40_000}),
        ("QUINELLA", {(1, 3): 400, (2, 4): 200, (3, 4): 400}, {(1, 3): 10_000, (2, 4): 20_000}),
        ("TRIFECTA", {(1, 2, 4): 200, (1, 3, 2): 300, (2, 1, 3): 500}, {(1, 2, 4): 40_000}),
        ("TRIFECTA", {(1, 3, 2): 300, (1, 4, 2): 100, (2, 1, 3): 600},
         {(1, 3, 2): 20_000, (1, 4, 2): 20_000}),
    ],
)  # fmt: skip
def test_arci_who_comes_next_where_nobody_has_the_order(
    kind: str, stakes: dict[tuple[int, ...], int], pays: dict[tuple[int, ...], int]
) -> None:
    desk = exotic(kind, 4, stakes, no_winner="next")
    assert by_order(desk, kind, 4, finish=[[1], [2], [3], [4]]) == pays


def test_arci_nobody_has_anything_of_it() -> None:
    desk = exotic("TRIFECTA", 4, {(2, 1, 3): 500}, no_winner="next")
    assert by_order(desk, "TRIFECTA", 4, finish=[[1], [2], [3]]) == {}
    assert [x["payout_minor"] for x in entries(desk.printed, "bet_settled")] == [500]


def test_an_order_that_could_not_be_bet_on_is_carried_over() -> None:
    rules = {"combination": "EXACTA", "combinations": [[1, [1, 2]], [2, [2, 1]], [3, [3, 1]]],
             "no_winner": "carry_over"}  # fmt: skip
    desk = pool({1: 100, 2: 100, 3: 100}, pool=rules, takeout_e4=1_000)
    assert dividends(desk, finish=[[2], [3], [1]]) == {}
    assert postings(desk) == {"house:commission": 30, "house:carry-over": 270}
