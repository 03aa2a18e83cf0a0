"""Levers on markets of every kind: accept, refer, reject, limit; on orders, legs and pools."""

from typing import Any

import pytest

from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.shard.bettor import bettor_key
from pipelines.shard.state import ACCEPTED, PENDING, REJECTED
from tests.pipelines.shard.desk import MARKET, Desk, fixed_market, pool_market
from tests.pipelines.shard.exchange_desk import ExchangeDesk, exchange_market
from tests.pipelines.shard.town import Town

LMSR = {"engine": "lmsr", "lmsr": {"liquidity_minor": 10_000}}


def exchange(**changes: object) -> ExchangeDesk:
    desk = ExchangeDesk()
    desk.open(exchange_market(**changes))
    return desk


def code_of(entries: list[e.Entry]) -> str:
    return str(getattr(entries[0], "code", ""))


@pytest.mark.parametrize("market", [pool_market(), pool_market(**LMSR)], ids=["pool", "lmsr"])
def test_levers_are_the_same_whatever_the_house_offers(market: dict[str, object]) -> None:
    desk = Desk().open(market)
    free: dict[str, Any] = {"odds_e4": 10_100, "price_policy": "any"}
    desk.operate("risk_lever", action="limit", stake_max_minor=100)
    above = desk.bet("b1", stake_minor=101, **free)
    assert isinstance(above, e.BetRejected)
    assert above.code == "ABOVE_MAX_BET_AMOUNT"
    part = desk.bet("b2", stake_minor=101, accept_partial=True, **free)
    assert isinstance(part, e.BetPartlyAccepted)
    assert part.stake_minor == 100
    desk.operate("risk_lever", action="reject", client_id="ann")
    no = desk.bet("b3", stake_minor=1, **free)
    assert isinstance(no, e.BetRejected)
    assert no.code == "NOT_ACCEPTED"
    desk.operate("risk_lever", action="refer", client_id="ann", market_id=MARKET)
    held = desk.bet("b4", stake_minor=1_000, **free)
    assert isinstance(held, e.BetPending)
    assert held.referred
    desk.operate("risk_lever", action="accept", client_id="ann", market_id=MARKET)
    assert isinstance(desk.bet("b5", stake_minor=1_000, **free), e.BetAccepted)
    desk.check()


# --- an exchange


def test_a_replacement_is_a_new_order_to_a_lever() -> None:
    desk = exchange()
    desk.back("o1", 30_000, 500, client_id="ann")
    again = {"client_id": "ann", "new_bet_id": "o2", "odds_e4": 31_000}
    desk.operate("risk_lever", action="limit", stake_max_minor=499, client_id="ann")
    assert code_of(desk.change("replace", "o1", **again)) == "ABOVE_MAX_BET_AMOUNT"
    desk.operate("risk_lever", action="reject", client_id="ann")
    assert code_of(desk.change("replace", "o1", **again)) == "NOT_ACCEPTED"
    assert desk.of("o1", "ann").remaining_minor == 500  # it stands as it was
    # What a bettor wants less of is never in the way.
    assert isinstance(desk.change("cancel", "o1", "ann")[0], oe.OrderCancelled)
    desk.check()


def test_a_lever_pulled_in_the_bet_delay_stops_the_order() -> None:
    desk = exchange(in_play=True, bet_delay_ms=1_000)
    for name in ("o1", "o2", "o3"):
        desk.back(name, 30_000, 500, client_id=name)
    desk.operate("risk_lever", action="reject", client_id="o1")
    desk.operate("risk_lever", action="limit", stake_max_minor=499, client_id="o2")
    found = [getattr(one, "code", "") for one in desk.tick(desk.now_ms + 1_000)]
    assert found == ["NOT_ACCEPTED", "ABOVE_MAX_BET_AMOUNT", ""]
    desk.check()


def test_nothing_is_referred_on_an_exchange() -> None:
    desk = exchange()
    (entry,) = desk.operate("risk_lever", action="refer", market_id=MARKET)
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "INVALID_INPUT_DATA"
    assert "bettors bet with each other" in entry.reason
    # One that stands further away is for the event's other markets.
    desk.operate("risk_lever", action="refer", client_id="ann")
    assert isinstance(desk.back("o1", 30_000, 500, client_id="ann")[0], oe.OrderPlaced)
    desk.check()


def test_a_bettor_who_is_rejected_may_still_close_its_bet() -> None:
    desk = exchange()
    desk.back("o1", 30_000, 1_000, client_id="ann")
    desk.lay("o2", 30_000, 1_000)
    desk.back("o3", 20_000, 5_000)
    desk.operate("risk_lever", action="reject", client_id="ann")
    hedge = {"type": "cash_out", "event_id": "race", "market_id": MARKET, "bet_id": "o1",
             "amount_minor": 1_400, "tolerance_minor": 100}  # fmt: skip
    assert isinstance(desk.bets(hedge, "ann")[0], oe.OrderPlaced)
    desk.check()


# --- legs of coupons


@pytest.fixture
def town() -> Town:
    found = Town()
    for event_id in ("e1", "e2"):
        found.open(event_id)
    return found


