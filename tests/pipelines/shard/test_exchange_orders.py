"""An order's life on an exchange: matching, changes, the off, withdrawals, results."""

import msgspec
import pytest

from pipelines.limits import MATCHES_PER_ENTRY_MAX
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from tests.pipelines.shard.desk import EVENT, MARKET
from tests.pipelines.shard.exchange_desk import (
    ExchangeDesk,
    exchange_market,
    fills,
    matched,
    worst_results,
)


def desk(**rules: object) -> ExchangeDesk:
    opened = ExchangeDesk()
    opened.open(exchange_market(**rules))  # type: ignore[arg-type]
    return opened


def lapses(entries: list[e.Entry]) -> list[tuple[str, int, str]]:
    return [(x.bet_id, x.size_minor, x.code) for x in entries if isinstance(x, oe.OrderLapsed)]


# --- matching


def test_the_best_price_then_the_oldest_at_the_resting_price() -> None:
    d = desk()
    d.lay("l1", 40_000, 100)
    d.lay("l2", 41_000, 100)
    d.lay("l3", 41_000, 100)
    entries = d.back("b", 38_000, 250)
    assert fills(entries) == ((41_000, 200, False), (40_000, 50, False))
    assert matched(entries) == [("l2", 41_000, 100), ("l3", 41_000, 100), ("l1", 40_000, 50)]
    assert d.of("b").odds_e4 == 40_800
    image = d.images[EVENT, MARKET].selections[0]
    assert image.exchange is not None
    assert image.exchange.to_back == ((40_000, 50),)
    assert image.exchange.traded == ((40_000, 50), (41_000, 200))
    assert (image.exchange.last_odds_e4, image.staked_minor) == (40_000, 250)
    d.check()


def test_every_trade_has_its_price_and_time() -> None:
    d = desk()
    d.lay("l", 40_000, 100)
    d.back("b1", 40_000, 30)
    d.now_ms += 5
    d.back("b2", 40_000, 30)
    at_ms = d.now_ms
    assert d.of("l").fills == [(40_000, 30, at_ms - 5), (40_000, 30, at_ms)]


def test_a_partial_fill_waits_behind_nobody() -> None:
    d = desk()
    d.back("b1", 30_000, 100)
    d.back("b2", 30_000, 100)
    d.lay("l1", 30_000, 40)
    assert matched(d.lay("l2", 31_000, 100)) == [("b1", 30_000, 60), ("b2", 30_000, 40)]
    d.check()


@pytest.mark.parametrize(
    ("rule", "filled", "lapsed"),
    [
        ("CANCEL_RESTING", ((41_000, 50, False), (40_000, 100, False)), [("own", 100)]),
        ("CANCEL_INCOMING", ((41_000, 50, False),), [("b", 150)]),
        ("ALLOW", ((41_000, 50, False), (40_500, 100, False), (40_000, 50, False)), []),
    ],
)
def test_a_bettor_meets_itself(
    rule: str, filled: tuple[object, ...], lapsed: list[tuple[str, int]]
) -> None:
    d = desk(self_match=rule, ladder="FINEST")
    d.lay("l1", 41_000, 50)
    d.lay("own", 40_500, 100, client_id="ann")
    d.lay("l2", 40_000, 100)
    entries = d.back("b", 40_000, 200, client_id="ann")
    assert fills(entries) == filled
    assert [one[:2] for one in lapses(entries)] == lapsed
    assert {one[2] for one in lapses(entries)} <= {"INVALID_BACK_LAY_COMBINATION"}
    d.check()


def test_fill_or_kill_is_for_the_average_price() -> None:
    d = desk()
    d.lay("l1", 42_000, 100)
    d.lay("l2", 38_000, 500)
    killed = d.back("b1", 40_000, 300, time_in_force="FILL_OR_KILL")
    assert (fills(killed), lapses(killed)) == ((), [("b1", 300, "FILL_OR_KILL")])
    part = d.back("b2", 40_000, 300, time_in_force="FILL_OR_KILL", min_fill_minor=150)
    assert fills(part) == ((42_000, 100, False), (38_000, 100, False))
    assert lapses(part) == [("b2", 100, "FILL_OR_KILL")]
    assert d.of("b2").odds_e4 == 40_000
    d.check()


