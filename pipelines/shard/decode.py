"""Stage 1, decode: bytes of an input record to typed messages, JSON or MessagePack, plain or in
the envelope of Ably's Kafka rule.

What cannot be read becomes an `Unreadable` value, never an exception, and keeps whatever names the
bettor and the bet, so that it can be answered.
"""

import base64
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from pipelines.codes import Code
from pipelines.errors import CodecError
from pipelines.limits import (
    ENVELOPE_MESSAGES_MAX,
    NESTING_DEPTH_MAX,
    RECORD_BYTES_MAX,
)
from pipelines.messages.inputs import AnyOperation, AnyRequest
from pipelines.messages.transfers import Transfer

__all__ = [
    "Incoming",
    "Unreadable",
    "decode_bets",
    "decode_operation",
    "decode_plain",
    "decode_transfer",
]


class Unreadable(NamedTuple):
    """A message that is no request: why, and what of a bet could be read all the same."""

    code: Code
    reason: str
    fields: dict[str, Any]


class Incoming(NamedTuple):
    """One request, with the identity that the transport vouches for ("" for none)."""

    client_id: str
    message_id: str
    request: AnyRequest | Unreadable


class EnvelopeMessage(Struct, gc=False):
    """One message inside Ably's envelope; `data` is as encoded as `encoding` says."""

    id: str = ""
    clientId: str = ""
    data: Any = None
    encoding: str | None = None


class Envelope(Struct):
    """Value of a record that Ably's Kafka rule wrote with `enveloped: true`."""

    source: str
    messages: list[EnvelopeMessage]


_request_json: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_request_msgpack: msgspec.msgpack.Decoder[AnyRequest] = msgspec.msgpack.Decoder(AnyRequest)
_envelope_json = msgspec.json.Decoder(Envelope)
_envelope_msgpack = msgspec.msgpack.Decoder(Envelope)
_operation_json: msgspec.json.Decoder[AnyOperation] = msgspec.json.Decoder(AnyOperation)
_operation_msgpack: msgspec.msgpack.Decoder[AnyOperation] = msgspec.msgpack.Decoder(AnyOperation)
_transfer_msgpack: msgspec.msgpack.Decoder[Transfer] = msgspec.msgpack.Decoder(Transfer)
_any_json = msgspec.json.Decoder()
_any_msgpack = msgspec.msgpack.Decoder()

_JSON_STARTS = frozenset(b'{[ \t\r\n"-0123456789tfn')
_ENVELOPE_MARK = b"channel.message"


def is_json(value: bytes) -> bool:
    """Return whether the bytes start as JSON; MessagePack maps start at 0x80 and above."""
    return value[0] in _JSON_STARTS


def decode_plain(value: bytes | None) -> AnyRequest | None:
    """Read the common case fast, a plain request of a named bettor; None: ask `decode_bets`."""
    if not value or len(value) > RECORD_BYTES_MAX:
        return None
    try:
        return (_request_json if value[0] in _JSON_STARTS else _request_msgpack).decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def decode_bets(value: bytes | None, header_client_id: str) -> list[Incoming]:
    """Read a record of `bets`: one request, or those of an envelope."""
    if not value:
        return [_unreadable(header_client_id, "", Code.INVALID_INPUT_DATA, "empty record")]
    if len(value) > RECORD_BYTES_MAX:
        reason = f"record of {len(value)} bytes, at most {RECORD_BYTES_MAX} are read"
        return [_unreadable(header_client_id, "", Code.INVALID_INPUT_DATA, reason)]
    as_json = value[0] in _JSON_STARTS
    # A record that names its bettor holds what that bettor wrote: an envelope there is forged.
    if not header_client_id and _ENVELOPE_MARK in value:
        try:
            envelope = (_envelope_json if as_json else _envelope_msgpack).decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            pass  # not an envelope after all: read it as a plain request below
        else:
            if envelope.source == "channel.message" and envelope.messages:
                return _opened(envelope)
    try:
        request = (_request_json if as_json else _request_msgpack).decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return [Incoming(header_client_id, "", _salvage(value, as_json, error))]
    return [Incoming(header_client_id, "", request)]


