"""The publisher's loop with a log and an edge in memory that fail on demand."""

import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from pipelines.errors import BrokerError, EdgeError
from pipelines.kafka.reader import ReadRecord
from pipelines.messages import entries as e
from pipelines.messages.images import OddsImage, SelectionImage
from pipelines.ports import Publication, Push, Taken
from pipelines.publisher import publisher as publisher_module
from pipelines.publisher.odds import Summaries, odds_of
from pipelines.publisher.publisher import Publisher
from pipelines.settings import Settings

TAKEN = Taken(0, False)


class SteppingClock:
    """Each reading is a little later."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic_s(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def time_ms(self) -> int:
        return int(self.monotonic_s() * 1_000)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class MemoryLog:
    """Records of two topics; keeps the commits, as a broker would."""

    def __init__(self) -> None:
        self.records: dict[str, list[ReadRecord]] = {"odds": [], "journal": []}
        self.next: dict[str, int] = {"odds": 0, "journal": 0}
        self.end_first = dict(self.next)
        self.committed_next: dict[tuple[str, int], int] = {}
        self.paused: set[str] = set()
        self.fail_commits = 0

    def append(self, topic: str, value: bytes) -> None:
        records = self.records[topic]
        records.append(ReadRecord(topic, 0, len(records), 1_000_000, b"race-1", value))

    def restart(self) -> None:
        self.paused.clear()
        self.end_first = {topic: len(records) for topic, records in self.records.items()}
        for topic in self.next:
            self.next[topic] = self.committed_next.get((topic, 0), 0)

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]:
        out: list[ReadRecord] = []
        for topic, records in self.records.items():
            if topic not in self.paused:
                batch = records[self.next[topic] : self.next[topic] + records_max]
                self.next[topic] += len(batch)
                out += batch
        return out

    def pause(self, topic: str) -> None:
        self.paused.add(topic)

    def resume(self, topic: str) -> None:
        self.paused.discard(topic)

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        if self.fail_commits:
            self.fail_commits -= 1
            raise BrokerError("coordinator is away")
        for where, offset in positions.items():
            assert offset >= self.committed_next.get(where, 0), "commits never go back"
            self.committed_next[where] = offset

    def known_ends(self) -> dict[tuple[str, int], int]:
        return {(topic, 0): len(records) for topic, records in self.records.items()}

    def caught_up(self, topic: str) -> bool:
        return self.next[topic] >= self.end_first[topic]

    def close(self) -> None:
        return


class FaultyEdge:
    """Drops repeated ids as Ably does; fails as a script or chance says."""

    def __init__(self, faults: random.Random | None = None) -> None:
        self.faults = faults
        self.delivered: list[Publication] = []
        self.ids: set[tuple[str, str]] = set()
        self.requests = 0
        self.away = False

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        self.requests += 1
        chance = self.faults.random() if self.faults else 1.0
        if self.away or chance < 0.1:
            raise EdgeError("away", 50003, 503, 0.2)
        answers = []
        for publication in publications:
            if self.faults and self.faults.random() < 0.1:
                answers.append(Taken(42913, True))
                continue
            answers.append(TAKEN)
            if (publication.channel, publication.id) not in self.ids:
                self.ids.add((publication.channel, publication.id))
                self.delivered.append(publication)
        if chance < 0.2:
            raise EdgeError("timed out after success", 50003, 504)
        return answers

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        raise AssertionError("the publisher does not push")

    def close(self) -> None:
        return


def image(seq: int, market_id: str = "win", status: str = "OPEN", version: int = 1) -> OddsImage:
    selections = (SelectionImage(1, "Red Rum", "ACTIVE", 20_000 + seq, 0),)
    return OddsImage(
        "race-1", seq, "Aintree", market_id, seq, version, "WIN", "Win", "fixed", status,
        False, 0, 5_000, 4_000, 0, 0, selections,
    )  # fmt: skip


def accepted(seq: int, client_id: str) -> bytes:
    entry = e.BetAccepted(
        "race-1", seq, "win", seq, client_id, f"b-{seq}", 1, 500, 20_000, "exact", 0, 1, 20_000
    )
    return msgspec.msgpack.encode(e.JournalRecord(1, seq, 4_000, 1, 1, entry))


def make(log: MemoryLog, edge: FaultyEdge, clock: SteppingClock) -> Publisher:
    return Publisher(log, edge, clock, Settings(), randomness=random.Random(1).random)


def steps(publisher: Publisher, clock: SteppingClock, count: int) -> None:
    for _ in range(count):
        publisher.step(0.0)
        clock.sleep(0.02)


def seqs(edge: FaultyEdge, channel: str) -> list[int]:
    return [p.data["event_seq"] for p in edge.delivered if p.channel == channel]  # type: ignore[index]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_reordered_under_faults_and_restarts(seed: int) -> None:
    chance = random.Random(seed)
    log, edge, clock = MemoryLog(), FaultyEdge(chance), SteppingClock()
    publisher = make(log, edge, clock)
    for seq in range(1, 301):
        log.append("journal", accepted(seq, f"bettor-{seq % 3}"))
        log.append("odds", msgspec.msgpack.encode(image(seq, f"m{seq % 2}")))
        steps(publisher, clock, 1)
        if chance.random() < 0.03:
            log.restart()
            publisher = make(log, edge, clock)
    edge.faults = None
    steps(publisher, clock, 400)
    for bettor in range(3):
        expected = [seq for seq in range(1, 301) if seq % 3 == bettor]
        assert seqs(edge, f"outbound:bets:bettor-{bettor}") == expected
    for market in (0, 1):
        shown = [
            p.data["seq"]  # type: ignore[index]
            for p in edge.delivered
            if p.name == "odds" and p.data["market_id"] == f"m{market}"  # type: ignore[index]
        ]
        assert shown == sorted(set(shown))
        assert shown[-1] == (300 if market == 0 else 299)
    assert log.committed_next == {("odds", 0): 300, ("journal", 0): 300}


def test_a_restart_far_behind_never_shows_a_market_as_it_was_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher_module, "POLL_RECORDS_MAX", 3)
    log, edge, clock = MemoryLog(), FaultyEdge(), SteppingClock()
    stuck = image(1, "stuck", version=9)
    refused = edge.publish

    def publish(publications: Sequence[Publication]) -> list[Taken]:
        """One market's image is never taken, and nothing after it counts as done."""
        taken = refused([p for p in publications if p.data["market_id"] != "stuck"])  # type: ignore[index]
        answers = iter(taken)
        return [
            Taken(42913, True) if p.data["market_id"] == "stuck" else next(answers)  # type: ignore[index]
            for p in publications
        ]

    edge.publish = publish  # type: ignore[method-assign]
    log.append("odds", msgspec.msgpack.encode(stuck))
    publisher = make(log, edge, clock)
    for seq in range(2, 40):
        for part in range(3):  # more than one market, so that some images are left out
            log.append("odds", msgspec.msgpack.encode(image(3 * seq + part, f"m{part % 2}")))
        steps(publisher, clock, 2)
    assert log.committed_next.get(("odds", 0), 0) == 0
    log.restart()
    again = make(log, edge, clock)
    steps(again, clock, 100)
    for market in ("m0", "m1"):
        shown = [
            p.data["seq"]  # type: ignore[index]
            for p in edge.delivered
            if p.name == "odds" and p.data["market_id"] == market  # type: ignore[index]
        ]
        assert len(shown) > 5
        assert shown == sorted(set(shown))


