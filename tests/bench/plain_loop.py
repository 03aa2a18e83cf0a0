"""The loop that a good engineer writes by hand with confluent-kafka, to compare with.

Exactly once: consume a batch, decode, update a dictionary of stakes, compute odds, produce one
journal record a bet and one odds record a changed event, send the offsets to the transaction,
commit. It knows no markets, no bet ids, no settlement, and keeps no state over a restart.
"""

from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from pipelines.messages.requests import BetRequest
from pipelines.topics import BETS, JOURNAL, ODDS

__all__ = ["PlainLoop"]


class PlainLoop:
    """One partition, one process; `step` reads, works and commits once."""

    def __init__(self, bootstrap_servers: str, batch: int = 1_000, wait_s: float = 0.002) -> None:
        common: dict[str, Any] = {"bootstrap.servers": bootstrap_servers}
        self.batch, self.wait_s = batch, wait_s
        self.producer = Producer(
            common
            | {"transactional.id": "plain-0", "linger.ms": 2, "queue.buffering.max.messages": 10**6}
            | {"retry.backoff.ms": 1, "retry.backoff.max.ms": 20, "batch.num.messages": 10_000}
        )
        self.producer.init_transactions(30)
        self.consumer = Consumer(
            common
            | {
                "group.id": "plain",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 5,
                "queued.min.messages": 20_000,
                "fetch.wait.max.ms": 50,
            }
        )
        self.consumer.assign([TopicPartition(BETS, 0, 0)])
        self.stakes: dict[str, list[int]] = {}
        self.decode = msgspec.json.Decoder(BetRequest).decode
        self.encode = msgspec.msgpack.Encoder().encode

    def step(self) -> int:
        """Return how many bets were committed."""
        messages = self.consumer.consume(self.batch, self.wait_s)
        if not messages:
            return 0
        producer, decode, encode, stakes = self.producer, self.decode, self.encode, self.stakes
        producer.begin_transaction()
        changed: dict[str, bytes] = {}
        for message in messages:
            key, value = message.key(), message.value()
            bet = decode(value)
            book = stakes.get(bet.event_id)
            if book is None:
                book = stakes[bet.event_id] = [0] * 8
            book[bet.selection_id] += bet.stake_minor
            producer.produce(
                JOURNAL, encode((bet.bet_id, bet.selection_id, bet.stake_minor)), key, 0
            )
            changed[bet.event_id] = key
        for event_id, key in changed.items():
            book = stakes[event_id]
            total = sum(book)
            odds = [total * 10_000 // stake if stake else 0 for stake in book]
            producer.produce(ODDS, encode((event_id, odds)), key, 0)
        end = TopicPartition(BETS, 0, messages[-1].offset() + 1)
        producer.send_offsets_to_transaction([end], self.consumer.consumer_group_metadata(), 15)
        producer.commit_transaction(15)
        return len(messages)

    def close(self) -> None:
        """Release the connections."""
        self.consumer.close()
