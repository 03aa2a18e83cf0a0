"""Published worked examples of exchanges, through `overround decide`: the cents that it prints."""

from typing import Any

import pytest

from tests.pipelines.decided import Decided, Line, entries


def market(runners: int = 3, **rules: Any) -> Decided:
    return Decided().open(runners, engine="exchange", **({"ladder": "FINEST"} | rules))


def trade(desk: Decided, number: int, stake: int, odds: int, selection: int = 1) -> None:
    """One back and one lay that meet."""
    desk.bet(f"l{number}", selection, stake, odds, who="lea", side="LAY")
    found = desk.bet(f"b{number}", selection, stake, odds, who="ben")
    assert found["fills"] == ((odds, stake, False),), found


def average(desk: Decided, bet_id: str) -> int:
    """Return the average odds of an order's fills, from what was printed."""
    placed = [x for x in desk.printed if x.get("bet_id") == bet_id and "fills" in x][-1]
    return int(sum(o * s for o, s, _ in placed["fills"]) / sum(s for _, s, _ in placed["fills"]))


# --- dead heats


@pytest.mark.parametrize(
    ("tied", "back", "lay"),
    [(1, 8_000, 0), (2, 4_000, 4_000), (3, 2_666, 5_333), (4, 2_000, 6_000)],
)
def test_smarkets_20_at_4_tied_with_others(tied: int, back: int, lay: int) -> None:
    # Smarkets prints 26.67 and 53.33 for three: rounded to the nearest, here down.
    desk = market(5)
    trade(desk, 1, 2_000, 40_000)
    assert desk.paid(winners=list(range(1, tied + 1))) == {"l1": lay, "b1": back}


@pytest.mark.parametrize(
    ("finish", "back", "lay"),
    [
        ([[1], [2], [3]], 8_000, 0),
        ([[2], [3], [1, 4]], 4_000, 4_000),  # two tie for the last of three places
        ([[2], [1, 3, 4]], 5_333, 2_666),  # three tie for two
        ([[1, 2, 3, 4, 5]], 4_800, 3_200),  # five tie for three
        ([[2], [3], [4]], 0, 8_000),
    ],
)
def test_smarkets_7_3_only_those_tied_for_the_last_places_are_divided(
    finish: list[list[int]], back: int, lay: int
) -> None:
    desk = market(6, number_of_winners=3)
    trade(desk, 1, 2_000, 40_000)
    assert desk.paid(finish=finish) == {"l1": lay, "b1": back}


# --- reduction factors


def test_betfair_successive_withdrawals_cut_one_after_the_other() -> None:
    # 8.0 less 25 % is 6.0, less 10 % 5.4; less 2.4 % stays.
    factors = {2: 2_500, 3: 1_000, 4: 240}
    runners = [{"selection_id": s, "adjustment_factor_e4": factors.get(s, 0)} for s in range(1, 6)]
    desk = Decided().open(runners, engine="exchange", ladder="FINEST")
    trade(desk, 1, 1_000, 80_000)
    for selection, odds in ((2, 60_000), (3, 54_000)):
        found = desk.operate("selection_removed", selection_id=selection)
        reduced = entries(found, "odds_reduced")
        assert {x["average_odds_e4"] for x in reduced} == {odds}
    assert not entries(desk.operate("selection_removed", selection_id=4), "odds_reduced")
    returned = [x["returned_minor"] for x in entries(desk.printed, "odds_reduced")]
    assert returned == [2_000, 0, 600, 0]  # the layer's liability falls from 70 to 50 to 44
    assert desk.paid(winners=[1]) == {"l1": 0, "b1": 5_400}


def test_betfair_place_market_cuts_the_winnings_by_any_factor() -> None:
    desk = market(5, number_of_winners=2)
    trade(desk, 1, 1_000, 30_000)
    desk.operate("selection_removed", selection_id=2, reduction_factor_e4=4_000)
    desk.operate("selection_removed", selection_id=3, reduction_factor_e4=100)
    # 3.0 to 2.2, then 1 + 1.2 * 0.99 = 2.188, rounded to 2.19.
    assert desk.paid(winners=[1, 4]) == {"l1": 0, "b1": 2_190}


def test_a_withdrawn_favourite_then_a_dead_heat() -> None:
    desk = market(4)
    trade(desk, 1, 1_000, 80_000)
    desk.operate("selection_removed", selection_id=2, reduction_factor_e4=2_500)
    assert desk.paid(winners=[1, 3]) == {"l1": 3_000, "b1": 3_000}


# --- matching


def test_best_execution_takes_better_prices_at_their_own_odds() -> None:
    desk = market()
    for number, (odds, size) in enumerate([(35_000, 300), (36_000, 200), (34_000, 900)]):
        desk.bet(f"l{number}", 1, size, odds, who="lea", side="LAY")
    found = desk.bet("b", 1, 1_000, 34_000, who="ben")
    assert found["fills"] == ((36_000, 200, False), (35_000, 300, False), (34_000, 500, False))
    assert average(desk, "b") == 34_700


