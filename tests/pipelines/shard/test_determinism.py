"""The same input gives the same bytes: twice, in other batch cuts, at other speeds of a feed."""

import random
from collections.abc import Iterable, Iterator

import msgspec
import pytest

from pipelines.messages.entries import JournalRecord
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.fold import fold, positions_of
from pipelines.shard.hash import state_hash
from pipelines.shard.image import image_of
from pipelines.shard.state import ShardState
from pipelines.topics import DEAD_LETTERS, JOURNAL, ODDS
from tests.pipelines.shard.traffic import Traffic

EVENTS_COUNT = 4
RECORDS = 600
SEEDS = range(6)


def shared_pace(pace: random.Random) -> int:
    return pace.randrange(-20, 120)


def forward_pace(pace: random.Random) -> int:
    return pace.randrange(120)


def input_of(seed: int, feed: bool = False) -> list[Record]:
    traffic = Traffic(seed, shared_pace, feed, risk=True)
    return [*traffic.opening(EVENTS_COUNT), *traffic.middle(RECORDS, EVENTS_COUNT)]


class Run:
    """What an engine wrote, drained wherever `cuts` says so."""

    def __init__(self, records: Iterable[Record], cuts: Iterator[bool]) -> None:
        self.engine = Engine(ShardState(0))
        self.journal: list[bytes] = []
        self.images: dict[tuple[str, str], OddsImage] = {}
        self.images_written = 0
        self.dead: list[bytes] = []
        for record in records:
            self.engine.process(record)
            if next(cuts):
                self.drain()
        self.drain()

    def drain(self) -> None:
        for topic, _, value in self.engine.drain().outputs:
            if topic == JOURNAL:
                self.journal.append(value)
            elif topic == DEAD_LETTERS:
                self.dead.append(value)
            else:
                assert topic == ODDS
                image = msgspec.msgpack.decode(value, type=OddsImage)
                self.images[image.event_id, image.market_id] = image
                self.images_written += 1

    def hash(self) -> str:
        return state_hash(self.engine.state)

    def newest(self) -> dict[tuple[str, str], OddsImage]:
        """Images without where in the market's numbers they were made: that is up to the cuts."""
        return {
            where: msgspec.structs.replace(image, seq=0, event_seq=0, at_ms=0)
            for where, image in self.images.items()
        }


def always() -> Iterator[bool]:
    while True:
        yield True


def never() -> Iterator[bool]:
    while True:
        yield False


def sometimes(seed: int) -> Iterator[bool]:
    chance = random.Random(seed)
    while True:
        yield chance.random() < 0.05


