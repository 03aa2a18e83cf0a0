"""Ray's own autoscaler adds nodes when partitions find no room, and the engine runs on them."""

from collections.abc import Callable, Iterator

import pytest
import ray

from actors import launch
from actors.options import partition_of
from pipelines.settings import Settings
from tests.cluster.autoscaling import growing_cluster
from tests.cluster.load import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

PARTITIONS = 4
SLOTS = 3
WAIT_S = 120.0


@pytest.fixture
def settings(
    fresh_topics: Callable[[int], str], free_ports: Callable[[int], list[int]]
) -> Iterator[Settings]:
    (edge_port,) = free_ports(1)
    with growing_cluster(SLOTS, free_ports):
        yield Settings(
            kafka_bootstrap_servers=fresh_topics(PARTITIONS),
            partitions=PARTITIONS,
            standbys=1,
            ably_url=f"http://127.0.0.1:{edge_port}",
            ably_api_key="app.key:secret",
            metrics_port=0,  # the nodes share one machine
        )


def test_nodes_come_for_partitions_that_find_no_room(settings: Settings) -> None:
    assert "shard" not in ray.cluster_resources(), "there is a head, and nothing to work on"
    launch.up(settings)
    try:
        launch.wait_ready(WAIT_S)

        def well() -> bool:
            copies = [a for a in launch.overview()["actors"] if partition_of(a["name"]) is not None]
            return len(copies) == 2 * PARTITIONS and {a["verdict"] for a in copies} == {"well"}

        wait_until(well, WAIT_S, launch.overview)
        hosts = {
            a["name"]: a["health"]["node_id"]
            for a in launch.overview()["actors"]
            if partition_of(a["name"]) is not None
        }
        # Eight copies at three a node, and never both of a partition on one.
        assert len(set(hosts.values())) >= 3
        for partition in range(PARTITIONS):
            nodes = [node for name, node in hosts.items() if partition_of(name) == partition]
            assert len(set(nodes)) == 2
    finally:
        launch.down()
