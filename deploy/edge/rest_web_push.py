"""The local push service over HTTP: subscribe, push, fetch what came; for pages served here."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from deploy.edge.guest import check_local
from deploy.edge.http import answer, authority_of, body_of, edge_of, guarded, number_of, raw_body
from deploy.edge.refusals import BAD_REQUEST, refused
from deploy.edge.web_push import PATH

__all__ = ["ROUTES", "SERVICE_ROUTES"]

NO_STORE: Final = {"Cache-Control": "no-store"}


async def _public_key(request: Request) -> Response:
    """Tell the key that an app's pushes are signed with, as plain text (RSH8a)."""
    return PlainTextResponse(authority_of(request).app.vapid.public)


async def _subscribe(request: Request) -> Response:
    check_local(request)
    body = await body_of(request)
    key = body.get("applicationServerKey") if isinstance(body, dict) else None
    if not isinstance(key, str):
        raise refused(BAD_REQUEST, "a subscription needs an applicationServerKey")
    origin = f"{request.url.scheme}://{request.url.netloc}"
    made = edge_of(request).web_pushes.subscribe(key, origin)
    return answer(request, made, 201, headers=NO_STORE)


async def _push(request: Request) -> Response:
    check_local(request)
    name = request.path_params["name"]
    edge_of(request).web_pushes.take(name, request.headers, await raw_body(request))
    return Response(status_code=201, headers={"Location": f"{PATH}/{name}"})


async def _waiting(request: Request) -> Response:
    check_local(request)
    name, after = request.path_params["name"], number_of(request, "after", 0)
    found = edge_of(request).web_pushes.waiting(name, after)
    return answer(request, found, headers=NO_STORE)


async def _unsubscribe(request: Request) -> Response:
    check_local(request)
    edge_of(request).web_pushes.unsubscribe(request.path_params["name"])
    return Response(status_code=204)


ROUTES: Final[list[BaseRoute]] = [
    Route("/push/publicVapidKey", guarded(_public_key), methods=["GET"]),
]
SERVICE_ROUTES: Final[list[BaseRoute]] = [
    Route(PATH, guarded(_subscribe), methods=["POST"]),
    Route(f"{PATH}/{{name}}", guarded(_push), methods=["POST"]),
    Route(f"{PATH}/{{name}}", guarded(_waiting), methods=["GET"]),
    Route(f"{PATH}/{{name}}", guarded(_unsubscribe), methods=["DELETE"]),
]
