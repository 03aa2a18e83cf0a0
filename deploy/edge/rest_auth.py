"""REST of credentials: the server's time, tokens for signed requests, revocation."""

import asyncio
import hmac
from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.app import App
from deploy.edge.auth import authenticate
from deploy.edge.bounds import (
    CLIENT_ID_LENGTH_MAX,
    NONCES_MAX,
    TIMESTAMP_SKEW_MAX_MS,
    TOKEN_TTL_DEFAULT_MS,
    TOKEN_TTL_MAX_MS,
)
from deploy.edge.capability import Capability
from deploy.edge.http import answer, authority_of, body_of, edge_of, guarded
from deploy.edge.keys import Key
from deploy.edge.refusals import (
    BAD_REQUEST,
    INVALID_CLIENT_ID,
    INVALID_CREDENTIALS,
    INVALID_PARAMETER,
    KEY_REQUIRED,
    NONCE_REPLAYED,
    NOT_FOUND,
    REVOCATION_NOT_ENABLED,
    TIMESTAMP_NOT_CURRENT,
    refused,
)
from deploy.edge.tokens import Claims, issue_token, request_mac
from deploy.edge.wire import ErrorInfo

__all__ = ["ROUTES", "Nonces", "token_details"]

NONCE_BYTES = 9
TIME_ANSWER_S: float = 0.0025  # until the millisecond that is told of is over
REVOCATIONS_PER_REQUEST_MAX = 100
REAUTH_MARGIN_MS = 30_001  # a client has half a minute to get another token
REVOCATION_TARGETS = ("clientId", "revocationKey", "channel")


class TokenRequest(Struct, rename="camel"):
    """What a client asks for; `mac` proves it where no other credentials do."""

    key_name: str | None = None
    ttl: int | None = None
    capability: str | None = None
    client_id: str | None = None
    timestamp: int | None = None
    nonce: str | None = None
    mac: str | None = None


class Revocation(Struct, rename="camel"):
    """Which tokens are no longer good: `kind:value` each, issued before a moment."""

    targets: list[str]
    issued_before: int | None = None
    allow_reauth_margin: bool = False


class Nonces:
    """Nonces of late, each good for one request; bounded, and as old as a timestamp may be."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, int], int] = OrderedDict()

    def use(self, key_name: str, nonce: str, timestamp_ms: int, now_ms: int) -> None:
        """Note a nonce, which counts together with its timestamp. Raises EdgeError for a replay."""
        while self._seen and (
            len(self._seen) >= NONCES_MAX
            or next(iter(self._seen.values())) < now_ms - 2 * TIMESTAMP_SKEW_MAX_MS
        ):
            self._seen.popitem(last=False)
        if (key_name, nonce, timestamp_ms) in self._seen:
            raise refused(NONCE_REPLAYED, "the nonce was used before")
        self._seen[key_name, nonce, timestamp_ms] = now_ms


async def _time(request: Request) -> Response:
    """Tell a moment that is after all published before, and before all published after.

    Clients ask for history between two such moments, and both ends count: hence a millisecond of
    its own.
    """
    moment = edge_of(request).clock.time_ms() + 1
    await asyncio.sleep(TIME_ANSWER_S)
    return answer(request, [moment])


async def _request_token(request: Request) -> Response:
    edge = edge_of(request)
    body = _of_query(request) if request.method == "GET" else await body_of(request)
    try:
        asked = msgspec.convert(body, TokenRequest, strict=False)
    except msgspec.ValidationError as error:
        raise refused(BAD_REQUEST, f"not a token request: {error}") from error
    key_name = request.path_params["key_name"]
    if asked.key_name not in (None, key_name):
        raise refused(INVALID_CREDENTIALS, "the request names another key")
    app = edge.apps.of_name(key_name.partition(".")[0])
    key = app.keys.get(key_name) if app is not None else None
    if app is None or key is None:
        raise refused(NOT_FOUND, "the key is not known here")
    request.state.app = app
    now_ms = edge.clock.time_ms()
    if asked.mac is None:
        _check_basic(request, key, now_ms)
    else:
        _check_signed(edge.nonces, key, asked, body, now_ms)
    details = token_details(app, key, asked, now_ms, edge.random_text(NONCE_BYTES))
    return answer(request, details, 201)


def _of_query(request: Request) -> dict[str, Any]:
    """Return a token request that came as parameters."""
    found: dict[str, Any] = dict(request.query_params)
    for name in ("ttl", "timestamp"):
        if found.get(name, "").isdigit():
            found[name] = int(found[name])
    return found


def _check_basic(request: Request, key: Key, now_ms: int) -> None:
    edge = edge_of(request)
    authority = authenticate(edge.apps, request.headers, request.query_params, now_ms)
    if not authority.by_key or authority.key_name != key.name:
        raise refused(INVALID_CREDENTIALS, "an unsigned request needs the key itself")


def _check_signed(nonces: Nonces, key: Key, asked: TokenRequest, body: Any, now_ms: int) -> None:
    signed = request_mac(key.secret, {**body, "keyName": key.name})
    if not hmac.compare_digest(signed.encode(), (asked.mac or "").encode()):
        raise refused(INVALID_CREDENTIALS, "the request's MAC does not match its key")
    if asked.timestamp is None or abs(asked.timestamp - now_ms) > TIMESTAMP_SKEW_MAX_MS:
        raise refused(TIMESTAMP_NOT_CURRENT, "the request's timestamp is not current")
    if not asked.nonce:
        raise refused(BAD_REQUEST, "the request has no nonce")
    nonces.use(key.name, asked.nonce, asked.timestamp, now_ms)


def token_details(
    app: App, key: Key, asked: TokenRequest, now_ms: int, nonce: str
) -> dict[str, Any]:
    """Return Ably's TokenDetails of a fresh token. Raises EdgeError."""
    ttl_ms = TOKEN_TTL_DEFAULT_MS if asked.ttl is None else asked.ttl
    if not 0 < ttl_ms <= TOKEN_TTL_MAX_MS:
        raise refused(INVALID_PARAMETER, f"ttl must be from 1 to {TOKEN_TTL_MAX_MS} ms")
    if asked.client_id is not None and not 0 < len(asked.client_id) <= CLIENT_ID_LENGTH_MAX:
        raise refused(INVALID_CLIENT_ID, "the client id is empty or too long")
    capability = Capability.parse(key.capability)
    if asked.capability:
        capability = capability.within(Capability.parse(asked.capability))
    claims = Claims(
        key_name=key.name,
        issued_ms=now_ms,
        expires_ms=now_ms + ttl_ms,
        capability=capability.text(),
        client_id=asked.client_id,
        nonce=nonce,
    )
    details = {
        "token": issue_token(claims, key, app.id),
        "keyName": key.name,
        "issued": claims.issued_ms,
        "expires": claims.expires_ms,
        "capability": claims.capability,
    }
    return details if asked.client_id is None else {**details, "clientId": asked.client_id}


