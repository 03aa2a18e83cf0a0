"""Parts of bets that wait, for the bet delay, a trader or their money: one answer, money exact."""

import random
from typing import Any

import pytest

from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.shard.bettor import bettor_key
from pipelines.shard.state import ACCEPTED, CANCELLED, LOST, PENDING, REJECTED, VOID, WON
from tests.pipelines.audit.topics import decide
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market
from tests.pipelines.shard.town import Town

TIMEOUT_MS = 5_000
DEPOSIT = 2_500
ASKED = {"selection_id": 1, "stake_minor": 900, "odds_e4": 30_000, "market_version": 1}


def delayed(**risk: Any) -> Desk:
    """A market in-play that takes 500 at 3.0, then no more."""
    market = fixed_market(loss_limit_minor=1_000, in_play=True, bet_delay_ms=1_000)
    desk = Desk().open(market)
    if risk:
        desk.operate("risk_set", referral_timeout_ms=TIMEOUT_MS, **risk)
    return desk


def word(desk: Desk, accept: bool = True, **more: Any) -> e.Entry:
    (entry,) = desk.operate_market(
        "referral_decided", client_id="ann", bet_id="b1", accept=accept, **more
    )
    return entry


def audited(desk: Desk) -> None:
    desk.check()
    report = decide([[one] for one in desk.sent]).audit()
    assert report.holds, [check.examples[:2] for check in report.checks if check.failures]


def test_in_play_a_part_is_taken_after_the_delay() -> None:
    desk = delayed()
    held = desk.bet(stake_minor=900, accept_partial=True)
    assert isinstance(held, e.BetPending)
    assert (held.stake_minor, held.accept_partial) == (900, True)
    (taken,) = desk.tick(held.due_ms)
    assert isinstance(taken, e.BetPartlyConfirmed)
    assert (taken.stake_minor, taken.asked_stake_minor, taken.odds_e4) == (500, 900, 30_000)
    assert desk.market().escrow_minor == 500
    assert isinstance(desk.bet(stake_minor=900, accept_partial=True), e.BetRepeated)
    assert isinstance(desk.bet(stake_minor=500, accept_partial=True), e.BetConflict)
    audited(desk)


def test_the_part_is_what_there_is_room_for_when_the_delay_is_over() -> None:
    desk = delayed()
    held = desk.bet(stake_minor=900, accept_partial=True)
    assert isinstance(held, e.BetPending)
    desk.bet("other", "bob", selection_id=2, odds_e4=40_000, stake_minor=300)
    confirmed, part = desk.tick(held.due_ms)[::-1]
    assert isinstance(confirmed, e.BetConfirmed)
    assert isinstance(part, e.BetPartlyConfirmed)
    audited(desk)


def test_without_leave_for_a_part_the_refusal_after_the_delay_has_an_offer() -> None:
    desk = delayed()
    held = desk.bet(stake_minor=400)
    assert isinstance(held, e.BetPending)
    desk.operate("risk_set", selection_loss_limit_minor=300)
    (declined,) = desk.tick(held.due_ms)
    assert isinstance(declined, e.BetDeclined)
    found = (declined.code, declined.offer_odds_e4, declined.offer_stake_minor)
    assert found == ("LOSS_LIMIT_EXCEEDED", 30_000, 150)
    audited(desk)


def test_no_part_is_held_where_there_is_no_room_at_all() -> None:
    desk = delayed(selection_loss_limit_minor=1)
    entry = desk.bet(stake_minor=900, accept_partial=True)
    assert isinstance(entry, e.BetRejected)
    assert (entry.code, entry.offer_stake_minor) == ("LOSS_LIMIT_EXCEEDED", 0)
    audited(desk)