def test_a_long_outage_sends_only_the_newest_odds_but_every_receipt() -> None:
    log, edge, clock = MemoryLog(), FaultyEdge(), SteppingClock()
    edge.away = True
    publisher = make(log, edge, clock)
    for seq in range(1, 101):
        log.append("journal", accepted(seq, "anna"))
        log.append("odds", msgspec.msgpack.encode(image(seq)))
        steps(publisher, clock, 1)
    assert log.committed_next.get(("odds", 0), 0) == 0
    assert edge.requests < 50, "back-off keeps requests rare"
    edge.away = False
    steps(publisher, clock, 400)
    assert seqs(edge, "outbound:bets:anna") == list(range(1, 101))
    assert [p.data["seq"] for p in edge.delivered if p.name == "odds"] == [100]  # type: ignore[index]


def test_journal_is_left_in_kafka_while_many_receipts_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher_module, "RECEIPTS_WAITING_MAX", 50)
    monkeypatch.setattr(publisher_module, "RECEIPTS_RESUME_BELOW", 20)
    monkeypatch.setattr(publisher_module, "POLL_RECORDS_MAX", 30)
    log, edge, clock = MemoryLog(), FaultyEdge(), SteppingClock()
    edge.away = True
    for seq in range(1, 501):
        log.append("journal", accepted(seq, f"bettor-{seq}"))
    publisher = make(log, edge, clock)
    steps(publisher, clock, 50)
    assert publisher.status()["journal_paused"] is True
    assert publisher.status()["receipts_waiting"] == 60
    edge.away = False
    steps(publisher, clock, 600)
    assert len(edge.delivered) == 500
    assert publisher.status()["journal_paused"] is False


def test_what_cannot_be_read_or_is_refused_is_passed_over_and_counted() -> None:
    log, clock = MemoryLog(), SteppingClock()

    class Refusing(FaultyEdge):
        def publish(self, publications: Sequence[Publication]) -> list[Taken]:
            return [Taken(40009, False)] * len(publications)

    log.append("journal", b"\xc1")
    log.append("journal", accepted(1, "anna"))
    publisher = make(log, Refusing(), clock)
    steps(publisher, clock, 20)
    status = publisher.status()
    assert (status["unreadable"], status["refused"], status["taken"]) == (1, 1, 0)
    assert log.committed_next == {("journal", 0): 2}
    assert status["lag"] == {"journal/0": 0}


def test_a_refused_commit_is_made_up_for_later() -> None:
    log, edge, clock = MemoryLog(), FaultyEdge(), SteppingClock()
    log.append("journal", accepted(1, "anna"))
    log.fail_commits = 2
    publisher = make(log, edge, clock)
    waits: list[Any] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return False

        def is_set(self) -> bool:
            clock.sleep(0.3)
            return bool(log.committed_next)

    publisher.run(Stop(), 0.0)
    assert len(waits) == 2
    assert log.committed_next == {("journal", 0): 1}


def test_summaries_say_only_what_changed_and_forget_the_oldest() -> None:
    summaries = Summaries(remembered_max=2)
    first = summaries.changed(image(1))
    assert first is not None
    assert first.channel == "outbound:events"
    assert first.id == "race-1:win:1:0:OPEN"
    assert summaries.changed(image(2)) is None
    assert summaries.changed(image(3, status="SUSPENDED", version=2)) is not None
    for market_id in ("a", "b"):
        assert summaries.changed(image(4, market_id)) is not None
    assert summaries.changed(image(5, status="SUSPENDED", version=2)) is not None


def test_an_image_goes_out_whole_and_in_the_order_of_its_fields() -> None:
    publication = odds_of(image(9))
    assert publication[:3] == ("outbound:odds:race-1", "race-1:9", "odds")
    assert isinstance(publication.data, dict)
    assert tuple(publication.data) == OddsImage.__struct_fields__
    assert publication.data["selections"][0]["odds_e4"] == 20_009
