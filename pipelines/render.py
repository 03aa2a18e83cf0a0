"""Journal records, odds images and dead letters as plain JSON objects, for people and their tools.

Each object says in `topic` where the record belongs and in `type` what it is: for a journal record
the name of its entry's class in lower case with underscores. The other fields have the names of the
message's own fields, in their order. Money and odds stay integers.
"""

import base64
import re
from typing import Any, Final

import msgspec
from msgspec import structs

from pipelines.errors import CodecError
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.entries import EntryBase, JournalRecord
from pipelines.messages.images import OddsImage
from pipelines.messages.transfers import Transfer
from pipelines.topics import DEAD_LETTERS, JOURNAL, ODDS, TRANSFERS

__all__ = [
    "journal_object",
    "letter_object",
    "odds_object",
    "output_object",
    "text_or_base64",
    "transfer_object",
    "type_name",
]

_HEAD: Final = ("event_id", "event_seq", "market_id", "market_seq")
_decode_journal = msgspec.msgpack.Decoder(JournalRecord).decode
_decode_image = msgspec.msgpack.Decoder(OddsImage).decode
_decode_transfer = msgspec.msgpack.Decoder(Transfer).decode
_decode_letter = msgspec.msgpack.Decoder(DeadLetter).decode


def type_name(kind: type[EntryBase]) -> str:
    """Return the public name of an entry's class: BetAccepted is bet_accepted."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def journal_object(record: JournalRecord) -> dict[str, Any]:
    """Return a journal record as a JSON object, its entry's own fields in the middle."""
    entry = record.entry
    fields = {name: msgspec.to_builtins(getattr(entry, name)) for name in entry.__struct_fields__}
    head = {name: fields.pop(name) for name in _HEAD}
    return (
        {"topic": JOURNAL, "type": type_name(type(entry)), "shard_seq": record.shard_seq}
        | {"at_ms": record.at_ms, "wall_ms": record.wall_ms}
        | head
        | {_own_name(name): value for name, value in fields.items()}
        | {"bets_next": record.bets_next, "events_next": record.events_next}
        | ({"transfers_next": record.transfers_next} if record.transfers_next else {})
        | {"v": record.v}
    )


def _own_name(name: str) -> str:
    """Return the name of an entry's own field; `topic` says already where the record belongs."""
    return "input_topic" if name == "topic" else name


def odds_object(image: OddsImage) -> dict[str, Any]:
    """Return an odds image as a JSON object."""
    shown: dict[str, Any] = msgspec.to_builtins(image)
    return {"topic": ODDS, "type": "odds"} | shown


def letter_object(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as a JSON object; its topic is `input_topic`."""
    shown = {_own_name(name): value for name, value in structs.asdict(letter).items()}
    shown |= {"key": text_or_base64(letter.key), "value": text_or_base64(letter.value)}
    return {"topic": DEAD_LETTERS, "type": "dead_letter"} | shown


def transfer_object(transfer: Transfer) -> dict[str, Any]:
    """Return a transfer between books as a JSON object, its body by field names."""
    body = transfer.body
    fields = {name: msgspec.to_builtins(getattr(body, name)) for name in body.__struct_fields__}
    head = {"topic": TRANSFERS, "type": str(type(body).__struct_config__.tag)}
    told = {"sender": transfer.sender, "number": transfer.number, "to": transfer.to}
    return head | told | fields | {"v": transfer.v}


def output_object(topic: str, value: bytes) -> dict[str, Any]:
    """Return the JSON object of a record that a shard wrote. Raises CodecError."""
    try:
        if topic == JOURNAL:
            return journal_object(_decode_journal(value))
        if topic == ODDS:
            return odds_object(_decode_image(value))
        if topic == TRANSFERS:
            return transfer_object(_decode_transfer(value))
        if topic == DEAD_LETTERS:
            return letter_object(_decode_letter(value))
    except msgspec.MsgspecError as error:
        raise CodecError(f"a record of {topic} could not be read: {error}") from error
    raise CodecError(f"shards write no records to {topic}")


def text_or_base64(raw: bytes) -> str | dict[str, str]:
    """Return bytes as text, or as {"base64": ...} where they are no text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
