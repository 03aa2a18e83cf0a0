"""The simulation finds out what is broken on purpose: a check that cannot fail checks nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import actors.supervisor
from actors.copies import Decision, Seen, choose
from pipelines.books import lmsr_book
from pipelines.notifier.sent_log import SentLog
from pipelines.ports import Positions, Publication
from pipelines.publisher.odds import Newest
from pipelines.publisher.publisher import Publisher
from pipelines.shard import freeze, order_settle
from pipelines.snapshots import Snapshot
from tests.sim.edge import Heard, SimulatedEdge
from tests.sim.faults import Odds
from tests.sim.kafka import SimulatedKafka
from tests.sim.logs import SimulatedShardLog, SimulatedSnapshots
from tests.sim.mishaps import Mishaps
from tests.sim.shrink import run_seed

STEPS = 600
NONE = Odds.none()


def found_out(seeds: int, odds: Odds | None = None, steps: int = STEPS) -> bool:
    """Return whether one of so many seeds fails."""
    return any(run_seed(seed, steps, odds or Odds()) is not None for seed in range(1, seeds + 1))


def test_a_kafka_that_does_not_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedKafka, "check", lambda self, transactional_id, epoch: None)
    assert found_out(30)


def test_a_kafka_that_shows_what_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedKafka, "stable_end", SimulatedKafka.end)
    often_open = Odds(
        commit_late=500, transaction_aborts=500, transaction_hangs=500, slow_markers=2_000
    )
    assert found_out(30, often_open)


def test_a_standby_that_owns_without_fencing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fence(self: SimulatedShardLog) -> None:
        epochs = self._kafka._epochs  # it takes the epoch that there is
        self._epoch = epochs.setdefault(self._id, 0)

    monkeypatch.setattr(SimulatedShardLog, "fence", fence)
    assert found_out(30)


def test_a_shard_that_reads_an_input_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SimulatedShardLog.assign

    def assign(self: SimulatedShardLog, positions: Positions) -> None:
        real(self, positions._replace(bets=max(0, positions.bets - 1)))

    monkeypatch.setattr(SimulatedShardLog, "assign", assign)
    assert found_out(3)


def test_a_shard_that_misses_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SimulatedShardLog.assign

    def assign(self: SimulatedShardLog, positions: Positions) -> None:
        real(self, positions._replace(bets=positions.bets + 1))

    monkeypatch.setattr(SimulatedShardLog, "assign", assign)
    assert found_out(3)


def test_a_snapshot_that_is_one_entry_off(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SimulatedSnapshots.save

    def save(
        self: SimulatedSnapshots, snapshot_id: str, snapshot: Snapshot, go_on: Callable[[], bool]
    ) -> bool:
        wrong = snapshot._replace(journal_next=snapshot.journal_next + 1)
        return real(self, snapshot_id, wrong, go_on)

    monkeypatch.setattr(SimulatedSnapshots, "save", save)
    assert found_out(60)


def test_a_snapshot_that_leaves_something_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = freeze.load

    def load(part: bytes) -> Any:
        found = real(part)
        if hasattr(found, "now_ms") and hasattr(found, "transfers_sent"):
            found.now_ms += 1
        return found

    monkeypatch.setattr(freeze, "load", load)
    assert found_out(10)


def test_a_supervisor_that_promotes_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(copies: Sequence[Seen], since_promotion_s: float) -> Decision:
        decision = choose(copies, since_promotion_s)
        first = not any(seen.status and seen.status.get("shard_seq") for seen in copies)
        return decision if first else decision._replace(promote="")

    monkeypatch.setattr(actors.supervisor, "choose", never)
    assert found_out(10)


def test_an_edge_that_forgets_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: SimulatedEdge, publication: Publication, is_late: bool) -> None:
        self.heard[publication.channel].append(Heard(publication, is_late))

    monkeypatch.setattr(SimulatedEdge, "_take", take)
    assert found_out(20)


def test_a_publisher_that_shows_odds_before_it_has_read_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Publisher, "_knows_newest", lambda self: True)
    odds = replace(NONE, crash=600, partition_slow=1_500, edge_refuses=1_500, edge_times_out=800)
    assert found_out(30, odds)


def test_a_publisher_that_goes_backwards_when_a_market_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Newest, "is_older", lambda self, image: False)
    assert found_out(30, replace(NONE, partition_slow=5_000, edge_slow=400))


def test_a_notifier_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentLog, "sent", lambda self, notice: False)
    assert found_out(60, replace(NONE, broker_error=1_000), steps=1_500)


def test_an_exchange_that_pays_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    real = order_settle.back_payout_minor
    monkeypatch.setattr(order_settle, "back_payout_minor", lambda *told: real(*told) + 1)
    assert found_out(20)


def test_a_market_maker_that_gives_too_many_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lmsr_book.shares_for
    monkeypatch.setattr(lmsr_book, "shares_for", lambda *told: 2 * real(*told))
    assert found_out(20)


def test_publishers_and_notifiers_that_do_not_end_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Mishaps, "end_zombie", lambda self, claim: False)
    assert found_out(40, Odds(cut_off=1_500))
