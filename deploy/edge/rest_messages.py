"""REST of messages: publish to one channel or many, history, channel status."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import Authority
from deploy.edge.bounds import MESSAGES_PER_PUBLISH_MAX
from deploy.edge.channel import Done, Published
from deploy.edge.http import (
    JSON,
    answer,
    authority_of,
    body_of,
    edge_of,
    guarded,
    number_of,
    page_limit,
    page_links,
    raw_body,
    wanted_format,
)
from deploy.edge.refusals import (
    ARTIFICIAL,
    BAD_REQUEST,
    INVALID_PARAMETER,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import Message, convert_message, shown
from pipelines.errors import EdgeError

__all__ = ["ROUTES", "is_forwards", "outcome_of", "result_of", "start"]


def _messages(body: list[Any]) -> list[Message]:
    if len(body) > MESSAGES_PER_PUBLISH_MAX:
        raise refused(TOO_LARGE, f"at most {MESSAGES_PER_PUBLISH_MAX} messages go at once")
    return [convert_message(item) for item in body]


def start(
    request: Request, authority: Authority, channel: str, body: list[Any]
) -> "asyncio.Future[Published]":
    """Start a publication at once, so that those of one request keep their order."""
    publish = edge_of(request).publishing.publish
    return outcome_of(lambda done: publish(authority, channel, _messages(body), done))


def outcome_of(begin: Callable[[Done], None]) -> "asyncio.Future[Published]":
    """Begin something that tells later what became of it."""
    waiting: asyncio.Future[Published] = asyncio.get_running_loop().create_future()

    def done(outcome: Published | EdgeError) -> None:
        if waiting.done():
            return  # the client has gone meanwhile
        if isinstance(outcome, EdgeError):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)

    try:
        begin(done)
    except EdgeError as error:
        waiting.set_exception(error)
    return waiting


async def _publish(request: Request) -> Response:
    authority = authority_of(request)
    channel = request.path_params["channel"]
    body = await _published_body(request)
    if request.query_params.get("_forceNack", "").lower() == "true":
        raise refused(ARTIFICIAL, "refused, as was asked for")
    published = await start(request, authority, channel, body if isinstance(body, list) else [body])
    return answer(request, result_of(channel, published), 201)


async def _published_body(request: Request) -> Any:
    """Read messages; with `enveloped=false` the body is one message's data, as it is."""
    if request.query_params.get("enveloped") != "false":
        return await body_of(request)
    raw = await raw_body(request)
    name = request.query_params.get("name")
    if request.headers.get("content-type", "").startswith(("text/", JSON)):
        try:
            data: str | bytes = raw.decode()
        except UnicodeDecodeError as error:
            raise refused(BAD_REQUEST, "the body is not UTF-8") from error
        encoding = "json" if request.headers["content-type"].startswith(JSON) else None
        return {"name": name, "data": data, "encoding": encoding}
    return {"name": name, "data": raw}


def result_of(channel: str, published: Published) -> dict[str, Any]:
    """Return what a publisher is told."""
    message_id = published.message_id
    if len(published.serials) > 1 or not published.is_id_given:
        message_id = f"{message_id}:0"
    return {"channel": channel, "messageId": message_id, "serials": list(published.serials)}


async def _history(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("history", name)
    forwards = is_forwards(request)
    start, end = number_of(request, "start", 0), number_of(request, "end", 2**53)
    if start > end:
        raise refused(INVALID_PARAMETER, "start is after end")
    until = request.query_params.get("from_serial") or request.query_params.get("fromSerial") or ""
    cursor = request.query_params.get("cursor", "")
    limit = page_limit(request)
    channel = authority.app.known_channel(name)
    found: list[Message] = []
    more = False
    for message in channel.history.messages(forwards) if channel is not None else ():
        serial, at_ms = message.serial or "", message.timestamp or 0
        if not start <= at_ms <= end or (until and serial[: len(until)] > until):
            continue
        if cursor and (serial <= cursor if forwards else serial >= cursor):
            continue
        if len(found) == limit:
            more = True
            break
        found.append(message)
    form = wanted_format(request)
    current = [channel.current(one) for one in found] if channel is not None else []
    links = page_links(request, found[-1].serial if more else None)
    return answer(request, [shown(one, form) for one in current], headers=links)


def is_forwards(request: Request) -> bool:
    direction = request.query_params.get("direction") or "backwards"
    if direction not in ("forwards", "backwards"):
        raise refused(INVALID_PARAMETER, "direction is forwards or backwards")
    return direction == "forwards"


ROUTES = [
    Route("/channels/{channel}/messages", guarded(_publish), methods=["POST"]),
    Route("/channels/{channel}/messages", guarded(_history), methods=["GET"]),
    Route("/channels/{channel}/history", guarded(_history), methods=["GET"]),
]
