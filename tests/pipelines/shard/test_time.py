"""Engine time: the bet delay and its second check, timers, ticks, feed clocks, forgetting."""

import pytest

from pipelines.codes import Code
from pipelines.limits import EVENT_RETENTION_MS, MARKET_STAKES_MAX_MINOR, STAKE_MAX_MINOR
from pipelines.messages import entries as e
from pipelines.ports import Record
from pipelines.shard.clock import next_due_ms
from pipelines.topics import EVENTS
from tests.pipelines.shard.desk import EVENT, MARKET, START_MS, Desk, bet, fixed_market, pool_market

DELAY_MS = 5_000
FEED_MS = 1_600_000_000_000  # a recording of years ago


def in_play(**changes: object) -> dict[str, object]:
    return fixed_market(in_play=True, bet_delay_ms=DELAY_MS, **changes)


def times(desk: Desk) -> list[int]:
    return [record.at_ms for record in desk.records()]


class TestBetDelay:
    def test_a_bet_waits_and_is_taken_when_nothing_happened(self) -> None:
        desk = Desk().open(in_play())
        pending = desk.bet()
        assert isinstance(pending, e.BetPending)
        assert pending.due_ms == START_MS + DELAY_MS == next_due_ms(desk.state)
        assert desk.market().escrow_minor == 0
        assert desk.tick(START_MS + DELAY_MS - 1) == []
        desk.check()
        (confirmed,) = desk.tick(START_MS + DELAY_MS + 777)
        assert isinstance(confirmed, e.BetConfirmed)
        assert confirmed.odds_e4 == 30_000
        assert times(desk)[-1] == START_MS + DELAY_MS, "the due time, not that of the tick"
        assert desk.market().escrow_minor == 1_000
        assert next_due_ms(desk.state) is None
        desk.check()

    def test_before_the_off_nothing_waits(self) -> None:
        desk = Desk().open(fixed_market(bet_delay_ms=DELAY_MS))
        assert isinstance(desk.bet(), e.BetAccepted)

    @pytest.mark.parametrize(
        ("operations", "code"),
        [
            ([("prices", {"prices": [[1, 29_800]]})], Code.ODDS_CHANGED),
            ([("market_status", {"status": "SUSPENDED"})], Code.MARKET_SUSPENDED),
            (
                [
                    ("market_status", {"status": "SUSPENDED"}),
                    ("market_status", {"status": "OPEN"}),
                ],
                Code.INVALID_MARKET_VERSION,
            ),
            ([("market_status", {"status": "CLOSED"})], Code.MARKET_NOT_OPEN_FOR_BETTING),
            ([("selection_removed", {"selection_id": 1})], Code.RUNNER_REMOVED),
            ([("selection_removed", {"selection_id": 2})], Code.INVALID_MARKET_VERSION),
        ],
    )
    def test_the_second_check_sees_what_happened(
        self, operations: list[tuple[str, dict[str, object]]], code: Code
    ) -> None:
        desk = Desk().open(in_play())
        desk.bet()
        for kind, fields in operations:
            desk.operate_market(kind, **fields)
        (declined,) = desk.tick(START_MS + DELAY_MS)
        assert isinstance(declined, e.BetDeclined)
        assert declined.code == code
        again = desk.bet()
        assert isinstance(again, e.BetRepeated)
        assert (again.status, again.code) == ("rejected", code)
        desk.check()

    def test_the_second_check_gives_better_odds_to_who_asked_for_them(self) -> None:
        desk = Desk().open(in_play())
        desk.bet(price_policy="better")
        desk.operate_market("prices", prices=[[1, 35_000]])
        (confirmed,) = desk.tick(START_MS + DELAY_MS)
        assert isinstance(confirmed, e.BetConfirmed)
        assert confirmed.odds_e4 == 35_000

    def test_the_loss_limit_is_asked_again(self) -> None:
        desk = Desk().open(in_play(loss_limit_minor=2_000))
        assert isinstance(desk.bet("b1"), e.BetPending)
        assert isinstance(desk.bet("b2"), e.BetPending)
        first, second = desk.tick(START_MS + DELAY_MS)
        assert isinstance(first, e.BetConfirmed)
        assert isinstance(second, e.BetDeclined)
        assert second.code == Code.LOSS_LIMIT_EXCEEDED
        desk.check()

    def test_the_bound_of_a_markets_stakes_is_asked_again(self) -> None:
        desk = Desk().open(pool_market(in_play=True, bet_delay_ms=DELAY_MS))
        for number in range(MARKET_STAKES_MAX_MINOR // STAKE_MAX_MINOR + 1):
            waiting = desk.bet(f"b{number}", stake_minor=STAKE_MAX_MINOR)
            assert isinstance(waiting, e.BetPending)
        *confirmed, last = desk.tick(START_MS + DELAY_MS)
        assert all(isinstance(entry, e.BetConfirmed) for entry in confirmed)
        assert isinstance(last, e.BetDeclined)
        assert last.code == Code.ABOVE_MAX_BET_AMOUNT
        assert desk.market().escrow_minor == MARKET_STAKES_MAX_MINOR
        desk.check()

    def test_a_change_of_the_delay_does_not_move_who_waits(self) -> None:
        desk = Desk().open(in_play())
        desk.bet("slow")
        desk.operate_market("market_status", bet_delay_ms=1_000)
        desk.bet("fast")
        (fast,) = desk.tick(START_MS + 1_000)
        (slow,) = desk.tick(START_MS + DELAY_MS)
        assert isinstance(fast, e.BetConfirmed)
        assert isinstance(slow, e.BetConfirmed)
        assert (fast.bet_id, slow.bet_id) == ("fast", "slow")
        desk.check()

    def test_a_result_declines_who_still_waits(self) -> None:
        desk = Desk().open(in_play())
        desk.bet()
        desk.operate_market("market_status", status="SUSPENDED")
        entries = desk.operate_market("result", winners=[1])
        assert isinstance(entries[0], e.BetDeclined)
        assert isinstance(entries[-1], e.MarketSettled)
        assert entries[-1].bets == 0
        assert desk.tick(START_MS + DELAY_MS) == []
        desk.check()


class TestCancel:
    def cancel(
        self, desk: Desk, client_id: str = "ann", changes: dict[str, object] | None = None
    ) -> e.Entry:
        value = {"type": "cancel", "bet_id": "b1", "event_id": EVENT, "market_id": MARKET}
        (entry,) = desk.bets(value | (changes or {}), client_id)
        return entry

    def test_a_waiting_bet_can_be_withdrawn(self) -> None:
        desk = Desk().open(in_play())
        desk.bet()
        assert isinstance(self.cancel(desk), e.BetCancelled)
        assert desk.tick(START_MS + DELAY_MS) == []
        again = desk.bet()
        assert isinstance(again, e.BetRepeated)
        assert again.status == "cancelled"
        late = self.cancel(desk)
        assert isinstance(late, e.CancelRejected)
        assert late.code == Code.BET_TAKEN_OR_LAPSED
        desk.check()

    @pytest.mark.parametrize(
        ("client_id", "change", "code"),
        [
            ("ann", {"bet_id": "b2"}, Code.INVALID_BET_ID),
            ("bob", {}, Code.INVALID_BET_ID),
            ("ann", {"market_id": "1.2"}, Code.INVALID_BET_ID),
            ("ann", {"client_id": "bob"}, Code.PERMISSION_DENIED),
            ("ann", {"event_id": "other"}, Code.EVENT_KEY_MISMATCH),
        ],
    )
    def test_only_by_its_bettor_and_by_its_names(
        self, client_id: str, change: dict[str, object], code: Code
    ) -> None:
        desk = Desk().open(in_play())
        desk.bet()
        refused = self.cancel(desk, client_id, change)
        assert isinstance(refused, e.CancelRejected)
        assert refused.code == code
        assert len(desk.market().pending) == 1
        desk.check()

    def test_a_taken_bet_stands(self) -> None:
        desk = Desk().open()
        desk.bet()
        refused = self.cancel(desk)
        assert isinstance(refused, e.CancelRejected)
        assert refused.code == Code.BET_TAKEN_OR_LAPSED

    def test_of_an_unknown_event(self) -> None:
        desk = Desk()
        refused = self.cancel(desk)
        assert isinstance(refused, e.CancelRejected)
        assert refused.code == Code.INVALID_BET_ID
        desk.check()


class TestWallClock:
    def test_time_never_runs_backwards(self) -> None:
        desk = Desk().open()
        for moment in (START_MS + 500, START_MS - 10_000, 0, -1, START_MS + 400):
            desk.now_ms = moment
            desk.bet(f"b{moment}")
        desk.now_ms = START_MS - 1
        desk.operate_market("prices", prices=[[2, 45_000]])
        desk.operate("event_opened", "other")
        desk.bets(b"nonsense")
        desk.bets(b"nonsense", key=None)
        desk.bets(bet("unknown"), key=b"unknown")
        assert set(times(desk)[2:]) == {START_MS + 500}
        assert len(times(desk)) == 2 + 5 + 2 + 2 + 2 + 1
        desk.check()

    def test_a_timer_fires_before_the_first_record_that_is_not_earlier(self) -> None:
        desk = Desk().open(in_play())
        desk.bet("waiting")
        desk.now_ms = START_MS + DELAY_MS
        confirmed, pending = desk.bets(
            {
                "type": "bet",
                "bet_id": "next",
                "event_id": EVENT,
                "market_id": MARKET,
                "selection_id": 2,
                "stake_minor": 10,
                "odds_e4": 40_000,
                "market_version": 1,
            }
        )
        assert isinstance(confirmed, e.BetConfirmed)
        assert isinstance(pending, e.BetPending)

    @pytest.mark.parametrize(
        ("topic", "key", "value", "client_id"),
        [
            (EVENTS, b"race", b"not a message", ""),
            (EVENTS, None, b"{}", ""),
            ("bets", None, b"{}", "ann"),
            ("bets", b"race", b"not a message", "ann"),
            ("bets", b"race", b"not a message", ""),
            ("bets", b"other", b"{}", "ann"),
            (EVENTS, b"other", b'{"type":"event_opened","event_id":"other"}', ""),
        ],
    )
    def test_time_passes_with_every_record_also_with_bad_ones(
        self, topic: str, key: bytes | None, value: bytes, client_id: str
    ) -> None:
        desk = Desk().open(in_play())
        desk.bet()
        desk.now_ms = START_MS + DELAY_MS + 1
        entries = desk.send(topic, key, value, client_id)
        assert isinstance(entries[0], e.BetConfirmed)
        assert len(entries) > 1
        assert times(desk) == sorted(times(desk))
        desk.check()

    def test_ticks_at_other_moments_lead_to_the_same_journal(self) -> None:
        journals = []
        for moments in ([1, 2, 3, 9_999], [9_999], [5_000, 5_001], range(4_000, 10_000, 100)):
            desk = Desk().open(in_play())
            desk.bet("b1")
            for moment in moments:
                desk.tick(START_MS + moment)
            desk.now_ms = START_MS + 10_000
            desk.bet("b2")
            journals.append(desk.journal)
        assert all(journal == journals[0] for journal in journals)

    def test_an_event_starts_once(self) -> None:
        desk = Desk().open(fixed_market(), start_ms=START_MS + 60_000)
        (starting,) = desk.tick(START_MS + 3_600_000)
        assert isinstance(starting, e.EventIsStarting)
        assert desk.tick(START_MS + 9_600_000) == []
        assert times(desk)[-1] == START_MS + 60_000
        desk.check()

    def test_an_event_whose_start_has_passed_is_not_announced(self) -> None:
        desk = Desk().open(fixed_market(), start_ms=START_MS)
        assert desk.tick(START_MS + 1) == []


def settle(desk: Desk, **fields: object) -> list[e.Entry]:
    desk.operate_market("market_status", status="SUSPENDED", **fields)
    return desk.operate_market("result", winners=[1], **fields)


class TestRetirement:
    def test_a_settled_event_is_forgotten_a_day_later(self) -> None:
        desk = Desk().open()
        desk.bet()
        settle(desk)
        assert desk.tick(START_MS + EVENT_RETENTION_MS - 1) == []
        assert isinstance(desk.bet(), e.BetRepeated)
        (retired,) = desk.tick(START_MS + EVENT_RETENTION_MS)
        assert isinstance(retired, e.EventRetired)
        assert not desk.state.events
        late = desk.bet("b2")
        assert isinstance(late, e.BetRejected)
        assert late.code == Code.EVENT_RETIRED
        for kind, fields in (
            ("event_opened", {}),
            ("market_opened", {"market": fixed_market()}),
            ("result", {"market_id": MARKET}),
        ):
            (refused,) = desk.operate(kind, **fields)
            assert isinstance(refused, e.OperationRefused)
            assert refused.code in (Code.EVENT_RETIRED, Code.DUPLICATE_EVENT)
        desk.check()

    def test_not_while_a_market_is_open_or_its_result_rolled_back(self) -> None:
        desk = Desk().open()
        settle(desk)
        desk.operate_market("result_rolled_back")
        assert next_due_ms(desk.state) is None
        desk.operate_market("result", winners=[2])
        desk.operate("market_opened", market=fixed_market(market_id="1.2"))
        assert desk.tick(START_MS + 2 * EVENT_RETENTION_MS) == []
        desk.check()

    def test_an_event_abandoned_long_before_its_start(self) -> None:
        # Its start is announced by a timer that must not outlive the event.
        desk = Desk().open(fixed_market(), start_ms=START_MS + 3 * EVENT_RETENTION_MS)
        desk.operate_market("market_status", status="SUSPENDED")
        desk.operate_market("result", void=True)
        (retired,) = desk.tick(START_MS + EVENT_RETENTION_MS)
        assert isinstance(retired, e.EventRetired)
        assert desk.tick(START_MS + 4 * EVENT_RETENTION_MS) == []
        desk.check()

    def test_with_a_change_of_its_market_in_the_same_transaction(self) -> None:
        desk = Desk().open()
        settle(desk)
        desk.images.clear()
        rollback = b'{"type":"result_rolled_back","event_id":"race","market_id":"1.1"}'
        result = b'{"type":"result","event_id":"race","market_id":"1.1","winners":[2]}'
        for offset, value in enumerate((rollback, result)):
            record = Record(EVENTS, 0, 10 + offset, START_MS, b"race", value)
            desk.engine.process(record)
        desk.engine.tick(START_MS + EVENT_RETENTION_MS)
        entries = desk.drain()
        assert isinstance(entries[-1], e.EventRetired)
        assert not desk.images, "there is no market left to show"
        desk.check()


class TestFeedClock:
    def feed(self, **market: object) -> Desk:
        desk = Desk()
        opened = desk.operate("event_opened", clock="feed", at_ms=FEED_MS)
        assert isinstance(opened[0], e.EventWasOpened)
        desk.operate("market_opened", market=in_play(**market), at_ms=FEED_MS)
        return desk

    def test_time_is_the_feeds_whatever_the_wall_says(self) -> None:
        desk = self.feed()
        pending = desk.bet()
        assert isinstance(pending, e.BetPending)
        assert pending.due_ms == FEED_MS + DELAY_MS
        assert desk.tick(START_MS + 10 * DELAY_MS) == []
        assert desk.operate_market("prices", prices=[[2, 45_000]], at_ms=FEED_MS + DELAY_MS - 1)
        confirmed, _ = desk.operate_market("prices", prices=[[1, 45_000]], at_ms=FEED_MS + DELAY_MS)
        assert isinstance(confirmed, e.BetConfirmed), "due before the record that is not earlier"
        desk.check()

    def test_it_does_not_run_backwards_either(self) -> None:
        desk = self.feed()
        desk.operate_market("prices", prices=[[2, 45_000]], at_ms=FEED_MS + 100)
        desk.operate_market("prices", prices=[[2, 46_000]], at_ms=FEED_MS + 50)
        desk.operate_market("prices", prices=[[2, 47_000]])
        assert times(desk)[-3:] == [FEED_MS + 100] * 3
        desk.check()

    @pytest.mark.parametrize("at_ms", [0, FEED_MS, 2**53])
    def test_it_does_not_move_the_time_of_others(self, at_ms: int) -> None:
        desk = Desk().open(in_play())
        desk.operate("event_opened", "recording", clock="feed", at_ms=at_ms)
        desk.operate("event_opened", "elsewhere", key="recording-2", clock="feed", at_ms=at_ms)
        assert desk.state.now_ms == START_MS
        pending = desk.bet()
        assert isinstance(pending, e.BetPending)
        assert pending.due_ms == START_MS + DELAY_MS
        desk.check()

    def test_a_retired_recording_opened_again_does_not_move_the_time_of_others(self) -> None:
        desk = self.feed()
        settle(desk, at_ms=FEED_MS)
        now_ms = START_MS + EVENT_RETENTION_MS
        assert isinstance(desk.tick(now_ms)[0], e.EventRetired)
        (refused,) = desk.operate("event_opened", clock="feed", at_ms=2**53)
        assert isinstance(refused, e.OperationRefused)
        assert desk.state.now_ms == now_ms
        desk.check()

    def test_a_settled_recording_is_kept_for_a_day_of_wall_time(self) -> None:
        desk = self.feed()
        desk.bet()
        desk.now_ms = START_MS + 5_000
        settle(desk, at_ms=FEED_MS + DELAY_MS)
        assert desk.tick(START_MS + 5_000 + EVENT_RETENTION_MS - 1) == []
        assert desk.state.events[EVENT].bets, "who won can still be asked"
        (retired,) = desk.tick(START_MS + 5_000 + EVENT_RETENTION_MS)
        assert isinstance(retired, e.EventRetired)
        desk.check()

    def test_its_result_lets_the_wall_timers_of_others_fire_first(self) -> None:
        desk = self.feed()
        desk.operate("event_opened", "live")
        desk.operate("market_opened", "live", market=in_play())
        body = bet(event_id="live")
        assert isinstance(desk.bets(body, key=b"live")[0], e.BetPending)
        desk.now_ms = START_MS + DELAY_MS + 1
        entries = settle(desk, at_ms=FEED_MS)
        assert isinstance(entries[0], e.BetConfirmed)
        assert isinstance(entries[-1], e.MarketSettled)
        desk.check()

    def test_its_start_is_by_the_feeds_clock(self) -> None:
        desk = Desk()
        desk.operate("event_opened", clock="feed", at_ms=FEED_MS, start_ms=FEED_MS + 100)
        assert next_due_ms(desk.state) is None
        entries = desk.operate("market_opened", market=in_play(), at_ms=FEED_MS + 100)
        assert isinstance(entries[0], e.EventIsStarting)
        desk.check()

    def test_all_clocks_can_be_run_to_a_moment(self) -> None:
        desk = self.feed()
        desk.bet()
        desk.engine.fire_all(FEED_MS + DELAY_MS)
        (confirmed,) = desk.drain()
        assert isinstance(confirmed, e.BetConfirmed)
        desk.check()
