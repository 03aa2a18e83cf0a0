"""Meta channels: what the edge itself says of an app, on `[meta]log`, `[meta]log:push` and others.

Clients may listen to them and read their history, never publish there.
"""

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from deploy.edge.wire import Message
from pipelines.errors import EdgeError

if TYPE_CHECKING:
    from deploy.edge.app import App

__all__ = [
    "CHANNEL_LIFECYCLE",
    "CONNECTION_LIFECYCLE",
    "LOG",
    "LOG_PUSH",
    "MetaChannels",
    "is_meta",
]

logger = logging.getLogger(__name__)

PREFIX: Final = "[meta]"
LOG: Final = "[meta]log"
LOG_PUSH: Final = "[meta]log:push"
CONNECTION_LIFECYCLE: Final = "[meta]connection.lifecycle"
CHANNEL_LIFECYCLE: Final = "[meta]channel.lifecycle"


def is_meta(channel: str) -> bool:
    """Return whether a channel is one that the edge alone publishes to."""
    return channel.startswith(PREFIX) and len(channel) > len(PREFIX)


class MetaChannels:
    """Publishes an app's events; those of lifecycles only where somebody listens."""

    def __init__(self, app: "App") -> None:
        self._app = app
        app.on_lifecycle = self.channel_event

    def channel_event(self, name: str, channel: str) -> None:
        """Tell of a channel that began or ended."""
        if CHANNEL_LIFECYCLE in self._app.channels:
            self.say(CHANNEL_LIFECYCLE, name, {"name": channel, "channelId": channel})

    def connection_event(self, name: str, data: dict[str, Any]) -> None:
        """Tell of a connection that opened or closed."""
        if CONNECTION_LIFECYCLE in self._app.channels:
            self.say(CONNECTION_LIFECYCLE, name, data)

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
