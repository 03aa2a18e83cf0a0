"""REST of one message: read it, its versions, change it, and annotate it."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.actions import MessageAction
from deploy.edge.auth import Authority
from deploy.edge.bounds import MESSAGES_PER_PUBLISH_MAX
from deploy.edge.changes import CHANGES
from deploy.edge.channel import Channel
from deploy.edge.editing import message_of
from deploy.edge.http import (
    answer,
    authority_of,
    body_of,
    edge_of,
    guarded,
    paged,
    wanted_format,
)
from deploy.edge.refusals import BAD_REQUEST, TOO_LARGE, refused
from deploy.edge.rest_messages import outcome_of, start
from deploy.edge.wire import Annotation, Message, convert, convert_message, shown

__all__ = ["ROUTES"]


def _found(request: Request, operation: str) -> tuple[Authority, Channel | None, Message]:
    authority = authority_of(request)
    name = request.path_params["channel"]
    authority.require(operation, name)
    channel = authority.app.known_channel(name)
    return authority, channel, message_of(channel, request.path_params["serial"])


async def _get(request: Request) -> Response:
    _, channel, message = _found(request, "history")
    newest = channel.current(message) if channel is not None else message
    return answer(request, shown(newest, wanted_format(request)))


async def _versions(request: Request) -> Response:
    _, channel, message = _found(request, "history")
    versions = channel.versions.of(message) if channel is not None else [message]
    page, links = paged(request, versions, _version_serial)
    form = wanted_format(request)
    return answer(request, [shown(one, form) for one in page], headers=links)


def _version_serial(message: Message) -> str:
    return str((message.version or {}).get("serial", ""))


async def _change(request: Request) -> Response:
    body = await body_of(request)
    if not isinstance(body, dict):
        raise refused(BAD_REQUEST, "a change is one message")
    asked = convert_message({**body, "serial": request.path_params["serial"]})
    if asked.action is None:
        asked = msgspec.structs.replace(asked, action=int(MessageAction.UPDATE))
    if asked.action not in CHANGES:
        raise refused(BAD_REQUEST, "a change is an update, a deletion or an append")
    authority = authority_of(request)
    channel = request.path_params["channel"]
    published = await start(request, authority, channel, [msgspec.to_builtins(asked)])
    serial = published.serials[0]
    told: dict[str, Any] = {"versionSerial": serial, "serial": asked.serial, "channel": channel}
    return answer(request, told)


async def _annotate(request: Request) -> Response:
    authority = authority_of(request)
    body = await body_of(request)
    given = body if isinstance(body, list) else [body]
    if len(given) > MESSAGES_PER_PUBLISH_MAX:
        raise refused(TOO_LARGE, f"at most {MESSAGES_PER_PUBLISH_MAX} annotations go at once")
    notes = [convert(one, Annotation) for one in given]
    for note in notes:
        note.message_serial = request.path_params["serial"]
    channel = request.path_params["channel"]
    annotate = edge_of(request).publishing.annotate
    published = await outcome_of(lambda done: annotate(authority, channel, notes, done))
    return answer(request, {"channel": channel, "serials": list(published.serials)}, 201)


async def _annotations(request: Request) -> Response:
    _, channel, message = _found(request, "history")
    serial = message.serial or ""
    notes = channel.annotations.of_message(serial) if channel is not None else []
    page, links = paged(request, notes, lambda note: note.serial or "")
    form = wanted_format(request)
    return answer(request, [shown(one, form) for one in page], headers=links)


MESSAGE: Final = "/channels/{channel}/messages/{serial}"

ROUTES = [
    Route(MESSAGE, guarded(_get), methods=["GET"]),
    Route(MESSAGE, guarded(_change), methods=["PATCH"]),
    Route(f"{MESSAGE}/versions", guarded(_versions), methods=["GET"]),
    Route(f"{MESSAGE}/annotations", guarded(_annotate), methods=["POST"]),
    Route(f"{MESSAGE}/annotations", guarded(_annotations), methods=["GET"]),
]
