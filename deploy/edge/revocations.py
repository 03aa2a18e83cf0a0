"""Tokens that are no longer good: by client id, revocation key or channel, up to a moment."""

from collections.abc import Iterator
from typing import Final

from deploy.edge.bounds import DEVICE_TOKEN_TTL_MS
from deploy.edge.capability import Capability
from deploy.edge.refusals import TOKEN_REVOKED, refused
from deploy.edge.tokens import Claims

__all__ = ["Revocations"]

TARGETS: Final = ("clientId", "revocationKey", "channel")


class Revocations:
    """What was revoked; forgotten when every token that it concerns has expired."""

    def __init__(self) -> None:
        #: Issued before, and from when on that counts, by target.
        self._revoked: dict[tuple[str, str], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._revoked)

    def revoke(self, kind: str, value: str, issued_before_ms: int, applies_at_ms: int) -> None:
        """Refuse from a moment on each token of the target that was issued before another."""
        known, _ = self._revoked.get((kind, value), (0, 0))
        self._revoked[kind, value] = (max(known, issued_before_ms), applies_at_ms)

    def export(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return all: issued before, and from when on that counts, by kind and value."""
        return dict(self._revoked)

    def check(self, claims: Claims, now_ms: int) -> None:
        """Raise EdgeError for a revoked token."""
        if self._revoked and self._is_hit(claims, now_ms):
            raise refused(TOKEN_REVOKED, "the token was revoked")

    def concerns(self, claims: Claims) -> bool:
        """Return whether a token is revoked, or soon will be."""
        return bool(self._revoked) and self._is_hit(claims, 2**62)

    def _is_hit(self, claims: Claims, now_ms: int) -> bool:
        for target in self._targets(claims):
            before_ms, applies_at_ms = self._revoked.get(target, (0, 0))
            if claims.issued_ms < before_ms and applies_at_ms <= now_ms:
                return True
        return False

    def forget(self, now_ms: int) -> None:
        """Drop what can concern no living token."""
        for target, (before_ms, _) in list(self._revoked.items()):
            if before_ms + DEVICE_TOKEN_TTL_MS < now_ms:
                del self._revoked[target]

    @staticmethod
    def _targets(claims: Claims) -> Iterator[tuple[str, str]]:
        if claims.client_id:
            yield "clientId", claims.client_id
        if claims.revocation_key:
            yield "revocationKey", claims.revocation_key
        for resource in Capability.parse(claims.capability).allowed:
            yield "channel", resource
