"""The soak tests start the same system as the tests of `tests/system`, and report at the end."""

from collections.abc import Callable, Iterator

import pytest

from deploy.attach import attached_settings
from pipelines.settings import load_settings
from tests.chaos.conftest import EVENTS, PARTITIONS
from tests.chaos.strikes import wait_for_bets
from tests.soak.paced_load import PacedLoad
from tests.system.conftest import Running, Start
from tests.system.conftest import environment as environment
from tests.system.conftest import start as start

THROUGH_EDGE = 20

Say = Callable[[str], None]


@pytest.fixture(scope="module")
def running(environment: dict[str, str], start: Start) -> Running:
    """The system, with few bettors at the edge; the others come through Kafka."""
    environment["OVERROUND_BETS_PER_SECOND"] = str(THROUGH_EDGE)
    made = start()
    made.wait_for("bets/s")
    wait_for_bets(made)
    return made


def load_on(running: Running, rate: float) -> PacedLoad:
    """A load of so many bets/s, straight into Kafka."""
    settings, _ = attached_settings(load_settings(running.environment))
    load = PacedLoad(settings.kafka_bootstrap_servers, PARTITIONS, EVENTS)
    load.start()
    load.pace(rate)
    return load


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a line at once: a person waits."""

    def now(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return now


@pytest.fixture
def report(say: Say) -> Iterator[list[str]]:
    """Lines that are printed at the end, also when the test fails."""
    lines: list[str] = []
    yield lines
    say("\n" + "\n".join(lines))
