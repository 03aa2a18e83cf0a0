"""Referred bets: a trader's word, a deadline, and one answer whatever comes between."""

import random
from typing import Any

import pytest

from pipelines.messages import entries as e
from pipelines.shard.state import PENDING
from tests.pipelines.audit.topics import decide
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market

TIMEOUT_MS = 5_000


def referring(**changes: object) -> Desk:
    desk = Desk().open(fixed_market(**changes))
    desk.operate("risk_set", referral_timeout_ms=TIMEOUT_MS)
    desk.operate("risk_lever", action="refer", client_id="ann")
    return desk


def word(desk: Desk, bet_id: str, accept: bool, **more: Any) -> list[e.Entry]:
    return desk.operate_market(
        "referral_decided", client_id="ann", bet_id=bet_id, accept=accept, **more
    )


def referred(desk: Desk, bet_id: str = "b1", **more: Any) -> e.BetPending:
    entry = desk.bet(bet_id, market_version=desk.market().version, **more)
    assert isinstance(entry, e.BetPending)
    assert entry.referred
    return entry


def test_a_trader_takes_it() -> None:
    desk = referring()
    assert referred(desk).due_ms == desk.now_ms + TIMEOUT_MS
    assert isinstance(desk.bet("other", client_id="bob"), e.BetAccepted)
    desk.now_ms += 1_000
    (accepted,) = word(desk, "b1", True)
    assert isinstance(accepted, e.ReferralAccepted)
    (confirmed,) = desk.tick(desk.now_ms)
    assert isinstance(confirmed, e.BetConfirmed)
    desk.check()


def test_in_play_it_is_held_for_the_delay_after_the_word() -> None:
    desk = referring(in_play=True, bet_delay_ms=2_000)
    referred(desk)
    (accepted,) = word(desk, "b1", True)
    assert isinstance(accepted, e.ReferralAccepted)
    assert accepted.due_ms == desk.now_ms + 2_000
    assert desk.tick(desk.now_ms + 1_999) == []
    (confirmed,) = desk.tick(desk.now_ms + 1)
    assert isinstance(confirmed, e.BetConfirmed)


def test_a_trader_declines_it_with_a_counter_offer() -> None:
    desk = referring()
    referred(desk)
    (declined,) = word(desk, "b1", False, offer_odds_e4=28_000, offer_stake_minor=300)
    assert isinstance(declined, e.BetDeclined)
    assert (declined.code, declined.offer_odds_e4, declined.offer_stake_minor) == (
        "NOT_ACCEPTED", 28_000, 300,
    )  # fmt: skip
    again = desk.bet("b1")
    assert isinstance(again, e.BetRepeated)
    assert (again.status, again.code) == ("rejected", "NOT_ACCEPTED")
    assert refusal(word(desk, "b1", True)) == "BET_TAKEN_OR_LAPSED"
    desk.check()


def refusal(entries: list[e.Entry]) -> str:
    (entry,) = entries
    assert isinstance(entry, e.OperationRefused)
    return entry.code


def test_without_a_word_it_is_declined() -> None:
    desk = referring()
    due_ms = referred(desk).due_ms
    assert desk.tick(due_ms - 1) == []
    (declined,) = desk.tick(due_ms)
    assert isinstance(declined, e.BetDeclined)
    assert declined.code == "EXPIRED_DOWNSTREAM"
    desk.check()


def test_it_is_checked_again_after_the_word() -> None:
    desk = referring()
    referred(desk)
    desk.operate_market("prices", prices=[[1, 20_000]])
    word(desk, "b1", True)
    (declined,) = desk.tick(desk.now_ms)
    assert isinstance(declined, e.BetDeclined)
    assert declined.code == "ODDS_CHANGED"
    desk.check()


def test_a_market_that_is_settled_declines_it() -> None:
    desk = referring()
    referred(desk)
    desk.operate_market("market_status", status="SUSPENDED")
    entries = desk.operate_market("result", winners=[1])
    assert [x.code for x in entries if isinstance(x, e.BetDeclined)] == [
        "MARKET_NOT_OPEN_FOR_BETTING"
    ]
    assert not desk.market().referred
    desk.check()


@pytest.mark.parametrize("seed", range(150))
def test_whatever_comes_between_a_referred_bet_has_one_answer(seed: int) -> None:
    chance = random.Random(seed)
    desk = referring(in_play=chance.random() < 0.5, bet_delay_ms=2_000)
    placed = 0
    answers: dict[str, list[str]] = {}

    def note(entries: list[e.Entry]) -> None:
        for x in entries:
            final = isinstance(x, e.BetConfirmed | e.BetDeclined | e.BetCancelled | e.BetAccepted)
            if final or isinstance(x, e.BetRejected):
                answers.setdefault(x.bet_id, []).append(type(x).__name__)

    for _ in range(30):
        desk.now_ms += chance.choice([1, 500, 3_000])
        one = f"b{chance.randrange(placed + 1)}"
        what = chance.choice(["bet", "bet", "word", "word", "cancel", "again", "price", "status",
                              "tick", "lever", "void"])  # fmt: skip
        if what == "bet":
            note(desk.bets(bet(f"b{placed}", market_version=desk.market().version)))
            placed += 1
        elif what == "word":
            note(word(desk, one, chance.random() < 0.6))
        elif what == "cancel":
            cancel = {"type": "cancel", "event_id": EVENT, "market_id": MARKET, "bet_id": one}
            note(desk.bets(cancel))
        elif what == "again" and placed:
            note(desk.bets(bet("b0")))
        elif what == "price":
            note(desk.operate_market("prices", prices=[[1, chance.choice([29_800, 30_000])]]))
        elif what == "status":
            status = chance.choice(["OPEN", "SUSPENDED"])
            note(desk.operate_market("market_status", status=status))
        elif what == "lever":
            action = chance.choice(["refer", "accept", "reject", "none"])
            note(desk.operate("risk_lever", action=action, client_id="ann"))
        elif what == "void":
            note(desk.operate_market("bets_voided", from_ms=desk.now_ms - 100))
        else:
            note(desk.tick(desk.now_ms))
        desk.check()
    desk.operate_market("market_status", status="CLOSED")
    note(desk.operate_market("result", winners=[2]))
    assert all(bet.status != PENDING for bet in desk.state.events[EVENT].bets.values())
    assert set(answers) == {f"b{n}" for n in range(placed)}
    assert all(len(found) == 1 for found in answers.values()), answers
    desk.check()
    records = [one for one in desk.sent if not isinstance(one, int)]
    report = decide([[one] for one in records]).audit()
    assert report.holds, [check.examples[:2] for check in report.checks if check.failures]
