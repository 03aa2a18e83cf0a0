"""Push: an app's registered devices, and which of them hear which channel."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from deploy.edge.bounds import CHANNEL_SUBSCRIPTIONS_MAX, DEVICES_MAX
from deploy.edge.refusals import BAD_REQUEST, SYSTEM_BUSY, refused
from deploy.edge.wire import convert

__all__ = ["Device", "Devices", "Subscription"]

PLATFORMS: Final = ("ios", "android", "browser")
FORM_FACTORS: Final = ("phone", "tablet", "desktop", "tv", "watch", "car", "embedded", "other")
TRANSPORTS: Final = ("fcm", "gcm", "apns", "web", "ablyChannel")


class Device(Struct, rename="camel", omit_defaults=True):
    """One registered device. The secret proves the device itself: only administrators see it."""

    id: str
    platform: str
    form_factor: str
    push: dict[str, Any]
    client_id: str | None = None
    metadata: dict[str, Any] | None = None
    device_secret: str | None = None
    device_identity_token: str | None = None
    app_id: str | None = None
    modified: int | None = None

    @property
    def recipient(self) -> dict[str, Any]:
        found: dict[str, Any] = self.push["recipient"]
        return found

    def shown_whole(self) -> dict[str, Any]:
        """Return what is told of it to an administrator who asks for this one device."""
        secret = {"deviceSecret": self.device_secret} if self.device_secret else {}
        return {**self.shown(), **secret}

    def shown(self) -> dict[str, Any]:
        """Return what is told of it in answers to changes and in lists."""
        shown: dict[str, Any] = {
            "id": self.id,
            "platform": self.platform,
            "formFactor": self.form_factor,
            "metadata": self.metadata or {},
            "push": {"state": "ACTIVE", **self.push, "recipient": self.recipient},
            "modified": self.modified,
        }
        return shown if self.client_id is None else {**shown, "clientId": self.client_id}


class Subscription(Struct, rename="camel", omit_defaults=True, frozen=True):
    """A device or client that hears a channel's pushes."""

    channel: str
    device_id: str | None = None
    client_id: str | None = None

    def check(self) -> None:
        """Raise EdgeError unless it names a channel and one hearer."""
        if not self.channel or (self.device_id is None) == (self.client_id is None):
            raise refused(BAD_REQUEST, "a subscription has a channel, and a deviceId or clientId")


def read_device(value: object) -> Device:
    """Read a device as a client sends it. Raises EdgeError."""
    device = convert(value, Device)
    recipient = device.push.get("recipient")
    if not device.id:
        raise refused(BAD_REQUEST, "a device needs an id")
    if device.platform not in PLATFORMS or device.form_factor not in FORM_FACTORS:
        raise refused(BAD_REQUEST, "the device's platform or form factor is not known")
    if not isinstance(recipient, dict) or recipient.get("transportType") not in TRANSPORTS:
        raise refused(BAD_REQUEST, f"a device's push.recipient has a transportType: {TRANSPORTS}")
    return device


class Devices:
    """Devices by id, and subscriptions in the order they were made; both bounded."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}
        self._subscriptions: dict[Subscription, None] = {}

    def save(self, device: Device) -> None:
        """Register a device, or replace it. Raises EdgeError at the bound."""
        if device.id not in self._devices and len(self._devices) >= DEVICES_MAX:
            raise refused(SYSTEM_BUSY, f"at most {DEVICES_MAX} devices")
        self._devices[device.id] = device

    def get(self, device_id: str) -> Device | None:
        """Return the device, None where there is none."""
        return self._devices.get(device_id)

    def find(self, device_id: str | None, client_id: str | None) -> list[Device]:
        """Return devices by id or client; all where neither is named."""
        if device_id is not None:
            found = self._devices.get(device_id)
            return [found] if found is not None else []
        return [d for d in self._devices.values() if client_id in (None, d.client_id)]

    def remove(self, device: Device) -> None:
        """Forget a device and its subscriptions."""
        self._devices.pop(device.id, None)
        for one in [s for s in self._subscriptions if s.device_id == device.id]:
            del self._subscriptions[one]

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription; the same one again changes nothing. Raises EdgeError."""
        if subscription.device_id is not None and subscription.device_id not in self._devices:
            raise refused(BAD_REQUEST, "the device is not registered")
        if len(self._subscriptions) >= CHANNEL_SUBSCRIPTIONS_MAX:
            raise refused(SYSTEM_BUSY, f"at most {CHANNEL_SUBSCRIPTIONS_MAX} subscriptions")
        self._subscriptions[subscription] = None

    def subscriptions(
        self,
        channel: str | None = None,
        device_id: str | None = None,
        client_id: str | None = None,
        either: bool = False,
    ) -> list[Subscription]:
        """Return subscriptions by what is given; `either` joins device and client by or."""

        def fits(one: Subscription) -> bool:
            if channel not in (None, one.channel):
                return False
            by_device = device_id is not None and one.device_id == device_id
            by_client = client_id is not None and one.client_id == client_id
            if either and device_id is not None and client_id is not None:
                return by_device or by_client
            return (device_id is None or by_device) and (client_id is None or by_client)

        return [one for one in self._subscriptions if fits(one)]

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription; safe where there is none."""
        self._subscriptions.pop(subscription, None)

    def channels(self) -> list[str]:
        """Return the channels that anything hears, sorted."""
        return sorted({one.channel for one in self._subscriptions})

    def hearers(self, channel: str) -> Iterator[Device]:
        """Yield each device that hears a channel, by itself or by its client."""
        for one in self.subscriptions(channel):
            yield from self.find(one.device_id, one.client_id)
