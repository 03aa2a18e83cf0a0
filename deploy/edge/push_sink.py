"""The local push sink: keeps what Ably would hand to phones, so that it can be looked at."""

from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from deploy.edge.bounds import PUSHES_KEPT_MAX
from deploy.edge.refusals import BAD_REQUEST, refused

__all__ = ["PushSink", "Pushed"]

SECRETS = frozenset({"ablyKey", "encryptionKey"})


class Pushed(Struct, frozen=True):
    """One push as it reached the sink: `recipient` and `payload` as they were sent."""

    number: int
    at_ms: int
    recipient: dict[str, Any]
    payload: dict[str, Any]


class PushSink:
    """The newest pushes, bounded; a phone shows one notification a collapse key."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._kept: deque[Pushed] = deque(maxlen=PUSHES_KEPT_MAX)
        self.count = 0

    def check(
        self, recipients: object, payload: object
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return recipients and payload where they are well made. Raises EdgeError."""
        asked = recipients if isinstance(recipients, list) else [recipients]
        found = [one for one in asked if isinstance(one, dict) and _is_named(one)]
        if not found or len(found) < len(asked):
            raise refused(BAD_REQUEST, "a recipient names a clientId, deviceId or transportType")
        if not isinstance(payload, dict) or not {"notification", "data"} & payload.keys():
            raise refused(BAD_REQUEST, "a push needs a notification or data")
        if not all(isinstance(payload.get(name, {}), dict) for name in ("notification", "data")):
            raise refused(BAD_REQUEST, "a push's notification and data are objects")
        return found, payload

    def keep(self, recipient: dict[str, Any], payload: dict[str, Any]) -> None:
        """Show one push, without the secrets that a recipient may hold."""
        shown = {name: value for name, value in recipient.items() if name not in SECRETS}
        self.count += 1
        self._kept.append(Pushed(self.count, self._now_ms(), shown, payload))

    def newest(self, limit: int, client_id: str = "") -> list[Pushed]:
        """Return the newest pushes, newest first; those to one client where it is named."""
        found = []
        for one in reversed(self._kept):
            if not client_id or one.recipient.get("clientId") == client_id:
                found.append(one)
                if len(found) == limit:
                    break
        return found


def _is_named(recipient: dict[str, Any]) -> bool:
    names = ("clientId", "deviceId", "transportType")
    return any(isinstance(recipient.get(name), str) and recipient[name] for name in names)
