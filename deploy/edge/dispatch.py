"""What each protocol message of a client does: one function an action."""

import logging
import re
from collections.abc import Callable
from typing import Final

from deploy.edge.app import Apps
from deploy.edge.auth import ANY_CLIENT, authority_of_token
from deploy.edge.bounds import CHANNELS_PER_CONNECTION_MAX, REWIND_MESSAGES_MAX
from deploy.edge.channel import Attachment, Channel, Published
from deploy.edge.connection import Connection, Connections
from deploy.edge.history import Entry
from deploy.edge.publishing import Publishing
from deploy.edge.refusals import (
    BAD_REQUEST,
    CHANNELS_TOO_MANY,
    INCOMPATIBLE_CREDENTIALS,
    INVALID_PARAMETER,
    RECOVERY_EXPIRED,
    RECOVERY_UNKNOWN,
    refused,
    unauthorized,
)
from deploy.edge.wire import ALL_MODES, MODES, Action, ErrorInfo, Flag, Protocol
from pipelines.errors import EdgeError

__all__ = ["Dispatch"]

logger = logging.getLogger(__name__)

QUALIFIED: Final = re.compile(r"\[([^\]?]*)(?:\?([^\]]*))?\](.+)", re.DOTALL)
REWIND_TIME: Final = re.compile(r"(\d{1,4})([sm])")


class Dispatch:
    """Carries out protocol messages against channels and connections."""

    def __init__(
        self,
        apps: Apps,
        connections: Connections,
        publishing: Publishing,
        now_ms: Callable[[], int],
    ) -> None:
        self._apps = apps
        self._connections = connections
        self._publishing = publishing
        self._now_ms = now_ms
        self._handlers: dict[int, Callable[[Connection, Protocol], None]] = {
            Action.HEARTBEAT: self._heartbeat,
            Action.ATTACH: self._attach,
            Action.DETACH: self._detach,
            Action.MESSAGE: self._message,
            Action.AUTH: self._auth,
            Action.CLOSE: self._close,
            Action.DISCONNECT: self._disconnect,
        }

    def handle(self, connection: Connection, message: Protocol) -> None:
        """Carry out one message. Raises EdgeError for what ends the connection."""
        handler = self._handlers.get(message.action)
        if handler is None:
            raise refused(BAD_REQUEST, f"action {message.action} is not one that a client sends")
        handler(connection, message)

    def _heartbeat(self, connection: Connection, message: Protocol) -> None:
        connection.send_own(Protocol(action=Action.HEARTBEAT, id=message.id))

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
            self._attached(connection, message)
        except EdgeError as error:
            held = connection.channels.pop(name, None)
            if held is not None:
                held.detach(connection.id, self._now_ms())
            connection.refuse_channel(name, error)

    def _attached(self, connection: Connection, message: Protocol) -> None:
        name = message.channel or ""
        base, params = _unqualified(name, message.params or {})
        modes = _modes_asked(message, params) & connection.modes_allowed(base)
        if not modes:
            raise unauthorized("attaching", base)
        if len(connection.channels) >= CHANNELS_PER_CONNECTION_MAX:
            raise refused(CHANNELS_TOO_MANY, f"at most {CHANNELS_PER_CONNECTION_MAX} channels")
        channel = connection.authority.app.channel(base)
        held = channel.attachments.get(connection.id)
        backlog, flags, error = self._continued(channel, message, params, held is not None)
        attachment = Attachment(
            subscriber=connection,
            modes=modes,
            echo=connection.echo,
            params=params,
            serial=channel.serial(),
            alias=name if name != base else "",
        )
        channel.attach(attachment, self._now_ms())
        connection.channels[name] = channel
        if backlog and not flags & Flag.RESUMED:
            flags |= Flag.HAS_BACKLOG
        connection.send_own(
            Protocol(
                action=Action.ATTACHED,
                channel=name,
                channel_serial=channel.serial(),
                flags=int(flags | modes),
                params=params or None,
                error=ErrorInfo.of(error) if error is not None else None,
            )
        )
        for entry in backlog:
            if modes & Flag.SUBSCRIBE:
                connection.send(entry.frame.renamed(attachment.alias))

    def _continued(
        self, channel: Channel, message: Protocol, params: dict[str, str], is_held: bool
    ) -> tuple[list[Entry], Flag, EdgeError | None]:
        """Return what to replay, whether nothing was missed, and if not, why."""
        serial = message.channel_serial or ""
        if is_held:
            return [], Flag.RESUMED, None
        if serial:
            missed = channel.resume(serial)
            if missed is not None:
                return missed, Flag.RESUMED, None
            if channel.has_series(serial):
                why = refused(RECOVERY_EXPIRED, "messages since then have expired")
            else:
                why = refused(RECOVERY_UNKNOWN, "the channel has begun anew since then")
            return [], Flag(0), why
        return _rewound(channel, params.get("rewind", ""), self._now_ms()), Flag(0), None

    def _detach(self, connection: Connection, message: Protocol) -> None:
        name = message.channel or ""
        channel = connection.channels.pop(name, None)
        if channel is not None:
            channel.detach(connection.id, self._now_ms())
        connection.send_own(Protocol(action=Action.DETACHED, channel=name))

    def _message(self, connection: Connection, message: Protocol) -> None:
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

        base, _ = _unqualified(message.channel or "", {})
        try:
            self._publishing.publish(
                connection.authority,
                base,
                message.messages or [],
                done,
                origin=connection.id,
                default_id=f"{connection.id}:{msg_serial}",
            )
        except EdgeError as error:
            done(error)

    def _auth(self, connection: Connection, message: Protocol) -> None:
        token = (message.auth or {}).get("accessToken")
        if not isinstance(token, str):
            raise refused(BAD_REQUEST, "AUTH without an access token")
        authority = authority_of_token(self._apps, token, self._now_ms())
        before = connection.authority
        if authority.app is not before.app or (
            authority.client_id not in (before.client_id, ANY_CLIENT)
        ):
            raise refused(INCOMPATIBLE_CREDENTIALS, "the token is of another client")
        connection.authority = authority
        connection.reauthorize_asked = False
        connection.send_own(connection.connected())
        for name, channel in list(connection.channels.items()):
            attachment = channel.attachments.get(connection.id)
            if attachment is not None and not attachment.modes & connection.modes_allowed(
                channel.name
            ):
                channel.detach(connection.id, self._now_ms())
                del connection.channels[name]
                connection.refuse_channel(name, unauthorized("attaching", channel.name))


