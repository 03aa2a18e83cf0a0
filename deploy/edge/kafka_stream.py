"""Kafka rules of the keys file: what is published goes on to topics, as Ably streams it.

Unlike the edge's own rule for bets (`kafka_rule.py`) nothing waits for Kafka: what it does not
take is counted and said, as Ably does without telling the publisher.
Source: Ably's documentation of its Kafka rule.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import Struct

from deploy.edge.app import App
from deploy.edge.channel import Channel
from deploy.edge.wire import Format, Message, encode_value, shown
from pipelines.errors import StackError

__all__ = ["KafkaStream", "read_streams", "routing_key"]

logger = logging.getLogger(__name__)

SITE: Final = "overround"
QUEUE_MESSAGES_MAX: Final = 20_000
FLUSH_S: Final = 5.0
VARIABLE: Final = re.compile(r"#\{([^}]*)\}")
HEADER: Final = re.compile(r"message\.extras\.headers\[['\"](.+)['\"]\]")


Headers = list[tuple[str, str | bytes | None]]


class _Source(Struct, rename="camel"):
    type: str = "channel.message"
    channel_filter: str = ""


class _Target(Struct, rename="camel"):
    routing_key: str
    brokers: list[str]
    enveloped: bool = True
    format: str = "json"


class _Rule(Struct, rename="camel"):
    rule_type: str
    target: _Target
    id: str = "kafka"
    source: _Source = msgspec.field(default_factory=_Source)


def routing_key(template: str, channel: str, message: Message) -> tuple[str, str]:
    """Return topic and key of a message: `topic:key`, both may hold `#{...}`; "" is no key."""

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        known = {
            "channelName": channel,
            "message.name": message.name,
            "message.id": message.id,
            "message.clientId": message.client_id,
        }
        header = HEADER.fullmatch(name)
        if header is not None:
            headers = (message.extras or {}).get("headers") or {}
            return str(headers.get(header[1], "")) if isinstance(headers, dict) else ""
        return known.get(name) or ""

    topic, _, key = VARIABLE.sub(value, template).partition(":")
    return topic, key


class KafkaStream:
    """One rule; `close` sends what waits."""

    def __init__(self, rule: _Rule, app_id: str, now_ms: Callable[[], int]) -> None:
        self._rule = rule
        self._app_id = app_id
        self._now_ms = now_ms
        self._covers = re.compile(rule.source.channel_filter)
        self._form = Format.MSGPACK if rule.target.format == "msgpack" else Format.JSON
        self.dropped = 0
        self._producer = Producer(
            {
                "bootstrap.servers": ",".join(rule.target.brokers),
                "client.id": f"overround-edge-{rule.id}",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
                "logger": logger,
            }
        )

    def messages(self, app: App, channel: Channel, messages: Sequence[Message]) -> None:
        """Take messages of a publication."""
        if app.id != self._app_id or self._covers.search(channel.name) is None:
            return
        for message in messages:
            topic, key = routing_key(self._rule.target.routing_key, channel.name, message)
            value, headers = self._value(channel.name, message)
            try:
                self._producer.produce(
                    topic, value, key.encode() or None, headers=headers, on_delivery=self._report
                )
            except (BufferError, KafkaException) as error:
                self._drop(str(error))
        self._producer.poll(0)

    def _value(self, channel: str, message: Message) -> tuple[bytes, Headers]:
        if self._rule.target.enveloped:
            envelope = {
                "source": self._rule.source.type,
                "appId": self._app_id,
                "channel": channel,
                "site": SITE,
                "ruleId": self._rule.id,
                "timestamp": self._now_ms(),
                "messages": [shown(message, self._form)],
            }
            return encode_value(envelope, self._form), []
        data = message.data
        raw = data.encode() if isinstance(data, str) else data or b""
        is_json = (message.encoding or "").startswith("json")
        named: dict[str, Any] = {
            "x-ably-version": "1.2",
            "content-type": "application/json" if is_json else "text/plain",
            "x-ably-envelope-appid": self._app_id,
            "x-ably-envelope-channel": channel,
            "x-ably-envelope-rule-id": self._rule.id,
            "x-ably-envelope-site": SITE,
            "x-ably-envelope-source": self._rule.source.type,
            "x-ably-message-id": message.id,
            "x-ably-message-timestamp": message.timestamp,
            "x-ably-message-client-id": message.client_id,
            "x-ably-message-connection-id": message.connection_id,
            "x-ably-message-name": message.name,
            "x-ably-message-action": message.action,
        }
        return raw, [(k, str(v).encode()) for k, v in named.items() if v is not None]

    def _report(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._drop(error.name())

    def _drop(self, why: str) -> None:
        self.dropped += 1
        logger.warning("Kafka did not take a message rule=%s why=%s", self._rule.id, why)

    def close(self) -> None:
        """Send what waits, for a bounded time."""
        left = self._producer.flush(FLUSH_S)
        if left:
            logger.warning("messages were not taken by Kafka in time count=%d", left)


def read_streams(
    given: Sequence[object], app_id: str, now_ms: Callable[[], int]
) -> list[KafkaStream]:
    """Return the Kafka rules among these. Raises StackError."""
    streams = []
    for value in given:
        try:
            rule = msgspec.convert(value, _Rule)
            if rule.source.type != "channel.message":
                raise StackError("a Kafka rule's source is channel.message")
            streams.append(KafkaStream(rule, app_id, now_ms))
        except (msgspec.ValidationError, re.error, KafkaException) as error:
            raise StackError(f"a Kafka rule in the keys file cannot be read: {error}") from error
    return streams
