"""What a replay plays: recordings merged by their publish times, as steps of operations.

Recordings that overlap in time are played together, others one after the other without the gap
between them.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.betfair.opening import Names, Rules, Translated
from pipelines.betfair.recording import Contents, RecordingError, read_messages, scan
from pipelines.betfair.stream import StreamMessage
from pipelines.betfair.translation import Translation
from pipelines.messages.operations import Operation

__all__ = ["Script", "Step"]


class Step(NamedTuple):
    """One message's operations; `offset_ms` from the beginning of the play, gaps left out."""

    offset_ms: int
    operations: list[Operation]
    markets: list[Translated]  # those that changed, as they are now
    messages: int  # played so far


class Script:
    """The recordings of one replay. Raises RecordingError where one cannot be read."""

    def __init__(self, files: Sequence[Path], run_id: str, rules: Rules) -> None:
        if not files:
            raise RecordingError("name at least one recording to replay")
        self.files = list(files)
        self._run_id = run_id
        self._rules = rules
        contents = [scan(file) for file in self.files]
        self.messages = sum(one.messages for one in contents)
        self._names = _merged(contents)
        self._gaps = _gaps(contents)
        #: Moments by market id: what part of the play a market is.
        self.moments: Counter[str] = Counter()
        self.events: set[str] = set()
        self.translation = Translation(run_id, rules)
        self._count()
        #: Markets that cannot be played, and why.
        self.skipped = dict(self.translation.skipped)
        if not self.moments:
            reasons = "; ".join(f"{m}: {why}" for m, why in sorted(self.skipped.items()))
            raise RecordingError(f"there is no market to play: {reasons or 'no definitions'}")

    def steps(self) -> Iterator[Step]:
        """Yield the play from its beginning; steps without operations are there for their time."""
        translation = Translation(self._run_id, self._rules, self._names)
        self.translation = translation
        streams = [read_messages(file) for file in self.files]
        first_ms = now_ms = played = 0
        for message in heapq.merge(*streams, key=_publish_ms):
            played += 1
            now_ms = max(now_ms, message.pt)
            first_ms = first_ms or message.pt
            operations = translation.apply(message)
            offset_ms = self._offset_ms(first_ms, now_ms)
            yield Step(offset_ms, operations, list(translation.touched.values()), played)
        operations = translation.finish()
        offset_ms = self._offset_ms(first_ms, now_ms)
        yield Step(offset_ms, operations, list(translation.touched.values()), played)

    def _count(self) -> None:
        for step in self.steps():
            self.events.update(operation.event_id for operation in step.operations)
            self.moments.update(market.market_id for market in step.markets)

    def _offset_ms(self, first_ms: int, now_ms: int) -> int:
        skipped = sum(length for end, length in self._gaps if now_ms >= end)
        return now_ms - first_ms - skipped


def _merged(contents: Sequence[Contents]) -> Names:
    return Names(
        {k: v for one in contents for k, v in one.names.events.items()},
        {k: v for one in contents for k, v in one.names.markets.items()},
        {k: v for one in contents for k, v in one.names.runners.items()},
    )


def _gaps(contents: Sequence[Contents]) -> list[tuple[int, int]]:
    """Return when each gap between recordings ends, and how long it is, in ms."""
    gaps = []
    reached = 0
    for first_ms, last_ms in sorted((one.first_ms, one.last_ms) for one in contents):
        if reached and first_ms > reached:
            gaps.append((first_ms, first_ms - reached))
        reached = max(reached, last_ms)
    return gaps


def _publish_ms(message: StreamMessage) -> int:
    return message.pt
