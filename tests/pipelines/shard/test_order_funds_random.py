"""Any order of anything on an exchange of accounts, transfers as late as they may be.

At any time what is held covers the worst case, all postings sum to zero, and each order is answered
once; when all is settled nothing is held, and what bettors have not, the house has.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.shard.bettor import bettor_key
from tests.pipelines.audit.test_account_money import failures
from tests.pipelines.shard.exchange_town import RACE, ExchangeTown

BETTORS = ("ann", "bob", "cem")
PRICES = (15_000, 20_000, 30_000, 30_000, 30_500, 60_000)
KINDS = ["LIMIT", "LIMIT", "LIMIT", "LIMIT", "LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"]
FINAL = e.BetDeclined | e.BetCancelled | oe.OrderConfirmed
numbers = st.integers(0, 25)
bettors = st.sampled_from((*BETTORS, "ann", "bob", "ann", "bob"))
prices = st.sampled_from(PRICES)
runners = st.sampled_from([1, 1, 2, 3])


class AccountsLife(RuleBasedStateMachine):
    """One market of accounts, three bettors, their operator, and the transfers between shards."""

    def __init__(self) -> None:
        super().__init__()
        self.town = ExchangeTown()
        self.placed: list[tuple[str, str]] = []

    @initialize(
        rule_of=st.sampled_from(["CANCEL_RESTING", "ALLOW"]),
        crossing=st.booleans(),
        bsp=st.booleans(),
        places=st.sampled_from([1, 1, 2]),
        rate=st.sampled_from([0, 500]),
        money=st.sampled_from([300, 2_000, 100_000]),
    )
    def begin(
        self, rule_of: str, crossing: bool, bsp: bool, places: int, rate: int, money: int
    ) -> None:
        self.town.start(
            self_match=rule_of,
            cross_matching=crossing and places == 1,
            bsp_market=bsp,
            number_of_winners=places,
            market_base_rate_e4=rate,
        )
        self.town.fund("ann", money, credit_minor=money // 10)
        self.town.fund("bob", 100_000)

    def busy(self) -> bool:
        """Whether it is worth to end something."""
        return len(self.town.market(RACE).bets) > 5

    def settled(self) -> bool:
        return self.town.market(RACE).settled

    def pick(self, number: int) -> tuple[str, str]:
        """An order that was placed, one of the latest as a rule."""
        latest = self.placed[-8:] or [("ann", "o0")]
        return latest[number % len(latest)]

    @rule(
        number=numbers,
        who=bettors,
        runner=runners,
        side=st.sampled_from(["BACK", "LAY"]),
        size=st.sampled_from([1, 2, 7, 50, 333, 1_000]),
        odds=prices,
        kind=st.sampled_from(KINDS),
        kept=st.sampled_from(["LAPSE", "LAPSE", "PERSIST", "MARKET_ON_CLOSE"]),
        killing=st.booleans(),
    )
    def order(
        self,
        number: int,
        who: str,
        runner: int,
        side: str,
        size: int,
        odds: int,
        kind: str,
        kept: str,
        killing: bool,
    ) -> None:
        more: dict[str, Any] = {"selection_id": runner, "order_type": kind}
        if kind == "LIMIT":
            more["persistence"] = kept
            if killing and kept == "LAPSE":
                more["time_in_force"] = "FILL_OR_KILL"
        elif kind == "MARKET_ON_CLOSE":
            odds = 0
        bet_id = f"o{len(self.placed) if number else 0}"
        self.placed.append((who, bet_id))
        self.town.order(who, bet_id, side, odds, size, **more)
        if number > 10:
            self.town.deliver_all()

    @rule(runner=runners, size=st.sampled_from([1, 50, 333]), odds=prices, back=st.booleans())
    def trade(self, runner: int, size: int, odds: int, back: bool) -> None:
        """Two orders that are matched, if both have the money."""
        for who, side in (("ann", "BACK" if back else "LAY"), ("bob", "LAY" if back else "BACK")):
            bet_id = f"o{len(self.placed)}"
            self.placed.append((who, bet_id))
            self.town.order(who, bet_id, side, odds, size, selection_id=runner)
            self.town.deliver_all()

    @rule(number=numbers, size=st.sampled_from([0, 0, 1, 40]))
    def cancel(self, number: int, size: int) -> None:
        who, bet_id = self.pick(number)
        self.town.change(who, "cancel", bet_id, size_reduction_minor=size)

    @rule(number=numbers, odds=prices)
    def replace(self, number: int, odds: int) -> None:
        who, bet_id = self.pick(number)
        anew = f"o{len(self.placed) if number else 0}"
        self.placed.append((who, anew))
        self.town.change(who, "replace", bet_id, new_bet_id=anew, odds_e4=odds)

    @rule(number=numbers)
    def cash_out(self, number: int) -> None:
        who, bet_id = self.pick(number)
        self.town.change(who, "cash_out", bet_id, amount_minor=1, tolerance_minor=1)

    @rule(partition=st.integers(0, 2), times=st.integers(1, 4))
    def deliver(self, partition: int, times: int) -> None:
        for _ in range(times):
            self.town.deliver(partition)

    @rule()
    def deliver_all(self) -> None:
        self.town.deliver_all()

    @rule(partition=st.integers(0, 2))
    def repeat(self, partition: int) -> None:
        self.town.repeat_last(partition)

    @rule(ms=st.sampled_from([1, 400, 1_000, 3_000, TRANSFER_DEADLINE_MS]))
    def wait(self, ms: int) -> None:
        self.town.wait(ms)

    @rule(still=st.booleans())
    def suspend(self, still: bool) -> None:
        self.town.operate_market("market_status", status="SUSPENDED")
        if not still:
            self.town.operate_market("market_status", status="OPEN")

    @rule()
    def reopen(self) -> None:
        self.town.operate_market("market_status", status="OPEN")

    @precondition(busy)
    @rule(delay_ms=st.sampled_from([0, 700]))
    def turn_in_play(self, delay_ms: int) -> None:
        more = {"status": "OPEN", "in_play": True, "bet_delay_ms": delay_ms}
        self.town.operate_market("market_status", **more)

    @precondition(busy)
    @rule(runner=runners, factor=st.sampled_from([0, 100, 3_000]), keep=st.booleans())
    def withdraw_runner(self, runner: int, factor: int, keep: bool) -> None:
        self.town.operate_market(
            "selection_removed",
            selection_id=runner,
            reduction_factor_e4=factor,
            keep_unmatched=keep,
        )

    @precondition(busy)
    @rule(ago=st.sampled_from([0, 500, 4_000]))
    def void(self, ago: int) -> None:
        now = self.town.now_ms
        self.town.operate_market("bets_voided", from_ms=now - ago, to_ms=now)

    @precondition(busy)
    @rule(won=st.sampled_from([(), (1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)]))
    def result(self, won: tuple[int, ...]) -> None:
        self.town.result(RACE, *won, void=not won)

    @precondition(settled)
    @rule()
    def roll_back(self) -> None:
        self.town.roll_back(RACE)
        self.town.operate_market("market_status", status="OPEN")

    @rule(who=bettors, amount=st.sampled_from([100, 5_000]), number=numbers)
    def move_money(self, who: str, amount: int, number: int) -> None:
        kind = "withdrawal" if number % 2 else "deposit"
        reference = f"r{number}"
        self.town.operate(
            bettor_key(who), kind, client_id=who, reference=reference, amount_minor=amount
        )

    @invariant()
    def holds(self) -> None:
        if self.town.engines[0].state.account_markets or self.town.entries:
            self.town.check()

    def teardown(self) -> None:
        town = self.town
        if not town.entries:
            return
        town.deliver_all()
        town.wait(TRANSFER_DEADLINE_MS)
        town.rest()
        town.check_at_rest()
        town.result(RACE, *[s for s in (1, 2, 3) if self.runs(s)][:1], void=not self.anyone())
        town.rest()
        town.check_at_rest()
        assert town.market(RACE).settled
        self.answered_once()
        assert not failures(town), "the audit finds something"

    def runs(self, runner: int) -> bool:
        return self.town.market(RACE).selections[runner] == "ACTIVE"

    def anyone(self) -> bool:
        return any(self.runs(runner) for runner in (1, 2, 3))

    def answered_once(self) -> None:
        firsts: dict[tuple[str, str], e.Entry] = {}
        ends: list[tuple[str, str]] = []
        for one in self.town.entries:
            if isinstance(one, e.BetEntry):
                assert (one.client_id, one.bet_id) not in firsts, "a second first answer"
                firsts[one.client_id, one.bet_id] = one
            elif isinstance(one, FINAL):
                ends.append((one.client_id, one.bet_id))
        waited = [who for who, one in firsts.items() if isinstance(one, oe.OrderPending)]
        assert sorted(ends) == sorted(waited), "each that waited has one final answer"


TestAccountsLife = AccountsLife.TestCase
TestAccountsLife.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
