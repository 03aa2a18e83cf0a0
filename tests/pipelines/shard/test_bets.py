"""Stages 2 to 7 for a bet that is answered at once: identify, dedupe, validate, price."""

import pytest

from pipelines.codes import SENTENCES, Code
from pipelines.limits import MARKET_STAKES_MAX_MINOR, STAKE_MAX_MINOR
from pipelines.messages import entries as e
from pipelines.shard import bet_changes
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market, pool_market


def refused(entry: e.Entry) -> str:
    assert isinstance(entry, e.BetRejected), entry
    assert entry.reason == SENTENCES[Code(entry.code)]
    return entry.code


def taken(entry: e.Entry) -> int:
    assert isinstance(entry, e.BetAccepted), entry
    return entry.odds_e4


class TestIdentify:
    def test_the_bettor_is_whom_the_transport_names(self) -> None:
        desk = Desk().open()
        entry = desk.bet(client_id="ann")
        assert isinstance(entry, e.BetAccepted)
        assert entry.client_id == "ann"
        desk.check()

    def test_nobody_bets_without_identity(self) -> None:
        desk = Desk().open()
        (entry,) = desk.bets(bet(client_id="ann"), "")
        assert isinstance(entry, e.RecordDeadLettered)
        assert entry.code == Code.PERMISSION_DENIED
        assert desk.dead[-1].code == Code.PERMISSION_DENIED
        desk.check()

    def test_a_payload_may_name_the_bettor_but_no_other(self) -> None:
        desk = Desk().open()
        (named,) = desk.bets(bet("b1", client_id="ann"))
        (other,) = desk.bets(bet("b2", client_id="bob"))
        assert taken(named)
        assert refused(other) == Code.PERMISSION_DENIED
        desk.check()

    def test_two_bettors_may_use_the_same_bet_id(self) -> None:
        desk = Desk().open()
        assert taken(desk.bet("b1", "ann"))
        assert taken(desk.bet("b1", "bob", stake_minor=2_000))
        desk.check()


class TestDedupe:
    def test_the_same_bet_gets_its_answer_again(self) -> None:
        desk = Desk().open()
        desk.bet()
        before = desk.market().escrow_minor
        for _ in range(3):
            again = desk.bet()
            assert isinstance(again, e.BetRepeated)
            assert (again.status, again.odds_e4, again.code) == ("accepted", 30_000, "")
        assert desk.market().escrow_minor == before
        desk.check()

    def test_also_a_refusal_even_where_the_bet_would_be_good_by_now(self) -> None:
        desk = Desk().open()
        assert refused(desk.bet(odds_e4=30_100)) == Code.INVALID_ODDS
        assert refused(desk.bet("b2", odds_e4=30_500)) == Code.ODDS_CHANGED
        desk.operate_market("prices", prices=[[1, 30_500]])
        again = desk.bet("b2", odds_e4=30_500)
        assert isinstance(again, e.BetRepeated)
        assert (again.status, again.code) == ("rejected", Code.ODDS_CHANGED)
        desk.check()

    @pytest.mark.parametrize(
        "change",
        [
            {"stake_minor": 1_001},
            {"selection_id": 2},
            {"odds_e4": 30_500},
            {"price_policy": "any"},
            {"tolerance_e4": 1},
            {"market_version": 2},
            {"market_id": "1.2"},
        ],
    )
    def test_another_body_under_the_id_is_a_conflict(self, change: dict[str, object]) -> None:
        desk = Desk().open()
        desk.bet()
        (entry,) = desk.bets(bet() | change)
        assert isinstance(entry, e.BetConflict)
        assert isinstance(desk.bet(), e.BetRepeated)
        desk.check()

    def test_the_present_answer_is_repeated_after_the_result(self) -> None:
        desk = Desk().open()
        desk.bet()
        desk.operate_market("market_status", status="SUSPENDED")
        desk.operate_market("result", winners=[1])
        again = desk.bet()
        assert isinstance(again, e.BetRepeated)
        assert again.status == "won"
        desk.check()

    def test_a_bet_refused_before_its_event_opened_stays_refused(self) -> None:
        desk = Desk()
        assert refused(desk.bet()) == Code.INVALID_EVENT_ID
        desk.open()
        again = desk.bet()
        assert isinstance(again, e.BetRepeated)
        assert (again.status, again.code) == ("rejected", Code.INVALID_EVENT_ID)
        assert isinstance(desk.bet(stake_minor=7), e.BetConflict)
        (broken,) = desk.bets(bet(stake_minor="7"))
        assert isinstance(broken, e.BetConflict)
        assert taken(desk.bet("b2"))
        desk.check()

    def test_what_is_remembered_of_refusals_is_bounded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bet_changes, "ANSWERS_OUTSIDE_MARKETS_MAX", 3)
        monkeypatch.setattr(bet_changes, "ORPHAN_ANSWERS_MAX", 2)
        desk = Desk()
        for number in range(5):
            desk.bet(f"early-{number}")
        assert len(desk.state.orphans) == 2
        desk.open()
        for number in range(5):
            assert refused(desk.bet(f"b{number}", market_id="1.2")) == Code.INVALID_MARKET_ID
        assert [k[1] for k in desk.state.events[EVENT].refusals] == ["b2", "b3", "b4"]
        assert isinstance(desk.bet("b4", market_id="1.2"), e.BetRepeated)


