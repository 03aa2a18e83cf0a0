"""REST of statistics: figures by minute, hour, day or month."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.http import answer, authority_of, guarded, paged
from deploy.edge.refusals import CAPABILITY_REFUSED, INVALID_PARAMETER, refused
from deploy.edge.rest_messages import is_forwards
from deploy.edge.stats import SCHEMA, UNITS, interval_id, interval_start

__all__ = ["ROUTES"]

FAR_MS = 253_370_764_800_000  # the year 9999


async def _stats(request: Request) -> Response:
    authority = authority_of(request)
    if not authority.capability.allows_anywhere("stats"):
        raise refused(CAPABILITY_REFUSED, "the credentials do not allow stats")
    unit = request.query_params.get("unit") or request.query_params.get("by") or "minute"
    if unit not in UNITS:
        raise refused(INVALID_PARAMETER, f"unit is one of {', '.join(UNITS)}")
    start = _moment(request, "start", 0)
    end = _moment(request, "end", FAR_MS)
    if start > end:
        raise refused(
            INVALID_PARAMETER, "'end' parameter has to be greater than or equal to 'start'"
        )
    forwards = is_forwards(request)
    app = authority.app
    found = app.stats.intervals(unit, interval_id(start, unit), interval_id(end, unit))
    names = list(found) if forwards else list(found)[::-1]
    page, links = paged(request, names, str)
    now_ms = app.now_ms()
    current, latest = interval_id(now_ms, unit), interval_id(now_ms, "minute")
    shown: list[dict[str, Any]] = []
    for name in page:
        entries = {key: _plain(value) for key, value in found[name].items()}
        one = {"intervalId": name, "unit": unit, "schema": SCHEMA, "appId": app.id}
        progress = {"inProgress": latest} if name == current else {}
        shown.append({**one, **progress, "entries": entries})
    return answer(request, shown, headers=links)


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _moment(request: Request, name: str, default_ms: int) -> int:
    """Return a parameter as milliseconds; it may also be an interval's name. Raises EdgeError."""
    text = request.query_params.get(name)
    if not text:
        return default_ms
    if text.isascii() and text.isdigit() and len(text) <= 16:
        return min(int(text), FAR_MS)
    return int(interval_start(text).timestamp() * 1000)


ROUTES = [Route("/stats", guarded(_stats), methods=["GET"])]
