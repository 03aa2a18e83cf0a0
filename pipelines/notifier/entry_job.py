"""One journal entry that bettors are told of: ask the shard, push, note. Resumable anywhere.

1. ask    all pages of a settlement's bets, or the event's bettors; nothing is pushed before all
2. push   up to `PUSHES_PER_REQUEST` at a time, without those that were noted before
3. note   what was taken, durably, before the next request

A push that the edge refuses for good is counted and passed over; one that it may take later stays.
"""

from typing import Final, NamedTuple, Protocol

from pipelines.limits import ABLY_PUSHES_PER_BATCH_MAX, QUERY_PAGE_BETS_MAX
from pipelines.messages.notices import Notice
from pipelines.notifier.outcomes import Outcomes, Told
from pipelines.notifier.query import ShardQuery
from pipelines.notifier.sent_log import SentLog
from pipelines.notifier.wording import COUPON, starting, words
from pipelines.ports import Edge, Push

__all__ = ["EntryJob", "JobKey", "PushCounter"]

PUSHES_PER_REQUEST: Final = 1_000
assert PUSHES_PER_REQUEST <= ABLY_PUSHES_PER_BATCH_MAX


class JobKey(NamedTuple):
    """The entry: `settlement` 0 is an event that is starting, which has no market.

    A coupon's entry tells one bettor what it says itself (`told`); `market_id` is its bet id.
    """

    partition: int
    offset: int
    event_id: str
    market_id: str
    settlement: int
    at_ms: int
    timestamp_ms: int
    told: Told | None = None


class PushCounter(Protocol):
    """Counts what became of pushes."""

    def pushed(self, kind: str) -> None: ...
    def push_refused(self, kind: str, code: int) -> None: ...
    def push_skipped(self, kind: str) -> None: ...


class EntryJob:
    """The pushes of one entry and how far they are."""

    def __init__(self, key: JobKey, counter: PushCounter) -> None:
        self.key = key
        self._counter = counter
        self._waiting: list[tuple[Push, Notice]] | None = None
        self._unnoted: list[Notice] = []
        #: The last request had pushes that the edge may take later: wait before the next step.
        self.refused_for_now = False

    def advance(self, query: ShardQuery, edge: Edge, sent_log: SentLog) -> bool:
        """Do one step; True when all is pushed and noted.

        Raises ShardUnavailable, EdgeError, BrokerError: call again later, nothing is skipped.
        """
        if self._unnoted:
            self._note(sent_log)
        if self._waiting is None:
            self._waiting = self._pushes(query, sent_log)
        if not self._waiting:
            return True
        batch = self._waiting[:PUSHES_PER_REQUEST]
        answers = edge.push([push for push, _ in batch])
        again = []
        for (push, notice), taken in zip(batch, answers, strict=True):
            if taken.retry:
                again.append((push, notice))
            elif taken.code:
                self._counter.push_refused(notice.kind, taken.code)
            else:
                self._counter.pushed(notice.kind)
                self._unnoted.append(notice)
        self.refused_for_now = bool(again)
        self._waiting = again + self._waiting[PUSHES_PER_REQUEST:]
        self._note(sent_log)
        return not self._waiting

    @property
    def waiting(self) -> int:
        """Pushes that are still to be taken, as far as known."""
        return len(self._waiting or ())

    def _note(self, sent_log: SentLog) -> None:
        if self._unnoted:
            sent_log.note(self._unnoted)
            self._unnoted = []

    def _pushes(self, query: ShardQuery, sent_log: SentLog) -> list[tuple[Push, Notice]]:
        key = self.key
        told = self._told(query)
        if not told:
            return []
        if key.told is not None:
            return self._unsent(told, COUPON, sent_log)
        event_name, market_name = query.names(key.partition, key.event_id, key.market_id)
        event_name = event_name or key.event_id
        where = f"{event_name}, {market_name}" if market_name else event_name
        return self._unsent(told, where, sent_log)

    def _unsent(self, told: list[Told], where: str, sent_log: SentLog) -> list[tuple[Push, Notice]]:
        pairs = []
        for one in told:
            pair = self._push(one, where)
            if sent_log.sent(pair[1]):
                self._counter.push_skipped(one.kind)
            else:
                pairs.append(pair)
        return pairs

    def _told(self, query: ShardQuery) -> list[Told]:
        key = self.key
        if key.told is not None:
            return [key.told]
        if not key.settlement:
            bettors = query.bettors_of(key.partition, key.event_id)
            return [Told(client_id, "starting", 0) for client_id in bettors]
        outcomes = Outcomes()
        after: int | None = 0
        while after is not None:
            page = query.settled_bets(
                key.partition,
                key.event_id,
                key.market_id,
                key.settlement,
                after,
                QUERY_PAGE_BETS_MAX,
            )
            outcomes.add(page.bets)
            assert page.next is None or page.next > after, "pages go forward"
            after = page.next
        return outcomes.told()

    def _push(self, told: Told, where: str) -> tuple[Push, Notice]:
        key = self.key
        wording = (
            words(told.kind, where, told.payout_minor, corrected=key.settlement > 1)
            if key.settlement
            else starting(where)
        )
        push = Push(
            told.client_id,
            wording.title,
            wording.body,
            f"{key.event_id}:{key.market_id}:{told.kind}",
            # Push services carry flat texts only.
            {
                "event_id": key.event_id,
                "market_id": key.market_id,
                "kind": told.kind,
                "settlement": str(key.settlement),
                "payout_minor": str(told.payout_minor),
            },
        )
        notice = Notice(
            key.event_id,
            key.market_id,
            told.client_id,
            told.kind,
            key.settlement,
            told.payout_minor,
            key.at_ms,
            key.offset,
        )
        return push, notice
