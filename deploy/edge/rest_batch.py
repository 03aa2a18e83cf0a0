"""REST of batches: messages to many channels, and presence of many, in one request."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import Authority
from deploy.edge.bounds import MESSAGES_PER_PUBLISH_MAX
from deploy.edge.channel import Published
from deploy.edge.http import (
    answer,
    authority_of,
    body_of,
    error_answer,
    guarded,
    wanted_format,
)
from deploy.edge.refusals import BAD_REQUEST, PARTIAL_FAILURE, TOO_LARGE, refused
from deploy.edge.rest_messages import result_of, start
from deploy.edge.wire import ErrorInfo, shown
from pipelines.errors import EdgeError
from pipelines.limits import ABLY_CHANNELS_PER_BATCH_MAX

__all__ = ["ROUTES"]


async def _batch(request: Request) -> Response:
    authority = authority_of(request)
    body = await body_of(request)
    specs = body if isinstance(body, list) else [body]
    if len(specs) > MESSAGES_PER_PUBLISH_MAX:
        raise refused(TOO_LARGE, f"at most {MESSAGES_PER_PUBLISH_MAX} specifications a request")
    parsed = [_spec(spec) for spec in specs]
    channels = {channel for names, _ in parsed for channel in names}
    if len(channels) > ABLY_CHANNELS_PER_BATCH_MAX:
        raise refused(TOO_LARGE, f"at most {ABLY_CHANNELS_PER_BATCH_MAX} channels a request")
    results = await _batch_results(request, authority, parsed)
    if _wants_new_shape(request):
        counted = [_counted(one) for one in results]
        return answer(request, counted if isinstance(body, list) else counted[0], 201)
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
        [(name, start(request, authority, name, messages)) for name in names]
        for names, messages in specs
    ]
    return [[await _result(name, waiting) for name, waiting in spec] for spec in started]


async def _result(channel: str, waiting: "asyncio.Future[Published]") -> dict[str, Any]:
    try:
        published = await waiting
    except EdgeError as error:
        return {"channel": channel, "error": msgspec.to_builtins(ErrorInfo.of(error))}
    return result_of(channel, published)


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


async def _presence(request: Request) -> Response:
    authority = authority_of(request)
    names = request.query_params.get("channels", "").split(",")
    if not 0 < len(names) <= ABLY_CHANNELS_PER_BATCH_MAX or not all(names):
        raise refused(BAD_REQUEST, f"name 1 to {ABLY_CHANNELS_PER_BATCH_MAX} channels")
    results: list[dict[str, Any]] = []
    for name in names:
        try:
            authority.require("presence", name)
        except EdgeError as error:
            info = msgspec.to_builtins(ErrorInfo.of(error))
            results.append({"channel": name, "error": info})
            continue
        channel = authority.app.channels.get(name)
        form = wanted_format(request)
        members = channel.presence.present() if channel is not None else []
        results.append({"channel": name, "presence": [shown(one, form) for one in members]})
    return answer(request, _counted(results))


ROUTES = [
    Route("/messages", guarded(_batch), methods=["POST"]),
    Route("/presence", guarded(_presence), methods=["GET"]),
]
