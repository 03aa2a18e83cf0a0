"""A scrape target whose port is taken serves on another one, and says so."""

import socket
import urllib.request
from collections.abc import Callable

import pytest

from actors import launch
from pipelines.settings import Settings

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_a_port_that_another_has_keeps_nobody_from_starting(
    start_cast: Callable[..., Settings],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        start_cast(1, metrics_port=wanted)
        (target,) = (
            a["health"] for a in launch.overview()["actors"] if a["name"].startswith("metrics")
        )
    port = target["status"]["port"]
    assert port not in (0, wanted)
    assert target["error"] == f"port {wanted} is taken on this machine: scrape {port}"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        assert b'overround_actor_up{actor="publisher"}' in response.read()
