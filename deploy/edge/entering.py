"""Presence over a connection: who may enter, and as whom."""

from collections.abc import Callable, Sequence

import msgspec

from deploy.edge.actions import PresenceAction
from deploy.edge.attaching import read_name
from deploy.edge.auth import ANY_CLIENT
from deploy.edge.bounds import MESSAGE_ID_LENGTH_MAX, PRESENCE_PER_MESSAGE_MAX
from deploy.edge.channel import Published
from deploy.edge.connection import Connection
from deploy.edge.payload import canonical, size_of
from deploy.edge.refusals import (
    BAD_REQUEST,
    PRESENCE_NO_CLIENT,
    PRESENCE_NOT_ATTACHED,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import PresenceMessage

__all__ = ["Entering"]

SENT = frozenset({PresenceAction.ENTER, PresenceAction.UPDATE, PresenceAction.LEAVE})


class Entering:
    """Carries out PRESENCE."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def act(
        self,
        connection: Connection,
        name: str,
        given: Sequence[PresenceMessage],
        message_id: str,
    ) -> Published:
        """Enter, update or leave by the name that the client attached. Raises EdgeError."""
        authority = connection.authority
        base = read_name(name).base
        authority.require("presence", base)
        if not 0 < len(given) <= PRESENCE_PER_MESSAGE_MAX:
            raise refused(BAD_REQUEST, f"1 to {PRESENCE_PER_MESSAGE_MAX} members go at once")
        channel = authority.app.channel(base)
        if name not in connection.channels:
            raise refused(PRESENCE_NOT_ATTACHED, "the channel is not attached")
        now_ms = self._now_ms()
        prepared = [
            msgspec.structs.replace(
                canonical(one),
                id=_own_id(connection, one) or f"{message_id}:{index}",
                client_id=self._client_id(connection, one),
                connection_id=connection.id,
                timestamp=now_ms,
            )
            for index, one in enumerate(given)
        ]
        size = sum(map(size_of, prepared))
        if size > authority.app.limits.message_bytes:
            raise refused(TOO_LARGE, f"{size} bytes of presence at once")
        authority.app.limits.published(base, connection.id, size, now_ms)
        told = channel.be_present(prepared, message_id, now_ms, connection.id)
        connection.entered[channel.name] = channel
        if not channel.presence.of_connection(connection.id):
            connection.entered.pop(channel.name, None)
        authority.app.stats.inbound("realtime", "presence", len(prepared), size)
        return Published(message_id, channel.serial(), tuple("" for _ in told))

    def _client_id(self, connection: Connection, message: PresenceMessage) -> str:
        if message.action not in SENT:
            raise refused(BAD_REQUEST, "presence is entered, updated or left")
        authority = connection.authority
        if message.client_id is None and authority.client_id in (None, ANY_CLIENT):
            raise refused(PRESENCE_NO_CLIENT, "presence needs a client id")
        client_id = authority.stamped(message.client_id)
        if not client_id:
            raise refused(PRESENCE_NO_CLIENT, "presence needs a client id")
        return client_id


def _own_id(connection: Connection, message: PresenceMessage) -> str | None:
    """Return the id that a client re-enters a member with, where it is of its connection."""
    given = message.id
    if given is None or not given.startswith(f"{connection.id}:"):
        return None
    return given if len(given) <= MESSAGE_ID_LENGTH_MAX else None
