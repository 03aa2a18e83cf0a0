"""Publications of late by their id: the same id again is answered, not published again."""

from collections import OrderedDict

from deploy.edge.bounds import IDEMPOTENCY_WINDOW_MS, IDEMPOTENT_IDS_MAX
from deploy.edge.published import Published

__all__ = ["RecentIds"]


class RecentIds:
    """What became of each publication within two minutes, bounded."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Published]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, message_id: str) -> Published | None:
        """Return what became of a publication of this id."""
        found = self._known.get(message_id)
        return found[1] if found is not None else None

    def remember(self, published: Published, now_ms: int) -> None:
        """Note what became of one."""
        self._known[published.message_id] = (now_ms, published)
        if len(self._known) > IDEMPOTENT_IDS_MAX:
            self._known.popitem(last=False)

    def forget(self, now_ms: int) -> None:
        """Drop what is too old."""
        while self._known:
            at_ms, _ = next(iter(self._known.values()))
            if at_ms > now_ms - IDEMPOTENCY_WINDOW_MS:
                break
            self._known.popitem(last=False)
