"""Attaching a connection to a channel: its name taken apart, its modes, and what it has missed."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from msgspec import structs

from deploy.edge.attachment import Attachment
from deploy.edge.bounds import REWIND_MESSAGES_MAX
from deploy.edge.channel import Channel
from deploy.edge.connection import Connection
from deploy.edge.filters import Filter
from deploy.edge.history import Entry
from deploy.edge.occupancy import occupancy_message
from deploy.edge.refusals import (
    CHANNELS_TOO_MANY,
    INVALID_CHANNEL,
    INVALID_PARAMETER,
    RECOVERY_EXPIRED,
    RECOVERY_UNKNOWN,
    refused,
    unauthorized,
)
from deploy.edge.wire import ALL_MODES, DEFAULT_MODES, MODES, Action, ErrorInfo, Flag, Protocol
from pipelines.errors import EdgeError

__all__ = ["Attaching", "Name", "read_name"]

QUALIFIED: Final = re.compile(r"\[([^\]?]*)(?:\?([^\]]*))?\](.+)", re.DOTALL)
REWIND_TIME: Final = re.compile(r"(\d{1,4})([sm])")
KNOWN_PARAMS: Final = ("rewind", "rewindLimit", "delta", "modes", "occupancy")


class Name(NamedTuple):
    """A channel's own name, the parameters that the name carried, and a filter's text."""

    base: str
    params: dict[str, str]
    filter: str = ""


def read_name(name: str) -> Name:
    """Take apart `[?rewind=1]name`, `[filter=...]name` and `[meta?rewind=1]log`."""
    found = QUALIFIED.fullmatch(name)
    if found is None:
        return Name(name, {})
    params = dict(parse_qsl(found[2] or "", keep_blank_values=True))
    qualifier = found[1]
    if not qualifier:
        return Name(found[3], params)
    if qualifier.startswith("filter="):
        return Name(found[3], params, qualifier.removeprefix("filter="))
    return Name(f"[{qualifier}]{found[3]}", params)


class Attaching:
    """Carries out ATTACH."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def attach(self, connection: Connection, message: Protocol) -> None:
        """Attach, tell it, and send what was missed. Raises EdgeError."""
        name = message.channel or ""
        base, named, filter_text = read_name(name)
        given = {**named, **{k: _text(v) for k, v in (message.params or {}).items()}}
        params = {key: value for key, value in given.items() if key in KNOWN_PARAMS}
        asked = _modes_asked(message, params)
        modes = asked & connection.modes_allowed(base)
        if not modes & ~Flag.ANNOTATION_PUBLISH:
            raise unauthorized("attaching", base)
        bound = connection.authority.app.limits.channels_per_connection
        if name not in connection.channels and len(connection.channels) >= bound:
            raise refused(CHANNELS_TOO_MANY, f"at most {bound} channels")
        if params.get("occupancy"):
            connection.authority.require("channel-metadata", base)
        channel = connection.authority.app.channel(base)
        held = channel.attachments.get((connection.id, name))
        backlog, flags, error = self._continued(channel, message, params, held)
        attachment = Attachment(
            subscriber=connection,
            modes=modes,
            asked_modes=asked,
            echo=connection.echo,
            params=params,
            serial=channel.serial(),
            alias=name if name != base else "",
            wants_delta=params.get("delta") == "vcdiff",
            filter=_filter(filter_text) if filter_text else None,
            occupancy=params.get("occupancy", ""),
        )
        channel.attach(attachment, self._now_ms())
        channel.is_occupancy_stale = True
        connection.channels[name] = channel
        if backlog and not flags & Flag.RESUMED:
            flags |= Flag.HAS_BACKLOG
        if modes & Flag.PRESENCE_SUBSCRIBE:
            flags |= channel.presence.flag()
        connection.send_own(
            Protocol(
                action=Action.ATTACHED,
                channel=name,
                channel_serial=channel.serial(),
                flags=int(flags | modes),
                params=params or None,
                error=ErrorInfo.of(error) if error is not None else None,
            )
        )
        if backlog and connection.socket is not None:
            # Twice, as a frame is larger than its messages, most of all in JSON.
            connection.socket.make_room(2 * sum(entry.size for entry in backlog))
        for entry in backlog:
            if modes & entry.mode:
                attachment.replay(entry.frame)
        if modes & Flag.PRESENCE_SUBSCRIBE:
            self.sync(connection, channel, name)
        if attachment.occupancy:
            told = occupancy_message(channel, attachment.occupancy, self._now_ms())
            attachment.subscriber.send(told.renamed(attachment.alias))

    def sync(self, connection: Connection, channel: Channel, name: str) -> None:
        """Tell a connection who is present."""
        for frame in channel.presence.sync(name, channel.serial()):
            connection.send_own(frame)

    def detach(self, connection: Connection, name: str) -> None:
        """Let go of a channel; with its last name, who entered over this connection leaves."""
        channel = connection.channels.pop(name, None)
        if channel is not None:
            channel.detach(connection.id, name, self._now_ms())
            if channel.name in connection.entered and channel not in connection.channels.values():
                connection.leave_presence(self._now_ms(), [channel])

    def _continued(
        self, channel: Channel, message: Protocol, params: dict[str, str], held: Attachment | None
    ) -> tuple[list[Entry], Flag, EdgeError | None]:
        """Return what to replay, whether nothing was missed, and if not, why."""
        serial = message.channel_serial or ""
        if serial:
            missed = channel.resume(serial)
            if missed is not None:
                return missed, Flag.RESUMED, None
            if channel.serials.is_of(serial):
                why = refused(RECOVERY_EXPIRED, "messages since then have expired")
            else:
                why = refused(RECOVERY_UNKNOWN, "the channel has begun anew since then")
            return [], Flag(0), why
        if (message.flags or 0) & Flag.ATTACH_RESUME:
            return [], Flag(0) if held is None else Flag.RESUMED, None
        if held is not None and not _is_raced(held, params, channel):
            return [], Flag.RESUMED, None
        return self._rewound(channel, params), Flag(0), None

    def _rewound(self, channel: Channel, params: dict[str, str]) -> list[Entry]:
        rewind = params.get("rewind", "")
        if not rewind:
            return []
        limit = params.get("rewindLimit", str(REWIND_MESSAGES_MAX))
        if not limit.isascii() or not limit.isdigit():
            raise refused(INVALID_PARAMETER, f"not a rewindLimit: {limit[:32]!r}")
        bound = min(int(limit[:6]), REWIND_MESSAGES_MAX)
        if rewind.isascii() and rewind.isdigit():
            newest = channel.history.newest(min(int(rewind[:6]), bound))
            return _as_now(channel, newest)
        found = REWIND_TIME.fullmatch(rewind)
        if found is None:
            raise refused(INVALID_PARAMETER, f"not a rewind: {rewind[:32]!r}")
        span_ms = int(found[1]) * (60_000 if found[2] == "m" else 1_000)
        entries = channel.history.since(self._now_ms() - span_ms)
        newest = channel.history.newest(bound)
        return _as_now(channel, entries if len(entries) <= len(newest) else newest)


