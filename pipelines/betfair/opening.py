"""How a recorded market is opened: its event, its definition, and what bettors must come to see.

Called by `translation` for the first definition of a market.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import structs

from pipelines.betfair.market_cache import Handicapped, MarketImage
from pipelines.betfair.selections import (
    handicapped,
    ladder_of,
    odds_of,
    runner_name,
)
from pipelines.betfair.stream import Definition
from pipelines.limits import BET_DELAY_MS_MAX, NAME_LENGTH_MAX
from pipelines.messages import operations as o

__all__ = [
    "RUNNERS_GONE",
    "Engine",
    "Names",
    "Rules",
    "Translated",
    "bet_delay_ms_of",
    "event_id_of",
    "event_opened",
    "market_opened",
    "start_ms_of",
    "status_of",
    "translated",
]

RACING: Final = frozenset({"7", "4339"})  # horses, greyhounds: one Betfair event is a meeting
RUNNERS_GONE: Final = frozenset({"REMOVED", "REMOVED_VACANT"})
STATUSES: Final = frozenset({"INACTIVE", "OPEN", "SUSPENDED", "CLOSED"})

Engine = Literal["fixed", "pool"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How markets are opened; money in minor units, `takeout_e4` is a pool's share kept.

    `engine` for all, but markets of the types in `pool_types` are pools.
    """

    engine: Engine = "fixed"
    pool_types: frozenset[str] = frozenset()
    stake_min_minor: int = 100
    stake_max_minor: int = 100_000
    loss_limit_minor: int = 0
    takeout_e4: int = 1_500
    clock: Literal["feed", "wall"] = "feed"

    def engine_of(self, market_type: str) -> Engine:
        """Return the engine of a market of this type."""
        return "pool" if market_type in self.pool_types else self.engine


@dataclass(frozen=True, slots=True)
class Names:
    """Names found elsewhere, by Betfair's market id: recorders often learn them last."""

    events: Mapping[str, str] = field(default_factory=dict)
    markets: Mapping[str, str] = field(default_factory=dict)
    runners: Mapping[tuple[str, int], str] = field(default_factory=dict)


@dataclass(slots=True)
class Translated:
    """One market as the operations so far have made it: what bettors must come to see."""

    event_id: str
    market_id: str
    engine: Engine
    ladder: str
    ids: dict[Handicapped, int]
    places: int
    status: str
    in_play: bool
    bet_delay_ms: int
    odds: dict[int, int]
    removed: set[int] = field(default_factory=set)
    version: int = 1
    settled: bool = False
    at_ms: int = 0  # of its last operation
    moments: int = 0  # how many messages have changed it


def translated(
    event_id: str,
    image: MarketImage,
    definition: Definition,
    ids: dict[Handicapped, int],
    engine: Engine,
    at_ms: int,
) -> Translated:
    """Return a market as it opens."""
    ladder = ladder_of(definition)
    gone = {Handicapped(r.id, r.hc) for r in definition.runners if r.status in RUNNERS_GONE}
    odds = {
        selection_id: (
            odds_of(image.runners.get(key), ladder) if engine == "fixed" and key not in gone else 0
        )
        for key, selection_id in ids.items()
    }
    places = min(max(definition.numberOfWinners, 1), len(ids))
    if handicapped(definition):
        # Each line has a winner of its own: no dead heat divides them.
        places = len(ids) if engine == "fixed" else max(len(ids) // 2, 1)
    return Translated(
        event_id=event_id,
        market_id=image.market_id,
        engine=engine,
        ladder=ladder,
        ids=ids,
        places=places,
        status=status_of(definition),
        in_play=definition.inPlay,
        bet_delay_ms=bet_delay_ms_of(definition),
        odds=odds,
        at_ms=at_ms,
    )


def event_opened(
    market: Translated, definition: Definition, names: Names, rules: Rules, at_ms: int
) -> o.EventOpened:
    """Return the operation that opens the market's event."""
    start_ms = start_ms_of(definition)
    name = definition.eventName or names.events.get(market.market_id) or definition.venue
    name = name or f"Event {definition.eventId}"
    if definition.eventTypeId in RACING and start_ms:
        name = f"{_clock_of(start_ms)} {name}"
    return o.EventOpened(
        event_id=market.event_id,
        name=name[:NAME_LENGTH_MAX],
        event_type=definition.eventTypeId[:NAME_LENGTH_MAX],
        start_ms=start_ms,
        clock=rules.clock,
        at_ms=at_ms,
    )


def market_opened(
    market: Translated, definition: Definition, names: Names, rules: Rules, at_ms: int
) -> o.MarketOpened:
    """Return the operation that opens the market."""
    with_handicap = handicapped(definition)
    selections = tuple(
        o.Selection(
            market.ids[key],
            runner_name(market.market_id, runner, with_handicap, names.runners),
            market.odds[market.ids[key]],
        )
        for runner in definition.runners
        if (key := Handicapped(runner.id, runner.hc)) in market.ids
    )
    name = definition.name or names.markets.get(market.market_id) or ""
    opened = o.Market(
        market_id=market.market_id,
        selections=selections,
        engine=market.engine,
        market_type=(definition.marketType or "WIN")[:NAME_LENGTH_MAX],
        name=(name or definition.marketType.replace("_", " ").capitalize())[:NAME_LENGTH_MAX],
        status=market.status,  # type: ignore[arg-type]  # `translation` passes over closed ones
        in_play=market.in_play,
        bet_delay_ms=market.bet_delay_ms,
        number_of_winners=market.places,
        ladder="FINEST" if market.ladder == "FINEST" else "CLASSIC",
        stake_min_minor=rules.stake_min_minor,
        stake_max_minor=rules.stake_max_minor,
    )
    if market.engine == "pool":
        opened = structs.replace(opened, takeout_e4=rules.takeout_e4)
    else:
        opened = structs.replace(opened, loss_limit_minor=rules.loss_limit_minor)
    return o.MarketOpened(market.event_id, opened, at_ms)


def event_id_of(run_id: str, definition: Definition) -> str:
    """Return the run's own id of an event; of a race meeting, each race is an event."""
    event_id = f"{run_id}-{definition.eventId or 'event'}"
    start_ms = start_ms_of(definition)
    if definition.eventTypeId in RACING and start_ms:
        event_id += f"-{_clock_of(start_ms).replace(':', '')}"
    return event_id


def start_ms_of(definition: Definition) -> int:
    """Return when the market starts, ms since 1970; 0 where the definition does not say."""
    for text in (definition.marketTime, definition.openDate):
        try:
            start = datetime.fromisoformat(text)
        except ValueError:
            continue
        if start.tzinfo is None:
            start = start.replace(tzinfo=UTC)
        return max(int(start.timestamp() * 1_000), 0)
    return 0


def status_of(definition: Definition) -> str:
    """Return the market's status; an unknown one is one in which nobody should bet."""
    return definition.status if definition.status in STATUSES else "SUSPENDED"


def bet_delay_ms_of(definition: Definition) -> int:
    """Return the bet delay, held within the product's limit."""
    return min(max(definition.betDelay, 0) * 1_000, BET_DELAY_MS_MAX)


def _clock_of(start_ms: int) -> str:
    return datetime.fromtimestamp(start_ms / 1_000, UTC).strftime("%H:%M")
