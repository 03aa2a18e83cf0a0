"""Kafka rules of the keys file: topic and key by template, enveloped or raw."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.edge.kafka_stream import routing_key
from deploy.edge.keys import EdgeKeys
from deploy.edge.wire import Action
from deploy.edge.wire import Message as Published
from pipelines.topics import DEAD_LETTERS, EVENTS
from tests.deploy.edge.peer import peer
from tests.edge_process import running_edge


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("bets", ("bets", "")),
        ("bets:#{channelName}", ("bets", "a:b")),
        ("t-#{message.name}:#{message.clientId}", ("t-n", "ann")),
        ("t:#{message.extras.headers['event']}", ("t", "e1")),
        ("t:#{message.extras.headers['none']}#{unknown}", ("t", "")),
    ],
)
def test_templates(template: str, expected: tuple[str, str]) -> None:
    message = Published(name="n", client_id="ann", extras={"headers": {"event": "e1"}})
    assert routing_key(template, "a:b", message) == expected


def read_one(bootstrap_servers: str, topic: str) -> Message:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "stream-test"})
    found = AdminClient({"bootstrap.servers": bootstrap_servers}).list_topics(topic, 10)
    partitions = found.topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    try:
        for _ in range(100):
            for message in consumer.consume(1, 0.2):
                assert message.error() is None
                return message
    finally:
        consumer.close()
    raise AssertionError("nothing came")


def keys_with_rules(folder: Path, rules: list[dict[str, Any]]) -> EdgeKeys:
    path = folder / "keys.json"
    keys = EdgeKeys.load_or_create(path, lambda n: "abcdefgh" * (n // 4))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rules": rules}))
    return keys


@pytest.mark.kafka
def test_messages_arrive_enveloped_and_raw(
    fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    servers = fresh_topics(2)
    common = {"ruleType": "kafka", "source": {"channelFilter": "^s:"}}
    rules = [
        {
            **common,
            "id": "e",
            "target": {"routingKey": f"{EVENTS}:#{{channelName}}", "brokers": [servers]},
        },
        {
            **common,
            "id": "r",
            "target": {
                "routingKey": f"{DEAD_LETTERS}:#{{message.name}}",
                "brokers": [servers],
                "enveloped": False,
            },
        },
    ]
    keys = keys_with_rules(tmp_path, rules)
    name, _, secret = keys.backend_key.partition(":")
    (port,) = free_ports(1)
    with running_edge(port, tmp_path) as edge:
        for channel in ("s:1", "other"):
            body = {"name": "n", "data": {"a": 1}}
            url = f"{edge.url}/channels/{channel}/messages"
            httpx.post(url, json=body, auth=(name, secret)).raise_for_status()
    enveloped = read_one(servers, EVENTS)
    assert enveloped.key() == b"s:1"
    value = json.loads(enveloped.value() or b"")
    assert (value["channel"], value["ruleId"], value["messages"][0]["name"]) == ("s:1", "e", "n")
    raw = read_one(servers, DEAD_LETTERS)
    assert (raw.key(), raw.value()) == (b"n", b'{"a":1}')
    headers = dict(raw.headers() or [])
    assert headers["x-ably-envelope-channel"] == b"s:1"
    assert headers["content-type"] == b"application/json"


@pytest.mark.kafka
def test_members_and_channels_that_begin_arrive_too(
    fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    servers = fresh_topics(2)
    rules = [
        {
            "ruleType": "kafka",
            "id": topic,
            "source": {"channelFilter": "^s:", "type": kind},
            "target": {"routingKey": f"{topic}:#{{{key}}}", "brokers": [servers]},
        }
        for topic, kind, key in (
            (EVENTS, "channel.presence", "message.clientId"),
            (DEAD_LETTERS, "channel.lifecycle", "channelName"),
        )
    ]
    keys_with_rules(tmp_path, rules)
    (port,) = free_ports(1)
    with running_edge(port, tmp_path) as edge, peer(edge, clientId="ann") as one:
        one.send(Action.ATTACH, channel="s:1")
        one.hear(Action.ATTACHED)
        entered = [{"action": 2, "data": "here"}]
        one.send(Action.PRESENCE, channel="s:1", msgSerial=0, presence=entered)
        one.hear(Action.ACK)
    member = read_one(servers, EVENTS)
    assert member.key() == b"ann"
    value = json.loads(member.value() or b"")
    assert (value["source"], value["presence"][0]["data"]) == ("channel.presence", "here")
    opened = read_one(servers, DEAD_LETTERS)
    assert opened.key() == b"s:1"
    value = json.loads(opened.value() or b"")
    assert (value["source"], value["name"]) == ("channel.lifecycle", "channel.opened")
