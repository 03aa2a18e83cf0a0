"""The audit holds on what the core writes, and fails on each way to corrupt it."""

from collections.abc import Callable

import msgspec
import pytest

from pipelines.audit.report import AuditReport, Check, CounterExample
from pipelines.messages import entries as e
from pipelines.messages.images import OddsImage
from pipelines.topics import BETS
from tests.pipelines.audit.topics import Topics, bet, check, day, decide, entry_of, failing

replace = msgspec.structs.replace


def test_an_intact_day_holds(topics: Topics) -> None:
    report = topics.audit()
    assert report.holds, report
    compared = {one.name: dict(one.compared) for one in report.checks}
    assert compared["answers"]["bet records"] == len(topics.bets)
    assert compared["answers"]["operations"] == len(topics.events)
    assert compared["answers"]["dead letters"] == len(topics.letters)
    assert compared["sequences"]["journal entries"] == len(topics.journal)
    assert compared["odds"]["odds images"] == len(topics.odds)
    assert compared["money"]["markets settled"] == 4
    assert compared["money"]["results rolled back"] == 2
    assert compared["state hash"]["shards"] == 1


def test_the_day_has_every_kind_of_answer_and_its_money_adds_up(topics: Topics) -> None:
    figures = topics.audit().figures
    named = ["accepted", "rejected", "declined", "cancelled", "repeated", "conflicts", "refused"]
    named += ["dead_lettered", "won", "lost", "void", "markets_settled", "house_minor"]
    assert all(getattr(figures, name) for name in named), figures
    assert figures.pending == 0
    assert figures.held_minor == 0
    out = figures.paid_minor + figures.refunded_minor + figures.house_minor
    assert figures.money_in_minor == out


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_batches_may_be_cut_anywhere(size: int) -> None:
    inputs = [one for batch in day() for one in batch]
    cut = [inputs[i : i + size] for i in range(0, len(inputs), size)]
    assert decide(cut).audit().holds


def _drop_accepted(topics: Topics) -> None:
    del topics.journal[topics.index(e.BetAccepted, 4)]


def _drop_accepted_and_renumber(topics: Topics) -> None:
    _drop_accepted(topics)
    topics.renumber()


def _double_accepted_and_renumber(topics: Topics) -> None:
    index = topics.index(e.BetAccepted, 4)
    topics.journal.insert(index + 1, topics.journal[index])
    topics.renumber()


def _drop_refusal(topics: Topics) -> None:
    del topics.journal[topics.index(e.RequestRefused)]
    topics.renumber()


def _drop_dead_letter(topics: Topics) -> None:
    del topics.journal[topics.index(e.RecordDeadLettered)]
    topics.renumber()


def _drop_final_answer(topics: Topics) -> None:
    del topics.journal[topics.index(e.BetConfirmed)]
    topics.renumber()


def _answer_for_another(topics: Topics) -> None:
    topics.change(topics.index(e.BetAccepted), lambda b: replace(b, client_id="mallory"))


def _other_stake(topics: Topics) -> None:
    topics.change(topics.index(e.BetAccepted), lambda b: replace(b, stake_minor=101))


def _conflict_as_repeat(topics: Topics) -> None:
    def repeat(b: e.BetConflict) -> e.BetRepeated:
        head = (b.event_id, b.event_seq, b.market_id, b.market_seq, b.client_id, b.bet_id)
        return e.BetRepeated(*head, "accepted", 0, "")

    topics.change(topics.index(e.BetConflict), repeat)


def _input_lost(topics: Topics) -> None:
    record = topics.bets[10]
    topics.bets.remove(record)


def _input_never_answered(topics: Topics) -> None:
    offset = topics.bets[10].offset
    kept = [i for i, r in enumerate(topics.journal) if _bets_next(topics, i) != offset + 1]
    topics.journal[:] = [topics.journal[i] for i in kept]
    topics.renumber()


def _bets_next(topics: Topics, index: int) -> int:
    value = topics.journal[index].value or b""
    return msgspec.msgpack.decode(value, type=e.JournalRecord).bets_next


@pytest.mark.parametrize(
    "corrupt",
    [
        _drop_accepted,
        _drop_accepted_and_renumber,
        _double_accepted_and_renumber,
        _drop_refusal,
        _drop_dead_letter,
        _answer_for_another,
        _other_stake,
        _conflict_as_repeat,
        _input_lost,
        _input_never_answered,
    ],
)
def test_a_lost_doubled_or_wrong_answer_is_found(
    topics: Topics, corrupt: Callable[[Topics], None]
) -> None:
    corrupt(topics)
    found = check(topics.audit(), "answers")
    assert found.failures
    assert found.examples[0].offset >= 0
    assert found.examples[0].partition == 3


