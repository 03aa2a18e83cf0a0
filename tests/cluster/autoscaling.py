"""A Ray cluster that grows by itself: Ray's own autoscaler, whose machines are processes here."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import ray

from actors.options import NAMESPACE
from tests.cluster.nodes import HEALTH_CHECKS, OBJECT_STORE_BYTES
from tests.ray_home import ray_home

#: What the provider of pretended machines calls the head.
HEAD_ID = "f" * 51 + "00000"
NODES_MAX = 4
#: Nothing is installed on these machines, and Ray is started on them by their provider.
_COMMANDS = (
    *("initialization", "setup", "head_setup", "worker_setup"),
    *("head_start_ray", "worker_start_ray"),
)
START_S = 60.0
END_S = 10.0


def _configuration(address: str, slots: int) -> dict[str, object]:
    shard = {
        "min_workers": 0,
        "max_workers": NODES_MAX,
        "resources": {"CPU": 1, "shard": slots, "object_store_memory": OBJECT_STORE_BYTES},
        "node_config": {},
    }
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    return {
        "cluster_name": "growing",
        "max_workers": NODES_MAX,
        "idle_timeout_minutes": 60,
        "upscaling_speed": 4,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "use_node_id_as_ip": True,  # they share one address
            "disable_node_updaters": True,  # there is nothing to install by ssh
        },
        "auth": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        **{f"{kind}_commands": [] for kind in _COMMANDS},
        "available_node_types": {"ray.head.default": head, "shard": shard},
        "head_node_type": "ray.head.default",
    }


@contextmanager
def growing_cluster(slots: int, free_ports: Callable[[int], list[int]]) -> Iterator[None]:
    """A head without room for shards, which this process has joined; nodes of `slots` come."""
    (port,) = free_ports(1)
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    } | HEALTH_CHECKS
    with ray_home(**environment) as home:
        try:
            address = f"{ray.util.get_node_ip_address()}:{port}"
            file = Path(home) / "autoscaling.json"
            file.write_text(json.dumps(_configuration(address, slots)))
            subprocess.run(
                [
                    *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head"),
                    *(f"--port={port}", f"--autoscaling-config={file}", f"--temp-dir={home}"),
                    "--num-cpus=0",
                    f"--object-store-memory={OBJECT_STORE_BYTES}",
                    *("--include-dashboard=false", "--disable-usage-stats"),
                ],
                check=True,
                capture_output=True,
                timeout=START_S,
            )
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False)
            yield
        finally:
            ray.shutdown()
            _end(home)


def _end(home: str) -> None:
    """End what belongs to the cluster: all of it names the folder that was made for it."""
    deadline_s = time.monotonic() + END_S
    while True:
        left = [one for one in psutil.process_iter(["cmdline"]) if _names(one, home)]
        family = [child for one in left for child in one.children(recursive=True)]
        for process in {*left, *family}:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue  # it went with its parent
        if not left or time.monotonic() > deadline_s:
            return
        time.sleep(0.2)


def _names(process: psutil.Process, home: str) -> bool:
    return any(home in word for word in process.info["cmdline"] or ())
