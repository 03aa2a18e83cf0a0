"""A market of the market maker through the whole engine."""

import random
from math import ceil, log
from typing import Any

import pytest

from pipelines.messages import entries as e
from pipelines.messages.images import MakerImage
from tests.pipelines.shard.desk import EVENT, MARKET, Desk


def lmsr_market(selections: int = 2, **changes: Any) -> dict[str, Any]:
    rules = {"liquidity_minor": 10_000} | changes
    return {
        "market_id": MARKET,
        "engine": "lmsr",
        "selections": [{"selection_id": s} for s in range(1, selections + 1)],
        "lmsr": {name: value for name, value in rules.items() if value is not None},
    }


def refusal(desk: Desk, market: dict[str, Any]) -> str:
    (entry,) = desk.operate("market_opened", market=market)
    assert isinstance(entry, e.OperationRefused)
    return entry.code


def odds(desk: Desk) -> list[int]:
    return [s.odds_e4 for s in desk.images[EVENT, MARKET].selections]


def test_a_market_opens_with_all_alike_and_shows_its_bound() -> None:
    desk = Desk().open(lmsr_market())
    assert odds(desk) == [20_000, 20_000]
    assert desk.images[EVENT, MARKET].market_maker == MakerImage(0, ceil(10_000 * log(2)))


def test_a_market_opens_with_probabilities_and_a_largest_loss() -> None:
    pairs = [[1, 500_000], [2, 250_000], [3, 250_000]]
    desk = Desk().open(
        lmsr_market(3, liquidity_minor=None, max_loss_minor=100_000, probabilities=pairs)
    )
    assert odds(desk) == [20_000, 40_000, 40_000]
    maker = desk.images[EVENT, MARKET].market_maker
    assert maker == MakerImage(0, 100_000)


def test_a_bet_gets_the_odds_of_its_whole_stake_and_moves_the_market() -> None:
    desk = Desk().open(lmsr_market())
    # 512.4948 buy 1,000 shares at b = 10,000: betting.md's 5.124948 for 10 at 100.
    taken = desk.bet("b1", stake_minor=513, odds_e4=20_000, tolerance_e4=600)
    assert isinstance(taken, e.BetAccepted)
    assert taken.odds_e4 == 19_511
    assert odds(desk)[0] < 20_000 < odds(desk)[1]
    # Two odds of 19,048 and 21,052 are prices of 0.524979 and 0.475021.
    assert odds(desk) == [19_048, 21_051]
    image = desk.images[EVENT, MARKET]
    assert image.staked_minor == 513
    assert image.market_maker is not None
    assert image.market_maker.worst_loss_minor == 1_000 - 513
    desk.check()


def test_a_bet_that_moves_the_odds_beyond_its_tolerance_is_refused() -> None:
    desk = Desk().open(lmsr_market())
    refused = desk.bet("b1", stake_minor=5_000, odds_e4=20_000, tolerance_e4=1_000)
    assert isinstance(refused, e.BetRejected)
    assert refused.code == "ODDS_CHANGED"
    taken = desk.bet("b2", stake_minor=5_000, price_policy="any", odds_e4=0)
    assert isinstance(taken, e.BetAccepted)
    refused = desk.bet("b3", odds_e4=0)
    assert isinstance(refused, e.BetRejected)
    assert refused.code == "INVALID_ODDS"


def test_a_share_pays_one_unit_and_postings_sum_to_zero() -> None:
    desk = Desk().open(lmsr_market(3))
    for number, (on, stake) in enumerate([(1, 513), (2, 2_000), (1, 700), (3, 40)]):
        desk.bet(f"b{number}", selection_id=on, stake_minor=stake, price_policy="any", odds_e4=0)
    shares = dict(desk.market().book.owed)  # type: ignore[attr-defined]
    desk.operate_market("market_status", status="SUSPENDED")
    entries = desk.operate_market("result", winners=[1])
    paid = sum(x.payout_minor for x in entries if isinstance(x, e.BetSettled))
    assert paid == shares[1]
    end = entries[-1]
    assert isinstance(end, e.MarketSettled)
    assert end.postings == (("house:book", 513 + 2_000 + 700 + 40 - paid),)
    desk.operate_market("result_rolled_back")
    entries = desk.operate_market("result", winners=[1, 2])  # a dead heat: half a unit a share
    halves = sum(x.payout_minor for x in entries if isinstance(x, e.BetSettled))
    assert shares[1] + shares[2] - 4 <= 2 * halves <= shares[1] + shares[2]
    desk.check()


