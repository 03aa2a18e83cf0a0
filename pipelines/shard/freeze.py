"""A shard's state as bytes and back, for snapshots: whatever its classes hold, named or not.

New fields of the state need no code here. The bytes begin anew with each release: `SHAPE` stands
for the code that wrote them, and a snapshot of other code is not read, which costs a full fold.
Only classes of this package come back from bytes, so that a record cannot name any other.
"""

import hashlib
import io
import pickle
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pipelines
from pipelines.errors import CodecError
from pipelines.shard.earlier import EARLIER
from pipelines.shard.state import EventState, ShardState

__all__ = ["frozen", "load", "shape", "thawed"]

_PROTOCOL: Final = 5
_CODE: Final = ("books", "messages", "shard")
_PLAIN: Final = frozenset({("msgspec._core", "rebuild"), ("collections", "deque")})


@cache
def shape() -> str:
    """Return what stands for the code that the state is made of."""
    root = Path(pipelines.__path__[0])
    digest = hashlib.blake2b(digest_size=8)
    for folder in _CODE:
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def frozen(shard: ShardState) -> Iterator[bytes]:
    """Yield a state in parts: all but the events, then each event. It must not change meanwhile."""
    events, shard.events = shard.events, {}
    try:
        head = pickle.dumps(shard, _PROTOCOL)
    finally:
        shard.events = events
    yield head
    for event in events.values():
        yield pickle.dumps(event, _PROTOCOL)


def thawed(parts: Iterable[bytes]) -> ShardState:
    """Return the state that was frozen. Raises CodecError."""
    shard: ShardState | None = None
    for part in parts:
        found = load(part)
        if shard is None:
            if not isinstance(found, ShardState):
                raise CodecError("a snapshot does not begin with a shard's state")
            shard = found
        elif isinstance(found, EventState):
            shard.events[found.event_id] = found
        else:
            raise CodecError("a snapshot holds something that is no event")
    if shard is None:
        raise CodecError("a snapshot is empty")
    return shard


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        earlier = EARLIER.get((module, name))
        if earlier is not None:
            return earlier
        if module.startswith("pipelines.") or (module, name) in _PLAIN:
            found = super().find_class(module, name)
            if isinstance(found, type) or (module, name) in _PLAIN:
                return found
        raise CodecError(f"a snapshot names {module}.{name}, which is no part of a state")


def load(part: bytes) -> Any:
    """Return what was frozen, of the state's own kinds alone. Raises CodecError."""
    try:
        return _Reader(io.BytesIO(part)).load()
    except CodecError:
        raise
    except Exception as error:
        # Bytes that are none of ours can fail in any way; each means: fold from the start.
        raise CodecError(f"a snapshot cannot be read: {type(error).__name__}: {error}") from error
