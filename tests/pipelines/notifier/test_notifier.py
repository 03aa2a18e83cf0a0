"""The notifier dies at every step and is started again: nothing is lost, repeats are rare."""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import pytest

from pipelines.errors import BrokerError, EdgeError
from pipelines.kafka.reader import ReadRecord
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages.notices import Notice
from pipelines.notifier import entry_job
from pipelines.notifier.notifier import Notifier
from pipelines.notifier.query import Page, SettledBet, ShardUnavailable
from pipelines.ports import Publication, Push, Taken
from pipelines.settings import Settings

NOW_MS = 1_800_000_000_000
BETTORS = [f"bettor-{n}" for n in range(7)]
TAKEN = Taken(0, False)


class Killed(Exception):
    """The process ends here."""


class World:
    """What survives the notifier: journal, offsets, notices, phones. Counts steps, kills at one."""

    def __init__(self, kill_at: int = -1) -> None:
        self.kill_at = kill_at
        self.steps: list[str] = []
        self.journal: list[ReadRecord] = []
        self.committed_next: dict[tuple[str, int], int] = {}
        self.notices: list[Notice] = []
        self.phones: list[Push] = []
        self.next = 0
        self.now_s = 0.0
        self.shard_away = 0
        self.push_answers: list[list[Taken] | EdgeError] = []
        self.log_away = 0

    def passed(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) - 1 == self.kill_at:
            raise Killed(step)

    def append(self, entry: e.Entry, timestamp_ms: int = NOW_MS) -> None:
        value = msgspec.msgpack.encode(e.JournalRecord(1, 1, 50, 0, 0, entry))
        self.journal.append(
            ReadRecord("journal", 0, len(self.journal), timestamp_ms, b"race-1", value)
        )

    # the clock
    def time_ms(self) -> int:
        return NOW_MS + int(self.now_s * 1_000)

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Reader:
    def __init__(self, world: World) -> None:
        self.world = world
        world.next = world.committed_next.get(("journal", 0), 0)

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]:
        self.world.sleep(0.05)
        batch = self.world.journal[self.world.next : self.world.next + records_max]
        self.world.next += len(batch)
        return batch

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        self.world.passed("commit asked")
        for where, offset in positions.items():
            assert offset >= self.world.committed_next.get(where, 0)
            self.world.committed_next[where] = offset
        self.world.passed("commit done")

    def committed(self) -> dict[tuple[str, int], int]:
        return dict(self.world.committed_next)

    def known_ends(self) -> dict[tuple[str, int], int]:
        return {("journal", 0): len(self.world.journal)}

    def close(self) -> None:
        return


