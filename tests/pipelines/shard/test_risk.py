"""Limits of an event, classes of bettors, levers, late bets, and bets taken in part."""

import random
from fractions import Fraction
from typing import Any

import pytest

from pipelines.messages import entries as e
from pipelines.shard.risk import late_loss_e4
from tests.oracles import risk as oracle
from tests.pipelines.audit.topics import decide
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market
from tests.pipelines.shard.exchange_desk import ExchangeDesk, exchange_market

MARKETS = {MARKET: [1, 2, 3], "1.2": [1, 2]}
ODDS = {1: 30_000, 2: 40_000, 3: 50_000}


def opened(risk: dict[str, Any] | None = None, **changes: object) -> Desk:
    """An event with two markets and limits."""
    desk = Desk()
    desk.operate("event_opened")
    for market_id, selections in MARKETS.items():
        market = fixed_market(
            market_id=market_id,
            selections=[{"selection_id": s, "odds_e4": ODDS[s]} for s in selections],
            **changes,
        )
        desk.operate("market_opened", market=market)
    if risk is not None:
        (entry,) = desk.operate("risk_set", **risk)
        assert isinstance(entry, e.RiskWasSet), entry
    return desk


def place(desk: Desk, bet_id: str, stake: int, selection: int = 1, **more: Any) -> e.Entry:
    client_id = more.pop("client_id", "ann")
    request = bet(bet_id, selection_id=selection, stake_minor=stake, odds_e4=ODDS[selection])
    request["market_version"] = desk.market(str(more.get("market_id", MARKET))).version
    return desk.bets(request | more, client_id)[-1]  # after what was due before it


def refused(entry: e.Entry) -> tuple[str, int]:
    """Code and the stake that would be taken."""
    assert isinstance(entry, e.BetRejected), entry
    return entry.code, entry.offer_stake_minor


def test_the_event_loses_no_more_than_its_limit() -> None:
    desk = opened({"event_loss_limit_minor": 5_000})
    assert isinstance(place(desk, "b1", 1_500), e.BetAccepted)  # may lose 3,000
    assert refused(place(desk, "b2", 1_001, market_id="1.2")) == ("LOSS_LIMIT_EXCEEDED", 1_000)
    assert isinstance(place(desk, "b3", 1_000, market_id="1.2"), e.BetAccepted)
    assert refused(place(desk, "b4", 1)) == ("LOSS_LIMIT_EXCEEDED", 0)
    # What is staked on another selection makes room.
    assert isinstance(place(desk, "b5", 300, selection=3), e.BetAccepted)
    assert isinstance(place(desk, "b6", 150), e.BetAccepted)
    desk.check()


def test_a_selection_costs_no_more_than_its_limit() -> None:
    desk = opened({"selection_loss_limit_minor": 1_000})
    assert refused(place(desk, "b1", 501)) == ("LOSS_LIMIT_EXCEEDED", 500)
    assert isinstance(place(desk, "b2", 500), e.BetAccepted)
    assert isinstance(place(desk, "b3", 300, selection=2), e.BetAccepted)
    assert refused(place(desk, "b4", 200)) == ("LOSS_LIMIT_EXCEEDED", 150)


def test_a_bettor_has_no_more_at_stake_than_its_limits() -> None:
    desk = opened({"bettor_stake_max_minor": 500, "bettor_payout_max_minor": 1_200})
    assert isinstance(place(desk, "b1", 300), e.BetAccepted)
    assert refused(place(desk, "b2", 201, market_id="1.2")) == ("ABOVE_MAX_BET_AMOUNT", 100)
    assert refused(place(desk, "b3", 150, market_id="1.2")) == ("LOSS_LIMIT_EXCEEDED", 100)
    assert isinstance(place(desk, "b4", 300, client_id="bob"), e.BetAccepted)
    desk.operate_market("bets_voided", from_ms=0)
    assert isinstance(place(desk, "b5", 400), e.BetAccepted)
    desk.check()


def test_limits_count_what_was_open_before_them() -> None:
    desk = opened()
    place(desk, "b1", 300)
    desk.operate("risk_set", bettor_stake_max_minor=500)
    assert refused(place(desk, "b2", 300)) == ("ABOVE_MAX_BET_AMOUNT", 200)
    desk.operate_market("market_status", status="SUSPENDED")
    desk.operate_market("result", winners=[2])
    assert isinstance(place(desk, "b3", 500, market_id="1.2"), e.BetAccepted)
    desk.operate_market("result_rolled_back")
    assert refused(place(desk, "b4", 1, market_id="1.2")) == ("ABOVE_MAX_BET_AMOUNT", 0)
    desk.check()


