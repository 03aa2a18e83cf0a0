"""Topic `odds`: one market, whole, as bettors see it after a transaction."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["OddsImage", "SelectionImage"]


class SelectionImage(Struct, frozen=True, gc=False):
    """One selection: status ACTIVE, REMOVED, WINNER or LOSER; `odds_e4` 0 where there are none."""

    selection_id: int
    name: str
    status: str
    odds_e4: int
    staked_minor: int


class OddsImage(Struct, frozen=True):
    """A market's full image. `seq` is the number of the market's last journal entry in it.

    Images of a market rise in `seq` but are not dense: one is written a transaction.
    """

    event_id: str
    event_seq: int
    event_name: str
    market_id: str
    seq: int
    version: int
    market_type: str
    name: str
    engine: str
    status: str
    in_play: bool
    bet_delay_ms: int
    start_ms: int
    at_ms: int
    staked_minor: int
    settlement: int
    selections: tuple[SelectionImage, ...]
    v: Annotated[int, Meta(ge=1, le=1)] = 1
