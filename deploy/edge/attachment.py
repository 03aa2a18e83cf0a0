"""One connection's hold on a channel: what it may do there, and in which form it hears it."""

from dataclasses import dataclass
from typing import Protocol as Port

import msgspec

from deploy.edge.delta import Step
from deploy.edge.filters import Filter
from deploy.edge.wire import DEFAULT_MODES, Flag, Frame

__all__ = ["Attachment", "Subscriber"]


class Subscriber(Port):
    """What a channel needs of a connection."""

    id: str

    def send(self, frame: Frame) -> None:
        """Send, or drop the connection where it is too slow."""


@dataclass(slots=True)
class Attachment:
    """One connection's hold on a channel."""

    subscriber: Subscriber
    modes: Flag = DEFAULT_MODES
    asked_modes: Flag = DEFAULT_MODES
    echo: bool = True
    params: dict[str, str] | None = None
    serial: str = ""
    alias: str = ""  # the name it was attached by, where that carries parameters
    wants_delta: bool = False
    filter: Filter | None = None
    occupancy: str = ""  # which metrics it hears of, "" for none
    base_id: str = ""  # the message that this client had last, where it wants deltas
    is_plain: bool = True  # nothing but the shared frame, as for almost everybody
    hears: bool = True  # has the mode for messages; asked for each delivery, so kept at hand

    def __post_init__(self) -> None:
        self.is_plain = not (self.alias or self.wants_delta or self.filter is not None)
        self.allow(self.modes)

    def allow(self, modes: Flag) -> None:
        """Set what the attachment may do from now on."""
        self.modes = modes
        self.hears = bool(modes & Flag.SUBSCRIBE)

    def deliver(self, frame: Frame, step: Step | None) -> None:
        """Send a frame of messages, filtered or as delta where that was asked for."""
        if self.filter is not None:
            found = [one for one in frame.message.messages or () if self.filter.matches(one)]
            if not found:
                return
            if len(found) < len(frame.message.messages or ()):
                frame = Frame(msgspec.structs.replace(frame.message, messages=found))
        elif self.wants_delta and step is not None:
            if step.changed is not None and step.before in ("", self.base_id):
                frame = step.changed
            self.base_id = step.after
        self.subscriber.send(frame.renamed(self.alias))

    def replay(self, frame: Frame) -> None:
        """Send a frame of the past, whole: deltas go on from there."""
        messages = frame.message.messages
        if messages:
            self.base_id = messages[-1].id or ""
        self.deliver(frame, None)
