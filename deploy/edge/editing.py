"""Changes of messages that were published: update, delete, append, annotate.

Allowed in namespaces whose rule says that messages are mutable, by the capabilities
`message-update-own`, `message-update-any` and their like for deletion.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from deploy.edge.actions import AnnotationAction, MessageAction
from deploy.edge.annotations import check_annotation
from deploy.edge.auth import Authority
from deploy.edge.changes import check_change
from deploy.edge.channel import Channel, Published
from deploy.edge.payload import canonical, check_size
from deploy.edge.refusals import (
    BAD_REQUEST,
    INVALID_PARAMETER,
    NOT_FOUND,
    NOT_MUTABLE,
    refused,
    unauthorized,
)
from deploy.edge.wire import Annotation, Message

__all__ = ["Editing", "check_mutable", "message_of"]

OPERATIONS: Final = {
    MessageAction.UPDATE: "message-update",
    MessageAction.APPEND: "message-update",
    MessageAction.DELETE: "message-delete",
}


def check_mutable(authority: Authority, channel: str) -> None:
    """Raise EdgeError where the channel's namespace keeps messages as they are."""
    if not authority.app.namespace_of(channel).mutable:
        raise refused(NOT_MUTABLE, "messages of this channel cannot be changed or annotated")


def message_of(channel: Channel | None, serial: str) -> Message:
    """Return the message of a serial, as it was published. Raises EdgeError."""
    found = channel.history.find(serial) if channel is not None else None
    if found is None:
        raise refused(NOT_FOUND, "there is no message of this serial")
    return found


class Editing:
    """Judges and carries out changes."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def change(
        self,
        authority: Authority,
        channel_name: str,
        asked: Message,
        message_id: str,
        origin: str | None,
    ) -> Published:
        """Make the next version of a message. Raises EdgeError."""
        check_change(asked)
        check_mutable(authority, channel_name)
        channel = authority.app.channel(channel_name)
        original = message_of(channel, asked.serial or "")
        self._check_allowed(authority, channel_name, asked, original)
        made = canonical(asked)
        check_size([made], authority.app.limits.message_bytes)
        known = channel.known(message_id)
        if known is not None:
            return known
        version = dict(made.version or {})
        client_id = authority.stamped(version.get("clientId"))
        version["clientId"] = client_id
        made = msgspec.structs.replace(made, version=version)
        size = len(str(made.data or ""))
        now_ms = self._now_ms()
        authority.app.limits.published(channel_name, origin, size, now_ms)
        transport = "rest" if origin is None else "realtime"
        authority.app.stats.inbound(transport, "messages", 1, size)
        return channel.change(original, made, message_id, now_ms, origin)

    def _check_allowed(
        self, authority: Authority, channel: str, asked: Message, original: Message
    ) -> None:
        operation = OPERATIONS[MessageAction(asked.action or 0)]
        allows = authority.capability.allows
        is_own = original.client_id is not None and original.client_id == authority.client_id
        if allows(f"{operation}-any", channel) or (is_own and allows(f"{operation}-own", channel)):
            return
        raise unauthorized(operation, channel)

    def annotate(
        self,
        authority: Authority,
        channel_name: str,
        notes: Sequence[Annotation],
        message_id: str,
        origin: str | None,
    ) -> Published:
        """Put annotations on messages, or take them off. Raises EdgeError."""
        authority.require("annotation-publish", channel_name)
        if not notes:
            raise refused(BAD_REQUEST, "no annotation was given")
        check_mutable(authority, channel_name)
        channel = authority.app.channel(channel_name)
        prepared = []
        for index, note in enumerate(notes):
            if not note.message_serial:
                raise refused(INVALID_PARAMETER, "an annotation needs its message's serial")
            about = message_of(channel, note.message_serial)
            is_deleted = note.action == AnnotationAction.DELETE
            made = msgspec.structs.replace(
                canonical(note),
                id=note.id or f"{message_id}:{index}",
                action=int(AnnotationAction.DELETE if is_deleted else AnnotationAction.CREATE),
                client_id=authority.stamped(note.client_id),
                connection_id=origin,
            )
            check_annotation(made)
            prepared.append((made, about))
        published = [
            channel.annotate(note, about, message_id, self._now_ms(), origin)
            for note, about in prepared
        ]
        serials = tuple(serial for one in published for serial in one.serials)
        return Published(message_id, published[-1].channel_serial, serials)
