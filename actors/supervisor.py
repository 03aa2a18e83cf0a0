"""Actor `supervisor`: keeps the cast complete and moving.

Every second it asks each actor for its health. One that is missing is made again; one that makes
no progress is bounced (killed so that Ray restarts it), with growing pauses. One that was fenced
is tried again after a while, as its newer owner may have been of a system that is gone by then. Of
two copies of a shard it promotes one, and the other as soon as that one's process ends. What it
holds it can find out again.
"""

import logging
import os
import threading
import time
from typing import Any, Final

import ray

from actors.cast import cast_of, make
from actors.copies import Seen, choose, next_term
from actors.fan_out import FanOut
from actors.lifeline import Lifelines
from actors.moves import Moves
from actors.options import (
    as_running,
    copy_names,
    fan_out_kind,
    on_node,
    partition_of,
    shard_name,
)
from actors.watched import (
    HEALTH_TIMEOUT_S,
    Watched,
    away_from,
    end_all,
    end_strays,
    exists,
    shard_nodes,
)
from pipelines.settings import Settings

__all__ = ["Supervisor"]

logger = logging.getLogger(__name__)

ROUND_S: Final = 1.0
OWNERLESS_ROUND_S: Final = 0.1
HEARING_S: Final = 2.0  # how long a round waits for answers
APART_INTERVAL_S: Final = 60.0


