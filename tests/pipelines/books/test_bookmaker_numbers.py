"""Published worked examples of bookmakers, through `overround decide`: the cents that it prints."""

from itertools import pairwise
from typing import Any

import pytest

from tests.pipelines.decided import Decided, entries

FOURTHS = {"each_way_divisor": 4, "each_way_places": 3}


def race(*odds_e4: int, **market: Any) -> Decided:
    return Decided().open(list(odds_e4), **({"ladder": "ANY"} | market))


# --- dead heats


def test_betfair_sportsbook_10_at_10_to_1_two_tie() -> None:
    desk = race(*[110_000] * 3)
    desk.bet("a", 1, 1_000, 110_000)
    assert desk.paid(winners=[1, 2]) == {"a": 5_500}


def test_ors_racing_10_at_5_to_1_three_tie() -> None:
    # A third of the stake, 3.33, at 6.0; the whole is rounded down once.
    desk = race(*[60_000] * 4)
    desk.bet("a", 1, 1_000, 60_000)
    assert desk.paid(winners=[1, 2, 3]) == {"a": 2_000}


def test_draftkings_top_10_six_tie_for_eighth() -> None:
    desk = race(*[30_000] * 16, number_of_winners=10)
    desk.bet("a", 8, 5_000, 30_000)
    first = [[s] for s in range(1, 8)]
    assert desk.paid(finish=[*first, [8, 9, 10, 11, 12, 13]]) == {"a": 7_500}


def test_betdaq_one_outright_and_four_tie_for_two_places() -> None:
    desk = race(*[60_000] * 8, number_of_winners=3)
    desk.bet("a", 2, 6_000, 60_000)
    desk.bet("b", 1, 6_000, 60_000)
    assert desk.paid(finish=[[1], [2, 3, 4, 5]]) == {"a": 18_000, "b": 36_000}


@pytest.mark.parametrize(("tied", "pays"), [(2, 25_000), (3, 16_666), (4, 12_500)])
def test_picklebet_100_at_5_is_divided_among_those_tied(tied: int, pays: int) -> None:
    desk = race(*[50_000] * 5)
    desk.bet("a", 1, 10_000, 50_000)
    assert desk.paid(winners=list(range(1, tied + 1))) == {"a": pays}


# --- each-way


@pytest.mark.parametrize(
    ("finish", "pays"),
    [
        ([[2], [3], [1]], 10_000),  # third: 20 at 4/1
        ([[2], [3], [1, 4]], 5_000),  # joint third
        ([[1], [2], [3]], 44_000),  # 20 at 16/1 and 20 at 4/1
        ([[1, 2], [3]], 27_000),  # joint first: 10 at 16/1, and a whole place
        ([[2], [1, 3, 4]], 6_666),  # three tie for two places: 20 * 5 * 2 / 3
        ([[2], [3], [4]], 0),
    ],
)
def test_dazn_20_each_way_at_16_to_1_a_quarter_for_three_places(
    finish: list[list[int]], pays: int
) -> None:
    desk = race(*[170_000] * 6, fixed=FOURTHS)
    desk.bet("a", 1, 4_000, 170_000)
    assert desk.paid(finish=finish) == {"a": pays}


@pytest.mark.parametrize(("divisor", "pays"), [(4, 1_625), (5, 1_500), (3, 1_833), (1, 3_500)])
def test_each_way_5_plus_5_at_5_to_2_second_at_each_fraction(divisor: int, pays: int) -> None:
    # 5 at 1 + 2.5 / divisor, of a bet of 10 in all; 1 is as good as a win.
    desk = race(*[35_000] * 5, fixed={"each_way_divisor": divisor, "each_way_places": 2})
    desk.bet("a", 1, 2_000, 35_000)
    assert desk.paid(finish=[[2], [1]]) == {"a": pays}


# --- Rule 4


