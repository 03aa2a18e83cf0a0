"""The publisher's loop: read `odds` and `journal`, conflate, publish, commit what was taken.

1. read     both topics, committed records only; `journal` is paused while many receipts wait
2. conflate images to the newest of each market, receipts into their bettors' queues
3. publish  one batch, one request in flight
4. commit   only as far as the edge took everything

A restart goes on at the committed offsets. What is published again carries the same ids, and Ably
drops repeats for two minutes. Of odds only the newest image of each market goes out then, and none
before all that was there at the start is read: an image that was left out before, as newer ones
were there, must not come after them.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from pipelines.backoff import Backoff
from pipelines.errors import BrokerError, EdgeError
from pipelines.kafka.reader import ReadRecord
from pipelines.limits import POLL_RECORDS_MAX
from pipelines.messages.entries import JournalRecord
from pipelines.messages.images import OddsImage
from pipelines.ports import Clock, Edge
from pipelines.publisher.conflation import Conflator, Outcome, Position
from pipelines.publisher.message_id import guest_partition
from pipelines.publisher.odds import Newest, Summaries, odds_of
from pipelines.publisher.receipts import receipts_of
from pipelines.settings import Settings
from pipelines.topics import JOURNAL, ODDS

__all__ = ["Publisher", "PublisherMetrics", "Reader"]

logger = logging.getLogger(__name__)

RECEIPTS_WAITING_MAX: Final = 20_000
RECEIPTS_RESUME_BELOW: Final = 10_000
COMMIT_INTERVAL_S: Final = 0.25
BUSY_POLL_TIMEOUT_S: Final = 0.002
ERROR_WAIT_S: Final = 0.5
#: A partition that cannot be read holds the odds of the others back for no longer.
CATCH_UP_MAX_S: Final = 60.0


class Reader(Protocol):
    """What the loops need of `pipelines.kafka.reader.CommittedReader`."""

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]: ...
    def pause(self, topic: str) -> None: ...
    def resume(self, topic: str) -> None: ...
    def commit(self, positions: Mapping[tuple[str, int], int]) -> None: ...
    def known_ends(self) -> dict[tuple[str, int], int]: ...
    def caught_up(self, topic: str) -> bool: ...
    def close(self) -> None: ...


class PublisherMetrics:
    """Called as things happen; this one counts nothing. `kind` is odds, event or receipt."""

    def taken(self, kind: str, delay_ms: int) -> None:
        """The edge took a message, so long after its record was written."""

    def refused(self, kind: str, code: int) -> None:
        """The edge refused a message for good."""

    def retried(self, code: int) -> None:
        """A message or a whole request will be sent again."""

    def unreadable(self, topic: str) -> None:
        """A record could not be decoded and was passed over."""


class Publisher:
    """Moves one shard's output, or several shards', to the edge. Used by one thread."""

    def __init__(
        self,
        reader: Reader,
        edge: Edge,
        clock: Clock,
        settings: Settings,
        metrics: PublisherMetrics | None = None,
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self._reader = reader
        self._edge = edge
        self._clock = clock
        self._metrics = metrics or PublisherMetrics()
        self._conflator = Conflator(settings.odds_interval_ms)
        self._summaries = Summaries()
        self._newest = Newest()
        self._partitions = settings.partitions
        self._images = msgspec.msgpack.Decoder(OddsImage)
        self._records = msgspec.msgpack.Decoder(JournalRecord)
        self._backoff = Backoff(randomness)
        self._committed: dict[tuple[str, int], int] = {}
        self._committed_s = 0.0
        self._ends: dict[tuple[str, int], int] = {}
        self._paused = False
        self._counts = {"taken": 0, "refused": 0, "retried": 0, "unreadable": 0, "requests": 0}
        self._last_error = ""
        self._began_s = self._progress_s = clock.monotonic_s()
        self._may_publish_odds = False

    def step(self, timeout_s: float) -> int:
        """Do one round; return how many records were read and messages settled.

        Raises BrokerError where Kafka refused a commit; the next step tries again.
        """
        self._hold_journal()
        read = self._read(self._poll_timeout_s(timeout_s))
        settled = self._publish()
        self._commit(idle=not read and not settled)
        self._progress_s = self._clock.monotonic_s()
        return read + settled

    def run(self, stop: threading.Event, timeout_s: float = 0.1) -> None:
        """Step until `stop` is set; outlives every failure of Kafka and the edge."""
        while not stop.is_set():
            try:
                self.step(timeout_s)
            except BrokerError as error:
                self._note_error(str(error))
                stop.wait(ERROR_WAIT_S)
        try:
            self._commit(idle=True)
        except BrokerError as error:
            self._note_error(str(error))

    def status(self) -> dict[str, object]:
        """What operators and gauges want to know; safe to call from another thread."""
        committed = dict(self._committed)
        ends = dict(self._ends)
        return {
            "positions": {f"{t}/{p}": offset for (t, p), offset in committed.items()},
            "lag": {
                f"{t}/{p}": max(0, end - committed[t, p])
                for (t, p), end in ends.items()
                if (t, p) in committed
            },
            "images_waiting": self._conflator.images_waiting,
            "receipts_waiting": self._conflator.receipts_waiting,
            "images_conflated": self._conflator.conflated,
            "journal_paused": self._paused,
            "failures_in_a_row": self._backoff.failures,
            "last_error": self._last_error,
            "progress_monotonic_s": self._progress_s,
            **self._counts,
        }

    def _poll_timeout_s(self, timeout_s: float) -> float:
        wait_s = self._backoff.wait_s(self._clock.monotonic_s())
        if wait_s:
            return min(timeout_s, max(wait_s, BUSY_POLL_TIMEOUT_S))
        waiting = self._conflator.images_waiting or self._conflator.receipts_waiting
        return min(timeout_s, BUSY_POLL_TIMEOUT_S) if waiting else timeout_s

    def _hold_journal(self) -> None:
        # Kafka is the buffer of receipts: past a bound they are not read at all.
        waiting = self._conflator.receipts_waiting
        if not self._paused and waiting >= RECEIPTS_WAITING_MAX:
            self._reader.pause(JOURNAL)
            self._paused = True
        elif self._paused and waiting < RECEIPTS_RESUME_BELOW:
            self._reader.resume(JOURNAL)
            self._paused = False

    def _read(self, timeout_s: float) -> int:
        records = self._reader.poll(POLL_RECORDS_MAX, timeout_s)
        for record in records:
            position = Position(record.topic, record.partition, record.offset, record.timestamp_ms)
            try:
                self._offer(record, position)
            except msgspec.MsgspecError as error:
                self._unreadable(record, error)
            self._conflator.read(position)
        return len(records)

    def _offer(self, record: ReadRecord, position: Position) -> None:
        value = record.value or b""
        if record.topic == JOURNAL:
            decided = self._records.decode(value)
            event_id = decided.entry.event_id
            guest = guest_partition(event_id, record.partition, self._partitions)
            for receipt in receipts_of(decided, record.partition, guest):
                self._conflator.offer_receipt(receipt, position)
        elif record.topic == ODDS:
            image = self._images.decode(value)
            if self._newest.is_older(image):
                return
            market = (image.event_id, image.market_id)
            guest = guest_partition(image.event_id, record.partition, self._partitions)
            self._conflator.offer_image(("odds", *market), odds_of(image, guest), position)
            summary = self._summaries.changed(image)
            if summary is not None:
                self._conflator.offer_image(("event", *market), summary, position)

    def _unreadable(self, record: ReadRecord, error: msgspec.MsgspecError) -> None:
        self._counts["unreadable"] += 1
        self._metrics.unreadable(record.topic)
        logger.error(
            "record passed over topic=%s partition=%d offset=%d error=%s",
            record.topic,
            record.partition,
            record.offset,
            error,
        )

    def _publish(self) -> int:
        if self._backoff.wait_s(self._clock.monotonic_s()):
            return 0
        batch = self._conflator.due(self._clock.time_ms(), self._knows_newest())
        if not batch:
            return 0
        self._counts["requests"] += 1
        try:
            answers = self._edge.publish(batch)
        except EdgeError as error:
            self._conflator.settle((), self._clock.time_ms())
            self._backoff.failed(self._clock.monotonic_s(), error.retry_after_s)
            self._counts["retried"] += len(batch)
            self._metrics.retried(error.code)
            self._note_error(str(error))
            return 0
        self._backoff.succeeded()
        now_ms = self._clock.time_ms()
        outcomes = self._conflator.settle(answers, now_ms)
        for outcome in outcomes:
            self._count(outcome, now_ms)
        return sum(1 for outcome in outcomes if not outcome.taken.retry)

    def _knows_newest(self) -> bool:
        """Return whether the images that wait are no older than any that went out before."""
        if self._may_publish_odds:
            return True
        waited_s = self._clock.monotonic_s() - self._began_s
        self._may_publish_odds = self._reader.caught_up(ODDS) or waited_s > CATCH_UP_MAX_S
        if self._may_publish_odds and waited_s > CATCH_UP_MAX_S:
            logger.warning("odds go out though some partition was not read to its end")
        return self._may_publish_odds

    def _count(self, outcome: Outcome, now_ms: int) -> None:
        code, retry = outcome.taken
        kind = "receipt" if outcome.receipt else outcome.publication.name
        if retry:
            self._counts["retried"] += 1
            self._metrics.retried(code)
        elif code:
            self._counts["refused"] += 1
            self._metrics.refused(kind, code)
            self._last_error = f"{outcome.publication.channel} was refused with {code}"
            logger.error(
                "publication refused channel=%s id=%s code=%d",
                outcome.publication.channel,
                outcome.publication.id,
                code,
            )
        else:
            self._counts["taken"] += 1
            self._metrics.taken(kind, max(0, now_ms - outcome.position.timestamp_ms))

    def _commit(self, idle: bool) -> None:
        now_s = self._clock.monotonic_s()
        if not idle and now_s - self._committed_s < COMMIT_INTERVAL_S:
            return
        # Kept for `status`: a reader belongs to its thread, other threads would block in it.
        self._ends = self._reader.known_ends()
        done = self._conflator.done()
        moved = {where: at for where, at in done.items() if self._committed.get(where) != at}
        if not moved:
            return
        self._reader.commit(moved)
        self._committed.update(moved)
        self._committed_s = now_s

    def _note_error(self, error: str) -> None:
        if error != self._last_error:
            logger.warning("publisher waits error=%s", error)
        self._last_error = error