def _unqualified(name: str, params: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Split `[?rewind=1]name` into the name and its parameters."""
    found = QUALIFIED.fullmatch(name)
    if found is None or found[1]:
        return name, params
    given = dict(pair.partition("=")[::2] for pair in (found[2] or "").split("&") if pair)
    return found[3], given | params


def _modes_asked(message: Protocol, params: dict[str, str]) -> Flag:
    if "modes" in params:
        modes = Flag(0)
        for word in params["modes"].split(","):
            if word.strip().lower() not in MODES:
                raise refused(INVALID_PARAMETER, f"{word!r} is not a mode")
            modes |= MODES[word.strip().lower()]
        return modes
    asked = Flag((message.flags or 0) & int(ALL_MODES))
    return asked or ALL_MODES


def _rewound(channel: Channel, rewind: str, now_ms: int) -> list[Entry]:
    if not rewind:
        return []
    if rewind.isascii() and rewind.isdigit():
        return channel.history.newest(min(int(rewind[:6]), REWIND_MESSAGES_MAX))
    found = REWIND_TIME.fullmatch(rewind)
    if found is None:
        raise refused(INVALID_PARAMETER, f"not a rewind: {rewind[:32]!r}")
    span_ms = int(found[1]) * (60_000 if found[2] == "m" else 1_000)
    entries = channel.history.since(now_ms - span_ms)
    newest = channel.history.newest(REWIND_MESSAGES_MAX)
    return entries if len(entries) <= len(newest) else newest
