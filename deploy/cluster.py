"""`overround up, down, scale, move, drain`: the engine on a Ray cluster that is already there.

Each asks the supervisor, which does the work and goes on if this command is cut short.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import ray
from rich.console import Console
from rich.table import Table

from actors import launch
from actors.options import CALL_TIMEOUT_S, NAMESPACE, SUPERVISOR
from deploy.attach import attached, join_ray
from deploy.local.topics import ensure_topics
from deploy.status import render_status
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["down_command", "drain_command", "move_command", "scale_command", "up_command"]

READY_TIMEOUT_S: Final = 180.0
MOVE_TIMEOUT_S: Final = 400.0


def up_command(settings: Settings, address: str) -> int:
    """Start the engine's actors on a Ray cluster; again with new settings: replace them."""
    wanted = replace(settings, ray_address=address or settings.ray_address)
    missing = {
        "a Ray address (--address or RAY_ADDRESS)": wanted.ray_address,
        "KAFKA_BOOTSTRAP_SERVERS": wanted.kafka_bootstrap_servers,
        "ABLY_API_KEY": wanted.ably_api_key,
    }
    absent = [name for name, value in missing.items() if not value]
    if absent:
        raise StackError("to start on a cluster, these are needed: " + ", ".join(absent))
    if not wanted.ably_url:
        wanted = replace(wanted, ably_url="https://main.realtime.ably.net")
    began_s = time.monotonic()
    ensure_topics(wanted.kafka_bootstrap_servers, wanted.partitions, wanted.replication_factor)
    # Where it was started from is nothing that an actor depends on.
    with join_ray(wanted.ray_address):
        launch.up(replace(wanted, ray_address="", data_dir=""))
        launch.wait_ready(READY_TIMEOUT_S)
        Console().print(render_status(launch.overview()))
    print(f"ready after {time.monotonic() - began_s:.1f} s")
    return 0


def down_command(settings: Settings, address: str) -> int:
    """End all actors, between two transactions; the cluster and the topics stay."""
    with _joined(settings, address):
        launch.down()
    print("the actors have ended")
    return 0


def scale_command(
    settings: Settings, address: str, nodes: int, publishers: int, notifiers: int
) -> int:
    """Spread the partitions' owners over so many nodes; let there be so many publishers and
    notifiers. 0: as it is. Raises StackError where the latter is refused."""
    with _joined(settings, address):
        if publishers or notifiers:
            stall_ms = launch.fan_out(publishers, notifiers)
            now = launch.overview()["supervisor"]
            came = f"those replaced stood still for {stall_ms} ms" if stall_ms else "as before"
            print(
                f"publishers {now['publishers']}, notifiers {now['notifiers']}: {came}\n"
                f"`overround up` keeps this with OVERROUND_PUBLISHERS={now['publishers']} "
                f"OVERROUND_NOTIFIERS={now['notifiers']}"
            )
        if not nodes:
            return 0
        return _print(_call(MOVE_TIMEOUT_S * settings.partitions, "spread", nodes))


def move_command(settings: Settings, address: str, partition: int, node: str) -> int:
    """Let a copy on another node own a partition."""
    with _joined(settings, address):
        return _print([_call(MOVE_TIMEOUT_S, "move", partition, node_called(node))])


def drain_command(settings: Settings, address: str, node: str) -> int:
    """Move everything off a node, so that it can be stopped."""
    with _joined(settings, address):
        node_id = node_called(node)
        return _print(_call(MOVE_TIMEOUT_S * settings.partitions, "drain", node_id))


def node_called(name: str) -> str:
    """Return the id of the living node whose id begins so, or that has this address or name.

    Raises StackError where there is none, or more than one.
    """
    alive = [n for n in ray.nodes() if n["Alive"]]
    found = [
        str(n["NodeID"])
        for n in alive
        if n["NodeID"].startswith(name) or name in (n["NodeManagerAddress"], n.get("NodeName"))
    ]
    if len(found) != 1:
        known = ", ".join(f"{n['NodeID'][:8]} ({n['NodeManagerAddress']})" for n in alive)
        words = "no node" if not found else f"{len(found)} nodes"
        raise StackError(f"{words} called {name}; there are: {known}")
    return found[0]


@contextmanager
def _joined(settings: Settings, address: str) -> Iterator[None]:
    if address:
        with join_ray(address):
            yield
    else:
        with attached(settings):
            yield


def _call(timeout_s: float, method: str, *arguments: object) -> Any:
    try:
        supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
        asked = getattr(supervisor, method).remote(*arguments)
        return ray.get(asked, timeout=timeout_s + CALL_TIMEOUT_S)
    except (ValueError, ray.exceptions.RayError) as error:
        raise StackError(f"the supervisor does not answer: {error}") from error


def _print(results: Sequence[Mapping[str, Any]]) -> int:
    """Print what was moved; 1 where something was not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("partition", "node", "stall", "note"):
        table.add_column(column)
    for result in results:
        partition = str(result["partition"]) if result["partition"] >= 0 else ""
        stall = "" if result["error"] else f"{result['stall_ms']} ms"
        table.add_row(partition, result["node_id"][:8], stall, result["error"])
    if results:
        Console().print(table)
    else:
        print("nothing had to be moved")
    return 1 if any(result["error"] for result in results) else 0
