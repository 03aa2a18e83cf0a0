"""Stage 1 for a record's key: which book it names. Keys come again and again, so they are kept."""

from pipelines.limits import (
    BETTOR_KEY_PREFIX,
    EVENTS_PER_SHARD_MAX,
    ID_LENGTH_MAX,
    KEY_LENGTH_MAX,
)

__all__ = ["Keys"]


class Keys:
    """Reads keys; remembers as many as a shard may hold events.

    `known` is read where a call costs too much.
    """

    def __init__(self) -> None:
        self.known: dict[bytes | None, str] = {}

    def read(self, key: bytes | None) -> str | None:
        """Return a record's key as an event id, None where it cannot be one."""
        if key is None:
            return None
        known = self.known.get(key)
        if known is not None:
            return known
        if not key or len(key) > KEY_LENGTH_MAX * 4:
            return None
        try:
            text = key.decode()
        except UnicodeDecodeError:
            return None
        own = text.startswith(BETTOR_KEY_PREFIX)
        if len(text) > (KEY_LENGTH_MAX if own else ID_LENGTH_MAX):
            return None
        if len(self.known) >= EVENTS_PER_SHARD_MAX:
            self.known.clear()
        self.known[key] = text
        return text
