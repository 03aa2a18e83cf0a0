"""What each protocol message of a client does: one function an action."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from deploy.edge.app import Apps
from deploy.edge.attaching import Attaching, read_name
from deploy.edge.auth import ANY_CLIENT, authority_of_token
from deploy.edge.channel import Channel, Done, Published
from deploy.edge.connection import Connection, Connections
from deploy.edge.entering import Entering
from deploy.edge.publishing import Publishing
from deploy.edge.refusals import (
    ARTIFICIAL,
    BAD_REQUEST,
    INCOMPATIBLE_CREDENTIALS,
    refused,
    unauthorized,
)
from deploy.edge.wire import Action, Flag, Protocol
from pipelines.errors import EdgeError

__all__ = ["Dispatch"]

logger = logging.getLogger(__name__)

#: Until a ping is answered: clients that count whole milliseconds take 0 for no answer.
PING_ANSWER_S: Final = 0.002


class Dispatch:
    """Carries out protocol messages against channels and connections."""

    def __init__(
        self,
        apps: Apps,
        connections: Connections,
        publishing: Publishing,
        now_ms: Callable[[], int],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = loop
        self._apps = apps
        self._connections = connections
        self._publishing = publishing
        self._now_ms = now_ms
        self._attaching = Attaching(now_ms)
        self.entering = Entering(now_ms)
        self._handlers: dict[int, Callable[[Connection, Protocol], None]] = {
            Action.HEARTBEAT: self._heartbeat,
            Action.ATTACH: self._attach,
            Action.DETACH: self._detach,
            Action.MESSAGE: self._sequenced,
            Action.PRESENCE: self._sequenced,
            Action.ANNOTATION: self._sequenced,
            Action.SYNC: self._sync,
            Action.AUTH: self._auth,
            Action.CLOSE: self._close,
            Action.DISCONNECT: self._disconnect,
            Action.CONNECT: self._ignore,
            Action.ACK: self._ignore,
        }

    def handle(self, connection: Connection, message: Protocol) -> None:
        """Carry out one message. Raises EdgeError for what ends the connection."""
        handler = self._handlers.get(message.action)
        if handler is None:
            raise refused(BAD_REQUEST, f"action {message.action} is not one that a client sends")
        handler(connection, message)

    def _ignore(self, connection: Connection, message: Protocol) -> None:
        """Take what needs no answer."""

    def _heartbeat(self, connection: Connection, message: Protocol) -> None:
        answer = Protocol(action=Action.HEARTBEAT, id=message.id)
        self._loop.call_later(PING_ANSWER_S, connection.send_own, answer)

    def _close(self, connection: Connection, message: Protocol) -> None:
        connection.send_own(Protocol(action=Action.CLOSED))
        socket, connection.socket = connection.socket, None
        self._connections.end(connection)
        if socket is not None:
            socket.close()

    def _disconnect(self, connection: Connection, message: Protocol) -> None:
        connection.send_own(Protocol(action=Action.DISCONNECTED))
        if connection.socket is not None:
            connection.socket.close()

    def _attach(self, connection: Connection, message: Protocol) -> None:
        name = message.channel or ""
        try:
            self._attaching.attach(connection, message)
        except EdgeError as error:
            self._fail_channel(connection, name, error)

    def _fail_channel(self, connection: Connection, name: str, error: EdgeError) -> None:
        self._attaching.detach(connection, name)
        connection.refuse_channel(name, error)

    def _detach(self, connection: Connection, message: Protocol) -> None:
        name = message.channel or ""
        self._attaching.detach(connection, name)
        connection.send_own(Protocol(action=Action.DETACHED, channel=name))

    def _sync(self, connection: Connection, message: Protocol) -> None:
        name = message.channel or ""
        channel = connection.channels.get(name)
        if channel is not None:
            self._attaching.sync(connection, channel, name)

    def _sequenced(self, connection: Connection, message: Protocol) -> None:
        """Carry out what is acknowledged by its serial."""
        if message.msg_serial is None or not 0 <= message.msg_serial < 2**53:
            raise refused(BAD_REQUEST, "a message without msgSerial")
        msg_serial = message.msg_serial
        acknowledgements = connection.acknowledgements
        if not acknowledgements.open(msg_serial):
            connection.send_acknowledgements()
            return

        def done(outcome: Published | EdgeError) -> None:
            acknowledgements.settle(msg_serial, outcome)
            connection.send_acknowledgements()

        message_id = f"{connection.id}:{msg_serial}"
        try:
            self._act(connection, message, message_id, done)
        except EdgeError as error:
            done(error)

    def _act(self, connection: Connection, message: Protocol, message_id: str, done: Done) -> None:
        name = message.channel or ""
        base = read_name(name).base
        if message.action == Action.MESSAGE:
            self._check_mode(connection, name, Flag.PUBLISH, "publish")
            if str((message.params or {}).get("_forceNack", "")).lower() == "true":
                raise refused(ARTIFICIAL, "refused, as was asked for")
            self._publishing.publish(
                connection.authority,
                base,
                message.messages or [],
                done,
                origin=connection.id,
                default_id=message_id,
            )
        elif message.action == Action.PRESENCE:
            self._check_mode(connection, name, Flag.PRESENCE, "presence")
            done(self.entering.act(connection, name, message.presence or [], message_id))
        else:
            self._check_mode(connection, name, Flag.ANNOTATION_PUBLISH, "annotation-publish")
            notes = message.annotations or []
            authority = connection.authority
            self._publishing.annotate(authority, base, notes, done, message_id, connection.id)

    def _check_mode(self, connection: Connection, name: str, mode: Flag, operation: str) -> None:
        """Raise EdgeError where the connection attached without the mode that it now uses."""
        channel = connection.channels.get(name)
        held = channel.attachments.get((connection.id, name)) if channel is not None else None
        if channel is not None and held is not None and not held.modes & mode:
            raise unauthorized(operation, channel.name)

    def _auth(self, connection: Connection, message: Protocol) -> None:
        token = (message.auth or {}).get("accessToken")
        if not isinstance(token, str):
            raise refused(BAD_REQUEST, "AUTH without an access token")
        authority = authority_of_token(self._apps, token, self._now_ms())
        before = connection.authority
        if authority.app is not before.app:
            raise refused(INCOMPATIBLE_CREDENTIALS, "the token is of another app")
        if authority.client_id != before.client_id:
            if authority.client_id != ANY_CLIENT:
                raise refused(INCOMPATIBLE_CREDENTIALS, "the token is of another client")
            authority = dataclasses.replace(authority, client_id=before.client_id)
        connection.authority = authority
        connection.reauthorize_asked = False
        connection.send_own(connection.connected())
        for name, channel in list(connection.channels.items()):
            self._reauthorize(connection, name, channel)

    def _reauthorize(self, connection: Connection, name: str, channel: Channel) -> None:
        """Give an attachment the modes that the new token allows; without any, it fails."""
        held = channel.attachments.get((connection.id, name))
        if held is None:
            return
        modes = held.asked_modes & connection.modes_allowed(channel.name)
        if not modes & ~Flag.ANNOTATION_PUBLISH:
            self._fail_channel(connection, name, unauthorized("attaching", channel.name))
        elif modes != held.modes:
            held.allow(modes)
            channel.is_occupancy_stale = True
            connection.send_own(
                Protocol(
                    action=Action.ATTACHED,
                    channel=name,
                    channel_serial=channel.serial(),
                    flags=int(Flag.RESUMED | channel.presence.flag() | modes),
                    params=held.params or None,
                )
            )
