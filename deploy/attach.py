"""Commands that look at a system which already runs: where it is, and its actors."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from deploy.local.lockfile import StackFile, StackInfo
from deploy.local.ray_token import find_token, use_token_file
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["attached", "attached_settings", "join_ray", "status_command"]

logger = logging.getLogger(__name__)


def attached_settings(settings: Settings) -> tuple[Settings, StackInfo | None]:
    """Return the settings with the addresses of the local system, where one runs."""
    info = StackFile.read(Path(settings.data_dir).resolve())
    if info is None:
        return settings, None
    key = settings.ably_api_key or _backend_key(Path(info.edge_api_key_file))
    return replace(
        settings,
        kafka_bootstrap_servers=info.kafka_bootstrap_servers,
        ably_url=info.edge_url,
        ably_api_key=key,
        ray_address=info.ray_address,
        metrics_port=info.metrics_port,
        partitions=info.partitions,
    ), info


def _backend_key(file: Path) -> str:
    from deploy.edge.keys import EdgeKeys

    return EdgeKeys.load(file).backend_key


@contextmanager
def join_ray(address: str, token_file: str = "") -> Iterator[None]:
    """Join a running Ray for as long as the block takes. Raises StackError.

    `token_file`: of a local system; without it the token is looked for where Ray does.
    """
    import ray

    from actors.options import NAMESPACE

    if token_file:
        use_token_file(Path(token_file))
    elif not find_token():
        logger.warning("no token for Ray was found: a cluster that asks for one refuses")
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        ray.init(
            address=address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError) as error:
        raise StackError(f"Ray at {address} does not answer: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def attached(settings: Settings) -> Iterator[Settings]:
    """Join the running system; yields settings with its addresses. Raises StackError."""
    found, info = attached_settings(settings)
    if not found.ray_address:
        raise StackError(
            f"no system runs on {Path(settings.data_dir).resolve()}: start one with "
            "`overround run`, or set RAY_ADDRESS"
        )
    with join_ray(found.ray_address, info.ray_token_file if info else ""):
        yield found


def status_command(settings: Settings, as_json: bool) -> int:
    """Print the actors; return 0 only if all are well."""
    from actors import launch
    from deploy.status import render_status

    with attached(settings):
        overview = launch.overview()
    if as_json:
        print(json.dumps(overview, indent=2))
    else:
        Console().print(render_status(overview))
        supervisor = overview["supervisor"]
        print(f"publishers {supervisor['publishers']}, notifiers {supervisor['notifiers']}")
    return 0 if all(a["verdict"] == "well" for a in overview["actors"]) else 1