def test_a_price_that_is_too_good() -> None:
    d = desk()
    d.lay("l", 60_000, 100)
    entries = d.back("b", 30_000, 50, tolerance_e4=20_000)
    assert lapses(entries) == [("b", 50, "BET_LAPSED_PRICE_IMPROVEMENT_TOO_LARGE")]
    assert fills(d.back("c", 40_000, 50, tolerance_e4=20_000)) == ((60_000, 50, False),)


def test_a_virtual_trade_through_two_others() -> None:
    d = desk(cross_matching=True)
    d.back("b2", 40_000, 1_000, selection=2)
    d.back("b3", 40_000, 1_000, selection=3)
    image = d.images[EVENT, MARKET].selections[0]
    assert image.exchange is not None
    assert (image.odds_e4, image.exchange.back_virtual_e4) == (20_000, 20_000)
    entries = d.back("b1", 19_000, 500)
    assert fills(entries) == ((20_000, 500, True),)
    assert matched(entries) == [("b2", 40_000, 250), ("b3", 40_000, 250)]
    d.settle(1)
    assert [d.of(b).payout_minor for b in ("b1", "b2", "b3")] == [1_000, 0, 0]
    d.check()


# --- refusals


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"odds_e4": 30_100}, "INVALID_ODDS"),
        ({"order_type": "MARKET_ON_CLOSE"}, "MARKET_NOT_OPEN_FOR_BSP_BETTING"),
        ({"persistence": "MARKET_ON_CLOSE"}, "INVALID_PERSISTENCE_TYPE"),
        ({"time_in_force": "FILL_OR_KILL", "persistence": "PERSIST"}, "TIME_IN_FORCE_CONFLICT"),
        ({"time_in_force": "FILL_OR_KILL", "min_fill_minor": 101}, "INVALID_MIN_FILL_SIZE"),
        ({"min_fill_minor": 1}, "UNEXPECTED_MIN_FILL_SIZE"),
        ({"selection": 9}, "INVALID_RUNNER"),
        ({"market_version": 7}, "INVALID_MARKET_VERSION"),
    ],
)
def test_an_order_that_cannot_be(changes: dict[str, object], code: str) -> None:
    d = desk()
    more = {"odds_e4": 30_000, **changes}
    odds = int(str(more.pop("odds_e4")))
    if "market_version" in more:
        request = {"bet_id": "x", "selection_id": 1, "stake_minor": 100, "odds_e4": odds, **more}
        head = {"type": "bet", "event_id": EVENT, "market_id": MARKET}
        (entry,) = d.bets(head | request)
    else:
        (entry,) = d.lay("x", odds, 100, **more)
    assert isinstance(entry, oe.OrderRejected)
    assert entry.code == code
    assert entry.reason


def test_orders_are_for_exchanges() -> None:
    d = ExchangeDesk()
    d.open()
    for more in ({"side": "LAY"}, {"order_type": "MARKET_ON_CLOSE"}):
        entry = d.bet(f"b{len(more['side' if 'side' in more else 'order_type'])}", **more)
        assert isinstance(entry, e.BetRejected)
        assert entry.code == "INVALID_ORDER_TYPE"


def test_a_bettors_limit_counts_unmatched_orders_at_their_worst() -> None:
    d = desk(loss_limit_minor=300)
    d.lay("l1", 30_000, 100, client_id="ann")  # may lose 200
    (entry,) = d.lay("l2", 30_000, 51, client_id="ann")
    assert isinstance(entry, oe.OrderRejected)
    assert entry.code == "LOSS_LIMIT_EXCEEDED"
    assert isinstance(d.lay("l3", 30_000, 50, client_id="ann")[0], oe.OrderPlaced)
    stated, worst = worst_results(d.market(), "ann")
    assert stated == -300 <= worst
    # A replacement takes the room of what it replaces.
    entries = d.change("replace", "l3", "ann", new_bet_id="l4", odds_e4=29_000)
    assert isinstance(entries[1], oe.OrderPlaced)


