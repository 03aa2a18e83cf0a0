"""The edge's Kafka rule: messages of `inbound:bets:<event>` go to the topic `bets`, keyed by event.

The value is the envelope of Ably's Kafka rule in single mode (one message each). A message is
done when Kafka has it on disk; order within a channel is kept by an idempotent producer. While
Kafka is away a message is refused at once as busy and never handed over, so the refusal is certain;
one that was on its way when Kafka went may or may not have arrived, and its code says so.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from deploy.edge.refusals import RULE_TIMED_OUT, SYSTEM_BUSY, refused
from deploy.edge.wire import Format, Message, outgoing
from pipelines.channels import INBOUND_BETS
from pipelines.errors import EdgeError
from pipelines.kafka.client_config import kafka_address
from pipelines.topics import BETS

__all__ = ["KafkaRule"]

logger = logging.getLogger(__name__)

RULE_ID: Final = "bets"
SITE: Final = "overround"
DELIVERY_TIMEOUT_MS: Final = 10_000
QUEUE_MESSAGES_MAX: Final = 20_000
POLL_S: Final = 0.1
PROBE_TIMEOUT_S: Final = 1.0
PROBE_INTERVAL_S: Final = 0.25
FLUSH_S: Final = 5.0

Done = Callable[[EdgeError | None], None]


class KafkaRule:
    """Port `Rule` on confluent-kafka; `close` ends its thread."""

    def __init__(self, bootstrap_servers: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._finished: deque[tuple[Done, EdgeError | None]] = deque()
        self._woken = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._in_doubt = threading.Event()  # no broker is connected: is Kafka away?
        self._is_away = False
        self._producer = Producer(
            {
                **kafka_address(bootstrap_servers),
                "client.id": "overround-edge",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
                "logger": logger,
                "error_cb": self._heard,
            }
        )
        self._thread = threading.Thread(target=self._poll, name="kafka-rule", daemon=True)
        self._thread.start()

    def covers(self, channel: str) -> bool:
        """Return whether the rule forwards the channel."""
        return channel.startswith(INBOUND_BETS) and len(channel) > len(INBOUND_BETS)

    def forward(
        self, app_id: str, channel: str, messages: Sequence[Message], now_ms: int, done: Done
    ) -> None:
        """Hand messages to Kafka. Raises EdgeError where its queue is full, or Kafka is away."""
        if self._is_away:
            raise refused(SYSTEM_BUSY, "Kafka is away: nothing was taken; send again")
        key = channel.removeprefix(INBOUND_BETS).encode()
        counted = _Countdown(len(messages), done)
        for index, message in enumerate(messages):
            value = _envelope(app_id, channel, message, now_ms)
            try:
                self._producer.produce(
                    BETS, value, key, on_delivery=self._reporter(counted), timestamp=now_ms
                )
            except (BufferError, KafkaException) as error:
                busy = refused(SYSTEM_BUSY, "too many bets wait for Kafka; send again")
                if index == 0:
                    raise busy from error
                # What was handed over stays; the rest of the publication counts as refused.
                counted.miss(len(messages) - index, busy)
                break

    def _reporter(self, counted: "_Countdown") -> Callable[[KafkaError | None, Any], None]:
        def report(error: KafkaError | None, _message: Any) -> None:
            refusal = None
            if error is not None:
                logger.warning("Kafka did not take a bet error=%s", error.name())
                refusal = refused(RULE_TIMED_OUT, f"Kafka did not take it: {error.name()}")
            if counted.one(refusal):
                self._finish(counted.done, counted.refusal)

        return report

    def _finish(self, done: Done, refusal: EdgeError | None) -> None:
        """Carry an outcome from the poll thread to the event loop; many share one wake-up."""
        with self._lock:
            self._finished.append((done, refusal))
            if self._woken:
                return
            self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            logger.info("the event loop ended before Kafka answered")

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if not self._finished:
                    self._woken = False
                    return
                done, refusal = self._finished.popleft()
            done(refusal)

    def _heard(self, error: KafkaError) -> None:
        """Called in the poll thread, also for a connection that was idle for too long."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self._in_doubt.set()

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_S)
            if self._in_doubt.is_set():
                self._probe()

    def _probe(self) -> None:
        """Ask Kafka whether it is there; one that does not answer in a second is away."""
        try:
            self._producer.list_topics(BETS, timeout=PROBE_TIMEOUT_S)
        except KafkaException as error:
            if not self._is_away:
                logger.warning("Kafka is away, bets are refused error=%s", error.args[0].name())
            self._is_away = True
            self._closing.wait(PROBE_INTERVAL_S)
            return
        if self._is_away:
            logger.warning("Kafka is back, bets are taken again")
        self._is_away = False
        self._in_doubt.clear()

    def close(self) -> None:
        """Send what waits, for a bounded time, and end the thread."""
        self._closing.set()
        self._thread.join(FLUSH_S)
        left = self._producer.flush(FLUSH_S)
        if left:
            logger.warning("messages were not taken by Kafka in time count=%d", left)


class _Countdown:
    """Counts the messages of one publication down; used in one thread at a time."""

    def __init__(self, count: int, done: Done) -> None:
        self.done = done
        self.refusal: EdgeError | None = None
        self._left = count

    def one(self, refusal: EdgeError | None) -> bool:
        """Note one outcome; True at the last."""
        self.refusal = self.refusal or refusal
        self._left -= 1
        return self._left == 0

    def miss(self, count: int, refusal: EdgeError) -> None:
        """Note messages that were never handed over."""
        self.refusal = self.refusal or refusal
        self._left -= count


def _envelope(app_id: str, channel: str, message: Message, now_ms: int) -> bytes:
    """Return the value as Ably's rule writes it (`enveloped: true`, JSON)."""
    shown = outgoing(message, Format.JSON)
    inner = {
        "id": shown.id,
        "clientId": shown.client_id,
        "connectionId": shown.connection_id,
        "timestamp": now_ms,
        "name": shown.name,
        "data": shown.data,
        "encoding": shown.encoding,
        "extras": shown.extras,
    }
    return msgspec.json.encode(
        {
            "source": "channel.message",
            "appId": app_id,
            "channel": channel,
            "site": SITE,
            "ruleId": RULE_ID,
            "messages": [{name: value for name, value in inner.items() if value is not None}],
        }
    )
