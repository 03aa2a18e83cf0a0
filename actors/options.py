"""Names, options, lifetimes and restart policy of all actors, in one place.

All are detached (they outlive whoever started them), named, and restarted for ever: what they are
lies in Kafka, so a restart is the same as a start. They take no CPU slot of Ray's; a shard takes
one unit of the custom resource `shard`, which spreads shards over the nodes that offer it and lets
the autoscaler see what is needed.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from pipelines.settings import Settings

__all__ = [
    "CALL_TIMEOUT_S",
    "NAMESPACE",
    "NODE_ID",
    "NOTIFIER",
    "PUBLISHER",
    "SNAPSHOTS",
    "SUPERVISOR",
    "actor_options",
    "as_running",
    "copy_names",
    "fan_out_count",
    "fan_out_kind",
    "fan_out_name",
    "metrics_name",
    "on_node",
    "partition_of",
    "shard_name",
    "standby_name",
]

NAMESPACE: Final = "overround"
SUPERVISOR: Final = "supervisor"
PUBLISHER: Final = "publisher"
NOTIFIER: Final = "notifier"
SNAPSHOTS: Final = "snapshots"
NODE_ID: Final = "ray.io/node-id"
CALL_TIMEOUT_S: Final = 5.0


def shard_name(partition: int) -> str:
    """Return the name of a partition's shard."""
    return f"shard-{partition:03d}"


def standby_name(partition: int) -> str:
    """Return the name of the other copy of a partition's shard; either may be the owner."""
    return f"standby-{partition:03d}"


def copy_names(partition: int) -> tuple[str, str]:
    """Return both names that a partition's copies may have."""
    return shard_name(partition), standby_name(partition)


def partition_of(name: str) -> int | None:
    """Return the partition that an actor of this name is a copy of, None if it is none."""
    kind, _, number = name.partition("-")
    return int(number) if kind in ("shard", "standby") else None


def fan_out_name(kind: str, index: int, count: int) -> str:
    """Return the name of one of the publishers or notifiers; the only one is called by its kind.

    With another count all are called otherwise, so that none of those before is mistaken for one.
    """
    return kind if count == 1 else f"{kind}-{index + 1}-of-{count}"


def fan_out_kind(name: str) -> str:
    """Return whether this is a publisher or a notifier, empty for others."""
    return next((k for k in (PUBLISHER, NOTIFIER) if name == k or name.startswith(f"{k}-")), "")


def fan_out_count(name: str) -> int:
    """Return how many there are, as the name of one of the publishers or notifiers says."""
    _, said, count = name.rpartition("-of-")
    return int(count) if said else 1


def as_running(settings: Settings, names: Collection[str]) -> Settings:
    """Return the settings with the numbers of publishers and notifiers that actors' names tell."""

    def count(kind: str, default: int) -> int:
        counts = (fan_out_count(name) for name in names if fan_out_kind(name) == kind)
        return max(counts, default=default)

    return replace(
        settings,
        publishers=count(PUBLISHER, settings.publishers),
        notifiers=count(NOTIFIER, settings.notifiers),
    )


def on_node(node_id: str) -> dict[str, object]:
    """Return options that put an actor on a node; it restarts elsewhere once that is gone."""
    return {
        "label_selector": {NODE_ID: node_id},
        "fallback_strategy": [{"label_selector": {}}],
        "scheduling_strategy": "DEFAULT",
    }


def metrics_name(node_id: str) -> str:
    """Return the name of a node's metrics actor."""
    return f"metrics-{node_id[:8]}"


def actor_options(name: str) -> dict[str, Any]:
    """Return the options with which the actor of this name is made."""
    options: dict[str, Any] = {
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "num_cpus": 0,
        "max_restarts": -1,
        # Every method only looks; one that is asked twice gives the same answer.
        "max_task_retries": 0,
        "max_concurrency": 4,
    }
    if partition_of(name) is not None:
        options |= {
            "resources": {"shard": 1},
            "scheduling_strategy": "SPREAD",
            "enable_task_events": False,
            "max_concurrency": 6,
        }
    if name == SNAPSHOTS:
        # Nodes of its own, where the cluster has such; else those with memory for a shard's state.
        options |= {
            "label_selector": {"overround-role": "snapshots"},
            "fallback_strategy": [
                {"label_selector": {"overround-role": "shard"}},
                {"label_selector": {}},
            ],
        }
    if fan_out_kind(name):
        # Nodes with a way out to the edge, where the cluster has such; else any.
        options |= {
            "label_selector": {"overround-role": "edge"},
            "fallback_strategy": [{"label_selector": {}}],
        }
    return options
