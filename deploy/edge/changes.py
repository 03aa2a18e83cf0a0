"""Versions of one channel's messages: updates, deletions and appends, newest last."""

from typing import Any, Final

import msgspec

from deploy.edge.actions import MessageAction
from deploy.edge.bounds import VERSIONS_PER_MESSAGE_MAX
from deploy.edge.refusals import BAD_REQUEST, INVALID_DATA, SYSTEM_BUSY, refused
from deploy.edge.wire import Message

__all__ = ["CHANGES", "Versions"]

CHANGES: Final = frozenset({MessageAction.UPDATE, MessageAction.DELETE, MessageAction.APPEND})
VERSION_FIELDS: Final = ("clientId", "description", "metadata")


class Versions:
    """All versions of the messages that were changed, by serial; the first is the original."""

    def __init__(self) -> None:
        self._by_serial: dict[str, list[Message]] = {}

    def __len__(self) -> int:
        return len(self._by_serial)

    def newest(self, original: Message) -> Message:
        """Return the message as it stands now."""
        versions = self._by_serial.get(original.serial or "")
        return versions[-1] if versions else original

    def of(self, original: Message) -> list[Message]:
        """Return its versions, oldest first."""
        return self._by_serial.get(original.serial or "") or [original]

    def change(
        self, original: Message, asked: Message, version_serial: str, now_ms: int
    ) -> tuple[Message, Message]:
        """Make the next version; returns it, and what subscribers are told. Raises EdgeError."""
        versions = self._by_serial.get(original.serial or "") or [original]
        if len(versions) >= VERSIONS_PER_MESSAGE_MAX:
            raise refused(SYSTEM_BUSY, f"at most {VERSIONS_PER_MESSAGE_MAX} versions of a message")
        before = versions[-1]
        given = asked.version or {}
        # Later than the version before it, also where both are made within a millisecond.
        before_ms = (before.version or {}).get("timestamp") or before.timestamp or 0
        version: dict[str, Any] = {
            "serial": version_serial,
            "timestamp": max(now_ms, before_ms + 1),
        }
        version |= {name: given[name] for name in VERSION_FIELDS if given.get(name) is not None}
        fields: dict[str, Any] = {
            name: getattr(asked, name)
            for name in ("name", "extras")
            if getattr(asked, name) is not None
        }
        told_data = before.data if asked.data is None else asked.data
        told_encoding = before.encoding if asked.data is None else asked.encoding
        made_data, made_action = told_data, asked.action
        if asked.action == MessageAction.APPEND:
            made_data = _appended(before, asked)
            made_action = MessageAction.UPDATE
            told_encoding = before.encoding or asked.encoding
        made = msgspec.structs.replace(
            before,
            **fields,
            action=made_action,
            data=made_data,
            encoding=told_encoding,
            version=version,
        )
        told = msgspec.structs.replace(made, action=asked.action, data=told_data)
        self._by_serial[original.serial or ""] = [*versions, made]
        return made, told

    def put(self, versions: list[Message]) -> None:
        """Take versions that were kept elsewhere."""
        self._by_serial[versions[0].serial or ""] = versions

    def drop(self, serial: str) -> None:
        """Forget those of a message that is gone."""
        self._by_serial.pop(serial, None)


def _appended(before: Message, asked: Message) -> Any:
    if before.data is None:
        return asked.data
    if asked.data is None:
        return before.data
    if isinstance(before.data, str) and isinstance(asked.data, str):
        return before.data + asked.data
    if isinstance(before.data, bytes) and isinstance(asked.data, bytes):
        return before.data + asked.data
    raise refused(INVALID_DATA, "only text goes to text, and binary to binary")


def check_change(message: Message) -> None:
    """Raise EdgeError for a change that names no message or is none."""
    if not message.serial:
        raise refused(BAD_REQUEST, "a change needs the serial of its message")
    if message.action not in CHANGES:
        raise refused(BAD_REQUEST, "a change is an update, a deletion or an append")