CLASSES = [
    {"name": "sharp", "stake_factor_e4": 1_000, "delay_ms": 3_000},
    {"name": "trusted", "late_loss_max_e4": 500},
]


def test_a_class_may_place_its_part_of_the_largest_stake() -> None:
    risk = {"classes": CLASSES, "bettors": [["eve", "sharp"]]}
    desk = opened(risk, stake_max_minor=1_000, loss_limit_minor=10_000)
    assert refused(place(desk, "b1", 101, client_id="eve")) == ("ABOVE_MAX_BET_AMOUNT", 100)
    assert isinstance(place(desk, "b2", 1_000), e.BetAccepted)
    held = place(desk, "b3", 100, client_id="eve")
    assert isinstance(held, e.BetPending)
    assert held.due_ms == desk.now_ms + 3_000
    (confirmed,) = desk.tick(held.due_ms)
    assert isinstance(confirmed, e.BetConfirmed)
    desk.check()


def test_the_class_of_all_others() -> None:
    risk = {"classes": CLASSES, "default_class": "sharp", "bettors": [["ann", "trusted"]]}
    desk = opened(risk, stake_max_minor=1_000)
    assert isinstance(place(desk, "b1", 1_000), e.BetAccepted)
    assert refused(place(desk, "b2", 101, client_id="bob")) == ("ABOVE_MAX_BET_AMOUNT", 100)


def test_a_trusted_bettor_skips_the_delay_while_prices_are_calm() -> None:
    risk = {"classes": CLASSES, "bettors": [["ann", "trusted"]]}
    desk = opened(risk, in_play=True, bet_delay_ms=5_000)
    # 1/3 + 1/4 + 1/5 is below 1: without a margin all of it is lost.
    assert isinstance(place(desk, "b0", 10), e.BetPending)
    desk.operate_market("prices", prices=[[1, 20_000], [2, 30_000], [3, 40_000]])
    ODDS_NOW = {"odds_e4": 20_000}
    desk.now_ms += 120_000
    assert isinstance(place(desk, "b1", 10, **ODDS_NOW), e.BetAccepted)
    assert isinstance(place(desk, "b2", 10, client_id="bob", **ODDS_NOW), e.BetPending)
    desk.operate_market("prices", prices=[[2, 20_000]])  # a jump
    assert isinstance(place(desk, "b3", 10, **ODDS_NOW), e.BetPending)
    desk.now_ms += 61_000
    desk.tick(desk.now_ms)
    assert isinstance(place(desk, "b4", 10, **ODDS_NOW), e.BetAccepted)
    desk.check()


@pytest.mark.parametrize("seed", range(50))
def test_the_expected_loss_of_a_late_bet(seed: int) -> None:
    chance = random.Random(seed)
    desk = opened({"classes": CLASSES})
    prices = {1: 20_000, 2: 30_000, 3: 40_000}
    desk.operate_market("prices", prices=list(prices.items()))
    desk.now_ms += 100_000
    rises = []
    for _ in range(chance.randrange(4)):
        selection = chance.randrange(1, 4)
        new = chance.choice([15_000, 20_000, 26_000, 30_000, 40_000])
        if new < prices[selection]:
            rises.append(Fraction(prices[selection], new))
        desk.operate_market("prices", prices=[[selection, new]])
        prices[selection] = new
        desk.now_ms += 1_000
    event, delay_ms = desk.state.events[EVENT], chance.choice([1_000, 5_000])
    found = late_loss_e4(event, desk.market(), 1, prices[1], delay_ms, desk.now_ms)
    odds = [Fraction(price, 10_000) for price in prices.values()]
    if sum(1 / one for one in odds) <= 1:
        assert found == 10_000
        return
    right = oracle.late_loss(odds[0], odds, odds[0], rises, Fraction(delay_ms, 60_000))
    assert abs(found - right * 10_000) <= 1 + right * 40  # rises are kept to four digits


