"""What a record that cannot be understood leaves: a dead letter, a refusal if possible."""

from pipelines.codes import Code
from pipelines.limits import DEAD_LETTER_VALUE_BYTES_MAX
from pipelines.messages import entries as e
from pipelines.messages.dead_letters import DeadLetter
from pipelines.ports import Record
from pipelines.shard.decode import Incoming
from pipelines.shard.state import EventState

__all__ = ["letter_of", "lettered", "refusal_of"]


def letter_of(record: Record, code: Code, reason: str) -> DeadLetter:
    """Return the dead letter of a record; a long value is cut."""
    value = record.value or b""
    return DeadLetter(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_ms,
        record.key or b"",
        value[:DEAD_LETTER_VALUE_BYTES_MAX],
        len(value),
        code.value,
        reason,
    )


def lettered(
    event: EventState | None, key: str, record: Record, code: Code, reason: str
) -> e.RecordDeadLettered:
    """Return the entry that a record was kept as a dead letter."""
    seq = event.seq + 1 if event is not None else 0
    return e.RecordDeadLettered(key, seq, "", 0, record.topic, record.offset, code.value, reason)


def refusal_of(
    event: EventState | None, key: str, one: Incoming, code: Code, reason: str
) -> e.RequestRefused:
    """Return the answer to a known bettor whose request could not be understood."""
    seq = event.seq + 1 if event is not None else 0
    return e.RequestRefused(key, seq, "", 0, one.client_id, one.message_id, code.value, reason)
