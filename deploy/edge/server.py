"""The edge as one server: REST, WebSockets and pages on one port, and what must happen in time."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from deploy.edge import guest, rest_auth, rest_messages, rest_push
from deploy.edge.app import App, Apps, Namespace
from deploy.edge.auth import authenticate
from deploy.edge.bounds import (
    HEARTBEAT_INTERVAL_S,
    HISTORY_ALL_BYTES_MAX,
    SILENCE_MAX_S,
)
from deploy.edge.connection import HEARTBEAT, Connection, Connections
from deploy.edge.dispatch import Dispatch
from deploy.edge.http import EXPOSED, error_answer
from deploy.edge.keys import EdgeKeys
from deploy.edge.publishing import Publishing, Rule
from deploy.edge.push_sink import PushSink
from deploy.edge.refusals import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    TOKEN_EXPIRED,
    refused,
)
from deploy.edge.rest_auth import Nonces
from deploy.edge.websocket import EdgeSocket
from deploy.edge.wire import Action, Format, Frame, Protocol
from pipelines.ports import Clock

__all__ = ["Edge", "make_server"]

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0
FORGET_INTERVAL_S: Final = 5.0
REAUTHORIZE_BEFORE_MS: Final = 30_000
SHUTDOWN_S: Final = 2


class Edge:
    """All state of a running edge; used from one event loop."""

    def __init__(
        self,
        keys: EdgeKeys,
        namespaces: Sequence[Namespace],
        clock: Clock,
        random_text: Callable[[int], str],
        loop: asyncio.AbstractEventLoop,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.clock = clock
        self.random_text = random_text
        self.loop = loop
        self.app = App(keys.app_id, keys.keys, namespaces, random_text)
        self.backend_key = keys.keys[0]
        self.apps = Apps()
        self.apps.add(self.app)
        self.nonces = Nonces()
        self.pushes = PushSink(clock.time_ms)
        self.sockets: set[EdgeSocket] = set()
        self.connections = Connections(clock.time_ms, random_text)
        self.publishing = Publishing(clock.time_ms, random_text, rules)
        self.dispatch = Dispatch(self.apps, self.connections, self.publishing, clock.time_ms)

    def greet(
        self,
        socket: EdgeSocket,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        form: Format,
    ) -> Connection:
        """Prove a new socket and connect or resume it. Raises EdgeError."""
        authority = authenticate(self.apps, headers, query, self.clock.time_ms())
        resume_key = query.get("resume") or query.get("recover") or ""
        connection, why_fresh = self.connections.open(authority, form, resume_key)
        connection.echo = query.get("echo") != "false"
        connection.socket = socket
        connection.send_own(connection.connected(why_fresh))
        return connection

    async def keep_time(self) -> None:
        """Run for as long as the edge does: heartbeats, expiry, and what is to be forgotten."""
        beat_s = forget_s = self.clock.monotonic_s()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self.clock.monotonic_s()
            try:
                self._expire(self.clock.time_ms())
                if now_s - beat_s >= HEARTBEAT_INTERVAL_S:
                    beat_s = now_s
                    self._beat(now_s)
                if now_s - forget_s >= FORGET_INTERVAL_S:
                    forget_s = now_s
                    self._forget(self.clock.time_ms())
            except Exception:
                logger.exception("a round of upkeep failed; the next one follows")

    def _expire(self, now_ms: int) -> None:
        for socket in list(self.sockets):
            connection = socket.connection
            if connection is None or not connection.authority.expires_ms:
                continue
            left_ms = connection.authority.expires_ms - now_ms
            if left_ms <= 0:
                socket.fail(refused(TOKEN_EXPIRED, "the token has expired"))
            elif left_ms <= REAUTHORIZE_BEFORE_MS and not connection.reauthorize_asked:
                connection.reauthorize_asked = True
                connection.send(REAUTHORIZE)

    def _beat(self, now_s: float) -> None:
        for socket in list(self.sockets):
            if now_s - socket.heard_s > SILENCE_MAX_S:
                socket.abort()
                continue
            if socket.connection is not None:
                socket.connection.send(HEARTBEAT)
                socket.ping()

    def _forget(self, now_ms: int) -> None:
        self.connections.forget(now_ms)
        for app in self.apps.all():
            app.forget(now_ms)
        channels = [channel for app in self.apps.all() for channel in app.channels.values()]
        excess = sum(channel.history.bytes for channel in channels) - HISTORY_ALL_BYTES_MAX
        for channel in sorted(channels, key=lambda one: one.last_used_ms):
            if excess <= 0:
                break
            excess -= channel.history.bytes
            channel.history.expire(now_ms)


REAUTHORIZE: Final = Frame(Protocol(action=Action.AUTH))


async def _not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 405:
        return error_answer(request, refused(METHOD_NOT_ALLOWED, "this path has no such method"))
    return error_answer(
        request, refused(NOT_FOUND, f"there is nothing at {request.url.path[:200]!r}")
    )


async def _broken(request: Request, error: Exception) -> Response:
    return error_answer(request, refused(INTERNAL, "the edge failed on this request"))


def make_application(edge: Edge, with_guests: bool) -> Starlette:
    """Return the HTTP side of the edge."""
    routes = [*rest_messages.ROUTES, *rest_auth.ROUTES, *rest_push.ROUTES, *guest.PAGE_ROUTES]
    if with_guests:
        routes += guest.GUEST_ROUTES
    application = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _not_found, Exception: _broken},
        middleware=[Middleware(RestCors)],
    )
    application.state.edge = edge
    return application


class RestCors:
    """Lets pages of any origin use the REST interface with credentials of their own.

    Not the guests' paths: a page elsewhere must not get a token from a browser on this machine.
    """

    def __init__(self, app: Any) -> None:
        self._plain = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[name.strip() for name in EXPOSED.split(",")],
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_guest = str(scope.get("path", "")).startswith("/overround/")
        await (self._plain if is_guest else self._open)(scope, receive, send)


def make_server(
    edge: Edge, host: str, port: int, with_guests: bool, tls: tuple[str, str] | None = None
) -> uvicorn.Server:
    """Return uvicorn's server of the edge, not yet started."""
    socket_class = type("BoundEdgeSocket", (EdgeSocket,), {"edge": edge})
    config = uvicorn.Config(
        make_application(edge, with_guests),
        host=host,
        port=port,
        ws=socket_class,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=75,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    return uvicorn.Server(config)
