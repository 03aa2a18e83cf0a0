"""Ably's protocol messages as typed structures, in JSON and MessagePack.

Names on the wire are in camel case. Absent, null and default are the same. Source of the fields:
Ably's features specification, protocol version 2 and later.
"""

import base64
from enum import IntEnum
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from deploy.edge.actions import ALL_MODES, DEFAULT_MODES, MODES, Action, Flag
from deploy.edge.refusals import BAD_REQUEST, HELP_URL, refused
from pipelines.errors import EdgeError

__all__ = [
    "ALL_MODES",
    "DEFAULT_MODES",
    "MODES",
    "Action",
    "Annotation",
    "ErrorInfo",
    "Flag",
    "Format",
    "Frame",
    "Message",
    "PresenceMessage",
    "Protocol",
]


class Format(IntEnum):
    """How a client wants its frames: text frames of JSON, or binary ones of MessagePack."""

    JSON = 0
    MSGPACK = 1


class ErrorInfo(Struct, rename="camel", omit_defaults=True, frozen=True):
    """Why something was refused."""

    code: int
    status_code: int
    message: str
    href: str = ""

    @classmethod
    def of(cls, error: EdgeError) -> "ErrorInfo":
        return cls(error.code, error.status, error.message, f"{HELP_URL}{error.code}")


# Histories hold hundreds of thousands of these, and none can be part of a cycle: the collector,
# which would stop the edge while it looks through them, need not know of them.
class Message(Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """One message of a channel. Within the edge `data` is text, bytes or None, never base64."""

    id: str | None = None
    name: str | None = None
    data: Any = None
    encoding: str | None = None
    client_id: str | None = None
    connection_id: str | None = None
    connection_key: str | None = None
    timestamp: int | None = None
    extras: dict[str, Any] | None = None
    serial: str | None = None
    action: int | None = None
    version: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None


class PresenceMessage(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One member's coming, going or change; data as in a message."""

    action: int
    id: str | None = None
    client_id: str | None = None
    connection_id: str | None = None
    data: Any = None
    encoding: str | None = None
    timestamp: int | None = None
    extras: dict[str, Any] | None = None


class Annotation(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A note on a message, such as a reaction; `message_serial` names the message."""

    action: int | None = None
    id: str | None = None
    serial: str | None = None
    message_serial: str | None = None
    type: str | None = None
    name: str | None = None
    count: int | None = None
    client_id: str | None = None
    connection_id: str | None = None
    data: Any = None
    encoding: str | None = None
    timestamp: int | None = None
    extras: dict[str, Any] | None = None


Carried = TypeVar("Carried", bound=Message | PresenceMessage | Annotation)
#: What carries data with an encoding.
Carrier = TypeVar("Carrier", Message, PresenceMessage, Annotation)


class ConnectionDetails(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What CONNECTED tells a client of its connection; times in milliseconds, sizes in bytes."""

    client_id: str | None = None
    connection_key: str = ""
    max_message_size: int = 0
    max_frame_size: int = 0
    max_inbound_rate: int = 0
    connection_state_ttl: int = 0
    max_idle_interval: int = 0
    server_id: str = ""


class Protocol(Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """One protocol message, either way."""

    action: int
    channel: str | None = None
    channel_serial: str | None = None
    id: str | None = None
    connection_id: str | None = None
    connection_details: ConnectionDetails | None = None
    msg_serial: int | None = None
    count: int | None = None
    res: list[dict[str, Any]] | None = None
    flags: int | None = None
    params: dict[str, Any] | None = None
    timestamp: int | None = None
    error: ErrorInfo | None = None
    auth: dict[str, Any] | None = None
    messages: list[Message] | None = None
    presence: list[PresenceMessage] | None = None
    annotations: list[Annotation] | None = None


_protocol_json = msgspec.json.Decoder(Protocol)
_protocol_msgpack = msgspec.msgpack.Decoder(Protocol)


def decode_protocol(raw: bytes, form: Format) -> Protocol:
    """Read one protocol message. Raises EdgeError."""
    try:
        return (_protocol_msgpack if form is Format.MSGPACK else _protocol_json).decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise refused(BAD_REQUEST, f"not a protocol message: {error}"[:300]) from error


def decode_value(raw: bytes, form: Format) -> Any:
    """Read any value. Raises EdgeError."""
    try:
        return msgspec.msgpack.decode(raw) if form is Format.MSGPACK else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise refused(BAD_REQUEST, f"the body cannot be read: {error}"[:300]) from error


Asked = TypeVar("Asked", bound=Struct)


def convert(value: object, kind: type[Asked]) -> Asked:
    """Read a structure from a decoded body. Raises EdgeError."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise refused(BAD_REQUEST, f"not a {kind.__name__}: {error}"[:300]) from error


def convert_message(value: object) -> Message:
    """Read a message from a decoded body. Raises EdgeError."""
    return convert(value, Message)


def shown(carrier: Message | PresenceMessage | Annotation, form: Format) -> Any:
    """Return what a REST answer of this format holds for it."""
    return msgspec.to_builtins(outgoing(carrier, form), builtin_types=(bytes,))


def encode_value(value: object, form: Format) -> bytes:
    """Write any value; bytes in JSON are base64."""
    return msgspec.msgpack.encode(value) if form is Format.MSGPACK else msgspec.json.encode(value)


def outgoing(message: Carried, form: Format) -> Carried:
    """Return it as a client of this format gets it: bytes are base64 in JSON."""
    if form is Format.MSGPACK or not isinstance(message.data, bytes):
        return message
    encoding = f"{message.encoding}/base64" if message.encoding else "base64"
    data = base64.b64encode(message.data).decode()
    return msgspec.structs.replace(message, data=data, encoding=encoding)


_NO_WIRES: Final = (None, None)


class Frame(Struct, gc=False):
    """A protocol message for many sockets: each format is encoded once, when first asked for."""

    message: Protocol
    #: By format; None where nobody has asked for it yet.
    wires: tuple[bytes | None, bytes | None] = _NO_WIRES

    def renamed(self, channel: str) -> "Frame":
        """Return the frame for one who knows the channel by another name; "" is the same."""
        if not channel:
            return self
        return Frame(msgspec.structs.replace(self.message, channel=channel))

    def wire(self, form: Format) -> bytes:
        """Return the whole WebSocket frame, header included."""
        found = self.wires[form]
        if found is None:
            found = _frame(self.message, form)
            json, msgpack = self.wires
            self.wires = (json, found) if form is Format.MSGPACK else (found, msgpack)
        return found


def _frame(message: Protocol, form: Format) -> bytes:
    if form is Format.JSON:
        if message.messages:
            inner = [outgoing(one, form) for one in message.messages]
            message = msgspec.structs.replace(message, messages=inner)
        elif message.presence:
            members = [outgoing(one, form) for one in message.presence]
            message = msgspec.structs.replace(message, presence=members)
        elif message.annotations:
            notes = [outgoing(one, form) for one in message.annotations]
            message = msgspec.structs.replace(message, annotations=notes)
    return websocket_frame(encode_value(message, form), binary=form is Format.MSGPACK)


def payload_of(wire: bytes) -> bytes:
    """Return what a frame made by `websocket_frame` carries."""
    size = wire[1]
    return wire[2 if size < 126 else 4 if size == 126 else 10 :]


def websocket_frame(payload: bytes, binary: bool) -> bytes:
    """Return one final, unmasked frame (RFC 6455, section 5.2)."""
    first = 0x82 if binary else 0x81
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