def test_the_nearest_lever_counts() -> None:
    desk = opened()
    desk.operate("risk_lever", action="reject")
    assert refused(place(desk, "b1", 10)) == ("NOT_ACCEPTED", 0)
    desk.operate("risk_lever", action="limit", stake_max_minor=50, market_id=MARKET)
    assert refused(place(desk, "b2", 51)) == ("ABOVE_MAX_BET_AMOUNT", 50)
    desk.operate("risk_lever", action="accept", client_id="ann")
    assert isinstance(place(desk, "b3", 1_000), e.BetAccepted)
    assert isinstance(place(desk, "b4", 1_000, market_id="1.2"), e.BetAccepted)
    desk.operate("risk_lever", action="reject", client_id="ann", market_id=MARKET)
    assert refused(place(desk, "b5", 10)) == ("NOT_ACCEPTED", 0)
    desk.operate("risk_lever", action="none", client_id="ann", market_id=MARKET)
    desk.operate("risk_lever", action="none", client_id="ann")
    assert refused(place(desk, "b6", 51)) == ("ABOVE_MAX_BET_AMOUNT", 50)
    assert refused(place(desk, "b7", 51, market_id="1.2")) == ("NOT_ACCEPTED", 0)
    desk.check()


def test_levers_on_an_exchange() -> None:
    desk = ExchangeDesk().open(exchange_market())
    assert isinstance(desk, ExchangeDesk)
    desk.operate("risk_lever", action="limit", stake_max_minor=100, client_id="ann")
    desk.operate("risk_lever", action="reject", client_id="bob")
    codes = [
        getattr(desk.back(f"o{n}", 30_000, stake, client_id=who)[0], "code", "")
        for n, (who, stake) in enumerate([("ann", 101), ("ann", 100), ("bob", 100), ("cem", 999)])
    ]
    assert codes == ["ABOVE_MAX_BET_AMOUNT", "", "NOT_ACCEPTED", ""]
    desk.check()


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("risk_set", {"bettors": [["ann", "x"]]}, "INVALID_INPUT_DATA"),
        ("risk_set", {"default_class": "x"}, "INVALID_INPUT_DATA"),
        ("risk_set", {"classes": [{"name": "x"}, {"name": "x"}]}, "INVALID_INPUT_DATA"),
        ("risk_lever", {"action": "none"}, "UNCHANGED"),
        ("risk_lever", {"action": "refer", "market_id": "zz"}, "INVALID_MARKET_ID"),
        ("referral_decided", {"market_id": MARKET, "client_id": "a", "bet_id": "b",
                              "accept": True}, "INVALID_BET_ID"),
    ],
)  # fmt: skip
def test_what_is_refused(kind: str, fields: dict[str, Any], code: str) -> None:
    (entry,) = opened().operate(kind, **fields)
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == code


def test_the_same_again_changes_nothing() -> None:
    desk = opened({"event_loss_limit_minor": 5})
    for kind, fields in (
        ("risk_set", {"event_loss_limit_minor": 5}),
        ("risk_lever", {"action": "refer", "client_id": "ann"}),
        ("risk_lever", {"action": "refer", "client_id": "ann"}),
    ):
        (entry,) = desk.operate(kind, **fields)
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "UNCHANGED"


def test_the_part_within_the_limits_is_taken() -> None:
    desk = opened({"selection_loss_limit_minor": 1_000}, stake_max_minor=400)
    part = place(desk, "b1", 900, accept_partial=True)
    assert isinstance(part, e.BetPartlyAccepted)
    assert (part.stake_minor, part.asked_stake_minor, part.odds_e4) == (400, 900, 30_000)
    again = place(desk, "b1", 900, accept_partial=True)
    assert isinstance(again, e.BetRepeated)
    assert isinstance(place(desk, "b1", 400, accept_partial=True), e.BetConflict)
    second = place(desk, "b2", 400, accept_partial=True)
    assert isinstance(second, e.BetPartlyAccepted)
    assert second.stake_minor == 100
    assert refused(place(desk, "b3", 400, accept_partial=True)) == ("LOSS_LIMIT_EXCEEDED", 0)
    desk.check()


def test_a_part_of_the_room_of_the_market_itself() -> None:
    desk = opened(loss_limit_minor=1_000)
    part = place(desk, "b1", 900, accept_partial=True)
    assert isinstance(part, e.BetPartlyAccepted)
    assert part.stake_minor == 500
    desk.check()


