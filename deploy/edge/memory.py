"""What all channels remember together is bounded: the longest-quiet ones give way."""

from collections.abc import Iterable

from deploy.edge.channel import Channel

__all__ = ["let_quiet_ones_go"]


def let_quiet_ones_go(channels: Iterable[Channel], bytes_max: int, now_ms: int) -> None:
    """Empty the histories of those that were used longest ago, until the others fit."""
    known = list(channels)
    excess = sum(channel.history.memory_bytes for channel in known) - bytes_max
    for channel in sorted(known, key=lambda one: one.last_used_ms):
        if excess <= 0:
            return
        excess -= channel.history.memory_bytes
        channel.expire(now_ms + 1)
