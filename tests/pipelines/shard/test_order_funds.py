"""An exchange of accounts: what a bettor may lose is held, asked for, let go and posted."""

from typing import Any

import msgspec
import pytest

from pipelines.limits import EXPOSURE_RELEASE_MS, TRANSFER_DEADLINE_MS
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.shard.freeze import frozen, thawed
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ACCEPTED, CANCELLED, PENDING, REJECTED
from tests.pipelines.shard.exchange_town import RACE, ExchangeTown


@pytest.fixture
def town() -> ExchangeTown:
    found = ExchangeTown()
    found.start()
    for client in ("ann", "bob"):
        found.fund(client, 10_000)
    return found


def sent(entries: list[e.Entry], kind: type) -> list[Any]:
    return [x.body for x in entries if isinstance(x, be.TransferSent) and isinstance(x.body, kind)]


def test_an_order_waits_for_its_money_and_is_then_in_the_market(town: ExchangeTown) -> None:
    first = town.order("ann", "b1", "BACK", 30_000, 1_000)
    assert [type(one) for one in first] == [oe.OrderPending, be.TransferSent]
    assert (town.of("ann", "b1").status, town.held("ann")) == (PENDING, 0)
    town.deliver_all()
    assert (town.of("ann", "b1").status, town.held("ann")) == (ACCEPTED, 1_000)
    ann = town.bettor("ann")
    assert (ann.balance_minor, ann.holds, ann.exposures) == (10_000, {}, {(RACE, "m"): 1_000})
    town.check_at_rest()


def test_a_lay_needs_its_liability(town: ExchangeTown) -> None:
    town.lay("ann", "l1", 56_000, 200)
    assert town.held("ann") == 920


def test_an_order_within_what_is_held_is_decided_at_once(town: ExchangeTown) -> None:
    """A back, then a lay of the same runner: the lay needs no money of its own."""
    town.back("ann", "b1", 30_000, 1_000)
    entries = town.order("ann", "l1", "LAY", 20_000, 1_000, price_policy="any")
    assert [type(one) for one in entries] == [oe.OrderPlaced]
    town.check_at_rest()
    assert town.held("ann") == 1_000


