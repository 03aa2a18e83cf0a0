"""Who is present on one channel, and what was said of that; one member is a client on a connection.

Within the channel a member counts until it leaves, its connection closes, or a cut connection has
not come back in time.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from deploy.edge.actions import PresenceAction
from deploy.edge.bounds import (
    PRESENCE_HISTORY_MAX,
    PRESENCE_MEMBERS_MAX,
    SYNC_MEMBERS_MAX,
)
from deploy.edge.refusals import PRESENCE_TOO_MANY, refused
from deploy.edge.wire import Action, Flag, PresenceMessage, Protocol

__all__ = ["Presence"]

ENTERING = (PresenceAction.ENTER, PresenceAction.UPDATE, PresenceAction.PRESENT)


class Presence:
    """Members by connection and client id; `history` holds the newest comings and goings."""

    def __init__(self) -> None:
        self.members: dict[tuple[str, str], PresenceMessage] = {}
        self.history: deque[tuple[str, PresenceMessage]] = deque(maxlen=PRESENCE_HISTORY_MAX)
        self.members_max = PRESENCE_MEMBERS_MAX

    def apply(self, given: Iterable[PresenceMessage]) -> list[PresenceMessage]:
        """Change the members; returns what is to be told. Raises EdgeError before any change."""
        given = list(given)
        fresh = {
            _key(one) for one in given if one.action in ENTERING and _key(one) not in self.members
        }
        if len(self.members) + len(fresh) > self.members_max:
            raise refused(PRESENCE_TOO_MANY, f"at most {self.members_max} members")
        told = []
        for message in given:
            key = _key(message)
            known = self.members.get(key)
            if message.action == PresenceAction.LEAVE:
                if known is None:
                    continue
                del self.members[key]
                if message.data is None:
                    message = msgspec.structs.replace(
                        message, data=known.data, encoding=known.encoding
                    )
            elif known is not None and known.id == message.id:
                continue  # entered again by a client that resumed: it is there already
            else:
                action = PresenceAction.ENTER if known is None else PresenceAction.UPDATE
                message = msgspec.structs.replace(message, action=int(action))
                self.members[key] = message
            told.append(message)
        return told

    def of_connection(self, connection_id: str) -> list[PresenceMessage]:
        """Return the members that entered over a connection."""
        return [one for (holder, _), one in self.members.items() if holder == connection_id]

    def note(self, serial: str, messages: Iterable[PresenceMessage]) -> None:
        """Keep what was told."""
        self.history.extend((f"{serial}:{i:03d}", one) for i, one in enumerate(messages))

    def present(self) -> list[PresenceMessage]:
        """Return all members as such, in the order of their coming."""
        return [
            msgspec.structs.replace(one, action=int(PresenceAction.PRESENT))
            for one in self.members.values()
        ]

    def sync(self, channel: str, serial: str) -> list[Protocol]:
        """Return the frames that tell a client who is present, none where nobody is."""
        members = self.present()
        # Letters, digits and "-" alone: with any other, ably-js takes each frame for a whole sync.
        sequence = serial.partition("@")[0]
        frames = []
        for start in range(0, len(members), SYNC_MEMBERS_MAX):
            following = start + SYNC_MEMBERS_MAX
            cursor = str(following) if following < len(members) else ""
            frames.append(
                Protocol(
                    action=Action.SYNC,
                    channel=channel,
                    channel_serial=f"{sequence}:{cursor}",
                    presence=members[start:following],
                )
            )
        return frames

    def flag(self) -> Flag:
        """Return what ATTACHED says of it."""
        return Flag.HAS_PRESENCE if self.members else Flag(0)

    def forget(self, before_ms: int) -> None:
        """Drop what was said too long ago."""
        while self.history and (self.history[0][1].timestamp or 0) < before_ms:
            self.history.popleft()


def _key(message: PresenceMessage) -> tuple[str, str]:
    return message.connection_id or "", message.client_id or ""
