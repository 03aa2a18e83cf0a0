"""One WebSocket: bytes of a client to protocol messages and back, under uvicorn's HTTP server.

Frames are written as they are, already encoded and shared by all who get them. A client that
does not read fast enough is dropped when a bound is reached, and gets what it missed when it
resumes.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ProtocolError
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from deploy.edge.bounds import FRAME_BYTES_MAX, OUTGOING_BYTES_MAX, REPLAY_BYTES_MAX
from deploy.edge.connection import Connection
from deploy.edge.refusals import GOING_AWAY, INTERNAL, TOKEN_ERRORS, refused
from deploy.edge.wire import Action, ErrorInfo, Format, Frame, Protocol, decode_protocol
from pipelines.errors import EdgeError

if TYPE_CHECKING:
    from deploy.edge.server import Edge

__all__ = ["EdgeSocket"]

logger = logging.getLogger(__name__)

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001


class EdgeSocket(asyncio.Protocol):
    """One client's socket. Uvicorn makes it when a request asks for an upgrade, on any path."""

    edge: "Edge"  # set on a subclass, as uvicorn makes instances by itself

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self._others: set[Any] = server_state.connections
        self._wire = ServerProtocol(max_size=FRAME_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self.connection: Connection | None = None
        self._form = Format.JSON
        self._parts: list[bytes] = []
        self.heard_s = 0.0
        self._has_room = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of no such class
        self._transport.set_write_buffer_limits(high=OUTGOING_BYTES_MAX)
        # Straight to the transport while there is one: this is asked for each delivery.
        self.send_bytes = self._transport.write  # type: ignore[method-assign,assignment]
        self._others.add(self)
        self.edge.sockets.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self)
        self.edge.sockets.discard(self)
        self._transport = None
        self.__dict__.pop("send_bytes", None)
        connection, self.connection = self.connection, None
        if connection is not None and connection.socket is self:
            self.edge.connections.cut(connection)

    def pause_writing(self) -> None:
        """Drop the client: what waits for it has reached the bound."""
        if self.connection is not None:
            logger.info("slow consumer dropped connection=%s", self.connection.id)
        self.abort()

    def data_received(self, data: bytes) -> None:
        self.heard_s = self.edge.clock.monotonic_s()
        wire = self._wire
        wire.receive_data(data)
        for event in wire.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, WireFrame):
                self._frame(event)
        if wire.parser_exc is not None and not isinstance(
            wire.parser_exc, EOFError | ProtocolError
        ):
            logger.debug("socket ended by a bad frame error=%s", type(wire.parser_exc).__name__)
        self._flush()

    def eof_received(self) -> bool:
        self._wire.receive_eof()
        self._flush()
        return False

    def _flush(self) -> None:
        """Send what the WebSocket layer itself has to say: handshake, pong, close."""
        transport = self._transport
        if transport is None:
            return
        for part in self._wire.data_to_send():
            if part:
                transport.write(part)
            else:
                transport.close()
                return
        if self._wire.close_expected():
            transport.close()

    def _open(self, request: Request) -> None:
        response = self._wire.accept(request)
        self._wire.send_response(response)
        self._flush()
        if response.status_code != 101:
            return
        query = dict(parse_qsl(urlsplit(request.path).query))
        self._form = Format.MSGPACK if query.get("format") == "msgpack" else Format.JSON
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        try:
            self.connection = self.edge.greet(self, headers, query, self._form)
        except EdgeError as error:
            self._fail(error)

    def _frame(self, frame: WireFrame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if sum(map(len, self._parts)) > FRAME_BYTES_MAX:
                self._fail(refused(40009, "the message is too large"))
            elif frame.fin:
                raw, self._parts = b"".join(self._parts), []
                self._message(raw)

    def _message(self, raw: bytes) -> None:
        connection = self.connection
        if connection is None or connection.socket is not self:
            return  # closed by the edge; what still comes in is not heard
        try:
            self.edge.dispatch.handle(connection, decode_protocol(raw, self._form))
        except EdgeError as error:
            self._fail(error)
        except Exception:
            logger.exception("a protocol message broke its handler connection=%s", connection.id)
            self._fail(refused(INTERNAL, "the edge failed on this message"))

    def _fail(self, error: EdgeError) -> None:
        """End the connection with the reason; a token's fault can be mended by the client."""
        connection, self.connection = self.connection, None
        mendable = connection is not None and error.code in TOKEN_ERRORS
        action = Action.DISCONNECTED if mendable else Action.ERROR
        self.send_bytes(Frame(Protocol(action=action, error=ErrorInfo.of(error))).wire(self._form))
        if connection is not None and connection.socket is self:
            if mendable:
                self.edge.connections.cut(connection)
            else:
                self.edge.connections.end(connection)
        self.close()

    def fail(self, error: EdgeError) -> None:
        """End the connection from outside, as when its token has expired."""
        self._fail(error)

    def send_bytes(self, wire: bytes) -> None:
        transport = self._transport
        if transport is not None:
            transport.write(wire)

    def make_room(self, size: int) -> None:
        """Let so many bytes more wait: what a client missed comes all at once, and is no fault."""
        transport = self._transport
        if transport is not None:
            waiting = transport.get_write_buffer_size()
            room = min(waiting + size, REPLAY_BYTES_MAX)
            self._has_room = True
            transport.set_write_buffer_limits(high=OUTGOING_BYTES_MAX + room)

    def _take_room(self) -> None:
        """Go back to the usual bound when what was missed has been sent."""
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() < OUTGOING_BYTES_MAX // 2:
            self._has_room = False
            transport.set_write_buffer_limits(high=OUTGOING_BYTES_MAX)

    def ping(self) -> None:
        """Ask for a sign of life; answered below the client's protocol."""
        if self._has_room:
            self._take_room()
        if self._transport is not None and self.connection is not None:
            self._wire.send_ping(b"")
            self._flush()

    def close(self, code: int = CLOSE_NORMAL) -> None:
        """Send what waits and a close frame; the socket ends when the client answers, or soon."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._wire.state.name == "OPEN":
            self._wire.send_close(code)
        self._flush()
        self.edge.loop.call_later(1.0, self.abort)

    def abort(self) -> None:
        """Cut the socket at once."""
        if self._transport is not None:
            self._transport.abort()

    def shutdown(self) -> None:
        """End as the whole edge ends; the client reconnects when there is one again."""
        # With a reason: ably-python does not reconnect after a DISCONNECTED without one.
        why = ErrorInfo.of(refused(GOING_AWAY, "the edge is stopping; connect again"))
        gone = Frame(Protocol(action=Action.DISCONNECTED, error=why))
        self.send_bytes(gone.wire(self._form))
        self.close(CLOSE_GOING_AWAY)
