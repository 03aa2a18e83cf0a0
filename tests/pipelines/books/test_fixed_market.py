"""Further rules of a fixed book through the whole engine."""

import random
from typing import Any

import pytest

from pipelines.audit.money import Money
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.messages import entries as e
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, fixed_market


def market(*odds_e4: int, rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    selections = [{"selection_id": s, "odds_e4": odds} for s, odds in enumerate(odds_e4, 1)]
    return fixed_market(selections=selections, fixed=rules, **changes)


def odds(desk: Desk) -> list[int]:
    return [s.odds_e4 for s in desk.images[EVENT, MARKET].selections]


def payouts(desk: Desk, **result: Any) -> dict[str, tuple[str, int]]:
    """Settle, check the state, and look at the journal with the audit's own ledger."""
    desk.operate_market("market_status", status="SUSPENDED")
    entries = desk.operate_market("result", **result)
    assert isinstance(entries[-1], e.MarketSettled), entries
    desk.check()
    tally = Tally("money", "is right")
    money = Money(tally, Totals())
    for number, record in enumerate(desk.records()):
        money.see(Place("journal", 0, number), record.entry, record.at_ms)
    assert not tally.failures, tally.check()
    return {x.bet_id: (x.result, x.payout_minor) for x in entries if isinstance(x, e.BetSettled)}


def code(entry: e.Entry) -> str:
    assert isinstance(entry, e.BetRejected | e.OperationRefused), entry
    return entry.code


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("proportional", [18_800, 29_400, 52_000]),  # 1.8868, 2.9481, 5.2411
        ("additive", [19_200, 29_400, 50_000]),  # 1.9231, 2.9412, 5.0000
    ],
)
def test_opening_odds_come_from_probabilities_and_a_margin(model: str, shown: list[int]) -> None:
    pairs = [[1, 500_000], [2, 320_000], [3, 180_000]]
    rules = {"probabilities": pairs, "margin_e4": 600, "margin_model": model}
    desk = Desk().open(market(0, 0, 0, rules=rules))
    assert odds(desk) == shown
    assert isinstance(desk.bet(odds_e4=shown[0]), e.BetAccepted)
    desk.check()


@pytest.mark.parametrize("model", ["power", "shin", "odds_ratio"])
def test_rounding_to_the_ladder_never_lowers_the_margin(model: str) -> None:
    pairs = [[1, 800_000], [2, 150_000], [3, 50_000]]
    rules = {"probabilities": pairs, "margin_e4": 600, "margin_model": model}
    found = odds(Desk().open(market(0, 0, 0, rules=rules)))
    assert 1.06 <= sum(10_000 / one for one in found) <= 1.08


def test_odds_shorten_on_what_is_owed_and_lengthen_on_the_others() -> None:
    rules = {"line_liquidity_minor": 100_000, "line_move_max_e4": 3_000}
    desk = Desk().open(market(30_000, 30_000, 30_000, rules=rules))
    assert odds(desk) == [30_000, 30_000, 30_000]
    before = 30_000
    for number in range(8):
        desk.bet(f"b{number}", stake_minor=3_000, odds_e4=before, price_policy="any")
        after = odds(desk)
        assert after[0] <= before <= after[1] == after[2]
        before = after[0]
        assert after[0] >= 21_000
    assert after[0] < 25_000
    # The feed's new odds are the line's base.
    desk.operate_market("prices", prices=[[1, 40_000]])
    assert odds(desk)[0] >= 28_000
    desk.check()


def test_odds_move_no_further_than_their_limit() -> None:
    rules = {"line_liquidity_minor": 100, "line_move_max_e4": 1_000}
    desk = Desk().open(market(30_000, 30_000, rules=rules))
    desk.bet(stake_minor=10**6)
    assert odds(desk) == [27_000, 33_000]


def test_a_payout_has_a_maximum() -> None:
    desk = Desk().open(market(30_000, 30_000, rules={"payout_max_minor": 6_000}))
    assert code(desk.bet("b1", stake_minor=2_001)) == "ABOVE_MAX_BET_AMOUNT"
    assert isinstance(desk.bet("b2", stake_minor=2_000), e.BetAccepted)
    book = desk.market().book
    assert book.stake_max_minor(1, 30_000, 10**9) == 2_000  # type: ignore[attr-defined]


