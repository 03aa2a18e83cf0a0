"""Stage 8: win, loss, void, dead heat, withdrawal, rollback, a second result; money adds up."""

import pytest

from pipelines.codes import Code
from pipelines.messages import entries as e
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, fixed_market, pool_market


def result(desk: Desk, *winners: int, **fields: object) -> list[e.Entry]:
    if desk.market().status == "OPEN":
        desk.operate_market("market_status", status="SUSPENDED")
    return desk.operate_market("result", winners=winners, **fields)


def outcomes(entries: list[e.Entry]) -> dict[str, tuple[str, int]]:
    return {
        entry.bet_id: (entry.result, entry.payout_minor)
        for entry in entries
        if isinstance(entry, e.BetSettled)
    }


def settled(entries: list[e.Entry]) -> e.MarketSettled:
    entry = entries[-1]
    assert isinstance(entry, e.MarketSettled), entry
    return entry


def fixed_desk(**market: object) -> Desk:
    desk = Desk().open(fixed_market(**market))
    desk.bet("b1", selection_id=1, odds_e4=30_000, stake_minor=1_000)
    desk.bet("b2", selection_id=2, odds_e4=40_000, stake_minor=500)
    desk.bet("b3", "bob", selection_id=3, odds_e4=50_000, stake_minor=300)
    return desk


def code_of(entries: list[e.Entry]) -> str:
    (entry,) = entries
    assert isinstance(entry, e.OperationRefused), entry
    return entry.code


class TestFixed:
    def test_win_and_loss(self) -> None:
        desk = fixed_desk()
        entries = result(desk, 2)
        assert outcomes(entries) == {"b1": ("loss", 0), "b2": ("win", 2_000), "b3": ("loss", 0)}
        end = settled(entries)
        assert (end.bets, end.staked_minor, end.paid_minor) == (3, 1_800, 2_000)
        assert end.postings == (("house:book", -200),)
        image = desk.images[EVENT, MARKET]
        assert image.status == "SETTLED"
        assert [s.status for s in image.selections] == ["LOSER", "WINNER", "LOSER", "LOSER"]
        desk.check()

    def test_dead_heat(self) -> None:
        desk = fixed_desk()
        entries = result(desk, 1, 3)
        assert outcomes(entries) == {"b1": ("win", 1_500), "b2": ("loss", 0), "b3": ("win", 750)}
        desk.check()

    def test_several_places_pay_in_full(self) -> None:
        desk = fixed_desk(number_of_winners=2)
        assert outcomes(result(desk, 1, 2)) == {
            "b1": ("win", 3_000),
            "b2": ("win", 2_000),
            "b3": ("loss", 0),
        }
        desk.check()

    def test_dead_heat_for_the_last_of_two_places(self) -> None:
        desk = fixed_desk(number_of_winners=2)
        paid = outcomes(result(desk, 1, 2, 3))
        assert paid == {"b1": ("win", 2_000), "b2": ("win", 1_333), "b3": ("win", 1_000)}
        desk.check()

    def test_void_refunds_all(self) -> None:
        desk = fixed_desk()
        entries = result(desk, void=True, reason="abandoned")
        assert set(outcomes(entries).values()) == {("void", 1_000), ("void", 500), ("void", 300)}
        assert settled(entries).postings == ()
        bets = [entry for entry in entries if isinstance(entry, e.BetSettled)]
        assert {entry.reason for entry in bets} == {"abandoned"}
        desk.check()

    def test_withdrawal_refunds_at_once_and_for_good(self) -> None:
        desk = fixed_desk()
        entries = desk.operate_market("selection_removed", selection_id=3)
        assert outcomes(entries) == {"b3": ("void", 300)}
        assert desk.images[EVENT, MARKET].selections[2].status == "REMOVED"
        assert outcomes(result(desk, 1)) == {"b1": ("win", 3_000), "b2": ("loss", 0)}
        desk.operate_market("result_rolled_back")
        assert outcomes(result(desk, 2)) == {"b1": ("loss", 0), "b2": ("win", 2_000)}
        desk.check()

    def test_bets_of_an_interval_are_voided(self) -> None:
        desk = Desk().open()
        start_ms = desk.now_ms
        for number in range(5):
            desk.now_ms = start_ms + number * 100
            desk.bet(f"b{number}", stake_minor=100 + number)
        entries = desk.operate_market(
            "bets_voided", from_ms=start_ms + 100, to_ms=start_ms + 300, reason="late"
        )
        assert outcomes(entries) == {f"b{n}": ("void", 100 + n) for n in (1, 2, 3)}
        assert code_of(desk.operate_market("bets_voided", to_ms=start_ms - 1)) == Code.UNCHANGED
        assert outcomes(result(desk, 1)) == {"b0": ("win", 300), "b4": ("win", 312)}
        assert code_of(desk.operate_market("bets_voided")) == Code.ALREADY_SETTLED
        desk.check()


