"""Web Push within this machine: the part of a browser's push service that is elsewhere.

A page that is served here subscribes at this service in place of the browser's own. Whatever is
pushed to such a subscription is encrypted and signed as for any browser, proven and decrypted
here, and waits for the page. Nothing is ever sent to another host.
"""

import base64
import binascii
import json
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from deploy.edge.bounds import WEB_PUSHES_KEPT_MAX, WEB_SUBSCRIPTIONS_MAX
from deploy.edge.push_encryption import SALT_BYTES, decrypted, encrypted
from deploy.edge.refusals import BAD_REQUEST, NOT_FOUND, PUSH_REFUSED, refused
from deploy.edge.vapid import (
    CURVE,
    VapidKey,
    check_vapid,
    public_bytes,
    read_public,
    unpadded,
)

__all__ = ["PATH", "WebPushService", "deliver", "endpoint_of"]

PATH: Final = "/overround/web-push"
AUTH_BYTES: Final = 16
ID_BYTES: Final = 18
OWN: Final = re.compile(rf"{PATH}/([A-Za-z0-9_-]{{20,40}})")


class _Subscription(NamedTuple):
    private: ec.EllipticCurvePrivateKey
    auth: bytes
    application_key: str
    origin: str
    pushes: deque[tuple[int, Any]]


class WebPushService:
    """Subscriptions by id, and the pushes that wait for each; the oldest give way."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._subscriptions: OrderedDict[str, _Subscription] = OrderedDict()
        self._count = 0

    def subscribe(self, application_key: str, origin: str) -> dict[str, Any]:
        """Return a subscription as a browser has it, for pushes signed with a key alone."""
        try:
            read_public(application_key)
        except ValueError as error:
            raise refused(BAD_REQUEST, "applicationServerKey is not a public key") from error
        private = ec.generate_private_key(CURVE)
        auth, name = secrets.token_bytes(AUTH_BYTES), secrets.token_urlsafe(ID_BYTES)
        waiting: deque[tuple[int, Any]] = deque(maxlen=WEB_PUSHES_KEPT_MAX)
        self._subscriptions[name] = _Subscription(private, auth, application_key, origin, waiting)
        if len(self._subscriptions) > WEB_SUBSCRIPTIONS_MAX:
            self._subscriptions.popitem(last=False)
        keys = {"p256dh": unpadded(public_bytes(private.public_key())), "auth": unpadded(auth)}
        return {"id": name, "endpoint": f"{origin}{PATH}/{name}", "keys": keys}

    def unsubscribe(self, name: str) -> None:
        """Forget a subscription; safe where there is none."""
        self._subscriptions.pop(name, None)

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take one push, as RFC 8030 has it: proven, decrypted, kept. Raises EdgeError."""
        found = self._of(name)
        now_s = self._now_ms() // 1000
        check_vapid(headers.get("authorization", ""), found.origin, found.application_key, now_s)
        if headers.get("content-encoding") != "aes128gcm" or not headers.get("ttl", "").isdigit():
            raise refused(BAD_REQUEST, "a push has a TTL and the encoding aes128gcm")
        try:
            payload = json.loads(decrypted(body, found.private, found.auth))
        except (ValueError, RecursionError) as error:
            raise refused(BAD_REQUEST, f"the push cannot be read: {error}"[:200]) from error
        self._count += 1
        found.pushes.append((self._count, payload))

    def waiting(self, name: str, after: int) -> list[dict[str, Any]]:
        """Return pushes with a number above one that the page has. Raises EdgeError."""
        pushes = self._of(name).pushes
        return [{"number": number, "payload": one} for number, one in pushes if number > after]

    def _of(self, name: str) -> _Subscription:
        found = self._subscriptions.get(name)
        if found is None:
            raise refused(NOT_FOUND, "there is no such subscription")
        return found


def endpoint_of(recipient: Mapping[str, Any]) -> str:
    """Return the URL that a browser's recipient names; ably-js sends it in base64."""
    given = str(recipient.get("targetUrl", ""))
    try:
        return given if "://" in given else base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        return given


def deliver(
    service: WebPushService,
    key: VapidKey,
    recipient: Mapping[str, Any],
    payload: object,
    now_s: int,
) -> bool:
    """Push to a browser that subscribed here; False where it did elsewhere. Raises EdgeError."""
    endpoint = endpoint_of(recipient)
    own = OWN.fullmatch(urlsplit(endpoint).path)
    if own is None:
        return False
    keys = recipient.get("encryptionKey")
    try:
        given = keys if isinstance(keys, dict) else {}
        receiver, auth = read_public(str(given.get("p256dh"))), str(given.get("auth"))
        raw_auth = base64.urlsafe_b64decode(auth + "=" * (-len(auth) % 4))
        text = json.dumps(payload, separators=(",", ":")).encode()
        body = encrypted(text, receiver, raw_auth, secrets.token_bytes(SALT_BYTES))
    except ValueError as error:
        raise refused(PUSH_REFUSED, f"the push cannot be encrypted: {error}"[:200]) from error
    headers = {
        "authorization": key.authorization(endpoint, now_s),
        "content-encoding": "aes128gcm",
        "ttl": "86400",
    }
    service.take(own[1], headers, body)
    return True
