"""What all REST handlers share: reading requests, answering in the client's format, paging."""

import html
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from deploy.edge.auth import Authority, authenticate
from deploy.edge.bounds import BODY_BYTES_MAX, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from deploy.edge.refusals import HELP_URL, INTERNAL, INVALID_PARAMETER, TOO_LARGE, refused
from deploy.edge.wire import ErrorInfo, Format, decode_value, encode_value
from pipelines.errors import EdgeError

if TYPE_CHECKING:
    from deploy.edge.server import Edge

__all__ = [
    "Handler",
    "answer",
    "authority_of",
    "body_of",
    "edge_of",
    "empty",
    "error_answer",
    "page_limit",
    "paged",
]

Handler = Callable[[Request], Awaitable[Response]]
Item = TypeVar("Item")

MSGPACK: Final = "application/x-msgpack"
JSON: Final = "application/json"
#: An answer may come wrapped, with its status and headers, for who cannot read those.
ENVELOPES: Final = {"json": Format.JSON, "msgpack": Format.MSGPACK}
EXPOSED: Final = "Link, X-Ably-Errorcode, X-Ably-Errormessage, X-Ably-Version"


def edge_of(request: Request) -> "Edge":
    """Return the edge that serves the request."""
    edge: Edge = request.app.state.edge
    return edge


def authority_of(request: Request) -> Authority:
    """Return who asks. Raises EdgeError."""
    edge = edge_of(request)
    now_ms = edge.clock.time_ms()
    authority = authenticate(edge.apps, request.headers, request.query_params, now_ms)
    request.state.app = authority.app
    authority.app.limits.requested(now_ms)
    return authority


def wanted_format(request: Request) -> Format:
    """Return the format of the answer: its envelope's, what Accept says, or the parameter's."""
    envelope = request.query_params.get("envelope")
    if envelope in ENVELOPES:
        return ENVELOPES[envelope]
    accept = request.headers.get("accept", "")
    if MSGPACK in accept:
        return Format.MSGPACK
    if JSON not in accept and request.query_params.get("format") == "msgpack":
        return Format.MSGPACK
    return Format.JSON


async def body_of(request: Request) -> Any:
    """Read the body in its format. Raises EdgeError."""
    raw = await raw_body(request)
    content_type = request.headers.get("content-type", JSON)
    return decode_value(raw, Format.MSGPACK if MSGPACK in content_type else Format.JSON)


async def raw_body(request: Request) -> bytes:
    """Read the body, no more than the bound. Raises EdgeError."""
    parts = bytearray()
    try:
        async for part in request.stream():
            parts += part
            if len(parts) > BODY_BYTES_MAX:
                raise refused(TOO_LARGE, f"at most {BODY_BYTES_MAX} bytes a request")
    except ClientDisconnect as error:
        raise refused(INVALID_PARAMETER, "the body ended early") from error
    return bytes(parts)


