"""Rules of the channels whose name starts with `<id>:`, as Ably's namespaces (channel rules)."""

from typing import Any

import msgspec
from msgspec import Struct

from deploy.edge.bounds import HISTORY_DEFAULT_MS, PERSISTED_MS
from deploy.edge.refusals import BAD_REQUEST, refused

__all__ = ["Namespace"]


class Namespace(Struct, frozen=True):
    """Rules of the channels whose name starts with `<id>:`, or is the id."""

    id: str
    retention_ms: int = HISTORY_DEFAULT_MS
    identified: bool = False  # no message of an anonymous client
    persisted: bool = False  # history and restarts beyond two minutes
    mutable: bool = False  # messages may be changed and annotated
    push_enabled: bool = False
    tls_only: bool = False

    @classmethod
    def of(cls, value: object) -> "Namespace":
        """Read a namespace as Ably's control interface writes it. Raises EdgeError."""
        try:
            asked = msgspec.convert(value, _Asked)
        except msgspec.ValidationError as error:
            raise refused(BAD_REQUEST, f"not a namespace: {error}"[:200]) from error
        return cls(
            id=asked.id,
            retention_ms=PERSISTED_MS if asked.persisted else HISTORY_DEFAULT_MS,
            identified=asked.authenticated or asked.identified,
            persisted=asked.persisted,
            mutable=asked.mutable_messages,
            push_enabled=asked.push_enabled,
            tls_only=asked.tls_only,
        )

    def shown(self) -> dict[str, Any]:
        """Return it as Ably's control interface writes it."""
        return {
            "id": self.id,
            "persisted": self.persisted,
            "mutableMessages": self.mutable,
            "pushEnabled": self.push_enabled,
            "tlsOnly": self.tls_only,
            "authenticated": self.identified,
        }


class _Asked(Struct, rename="camel"):
    id: str
    persisted: bool = False
    mutable_messages: bool = False
    push_enabled: bool = False
    tls_only: bool = False
    authenticated: bool = False
    identified: bool = False
