"""A real Prometheus scrapes the one target of this node with the configuration that is shipped."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.settings import Settings

pytestmark = [pytest.mark.ray, pytest.mark.prometheus, pytest.mark.slow]

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus.yml"
WAIT_S = 60.0


@pytest.fixture
def target(start_cast: Callable[[int], Settings]) -> str:
    """Address of the scrape target of a running cast."""
    return f"127.0.0.1:{start_cast(2).metrics_port}"


@pytest.fixture
def prometheus(
    target: str, free_ports: Callable[[int], list[int]], tmp_path: Path
) -> Iterator[str]:
    """URL of a Prometheus that has the shipped configuration, with this test's target."""
    shipped = SHIPPED.read_text()
    assert "127.0.0.1:9464" in shipped
    config = tmp_path / "prometheus.yml"
    config.write_text(
        shipped.replace("127.0.0.1:9464", target)
        .replace("scrape_interval: 5s", "scrape_interval: 1s")
        .replace("scrape_timeout: 4s  ", "scrape_timeout: 1s  ")
    )
    (port,) = free_ports(1)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def ask(url: str, query: str) -> list[dict[str, Any]]:
    """Samples of a PromQL expression; none while Prometheus starts."""
    encoded = urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{encoded}", timeout=5) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found
    except OSError:
        return []


def wait_for(url: str, query: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + WAIT_S
    while len(found := ask(url, query)) < count:
        assert time.monotonic() < deadline, f"{query}: {found}"
        time.sleep(0.3)
    return found


def test_prometheus_sees_every_actor(prometheus: str) -> None:
    up = wait_for(prometheus, 'up{job="overround"} == 1', 1)
    assert len(up) == 1
    actors = wait_for(prometheus, "overround_actor_up == 1", 4)
    names = {sample["metric"]["actor"] for sample in actors}
    assert {"shard-000", "shard-001", "publisher", "notifier"} <= names
    gauges = wait_for(prometheus, "sum by (partition) (overround_open_bets)", 2)
    assert {sample["metric"]["partition"] for sample in gauges} == {"0", "1"}
