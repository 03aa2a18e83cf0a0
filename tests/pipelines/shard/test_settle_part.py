"""Partial settlement: a selection is settled before its market, and counted in at the end."""

import random

import pytest

from pipelines.messages import entries as e
from pipelines.shard import settle
from pipelines.shard.state import ACCEPTED, LOST, WON
from tests.pipelines.audit.topics import decide
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market, pool_market
from tests.pipelines.shard.test_settling import in_chunks

ODDS = {1: 30_000, 2: 40_000, 3: 50_000}


def desk_with_bets(bets: int = 6, **changes: object) -> Desk:
    desk = Desk().open(fixed_market(**changes))
    for number in range(bets):
        selection = number % 3 + 1
        desk.bet(f"b{number}", selection_id=selection, stake_minor=100, odds_e4=ODDS[selection])
    return desk


def resulted(desk: Desk, selection: int, result: str) -> list[e.Entry]:
    return desk.operate_market("selection_resulted", selection_id=selection, result=result)


def refusal(entries: list[e.Entry]) -> str:
    (entry,) = entries
    assert isinstance(entry, e.OperationRefused)
    return entry.code


def outcomes(entries: list[e.Entry]) -> dict[str, tuple[str, int, int]]:
    return {
        x.bet_id: (x.result, x.payout_minor, x.settlement)
        for x in entries
        if isinstance(x, e.BetSettled)
    }


def test_a_selection_that_is_out_is_settled_and_the_others_go_on() -> None:
    desk = desk_with_bets()
    entries = resulted(desk, 3, "LOSER")
    assert outcomes(entries) == {"b2": ("loss", 0, 1), "b5": ("loss", 0, 1)}
    assert isinstance(entries[-1], e.SelectionResultEnded)
    shown = {s.selection_id: (s.status, s.odds_e4) for s in desk.images[EVENT, MARKET].selections}
    assert shown[3] == ("LOSER", 0)
    assert shown[1] == ("ACTIVE", 30_000)
    version = desk.market().version
    refused = desk.bet("late", selection_id=3, odds_e4=50_000, market_version=version)
    assert isinstance(refused, e.BetRejected)
    assert refused.code == "MARKET_NOT_OPEN_FOR_BETTING"
    assert isinstance(desk.bet("other", market_version=version), e.BetAccepted)
    desk.check()


def test_a_winner_is_paid_in_full_at_once() -> None:
    desk = desk_with_bets(number_of_winners=2)
    assert outcomes(resulted(desk, 2, "WINNER")) == {"b1": ("win", 400, 1), "b4": ("win", 400, 1)}
    assert desk.market().escrow_minor == 600 - 800
    desk.check()


def test_the_result_counts_it_in_and_its_rollback_takes_it_back() -> None:
    desk = desk_with_bets()
    resulted(desk, 3, "LOSER")
    desk.operate_market("market_status", status="SUSPENDED")
    assert refusal(desk.operate_market("result", winners=[3])) == "INVALID_RESULT"
    assert refusal(desk.operate_market("result", winners=[1, 3])) == "INVALID_RESULT"
    entries = desk.operate_market("result", winners=[1])
    assert set(outcomes(entries)) == {"b0", "b1", "b3", "b4"}
    end = entries[-1]
    assert isinstance(end, e.MarketSettled)
    assert (end.bets, end.staked_minor, end.paid_minor) == (6, 600, 600)
    assert end.postings == ()
    desk.check()
    back = desk.operate_market("result_rolled_back")
    assert len([x for x in back if isinstance(x, e.BetUnsettled)]) == 6
    assert {bet.status for bet in desk.market().bets} == {ACCEPTED}
    assert set(desk.market().selections.values()) == {"ACTIVE"}
    desk.check()
    end = desk.operate_market("result", winners=[3])[-1]
    assert isinstance(end, e.MarketSettled)
    assert (end.bets, end.paid_minor) == (6, 1_000)
    desk.check()


