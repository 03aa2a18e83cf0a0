"""Messages of the Exchange Stream, as far as they are used; everything else in them is ignored.

One line of a recording is one `StreamMessage`. Field names are Betfair's own. Prices are decimal
odds, sizes and volumes major units of money, `pt` milliseconds since 1970.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "MARKET_CHANGE",
    "Definition",
    "MarketChange",
    "RunnerChange",
    "RunnerDefinition",
    "StreamMessage",
    "decode_message",
]

MARKET_CHANGE: Final = "mcm"

#: [price, size] or [level, price, size].
Level = list[float]


class RunnerDefinition(Struct, frozen=True):
    """One runner of a definition; `status` ACTIVE, WINNER, LOSER, PLACED, REMOVED, HIDDEN."""

    id: int
    status: str = "ACTIVE"
    hc: float = 0.0
    name: str = ""
    sortPriority: int = 0
    bsp: float | str | None = None  # "NaN" where there is none


class LadderDefinition(Struct, frozen=True):
    """`type` CLASSIC, FINEST or LINE_RANGE."""

    type: str = "CLASSIC"


class Definition(Struct, frozen=True):
    """A market's definition, always sent whole. Times are ISO 8601."""

    eventId: str = ""
    eventTypeId: str = ""
    marketType: str = ""
    bettingType: str = "ODDS"
    marketTime: str = ""
    openDate: str = ""
    status: str = "INACTIVE"
    inPlay: bool = False
    betDelay: int = 0
    version: int = 0
    numberOfWinners: int = 0
    runners: tuple[RunnerDefinition, ...] = ()
    name: str = ""
    eventName: str = ""
    venue: str = ""
    priceLadderDefinition: LadderDefinition | None = None
    settledTime: str | None = None


class RunnerChange(Struct, frozen=True):
    """What changed of a runner's prices: deltas; a size of 0 takes a level away."""

    id: int
    hc: float = 0.0
    ltp: float | None = None
    tv: float | None = None
    atb: list[Level] = []
    atl: list[Level] = []
    batb: list[Level] = []
    batl: list[Level] = []
    bdatb: list[Level] = []
    bdatl: list[Level] = []
    trd: list[Level] = []
    spn: Any = None
    spf: Any = None


class MarketChange(Struct, frozen=True):
    """What changed of one market; `img`: it replaces all that was known, `con`: conflated."""

    id: str
    marketDefinition: Definition | None = None
    rc: list[RunnerChange] = []
    img: bool = False
    con: bool = False
    tv: float | None = None


class StreamMessage(Struct, frozen=True):
    """One line: `mc` is there in messages that are no heartbeat; `pt` when it was published."""

    op: str | UnsetType = UNSET
    pt: int = 0
    clk: str | None = None
    ct: str | None = None
    mc: list[MarketChange] = []


decode_message = msgspec.json.Decoder(StreamMessage).decode
