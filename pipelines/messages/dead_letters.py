"""Topic `dead-letters`: records that could not be understood, with where they were and why."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["DeadLetter"]


class DeadLetter(Struct, frozen=True):
    """One record as read; `value` is cut to a bound, `value_bytes` is its full length."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    value_bytes: int
    code: str
    reason: str
    v: Annotated[int, Meta(ge=1, le=1)] = 1
