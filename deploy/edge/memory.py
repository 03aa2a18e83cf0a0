"""What all channels remember together is bounded: the oldest messages give way.

The last messages of each channel stay, so that who comes to a quiet market still sees its odds.
Where those alone are too much, the channels that were used longest ago are emptied.
"""

import heapq
from collections.abc import Iterable
from typing import Final

from deploy.edge.channel import Channel

__all__ = ["LAST_KEPT", "give_way"]

LAST_KEPT: Final = 32  # of each channel
AT_ONCE: Final = 64  # dropped of one channel before the others are looked at


def give_way(channels: Iterable[Channel], bytes_max: int, now_ms: int) -> None:
    """Drop the oldest of what the channels remember until it fits into so many bytes."""
    known = list(channels)
    excess = sum(channel.history.memory_bytes for channel in known) - bytes_max
    if excess <= 0:
        return
    # The number tells apart what is equally old.
    oldest = [
        (channel.history.oldest_ms, number)
        for number, channel in enumerate(known)
        if len(channel.history) > LAST_KEPT
    ]
    heapq.heapify(oldest)
    while oldest and excess > 0:
        _, number = heapq.heappop(oldest)
        channel = known[number]
        before = channel.history.memory_bytes
        channel.shed(min(AT_ONCE, len(channel.history) - LAST_KEPT))
        excess -= before - channel.history.memory_bytes
        if len(channel.history) > LAST_KEPT:
            heapq.heappush(oldest, (channel.history.oldest_ms, number))
    for channel in sorted(known, key=lambda one: one.last_used_ms):
        if excess <= 0:
            return
        excess -= channel.history.memory_bytes
        channel.expire(now_ms + 1)