def answer(
    request: Request, value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the value in the client's format."""
    form = wanted_format(request)
    sent = dict(headers or {})
    if request.query_params.get("envelope") in ENVELOPES:
        value = {"statusCode": status, "response": value, "headers": sent}
        status = 200
    elif _wants_html(request):
        return HTMLResponse(_page(request, encode_value(value, Format.JSON)), status, sent)
    return Response(
        encode_value(value, form),
        status,
        sent,
        media_type=MSGPACK if form is Format.MSGPACK else JSON,
    )


def empty(request: Request) -> Response:
    """Return the answer without a body."""
    if request.query_params.get("envelope") in ENVELOPES:
        return answer(request, None, 204)
    return Response(status_code=204)


def _wants_html(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    if request.query_params.get("format"):
        return False
    return "text/html" in accept and JSON not in accept and MSGPACK not in accept


def _page(request: Request, raw: bytes) -> str:
    """Return an answer for somebody who looks at it in a browser."""
    title = html.escape(request.url.path)
    text = html.escape(msgspec.json.format(raw, indent=2).decode())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1><pre>{text}</pre></html>"
    )


def error_answer(
    request: Request, error: EdgeError, parts: list[dict[str, Any]] | None = None
) -> Response:
    """Return the refusal with Ably's body and headers; `parts` are those of a batch."""
    info = ErrorInfo.of(error)
    headers = {
        "X-Ably-Errorcode": str(error.code),
        "X-Ably-Errormessage": error.message.encode("ascii", "replace").decode()[:256],
        "Link": f'<{HELP_URL}{error.code}>; rel="help"',
    }
    if error.status == 401:
        # Never `Basic`: a browser would ask its user for a name and a password, and keep them.
        headers["WWW-Authenticate"] = 'Bearer realm="Ably"'
    body: dict[str, Any] = {"error": msgspec.to_builtins(info)}
    if parts is not None:
        body["batchResponse"] = parts
    if "origin" in request.headers and wanted_format(request) is Format.MSGPACK:
        # The SDK for browsers reads a refusal in JSON alone, whatever it asked for.
        raw = encode_value(body, Format.JSON)
        return Response(raw, error.status or 500, headers, media_type=JSON)
    return answer(request, body, error.status or 500, headers)


def guarded(handler: Handler) -> Handler:
    """Return the handler with refusals turned into answers."""

    async def call(request: Request) -> Response:
        try:
            response = await handler(request)
        except EdgeError as error:
            response = error_answer(request, error)
        except RecursionError:
            response = error_answer(request, refused(INTERNAL, "the request is nested too deep"))
        app = getattr(request.state, "app", None)
        if app is not None:
            kind = "tokenRequests" if request.url.path.endswith("/requestToken") else "other"
            app.stats.request(kind, response.status_code < 400)
        return response

    return call


def paged(
    request: Request, items: Sequence[Item], key: Callable[[Item], str], clamp: bool = False
) -> tuple[list[Item], dict[str, str]]:
    """Return one page of ordered items and its links; `key` is what the next page goes on from.

    `clamp` takes a limit above the bound as the bound. Raises EdgeError.
    """
    limit = page_limit(request, clamp)
    cursor = request.query_params.get("cursor")
    start = 0
    if cursor is not None:
        keys = [key(item) for item in items]
        start = keys.index(cursor) + 1 if cursor in keys else len(items)
    page = list(items[start : start + limit])
    more = start + limit < len(items)
    return page, page_links(request, key(page[-1]) if more and page else None)


def page_limit(request: Request, clamp: bool = False) -> int:
    """Return the `limit` of a page. Raises EdgeError."""
    limit = number_of(request, "limit", PAGE_LIMIT_DEFAULT)
    if clamp:
        limit = min(limit, PAGE_LIMIT_MAX)
    if not 1 <= limit <= PAGE_LIMIT_MAX:
        raise refused(INVALID_PARAMETER, f"limit must be from 1 to {PAGE_LIMIT_MAX}")
    return limit


def number_of(request: Request, name: str, default: int) -> int:
    """Return a whole number among the parameters. Raises EdgeError."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise refused(INVALID_PARAMETER, f"{name} must be a whole number")
    return int(text)


def page_links(request: Request, cursor: str | None) -> dict[str, str]:
    """Return the Link header of a page; `cursor` leads to the next, None where this is the last."""
    last = request.url.path.rsplit("/", 1)[-1]
    given = [(k, v) for k, v in request.query_params.multi_items() if k not in SECRET_PARAMETERS]
    first = [(k, v) for k, v in given if k != "cursor"]

    def link(query: list[tuple[str, str]], relation: str) -> str:
        return f'<./{last}?{urlencode(query)}>; rel="{relation}"'

    links = [link(first, "first"), link(given, "current")]
    if cursor is not None:
        links.append(link([*first, ("cursor", cursor)], "next"))
    return {"Link": ", ".join(links)}


SECRET_PARAMETERS: Final = frozenset({"key", "access_token", "accessToken"})