def test_a_bettors_limit_holds_for_orders_that_wait_for_the_bet_delay() -> None:
    d = desk(loss_limit_minor=300, in_play=True, bet_delay_ms=1_000)
    for number in range(3):
        (pending,) = d.lay(f"l{number}", 30_000, 100, client_id="ann")
        assert isinstance(pending, oe.OrderPending)
    first, *others = d.tick(d.now_ms + 1_000)
    assert isinstance(first, oe.OrderConfirmed)
    assert [x.code for x in others if isinstance(x, e.BetDeclined)] == ["LOSS_LIMIT_EXCEEDED"] * 2
    assert d.of("l1", "ann").lapsed_minor == 100


# --- the same again


def test_the_same_order_again() -> None:
    d = desk()
    d.lay("l", 40_000, 60)
    d.back("b", 40_000, 100)
    (again,) = d.back("b", 40_000, 100)
    assert isinstance(again, e.BetRepeated)
    assert (again.status, again.odds_e4) == ("accepted", 40_000)
    for change in ({"persistence": "PERSIST"}, {"time_in_force": "FILL_OR_KILL"}):
        assert isinstance(d.back("b", 40_000, 100, **change)[0], e.BetConflict)
    assert isinstance(d.lay("b", 40_000, 100)[0], e.BetConflict)
    d.change("update", "b", persistence="PERSIST")
    assert isinstance(d.back("b", 40_000, 100)[0], e.BetRepeated)  # as it was asked for


def test_a_refused_order_again() -> None:
    d = desk()
    first = d.lay("l", 30_100, 60)[0]
    assert isinstance(first, oe.OrderRejected)
    again = d.lay("l", 30_100, 60)[0]
    assert isinstance(again, e.BetRepeated)
    assert (again.status, again.code) == ("rejected", "INVALID_ODDS")


# --- cancel, replace, update


def test_cancel_a_part_then_the_rest() -> None:
    d = desk()
    d.back("b", 30_000, 100)
    (part,) = d.change("cancel", "b", size_reduction_minor=30)
    assert part == oe.OrderCancelled(*_head(part), "client-b", "b", 30, 70)
    (more,) = d.change("cancel", "b", size_reduction_minor=71)
    assert isinstance(more, e.CancelRejected)
    assert more.code == "INVALID_BET_SIZE"
    (rest,) = d.change("cancel", "b")
    assert isinstance(rest, oe.OrderCancelled)
    (late,) = d.change("cancel", "b")
    assert isinstance(late, e.CancelRejected)
    assert late.code == "BET_TAKEN_OR_LAPSED"
    d.check()


def _head(entry: e.Entry) -> tuple[str, int, str, int]:
    return entry.event_id, entry.event_seq, entry.market_id, entry.market_seq


def test_a_size_reduction_keeps_the_place_and_a_replacement_does_not() -> None:
    d = desk()
    d.back("b1", 30_000, 100)
    d.back("b2", 30_000, 100)
    d.change("cancel", "b1", size_reduction_minor=50)
    assert matched(d.lay("l1", 30_000, 10)) == [("b1", 30_000, 10)]
    d.change("replace", "b1", new_bet_id="b3", odds_e4=31_000)
    d.change("replace", "b3", "client-b1", new_bet_id="b4", odds_e4=30_000)
    assert matched(d.lay("l2", 30_000, 110)) == [("b2", 30_000, 100), ("b4", 30_000, 10)]
    assert d.of("b1").cancelled_minor == 90
    d.check()


def test_a_replacement_again_is_answered_again() -> None:
    d = desk()
    d.back("b1", 30_000, 100)
    wish = {"new_bet_id": "b2", "odds_e4": 31_000}
    assert len(d.change("replace", "b1", **wish)) == 2
    (again,) = d.change("replace", "b1", **wish)
    assert isinstance(again, e.BetRepeated)
    assert again.bet_id == "b2"
    assert isinstance(d.change("replace", "b1", new_bet_id="b2", odds_e4=32_000)[0], e.BetConflict)


