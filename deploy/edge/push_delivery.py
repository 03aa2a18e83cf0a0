"""Where a push goes: to the devices of its recipient, a test channel, and the sink."""

import json
import logging
from collections.abc import Callable
from typing import Any

from deploy.edge.app import App, Apps
from deploy.edge.auth import authority_of_key
from deploy.edge.channel import Channel, Published
from deploy.edge.meta import LOG_PUSH, MetaChannels
from deploy.edge.publishing import Publishing
from deploy.edge.push_sink import PushSink
from deploy.edge.refusals import PUSH_NO_RECIPIENT, refused
from deploy.edge.web_push import WebPushService, deliver
from deploy.edge.wire import Message
from pipelines.errors import EdgeError

__all__ = ["PushDelivery"]

logger = logging.getLogger(__name__)

TEST_MESSAGE = "__ably_push__"


class PushDelivery:
    """Delivers pushes; what fails after it was accepted is told on `[meta]log:push`."""

    def __init__(
        self,
        apps: Apps,
        sink: PushSink,
        web_pushes: WebPushService,
        publishing: Publishing,
        meta_of: Callable[[App], MetaChannels],
        now_ms: Callable[[], int],
    ) -> None:
        self._apps = apps
        self._sink = sink
        self._web_pushes = web_pushes
        self._now_ms = now_ms
        self._publishing = publishing
        self._meta_of = meta_of
        publishing.observers.append(self._follow)

    def push(self, app: App, recipients: object, payload: object) -> int:
        """Deliver one payload to one recipient or a list; returns how many. Raises EdgeError."""
        asked, checked = self._sink.check(recipients, payload)
        for recipient in asked:
            self._to_one(app, recipient, checked)
        return len(asked)

    def _to_one(self, app: App, recipient: dict[str, Any], payload: dict[str, Any]) -> None:
        device_id, client_id = recipient.get("deviceId"), recipient.get("clientId")
        if device_id is None and client_id is None:
            self._hand_over(app, recipient, payload)
            return
        devices = app.devices.find(device_id, client_id)
        for device in devices:
            shown = {"deviceId": device.id, "clientId": device.client_id, **device.recipient}
            self._hand_over(app, shown, payload)
        if devices:
            return
        if device_id is not None:
            self._fail(app, recipient, refused(PUSH_NO_RECIPIENT, "the device is not registered"))
        else:
            # Nobody registers devices in a local system; the sink stands in for all phones.
            self._sink.keep(recipient, payload)

    def _hand_over(self, app: App, recipient: dict[str, Any], payload: dict[str, Any]) -> None:
        self._sink.keep(recipient, payload)
        transport = recipient.get("transportType")
        try:
            if transport == "ablyChannel":
                self._to_channel(recipient, payload)
            elif transport == "web":
                web = _for_browsers(payload)
                deliver(self._web_pushes, app.vapid, recipient, web, self._now_ms() // 1000)
        except EdgeError as error:
            self._fail(app, recipient, error)

    def _to_channel(self, recipient: dict[str, Any], payload: dict[str, Any]) -> None:
        """Publish the push as a message: how a client's tests see that it was delivered."""
        authority = authority_of_key(self._apps, str(recipient.get("ablyKey")))
        text = json.dumps(payload, separators=(",", ":"))
        message = Message(name=TEST_MESSAGE, data=text)
        channel = str(recipient.get("channel"))

        def done(outcome: Published | EdgeError) -> None:
            if isinstance(outcome, EdgeError):
                self._fail(authority.app, recipient, outcome)

        self._publishing.publish(authority, channel, [message], done)

    def _fail(self, app: App, recipient: dict[str, Any], error: EdgeError) -> None:
        known = {k: v for k, v in recipient.items() if k in ("deviceId", "clientId", "channel")}
        told = {"code": error.code, "statusCode": error.status, "message": error.message}
        self._meta_of(app).say(LOG_PUSH, "error", {"recipient": known, "error": told})
        logger.debug("push not delivered code=%d", error.code)

    def _follow(self, app: App, channel: Channel, messages: list[Message]) -> None:
        """Push to the devices that hear a channel what its messages carry for them."""
        if not app.namespace_of(channel.name).push_enabled:
            return
        for message in messages:
            payload = (message.extras or {}).get("push")
            if not isinstance(payload, dict):
                continue
            for device in app.devices.hearers(channel.name):
                recipient = {
                    "deviceId": device.id,
                    "clientId": device.client_id,
                    **device.recipient,
                }
                if recipient.get("transportType") == "ablyChannel" and (
                    recipient.get("channel") == channel.name
                ):
                    continue  # a device that hears its own deliveries would never end
                self._hand_over(app, recipient, payload)


def _for_browsers(payload: dict[str, Any]) -> dict[str, Any]:
    """Return notification and data, with what the payload has for browsers alone."""
    own = payload.get("web")
    given = own if isinstance(own, dict) else {}
    found: dict[str, Any] = {}
    for name in ("notification", "data"):
        parts = [one for one in (payload.get(name), given.get(name)) if isinstance(one, dict)]
        if parts:
            found[name] = {key: value for part in parts for key, value in part.items()}
    return found
