"""What accounts cost: the final answer to a bet with and without them, on a real broker.

`python -m tests.bench.accounts`. Two partitions, each with a shard in a process; bettors'
books and events are spread over both. Bets come at a fixed rate for so long; what is timed is from
when a bet was due to be sent until its final answer is read from the journal.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from deploy.local.broker import Broker
from deploy.local.topics import ensure_topics
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.shard_log import CLIENT_ID_HEADER, KafkaShardLog
from pipelines.messages import entries as e
from pipelines.metrics import ShardMetrics
from pipelines.settings import Settings
from pipelines.shard.bettor import bettor_key
from pipelines.shard_loop import ShardLoop
from pipelines.topics import BETS, EVENTS, JOURNAL, partition_of

PARTITIONS = 2
RACES = 20
BETTORS = 50
WARM_S = 2
mp = multiprocessing.get_context("spawn")
_decode = msgspec.msgpack.Decoder(e.JournalRecord).decode


def run_shard(bootstrap: str, partition: int, stop: Any) -> None:
    settings = Settings(kafka_bootstrap_servers=bootstrap, partitions=PARTITIONS)
    log = KafkaShardLog(settings, partition)
    loop = ShardLoop(partition, log, SystemClock(), settings, ShardMetrics(partition))
    tune_collector()
    loop.restore()
    while not stop.is_set():
        loop.step()
    log.close()


class Desk:
    """Writes to the inputs as operators and bettors do."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})

    def say(self, topic: str, key: str, value: dict[str, Any], client: str = "") -> None:
        raw = key.encode()
        headers = [(CLIENT_ID_HEADER, client.encode())] if client else []
        self._producer.produce(
            topic, msgspec.json.encode(value), raw, partition_of(raw, PARTITIONS), headers=headers
        )
        self._producer.poll(0)

    def open(self, accounts: bool) -> None:
        for number in range(RACES):
            race = f"{accounts}-{number}"
            self.say(EVENTS, race, {"type": "event_opened", "event_id": race})
            selections = [{"selection_id": s, "odds_e4": 30_000} for s in range(8)]
            market = {"market_id": "m", "accounts": accounts, "selections": selections}
            self.say(EVENTS, race, {"type": "market_opened", "event_id": race, "market": market})
        for number in range(BETTORS):
            client = f"client-{number}"
            key, who = bettor_key(client), {"client_id": client}
            self.say(EVENTS, key, {"type": "account_set", **who})
            money = {"reference": "d", "amount_minor": 10**9}
            self.say(EVENTS, key, {"type": "deposit", **who, **money})
        self.flush()

    def bet(self, accounts: bool, number: int, due_ns: int) -> None:
        race = f"{accounts}-{number % RACES}"
        value = {
            "type": "bet", "bet_id": f"{due_ns}-{number}", "event_id": race, "market_id": "m",
            "selection_id": number % 8, "stake_minor": 100, "odds_e4": 30_000, "market_version": 1,
        }  # fmt: skip
        self.say(BETS, race, value, f"client-{number % BETTORS}")

    def flush(self) -> None:
        assert self._producer.flush(30) == 0


def pace(bootstrap: str, accounts: bool, rate: int, seconds: int) -> None:
    desk = Desk(bootstrap)
    began_ns = time.time_ns()
    for number in range(rate * seconds):
        due_ns = began_ns + number * 1_000_000_000 // rate
        while (ahead_ns := due_ns - time.time_ns()) > 0:
            time.sleep(ahead_ns / 1e9)
        desk.bet(accounts, number, due_ns)
    desk.flush()


def measure(bootstrap: str, accounts: bool, rate: int, seconds: int) -> list[float]:
    """Return the sorted times to the final answer in milliseconds, the warm-up left out."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False,
            "isolation.level": "read_committed", "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 5,
        }
    )  # fmt: skip
    consumer.assign([TopicPartition(JOURNAL, p, 0) for p in range(PARTITIONS)])
    sender = mp.Process(target=pace, args=(bootstrap, accounts, rate, seconds), daemon=True)
    sender.start()
    found: list[float] = []
    first_ns, seen = 0, 0
    deadline_s = time.monotonic() + seconds + 60
    while seen < rate * seconds:
        assert time.monotonic() < deadline_s, f"{seen} answers of {rate * seconds}"
        message = consumer.poll(1)
        if message is None or message.error() is not None:
            continue
        now_ns = time.time_ns()
        entry = _decode(message.value() or b"").entry
        if type(entry) is not (e.BetConfirmed if accounts else e.BetAccepted):
            continue
        due_ns = int(entry.bet_id.partition("-")[0])
        first_ns = first_ns or due_ns
        seen += 1
        if due_ns - first_ns > WARM_S * 1_000_000_000:
            found.append((now_ns - due_ns) / 1e6)
    sender.join(20)
    consumer.close()
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200, help="bets a second")
    parser.add_argument("--seconds", type=int, default=12)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="overround-bench-") as folder,
        Broker(Path(folder), 39192, 39193) as broker,
    ):
        bootstrap = broker.bootstrap_servers
        stop = mp.Event()
        shards = []
        try:
            ensure_topics(bootstrap, PARTITIONS, 1)
            desk = Desk(bootstrap)
            shards = [
                mp.Process(target=run_shard, args=(bootstrap, p, stop), daemon=True)
                for p in range(PARTITIONS)
            ]
            for shard in shards:
                shard.start()
            desk.open(accounts=False)
            desk.open(accounts=True)
            time.sleep(3)
            print(f"final answer at {arguments.rate} bets/s, {PARTITIONS} partitions, ms")
            for accounts in (False, True):
                times = measure(bootstrap, accounts, arguments.rate, arguments.seconds)
                name = "with accounts" if accounts else "without"
                p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
                print(f"  {name:14} p50 {p50:6.1f}  p99 {p99:6.1f}  ({len(times)} bets)")
        finally:
            stop.set()
            for shard in shards:
                shard.join(20)


if __name__ == "__main__":
    main()
