"""A published message made canonical: text, bytes or nothing, with the encodings that remain.

What arrives as base64 is kept as bytes, what arrives as an object is kept as JSON text; each
client then gets it as its format has it.
"""

import base64
import binascii

import msgspec

from deploy.edge.bounds import MESSAGE_BYTES_MAX
from deploy.edge.refusals import (
    INVALID_DATA,
    INVALID_MESSAGE,
    TOO_LARGE,
    refused,
)
from deploy.edge.wire import Carrier, Message, PresenceMessage

__all__ = ["canonical", "size_of"]


def canonical(message: Carrier) -> Carrier:
    """Return it with canonical data. Raises EdgeError."""
    data, encoding = message.data, message.encoding or ""
    if isinstance(data, dict | list):
        data = _json_text(data)
        encoding = f"{encoding}/json" if encoding else "json"
    elif isinstance(data, bool | int | float):
        raise refused(INVALID_DATA, "data must be text, binary, an object or an array")
    elif data is not None and not isinstance(data, str | bytes):
        raise refused(INVALID_DATA, "data is of a type that cannot be carried")
    while isinstance(data, str) and (encoding == "base64" or encoding.endswith("/base64")):
        try:
            data = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise refused(INVALID_DATA, f"data is not base64: {error}") from error
        encoding = encoding.removesuffix("base64").removesuffix("/")
    if message.extras is not None:
        _json_text(message.extras)
    return msgspec.structs.replace(message, data=data, encoding=encoding or None)


def _json_text(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.EncodeError, TypeError, ValueError, RecursionError) as error:
        raise refused(INVALID_MESSAGE, f"not valid JSON: {error}"[:200]) from error


def size_of(message: Message | PresenceMessage) -> int:
    """Bytes of a message as Ably counts them: name, client id, data and extras (TO3l8)."""
    data = message.data
    size = len(data.encode()) if isinstance(data, str) else len(data or b"")
    if isinstance(message, Message):
        size += len((message.name or "").encode())
    size += len((message.client_id or "").encode())
    if message.extras:
        size += len(msgspec.json.encode(message.extras))
    return size


def check_size(messages: list[Message], size_max: int = MESSAGE_BYTES_MAX) -> None:
    """Raise EdgeError where the messages of one publication are too large together."""
    size = sum(map(size_of, messages))
    if size > size_max:
        raise refused(TOO_LARGE, f"{size} bytes in one publication, at most {size_max}")