class Shard:
    """Bettor 0 won twice, 1 lost, 2 got a refund, 3 won and lost, the others lost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bets = [
            SettledBet("bettor-0", "a", "win", 1_000, 500),
            SettledBet("bettor-1", "b", "loss", 0, 500),
            SettledBet("bettor-2", "c", "void", 700, 700),
            SettledBet("bettor-3", "d", "loss", 0, 500),
            SettledBet("bettor-0", "e", "win", 250, 100),
            SettledBet("bettor-3", "f", "win", 123_456, 100),
            *(SettledBet(b, "g", "loss", 0, 100) for b in BETTORS[4:]),
        ]

    def settled_bets(
        self, partition: int, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> Page:
        self.world.passed("query")
        if self.world.shard_away:
            self.world.shard_away -= 1
            raise ShardUnavailable("shard restarts")
        end = after + min(limit, 4)
        return Page(self.bets[after:end], end if end < len(self.bets) else None)

    def bettors_of(self, partition: int, event_id: str) -> Sequence[str]:
        self.world.passed("query")
        return BETTORS

    def names(self, partition: int, event_id: str, market_id: str) -> tuple[str, str]:
        return "Aintree", "Win" if market_id else ""


class Phones:
    def __init__(self, world: World) -> None:
        self.world = world

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        raise AssertionError("the notifier does not publish")

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        self.world.passed("push asked")
        answers = self.world.push_answers.pop(0) if self.world.push_answers else None
        if isinstance(answers, EdgeError):
            raise answers
        answers = answers or [TAKEN] * len(pushes)
        self.world.phones += [
            push for push, taken in zip(pushes, answers, strict=True) if not taken.code
        ]
        self.world.passed("push done")
        return answers

    def close(self) -> None:
        return


class Notices:
    def __init__(self, world: World) -> None:
        self.world = world

    def append(self, partition: int, notices: Sequence[Notice]) -> None:
        self.world.passed("note asked")
        if self.world.log_away:
            self.world.log_away -= 1
            raise BrokerError("kafka is away")
        self.world.notices += notices
        self.world.passed("note done")

    def read(self, partition: int) -> Iterator[Notice]:
        return iter(list(self.world.notices))

    def close(self) -> None:
        return


def start(world: World) -> Notifier:
    return Notifier(
        Reader(world),
        Shard(world),
        Phones(world),
        Notices(world),
        world,
        Settings(),
        randomness=random.Random(1).random,
    )


def until_done(world: World) -> tuple[Notifier, list[str]]:
    """Run to the end, starting again after each kill; return the steps it was killed at."""
    killed = []
    notifier = start(world)
    for _ in range(500):
        try:
            notifier.step(0.0)
        except Killed as kill:
            killed.append(str(kill))
            world.kill_at = -1
            notifier = start(world)
        if world.committed_next.get(("journal", 0)) == len(world.journal):
            return notifier, killed
    raise AssertionError("the notifier never came to the end")


def settled(settlement: int = 1, market_id: str = "win") -> e.MarketSettled:
    return e.MarketSettled("race-1", 9, market_id, 5, settlement, 9, 9, 9, ())


def scenario(kill_at: int = -1) -> World:
    world = World(kill_at)
    world.append(e.EventIsStarting("race-1", 4, "", 0, "Aintree"))
    world.append(e.OddsSet("race-1", 5, "win", 3, ((1, 2),)))
    world.append(settled())
    world.append(settled(2))
    return world


def told(world: World) -> Counter[tuple[str, str, str]]:
    return Counter((p.client_id, p.data["kind"], p.data["settlement"]) for p in world.phones)


@pytest.fixture(autouse=True)
def _small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_job, "PUSHES_PER_REQUEST", 3)


def test_one_push_a_bettor_and_market_in_plain_words() -> None:
    world = scenario()
    notifier, _ = until_done(world)
    assert len(world.phones) == 21
    assert set(told(world).values()) == {1}
    first = {p.client_id: p for p in world.phones if p.data["settlement"] == "1"}
    assert first["bettor-0"].body == "You won 12.50 on Aintree, Win."
    assert first["bettor-1"].body == "Your bets on Aintree, Win did not win."
    assert first["bettor-2"].body == "7.00 was refunded on Aintree, Win."
    assert first["bettor-3"].body == "You won 1,234.56 on Aintree, Win."
    assert first["bettor-0"].collapse_key == "race-1:win:win"
    starts = [p for p in world.phones if p.data["kind"] == "starting"]
    assert {p.client_id for p in starts} == set(BETTORS)
    assert starts[0].body == "Aintree is starting. You have bets on it."
    corrected = next(p for p in world.phones if p.data["settlement"] == "2")
    assert corrected.title == "Result corrected"
    assert corrected.body.endswith("You won 12.50 on Aintree, Win.")
    status = notifier.status()
    assert (status["pushed"], status["jobs_waiting"]) == (21, 0)
    assert status["lag"] == {"journal/0": 0}


def test_a_coupon_tells_its_bettor_what_it_paid() -> None:
    world = World()
    for number, (result, paid) in enumerate([("win", 750), ("loss", 0), ("void", 100)]):
        head = ("bettor/ann", number + 1, "", 0, "ann", f"c{number}")
        world.append(be.CouponSettled(*head, 1, result, paid, ()))
    until_done(world)
    assert [(p.client_id, p.body) for p in world.phones] == [
        ("ann", "You won 7.50 on your multiple."),
        ("ann", "Your bets on your multiple did not win."),
        ("ann", "1.00 was refunded on your multiple."),
    ]
    assert [n.market_id for n in world.notices] == ["c0", "c1", "c2"]


def test_killed_at_every_step_nothing_is_lost_and_little_repeated() -> None:
    whole = scenario()
    until_done(whole)
    assert len(whole.steps) > 40
    for kill_at, step in enumerate(whole.steps):
        world = scenario(kill_at)
        _, killed = until_done(world)
        # Offset and pushes are done when the last commit is: that kill is never seen.
        assert killed == [step] or kill_at >= len(whole.steps) - 2
        assert set(told(world)) == set(told(whole))
        repeats = sum(told(world).values()) - len(told(world))
        # Only a push that was taken and not yet noted may be sent again, one request of them.
        assert repeats == (3 if step in ("push done", "note asked") else 0) or (
            repeats == 1 and step in ("push done", "note asked")
        ), (kill_at, step)


def test_a_shard_that_does_not_answer_is_asked_again() -> None:
    world = scenario()
    world.shard_away = 5
    until_done(world)
    assert set(told(world).values()) == {1}
    assert len(world.phones) == 21


def test_pushes_wait_for_the_edge_and_final_refusals_are_passed_over() -> None:
    world = World()
    world.append(settled())
    world.push_answers = [
        EdgeError("busy", 42910, 429, 1.0),
        [TAKEN, Taken(42910, True), Taken(40000, False)],
    ]
    notifier, _ = until_done(world)
    assert len(world.phones) == 6
    assert "bettor-2" not in {p.client_id for p in world.phones}
    assert {n.client_id for n in world.notices} == {p.client_id for p in world.phones}
    assert notifier.status()["refused"] == 1


def test_notices_that_could_not_be_written_are_written_later_without_pushing_again() -> None:
    world = scenario()
    world.log_away = 4
    until_done(world)
    assert set(told(world).values()) == {1}
    assert len(world.notices) == 21


def test_old_entries_and_unreadable_ones_are_passed_over() -> None:
    world = World()
    world.append(settled(), timestamp_ms=NOW_MS - 3 * 24 * 3_600_000)
    world.journal.append(ReadRecord("journal", 0, 1, NOW_MS, b"k", b"\xc1"))
    world.append(settled(1, "place"))
    until_done(world)
    assert {p.data["market_id"] for p in world.phones} == {"place"}


def test_run_ends_when_asked() -> None:
    world = scenario()
    notifier, stop = start(world), threading.Event()
    thread = threading.Thread(target=notifier.run, args=(stop, 0.001))
    thread.start()
    try:
        for _ in range(500):
            if len(world.phones) == 21:
                break
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()
    assert len(world.phones) == 21