def _is_raced(held: Attachment, params: dict[str, str], channel: Channel) -> bool:
    """Return whether a client changed its mind before it knew that it was attached.

    It then asks for a rewind without a serial, having heard nothing of the channel yet: the
    two are one attachment, with the later parameters.
    """
    is_new = "rewind" in params and "rewind" not in (held.params or {})
    return is_new and held.serial == channel.serial()


def _as_now(channel: Channel, entries: list[Entry]) -> list[Entry]:
    """Return entries of the past as a new listener sees them: newest versions, whole."""
    if not len(channel.versions) and not len(channel.annotations):
        return entries
    seen = []
    for entry in entries:
        messages = [channel.current(one) for one in entry.messages]
        outer = entry.frame.message
        frame = channel.frame_of(
            messages, entry.channel_serial, outer.id, outer.connection_id, entry.timestamp_ms
        )
        seen.append(structs.replace(entry, messages=tuple(messages), frame=frame))
    return seen


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise refused(INVALID_PARAMETER, "channel parameters are text")
    return str(value)


def _filter(text: str) -> Filter:
    try:
        return Filter(base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise refused(INVALID_CHANNEL, "the filter in the channel's name is not base64") from error


def _modes_asked(message: Protocol, params: dict[str, str]) -> Flag:
    if "modes" in params:
        modes = Flag(0)
        for word in params["modes"].split(","):
            if word.strip().lower() not in MODES:
                raise refused(INVALID_PARAMETER, f"{word!r} is not a mode")
            modes |= MODES[word.strip().lower()]
        return modes
    asked = Flag((message.flags or 0) & int(ALL_MODES))
    return asked or DEFAULT_MODES
