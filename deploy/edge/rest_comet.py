"""Realtime over plain HTTP requests: connect, send, receive, disconnect, close.

Paths as the SDKs for JavaScript use them; a body is a JSON array of protocol messages, as is an
answer. Every answer ends with a line's end: a client that reads a stream takes each line.
"""

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.edge.auth import authenticate
from deploy.edge.bounds import COMET_FRAMES_MAX, COMET_WAIT_S
from deploy.edge.comet import CometSocket
from deploy.edge.http import JSON, edge_of, guarded, raw_body
from deploy.edge.refusals import (
    BAD_REQUEST,
    INCOMPATIBLE_CREDENTIALS,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import Action, ErrorInfo, Format, Protocol, decode_protocol
from pipelines.errors import EdgeError

__all__ = ["ROUTES"]


def _array(raw: bytes, status: int = 200) -> Response:
    return Response(raw + b"\n", status, media_type=JSON)


async def _connect(request: Request) -> Response:
    edge = edge_of(request)
    socket = CometSocket(edge)
    query = dict(request.query_params)
    try:
        connection = edge.greet(socket, request.headers, query, Format.JSON)
    except EdgeError as error:
        told = Protocol(action=Action.ERROR, error=ErrorInfo.of(error))
        return _array(b"[" + msgspec.json.encode(told) + b"]", error.status or 400)
    edge.sockets.add(socket)
    edge.comets.add(socket, connection)
    return _array(await socket.take(0))


def _socket(request: Request) -> CometSocket:
    """Return the socket that a request is for, proven by key and credentials. Raises EdgeError."""
    edge = edge_of(request)
    now_ms = edge.clock.time_ms()
    authority = authenticate(edge.apps, request.headers, request.query_params, now_ms)
    socket = edge.comets.of_key(request.path_params["key"])
    connection = socket.connection
    if connection is not None and connection.authority.app is not authority.app:
        raise refused(INCOMPATIBLE_CREDENTIALS, "the connection is another app's")
    return socket


async def _receive(request: Request) -> Response:
    socket = _socket(request)
    taking = asyncio.ensure_future(socket.take(COMET_WAIT_S))
    while not taking.done():
        await asyncio.wait({taking}, timeout=1.0)
        if not taking.done() and await request.is_disconnected():
            taking.cancel()
            return _array(b"[]")
    return _array(taking.result())


async def _send(request: Request) -> Response:
    socket = _socket(request)
    raw = await raw_body(request)
    try:
        frames = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise refused(BAD_REQUEST, "the body is an array of protocol messages") from error
    if len(frames) > COMET_FRAMES_MAX:
        raise refused(TOO_LARGE, f"at most {COMET_FRAMES_MAX} messages a request")
    socket.heard_s = edge_of(request).clock.monotonic_s()
    for frame in frames:
        _handle(request, socket, decode_protocol(bytes(frame), Format.JSON))
    return _array(b"[]", 201)


def _handle(request: Request, socket: CometSocket, message: Protocol) -> None:
    connection = socket.connection
    if connection is None or connection.socket is not socket:
        return  # closed by the edge; what still comes in is not heard
    try:
        edge_of(request).dispatch.handle(connection, message)
    except EdgeError as error:
        socket.fail(error)


async def _close(request: Request) -> Response:
    _handle(request, _socket(request), Protocol(action=Action.CLOSE))
    return Response(status_code=204)


async def _disconnect(request: Request) -> Response:
    _handle(request, _socket(request), Protocol(action=Action.DISCONNECT))
    return Response(status_code=204)


BOTH = ["GET", "POST"]

ROUTES = [
    Route("/comet/connect", guarded(_connect), methods=BOTH),
    Route("/comet/{key}/recv", guarded(_receive), methods=BOTH),
    Route("/comet/{key}/send", guarded(_send), methods=["POST"]),
    Route("/comet/{key}/close", guarded(_close), methods=BOTH),
    Route("/comet/{key}/disconnect", guarded(_disconnect), methods=BOTH),
]