class TestResettlement:
    def test_a_rollback_reverses_what_was_paid_and_a_new_result_pays_anew(self) -> None:
        desk = fixed_desk()
        before = desk.market().escrow_minor
        result(desk, 2)
        back = desk.operate_market("result_rolled_back", reason="wrong horse")
        reversed_bets = {
            entry.bet_id: entry.payout_minor for entry in back if isinstance(entry, e.BetUnsettled)
        }
        assert reversed_bets == {"b1": 0, "b2": 2_000, "b3": 0}
        assert isinstance(back[-1], e.MarketUnsettled)
        assert back[-1].postings == (("house:book", 200),)
        assert desk.market().escrow_minor == before
        assert desk.images[EVENT, MARKET].status == "CLOSED"
        desk.check()
        again = result(desk, 1)
        assert outcomes(again)["b1"] == ("win", 3_000)
        assert settled(again).settlement == 2
        assert desk.images[EVENT, MARKET].settlement == 2
        desk.check()

    def test_a_rollback_of_a_void(self) -> None:
        desk = fixed_desk()
        result(desk, void=True)
        desk.operate_market("result_rolled_back")
        assert outcomes(result(desk, 3))["b3"] == ("win", 1_500)
        desk.check()

    def test_a_result_stands_until_it_is_rolled_back(self) -> None:
        desk = fixed_desk()
        result(desk, 2)
        assert code_of(result(desk, 2)) == Code.ALREADY_SETTLED
        assert code_of(result(desk, 1)) == Code.ALREADY_SETTLED
        desk.operate_market("result_rolled_back")
        assert code_of(desk.operate_market("result_rolled_back")) == Code.NOT_SETTLED
        desk.check()

    def test_who_was_declined_by_a_result_stays_declined(self) -> None:
        desk = Desk().open(fixed_market(in_play=True, bet_delay_ms=5_000))
        desk.bet("late")
        result(desk, 1)
        desk.operate_market("result_rolled_back")
        assert outcomes(result(desk, 1)) == {}
        desk.check()


class TestPool:
    def test_the_net_pool_is_shared_and_the_rest_is_posted(self) -> None:
        desk = Desk().open(pool_market(3, takeout_e4=1_500, breakage_e4=1_000))
        for number, (selection, stake) in enumerate([(1, 300), (2, 500), (1, 200), (3, 1_000)]):
            desk.bet(f"b{number}", selection_id=selection, stake_minor=stake)
        entries = result(desk, 1)
        # N = 2,000 * 0.85 = 1,700; 1,700 / 500 = 3.4.
        assert outcomes(entries) == {
            "b0": ("win", 1_020),
            "b1": ("loss", 0),
            "b2": ("win", 680),
            "b3": ("loss", 0),
        }
        assert settled(entries).postings == (("house:commission", 300),)
        desk.check()

    def test_nobody_on_the_winner_gets_all_refunded(self) -> None:
        desk = Desk().open(pool_market(3, takeout_e4=1_500))
        desk.bet("b1", selection_id=1)
        entries = result(desk, 3)
        assert outcomes(entries) == {"b1": ("void", 1_000)}
        assert settled(entries).postings == ()
        desk.check()

    def test_a_pool_that_cannot_pay_the_minimum_is_paid_by_the_house(self) -> None:
        desk = Desk().open(pool_market(2, takeout_e4=2_000, minimum_dividend_e4=10_500))
        desk.bet("b1", selection_id=1, stake_minor=10_000)
        entries = result(desk, 1)
        assert outcomes(entries) == {"b1": ("win", 10_500)}
        assert settled(entries).postings == (
            ("house:commission", 2_000),
            ("house:minus-pool", -2_500),
        )
        desk.check()

    def test_a_withdrawal_leaves_the_pool_before_the_takeout(self) -> None:
        desk = Desk().open(pool_market(3, takeout_e4=1_000))
        for selection, stake in ((1, 1_000), (2, 1_000), (3, 8_000)):
            desk.bet(f"b{selection}", selection_id=selection, stake_minor=stake)
        desk.operate_market("selection_removed", selection_id=3)
        assert desk.images[EVENT, MARKET].staked_minor == 2_000
        entries = result(desk, 1)
        assert outcomes(entries)["b1"] == ("win", 1_800)
        assert settled(entries).postings == (("house:commission", 200),)
        desk.check()


class TestRefused:
    def test_the_result_of_an_open_market(self) -> None:
        desk = fixed_desk()
        assert code_of(desk.operate_market("result", winners=[1])) == Code.MARKET_STILL_OPEN
        assert code_of(desk.operate_market("result", void=True)) == Code.MARKET_STILL_OPEN
        desk.check()

    @pytest.mark.parametrize("winners", [[], [9], [1, 9], [1, 1], [4]])
    def test_winners_that_cannot_be(self, winners: list[int]) -> None:
        desk = fixed_desk()
        desk.operate_market("selection_removed", selection_id=4)
        assert code_of(result(desk, *winners)) == Code.INVALID_RESULT
        desk.check()


def test_a_long_settlement_is_dense_and_folds() -> None:
    desk = Desk().open(pool_market(4, takeout_e4=1_234, breakage_e4=500))
    for number in range(3_000):
        desk.bet(
            f"b{number}", f"c{number % 97}", selection_id=number % 4 + 1, stake_minor=number + 1
        )
    result(desk, 2, 4)
    desk.operate_market("result_rolled_back")
    result(desk, 3)
    desk.check()
