"""Planned changes of owners: a partition to another node, a node emptied, owners spread anew.

Each goes the same way: a copy on the target folds the journal until it has caught up; then the
owner stops between two transactions and the copy is promoted. No bet is lost if any of it fails:
then the supervisor's next round promotes whoever is there.
"""

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import ray

from actors.options import CALL_TIMEOUT_S, copy_names
from actors.watched import Watched, shard_nodes
from pipelines.errors import StackError

if TYPE_CHECKING:
    from actors.supervisor import Supervisor

__all__ = ["Moves"]

logger = logging.getLogger(__name__)

CAUGHT_UP_RECORDS: Final = 2_000
CATCH_UP_TIMEOUT_S: Final = 300.0
TAKE_OVER_TIMEOUT_S: Final = 60.0
LOOK_S: Final = 0.1
LOOK_CLOSELY_S: Final = 0.005


class Moves:
    """The supervisor's hand for planned moves, one at a time for each partition."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self.moving: set[int] = set()
        self.targets: dict[str, str] = {}  # actor name -> node id, while it is being made there
        self.drained: set[str] = set()
        self._supervisor = supervisor

    def move(self, partition: int, node_id: str) -> dict[str, object]:
        """Move one partition; the result has `error`, empty where it went well."""
        supervisor = self._supervisor
        with supervisor.lock:
            owner = supervisor.owners.get(partition)
            problem = self._problem(partition, node_id, owner)
            if problem or owner is None:
                return _result(partition, node_id, error=problem)
            if supervisor.watched[owner].node_id == node_id:
                return _result(partition, node_id)
            (spare,) = (n for n in copy_names(partition) if n != owner)
            self.moving.add(partition)
            self.targets[spare] = node_id
            there = supervisor.watched.get(spare)
            if there is not None and there.node_id != node_id:
                there.end()
        try:
            target = self._caught_up(spare, node_id)
            stall_s = self._switch(owner, spare, target)
        except (StackError, ray.exceptions.RayError) as error:
            return _result(partition, node_id, error=str(error))
        finally:
            with supervisor.lock:
                self.moving.discard(partition)
                self.targets.pop(spare, None)
        return _result(partition, node_id, stall_s)

    def drain(self, node_id: str) -> list[dict[str, object]]:
        """Empty a node."""
        supervisor = self._supervisor
        self.drained.add(node_id)
        others = [n for n in shard_nodes() if n not in self.drained]
        if not others:
            self.drained.discard(node_id)
            return [_result(-1, node_id, error="there is no other node with slots for shards")]
        results = []
        for partition, owner in sorted(self._owners_on().items()):
            if owner == node_id:
                load = list(self._owners_on().values())
                standby = self._standby_node(partition)
                target = standby if standby in others else min(others, key=load.count)
                results.append(self.move(partition, target))
        with supervisor.lock:
            for name, watched in supervisor.watched.items():
                owners = supervisor.owners.values()
                free = name not in owners and not name.startswith("metrics")
                if free and watched.node_id == node_id:
                    watched.end()  # a round makes it anew on another node
        return results

    def spread(self, count: int) -> list[dict[str, object]]:
        """Spread the owners over so many nodes, those first that have most already."""
        where = self._owners_on()
        load = list(where.values())
        nodes = sorted(
            (n for n in shard_nodes() if n not in self.drained), key=lambda n: -load.count(n)
        )
        if not 1 <= count <= len(nodes):
            words = f"{len(nodes)} nodes have slots for shards, {count} were asked for"
            return [_result(-1, "", error=words)]
        chosen = nodes[:count]
        most = -(-len(where) // count)
        kept: dict[str, int] = dict.fromkeys(chosen, 0)
        homeless = []
        for partition, node_id in sorted(where.items()):
            if node_id in kept and kept[node_id] < most:
                kept[node_id] += 1
            else:
                homeless.append(partition)
        results = []
        for partition in homeless:
            target = min(chosen, key=lambda n: kept[n])
            kept[target] += 1
            results.append(self.move(partition, target))
        return results

    def _problem(self, partition: int, node_id: str, owner: str | None) -> str:
        if owner is None:
            return f"partition {partition} has no owner now"
        if partition in self.moving:
            return f"partition {partition} is being moved"
        if node_id not in shard_nodes():
            return f"node {node_id[:8]} is not there, or has no slots for shards"
        return ""

    def _owners_on(self) -> dict[int, str]:
        supervisor = self._supervisor
        with supervisor.lock:
            return {
                p: supervisor.watched[name].node_id
                for p, name in supervisor.owners.items()
                if name in supervisor.watched
            }

    def _standby_node(self, partition: int) -> str:
        supervisor = self._supervisor
        with supervisor.lock:
            for name in copy_names(partition):
                watched = supervisor.watched.get(name)
                if watched is not None and name != supervisor.owners.get(partition):
                    return watched.node_id
        return ""

    def _caught_up(self, spare: str, node_id: str) -> Any:
        """Wait until the copy on the target has folded nearly all; return its handle."""
        deadline_s = time.monotonic() + CATCH_UP_TIMEOUT_S
        while time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
            watched: Watched | None = self._supervisor.watched.get(spare)
            if watched is None or watched.handle is None:
                continue
            handle = watched.handle
            try:
                health = ray.get(handle.health.remote(), timeout=CALL_TIMEOUT_S)
            except ray.exceptions.RayError:
                continue  # being made
            if health["node_id"] != node_id:
                raise StackError(f"{spare} found no place on node {node_id[:8]}")
            behind = health["status"].get("behind")
            if behind is not None and behind < CAUGHT_UP_RECORDS:
                return handle
        raise StackError(f"{spare} had not caught up after {CATCH_UP_TIMEOUT_S:.0f} s")

    def _switch(self, owner: str, spare: str, target: Any) -> float:
        """Demote and promote; return how long nobody owned (seconds)."""
        supervisor = self._supervisor
        old = supervisor.watched.get(owner)
        began_s = time.monotonic()
        try:
            if old is not None and old.handle is not None:
                asked = old.handle.demote.remote(CALL_TIMEOUT_S)
                ray.get(asked, timeout=2 * CALL_TIMEOUT_S)
        except ray.exceptions.RayError as error:
            logger.warning("actor=%s did not step back, it is fenced: %s", owner, error)
        supervisor.promote(spare)
        while time.monotonic() < began_s + TAKE_OVER_TIMEOUT_S:
            status = ray.get(target.health.remote(), timeout=CALL_TIMEOUT_S)["status"]
            if status.get("state") == "running":
                return time.monotonic() - began_s
            time.sleep(LOOK_CLOSELY_S)
        raise StackError(f"{spare} was promoted but did not run in time")


def _result(
    partition: int, node_id: str, stall_s: float = 0.0, error: str = ""
) -> dict[str, object]:
    stall_ms = round(1_000 * stall_s)
    return {"partition": partition, "node_id": node_id, "stall_ms": stall_ms, "error": error}
