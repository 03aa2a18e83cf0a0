"""REST of pushes: one payload, or a batch of them, to recipients that the sink shows."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import Authority
from deploy.edge.bounds import PUSHES_PER_BATCH_MAX
from deploy.edge.http import (
    answer,
    authority_of,
    body_of,
    edge_of,
    empty,
    error_answer,
    guarded,
)
from deploy.edge.refusals import (
    BAD_REQUEST,
    CAPABILITY_REFUSED,
    PARTIAL_FAILURE,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import ErrorInfo
from pipelines.errors import EdgeError

__all__ = ["ROUTES", "push_admin"]


def push_admin(request: Request) -> Authority:
    authority = authority_of(request)
    if not authority.capability.allows_anywhere("push-admin"):
        raise refused(CAPABILITY_REFUSED, "the credentials do not allow push-admin")
    return authority


async def _publish(request: Request) -> Response:
    authority = push_admin(request)
    body = await body_of(request)
    if not isinstance(body, dict):
        raise refused(BAD_REQUEST, "a push is an object")
    payload = {name: value for name, value in body.items() if name != "recipient"}
    edge_of(request).push_delivery.push(authority.app, body.get("recipient"), payload)
    return empty(request)


async def _publish_batch(request: Request) -> Response:
    authority = push_admin(request)
    body = await body_of(request)
    if not isinstance(body, list):
        raise refused(BAD_REQUEST, "a batch of pushes is an array")
    if sum(_recipients(item) for item in body) > PUSHES_PER_BATCH_MAX:
        raise refused(TOO_LARGE, f"at most {PUSHES_PER_BATCH_MAX} pushes a request")
    results = [_one(request, authority, item) for item in body]
    if any("error" in result for result in results):
        partly = refused(PARTIAL_FAILURE, "a part of the batch was refused")
        return error_answer(request, partly, results)
    return answer(request, results)


def _recipients(item: object) -> int:
    recipient = item.get("recipient") if isinstance(item, dict) else None
    return len(recipient) if isinstance(recipient, list) else 1


def _one(request: Request, authority: Authority, item: object) -> dict[str, Any]:
    try:
        if not isinstance(item, dict):
            raise refused(BAD_REQUEST, "an item is {recipient, payload}")
        delivery = edge_of(request).push_delivery
        delivery.push(authority.app, item.get("recipient"), item.get("payload"))
    except EdgeError as error:
        return {"error": msgspec.to_builtins(ErrorInfo.of(error))}
    return {}


ROUTES = [
    Route("/push/publish", guarded(_publish), methods=["POST"]),
    Route("/push/batch/publish", guarded(_publish_batch), methods=["POST"]),
]