@pytest.mark.parametrize("delay_ms", [0, 1_000])
def test_a_trader_takes_a_part_where_that_is_allowed(delay_ms: int) -> None:
    desk = Desk().open(fixed_market(in_play=True, bet_delay_ms=delay_ms, stake_min_minor=10))
    desk.operate("risk_set", referral_timeout_ms=TIMEOUT_MS)
    desk.operate("risk_lever", action="refer")
    held = desk.bet(stake_minor=900, accept_partial=True)
    assert isinstance(held, e.BetPending)
    assert held.referred
    for stake in (9, 901):
        no = word(desk, stake_minor=stake)
        assert isinstance(no, e.OperationRefused)
        assert no.code == "INVALID_BET_SIZE"
    yes = word(desk, stake_minor=200)
    assert isinstance(yes, e.ReferralAccepted)
    assert (yes.stake_minor, yes.due_ms) == (200, desk.now_ms + delay_ms)
    (taken,) = desk.tick(yes.due_ms)
    assert isinstance(taken, e.BetPartlyConfirmed)
    assert (taken.stake_minor, taken.asked_stake_minor) == (200, 900)
    assert isinstance(desk.bet(stake_minor=900, accept_partial=True), e.BetRepeated)
    assert isinstance(desk.bet(stake_minor=200, accept_partial=True), e.BetConflict)
    audited(desk)


def test_a_trader_who_takes_less_than_was_allowed_makes_an_offer() -> None:
    desk = Desk().open()
    desk.operate("risk_lever", action="refer")
    assert isinstance(desk.bet(stake_minor=900), e.BetPending)
    declined = word(desk, stake_minor=200)
    assert isinstance(declined, e.BetDeclined)
    found = (declined.code, declined.offer_odds_e4, declined.offer_stake_minor)
    assert found == ("NOT_ACCEPTED", 30_000, 200)
    audited(desk)


def test_a_trader_who_takes_all_of_it_may_say_so() -> None:
    desk = Desk().open()
    desk.operate("risk_lever", action="refer")
    desk.bet(stake_minor=900)
    assert isinstance(word(desk, stake_minor=900), e.ReferralAccepted)
    (taken,) = desk.tick(desk.now_ms)
    assert type(taken) is e.BetConfirmed
    audited(desk)


def test_of_a_traders_part_the_limits_may_leave_less() -> None:
    desk = delayed(selection_loss_limit_minor=600)
    desk.operate("risk_lever", action="refer")
    desk.bet(stake_minor=900, accept_partial=True)
    yes = word(desk, stake_minor=400)
    assert isinstance(yes, e.ReferralAccepted)
    (taken,) = desk.tick(yes.due_ms)
    assert isinstance(taken, e.BetPartlyConfirmed)
    assert (taken.stake_minor, taken.asked_stake_minor) == (300, 900)
    audited(desk)


def test_a_class_is_held_for_its_delay_after_the_word_too() -> None:
    desk = Desk().open()
    slow = {"classes": [{"name": "slow", "delay_ms": 700}], "default_class": "slow"}
    desk.operate("risk_set", **slow)
    desk.operate("risk_lever", action="refer")
    desk.bet()
    yes = word(desk)
    assert isinstance(yes, e.ReferralAccepted)
    assert yes.due_ms == desk.now_ms + 700


# --- where the money is in an account


def town_of(**market: Any) -> Town:
    town = Town()
    town.open("race", accounts=True, **market)
    town.operate(bettor_key("ann"), "account_set", client_id="ann")
    town.deposit("ann", DEPOSIT)
    return town


def referring(**market: Any) -> Town:
    town = town_of(**market)
    town.operate("race", "risk_set", event_id="race", referral_timeout_ms=TIMEOUT_MS)
    town.operate("race", "risk_lever", event_id="race", action="refer")
    return town


def say(town: Town, bet_id: str, accept: bool = True, **more: Any) -> list[e.Entry]:
    return town.operate(
        "race", "referral_decided", event_id="race", market_id="m", client_id="ann",
        bet_id=bet_id, accept=accept, **more,
    )  # fmt: skip


def money(town: Town) -> tuple[int, int]:
    ann = town.bettor("ann")
    assert ann.held_minor == sum(ann.holds.values())
    return ann.balance_minor, ann.held_minor


