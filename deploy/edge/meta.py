"""Meta channels: what the edge itself says of an app, on `[meta]log`, `[meta]log:push` and others.

Clients may listen to them and read their history, never publish there.
"""

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from deploy.edge.stats import SCHEMA
from deploy.edge.wire import Message
from pipelines.errors import EdgeError

if TYPE_CHECKING:
    from deploy.edge.app import App
    from deploy.edge.channel import Channel

__all__ = [
    "CHANNEL_LIFECYCLE",
    "CONNECTION_LIFECYCLE",
    "LOG",
    "LOG_PUSH",
    "STATISTICS",
    "MetaChannels",
    "is_meta",
]

logger = logging.getLogger(__name__)

PREFIX: Final = "[meta]"
LOG: Final = "[meta]log"
LOG_PUSH: Final = "[meta]log:push"
CONNECTION_LIFECYCLE: Final = "[meta]connection.lifecycle"
CHANNEL_LIFECYCLE: Final = "[meta]channel.lifecycle"
STATISTICS: Final = "[meta]stats:minute"


def is_meta(channel: str) -> bool:
    """Return whether a channel is one that the edge alone publishes to."""
    return channel.startswith(PREFIX) and len(channel) > len(PREFIX)


class MetaChannels:
    """Publishes an app's events; those of lifecycles only where somebody listens."""

    def __init__(self, app: "App") -> None:
        self._app = app
        app.lifecycle_observers.append(self.channel_event)
        app.report = self.error

    def channel_event(self, app: "App", name: str, channel: "Channel") -> None:
        """Tell of a channel that began or ended."""
        if CHANNEL_LIFECYCLE in app.channels:
            self.say(CHANNEL_LIFECYCLE, name, {"name": channel.name, "channelId": channel.name})

    def connection_event(self, name: str, data: dict[str, Any]) -> None:
        """Tell of a connection that opened or closed."""
        if CONNECTION_LIFECYCLE in self._app.channels:
            self.say(CONNECTION_LIFECYCLE, name, data)

    def error(self, code: int, message: str, about: dict[str, Any]) -> None:
        """Tell of an error that no client hears of."""
        self.say(LOG, "error", {**about, "error": {"code": code, "message": message}})

    def tell_statistics(self) -> None:
        """Tell the figures of a minute that is over; once, whether or not anybody listens."""
        finished = self._app.stats.finished()
        if finished is not None:
            name, entries = finished
            told = {"intervalId": name, "unit": "minute", "schema": SCHEMA, "entries": entries}
            self.say(STATISTICS, "update", told)

    def say(self, channel: str, name: str, data: dict[str, Any]) -> None:
        """Publish on a meta channel."""
        now_ms = self._app.now_ms()
        try:
            found = self._app.channel(channel)
        except EdgeError as error:
            logger.warning("no meta channel name=%s code=%d", channel, error.code)
            return
        message_id = self._app.random_text(9)
        message = Message(
            id=f"{message_id}:0",
            name=name,
            data=json.dumps(data, separators=(",", ":")),
            encoding="json",
        )
        found.publish([message], message_id, now_ms, remember=False)
