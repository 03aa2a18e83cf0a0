"""The edge's Kafka rule: messages of `inbound:bets:<event>` go to the topic `bets`, keyed by event.

The value is the envelope of Ably's Kafka rule in single mode (one message each). A message is
done when Kafka has it on disk; order within a channel is kept by an idempotent producer.
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
from pipelines.topics import BETS

__all__ = ["KafkaRule"]

logger = logging.getLogger(__name__)

RULE_ID: Final = "bets"
SITE: Final = "overround"
DELIVERY_TIMEOUT_MS: Final = 10_000
QUEUE_MESSAGES_MAX: Final = 20_000
POLL_S: Final = 0.1
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
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": "overround-edge",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
                "logger": logger,
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
        """Hand messages to Kafka. Raises EdgeError where its queue is full."""
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

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_S)

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
