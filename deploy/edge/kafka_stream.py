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
from deploy.edge.refusals import RULE_UNREACHED
from deploy.edge.rule_event import SITE, SOURCES, RuleEvent, Taker
from deploy.edge.wire import Format, Message, PresenceMessage, encode_value
from pipelines.errors import StackError

__all__ = ["KafkaStream", "read_streams", "routing_key"]

logger = logging.getLogger(__name__)

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


def routing_key(
    template: str, channel: str, message: Message | PresenceMessage | None
) -> tuple[str, str]:
    """Return topic and key of a message: `topic:key`, both may hold `#{...}`; "" is no key."""
    found_name = message.name if isinstance(message, Message) else None
    message = message if message is not None else Message()
    extras = message.extras or {}

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        known = {
            "channelName": channel,
            "message.name": found_name,
            "message.id": message.id,
            "message.clientId": message.client_id,
        }
        header = HEADER.fullmatch(name)
        if header is not None:
            headers = extras.get("headers") or {}
            return str(headers.get(header[1], "")) if isinstance(headers, dict) else ""
        return known.get(name) or ""

    topic, _, key = VARIABLE.sub(value, template).partition(":")
    return topic, key


class KafkaStream(Taker):
    """One rule; `close` sends what waits."""

    def __init__(self, rule: _Rule, app_id: str, now_ms: Callable[[], int]) -> None:
        self._rule = rule
        self.source, self.id = rule.source.type, rule.id
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

    def covers(self, app: App, channel: str) -> bool:
        """Return whether the rule is for a channel."""
        return app.id == self._app_id and self._covers.search(channel) is not None

    def take(self, event: RuleEvent) -> None:
        """Send an event on; messages and members one by one, each where its key leads."""
        for one in event.inner:
            alone = RuleEvent(
                event.at_ms, event.source, event.name, event.channel, event.serial, [one]
            )
            self._send(alone, one)
        if event.state is not None:
            self._send(event, None)
        self._producer.poll(0)

    def _send(self, event: RuleEvent, one: Message | PresenceMessage | None) -> None:
        topic, key = routing_key(self._rule.target.routing_key, event.channel, one)
        value, headers = self._value(event, one)
        try:
            self._producer.produce(
                topic, value, key.encode() or None, headers=headers, on_delivery=self._report
            )
        except (BufferError, KafkaException) as error:
            self._drop(str(error))

    def _value(
        self, event: RuleEvent, one: Message | PresenceMessage | None
    ) -> tuple[bytes, Headers]:
        if self._rule.target.enveloped:
            envelope = event.envelope(self._app_id, self._rule.id, self._form)
            return encode_value(envelope, self._form), []
        named: dict[str, Any] = {
            "x-ably-version": "1.2",
            "x-ably-envelope-appid": self._app_id,
            "x-ably-envelope-channel": event.channel,
            "x-ably-envelope-rule-id": self._rule.id,
            "x-ably-envelope-site": SITE,
            "x-ably-envelope-source": event.source,
        }
        if one is None:
            named["content-type"] = "application/json"
            raw = encode_value(event.state, Format.JSON)
        else:
            data = one.data
            raw = data.encode() if isinstance(data, str) else data or b""
            is_json = (one.encoding or "").startswith("json")
            named |= {
                "content-type": "application/json" if is_json else "text/plain",
                "x-ably-message-id": one.id,
                "x-ably-message-timestamp": one.timestamp,
                "x-ably-message-client-id": one.client_id,
                "x-ably-message-connection-id": one.connection_id,
                "x-ably-message-name": one.name if isinstance(one, Message) else None,
                "x-ably-message-action": one.action,
            }
        return raw, [(k, str(v).encode()) for k, v in named.items() if v is not None]

    def _report(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._drop(error.name())

    def _drop(self, why: str) -> None:
        self.dropped += 1
        logger.warning("Kafka did not take a message rule=%s why=%s", self._rule.id, why)
        self.trouble(RULE_UNREACHED, f"Kafka did not take a message: {why}"[:256])

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
            if rule.source.type not in SOURCES:
                raise StackError(f"a Kafka rule's source is one of {', '.join(SOURCES)}")
            streams.append(KafkaStream(rule, app_id, now_ms))
        except (msgspec.ValidationError, re.error, KafkaException) as error:
            raise StackError(f"a Kafka rule in the keys file cannot be read: {error}") from error
    return streams
