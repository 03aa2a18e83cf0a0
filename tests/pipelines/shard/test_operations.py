"""The life of events and markets as operators and feeds drive it; what cannot be is refused."""

from typing import Any

import pytest

from pipelines.codes import Code
from pipelines.limits import NAME_LENGTH_MAX
from pipelines.messages import entries as e
from pipelines.shard import opening, operations
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, fixed_market, pool_market


def code_of(entries: list[e.Entry]) -> str:
    (entry,) = entries
    assert isinstance(entry, e.OperationRefused), entry
    return entry.code


class TestOpening:
    def test_twice_the_same_changes_nothing_and_another_is_refused(self) -> None:
        desk = Desk().open(name="Race")
        assert code_of(desk.operate("event_opened", name="Race")) == Code.UNCHANGED
        assert code_of(desk.operate("event_opened", name="Other")) == Code.DUPLICATE_EVENT
        again = desk.operate("market_opened", market=fixed_market())
        assert code_of(again) == Code.UNCHANGED
        other = desk.operate("market_opened", market=pool_market())
        assert code_of(other) == Code.DUPLICATE_MARKET
        desk.check()

    @pytest.mark.parametrize(
        ("market", "code"),
        [
            (pool_market(number_of_winners=5), Code.INVALID_INPUT_DATA),
            (pool_market(stake_min_minor=10, stake_max_minor=9), Code.INVALID_BET_SIZE),
            (fixed_market(selections=[{"selection_id": 1}] * 2), Code.INVALID_RUNNER),
            (
                fixed_market(selections=[{"selection_id": 1, "odds_e4": 30_100}]),
                Code.INVALID_ODDS,
            ),
            (pool_market(selections=[{"selection_id": 1, "odds_e4": 20_000}]), Code.INVALID_ODDS),
        ],
    )
    def test_a_market_that_contradicts_itself(self, market: dict[str, object], code: Code) -> None:
        desk = Desk()
        desk.operate("event_opened")
        assert code_of(desk.operate("market_opened", market=market)) == code
        desk.check()

    def test_a_market_on_the_finest_ladder(self) -> None:
        selections = [{"selection_id": 1, "odds_e4": 30_100}]
        desk = Desk().open(fixed_market(selections=selections, ladder="FINEST"))
        assert isinstance(desk.bet(odds_e4=30_100), e.BetAccepted)
        assert code_of(desk.operate_market("prices", prices=[[1, 30_150]])) == Code.INVALID_ODDS

    @pytest.mark.parametrize(
        "change",
        [
            {"selections": []},
            {"selections": [{"selection_id": s} for s in range(257)]},
            {"engine": "abacus"},
            {"takeout_e4": 10_000},
            {"breakage_e4": 0},
            {"number_of_winners": 0},
            {"bet_delay_ms": 60_001},
            {"status": "CLOSED"},
            {"name": "x" * (NAME_LENGTH_MAX + 1)},
            {"market_id": ""},
        ],
    )
    def test_a_market_beyond_the_limits_is_dead_lettered(self, change: dict[str, object]) -> None:
        desk = Desk()
        desk.operate("event_opened")
        (entry,) = desk.operate("market_opened", market=pool_market() | change)
        assert isinstance(entry, e.RecordDeadLettered)
        assert len(desk.dead) == 1
        desk.check()

    def test_events_and_markets_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(operations, "EVENTS_PER_SHARD_MAX", 2)
        monkeypatch.setattr(opening, "MARKETS_PER_EVENT_MAX", 2)
        desk = Desk().open()
        desk.operate("event_opened", "second")
        assert code_of(desk.operate("event_opened", "third")) == Code.TOO_MANY_MARKETS
        desk.operate("market_opened", market=pool_market(market_id="1.2"))
        third = desk.operate("market_opened", market=pool_market(market_id="1.3"))
        assert code_of(third) == Code.TOO_MANY_MARKETS
        desk.check()

    @pytest.mark.parametrize(
        ("kind", "fields", "code"),
        [
            ("market_opened", {"market": fixed_market()}, Code.INVALID_EVENT_ID),
            ("market_status", {"market_id": MARKET, "status": "OPEN"}, Code.INVALID_EVENT_ID),
            ("result", {"market_id": MARKET}, Code.INVALID_EVENT_ID),
        ],
    )
    def test_what_is_said_of_an_unknown_event(
        self, kind: str, fields: dict[str, Any], code: Code
    ) -> None:
        desk = Desk()
        assert code_of(desk.operate(kind, **fields)) == code
        desk.check()

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            ("market_status", {"status": "SUSPENDED"}),
            ("prices", {"prices": [[1, 20_000]]}),
            ("selection_removed", {"selection_id": 1}),
            ("result", {"winners": [1]}),
            ("result_rolled_back", {}),
            ("bets_voided", {}),
        ],
    )
    def test_what_is_said_of_an_unknown_market_or_under_another_key(
        self, kind: str, fields: dict[str, Any]
    ) -> None:
        desk = Desk().open()
        unknown = desk.operate(kind, market_id="1.9", **fields)
        assert code_of(unknown) == Code.INVALID_MARKET_ID
        elsewhere = desk.operate(kind, key="other", market_id=MARKET, **fields)
        assert code_of(elsewhere) == Code.EVENT_KEY_MISMATCH
        desk.check()


