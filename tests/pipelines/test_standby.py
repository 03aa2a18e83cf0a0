"""A standby on a real broker: follows, is promoted; a wrong snapshot costs only time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipelines.clock import SystemClock
from pipelines.errors import BrokerError
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard_copy import NotOwnerError, ShardCopy
from pipelines.snapshots import Chunk, Snapshot
from pipelines.standby import Standby
from tests.pipelines.test_shard_loop import Counted, journal, produce

WAIT_S = 60.0
BETS = 300


@pytest.fixture
def settings(fresh_topics: Callable[[int], str]) -> Settings:
    return Settings(kafka_bootstrap_servers=fresh_topics(1), snapshot_records=100, standbys=1)


class Copy:
    """A copy in a thread."""

    def __init__(self, settings: Settings, alone: bool = False) -> None:
        self.stop = threading.Event()
        self.copy = ShardCopy(
            0,
            lambda: KafkaShardLog(settings, 0),
            lambda: KafkaJournalTail(settings, 0),
            lambda: KafkaSnapshotStore(settings, 0),
            SystemClock(),
            settings,
            Counted(),
            alone,
        )
        self.ended_with: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.copy.run_until(self.stop)
        except Exception as error:
            self.ended_with = error

    def wait(self, condition: Callable[[dict[str, object]], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition(self.copy.status()):
            assert time.monotonic() < deadline, self.copy.status()
            assert self.ended_with is None, self.ended_with
            time.sleep(0.01)


@contextmanager
def copies(settings: Settings, *alone: bool) -> Iterator[list[Copy]]:
    made = [Copy(settings, one) for one in alone]
    try:
        yield made
    finally:
        for one in made:
            one.stop.set()
        for one in made:
            one.thread.join(WAIT_S)
            assert not one.thread.is_alive()


def test_two_copies_take_turns_and_each_bet_is_decided_once(settings: Settings) -> None:
    with copies(settings, False, False) as (first, second):
        first.wait(lambda s: s["behind"] == 0)
        with pytest.raises(NotOwnerError):
            _ = first.copy.loop
        assert first.copy.promote(1)
        assert not first.copy.promote(1)
        first.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, BETS)
        second.wait(lambda s: s["bets_next"] == BETS)
        assert second.copy.promote(2)  # the first is not asked: it is fenced
        second.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, BETS, first=BETS, opened=True)
        second.wait(lambda s: s["bets_next"] == 2 * BETS)
        first.wait(lambda s: s["role"] == "follower" and s["bets_next"] == 2 * BETS)
        assert second.copy.demote(WAIT_S)
        assert first.copy.promote(3)
        first.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, BETS, first=2 * BETS, opened=True)
        first.wait(lambda s: s["bets_next"] == 3 * BETS)
        records = journal(settings)
        assert [r.shard_seq for r in records] == list(range(1, len(records) + 1))
        assert len(records) == 2 + 3 * BETS
        found = first.copy.loop.state_hash()
    values = list(KafkaShardLog(settings, 0).journal())
    assert found == (len(records), state_hash(fold(0, values)))


def test_lanes_reach_both_copies_and_only_an_owner_knows_what_is_away(settings: Settings) -> None:
    with copies(settings, False, False) as (first, second):
        first.wait(lambda s: s["behind"] == 0)
        assert first.copy.keep_lanes(3) is None, "it follows"
        first.copy.promote(1)
        first.wait(lambda s: s["state"] == "running")
        assert first.copy.status()["lanes"] == 3, "told before it owned"
        assert first.copy.keep_lanes(2) == 0
        assert first.copy.status()["lanes"] == 2
        assert second.copy.keep_lanes(2) is None
        assert second.copy.status()["lanes"] == 2


def test_a_standby_writes_snapshots_and_the_next_begins_there(settings: Settings) -> None:
    with copies(settings, True, False) as (owner, standby):
        owner.wait(lambda s: s["state"] == "running")
        for turn in range(3):
            produce(settings.kafka_bootstrap_servers, BETS, first=turn * BETS, opened=turn > 0)
            standby.wait(lambda s, n=turn: s["snapshots"] == n + 1)  # type: ignore[misc]
        owner.wait(lambda s: s["bets_next"] == 3 * BETS)
    values = list(KafkaShardLog(settings, 0).journal())
    with copies(settings, True) as (again,):
        again.wait(lambda s: s["state"] == "running")
        assert again.copy.loop.state_hash() == (len(values), state_hash(fold(0, values)))
    with copies(settings, False) as (follower,):
        follower.wait(lambda s: s["behind"] == 0 and s["shard_seq"] == len(values))
        began_at = follower.copy.status()["began_at"]
        assert isinstance(began_at, int)
        assert began_at > BETS


def test_a_snapshot_that_does_not_fit_the_journal_costs_a_fold_from_the_start(
    settings: Settings,
) -> None:
    with copies(settings, True) as (owner,):
        owner.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, BETS)
        owner.wait(lambda s: s["bets_next"] == BETS)
    values = list(KafkaShardLog(settings, 0).journal())
    store = KafkaSnapshotStore(settings, 0)
    wrong = Snapshot(fold(0, values[:50]), 20)
    assert store.save("wrong", wrong, lambda: True)
    standby = Standby(0, KafkaJournalTail(settings, 0), SystemClock(), store)
    try:
        state = standby.finish()
        assert state_hash(state) == state_hash(fold(0, values))
        assert standby.began_at == 0
    finally:
        standby.close()


def test_a_snapshot_that_is_called_off_is_none(settings: Settings) -> None:
    store = KafkaSnapshotStore(settings, 0)
    assert store.load() is None
    assert not store.save("late", Snapshot(fold(0, []), 1), lambda: False)
    assert store.load() is None


def test_a_snapshot_is_written_though_the_old_ones_cannot_be_listed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KafkaSnapshotStore(settings, 0)

    def silent(self: KafkaSnapshotStore) -> Iterator[tuple[int, Chunk]]:
        raise BrokerError("fell silent")

    monkeypatch.setattr(KafkaSnapshotStore, "_numbered", silent)
    assert store.save("first", Snapshot(fold(0, []), 1), lambda: True)
    found = store.load()
    assert found is not None
    assert found.journal_next == 1