@pytest.mark.parametrize(
    ("kind", "bet_id", "more", "code"),
    [
        ("replace", "b1", {"new_bet_id": "n", "odds_e4": 30_000}, "INVALID_PRICE_EDIT"),
        ("replace", "b1", {"new_bet_id": "n", "odds_e4": 30_100}, "INVALID_ODDS"),
        ("replace", "no", {"new_bet_id": "n", "odds_e4": 31_000}, "INVALID_BET_ID"),
        ("replace", "b2", {"new_bet_id": "n", "odds_e4": 31_000}, "BET_TAKEN_OR_LAPSED"),
        ("update", "b1", {"persistence": "LAPSE"}, "NO_ACTION_REQUIRED"),
        ("update", "b1", {"persistence": "MARKET_ON_CLOSE"}, "INVALID_PERSISTENCE_TYPE"),
        ("update", "b2", {"persistence": "PERSIST"}, "BET_TAKEN_OR_LAPSED"),
    ],
)
def test_a_change_that_cannot_be(
    kind: str, bet_id: str, more: dict[str, object], code: str
) -> None:
    d = desk()
    d.back("b1", 30_000, 100)
    d.back("b2", 20_000, 100)
    d.lay("l", 20_000, 100)
    (entry,) = d.change(kind, bet_id, **more)
    assert isinstance(entry, oe.ChangeRejected)
    assert entry.code == code


# --- the bet delay, the off, suspension


def test_orders_wait_for_the_bet_delay_and_are_matched_after_it() -> None:
    d = desk(in_play=True, bet_delay_ms=1_000)
    (pending,) = d.lay("l", 30_000, 100)
    assert isinstance(pending, oe.OrderPending)
    d.back("b", 30_000, 40)
    d.change("cancel", "none")
    entries = d.tick(d.now_ms + 1_000)
    assert [type(x).__name__ for x in entries] == [
        "OrderConfirmed", "OrderConfirmed", "BetMatched",
    ]  # fmt: skip
    assert d.of("l").remaining_minor == 60
    d.back("c", 30_000, 10)
    assert isinstance(d.change("cancel", "c")[0], e.BetCancelled)
    d.back("d", 30_000, 10)
    d.operate_market("market_status", status="SUSPENDED")
    (declined,) = d.tick(d.now_ms + 1_000)
    assert isinstance(declined, e.BetDeclined)
    assert declined.code == "MARKET_SUSPENDED"
    d.check()


def test_what_lapses_at_suspension_and_at_the_off() -> None:
    d = desk()
    d.back("lapse", 30_000, 100)
    d.back("persist", 31_000, 100, persistence="PERSIST")
    entries = d.operate_market("market_status", status="SUSPENDED")
    assert lapses(entries) == [("lapse", 100, "MARKET_SUSPENDED")]
    d.operate_market("market_status", status="OPEN")
    d.back("late", 32_000, 100)
    entries = d.operate_market("market_status", in_play=True)
    assert lapses(entries) == [("late", 100, "TURNED_IN_PLAY")]
    assert matched(d.lay("l", 31_000, 50)) == [("persist", 31_000, 50)]
    entries = d.operate_market("market_status", status="CLOSED")
    assert lapses(entries) == [("persist", 50, "MARKET_NOT_OPEN_FOR_BETTING")]
    d.check()


def test_the_starting_price_with_limits_and_unmatched_orders() -> None:
    d = desk(bsp_market=True)
    d.back("moc", 0, 100_000, order_type="MARKET_ON_CLOSE")
    d.lay("liability", 0, 600_000, order_type="MARKET_ON_CLOSE")
    image = d.images[EVENT, MARKET].selections[0]
    assert image.exchange is not None
    assert (image.exchange.sp_near_e4, image.exchange.sp_far_e4) == (70_000, 70_000)
    d.back("high", 76_000, 5_000, order_type="LIMIT_ON_CLOSE")
    d.lay("exchange", 80_000, 10_000, persistence="MARKET_ON_CLOSE")  # a liability of 70,000
    d.lay("low", 60_000, 10_000)
    image = d.images[EVENT, MARKET].selections[0]
    assert image.exchange is not None
    # At 7.6 105,000 of backs want more than 670,000 / 6.6, below it 100,000 less: 7.6 it is.
    assert (image.exchange.sp_near_e4, image.exchange.sp_far_e4) == (76_000, 70_000)
    entries = d.operate_market("market_status", in_play=True)
    prices = next(x for x in entries if isinstance(x, oe.StartingPricesSet))
    assert prices.prices == ((1, 76_000), (2, 0), (3, 0))
    backs = d.of("moc").size_minor + d.of("high").size_minor
    assert d.of("moc").size_minor == 100_000
    assert backs == d.of("liability").size_minor + d.of("exchange").size_minor
    assert ("low", 10_000, "TURNED_IN_PLAY") in lapses(entries)
    assert d.images[EVENT, MARKET].selections[0].exchange is not None
    d.check()
    d.settle(1)
    d.check()


