"""One connection over plain HTTP requests, for clients that get no WebSocket through.

The client asks for what there is (`recv`, held until there is something), and sends with
requests of their own. To the rest of the edge it is a socket like any other; its frames are
JSON, as SDKs support nothing else here.
"""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from deploy.edge.bounds import (
    COMET_GAP_MAX_S,
    COMET_LINGER_S,
    OUTGOING_BYTES_MAX,
    REPLAY_BYTES_MAX,
)
from deploy.edge.connection import Connection
from deploy.edge.connection_key import id_in_key
from deploy.edge.refusals import CONNECTION_KEY_INVALID, TOKEN_ERRORS, refused
from deploy.edge.wire import Action, ErrorInfo, Format, Frame, Protocol, payload_of
from pipelines.errors import EdgeError

if TYPE_CHECKING:
    from deploy.edge.server import Edge

__all__ = ["CometSocket", "CometSockets"]

logger = logging.getLogger(__name__)


class CometSocket:
    """Frames that wait for a client's next request; `connection` is None when it has ended."""

    def __init__(self, edge: "Edge") -> None:
        self._edge = edge
        self.connection: Connection | None = None
        #: Whose key the client's requests carry; kept when the connection has ended.
        self.holder: Connection | None = None
        self.heard_s = edge.clock.monotonic_s()
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._room = 0
        self._waiting: asyncio.Future[None] | None = None
        self.is_closing = False

    def send_bytes(self, wire: bytes) -> None:
        """Let a frame wait; a client that does not come for it is dropped at the bound."""
        frame = payload_of(wire)
        self._frames.append(frame)
        self._bytes += len(frame)
        if self._bytes > OUTGOING_BYTES_MAX + self._room:
            logger.info("slow consumer dropped over HTTP")
            self.abort()
        self._wake()

    def make_room(self, size: int) -> None:
        """Let so many bytes more wait for the client."""
        self._room = min(self._bytes + size, REPLAY_BYTES_MAX)

    def close(self) -> None:
        """Take nothing more; what waits is handed out for a little while yet."""
        if not self.is_closing:
            self.is_closing = True
            self._wake()
            self._edge.loop.call_later(COMET_LINGER_S, self._forget)

    def abort(self) -> None:
        """End at once; the connection can be resumed."""
        connection, self.connection = self.connection, None
        self.is_closing = True
        self._frames.clear()
        self._bytes = 0
        if connection is not None and connection.socket is self:
            self._edge.connections.cut(connection)
        self._wake()
        self._forget()

    def fail(self, error: EdgeError) -> None:
        """End the connection with the reason; a token's fault can be mended by the client."""
        connection, self.connection = self.connection, None
        is_mendable = connection is not None and error.code in TOKEN_ERRORS
        action = Action.DISCONNECTED if is_mendable else Action.ERROR
        message = Protocol(action=action, error=ErrorInfo.of(error))
        self.send_bytes(Frame(message).wire(Format.JSON))
        if connection is not None and connection.socket is self:
            if is_mendable:
                self._edge.connections.cut(connection)
            else:
                self._edge.connections.end(connection)
        self.close()

    def ping(self) -> None:
        """Drop a client that has stopped asking."""
        silent_s = self._edge.clock.monotonic_s() - self.heard_s
        if self._waiting is None and silent_s > COMET_GAP_MAX_S:
            self.abort()

    async def take(self, wait_s: float) -> bytes:
        """Return what waits as a JSON array, when there is something; `[]` after a while.

        A second request at a time ends the first one, with nothing.
        """
        self.heard_s = self._edge.clock.monotonic_s()
        self._wake()
        if not self._frames and not self.is_closing:
            waiting = self._waiting = self._edge.loop.create_future()
            try:
                await asyncio.wait_for(waiting, wait_s)
            except TimeoutError:
                pass
            finally:
                self.heard_s = self._edge.clock.monotonic_s()
                if self._waiting is waiting:
                    self._waiting = None
                elif self._waiting is not None:
                    return b"[]"
        found = b"[" + b",".join(self._frames) + b"]"
        self._frames.clear()
        self._bytes = self._room = 0
        return found

    def _wake(self) -> None:
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _forget(self) -> None:
        self._edge.sockets.discard(self)
        self._edge.comets.remove(self)


class CometSockets:
    """Sockets by connection id."""

    def __init__(self) -> None:
        self._by_id: dict[str, CometSocket] = {}

    def add(self, socket: CometSocket, connection: Connection) -> None:
        """Serve a connection's requests by this socket from now on."""
        socket.connection = socket.holder = connection
        self._by_id[connection.id] = socket

    def remove(self, socket: CometSocket) -> None:
        """Forget a socket; safe where it is not known, or followed by another."""
        name = socket.holder.id if socket.holder is not None else ""
        if self._by_id.get(name) is socket:
            del self._by_id[name]

    def of_key(self, key: str) -> CometSocket:
        """Return the socket of a connection key. Raises EdgeError."""
        found = self._by_id.get(id_in_key(key))
        if found is None or found.holder is None or not found.holder.has_key(key):
            raise refused(CONNECTION_KEY_INVALID, "there is no such connection; connect again")
        return found
