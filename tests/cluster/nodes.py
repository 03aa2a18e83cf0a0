"""A Ray cluster of several nodes on this machine, in a home of its own, gone at the end."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster

from actors.options import NAMESPACE
from tests.ray_home import ray_home

OBJECT_STORE_BYTES = 80 * 2**20
#: A dead node is found in about 2.5 s; as in cluster.yaml.
HEALTH_CHECKS = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class Nodes:
    """The cluster, with a head that hosts no shard, and nodes that do."""

    def __init__(self, count: int) -> None:
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
            },
        )
        self.address = str(self._cluster.address)
        self._nodes = [self._cluster.add_node(**self._arguments()) for _ in range(count)]

    @staticmethod
    def _arguments() -> dict[str, Any]:
        return {
            "num_cpus": 1,
            "resources": {"shard": 16},
            "object_store_memory": OBJECT_STORE_BYTES,
        }

    def ids(self) -> list[str]:
        """Ids of the nodes that host shards."""
        return [str(node.node_id) for node in self._nodes]

    def add(self) -> str:
        """Add a node; return its id."""
        self._nodes.append(self._cluster.add_node(**self._arguments()))
        return self.ids()[-1]

    def kill(self, node_id: str) -> None:
        """Kill -9 everything that runs on a node, its raylet first, as when its power goes."""
        (node,) = (n for n in self._nodes if n.node_id == node_id)
        (raylet,) = (p.process.pid for p in node.all_processes["raylet"])
        family = psutil.Process(raylet).children(recursive=True)
        for process in [psutil.Process(raylet), *family]:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it went with its parent
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@contextmanager
def nodes_of(count: int) -> Iterator[Nodes]:
    """A cluster that this process has joined."""
    with ray_home(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", **HEALTH_CHECKS):
        nodes = None
        try:
            nodes = Nodes(count)
            ray.init(address=nodes.address, namespace=NAMESPACE, log_to_driver=False)
            yield nodes
        finally:
            ray.shutdown()
            if nodes is not None:
                nodes.shutdown()
