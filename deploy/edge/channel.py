"""One channel: gives each publication its place, keeps it, and hands its frame to the attached."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol as Port

from deploy.edge.bounds import (
    CONNECTION_STATE_TTL_MS,
    IDEMPOTENCY_WINDOW_MS,
    IDEMPOTENT_IDS_MAX,
)
from deploy.edge.history import Entry, History
from deploy.edge.payload import size_of
from deploy.edge.wire import ALL_MODES, Action, Flag, Frame, Message, Protocol
from pipelines.errors import EdgeError

__all__ = ["Attachment", "Channel", "Published", "Subscriber"]

Done = Callable[["Published | EdgeError"], None]


class Subscriber(Port):
    """What a channel needs of a connection."""

    id: str

    def send(self, frame: Frame) -> None:
        """Send, or drop the connection where it is too slow."""


@dataclass(slots=True)
class Attachment:
    """One connection's hold on a channel."""

    subscriber: Subscriber
    modes: Flag = ALL_MODES
    echo: bool = True
    params: dict[str, str] | None = None
    serial: str = ""
    alias: str = ""  # the name it was attached by, where that carries parameters


@dataclass(frozen=True, slots=True)
class Published:
    """Where a publication was put: the channel's serial, and one serial a message."""

    message_id: str
    channel_serial: str
    serials: tuple[str, ...]


class Channel:
    """State of one channel; `series` tells apart lives of a channel of the same name.

    A serial is `<14 digits of milliseconds>-<3 digits>@<series>`: it sorts as text in channel
    order, also across a restart, and never repeats.
    """

    def __init__(self, name: str, series: str, retention_ms: int) -> None:
        self.name = name
        self.retention_ms = retention_ms
        self.history = History()
        self.attachments: dict[str, Attachment] = {}
        #: Ids whose publication is not done yet, with who waits for it.
        self.in_flight: dict[str, list[Done]] = {}
        self._series = series
        self._last = (0, 0)
        self._published: OrderedDict[str, tuple[int, Published]] = OrderedDict()
        self.last_used_ms = 0

    def serial(self) -> str:
        """Return the place of the newest publication."""
        return f"{self._last[0]:014d}-{self._last[1]:03d}@{self._series}"

    def attach(self, attachment: Attachment, now_ms: int) -> None:
        """Let a connection hear the channel from now on."""
        self.attachments[attachment.subscriber.id] = attachment
        self.last_used_ms = now_ms

    def detach(self, subscriber_id: str, now_ms: int) -> None:
        """Let go; safe where it is not attached."""
        self.attachments.pop(subscriber_id, None)
        self.last_used_ms = now_ms

    def known(self, message_id: str) -> Published | None:
        """Return what became of a publication of this id within the last two minutes."""
        found = self._published.get(message_id)
        return found[1] if found is not None else None

    def publish(
        self,
        messages: list[Message],
        message_id: str,
        now_ms: int,
        origin: str | None = None,
        remember: bool = True,
    ) -> Published:
        """Put messages at the end of the channel as one publication and fan them out.

        `origin` is the connection they came from; `remember` keeps the id for idempotency.
        """
        serial = self._next(now_ms)
        for index, message in enumerate(messages):
            message.serial = f"{serial}:{index:03d}"
            message.action = 0
            message.timestamp = now_ms
            message.version = {"serial": message.serial, "timestamp": now_ms}
        published = Published(message_id, serial, tuple(str(m.serial) for m in messages))
        frame = Frame(
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
        size = sum(map(size_of, messages)) + 256 * len(messages)
        self.history.append(Entry(serial, now_ms, tuple(messages), frame, size))
        if remember:
            self._remember(published, now_ms)
        self._fan_out(frame, origin)
        return published

    def _fan_out(self, frame: Frame, origin: str | None) -> None:
        for attachment in list(self.attachments.values()):
            if not attachment.modes & Flag.SUBSCRIBE:
                continue
            if not attachment.echo and attachment.subscriber.id == origin:
                continue
            attachment.subscriber.send(frame.renamed(attachment.alias))

    def _next(self, now_ms: int) -> str:
        last_ms, counter = self._last
        if now_ms > last_ms:
            self._last = (now_ms, 0)
        elif counter < 999:
            self._last = (last_ms, counter + 1)
        else:
            self._last = (last_ms + 1, 0)
        self.last_used_ms = now_ms
        return self.serial()

    def _remember(self, published: Published, now_ms: int) -> None:
        self._published[published.message_id] = (now_ms, published)
        if len(self._published) > IDEMPOTENT_IDS_MAX:
            self._published.popitem(last=False)

    def resume(self, serial: str) -> list[Entry] | None:
        """Return what follows a serial that a client holds; None where that cannot be told."""
        if not serial.endswith(f"@{self._series}") or serial < self.history.dropped:
            return None
        return self.history.after(serial)

    def has_series(self, serial: str) -> bool:
        """Return whether a serial is of this life of the channel."""
        return serial.endswith(f"@{self._series}")

    def forget(self, now_ms: int) -> None:
        """Drop what is too old."""
        self.history.expire(now_ms - self.retention_ms)
        while self._published:
            at_ms, _ = next(iter(self._published.values()))
            if at_ms > now_ms - IDEMPOTENCY_WINDOW_MS:
                break
            self._published.popitem(last=False)

    def is_idle(self, now_ms: int) -> bool:
        """Return whether nobody would miss it, a client that may yet resume included."""
        if self.attachments or self.in_flight or len(self.history) or self._published:
            return False
        return self.last_used_ms < now_ms - CONNECTION_STATE_TTL_MS
