"""One file of an archived journal: gzip, a JSON object a line, written and proved line by line."""

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from pipelines.archive.chain import (
    LINE_BYTES_MAX,
    Chained,
    Footer,
    Header,
    chained,
    content,
    first_hash,
    next_hash,
    read_line,
    written,
)
from pipelines.errors import ArchiveError, CodecError
from pipelines.ports import Record
from pipelines.render import output_object
from pipelines.topics import JOURNAL

__all__ = ["Proved", "prove", "proved_records", "write_archive"]

COMPRESSION: Final = 6


class Proved(NamedTuple):
    """A file whose chain is unbroken, and the journal numbers it holds; 0 where it holds none."""

    header: Header
    footer: Footer
    first_entry: int = 0
    last_entry: int = 0


def write_archive(
    file: Path,
    partition: int,
    first_offset: int,
    previous: str,
    records: Iterable[Record],
    last_entry: int = 0,
) -> Footer:
    """Write records to a new file, which appears only once it is whole.

    `last_entry` is the journal number that the file before ended with, 0 without one. Raises
    ArchiveError where the file exists, the first record is not the next, or one is no journal's.
    """
    if file.exists():
        raise ArchiveError(f"{file} exists: an archive is never written over")
    header = Header(partition, first_offset, previous)
    last, count, next_offset = first_hash(header), 0, first_offset
    part = file.with_name(f"{file.name}.part")
    try:
        with gzip.open(part, "wb", COMPRESSION) as out:
            out.write(written(header))
            for record in records:
                line = _line(last, record)
                entry = _entry(line)
                if last_entry and entry != last_entry + 1:
                    raise ArchiveError(
                        f"record {record.offset} is entry {entry}, and the archive ends with "
                        f"{last_entry}: this is another journal, which wants another folder"
                    )
                last_entry = 0  # only where two files meet: what is within is for `prove`
                out.write(written(line))
                last, count, next_offset = line.hash, count + 1, line.offset + 1
            footer = Footer(next_offset, count, last)
            out.write(written(footer))
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return footer


def _line(last: str, record: Record) -> Chained:
    try:
        return chained(
            last, record.offset, record.timestamp_ms, record.key or b"", record.value or b""
        )
    except CodecError as error:
        raise ArchiveError(f"record {record.offset} is none of a journal: {error}") from error


def _entry(line: Chained) -> int:
    return int(str(line.entry["shard_seq"]))


def prove(file: Path) -> Proved:
    """Return header and footer of a file whose chain is unbroken. Raises ArchiveError."""
    found: list[Header | Footer] = []
    first = last = 0
    for line, entry in _proved_lines(file):
        if not isinstance(line, Record):
            found.append(line)
        else:
            first, last = first or entry, entry
    header, footer = found  # the reader begins with the one and ends with the other
    assert isinstance(header, Header)
    assert isinstance(footer, Footer)
    return Proved(header, footer, first, last)


def proved_records(file: Path) -> Iterator[Header | Record | Footer]:
    """Yield the header, each record and the footer, each once it is proved. Raises ArchiveError."""
    for line, _ in _proved_lines(file):
        yield line


def _proved_lines(file: Path) -> Iterator[tuple[Header | Record | Footer, int]]:
    """Yield what is proved, a record with its journal number."""
    number = 0
    try:
        with gzip.open(file, "rb") as source:
            header = read_line(source.readline(LINE_BYTES_MAX + 1))
            number = 1
            if not isinstance(header, Header):
                raise ArchiveError(f"{file}, line 1: an archive begins with its header")
            yield header, 0
            last, count, next_offset = first_hash(header), 0, header.first_offset
            number_next = 0
            while text := source.readline(LINE_BYTES_MAX + 1):
                number += 1
                line = read_line(text)
                if isinstance(line, Chained):
                    record = _proved(line, last, header.partition)
                    if record.offset < next_offset:
                        raise CodecError(f"record {line.offset} comes after {next_offset - 1}")
                    found = _entry(line)
                    if number_next and found != number_next:
                        raise CodecError(f"entry {found} follows entry {number_next - 1}")
                    number_next = found + 1
                    last, count, next_offset = line.hash, count + 1, line.offset + 1
                    yield record, found
                    continue
                if line != Footer(next_offset, count, last):
                    raise CodecError("the footer is not that of the records before it")
                if source.read(1):
                    raise CodecError("something comes after the footer")
                yield line, 0
                return
        raise CodecError("the footer is missing: the file was cut")
    except CodecError as error:
        raise ArchiveError(f"{file}, line {number or 1}: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        # gzip raises what zlib found; a cut or changed file looks like any of these.
        raise ArchiveError(f"{file}, after line {number}: {error}") from error


def _proved(line: Chained, last: str, partition: int) -> Record:
    key, value = content(line)
    if next_hash(last, line.offset, line.timestamp_ms, key, value) != line.hash:
        raise CodecError(f"record {line.offset}: the chain is broken")
    said = msgspec.json.decode(msgspec.json.encode(output_object(JOURNAL, value)))
    if not _says(said, line.entry):
        raise CodecError(f"record {line.offset}: its words are not those of its value")
    return Record(JOURNAL, partition, line.offset, line.timestamp_ms, key, value, "")


def _says(now: object, then: object) -> bool:
    """Whether a value in today's words says what it said in those of an earlier program.

    A later program knows more fields, which have their defaults there.
    """
    if isinstance(now, dict) and isinstance(then, dict):
        return all(name in now and _says(now[name], value) for name, value in then.items())
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(_says, now, then))
    return type(now) is type(then) and now == then
