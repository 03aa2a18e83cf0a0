"""A dry run: lines of a file in, what a shard would decide out. The same engine as the loop's.

A line is a record, {"topic": "bets"|"events", "key": .., "timestamp_ms": .., "client_id": ..,
"value": ..}, or the passing of wall time, {"tick": ms}. `value` is an object (its JSON is taken as
it is written), a string (taken as the record's text), {"base64": ..} for other bytes, or null for a
record without value. One shard takes all keys, and receives
what it sends to itself; offsets count from 0 in each topic.
"""

import base64
import binascii
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from pipelines.errors import CodecError
from pipelines.ports import Record
from pipelines.render import output_object
from pipelines.shard.engine import Engine
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, EVENTS, TRANSFERS

__all__ = ["LINE_BYTES_MAX", "DryRun"]

LINE_BYTES_MAX: Final = 16 * 1_048_576
#: A value may be nested deeper than the engine reads: it is the engine that has to refuse it.
LINE_DEPTH_MAX: Final = 20_000
#: A bet goes to and fro between books a few times; this ends what never should happen.
TRANSFER_ROUNDS_MAX: Final = 100


class _Line(Struct, frozen=True):
    topic: Literal["bets", "events"]
    value: Raw = Raw(b"null")
    key: str | dict[str, str] | None = None
    timestamp_ms: int = 0
    client_id: str = ""


class _Base64(Struct, frozen=True, forbid_unknown_fields=True):
    base64: str


class _Tick(Struct, frozen=True, forbid_unknown_fields=True):
    tick: int


_read_line = msgspec.json.Decoder(_Line).decode
_read_tick = msgspec.json.Decoder(_Tick).decode
_read_base64 = msgspec.json.Decoder(_Base64).decode
_read_text = msgspec.json.Decoder(str).decode


class DryRun:
    """One shard without Kafka. Feed it lines in order; each answers with JSON objects."""

    def __init__(self) -> None:
        self.state = ShardState(0)
        self._engine = Engine(self.state)
        self._next = {BETS: 0, EVENTS: 0, TRANSFERS: 0}

    def lines(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Yield what is decided, line by line. Raises CodecError that names a bad line."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                found = self.line(line)
            except CodecError as error:
                raise CodecError(f"line {number}: {error.message}") from error
            yield from found

    def line(self, line: bytes) -> list[dict[str, Any]]:
        """Decide one line, as a transaction of its own. Raises CodecError."""
        what = self._read(line)
        if isinstance(what, int):
            self._engine.tick(what)
        else:
            self._engine.process(what)
            self._next[what.topic] += 1
        return self._drained()

    def until_idle(self) -> Iterator[dict[str, Any]]:
        """Let time pass on every clock until no bet waits for its delay; yield what follows."""
        while (due_ms := self._last_bet_due_ms()) is not None:
            self._engine.fire_all(due_ms)
            yield from self._drained()

    def hash_object(self) -> dict[str, Any]:
        """Return the state hash as an object to print."""
        return {
            "type": "state_hash",
            "hash": state_hash(self.state),
            "shard_seq": self.state.shard_seq,
        }

    def _last_bet_due_ms(self) -> int | None:
        heaps = [self.state.timers, *(event.timers for event in self.state.events.values())]
        waits = ("bet", "hold", "settle")
        waiting = [timer[0] for heap in heaps for timer in heap if timer[2] in waits]
        return max(waiting, default=None)

    def _drained(self) -> list[dict[str, Any]]:
        """Return what was decided; what the shard sent is received by itself, until it is quiet."""
        found = []
        for _ in range(TRANSFER_ROUNDS_MAX):
            outputs = self._engine.drain().outputs
            found += [output_object(topic, value) for topic, _, value in outputs]
            sent = [(key, value) for topic, key, value in outputs if topic == TRANSFERS]
            if not sent:
                return found
            for key, value in sent:
                now_ms, offset = self.state.now_ms, self._next[TRANSFERS]
                self._engine.process(Record(TRANSFERS, 0, offset, now_ms, key, value))
                self._next[TRANSFERS] += 1
        raise CodecError(f"transfers go on for more than {TRANSFER_ROUNDS_MAX} rounds")

    def _read(self, line: bytes) -> Record | int:
        if len(line) > LINE_BYTES_MAX:
            raise CodecError(f"longer than {LINE_BYTES_MAX} bytes")
        with _deep():
            try:
                return self._record(line)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                tick = _tick_of(line)
                if tick is None:
                    raise CodecError(f"not a record: {error}") from error
                return tick

    def _record(self, line: bytes) -> Record:
        one = _read_line(line)
        if not 0 <= one.timestamp_ms <= 2**53:
            raise CodecError(f"timestamp_ms must be from 0 to 2**53, was {one.timestamp_ms}")
        key = one.key
        if isinstance(key, dict):
            raw_key: bytes | None = _bytes_of(msgspec.json.encode(key))
        else:
            raw_key = None if key is None else key.encode()
        value = _bytes_of(bytes(one.value))
        offset = self._next[one.topic]
        return Record(one.topic, 0, offset, one.timestamp_ms, raw_key, value, one.client_id)


def _tick_of(line: bytes) -> int | None:
    try:
        tick = _read_tick(line).tick
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not 0 <= tick <= 2**53:
        raise CodecError(f"tick must be from 0 to 2**53, was {tick}")
    return tick


def _bytes_of(raw: bytes) -> bytes | None:
    """Return the bytes that a value of a line stands for."""
    raw = raw.strip()
    if raw == b"null":
        return None
    if raw.startswith(b'"'):
        return _read_text(raw).encode(errors="surrogatepass")
    try:
        coded = _read_base64(raw)
    except msgspec.DecodeError:
        return raw  # an object of the message's own
    try:
        return base64.b64decode(coded.base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CodecError(f"base64 could not be read: {error}") from error


@contextmanager
def _deep() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, LINE_DEPTH_MAX))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
