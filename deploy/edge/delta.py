"""Deltas of a channel's stream: each message against the one before it, made once for everybody.

A subscriber gets a delta only where it has had the message before; everybody else gets the whole.
"""

import msgspec

from deploy.edge.bounds import DELTA_BYTES_MAX
from deploy.edge.vcdiff import encode
from deploy.edge.wire import Frame, Message

__all__ = ["DeltaStream", "Step"]


class Step:
    """One publication in the stream: whole, and against what came before it where that pays."""

    __slots__ = ("after", "before", "changed", "whole")

    def __init__(self, whole: Frame, before: str, after: str, changed: Frame | None) -> None:
        self.whole = whole
        self.before = before
        self.after = after
        self.changed = changed


class DeltaStream:
    """The newest message of a channel, as base of the next."""

    def __init__(self) -> None:
        self._base: Message | None = None

    def advance(self, messages: list[Message], whole: Frame, wanted: bool) -> Step | None:
        """Take the next publication; None where nobody wants deltas."""
        base, self._base = self._base, messages[-1]
        if not wanted:
            return None
        changed: list[Message] = []
        is_smaller = False
        for message in messages:
            small = _changed(base, message)
            is_smaller = is_smaller or small is not message
            changed.append(small)
            base = message
        before = self._id_of(messages, changed)
        frame = None
        if is_smaller:
            inner = msgspec.structs.replace(whole.message, messages=changed)
            frame = Frame(inner)
        return Step(whole, before, messages[-1].id or "", frame)

    @staticmethod
    def _id_of(messages: list[Message], changed: list[Message]) -> str:
        """Return the message that a receiver of the changed form must have had; "" for none."""
        first = changed[0]
        if first is messages[0] or first.extras is None:
            return ""
        return str(first.extras["delta"]["from"])


def _changed(base: Message | None, message: Message) -> Message:
    """Return the message as a delta against the base; itself where that is not smaller."""
    if base is None or base.id is None:
        return message
    source, target = _payload(base), _payload(message)
    if source is None or target is None or max(len(source), len(target)) > DELTA_BYTES_MAX:
        return message
    delta = encode(source, target)
    if len(delta) >= len(target):
        return message
    encoding = message.encoding or ""
    if isinstance(message.data, str):
        encoding = f"{encoding}/utf-8" if encoding else "utf-8"
    return msgspec.structs.replace(
        message,
        data=delta,
        encoding=f"{encoding}/vcdiff" if encoding else "vcdiff",
        extras={**(message.extras or {}), "delta": {"from": base.id, "format": "vcdiff"}},
    )


def _payload(message: Message) -> bytes | None:
    if isinstance(message.data, str):
        return message.data.encode()
    return message.data if isinstance(message.data, bytes) else None
