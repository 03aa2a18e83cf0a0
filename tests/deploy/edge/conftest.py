"""Real edges for the tests of this folder: one plain, one with a sandbox."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.edge_process import RunningEdge, running_edge

NAMESPACES = [
    {"id": "persisted", "persisted": True},
    {"id": "mutable", "mutableMessages": True},
    {"id": "pushenabled", "pushEnabled": True},
    {"id": "tls", "tlsOnly": True},
    {"id": "named", "authenticated": True},
]


@pytest.fixture(scope="session")
def edge(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEdge]:
    """The edge in its own process, without Kafka."""
    (port,) = free_ports(1)
    with running_edge(port, tmp_path_factory.mktemp("edge")) as running:
        yield running


@pytest.fixture(scope="session")
def sandbox(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEdge]:
    """An edge that lets anybody make apps."""
    (port,) = free_ports(1)
    with running_edge(port, tmp_path_factory.mktemp("sandbox"), "--sandbox") as running:
        yield running


@pytest.fixture
def new_app(sandbox: RunningEdge) -> Iterator[Callable[..., dict[str, Any]]]:
    """Factory: `new_app(keys=[...], channels=[...])` makes an app; it is gone at the end."""
    made: list[dict[str, Any]] = []

    def make(**asked: Any) -> dict[str, Any]:
        body = {"keys": [{}], "namespaces": NAMESPACES, **asked}
        response = httpx.post(f"{sandbox.url}/apps", json=body)
        assert response.status_code == 201, response.text
        app: dict[str, Any] = response.json()
        made.append(app)
        return app

    yield make
    for app in made:
        key = app["keys"][0]
        auth = (key["keyName"], key["keySecret"])
        assert httpx.delete(f"{sandbox.url}/apps/{app['appId']}", auth=auth).status_code == 204


@pytest.fixture
def app(new_app: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """One app of the sandbox with one key that may do everything."""
    return new_app()


@pytest.fixture
def app_edge(sandbox: RunningEdge, app: dict[str, Any]) -> RunningEdge:
    """The sandbox as that app's key sees it."""
    return RunningEdge(sandbox.port, app["keys"][0]["keyStr"])


@pytest.fixture
def rest(app_edge: RunningEdge) -> Iterator[httpx.Client]:
    """A client with that app's key."""
    name, _, secret = app_edge.key.partition(":")
    with httpx.Client(base_url=app_edge.url, auth=(name, secret), timeout=10) as made:
        yield made