@pytest.mark.parametrize("index", [0, 2, -1])
def test_a_missing_dead_letter_is_found(topics: Topics, index: int) -> None:
    assert len(topics.letters) == 5
    del topics.letters[index]
    assert failing(topics.audit()) == {"answers"}
    if index == 0:
        assert topics.audit(letters_trimmed=True).holds


def test_a_dead_letter_that_the_journal_does_not_have_is_found(topics: Topics) -> None:
    topics.letters.append(topics.letters[-1]._replace(offset=99))
    found = check(topics.audit(), "answers")
    assert [(one.topic, one.offset) for one in found.examples] == [("dead-letters", 99)]


def test_a_dead_letter_that_cannot_be_read_is_found(topics: Topics) -> None:
    topics.letters.append(topics.letters[-1]._replace(offset=99, value=b"\x00"))
    assert failing(topics.audit()) == {"answers"}


def test_a_pending_bet_without_its_final_answer_is_found(topics: Topics) -> None:
    _drop_final_answer(topics)
    assert "money" in failing(topics.audit())
    assert "answers" in failing(topics.audit(complete=True))


def test_inputs_that_wait_fail_only_where_all_must_be_done(topics: Topics) -> None:
    topics.bets.append(bet(500)._replace(offset=len(topics.bets), partition=3))
    assert topics.audit().holds
    assert dict(check(topics.audit(), "answers").compared)["inputs that still wait"] == 1
    assert failing(topics.audit(complete=True)) == {"answers"}


@pytest.mark.parametrize("field", ["event_seq", "market_seq"])
def test_a_gap_in_a_number_is_found(topics: Topics, field: str) -> None:
    index = topics.index(e.BetAccepted, 7)
    topics.change(index, lambda b: replace(b, **{field: getattr(b, field) + 1}))
    found = check(topics.audit(), "sequences")
    # The gap, and the way back.
    assert found.failures == 2
    assert found.examples[0].offset == topics.journal[index].offset
    assert field in found.examples[0].what


def test_a_gap_in_the_shards_number_is_found(topics: Topics) -> None:
    del topics.journal[topics.index(e.RecordDeadLettered)]
    assert any("shard_seq" in one.what for one in _examples(topics, "sequences"))


def test_a_record_that_is_none_is_found_and_the_rest_still_read(topics: Topics) -> None:
    topics.journal[20] = topics.journal[20]._replace(value=b"\x00")
    report = topics.audit()
    assert {"sequences", "odds", "state hash"} <= failing(report)
    assert dict(check(report, "sequences").compared)["journal entries"] == len(topics.journal) - 1


def test_a_key_of_another_event_is_found(topics: Topics) -> None:
    topics.journal[20] = topics.journal[20]._replace(key=b"other")
    assert failing(topics.audit()) == {"sequences"}


def _raised(image: OddsImage) -> OddsImage:
    first = image.selections[0]
    first = replace(first, odds_e4=first.odds_e4 + 100)
    return replace(image, selections=(first, *image.selections[1:]))


@pytest.mark.parametrize("index", [0, 4, -1])
def test_altered_odds_are_found(topics: Topics, index: int) -> None:
    topics.change_image(index, _raised)
    report = topics.audit()
    assert failing(report) == {"odds"}
    found = check(report, "odds")
    assert found.failures == 1
    assert found.examples[0].offset == topics.odds[index].offset
    assert "selections" in found.examples[0].what


@pytest.mark.parametrize("index", [0, 4, -1])
def test_a_missing_image_is_found(topics: Topics, index: int) -> None:
    del topics.odds[index]
    report = topics.audit()
    assert failing(report) == {"odds"}
    assert check(report, "odds").failures == 1


@pytest.mark.parametrize("index", [0, 4, 14])
def test_an_image_too_many_is_found(topics: Topics, index: int) -> None:
    topics.odds.insert(index + 1, topics.odds[index])
    report = topics.audit()
    assert failing(report) == {"odds"}
    assert check(report, "odds").failures == 1


def test_an_image_that_runs_ahead_of_the_journal_is_extra_unless_it_was_written_later(
    topics: Topics,
) -> None:
    ahead = topics.odds[-1]._replace(offset=topics.odds[-1].offset + 2)
    topics.odds.append(ahead)
    topics.change_image(-1, lambda image: replace(image, seq=image.seq + 9))
    assert failing(topics.audit()) == {"odds"}
    assert topics.audit(odds_settled_end=ahead.offset).holds


def test_images_that_retention_deleted_are_not_missed(topics: Topics) -> None:
    del topics.odds[:6]
    assert topics.audit(odds_trimmed=True).holds
    assert "odds" in failing(topics.audit())