@pytest.mark.parametrize(
    ("limit", "least", "filled"),
    [
        (54_000, 0, 10_000),  # 50 at 5.6 and 50 at 5.2: 5.4 on average
        (55_000, 0, 0),
        (55_000, 6_000, 6_666),  # 50 at 5.6 and 16.66 at 5.2 are 5.5
        (55_000, 6_667, 0),
        (56_000, 5_000, 5_000),
    ],
)
def test_betfair_fill_or_kill_is_for_the_average_price(limit: int, least: int, filled: int) -> None:
    desk = market()
    desk.bet("l0", 1, 5_000, 56_000, who="lea", side="LAY")
    desk.bet("l1", 1, 5_000, 52_000, who="lea", side="LAY")
    found = desk.bet(
        "b", 1, 10_000, limit, who="ben", time_in_force="FILL_OR_KILL", min_fill_minor=least
    )
    assert sum(size for _, size, _ in found["fills"]) == filled
    lapsed = [x["size_minor"] for x in entries(desk.printed, "order_lapsed")]
    assert lapsed == ([10_000 - filled] if filled < 10_000 else [])


def test_a_replaced_order_goes_behind_an_update_keeps_its_place() -> None:
    desk = market()
    for who in ("one", "two", "three"):
        desk.bet(who, 1, 100, 30_000, who=who, side="LAY")
    desk.ask("update", "one", "one", persistence="PERSIST")
    desk.ask("replace", "two", "two", new_bet_id="two2", odds_e4=31_000)
    desk.ask("replace", "two2", "two", new_bet_id="two3", odds_e4=30_000)
    found = desk.bet("b", 1, 250, 30_000, who="ben")
    matched = {bet_id: size for _, bet_id, _, size, _, _ in found["matches"]}
    assert matched == {"one": 100, "three": 100, "two3": 50}


# --- money


@pytest.mark.parametrize(
    ("rate", "discount", "charged"),
    [(700, 0, 700), (500, 0, 500), (500, 2_000, 400), (500, 6_000, 200), (333, 0, 333), (0, 0, 0)],
)
def test_betfair_commission_on_the_net_of_several_bets(
    rate: int, discount: int, charged: int
) -> None:
    # 50 at 4.0 wins 150, 50 on another loses: net 100.
    desk = market(market_base_rate_e4=rate)
    trade(desk, 1, 5_000, 40_000)
    trade(desk, 2, 5_000, 30_000, selection=2)
    if discount:
        desk.operate("discounts", discounts=[["ben", discount]])
    found = desk.result(winners=[1])
    assert [
        (x["client_id"], x["commission_minor"]) for x in entries(found, "commission_charged")
    ] == ([("ben", charged)] if charged else [])


@pytest.mark.parametrize(("net", "charged"), [(10, 1), (9, 0), (30, 2), (29, 1), (50, 3)])
def test_commission_is_rounded_to_the_nearest_half_up(net: int, charged: int) -> None:
    desk = market(market_base_rate_e4=500)
    trade(desk, 1, net, 20_000)
    found = entries(desk.result(winners=[1]), "commission_charged")
    assert [x["commission_minor"] for x in found] == ([charged] if charged else [])


def test_void_of_an_interval_is_on_both_sides() -> None:
    desk = market()
    trade(desk, 1, 1_000, 30_000)
    at_ms = desk.now_ms
    trade(desk, 2, 1_000, 30_000)
    found = entries(desk.operate("bets_voided", from_ms=at_ms, to_ms=at_ms), "bet_voided")
    assert {(x["bet_id"], x["size_minor"], x["returned_minor"]) for x in found} == {
        ("l1", 1_000, 2_000), ("b1", 1_000, 1_000),
    }  # fmt: skip
    assert desk.paid(winners=[1]) == {"l2": 0, "b2": 3_000}


def test_what_lapses_at_the_off_and_what_persists() -> None:
    desk = market()
    for keep in ("LAPSE", "PERSIST"):
        desk.bet(keep, 1, 100, 30_000, who=keep, persistence=keep)
    found = desk.operate("market_status", in_play=True)
    lapsed = entries(found, "order_lapsed")
    assert [(x["bet_id"], x["code"]) for x in lapsed] == [("LAPSE", "TURNED_IN_PLAY")]


EXPOSURES = [
    # flumine: back 2 at 5.6 is -2; with a lay of 2 at 5.6 it is nothing.
    ([("BACK", 200, 56_000)], 200),
    ([("LAY", 200, 56_000)], 920),
    ([("LAY", 200, 56_000), ("LAY", 200, 58_000)], 1_880),
    ([("LAY", 200, 56_000), ("BACK", 200, 56_000), ("BACK", 2_000, 1_000_000)], 2_000),
]


@pytest.mark.parametrize(("orders", "exposure"), EXPOSURES)
def test_flumine_exposures_are_the_smallest_loss_limit_that_takes_them(
    orders: list[tuple[str, int, int]], exposure: int
) -> None:
    """What a bettor has at stake is seen by its limit: one less refuses the last order."""

    def last_answer(limit: int) -> Line:
        desk = market(loss_limit_minor=limit)
        for number, (side, size, odds) in enumerate(orders):
            other = "LAY" if side == "BACK" else "BACK"
            # Others have limits as well: many of them, each with a small part.
            parts = 400
            for part in range(parts):
                desk.bet(f"o{number}-{part}", 1, -(-size // parts), odds, who=f"o{number}-{part}",
                         side=other)  # fmt: skip
            answer = desk.bet(f"b{number}", 1, size, odds, who="ben", side=side)
        return answer

    assert last_answer(exposure)["type"] in ("order_placed", "order_traded")
    refused = last_answer(exposure - 1)
    assert (refused["type"], refused["code"]) == ("order_rejected", "LOSS_LIMIT_EXCEEDED")


def test_10_to_the_12_at_1_000_is_exact() -> None:
    desk = market()
    trade(desk, 1, 9 * 10**10, 10_000_000)
    assert desk.paid(winners=[1]) == {"l1": 0, "b1": 9 * 10**13}