def test_only_the_difference_is_asked_for(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    entries = town.order("ann", "l1", "LAY", 30_500, 1_000)
    assert [one.amount_minor for one in sent(entries, t.FundsAsked)] == [1_050]
    town.deliver_all()
    assert town.held("ann") == 2_050


def test_a_matched_back_pays_for_a_lay_at_shorter_odds(town: ExchangeTown) -> None:
    town.back("ann", "b1", 56_000, 200)
    town.lay("bob", "l1", 56_000, 200)
    entries = town.order("ann", "l2", "LAY", 52_000, 200)
    assert isinstance(entries[0], oe.OrderPlaced)
    town.back("bob", "b2", 52_000, 200)
    town.rest()
    assert town.held("ann") == 0, "greened: +0.80 or 0, whatever wins"
    assert town.held("bob") == 80
    town.check_at_rest()


def test_too_little_money_declines_and_nothing_is_kept(town: ExchangeTown) -> None:
    town.lay("ann", "l1", 30_000, 5_001)
    order = town.of("ann", "l1")
    assert (order.status, order.code, order.lapsed_minor) == (
        REJECTED, "INSUFFICIENT_FUNDS", 5_001,
    )  # fmt: skip
    assert town.held("ann") == 0
    town.check_at_rest()
    assert not town.market(RACE).funds.bettors  # type: ignore[union-attr]


def test_who_has_no_account_is_told_so_even_where_nothing_can_be_lost(town: ExchangeTown) -> None:
    town.back("eve", "b1", 30_000, 100)
    assert town.of("eve", "b1").code == "INVALID_ACCOUNT_STATE"
    alone = ExchangeTown()
    alone.start(runners=1)
    alone.back("eve", "b1", 30_000, 100)
    assert alone.of("eve", "b1").code == "INVALID_ACCOUNT_STATE"


def test_no_answer_by_the_deadline_declines_and_lets_the_money_go(town: ExchangeTown) -> None:
    town.order("ann", "b1", "BACK", 30_000, 1_000)
    town.wait(TRANSFER_DEADLINE_MS)
    order = town.of("ann", "b1")
    assert (order.status, order.code) == (REJECTED, "EXPIRED_DOWNSTREAM")
    town.deliver_all()  # the reservation, its release, and the late answer
    assert (town.of("ann", "b1").status, town.held("ann")) == (REJECTED, 0)
    town.check_at_rest()


def test_a_cancel_while_waiting_lets_the_money_go(town: ExchangeTown) -> None:
    town.order("ann", "b1", "BACK", 30_000, 1_000)
    town.change("ann", "cancel", "b1")
    assert town.of("ann", "b1").status == CANCELLED
    town.deliver_all()
    assert town.held("ann") == 0
    town.check_at_rest()


def test_orders_that_wait_together_never_hold_too_little(town: ExchangeTown) -> None:
    """The second needs nothing beside the first; alone it needs as much as that."""
    town.fund("cem", 1_000)
    town.order("cem", "b1", "BACK", 30_000, 1_000)
    entries = town.order("cem", "l1", "LAY", 20_000, 1_000)
    assert [one.amount_minor for one in sent(entries, t.FundsAsked)] == [1_000]
    town.deliver_all()
    town.check_at_rest()
    assert town.of("cem", "b1").status == ACCEPTED
    assert (town.of("cem", "l1").status, town.of("cem", "l1").code) == (
        REJECTED, "INSUFFICIENT_FUNDS",
    )  # fmt: skip
    again = town.order("cem", "l2", "LAY", 20_000, 1_000)
    assert isinstance(again[0], oe.OrderPlaced), "by now the first is in the market"


def test_an_order_at_once_leaves_those_that_wait_their_money(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.order("ann", "l1", "LAY", 30_500, 1_000)  # 1,050 more
    entries = town.order("ann", "l2", "LAY", 20_000, 1_000)
    assert isinstance(entries[0], oe.OrderPending), "the first lay counts on what is held"
    town.deliver_all()
    assert [town.of("ann", one).status for one in ("l1", "l2")] == [ACCEPTED, ACCEPTED]
    assert town.held("ann") == 3_050
    town.check_at_rest()


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_many_orders_that_wait_together(town: ExchangeTown, count: int) -> None:
    for number in range(count):
        side, odds = ("BACK", 30_000) if number % 2 else ("LAY", 20_000)
        town.order("ann", f"o{number}", side, odds, 100, selection_id=1 + number % 3)
        town.check()
    while any(town.deliver(p) for p in range(town.partitions)):
        town.check()
    town.rest()
    town.check_at_rest()
    assert all(town.of("ann", f"o{n}").status == ACCEPTED for n in range(count))


def test_a_surplus_is_let_go_after_a_second_and_not_before(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.change("ann", "cancel", "b1", size_reduction_minor=400)
    town.deliver_all()
    assert town.held("ann") == 1_000
    town.wait(EXPOSURE_RELEASE_MS - 1)
    town.deliver_all()
    assert town.held("ann") == 1_000
    town.wait(1)
    town.deliver_all()
    assert town.held("ann") == 600
    town.check_at_rest()


def test_who_cancels_and_orders_again_asks_nobody(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.change("ann", "cancel", "b1")
    entries = town.order("ann", "b2", "BACK", 34_000, 1_000)
    assert [type(one) for one in entries] == [oe.OrderPlaced]
    town.rest()
    assert town.held("ann") == 1_000, "the surplus was needed again, so it stayed"


def test_a_replace_needs_only_the_difference(town: ExchangeTown) -> None:
    town.lay("ann", "l1", 30_000, 1_000)
    entries = town.change("ann", "replace", "l1", new_bet_id="l2", odds_e4=35_000)
    assert [type(one) for one in entries[:2]] == [oe.OrderCancelled, oe.OrderPending]
    assert [one.amount_minor for one in sent(entries, t.FundsAsked)] == [500]
    town.check()
    town.deliver_all()
    assert (town.of("ann", "l2").status, town.held("ann")) == (ACCEPTED, 2_500)
    back = town.change("ann", "replace", "l2", new_bet_id="l3", odds_e4=20_000)
    assert [type(one) for one in back] == [oe.OrderCancelled, oe.OrderPlaced]
    town.rest()
    assert town.held("ann") == 1_000
    town.check_at_rest()


def test_a_replace_without_the_money_leaves_no_order(town: ExchangeTown) -> None:
    town.lay("ann", "l1", 30_000, 5_000)
    town.change("ann", "replace", "l1", new_bet_id="l2", odds_e4=31_000)
    town.deliver_all()
    assert town.of("ann", "l1").status == CANCELLED
    assert town.of("ann", "l2").code == "INSUFFICIENT_FUNDS"
    town.rest()
    assert town.held("ann") == 0
    town.check_at_rest()


def test_the_bet_delay_counts_on_while_the_account_is_asked(town: ExchangeTown) -> None:
    in_play = {"in_play": True, "bet_delay_ms": 3_000, "material": False}
    town.operate_market("market_status", **in_play)
    town.order("ann", "b1", "BACK", 30_000, 1_000)
    town.deliver_all()
    assert town.of("ann", "b1").status == PENDING
    town.wait(3_000)
    town.deliver_all()
    assert town.of("ann", "b1").status == ACCEPTED
    within = town.order("ann", "l1", "LAY", 15_000, 1_000)
    assert [type(one) for one in within] == [oe.OrderPending], "delayed, and nobody is asked"
    town.operate_market("market_status", status="SUSPENDED")
    town.wait(3_000)
    assert town.of("ann", "l1").code == "MARKET_SUSPENDED"
    town.rest()
    town.check_at_rest()


def test_orders_for_the_starting_price_need_their_liability(town: ExchangeTown) -> None:
    town = ExchangeTown()
    town.start(runners=6, bsp_market=True)
    town.fund("ann", 10_000)
    sp = {"order_type": "MARKET_ON_CLOSE", "selection_id": 3}
    town.back("ann", "b1", 0, 600, **sp)
    town.lay("ann", "l1", 0, 1_000, **sp)
    assert town.held("ann") == 1_000
    town.check_at_rest()


def test_the_worst_case_of_the_field(town: ExchangeTown) -> None:
    """Number 14 of betting.md section 8: one winner of six -20.2, two winners -24.6."""
    for places, worst in ((1, 2_020), (2, 2_460)):
        town = ExchangeTown()
        town.start(runners=6, bsp_market=True, number_of_winners=places)
        for client in ("ann", "bob"):
            town.fund(client, 100_000)
        for number, (runner, side, odds, size) in enumerate(
            [(1, "BACK", 56_000, 200), (1, "LAY", 52_000, 300), (2, "LAY", 48_000, 400)]
        ):
            town.order("ann", f"a{number}", side, odds, size, selection_id=runner)
            other = "LAY" if side == "BACK" else "BACK"
            town.order("bob", f"b{number}", other, odds, size, selection_id=runner)
            town.deliver_all()
        sp = {"order_type": "MARKET_ON_CLOSE", "selection_id": 3}
        town.back("ann", "a3", 0, 600, **sp)
        town.lay("ann", "a4", 0, 1_000, **sp)
        town.rest()
        assert town.held("ann") == worst
        town.check_at_rest()


@pytest.mark.parametrize(
    ("orders", "held"),
    [
        # number 13: (if it wins, if it loses) matched, by its lower side
        ([("BACK", 56_000, 200)], 200),
        ([("LAY", 56_000, 200)], 920),
        ([("LAY", 56_000, 200), ("LAY", 58_000, 200)], 1_880),
        ([("BACK", 56_000, 200), ("BACK", 1_000_000, 2_000), ("LAY", 56_000, 200)], 2_000),
        ([("BACK", 56_000, 200), ("BACK", 1_000_000, 2_000), ("LAY", 100_000, 100_000)], 701_080),
    ],
)
def test_matched_orders_on_one_runner(orders: list[tuple[str, int, int]], held: int) -> None:
    town = ExchangeTown()
    town.start()
    for client in ("ann", "bob"):
        town.fund(client, 10_000_000)
    for number, (side, odds, size) in enumerate(orders):
        other = "LAY" if side == "BACK" else "BACK"
        town.order("bob", f"b{number}", other, odds, size)
        town.deliver_all()
        town.order("ann", f"a{number}", side, odds, size)
        town.deliver_all()
    town.rest()
    assert town.held("ann") == held
    town.check_at_rest()


def test_the_net_result_less_commission_is_posted_once(town: ExchangeTown) -> None:
    town = ExchangeTown()
    town.start(market_base_rate_e4=700)
    for client in ("ann", "bob"):
        town.fund(client, 20_000)
    town.back("ann", "b1", 40_000, 5_000)
    town.lay("bob", "l1", 40_000, 5_000)
    town.back("ann", "b2", 20_000, 5_000, selection_id=2)
    town.lay("bob", "l2", 20_000, 5_000, selection_id=2)
    town.settle(1)
    ann, bob = town.bettor("ann"), town.bettor("bob")
    assert ann.balance_minor == 20_000 + 10_000 - 700  # number 17: net 100, 7 % of it
    assert bob.balance_minor == 20_000 - 10_000
    posted = [one for one in town.entries if isinstance(one, be.FundsPosted) and one.of_market]
    assert [(one.kind, one.client_id, one.amount_minor) for one in posted] == [
        ("result", "ann", 9_300), ("result", "bob", -10_000),
    ]  # fmt: skip
    town.check_at_rest()


def test_a_rollback_reverses_and_holds_again(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.lay("bob", "l1", 30_000, 1_000)
    town.settle(1)
    assert [town.bettor(one).balance_minor for one in ("ann", "bob")] == [12_000, 8_000]
    town.roll_back(RACE)
    town.deliver_all()
    assert [town.bettor(one).balance_minor for one in ("ann", "bob")] == [10_000, 10_000]
    assert [town.held(one) for one in ("ann", "bob")] == [1_000, 2_000]
    town.check_at_rest()
    town.settle(2)
    assert [town.bettor(one).balance_minor for one in ("ann", "bob")] == [9_000, 11_000]
    town.check_at_rest()


def test_a_payout_taken_back_may_lead_below_zero_and_shows(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.lay("bob", "l1", 30_000, 1_000)
    town.settle(1)
    town.operate("bettor/ann", "withdrawal", client_id="ann", reference="w", amount_minor=12_000)
    town.roll_back(RACE)
    town.deliver_all()
    ann = town.bettor("ann")
    assert (ann.balance_minor, ann.held_minor, ann.free_minor) == (-2_000, 1_000, -3_000)
    town.check_at_rest()


def test_a_void_market_lets_everything_go(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.lay("bob", "l1", 30_000, 400)
    town.settle(void=True)
    assert [town.bettor(one).balance_minor for one in ("ann", "bob")] == [10_000, 10_000]
    town.rest()
    town.check_at_rest()


def test_a_withdrawal_that_takes_a_hedge_holds_more_at_once(town: ExchangeTown) -> None:
    """Lays of two runners cover each other; one is withdrawn, and its lay is void."""
    town = ExchangeTown()
    town.start(runners=3)
    for client, amount in (("ann", 1_000), ("bob", 10_000)):
        town.fund(client, amount)
    for number, runner in enumerate((1, 2)):
        town.back("bob", f"b{number}", 20_000, 1_000, selection_id=runner)
        town.lay("ann", f"l{number}", 20_000, 1_000, selection_id=runner)
    town.rest()
    assert town.held("ann") == 0
    entries = town.operate_market(
        "selection_removed", selection_id=2, reduction_factor_e4=0, reason="lame"
    )
    assert [one.held_minor for one in entries if isinstance(one, oe.ExposureRaised)] == [1_000]
    town.check()
    town.rest()
    town.check_at_rest()
    assert town.held("ann") == 1_000


def test_trades_that_are_void_on_both_sides_hold_nothing_more(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.lay("bob", "l1", 30_000, 1_000)
    town.lay("ann", "l2", 30_000, 1_000)
    town.back("bob", "b2", 30_000, 1_000)
    town.rest()
    assert (town.held("ann"), town.held("bob")) == (0, 0)
    town.operate_market("market_status", status="SUSPENDED")
    entries = town.operate_market("bets_voided", from_ms=town.now_ms - 5_000, to_ms=town.now_ms)
    assert any(isinstance(one, oe.BetVoided) for one in entries)
    assert not any(isinstance(one, oe.ExposureRaised) for one in entries)
    town.rest()
    town.check_at_rest()


def test_a_cash_out_uses_what_is_held(town: ExchangeTown) -> None:
    town.back("ann", "b1", 40_000, 1_000)
    town.lay("bob", "l1", 40_000, 1_000)
    town.back("bob", "b2", 20_000, 3_000)
    entries = town.change("ann", "cash_out", "b1", amount_minor=2_000)
    assert isinstance(entries[0], oe.OrderPlaced)
    town.rest()
    assert town.held("ann") == 0
    town.settle(3)
    assert town.bettor("ann").balance_minor == 11_000
    town.check_at_rest()


def test_partial_matches_never_need_more_than_the_whole(town: ExchangeTown) -> None:
    """Rounded once: halves of a minor unit of liability do not add up to more."""
    town.lay("ann", "l1", 15_000, 2)
    assert town.held("ann") == 1
    for number in range(2):
        town.back("bob", f"b{number}", 15_000, 1, selection_id=1)
        town.check_at_rest()
    assert town.held("ann") == 1


def test_a_transfer_that_comes_twice_counts_once(town: ExchangeTown) -> None:
    town.order("ann", "b1", "BACK", 30_000, 1_000)
    for _ in range(4):
        for partition in range(town.partitions):
            town.deliver(partition)
            town.repeat_last(partition)
    town.check_at_rest()
    assert town.held("ann") == 1_000


def test_a_market_of_accounts_stays_home(town: ExchangeTown) -> None:
    found = town.operate(RACE, "event_isolated", event_id=RACE, partitions=[2])
    assert [type(one) for one in found] == [e.OperationRefused]


def test_settlement_in_chunks_posts_to_each_once(
    town: ExchangeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("settle", "order_settle"):
        monkeypatch.setattr(f"pipelines.shard.{module}.SETTLE_CHUNK_BETS", 2)
    clients = [f"c{number}" for number in range(5)]
    for number, client in enumerate(clients):
        town.fund(client, 1_000)
        town.back(client, f"b{number}", 30_000, 100)
        town.lay("bob", f"l{number}", 30_000, 100)
    town.settle(1)
    for _ in range(20):
        town.wait(10)
        town.deliver_all()
    assert [town.bettor(one).balance_minor for one in clients] == [1_200] * 5
    town.rest()
    town.check_at_rest()
    town.roll_back(RACE)
    for _ in range(20):
        town.wait(10)
        town.deliver_all()
    assert not town.market(RACE).settled
    assert [town.bettor(one).balance_minor for one in (*clients, "bob")] == [1_000] * 5 + [10_000]
    assert town.held("bob") == 1_000
    town.check_at_rest()


def test_what_a_dead_heat_rounds_away_is_posted_though_nothing_was_at_risk() -> None:
    town = ExchangeTown()
    town.start()
    for client in ("ann", "bob"):
        town.fund(client, 10)
    for side, other in (("BACK", "LAY"), ("LAY", "BACK")):
        town.order("ann", f"a{side}", side, 20_000, 1)
        town.deliver_all()
        town.order("bob", f"b{side}", other, 20_000, 1)
        town.deliver_all()
    town.rest()
    assert town.held("ann") == 0
    town.settle(1, 2, 3)
    assert [town.bettor(one).balance_minor for one in ("ann", "bob")] == [9, 9]
    assert dict(town.market(RACE).postings) == {"house:rounding": 2}
    town.check_at_rest()


def test_delayed_orders_keep_what_they_count_on_however_many_they_are(town: ExchangeTown) -> None:
    """The back's stake covers four lays that wait for the bet delay; a fifth needs its own."""
    town.back("ann", "b1", 30_000, 1_000)
    town.operate_market("market_status", in_play=True, bet_delay_ms=1_000, material=False)
    town.change("ann", "update", "b1", persistence="PERSIST")
    town.back("ann", "b2", 30_000, 1_000)
    town.wait(1_000)
    town.rest()
    assert town.held("ann") == 1_000
    for number in range(4):
        entries = town.order("ann", f"l{number}", "LAY", 20_000, 250)
        assert not sent(entries, t.FundsAsked)
    entries = town.order("ann", "l4", "LAY", 20_000, 250)
    assert sent(entries, t.FundsAsked)
    town.deliver_all()
    town.wait(1_000)
    assert [town.of("ann", f"l{number}").status for number in range(5)] == [ACCEPTED] * 5
    town.rest()
    assert town.held("ann") == 1_250
    town.check_at_rest()


@pytest.mark.parametrize("by_tick", [True, False])
def test_a_surplus_goes_at_its_own_time_whatever_sets_it_off(by_tick: bool) -> None:
    town = ExchangeTown(partitions=1)
    town.start()
    town.fund("ann", 1_000)
    town.back("ann", "b1", 30_000, 500)
    town.change("ann", "cancel", "b1")
    due_ms = town.now_ms + EXPOSURE_RELEASE_MS
    if by_tick:
        town.wait(EXPOSURE_RELEASE_MS)
    town.now_ms = due_ms + 5
    town.deposit("ann", 1, "later")
    decided = [msgspec.msgpack.decode(one, type=e.JournalRecord) for one in town.journals[0]]
    (told,) = [
        one
        for one in decided
        if isinstance(one.entry, be.TransferSent)
        and isinstance(one.entry.body, t.ExposureHeld)
        and not one.entry.body.held_minor
    ]
    assert told.at_ms == due_ms
    assert town.journals[0].index(msgspec.msgpack.encode(told)) == len(decided) - 2


def test_a_snapshot_holds_what_is_held(town: ExchangeTown) -> None:
    town.back("ann", "b1", 30_000, 1_000)
    town.order("ann", "b2", "BACK", 30_000, 100)
    town.change("ann", "cancel", "b1", size_reduction_minor=1)
    for engine in town.engines:
        again = thawed(list(frozen(engine.state)))
        assert state_hash(again) == state_hash(engine.state)
        assert list(again.timers) == list(engine.state.timers)
    before = [state_hash(engine.state) for engine in town.engines]
    town.market(RACE).funds.bettors["ann"].held_minor += 1  # type: ignore[union-attr]
    assert [state_hash(engine.state) for engine in town.engines] != before
