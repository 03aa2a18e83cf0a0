"""What the simulator puts on: a few events at a time, made up, each replaced when it is over. Pure.

`due` says what is to be sent by a moment; times are wall time in ms since 1970.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from pipelines.betfair.generator import MarketPlan, market_messages
from pipelines.betfair.made_up_names import course, fixture, horse
from pipelines.betfair.opening import Rules, Translated
from pipelines.betfair.stream import StreamMessage
from pipelines.betfair.translation import Translation
from pipelines.messages.operations import EventOpened, Operation

__all__ = ["Stage"]

RACE: Final = "race"
MATCH: Final = "match"
SLOTS: Final = (RACE, RACE, RACE, MATCH)
FIRST_OFF_MS: Final = 35_000
STAGGER_MS: Final = 30_000
RACE_OPEN_MS: Final = 105_000
RACE_IN_PLAY_MS: Final = 25_000
MATCH_OPEN_MS: Final = 30_000
MATCH_IN_PLAY_MS: Final = 180_000
MATCH_INTERRUPTIONS: Final = 4
SETTLE_MS: Final = 5_000
UPDATE_EVERY_MS: Final = 1_000
RUNNERS: Final = 6
RUNNERS_MORE: Final = 5
WITHDRAWAL_CHANCE: Final = 0.3
RULES: Final = Rules(clock="wall", pool_types=frozenset({"PLACE"}), stake_max_minor=100_000)


class _Due(NamedTuple):
    """The next message of a show; the number keeps the order where times are equal."""

    at_ms: int
    number: int
    message: dict[str, Any]


@dataclass(slots=True)
class _Show:
    """One event on the stage."""

    slot: int
    event_id: str
    messages: Iterator[dict[str, Any]]
    translation: Translation
    name: str = ""


class Stage:
    """The events that are on, and the messages that are still to come."""

    def __init__(self, run_id: str, seed: int, now_ms: int) -> None:
        self._run_id = run_id
        self._seed = seed
        self._shows: dict[int, _Show] = {}  # by number
        self._queue: list[_Due] = []
        self._number = 0
        #: Events that opened or ended since they were last looked at.
        self.opened: list[str] = []
        self.ended: list[str] = []
        for slot in range(len(SLOTS)):
            self._put_on(slot, now_ms, FIRST_OFF_MS + slot * STAGGER_MS)

    def next_ms(self) -> int:
        """Return when something is to be sent next."""
        return self._queue[0].at_ms

    def due(self, now_ms: int) -> list[Operation]:
        """Return what is to be sent by now, and go on."""
        operations: list[Operation] = []
        while self._queue and self._queue[0].at_ms <= now_ms:
            due = heapq.heappop(self._queue)
            show = self._shows[due.number]
            found = show.translation.apply(msgspec.convert(due.message, StreamMessage))
            self._note(show, found)
            operations += found
            if not self._queue_next(due.number, show):
                operations += show.translation.finish()
                del self._shows[due.number]
                self.ended.append(show.event_id)
                self._put_on(show.slot, now_ms, 0)
        return operations

    def finish(self) -> list[Operation]:
        """Return what closes everything that is on: bets on it are refunded."""
        return [op for show in self._shows.values() for op in show.translation.finish()]

    def markets(self) -> list[Translated]:
        """Return the markets of the events that are on."""
        return [m for show in self._shows.values() for m in show.translation.markets.values()]

    def names(self) -> list[str]:
        """Return the names of the events that are on."""
        return [show.name for show in self._shows.values() if show.name]

    def _put_on(self, slot: int, now_ms: int, off_in_ms: int) -> None:
        self._number += 1
        number = self._number
        rng = Random(f"{self._seed}:{number}")  # noqa: S311 - made-up events, no secret
        plans = _plans(SLOTS[slot], number, now_ms, off_in_ms, rng)
        streams = [
            market_messages(plan, Random(f"{self._seed}:{plan.market_id}"))  # noqa: S311
            for plan in plans
        ]
        messages = heapq.merge(*streams, key=_publish_ms)
        show = _Show(slot, "", messages, Translation(self._run_id, RULES))
        self._shows[number] = show
        self._queue_next(number, show)

    def _queue_next(self, number: int, show: _Show) -> bool:
        message = next(show.messages, None)
        if message is None:
            return False
        heapq.heappush(self._queue, _Due(int(message["pt"]), number, message))
        return True

    def _note(self, show: _Show, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, EventOpened):
                show.event_id, show.name = operation.event_id, operation.name
                self.opened.append(operation.event_id)


def _plans(kind: str, number: int, now_ms: int, off_in_ms: int, rng: Random) -> list[MarketPlan]:
    match = kind == MATCH
    off_ms = now_ms + (off_in_ms or (MATCH_OPEN_MS if match else RACE_OPEN_MS))
    in_play_ms = MATCH_IN_PLAY_MS if match else RACE_IN_PLAY_MS
    names: Sequence[str]
    types: tuple[tuple[str, str, int], ...]
    if match:
        home, away = fixture(number)
        event_name, names = f"{home} v {away}", (home, away, "The Draw")
        types = (("MATCH_ODDS", "Match odds", 1),)
    else:
        count = RUNNERS + int(rng.random() * RUNNERS_MORE)
        event_name = course(number)
        names = [f"{n + 1}. {horse(number * 31 + n)}" for n in range(count)]
        # Each second race has a place pool beside its win market.
        types = (("WIN", "Win", 1), ("PLACE", "To be placed", 3))[: 1 + number % 2]
    return [
        MarketPlan(
            market_id=f"1.{number * 10 + index}",
            event_id=str(number),
            event_type="1" if match else "7",
            event_name=event_name,
            market_type=market_type,
            name=name,
            runners=tuple((number * 100 + n, runner) for n, runner in enumerate(names)),
            winners=winners,
            updates=max((off_ms - now_ms + in_play_ms) // UPDATE_EVERY_MS, 1),
            open_ms=now_ms,
            off_ms=off_ms,
            end_ms=off_ms + in_play_ms,
            bet_delay_s=5 if match else 1,
            withdrawal=market_type == "WIN"
            and len(types) == 1
            and rng.random() < WITHDRAWAL_CHANCE,
            interruptions=MATCH_INTERRUPTIONS if match else 0,
            settle_ms=SETTLE_MS,
        )
        for index, (market_type, name, winners) in enumerate(types)
    ]


def _publish_ms(message: dict[str, Any]) -> int:
    return int(message["pt"])
