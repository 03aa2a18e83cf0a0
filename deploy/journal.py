"""`overround journal`: the record of truth outside of Kafka, provably unbroken; and back.

An archive is a folder of compressed JSON lines. Exporting again adds what has come since.
"""

import time
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.command_settings import SettingsFile, kafka_settings
from pipelines.archive.archive_file import proved_records, write_archive
from pipelines.archive.archive_folder import archive_files, archive_name, end_of, prove_all
from pipelines.errors import ArchiveError, StackError
from pipelines.kafka.ends import Bounds
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.ports import Record
from pipelines.topics import JOURNAL

__all__ = ["application", "export_journal", "import_journal"]

IMPORT_BATCH: Final = 5_000

application = typer.Typer(
    help="Keep the journal outside of Kafka, prove it unbroken, bring it back.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Folder of the archive.")]


@application.command("export")
def export_command(folder: Folder, settings_file: SettingsFile = None) -> None:
    """Add what the journal has and the archive has not: a file a partition.

    Committed records only. Files that are there are proved first, and continued. Once they are
    kept elsewhere, and their last hash too, the topic's retention may be bounded.
    """
    settings = kafka_settings(settings_file)
    folder.mkdir(parents=True, exist_ok=True)
    for line in export_journal(settings.kafka_bootstrap_servers, folder):
        print(line)


def export_journal(bootstrap_servers: str, folder: Path) -> Iterator[str]:
    """Export every partition; yields a line about each. Raises ArchiveError, BrokerError."""
    reader = TopicReader(bootstrap_servers, JOURNAL)
    try:
        count = reader.partitions()
        if not count:
            raise StackError(f"there is no topic {JOURNAL} on {bootstrap_servers}")
        known = archive_files(folder)
        for partition in range(count):
            yield _export_partition(reader, folder, known.get(partition, []), partition)
    finally:
        reader.close()


def _export_partition(reader: TopicReader, folder: Path, known: list[Path], partition: int) -> str:
    bounds = reader.settled_bounds(partition)
    end = end_of(known, bounds.first)
    if known and bounds.end < end.next_offset:
        raise ArchiveError(
            f"partition {partition}: the journal ends before {bounds.end}, and the archive goes on "
            f"at {end.next_offset}: this is another journal, which wants another folder"
        )
    if end.next_offset < bounds.first:
        raise ArchiveError(
            f"partition {partition}: the journal begins at {bounds.first} by now, and the archive "
            f"ends before {end.next_offset}: what lay between is gone"
        )
    began_s = time.monotonic()
    left = Bounds(end.next_offset, bounds.end)
    if left.end <= left.first:
        return f"partition {partition}: nothing new, last hash {end.hash}"
    file = folder / archive_name(partition, end.next_offset)
    with _shown(f"partition {partition}", left.end - left.first) as progress:
        records = _followed(reader.read(partition, left), left.first, progress)
        footer = write_archive(file, partition, end.next_offset, end.hash, records, end.entry)
    took_s = time.monotonic() - began_s
    if not footer.records:
        file.unlink()
        return f"partition {partition}: nothing new, last hash {end.hash}"
    size = file.stat().st_size
    return (
        f"partition {partition}: {footer.records:,} records, {size:,} bytes, {took_s:.1f} s, "
        f"last hash {footer.hash}"
    )


@application.command("verify")
def verify_command(folder: Folder) -> None:
    """Prove every file of an archive, and that each continues the one before; exit 0 if so.

    Compare the last hashes with those you keep elsewhere: a chain proves order and wholeness from
    its beginning to them.
    """
    files = archive_files(folder)
    if not files:
        raise ArchiveError(f"{folder} holds no archive")
    for partition, of_partition in files.items():
        proved = prove_all(of_partition)
        records = sum(one.footer.records for one in proved)
        first, last = proved[0].header, proved[-1].footer
        print(
            f"partition {partition}: unbroken, {len(proved)} files, {records:,} records, offsets "
            f"{first.first_offset} to {last.next_offset}, last hash {last.hash}"
        )


@application.command("import")
def import_command(folder: Folder, settings_file: SettingsFile = None) -> None:
    """Write a proved archive to an empty journal, to audit it or fold it as it was.

    Refused where the journal holds anything but the beginning of this archive, as an import that
    was interrupted leaves it: that is continued. Keys, values and times come back as they were,
    and without the markers of transactions offsets are others: archive what comes after in
    another folder. To go on taking bets from it, the input topics must stand where the journal
    says they were read to.
    """
    settings = kafka_settings(settings_file)
    for line in import_journal(settings.kafka_bootstrap_servers, folder):
        print(line)


def import_journal(bootstrap_servers: str, folder: Path) -> Generator[str]:
    """Import every partition of an archive, or the rest where an import was interrupted.

    Raises ArchiveError before anything is written.
    """
    files = archive_files(folder)
    if not files:
        raise ArchiveError(f"{folder} holds no archive")
    totals: dict[int, int] = {}
    for partition, of_partition in files.items():
        totals[partition] = sum(one.footer.records for one in prove_all(of_partition))
    there = _already_there(bootstrap_servers, files)
    writer = SingleRecords(bootstrap_servers)
    try:
        for partition, of_partition in files.items():
            done = there[partition]
            with _shown(f"partition {partition}", totals[partition] - done) as progress:
                for batch in _batches(islice(_records(of_partition), done, None)):
                    writer.send(
                        [
                            WholeRecord(
                                JOURNAL, partition, one.key or None, one.value, (), one.timestamp_ms
                            )
                            for one in batch
                        ]
                    )
                    progress.advance(progress.task_ids[0], len(batch))
            before = f", {done:,} of them were there" if done else ""
            yield f"partition {partition}: {totals[partition]:,} records{before}"
    finally:
        writer.close()


def _already_there(bootstrap_servers: str, files: dict[int, list[Path]]) -> dict[int, int]:
    """Return how many records of each partition an earlier import has written.

    Raises ArchiveError where the journal holds anything else.
    """
    reader = TopicReader(bootstrap_servers, JOURNAL)
    found: dict[int, int] = {}
    try:
        count = reader.partitions()
        if count <= max(files):
            raise ArchiveError(f"the journal has {count} partitions, the archive {max(files) + 1}")
        for partition in range(count):
            bounds, found[partition] = reader.bounds(partition), 0
            archived = _records(files.get(partition, []))
            for record in reader.read(partition, bounds):
                if bounds.first or _said(record) != _said(next(archived, None)):
                    raise ArchiveError(
                        f"partition {partition} of the journal is not empty, and what it holds is "
                        f"not the beginning of this archive"
                    )
                found[partition] += 1
    finally:
        reader.close()
    return found


def _said(record: Record | None) -> tuple[bytes, bytes, int] | None:
    """What of a record an import keeps."""
    return record and (record.key or b"", record.value or b"", record.timestamp_ms)


def _records(files: list[Path]) -> Iterator[Record]:
    for file in files:
        for one in proved_records(file):
            if isinstance(one, Record):
                yield one


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) >= IMPORT_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _shown(what: str, total: int) -> Progress:
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), transient=True
    )
    progress.add_task(what, total=total)
    return progress


def _followed(records: Iterable[Record], first: int, progress: Progress) -> Iterator[Record]:
    for record in records:
        yield record
        if record.offset % 1_000 == 0:
            progress.update(progress.task_ids[0], completed=record.offset - first)
