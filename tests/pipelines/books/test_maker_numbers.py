"""Hanson's market scoring rule and its liquidity-sensitive form, through `overround decide`.

Amounts are published ones in millionths, so that what is printed shows their digits.
"""

import random
from math import log
from typing import Any

import pytest

from tests.pipelines.decided import Decided, Line, entries

MILLION = 1_000_000


def maker(runners: int = 2, **rules: Any) -> Decided:
    if not rules:
        rules = {"liquidity_minor": 100 * MILLION}
    return Decided().open(runners, engine="lmsr", lmsr=rules)


def buy(desk: Decided, bet_id: str, selection: int, stake: int, **more: Any) -> Line:
    found = desk.bet(bet_id, selection, stake, price_policy="any", **more)
    assert found["type"] in ("bet_accepted", "bet_partly_accepted"), found
    return found


def prices(desk: Decided) -> list[int]:
    return [one.get("probability_e6", 0) for one in desk.image().values()]


def sold(desk: Decided, bet_id: str, **more: Any) -> Line:
    quote = desk.ask("cash_out", bet_id, **more)[0]
    assert quote["type"] == "cash_out_quoted", quote
    return desk.ask("cash_out", bet_id, amount_minor=quote["amount_minor"], **more)[0]


def test_hanson_10_shares_of_two_at_b_100_cost_5_124948() -> None:
    desk = maker()
    assert abs(buy(desk, "a", 1, 5_124_948)["shares_minor"] - 10 * MILLION) <= 2
    assert prices(desk) == [524_979, 475_021]


def test_hanson_100_shares_of_two_at_b_100_cost_62_011451() -> None:
    desk = maker()
    assert abs(buy(desk, "a", 1, 62_011_451)["shares_minor"] - 100 * MILLION) <= 2
    assert prices(desk) == [731_059, 268_941]


def test_hanson_trade_to_three_quarters_takes_69_314718_for_109_861229() -> None:
    desk = maker()
    found = buy(desk, "a", 1, 10**12, price_limit_e6=750_000)
    assert (found["stake_minor"], found["shares_minor"]) == (69_314_718, 109_861_228)
    assert found["asked_stake_minor"] == 10**12
    assert prices(desk) == [750_000, 250_000]
    # It is there already: nothing is to be had up to it.
    refused = desk.bet("b", 1, 100, price_policy="any", price_limit_e6=750_000)
    assert (refused["type"], refused["code"]) == ("bet_rejected", "ODDS_CHANGED")
    assert buy(desk, "c", 1, 100, price_limit_e6=760_000)["type"] == "bet_accepted"


def test_erisian_com_au_10_20_23() -> None:
    # The same prices to begin with as after 10, 20 and 23 shares at b = 10; then ten shares more.
    given = [[1, 135_362], [2, 367_953], [3, 496_685]]
    desk = maker(3, liquidity_minor=10 * MILLION, probabilities=given)
    assert prices(desk) == [135_362, 367_953, 496_685]
    # 10 ln(1 + 0.135362 (e - 1)).
    assert abs(buy(desk, "a", 1, 2_091_178)["shares_minor"] - 10 * MILLION) <= 100


@pytest.mark.parametrize(
    ("b", "n", "bound"),
    [(100, 2, 69.3147), (100, 3, 109.8612), (100, 8, 207.9442), (100, 20, 299.5732),
     (50, 8, 103.9721)],
)  # fmt: skip
def test_b_ln_n_bounds_the_loss_whatever_is_bought(b: int, n: int, bound: float) -> None:
    desk = maker(n, liquidity_minor=b * MILLION)
    for number in range(8):
        buy(desk, f"b{number}", 1, b * MILLION)
    image = [x for x in desk.printed if x["topic"] == "odds"][-1]["market_maker"]
    assert round(image["loss_bound_minor"] / MILLION, 4) == bound
    assert 0.99 * bound * MILLION < image["worst_loss_minor"] <= image["loss_bound_minor"]
    paid = sum(desk.paid(winners=[1]).values())
    assert paid - 8 * b * MILLION == image["worst_loss_minor"]


def test_a_trade_has_one_price_whatever_the_path() -> None:
    one, many = maker(), maker()
    whole = buy(one, "a", 1, 60 * MILLION)["shares_minor"]
    parts = sum(buy(many, f"b{n}", 1, 6 * MILLION)["shares_minor"] for n in range(10))
    assert 0 <= whole - parts <= 10


@pytest.mark.parametrize(
    "rules",
    [{"liquidity_minor": 100 * MILLION}, {"alpha_e6": 50_000, "seed_minor": 100 * MILLION}],
)
def test_shares_are_sold_back_at_the_price_of_the_moment(rules: dict[str, int]) -> None:
    desk = maker(2, **rules)
    start = prices(desk)
    buy(desk, "a", 1, 20 * MILLION)
    buy(desk, "b", 1, 20 * MILLION, who="bob")
    found = sold(desk, "a")
    assert found["amount_minor"] > 20 * MILLION  # others have bought since
    assert desk.ask("cash_out", "a", amount_minor=1)[0]["type"] == "bet_repeated"
    back = sold(desk, "b", who="bob")
    assert prices(desk) == start
    together = found["amount_minor"] + back["amount_minor"]
    assert 40 * MILLION - 3 <= together <= 40 * MILLION
    assert desk.paid(winners=[1]) == {}


