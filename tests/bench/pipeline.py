"""Throughput and latency through real Kafka, exactly once, beside a plain loop in the same run.

    python -m tests.bench.pipeline [--bets N] [--rate N] [--seconds N]

Throughput: so many bets wait in the topic; from the first to the last committed journal record of
one partition in one process. Latency: bets arrive at a fixed rate, each timed from the moment it
was due to be sent (so a stall counts for all that it delays) until a read_committed reader of the
journal has it. Both loops get the same broker, bets and partition, one after the other.
"""

import argparse
import multiprocessing as mp
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.local.broker import Broker
from deploy.local.topics import ensure_topics
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.shard_log import CLIENT_ID_HEADER, KafkaShardLog
from pipelines.messages.entries import BetAccepted, JournalRecord
from pipelines.metrics import ShardMetrics
from pipelines.settings import Settings
from pipelines.shard_loop import ShardLoop
from pipelines.topics import BETS, CO_PARTITIONED, EVENTS, JOURNAL
from tests.bench.core import bets, operations
from tests.bench.plain_loop import PlainLoop

EVENTS_OPEN = 200


def run_engine(bootstrap: str, ready: Any, stop: Any) -> None:
    """The product's loop, as its actor runs it, without Ray."""
    settings = Settings(kafka_bootstrap_servers=bootstrap)
    log = KafkaShardLog(settings, 0)
    loop = ShardLoop(0, log, SystemClock(), settings, ShardMetrics(0))
    tune_collector()
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    while loop.status()["state"] != "running" or loop.status()["events_next"] != 2 * EVENTS_OPEN:
        time.sleep(0.01)
    ready.set()
    stop.wait()
    loop.stop()
    thread.join(10)


def run_plain(bootstrap: str, ready: Any, stop: Any) -> None:
    """The plain loop."""
    loop = PlainLoop(bootstrap)
    tune_collector()
    ready.set()
    while not stop.is_set():
        loop.step()
    loop.close()


def fresh(bootstrap: str) -> None:
    """Empty topics with one partition."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    known = admin.list_topics(timeout=10).topics
    gone = [t for t in CO_PARTITIONED if t in known]
    if gone:
        for future in admin.delete_topics(gone).values():
            future.result(30)
        while set(gone) & set(admin.list_topics(timeout=10).topics):
            time.sleep(0.05)
    ensure_topics(bootstrap, 1, 1)
    producer = Producer({"bootstrap.servers": bootstrap})
    for record in operations(EVENTS_OPEN, "pool"):
        producer.produce(EVENTS, record.value, record.key, 0)
    producer.flush(30)


def tail_of(bootstrap: str) -> Consumer:
    """A reader of what is committed to the journal, from its start."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 5,
        }
    )
    consumer.assign([TopicPartition(JOURNAL, 0, 0)])
    return consumer


class BetIds:
    """Reads a journal value of either loop; None where it is no accepted bet."""

    def __init__(self, engine: bool) -> None:
        self.engine = engine
        self.record = msgspec.msgpack.Decoder(JournalRecord).decode
        self.plain = msgspec.msgpack.Decoder(tuple[str, int, int]).decode

    def __call__(self, value: bytes) -> str | None:
        if not self.engine:
            return self.plain(value)[0]
        entry = self.record(value).entry
        return entry.bet_id if type(entry) is BetAccepted else None


def open_events(bootstrap: str) -> None:
    """Let the engine open the markets before the bets are there, then end it."""
    ready, stop = mp.Event(), mp.Event()
    process = mp.Process(target=run_engine, args=(bootstrap, ready, stop), daemon=True)
    process.start()
    assert ready.wait(60), "the engine did not open the events"
    stop.set()
    process.join(20)


