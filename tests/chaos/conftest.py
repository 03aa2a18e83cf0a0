"""The chaos tests start the same system as the tests of `tests/system`, under more load."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.attach import attached_settings
from pipelines.settings import load_settings
from tests.cluster.load import Load
from tests.system.conftest import Running
from tests.system.conftest import environment as environment
from tests.system.conftest import start as start

IS_ALL = os.environ.get("CHAOS") == "all"
#: Bets a second in sum; a part of them goes through the edge, the rest straight into Kafka.
RATE = int(os.environ.get("CHAOS_RATE", "500" if IS_ALL else "100"))
THROUGH_EDGE = min(RATE, 50) if IS_ALL else RATE
IS_LOADED = RATE > THROUGH_EDGE
PARTITIONS = 3
EVENTS = 12


@pytest.fixture(scope="module")
def loaded_environment(environment: dict[str, str]) -> dict[str, str]:
    """Settings of the system, with the simulator's share of the load."""
    environment["OVERROUND_BETS_PER_SECOND"] = str(THROUGH_EDGE)
    return environment


@contextmanager
def load_on(running: Running) -> Iterator[Load | None]:
    """The other share, as bettors of a feed that writes to Kafka; None where there is no other."""
    if not IS_LOADED:
        yield None
        return
    settings, _ = attached_settings(load_settings(running.environment))
    servers = settings.kafka_bootstrap_servers
    load = Load(servers, PARTITIONS, EVENTS, RATE - THROUGH_EDGE)
    load.start()
    try:
        yield load
    finally:
        load.stop()
