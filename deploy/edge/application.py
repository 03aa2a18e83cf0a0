"""The edge's port: REST, pages and WebSockets under one uvicorn server."""

from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from deploy.edge import (
    guest,
    rest_auth,
    rest_batch,
    rest_changes,
    rest_channels,
    rest_comet,
    rest_devices,
    rest_messages,
    rest_presence,
    rest_push,
    rest_stats,
    rest_web_push,
    sandbox,
)
from deploy.edge.http import EXPOSED, error_answer
from deploy.edge.paths import by_segment
from deploy.edge.refusals import INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND, refused
from deploy.edge.server import Edge
from deploy.edge.websocket import EdgeSocket

__all__ = ["make_application", "make_server"]

SHUTDOWN_S = 2


async def _not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == 405:
        return error_answer(request, refused(METHOD_NOT_ALLOWED, "this path has no such method"))
    return error_answer(
        request, refused(NOT_FOUND, f"there is nothing at {request.url.path[:200]!r}")
    )


async def _broken(request: Request, error: Exception) -> Response:
    return error_answer(request, refused(INTERNAL, "the edge failed on this request"))


def make_application(edge: Edge, with_guests: bool, with_sandbox: bool = False) -> Starlette:
    """Return the HTTP side of the edge."""
    routes: list[BaseRoute] = [
        *rest_messages.ROUTES,
        *rest_changes.ROUTES,
        *rest_presence.ROUTES,
        *rest_channels.ROUTES,
        *rest_batch.ROUTES,
        *rest_auth.ROUTES,
        *rest_stats.ROUTES,
        *rest_push.ROUTES,
        *rest_devices.ROUTES,
        *rest_comet.ROUTES,
        *rest_web_push.ROUTES,
        *guest.PAGE_ROUTES,
    ]
    if with_sandbox:
        routes += sandbox.ROUTES
    if with_guests:
        routes += [*guest.GUEST_ROUTES, *rest_web_push.SERVICE_ROUTES]
    application = Starlette(
        routes=by_segment(routes),
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
            allow_credentials=True,  # SDKs in browsers send a key or token as credentials
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[name.strip() for name in EXPOSED.split(",")],
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_guest = str(scope.get("path", "")).startswith("/overround/")
        await (self._plain if is_guest else self._open)(scope, receive, send)


def make_server(
    edge: Edge,
    host: str,
    port: int,
    with_guests: bool,
    tls: tuple[str, str] | None = None,
    with_sandbox: bool = False,
) -> uvicorn.Server:
    """Return uvicorn's server of the edge, not yet started."""
    edge.is_tls = tls is not None
    for app in edge.apps.all():
        app.is_tls = edge.is_tls
    socket_class = type("BoundEdgeSocket", (EdgeSocket,), {"edge": edge})
    config = uvicorn.Config(
        make_application(edge, with_guests, with_sandbox),
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
