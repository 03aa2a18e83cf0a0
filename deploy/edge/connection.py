"""One connection of a client: it outlives its socket by two minutes, so that it can be resumed."""

import hmac
import logging
from collections.abc import Callable, Iterable
from typing import Final
from typing import Protocol as Port

import msgspec

from deploy.edge.acknowledgements import Acknowledgements
from deploy.edge.actions import PresenceAction
from deploy.edge.app import App
from deploy.edge.auth import Authority
from deploy.edge.bounds import (
    CONNECTION_STATE_TTL_MS,
    CONNECTIONS_MAX,
    FRAME_BYTES_MAX,
    IDLE_INTERVAL_MAX_MS,
    PRESENCE_LOST_MS,
)
from deploy.edge.channel import Channel
from deploy.edge.connection_key import id_in_key, key_of
from deploy.edge.refusals import (
    CONNECTION_KEY_INVALID,
    CONTINUITY_LOST,
    INCOMPATIBLE_CREDENTIALS,
    SYSTEM_BUSY,
    refused,
)
from deploy.edge.wire import (
    Action,
    ConnectionDetails,
    ErrorInfo,
    Flag,
    Format,
    Frame,
    Protocol,
)
from pipelines.errors import EdgeError

__all__ = ["Connection", "Connections", "Socket"]

logger = logging.getLogger(__name__)

ID_BYTES: Final = 9
SECRET_BYTES: Final = 18
HEARTBEAT: Final = Frame(Protocol(action=Action.HEARTBEAT))


class Socket(Port):
    """What a connection needs of its WebSocket."""

    def send_bytes(self, wire: bytes) -> None:
        """Send whole WebSocket frames."""

    def make_room(self, size: int) -> None:
        """Let so many bytes more wait for the client."""

    def close(self) -> None:
        """Send what waits, then close."""


class Connection:
    """State of a connection; `socket` is None while it is cut."""

    def __init__(self, connection_id: str, key: str, authority: Authority, form: Format) -> None:
        self.id = connection_id
        self.key = key
        #: The key before the last resume: a client that lost that answer asks with it again.
        self.former_key = ""
        self.authority = authority
        self.form = form
        self.echo = True
        self.socket: Socket | None = None
        self.cut_ms = 0
        self.channels: dict[str, Channel] = {}
        self.acknowledgements = Acknowledgements()
        self.reauthorize_asked = False
        #: Channels where members entered over this connection; they outlive the attachment.
        self.entered: dict[str, Channel] = {}
        self.presence_lost_ms = PRESENCE_LOST_MS
        #: Channels of which a message was not sent, as the limit of a second was reached.
        self.muted: set[str] = set()
        self.is_limited = False

    def has_key(self, key: str) -> bool:
        """Return whether a key is this connection's, or was until it resumed last."""
        given = key.encode()
        return hmac.compare_digest(self.key.encode(), given) or (
            self.former_key != "" and hmac.compare_digest(self.former_key.encode(), given)
        )

    def send(self, frame: Frame) -> None:
        """Send a shared frame; nothing where the socket is cut, the channel's history has it."""
        socket = self.socket
        if socket is not None and (not self.is_limited or self._may_hear(frame)):
            # Asked for each delivery: most often it is encoded already.
            socket.send_bytes(frame.wires[self.form] or frame.wire(self.form))

    def _may_hear(self, frame: Frame) -> bool:
        message = frame.message
        if message.action != Action.MESSAGE or message.channel is None:
            return True
        limits = self.authority.app.limits
        now_ms = message.timestamp or 0
        if message.channel not in self.muted and limits.may_hear(self.id, 1, now_ms):
            return True
        self.muted.add(message.channel)
        return False

    def send_own(self, message: Protocol) -> None:
        """Send a frame that is for this connection alone."""
        if self.socket is not None:
            self.socket.send_bytes(Frame(message).wire(self.form))

    def send_acknowledgements(self) -> None:
        """Send what is answered; where the socket is cut the client will ask again."""
        for message in self.acknowledgements.take():
            self.send_own(message)

    def connected(self, error: EdgeError | None = None) -> Protocol:
        """Return the CONNECTED that greets the client."""
        client_id = self.authority.client_id
        if client_id is None and self.authority.by_key:
            client_id = "*"
        return Protocol(
            action=Action.CONNECTED,
            connection_id=self.id,
            connection_details=ConnectionDetails(
                client_id=client_id,
                connection_key=self.key,
                max_message_size=self.authority.app.limits.message_bytes,
                max_frame_size=FRAME_BYTES_MAX,
                max_inbound_rate=self.authority.app.limits.connection_messages,
                connection_state_ttl=CONNECTION_STATE_TTL_MS,
                max_idle_interval=IDLE_INTERVAL_MAX_MS,
                server_id="overround-edge",
            ),
            error=ErrorInfo.of(error) if error is not None else None,
        )

    def let_go(self, now_ms: int) -> None:
        """Leave all channels; messages meanwhile are replayed when the client attaches again."""
        for name, channel in self.channels.items():
            channel.detach(self.id, name, now_ms)
        self.channels.clear()

    def refuse_channel(self, name: str, error: EdgeError) -> None:
        """Tell the client that a channel has failed."""
        self.send_own(Protocol(action=Action.ERROR, channel=name, error=ErrorInfo.of(error)))

    def modes_allowed(self, name: str) -> Flag:
        """Return the modes that the credentials allow on a channel."""
        allows = self.authority.capability.allows
        modes = Flag(0)
        if allows("subscribe", name):
            modes |= Flag.SUBSCRIBE | Flag.PRESENCE_SUBSCRIBE
        if allows("publish", name):
            modes |= Flag.PUBLISH
        if allows("presence", name):
            modes |= Flag.PRESENCE
        if allows("annotation-publish", name):
            modes |= Flag.ANNOTATION_PUBLISH
        if allows("annotation-subscribe", name):
            modes |= Flag.ANNOTATION_SUBSCRIBE
        return modes

    def tell_gaps(self) -> None:
        """Tell of each channel that messages were kept back by the limit of a second."""
        muted, self.muted = self.muted, set()
        why = refused(CONTINUITY_LOST, "more messages came than a connection may get in a second")
        for name, channel in self.channels.items():
            held = channel.attachments.get((self.id, name))
            if held is not None and (name in muted or channel.name in muted):
                self.send_own(
                    Protocol(
                        action=Action.ATTACHED,
                        channel=name,
                        channel_serial=channel.serial(),
                        flags=int(held.modes | channel.presence.flag()),
                        params=held.params or None,
                        error=ErrorInfo.of(why),
                    )
                )

    def leave_presence(self, now_ms: int, channels: Iterable[Channel] | None = None) -> None:
        """Let the members that entered over this connection leave these channels, or all."""
        for channel in list(self.entered.values() if channels is None else channels):
            self.entered.pop(channel.name, None)
            # An id that is not of the connection: nobody takes it for the client's own word.
            message_id = f"left-{self.id}:{now_ms}"
            leaving = [
                msgspec.structs.replace(
                    one,
                    action=int(PresenceAction.LEAVE),
                    id=f"{message_id}:{index}",
                    timestamp=now_ms,
                )
                for index, one in enumerate(channel.presence.of_connection(self.id))
            ]
            if leaving:
                channel.be_present(leaving, message_id, now_ms, self.id)


