"""One app: its keys, its namespaces and its channels; and the table of all apps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from deploy.edge.bounds import CHANNEL_NAME_LENGTH_MAX, CHANNELS_MAX, HISTORY_DEFAULT_MS
from deploy.edge.channel import Channel
from deploy.edge.keys import Key
from deploy.edge.refusals import (
    INVALID_CHANNEL,
    INVALID_CREDENTIALS,
    SYSTEM_BUSY,
    refused,
)
from deploy.edge.revocations import Revocations
from deploy.edge.tokens import key_name_of_jwt

__all__ = ["App", "Apps", "Namespace"]

SERIES_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Namespace:
    """Rules of the channels whose name starts with `<id>:`, or is the id."""

    id: str
    retention_ms: int = HISTORY_DEFAULT_MS
    identified: bool = False  # no message of an anonymous client


class App:
    """Keys, namespaces and channels that belong together; apps do not see each other."""

    def __init__(
        self,
        app_id: str,
        keys: Iterable[Key],
        namespaces: Iterable[Namespace],
        random_text: Callable[[int], str],
    ) -> None:
        self.id = app_id
        self.keys = {key.name: key for key in keys}
        self.namespaces = {namespace.id: namespace for namespace in namespaces}
        self.channels: dict[str, Channel] = {}
        self.revocations = Revocations()
        self._random_text = random_text

    def namespace_of(self, channel: str) -> Namespace:
        """Return the rules of a channel; those of no namespace where none is set."""
        name = channel.partition(":")[0]
        return self.namespaces.get(name) or Namespace("")

    def channel(self, name: str) -> Channel:
        """Return the channel, made when first asked for. Raises EdgeError."""
        found = self.channels.get(name)
        if found is None:
            check_channel_name(name)
            if len(self.channels) >= CHANNELS_MAX:
                raise refused(SYSTEM_BUSY, f"{CHANNELS_MAX} channels are in use")
            retention_ms = self.namespace_of(name).retention_ms
            found = Channel(name, self._random_text(SERIES_BYTES), retention_ms)
            self.channels[name] = found
        return found

    def forget(self, now_ms: int) -> None:
        """Drop old history and channels that nobody uses."""
        for name, channel in list(self.channels.items()):
            channel.forget(now_ms)
            if channel.is_idle(now_ms):
                del self.channels[name]
        self.revocations.forget(now_ms)


class Apps:
    """All apps by id."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}

    def add(self, app: App) -> None:
        self._apps[app.id] = app

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
            raise refused(INVALID_CREDENTIALS, "the JWT's key is not known here")
        return app


def check_channel_name(name: str) -> None:
    """Raise EdgeError for a name that no channel can have."""
    if not name or len(name) > CHANNEL_NAME_LENGTH_MAX or name[0] in ":,*" or "\x00" in name:
        raise refused(INVALID_CHANNEL, f"not a channel name: {name[:64]!r}")