class TestValidate:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"event_id": "other"}, Code.EVENT_KEY_MISMATCH),
            ({"market_id": "1.2"}, Code.INVALID_MARKET_ID),
            ({"selection_id": 9}, Code.INVALID_RUNNER),
            ({"stake_minor": 99}, Code.INVALID_BET_SIZE),
            ({"stake_minor": 5_001}, Code.ABOVE_MAX_BET_AMOUNT),
            ({"odds_e4": 30_100}, Code.INVALID_ODDS),
            ({"odds_e4": 0}, Code.INVALID_ODDS),
            ({"odds_e4": 30_500}, Code.ODDS_CHANGED),
            ({"selection_id": 4}, Code.ODDS_CHANGED),
            ({"market_version": 0}, Code.INVALID_MARKET_VERSION),
            ({"market_version": 2}, Code.INVALID_MARKET_VERSION),
        ],
    )
    def test_each_fault_has_its_code(self, change: dict[str, object], code: Code) -> None:
        desk = Desk().open(fixed_market(stake_min_minor=100, stake_max_minor=5_000))
        (entry,) = desk.bets(bet() | change)
        assert refused(entry) == code
        desk.check()

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("SUSPENDED", Code.MARKET_SUSPENDED),
            ("INACTIVE", Code.MARKET_NOT_OPEN_FOR_BETTING),
            ("CLOSED", Code.MARKET_NOT_OPEN_FOR_BETTING),
        ],
    )
    @pytest.mark.parametrize("engine", ["fixed", "pool"])
    def test_a_market_that_is_not_open(self, engine: str, status: str, code: Code) -> None:
        desk = Desk().open(fixed_market() if engine == "fixed" else pool_market())
        desk.operate_market("market_status", status=status)
        assert refused(desk.bet(market_version=2)) == code
        desk.check()

    def test_a_withdrawn_selection(self) -> None:
        desk = Desk().open()
        desk.operate_market("selection_removed", selection_id=1)
        assert refused(desk.bet(market_version=2)) == Code.RUNNER_REMOVED
        desk.check()

    def test_the_stakes_of_a_market_together_are_bounded(self) -> None:
        # Without a bound, dividends of a pool would outgrow 64 bits and stop the shard.
        desk = Desk().open(pool_market())
        desk.bet("small", stake_minor=1, selection_id=2)
        count = MARKET_STAKES_MAX_MINOR // STAKE_MAX_MINOR
        for number in range(count - 1):
            desk.bet(f"b{number}", stake_minor=STAKE_MAX_MINOR)
        assert refused(desk.bet("over", stake_minor=STAKE_MAX_MINOR)) == Code.ABOVE_MAX_BET_AMOUNT
        room = MARKET_STAKES_MAX_MINOR - desk.market().escrow_minor
        assert refused(desk.bet("one", stake_minor=room + 1)) == Code.ABOVE_MAX_BET_AMOUNT
        assert taken(desk.bet("last", stake_minor=room)) == 0
        assert refused(desk.bet("more", stake_minor=1)) == Code.ABOVE_MAX_BET_AMOUNT
        desk.operate_market("market_status", status="CLOSED")
        entries = desk.operate_market("result", winners=[2])
        assert isinstance(entries[-1], e.MarketSettled)
        assert entries[-1].paid_minor == MARKET_STAKES_MAX_MINOR
        desk.check()


ASKED = 30_000


