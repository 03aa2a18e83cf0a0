"""Further rules of a pool through the whole engine: places, combinations, floors, carry-over."""

from typing import Any

import pytest

from pipelines.books.exotic import all_combinations
from pipelines.messages import entries as e
from tests.pipelines.shard.desk import MARKET, Desk, pool_market


def stake(desk: Desk, stakes: dict[int, int]) -> Desk:
    for selection, amount in stakes.items():
        entry = desk.bet(f"b{selection}", selection_id=selection, stake_minor=amount, odds_e4=0,
                         market_version=0)  # fmt: skip
        assert isinstance(entry, e.BetAccepted), entry
    return desk


def settled(desk: Desk, **result: Any) -> tuple[dict[int, int], dict[str, int]]:
    """Dividends by selection, and what the house is posted."""
    desk.operate_market("market_status", status="SUSPENDED")
    entries = desk.operate_market("result", **result)
    desk.check()
    resulted, end = next(x for x in entries if isinstance(x, e.MarketResulted)), entries[-1]
    assert isinstance(end, e.MarketSettled), entries
    return dict(resulted.dividends), dict(end.postings)


def exotic(kind: str, runners: int, **changes: Any) -> dict[str, Any]:
    every = all_combinations(kind, range(1, runners + 1))
    market = pool_market(len(every), **changes)
    pairs = [[number, runners] for number, runners in enumerate(every, 1)]
    return market | {"pool": {"combination": kind, "combinations": pairs}}


def number_of(market: dict[str, Any], *runners: int) -> int:
    return next(s for s, order in market["pool"]["combinations"] if tuple(order) == runners)


def test_wisconsin_game_9_04_dead_heat_for_second_in_a_place_pool() -> None:
    rules: dict[str, Any] = {"split": "profit", "number_of_winners": 2, "breakage_e4": 1}
    desk = stake(Desk().open(pool_market(**rules)), {1: 1_000, 2: 1_000, 3: 1_000, 4: 1_000})
    # Profit 1,000: half to the first, a quarter to each of the two tied.
    dividends, _ = settled(desk, finish=[[1], [2, 3]])
    assert dividends == {1: 15_000, 2: 12_500, 3: 12_500}
    desk.operate_market("result_rolled_back")
    # Three tied: a sixth of the profit each.
    dividends, _ = settled(desk, finish=[[1], [2, 3, 4]])
    assert dividends == {1: 10_000, 2: 10_000, 3: 10_000, 4: 10_000}


def test_a_dead_heat_for_first_takes_both_places() -> None:
    rules: dict[str, Any] = {"number_of_winners": 2, "breakage_e4": 1}
    desk = stake(Desk().open(pool_market(**rules)), {1: 1_000, 2: 3_000, 3: 4_000})
    dividends, _ = settled(desk, finish=[[1, 2], [3]])
    assert dividends == {1: 40_000, 2: 13_333}


class TestTabcorpKata:
    def test_exacta_2_3_pays_2_43(self) -> None:
        market = exotic("EXACTA", 4, takeout_e4=1_800, breakage_e4=1)
        stakes = {(1, 2): 99, (2, 3): 206, (1, 3): 203, (3, 2): 103}
        desk = stake(
            Desk().open(market), {number_of(market, *o): 100 * s for o, s in stakes.items()}
        )
        dividends, _ = settled(desk, finish=[[2], [3], [1]])
        (dividend,) = dividends.values()
        assert round(dividend / 10_000, 2) == 2.43


def test_a_quinella_is_won_in_either_order() -> None:
    market = exotic("QUINELLA", 4, breakage_e4=1)
    desk = stake(Desk().open(market), {number_of(market, 1, 2): 500, number_of(market, 3, 4): 500})
    assert settled(desk, finish=[[2], [1]])[0] == {number_of(market, 1, 2): 20_000}


def test_a_trifecta_with_a_dead_heat_has_two_winners() -> None:
    market = exotic("TRIFECTA", 4, breakage_e4=1)
    first, second = number_of(market, 1, 2, 3), number_of(market, 1, 3, 2)
    desk = stake(Desk().open(market), {first: 500, second: 1_000, number_of(market, 2, 1, 3): 500})
    assert settled(desk, finish=[[1], [2, 3]])[0] == {first: 20_000, second: 10_000}


def test_the_largest_markets_of_combinations_are_within_the_limit() -> None:
    counts = [len(all_combinations(k, range(n))) for k, n in
              (("EXACTA", 16), ("QUINELLA", 23), ("TRIFECTA", 7))]  # fmt: skip
    assert counts == [240, 253, 210]


@pytest.mark.parametrize(
    ("net", "pays"), [(1_050, 11_000), (900, 10_200), (950, 11_000), (3_470, 34_000)]
)
def test_uk_tote_floors_of_one_pool(net: int, pays: int) -> None:
    # chisholm.uk.com: 0.90 to 1.10 pays 1.10, 0.90 and less pays 1.02, else down to 10p.
    market = pool_market(2, breakage_e4=1_000, takeout_e4=5_000, minimum_dividend_e4=0)
    market |= {"pool": {"floors": [[9_001, 10_200], [11_000, 11_000]]}}
    desk = stake(Desk().open(market), {1: 1_000, 2: 2 * net - 1_000})
    shown = desk.images["race", MARKET].selections[0].odds_e4
    dividends, _ = settled(desk, winners=[1])
    assert dividends == {1: pays}
    assert shown == pays


def test_a_pool_that_nobody_won_is_carried_over_into_the_next() -> None:
    market = pool_market(3, takeout_e4=2_000, breakage_e4=1)
    desk = Desk().open(market | {"pool": {"no_winner": "carry_over"}})
    stake(desk, {1: 600, 2: 400})
    dividends, postings = settled(desk, winners=[3])
    assert dividends == {}
    assert postings == {"house:commission": 200, "house:carry-over": 800}
    nxt = Desk().open(market | {"pool": {"carry_in_minor": 800}})
    stake(nxt, {1: 500, 2: 500})
    assert nxt.images["race", MARKET].selections[0].odds_e4 == 32_000
    dividends, postings = settled(nxt, winners=[1])
    assert dividends == {1: 32_000}
    assert postings == {"house:commission": 200, "house:carry-over": -800}


def test_without_a_winner_a_pool_is_refunded() -> None:
    desk = stake(Desk().open(pool_market(3) | {"pool": {"carry_in_minor": 100}}), {1: 600})
    assert settled(desk, winners=[3]) == ({}, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"combinations": [[1, [1, 2]], [2, [2, 1]]]},
        {"combination": "EXACTA"},
        {"combination": "EXACTA", "combinations": [[1, [1, 2]], [2, [1, 2]]]},
        {"combination": "EXACTA", "combinations": [[1, [1, 2]], [2, [1, 1]]]},
        {"combination": "QUINELLA", "combinations": [[1, [1, 2]], [2, [2, 1]]]},
        {"combination": "TRIFECTA", "combinations": [[1, [1, 2]], [2, [2, 1]]]},
    ],
)
def test_rules_that_do_not_go_together_are_refused(wrong: dict[str, Any]) -> None:
    desk = Desk()
    desk.operate("event_opened")
    (entry,) = desk.operate("market_opened", market=pool_market(2) | {"pool": wrong})
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "INVALID_INPUT_DATA"
