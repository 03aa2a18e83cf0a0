"""One channel: gives each publication its place, keeps it, and hands its frame to the attached."""

from collections.abc import Callable, Iterable

import msgspec

from deploy.edge.actions import MessageAction
from deploy.edge.annotations import Annotations
from deploy.edge.attachment import Attachment, Subscriber
from deploy.edge.bounds import CONNECTION_STATE_TTL_MS, MESSAGE_EXTRA_BYTES
from deploy.edge.changes import Versions
from deploy.edge.delta import DeltaStream
from deploy.edge.history import Entry, History
from deploy.edge.idempotency import RecentIds
from deploy.edge.payload import size_of
from deploy.edge.presence import Presence
from deploy.edge.published import Done, Keeper, Published
from deploy.edge.serials import Serials
from deploy.edge.wire import Action, Annotation, Flag, Frame, Message, PresenceMessage, Protocol

__all__ = ["Attachment", "Channel", "Done", "Keeper", "Published", "Subscriber"]


class Channel:
    """State of one channel; `series` tells apart lives of a channel of the same name."""

    def __init__(self, name: str, series: str, retention_ms: int) -> None:
        self.name = name
        self.retention_ms = retention_ms
        self.history = History()
        self.presence = Presence()
        self.versions = Versions()
        self.annotations = Annotations()
        #: By connection and by the name that it attached: filtered and not are two.
        self.attachments: dict[tuple[str, str], Attachment] = {}
        self.keeper: Keeper | None = None
        #: Told of what was sent, for statistics: frames, messages, bytes; and of who came and went.
        self.meter: Callable[[int, int, int], None] | None = None
        self.on_presence: Callable[[Channel, list[PresenceMessage]], None] | None = None
        #: Set when occupancy may have changed; upkeep tells those who want to know.
        self.is_occupancy_stale = False
        #: Ids whose publication is not done yet, with who waits for it.
        self.in_flight: dict[str, list[Done]] = {}
        self.serials = Serials(series)
        self._deltas = DeltaStream()
        self._delta_count = 0
        self._recent = RecentIds()
        self.last_used_ms = 0

    def serial(self) -> str:
        """Return the place of the newest publication."""
        return self.serials.current()

    def attach(self, attachment: Attachment, now_ms: int) -> None:
        """Let a connection hear the channel from now on."""
        name = attachment.alias or self.name
        self.detach(attachment.subscriber.id, name, now_ms)
        self.attachments[attachment.subscriber.id, name] = attachment
        self._delta_count += attachment.wants_delta

    def detach(self, subscriber_id: str, name: str, now_ms: int) -> None:
        """Let go of what was attached by a name; safe where it is not attached."""
        gone = self.attachments.pop((subscriber_id, name), None)
        if gone is not None:
            self._delta_count -= gone.wants_delta
        self.is_occupancy_stale = True
        self.last_used_ms = now_ms

    def known(self, message_id: str) -> Published | None:
        """Return what became of a publication of this id within the last two minutes."""
        return self._recent.get(message_id)

    def publish(
        self,
        messages: list[Message],
        message_id: str,
        now_ms: int,
        origin: str | None = None,
        remember: bool = True,
        ephemeral: bool = False,
    ) -> Published:
        """Put messages at the end of the channel as one publication and fan them out.

        `origin` is the connection they came from; `remember` keeps the id for idempotency;
        `ephemeral` messages reach those who are attached now, and no history.
        """
        serial = self.next_serial(now_ms)
        for index, message in enumerate(messages):
            message.serial = f"{serial}:{index:03d}"
            message.action = int(MessageAction.CREATE)
            message.timestamp = now_ms
            message.version = {"serial": message.serial, "timestamp": now_ms}
        published = Published(
            message_id, serial, tuple(str(m.serial) for m in messages), is_id_given=remember
        )
        frame = self.frame_of(messages, serial, message_id, origin, now_ms)
        size = sum(map(size_of, messages)) + MESSAGE_EXTRA_BYTES * len(messages)
        if not ephemeral:
            self._append(Entry(serial, now_ms, tuple(messages), frame, size))
            if self.keeper is not None:
                self.keeper.messages(self.name, serial, now_ms, messages)
        if remember:
            self._recent.remember(published, now_ms)
        self._fan_out(frame, origin, messages)
        return published

    def change(
        self, original: Message, asked: Message, message_id: str, now_ms: int, origin: str | None
    ) -> Published:
        """Put the next version of a message into the stream. Raises EdgeError."""
        serial = self.next_serial(now_ms)
        version_serial = f"{serial}:000"
        made, told = self.versions.change(original, asked, version_serial, now_ms)
        told.id = f"{message_id}:0"
        self._tell(told, serial, message_id, now_ms, origin)
        if self.keeper is not None:
            self.keeper.version(self.name, serial, now_ms, made)
        return Published(message_id, serial, (version_serial,))

    def annotate(
        self, note: Annotation, about: Message, message_id: str, now_ms: int, origin: str | None
    ) -> Published:
        """Put an annotation on a message; tell it, and the new summary. Raises EdgeError."""
        serial = self.next_serial(now_ms)
        note.serial, note.timestamp = f"{serial}:000", now_ms
        self.annotations.add(note)
        frame = Frame(
            Protocol(
                action=Action.ANNOTATION,
                channel=self.name,
                channel_serial=serial,
                id=message_id,
                connection_id=origin,
                timestamp=now_ms,
                annotations=[note],
            )
        )
        mode = Flag.ANNOTATION_SUBSCRIBE
        self._append(Entry(serial, now_ms, (), frame, 2 * MESSAGE_EXTRA_BYTES, mode, listed=False))
        self.send_all(frame, mode)
        if self.keeper is not None:
            self.keeper.annotation(self.name, serial, now_ms, note)
        self._tell_summary(about, now_ms)
        return Published(message_id, serial, (note.serial,))

    def _tell_summary(self, about: Message, now_ms: int) -> None:
        serial = self.next_serial(now_ms)
        summary = Message(
            id=f"{serial}:0",
            name=about.name,
            serial=about.serial,
            action=int(MessageAction.SUMMARY),
            timestamp=now_ms,
            version=about.version,
            annotations={"summary": self.annotations.summary(about.serial or "")},
        )
        self._tell(summary, serial, serial, now_ms, None)

    def _tell(
        self, message: Message, serial: str, message_id: str, now_ms: int, origin: str | None
    ) -> None:
        """Fan a message out that stands in the stream, but in no list of the history."""
        frame = self.frame_of([message], serial, message_id, origin, now_ms)
        size = size_of(message) + MESSAGE_EXTRA_BYTES
        self._append(Entry(serial, now_ms, (message,), frame, size, listed=False))
        self._fan_out(frame, origin, [message])

    def be_present(
        self, given: list[PresenceMessage], message_id: str, now_ms: int, origin: str
    ) -> list[PresenceMessage]:
        """Change who is present and tell it; returns what was told. Raises EdgeError."""
        told = self.presence.apply(given)
        self.is_occupancy_stale = True
        if told:
            serial = self.next_serial(now_ms)
            self.presence.note(serial, told)
            frame = Protocol(
                action=Action.PRESENCE,
                channel=self.name,
                channel_serial=serial,
                id=message_id,
                connection_id=origin,
                timestamp=now_ms,
                presence=told,
            )
            self.send_all(Frame(frame), Flag.PRESENCE_SUBSCRIBE)
            if self.on_presence is not None:
                self.on_presence(self, told)
        return told

    def current(self, message: Message) -> Message:
        """Return a message of the history as it stands now, with its summary."""
        newest = self.versions.newest(message)
        summary = self.annotations.summary(message.serial or "")
        if not summary:
            return newest
        return msgspec.structs.replace(newest, annotations={"summary": summary})

    def frame_of(
        self,
        messages: list[Message],
        serial: str,
        message_id: str | None,
        origin: str | None,
        now_ms: int,
    ) -> Frame:
        """Return the frame of messages of this channel."""
        return Frame(
            Protocol(
                action=Action.MESSAGE,
                channel=self.name,
                channel_serial=serial,
                id=message_id,
                connection_id=origin,
                timestamp=now_ms,
                messages=messages,
            )
        )

    def _append(self, entry: Entry) -> None:
        self._let_go(self.history.append(entry))

    def _let_go(self, gone: Iterable[Entry]) -> None:
        for entry in gone:
            if entry.listed and (len(self.versions) or len(self.annotations)):
                for message in entry.messages:
                    self.versions.drop(message.serial or "")
                    self.annotations.drop(message.serial or "")

    def _fan_out(self, frame: Frame, origin: str | None, messages: list[Message]) -> None:
        step = self._deltas.advance(messages, frame, self._delta_count > 0)
        if not self.attachments:
            return
        sent = 0
        for attachment in list(self.attachments.values()):
            subscriber = attachment.subscriber
            if not attachment.hears or (subscriber.id == origin and not attachment.echo):
                continue
            sent += 1
            if attachment.is_plain:
                subscriber.send(frame)
            else:
                attachment.deliver(frame, step)
        if self.meter is not None and sent:
            self.meter(sent, sent * len(messages), sent * sum(map(size_of, messages)))

    def send_all(self, frame: Frame, mode: Flag) -> None:
        """Send a frame to all who have the mode, the sender included."""
        for attachment in list(self.attachments.values()):
            if attachment.modes & mode:
                attachment.subscriber.send(frame.renamed(attachment.alias))

    def next_serial(self, now_ms: int) -> str:
        """Return the next place in the channel."""
        self.last_used_ms = now_ms
        return self.serials.next(now_ms)

    def restore(self, serial: str, at_ms: int, messages: list[Message]) -> None:
        """Take up a publication of a former life; none for a change, which is not sent again."""
        self.serials.restore(serial)
        self.last_used_ms = at_ms
        if not messages:
            self.history.dropped = serial
            return
        base = (messages[0].id or "").rpartition(":")[0]
        frame = self.frame_of(messages, serial, base, messages[0].connection_id, at_ms)
        size = sum(map(size_of, messages)) + MESSAGE_EXTRA_BYTES * len(messages)
        self._append(Entry(serial, at_ms, tuple(messages), frame, size))
        # A publisher that lost its answer with the former life sends again: that is one message.
        message_id = (messages[0].id or "") if len(messages) == 1 else base
        serials = tuple(str(message.serial) for message in messages)
        self._recent.remember(Published(message_id, serial, serials, is_id_given=True), at_ms)

    def resume(self, serial: str) -> list[Entry] | None:
        """Return what follows a serial that a client holds; None where that cannot be told."""
        if not self.serials.is_of(serial) or serial < self.history.dropped:
            return None
        return self.history.after(serial)

    def forget(self, now_ms: int) -> None:
        """Drop what is too old."""
        self.expire(now_ms - self.retention_ms)
        self._recent.forget(now_ms)

    def shed(self, count: int) -> None:
        """Drop so many of the oldest publications."""
        self._let_go(self.history.shed(count))

    def expire(self, before_ms: int) -> None:
        """Drop the history of before the moment."""
        self._let_go(self.history.expire(before_ms))
        self.presence.forget(before_ms)

    def is_idle(self, now_ms: int) -> bool:
        """Return whether nobody would miss it, a client that may yet resume included."""
        remembers = len(self.history) or len(self._recent) or self.presence.history
        in_use = self.attachments or self.in_flight or self.presence.members
        return not (remembers or in_use) and self.last_used_ms < now_ms - CONNECTION_STATE_TTL_MS
