"""The life of a shard with a risk desk: exposure is never understated, nor above its limit.

Limits of events and of the shard, levers, referred bets and parts come between all else that
`test_stateful.py` does. What is kept up to date is compared with every bet and every result.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.oracles import risk as oracle
from tests.pipelines.shard.risk_watch import RiskWatch
from tests.pipelines.shard.test_stateful import LADDER, ShardLife, events, markets

amounts = st.sampled_from([0, 400, 6_000, 15_000])
clients = st.sampled_from(["ann", "bob"])


class RiskLife(ShardLife):
    """As `ShardLife`, with limits, levers and words; more bets between two other things."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = RiskWatch()
        self.watched = 0
        self.next = 100

    @rule(
        event_id=events,
        event=amounts,
        selection=amounts,
        bettor=st.tuples(amounts, amounts, amounts, amounts),
        delay_ms=st.sampled_from([0, 0, 700]),
    )
    def limits(
        self,
        event_id: str,
        event: int,
        selection: int,
        bettor: tuple[int, int, int, int],
        delay_ms: int,
    ) -> None:
        names = ("stake", "payout", "market_stake", "market_payout")
        of_bettor = {f"bettor_{n}_max_minor": x for n, x in zip(names, bettor, strict=True)}
        known = {"name": "known", "delay_ms": delay_ms, "late_loss_max_e4": 5_000}
        assert self.operate(
            "risk_set", event_id, event_loss_limit_minor=event,
            selection_loss_limit_minor=selection, referral_timeout_ms=2_000,
            classes=[known], bettors=[["bob", "known"]], **of_bettor,
        )  # fmt: skip

    @rule(loss=amounts, stake=amounts, payout=amounts)
    def shard_limits(self, loss: int, stake: int, payout: int) -> None:
        limits = {"bettor_stake_max_minor": stake, "bettor_payout_max_minor": payout}
        self.desk.operate("shard_risk_set", key="shard/0", partition=0, loss_limit_minor=loss,
                          **limits)  # fmt: skip

    @rule(
        event_id=events,
        market_id=st.sampled_from(["", "1.1", "1.2"]),
        client_id=st.sampled_from(["", "ann", "bob"]),
        action=st.sampled_from(["refer", "refer", "limit", "reject", "accept", "none"]),
        stake=st.sampled_from([0, 60, 400]),
    )
    def lever(self, event_id: str, market_id: str, client_id: str, action: str, stake: int) -> None:
        where = {"market_id": market_id, "client_id": client_id}
        assert self.operate("risk_lever", event_id, action=action, stake_max_minor=stake, **where)

    @rule(event_id=events, accept=st.booleans(), stake=st.sampled_from([0, 0, 20, 100]))
    def words(self, event_id: str, accept: bool, stake: int) -> None:
        """A word on every bet that waits for one."""
        event = self.desk.state.events.get(event_id)
        waiting = [
            {"market_id": name, "client_id": client_id, "bet_id": bet_id}
            for name, market in (event.markets.items() if event is not None else ())
            for client_id, bet_id in market.referred
        ]
        for found in waiting:
            more = {"accept": accept, "stake_minor": stake}
            assert self.operate("referral_decided", event_id, **found, **more)

    @rule(
        event_id=events,
        market_id=markets,
        several=st.lists(
            st.tuples(clients, st.integers(1, 3), st.sampled_from([50, 333, 2_000, 9_000])),
            min_size=2, max_size=5,
        ),
        partial=st.booleans(),
    )  # fmt: skip
    def bets(
        self, event_id: str, market_id: str, several: list[tuple[str, int, int]], partial: bool
    ) -> None:
        """Bets at the odds that are offered."""
        for client_id, selection, stake in several:
            self.next += 1
            self.one_bet(
                event_id, market_id, self.next, client_id, selection, stake, LADDER[2], "any",
                False, partial,
            )  # fmt: skip

    @invariant()
    def nothing_is_taken_above_its_limit(self) -> None:
        records = self.desk.records()[self.watched :]
        self.watched += len(records)
        for record in records:
            self.watch.see(record.entry)

    @invariant()
    def exposure_is_never_understated(self) -> None:
        self.nothing_is_taken_above_its_limit()  # the watch sees what came since
        state = self.desk.state
        assert oracle.kept_sums(state) == oracle.sums_of(state)
        if state.risk is not None:
            assert state.risk.loss_minor == self.watch.loss_minor()
        for event in state.events.values():
            for market in event.markets.values():
                assert set(market.referred) | set(market.partial) <= set(market.pending)


TestRiskLife = RiskLife.TestCase
TestRiskLife.settings = settings(
    max_examples=150, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
