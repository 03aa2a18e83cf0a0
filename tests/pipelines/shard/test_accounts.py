"""Accounts across shards: reserve, post, release; every bet answered, all money accounted for."""

import msgspec
import pytest

from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages.transfers import Transfer
from pipelines.shard.bettor import bettor_key
from pipelines.shard.state import ACCEPTED, CANCELLED, PENDING, REJECTED
from pipelines.topics import TRANSFERS, partition_of
from tests.pipelines.shard.town import Town

GOOD = {"selection_id": 1, "stake_minor": 1_000, "odds_e4": 30_000, "market_version": 1}


@pytest.fixture
def town() -> Town:
    found = Town()
    found.open("race", accounts=True)
    found.operate(bettor_key("ann"), "account_set", client_id="ann")
    found.deposit("ann", 2_500)
    return found


def code_of(entries: list[e.Entry]) -> str:
    return str(getattr(entries[-1], "code", ""))


def test_a_bet_waits_for_its_money_and_is_then_taken(town: Town) -> None:
    first = town.bet("ann", "race", "b1", **GOOD)
    assert [type(one) for one in first] == [e.BetPending, be.TransferSent]
    assert town.the_bet("race", "ann", "b1").status == PENDING
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    ann = town.bettor("ann")
    assert (ann.balance_minor, ann.held_minor, ann.holds) == (1_500, 0, {})
    town.check_folds()


def test_a_bet_above_the_free_balance_is_declined(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD | {"stake_minor": 2_000})
    town.bet("ann", "race", "b2", **GOOD | {"stake_minor": 501})
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    declined = town.the_bet("race", "ann", "b2")
    assert (declined.status, declined.code) == (REJECTED, "INSUFFICIENT_FUNDS")
    assert town.bettor("ann").balance_minor == 500


def test_credit_counts_for_bets_but_cannot_be_taken_out(town: Town) -> None:
    town.operate(bettor_key("ann"), "account_set", client_id="ann", credit_minor=1_000)
    town.bet("ann", "race", "b1", **GOOD | {"stake_minor": 3_500})
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    assert town.bettor("ann").balance_minor == -1_000
    town.deposit("ann", 1_500, "d2")
    refused = town.operate(
        bettor_key("ann"), "withdrawal", client_id="ann", reference="w", amount_minor=501
    )
    assert code_of(refused) == "INSUFFICIENT_FUNDS"


def test_who_has_no_account_is_told_so(town: Town) -> None:
    town.bet("bob", "race", "b1", **GOOD)
    town.deliver_all()
    assert town.the_bet("race", "bob", "b1").code == "INVALID_ACCOUNT_STATE"


def test_a_deposit_counts_once(town: Town) -> None:
    assert code_of(town.deposit("ann", 2_500)) == "UNCHANGED"
    assert town.bettor("ann").balance_minor == 2_500


def test_no_answer_by_the_deadline_declines_and_lets_the_money_go(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    town.wait(TRANSFER_DEADLINE_MS)
    bet = town.the_bet("race", "ann", "b1")
    assert (bet.status, bet.code) == (REJECTED, "EXPIRED_DOWNSTREAM")
    town.deliver_all()  # the reservation, its release, and the late answer
    ann = town.bettor("ann")
    assert (ann.balance_minor, ann.held_minor) == (2_500, 0)
    assert town.the_bet("race", "ann", "b1").status == REJECTED
    town.check_folds()


def test_a_cancel_while_waiting_lets_the_money_go(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    key, value = b"race", {"type": "cancel", "bet_id": "b1", "event_id": "race", "market_id": "m"}
    town._send("bets", key.decode(), value, "ann")
    assert town.the_bet("race", "ann", "b1").status == CANCELLED
    town.deliver_all()
    assert (town.bettor("ann").balance_minor, town.bettor("ann").held_minor) == (2_500, 0)


def test_the_bet_delay_counts_on_while_the_account_is_asked(town: Town) -> None:
    in_play = {"in_play": True, "bet_delay_ms": 3_000, "material": False}
    town.operate("race", "market_status", event_id="race", market_id="m", **in_play)
    town.bet("ann", "race", "b1", **GOOD | {"market_version": 2})
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == PENDING
    town.wait(3_000)
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    town.check_folds()


def test_a_market_that_closes_meanwhile_declines(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    town.operate("race", "market_status", event_id="race", market_id="m", status="SUSPENDED")
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").code == "MARKET_SUSPENDED"
    assert (town.bettor("ann").balance_minor, town.bettor("ann").held_minor) == (2_500, 0)


def test_a_win_is_paid_and_a_rollback_takes_it_back(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    town.deliver_all()
    town.result("race", 1)
    town.deliver_all()
    assert town.bettor("ann").balance_minor == 4_500
    town.roll_back("race")
    town.deliver_all()
    assert town.bettor("ann").balance_minor == 1_500
    town.result("race", 2)
    town.deliver_all()
    assert town.bettor("ann").balance_minor == 1_500
    town.check_folds()


def test_a_payout_taken_back_may_lead_below_zero_and_shows(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    town.deliver_all()
    town.result("race", 1)
    town.deliver_all()
    town.operate(
        bettor_key("ann"), "withdrawal", client_id="ann", reference="w", amount_minor=4_500
    )
    town.roll_back("race")
    town.deliver_all()
    owed = [one for one in town.entries if isinstance(one, be.FundsPosted)][-1]
    assert (owed.kind, owed.amount_minor, owed.balance_minor) == ("payout_returned", -3_000, -3_000)


def test_a_transfer_that_comes_twice_counts_once(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    home = partition_of(bettor_key("ann").encode(), town.partitions)
    again = town.waiting[home][0]
    town.deliver(home)
    found = town._process(TRANSFERS, home, *again)
    assert [code_of([one]) for one in found] == ["DUPLICATE_TRANSFER"]
    assert town.bettor("ann").held_minor == 1_000


@pytest.mark.parametrize("value", [b"", b"\xc1", b"{}", msgspec.msgpack.encode([1, 2])])
def test_what_is_no_transfer_is_kept_as_a_dead_letter(town: Town, value: bytes) -> None:
    found = town._process(TRANSFERS, 0, b"race", value)
    assert isinstance(found[0], e.RecordDeadLettered)


def test_a_transfer_under_another_key_is_kept_as_a_dead_letter(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    home = partition_of(bettor_key("ann").encode(), town.partitions)
    _, value = town.waiting[home][0]
    assert msgspec.msgpack.decode(value, type=Transfer).to == "bettor/ann"
    found = town._process(TRANSFERS, home, b"race", value)
    assert isinstance(found[0], e.RecordDeadLettered)


def test_every_posting_sums_to_zero(town: Town) -> None:
    town.bet("ann", "race", "b1", **GOOD)
    town.deliver_all()
    town.result("race", 1)
    town.deliver_all()
    posted = [one for one in town.entries if isinstance(one, be.FundsPosted)]
    assert [one.kind for one in posted] == ["deposit", "stake", "payout"]
    assert all(sum(amount for _, amount in one.postings) == 0 for one in posted)


def test_a_message_under_an_events_key_is_refused_and_the_event_goes_on(town: Town) -> None:
    money = {"client_id": "ann", "reference": "d9", "amount_minor": 5}
    assert code_of(town.operate("race", "deposit", **money)) == "EVENT_KEY_MISMATCH"
    town.bet("ann", "race", "b1", **GOOD)
    town.deliver_all()
    assert town.the_bet("race", "ann", "b1").status == ACCEPTED
    town.check_folds()
