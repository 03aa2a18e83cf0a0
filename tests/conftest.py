"""What all tests share: the real broker, fresh topics, Hypothesis profiles, and honest skips.

The broker is started by the first test that asks for it and is gone when the run ends, however it
ends. OVERROUND_TEST_KAFKA=host:port uses a broker that runs already, to save its start.
"""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, settings

from deploy.local.broker import FAST_START, Broker
from deploy.local.topics import ensure_topics
from pipelines.topics import CO_PARTITIONED

# Time limits of single examples say more about the machine than about the code.
settings.register_profile("local", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "local")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
DELETED_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class RunningKafka:
    """The broker of this test run; `broker` is None where the run was given one."""

    bootstrap_servers: str
    broker: Broker | None


def find_chromium() -> str | None:
    """Path of an installed Chromium."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def find_prometheus() -> str | None:
    """Path of an installed Prometheus, when promtool is there too."""
    return shutil.which("prometheus") if shutil.which("promtool") else None


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(name="free_ports", scope="session")
def _free_ports() -> Callable[[int], list[int]]:
    """Factory: `free_ports(count)`."""
    return free_ports


@pytest.fixture(scope="session")
def kafka() -> Iterator[RunningKafka]:
    """A real Apache Kafka broker for the whole run; its `bootstrap_servers` is the address."""
    if given := os.environ.get("OVERROUND_TEST_KAFKA"):
        yield RunningKafka(given, None)
        return
    data_dir = Path(tempfile.mkdtemp(prefix="overround-kafka-"))
    try:
        port, controller_port = free_ports(2)
        with Broker(data_dir, port, controller_port, 384, FAST_START) as broker:
            yield RunningKafka(broker.bootstrap_servers, broker)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def fresh_topics(kafka: RunningKafka) -> Callable[[int], str]:
    """Factory: `fresh_topics(partitions)` empties the product's topics and returns the address.

    Call it once in a module or test, before any client of that test is made: clients that know
    the deleted topics must be closed.
    """

    def make(partitions: int = 2) -> str:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        _delete_topics(admin)
        ensure_topics(kafka.bootstrap_servers, partitions, 1)
        return kafka.bootstrap_servers

    return make


def _delete_topics(admin: AdminClient) -> None:
    futures = admin.delete_topics(list(CO_PARTITIONED), request_timeout=DELETED_TIMEOUT_S)
    for future in futures.values():
        try:
            future.result(DELETED_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    deadline = time.monotonic() + DELETED_TIMEOUT_S
    while set(CO_PARTITIONED) & set(admin.list_topics(timeout=5).topics):
        assert time.monotonic() < deadline, "the topics were not deleted in time"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; tests that use it are skipped where it is missing."""
    path = find_chromium()
    assert path is not None, "mark the test with `browser`"
    return path


# Marker to what is missing on this machine; empty where nothing is.
_MISSING = {
    "browser": "" if find_chromium() else "Chromium is not installed (apt-get install chromium)",
    "prometheus": ""
    if find_prometheus()
    else "Prometheus is not installed (apt-get install prometheus)",
}
_SKIPPED = pytest.StashKey[dict[str, int]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark users of the broker; skip what this machine cannot run, and count it."""
    skipped: dict[str, int] = {}
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for fixture, marker in (("kafka", "kafka"), ("chromium", "browser")):
            if fixture in fixtures:
                item.add_marker(marker)
        for marker, reason in _MISSING.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
                skipped[reason] = skipped.get(reason, 0) + 1
    config.stash[_SKIPPED] = skipped


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was not tested here and why."""
    skipped = terminalreporter.config.stash.get(_SKIPPED, {})
    if skipped:
        reasons = "; ".join(f"{count} tests: {reason}" for reason, count in skipped.items())
        terminalreporter.write_line(f"NOT TESTED HERE: {reasons}", yellow=True)
