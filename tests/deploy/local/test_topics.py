"""The product's topics on a real broker: settings, second call, other counts."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from deploy.local.topics import ensure_topics
from pipelines.errors import StackError
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.topics import BETS, CO_PARTITIONED, JOURNAL, ODDS


def _configuration(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(20)
    return {name: entry.value for name, entry in entries.items()}


def _delete(admin: AdminClient, topic: str) -> None:
    for future in admin.delete_topics([topic]).values():
        future.result(20)
    deadline = time.monotonic() + 20
    while topic in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_all_topics_are_made_with_the_settings_of_their_role(
    fresh_topics: Callable[[int], str],
) -> None:
    address = fresh_topics(3)
    admin = AdminClient({"bootstrap.servers": address})
    topics = admin.list_topics(timeout=10).topics
    assert {topic: len(topics[topic].partitions) for topic in CO_PARTITIONED} == dict.fromkeys(
        CO_PARTITIONED, 3
    )
    bets, journal, odds = (_configuration(admin, topic) for topic in (BETS, JOURNAL, ODDS))
    assert bets["message.timestamp.type"] == "LogAppendTime"
    assert journal["message.timestamp.type"] == odds["message.timestamp.type"] == "CreateTime"
    assert journal["retention.ms"] == "-1"
    assert journal["retention.bytes"] == "-1"
    assert bets["retention.ms"] == odds["retention.ms"] == str(7 * 86_400_000)
    assert int(bets["max.message.bytes"]) > RECORD_BYTES_MAX


def test_a_second_call_changes_nothing_and_another_count_is_refused(
    fresh_topics: Callable[[int], str],
) -> None:
    address = fresh_topics(2)
    assert ensure_topics(address, 2, 1) == []
    with pytest.raises(StackError, match=r"must have 5 partitions, but .*bets has 2"):
        ensure_topics(address, 5, 1)
    admin = AdminClient({"bootstrap.servers": address})
    assert len(admin.list_topics(timeout=10).topics[BETS].partitions) == 2


def test_a_missing_topic_is_made_beside_those_that_exist(
    fresh_topics: Callable[[int], str],
) -> None:
    address = fresh_topics(2)
    admin = AdminClient({"bootstrap.servers": address})
    _delete(admin, ODDS)
    assert ensure_topics(address, 2, 1) == [ODDS]


def test_more_copies_than_brokers_is_an_error(fresh_topics: Callable[[int], str]) -> None:
    address = fresh_topics(1)
    admin = AdminClient({"bootstrap.servers": address})
    _delete(admin, ODDS)
    with pytest.raises(StackError, match="could not be made ready"):
        ensure_topics(address, 1, 3)
