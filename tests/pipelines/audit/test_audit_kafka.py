"""The audit on a real broker: while shards run and bets arrive, after a stop, and on forged topics.

Everything is real but Ray: the loops run in threads and are asked directly.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from deploy.audit import run_audit
from pipelines.audit.report import AuditReport
from pipelines.clock import SystemClock
from pipelines.errors import StackError
from pipelines.kafka.shard_log import CLIENT_ID_HEADER, KafkaShardLog
from pipelines.kafka.topic_reader import TopicReader
from pipelines.messages.images import OddsImage
from pipelines.settings import Settings
from pipelines.shard_loop import ShardLoop
from pipelines.topics import BETS, EVENTS, JOURNAL, ODDS, partition_of
from tests.pipelines.audit.topics import check, failing

WAIT_S = 60.0
PARTITIONS = 2
EVENT_IDS = ("race-a", "race-b", "race-c")


class Silent:
    """Metrics that count nothing."""

    def answers(self, counts: dict[str, int]) -> None: ...
    def committed(
        self, inputs: int, journal_records: int, odds_images: int, duration_s: float
    ) -> None: ...
    def bet_latencies(self, seconds: Sequence[float]) -> None: ...
    def restored(self, seconds: float, entries: int) -> None: ...


class Shards:
    """The loops of all partitions, each in a thread."""

    def __init__(self, settings: Settings) -> None:
        self.loops = [
            ShardLoop(p, KafkaShardLog(settings, p), SystemClock(), settings, Silent())
            for p in range(PARTITIONS)
        ]
        self.threads = [threading.Thread(target=loop.run) for loop in self.loops]
        for thread in self.threads:
            thread.start()

    def bets(self) -> int:
        return sum(int(str(loop.status()["bets"])) for loop in self.loops)

    def ask(self, partitions: int) -> dict[int, tuple[int, str]]:
        assert partitions == len(self.loops)
        return {loop.partition: loop.state_hash() for loop in self.loops}

    def stop(self) -> None:
        for loop in self.loops:
            loop.stop()
        for thread in self.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Desk:
    """Writes operations and bets as feeds and the edge do."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 2})

    def say(self, topic: str, event_id: str, value: Mapping[str, object], client: str = "") -> None:
        key = event_id.encode()
        headers: list[tuple[str, str | bytes | None]] = [(CLIENT_ID_HEADER, client.encode())]
        self._producer.produce(
            topic,
            msgspec.json.encode({"event_id": event_id, **value}),
            key,
            partition_of(key, PARTITIONS),
            headers=headers if client else [],
        )

    def open(self) -> None:
        for event_id in EVENT_IDS:
            self.say(EVENTS, event_id, {"type": "event_opened"})
            for engine in ("fixed", "pool"):
                odds = 20_000 if engine == "fixed" else 0
                selections = [{"selection_id": s, "odds_e4": odds} for s in range(3)]
                market = {"market_id": engine, "engine": engine, "selections": selections}
                self.say(EVENTS, event_id, {"type": "market_opened", "market": market})
        self.flush()

    def bet(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            engine = ("fixed", "pool")[number % 2]
            body = {
                "type": "bet",
                "bet_id": f"b{number}",
                "market_id": engine,
                "selection_id": number % 3,
                "stake_minor": 100,
                "odds_e4": 20_000 if engine == "fixed" else 0,
                "market_version": 1,
            }
            self.say(BETS, EVENT_IDS[number % 3], body, f"client-{number % 7}")
        self.flush()

    def settle(self) -> None:
        for event_id in EVENT_IDS:
            for engine in ("fixed", "pool"):
                closed = {"type": "market_status", "market_id": engine, "status": "CLOSED"}
                self.say(EVENTS, event_id, closed)
                self.say(EVENTS, event_id, {"type": "result", "market_id": engine, "winners": [1]})
        self.flush()

    def forge(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        """Write any bytes, also what only a shard may write."""
        self._producer.produce(topic, value, key, partition)
        self.flush()

    def flush(self) -> None:
        assert self._producer.flush(WAIT_S) == 0


@pytest.fixture
def settings(fresh_topics: Callable[[int], str], tmp_path: Path) -> Settings:
    bootstrap_servers = fresh_topics(PARTITIONS)
    # Topics that were just made have no leaders for a moment: reading waits for them.
    for topic in (BETS, EVENTS, JOURNAL, ODDS):
        reader = TopicReader(bootstrap_servers, topic)
        try:
            assert [reader.bounds(p).end for p in range(PARTITIONS)] == [0] * PARTITIONS
        finally:
            reader.close()
    return Settings(
        kafka_bootstrap_servers=bootstrap_servers,
        data_dir=str(tmp_path),
        partitions=PARTITIONS,
        transaction_records_max=50,
    )


@pytest.fixture
def day(settings: Settings) -> Desk:
    """A whole day, decided by shards that have stopped."""
    desk = Desk(settings.kafka_bootstrap_servers)
    shards = Shards(settings)
    try:
        desk.open()
        wait(lambda: sum(int(str(s.status()["markets"])) for s in shards.loops) == 6)
        desk.bet(0, 400)
        desk.bet(0, 100)  # again
        desk.forge(BETS, 1, EVENT_IDS[0].encode(), b"nonsense")
        wait(lambda: shards.bets() == 501)
        desk.settle()
        wait(lambda: _settled(settings) == 6)
    finally:
        shards.stop()
    return desk


def _settled(settings: Settings) -> int:
    return run_audit(settings, False, False, lambda _: {}).figures.markets_settled


def test_a_system_under_load_is_audited_again_and_again(settings: Settings) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    shards = Shards(settings)
    over = threading.Event()

    def bet_on() -> None:
        number = 0
        while not over.is_set():
            desk.bet(number, 200)
            number += 200

    bettor = threading.Thread(target=bet_on)
    try:
        desk.open()
        wait(lambda: sum(int(str(s.status()["markets"])) for s in shards.loops) == 6)
        bettor.start()
        wait(lambda: shards.bets() > 500)
        reports: list[AuditReport] = [
            run_audit(settings, False, False, shards.ask) for _ in range(2)
        ]
    finally:
        over.set()
        bettor.join(WAIT_S)
        shards.stop()
    for report in reports:
        assert report.holds, report
        assert dict(check(report, "state hash").compared) == {"shards": PARTITIONS}
    assert reports[0].figures.bets < reports[-1].figures.bets
    last = run_audit(settings, False, False).figures
    assert last.accepted > 0
    assert last.held_minor == last.money_in_minor == 100 * last.accepted


def test_a_settled_day_holds_and_its_money_adds_up(settings: Settings, day: Desk) -> None:
    report = run_audit(settings, edge=False, complete=True)
    assert report.holds, report
    figures = report.figures
    assert (figures.bets, figures.accepted, figures.repeated) == (501, 400, 100)
    assert dict(check(report, "answers").compared)["dead letters"] == 1
    assert figures.markets_settled == 6
    assert figures.held_minor == 0
    assert check(report, "state hash").result == "not checked"
    assert check(report, "channels").result == "not checked"


def test_forged_odds_are_found_with_their_offset(settings: Settings, day: Desk) -> None:
    reader = TopicReader(settings.kafka_bootstrap_servers, ODDS)
    try:
        bounds = reader.bounds(0)
        *_, newest = reader.read(0, bounds)
    finally:
        reader.close()
    image = msgspec.msgpack.decode(newest.value or b"", type=OddsImage)
    forged = msgspec.structs.replace(image, staked_minor=image.staked_minor + 1)
    day.forge(ODDS, 0, newest.key or b"", msgspec.msgpack.encode(forged))
    report = run_audit(settings, edge=False, complete=False)
    assert failing(report) == {"odds"}
    assert check(report, "odds").examples[0].offset == bounds.end


def test_a_forged_journal_record_is_found(settings: Settings, day: Desk) -> None:
    reader = TopicReader(settings.kafka_bootstrap_servers, JOURNAL)
    try:
        *_, newest = reader.read(1, reader.bounds(1))
    finally:
        reader.close()
    day.forge(JOURNAL, 1, newest.key or b"", newest.value or b"")
    report = run_audit(settings, edge=False, complete=False)
    assert "sequences" in failing(report)
    found = check(report, "sequences").examples[0]
    assert (found.topic, found.partition) == (JOURNAL, 1)


def test_a_bet_that_waits_fails_a_complete_audit_alone(settings: Settings, day: Desk) -> None:
    day.bet(5_000, 1)
    assert run_audit(settings, edge=False, complete=False).holds
    assert failing(run_audit(settings, edge=False, complete=True)) == {"answers"}


def test_what_a_transaction_left_open_is_waited_for(settings: Settings) -> None:
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "transactional.id": "open"}
    )
    reader = TopicReader(settings.kafka_bootstrap_servers, ODDS)
    try:
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.produce(ODDS, b"1", b"k", 0)
        assert producer.flush(WAIT_S) == 0
        assert reader.bounds(0).end == 0
        ending = threading.Timer(0.5, producer.commit_transaction)
        ending.start()
        try:
            assert reader.settled_bounds(0).end == 2  # the record and the transaction's marker
            assert [r.value for r in reader.read(0, reader.bounds(0))] == [b"1"]
        finally:
            ending.join()
    finally:
        reader.close()


def test_kafka_without_topics_is_said_in_one_line(settings: Settings, tmp_path: Path) -> None:
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    admin.delete_topics([ODDS])[ODDS].result(WAIT_S)
    wait(lambda: ODDS not in admin.list_topics(timeout=5).topics)
    with pytest.raises(StackError, match="no topics odds"):
        run_audit(settings, edge=False, complete=False)