class Supervisor:
    """Watches the cast in a thread of its own."""

    def __init__(self, name: str, version: str, settings: Settings) -> None:
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        self._name = name
        self._version = version
        self.settings = settings
        self.watched: dict[str, Watched] = {}
        self.owners: dict[int, str] = {}
        self._promoted_s: dict[int, float] = {}
        self._parted_s: dict[int, float] = {}
        self.lock = threading.RLock()
        self._moves = Moves(self)
        self._fan_out = FanOut(self)
        self._lifelines = Lifelines(self._lost)
        self._error = ""
        self._round_s = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._round()
                self._error = ""
            except Exception as error:
                # The next round starts from what Ray says then; only the words are kept.
                self._error = f"{type(error).__name__}: {error}"
                logger.exception("a round failed")
            self._round_s = time.monotonic()
            owned = len(self.owners) == self.settings.partitions
            round_s = ROUND_S if owned else OWNERLESS_ROUND_S
            self._stop.wait(max(0.0, round_s - (self._round_s - began_s)))

    def _round(self) -> None:
        with self.lock:
            self.complete()
            asked: dict[Any, Watched] = {}
            for watched in self.watched.values():
                if watched.handle is None:
                    continue
                if watched.asked is None:
                    watched.asked = watched.handle.health.remote()
                asked[watched.asked] = watched
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=HEARING_S)
        with self.lock:
            now_s = time.monotonic()
            for reference in ready:
                if asked[reference].asked == reference:
                    asked[reference].asked = None
                    self._hear(asked[reference], reference, now_s)
            for watched in self.watched.values():
                self._judge(watched, now_s)
            for partition in range(self.settings.partitions):
                if partition not in self._moves.moving:
                    self._own(partition, now_s)
            self._follow_lives()

    def complete(self) -> None:
        """Make whoever is missing; the lock is held."""
        if not self.watched:
            self.settings = as_running(self.settings, ray.util.list_named_actors())
            self._fan_out.lanes = self.settings.lanes
        nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"]]
        copies = [n for p in range(self.settings.partitions) for n in self._names_of(p)]
        roles = cast_of(self.settings, nodes, copies)
        cast = {r.name: r for r in roles if fan_out_kind(r.name) not in self._fan_out.changing}
        if not self.watched:
            # Publishers of another number have other partitions: none may go on beside these.
            end_strays(lambda name: fan_out_kind(name) != "" and name not in cast)
        for name in self.watched.keys() - cast.keys():
            self.watched[name].end()  # its node is gone, or a copy that is no longer wanted
        self.watched = {
            name: self.watched.get(name) or Watched(role) for name, role in cast.items()
        }
        for watched in self.watched.values():
            placement = self._placement(watched) if watched.handle is None else None
            if placement is not None:
                watched.handle = make(watched.role, self._version, placement)
                watched.heard_s = time.monotonic()

    def _names_of(self, partition: int) -> list[str]:
        """Return which copies of a partition there shall be, the usual owner first."""
        first, second = copy_names(partition)
        if self.settings.standbys or partition in self._moves.moving:
            return [first, second]
        owner = self.owners.get(partition)
        if owner is None and first not in self.watched and exists(second):
            return [first, second] if exists(first) else [second]  # after a move
        known = [n for n in (first, second) if n in self.watched]
        return [owner] if owner is not None else known or [first]

    def _placement(self, watched: Watched) -> dict[str, object] | None:
        """Return where an actor may be made: a copy never beside the other. None: not now."""
        name = watched.role.name
        if name.startswith("metrics"):
            return {}
        avoided = set(self._moves.drained)
        partition = partition_of(name)
        if partition is not None:
            if name in self._moves.targets:
                return on_node(self._moves.targets[name])
            for other in copy_names(partition):
                beside = self.watched.get(other)
                if beside is None or beside is watched:
                    continue
                if beside.node_id:
                    avoided.add(beside.node_id)
                elif name != shard_name(partition):
                    return None  # wait until it is known where the first copy is
        return away_from(avoided)

    def _hear(self, watched: Watched, reference: Any, now_s: float) -> None:
        try:
            health = ray.get(reference, timeout=HEALTH_TIMEOUT_S)
        except ray.exceptions.ActorDiedError:
            # Ended for good, by hand or by a failed constructor: make it anew.
            watched.handle, watched.health = None, None
            return
        except ray.exceptions.RayError:
            return  # restarting: heard of again when it is back
        watched.hear(health, now_s)
        self._fan_out.tell(watched)
        if health["version"] != self._version:
            logger.info("replacing actor=%s version=%s", watched.role.name, health["version"])
            watched.end()

    def _judge(self, watched: Watched, now_s: float) -> None:
        unwell = watched.is_unwell(now_s)
        if unwell and watched.handle is not None and watched.backoff.may_bounce(now_s):
            logger.warning("bouncing actor=%s: %s", watched.role.name, watched.verdict.why)
            watched.backoff.bounced(now_s)
            ray.kill(watched.handle, no_restart=False)
            watched.heard_s, watched.asked, watched.fenced_s = now_s, None, None

    def _own(self, partition: int, now_s: float) -> None:
        """See to it that a partition has one owner, and its copies are on two nodes."""
        copies = [self.watched[n] for n in copy_names(partition) if n in self.watched]
        seen = [Seen(w.role.name, w.health and w.status, now_s - w.heard_s) for w in copies]
        decision = choose(seen, now_s - self._promoted_s.get(partition, float("-inf")))
        for name in decision.demote:
            logger.warning("demoting actor=%s: partition %d has a newer owner", name, partition)
            self.watched[name].handle.demote.remote(0.0)
        if decision.promote:
            self.promote(decision.promote)
        elif decision.owner:
            self.owners[partition] = decision.owner
        elif now_s - self._promoted_s.get(partition, float("-inf")) > HEALTH_TIMEOUT_S:
            self.owners.pop(partition, None)
        where = {w.node_id for w in copies}
        parted_s = self._parted_s.get(partition, float("-inf"))
        if len(copies) == 2 and len(where) == 1 and "" not in where:
            free = set(shard_nodes()) - where - self._moves.drained
            owner = self.owners.get(partition)
            if free and owner and now_s - parted_s > APART_INTERVAL_S:
                self._parted_s[partition] = now_s
                (follower,) = (w for w in copies if w.role.name != owner)
                logger.warning("actor=%s moves off its owner's node", follower.role.name)
                follower.end()

    def promote(self, name: str) -> None:
        """Make a copy the owner of its partition; the old owner is fenced by that."""
        partition = partition_of(name)
        assert partition is not None
        logger.warning("promoting actor=%s", name)
        with self.lock:
            told = [self.watched[n].status for n in copy_names(partition) if n in self.watched]
            self.watched[name].handle.promote.remote(next_term(told, time.time_ns()))
            self._promoted_s[partition] = time.monotonic()
            self.owners[partition] = name

    def _follow_lives(self) -> None:
        """Hold a lifeline to the owner of each partition that has a second copy."""
        owners = {
            name: self.watched[name].lifeline
            for partition, name in self.owners.items()
            if name in self.watched and len(self._names_of(partition)) > 1
        }
        self._lifelines.want({name: address for name, address in owners.items() if address})

    def _lost(self, name: str) -> None:
        """The process of an owner has ended: the other copy takes over at once."""
        partition = partition_of(name)
        assert partition is not None
        with self.lock:
            lost = self.watched.get(name)
            if lost is None or self.owners.get(partition) != name or self._stop.is_set():
                return
            lost.health = None
            (other,) = (n for n in copy_names(partition) if n != name)
            standby = self.watched.get(other)
            if standby is not None and standby.status.get("state") == "following":
                self.promote(other)

    def overview(self) -> dict[str, object]:
        """Return all actors as the supervisor last saw them, as plain values."""
        now_s = time.monotonic()
        return {
            "supervisor": {
                "version": self._version,
                "pid": os.getpid(),
                "error": self._error,
                "round_age_s": round(now_s - self._round_s, 1),
                "drained": sorted(self._moves.drained),
                "publishers": self.settings.publishers,
                "notifiers": self.settings.notifiers,
                "lanes": self.settings.lanes,
            },
            "actors": [watched.shown(now_s) for watched in self.watched.values()],
        }

    def names_on(self, node_id: str) -> list[str]:
        """Return the actors whose metrics the node's target shows."""
        return [name for name, one in self.watched.items() if one.node_id == node_id]

    def move(self, partition: int, node_id: str) -> dict[str, object]:
        """Let a copy on this node own the partition; return what came of it, with the stall."""
        return self._moves.move(partition, node_id)

    def drain(self, node_id: str) -> list[dict[str, object]]:
        """Move everything off a node and put nothing there any more; return what was moved."""
        return self._moves.drain(node_id)

    def spread(self, nodes: int) -> list[dict[str, object]]:
        """Spread the owners evenly over so many nodes; return what was moved."""
        return self._moves.spread(nodes)

    def fan_out(self, publishers: int, notifiers: int) -> dict[str, object]:
        """Let there be so many publishers and notifiers, 0: as it is; return what came of it."""
        return self._fan_out.change(publishers, notifiers)

    def metrics(self) -> bytes:
        """Return nothing of its own; `overround_actor_up` says who lives."""
        return b""

    def stop_all(self, timeout_s: float) -> list[str]:
        """Stop watching, end every loop, then the actors; return who did not end in time."""
        self._stop.set()
        self._lifelines.stop()
        with self.lock:
            return end_all(self.watched.values(), timeout_s)