LEGS = [
    {"event_id": event_id, "market_id": "m", "selection_id": 1, "odds_e4": 30_000,
     "market_version": 1}
    for event_id in ("e1", "e2")
]  # fmt: skip


def double(town: Town, bet_id: str = "c1", stake: int = 1_000) -> tuple[int, str]:
    """Place a double; return its status and code."""
    town.coupon("ann", bet_id, LEGS, bet_type="DOUBLE", unit_stake_minor=stake)
    town.deliver_all()
    bettor = town.bettor("ann")
    coupon = bettor.coupons.get(bet_id) or bettor.refusals[bet_id]
    assert coupon.status != PENDING
    return coupon.status, coupon.code


@pytest.mark.parametrize(
    ("lever", "code"),
    [
        ({"action": "reject"}, "NOT_ACCEPTED"),
        ({"action": "limit", "stake_max_minor": 999, "client_id": "ann"}, "ABOVE_MAX_BET_AMOUNT"),
        ({"action": "refer", "market_id": "m"}, "NOT_COMBINABLE"),
        ({"action": "limit", "stake_max_minor": 1_000}, ""),
        ({"action": "refer", "client_id": "bob"}, ""),
    ],
)
def test_a_leg_under_a_lever(town: Town, lever: dict[str, Any], code: str) -> None:
    town.operate("e2", "risk_lever", event_id="e2", **lever)
    assert double(town) == ((REJECTED, code) if code else (ACCEPTED, ""))
    assert len(town.market("e1").legs) == len(town.market("e2").legs) == (0 if code else 1)
    town.check_folds()


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"event_loss_limit_minor": 1_999}, "LOSS_LIMIT_EXCEEDED"),
        ({"bettor_stake_max_minor": 999}, "ABOVE_MAX_BET_AMOUNT"),
        ({"classes": [{"name": "x", "delay_ms": 5}], "default_class": "x"}, "NOT_COMBINABLE"),
        ({"event_loss_limit_minor": 2_000, "bettor_stake_max_minor": 1_000}, ""),
    ],
)
def test_a_leg_is_judged_as_a_bet_of_the_whole_stake(
    town: Town, limits: dict[str, Any], code: str
) -> None:
    town.operate("e1", "risk_set", event_id="e1", **limits)
    assert double(town) == ((REJECTED, code) if code else (ACCEPTED, ""))
    town.check_folds()


def test_a_leg_under_the_limits_of_its_shard(town: Town) -> None:
    home = town._home("e1")
    value = b'{"type":"shard_risk_set","partition":%d,"loss_limit_minor":1999}' % home
    town._process("events", home, f"shard/{home}".encode(), value)
    assert double(town) == (REJECTED, "LOSS_LIMIT_EXCEEDED")
    assert double(town, "c2", 999) == (ACCEPTED, "")
    town.check_folds()


def test_a_coupon_that_is_refused_lets_its_money_go(town: Town) -> None:
    town.operate(bettor_key("ann"), "account_set", client_id="ann")
    town.deposit("ann", 2_000)
    town.operate("e2", "risk_lever", event_id="e2", action="refer")
    assert double(town) == (REJECTED, "NOT_COMBINABLE")
    assert (town.bettor("ann").balance_minor, town.bettor("ann").held_minor) == (2_000, 0)


def test_no_offer_is_made_to_a_bettor_who_is_rejected() -> None:
    desk = Desk().open(fixed_market(stake_max_minor=500))
    changed, above = {"odds_e4": 40_000}, {"stake_minor": 501}
    offers = []
    for number, asked in enumerate((changed, above)):
        entry = desk.bet(f"b{number}", **asked)
        assert isinstance(entry, e.BetRejected)
        offers.append((entry.offer_odds_e4, entry.offer_stake_minor))
    assert offers == [(30_000, 500), (30_000, 500)]
    desk.operate("risk_lever", action="limit", stake_max_minor=50)
    for number, asked in enumerate((changed, above)):
        entry = desk.bet(f"c{number}", **asked)
        assert isinstance(entry, e.BetRejected)
        assert (entry.offer_odds_e4, entry.offer_stake_minor) == (30_000, 50)
    desk.operate("risk_lever", action="reject", client_id="ann")
    for number, asked in enumerate((changed, above)):
        entry = desk.bet(f"d{number}", **asked, accept_partial=True)
        assert isinstance(entry, e.BetRejected)
        assert (entry.offer_odds_e4, entry.offer_stake_minor) == (0, 0)
    desk.check()


def test_odds_that_changed_in_the_bet_delay_are_offered() -> None:
    desk = Desk().open(fixed_market(in_play=True, bet_delay_ms=1_000))
    held = desk.bet()
    assert isinstance(held, e.BetPending)
    desk.operate_market("prices", prices=[[1, 28_000]])
    (declined,) = desk.tick(held.due_ms)
    assert isinstance(declined, e.BetDeclined)
    found = (declined.code, declined.offer_odds_e4, declined.offer_stake_minor)
    assert found == ("ODDS_CHANGED", 28_000, 1_000)
    desk.check()
