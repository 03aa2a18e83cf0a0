"""The hash chain of an archived journal, and the lines it is written as. Pure.

Each record's hash is SHA-256 over the hash before it and the record: offset, time, key and value,
with their lengths. The first hash is over the partition and the hash that the file before ended
with, so files of one partition continue each other. Changing, leaving out, adding or moving a
record changes every hash after it; whoever keeps the last hash elsewhere can prove all of them.
"""

import base64
import hashlib
from typing import Final, Literal

import msgspec
from msgspec import Struct

from pipelines.errors import CodecError
from pipelines.render import output_object
from pipelines.topics import JOURNAL

__all__ = [
    "FORMAT",
    "NO_HASH",
    "Chained",
    "Footer",
    "Header",
    "Line",
    "chained",
    "content",
    "first_hash",
    "next_hash",
    "read_line",
    "written",
]

FORMAT: Final = "overround-journal"
VERSION: Final = 1
NO_HASH: Final = "0" * 64
LINE_BYTES_MAX: Final = 8 * 2**20


class Header(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="header"):
    """The first line of a file; `previous` is the last hash of the file before it."""

    partition: int
    first_offset: int
    previous: str = NO_HASH
    topic: str = JOURNAL
    format: Literal["overround-journal"] = "overround-journal"
    version: Literal[1] = 1


class Chained(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="record"):
    """A record; `key` and `value` in base64, `entry` the value in words, which follows from it."""

    offset: int
    timestamp_ms: int
    key: str
    value: str
    entry: dict[str, object]
    hash: str


class Footer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="footer"):
    """The last line: where the next file begins, and what this one came to."""

    next_offset: int
    records: int
    hash: str


Line = Header | Chained | Footer
_decode: Final = msgspec.json.Decoder(Line).decode


def written(line: Line) -> bytes:
    """Return a line as it stands in a file."""
    return msgspec.json.encode(line) + b"\n"


def read_line(text: bytes) -> Line:
    """Return what a line says. Raises CodecError."""
    if len(text) > LINE_BYTES_MAX:
        raise CodecError(f"longer than {LINE_BYTES_MAX:,} bytes")
    try:
        line: Line = _decode(text)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not a line of an archive: {error}") from error
    return line


def first_hash(header: Header) -> str:
    """Return the hash that a file begins with."""
    told = f"{FORMAT}/{VERSION} {header.topic}/{header.partition} {header.first_offset}"
    return hashlib.sha256(bytes.fromhex(header.previous) + told.encode()).hexdigest()


def next_hash(before: str, offset: int, timestamp_ms: int, key: bytes, value: bytes) -> str:
    """Return the hash of a record that comes after another."""
    digest = hashlib.sha256(bytes.fromhex(before))
    digest.update(offset.to_bytes(8, "big") + timestamp_ms.to_bytes(8, "big", signed=True))
    digest.update(len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def chained(before: str, offset: int, timestamp_ms: int, key: bytes, value: bytes) -> Chained:
    """Return a journal record as the next of a chain. Raises CodecError if it is none."""
    return Chained(
        offset,
        timestamp_ms,
        base64.b64encode(key).decode(),
        base64.b64encode(value).decode(),
        output_object(JOURNAL, value),
        next_hash(before, offset, timestamp_ms, key, value),
    )


def content(line: Chained) -> tuple[bytes, bytes]:
    """Return a line's key and value. Raises CodecError."""
    try:
        key = base64.b64decode(line.key, validate=True)
        value = base64.b64decode(line.value, validate=True)
    except ValueError as error:
        raise CodecError(f"record {line.offset} is not base64: {error}") from error
    return key, value
