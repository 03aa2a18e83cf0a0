"""REST of channels themselves: the status of one, and which there are."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.http import answer, authority_of, guarded, paged
from deploy.edge.meta import is_meta
from deploy.edge.occupancy import details
from deploy.edge.refusals import CAPABILITY_REFUSED, INVALID_PARAMETER, refused

__all__ = ["ROUTES"]

BY: Final = ("id", "value")


async def _status(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("channel-metadata", name)
    return answer(request, details(authority.app.channel(name)))


async def _enumerate(request: Request) -> Response:
    authority = authority_of(request)
    if not authority.capability.allows_anywhere("channel-metadata"):
        raise refused(CAPABILITY_REFUSED, "the credentials do not allow channel-metadata")
    by = request.query_params.get("by") or "value"
    if by not in BY:
        raise refused(INVALID_PARAMETER, "by is id or value")
    prefix = request.query_params.get("prefix", "")
    channels = authority.app.channels
    names = sorted(
        name
        for name in channels
        if name.startswith(prefix)
        and not is_meta(name)
        and authority.capability.allows("channel-metadata", name)
    )
    page, links = paged(request, names, str)
    shown: list[Any] = page if by == "id" else [details(channels[name]) for name in page]
    return answer(request, shown, headers=links)


ROUTES = [
    Route("/channels", guarded(_enumerate), methods=["GET"]),
    Route("/channels/{channel}", guarded(_status), methods=["GET"]),
]