async def _revoke(request: Request) -> Response:
    edge = edge_of(request)
    authority = authority_of(request)
    key = authority.app.keys[authority.key_name]
    if not authority.by_key:
        raise refused(KEY_REQUIRED, "tokens are revoked with a key")
    if request.path_params["key_name"] != key.name:
        raise refused(INVALID_CREDENTIALS, "tokens are revoked with the key they came from")
    if not key.revocable:
        raise refused(REVOCATION_NOT_ENABLED, "the key's tokens cannot be revoked")
    try:
        asked = msgspec.convert(await body_of(request), Revocation)
    except msgspec.ValidationError as error:
        raise refused(BAD_REQUEST, f"not a revocation: {error}") from error
    if not 0 < len(asked.targets) <= REVOCATIONS_PER_REQUEST_MAX:
        raise refused(BAD_REQUEST, f"name 1 to {REVOCATIONS_PER_REQUEST_MAX} targets")
    now_ms = edge.clock.time_ms()
    before_ms = now_ms if asked.issued_before is None else asked.issued_before
    if before_ms > now_ms or before_ms < now_ms - TOKEN_TTL_MAX_MS:
        raise refused(INVALID_PARAMETER, "issuedBefore lies within the last day")
    applies_ms = now_ms + (REAUTH_MARGIN_MS if asked.allow_reauth_margin else 0)
    results: list[dict[str, Any]] = []
    for target in asked.targets:
        kind, _, value = target.partition(":")
        if kind not in REVOCATION_TARGETS or not value:
            why = refused(BAD_REQUEST, "a target is clientId:, revocationKey: or channel:")
            error_info = msgspec.to_builtins(ErrorInfo.of(why))
            results.append({"target": target, "error": error_info})
            continue
        authority.app.revocations.revoke(kind, value, before_ms, applies_ms)
        results.append({"target": target, "issuedBefore": before_ms, "appliesAt": applies_ms})
    if edge.store is not None and authority.app is edge.app:
        edge.store.save_revocations(authority.app.id, authority.app.revocations)
    edge.enforce_revocations(authority.app)
    failed = sum("error" in one for one in results)
    counts = {"successCount": len(results) - failed, "failureCount": failed}
    return answer(request, {**counts, "results": results}, 200)


ROUTES = [
    Route("/time", guarded(_time), methods=["GET"]),
    Route("/keys/{key_name}/requestToken", guarded(_request_token), methods=["GET", "POST"]),
    Route("/keys/{key_name}/revokeTokens", guarded(_revoke), methods=["POST"]),
]
