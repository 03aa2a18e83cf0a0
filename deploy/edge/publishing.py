"""The one way of a publication into a channel, from REST and sockets alike.

Judged, stamped with the client id of its credentials, checked for a repeated id; then put into
the channel, or first into Kafka where a rule forwards the channel: only what Kafka has taken is
acknowledged and shown.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from typing import Protocol as Port

import msgspec

from deploy.edge.app import App
from deploy.edge.auth import Authority
from deploy.edge.bounds import MESSAGE_ID_LENGTH_MAX, MESSAGES_PER_PUBLISH_MAX
from deploy.edge.changes import CHANGES
from deploy.edge.channel import Channel, Done, Published
from deploy.edge.editing import Editing
from deploy.edge.meta import is_meta
from deploy.edge.payload import canonical, check_size, size_of
from deploy.edge.published import when_kept
from deploy.edge.refusals import (
    BAD_REQUEST,
    INVALID_CLIENT_ID,
    INVALID_CONNECTION,
    INVALID_MESSAGE_ID,
    TOO_LARGE,
    refused,
    unauthorized,
)
from deploy.edge.wire import Annotation, Message
from pipelines.errors import EdgeError

__all__ = ["Publishing", "Rule"]

logger = logging.getLogger(__name__)

RANDOM_ID_BYTES: Final = 9


class Rule(Port):
    """Forwards the messages of some channels to another system."""

    def covers(self, channel: str) -> bool:
        """Return whether messages of this channel are forwarded."""

    def forward(
        self,
        app_id: str,
        channel: str,
        messages: Sequence[Message],
        now_ms: int,
        done: Callable[[EdgeError | None], None],
    ) -> None:
        """Forward in order; `done` is called in the event loop, in order for one channel."""


Observer = Callable[[App, Channel, list[Message]], None]


class Publishing:
    """Takes publications for any app; `done` gets a Published, or the EdgeError of a refusal."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        random_text: Callable[[int], str],
        rules: Sequence[Rule] = (),
    ) -> None:
        self._now_ms = now_ms
        self._random_text = random_text
        self._rules = tuple(rules)
        self._editing = Editing(now_ms)
        #: Told of each publication that is done: pushes and webhooks follow it.
        self.observers: list[Observer] = []
        #: The connection whose key a REST publication names; None where the key is wrong.
        self.connection_of_key: Callable[[str, App], str | None] = lambda _key, _app: None

    def publish(
        self,
        authority: Authority,
        channel_name: str,
        messages: Sequence[Message],
        done: Done,
        origin: str | None = None,
        default_id: str = "",
    ) -> None:
        """Publish messages as one: all or none. Raises EdgeError for what is refused at once.

        `origin` is the connection of a realtime publication and `default_id` its id.
        """
        if any(message.action in CHANGES for message in messages):
            if len(messages) != 1:
                raise refused(BAD_REQUEST, "one message is changed at a time")
            message_id = default_id or self._random_text(RANDOM_ID_BYTES)
            made = self._editing.change(authority, channel_name, messages[0], message_id, origin)
            when_kept(authority.app.channel(channel_name).keeper, lambda: done(made))
            return
        is_realtime = origin is not None
        prepared = self._prepared(authority, channel_name, messages, origin)
        channel = authority.app.channel(channel_name)
        self._count(authority.app, channel, prepared, is_realtime)
        given_id = _common_id(prepared)
        if given_id and self._is_repeated(channel, given_id, done):
            return
        message_id = given_id or default_id or self._random_text(RANDOM_ID_BYTES)
        for index, message in enumerate(prepared):
            if message.id is None:
                message.id = f"{message_id}:{index}"
        origin = prepared[0].connection_id
        self._place(authority.app, channel, prepared, message_id, bool(given_id), origin, done)

    def _prepared(
        self,
        authority: Authority,
        channel_name: str,
        messages: Sequence[Message],
        origin: str | None,
    ) -> list[Message]:
        authority.require("publish", channel_name)
        if is_meta(channel_name):
            raise unauthorized("publish", channel_name)
        if not messages:
            raise refused(BAD_REQUEST, "nothing to publish")
        if len(messages) > MESSAGES_PER_PUBLISH_MAX:
            raise refused(TOO_LARGE, f"at most {MESSAGES_PER_PUBLISH_MAX} messages go at once")
        identified = authority.app.namespace_of(channel_name).identified
        prepared = []
        for message in messages:
            client_id = authority.stamped(message.client_id)
            if identified and client_id is None:
                raise refused(INVALID_CLIENT_ID, "this channel takes no message without client id")
            source = origin
            if origin is None and message.connection_key is not None:
                source = self.connection_of_key(message.connection_key, authority.app)
                if source is None:
                    raise refused(INVALID_CONNECTION, "no connection has this connection key")
            made = msgspec.structs.replace(
                canonical(message),
                client_id=client_id,
                connection_id=source,
                connection_key=None,
                serial=None,
                version=None,
                annotations=None,
            )
            prepared.append(made)
        check_size(prepared, authority.app.limits.message_bytes)
        return prepared

    def _count(
        self, app: App, channel: Channel, messages: list[Message], is_realtime: bool
    ) -> None:
        """Hold a publication against the app's limits, and count it. Raises EdgeError."""
        size = sum(map(size_of, messages))
        origin = messages[0].connection_id if is_realtime else None
        app.limits.published(channel.name, origin, size, self._now_ms())
        transport = "realtime" if is_realtime else "rest"
        app.stats.inbound(transport, "messages", len(messages), size)
        if channel.keeper is not None:
            app.stats.persisted("messages", len(messages), size)

    def _is_repeated(self, channel: Channel, message_id: str, done: Done) -> bool:
        known = channel.known(message_id)
        if known is not None:
            when_kept(channel.keeper, lambda: done(known))
            return True
        waiting = channel.in_flight.get(message_id)
        if waiting is not None:
            waiting.append(done)
            return True
        return False

    def _place(
        self,
        app: App,
        channel: Channel,
        messages: list[Message],
        message_id: str,
        remember: bool,
        origin: str | None,
        done: Done,
    ) -> None:
        now_ms = self._now_ms()
        is_ephemeral = all((one.extras or {}).get("ephemeral") is True for one in messages)

        def put() -> Published:
            published = channel.publish(
                messages, message_id, self._now_ms(), origin, remember, is_ephemeral
            )
            if not is_ephemeral:
                for observer in self.observers:
                    observer(app, channel, messages)
            return published

        covering = (one for one in self._rules if one.covers(channel.name))
        rule = None if is_ephemeral else next(covering, None)
        if rule is None:
            published = put()
            when_kept(channel.keeper, lambda: done(published))
            return
        waiting = channel.in_flight[message_id] = [done]

        def forwarded(error: EdgeError | None) -> None:
            del channel.in_flight[message_id]
            outcome: Published | EdgeError = put() if error is None else error
            for one in waiting:
                when_kept(channel.keeper, partial(one, outcome))

        try:
            rule.forward(app.id, channel.name, messages, now_ms, forwarded)
        except EdgeError:
            del channel.in_flight[message_id]
            raise

    def annotate(
        self,
        authority: Authority,
        channel_name: str,
        notes: Sequence[Annotation],
        done: Done,
        message_id: str = "",
        origin: str | None = None,
    ) -> None:
        """Put annotations on messages. Raises EdgeError."""
        made_id = message_id or self._random_text(RANDOM_ID_BYTES)
        made = self._editing.annotate(authority, channel_name, notes, made_id, origin)
        when_kept(authority.app.channel(channel_name).keeper, lambda: done(made))


def _common_id(messages: list[Message]) -> str:
    """Return the id given to the publication, "" for none. Raises EdgeError.

    One message may have any id; several have `<base>:<index>` from 0 up, or none (RSL1k).
    """
    given = [message.id for message in messages if message.id is not None]
    if not given:
        return ""
    if any(not one or len(one) > MESSAGE_ID_LENGTH_MAX for one in given):
        raise refused(INVALID_MESSAGE_ID, "a message id is empty or too long")
    if len(messages) == 1:
        return given[0]
    base = given[0].rpartition(":")[0]
    if not base or given != [f"{base}:{index}" for index in range(len(messages))]:
        raise refused(INVALID_MESSAGE_ID, "ids of one publication must be base:0, base:1, ...")
    return base
