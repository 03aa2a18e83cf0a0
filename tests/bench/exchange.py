"""Speed of the core on exchange markets: decode, decide, match, evolve, encode, in one process.

    python -m tests.bench.exchange [--orders N] [--events N] [--batch N]

Prints orders a second of one core (CPU time) for mixes of orders that rest, that are matched and
that are cancelled, and the memory of open orders. No Kafka, no Ray.
"""

import argparse
import gc
import os
import platform
import random
import time
import tracemalloc

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


def orders(count: int, events: int, crossing: float, cancels: float) -> list[Record]:
    """Records of orders as a gateway writes them: plain JSON, the bettor in the header."""
    chance = random.Random(1)
    records: list[Record] = []
    waiting: list[tuple[str, int, str]] = []
    middle = len(CLASSIC) // 2
    for number in range(count):
        if waiting and chance.random() < cancels:
            bet_id, event, client_id = waiting.pop(chance.randrange(len(waiting)))
            value: dict[str, object] = {"type": "cancel", "bet_id": bet_id}
        else:
            event = number * 7919 % events
            bet_id, client_id = f"{number:08x}-bench", f"bettor-{number % 5000}"
            lay = chance.random() < 0.5
            away = chance.randrange(1, 150)
            if chance.random() < crossing:
                away = -away
            price = CLASSIC[middle - away if lay else middle + away]
            value = {
                "v": 1,
                "type": "bet",
                "bet_id": bet_id,
                "selection_id": number % 8,
                "stake_minor": 100 + number % 900,
                "odds_e4": price,
                "side": "LAY" if lay else "BACK",
                "persistence": "PERSIST",
            }
            waiting.append((bet_id, event, client_id))
        value |= {"event_id": f"event-{event:05d}", "market_id": f"1.{event:09d}"}
        key = f"event-{event:05d}".encode()
        body = msgspec.json.encode(value)
        records.append(Record(BETS, 0, number, AT_MS + number // 1000, key, body, client_id))
    return records


def run(records: list[Record], events: int, batch: int) -> tuple[float, float, int]:
    """Return orders a second, the share of draining in it, and how many entries were written."""
    core = Engine(ShardState(0))
    for record in operations(events, "exchange"):
        core.process(record)
    core.drain()
    count = len(records)
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
    return count / elapsed_s, draining_s / elapsed_s, core.state.shard_seq - 2 * events


def memory_bytes(records: list[Record], events: int) -> int:
    """Return what the state of these orders takes, measured by allocation."""
    core = Engine(ShardState(0))
    for record in operations(events, "exchange"):
        core.process(record)
    core.drain()
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
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"exchange: {arguments.orders} orders, {arguments.events} events, {arguments.batch} a "
        f"transaction, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"best of {arguments.rounds}"
    )
    for name, (crossing, cancels) in MIXES.items():
        records = orders(arguments.orders, arguments.events, crossing, cancels)
        rounds = [run(records, arguments.events, arguments.batch) for _ in range(arguments.rounds)]
        rate, share, entries = max(rounds)
        print(
            f"  {name:7} {rate:10,.0f} orders/s  {1e6 / rate:5.2f} us an order, {share:4.0%} of it "
            f"encoding, {entries / len(records):.2f} entries an order"
        )
    records = orders(50_000, arguments.events, 0.0, 0.0)
    taken = memory_bytes(records, arguments.events)
    print(f"  memory of 50,000 open orders: {taken / 50_000:.0f} bytes an order")


if __name__ == "__main__":
    main()
