"""REST of presence: who is there, and who came and went."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.http import (
    answer,
    authority_of,
    guarded,
    number_of,
    paged,
    wanted_format,
)
from deploy.edge.refusals import INVALID_PARAMETER, refused
from deploy.edge.rest_messages import is_forwards
from deploy.edge.wire import shown

__all__ = ["ROUTES"]


async def _members(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("presence", name)
    channel = authority.app.channels.get(name)
    client_id = request.query_params.get("clientId")
    connection_id = request.query_params.get("connectionId")
    members = [
        one
        for one in (channel.presence.present() if channel is not None else ())
        if client_id in (None, one.client_id) and connection_id in (None, one.connection_id)
    ]
    page, links = paged(request, members, lambda one: one.id or "")
    form = wanted_format(request)
    return answer(request, [shown(one, form) for one in page], headers=links)


async def _history(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("history", name)
    forwards = is_forwards(request)
    start, end = number_of(request, "start", 0), number_of(request, "end", 2**53)
    if start > end:
        raise refused(INVALID_PARAMETER, "start is after end")
    channel = authority.app.channels.get(name)
    kept = list(channel.presence.history) if channel is not None else []
    until = request.query_params.get("from_serial") or request.query_params.get("fromSerial") or ""
    found = [
        (key, one)
        for key, one in kept
        if start <= (one.timestamp or 0) <= end and not (until and key[: len(until)] > until)
    ]
    page, links = paged(request, found if forwards else found[::-1], lambda pair: pair[0])
    form = wanted_format(request)
    return answer(request, [shown(one, form) for _, one in page], headers=links)


ROUTES = [
    Route("/channels/{channel}/presence", guarded(_members), methods=["GET"]),
    Route("/channels/{channel}/presence/history", guarded(_history), methods=["GET"]),
]
