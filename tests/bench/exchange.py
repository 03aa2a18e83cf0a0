"""Speed of the core on exchange markets: decode, decide, match, evolve, encode, in one process.

    python -m tests.bench.exchange [--orders N] [--events N] [--deep-events N] [--batch N]

Prints orders a second of one core (CPU time) for mixes of orders that rest, that are matched and
that are cancelled, the same where 999 price levels wait on each side of a selection, and the memory
of open orders. No Kafka, no Ray.
"""

import argparse
import gc
import os
import platform
import random
import time
import tracemalloc
from typing import NamedTuple

import msgspec

from pipelines.books.ladder import CLASSIC
from pipelines.collector import tune_collector
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import BETS
from tests.bench.core import AT_MS, operations

MIXES = {
    # name: (share of orders that cross, share of cancels)
    "rest": (0.0, 0.0),
    "match": (0.5, 0.0),
    "cancel": (0.0, 0.5),
    "mixed": (0.25, 0.25),
}


class Floor(NamedTuple):
    """Where orders come: the market's prices, how far from the middle, and on which selections."""

    ladder: tuple[int, ...]
    levels: int
    selections: int


BROAD = Floor(CLASSIC, 149, 8)
#: A ladder of the market's own, so that 1,000 levels fit on each side of one selection.
DEEP_BANDS = ((30_000, 10),)
DEEP = Floor(tuple(range(10_010, 30_001, 10)), 999, 1)


def record_of(number: int, event: int, client_id: str, value: dict[str, object]) -> Record:
    """A record as a gateway writes it: plain JSON, the bettor in the header."""
    value |= {"event_id": f"event-{event:05d}", "market_id": f"1.{event:09d}"}
    key, body = f"event-{event:05d}".encode(), msgspec.json.encode(value)
    return Record(BETS, 0, number, AT_MS + number // 1000, key, body, client_id)


def order(number: int, floor: Floor, lay: bool, away: int) -> dict[str, object]:
    """A limit order so many prices from the middle; it meets others where that is negative."""
    middle = len(floor.ladder) // 2
    return {
        "v": 1,
        "type": "bet",
        "bet_id": f"{number:08x}-bench",
        "selection_id": number % floor.selections,
        "stake_minor": 100 + number % 900,
        "odds_e4": floor.ladder[middle - away if lay else middle + away],
        "side": "LAY" if lay else "BACK",
        "persistence": "PERSIST",
    }


def orders(
    count: int, events: int, crossing: float, cancels: float, floor: Floor = BROAD, first: int = 0
) -> list[Record]:
    """Records of orders and cancels, numbered from `first`."""
    chance = random.Random(1)
    records: list[Record] = []
    waiting: list[tuple[str, int, str]] = []
    for number in range(first, first + count):
        if waiting and chance.random() < cancels:
            bet_id, event, client_id = waiting.pop(chance.randrange(len(waiting)))
            value: dict[str, object] = {"type": "cancel", "bet_id": bet_id}
        else:
            event, client_id = number * 7919 % events, f"bettor-{number % 5000}"
            lay = chance.random() < 0.5
            away = chance.randrange(1, floor.levels + 1)
            value = order(number, floor, lay, -away if chance.random() < crossing else away)
            waiting.append((str(value["bet_id"]), event, client_id))
        records.append(record_of(number, event, client_id, value))
    return records


def filling(events: int) -> list[Record]:
    """Records of an order at each level of both sides of each market."""
    asked = [(e, lay, 1 + at) for e in range(events) for lay in (True, False) for at in range(999)]
    return [
        record_of(number, event, f"bettor-{number % 5000}", order(number, DEEP, lay, away))
        for number, (event, lay, away) in enumerate(asked)
    ]


def opened(events: int, deep: bool = False) -> Engine:
    """A shard with a market each; with `deep`, 999 levels wait on each side already."""
    core = Engine(ShardState(0))
    for record in operations(events, "exchange"):
        value = msgspec.json.decode(record.value or b"")
        if deep and "market" in value:
            value["market"] |= {"ladder": "CUSTOM", "ladder_bands": DEEP_BANDS}
        core.process(record._replace(value=msgspec.json.encode(value)))
    for record in filling(events) if deep else ():
        core.process(record)
    core.drain()
    return core


def run(core: Engine, records: list[Record], batch: int) -> tuple[float, float, int]:
    """Return orders a second, the share of draining in it, and how many entries were written."""
    count, before = len(records), core.state.shard_seq
    tune_collector()
    draining_s = 0.0
    began_s = time.process_time()
    for start in range(0, count, batch):
        for record in records[start : start + batch]:
            core.process(record)
        drain_began_s = time.process_time()
        core.drain()
        draining_s += time.process_time() - drain_began_s
    elapsed_s = time.process_time() - began_s
    return count / elapsed_s, draining_s / elapsed_s, core.state.shard_seq - before


def memory_bytes(records: list[Record], events: int) -> int:
    """Return what the state of these orders takes, measured by allocation."""
    core = opened(events)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for start in range(0, len(records), 1_000):
        for record in records[start : start + 1_000]:
            core.process(record)
        core.drain()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--deep-events", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"exchange: {arguments.orders} orders, {arguments.events} events, {arguments.batch} a "
        f"transaction, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"best of {arguments.rounds}"
    )
    for deep, events in ((False, arguments.events), (True, arguments.deep_events)):
        if deep:
            print(f"  at 999 levels a side, {events} events:")
        floor, first = (DEEP, len(filling(events))) if deep else (BROAD, 0)
        for name, (crossing, cancels) in MIXES.items():
            records = orders(arguments.orders, events, crossing, cancels, floor, first)
            rounds = [
                run(opened(events, deep), records, arguments.batch) for _ in range(arguments.rounds)
            ]
            rate, share, entries = max(rounds)
            print(
                f"  {name:7} {rate:10,.0f} orders/s  {1e6 / rate:5.2f} us an order, {share:4.0%} "
                f"of it encoding, {entries / len(records):.2f} entries an order",
                flush=True,
            )
    records = orders(50_000, arguments.events, 0.0, 0.0)
    taken = memory_bytes(records, arguments.events)
    print(f"  memory of 50,000 open orders: {taken / 50_000:.0f} bytes an order")


if __name__ == "__main__":
    main()
