"""Ably's limits of an account, switched on by `--limits`: rates, counts, and the error of each.

A product tested here then does not meet a limit for the first time in the cloud. Source: Ably's
documentation of limits, packages Free and Pro.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from deploy.edge.bounds import (
    CHANNELS_MAX,
    CHANNELS_PER_CONNECTION_MAX,
    CONNECTIONS_MAX,
    MESSAGE_BYTES_MAX,
    PRESENCE_MEMBERS_MAX,
)
from deploy.edge.refusals import (
    ACCOUNT_RATE,
    CHANNEL_BANDWIDTH,
    CHANNEL_CREATION_RATE,
    CHANNEL_RATE,
    CONNECTION_LIMIT,
    CONNECTION_RATE,
    REQUEST_RATE,
    SYSTEM_BUSY,
    refused,
)

__all__ = ["PACKAGES", "Limits"]

WINDOWS_MAX: Final = 100_000


class _Rates:
    """How much was used within the second, by name; the longest-unused names give way."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, name: str, amount: int, per_second: int, now_ms: int) -> bool:
        """Use so much of this second's share; False, and nothing used, where that is too much."""
        second = now_ms // 1000
        at, used = self._used.get(name, (second, 0))
        if at != second:
            used = 0
        if used + amount > per_second:
            return False
        self._used[name] = (second, used + amount)
        self._used.move_to_end(name)
        if len(self._used) > WINDOWS_MAX:
            self._used.popitem(last=False)
        return True


@dataclass
class Limits:
    """What an app may use; 0 is no limit. Rates are per second, sizes in bytes."""

    channel_messages: int = 0
    channel_bytes: int = 0
    connection_messages: int = 0
    connection_outbound: int = 0
    account_messages: int = 0
    connections: int = CONNECTIONS_MAX
    connections_opened: int = 0
    channels: int = CHANNELS_MAX
    channels_opened: int = 0
    channels_per_connection: int = CHANNELS_PER_CONNECTION_MAX
    presence_members: int = PRESENCE_MEMBERS_MAX
    requests: int = 0
    message_bytes: int = MESSAGE_BYTES_MAX
    _rates: _Rates = field(default_factory=_Rates, repr=False)

    @classmethod
    def none(cls) -> "Limits":
        """Return the edge's own bounds alone, for development."""
        return cls()

    def published(self, channel: str, connection: str | None, size: int, now_ms: int) -> None:
        """Count one publication, however many messages it holds. Raises EdgeError."""
        take = self._rates.take
        if (
            connection is not None
            and self.connection_messages
            and not take(f"n:{connection}", 1, self.connection_messages, now_ms)
        ):
            raise refused(
                CONNECTION_RATE, f"more than {self.connection_messages} messages/s on a connection"
            )
        if self.channel_messages and not take(f"c:{channel}", 1, self.channel_messages, now_ms):
            raise refused(
                CHANNEL_RATE, f"more than {self.channel_messages} messages/s in a channel"
            )
        if self.channel_bytes and not take(f"b:{channel}", size, self.channel_bytes, now_ms):
            raise refused(CHANNEL_BANDWIDTH, f"more than {self.channel_bytes} bytes/s on it")
        if self.account_messages and not take("account", 1, self.account_messages, now_ms):
            raise refused(ACCOUNT_RATE, f"more than {self.account_messages} messages/s in all")

    def channel_opened(self, count: int, now_ms: int) -> None:
        """Count a new channel beside `count` others. Raises EdgeError."""
        if count >= self.channels:
            raise refused(SYSTEM_BUSY, f"at most {self.channels} channels")
        if self.channels_opened and not self._rates.take(
            "channels", 1, self.channels_opened, now_ms
        ):
            raise refused(CHANNEL_CREATION_RATE, f"more than {self.channels_opened} new channels/s")

    def connection_opened(self, count: int, now_ms: int) -> None:
        """Count a new connection beside `count` others. Raises EdgeError."""
        if count >= self.connections:
            raise refused(SYSTEM_BUSY, f"at most {self.connections} connections")
        if self.connections_opened and not self._rates.take(
            "connections", 1, self.connections_opened, now_ms
        ):
            raise refused(CONNECTION_LIMIT, f"more than {self.connections_opened} connections/s")

    def requested(self, now_ms: int) -> None:
        """Count a REST request. Raises EdgeError."""
        if self.requests and not self._rates.take("requests", 1, self.requests, now_ms):
            raise refused(REQUEST_RATE, f"more than {self.requests} requests/s")

    def may_hear(self, connection: str, count: int, now_ms: int) -> bool:
        """Return whether a connection may get so many messages more in this second."""
        if not self.connection_outbound:
            return True
        return self._rates.take(f"o:{connection}", count, self.connection_outbound, now_ms)


def _free() -> Limits:
    return Limits(
        channel_messages=50,
        channel_bytes=1_048_576,
        connection_messages=50,
        connection_outbound=50,
        account_messages=500,
        connections=200,
        connections_opened=42,
        channels=200,
        channels_opened=42,
        channels_per_connection=200,
        presence_members=200,
        requests=50,
    )


def _production() -> Limits:
    return Limits(
        channel_messages=50,
        channel_bytes=1_048_576,
        connection_messages=50,
        connection_outbound=50,
        account_messages=10_000,
        connections=50_000,
        connections_opened=500,
        channels=50_000,
        channels_opened=500,
        channels_per_connection=200,
        presence_members=200,
        requests=1_447,
        message_bytes=262_144,
    )


#: Ably's packages by the name that `--limits` takes.
PACKAGES: Final = {"none": Limits.none, "free": _free, "production": _production}
