"""The numbers and flags of Ably's protocol: what a protocol message does, and what it carries.

Source: Ably's features specification.
"""

from enum import IntEnum, IntFlag
from typing import Final

__all__ = [
    "ALL_MODES",
    "DEFAULT_MODES",
    "MODES",
    "Action",
    "AnnotationAction",
    "Flag",
    "MessageAction",
    "PresenceAction",
]


class Action(IntEnum):
    """What a protocol message does."""

    HEARTBEAT = 0
    ACK = 1
    NACK = 2
    CONNECT = 3
    CONNECTED = 4
    DISCONNECT = 5
    DISCONNECTED = 6
    CLOSE = 7
    CLOSED = 8
    ERROR = 9
    ATTACH = 10
    ATTACHED = 11
    DETACH = 12
    DETACHED = 13
    PRESENCE = 14
    MESSAGE = 15
    SYNC = 16
    AUTH = 17
    ACTIVATE = 18
    ANNOTATION = 21


class Flag(IntFlag):
    """Flags of ATTACH and ATTACHED; the upper ones are the modes of an attachment."""

    HAS_PRESENCE = 1 << 0
    HAS_BACKLOG = 1 << 1
    RESUMED = 1 << 2
    ATTACH_RESUME = 1 << 5
    PRESENCE = 1 << 16
    PUBLISH = 1 << 17
    SUBSCRIBE = 1 << 18
    PRESENCE_SUBSCRIBE = 1 << 19
    ANNOTATION_PUBLISH = 1 << 21
    ANNOTATION_SUBSCRIBE = 1 << 22


MODES: Final = {
    "presence": Flag.PRESENCE,
    "publish": Flag.PUBLISH,
    "subscribe": Flag.SUBSCRIBE,
    "presence_subscribe": Flag.PRESENCE_SUBSCRIBE,
    "annotation_publish": Flag.ANNOTATION_PUBLISH,
    "annotation_subscribe": Flag.ANNOTATION_SUBSCRIBE,
}
#: What a client gets that asks for nothing in particular.
DEFAULT_MODES: Final = (
    Flag.PRESENCE
    | Flag.PUBLISH
    | Flag.SUBSCRIBE
    | Flag.PRESENCE_SUBSCRIBE
    | Flag.ANNOTATION_PUBLISH
)
ALL_MODES: Final = DEFAULT_MODES | Flag.ANNOTATION_SUBSCRIBE


class MessageAction(IntEnum):
    """What a message is: the first of its serial, a change of one, or the edge's own."""

    CREATE = 0
    UPDATE = 1
    DELETE = 2
    META = 3
    SUMMARY = 4
    APPEND = 5


class PresenceAction(IntEnum):
    """What a presence message says of its member."""

    ABSENT = 0
    PRESENT = 1
    ENTER = 2
    LEAVE = 3
    UPDATE = 4


class AnnotationAction(IntEnum):
    """Whether an annotation is put on a message or taken off."""

    CREATE = 0
    DELETE = 1
