"""From a journal to its state: restore, standby, audit and replay are this one fold."""

from collections.abc import Iterable

import msgspec

from pipelines.errors import CodecError
from pipelines.messages import entries as e
from pipelines.ports import Positions
from pipelines.shard.evolve import evolve
from pipelines.shard.state import ShardState

__all__ = ["fold", "fold_on", "positions_of"]

_decode_journal = msgspec.msgpack.Decoder(e.JournalRecord).decode


def positions_of(state: ShardState) -> Positions:
    """Return where the inputs of a state go on."""
    return Positions(state.bets_next, state.events_next, state.transfers_next)


def fold(partition: int, values: Iterable[bytes]) -> ShardState:
    """Return the state that a journal's record values lead to. Raises JournalError, CodecError."""
    shard = ShardState(partition)
    fold_on(shard, values)
    return shard


def fold_on(shard: ShardState, values: Iterable[bytes]) -> None:
    """Apply the journal's next record values to a state. Raises JournalError, CodecError."""
    for value in values:
        try:
            record = _decode_journal(value)
        except msgspec.DecodeError as error:
            after = f"journal of partition {shard.partition} after record {shard.shard_seq}"
            raise CodecError(f"{after}: {error}") from error
        evolve(shard, record)
