"""First hop of a replay: a recording (bz2, gzip or plain lines) to stream messages.

A file holds one or many markets. Files are told by their first bytes, not by their names.
"""

import bz2
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
from msgspec import UNSET

from pipelines.betfair.opening import Names
from pipelines.betfair.stream import MARKET_CHANGE, StreamMessage, decode_message
from pipelines.errors import OverroundError

__all__ = ["Contents", "RecordingError", "read_lines", "read_messages", "scan"]

LINE_BYTES_MAX: Final = 16 * 1_048_576  # the first image of 200 markets is about 1 MiB
BZ2_MAGIC: Final = b"BZh"
GZIP_MAGIC: Final = b"\x1f\x8b"
LINE_SHOWN: Final = 80


class RecordingError(OverroundError):
    """A recording cannot be read; the message names the file and the line."""


class Contents(NamedTuple):
    """What a recording holds: found in one pass, before it is played."""

    messages: int
    first_ms: int
    last_ms: int
    market_ids: tuple[str, ...]
    names: Names


def read_messages(file: Path) -> Iterator[StreamMessage]:
    """Yield the market changes of a recording, in its order. Raises RecordingError."""
    try:
        with file.open("rb") as raw:
            yield from read_lines(_opened(raw), str(file))
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{file} cannot be read: {error}") from error


def read_lines(lines: Iterable[bytes], where: str = "input") -> Iterator[StreamMessage]:
    """Yield the market changes among JSON lines; `where` names them in errors.

    Empty lines, heartbeats and messages of other kinds are passed over. Raises RecordingError.
    """
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line:
            continue
        if len(line) > LINE_BYTES_MAX:
            raise RecordingError(
                f"{where}, line {number}: {len(line):,} bytes, at most {LINE_BYTES_MAX:,} are read"
            )
        try:
            message = decode_message(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            shown = line[:LINE_SHOWN].decode(errors="replace")
            raise RecordingError(
                f"{where}, line {number} is no message of Betfair's stream: {error}; "
                f"it starts with {shown!r}"
            ) from error
        if message.op is UNSET:
            raise RecordingError(f"{where}, line {number} has no `op`: no stream message")
        if message.op != MARKET_CHANGE or not message.mc:
            continue
        if message.pt <= 0:
            raise RecordingError(f"{where}, line {number} has no publish time `pt`")
        yield message


def scan(file: Path) -> Contents:
    """Read a recording once to know its size, times and names. Raises RecordingError."""
    count = first_ms = last_ms = 0
    market_ids: dict[str, None] = {}
    event_names: dict[str, str] = {}
    market_names: dict[str, str] = {}
    runner_names: dict[tuple[str, int], str] = {}
    for message in read_messages(file):
        count += 1
        first_ms = first_ms or message.pt
        last_ms = max(last_ms, message.pt)
        for change in message.mc:
            market_ids[change.id] = None
            definition = change.marketDefinition
            if definition is None:
                continue
            if definition.eventName:
                event_names[change.id] = definition.eventName
            if definition.name:
                market_names[change.id] = definition.name
            for runner in definition.runners:
                if runner.name:
                    runner_names[change.id, runner.id] = runner.name
    if not count:
        raise RecordingError(f"{file} holds no market changes: is it a Betfair stream recording?")
    names = Names(event_names, market_names, runner_names)
    return Contents(count, first_ms, last_ms, tuple(market_ids), names)


def _opened(raw: BinaryIO) -> Iterator[bytes]:
    """Iterate over a file's lines, decompressed where it is compressed."""
    magic = raw.read(3)
    raw.seek(0)
    if magic == BZ2_MAGIC:
        with bz2.open(raw) as stream:
            yield from _lines(stream)
    elif magic[:2] == GZIP_MAGIC:
        with gzip.open(raw) as stream:
            yield from _lines(stream)
    else:
        yield from _lines(raw)


def _lines(stream: BinaryIO | bz2.BZ2File | gzip.GzipFile) -> Iterator[bytes]:
    # Never more than one byte above the limit is held; `read_lines` refuses such a line.
    while line := stream.readline(LINE_BYTES_MAX + 1):
        yield line