def _opened(envelope: Envelope) -> list[Incoming]:
    if len(envelope.messages) > ENVELOPE_MESSAGES_MAX:
        reason = (
            f"{len(envelope.messages)} messages in an envelope, at most {ENVELOPE_MESSAGES_MAX}"
        )
        return [_unreadable("", "", Code.INVALID_INPUT_DATA, reason)]
    return [Incoming(m.clientId, m.id, _request_of(m)) for m in envelope.messages]


def _request_of(message: EnvelopeMessage) -> AnyRequest | Unreadable:
    """Undo the encodings, last first, then read the request."""
    data = message.data
    structured = False
    try:
        for step in reversed((message.encoding or "").split("/")):
            if step == "base64" and isinstance(data, str):
                data = base64.b64decode(data, validate=True)
            elif step == "utf-8" and isinstance(data, bytes):
                data = data.decode()
            elif step not in ("", "json", "utf-8", "base64"):
                raise CodecError(f"encoding {step!r} is not understood")
        if isinstance(data, str):
            raw, as_json = data.encode(), True
        elif isinstance(data, bytes):
            raw, as_json = data, bool(data) and is_json(data)
        else:
            structured = True
            converted: AnyRequest = msgspec.convert(data, AnyRequest)
            return converted
        return (_request_json if as_json else _request_msgpack).decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError, CodecError) as error:
        if structured:
            fields = data if isinstance(data, dict) else {}
            return Unreadable(*_code_of(fields, str(error)), fields)
        if isinstance(data, str | bytes) and data:
            raw = data.encode() if isinstance(data, str) else data
            return _salvage(raw, is_json(raw), error)
        return Unreadable(Code.INVALID_INPUT_DATA, f"{error}"[:200], {})


def _unreadable(client_id: str, message_id: str, code: Code, reason: str) -> Incoming:
    return Incoming(client_id, message_id, Unreadable(code, reason, {}))


def _salvage(value: bytes, as_json: bool, error: Exception) -> Unreadable:
    """Read loosely what is no request, to find out what is wrong and who is to be told."""
    try:
        found = (_any_json if as_json else _any_msgpack).decode(value)
    except (msgspec.DecodeError, RecursionError, ValueError) as broken:
        kind = "JSON" if as_json else "MessagePack"
        return Unreadable(Code.INVALID_INPUT_DATA, f"not {kind}: {broken}"[:200], {})
    if not isinstance(found, dict) or _depth(found) > NESTING_DEPTH_MAX:
        return Unreadable(Code.INVALID_INPUT_DATA, f"{error}"[:200], {})
    fields = {k: v for k, v in found.items() if isinstance(k, str)}
    return Unreadable(*_code_of(fields, f"{error}"[:200]), fields)


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level and depth <= NESTING_DEPTH_MAX:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


_FIELD_CODES = (
    ("stake_minor", Code.INVALID_BET_SIZE),
    ("odds_e4", Code.INVALID_ODDS),
    ("tolerance_e4", Code.INVALID_ODDS),
    ("selection_id", Code.INVALID_RUNNER),
    ("price_policy", Code.INVALID_PRICE_POLICY),
    ("market_version", Code.INVALID_MARKET_VERSION),
    ("market_id", Code.INVALID_MARKET_ID),
    ("event_id", Code.INVALID_EVENT_ID),
)


def _code_of(fields: dict[str, Any], reason: str) -> tuple[Code, str]:
    """Return the standard code of the field that the decoder complained about."""
    for name, code in _FIELD_CODES:
        if f"$.{name}" in reason or f"`{name}`" in reason:
            return code, reason
    return Code.INVALID_INPUT_DATA, reason


def decode_operation(value: bytes | None) -> AnyOperation | Unreadable:
    """Read a record of `events`."""
    if not value:
        return Unreadable(Code.INVALID_INPUT_DATA, "empty record", {})
    if len(value) > RECORD_BYTES_MAX:
        return Unreadable(Code.INVALID_INPUT_DATA, f"record of {len(value)} bytes", {})
    as_json = value[0] in _JSON_STARTS
    try:
        return (_operation_json if as_json else _operation_msgpack).decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return _salvage(value, as_json, error)


def decode_transfer(value: bytes | None) -> Transfer | Unreadable:
    """Read a record of `transfers`."""
    try:
        return _transfer_msgpack.decode(value or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return Unreadable(Code.INVALID_INPUT_DATA, f"no transfer: {error}"[:200], {})