# --- withdrawals and voids


def test_a_withdrawal_voids_cuts_and_lapses() -> None:
    d = desk()
    d.lay("l1", 80_000, 1_000)
    d.back("b1", 80_000, 1_000)
    d.lay("l3", 30_000, 500, selection=3)
    d.back("b3", 30_000, 700, selection=3)
    d.back("waits", 90_000, 50)
    entries = d.operate_market("selection_removed", selection_id=3, reduction_factor_e4=2_500)
    assert d.of("b1").odds_e4 == 60_000
    assert d.of("l1").staked_minor == 5_000
    assert [x.returned_minor for x in entries if isinstance(x, oe.OddsReduced)] == [2_000, 0]
    voided = {x.bet_id: x.returned_minor for x in entries if isinstance(x, oe.BetVoided)}
    assert voided == {"l3": 1_000, "b3": 500}
    assert lapses(entries) == [("b3", 200, "RUNNER_REMOVED"), ("waits", 50, "RUNNER_REMOVED")]
    d.check()
    d.settle(1)
    assert d.of("b1").payout_minor == 6_000
    d.check()


def test_unmatched_orders_may_be_kept_at_a_withdrawal() -> None:
    d = desk()
    d.back("waits", 90_000, 50)
    d.back("gone", 90_000, 50, selection=3)
    entries = d.operate_market("selection_removed", selection_id=3, keep_unmatched=True)
    assert lapses(entries) == [("gone", 50, "RUNNER_REMOVED")]
    d.check()


def test_a_place_market_is_cut_by_its_winnings() -> None:
    d = desk(number_of_winners=2)
    d.lay("l", 30_000, 1_000)
    d.back("b", 30_000, 1_000)
    d.operate_market("selection_removed", selection_id=3, reduction_factor_e4=4_000)
    assert d.of("b").odds_e4 == 22_000


def test_trades_after_the_goal_are_void_on_both_sides() -> None:
    d = desk()
    d.lay("l", 30_000, 1_000)
    d.back("before", 30_000, 400)
    d.now_ms += 10
    d.back("after", 30_000, 100)
    entries = d.operate_market("bets_voided", from_ms=d.now_ms, reason="goal")
    assert {(x.bet_id, x.size_minor) for x in entries if isinstance(x, oe.BetVoided)} == {
        ("l", 100), ("after", 100),
    }  # fmt: skip
    assert d.of("l").size_minor == 400
    d.check()


# --- results


def test_commission_is_on_net_winnings_of_the_market() -> None:
    d = desk(market_base_rate_e4=700)
    d.lay("l1", 40_000, 5_000)
    d.back("b1", 40_000, 5_000, client_id="ann")
    d.lay("l2", 30_000, 5_000, selection=2)
    d.back("b2", 30_000, 5_000, selection=2, client_id="ann")
    entries = d.settle(1)
    charged = {x.client_id: (x.net_minor, x.commission_minor) for x in entries
               if isinstance(x, oe.CommissionCharged)}  # fmt: skip
    assert charged == {"ann": (10_000, 700), "client-l2": (5_000, 350)}
    assert d.market().postings == (("house:commission", 1_050),)
    d.check()


def test_dead_heat_and_void() -> None:
    d = desk(runners=4)
    d.lay("l", 50_000, 2_000)
    d.back("b", 50_000, 2_000)
    d.settle(1, 2)
    assert (d.of("b").payout_minor, d.of("l").payout_minor) == (5_000, 5_000)
    assert d.of("l").payout_minor - d.of("l").staked_minor == -3_000
    d.operate_market("result_rolled_back")
    entries = d.operate_market("result", void=True)
    assert (d.of("b").payout_minor, d.of("l").payout_minor) == (2_000, 8_000)
    assert {x.result for x in entries if isinstance(x, e.BetSettled)} == {"void"}
    d.check()