def test_a_bet_takes_its_stake_factor_of_the_room() -> None:
    # s_max = limit / (odds - 1) = 5,000, of which a bet may take half.
    rules = {"stake_factor_e4": 5_000}
    desk = Desk().open(market(30_000, 30_000, rules=rules, loss_limit_minor=10_000))
    book = desk.market().book
    assert book.stake_max_minor(1, 30_000, 10**9) == 2_500  # type: ignore[attr-defined]
    assert code(desk.bet("b1", stake_minor=2_501)) == "LOSS_LIMIT_EXCEEDED"
    assert isinstance(desk.bet("b2", stake_minor=2_500), e.BetAccepted)
    assert book.stake_max_minor(1, 30_000, 10**9) == 1_250  # type: ignore[attr-defined]


def test_each_way_bets_pay_a_win_and_a_place() -> None:
    rules = {"each_way_divisor": 5, "each_way_places": 3}
    desk = Desk().open(market(*[100_000] * 5, rules=rules))
    for runner in range(1, 6):
        desk.bet(f"b{runner}", selection_id=runner, stake_minor=400, odds_e4=100_000)
    paid = payouts(desk, finish=[[1], [2], [3, 4], [5]])
    assert paid == {
        "b1": ("win", 2_560), "b2": ("win", 560), "b3": ("win", 280), "b4": ("win", 280),
        "b5": ("loss", 0),
    }  # fmt: skip


def test_each_way_liability_is_never_understated() -> None:
    for seed in range(60):
        chance = random.Random(seed)
        rules = {
            "each_way_divisor": chance.choice([4, 5]),
            "each_way_places": chance.choice([2, 3]),
        }
        desk = Desk().open(market(*[50_000] * 5, rules=rules, loss_limit_minor=5_000))
        staked = 0
        for number in range(30):
            entry = desk.bet(f"b{number}", selection_id=chance.randrange(1, 6),
                             stake_minor=chance.randrange(1, 900), odds_e4=50_000)  # fmt: skip
            staked += entry.stake_minor if isinstance(entry, e.BetAccepted) else 0
        order = chance.sample(range(1, 6), 5)
        paid = payouts(desk, finish=[[runner] for runner in order])
        assert sum(amount for _, amount in paid.values()) - staked <= 5_000


def test_an_asian_handicap_settles_by_the_score() -> None:
    desk = Desk().open(market(20_000, 20_000, rules={"line_type": "HANDICAP", "line": -3}))
    desk.bet("b1", selection_id=1, stake_minor=1_000, odds_e4=20_000)
    desk.bet("b2", selection_id=2, stake_minor=1_001, odds_e4=20_000)
    assert payouts(desk, score=[2, 1]) == {"b1": ("win", 1_500), "b2": ("loss", 500)}
    desk.operate_market("result_rolled_back")
    assert payouts(desk, score=[0, 1]) == {"b1": ("loss", 0), "b2": ("win", 2_002)}


def test_a_total_on_its_line_is_refunded() -> None:
    desk = Desk().open(market(20_000, 20_000, rules={"line_type": "TOTAL", "line": 12}))
    desk.bet("b1", selection_id=1, stake_minor=1_000, odds_e4=20_000)
    assert payouts(desk, score=[2, 1]) == {"b1": ("void", 1_000)}


def test_rule_4_takes_from_bets_struck_before_the_withdrawal() -> None:
    desk = Desk().open(market(90_000, 40_000, 60_000, rules={"rule_4": True}))
    desk.bet("b1", selection_id=1, stake_minor=1_000, odds_e4=90_000)
    desk.operate_market("selection_removed", selection_id=2)  # at 3/1: 25p
    version = desk.market().version
    desk.bet("b2", selection_id=1, stake_minor=1_000, odds_e4=90_000, market_version=version)
    desk.operate_market("selection_removed", selection_id=3)  # at 5/1: 15p
    version = desk.market().version
    desk.bet("b3", selection_id=1, stake_minor=1_000, odds_e4=90_000, market_version=version)
    paid = payouts(desk, winners=[1])
    assert paid == {"b1": ("win", 5_800), "b2": ("win", 7_800), "b3": ("win", 9_000)}


def test_rule_4_takes_at_most_90_pence() -> None:
    desk = Desk().open(market(90_000, 11_000, 13_000, rules={"rule_4": True}))
    desk.bet("b1", selection_id=1, stake_minor=1_000, odds_e4=90_000)
    desk.operate_market("selection_removed", selection_id=2)
    desk.operate_market("selection_removed", selection_id=3)
    assert payouts(desk, winners=[1]) == {"b1": ("win", 1_800)}


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ({"line_type": "TOTAL", "line": 10}, {"winners": [1]}),
        ({"line_type": "TOTAL", "line": 10}, {"score": [1]}),
        ({"each_way_divisor": 4, "each_way_places": 2}, {"winners": [1]}),
        ({"each_way_divisor": 4, "each_way_places": 2}, {"finish": [[1], [1]]}),
        ({}, {"finish": [[1], [9]]}),
        ({}, {"finish": [[1]], "winners": [1]}),
        ({}, {}),
    ],
)
def test_results_that_do_not_fit_are_refused(rules: dict[str, Any], result: dict[str, Any]) -> None:
    desk = Desk().open(market(20_000, 20_000, rules=rules))
    desk.operate_market("market_status", status="SUSPENDED")
    (entry,) = desk.operate_market("result", **result)
    assert code(entry) == "INVALID_RESULT"


