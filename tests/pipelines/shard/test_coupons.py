"""Coupons across shards: one answer whatever happens, settled exactly once, all money kept."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.shard.bettor import bettor_key
from pipelines.shard.state import ACCEPTED, LOST, PENDING, REJECTED, VOID, WON
from tests.pipelines.shard.town import Town

EVENTS_OPEN = ("e1", "e2", "e3", "e4")


def leg(event: str, selection: int = 1, odds_e4: int = 30_000, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event,
        "market_id": "m",
        "selection_id": selection,
        "odds_e4": odds_e4,
        "market_version": 1,
    } | fields


@pytest.fixture
def town() -> Town:
    found = Town()
    for event in EVENTS_OPEN:
        found.open(event)
    return found


def double(town: Town, **fields: Any) -> list[e.Entry]:
    asked = {"bet_type": "DOUBLE", "unit_stake_minor": 100} | fields
    return town.coupon("ann", "c1", [leg("e1"), leg("e2")], **asked)


def test_a_double_is_pending_until_both_events_hold_their_leg(town: Town) -> None:
    assert isinstance(double(town)[0], be.CouponPending)
    assert town.bettor("ann").coupons["c1"].status == PENDING
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].status == ACCEPTED
    assert town.market("e1").legs[("ann", "c1", 0)].kept
    town.result("e1", 1)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].status == ACCEPTED
    town.result("e2", 1)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    assert (coupon.status, coupon.payout_minor) == (WON, 900)
    town.check_folds()


def test_one_refused_leg_refuses_the_coupon_and_lets_the_others_go(town: Town) -> None:
    town.operate("e2", "market_status", event_id="e2", market_id="m", status="SUSPENDED")
    double(town)
    town.deliver_all()
    refused = town.bettor("ann").refusals["c1"]
    assert (refused.status, refused.code) == (REJECTED, "MARKET_SUSPENDED")
    assert not town.market("e1").legs
    assert not town.market("e2").legs


def test_no_answer_by_the_deadline_refuses_and_lets_all_legs_go(town: Town) -> None:
    double(town)
    town.wait(TRANSFER_DEADLINE_MS)
    assert town.bettor("ann").refusals["c1"].code == "EXPIRED_DOWNSTREAM"
    town.deliver_all()
    assert not town.market("e1").legs
    assert not town.market("e2").legs
    assert not town.bettor("ann").coupons


def test_a_lost_leg_settles_an_accumulator_at_once(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.result("e1", 2)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    assert (coupon.status, coupon.payout_minor) == (LOST, 0)
    town.result("e2", 1)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].status == LOST


def test_a_void_leg_counts_as_one(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.result("e1", void=True)
    town.result("e2", 1)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    assert (coupon.status, coupon.payout_minor) == (WON, 300)


def test_a_coupon_of_void_legs_is_refunded(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.result("e1", void=True)
    town.result("e2", void=True)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    assert (coupon.status, coupon.payout_minor) == (VOID, 100)


def test_bets_voided_in_an_interval_are_voided_as_legs_too(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.operate("e1", "bets_voided", event_id="e1", market_id="m", reason="late")
    town.result("e1", 2)
    town.result("e2", 1)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].payout_minor == 300


def test_a_withdrawn_selection_is_a_void_leg(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.operate("e1", "selection_removed", event_id="e1", market_id="m", selection_id=1)
    town.result("e1", 2)
    town.result("e2", 1)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].payout_minor == 300


def test_a_dead_heat_divides_the_leg(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.result("e1", 1, 2)
    town.result("e2", 1)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].payout_minor == 450


def test_a_rollback_reopens_the_coupon_and_another_result_settles_it_anew(town: Town) -> None:
    double(town)
    town.deliver_all()
    town.result("e1", 1)
    town.result("e2", 1)
    town.deliver_all()
    town.roll_back("e1")
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].status == ACCEPTED
    town.result("e1", 2)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    assert (coupon.status, coupon.payout_minor, coupon.settlement) == (LOST, 0, 2)
    town.check_folds()


def test_each_way_stakes_every_line_twice() -> None:
    town = Town()
    rules = {"each_way_divisor": 5, "each_way_places": 2}
    selections = [{"selection_id": s, "odds_e4": 110_000} for s in range(1, 7)]
    for event in ("e1", "e2"):
        town.open(event, fixed=rules, selections=selections)
    legs = [leg("e1", 1, 110_000), leg("e2", 1, 110_000)]
    town.coupon("ann", "c1", legs, bet_type="DOUBLE", unit_stake_minor=100, each_way=True)
    town.deliver_all()
    assert town.bettor("ann").coupons["c1"].stake_minor == 200
    for event, finish in (("e1", [[1], [2]]), ("e2", [[2], [1]])):
        town.operate(event, "market_status", event_id=event, market_id="m", status="CLOSED")
        town.operate(event, "result", event_id=event, market_id="m", finish=finish)
    town.deliver_all()
    # The win double is lost; the place double pays 3.0 x 3.0.
    assert town.bettor("ann").coupons["c1"].payout_minor == 900


def test_a_yankee_of_three_winners(town: Town) -> None:
    legs = [leg(event) for event in EVENTS_OPEN]
    town.coupon("ann", "c1", legs, bet_type="YANKEE", unit_stake_minor=100)
    town.deliver_all()
    for event in EVENTS_OPEN[:3]:
        town.result(event, 1)
    town.result("e4", 2)
    town.deliver_all()
    coupon = town.bettor("ann").coupons["c1"]
    # Three doubles at 9 and one treble at 27.
    assert (coupon.stake_minor, coupon.payout_minor) == (1_100, 5_400)


@pytest.mark.parametrize(
    ("legs", "fields", "code"),
    [
        ([leg("e1"), leg("e1", 2)], {}, "RELATED_CONTINGENCY"),
        ([leg("e1"), leg("e2"), leg("e3")], {}, "INVALID_BET_TYPE"),
        ([leg("e1"), leg("e2")], {"unit_stake_minor": 10**12, "each_way": True},
         "ABOVE_MAX_BET_AMOUNT"),
        ([leg("e1"), leg("e2")], {"client_id": "bob"}, "PERMISSION_DENIED"),
        ([leg("e1"), leg("e9")], {}, "INVALID_EVENT_ID"),
        ([leg("e1"), leg("e2", 7)], {}, "INVALID_RUNNER"),
        ([leg("e1"), leg("e2", odds_e4=40_000)], {}, "ODDS_CHANGED"),
        ([leg("e1"), leg("e2")], {"each_way": True}, "NOT_COMBINABLE"),
    ],
)  # fmt: skip
def test_what_is_refused(
    town: Town, legs: list[dict[str, Any]], fields: dict[str, Any], code: str
) -> None:
    asked = {"bet_type": "DOUBLE", "unit_stake_minor": 100} | fields
    town.coupon("ann", "c1", legs, **asked)
    town.deliver_all()
    assert town.bettor("ann").refusals["c1"].code == code
    assert not town.market("e1").legs


def test_a_pool_takes_no_part_in_multiples(town: Town) -> None:
    town.open("pool", odds_e4=0, engine="pool")
    legs = [leg("e1"), leg("pool", odds_e4=0)]
    town.coupon("ann", "c1", legs, bet_type="DOUBLE", unit_stake_minor=100)
    town.deliver_all()
    assert town.bettor("ann").refusals["c1"].code == "NOT_COMBINABLE"


def test_the_same_coupon_is_answered_again_and_another_body_is_a_conflict(town: Town) -> None:
    double(town)
    town.deliver_all()
    assert isinstance(double(town)[0], e.BetRepeated)
    assert isinstance(double(town, unit_stake_minor=200)[0], e.BetConflict)


def test_a_coupon_on_another_bettors_key_is_refused(town: Town) -> None:
    value = {"type": "coupon", "bet_id": "c1", "legs": [leg("e1"), leg("e2")],
             "bet_type": "DOUBLE", "unit_stake_minor": 1}  # fmt: skip
    found = town._send("bets", bettor_key("bob"), value, "ann")
    assert isinstance(found[-1], e.RequestRefused)
    assert found[-1].code == "EVENT_KEY_MISMATCH"


def test_the_stake_comes_from_the_account_and_the_payout_goes_there(town: Town) -> None:
    town.operate(bettor_key("ann"), "account_set", client_id="ann")
    town.deposit("ann", 150)
    double(town)
    assert town.bettor("ann").free_minor == 50
    town.deliver_all()
    again = town.coupon("ann", "c2", [leg("e1"), leg("e2")], bet_type="DOUBLE", unit_stake_minor=51)
    assert getattr(again[0], "code", "") == "INSUFFICIENT_FUNDS"
    town.result("e1", 1)
    town.result("e2", 1)
    town.deliver_all()
    assert (town.bettor("ann").balance_minor, town.bettor("ann").held_minor) == (950, 0)


def test_a_leg_on_a_market_of_accounts_needs_one(town: Town) -> None:
    town.open("e5", accounts=True)
    legs = [leg("e1"), leg("e5")]
    town.coupon("ann", "c1", legs, bet_type="DOUBLE", unit_stake_minor=100)
    town.deliver_all()
    assert town.bettor("ann").refusals["c1"].code == "INVALID_ACCOUNT_STATE"
    assert not town.market("e1").legs


ACTIONS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(1, 2), st.integers(1, 900)),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS)
def test_whatever_happens_each_is_answered_once_and_money_is_kept(
    actions: list[tuple[int, int, int, int]],
) -> None:
    town = Town()
    for number, event in enumerate(EVENTS_OPEN):
        town.open(event, accounts=number % 2 == 0)
    for client in ("ann", "bob"):
        town.operate(bettor_key(client), "account_set", client_id=client)
        town.deposit(client, 1_000)
    placed: list[tuple[str, str, str]] = []
    for number, (kind, which, selection, amount) in enumerate(actions):
        event, client = EVENTS_OPEN[which], ("ann", "bob")[amount % 2]
        if kind < 2:
            town.bet(client, event, f"b{number}", selection_id=selection, stake_minor=amount,
                     odds_e4=30_000, market_version=town.market(event).version)  # fmt: skip
            placed.append((event, client, f"b{number}"))
        elif kind < 4:
            others = [one for one in EVENTS_OPEN if one != event]
            legs = [leg(one, selection, market_version=town.market(one).version)
                    for one in (event, others[amount % 3])]  # fmt: skip
            town.coupon(client, f"c{number}", legs, bet_type="DOUBLE", unit_stake_minor=amount)
            placed.append((bettor_key(client), client, f"c{number}"))
        elif kind == 4:
            town.result(event, selection)
        elif kind == 5:
            town.roll_back(event)
        elif kind == 6:
            town.wait(amount * 20)
        else:
            town.deliver(which % town.partitions)
    town.deliver_all()
    town.wait(TRANSFER_DEADLINE_MS)
    town.deliver_all()
    for event in EVENTS_OPEN:
        town.result(event, 1)
    town.deliver_all()
    town.check_folds()
    firsts = e.BetEntry | be.CouponEntry
    for event, client, bet_id in placed:
        found = [one for one in town.entries
                 if isinstance(one, firsts) and (one.event_id, one.client_id, one.bet_id)
                 == (event, client, bet_id)]  # fmt: skip
        assert len(found) == 1
        if isinstance(found[0], e.BetPending | be.CouponPending):
            ends = e.BetConfirmed | e.BetDeclined | be.CouponAccepted | be.CouponDeclined
            final = [one for one in town.entries
                     if isinstance(one, ends) and (one.event_id, one.client_id, one.bet_id)
                     == (event, client, bet_id)]  # fmt: skip
            assert len(final) == 1
    for client in ("ann", "bob"):
        bettor = town.bettor(client)
        assert bettor.held_minor == 0
        assert not bettor.holds
        paid = sum(c.payout_minor - c.stake_minor for c in bettor.coupons.values())
        for event in EVENTS_OPEN[::2]:
            bets = town.market(event).bets
            paid += sum(b.payout_minor - b.stake_minor for b in bets if b.client_id == client)
        assert bettor.balance_minor == 1_000 + paid
