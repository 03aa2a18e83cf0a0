"""The records of `dead-letters`: found in Kafka one by one, and sent again in bounded batches.

Used by `overround dead-letters`. However many there are, memory is that of one batch.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from pipelines.codes import Code
from pipelines.errors import StackError
from pipelines.kafka.ends import Bounds
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.messages.dead_letters import DeadLetter
from pipelines.ports import Record
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS

__all__ = [
    "RETRY_HEADER",
    "Letter",
    "Retried",
    "Wanted",
    "find_letters",
    "letters_at",
    "retry_letters",
]

RETRY_HEADER: Final = "overround-retry-of"
RETRIED_TOPICS: Final = (BETS, EVENTS)
BATCH: Final = 500
_decode = msgspec.msgpack.Decoder(DeadLetter).decode


class Letter(NamedTuple):
    """A dead letter and where it is kept."""

    partition: int
    offset: int
    at_ms: int
    letter: DeadLetter


class Wanted(NamedTuple):
    """Which letters: empty and -1 stand for all."""

    topic: str = ""
    code: str = ""
    partition: int = -1
    since_ms: int = 0

    def fits(self, found: Letter) -> bool:
        return (
            self.topic in ("", found.letter.topic)
            and self.code in ("", found.letter.code)
            and self.partition in (-1, found.partition)
            and found.at_ms >= self.since_ms
        )


class Retried(NamedTuple):
    """What became of a letter: where it lies, and why it was not sent; empty where it was."""

    partition: int
    offset: int
    why_not: str = ""


def find_letters(bootstrap_servers: str, wanted: Wanted) -> Iterator[Letter]:
    """Yield the letters that fit, by partition and offset. Raises BrokerError, StackError."""
    reader = TopicReader(bootstrap_servers, DEAD_LETTERS)
    try:
        count = reader.partitions()
        if not count:
            raise StackError(f"there is no topic {DEAD_LETTERS} on {bootstrap_servers}")
        chosen = [p for p in range(count) if wanted.partition in (-1, p)]
        # What comes while this runs, as what a retry brings about, is for another time.
        bounds = {partition: reader.bounds(partition) for partition in chosen}
        for partition in chosen:
            for record in reader.read(partition, bounds[partition]):
                found = Letter(partition, record.offset, record.timestamp_ms, _letter(record))
                if wanted.fits(found):
                    yield found
    finally:
        reader.close()


def letters_at(bootstrap_servers: str, places: Iterable[tuple[int, int]]) -> Iterator[Letter]:
    """Yield the letters at (partition, offset)s. Raises StackError where there is none."""
    reader = TopicReader(bootstrap_servers, DEAD_LETTERS)
    try:
        count = reader.partitions()
        for partition, offset in places:
            there = reader.bounds(partition) if partition < count else Bounds(0, 0)
            record = None
            if there.first <= offset < there.end:
                record = next(reader.read(partition, Bounds(offset, offset + 1)), None)
            if record is None:
                raise StackError(f"there is no dead letter {partition}/{offset}")
            yield Letter(partition, offset, record.timestamp_ms, _letter(record))
    finally:
        reader.close()


def _letter(record: Record) -> DeadLetter:
    """Return what a record says; one that is no letter is shown as a letter about itself."""
    value = record.value or b""
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        return DeadLetter(
            topic=DEAD_LETTERS,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            key=record.key or b"",
            value=value,
            value_bytes=len(value),
            code=Code.INVALID_INPUT_DATA,
            reason=f"this record is no dead letter: {error}",
        )


def retry_letters(bootstrap_servers: str, letters: Iterable[Letter]) -> Iterator[Retried]:
    """Send the records of letters again, to where they were, and yield what became of each.

    A batch is sent before the next is read. Raises BrokerError; what was yielded is in Kafka then.
    """
    records = SingleRecords(bootstrap_servers)
    source = iter(letters)
    try:
        while batch := list(islice(source, BATCH)):
            again: list[WholeRecord] = []
            results: list[Retried] = []
            for one in batch:
                found = _again(records, one)
                if isinstance(found, str):
                    results.append(Retried(one.partition, one.offset, found))
                else:
                    again.append(found)
                    results.append(Retried(one.partition, one.offset))
            records.send(again)
            yield from results
    finally:
        records.close()


def _again(records: SingleRecords, one: Letter) -> WholeRecord | str:
    """Return the record to send, or why there is none."""
    letter = one.letter
    if letter.topic not in RETRIED_TOPICS:
        return f"records of {letter.topic} are not sent again"
    found = records.fetch(letter.topic, letter.partition, letter.offset)
    mark = (RETRY_HEADER, f"{letter.topic}/{letter.partition}/{letter.offset}".encode())
    if found is not None:
        kept = tuple(header for header in found.headers if header[0] != RETRY_HEADER)
        return found._replace(headers=(*kept, mark))
    if len(letter.value) < letter.value_bytes:
        return f"the record is gone, and of its {letter.value_bytes} bytes only a part was kept"
    key = letter.key or None
    return WholeRecord(letter.topic, letter.partition, key, letter.value, (mark,))
