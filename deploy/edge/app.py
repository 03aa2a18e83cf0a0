"""One app: its keys, its namespaces and its channels; and the table of all apps."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from typing import Protocol as Port

from deploy.edge.bounds import CHANNEL_NAME_LENGTH_MAX, CHANNELS_MAX
from deploy.edge.channel import Channel
from deploy.edge.devices import Devices
from deploy.edge.keys import Key
from deploy.edge.limits import Limits
from deploy.edge.meta import is_meta
from deploy.edge.namespace import Namespace
from deploy.edge.refusals import (
    INVALID_CHANNEL,
    INVALID_CREDENTIALS,
    NOT_FOUND,
    SYSTEM_BUSY,
    TLS_ONLY,
    refused,
)
from deploy.edge.revocations import Revocations
from deploy.edge.stats import Stats
from deploy.edge.tokens import key_name_of_jwt
from deploy.edge.vapid import VapidKey
from deploy.edge.wire import PresenceMessage

__all__ = ["App", "Apps", "Namespace"]

SERIES_BYTES: Final = 8


class App:
    """Keys, namespaces and channels that belong together; apps do not see each other."""

    def __init__(
        self,
        app_id: str,
        keys: Iterable[Key],
        namespaces: Iterable[Namespace],
        random_text: Callable[[int], str],
        now_ms: Callable[[], int],
        limits: Limits | None = None,
    ) -> None:
        self.id = app_id
        self.keys = {key.name: key for key in keys}
        self.namespaces = {namespace.id: namespace for namespace in namespaces}
        self.channels: dict[str, Channel] = {}
        self.revocations = Revocations()
        self.stats = Stats(now_ms)
        self.devices = Devices()
        #: Signs the pushes of the app; made of its first key's secret.
        self.vapid = VapidKey(next(iter(self.keys.values())).secret if self.keys else app_id)
        self.limits = limits if limits is not None else Limits.none()
        self.is_tls = False
        #: Where the history of persisted namespaces is kept; None keeps it in memory alone.
        self.store: Store | None = None
        #: Told of each channel that begins or ends: `channel.opened` or `channel.closed`.
        self.lifecycle_observers: list[Callable[[App, str, Channel], None]] = []
        #: Told of who came, changed and went, the edge's own doing included.
        self.presence_observers: list[Callable[[App, Channel, list[PresenceMessage]], None]] = []
        #: Told once a second of a channel whose occupancy has changed.
        self.occupancy_observers: list[Callable[[App, Channel], None]] = []
        #: Takes what went wrong behind everybody's back, for who watches the app.
        self.report: Callable[[int, str, dict[str, Any]], None] = lambda *_: None
        self.random_text = random_text
        self.now_ms = now_ms

    def namespace_of(self, channel: str) -> Namespace:
        """Return the rules of a channel; those of no namespace where none is set."""
        name = channel.partition(":")[0]
        return self.namespaces.get(name) or Namespace("")

    def channel(self, name: str) -> Channel:
        """Return the channel, made when first asked for. Raises EdgeError."""
        found = self.channels.get(name)
        if found is None:
            check_channel_name(name)
            namespace = self.namespace_of(name)
            if namespace.tls_only and not self.is_tls:
                raise refused(TLS_ONLY, "this channel is for connections by TLS alone")
            if len(self.channels) >= CHANNELS_MAX:
                raise refused(SYSTEM_BUSY, f"{CHANNELS_MAX} channels are in use")
            if not is_meta(name):
                self.limits.channel_opened(len(self.channels), self.now_ms())
            found = Channel(name, self.random_text(SERIES_BYTES), namespace.retention_ms)
            found.meter = self._sent
            found.on_presence = self._present
            found.presence.members_max = self.limits.presence_members
            if namespace.persisted and self.store is not None:
                self.store.revive(self.id, found, self.now_ms())
            self.channels[name] = found
            if not is_meta(name):
                self.stats.opened("channels")
            self._tell_lifecycle("channel.opened", found)
        return found

    def known_channel(self, name: str) -> Channel | None:
        """Return a channel that is in use or kept from a former life; None for any other."""
        found = self.channels.get(name)
        if found is not None or self.store is None or not self.namespace_of(name).persisted:
            return found
        return self.channel(name) if self.store.has(self.id, name) else None

    def _tell_lifecycle(self, what: str, channel: Channel) -> None:
        if not is_meta(channel.name):
            for observer in self.lifecycle_observers:
                observer(self, what, channel)

    def _present(self, channel: Channel, told: list[PresenceMessage]) -> None:
        for observer in self.presence_observers:
            observer(self, channel, told)

    def _sent(self, _frames: int, count: int, size: int) -> None:
        self.stats.outbound("messages", count, size)

    def forget(self, now_ms: int) -> None:
        """Drop old history and channels that nobody uses."""
        for name, channel in list(self.channels.items()):
            channel.forget(now_ms)
            if channel.is_idle(now_ms):
                del self.channels[name]
                self._tell_lifecycle("channel.closed", channel)
        self.stats.level("channels", sum(not is_meta(name) for name in self.channels))
        self.revocations.forget(now_ms)


class Store(Port):
    """Where persisted channels outlive the process."""

    def has(self, app_id: str, name: str) -> bool:
        """Return whether anything is kept of a channel."""

    def revive(self, app_id: str, channel: Channel, now_ms: int) -> None:
        """Fill a new channel with what is kept of it, and keep what it gets from now on."""


class Apps:
    """All apps by id."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}

    def add(self, app: App) -> None:
        self._apps[app.id] = app

    def remove(self, app_id: str) -> None:
        """Forget an app; safe where there is none."""
        self._apps.pop(app_id, None)

    def all(self) -> list[App]:
        return list(self._apps.values())

    def of_name(self, app_id: str) -> App | None:
        """Return the app, None where there is none."""
        return self._apps.get(app_id)

    def of_token(self, token: str) -> App:
        """Return the app that a token belongs to. Raises EdgeError."""
        if token.count(".") == 2:
            return self._of_jwt(token)
        app = self._apps.get(token.partition(".")[0])
        if app is None:
            raise refused(INVALID_CREDENTIALS, "the token is not of an app known here")
        return app

    def _of_jwt(self, token: str) -> App:
        app = self._apps.get(key_name_of_jwt(token).partition(".")[0])
        if app is None:
            raise refused(NOT_FOUND, "the JWT's key is of no app known here")
        return app


def check_channel_name(name: str) -> None:
    """Raise EdgeError for a name that no channel can have."""
    is_bad = not name or len(name) > CHANNEL_NAME_LENGTH_MAX or name[0] in ":,*" or "\x00" in name
    if is_bad or (name[0] == "[" and not is_meta(name)):
        raise refused(INVALID_CHANNEL, f"not a channel name: {name[:64]!r}")
