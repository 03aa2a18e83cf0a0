"""What the simulated Kafka claims, asked of it and of a real broker in the same words."""

import time
from collections.abc import Callable, Iterator

import pytest

from pipelines.errors import BrokerError, FencedError
from pipelines.ports import JournalTail, Positions, Record, ShardLog
from pipelines.shard.state import ShardState
from pipelines.snapshots import Snapshot
from pipelines.topics import BETS, EVENTS, JOURNAL, ODDS, SNAPSHOTS
from tests.sim.both_kafkas import WAIT_S, Kafka, Reader, Real, Simulated


@pytest.fixture(params=["simulated", "real"])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """Both kinds, one after the other, without any record."""
    if request.param == "simulated":
        yield Simulated()
        return
    fresh: Callable[[int], str] = request.getfixturevalue("fresh_topics")
    made = Real(fresh(1))
    yield made
    made.close()


def take(log: ShardLog, count: int) -> list[Record]:
    """Poll until so many records came."""
    found: list[Record] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += log.poll(100, 0.1)
    return found


def values(reader: Reader, count: int) -> list[tuple[int, bytes]]:
    """Offsets and values of the next committed records; waits a little for one too many."""
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        got = reader.poll(100, 0.2)
        found += [(record.offset, record.value) for record in got]  # type: ignore[attr-defined]
        if len(found) >= count and not got:
            break
    return found


def started(kafka: Kafka) -> tuple[ShardLog, list[bytes]]:
    """An owner that has fenced, folded and been assigned; and the journal it found."""
    log = kafka.owner()
    log.fence()
    journal = list(log.journal())
    log.assign(Positions())
    return log, journal


def test_what_is_committed_is_read_in_order_with_a_control_record_after(kafka: Kafka) -> None:
    log, journal = started(kafka)
    assert journal == []
    log.commit([(JOURNAL, b"k", b"1"), (ODDS, b"k", b"o1"), (JOURNAL, b"k", b"2")], Positions())
    log.commit([(JOURNAL, b"k", b"3")], Positions())
    # Offsets 0, 1, then the control record of the first transaction at 2.
    assert values(kafka.reader(JOURNAL), 3) == [(0, b"1"), (1, b"2"), (3, b"3")]
    assert values(kafka.reader(ODDS), 1) == [(0, b"o1")]


def test_an_owner_reads_the_inputs_from_where_it_is_assigned(kafka: Kafka) -> None:
    for number in range(3):
        kafka.send(BETS, b"e", b"b%d" % number)
        kafka.send(EVENTS, None, b"o%d" % number)
    log = kafka.owner()
    log.fence()
    assert list(log.journal()) == []
    log.assign(Positions(1, 2))
    found = sorted((r.topic, r.offset, r.key, r.value) for r in take(log, 3))
    assert found == [
        (BETS, 1, b"e", b"b1"),
        (BETS, 2, b"e", b"b2"),
        (EVENTS, 2, None, b"o2"),
    ]


def test_a_newer_owner_fences_the_older_and_finds_what_it_committed(kafka: Kafka) -> None:
    old, _ = started(kafka)
    old.commit([(JOURNAL, b"k", b"old")], Positions())
    new, journal = started(kafka)
    assert journal == [b"old"]
    with pytest.raises(FencedError):
        old.commit([(JOURNAL, b"k", b"late")], Positions())
    new.commit([(JOURNAL, b"k", b"new")], Positions())
    assert [value for _, value in values(kafka.reader(JOURNAL), 2)] == [b"old", b"new"]


def test_a_third_owner_finds_all_of_both(kafka: Kafka) -> None:
    for number in range(3):
        log, journal = started(kafka)
        assert journal == [b"%d" % n for n in range(number)]
        log.commit([(JOURNAL, b"k", b"%d" % number)], Positions())
        log.close()


def test_a_reader_goes_on_where_its_group_committed(kafka: Kafka) -> None:
    log, _ = started(kafka)
    log.commit([(JOURNAL, b"k", b"%d" % number) for number in range(4)], Positions())
    first = kafka.reader(JOURNAL)
    assert len(values(first, 4)) == 4
    first.commit({(JOURNAL, 0): 2})  # type: ignore[attr-defined]
    first.close()  # type: ignore[attr-defined]
    assert values(kafka.reader(JOURNAL), 2) == [(2, b"2"), (3, b"3")]


def test_records_that_were_deleted_unread_are_counted(kafka: Kafka) -> None:
    for number in range(4):
        kafka.send(BETS, b"e", b"b%d" % number)
    kafka.delete_before(BETS, 3)
    log = kafka.owner()
    log.fence()
    log.assign(Positions(bets=1))
    assert [(r.offset, r.value) for r in take(log, 1)] == [(3, b"b3")]
    assert log.lost[BETS] == 2  # type: ignore[attr-defined]
    kafka.send(BETS, b"e", b"b4")
    assert [(r.offset, r.value) for r in take(log, 1)] == [(4, b"b4")]
    assert sum(log.lost.values()) == 2  # type: ignore[attr-defined]


def test_records_that_were_deleted_once_read_are_not_missed(kafka: Kafka) -> None:
    for number in range(4):
        kafka.send(BETS, b"e", b"b%d" % number)
    kafka.delete_before(BETS, 3)
    log = kafka.owner()
    log.fence()
    log.assign(Positions(bets=3))
    assert [(r.offset, r.value) for r in take(log, 1)] == [(3, b"b3")]
    assert not sum(log.lost.values())  # type: ignore[attr-defined]