def test_unibet_10_at_2_25_withdrawn_1_25() -> None:
    desk = race(22_500, 12_500, 50_000, fixed={"rule_4": True})
    desk.bet("a", 1, 1_000, 22_500)
    (removed, *_) = desk.operate("selection_removed", selection_id=2)
    assert removed["deduction_e4"] == 8_000
    assert desk.paid(winners=[1]) == {"a": 1_250}


def test_betconnect_10_of_winnings_less_20p_is_8() -> None:
    desk = race(20_000, 43_333, 50_000, fixed={"rule_4": True})
    desk.bet("a", 1, 1_000, 20_000)
    desk.operate("selection_removed", selection_id=2)  # 10/3 is 20p
    assert desk.paid(winners=[1]) == {"a": 1_800}


#: The brackets in decimal odds, each end to the cent (sunbet.co.za, as Paddy Power).
DECIMAL = [
    (130, 75), (131, 70), (140, 70), (141, 65), (153, 65), (154, 60), (162, 60), (163, 55),
    (180, 55), (181, 50), (195, 50), (196, 45), (220, 45), (221, 40), (250, 40), (251, 35),
    (275, 35), (276, 30), (325, 30), (326, 25), (400, 25), (401, 20), (500, 20), (501, 15),
    (650, 15), (651, 10), (1_000, 10), (1_001, 5), (1_500, 5), (1_501, 0),
]  # fmt: skip


@pytest.mark.parametrize(("withdrawn", "pence"), DECIMAL)
def test_sunbet_brackets_in_decimal_odds(withdrawn: int, pence: int) -> None:
    desk = race(110_000, withdrawn * 100, 50_000, fixed={"rule_4": True})
    desk.bet("a", 1, 1_000, 110_000)
    desk.operate("selection_removed", selection_id=2)
    assert desk.paid(winners=[1]) == {"a": 1_000 + 100 * (100 - pence)}


def test_rule_4_takes_from_both_parts_each_way() -> None:
    # 10 + 10 at 10/1 (1/5), less 25p: win 10 + 75, place 10 + 15.
    terms = {"each_way_divisor": 5, "each_way_places": 3, "rule_4": True}
    desk = race(110_000, 40_000, *[110_000] * 4, fixed=terms)
    desk.bet("a", 1, 2_000, 110_000)
    desk.operate("selection_removed", selection_id=2)
    assert desk.paid(finish=[[1], [3], [4]]) == {"a": 8_500 + 2_500}


def test_rule_4_then_a_dead_heat() -> None:
    # Half of 10 at 8/1 less 25p: 5 + 30.
    desk = race(90_000, 40_000, 90_000, fixed={"rule_4": True})
    desk.bet("a", 1, 1_000, 90_000)
    desk.operate("selection_removed", selection_id=2)
    assert desk.paid(winners=[1, 3]) == {"a": 3_500}


def test_rule_4_is_for_bets_before_and_90p_at_most() -> None:
    desk = race(110_000, 15_000, 18_000, 60_000, fixed={"rule_4": True})
    desk.bet("before", 1, 1_000, 110_000)
    desk.operate("selection_removed", selection_id=2)  # 65p
    desk.bet("between", 1, 1_000, 110_000)
    desk.operate("selection_removed", selection_id=3)  # 55p
    desk.bet("after", 1, 1_000, 110_000)
    assert desk.paid(winners=[1]) == {"before": 2_000, "between": 5_500, "after": 11_000}


def test_an_announced_deduction_counts_instead_of_the_odds() -> None:
    desk = race(110_000, 100_000, 60_000, fixed={"rule_4": True})
    desk.bet("a", 1, 1_000, 110_000)
    # Many houses let a single 5p or 10p be.
    (removed, *_) = desk.operate("selection_removed", selection_id=2, reduction_factor_e4=0)
    assert removed["deduction_e4"] == 0
    assert desk.paid(winners=[1]) == {"a": 11_000}


# --- Asian handicaps and totals


