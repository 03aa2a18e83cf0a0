"""`overround dead-letters`: look at records that could not be understood, and send them again.

A letter is kept in `dead-letters` of the partition whose shard could not use the record. What is
sent again is the record itself, read from its own topic with all its headers; only where retention
has deleted it, the letter's copy. A bet that was answered meanwhile is not taken twice: the shard
knows its id.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.command_settings import SettingsFile, kafka_settings
from pipelines.errors import StackError
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.messages.dead_letters import DeadLetter
from pipelines.render import letter_object, text_or_base64
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS

__all__ = ["RETRY_HEADER", "application", "find_letters", "retry_letters"]

RETRY_HEADER: Final = "overround-retry-of"
RETRIED_TOPICS: Final = (BETS, EVENTS)
LISTED: Final = 50
_decode = msgspec.msgpack.Decoder(DeadLetter).decode

application = typer.Typer(
    help="Look at records that could not be understood; send them again once the cause is gone.",
    no_args_is_help=True,
)


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
    """What became of a retry: how many were sent, and why others were not."""

    sent: int
    left_out: tuple[str, ...]


def find_letters(bootstrap_servers: str, wanted: Wanted) -> Iterator[Letter]:
    """Yield the letters that fit, by partition and offset. Raises BrokerError, StackError."""
    reader = TopicReader(bootstrap_servers, DEAD_LETTERS)
    try:
        count = reader.partitions()
        if not count:
            raise StackError(f"there is no topic {DEAD_LETTERS} on {bootstrap_servers}")
        for partition in range(count):
            for record in reader.read(partition, reader.bounds(partition)):
                letter = _decode(record.value or b"")
                found = Letter(partition, record.offset, record.timestamp_ms, letter)
                if wanted.fits(found):
                    yield found
    finally:
        reader.close()


def retry_letters(bootstrap_servers: str, letters: list[Letter]) -> Retried:
    """Send the records of these letters again, to where they were. Raises BrokerError."""
    records = SingleRecords(bootstrap_servers)
    again: list[WholeRecord] = []
    left_out: list[str] = []
    try:
        for one in letters:
            found = _again(records, one)
            if isinstance(found, str):
                left_out.append(f"{one.partition}/{one.offset}: {found}")
            else:
                again.append(found)
        records.send(again)
    finally:
        records.close()
    return Retried(len(again), tuple(left_out))


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


TopicOption = Annotated[str, typer.Option("--topic", help="Only records of this topic.")]
CodeOption = Annotated[str, typer.Option("--code", help="Only those with this code.")]
PartitionOption = Annotated[int, typer.Option("--partition", help="Only those of this partition.")]
MinutesOption = Annotated[float, typer.Option("--minutes", help="Only the last so many minutes.")]


@application.command("list")
def list_command(
    topic: TopicOption = "",
    code: CodeOption = "",
    partition: PartitionOption = -1,
    minutes: MinutesOption = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, all of them.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """List dead letters, the newest of each partition last."""
    settings = kafka_settings(settings_file)
    found = list(
        find_letters(settings.kafka_bootstrap_servers, _wanted(topic, code, partition, minutes))
    )
    if as_json:
        for one in found:
            print(msgspec.json.encode(_object(one)).decode())
        return
    if not found:
        print("no dead letters")
        return
    table = Table("letter", "time", "record", "bytes", "code", "reason")
    for one in found[-LISTED:]:
        letter = one.letter
        table.add_row(
            f"{one.partition} {one.offset}",
            f"{datetime.fromtimestamp(one.at_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}",
            f"{letter.topic}/{letter.partition}/{letter.offset}",
            f"{letter.value_bytes:,}",
            letter.code,
            escape(letter.reason),
        )
    Console().print(table)
    if len(found) > LISTED:
        print(f"the last {LISTED} of {len(found):,}; --json prints all")


@application.command("show")
def show_command(
    partition: Annotated[int, typer.Argument(help="First number of the letter in the list.")],
    offset: Annotated[int, typer.Argument(help="Its second number.")],
    settings_file: SettingsFile = None,
) -> None:
    """Show one dead letter: why, where the record was, what is in it."""
    settings = kafka_settings(settings_file)
    one = _at(settings.kafka_bootstrap_servers, {(partition, offset)})[0]
    shown = _object(one)
    records = SingleRecords(settings.kafka_bootstrap_servers)
    try:
        letter = one.letter
        whole = records.fetch(letter.topic, letter.partition, letter.offset)
    finally:
        records.close()
    shown["record_is_there"] = whole is not None
    shown["headers"] = {n: text_or_base64(v) for n, v in whole.headers} if whole else {}
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


@application.command("retry")
def retry_command(
    places: Annotated[
        list[str] | None, typer.Argument(help="Letters as PARTITION/OFFSET, for example 0/17.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that fit --topic, --code, --partition, --minutes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    topic: TopicOption = "",
    code: CodeOption = "",
    partition: PartitionOption = -1,
    minutes: MinutesOption = 0.0,
    settings_file: SettingsFile = None,
) -> None:
    """Send records again, to the topic and partition where they were.

    Do it once the cause is gone: after an upgrade, or when the market that was unknown is open.
    """
    settings = kafka_settings(settings_file)
    servers = settings.kafka_bootstrap_servers
    if bool(places) == everything:
        raise StackError("name letters as PARTITION/OFFSET, or say --all")
    if places:
        found = _at(servers, {_place(text) for text in places})
    else:
        found = list(find_letters(servers, _wanted(topic, code, partition, minutes)))
    if not found:
        print("no dead letters")
        return
    if not yes:
        typer.confirm(f"Send {len(found):,} records again?", abort=True)
    retried = retry_letters(servers, found)
    print(f"{retried.sent:,} sent again")
    for why in retried.left_out:
        print(f"not sent: {why}")
    if retried.left_out:
        raise typer.Exit(1)


def _wanted(topic: str, code: str, partition: int, minutes: float) -> Wanted:
    now_ms = int(datetime.now(UTC).timestamp() * 1_000)
    since_ms = now_ms - int(minutes * 60_000) if minutes else 0
    return Wanted(topic, code, partition, since_ms)


def _place(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition("/")
    if not (partition.isdigit() and offset.isdigit()):
        raise StackError(f"{text!r} is no letter: write PARTITION/OFFSET, for example 0/17")
    return int(partition), int(offset)


def _at(servers: str, places: set[tuple[int, int]]) -> list[Letter]:
    found = [x for x in find_letters(servers, Wanted()) if (x.partition, x.offset) in places]
    absent = places - {(one.partition, one.offset) for one in found}
    if absent:
        names = ", ".join(f"{p}/{o}" for p, o in sorted(absent))
        raise StackError(f"there is no dead letter {names}")
    return found


def _object(one: Letter) -> dict[str, object]:
    where = {"letter_partition": one.partition, "letter_offset": one.offset, "at_ms": one.at_ms}
    return where | letter_object(one.letter)
