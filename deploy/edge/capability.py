"""What credentials allow: operations by channel, with Ably's wildcards.

A resource is an exact name; `*` for every channel that is not meta; `ns:*` for all below a
namespace (an inner `*` stands for one segment); `[meta]*` for meta channels; `[*]*` for all.
Source: Ably's documentation of capabilities.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from deploy.edge.bounds import CAPABILITY_BYTES_MAX
from deploy.edge.refusals import BAD_REQUEST, CAPABILITY_REFUSED, refused

__all__ = ["Capability"]

CACHE_MAX: Final = 4_096
PARSED_MAX: Final = 1_024
PARSED_LENGTH_MAX: Final = 2_048
ANY: Final = "*"
OPERATIONS: Final = frozenset(
    {
        ANY,
        "publish",
        "subscribe",
        "presence",
        "presence-subscribe",
        "history",
        "stats",
        "push-subscribe",
        "push-admin",
        "channel-metadata",
        "privileged-headers",
        "object-subscribe",
        "object-publish",
        "annotation-subscribe",
        "annotation-publish",
        "message-update-own",
        "message-update-any",
        "message-delete-own",
        "message-delete-any",
    }
)


class Capability:
    """An immutable map of resource patterns to operations; answers are remembered, bounded."""

    def __init__(self, allowed: Mapping[str, Iterable[str]]) -> None:
        self.allowed = {name: frozenset(ops) for name, ops in allowed.items()}
        self._answers: dict[tuple[str, str], bool] = {}

    @classmethod
    def parse(cls, text: str) -> "Capability":
        """Read Ably's JSON text; the same text gives the same object. Raises EdgeError."""
        if len(text) > CAPABILITY_BYTES_MAX:
            raise refused(BAD_REQUEST, "the capability is too long")
        return _parsed(text) if len(text) <= PARSED_LENGTH_MAX else cls._read(text)

    @classmethod
    def _read(cls, text: str) -> "Capability":
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise refused(BAD_REQUEST, f"the capability is not JSON: {error}") from error
        if not isinstance(found, dict) or not all(
            isinstance(ops, list) and ops and all(isinstance(op, str) for op in ops)
            for ops in found.values()
        ):
            raise refused(BAD_REQUEST, "a capability maps resources to lists of operations")
        for ops in found.values():
            if not OPERATIONS.issuperset(ops) or (ANY in ops and len(ops) > 1):
                raise refused(BAD_REQUEST, "a capability names an operation that there is not")
        return cls(found)

    def text(self) -> str:
        """Return canonical JSON: resources and operations sorted."""
        shown = {name: sorted(ops) for name, ops in sorted(self.allowed.items())}
        return json.dumps(shown, separators=(",", ":"))

    def allows(self, operation: str, channel: str) -> bool:
        """Return whether the operation is allowed on the channel."""
        key = (operation, channel)
        known = self._answers.get(key)
        if known is None:
            if len(self._answers) >= CACHE_MAX:
                self._answers.clear()
            known = self._answers[key] = any(
                ("*" in ops or operation in ops) and _covers(pattern, channel)
                for pattern, ops in self.allowed.items()
            )
        return known

    def allows_anywhere(self, operation: str) -> bool:
        """Return whether the operation is allowed on any resource (push admin, statistics)."""
        return any("*" in ops or operation in ops for ops in self.allowed.values())

    def within(self, asked: "Capability") -> "Capability":
        """Return what both allow. Raises EdgeError where that is nothing."""
        both: dict[str, set[str]] = {}
        for mine, my_ops in self.allowed.items():
            for theirs, their_ops in asked.allowed.items():
                narrow = theirs if _covers(mine, theirs) else mine if _covers(theirs, mine) else ""
                ops = _shared(my_ops, their_ops)
                if narrow and ops:
                    both.setdefault(narrow, set()).update(ops)
        if not both:
            raise refused(CAPABILITY_REFUSED, "the key allows nothing of the capability asked for")
        return Capability({name: {"*"} if "*" in ops else ops for name, ops in both.items()})


@lru_cache(maxsize=PARSED_MAX)
def _parsed(text: str) -> Capability:
    """Keep what was read: each request comes with one of few capabilities."""
    return Capability._read(text)  # noqa: SLF001 - a constructor of this module's own class


def _shared(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    if "*" in one:
        return other
    return one if "*" in other else one & other


def _covers(pattern: str, name: str) -> bool:
    if pattern in (name, "[*]*"):
        return True
    if pattern.startswith("[") or name.startswith("["):
        end, name_end = pattern.find("]"), name.find("]")
        if end < 0 or name_end < 0 or pattern[1:end] not in ("*", name[1:name_end]):
            return False
        pattern, name = pattern[end + 1 :], name[name_end + 1 :]
    if pattern == "*":
        return True
    wanted, given = pattern.split(":"), name.split(":")
    if wanted[-1] == "*":
        if len(given) < len(wanted):
            return False
        wanted.pop()
    elif len(given) != len(wanted):
        return False
    return all(w in ("*", g) for w, g in zip(wanted, given, strict=False))
