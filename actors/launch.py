"""Starts, watches and ends the actors from a driver that has joined Ray."""

import time
from typing import Any, Final

import ray

from actors.cast import version_of
from actors.fan_out import refuse_while_away
from actors.options import (
    CALL_TIMEOUT_S,
    NAMESPACE,
    NOTIFIER,
    PUBLISHER,
    SUPERVISOR,
    actor_options,
    fan_out_kind,
    fan_out_name,
    partition_of,
)
from actors.owners import owner_of
from actors.supervisor import Supervisor
from actors.watched import end_strays
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["down", "fan_out", "overview", "state_hashes", "up", "wait_ready"]

STOP_TIMEOUT_S: Final = 10.0
FAN_OUT_TIMEOUT_S: Final = 120.0


def up(settings: Settings) -> None:
    """Start the supervisor, which starts the rest; replace one of other code or settings."""
    version = version_of(settings)
    try:
        running = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
        seen = ray.get(running.overview.remote(), timeout=CALL_TIMEOUT_S)
        if seen["supervisor"]["version"] == version:
            fan_out(settings.publishers, settings.notifiers)
            return
        _refuse_new_lanes(seen, settings.lanes)
        ray.kill(running, no_restart=True)
        time.sleep(0.5)  # the name is freed a moment after the kill
    except (ValueError, ray.exceptions.RayError):
        pass  # none is there
    kinds = (PUBLISHER, settings.publishers), (NOTIFIER, settings.notifiers)
    wanted = {fan_out_name(kind, n, count) for kind, count in kinds for n in range(count)}
    # Their names say how many there shall be: whoever is left is of a number before this one.
    end_strays(lambda name: fan_out_kind(name) != "" and name not in wanted)
    supervisor = ray.remote(**actor_options(SUPERVISOR))(Supervisor)
    supervisor.remote(SUPERVISOR, version, settings)


def _refuse_new_lanes(seen: dict[str, Any], lanes: int) -> None:
    """Refuse another number of publishers while markets are where these keep their order.

    Raises StackError.
    """
    if seen["supervisor"].get("lanes", 1) == lanes:
        return
    shards = [a for a in seen["actors"] if partition_of(a["name"]) is not None]
    silent = [a["name"] for a in shards if a["health"] is None]
    if silent:
        raise StackError(
            f"{', '.join(silent)} do not say whether markets are away from home: change the "
            "number of publishers or notifiers once they answer"
        )
    refuse_while_away(sum(a["health"]["status"].get("markets_away", 0) for a in shards))


def fan_out(publishers: int, notifiers: int) -> int:
    """Let there be so many, 0: as it is; return for how many milliseconds none of them ran.

    Raises StackError where it was refused or the supervisor does not answer.
    """
    try:
        supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
        asked = supervisor.fan_out.remote(publishers, notifiers)
        result: dict[str, Any] = ray.get(asked, timeout=FAN_OUT_TIMEOUT_S)
    except (ValueError, ray.exceptions.RayError) as error:
        raise StackError(f"the supervisor does not answer: {error}") from error
    if result["error"]:
        raise StackError(result["error"])
    return int(result["stall_ms"])


def overview() -> dict[str, Any]:
    """Return what the supervisor sees. Raises StackError where there is none."""
    try:
        supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
        found: dict[str, Any] = ray.get(supervisor.overview.remote(), timeout=CALL_TIMEOUT_S)
    except (ValueError, ray.exceptions.RayError) as error:
        raise StackError(f"the supervisor does not answer: {error}") from error
    return found


def wait_ready(timeout_s: float) -> None:
    """Wait until every actor runs. Raises StackError that names those that do not."""
    deadline = time.monotonic() + timeout_s
    while True:
        waiting = ["supervisor"]
        try:
            actors = overview()["actors"]
            owned = {partition_of(a["name"]) for a in actors if _runs(a["health"])}
            waiting = [
                a["name"]
                for a in actors
                if not (_runs(a["health"]) or (_follows(a) and partition_of(a["name"]) in owned))
            ]
            if actors and not waiting:
                return
        except StackError:
            pass  # still being made; the deadline bounds the wait
        if time.monotonic() > deadline:
            raise StackError(f"not ready after {timeout_s:.0f} s: {', '.join(waiting)}")
        time.sleep(0.2)


def _runs(health: dict[str, Any] | None) -> bool:
    return (
        health is not None
        and health["state"] == "running"
        and health["status"].get("state", "running") == "running"
    )


def _follows(actor: dict[str, Any]) -> bool:
    health = actor["health"]
    return health is not None and health["status"].get("state") == "following"


def state_hashes(partitions: int) -> dict[int, tuple[int, str]]:
    """Return journal number and state hash of each shard that answers."""
    found: dict[int, tuple[int, str]] = {}
    for partition in range(partitions):
        try:
            shard = owner_of(partition)
            number, state = ray.get(shard.state_hash.remote(), timeout=6 * CALL_TIMEOUT_S)
        except ray.exceptions.RayError as error:
            raise StackError(f"shard {partition} does not answer: {error}") from error
        found[partition] = (number, state)
    return found


def down() -> None:
    """End all actors, loops first, so that what is decided is committed; bounded in time."""
    try:
        supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
    except ValueError:
        return
    try:
        ray.get(supervisor.stop_all.remote(STOP_TIMEOUT_S), timeout=3 * STOP_TIMEOUT_S)
    finally:
        ray.kill(supervisor, no_restart=True)
