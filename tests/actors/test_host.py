"""A loop's host, in a real actor: progress is told, failures restart, fencing ends for good."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray
from prometheus_client import CollectorRegistry

from actors.host import Host
from actors.options import CALL_TIMEOUT_S
from pipelines.errors import BrokerError, FencedError
from pipelines.health import judge

pytestmark = pytest.mark.ray

WAIT_S = 30.0


class Moving:
    """Moves all the time and tells it under the name it is given; ends as it is told."""

    def __init__(self, progress_name: str, end: str) -> None:
        self._progress_name = progress_name
        self._end = end
        self._progress_s = time.monotonic()

    def run_until(self, stop: threading.Event) -> None:
        if self._end == "fenced":
            raise FencedError("partition 0 has a newer owner")
        if self._end == "failed":
            raise BrokerError("the broker is gone")
        while not stop.wait(0.02):
            if self._end != "stuck":
                self._progress_s = time.monotonic()

    def status(self) -> dict[str, object]:
        return {self._progress_name: self._progress_s}


class Shell:
    """An actor around `Moving`."""

    def __init__(self, progress_name: str, end: str) -> None:
        self._host = Host("shell", "1", lambda: Moving(progress_name, end), CollectorRegistry())

    def health(self) -> dict[str, object]:
        return self._host.health()

    def stop(self) -> bool:
        return self._host.stop(5.0)


Make = Callable[..., Any]


@pytest.fixture
def make(local_ray: None) -> Iterator[Make]:
    """Factory of actors, killed at the end."""
    made: list[Any] = []

    def shell(progress_name: str = "last_progress_s", end: str = "") -> Any:
        options = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": 4}
        made.append(ray.remote(**options)(Shell).remote(progress_name, end))
        return made[-1]

    try:
        yield shell
    finally:
        for actor in made:
            ray.kill(actor, no_restart=True)


def health_when(actor: Any, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    health: dict[str, Any] = {}
    while True:
        try:
            health = ray.get(actor.health.remote(), timeout=CALL_TIMEOUT_S)
        except (ray.exceptions.ActorUnavailableError, ray.exceptions.GetTimeoutError):
            health = {}  # just being restarted
        if health and condition(health):
            return health
        assert time.monotonic() < deadline, health
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["last_progress_s", "progress_monotonic_s"])
def test_a_loop_that_moves_is_well_whatever_it_calls_its_progress(make: Make, name: str) -> None:
    health = health_when(make(name), lambda h: h["state"] == "running" and h["up_s"] > 1.5)
    assert health["idle_s"] < health["up_s"] - 1.0
    assert judge(health, 0.0).name == "well"


def test_a_loop_that_is_stuck_shows_it_while_its_actor_answers(make: Make) -> None:
    health = health_when(make(end="stuck"), lambda h: h["idle_s"] > 1.0)
    assert health["state"] == "running"


def test_a_fenced_loop_stays_out_and_its_process_stays(make: Make) -> None:
    actor = make(end="fenced")
    first = health_when(actor, lambda h: h["state"] == "fenced")
    time.sleep(1.0)
    second = health_when(actor, lambda h: True)
    assert second["pid"] == first["pid"]
    assert judge(second, 0.0) == ("fenced", "partition 0 has a newer owner")


def test_a_failed_loop_says_why_then_its_process_is_a_new_one(make: Make) -> None:
    actor = make(end="failed")
    first = health_when(actor, lambda h: h["state"] == "failed")
    assert "the broker is gone" in first["error"]
    health_when(actor, lambda h: h["pid"] != first["pid"])


def test_a_loop_ends_when_asked(make: Make) -> None:
    actor = make()
    health_when(actor, lambda h: h["state"] == "running")
    assert ray.get(actor.stop.remote(), timeout=CALL_TIMEOUT_S)
    assert health_when(actor, lambda h: True)["state"] == "stopped"