class TestStatus:
    @pytest.mark.parametrize("first", ["INACTIVE", "OPEN", "SUSPENDED"])
    @pytest.mark.parametrize("second", ["INACTIVE", "OPEN", "SUSPENDED", "CLOSED"])
    def test_a_living_market_goes_anywhere(self, first: str, second: str) -> None:
        desk = Desk().open(fixed_market(status=first))
        entries = desk.operate_market("market_status", status=second)
        if first == second:
            assert code_of(entries) == Code.UNCHANGED
        else:
            assert isinstance(entries[0], e.MarketChanged)
            assert desk.images[EVENT, MARKET].status == second
        desk.check()

    @pytest.mark.parametrize("status", ["INACTIVE", "OPEN", "SUSPENDED"])
    def test_a_closed_market_stays_closed(self, status: str) -> None:
        desk = Desk().open()
        desk.operate_market("market_status", status="CLOSED")
        refused = desk.operate_market("market_status", status=status)
        assert code_of(refused) == Code.INVALID_STATUS
        assert code_of(desk.operate_market("prices", prices=[[1, 20_000]])) == (
            Code.MARKET_NOT_OPEN_FOR_BETTING
        )
        desk.check()

    @pytest.mark.parametrize(
        ("suspended", "change", "material"),
        [
            (False, {"in_play": True}, True),
            (False, {"bet_delay_ms": 9}, False),
            (False, {"status": "SUSPENDED"}, False),
            (False, {"status": "SUSPENDED", "material": True}, True),
            (True, {"status": "OPEN"}, True),
            (True, {"bet_delay_ms": 9}, True),
            (True, {"status": "OPEN", "material": False}, False),
            (True, {"in_play": True, "material": False}, False),
        ],
    )
    def test_what_is_a_material_change(
        self, suspended: bool, change: dict[str, object], material: bool
    ) -> None:
        desk = Desk().open(fixed_market(status="SUSPENDED" if suspended else "OPEN"))
        desk.operate_market("market_status", **change)
        assert desk.market().version == 2
        assert desk.market().material_version == (2 if material else 1)
        desk.check()

    def test_nothing_changes_in_a_settled_market(self) -> None:
        desk = Desk().open(fixed_market(status="SUSPENDED"))
        desk.operate_market("result", winners=[1])
        for kind, fields, code in (
            ("market_status", {"status": "OPEN"}, Code.INVALID_STATUS),
            ("selection_removed", {"selection_id": 2}, Code.ALREADY_SETTLED),
            ("prices", {"prices": [[1, 20_000]]}, Code.MARKET_NOT_OPEN_FOR_BETTING),
        ):
            assert code_of(desk.operate_market(kind, **fields)) == code
        desk.check()


class TestPrices:
    @pytest.mark.parametrize(
        ("prices", "code"),
        [
            ([[1, 30_100]], Code.INVALID_ODDS),
            ([[1, 10_000]], Code.INVALID_ODDS),
            ([[2, 45_000], [9, 20_000]], Code.INVALID_RUNNER),
            ([[4, 20_000]], Code.RUNNER_REMOVED),
            ([[1, 30_000]], Code.UNCHANGED),
        ],
    )
    def test_all_are_set_or_none(self, prices: list[list[int]], code: Code) -> None:
        desk = Desk().open()
        desk.operate_market("selection_removed", selection_id=4)
        assert code_of(desk.operate_market("prices", prices=prices)) == code
        shown = [s.odds_e4 for s in desk.images[EVENT, MARKET].selections]
        assert shown == [30_000, 40_000, 50_000, 0]
        desk.check()

    def test_new_odds_are_shown_and_taken(self) -> None:
        desk = Desk().open()
        desk.operate_market("prices", prices=[[1, 0], [4, 10_000_000]])
        shown = [s.odds_e4 for s in desk.images[EVENT, MARKET].selections]
        assert shown == [0, 40_000, 50_000, 10_000_000]
        assert isinstance(desk.bet(selection_id=4, odds_e4=10_000_000), e.BetAccepted)
        desk.check()

    def test_a_pool_has_none(self) -> None:
        desk = Desk().open(pool_market())
        assert code_of(desk.operate_market("prices", prices=[[1, 20_000]])) == Code.INVALID_ODDS


class TestWithdrawal:
    def test_once_and_only_of_those_who_take_part(self) -> None:
        desk = Desk().open()
        entries = desk.operate_market("selection_removed", selection_id=1)
        assert isinstance(entries[0], e.SelectionWasRemoved)
        assert (desk.market().version, desk.market().material_version) == (2, 2)
        assert code_of(desk.operate_market("selection_removed", selection_id=1)) == Code.UNCHANGED
        unknown = desk.operate_market("selection_removed", selection_id=9)
        assert code_of(unknown) == Code.INVALID_RUNNER
        desk.check()
