"""Who is asking and what they may do: from a key, a token or a JWT, on HTTP or a WebSocket."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.edge.app import App, Apps
from deploy.edge.bounds import CLIENT_ID_LENGTH_MAX
from deploy.edge.capability import Capability
from deploy.edge.refusals import (
    INCOMPATIBLE_CREDENTIALS,
    INVALID_CLIENT_ID,
    INVALID_CREDENTIALS,
    NOT_FOUND,
    TOKEN_UNRECOGNISED,
    refused,
    unauthorized,
)
from deploy.edge.tokens import Claims, embedded, read_token
from pipelines.errors import EdgeError

__all__ = ["Authority", "authenticate", "authority_of_key", "authority_of_token", "bearer_of"]

ANY_CLIENT: Final = "*"


@dataclass(frozen=True, slots=True)
class Authority:
    """Proven credentials; `client_id` None is anonymous, `*` anybody, `expires_ms` 0 never."""

    app: App
    key_name: str
    capability: Capability
    client_id: str | None
    by_key: bool
    expires_ms: int = 0
    claims: Claims | None = None

    def require(self, operation: str, channel: str) -> None:
        """Raise EdgeError where the operation is not allowed on the channel."""
        if not self.capability.allows(operation, channel):
            raise unauthorized(operation, channel)

    def stamped(self, claimed: str | None) -> str | None:
        """Return the client id that a message goes out with. Raises EdgeError for another's."""
        if claimed == ANY_CLIENT:
            raise refused(INVALID_CLIENT_ID, "'*' is no client id")
        if claimed is None or claimed == self.client_id:
            return None if self.client_id == ANY_CLIENT else self.client_id
        if len(claimed) > CLIENT_ID_LENGTH_MAX:
            raise refused(INVALID_CLIENT_ID, "the client id is too long")
        if self.client_id == ANY_CLIENT or (self.client_id is None and self.by_key):
            return claimed
        raise refused(INVALID_CLIENT_ID, "the message names another client than its credentials")


def authenticate(
    apps: Apps,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    now_ms: int,
    unknown: int = NOT_FOUND,
) -> Authority:
    """Prove who sent a request or opened a socket. Raises EdgeError, `unknown` for such a key."""
    client_id = _asked_client_id(headers, query)
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _by_key(apps, _decoded(value), client_id, unknown)
    if scheme.lower() == "bearer":
        return _bound(authority_of_token(apps, _bearer(value), now_ms), client_id)
    for name in ("access_token", "accessToken"):
        if query.get(name):
            return _bound(authority_of_token(apps, query[name], now_ms), client_id)
    if query.get("key"):
        return _by_key(apps, query["key"], client_id, unknown)
    raise refused(INVALID_CREDENTIALS, "no key or token was given")


def authority_of_token(apps: Apps, token: str, now_ms: int) -> Authority:
    """Prove a token or JWT. Raises EdgeError."""
    token = embedded(token)
    app = apps.of_token(token)
    claims = read_token(token, app.keys, now_ms)
    app.revocations.check(claims, now_ms)
    allowed = Capability.parse(claims.capability)
    key = app.keys[claims.key_name]
    return Authority(
        app=app,
        key_name=key.name,
        capability=Capability.parse(key.capability).within(allowed),
        client_id=claims.client_id,
        by_key=False,
        expires_ms=claims.expires_ms,
        claims=claims,
    )


def authority_of_key(apps: Apps, text: str) -> Authority:
    """Prove a whole key `app.name:secret`. Raises EdgeError."""
    return _by_key(apps, text, None)


def _by_key(apps: Apps, text: str, client_id: str | None, unknown: int = NOT_FOUND) -> Authority:
    name, _, secret = text.partition(":")
    if "." not in name or not secret:
        raise refused(INVALID_CREDENTIALS, "a key has the form app.name:secret")
    app = apps.of_name(name.partition(".")[0])
    key = app.keys.get(name) if app is not None else None
    if app is None:
        raise refused(unknown, "the key's app is not known here")
    if key is None:  # Ably's code for what is not there, with the status of what is not proven
        raise EdgeError("the key is not known here", unknown, 401)
    if not key.has_secret(secret):
        raise refused(INVALID_CREDENTIALS, "the key's secret is wrong")
    return Authority(app, key.name, Capability.parse(key.capability), client_id, by_key=True)


def _bound(authority: Authority, client_id: str | None) -> Authority:
    """Apply the client id that was asked for beside a token."""
    if client_id is None or client_id == authority.client_id:
        return authority
    if authority.client_id == ANY_CLIENT:
        return Authority(
            authority.app,
            authority.key_name,
            authority.capability,
            client_id,
            False,
            authority.expires_ms,
            authority.claims,
        )
    raise refused(INCOMPATIBLE_CREDENTIALS, "the token is bound to another client id")


def _asked_client_id(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    encoded = headers.get("x-ably-clientid")
    client_id = _decoded(encoded) if encoded else query.get("clientId") or None
    if client_id is not None and len(client_id) > CLIENT_ID_LENGTH_MAX:
        raise refused(INVALID_CLIENT_ID, "the client id is too long")
    return None if client_id == ANY_CLIENT else client_id


def bearer_of(headers: Mapping[str, str]) -> str:
    """Return the token that a request proves itself with, "" for none. Raises EdgeError."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return _bearer(value) if scheme.lower() == "bearer" else ""


def _bearer(value: str) -> str:
    """Undo the base64 that SDKs put around a token; a bare token or JWT is taken as it is."""
    if "." in value:
        return value
    return _decoded(value, TOKEN_UNRECOGNISED)


def _decoded(value: str, code: int = INVALID_CREDENTIALS) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise refused(code, "the credentials are not base64") from error