class TestAcceptableOdds:
    @pytest.mark.parametrize(
        ("offered", "policy", "tolerance", "expected"),
        [
            (30_000, "exact", 0, 30_000),
            (30_500, "exact", 0, None),
            (29_800, "exact", 0, None),
            (30_500, "exact", 500, 30_000),
            (29_800, "exact", 200, 29_800),
            (29_800, "exact", 199, None),
            (30_500, "better", 0, 30_500),
            (50_000, "better", 0, 50_000),
            (29_800, "better", 0, None),
            (29_800, "better", 200, 29_800),
            (29_600, "better", 200, None),
            (10_100, "any", 0, 10_100),
            (50_000, "any", 0, 50_000),
            (0, "any", 0, None),
            (0, "better", 10_000_000, None),
        ],
    )
    def test_policy_and_tolerance(
        self, offered: int, policy: str, tolerance: int, expected: int | None
    ) -> None:
        desk = Desk().open()
        if offered != ASKED:
            desk.operate_market("prices", prices=[[1, offered]])
        entry = desk.bet(odds_e4=ASKED, price_policy=policy, tolerance_e4=tolerance)
        if expected is None:
            assert refused(entry) == Code.ODDS_CHANGED
        else:
            assert taken(entry) == expected
        desk.check()

    def test_no_policy_excuses_odds_off_the_ladder(self) -> None:
        desk = Desk().open()
        entry = desk.bet(odds_e4=30_001, price_policy="any", tolerance_e4=100)
        assert refused(entry) == Code.INVALID_ODDS

    def test_a_pool_makes_no_promise_of_odds_or_version(self) -> None:
        desk = Desk().open(pool_market())
        desk.bet("first", selection_id=2)
        assert taken(desk.bet(odds_e4=123, market_version=0)) == 0
        desk.check()

    def test_a_version_older_than_the_last_material_change_is_refused(self) -> None:
        desk = Desk().open()
        desk.operate_market("market_status", status="SUSPENDED")  # 2, not material
        assert desk.market().material_version == 1
        desk.operate_market("market_status", status="OPEN")  # 3, made while suspended
        assert (desk.market().version, desk.market().material_version) == (3, 3)
        for version in (1, 2):
            entry = desk.bet(f"v{version}", market_version=version)
            assert refused(entry) == Code.INVALID_MARKET_VERSION
        assert taken(desk.bet("v3", market_version=3))
        desk.check()

    def test_a_change_that_is_not_material_refuses_nobody(self) -> None:
        desk = Desk().open()
        desk.operate_market("market_status", bet_delay_ms=5_000)
        assert (desk.market().version, desk.market().material_version) == (2, 1)
        assert taken(desk.bet("v1", market_version=1))
        assert taken(desk.bet("v2", market_version=2))
        desk.operate_market("market_status", bet_delay_ms=1_000, material=True)
        assert refused(desk.bet("old", market_version=2)) == Code.INVALID_MARKET_VERSION
        desk.check()

    def test_prices_do_not_change_the_version(self) -> None:
        desk = Desk().open()
        desk.operate_market("prices", prices=[[2, 45_000]])
        assert taken(desk.bet())


class TestLossLimit:
    def test_a_bet_is_taken_up_to_the_limit_and_no_further(self) -> None:
        # s_max = (limit + P&L)/(o - 1): 2,000 / 2.
        desk = Desk().open(fixed_market(loss_limit_minor=2_000))
        assert refused(desk.bet("over", stake_minor=1_001)) == Code.LOSS_LIMIT_EXCEEDED
        assert taken(desk.bet("full", stake_minor=1_000))
        assert refused(desk.bet("one", stake_minor=1)) == Code.LOSS_LIMIT_EXCEEDED
        # A bet on another selection improves this one: 1,000 more may be lost by 500 at 3.0.
        assert taken(desk.bet("hedge", selection_id=2, odds_e4=40_000, stake_minor=1_000))
        assert taken(desk.bet("room", stake_minor=500))
        assert refused(desk.bet("last", stake_minor=1)) == Code.LOSS_LIMIT_EXCEEDED
        desk.check()

    def test_a_withdrawal_frees_the_limit(self) -> None:
        desk = Desk().open(fixed_market(loss_limit_minor=2_000))
        desk.bet("full", stake_minor=1_000)
        desk.operate_market("selection_removed", selection_id=1)
        assert taken(
            desk.bet("b2", selection_id=2, odds_e4=40_000, stake_minor=666, market_version=2)
        )
        entry = desk.bet("b3", selection_id=2, odds_e4=40_000, stake_minor=1, market_version=2)
        assert refused(entry) == Code.LOSS_LIMIT_EXCEEDED
        desk.check()


def test_the_image_shows_what_can_be_bet_on() -> None:
    desk = Desk().open(pool_market(3, takeout_e4=1_000))
    desk.bet("b1", selection_id=1, stake_minor=100)
    desk.bet("b2", selection_id=2, stake_minor=300)
    image = desk.images[EVENT, MARKET]
    shown = {s.selection_id: (s.status, s.odds_e4, s.staked_minor) for s in image.selections}
    assert shown == {
        1: ("ACTIVE", 36_000, 100),
        2: ("ACTIVE", 12_000, 300),
        3: ("ACTIVE", 0, 0),
    }
    assert (image.staked_minor, image.status, image.version) == (400, "OPEN", 1)
