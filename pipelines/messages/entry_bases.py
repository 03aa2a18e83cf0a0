"""What entries of the journal have in common; `entries.py` and `order_entries.py` build on it."""

from msgspec import Struct

from pipelines.messages.requests import PricePolicy

__all__ = ["BetEntry", "BetReference", "EntryBase"]


class EntryBase(Struct, frozen=True, gc=False, array_like=True):
    """What every entry carries: whose it is and its number there."""

    event_id: str
    event_seq: int
    market_id: str
    market_seq: int


class BetEntry(EntryBase, frozen=True, gc=False, array_like=True):
    """The first answer to a bet, with the bet as it was asked for."""

    client_id: str
    bet_id: str
    selection_id: int
    stake_minor: int
    asked_odds_e4: int
    price_policy: PricePolicy
    tolerance_e4: int
    market_version: int


class BetReference(EntryBase, frozen=True, gc=False, array_like=True):
    """Something that happened to a bet that has had its first answer."""

    client_id: str
    bet_id: str
