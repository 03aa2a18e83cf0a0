"""Published examples of multiples, through `overround decide`: what a whole coupon pays."""

import random
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Any

import pytest

from tests.pipelines.decided import Decided, entries

EACH_WAY = {"each_way_divisor": 4, "each_way_places": 3, "rule_4": True}


def placed(bet_type: str, odds: list[int], unit: int, **more: Any) -> Decided:
    """A coupon on selection 1 of as many races of four; `each_way` in races with such terms."""
    desk = Decided()
    fixed = {"fixed": EACH_WAY} if more.get("each_way") else {"fixed": {"rule_4": True}}
    for number, one in enumerate(odds):
        desk.open([one, 40_000, 50_000, one], f"e{number}", ladder="ANY", **fixed)
    legs = [(f"e{n}", 1, one) for n, one in enumerate(odds)]
    assert desk.coupon(bet_type, legs, unit, **more) == ""
    return desk


def paid(desk: Decided) -> int:
    (settled,) = entries(desk.printed, "coupon_settled")
    return int(settled["payout_minor"])


def all_won(bet_type: str, odds: list[int], unit: int) -> int:
    desk = placed(bet_type, odds, unit)
    for number in range(len(odds)):
        desk.result(f"e{number}", winners=[1])
    return paid(desk)


def test_betmana_lucky_15_at_3_4_5_6_returns_839() -> None:
    assert all_won("LUCKY_15", [30_000, 40_000, 50_000, 60_000], 100) == 83_900


def test_mybettingsites_lucky_15_at_evens_evens_5_2_and_10_1() -> None:
    # (3 * 3 * 4.5 * 12) - 1, by the product of one more than each odds (betbubbles).
    assert all_won("LUCKY_15", [20_000, 20_000, 35_000, 110_000], 100) == 48_500


@pytest.mark.parametrize(
    ("bet_type", "legs", "lines"),
    [
        ("DOUBLE", 2, 4), ("TREBLE", 3, 8), ("TRIXIE", 3, 20), ("PATENT", 3, 26),
        ("YANKEE", 4, 72), ("LUCKY_15", 4, 80), ("CANADIAN", 5, 232), ("LUCKY_31", 5, 242),
        ("HEINZ", 6, 716), ("LUCKY_63", 6, 728), ("SUPER_HEINZ", 7, 2_172), ("GOLIATH", 8, 6_544),
    ],
)  # fmt: skip
def test_every_bet_type_at_evens(bet_type: str, legs: int, lines: int) -> None:
    # All at 2.0: 3^n - 1 with singles, less 2n without.
    assert all_won(bet_type, [20_000] * legs, 10) == 10 * lines


def test_paddy_power_lucky_15_of_3_with_one_winner_at_23_10() -> None:
    desk = placed("LUCKY_15", [33_000, 21_000, 20_000, 30_000], 20)
    desk.result("e0", winners=[1])
    for number in (1, 2, 3):
        desk.result(f"e{number}", winners=[2])
    assert paid(desk) == 66


def test_a_void_leg_of_a_yankee_leaves_a_trixie_and_three_doubles() -> None:
    # At 2, 3, 4 and one void: doubles 6 + 8 + 12 + 2 + 3 + 4, trebles 24 + 6 + 8 + 12, fourfold 24.
    desk = placed("YANKEE", [20_000, 30_000, 40_000, 50_000], 100)
    for number in range(3):
        desk.result(f"e{number}", winners=[1])
    desk.result("e3", void=True)
    assert paid(desk) == 100 * (35 + 50 + 24)


def test_a_dead_heat_in_a_leg_halves_every_line_with_it() -> None:
    desk = placed("TREBLE", [30_000, 40_000, 50_000], 100)
    desk.result("e0", winners=[1, 2])
    desk.result("e1", winners=[1])
    desk.result("e2", winners=[1])
    assert paid(desk) == 3_000


def test_rule_4_in_one_leg_reduces_that_leg_alone() -> None:
    # 10 at 8/1 less 25p is 7.0; doubled with 2.0.
    desk = placed("DOUBLE", [90_000, 20_000], 1_000)
    desk.operate("selection_removed", "e0", selection_id=2)
    desk.result("e0", winners=[1])
    desk.result("e1", winners=[1])
    assert paid(desk) == 14_000


def test_an_each_way_double_won_and_placed() -> None:
    # 10 each way at 8/1 and 4/1: win part lost with the second, place part 3 * 2.
    desk = placed("DOUBLE", [90_000, 50_000], 1_000, each_way=True)
    desk.result("e0", finish=[[1], [2], [3]])
    desk.result("e1", finish=[[2], [1], [3]])
    assert paid(desk) == 6_000