def throughput(bootstrap: str, target: Callable[..., None], count: int) -> float:
    """Return bets a second from the first to the last committed journal record."""
    fresh(bootstrap)
    if target is run_engine:
        open_events(bootstrap)
    ready, stop = mp.Event(), mp.Event()
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for record in bets(count, EVENTS_OPEN, "pool"):
        headers = [(CLIENT_ID_HEADER, record.client_id.encode())]
        while True:
            try:
                producer.produce(BETS, record.value, record.key, 0, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(60)
    process = mp.Process(target=target, args=(bootstrap, ready, stop), daemon=True)
    consumer = tail_of(bootstrap)
    process.start()
    seen, first_ms, last_ms = 0, 0, 0
    ids = BetIds(target is run_engine)
    while seen < count:
        for message in consumer.consume(5_000, 0.1):
            if message.error() is None and ids(message.value()) is not None:
                last_ms = message.timestamp()[1]
                first_ms = first_ms or last_ms
                seen += 1
    stop.set()
    process.join(20)
    consumer.close()
    return count / ((last_ms - first_ms) / 1_000)


def pace(bootstrap: str, rate: int, seconds: int) -> None:
    """Send bets at a fixed rate; the bet id says when each was due, in nanoseconds."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "acks": "all"})
    template = bets(1_000, EVENTS_OPEN, "pool")
    bodies = [msgspec.json.decode(r.value) for r in template]
    began_ns = time.time_ns()
    for number in range(rate * seconds):
        due_ns = began_ns + number * 1_000_000_000 // rate
        while (ahead_ns := due_ns - time.time_ns()) > 0:
            time.sleep(ahead_ns / 1e9)
        body = bodies[number % 1_000] | {"bet_id": f"{due_ns}-{number}"}
        record = template[number % 1_000]
        headers = [(CLIENT_ID_HEADER, record.client_id.encode())]
        producer.produce(BETS, msgspec.json.encode(body), record.key, 0, headers=headers)
        producer.poll(0)
    producer.flush(30)


def latency(
    bootstrap: str, target: Callable[..., None], rate: int, seconds: int
) -> dict[str, float]:
    """Return percentiles in milliseconds, the first two seconds left out."""
    fresh(bootstrap)
    ready, stop = mp.Event(), mp.Event()
    process = mp.Process(target=target, args=(bootstrap, ready, stop), daemon=True)
    process.start()
    assert ready.wait(60), "the loop did not start"
    consumer = tail_of(bootstrap)
    consumer.consume(1, 1)
    sender = mp.Process(target=pace, args=(bootstrap, rate, seconds), daemon=True)
    sender.start()
    ids = BetIds(target is run_engine)
    found: list[float] = []
    total = rate * seconds
    seen = 0
    while seen < total:
        message = consumer.poll(1)
        if message is None or message.error() is not None:
            continue
        now_ns = time.time_ns()
        bet_id = ids(message.value())
        if bet_id is None:
            continue
        seen += 1
        if seen > 2 * rate:
            found.append((now_ns - int(bet_id.split("-")[0])) / 1e6)
    stop.set()
    sender.join(20)
    process.join(20)
    consumer.close()
    found.sort()
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    table = {name: found[min(int(len(found) * q), len(found) - 1)] for name, q in marks.items()}
    return table | {"max": found[-1]}


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bets", type=int, default=300_000)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    mp.set_start_method("spawn")
    loops: dict[str, Callable[..., None]] = {"plain": run_plain, "engine": run_engine}
    with (
        tempfile.TemporaryDirectory(prefix="overround-bench-") as folder,
        Broker(Path(folder), 39092, 39093) as broker,
    ):
        address = broker.bootstrap_servers
        print(
            f"Apache Kafka on the same {os.cpu_count()} cores, one partition, one process a "
            f"loop, 150-byte JSON bets on {EVENTS_OPEN} events, Python "
            f"{platform.python_version()}",
            flush=True,
        )
        rates: dict[str, float] = {}
        for name, target in loops.items():
            rates[name] = throughput(address, target, arguments.bets)
            print(f"  {name:6} {rates[name]:10,.0f} bets/s, {arguments.bets:,} bets", flush=True)
        print(f"  engine / plain: {rates['engine'] / rates['plain']:.2f}", flush=True)
        print(f"latency at {arguments.rate:,} bets/s for {arguments.seconds} s, ms", flush=True)
        for name, target in loops.items():
            marks = latency(address, target, arguments.rate, arguments.seconds)
            row = "  ".join(f"{mark} {value:7.1f}" for mark, value in marks.items())
            print(f"  {name:6} {row}", flush=True)


if __name__ == "__main__":
    main()
