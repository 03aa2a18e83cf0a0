"""Any order of anything: what must hold after every step of a shard's life.

Each bet has one first answer; numbers are dense; stakes are conserved; settled markets sum to zero;
folding the journal gives the same hash.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipelines.messages import entries as e
from pipelines.shard.engine import Engine
from pipelines.shard.evolve import evolve
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from tests.pipelines.shard.desk import Desk, bet, check_journal, fixed_market, pool_market

EVENTS = ("race", "match")
MARKETS = ("1.1", "1.2")
LADDER = (15_000, 29_800, 30_000, 30_500, 40_000)

events = st.sampled_from(EVENTS)
markets = st.sampled_from(MARKETS)
selections = st.integers(1, 5)


class ShardLife(RuleBasedStateMachine):
    """Two events, one on a feed's clock; each with a fixed book and a pool, or not yet."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.folded = ShardState(0)
        self.folded_to = 0
        self.feed_ms = 1_000
        self.firsts: dict[tuple[str, str, str], str] = {}

    @initialize(in_play=st.booleans(), delay_ms=st.sampled_from([0, 1_000]))
    def begin(self, in_play: bool, delay_ms: int) -> None:
        self.desk.operate("event_opened", "race", start_ms=self.desk.now_ms + 3_000)
        self.desk.operate("event_opened", "match", clock="feed", at_ms=self.feed_ms)
        for event_id in EVENTS:
            for market in (
                fixed_market(market_id="1.1", loss_limit_minor=20_000),
                pool_market(market_id="1.2", takeout_e4=1_500, number_of_winners=2),
            ):
                rules = {"in_play": in_play, "bet_delay_ms": delay_ms}
                self.operate("market_opened", event_id, market=market | rules)

    def operate(self, kind: str, event_id: str, **fields: Any) -> list[e.Entry]:
        if event_id == "match":
            fields["at_ms"] = self.feed_ms
        return self.desk.operate(kind, event_id, **fields)

    @rule(
        event_id=events,
        market_id=markets,
        number=st.integers(0, 30),
        client_id=st.sampled_from(["ann", "bob"]),
        selection=selections,
        stake=st.sampled_from([1, 50, 333, 5_000, 0]),
        odds=st.sampled_from(LADDER),
        policy=st.sampled_from(["exact", "better", "any"]),
        stale=st.booleans(),
        partial=st.booleans(),
    )
    def place(
        self,
        event_id: str,
        market_id: str,
        number: int,
        client_id: str,
        selection: int,
        stake: int,
        odds: int,
        policy: str,
        stale: bool,
        partial: bool,
    ) -> None:
        self.one_bet(
            event_id, market_id, number, client_id, selection, stake, odds, policy, stale, partial
        )

    def one_bet(
        self,
        event_id: str,
        market_id: str,
        number: int,
        client_id: str,
        selection: int,
        stake: int,
        odds: int,
        policy: str,
        stale: bool,
        partial: bool,
    ) -> None:
        """Send a bet and look at its answer."""
        event = self.desk.state.events.get(event_id)
        known = event.markets.get(market_id) if event is not None else None
        version = known.version if known is not None and not stale else 1
        request = bet(
            f"b{number}",
            event_id=event_id,
            market_id=market_id,
            selection_id=selection,
            stake_minor=stake,
            odds_e4=odds if market_id == "1.1" else 0,
            price_policy=policy,
            market_version=version,
            accept_partial=partial,
        )
        entries = self.desk.bets(request, client_id, event_id.encode())
        own = [x for x in entries if getattr(x, "bet_id", "") == f"b{number}"]
        assert own, "silence"
        who = (event_id, client_id, f"b{number}")
        answer = own[-1]
        if event is not None and event_id not in self.desk.state.events:
            self.firsts.clear()  # forgotten with its event, by the time that this bet brought
        if event is None:
            return
        if who in self.firsts and not isinstance(
            answer, e.BetConfirmed | e.BetPartlyConfirmed | e.BetDeclined
        ):
            assert isinstance(answer, e.BetRepeated | e.BetConflict)
        elif who not in self.firsts:
            assert isinstance(answer, e.BetEntry)
            self.firsts[who] = type(answer).__name__

    @rule(event_id=events, market_id=markets, number=st.integers(0, 30))
    def cancel(self, event_id: str, market_id: str, number: int) -> None:
        value = {
            "type": "cancel",
            "bet_id": f"b{number}",
            "event_id": event_id,
            "market_id": market_id,
        }
        entries = self.desk.bets(value, "ann", event_id.encode())
        assert isinstance(entries[-1], e.BetCancelled | e.CancelRejected)

    @rule(event_id=events, selection=selections, odds=st.sampled_from((0, *LADDER)))
    def prices(self, event_id: str, selection: int, odds: int) -> None:
        assert self.operate("prices", event_id, market_id="1.1", prices=[[selection, odds]])

    @rule(
        event_id=events,
        market_id=markets,
        status=st.sampled_from(["OPEN", "OPEN", "OPEN", "SUSPENDED", "CLOSED"]),
    )
    def status(self, event_id: str, market_id: str, status: str) -> None:
        assert self.operate("market_status", event_id, market_id=market_id, status=status)

    @rule(event_id=events, market_id=markets, selection=selections)
    def remove(self, event_id: str, market_id: str, selection: int) -> None:
        assert self.operate(
            "selection_removed", event_id, market_id=market_id, selection_id=selection
        )

    @rule(event_id=events, market_id=markets, back_ms=st.integers(0, 5_000))
    def void(self, event_id: str, market_id: str, back_ms: int) -> None:
        now_ms = self.feed_ms if event_id == "match" else self.desk.now_ms
        from_ms = max(now_ms - back_ms, 0)
        assert self.operate("bets_voided", event_id, market_id=market_id, from_ms=from_ms)

    @rule(
        event_id=events,
        market_id=markets,
        winners=st.lists(selections, min_size=1, max_size=3, unique=True),
        void=st.booleans(),
    )
    def result(self, event_id: str, market_id: str, winners: list[int], void: bool) -> None:
        self.operate("market_status", event_id, market_id=market_id, status="SUSPENDED")
        assert self.operate("result", event_id, market_id=market_id, winners=winners, void=void)

    @rule(event_id=events, market_id=markets)
    def roll_back(self, event_id: str, market_id: str) -> None:
        assert self.operate("result_rolled_back", event_id, market_id=market_id)

    @rule(step_ms=st.sampled_from([1, 999, 1_000, 5_000, 25 * 3_600_000]))
    def pass_time(self, step_ms: int) -> None:
        self.feed_ms += min(step_ms, 5_000)
        self.desk.tick(self.desk.now_ms + step_ms)

    @rule(value=st.binary(max_size=6), key=st.sampled_from([b"race", b"match", None]))
    def nonsense(self, value: bytes, key: bytes | None) -> None:
        assert self.desk.send("bets", key, value, "ann")
        assert self.desk.send("events", key, value)

    @rule()
    def restart(self) -> None:
        """A new process folds the journal and goes on."""
        self._fold()
        desk = Desk(self.desk.now_ms)
        desk.engine = Engine(fold(0, self.desk.journal))
        desk.journal, desk.images = self.desk.journal, self.desk.images
        desk.dead, desk.offsets = self.desk.dead, self.desk.offsets
        self.desk = desk

    def _fold(self) -> None:
        records = self.desk.records()[self.folded_to :]
        for record in records:
            evolve(self.folded, record)
        self.folded_to += len(records)

    @invariant()
    def the_fold_is_the_state(self) -> None:
        self._fold()
        assert state_hash(self.folded) == self.desk.hash()

    @invariant()
    def money_is_conserved(self) -> None:
        for event in self.desk.state.events.values():
            waiting = {key for m in event.markets.values() for key in m.pending}
            assert waiting == {key for key, found in event.bets.items() if found.status == 0}
            for market in event.markets.values():
                staked = sum(found.stake_minor for found in market.bets)
                paid = sum(found.payout_minor for found in market.bets)
                posted = sum(amount for _, amount in market.postings)
                assert staked == paid + posted + market.escrow_minor
                assert not market.settled or market.escrow_minor == 0
                assert len({(b.client_id, b.bet_id) for b in market.bets}) == len(market.bets)

    def teardown(self) -> None:
        check_journal(self.desk.records())


TestShardLife = ShardLife.TestCase
TestShardLife.settings = settings(
    max_examples=250, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
