"""Snapshots of a shard's state: how much of the journal a restore may pass over.

A snapshot is written by who does not decide (a standby, or `overround snapshot`), so the deciding
loop never waits for one. It is a copy of what the journal says: one that is missing, incomplete,
damaged or of other code costs time, never truth, because the fold goes on from wherever it can.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

import msgspec

from pipelines.errors import CodecError
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.shard.freeze import frozen, shape, thawed
from pipelines.shard.state import ShardState

__all__ = ["Chunk", "Snapshot", "SnapshotStore", "chunks_of", "kept_from", "newest"]

CHUNK_BYTES: Final = RECORD_BYTES_MAX // 2
COMPRESSION: Final = 1


class Snapshot(NamedTuple):
    """A state, and the journal offset after the last record in it."""

    state: ShardState
    journal_next: int


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One record of a snapshot. The last has `parts`, the number of parts, and the digest."""

    snapshot_id: str
    shape: str
    journal_next: int
    number: int
    part: int  # which part of the state these bytes belong to
    payload: bytes
    parts: int = 0
    digest: bytes = b""


class SnapshotStore(Protocol):
    """Where the snapshots of a partition are."""

    def load(self) -> Snapshot | None:
        """Return the newest that is whole and can be read; None where there is none."""

    def save(self, snapshot_id: str, snapshot: Snapshot, go_on: Callable[[], bool]) -> bool:
        """Write one, as long as `go_on`; return whether it was written to its end."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


def chunks_of(snapshot_id: str, snapshot: Snapshot) -> Iterator[Chunk]:
    """Yield the records of a snapshot; its state must not change meanwhile."""
    digest = hashlib.blake2b(digest_size=16)
    head = (snapshot_id, shape(), snapshot.journal_next)
    number = parts = 0
    for part, data in enumerate(frozen(snapshot.state)):
        packed = zlib.compress(data, COMPRESSION)
        digest.update(packed)
        parts = part + 1
        for start in range(0, len(packed), CHUNK_BYTES):
            yield Chunk(*head, number, part, packed[start : start + CHUNK_BYTES])
            number += 1
    yield Chunk(*head, number, parts, b"", parts, digest.digest())


def newest(chunks: Iterable[Chunk]) -> Snapshot | None:
    """Return the state of the farthest whole snapshot among records in the order of writing."""
    found: dict[str, list[Chunk]] = {}
    whole: list[list[Chunk]] = []
    for chunk in chunks:
        if chunk.shape != shape():
            continue
        these = found.setdefault(chunk.snapshot_id, [])
        if chunk.number != len(these):
            continue  # its beginning is gone
        these.append(chunk)
        if chunk.digest:
            whole.append(found.pop(chunk.snapshot_id))
    for these in sorted(whole, key=lambda w: w[0].journal_next, reverse=True):
        try:
            return Snapshot(thawed(_parts(these)), these[0].journal_next)
        except (CodecError, zlib.error):
            continue  # an older one costs time only
    return None


def kept_from(numbered: Iterable[tuple[int, Chunk]], first: int) -> int:
    """Return the offset where the snapshot before the one at `first` begins: older ones may go."""
    begins, last_id = 0, ""
    for offset, chunk in numbered:
        if offset >= first:
            break
        if chunk.snapshot_id != last_id:
            begins, last_id = offset, chunk.snapshot_id
    return begins


def _parts(chunks: list[Chunk]) -> Iterator[bytes]:
    digest = hashlib.blake2b(digest_size=16)
    for chunk in chunks:
        digest.update(chunk.payload)
    if digest.digest() != chunks[-1].digest:
        raise CodecError("a snapshot's digest is not that of its bytes")
    packed: list[bytes] = []
    part = 0
    for chunk in chunks:
        if chunk.part != part:
            yield zlib.decompress(b"".join(packed))
            packed, part = [], chunk.part
        packed.append(chunk.payload)
