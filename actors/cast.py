"""Which actors there are for given settings, and how each is made."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ray

import actors
import pipelines
from actors.book_shard import BookShard
from actors.metrics import Metrics
from actors.notifier import Notifier
from actors.options import (
    NOTIFIER,
    PUBLISHER,
    SNAPSHOTS,
    actor_options,
    fan_out_name,
    metrics_name,
    partition_of,
    shard_name,
    standby_name,
)
from actors.publisher import Publisher
from actors.snapshots import Snapshots
from pipelines.settings import Settings

__all__ = ["Role", "cast_of", "make", "version_of"]

CODE_VERSION = "0.1.0"


class Role(NamedTuple):
    """One actor to be: its name, class and the arguments after name and version."""

    name: str
    actor: type
    arguments: tuple[object, ...]
    options: Mapping[str, object]


def version_of(settings: Settings) -> str:
    """Return what an actor's code and settings are, so that a redeploy replaces the others.

    How many publishers and notifiers there are is in their names: only they depend on it.
    """
    same = replace(settings, publishers=1, notifiers=1)
    digest = hashlib.blake2b(repr((CODE_VERSION, same)).encode(), digest_size=6)
    for package in (actors, pipelines):
        folder = Path(package.__path__[0])
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{file.relative_to(folder)}\0".encode())
            digest.update(file.read_bytes())
    return f"{CODE_VERSION}+{digest.hexdigest()}"


def cast_of(settings: Settings, node_ids: list[str], copies: Sequence[str]) -> list[Role]:
    """Return all actors but the supervisor: these copies of shards, metrics on every node."""
    roles = []
    for name in copies:
        partition = partition_of(name)
        # The only copy of a partition needs nobody to tell it that it owns; one that a move makes
        # beside the owner does.
        is_only = standby_name(partition or 0) not in copies
        alone = not settings.standbys and name == shard_name(partition or 0) and is_only
        roles.append(Role(name, BookShard, (settings, partition, alone), {}))
    fan_outs = (PUBLISHER, Publisher, settings.publishers), (NOTIFIER, Notifier, settings.notifiers)
    for kind, actor, count in fan_outs:
        for index in range(count):
            partitions = tuple(range(index, settings.partitions, count))
            roles.append(Role(fan_out_name(kind, index, count), actor, (settings, partitions), {}))
    if settings.snapshot_records and not settings.standbys:  # standbys write their own
        roles.append(Role(SNAPSHOTS, Snapshots, (settings,), {}))
    for node_id in node_ids:
        on_node = {"label_selector": {"ray.io/node-id": node_id}}
        roles.append(Role(metrics_name(node_id), Metrics, (settings, node_id), on_node))
    return roles


def make(role: Role, version: str, placement: Mapping[str, object]) -> Any:
    """Create an actor, or get the one that has its name; return its handle."""
    options = actor_options(role.name) | dict(placement) | dict(role.options)
    actor = ray.remote(**options)(role.actor)
    return actor.remote(role.name, version, *role.arguments)