def test_inputs_that_retention_deleted_are_not_missed(topics: Topics) -> None:
    first = topics.bets[6].offset
    del topics.bets[:6]
    assert topics.audit(bets_first=first).holds
    assert "answers" in failing(topics.audit())


def _posting_off_by_one(topics: Topics) -> None:
    def off(entry: e.MarketSettled) -> e.MarketSettled:
        account, amount = entry.postings[0]
        return replace(entry, postings=((account, amount + 1), *entry.postings[1:]))

    topics.change(topics.index(e.MarketSettled), off)


def _payout_off_by_one(topics: Topics) -> None:
    index = next(i for i in range(len(topics.journal)) if _pays(topics, i))
    topics.change(index, lambda b: replace(b, payout_minor=b.payout_minor + 1))


def _pays(topics: Topics, index: int) -> bool:
    entry = entry_of(topics.journal[index])
    return isinstance(entry, e.BetSettled) and entry.result == "win"


def _loser_paid_and_house_short(topics: Topics) -> None:
    """Sums stay zero: only working the payouts out again finds it."""
    index = topics.index(e.BetSettled, 1)
    topics.change(index, lambda b: replace(b, payout_minor=b.payout_minor + 5))

    def short(entry: e.MarketSettled) -> e.MarketSettled:
        account, amount = entry.postings[0]
        postings = ((account, amount - 5), *entry.postings[1:])
        return replace(entry, paid_minor=entry.paid_minor + 5, postings=postings)

    topics.change(topics.index(e.MarketSettled), short)


def _paid_twice(topics: Topics) -> None:
    index = topics.index(e.BetSettled, 1)
    topics.journal.insert(index + 1, topics.journal[index])
    topics.renumber()


def _other_dividend(topics: Topics) -> None:
    def raised(entry: e.MarketResulted) -> e.MarketResulted:
        return replace(entry, dividends=((1, entry.dividends[0][1] + 100),))

    topics.change(topics.index(e.MarketResulted, 1), raised)


def _rollback_keeps_a_payout(topics: Topics) -> None:
    topics.change(topics.index(e.BetUnsettled), lambda b: replace(b, payout_minor=1))


def _a_bet_is_not_settled(topics: Topics) -> None:
    del topics.journal[topics.index(e.BetSettled, 1)]
    topics.renumber()


@pytest.mark.parametrize(
    "corrupt",
    [
        _posting_off_by_one,
        _payout_off_by_one,
        _loser_paid_and_house_short,
        _paid_twice,
        _other_dividend,
        _rollback_keeps_a_payout,
        _a_bet_is_not_settled,
    ],
)
def test_wrong_money_is_found(topics: Topics, corrupt: Callable[[Topics], None]) -> None:
    corrupt(topics)
    assert "money" in failing(topics.audit())


def test_another_hash_is_found(topics: Topics) -> None:
    assert topics.answer is not None
    number, said = topics.answer
    topics.answer = (number, said[:-1] + ("0" if said[-1] != "0" else "1"))
    report = topics.audit()
    assert failing(report) == {"state hash"}
    assert said in check(report, "state hash").examples[0].what


def test_the_hash_is_compared_where_the_shard_was_when_it_was_asked(topics: Topics) -> None:
    later = decide(day())
    early = decide(day()[:8])
    later.answer = early.answer
    report = later.audit()
    assert report.holds
    assert dict(check(report, "state hash").compared) == {"shards": 1}


def test_a_shard_ahead_of_its_journal_is_waited_for(topics: Topics) -> None:
    *topics.journal, last = topics.journal
    assert check(topics.audit(), "state hash").failures == 1
    waited: list[int] = []

    def more() -> list[object]:
        waited.append(1)
        return [last]

    found = check(topics.audit(journal_more=lambda: iter(more())), "state hash")
    assert found.result == "holds"
    assert waited == [1]


def test_a_shard_without_entries_is_compared() -> None:
    nothing = decide([])
    report = nothing.audit()
    assert report.holds
    assert dict(check(report, "state hash").compared) == {"shards": 1}


def test_a_report_is_json(topics: Topics) -> None:
    report = topics.audit()
    again = msgspec.json.decode(msgspec.json.encode(report), type=AuditReport)
    assert again == report
    assert all(isinstance(one, Check) for one in again.checks)


def _examples(topics: Topics, name: str) -> tuple[CounterExample, ...]:
    return check(topics.audit(), name).examples


def test_counter_examples_are_bounded(topics: Topics) -> None:
    del topics.bets[:]
    found = check(topics.audit(), "answers")
    assert found.failures > len(found.examples) == 5
    assert {one.topic for one in found.examples} <= {BETS, "journal"}
