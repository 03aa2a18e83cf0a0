"""Occupancy of a channel, told as `[meta]occupancy` messages to those who attach for it."""

import json
from typing import Any, Final

from deploy.edge.channel import Channel
from deploy.edge.wire import Action, Flag, Frame, Message, Protocol

__all__ = ["details", "occupancy", "occupancy_message", "tell_occupancy"]

NAME: Final = "[meta]occupancy"


def occupancy(channel: Channel) -> dict[str, Any]:
    """Return Ably's metrics of who is on a channel."""
    held = list(channel.attachments.values())

    def count(mode: Flag) -> int:
        return len({one.subscriber.id for one in held if one.modes & mode})

    return {
        "connections": len({one.subscriber.id for one in held}),
        "publishers": count(Flag.PUBLISH),
        "subscribers": count(Flag.SUBSCRIBE),
        "presenceConnections": count(Flag.PRESENCE),
        "presenceMembers": len(channel.presence.members),
        "presenceSubscribers": count(Flag.PRESENCE_SUBSCRIBE),
    }


def details(channel: Channel, is_active: bool = True) -> dict[str, Any]:
    """Return Ably's ChannelDetails."""
    status = {"isActive": is_active, "occupancy": {"metrics": occupancy(channel)}}
    return {"channelId": channel.name, "name": channel.name, "status": status}


def _metrics(channel: Channel, wanted: str) -> dict[str, Any]:
    """Return all metrics, or those of `metrics.<category>`."""
    found = occupancy(channel)
    category = wanted.partition(".")[2]
    return {category: found[category]} if category in found else found


def occupancy_message(channel: Channel, wanted: str, now_ms: int) -> Frame:
    """Return the frame that tells the occupancy as it is now."""
    data = json.dumps({"metrics": _metrics(channel, wanted)}, separators=(",", ":"))
    message = Message(
        id=f"occupancy:{now_ms}:0", name=NAME, data=data, encoding="json", timestamp=now_ms
    )
    return Frame(
        Protocol(
            action=Action.MESSAGE,
            channel=channel.name,
            channel_serial=channel.serial(),
            id=f"occupancy:{now_ms}",
            timestamp=now_ms,
            messages=[message],
        )
    )


def tell_occupancy(channel: Channel, now_ms: int) -> bool:
    """Tell those who want to know; returns whether something may have changed."""
    if not channel.is_occupancy_stale:
        return False
    channel.is_occupancy_stale = False
    frames: dict[str, Frame] = {}
    for attachment in list(channel.attachments.values()):
        wanted = attachment.occupancy
        if wanted:
            if wanted not in frames:
                frames[wanted] = occupancy_message(channel, wanted, now_ms)
            attachment.subscriber.send(frames[wanted].renamed(attachment.alias))
    return True
