"""One connection of a client: it outlives its socket by two minutes, so that it can be resumed."""

import logging
from collections.abc import Callable
from typing import Final
from typing import Protocol as Port

from deploy.edge.acknowledgements import Acknowledgements
from deploy.edge.auth import Authority
from deploy.edge.bounds import (
    CONNECTION_STATE_TTL_MS,
    CONNECTIONS_MAX,
    FRAME_BYTES_MAX,
    IDLE_INTERVAL_MAX_MS,
    MESSAGE_BYTES_MAX,
)
from deploy.edge.channel import Channel
from deploy.edge.refusals import CONNECTION_KEY_INVALID, SYSTEM_BUSY, refused
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

    def close(self) -> None:
        """Send what waits, then close."""


class Connection:
    """State of a connection; `socket` is None while it is cut."""

    def __init__(self, connection_id: str, key: str, authority: Authority, form: Format) -> None:
        self.id = connection_id
        self.key = key
        self.authority = authority
        self.form = form
        self.echo = True
        self.socket: Socket | None = None
        self.cut_ms = 0
        self.channels: dict[str, Channel] = {}
        self.acknowledgements = Acknowledgements()
        self.reauthorize_asked = False

    def send(self, frame: Frame) -> None:
        """Send a shared frame; nothing where the socket is cut, the channel's history has it."""
        if self.socket is not None:
            self.socket.send_bytes(frame.wire(self.form))

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
                max_message_size=MESSAGE_BYTES_MAX,
                max_frame_size=FRAME_BYTES_MAX,
                connection_state_ttl=CONNECTION_STATE_TTL_MS,
                max_idle_interval=IDLE_INTERVAL_MAX_MS,
                server_id="overround-edge",
            ),
            error=ErrorInfo.of(error) if error is not None else None,
        )

    def let_go(self, now_ms: int) -> None:
        """Leave all channels; messages meanwhile are replayed when the client attaches again."""
        for channel in self.channels.values():
            channel.detach(self.id, now_ms)
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
        return modes


class Connections:
    """All connections by id, the cut ones included until they are too old."""

    def __init__(self, now_ms: Callable[[], int], random_text: Callable[[int], str]) -> None:
        self._now_ms = now_ms
        self._random_text = random_text
        self._by_id: dict[str, Connection] = {}

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
        found = self._by_id.get(resume_key.partition("!")[0])
        if (
            found is None
            or found.key != resume_key
            or found.authority.app is not authority.app
            or (found.cut_ms and found.cut_ms + CONNECTION_STATE_TTL_MS < self._now_ms())
        ):
            why = refused(CONNECTION_KEY_INVALID, "the connection cannot be resumed; a new one is")
            return self._fresh(authority, form), why
        if found.authority.client_id != authority.client_id:
            raise refused(CONNECTION_KEY_INVALID + 1, "the connection is another client's")
        self.supersede(found)
        found.authority = authority
        found.form = form
        found.reauthorize_asked = False
        return found, None

    def _fresh(self, authority: Authority, form: Format) -> Connection:
        if len(self._by_id) >= CONNECTIONS_MAX:
            raise refused(SYSTEM_BUSY, f"{CONNECTIONS_MAX} connections are open")
        connection_id = self._random_text(ID_BYTES)
        key = f"{connection_id}!{self._random_text(SECRET_BYTES)}"
        made = Connection(connection_id, key, authority, form)
        self._by_id[connection_id] = made
        return made

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
        """Forget a connection for good."""
        connection.let_go(self._now_ms())
        self._by_id.pop(connection.id, None)

    def forget(self, now_ms: int) -> None:
        """Drop connections that were cut too long ago."""
        for connection in self.all():
            if connection.socket is None and connection.cut_ms + CONNECTION_STATE_TTL_MS < now_ms:
                self.end(connection)
