"""All state of a running edge: apps, connections and sockets, and what must happen in time."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from deploy.edge.app import App, Apps
from deploy.edge.auth import authenticate
from deploy.edge.bounds import (
    CONNECTION_STATE_TTL_MS,
    HEARTBEAT_INTERVAL_S,
    HISTORY_ALL_BYTES_MAX,
    SILENCE_MAX_S,
)
from deploy.edge.comet import CometSocket, CometSockets
from deploy.edge.connection import HEARTBEAT, Connection, Connections
from deploy.edge.dispatch import Dispatch
from deploy.edge.keys import EdgeKeys, Key
from deploy.edge.limits import Limits
from deploy.edge.memory import give_way
from deploy.edge.meta import MetaChannels
from deploy.edge.namespace import Namespace
from deploy.edge.occupancy import tell_occupancy
from deploy.edge.publishing import Publishing, Rule
from deploy.edge.push_delivery import PushDelivery
from deploy.edge.push_sink import PushSink
from deploy.edge.refusals import (
    INVALID_CREDENTIALS,
    NOT_FOUND,
    TOKEN_EXPIRED,
    refused,
)
from deploy.edge.rest_auth import Nonces
from deploy.edge.store import SqliteStore
from deploy.edge.web_push import WebPushService
from deploy.edge.websocket import EdgeSocket
from deploy.edge.wire import Action, Format, Frame, Protocol
from pipelines.errors import EdgeError
from pipelines.ports import Clock

__all__ = ["Edge"]

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0
FORGET_INTERVAL_S: Final = 5.0
REAUTHORIZE_BEFORE_MS: Final = 30_000


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
        new_limits: Callable[[], Limits] = Limits.none,
    ) -> None:
        self.clock = clock
        self.random_text = random_text
        self.loop = loop
        self.new_limits = new_limits
        self.store: SqliteStore | None = None
        self.is_tls = False
        self.apps = Apps()
        self.meta: dict[str, MetaChannels] = {}
        self.app = self.add_app(keys.app_id, keys.keys, namespaces)
        self.backend_key = keys.keys[0]
        self.nonces = Nonces()
        self.pushes = PushSink(clock.time_ms)
        self.web_pushes = WebPushService(clock.time_ms)
        self.sockets: set[EdgeSocket | CometSocket] = set()
        self.comets = CometSockets()
        self.connections = Connections(clock.time_ms, random_text)
        self.connections.on_end = lambda connection: self._say(connection, "connection.closed")
        self.publishing = Publishing(clock.time_ms, random_text, rules)
        self.publishing.connection_of_key = self.connections.of_key
        self.push_delivery = PushDelivery(
            self.apps,
            self.pushes,
            self.web_pushes,
            self.publishing,
            lambda app: self.meta[app.id],
            clock.time_ms,
        )
        self.dispatch = Dispatch(self.apps, self.connections, self.publishing, clock.time_ms, loop)

    def add_app(self, app_id: str, keys: Sequence[Key], namespaces: Sequence[Namespace]) -> App:
        """Serve one more app."""
        app = App(app_id, keys, namespaces, self.random_text, self.clock.time_ms, self.new_limits())
        app.is_tls = self.is_tls
        app.store = self.store
        self.meta[app_id] = MetaChannels(app)
        self.apps.add(app)
        return app

    def remove_app(self, app: App) -> None:
        """Serve an app no more; its connections end."""
        self.apps.remove(app.id)
        self.meta.pop(app.id, None)
        for socket in list(self.sockets):
            if socket.connection is not None and socket.connection.authority.app is app:
                socket.fail(refused(NOT_FOUND, "the app was deleted"))

    def enforce_revocations(self, app: App) -> None:
        """End connections whose token is revoked now; ask those for another that soon will be."""
        if not len(app.revocations):
            return
        now_ms = self.clock.time_ms()
        for socket in list(self.sockets):
            connection = socket.connection
            claims = connection.authority.claims if connection is not None else None
            if connection is None or claims is None or connection.authority.app is not app:
                continue
            try:
                app.revocations.check(claims, now_ms)
            except EdgeError as error:
                socket.fail(error)
                continue
            if app.revocations.concerns(claims) and not connection.reauthorize_asked:
                connection.reauthorize_asked = True
                connection.send(REAUTHORIZE)

    def greet(
        self,
        socket: EdgeSocket | CometSocket,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        form: Format,
    ) -> Connection:
        """Prove a new socket and connect or resume it. Raises EdgeError."""
        now_ms = self.clock.time_ms()
        authority = authenticate(self.apps, headers, query, now_ms, INVALID_CREDENTIALS)
        resume_key = query.get("resume") or query.get("recover") or ""
        connection, why_fresh = self.connections.open(authority, form, resume_key)
        connection.echo = query.get("echo") != "false"
        remain = query.get("remainPresentFor", "")
        if remain.isascii() and remain.isdigit():
            connection.presence_lost_ms = min(int(remain[:9]), CONNECTION_STATE_TTL_MS)
        connection.socket = socket
        connection.send_own(connection.connected(why_fresh))
        self._say(connection, "connection.opened")
        return connection

    def _say(self, connection: Connection, name: str) -> None:
        """Tell of a connection on its app's meta channel."""
        meta = self.meta.get(connection.authority.app.id)
        if meta is not None:
            client_id = connection.authority.client_id
            meta.connection_event(name, {"connectionId": connection.id, "clientId": client_id})

    def keep_in(self, store: SqliteStore) -> None:
        """Keep persisted channels and the app's statistics in a file from now on."""
        self.store = store
        self.app.store = store
        store.load_stats(self.app.id, self.app.stats)
        store.load_revocations(self.app.id, self.app.revocations)

    async def keep_time(self) -> None:
        """Run for as long as the edge does: heartbeats, expiry, and what is to be forgotten."""
        beat_s = forget_s = self.clock.monotonic_s()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = self.clock.monotonic_s()
            try:
                self._expire(self.clock.time_ms())
                self._tell(self.clock.time_ms())
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
                claims = connection.authority.claims
                life_ms = connection.authority.expires_ms - (claims.issued_ms if claims else 0)
                if life_ms > REAUTHORIZE_BEFORE_MS:  # else it would be asked for without end
                    connection.send(REAUTHORIZE)

    def _tell(self, now_ms: int) -> None:
        """Tell occupancy that has changed, and messages that a limit kept back."""
        for app in self.apps.all():
            self.enforce_revocations(app)
            for channel in list(app.channels.values()):
                if tell_occupancy(channel, now_ms):
                    for observer in app.occupancy_observers:
                        observer(app, channel)
        self.connections.forget(now_ms)
        for connection in self.connections.all():
            if connection.muted:
                connection.tell_gaps()

    def _beat(self, now_s: float) -> None:
        for socket in list(self.sockets):
            if now_s - socket.heard_s > SILENCE_MAX_S:
                socket.abort()
                continue
            if socket.connection is not None:
                socket.connection.send(HEARTBEAT)
                socket.ping()

    def _forget(self, now_ms: int) -> None:
        for app in self.apps.all():
            app.forget(now_ms)
            held = sum(one.authority.app is app for one in self.connections.all())
            app.stats.level("connections.all", held)
            self.meta[app.id].tell_statistics()
        if self.store is not None:
            self.store.save_stats(self.app.id, self.app.stats)
            self.store.forget(now_ms)
        channels = (channel for app in self.apps.all() for channel in app.channels.values())
        give_way(channels, HISTORY_ALL_BYTES_MAX, now_ms)


REAUTHORIZE: Final = Frame(Protocol(action=Action.AUTH))
