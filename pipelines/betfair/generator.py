"""Makes recordings in Betfair's stream format, from a seed: the same seed gives the same bytes.

A market opens, its prices walk, a runner may be withdrawn, it is suspended at the off, reopens
in-play with a bet delay, is suspended and closed with its result. Markets come in threes: the win
and the place market of a race, then a match.
"""

import bz2
import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from pipelines.betfair.made_up_names import course, fixture, horse
from pipelines.betfair.walk import Side, Walk

__all__ = ["MarketPlan", "compressed", "market_messages", "plans", "recording"]

START_MS: Final = 1_700_000_400_000
OPEN_MS: Final = 600_000  # from opening to the off
IN_PLAY_MS: Final = 150_000
SETTLE_MS: Final = 60_000
BETWEEN_EVENTS_MS: Final = 180_000
RACE_DELAY_S: Final = 1
MATCH_DELAY_S: Final = 5
MOVED_AT_ONCE_MAX: Final = 3
INTERRUPTION_MS: Final = 6_000
JUMP_TICKS: Final = 8

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """One market to make: whose it is, its runners, and its moments in ms since 1970."""

    market_id: str
    event_id: str
    event_type: str  # 7 horses, 1 football
    event_name: str
    market_type: str
    name: str
    runners: tuple[tuple[int, str], ...]  # id and name
    winners: int
    updates: int
    open_ms: int
    off_ms: int
    end_ms: int
    bet_delay_s: int = RACE_DELAY_S
    withdrawal: bool = False
    interruptions: int = 0  # suspensions in-play, as for a goal
    settle_ms: int = SETTLE_MS  # from the end to the result


