"""Annotations of one channel's messages, and the summary that each message carries of them.

The part of a type after its last colon says how it is counted, as in `reaction:distinct.v1`.
Source: Ably's documentation of message annotations.
"""

from collections import OrderedDict
from typing import Any, Final

from deploy.edge.actions import AnnotationAction
from deploy.edge.bounds import ANNOTATED_MESSAGES_MAX, ANNOTATIONS_PER_MESSAGE_MAX
from deploy.edge.refusals import (
    ANNOTATION_REFUSED,
    BAD_REQUEST,
    INVALID_CLIENT_ID,
    SYSTEM_BUSY,
    refused,
)
from deploy.edge.wire import Annotation

__all__ = ["Annotations", "check_annotation"]

METHODS: Final = ("total.v1", "flag.v1", "distinct.v1", "unique.v1", "multiple.v1")
NAMED: Final = ("distinct.v1", "unique.v1", "multiple.v1")
IDENTIFIED: Final = ("flag.v1", "distinct.v1", "unique.v1")


def _method(kind: str) -> str:
    return kind.rpartition(":")[2]


def check_annotation(note: Annotation) -> None:
    """Raise EdgeError for an annotation that cannot be counted."""
    if not note.type:
        raise refused(BAD_REQUEST, "an annotation needs a type")
    method = _method(note.type)
    if ":" not in note.type:
        return  # kept and told, but counted in no summary
    if method not in METHODS:
        raise refused(ANNOTATION_REFUSED, f"{method!r} is no way of counting annotations")
    if method in NAMED and not note.name:
        raise refused(ANNOTATION_REFUSED, f"an annotation of {method} needs a name")
    if method in IDENTIFIED and note.client_id is None:
        raise refused(INVALID_CLIENT_ID, f"an annotation of {method} needs a client id")


class Annotations:
    """Annotations by message serial, the longest-unchanged messages giving way; and summaries."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, list[Annotation]] = OrderedDict()
        self._counts: dict[str, dict[str, _Count]] = {}

    def __len__(self) -> int:
        return len(self._notes)

    def add(self, note: Annotation) -> None:
        """Keep an annotation or its removal. Raises EdgeError at the bound."""
        serial = note.message_serial or ""
        notes = self._notes.setdefault(serial, [])
        if len(notes) >= ANNOTATIONS_PER_MESSAGE_MAX:
            raise refused(SYSTEM_BUSY, f"at most {ANNOTATIONS_PER_MESSAGE_MAX} annotations")
        notes.append(note)
        self._notes.move_to_end(serial)
        kind = note.type or ""
        if _method(kind) in METHODS and ":" in kind:
            counts = self._counts.setdefault(serial, {})
            counts.setdefault(kind, _Count(_method(kind))).apply(note)
        while len(self._notes) > ANNOTATED_MESSAGES_MAX:
            gone, _ = self._notes.popitem(last=False)
            self._counts.pop(gone, None)

    def of_message(self, serial: str) -> list[Annotation]:
        """Return all annotations of a message, oldest first, removals included."""
        return self._notes.get(serial, [])

    def summary(self, serial: str) -> dict[str, Any]:
        """Return the counts by type, empty where there are none."""
        counts = self._counts.get(serial, {})
        return {kind: count.shown() for kind, count in counts.items()}

    def drop(self, serial: str) -> None:
        """Forget those of a message that is gone."""
        self._notes.pop(serial, None)
        self._counts.pop(serial, None)


class _Count:
    """The count of one type on one message: by name and client id."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._by_name: dict[str, dict[str, int]] = {}
        self._total = 0
        self._unidentified: dict[str, int] = {}

    def apply(self, note: Annotation) -> None:
        is_created = note.action == AnnotationAction.CREATE
        name = note.name or ""
        clients = self._by_name.setdefault(name, {})
        client = note.client_id
        if self._method == "total.v1":
            self._total = max(0, self._total + (1 if is_created else -1))
        elif not is_created:
            self._remove(name, client)
        elif self._method == "multiple.v1":
            count = 1 if note.count is None else note.count
            if client is None:
                self._unidentified[name] = self._unidentified.get(name, 0) + count
            else:
                clients[client] = clients.get(client, 0) + count
        else:
            if self._method == "unique.v1":
                for others in self._by_name.values():
                    others.pop(client or "", None)
            clients[client or ""] = 1

    def _remove(self, name: str, client: str | None) -> None:
        if client is None:
            self._unidentified.pop(name, None)
        else:
            self._by_name[name].pop(client, None)

    def shown(self) -> Any:
        if self._method == "total.v1":
            return {"total": self._total}
        if self._method == "flag.v1":
            return _listed(self._by_name.get("", {}))
        names = {
            name: clients
            for name, clients in self._by_name.items()
            if clients or self._unidentified.get(name)
        }
        if self._method != "multiple.v1":
            return {name: _listed(clients) for name, clients in names.items()}
        return {
            name: {
                "total": sum(clients.values()) + self._unidentified.get(name, 0),
                "clientIds": dict(clients),
                "totalUnidentified": self._unidentified.get(name, 0),
                "totalClientIds": len(clients),
                "clipped": False,
            }
            for name, clients in names.items()
        }


def _listed(clients: dict[str, int]) -> dict[str, Any]:
    return {"total": len(clients), "clientIds": list(clients), "clipped": False}