@pytest.mark.parametrize(
    ("score", "home", "away"),
    [((0, 0), 0, 20_750), ((1, 0), 14_125, 5_000), ((2, 0), 18_250, 0), ((0, 1), 0, 20_750)],
)
def test_asianhandicap_tripod_cardiff_gives_three_quarters(
    score: tuple[int, int], home: int, away: int
) -> None:
    desk = race(18_250, 20_750, fixed={"line_type": "HANDICAP", "line": -3})
    desk.bet("home", 1, 10_000, 18_250)
    desk.bet("away", 2, 10_000, 20_750)
    assert desk.paid(score=score) == {"home": home, "away": away}


@pytest.mark.parametrize(
    ("line", "score", "pays"),
    [
        (8, (0, 1), 2_050), (8, (0, 2), 1_000), (8, (0, 3), 0),
        (6, (0, 1), 2_050), (6, (0, 2), 0),
        (-2, (1, 0), 2_050), (-2, (0, 0), 0),
        (-1, (1, 0), 2_050), (-1, (1, 1), 500), (-1, (0, 1), 0),
        (1, (0, 0), 1_525), (1, (1, 0), 2_050), (1, (0, 1), 0),
        (3, (0, 0), 2_050), (3, (0, 1), 500), (3, (0, 2), 0),
        (-5, (1, 0), 500), (-5, (2, 0), 2_050), (-5, (0, 0), 0),
        (-7, (2, 0), 1_525), (-7, (3, 0), 2_050), (-7, (1, 0), 0),
        (0, (0, 0), 1_000), (-4, (1, 0), 1_000), (-4, (2, 0), 2_050),
    ],
)  # fmt: skip
def test_unibet_10_at_2_05_on_every_kind_of_line(
    line: int, score: tuple[int, int], pays: int
) -> None:
    desk = race(20_500, 18_000, fixed={"line_type": "HANDICAP", "line": line})
    desk.bet("a", 1, 1_000, 20_500)
    assert desk.paid(score=score) == {"a": pays}


@pytest.mark.parametrize(
    ("line", "goals", "over", "under"),
    [
        (9, 3, 2_000, 0), (9, 2, 500, 1_500), (9, 1, 0, 2_000),  # 2.25
        (11, 4, 2_000, 0), (11, 3, 1_500, 500), (11, 2, 0, 2_000),  # 2.75
        (10, 3, 2_000, 0), (10, 2, 0, 2_000),  # 2.5
        (12, 3, 1_000, 1_000),  # 3
        (21, 5, 500, 1_500),  # 5.25: under is half a tie, half won
    ],
)  # fmt: skip
def test_vptop_and_pinnacle_totals(line: int, goals: int, over: int, under: int) -> None:
    desk = race(20_000, 20_000, fixed={"line_type": "TOTAL", "line": line})
    desk.bet("over", 1, 1_000, 20_000)
    desk.bet("under", 2, 1_000, 20_000)
    assert desk.paid(score=[goals, 0]) == {"over": over, "under": under}


# --- margins


def fair(*odds_e4: int, model: str) -> list[int]:
    desk = race(*odds_e4, fixed={"margin_model": model, "show_fair": True})
    return [one["probability_e6"] for one in desk.image().values()]


def test_pypi_shin_2_6_2_4_4_3() -> None:
    assert fair(26_000, 24_000, 43_000, model="shin") == [372_994, 404_779, 222_227]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("proportional", [358_738, 421_127, 220_135]),
        ("additive", [359_562, 423_974, 216_464]),
        ("power", [359_171, 423_731, 217_098]),
        ("shin", [359_344, 423_244, 217_412]),
        ("odds_ratio", [358_810, 422_561, 218_628]),
    ],
)
def test_penaltyblog_2_7_2_3_4_4_in_the_odds_image(model: str, found: list[int]) -> None:
    assert fair(27_000, 23_000, 44_000, model=model) == found


