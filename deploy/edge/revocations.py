"""Tokens that are no longer good: by client id, revocation key or channel, up to a moment."""

from collections.abc import Iterator
from typing import Final

from deploy.edge.bounds import TOKEN_TTL_MAX_MS
from deploy.edge.refusals import TOKEN_REVOKED, refused
from deploy.edge.tokens import Claims

__all__ = ["Revocations"]

TARGETS: Final = ("clientId", "revocationKey", "channel")


class Revocations:
    """What was revoked; forgotten when every token that it concerns has expired."""

    def __init__(self) -> None:
        self._issued_before_ms: dict[tuple[str, str], int] = {}

    def revoke(self, kind: str, value: str, issued_before_ms: int) -> None:
        """Refuse from now on each token of the target that was issued before the moment."""
        known = self._issued_before_ms.get((kind, value), 0)
        self._issued_before_ms[kind, value] = max(known, issued_before_ms)

    def check(self, claims: Claims) -> None:
        """Raise EdgeError for a revoked token."""
        for target in self._targets(claims):
            if claims.issued_ms < self._issued_before_ms.get(target, 0):
                raise refused(TOKEN_REVOKED, "the token was revoked")

    def forget(self, now_ms: int) -> None:
        """Drop what can concern no living token."""
        for target, before_ms in list(self._issued_before_ms.items()):
            if before_ms + TOKEN_TTL_MAX_MS < now_ms:
                del self._issued_before_ms[target]

    @staticmethod
    def _targets(claims: Claims) -> Iterator[tuple[str, str]]:
        if claims.client_id:
            yield "clientId", claims.client_id
        if claims.revocation_key:
            yield "revocationKey", claims.revocation_key