def plans(seed: int, markets: int, runners: int, updates: int) -> list[MarketPlan]:
    """Return what a recording with so many markets holds; at least 2 runners."""
    if markets < 1 or not 2 <= runners <= 250 or updates < 1:
        raise ValueError("a recording needs a market, 2 to 250 runners and an update")
    rng = Random(f"plans:{seed}")  # noqa: S311 - made-up prices, no secret
    first = int(rng.random() * 380)
    made = []
    for index in range(markets):
        group, kind = divmod(index, 3)
        event = group * 2 + (kind == 2)
        off_ms = START_MS + event * BETWEEN_EVENTS_MS
        names: Sequence[str]
        if kind == 2:
            home, away = fixture(first + event)
            event_name, names = f"{home} v {away}", (home, away, "The Draw")[: max(runners, 2)]
        else:
            event_name = course(first + event)
            names = [f"{n + 1}. {horse(first + event * 31 + n)}" for n in range(runners)]
        base = 10_000_000 + event * 1_000
        made.append(
            MarketPlan(
                market_id=f"1.{900_000_000 + (seed % 1_000_000) * 100 + index}",
                event_id=str(80_000_000 + (seed % 100_000) * 1_000 + event),
                event_type="1" if kind == 2 else "7",
                event_name=event_name,
                market_type=("WIN", "PLACE", "MATCH_ODDS")[kind],
                name=("Win", "To be placed", "Match odds")[kind],
                runners=tuple((base + n, name) for n, name in enumerate(names)),
                winners=1 if kind != 1 else min(3, max(1, (runners - 1) // 2)),
                updates=updates,
                open_ms=off_ms - OPEN_MS,
                off_ms=off_ms,
                end_ms=off_ms + IN_PLAY_MS,
                bet_delay_s=MATCH_DELAY_S if kind == 2 else RACE_DELAY_S,
                withdrawal=kind == 0 and runners > 4,
                interruptions=2 if kind == 2 else 0,
            )
        )
    return made


def recording(seed: int, markets: int, runners: int, updates: int) -> Iterator[bytes]:
    """Yield the lines of a recording, in the order of their publish times."""
    streams = [
        market_messages(plan, Random(f"{seed}:{plan.market_id}"))  # noqa: S311
        for plan in plans(seed, markets, runners, updates)
    ]
    for clock, message in enumerate(heapq.merge(*streams, key=_publish_ms), 1):
        line = {"op": "mcm", "clk": f"G{clock}", **message}
        yield (json.dumps(line, separators=(",", ":")) + "\n").encode()


def compressed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines as bz2."""
    compressor = bz2.BZ2Compressor()
    for line in lines:
        yield compressor.compress(line)
    yield compressor.flush()


def market_messages(plan: MarketPlan, rng: Random) -> Iterator[Message]:
    """Yield the messages of one market; `pt` rises."""
    state = _State(plan, Walk(rng, len(plan.runners), plan.winners))
    yield state.image()
    before = max(plan.updates * 3 // 4, 1)
    withdrawal = before // 2 if plan.withdrawal else -1
    for index, at_ms in enumerate(_moments(rng, plan.open_ms, plan.off_ms - 5_000, before)):
        if index == withdrawal:
            yield from state.withdraw(at_ms)
        yield state.moved(at_ms)
    state.status = "SUSPENDED"
    yield state.defined(plan.off_ms)
    state.status, state.in_play = "OPEN", True
    yield state.defined(plan.off_ms + 2_000)
    order = state.walk.order()
    count = max(plan.updates - before, 1)
    interruptions = {
        count * n // (plan.interruptions + 1) for n in range(1, plan.interruptions + 1)
    }
    reopened_ms = plan.off_ms + 2_500
    for index, at_ms in enumerate(_moments(rng, reopened_ms, plan.end_ms - 1_000, count)):
        if at_ms < reopened_ms:
            continue
        if index in interruptions and at_ms + INTERRUPTION_MS < plan.end_ms - 1_000:
            reopened_ms = at_ms + INTERRUPTION_MS
            yield from state.interrupt(at_ms, reopened_ms, order[: plan.winners])
        else:
            yield state.moved(at_ms, favourites=order[: plan.winners])
    state.status = "SUSPENDED"
    yield state.defined(plan.end_ms)
    state.status = "CLOSED"
    state.first = frozenset(order[: plan.winners])
    yield state.defined(plan.end_ms + plan.settle_ms)


class _State:
    """A market on its way, and the messages that show it."""

    def __init__(self, plan: MarketPlan, walk: Walk) -> None:
        self.plan = plan
        self.walk = walk
        self.status = "OPEN"
        self.in_play = False
        self.first: frozenset[int] = frozenset()
        self._version = 1
        self._shown: dict[int, tuple[dict[float, float], dict[float, float]]] = {}
        self._traded = dict.fromkeys(range(len(plan.runners)), 0.0)

    def image(self) -> Message:
        change = {
            "id": self.plan.market_id,
            "marketDefinition": self._definition(),
            "rc": [self._runner(runner) for runner in self.walk.active()],
            "img": True,
        }
        return {"pt": self.plan.open_ms, "mc": [change]}

    def defined(self, at_ms: int) -> Message:
        change = {"id": self.plan.market_id, "marketDefinition": self._definition()}
        return {"pt": at_ms, "mc": [change]}

    def moved(self, at_ms: int, favourites: Sequence[int] = ()) -> Message:
        walk = self.walk
        active = walk.active()
        moving = sorted({active[walk.pick(len(active))] for _ in range(MOVED_AT_ONCE_MAX)})
        for runner in moving:
            walk.step(runner, (-1 if runner in favourites else 1) if favourites else 0)
        change = {
            "id": self.plan.market_id,
            "rc": [self._runner(runner) for runner in moving],
            "con": True,
        }
        return {"pt": at_ms, "mc": [change]}

    def withdraw(self, at_ms: int) -> Iterator[Message]:
        self.status = "SUSPENDED"
        yield self.defined(at_ms)
        active = self.walk.active()
        self.walk.drop(active[self.walk.pick(len(active))])
        yield self.defined(at_ms)
        self.status = "OPEN"
        yield self.defined(at_ms)

    def interrupt(
        self, at_ms: int, reopened_ms: int, favourites: Sequence[int]
    ) -> Iterator[Message]:
        self.status = "SUSPENDED"
        yield self.defined(at_ms)
        for runner in self.walk.active():
            self.walk.step(runner, -JUMP_TICKS if runner in favourites else JUMP_TICKS)
        yield self.moved(reopened_ms - 1, favourites)
        self.status = "OPEN"
        yield self.defined(reopened_ms)

    def _runner(self, runner: int) -> Message:
        back, lay = self.walk.book(runner)
        known_back, known_lay = self._shown.get(runner, ({}, {}))
        self._shown[runner] = (dict(back), dict(lay))
        found: Message = {"atb": _delta(known_back, back), "atl": _delta(known_lay, lay)}
        if self.walk.pick(3) == 0 or not known_back:
            traded = float(2 + self.walk.pick(200))
            self._traded[runner] += traded
            price = self.walk.price(runner)
            found |= {"ltp": price, "trd": [[price, traded]], "tv": self._traded[runner]}
        return found | {"id": self.plan.runners[runner][0]}

    def _definition(self) -> Message:
        plan, self._version = self.plan, self._version + 1
        closed = self.status == "CLOSED"
        definition: Message = {
            "bspMarket": False,
            "turnInPlayEnabled": True,
            "persistenceEnabled": True,
            "marketBaseRate": 5,
            "eventId": plan.event_id,
            "eventTypeId": plan.event_type,
            "numberOfWinners": plan.winners,
            "bettingType": "ODDS",
            "marketType": plan.market_type,
            "marketTime": _iso(plan.off_ms),
            "suspendTime": _iso(plan.off_ms),
            "complete": True,
            "inPlay": self.in_play,
            "crossMatching": not closed,
            "runnersVoidable": False,
            "numberOfActiveRunners": 0 if closed else len(self.walk.active()),
            "betDelay": plan.bet_delay_s if self.in_play else 0,
            "status": self.status,
            "runners": [self._runner_definition(n) for n in range(len(plan.runners))],
            "openDate": _iso(plan.off_ms),
            "version": self._version,
            "name": plan.name,
            "eventName": plan.event_name,
            "priceLadderDefinition": {"type": "CLASSIC"},
        }
        if closed:
            definition["settledTime"] = _iso(plan.end_ms + plan.settle_ms)
        return definition

    def _runner_definition(self, runner: int) -> Message:
        runner_id, name = self.plan.runners[runner]
        status = "ACTIVE"
        if runner in self.walk.out:
            status = "REMOVED"
        elif self.status == "CLOSED":
            status = "WINNER" if runner in self.first else "LOSER"
        return {"status": status, "sortPriority": runner + 1, "id": runner_id, "name": name}


def _delta(known: dict[float, float], now: Side) -> list[list[float]]:
    gone = [[price, 0.0] for price in known if price not in dict(now)]
    return gone + [[price, size] for price, size in now if known.get(price) != size]


def _moments(rng: Random, start_ms: int, end_ms: int, count: int) -> list[int]:
    span = max(end_ms - start_ms, 1)
    return sorted(start_ms + 1 + int(rng.random() * span) for _ in range(count))


def _publish_ms(message: Message) -> int:
    return int(message["pt"])


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
