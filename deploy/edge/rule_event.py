"""What a rule is told of: messages, presence, or the state of a channel; as it is sent on.

Webhooks and Kafka rules share it. Source: Ably's documentation of integrations.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from deploy.edge.app import App
from deploy.edge.channel import Channel
from deploy.edge.occupancy import details
from deploy.edge.wire import Format, Message, PresenceMessage, shown

__all__ = ["LIFECYCLE", "MESSAGE", "OCCUPANCY", "PRESENCE", "SOURCES", "RuleEvent", "Taker"]

MESSAGE: Final = "channel.message"
PRESENCE: Final = "channel.presence"
LIFECYCLE: Final = "channel.lifecycle"
OCCUPANCY: Final = "channel.occupancy"
SOURCES: Final = (MESSAGE, PRESENCE, LIFECYCLE, OCCUPANCY)
SITE: Final = "overround"
TROUBLE_INTERVAL_MS: Final = 1_000
INNER: Final = {MESSAGE: "messages", PRESENCE: "presence"}


class RuleEvent(Struct):
    """One event; `inner` holds messages or members, `state` a channel's details."""

    at_ms: int
    source: str
    name: str
    channel: str
    serial: str
    inner: Sequence[Message | PresenceMessage]
    state: dict[str, Any] | None = None

    def body(self, form: Format) -> dict[str, Any]:
        """Return what the event says, under the name that it has."""
        if self.state is not None:
            return self.state
        return {INNER[self.source]: [shown(one, form) for one in self.inner]}

    def envelope(self, app_id: str, rule_id: str, form: Format) -> dict[str, Any]:
        """Return the event as it is sent by itself."""
        said = self.body(form) if self.state is None else {"name": self.name, "data": self.state}
        return {
            "source": self.source,
            "appId": app_id,
            "channel": self.channel,
            "site": SITE,
            "ruleId": rule_id,
            "timestamp": self.at_ms,
            **said,
        }


class Taker:
    """Takes an app's events of one source, on channels that a rule covers; a base of rules."""

    source: str = MESSAGE
    id: str = ""
    app: App | None = None
    trouble_ms: int = 0

    def trouble(self, code: int, message: str) -> None:
        """Tell on `[meta]log` that the target does not take what it is sent; once a second."""
        if self.app is None or self.app.now_ms() < self.trouble_ms + TROUBLE_INTERVAL_MS:
            return
        self.trouble_ms = self.app.now_ms()
        self.app.report(code, message, {"ruleId": self.id, "source": self.source})

    def covers(self, app: App, channel: str) -> bool:
        """Return whether the rule is for a channel."""
        raise NotImplementedError

    def take(self, event: RuleEvent) -> None:
        """Send an event on."""
        raise NotImplementedError

    def watch(self, app: App) -> None:
        """Hear of an app's events from now on; messages are told by whoever publishes."""
        self.app = app
        if self.source == PRESENCE:
            app.presence_observers.append(self.presence)
        elif self.source == LIFECYCLE:
            app.lifecycle_observers.append(self.lifecycle)
        elif self.source == OCCUPANCY:
            app.occupancy_observers.append(self.occupancy)

    def messages(self, app: App, channel: Channel, messages: list[Message]) -> None:
        """Take messages of a publication."""
        if self.source == MESSAGE and self.covers(app, channel.name):
            self.take(self._event(app, channel, MESSAGE, messages))

    def presence(self, app: App, channel: Channel, told: list[PresenceMessage]) -> None:
        """Take what members did, or what the edge did for those who are gone."""
        if self.covers(app, channel.name):
            self.take(self._event(app, channel, "presence.message", told))

    def lifecycle(self, app: App, name: str, channel: Channel) -> None:
        """Take that a channel began or ended."""
        if self.covers(app, channel.name):
            is_active = name == "channel.opened"
            self.take(self._event(app, channel, name, [], details(channel, is_active)))

    def occupancy(self, app: App, channel: Channel) -> None:
        """Take who is on a channel, after it has changed."""
        if self.covers(app, channel.name):
            self.take(self._event(app, channel, OCCUPANCY, [], details(channel)))

    def _event(
        self,
        app: App,
        channel: Channel,
        name: str,
        inner: Sequence[Message | PresenceMessage],
        state: dict[str, Any] | None = None,
    ) -> RuleEvent:
        return RuleEvent(
            at_ms=app.now_ms(),
            source=self.source,
            name=name,
            channel=channel.name,
            serial=channel.serial(),
            inner=inner,
            state=state,
        )
