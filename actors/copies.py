"""Who owns a partition, decided from what its copies say: pure, the supervisor acts on it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Decision", "Seen", "choose", "next_term"]

#: So long a copy that was just promoted may not yet say that it owns.
PROMOTED_GRACE_S: Final = 5.0
#: An owner that was silent for so long gives way to a standby that is not.
SILENT_S: Final = 3.0


class Seen(NamedTuple):
    """One copy: its name, what its loop last said (None: nothing), how long ago."""

    name: str
    status: Mapping[str, Any] | None
    silent_s: float


class Decision(NamedTuple):
    """Who owns (empty: none is known), whom to promote, whom to demote."""

    owner: str = ""
    promote: str = ""
    demote: Sequence[str] = ()


def choose(copies: Sequence[Seen], since_promotion_s: float) -> Decision:
    """Return what to do about one partition. One owner, the last promoted; if none, the follower
    that has folded most."""
    awake = [c for c in copies if c.status is not None and c.silent_s < SILENT_S]
    owners = [c for c in awake if c.status is not None and c.status.get("role") == "owner"]
    if owners:
        first = max(owners, key=_term)
        return Decision(first.name, "", tuple(c.name for c in owners if c is not first))
    if since_promotion_s < PROMOTED_GRACE_S:
        return Decision()
    followers = [c for c in awake if c.status is not None and c.status.get("state") == "following"]
    if not followers:
        return Decision()
    # The first of equals, so that at a first start `shard-NNN` becomes the owner.
    best = max(followers, key=_folded)
    return Decision(best.name, best.name)


def next_term(told: Iterable[Mapping[str, Any]], now_ns: int) -> int:
    """Return the number of a promotion: higher than what the copies told, though a clock was set
    back, as a lower one is no news to a copy."""
    return max([now_ns, *(int(status.get("term", 0)) + 1 for status in told)])


def _term(copy: Seen) -> int:
    return int(copy.status.get("term", 0)) if copy.status is not None else 0


def _folded(copy: Seen) -> int:
    return int(copy.status.get("shard_seq", 0)) if copy.status is not None else 0
