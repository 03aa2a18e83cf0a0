"""The sandbox: apps made and removed over REST, as the SDKs' own tests do; only with `--sandbox`.

Source: the interface of Ably's sandbox, as the public test suites use it.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.actions import PresenceAction
from deploy.edge.app import App
from deploy.edge.bounds import (
    CHANNELS_MAX,
    PRESENCE_MEMBERS_MAX,
    SANDBOX_APPS_MAX,
    SANDBOX_KEYS_MAX,
)
from deploy.edge.capability import Capability
from deploy.edge.http import answer, authority_of, body_of, edge_of, empty, guarded
from deploy.edge.keys import Key
from deploy.edge.namespace import Namespace
from deploy.edge.payload import canonical
from deploy.edge.refusals import BAD_REQUEST, NOT_FOUND, SYSTEM_BUSY, refused, unauthorized
from deploy.edge.wire import PresenceMessage, convert

__all__ = ["ROUTES"]

ACCOUNT: Final = "local"
ALL: Final = '{"*":["*"]}'


class _KeyAsked(Struct, rename="camel"):
    capability: str | None = None
    revocable_tokens: bool = False


class _ChannelAsked(Struct):
    name: str
    presence: list[dict[str, Any]] = []


class _AppAsked(Struct):
    keys: list[_KeyAsked] = []
    namespaces: list[dict[str, Any]] = []
    channels: list[_ChannelAsked] = []


async def _create(request: Request) -> Response:
    edge = edge_of(request)
    asked = convert(await body_of(request), _AppAsked)
    if len(edge.apps.all()) >= SANDBOX_APPS_MAX:
        raise refused(SYSTEM_BUSY, f"at most {SANDBOX_APPS_MAX} apps")
    if len(asked.keys) > SANDBOX_KEYS_MAX or len(asked.channels) > CHANNELS_MAX:
        raise refused(BAD_REQUEST, "too many keys or channels")
    app_id = _letters(edge.random_text(9))[:6]
    keys = [_made_key(edge.random_text, app_id, one) for one in asked.keys or [_KeyAsked()]]
    namespaces = [Namespace.of(one) for one in asked.namespaces]
    app = edge.add_app(app_id, keys, namespaces)
    for channel in asked.channels:
        _fill(edge.random_text, app, channel)
    where = {"endpoint": request.url.hostname, "port": _port(request), "tls": edge.is_tls}
    return answer(request, {**_shown(app, keys, namespaces, asked.channels), **where}, 201)


def _port(request: Request) -> int:
    """Return the port that the app's clients connect to: the one that was asked."""
    return request.url.port or (443 if request.url.scheme == "https" else 80)


def _made_key(random_text: Any, app_id: str, asked: _KeyAsked) -> Key:
    capability = Capability.parse(asked.capability or ALL).text()
    key_id = _letters(random_text(9))[:6]
    return Key(f"{app_id}.{key_id}", random_text(24), capability, asked.revocable_tokens)


def _letters(text: str) -> str:
    return text.replace("-", "x").replace("_", "y")


def _fill(random_text: Any, app: App, asked: _ChannelAsked) -> None:
    """Let the members of a fixture enter, all over one connection that never was."""
    if len(asked.presence) > PRESENCE_MEMBERS_MAX:
        raise refused(BAD_REQUEST, "too many members")
    channel = app.channel(asked.name)
    connection_id, now_ms = random_text(9), app.now_ms()
    for index, one in enumerate(asked.presence):
        member = convert({**one, "action": int(PresenceAction.ENTER)}, PresenceMessage)
        made = msgspec.structs.replace(
            canonical(member),
            id=f"{connection_id}:{index}:0",
            connection_id=connection_id,
            timestamp=now_ms,
        )
        channel.be_present([made], f"{connection_id}:{index}", now_ms, connection_id)


def _shown(
    app: App, keys: list[Key], namespaces: list[Namespace], channels: list[_ChannelAsked]
) -> dict[str, Any]:
    return {
        "id": app.id,
        "appId": app.id,
        "accountId": ACCOUNT,
        "status": "enabled",
        "created": app.now_ms(),
        "modified": app.now_ms(),
        "keys": [
            {
                "id": key.name.partition(".")[2],
                "value": key.secret,
                "keyName": key.name,
                "keySecret": key.secret,
                "keyStr": key.text,
                "capability": key.capability,
                "revocableTokens": key.revocable,
                "status": 0,
            }
            for key in keys
        ],
        "namespaces": [one.shown() for one in namespaces],
        "channels": [msgspec.to_builtins(one) for one in channels],
    }


async def _delete(request: Request) -> Response:
    authority = authority_of(request)
    app_id = request.path_params["app_id"]
    edge = edge_of(request)
    if edge.apps.of_name(app_id) is None:
        raise refused(NOT_FOUND, "there is no such app")
    if authority.app.id != app_id or not authority.by_key or authority.app is edge.app:
        raise unauthorized("deleting", app_id)
    edge.remove_app(authority.app)
    return empty(request)


async def _fixtures(request: Request) -> Response:
    body = await body_of(request)
    if body == [] and "authorization" not in request.headers:
        return answer(request, {}, 201)  # asked of a sandbox to see whether it is there
    authority = authority_of(request)
    if authority.app is edge_of(request).app:
        raise unauthorized("stats fixtures", authority.app.id)
    for one in body if isinstance(body, list) else [body]:
        authority.app.stats.add_fixture(one)
    return answer(request, {}, 201)


ROUTES = [
    Route("/apps", guarded(_create), methods=["POST"]),
    Route("/apps/{app_id}", guarded(_delete), methods=["DELETE"]),
    Route("/stats", guarded(_fixtures), methods=["POST"]),
]
