"""Topic `notices`: what was pushed to whom, so that a restart does not push it again."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Notice"]


class Notice(Struct, frozen=True, gc=False):
    """One push taken by Ably; `kind` win, loss, refund or starting (with `settlement` 0)."""

    event_id: str
    market_id: str
    client_id: str
    kind: str
    settlement: int
    payout_minor: int
    at_ms: int
    journal_offset: int = -1  # of the entry that caused the push; -1 where it is not known
    v: Annotated[int, Meta(ge=1, le=1)] = 1