@pytest.mark.parametrize("model", ["proportional", "additive", "power", "shin", "odds_ratio"])
@pytest.mark.parametrize("favourite", [10_200, 11_000])
def test_a_favourite_near_1_and_20_runners(model: str, favourite: int) -> None:
    found = fair(favourite, *[500_000 + 100_000 * n for n in range(19)], model=model)
    assert abs(sum(found) - 1_000_000) <= 10
    assert all(0 < later <= one for one, later in pairwise(found)) or (
        model == "additive" and min(found) <= 0
    )


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        # 0.5, 0.3, 0.2 with 5 %: 1 / (p * 1.05), and 1 / (p + 0.05 / 3).
        ("proportional", [19_047, 31_746, 47_619]),
        ("additive", [19_354, 31_578, 46_153]),
    ],
)
def test_a_margin_put_on_to_four_digits(model: str, shown: list[int]) -> None:
    pairs = [[1, 500_000], [2, 300_000], [3, 200_000]]
    rules = {"probabilities": pairs, "margin_e4": 500, "margin_model": model}
    assert race(0, 0, 0, fixed=rules).odds() == shown


# --- cash-out, partial settlement, limits, voids


def test_cash_out_is_stake_times_odds_taken_by_odds_now() -> None:
    desk = race(50_000, 20_000, 30_000)
    desk.bet("a", 1, 1_000, 50_000)
    desk.operate("prices", prices=[[1, 25_000]])
    assert desk.ask("cash_out", "a")[0]["amount_minor"] == 2_000
    # Half of it now, the rest runs on and is not touched.
    part = desk.ask("cash_out", "a", amount_minor=1_000, keep_stake_minor=500)[0]
    assert (part["type"], part["amount_minor"]) == ("bet_partly_cashed_out", 1_000)
    assert part["postings"] == (("house:cash_out", -500),)
    again = desk.ask("cash_out", "a", amount_minor=1_000, keep_stake_minor=500)[0]
    assert again["type"] == "bet_repeated"
    assert desk.paid(winners=[1]) == {"a": 2_500}


def test_a_loss_limit_offers_the_largest_stake() -> None:
    # (limit + result) / (odds - 1): 10,000 / 4 at 5.0, and with 1,000 lost on another 11,000 / 4.
    desk = race(50_000, 20_000, loss_limit_minor=10_000)
    answer = desk.bet("a", 1, 5_000, 50_000)
    assert (answer["code"], answer["offer_stake_minor"]) == ("LOSS_LIMIT_EXCEEDED", 2_500)
    desk.bet("b", 2, 1_000, 20_000)
    assert desk.bet("c", 1, 5_000, 50_000)["offer_stake_minor"] == 2_750


def test_bets_of_an_interval_are_void_at_both_ends() -> None:
    desk = race(20_000, 20_000)
    for number in range(4):
        desk.bet(f"b{number}", 1, 100, 20_000)
    struck = [x["at_ms"] for x in entries(desk.printed, "bet_accepted")]
    desk.operate("bets_voided", from_ms=struck[1], to_ms=struck[2])
    assert {x["bet_id"] for x in entries(desk.printed, "bet_settled")} == {"b1", "b2"}
    assert desk.paid(winners=[1]) == {"b0": 200, "b3": 200}


def test_another_result_after_a_rollback() -> None:
    desk = race(30_000, 40_000)
    desk.bet("a", 1, 333, 30_000)
    desk.bet("b", 2, 333, 40_000)
    assert desk.paid(winners=[1]) == {"a": 999, "b": 0}
    desk.operate("result_rolled_back")
    found = desk.operate("result", winners=[2])
    paid = {x["bet_id"]: x["payout_minor"] for x in entries(found, "bet_settled")}
    assert paid == {"a": 0, "b": 1_332}
    assert entries(found, "market_settled")[0]["settlement"] == 2


def test_a_stake_of_10_to_the_12_is_exact() -> None:
    desk = race(33_333, 50_000)
    desk.bet("a", 1, 10**12, 33_333)
    assert desk.paid(winners=[1, 2]) == {"a": 1_666_650_000_000}