def test_a_bettor_has_no_more_at_stake_on_one_market_than_its_limits() -> None:
    desk = opened({"bettor_market_stake_max_minor": 500, "bettor_market_payout_max_minor": 1_200})
    assert isinstance(place(desk, "b1", 300), e.BetAccepted)  # may pay 900
    assert refused(place(desk, "b2", 201)) == ("ABOVE_MAX_BET_AMOUNT", 100)
    assert refused(place(desk, "b3", 150)) == ("LOSS_LIMIT_EXCEEDED", 100)
    assert isinstance(place(desk, "b4", 400, market_id="1.2"), e.BetAccepted)
    assert isinstance(place(desk, "b5", 400, client_id="bob"), e.BetAccepted)
    desk.operate_market("bets_voided", from_ms=0)
    assert isinstance(place(desk, "b6", 400), e.BetAccepted)
    desk.check()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_bet_the_limits_hold(seed: int) -> None:
    chance = random.Random(seed)
    limits = {
        "event_loss_limit_minor": chance.choice([0, 2_000, 20_000]),
        "selection_loss_limit_minor": chance.choice([0, 1_500]),
        "bettor_stake_max_minor": chance.choice([0, 3_000]),
        "bettor_payout_max_minor": chance.choice([0, 9_000]),
        "bettor_market_stake_max_minor": chance.choice([0, 2_000]),
        "bettor_market_payout_max_minor": chance.choice([0, 7_000]),
    }
    desk = opened(limits)
    taken: dict[str, list[tuple[str, int, int, Fraction]]] = {name: [] for name in MARKETS}
    for number in range(40):
        market_id = chance.choice(list(MARKETS))
        selection = chance.choice(MARKETS[market_id])
        who, stake = chance.choice(["ann", "bob"]), chance.randrange(1, 3_000)
        entry = place(desk, f"b{number}", stake, selection, market_id=market_id, client_id=who,
                      accept_partial=chance.random() < 0.4)  # fmt: skip
        if isinstance(entry, e.BetAccepted | e.BetPartlyAccepted):
            odds = Fraction(entry.odds_e4, 10_000)
            taken[market_id].append((who, selection, entry.stake_minor, odds))
        elif isinstance(entry, e.BetRejected) and entry.offer_stake_minor:
            # The offer is good, and nothing more is.
            best = entry.offer_stake_minor
            more = {"market_id": market_id, "client_id": who}
            assert refused(place(desk, f"m{number}", best + 1, selection, **more))[1] == best
            accepted = place(desk, f"o{number}", best, selection, **more)
            assert isinstance(accepted, e.BetAccepted)
            odds = Fraction(accepted.odds_e4, 10_000)
            taken[market_id].append((who, selection, best, odds))
        check_limits(limits, taken)
    desk.check()
    records = [one for one in desk.sent if not isinstance(one, int)]
    report = decide([[one] for one in records]).audit()
    assert report.holds, [check.examples[:2] for check in report.checks if check.failures]


def check_limits(
    limits: dict[str, int], taken: dict[str, list[tuple[str, int, int, Fraction]]]
) -> None:
    markets = [(MARKETS[m], [x[1:] for x in bets]) for m, bets in taken.items()]
    if limits["event_loss_limit_minor"]:
        assert oracle.separate_losses(markets) <= limits["event_loss_limit_minor"]
        assert oracle.worst_loss(markets) <= limits["event_loss_limit_minor"]
    if limits["selection_loss_limit_minor"]:
        for market in markets:
            assert oracle.worst_loss([market]) <= limits["selection_loss_limit_minor"]
    everything = [one for bets in taken.values() for one in bets]
    for who in ("ann", "bob"):
        mine = [one for one in everything if one[0] == who]
        if limits["bettor_stake_max_minor"]:
            assert sum(stake for _, _, stake, _ in mine) <= limits["bettor_stake_max_minor"]
        if limits["bettor_payout_max_minor"]:
            paid = sum(int(stake * odds) for _, _, stake, odds in mine)
            assert paid <= limits["bettor_payout_max_minor"]
        for bets in taken.values():
            here = [one for one in bets if one[0] == who]
            if limit := limits["bettor_market_stake_max_minor"]:
                assert sum(stake for _, _, stake, _ in here) <= limit
            if limit := limits["bettor_market_payout_max_minor"]:
                assert sum(int(stake * odds) for _, _, stake, odds in here) <= limit