@pytest.mark.parametrize("feed", [False, True], ids=["wall", "feed"])
@pytest.mark.parametrize("seed", SEEDS)
def test_twice_and_in_other_cuts(seed: int, feed: bool) -> None:
    records = input_of(seed, feed)
    first = Run(records, always())
    others = [Run(records, always()), Run(records, never())]
    others += [Run(records, sometimes(number)) for number in range(3)]
    for other in others:
        assert other.journal == first.journal
        assert other.dead == first.dead
        assert other.hash() == first.hash()
        assert other.newest() == first.newest()
    assert others[1].images_written < first.images_written
    assert (
        len({type(msgspec.msgpack.decode(v, type=JournalRecord).entry) for v in first.journal}) > 12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_anywhere_goes_on_as_if_there_was_none(seed: int) -> None:
    records = input_of(seed)
    whole = Run(records, never())
    cut = random.Random(seed).randrange(1, len(records))
    before = Run(records[:cut], always())
    engine = Engine(fold(0, before.journal))
    for record in records[cut:]:
        engine.process(record)
    drained = engine.drain()
    after = [value for topic, _, value in drained.outputs if topic == JOURNAL]
    assert before.journal + after == whole.journal
    assert state_hash(engine.state) == whole.hash()
    assert drained.positions == positions_of(whole.engine.state)


@pytest.mark.parametrize("feed", [False, True], ids=["wall", "feed"])
def test_the_newest_image_is_what_the_folded_journal_shows(feed: bool) -> None:
    run = Run(input_of(1, feed), sometimes(1))
    state = fold(0, run.journal)
    assert len(run.images) == 2 * EVENTS_COUNT
    for (event_id, market_id), image in run.images.items():
        event = state.events[event_id]
        folded = image_of(event, event.markets[market_id])
        same = {"seq": image.seq, "event_seq": image.event_seq, "at_ms": image.at_ms}
        assert msgspec.structs.replace(folded, **same) == image
        assert folded.seq >= image.seq


@pytest.mark.parametrize("seed", SEEDS)
def test_ticks_at_any_moment_change_nothing_that_was_decided(seed: int) -> None:
    records = input_of(seed)
    plain = Run(records, never())
    chance = random.Random(seed)
    ticked = Engine(ShardState(0))
    latest_ms = 0
    for record in records:
        # A tick that is not ahead of the record to come fires no more than that record would.
        latest_ms = max(latest_ms, record.timestamp_ms)
        if chance.random() < 0.5:
            ticked.tick(latest_ms - chance.randrange(2))
        ticked.process(record)
    journal = [value for topic, _, value in ticked.drain().outputs if topic == JOURNAL]
    # Who was fired by a tick carries the positions before the record, the rest is the same.
    assert stripped(journal) == stripped(plain.journal)


def stripped(journal: list[bytes]) -> list[tuple[object, ...]]:
    """Journal values without input positions and wall times."""
    records = [msgspec.msgpack.decode(value, type=JournalRecord) for value in journal]
    return [(r.v, r.shard_seq, r.at_ms, r.entry) for r in records]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_feed_decides_the_same_at_any_speed(seed: int) -> None:
    paces = [lambda pace: 0, lambda pace: pace.randrange(5), lambda pace: pace.randrange(10**6)]
    runs = []
    for wall_step_ms in paces:
        traffic = Traffic(seed, wall_step_ms, feed=True, risk=True)
        records = [*traffic.opening(EVENTS_COUNT), *traffic.middle(RECORDS, EVENTS_COUNT)]
        runs.append(Run(records, sometimes(seed)))
    first, *others = runs
    assert len(first.journal) > RECORDS
    for other in others:
        assert stripped(other.journal) == stripped(first.journal)
        assert other.newest() == first.newest()


@pytest.mark.parametrize("seed", SEEDS)
def test_live_events_beside_a_feed_do_not_change_what_it_decides(seed: int) -> None:
    # The wall is one for all: live records must not be later for those of the feed before them.
    traffic = Traffic(2 * seed, forward_pace, feed=True, risk=True)
    feed = [*traffic.opening(EVENTS_COUNT), *traffic.middle(RECORDS, EVENTS_COUNT)]
    live = Traffic(2 * seed + 1, forward_pace, feed=False, risk=True)
    live_records = [*live.opening(EVENTS_COUNT), *live.middle(RECORDS, EVENTS_COUNT)]
    renamed = [
        record._replace(
            key=record.key.replace(b"event-", b"live-"),
            value=record.value.replace(b"event-", b"live-"),
        )
        for record in live_records
        if record.key is not None and record.value is not None
    ]
    merged = sorted([*feed, *renamed], key=lambda record: record.timestamp_ms)
    alone = of_feed(Run(feed, never()).journal)
    beside = of_feed(Run(merged, sometimes(5)).journal)
    assert beside == alone
    live_alone = of_feed(Run(renamed, never()).journal, b"live-")
    assert of_feed(Run(merged, never()).journal, b"live-") == live_alone


def of_feed(journal: list[bytes], prefix: bytes = b"event-") -> list[tuple[object, ...]]:
    records = [msgspec.msgpack.decode(value, type=JournalRecord) for value in journal]
    return [
        (
            r.at_ms,
            msgspec.structs.replace(r.entry, offset=0) if hasattr(r.entry, "offset") else r.entry,
        )
        for r in records
        if r.entry.event_id.encode().startswith(prefix)
    ]
