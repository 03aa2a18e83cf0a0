"""Kafka is gone behind the edge: the page says that a bet was not taken, and never that it was."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from playwright.sync_api import Browser, expect

from deploy.local.broker import FAST_START, Broker
from deploy.local.topics import ensure_topics
from pipelines.topics import BETS
from tests.browser import page as pages
from tests.browser.backend import Backend, image
from tests.edge_process import running_edge

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def broker(free_ports: Callable[[int], list[int]]) -> Iterator[Broker]:
    """A broker of its own, as it is going to be killed."""
    folder = Path(tempfile.mkdtemp(prefix="overround-kafka-"))
    port, controller_port = free_ports(2)
    made = Broker(folder, port, controller_port, 256, FAST_START)
    try:
        with made:
            ensure_topics(made.bootstrap_servers, 1, 1)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bets_in(servers: str) -> int:
    """How many bets Kafka holds."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "count"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(BETS, 0), timeout=20)[1])
    finally:
        consumer.close()


def refused_code(backend: Backend) -> int:
    """Ably's code with which a bet is refused now; 0 where it is taken."""
    path = "/channels/inbound:bets:probe/messages"
    response = backend.client.post(path, json={"name": "bet", "data": "{}"}, timeout=30)
    return 0 if response.status_code == 201 else int(response.json()["error"]["code"])


def wait_for_code(backend: Backend, code: int) -> None:
    """Wait until bets are answered so; one on its way when Kafka goes is kept for ten seconds."""
    deadline_s = time.monotonic() + 40.0
    while (found := refused_code(backend)) != code:
        assert time.monotonic() < deadline_s, f"bets get {found}, not {code}"
        time.sleep(0.1)


def test_a_bet_is_told_to_be_not_taken_while_kafka_is_gone(
    broker: Broker,
    browser: Browser,
    free_ports: Callable[[int], list[int]],
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    options = ("--kafka", broker.bootstrap_servers)
    with (
        running_edge(port, tmp_path, *options) as edge,
        Backend(edge.url, edge.key) as backend,
    ):
        assert refused_code(backend) == 0
        backend.open_event(image("dark", 1, (35_500, 21_000)))
        page = pages.open_page(browser, edge.url, "patient", "dark")
        try:
            card = pages.place_bet(page, "win", 1, "10")
            pages.expect_bet(card, "Sent", "Waiting")
            taken = bets_in(broker.bootstrap_servers)
            assert taken == 2
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGKILL)
            wait_for_code(backend, 42910)

            pages.show_tab(page, "events")
            card = pages.place_bet(page, "win", 2, "5")
            pages.expect_bet(card, "Not taken", "The system is busy: your bet was not taken.")
            expect(page.locator("#announcer")).to_contain_text("your bet was not taken")

            broker.stop()
            broker.start()
            wait_for_code(backend, 0)
            # What was refused was refused for good: only the probe above was taken since.
            assert bets_in(broker.bootstrap_servers) == taken + 1
            card.get_by_role("button").first.click()
            pages.expect_bet(card, "Sent", "Waiting")
            assert bets_in(broker.bootstrap_servers) == taken + 2
        finally:
            page.context.close()
