"""Topic `odds`: one market, whole, as bettors see it after a transaction."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Depth", "ExchangeImage", "MakerImage", "OddsImage", "SelectionImage"]

Depth = tuple[tuple[int, int], ...]


class ExchangeImage(Struct, frozen=True, gc=False):
    """What can be matched on a selection of an exchange: pairs (odds_e4, size), best first.

    `traded` is by price what was matched; `*_virtual_e4` are best prices through all other
    selections, 0 where there are none. Near and far starting price until `sp_e4` is reconciled.
    """

    to_back: Depth
    to_lay: Depth
    back_virtual_e4: int
    lay_virtual_e4: int
    last_odds_e4: int
    traded: Depth
    sp_near_e4: int
    sp_far_e4: int
    sp_e4: int


class SelectionImage(Struct, frozen=True, gc=False, omit_defaults=True):
    """One selection: status ACTIVE, REMOVED, WINNER, LOSER, each-way PLACED; `odds_e4` 0: none.

    Exchange: `odds_e4` is the best price to back at, `staked_minor` what was matched in all.
    `probability_e6` in millionths: of a fixed book that shows it, what the odds stand for less the
    margin; of a market maker, the price of the next share. `shares_minor`: what it has sold.
    """

    selection_id: int
    name: str
    status: str
    odds_e4: int
    staked_minor: int
    exchange: ExchangeImage | None = None
    probability_e6: int = 0
    shares_minor: int = 0


class MakerImage(Struct, frozen=True, gc=False):
    """What an automated market maker loses in the worst result: on its bets now, and at most."""

    worst_loss_minor: int
    loss_bound_minor: int


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
    market_maker: MakerImage | None = None