def test_what_was_asked_for_is_held_and_the_part_is_paid() -> None:
    town = town_of(loss_limit_minor=1_000)
    first, *_ = town.bet("ann", "race", "b1", **ASKED, accept_partial=True)
    assert isinstance(first, e.BetPending)
    assert (first.stake_minor, first.accept_partial) == (900, True)
    town.deliver(town._home(bettor_key("ann")))
    assert money(town) == (2_500, 900)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").stake_minor == 500
    assert money(town) == (2_000, 0)
    town.result("race", 1)
    town.deliver_all()
    assert money(town) == (3_500, 0)
    town.check_folds()


def test_an_account_must_have_what_was_asked_for() -> None:
    town = town_of(loss_limit_minor=1_000)
    town.bet("ann", "race", "b1", **ASKED | {"stake_minor": 2_501}, accept_partial=True)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").code == "INSUFFICIENT_FUNDS"
    assert money(town) == (2_500, 0)


def test_what_tightens_while_the_account_is_asked_leaves_a_part() -> None:
    town = town_of()
    town.bet("ann", "race", "b1", **ASKED, accept_partial=True)
    town.operate("race", "risk_set", event_id="race", bettor_stake_max_minor=350)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").stake_minor == 350
    assert money(town) == (2_150, 0)
    town.check_folds()


@pytest.mark.parametrize("early", [True, False], ids=["before the account", "after the account"])
@pytest.mark.parametrize("delay_ms", [0, 2_000])
def test_a_trader_says_yes(early: bool, delay_ms: int) -> None:
    town = referring(in_play=True, bet_delay_ms=delay_ms)
    town.bet("ann", "race", "b1", **ASKED)
    if not early:
        town.deliver_all()
        assert money(town) == (2_500, 900)
    say(town, "b1")
    town.deliver_all()
    town.wait(delay_ms)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    assert money(town) == (1_600, 0)
    town.check_folds()


@pytest.mark.parametrize("early", [True, False], ids=["before the account", "after the account"])
@pytest.mark.parametrize(
    ("partial", "fields", "stake"),
    [(True, {"stake_minor": 300}, 300), (False, {"stake_minor": 300}, 0), (True, {}, 900)],
)
def test_a_trader_says_how_much(
    early: bool, partial: bool, fields: dict[str, int], stake: int
) -> None:
    town = referring()
    town.bet("ann", "race", "b1", **ASKED, accept_partial=partial)
    if not early:
        town.deliver_all()
    say(town, "b1", **fields)
    town.deliver_all()
    town.wait(0)
    town.deliver_all()
    found = town.the_bet("race", "ann", "b1")
    assert found.status == (ACCEPTED if stake else REJECTED)
    assert money(town) == (2_500 - stake, 0)
    town.check_folds()


@pytest.mark.parametrize("early", [True, False], ids=["before the account", "after the account"])
def test_a_trader_says_no(early: bool) -> None:
    town = referring()
    town.bet("ann", "race", "b1", **ASKED)
    if not early:
        town.deliver_all()
    say(town, "b1", accept=False)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").code == "NOT_ACCEPTED"
    assert money(town) == (2_500, 0)
    town.check_folds()


def test_nobody_says_anything() -> None:
    town = referring()
    town.bet("ann", "race", "b1", **ASKED)
    town.bet("ann", "race", "b2", **ASKED)
    town.deliver_all()
    town.wait(TIMEOUT_MS)
    town.deliver_all()
    codes = {town.the_bet("race", "ann", name).code for name in ("b1", "b2")}
    assert codes == {"EXPIRED_DOWNSTREAM"}
    assert money(town) == (2_500, 0)
    town.check_folds()


def test_a_word_is_no_use_while_the_account_says_nothing() -> None:
    town = referring()
    town.bet("ann", "race", "b1", **ASKED)
    say(town, "b1")
    town.wait(TRANSFER_DEADLINE_MS)
    assert town.the_bet("race", "ann", "b1").code == "EXPIRED_DOWNSTREAM"
    town.deliver_all()
    assert money(town) == (2_500, 0)
    town.check_folds()


FINAL = e.BetRejected | e.BetConfirmed | e.BetPartlyConfirmed | e.BetDeclined | e.BetCancelled