def test_a_withdrawn_selection_is_refunded_and_the_others_share_its_price() -> None:
    desk = Desk().open(lmsr_market(3))
    desk.bet("b1", selection_id=3, stake_minor=500, price_policy="any", odds_e4=0)
    entries = desk.operate_market("selection_removed", selection_id=3)
    assert [x.payout_minor for x in entries if isinstance(x, e.BetSettled)] == [500]
    assert odds(desk) == [20_000, 20_000, 0]
    desk.check()


def test_the_operator_sets_no_odds() -> None:
    desk = Desk().open(lmsr_market())
    (entry,) = desk.operate_market("prices", prices=[[1, 30_000]])
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "INVALID_ODDS"


@pytest.mark.parametrize(
    "wrong",
    [
        {"liquidity_minor": None},
        {"max_loss_minor": 5},
        {"alpha_e6": 50_000},
        {"alpha_e6": 50_000, "liquidity_minor": None},
        {"probabilities": [[1, 500_000]]},
        {"probabilities": [[1, 500_000], [1, 500_000]]},
        {"max_loss_minor": 1, "liquidity_minor": None, "probabilities": [[1, 1], [2, 999_999]]},
    ],
)
def test_rules_that_do_not_go_together_are_refused(wrong: dict[str, Any]) -> None:
    desk = Desk()
    desk.operate("event_opened")
    assert refusal(desk, lmsr_market(**wrong)) == "INVALID_INPUT_DATA"
    assert refusal(desk, lmsr_market() | {"lmsr": None}) == "INVALID_INPUT_DATA"
    assert refusal(desk, lmsr_market() | {"engine": "pool"}) == "INVALID_INPUT_DATA"
    assert refusal(desk, lmsr_market() | {"number_of_winners": 2}) == "INVALID_INPUT_DATA"


@pytest.mark.parametrize("sensitive", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_the_house_never_loses_more_than_its_bound(seed: int, sensitive: bool) -> None:
    chance = random.Random(seed)
    n = chance.randrange(2, 7)
    rules: dict[str, Any] = {"liquidity_minor": chance.choice([1, 50, 10_000])}
    if sensitive:
        rules = {"liquidity_minor": None, "alpha_e6": chance.choice([10_000, 200_000])}
        rules["seed_minor"] = chance.choice([10, 1_000])
    desk = Desk().open(lmsr_market(n, **rules))
    taken = 0
    for number in range(40):
        on = 1 if number % 2 else chance.randrange(1, n + 1)
        stake = chance.choice([1, 10, 500, 20_000])
        entry = desk.bet(f"b{number}", selection_id=on, stake_minor=stake, price_policy="any",
                         odds_e4=0)  # fmt: skip
        taken += isinstance(entry, e.BetAccepted)
        maker = desk.images[EVENT, MARKET].market_maker
        assert maker is not None
        assert maker.worst_loss_minor <= maker.loss_bound_minor
    assert taken > 3
    desk.check()


@pytest.mark.parametrize("seed", range(20))
def test_random_lives_keep_money_and_fold_to_the_same_state(seed: int) -> None:
    chance = random.Random(seed)
    n = chance.randrange(3, 6)
    desk = Desk().open(lmsr_market(n, liquidity_minor=chance.choice([100, 10_000])))
    removed: set[int] = set()
    for number in range(30):
        roll = chance.random()
        on = chance.randrange(1, n + 1)
        desk.now_ms += 10
        if roll < 0.8:
            desk.bet(f"b{number}", selection_id=on, stake_minor=chance.randrange(1, 3_000),
                     price_policy="any", odds_e4=0,
                     market_version=desk.market().version)  # fmt: skip
        elif roll < 0.9:
            desk.operate_market("bets_voided", from_ms=desk.now_ms - 30, to_ms=desk.now_ms)
        elif len(removed) < n - 2:
            desk.operate_market("selection_removed", selection_id=on)
            removed.add(on)
        shown = [one for one in odds(desk) if one]
        # Rounded down to a ten-thousandth each, so a little above 1.
        assert sum(10_000 / one for one in shown) + 1e-9 >= 1 or len(shown) < n - len(removed)
    desk.operate_market("market_status", status="SUSPENDED")
    winner = next(s for s in range(1, n + 1) if s not in removed)
    desk.operate_market("result", winners=[winner])
    desk.check()
    desk.operate_market("result_rolled_back")
    desk.operate_market("result", void=True)
    assert desk.market().escrow_minor == 0
    desk.check()
