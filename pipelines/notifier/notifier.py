"""The notifier's loop: results and starts from `journal`, to bettors' phones, once each.

1. read    `journal`; an entry of interest becomes a job of its partition, in order
2. work    each partition's first job: ask the shard, push, note in `notices`
3. commit  the journal's offset, before the next job of that partition starts

A crash between a push and its notice repeats that request's pushes, under the same collapse key.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from pipelines.backoff import Backoff
from pipelines.errors import BrokerError, EdgeError
from pipelines.kafka.reader import ReadRecord
from pipelines.limits import EVENT_RETENTION_MS, POLL_RECORDS_MAX
from pipelines.messages.bettor_entries import CouponSettled
from pipelines.messages.entries import EventIsStarting, JournalRecord, MarketSettled
from pipelines.notifier.entry_job import EntryJob, JobKey
from pipelines.notifier.outcomes import coupon_told
from pipelines.notifier.query import ShardQuery, ShardUnavailable
from pipelines.notifier.sent_log import NoticeLog, SentLog
from pipelines.ports import Clock, Edge
from pipelines.settings import Settings
from pipelines.topics import JOURNAL

__all__ = ["JournalReader", "Notifier", "NotifierMetrics"]

logger = logging.getLogger(__name__)

JOBS_WAITING_MAX: Final = 10_000
COMMIT_INTERVAL_S: Final = 0.5
BUSY_POLL_TIMEOUT_S: Final = 0.005
ERROR_WAIT_S: Final = 0.5


class JournalReader(Protocol):
    """What the notifier needs of `pipelines.kafka.reader.CommittedReader`."""

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]: ...
    def commit(self, positions: Mapping[tuple[str, int], int]) -> None: ...
    def committed(self) -> dict[tuple[str, int], int]: ...
    def known_ends(self) -> dict[tuple[str, int], int]: ...
    def close(self) -> None: ...


class NotifierMetrics:
    """Called as things happen; this one counts nothing. `kind` as in the notices."""

    def pushed(self, kind: str) -> None:
        """The edge took a push."""

    def push_refused(self, kind: str, code: int) -> None:
        """The edge refused a push for good."""

    def push_skipped(self, kind: str) -> None:
        """A push was noted before the last restart and not sent again."""

    def stale(self) -> None:
        """An entry older than an event is remembered was passed over."""

    def unreadable(self) -> None:
        """A journal record could not be decoded and was passed over."""

    def retried(self, reason: str) -> None:
        """A step will be done again: shard, edge or kafka did not answer."""


class _Counts:
    """Passes on to the metrics and keeps totals for `status`."""

    def __init__(self, metrics: NotifierMetrics) -> None:
        self._metrics = metrics
        self.totals = {"pushed": 0, "refused": 0, "skipped": 0}

    def pushed(self, kind: str) -> None:
        self.totals["pushed"] += 1
        self._metrics.pushed(kind)

    def push_refused(self, kind: str, code: int) -> None:
        self.totals["refused"] += 1
        self._metrics.push_refused(kind, code)

    def push_skipped(self, kind: str) -> None:
        self.totals["skipped"] += 1
        self._metrics.push_skipped(kind)


class _Partition:
    """One partition's jobs and position."""

    def __init__(self, log: NoticeLog, partition: int, backoff: Backoff) -> None:
        self.jobs: deque[EntryJob] = deque()
        self.sent_log = SentLog(log, partition)
        self.restored = False
        self.read_next = 0
        self.backoff = backoff

    @property
    def done(self) -> int:
        """The next offset to commit: the first job's, or all that was read."""
        return self.jobs[0].key.offset if self.jobs else self.read_next


