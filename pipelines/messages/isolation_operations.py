"""Topic `events`, continued: a hot event is spread over other shards, and comes back."""

from typing import Annotated

from msgspec import Meta, Struct

from pipelines.limits import MARKETS_PER_EVENT_MAX
from pipelines.messages.operations import Millis, Version
from pipelines.messages.requests import Id

__all__ = ["EventIsolated", "EventRejoined", "IsolationOperation"]

MarketIds = Annotated[tuple[Id, ...], Meta(max_length=MARKETS_PER_EVENT_MAX)]
Partition = Annotated[int, Meta(ge=0, le=65_535)]


class EventIsolated(Struct, frozen=True, tag_field="type", tag="event_isolated"):
    """Markets of an event (`markets` empty: all) go to other partitions.

    `partitions`: to these in turn; empty: each to the partition of the key `event/market`.
    """

    event_id: Id
    partitions: Annotated[tuple[Partition, ...], Meta(max_length=MARKETS_PER_EVENT_MAX)] = ()
    markets: MarketIds = ()
    at_ms: Millis = 0
    v: Version = 1


class EventRejoined(Struct, frozen=True, tag_field="type", tag="event_rejoined"):
    """Markets of an event (`markets` empty: all that are away) come back to its own partition."""

    event_id: Id
    markets: MarketIds = ()
    at_ms: Millis = 0
    v: Version = 1


IsolationOperation = EventIsolated | EventRejoined
