"""ACK and NACK of one connection, in the order of its messages.

An ACK covers a run of serials, so one must not overtake an earlier message that still waits.
Answers are remembered for a while: a client that lost an ACK with its socket sends the message
again after resuming, and must get the same answer.
"""

from collections import OrderedDict, deque

from deploy.edge.bounds import UNACKNOWLEDGED_MAX
from deploy.edge.channel import Published
from deploy.edge.refusals import SYSTEM_BUSY, refused
from deploy.edge.wire import Action, ErrorInfo, Protocol
from pipelines.errors import EdgeError

__all__ = ["Acknowledgements"]

Outcome = Published | EdgeError


class Acknowledgements:
    """Answers that are due, by the client's message serial."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._outcomes: dict[int, Outcome] = {}
        self._answered: OrderedDict[int, Outcome] = OrderedDict()
        self.next_serial = 0

    def open(self, msg_serial: int) -> bool:
        """Note that a message came; False for one that is waiting already. Raises EdgeError."""
        if msg_serial in self._answered:
            self._outcomes[msg_serial] = self._answered[msg_serial]
            self._waiting.append(msg_serial)
            return False
        if msg_serial in self._outcomes or msg_serial in self._waiting:
            return False
        if len(self._waiting) >= UNACKNOWLEDGED_MAX:
            raise refused(SYSTEM_BUSY, f"{UNACKNOWLEDGED_MAX} messages wait for their answer")
        self._waiting.append(msg_serial)
        self.next_serial = max(self.next_serial, msg_serial + 1)
        return True

    def settle(self, msg_serial: int, outcome: Outcome) -> None:
        """Note the answer of a message."""
        self._outcomes[msg_serial] = outcome

    def take(self) -> list[Protocol]:
        """Return the frames that can go now; runs of successes share one ACK."""
        frames: list[Protocol] = []
        while self._waiting and self._waiting[0] in self._outcomes:
            msg_serial = self._waiting.popleft()
            outcome = self._outcomes.pop(msg_serial)
            self._remember(msg_serial, outcome)
            last = frames[-1] if frames else None
            if isinstance(outcome, EdgeError):
                frames.append(
                    Protocol(
                        action=Action.NACK,
                        msg_serial=msg_serial,
                        count=1,
                        error=ErrorInfo.of(outcome),
                    )
                )
            elif last is not None and _continues(last, msg_serial):
                last.count = (last.count or 0) + 1
                (last.res or []).append({"serials": outcome.serials})
            else:
                frames.append(
                    Protocol(
                        action=Action.ACK,
                        msg_serial=msg_serial,
                        count=1,
                        res=[{"serials": outcome.serials}],
                    )
                )
        return frames

    def _remember(self, msg_serial: int, outcome: Outcome) -> None:
        self._answered[msg_serial] = outcome
        while len(self._answered) > UNACKNOWLEDGED_MAX:
            self._answered.popitem(last=False)


def _continues(frame: Protocol, msg_serial: int) -> bool:
    return (
        frame.action == Action.ACK
        and (frame.msg_serial or 0) + (frame.count or 0) == msg_serial
        and len(frame.res or ()) < UNACKNOWLEDGED_MAX
    )
