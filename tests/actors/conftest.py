"""A local Ray for the tests of the actors, in a home of its own, gone at the end."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import ray

from actors import launch
from pipelines.settings import Settings
from tests.ray_home import ray_home

READY_S = 120.0


@pytest.fixture(scope="package")
def local_ray() -> Iterator[None]:
    """Ray on this machine, two processors and room for shards."""
    with ray_home(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0") as home:
        try:
            ray.init(
                address="local",
                num_cpus=2,
                resources={"shard": 64},
                include_dashboard=False,
                object_store_memory=80 * 2**20,
                log_to_driver=False,
                namespace="overround",
                _temp_dir=home,
                _node_ip_address="127.0.0.1",
            )
            yield
        finally:
            ray.shutdown()


@pytest.fixture
def start_cast(
    local_ray: None, fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]]
) -> Iterator[Callable[..., Settings]]:
    """Factory: `start_cast(partitions, **settings)` starts all actors, gone after the test.

    Unless told, the edge's address leads nowhere, which must harm no bet.
    """

    def start(partitions: int, **changes: Any) -> Settings:
        edge_port, metrics_port = free_ports(2)
        settings = replace(
            Settings(
                kafka_bootstrap_servers=fresh_topics(partitions),
                partitions=partitions,
                ably_url=f"http://127.0.0.1:{edge_port}",
                ably_api_key="app.key:secret",
                metrics_port=metrics_port,
            ),
            **changes,
        )
        launch.up(settings)
        launch.wait_ready(READY_S)
        return settings

    try:
        yield start
    finally:
        launch.down()