class Connections:
    """All connections by id, the cut ones included until they are too old."""

    def __init__(self, now_ms: Callable[[], int], random_text: Callable[[int], str]) -> None:
        self._now_ms = now_ms
        self._random_text = random_text
        self._by_id: dict[str, Connection] = {}
        #: Told of each connection that is no more.
        self.on_end: Callable[[Connection], None] = lambda _connection: None

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Connection]:
        return list(self._by_id.values())

    def open(
        self, authority: Authority, form: Format, resume_key: str
    ) -> tuple[Connection, EdgeError | None]:
        """Return a connection, resumed where its key is good; else why not. Raises EdgeError."""
        if not resume_key:
            return self._fresh(authority, form), None
        found = self._by_id.get(id_in_key(resume_key))
        if (
            found is None
            or not found.has_key(resume_key)
            or found.authority.app is not authority.app
            or (found.cut_ms and found.cut_ms + CONNECTION_STATE_TTL_MS < self._now_ms())
        ):
            why = refused(CONNECTION_KEY_INVALID, "the connection cannot be resumed; a new one is")
            return self._fresh(authority, form), why
        if found.authority.client_id != authority.client_id:
            raise refused(INCOMPATIBLE_CREDENTIALS, "the connection is another client's")
        self.supersede(found)
        if resume_key == found.key:
            found.former_key, found.key = found.key, self._new_key(found.id)
        found.authority = authority
        found.form = form
        found.cut_ms = 0
        found.reauthorize_asked = False
        return found, None

    def _fresh(self, authority: Authority, form: Format) -> Connection:
        if len(self._by_id) >= CONNECTIONS_MAX:
            raise refused(SYSTEM_BUSY, f"{CONNECTIONS_MAX} connections are open")
        authority.app.limits.connection_opened(len(self._by_id), self._now_ms())
        authority.app.stats.opened("connections.all")
        connection_id = self._random_text(ID_BYTES).replace("-", "x")
        made = Connection(connection_id, self._new_key(connection_id), authority, form)
        made.is_limited = authority.app.limits.connection_outbound > 0
        self._by_id[connection_id] = made
        return made

    def _new_key(self, connection_id: str) -> str:
        return key_of(connection_id, self._random_text(SECRET_BYTES))

    def supersede(self, connection: Connection) -> None:
        """Close the socket that a connection still has, as a newer one takes over."""
        socket, connection.socket = connection.socket, None
        connection.let_go(self._now_ms())
        if socket is not None:
            socket.close()

    def cut(self, connection: Connection) -> None:
        """Note that the socket is gone; the state is kept for a while."""
        connection.socket = None
        connection.cut_ms = self._now_ms()
        connection.let_go(connection.cut_ms)

    def end(self, connection: Connection) -> None:
        """Forget a connection for good; who was present over it leaves."""
        now_ms = self._now_ms()
        connection.let_go(now_ms)
        connection.leave_presence(now_ms)
        if self._by_id.pop(connection.id, None) is not None:
            self.on_end(connection)

    def of_key(self, key: str, app: App) -> str | None:
        """Return the id of the connection that has this key within the app."""
        found = self._by_id.get(id_in_key(key))
        if found is None or found.authority.app is not app:
            return None
        return found.id if found.has_key(key) else None

    def forget(self, now_ms: int) -> None:
        """Drop connections that were cut too long ago."""
        for connection in self.all():
            if connection.socket is not None:
                continue
            if connection.entered and connection.cut_ms + connection.presence_lost_ms < now_ms:
                connection.leave_presence(now_ms)
            if connection.cut_ms + CONNECTION_STATE_TTL_MS < now_ms:
                self.end(connection)