def test_a_topic_that_ends_before_what_was_decided_is_not_read(kafka: Kafka) -> None:
    kafka.send(BETS, b"e", b"of another topic")
    log = kafka.owner()
    log.fence()
    log.assign(Positions(bets=7))
    with pytest.raises(BrokerError, match="ends"):
        take(log, 1)


def test_an_open_transaction_holds_readers_back_until_a_new_owner_ends_it(kafka: Kafka) -> None:
    log, _ = started(kafka)
    log.commit([(JOURNAL, b"k", b"1")], Positions())
    kafka.hang(b"open")
    kafka.send(JOURNAL, b"k", b"behind it")
    assert values(kafka.reader(JOURNAL), 1) == [(0, b"1")]
    _, journal = started(kafka)
    assert journal == [b"1", b"behind it"]
    # 1 is the control record of the first transaction, 2 the record that was aborted.
    assert values(kafka.reader(JOURNAL), 2) == [(0, b"1"), (3, b"behind it")]


def test_a_transaction_that_lasts_too_long_is_aborted_and_its_owner_fenced(kafka: Kafka) -> None:
    log, _ = started(kafka)
    kafka.hang(b"open")
    kafka.send(JOURNAL, b"k", b"behind it")
    kafka.let_transactions_time_out()
    assert values(kafka.reader(JOURNAL), 1) == [(1, b"behind it")]
    with pytest.raises(FencedError):
        log.commit([(JOURNAL, b"k", b"late")], Positions())


def test_a_reader_counts_what_was_deleted_before_it_came_there(kafka: Kafka) -> None:
    for number in range(6):
        kafka.send(JOURNAL, b"k", b"%d" % number)
    kafka.delete_before(JOURNAL, 1)
    new = kafka.reader(JOURNAL)
    assert [value for _, value in values(new, 5)] == [b"1", b"2", b"3", b"4", b"5"]
    new.commit({(JOURNAL, 0): 2})
    kafka.delete_before(JOURNAL, 4)
    late = kafka.reader(JOURNAL)
    assert values(late, 2) == [(4, b"4"), (5, b"5")]
    assert late.lost == {JOURNAL: 2}


def test_a_reader_notes_its_claim_and_finds_that_of_the_one_before(kafka: Kafka) -> None:
    for number in range(3):
        kafka.send(JOURNAL, b"k", b"%d" % number)
    kafka.delete_before(JOURNAL, 1)
    first, second = kafka.reader(JOURNAL, "first"), kafka.reader(JOURNAL, "second")
    assert second.claims() == set()
    first.claim()
    assert (first.claims(), second.claims()) == (set(), {"first"})
    assert second.committed() == {(JOURNAL, 0): kafka.reader(JOURNAL).committed()[JOURNAL, 0]}
    first.commit({(JOURNAL, 0): 2})
    second.claim({"first"})
    assert second.committed() == {(JOURNAL, 0): 2}
    assert kafka.reader(JOURNAL, "third").claims() == {"first", "second"}
    second.claim()
    assert (first.claims(), second.claims()) == ({"second"}, set())


def folded(tail: JournalTail, count: int) -> list[bytes]:
    """Poll a tail until so many values came and it says that none waits."""
    found: list[bytes] = []
    deadline = time.monotonic() + WAIT_S
    while (len(found) < count or tail.behind() != 0) and time.monotonic() < deadline:
        found += tail.poll(0.1)
    return found


def test_a_tail_follows_what_is_committed_and_counts_control_records(kafka: Kafka) -> None:
    log, _ = started(kafka)
    log.commit([(JOURNAL, b"k", b"1"), (JOURNAL, b"k", b"2")], Positions())
    tail = kafka.tail()
    assert tail.behind() is None
    tail.start(0)
    assert folded(tail, 2) == [b"1", b"2"]
    assert tail.reached() == 3
    log.commit([(JOURNAL, b"k", b"3")], Positions())
    assert [value for some in tail.rest() for value in some] == [b"3"]
    again = kafka.tail()
    again.start(3)
    assert [value for some in again.rest() for value in some] == [b"3"]


def test_a_tail_that_begins_before_the_log_begins_at_its_first_record(kafka: Kafka) -> None:
    for number in range(4):
        kafka.send(JOURNAL, b"k", b"%d" % number)
    kafka.delete_before(JOURNAL, 2)
    tail = kafka.tail()
    tail.start(1)
    assert [value for some in tail.rest() for value in some] == [b"2", b"3"]


def test_of_snapshots_the_newest_is_read_and_the_last_two_are_kept(kafka: Kafka) -> None:
    store = kafka.snapshots()
    assert store.load() is None
    for number in range(1, 4):
        state = ShardState(0)
        state.shard_seq = number
        assert store.save(f"snapshot-{number}", Snapshot(state, 10 * number), lambda: True)
    found = store.load()
    assert found is not None
    assert (found.state.shard_seq, found.journal_next) == (3, 30)
    kept = values(kafka.reader(SNAPSHOTS), 4)  # each has a part and an end
    assert [offset for offset, _ in kept] == [2, 3, 4, 5]
    kafka.send(SNAPSHOTS, b"", kept[0][1][:-9])  # torn
    again = store.load()
    assert again is not None
    assert (again.state.shard_seq, again.journal_next) == (3, 30)
