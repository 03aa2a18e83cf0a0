"""Ably's limits: each with its own code, and only where they are asked for."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.edge.limits import PACKAGES, Limits
from deploy.edge.wire import Action, Flag
from pipelines.errors import EdgeError
from tests.deploy.edge.peer import peer
from tests.edge_process import running_edge


def code(refuse: Callable[[], Any]) -> int:
    with pytest.raises(EdgeError) as refusal:
        refuse()
    return refusal.value.code


def test_each_rate_has_its_code() -> None:
    limits = Limits(channel_messages=2, connection_messages=3, channel_bytes=100)
    limits.published("a", "x", 10, 1_000)
    limits.published("a", "x", 10, 1_000)
    assert code(lambda: limits.published("a", None, 10, 1_900)) == 42913
    limits.published("a", "x", 10, 2_000)  # another second
    assert code(lambda: limits.published("b", None, 101, 2_000)) == 42914
    for channel in "cd":
        limits.published(channel, "x", 1, 2_500)
    assert code(lambda: limits.published("e", "x", 1, 2_500)) == 42911
    account = Limits(account_messages=1)
    account.published("a", None, 1, 0)
    assert code(lambda: account.published("b", None, 1, 0)) == 42917
    counts = Limits(channels=1, channels_opened=1, connections_opened=1, requests=1)
    counts.channel_opened(0, 0)
    assert code(lambda: counts.channel_opened(0, 0)) == 90021
    counts.connection_opened(0, 0)
    assert code(lambda: counts.connection_opened(0, 0)) == 80021
    counts.requested(0)
    assert code(lambda: counts.requested(0)) == 42918


def test_without_limits_nothing_is_counted() -> None:
    limits = PACKAGES["none"]()
    for _ in range(5_000):
        limits.published("a", "x", 60_000, 0)


def test_the_free_package_refuses_the_fifty_first_message_of_a_second(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("limits")
    with running_edge(port, folder, "--limits", "free") as edge, peer(edge) as one:
        hello = one.hear(Action.CONNECTED)
        assert hello["connectionDetails"]["maxInboundRate"] == 50
        time.sleep(1.01 - time.time() % 1)
        for serial in range(60):
            one.publish("busy", serial, "x")
        taken = refused = 0
        while taken + refused < 60:
            frame = one.hear(Action.ACK, Action.NACK)
            if frame["action"] == Action.ACK:
                taken += frame["count"]
            else:
                refused += 1
                assert frame["error"]["code"] == 42911
        assert taken >= 50
        assert refused >= 1 or taken == 60  # the second may have turned meanwhile
        name, _, secret = edge.key.partition(":")
        time.sleep(1.01 - time.time() % 1)
        many = [{"name": "x"}] * 1_000
        batch = httpx.post(f"{edge.url}/channels/b/messages", json=many, auth=(name, secret))
        assert batch.status_code == 201  # one publication counts once


def test_what_a_connection_cannot_get_in_a_second_is_told_as_a_gap(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("gap")
    with (
        running_edge(port, folder, "--limits", "free") as edge,
        peer(edge) as listener,
        peer(edge) as one,
        peer(edge) as other,
    ):
        for channel in ("a", "b"):
            listener.send(Action.ATTACH, channel=channel)
            listener.hear(Action.ATTACHED)
        time.sleep(1.01 - time.time() % 1)
        for serial in range(40):
            one.publish("a", serial, "x")
            other.publish("b", serial, "x")
        heard = 0
        while True:
            frame = listener.hear(Action.MESSAGE, Action.ATTACHED)
            if frame["action"] == Action.ATTACHED:
                break
            heard += 1
        assert frame["error"]["code"] == 80020
        assert not frame["flags"] & Flag.RESUMED
        assert heard < 80
