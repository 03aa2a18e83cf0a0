"""Bets go from a channel to the topic `bets` as Ably's Kafka rule writes them."""

import json
from collections.abc import Callable

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from pipelines.messages.requests import BetRequest
from pipelines.shard.decode import decode_bets
from pipelines.topics import BETS, partition_of
from tests.edge_process import running_edge

PARTITIONS = 4


def read(bootstrap_servers: str, count: int) -> list[tuple[bytes, bytes, int]]:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "rule-test"})
    consumer.assign([TopicPartition(BETS, partition, 0) for partition in range(PARTITIONS)])
    found = []
    try:
        for _ in range(100):
            for message in consumer.consume(count, 0.2):
                assert message.error() is None
                found.append((message.key(), message.value(), message.partition()))
            if len(found) >= count:
                break
    finally:
        consumer.close()
    return found


@pytest.mark.kafka
def test_bets_are_keyed_stamped_and_in_order(
    fresh_topics: Callable[[int], str],
    free_ports: Callable[[int], list[int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    servers = fresh_topics(PARTITIONS)
    (port,) = free_ports(1)
    with (
        running_edge(port, tmp_path_factory.mktemp("rule"), "--kafka", servers) as edge,
        httpx.Client(base_url=edge.url, timeout=20) as client,
    ):
        token = client.get("/overround/token", params={"client_id": "ann"}).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        for number in range(30):
            bet = {
                "type": "bet",
                "bet_id": f"b{number}",
                "event_id": f"e{number % 3}",
                "market_id": "win",
                "selection_id": 1,
                "stake_minor": 100,
            }
            path = f"/channels/inbound:bets:e{number % 3}/messages"
            message = {"name": "bet", "data": bet, "id": f"id-{number}"}
            for _ in range(2):  # the second is the same message, sent again
                taken = client.post(path, json=message, headers=bearer)
                assert taken.status_code == 201, taken.text
    found = read(servers, 30)
    assert len(found) == 30
    seen: dict[bytes, list[str]] = {}
    for key, value, partition in found:
        assert partition == partition_of(key, PARTITIONS)
        envelope = json.loads(value)
        assert envelope["source"] == "channel.message"
        assert envelope["channel"] == f"inbound:bets:{key.decode()}"
        (incoming,) = decode_bets(value, "")
        assert incoming.client_id == "ann"
        assert isinstance(incoming.request, BetRequest)
        seen.setdefault(key, []).append(incoming.request.bet_id)
    expected = {b"e%d" % e: [f"b{n}" for n in range(30) if n % 3 == e] for e in range(3)}
    assert seen == expected


def test_without_kafka_a_bet_is_refused_in_time_and_not_shown(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    port, nobody = free_ports(2)
    options = ("--kafka", f"127.0.0.1:{nobody}")
    with running_edge(port, tmp_path_factory.mktemp("no-kafka"), *options) as edge:
        name, _, secret = edge.key.partition(":")
        with httpx.Client(base_url=edge.url, auth=(name, secret), timeout=30) as client:
            path = "/channels/inbound:bets:e1/messages"
            response = client.post(path, json={"name": "bet", "data": "{}"})
            assert response.json()["error"]["code"] == 50003
            assert client.get(path).json() == []
            assert client.post("/channels/other/messages", json={"name": "x"}).status_code == 201