def test_two_tie_for_the_last_of_three_places() -> None:
    """As Betfair divides the stake by those tied over the places left (betting.md 1.3)."""
    d = desk(runners=5, number_of_winners=3)
    for runner in range(1, 6):
        d.lay(f"l{runner}", 30_000, 1_000, selection=runner)
        d.back(f"b{runner}", 30_000, 1_000, selection=runner)
    d.operate_market("market_status", status="CLOSED")
    d.operate_market("result", finish=[[1], [2], [3, 4], [5]])
    assert [d.of(f"b{n}").payout_minor for n in range(1, 6)] == [3_000, 3_000, 1_500, 1_500, 0]
    assert [d.of(f"l{n}").payout_minor for n in range(1, 6)] == [0, 0, 1_500, 1_500, 3_000]
    d.check()


def test_the_same_result_after_a_rollback_is_the_same_state() -> None:
    d = desk(market_base_rate_e4=500)
    d.lay("l", 50_000, 2_000)
    d.back("b", 50_000, 2_000)
    d.settle(1)

    def money() -> object:
        orders = [(o.bet_id, o.status, o.payout_minor, o.odds_e4) for o in d.market().bets]
        return orders, d.market().postings, d.market().commissions, d.market().winners

    before = money()
    d.operate_market("result_rolled_back")
    assert d.market().commissions == {}
    d.operate_market("result", winners=[1])
    assert money() == before
    d.check()


def test_discounts() -> None:
    d = desk(market_base_rate_e4=1_000)
    assert isinstance(
        d.operate_market("discounts", discounts=[["ann", 2_500]])[0], oe.DiscountsWereSet
    )
    again = d.operate_market("discounts", discounts=[["ann", 2_500]])[0]
    assert isinstance(again, e.OperationRefused)
    d.lay("l", 50_000, 2_000)
    d.back("b", 50_000, 2_000, client_id="ann")
    d.settle(1)
    assert d.market().commissions == {"ann": 600}


@pytest.mark.parametrize(
    "rules",
    [
        {"cross_matching": True, "number_of_winners": 2},
        {"cross_matching": True, "runners": 1},
        {"ladder": "CUSTOM"},
        {"ladder_bands": [[20_000, 100]]},
        {"engine": "pool", "bsp_market": True},
        {"engine": "fixed", "ladder": "CUSTOM", "ladder_bands": [[20_000, 100]]},
    ],
)
def test_rules_that_do_not_go_together(rules: dict[str, object]) -> None:
    d = ExchangeDesk()
    d.operate("event_opened")
    (entry,) = d.operate("market_opened", market=exchange_market(**rules))  # type: ignore[arg-type]
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "INVALID_INPUT_DATA"


def test_a_trade_with_very_many_is_told_in_several_entries_of_the_same_parts() -> None:
    at = desk()
    count = MATCHES_PER_ENTRY_MAX + 7
    for number in range(count):
        at.lay(f"l{number}", 30_000, 10)
    numbers = at.market().seq
    entries = at.back("taker", 30_000, 10 * count + 5)
    assert fills(entries) == ((30_000, 10 * count, False),)
    assert matched(entries) == [(f"l{number}", 30_000, 10) for number in range(count)]
    assert [one.market_seq for one in entries] == list(range(numbers + 1, numbers + count + 2))
    assert at.market().seq == numbers + count + 1
    kinds = [type(msgspec.msgpack.decode(v, type=e.JournalRecord).entry) for v in at.journal]
    assert kinds[-8:] == [oe.OrderTraded, *[oe.BetMatched] * 7]
    assert at.of("taker").remaining_minor == 5
    at.check()


def test_one_trade_is_one_entry_with_the_numbers_of_its_parts() -> None:
    at = desk()
    at.lay("a", 30_000, 10)
    at.lay("b", 31_000, 10)
    journalled, numbers = len(at.journal), at.market().seq
    entries = at.back("taker", 30_000, 15)
    assert len(at.journal) == journalled + 1
    assert [type(one) for one in entries] == [oe.OrderPlaced, oe.BetMatched, oe.BetMatched]
    assert [one.market_seq for one in entries] == [numbers + 1, numbers + 2, numbers + 3]
    (following,) = at.back("next", 90_000, 10)
    assert following.market_seq == numbers + 4
    at.check()
