"""A local Ray for the tests of the actors, in a home of its own, gone at the end."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from unittest import mock

import pytest
import ray


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Ray on this machine, two processors and room for shards."""
    home = tempfile.mkdtemp(prefix="ovr-")
    environment = {
        "HOME": home,
        "RAY_TMPDIR": home,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    with mock.patch.dict(os.environ, environment):
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
            shutil.rmtree(home, ignore_errors=True)