class Notifier:
    """Pushes for one partition, or several. Used by one thread."""

    def __init__(
        self,
        reader: JournalReader,
        query: ShardQuery,
        edge: Edge,
        notice_log: NoticeLog,
        clock: Clock,
        settings: Settings,
        metrics: NotifierMetrics | None = None,
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self._reader = reader
        self._query = query
        self._edge = edge
        self._notice_log = notice_log
        self._clock = clock
        self._poll_records_max = min(POLL_RECORDS_MAX, settings.transaction_records_max)
        self._metrics = metrics or NotifierMetrics()
        self._counts = _Counts(self._metrics)
        self._randomness = randomness
        self._records = msgspec.msgpack.Decoder(JournalRecord)
        self._partitions: dict[int, _Partition] = {}
        self._committed: dict[int, int] = {}
        self._committed_s = -COMMIT_INTERVAL_S
        self._ends: dict[tuple[str, int], int] = {}
        self._last_error = ""
        self._progress_s = clock.monotonic_s()

    def step(self, timeout_s: float) -> int:
        """Do one round; return how many records were read and jobs finished.

        Raises BrokerError where Kafka refused an idle commit; the next step tries again.
        """
        waiting = sum(len(p.jobs) for p in self._partitions.values())
        progress = 0
        if waiting < JOBS_WAITING_MAX:
            progress += self._read(min(timeout_s, BUSY_POLL_TIMEOUT_S) if waiting else timeout_s)
        for partition, state in list(self._partitions.items()):
            progress += self._work(partition, state)
        self._commit_read()
        self._progress_s = self._clock.monotonic_s()
        return progress

    def run(self, stop: threading.Event, timeout_s: float = 0.1) -> None:
        """Step until `stop` is set; outlives every failure of Kafka, the shards and the edge."""
        while not stop.is_set():
            try:
                if not self.step(timeout_s) and self._full():
                    stop.wait(BUSY_POLL_TIMEOUT_S)
            except BrokerError as error:
                self._failed("kafka", error)
                stop.wait(ERROR_WAIT_S)

    def status(self) -> dict[str, object]:
        """What operators and gauges want to know; safe to call from another thread."""
        committed = dict(self._committed)
        ends = dict(self._ends)
        partitions = list(self._partitions.values())
        return {
            "positions": {f"{JOURNAL}/{p}": offset for p, offset in committed.items()},
            "lag": {
                f"{t}/{p}": max(0, end - committed[p])
                for (t, p), end in ends.items()
                if p in committed
            },
            "jobs_waiting": sum(len(p.jobs) for p in partitions),
            "pushes_waiting": sum(p.jobs[0].waiting for p in partitions if p.jobs),
            "last_error": self._last_error,
            "progress_monotonic_s": self._progress_s,
            **self._counts.totals,
        }

    def _full(self) -> bool:
        return sum(len(p.jobs) for p in self._partitions.values()) >= JOBS_WAITING_MAX

    def _read(self, timeout_s: float) -> int:
        records = self._reader.poll(self._poll_records_max, timeout_s)
        for record in records:
            state = self._partitions.get(record.partition)
            if state is None:
                backoff = Backoff(self._randomness)
                state = _Partition(self._notice_log, record.partition, backoff)
                self._partitions[record.partition] = state
            key = self._job_of(record)
            if key is not None:
                state.jobs.append(EntryJob(key, self._counts))
            state.read_next = record.offset + 1
        return len(records)

    def _job_of(self, record: ReadRecord) -> JobKey | None:
        try:
            journal = self._records.decode(record.value or b"")
        except msgspec.MsgspecError as error:
            self._metrics.unreadable()
            logger.error(
                "record passed over topic=%s partition=%d offset=%d error=%s",
                record.topic,
                record.partition,
                record.offset,
                error,
            )
            return None
        entry = journal.entry
        if not isinstance(entry, MarketSettled | EventIsStarting | CouponSettled):
            return None
        # Shards forget events after this time, and nobody wants such news late. The record's own
        # time counts: the engine time of a replayed event is years ago.
        if self._clock.time_ms() - record.timestamp_ms > EVENT_RETENTION_MS:
            self._metrics.stale()
            return None
        settlement = 0 if isinstance(entry, EventIsStarting) else entry.settlement
        coupon = entry if isinstance(entry, CouponSettled) else None
        return JobKey(
            record.partition,
            record.offset,
            entry.event_id,
            coupon.bet_id if coupon else entry.market_id,
            settlement,
            journal.at_ms,
            record.timestamp_ms,
            coupon_told(coupon) if coupon else None,
        )

    def _work(self, partition: int, state: _Partition) -> int:
        if not state.jobs or state.backoff.wait_s(self._clock.monotonic_s()):
            return 0
        try:
            if not state.restored:
                state.sent_log.restore(self._reader.committed().get((JOURNAL, partition), 0))
                state.restored = True
            finished = state.jobs[0].advance(self._query, self._edge, state.sent_log)
            if finished:
                self._finish(partition, state)
        except ShardUnavailable as error:
            self._failed("shard", error, state)
            return 0
        except EdgeError as error:
            self._failed("edge", error, state, error.retry_after_s)
            return 0
        except BrokerError as error:
            self._failed("kafka", error, state)
            return 0
        if not finished and state.jobs[0].refused_for_now:
            state.backoff.failed(self._clock.monotonic_s())
        else:
            state.backoff.succeeded()
        return int(finished)

    def _finish(self, partition: int, state: _Partition) -> None:
        """Commit the first job's entry. Raises BrokerError: the job stays, with nothing to push."""
        following = state.jobs[1].key.offset if len(state.jobs) > 1 else state.read_next
        self._reader.commit({(JOURNAL, partition): following})
        self._committed[partition] = following
        state.jobs.popleft()
        state.sent_log.forget()

    def _commit_read(self) -> None:
        """Commit what held no job, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._committed_s < COMMIT_INTERVAL_S:
            return
        # Kept for `status`: a reader belongs to its thread, other threads would block in it.
        self._ends = self._reader.known_ends()
        moved = {
            partition: state.done
            for partition, state in self._partitions.items()
            if state.done > self._committed.get(partition, -1)
        }
        self._committed_s = now_s
        if moved:
            self._reader.commit({(JOURNAL, p): offset for p, offset in moved.items()})
            self._committed.update(moved)

    def _failed(
        self,
        reason: str,
        error: Exception,
        state: _Partition | None = None,
        asked_s: float = 0.0,
    ) -> None:
        if state is not None:
            state.backoff.failed(self._clock.monotonic_s(), asked_s)
        self._metrics.retried(reason)
        if str(error) != self._last_error:
            logger.warning("notifier waits reason=%s error=%s", reason, error)
        self._last_error = str(error)