def test_an_order_of_finish_says_who_won() -> None:
    desk = Desk().open(market(20_000, 30_000, 40_000, rules={}, number_of_winners=2))
    desk.bet("b1", selection_id=3, stake_minor=100, odds_e4=40_000)
    assert payouts(desk, finish=[[2], [1, 3]]) == {"b1": ("win", 200)}  # half a place
    desk.operate_market("result_rolled_back")
    assert payouts(desk, finish=[[1, 2, 3]]) == {"b1": ("win", 266)}  # three for two places


@pytest.mark.parametrize(
    "wrong",
    [
        {"probabilities": [[1, 500_000]]},
        {"probabilities": [[1, 500_000], [2, 500_000]]},  # the selections have odds as well
        {"line": 3},
        {"line_type": "TOTAL", "each_way_divisor": 4, "each_way_places": 2},
        {"each_way_divisor": 4},
    ],
)
def test_rules_that_do_not_go_together_are_refused(wrong: dict[str, Any]) -> None:
    desk = Desk()
    desk.operate("event_opened")
    for changes in ({}, {"engine": "pool"}):
        (entry,) = desk.operate(
            "market_opened", market=market(20_000, 20_000, rules=wrong, **changes)
        )
        assert code(entry) == "INVALID_INPUT_DATA"


def test_a_refusal_comes_with_what_would_be_taken() -> None:
    desk = Desk().open(market(30_000, 30_000, rules={}, loss_limit_minor=10_000))
    refused = desk.bet("b1", stake_minor=9_000)
    assert isinstance(refused, e.BetRejected)
    assert (refused.offer_odds_e4, refused.offer_stake_minor) == (30_000, 5_000)
    refused = desk.bet("b2", stake_minor=100, odds_e4=30_100)
    assert isinstance(refused, e.BetRejected)
    assert refused.code == "INVALID_ODDS"
    assert (refused.offer_odds_e4, refused.offer_stake_minor) == (0, 0)
    refused = desk.bet("b3", stake_minor=100, odds_e4=32_000)
    assert isinstance(refused, e.BetRejected)
    assert refused.code == "ODDS_CHANGED"
    offer = {"odds_e4": refused.offer_odds_e4, "stake_minor": refused.offer_stake_minor}
    assert offer == {"odds_e4": 30_000, "stake_minor": 100}
    assert isinstance(desk.bet("b4", **offer), e.BetAccepted)
    desk.check()


@pytest.mark.parametrize("seed", range(60))
def test_the_largest_stake_is_the_largest_that_is_taken(seed: int) -> None:
    chance = random.Random(seed)
    rules = {"stake_factor_e4": chance.choice([10_000, 3_333, 1]), "payout_max_minor": 40_000}
    if chance.random() < 0.3:
        rules |= {"each_way_divisor": 4, "each_way_places": 2}
    every = [chance.choice([10_100, 15_000, 30_000, 250_000]) for _ in range(4)]
    places = 1 if "each_way_divisor" in rules else chance.choice([1, 1, 2])
    opened = market(*every, rules=rules, loss_limit_minor=10_000, number_of_winners=places)
    desk = Desk().open(opened)
    for number in range(10):
        on = chance.randrange(1, 5)
        desk.bet(f"b{number}", selection_id=on, stake_minor=chance.randrange(1, 4_000),
                 odds_e4=every[on - 1])  # fmt: skip
    book: Any = desk.market().book
    for on in range(1, 5):
        most = book.stake_max_minor(on, every[on - 1], 10**9)
        assert 0 <= most <= 40_000
        refused = desk.bet(
            f"over{on}", selection_id=on, stake_minor=most + 1, odds_e4=every[on - 1]
        )
        assert code(refused) in ("LOSS_LIMIT_EXCEEDED", "ABOVE_MAX_BET_AMOUNT")
        if most:
            taken = desk.bet(f"at{on}", selection_id=on, stake_minor=most, odds_e4=every[on - 1])
            assert isinstance(taken, e.BetAccepted)