def test_an_each_way_patent_with_a_dead_heat_for_the_last_place() -> None:
    # Places: 3, 2 and half of 1.5; all singles, doubles and the treble of the place part.
    desk = placed("PATENT", [90_000, 50_000, 30_000], 100, each_way=True)
    desk.result("e0", finish=[[2], [1], [3]])
    desk.result("e1", finish=[[2], [3], [1]])
    desk.result("e2", finish=[[2], [3], [1, 4]])
    assert paid(desk) == 100 * (4 * 3 * 1.75 - 1)


def test_a_system_is_rounded_down_once() -> None:
    # Three doubles of 1 at 1.33, 1.37 and 1.41: 1.8221 + 1.8753 + 1.9317 of a unit of 33.
    desk = placed("SYSTEM", [13_300, 13_700, 14_100], 33, sizes=[2])
    for number in range(3):
        desk.result(f"e{number}", winners=[1])
    assert paid(desk) == int(33 * (1.33 * 1.37 + 1.33 * 1.41 + 1.37 * 1.41))


SIZES = {
    "DOUBLE": (2, 2, 2), "TREBLE": (3, 3, 3), "TRIXIE": (3, 2, 3), "PATENT": (3, 1, 3),
    "YANKEE": (4, 2, 4), "LUCKY_15": (4, 1, 4), "CANADIAN": (5, 2, 5), "LUCKY_31": (5, 1, 5),
    "HEINZ": (6, 2, 6), "LUCKY_63": (6, 1, 6), "SUPER_HEINZ": (7, 2, 7), "GOLIATH": (8, 2, 8),
}  # fmt: skip


@pytest.mark.parametrize("each_way", [False, True])
@pytest.mark.parametrize("bet_type", SIZES)
def test_every_bet_type_line_by_line(bet_type: str, each_way: bool) -> None:
    """Legs won, placed, tied, void, lost, with and without Rule 4: each line by itself."""
    chance = random.Random(f"{bet_type} {each_way}")
    legs, smallest, largest = SIZES[bet_type]
    odds = [chance.choice([13_300, 20_000, 23_750, 43_333, 110_000]) for _ in range(legs)]
    unit = chance.choice([7, 100, 12_345])
    desk = placed(bet_type, odds, unit, each_way=each_way)
    win: list[Fraction] = []
    place: list[Fraction] = []
    for number, one in enumerate(odds):
        event, price = f"e{number}", Fraction(one, 10_000)
        if chance.random() < 0.3:
            desk.operate("selection_removed", event, selection_id=2)  # 4.0: 25p
            price = 1 + (price - 1) * Fraction(3, 4)
        near = 1 + (price - 1) / 4
        how = chance.choice(["won", "won", "won", "tied", "third", "lost", "void"])
        if how == "void":
            desk.result(event, void=True)
        elif each_way:
            order = {"won": [[1], [3], [4]], "tied": [[1, 3], [4]], "third": [[3], [4], [1]],
                     "lost": [[3], [4]]}  # fmt: skip
            desk.result(event, finish=order[how])
        else:
            desk.result(event, winners={"won": [1], "tied": [1, 3]}.get(how, [3]))
        win.append({"won": price, "tied": price / 2, "void": Fraction(1)}.get(how, Fraction(0)))
        place.append({"lost": Fraction(0), "void": Fraction(1)}.get(how, near))
    parts = [win, place] if each_way else [win]
    total = sum(
        prod(line)
        for part in parts
        for size in range(smallest, largest + 1)
        for line in combinations(part, size)
    )
    assert paid(desk) == int(unit * total)


@pytest.mark.parametrize(
    ("legs", "unit", "code"),
    [
        (5, 1, ""),
        (5, 2, "ABOVE_MAX_BET_AMOUNT"),
        (6, 1, "ABOVE_MAX_BET_AMOUNT"),
        (20, 10**12, "ABOVE_MAX_BET_AMOUNT"),
    ],
)
def test_no_coupon_can_pay_more_than_can_be_written_down(legs: int, unit: int, code: str) -> None:
    """1,000 to the fifth is 10^15; what is more does not fit the numbers of a journal."""
    desk = Decided()
    for number in range(legs):
        desk.open([10_000_000, 20_000], f"e{number}")
    asked = [(f"e{number}", 1, 10_000_000) for number in range(legs)]
    assert desk.coupon("ACCUMULATOR", asked, unit) == code
    if not code:
        for number in range(legs):
            desk.result(f"e{number}", winners=[1])
        assert paid(desk) == 10**15


def test_better_odds_do_not_lead_above_it() -> None:
    desk = Decided()
    for number in range(6):
        desk.open([10_000_000, 20_000], f"e{number}")
    asked = [(f"e{number}", 1, 20_000) for number in range(6)]
    assert desk.coupon("ACCUMULATOR", asked, 1, price_policy="any") == "ABOVE_MAX_BET_AMOUNT"
    assert not any(x["type"] == "leg_kept" for x in desk.printed)
