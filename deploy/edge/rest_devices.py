"""REST of push administration: registered devices and channel subscriptions.

An administrator has the capability `push-admin`; a device with `push-subscribe` alone acts for
itself, proven by its secret or by the token that it got when it registered.
"""

import base64
import binascii
import hmac
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import Authority, bearer_of
from deploy.edge.bounds import DEVICE_TOKEN_TTL_MS
from deploy.edge.devices import Device, Subscription, read_device
from deploy.edge.http import answer, authority_of, body_of, edge_of, empty, guarded, paged
from deploy.edge.refusals import (
    BAD_REQUEST,
    CAPABILITY_REFUSED,
    NOT_FOUND,
    UNAUTHORIZED,
    refused,
    unauthorized,
)
from deploy.edge.tokens import Claims, issue_token
from deploy.edge.wire import convert

__all__ = ["ROUTES"]

NONCE_BYTES: Final = 9
DEVICE_CAPABILITY: Final = '{"*":["push-subscribe"]}'
CHANGEABLE: Final = ("clientId", "metadata", "push")


def _decoded(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def _is_device(request: Request, device: Device) -> bool:
    """Return whether the request proves that it comes from the device itself."""
    for header, known in (
        ("x-ably-devicesecret", device.device_secret),
        ("x-ably-devicetoken", device.device_identity_token),
    ):
        given = (request.headers.get(header, ""), _decoded(request, header))
        if known and any(hmac.compare_digest(known.encode(), one.encode()) for one in given if one):
            return True
    token, bearer = device.device_identity_token, bearer_of(request.headers)
    return bool(token and bearer) and hmac.compare_digest((token or "").encode(), bearer.encode())


def _authority(request: Request, device: Device | None) -> Authority:
    """Return who asks, an administrator or the device itself. Raises EdgeError."""
    authority = authority_of(request)
    allows = authority.capability.allows_anywhere
    if allows("push-admin"):
        return authority
    if not allows("push-subscribe"):
        raise refused(CAPABILITY_REFUSED, "the credentials do not allow push-admin")
    if device is None or not _is_device(request, device):
        raise refused(UNAUTHORIZED, "a device acts for itself alone, with its secret or token")
    return authority


def _device(request: Request) -> Device | None:
    return authority_of(request).app.devices.get(request.path_params["device_id"])


def _save(request: Request, authority: Authority, device: Device) -> dict[str, Any]:
    """Register a device and return what is told of it, with a token of its own."""
    known = authority.app.devices.get(device.id)
    token = known.device_identity_token if known is not None else None
    secret = device.device_secret or (known.device_secret if known is not None else None)
    now_ms = edge_of(request).clock.time_ms()
    made = msgspec.structs.replace(
        device,
        app_id=authority.app.id,
        device_secret=secret,
        device_identity_token=token or _identity_token(request, authority, device, now_ms),
        modified=now_ms,
    )
    authority.app.devices.save(made)
    identity = {
        "token": made.device_identity_token,
        "keyName": authority.key_name,
        "issued": now_ms,
        "expires": now_ms + DEVICE_TOKEN_TTL_MS,
        "capability": DEVICE_CAPABILITY,
        "deviceId": made.id,
    }
    return {**made.shown(), "deviceIdentityToken": identity}


def _identity_token(request: Request, authority: Authority, device: Device, now_ms: int) -> str:
    """Return a token by which a device acts for itself; a bearer token like any other."""
    claims = Claims(
        key_name=authority.key_name,
        issued_ms=now_ms,
        expires_ms=now_ms + DEVICE_TOKEN_TTL_MS,
        capability=DEVICE_CAPABILITY,
        client_id=device.client_id,
        nonce=edge_of(request).random_text(NONCE_BYTES),
    )
    return issue_token(claims, authority.app.keys[authority.key_name], authority.app.id)


async def _register(request: Request) -> Response:
    authority = authority_of(request)
    device = read_device(await body_of(request))
    allows = authority.capability.allows_anywhere
    if not allows("push-admin") and not allows("push-subscribe"):
        raise refused(CAPABILITY_REFUSED, "the credentials do not allow push-subscribe")
    if not allows("push-admin"):
        device.client_id = authority.stamped(device.client_id)  # nobody gets another's pushes
    known = authority.app.devices.get(device.id)
    if known is not None:
        is_same = hmac.compare_digest(
            (known.device_secret or "").encode(), (device.device_secret or "").encode()
        )
        if not is_same:
            _authority(request, known)
    return answer(request, _save(request, authority, device), 201)


async def _put(request: Request) -> Response:
    known = _device(request)
    authority = _authority(request, known)
    body = await body_of(request)
    device_id = request.path_params["device_id"]
    if not isinstance(body, dict) or body.get("id", device_id) != device_id:
        raise refused(BAD_REQUEST, "the body is a device of the id in the path")
    device = read_device({**body, "id": device_id})
    saved = _save(request, authority, device)
    del saved["deviceIdentityToken"]
    return answer(request, saved)


async def _patch(request: Request) -> Response:
    known = _device(request)
    authority = _authority(request, known)
    body = await body_of(request)
    if known is None:
        raise refused(NOT_FOUND, "the device is not registered")
    if not isinstance(body, dict):
        raise refused(BAD_REQUEST, "the body is an object")
    changed = {name: body[name] for name in CHANGEABLE if name in body}
    device = read_device({**msgspec.to_builtins(known), **changed})
    saved = _save(request, authority, device)
    del saved["deviceIdentityToken"]
    return answer(request, saved)


async def _get(request: Request) -> Response:
    known = _device(request)
    authority = _authority(request, known)
    if known is None:
        raise refused(NOT_FOUND, "the device is not registered")
    is_admin = authority.capability.allows_anywhere("push-admin")
    return answer(request, known.shown_whole() if is_admin else known.shown())


async def _remove(request: Request) -> Response:
    known = _device(request)
    authority = _authority(request, known)
    if known is not None:
        authority.app.devices.remove(known)
    return empty(request)


async def _reset(request: Request) -> Response:
    known = _device(request)
    authority = _authority(request, known)
    if known is None:
        raise refused(NOT_FOUND, "the device is not registered")
    fresh = msgspec.structs.replace(known, device_identity_token=None)
    authority.app.devices.save(fresh)
    return answer(request, _save(request, authority, fresh))


def _filters(request: Request) -> tuple[str | None, str | None]:
    query = request.query_params
    return query.get("deviceId"), query.get("clientId")


async def _list(request: Request) -> Response:
    authority = _authority(request, None)
    found = authority.app.devices.find(*_filters(request))
    page, links = paged(request, found, lambda device: device.id, clamp=True)
    return answer(request, [one.shown() for one in page], headers=links)


async def _remove_where(request: Request) -> Response:
    device_id, client_id = _filters(request)
    device = authority_of(request).app.devices.get(device_id or "")
    authority = _authority(request, device)
    if device_id is None and client_id is None:
        raise refused(BAD_REQUEST, "name a deviceId or a clientId")
    for found in authority.app.devices.find(device_id, client_id):
        authority.app.devices.remove(found)
    return empty(request)


async def _subscribe(request: Request) -> Response:
    authority = authority_of(request)
    body = await body_of(request)
    subscription = convert(body, Subscription)
    subscription.check()
    _check_channel(request, authority, subscription)
    authority.app.devices.subscribe(subscription)
    return answer(request, msgspec.to_builtins(subscription), 201)


def _check_channel(request: Request, authority: Authority, asked: Subscription) -> None:
    """Raise EdgeError where the channel has no pushes, or the asker no right to them."""
    channel = asked.channel
    if not authority.app.namespace_of(channel).push_enabled:
        raise refused(CAPABILITY_REFUSED, "the channel's namespace does not enable push")
    if authority.capability.allows("push-admin", channel):
        return
    authority.require("push-subscribe", channel)
    device = authority.app.devices.get(asked.device_id or "")
    is_own_client = asked.client_id is not None and asked.client_id == authority.client_id
    if not is_own_client and (device is None or not _is_device(request, device)):
        raise unauthorized("push-admin", channel)


def _asked(request: Request) -> tuple[Authority, list[Subscription]]:
    authority = authority_of(request)
    device_id, client_id = _filters(request)
    if not authority.capability.allows_anywhere("push-admin"):
        device = authority.app.devices.get(device_id or "")
        own = client_id is not None and client_id == authority.client_id
        if not own:
            _authority(request, device)
    query = request.query_params
    either = query.get("concatFilters") == "true"
    found = authority.app.devices.subscriptions(query.get("channel"), device_id, client_id, either)
    return authority, found


async def _subscriptions(request: Request) -> Response:
    _, found = _asked(request)
    page, links = paged(
        request, found, lambda s: f"{s.channel}\n{s.device_id}\n{s.client_id}", clamp=True
    )
    return answer(request, [msgspec.to_builtins(one) for one in page], headers=links)


async def _unsubscribe(request: Request) -> Response:
    if not {"channel", "deviceId", "clientId"} & request.query_params.keys():
        raise refused(BAD_REQUEST, "name a channel, a deviceId or a clientId")
    authority, found = _asked(request)
    for one in found:
        authority.app.devices.unsubscribe(one)
    return empty(request)


async def _channels(request: Request) -> Response:
    authority = _authority(request, None)
    page, links = paged(request, authority.app.devices.channels(), str, clamp=True)
    return answer(request, page, headers=links)


DEVICES: Final = "/push/deviceRegistrations"
DEVICE: Final = "/push/deviceRegistrations/{device_id}"
SUBSCRIPTIONS: Final = "/push/channelSubscriptions"

ROUTES = [
    Route(DEVICES, guarded(_list), methods=["GET"]),
    Route(DEVICES, guarded(_register), methods=["POST"]),
    Route(DEVICES, guarded(_remove_where), methods=["DELETE"]),
    Route(DEVICE, guarded(_get), methods=["GET"]),
    Route(DEVICE, guarded(_put), methods=["PUT"]),
    Route(DEVICE, guarded(_patch), methods=["PATCH"]),
    Route(DEVICE, guarded(_remove), methods=["DELETE"]),
    Route(f"{DEVICE}/resetUpdateToken", guarded(_reset), methods=["POST"]),
    Route(SUBSCRIPTIONS, guarded(_subscriptions), methods=["GET"]),
    Route(SUBSCRIPTIONS, guarded(_subscribe), methods=["POST"]),
    Route(SUBSCRIPTIONS, guarded(_unsubscribe), methods=["DELETE"]),
    Route("/push/channels", guarded(_channels), methods=["GET"]),
]