def test_a_part_is_sold_back_and_the_rest_pays() -> None:
    desk = maker()
    bought = buy(desk, "a", 1, 50 * MILLION)["shares_minor"]
    part = sold(desk, "a", keep_stake_minor=20 * MILLION)
    assert part["type"] == "bet_partly_cashed_out"
    assert (part["stake_minor"], part["closed_minor"]) == (20 * MILLION, 30 * MILLION)
    assert part["shares_minor"] == bought - bought * 3 // 5
    again = desk.ask("cash_out", "a", amount_minor=1, keep_stake_minor=20 * MILLION)[0]
    assert again["type"] == "bet_repeated"
    refused = desk.ask("cash_out", "a", amount_minor=1, keep_stake_minor=21 * MILLION)[0]
    assert refused["code"] == "INVALID_BET_SIZE"
    assert desk.paid(winners=[1]) == {"a": part["shares_minor"]}


@pytest.mark.parametrize("winner", [1, 2])
def test_ls_lmsr_prices_at_q_100_100(winner: int) -> None:
    # 0.5346574 each at alpha 0.05: odds of 1.8703.
    desk = maker(2, alpha_e6=50_000, seed_minor=100 * MILLION)
    assert prices(desk) == [534_657, 534_657]
    # To q = (150, 100): 150.226874 - 106.931472.
    found = buy(desk, "a", winner, 43_295_402)
    assert abs(found["shares_minor"] - 50 * MILLION) <= 60
    wanted = [986_519, 22_491] if winner == 1 else [22_491, 986_519]
    assert all(abs(a - w) <= 1 for a, w in zip(prices(desk), wanted, strict=True))


def test_ls_lmsr_trades_to_a_price() -> None:
    desk = maker(2, alpha_e6=50_000, seed_minor=100 * MILLION)
    found = buy(desk, "a", 1, 10**12, price_limit_e6=986_519)
    assert abs(found["shares_minor"] - 50 * MILLION) < 1_000
    assert prices(desk)[0] in (986_518, 986_519)


@pytest.mark.parametrize("seed", range(20))
def test_a_round_trip_never_earns_and_the_loss_stays_bounded(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.choice([2, 3, 6])
    rules = chance.choice([
        {"liquidity_minor": chance.choice([20, 1_000, 10**7])},
        {"alpha_e6": chance.choice([10_000, 200_000]), "seed_minor": chance.choice([100, 10**6])},
    ])  # fmt: skip
    desk = maker(count, **rules)
    spent: dict[str, int] = {}
    bought = 0
    for number in range(40):
        if spent and chance.random() < 0.4:
            bet_id = chance.choice(list(spent))
            keep = chance.choice([0, 0, spent[bet_id] // 2])
            for found in desk.ask("cash_out", bet_id, amount_minor=1, keep_stake_minor=keep):
                if found["type"] == "bet_cashed_out":
                    bought -= found["amount_minor"]
                    del spent[bet_id]
                elif found["type"] == "bet_partly_cashed_out":
                    bought -= found["amount_minor"]
                    spent[bet_id] = found["stake_minor"]
        else:
            stake = chance.choice([1, 7, 100, 5_000, 10**6])
            found = desk.bet(f"b{number}", chance.randrange(1, count + 1), stake,
                             price_policy="any")  # fmt: skip
            if found["type"] == "bet_accepted":
                spent[f"b{number}"] = stake
                bought += stake
        image = [x for x in desk.printed if x["topic"] == "odds"][-1]["market_maker"]
        assert image["worst_loss_minor"] <= image["loss_bound_minor"]
    for bet_id in spent:
        for found in desk.ask("cash_out", bet_id, amount_minor=1):
            if found["type"] == "bet_cashed_out":
                bought -= found["amount_minor"]
    assert bought >= 0
    winner = chance.randrange(1, count + 1)
    paid = sum(desk.paid(winners=[winner]).values())
    assert paid - bought <= image["loss_bound_minor"]


def test_huge_shares_and_many_trades_keep_their_digits() -> None:
    # 10^12 at b = 10^9: so far out that a share costs a whole unit, less nothing that shows.
    desk = maker(2, liquidity_minor=10**9)
    found = buy(desk, "a", 1, 10**12 - 10**9 * 2)
    bound = 10**9 * log(2)
    assert 0 <= found["shares_minor"] - found["stake_minor"] <= bound
    assert prices(desk)[1] == 0
    refused = desk.bet("b", 1, 10**6, price_policy="any")
    assert (refused["type"], refused["code"]) == ("bet_rejected", "ODDS_CHANGED")
    long_shot = buy(desk, "c", 2, 10**6)
    assert long_shot["odds_e4"] == 10_000_000
    assert sold(desk, "a")["amount_minor"] <= 10**12 - 10**9 * 2
    assert len(entries(desk.printed, "bet_cashed_out")) == 1