def test_it_can_be_taken_back_by_itself() -> None:
    desk = desk_with_bets()
    resulted(desk, 1, "WINNER")
    assert refusal(resulted(desk, 1, "LOSER")) == "INVALID_RESULT"
    entries = resulted(desk, 1, "ACTIVE")
    taken = [(x.bet_id, x.payout_minor) for x in entries if isinstance(x, e.BetUnsettled)]
    assert taken == [("b0", 300), ("b3", 300)]
    assert desk.market().settled_early == (0, 0, 0)
    version = desk.market().version
    assert isinstance(desk.bet("new", market_version=version), e.BetAccepted)
    assert len(outcomes(resulted(desk, 1, "LOSER"))) == 3
    desk.check()


def test_an_abandoned_market_refunds_what_is_open() -> None:
    desk = desk_with_bets()
    resulted(desk, 3, "LOSER")
    desk.operate_market("market_status", status="SUSPENDED")
    entries = desk.operate_market("result", void=True)
    assert {x[0] for x in outcomes(entries).values()} == {"void"}
    end = entries[-1]
    assert isinstance(end, e.MarketSettled)
    assert end.postings == (("house:book", 200),)
    desk.check()


def test_a_dead_heat_that_would_share_what_was_paid_is_refused() -> None:
    desk = desk_with_bets()
    resulted(desk, 1, "WINNER")
    desk.operate_market("market_status", status="SUSPENDED")
    assert refusal(desk.operate_market("result", winners=[1, 2])) == "INVALID_RESULT"
    assert refusal(desk.operate_market("result", winners=[2])) == "INVALID_RESULT"
    assert isinstance(desk.operate_market("result", winners=[1])[-1], e.MarketSettled)


@pytest.mark.parametrize(
    ("market", "selection", "result", "code"),
    [
        (pool_market(), 1, "WINNER", "INVALID_RESULT"),
        (fixed_market(fixed={"each_way_divisor": 5, "each_way_places": 2}), 1, "LOSER",
         "INVALID_RESULT"),
        (fixed_market(), 99, "LOSER", "INVALID_RUNNER"),
        (fixed_market(), 1, "ACTIVE", "UNCHANGED"),
    ],
)  # fmt: skip
def test_what_is_refused(market: dict[str, object], selection: int, result: str, code: str) -> None:
    assert refusal(resulted(Desk().open(market), selection, result)) == code


def test_no_more_winners_than_the_market_pays_and_none_that_is_withdrawn() -> None:
    desk = desk_with_bets()
    desk.operate_market("selection_removed", selection_id=2)
    assert refusal(resulted(desk, 2, "LOSER")) == "RUNNER_REMOVED"
    resulted(desk, 1, "WINNER")
    assert refusal(resulted(desk, 3, "WINNER")) == "INVALID_RESULT"


@pytest.mark.parametrize("seed", range(60))
def test_random_lives_in_chunks_keep_money_and_the_audit_holds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "SETTLE_CHUNK_BETS", 4)
    chance = random.Random(seed)
    desk = desk_with_bets(chance.randrange(3, 20), number_of_winners=2)
    for step in range(12):
        what = chance.choice(["part", "part", "back", "bet", "result", "roll_back", "void"])
        desk.now_ms += 20
        if what == "part":
            resulted(desk, chance.randrange(1, 4), chance.choice(["WINNER", "LOSER"]))
        elif what == "back":
            resulted(desk, chance.randrange(1, 4), "ACTIVE")
        elif what == "bet":
            chosen = chance.randrange(1, 4)
            request = bet(f"n{step}", selection_id=chosen, stake_minor=10, odds_e4=ODDS[chosen])
            desk.bets(request | {"market_version": desk.market().version})
        elif what == "void":
            desk.operate_market("bets_voided", from_ms=desk.now_ms - 40, to_ms=desk.now_ms)
        elif what == "roll_back":
            desk.operate_market("result_rolled_back")
        else:
            desk.operate_market("market_status", status="SUSPENDED")
            desk.operate_market("result", winners=chance.sample([1, 2, 3], 2))
        if chance.random() < 0.7:
            for _ in in_chunks(desk):
                pass
        desk.check()
    for _ in in_chunks(desk):
        pass
    early = {s: status for s, status in desk.market().selections.items() if status != "ACTIVE"}
    for taken in desk.market().bets:
        if not desk.market().settled and taken.status in (WON, LOST):
            assert early[taken.selection_id] == ("WINNER" if taken.status == WON else "LOSER")
    records = [one for one in desk.sent if not isinstance(one, int)]
    assert decide([[one] for one in records]).audit().holds