@pytest.mark.parametrize("seed", range(120))
def test_whatever_comes_between_there_is_one_answer_and_the_money_is_kept(seed: int) -> None:
    chance = random.Random(seed)
    in_play = {"in_play": chance.random() < 0.5, "bet_delay_ms": 1_500}
    town = referring(loss_limit_minor=chance.choice([0, 1_500]), **in_play)
    placed = 0
    for _ in range(40):
        one = f"b{chance.randrange(placed + 1)}"
        what = chance.choice(
            ["bet"] * 4 + ["word"] * 4 + ["deliver"] * 8 + ["wait", "wait"]
            + ["cancel", "lever", "status", "limits", "price", "void", "repeat"]
        )  # fmt: skip
        where = {"event_id": "race", "market_id": "m"}
        if what == "bet":
            version, stake = town.market("race").version, chance.choice([50, 300, 900, 4_000])
            asked = ASKED | {"market_version": version, "stake_minor": stake}
            partial = chance.random() < 0.6
            town.bet("ann", "race", f"b{placed}", **asked, accept_partial=partial)
            placed += 1
        elif what == "word":
            say(town, one, chance.random() < 0.7, stake_minor=chance.choice([0, 0, 100, 700]))
        elif what == "deliver":
            partition = chance.randrange(town.partitions)
            if chance.random() < 0.15:
                town.repeat_last(partition)
            town.deliver(partition)
        elif what == "wait":
            town.wait(chance.choice([1, 1_500, TIMEOUT_MS, TRANSFER_DEADLINE_MS]))
        elif what == "cancel":
            town.request("race", "ann", {"type": "cancel", "bet_id": one, **where})
        elif what == "lever":
            action = chance.choice(["refer", "accept", "reject", "limit", "none"])
            town.operate("race", "risk_lever", event_id="race", action=action,
                         client_id=chance.choice(["", "ann"]), stake_max_minor=200)  # fmt: skip
        elif what == "status":
            status = chance.choice(["OPEN", "OPEN", "SUSPENDED"])
            town.operate("race", "market_status", status=status, **where)
        elif what == "limits":
            limit = chance.choice([0, 400, 2_000])
            town.operate("race", "risk_set", event_id="race", bettor_stake_max_minor=limit,
                         referral_timeout_ms=TIMEOUT_MS)  # fmt: skip
        elif what == "price":
            price = chance.choice([29_800, 30_000])
            town.operate("race", "prices", prices=[[1, price]], **where)
        elif what == "void":
            town.operate("race", "bets_voided", from_ms=town.now_ms - 100, **where)
    town.result("race", chance.choice([1, 2]))
    town.deliver_all()
    town.wait(TRANSFER_DEADLINE_MS)
    town.deliver_all()
    answers: dict[str, int] = {}
    for entry in town.entries:
        if isinstance(entry, FINAL):
            answers[entry.bet_id] = answers.get(entry.bet_id, 0) + 1
    assert answers == {f"b{number}": 1 for number in range(placed)}
    bets = town.engines[town._home("race")].state.events["race"].bets.values()
    assert all(one.status != PENDING for one in bets)
    taken = [one for one in bets if one.status in (ACCEPTED, WON, LOST, VOID)]
    assert {one.status for one in bets} <= {WON, LOST, VOID, REJECTED, CANCELLED}
    due = DEPOSIT - sum(one.stake_minor for one in taken) + sum(x.payout_minor for x in taken)
    assert money(town) == (due, 0)
    posted = [one for one in town.entries if isinstance(one, be.FundsPosted)]
    assert all(sum(amount for _, amount in one.postings) == 0 for one in posted)
    town.check_folds()


def test_bets_of_two_markets_wait_apart() -> None:
    desk = delayed()
    desk.operate("market_opened", market=fixed_market(market_id="1.2", in_play=True,
                                                      bet_delay_ms=500))  # fmt: skip
    desk.bet(stake_minor=900, accept_partial=True)
    desk.bets(bet("b2", market_id="1.2", stake_minor=900, accept_partial=True))
    whole, part = desk.tick(desk.now_ms + 1_000)
    assert type(whole) is e.BetConfirmed
    assert isinstance(part, e.BetPartlyConfirmed)
    markets = desk.state.events[EVENT].markets
    assert not markets[MARKET].partial
    assert not markets["1.2"].partial
    audited(desk)
