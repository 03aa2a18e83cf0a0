"""Which actor owns a partition: one of its two names, whichever says so."""

from typing import Any

import ray

from actors.options import CALL_TIMEOUT_S, NAMESPACE, copy_names
from pipelines.errors import StackError

__all__ = ["owner_of"]


def owner_of(partition: int) -> Any:
    """Return the handle of the copy that owns a partition. Raises StackError where none does."""
    found: list[tuple[int, Any]] = []
    for name in copy_names(partition):
        try:
            handle = ray.get_actor(name, namespace=NAMESPACE)
            term = ray.get(handle.term.remote(), timeout=CALL_TIMEOUT_S)
        except (ValueError, ray.exceptions.RayError):
            continue
        if term is not None:
            found.append((term, handle))
    if not found:
        raise StackError(f"no copy of shard {partition} says that it is the owner")
    return max(found, key=lambda one: one[0])[1]
