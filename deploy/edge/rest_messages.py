"""REST of messages: publish to one channel or many, history, channel status."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import Authority
from deploy.edge.bounds import MESSAGES_PER_PUBLISH_MAX
from deploy.edge.channel import Channel, Published
from deploy.edge.http import (
    answer,
    authority_of,
    body_of,
    edge_of,
    error_answer,
    guarded,
    number_of,
    page_limit,
    page_links,
    wanted_format,
)
from deploy.edge.refusals import (
    BAD_REQUEST,
    INVALID_PARAMETER,
    PARTIAL_FAILURE,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import ErrorInfo, Message, convert_message, outgoing
from pipelines.errors import EdgeError
from pipelines.limits import ABLY_CHANNELS_PER_BATCH_MAX

__all__ = ["ROUTES"]


def _messages(body: list[Any]) -> list[Message]:
    if len(body) > MESSAGES_PER_PUBLISH_MAX:
        raise refused(TOO_LARGE, f"at most {MESSAGES_PER_PUBLISH_MAX} messages go at once")
    return [convert_message(item) for item in body]


def _start(
    request: Request, authority: Authority, channel: str, body: list[Any]
) -> "asyncio.Future[Published]":
    """Start a publication at once, so that those of one request keep their order."""
    waiting: asyncio.Future[Published] = asyncio.get_running_loop().create_future()

    def done(outcome: Published | EdgeError) -> None:
        if waiting.done():
            return  # the client has gone meanwhile
        if isinstance(outcome, EdgeError):
            waiting.set_exception(outcome)
        else:
            waiting.set_result(outcome)

    try:
        edge_of(request).publishing.publish(authority, channel, _messages(body), done)
    except EdgeError as error:
        waiting.set_exception(error)
    return waiting


async def _publish(request: Request) -> Response:
    authority = authority_of(request)
    channel = request.path_params["channel"]
    body = await body_of(request)
    published = await _start(
        request, authority, channel, body if isinstance(body, list) else [body]
    )
    shown = {
        "channel": channel,
        "messageId": published.message_id,
        "serials": list(published.serials),
    }
    return answer(request, shown, 201)


async def _history(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("history", name)
    forwards = _is_forwards(request)
    start, end = number_of(request, "start", 0), number_of(request, "end", 2**53)
    if start > end:
        raise refused(INVALID_PARAMETER, "start is after end")
    until = request.query_params.get("from_serial") or request.query_params.get("fromSerial") or ""
    cursor = request.query_params.get("cursor", "")
    limit = page_limit(request)
    channel = authority.app.channels.get(name)
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
    shown = [msgspec.to_builtins(outgoing(one, form), builtin_types=(bytes,)) for one in found]
    links = page_links(request, found[-1].serial if more else None)
    return answer(request, shown, headers=links)


def _is_forwards(request: Request) -> bool:
    direction = request.query_params.get("direction") or "backwards"
    if direction not in ("forwards", "backwards"):
        raise refused(INVALID_PARAMETER, "direction is forwards or backwards")
    return direction == "forwards"


async def _status(request: Request) -> Response:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require("channel-metadata", name)
    channel = authority.app.channels.get(name)
    return answer(request, _details(name, channel))


def _details(name: str, channel: Channel | None) -> dict[str, Any]:
    attached = len(channel.attachments) if channel is not None else 0
    metrics = {
        "connections": attached,
        "publishers": attached,
        "subscribers": attached,
        "presenceConnections": attached,
        "presenceMembers": 0,
        "presenceSubscribers": attached,
    }
    status = {"isActive": attached > 0, "occupancy": {"metrics": metrics}}
    return {"channelId": name, "name": name, "status": status}


async def _batch(request: Request) -> Response:
    authority = authority_of(request)
    body = await body_of(request)
    specs = body if isinstance(body, list) else [body]
    parsed = [_spec(spec) for spec in specs]
    channels = {channel for names, _ in parsed for channel in names}
    if len(channels) > ABLY_CHANNELS_PER_BATCH_MAX:
        raise refused(TOO_LARGE, f"at most {ABLY_CHANNELS_PER_BATCH_MAX} channels a request")
    results = await _batch_results(request, authority, parsed)
    if _wants_new_shape(request):
        return answer(request, [_counted(one) for one in results], 201)
    flat = [result for one in results for result in one]
    if any("error" in result for result in flat):
        partly = refused(PARTIAL_FAILURE, "a part of the batch was refused")
        return error_answer(request, partly, flat)
    return answer(request, flat, 201)


def _spec(spec: object) -> tuple[list[str], list[Any]]:
    if not isinstance(spec, dict):
        raise refused(BAD_REQUEST, "a batch is made of {channels, messages}")
    channels, messages = spec.get("channels"), spec.get("messages")
    asked = channels if isinstance(channels, list) else [channels]
    names = [name for name in asked if isinstance(name, str)]
    if not names or len(names) < len(asked) or messages is None:
        raise refused(BAD_REQUEST, "a batch is made of {channels, messages}")
    return names, messages if isinstance(messages, list) else [messages]


async def _batch_results(
    request: Request, authority: Authority, specs: list[tuple[list[str], list[Any]]]
) -> list[list[dict[str, Any]]]:
    """Start every publication in order, then wait for all of them together."""
    started = [
        [(name, _start(request, authority, name, messages)) for name in names]
        for names, messages in specs
    ]
    return [[await _result(name, waiting) for name, waiting in spec] for spec in started]


async def _result(channel: str, waiting: "asyncio.Future[Published]") -> dict[str, Any]:
    try:
        published = await waiting
    except EdgeError as error:
        return {"channel": channel, "error": msgspec.to_builtins(ErrorInfo.of(error))}
    return {
        "channel": channel,
        "messageId": published.message_id,
        "serials": list(published.serials),
    }


def _counted(results: list[dict[str, Any]]) -> dict[str, Any]:
    failed = sum("error" in result for result in results)
    return {
        "successCount": len(results) - failed,
        "failureCount": failed,
        "results": results,
    }


def _wants_new_shape(request: Request) -> bool:
    if request.query_params.get("newBatchResponse") == "true":
        return True
    version = request.headers.get("x-ably-version", "").partition(".")[0]
    return not version.isdigit() or int(version) >= 3


ROUTES = [
    Route("/channels/{channel}/messages", guarded(_publish), methods=["POST"]),
    Route("/channels/{channel}/messages", guarded(_history), methods=["GET"]),
    Route("/channels/{channel}/history", guarded(_history), methods=["GET"]),
    Route("/channels/{channel}", guarded(_status), methods=["GET"]),
    Route("/messages", guarded(_batch), methods=["POST"]),
]
