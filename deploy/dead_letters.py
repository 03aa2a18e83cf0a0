"""`overround dead-letters`: look at records that could not be understood, and send them again.

A letter is kept in `dead-letters` of the partition whose shard could not use the record. What is
sent again is the record itself, read from its own topic with all its headers; only where retention
has deleted it, the letter's copy. A bet that was answered meanwhile is not taken twice: the shard
knows its id.
"""

from collections import deque
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.command_settings import SettingsFile, kafka_settings
from deploy.dead_letter_records import Letter, Wanted, find_letters, letters_at, retry_letters
from pipelines.errors import StackError
from pipelines.kafka.single_records import SingleRecords
from pipelines.render import letter_object, text_or_base64

__all__ = ["application"]

LISTED: Final = 50
LEFT_OUT_SHOWN: Final = 20

application = typer.Typer(
    help="Look at records that could not be understood; send them again once the cause is gone.",
    no_args_is_help=True,
)


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
    letters = find_letters(
        settings.kafka_bootstrap_servers, _wanted(topic, code, partition, minutes)
    )
    if as_json:
        for one in letters:
            print(msgspec.json.encode(_object(one)).decode())
        return
    count, last = 0, deque[Letter](maxlen=LISTED)
    for one in letters:
        count += 1
        last.append(one)
    if not count:
        print("no dead letters")
        return
    table = Table("letter", "time", "record", "bytes", "code", "reason")
    for one in last:
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
    if count > LISTED:
        print(f"the last {LISTED} of {count:,}; --json prints all")


@application.command("show")
def show_command(
    partition: Annotated[int, typer.Argument(help="First number of the letter in the list.")],
    offset: Annotated[int, typer.Argument(help="Its second number.")],
    settings_file: SettingsFile = None,
) -> None:
    """Show one dead letter: why, where the record was, what is in it."""
    settings = kafka_settings(settings_file)
    (one,) = letters_at(settings.kafka_bootstrap_servers, [(partition, offset)])
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
    wanted = _wanted(topic, code, partition, minutes)
    named = [_place(text) for text in dict.fromkeys(places or ())]
    for_all = find_letters(servers, wanted) if everything else letters_at(servers, named)
    count = sum(1 for _ in for_all)  # also: every named one is there before any is sent
    if not count:
        print("no dead letters")
        return
    if not yes:
        typer.confirm(f"Send {count:,} records again?", abort=True)
    sent = left_out = 0
    chosen = find_letters(servers, wanted) if everything else letters_at(servers, named)
    try:
        for one in retry_letters(servers, chosen):
            if not one.why_not:
                sent += 1
                continue
            left_out += 1
            if left_out <= LEFT_OUT_SHOWN:
                print(f"not sent: {one.partition}/{one.offset}: {one.why_not}")
    finally:
        print(f"{sent:,} sent again" + (f", {left_out:,} not" if left_out else ""))
    if left_out:
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


def _object(one: Letter) -> dict[str, object]:
    where = {"letter_partition": one.partition, "letter_offset": one.offset, "at_ms": one.at_ms}
    return where | letter_object(one.letter)
