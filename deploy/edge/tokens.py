"""Tokens that the edge issues, and JSON Web Tokens that a backend signs itself.

A token is `<app>.<base64url of claims and MAC>`, signed with the secret of the key it came from:
it needs no store and outlives a restart. Sources: Ably's documentation of token authentication
and of JWTs (HS256, `kid` names the key).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from deploy.edge.keys import Key
from deploy.edge.refusals import (
    INVALID_JWT,
    TOKEN_EXPIRED,
    TOKEN_UNRECOGNISED,
    refused,
)

__all__ = [
    "Claims",
    "embedded",
    "issue_token",
    "key_name_of_jwt",
    "read_token",
    "request_mac",
]

MAC_BYTES: Final = 16
#: Parts of a token by dots: the edge's own, a signed JWT, an encrypted one (RFC 7516).
OWN_DOTS, JWT_DOTS, ENCRYPTED_DOTS = 1, 2, 4
EMBEDDED: Final = "x-ably-token"


class Claims(Struct, array_like=True, frozen=True):
    """What a token says; times in milliseconds. `client_id` None is anonymous, `*` is any."""

    key_name: str
    issued_ms: int
    expires_ms: int
    capability: str
    client_id: str | None
    nonce: str
    revocation_key: str | None = None


def issue_token(claims: Claims, key: Key, app_id: str) -> str:
    """Return the token text of these claims."""
    body = msgspec.msgpack.encode(claims)
    return f"{app_id}.{_b64(body + _mac(key.secret, body)[:MAC_BYTES])}"


def read_token(token: str, keys: Mapping[str, Key], now_ms: int) -> Claims:
    """Return the claims of a token or JWT that one of the keys signed. Raises EdgeError."""
    is_jwt = token.count(".") == JWT_DOTS
    claims = _read_jwt(token, keys) if is_jwt else _read_own(token, keys)
    if claims.expires_ms <= now_ms:
        raise refused(TOKEN_EXPIRED, "the token has expired")
    return claims


def embedded(token: str) -> str:
    """Return the token that a JWT of somebody else carries, or what was given (RSA4f).

    It stands in the header, or in the claims where these are not encrypted. It proves itself:
    who signed the JWT around it does not matter, and is not looked at.
    """
    dots = token.count(".")
    if dots not in (JWT_DOTS, ENCRYPTED_DOTS):
        return token
    parts = token.split(".")
    for part in parts[:2] if dots == JWT_DOTS else parts[:1]:
        try:
            found = json.loads(_unb64(part))
        except (ValueError, RecursionError):
            continue
        inner = found.get(EMBEDDED) if isinstance(found, dict) else None
        if isinstance(inner, str) and inner.count(".") == OWN_DOTS:
            return inner
    return token


def _read_own(token: str, keys: Mapping[str, Key]) -> Claims:
    app_id, _, rest = token.partition(".")
    try:
        raw = _unb64(rest)
        body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        claims = msgspec.msgpack.decode(body, type=Claims)
    except (ValueError, msgspec.DecodeError) as error:
        raise refused(TOKEN_UNRECOGNISED, "the token is not one of this edge") from error
    key = keys.get(claims.key_name)
    if (
        key is None
        or not claims.key_name.startswith(f"{app_id}.")
        or not hmac.compare_digest(_mac(key.secret, body)[:MAC_BYTES], mac)
    ):
        raise refused(TOKEN_UNRECOGNISED, "the token is not one of this edge")
    return claims


def _read_jwt(token: str, keys: Mapping[str, Key]) -> Claims:
    signed, _, signature = token.rpartition(".")
    head_text, _, body_text = signed.partition(".")
    try:
        head, body = json.loads(_unb64(head_text)), json.loads(_unb64(body_text))
        given = _unb64(signature)
    except (ValueError, RecursionError) as error:
        raise refused(INVALID_JWT, "the JWT cannot be read") from error
    if not isinstance(head, dict) or not isinstance(body, dict) or head.get("alg") != "HS256":
        raise refused(INVALID_JWT, "the JWT must be of type HS256")
    key = keys.get(str(head.get("kid")))
    if key is None or not hmac.compare_digest(_mac(key.secret, signed.encode()), given):
        raise refused(INVALID_JWT, "the JWT's signature does not match its key")
    return _claims_of_jwt(key, body)


def key_name_of_jwt(token: str) -> str:
    """Return the key that a JWT says it is signed with; nothing is proven. Raises EdgeError."""
    try:
        head = json.loads(_unb64(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise refused(INVALID_JWT, "the JWT cannot be read") from error
    return str(head.get("kid")) if isinstance(head, dict) else ""


def _claims_of_jwt(key: Key, body: dict[str, Any]) -> Claims:
    issued, expires = body.get("iat"), body.get("exp")
    client_id, capability = body.get("x-ably-clientId"), body.get("x-ably-capability")
    revocation_key = body.get("x-ably-revocation-key")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        raise refused(INVALID_JWT, "the JWT needs the claims iat and exp")
    if not all(isinstance(one, str | None) for one in (client_id, capability, revocation_key)):
        raise refused(INVALID_JWT, "the JWT's own claims must be text")
    return Claims(
        key_name=key.name,
        issued_ms=int(issued * 1000),
        expires_ms=int(expires * 1000),
        capability=capability or key.capability,
        client_id=client_id,
        nonce="",
        revocation_key=revocation_key,
    )


def request_mac(secret: str, asked: Mapping[str, Any]) -> str:
    """Return the MAC of a token request: HMAC-SHA256 over its fields, a line each (RSA9g)."""
    fields = ("keyName", "ttl", "capability", "clientId", "timestamp", "nonce")
    signed = "".join(
        f"{'' if asked.get(name) is None else asked[name]}\n" for name in fields
    ).encode()
    return base64.b64encode(_mac(secret, signed)).decode()


def _mac(secret: str, body: bytes | str) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return hmac.new(secret.encode(), raw, hashlib.sha256).digest()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    """Undo base64url without padding. Raises ValueError."""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
