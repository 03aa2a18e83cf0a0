"""Any order of anything on exchange markets: what must hold after every step.

Sizes and money are conserved, exposure is never understated, the book is never crossed and in
price-time order, folding the journal gives the same state, each bet is answered once.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipelines.books.exchange_cross import virtual_price_e4
from pipelines.messages import entries as e
from pipelines.shard.engine import Engine
from pipelines.shard.evolve import evolve
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.order import Order
from pipelines.shard.state import ACCEPTED, PENDING, ShardState
from tests.pipelines.shard.desk import EVENT, MARKET
from tests.pipelines.shard.exchange_desk import (
    ExchangeDesk,
    check_market,
    exchange_market,
    worst_results,
)

BETTORS = ("ann", "bob", "cem")
PRICES = (15_000, 20_000, 29_800, 30_000, 30_500, 40_000, 60_000)
numbers = st.integers(0, 25)
bettors = st.sampled_from(BETTORS)
prices = st.sampled_from(PRICES)
selections = st.integers(1, 4)


class ExchangeLife(RuleBasedStateMachine):
    """One market, its bettors and its operator."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = ExchangeDesk()
        self.folded = ShardState(0)
        self.folded_to = 0
        self.firsts: set[tuple[str, str]] = set()

    @initialize(
        rule_of=st.sampled_from(["CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"]),
        crossing=st.booleans(),
        bsp=st.booleans(),
        delay_ms=st.sampled_from([0, 1_000]),
        limit=st.sampled_from([0, 5_000]),
    )
    def begin(self, rule_of: str, crossing: bool, bsp: bool, delay_ms: int, limit: int) -> None:
        self.desk.open(
            exchange_market(
                self_match=rule_of,
                cross_matching=crossing,
                bsp_market=bsp,
                bet_delay_ms=delay_ms,
                loss_limit_minor=limit,
                market_base_rate_e4=500,
            )
        )

    def see(self, entries: list[e.Entry]) -> None:
        assert entries, "silence"
        for entry in entries:
            if isinstance(entry, e.BetEntry):
                who = (entry.client_id, entry.bet_id)
                assert who not in self.firsts, "a second first answer"
                self.firsts.add(who)

    @rule(
        number=numbers,
        who=bettors,
        selection=selections,
        side=st.sampled_from(["BACK", "LAY"]),
        size=st.sampled_from([1, 7, 50, 333, 1_000]),
        odds=prices,
        kind=st.sampled_from(["LIMIT", "LIMIT", "LIMIT", "LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"]),
        persistence=st.sampled_from(["LAPSE", "LAPSE", "PERSIST", "MARKET_ON_CLOSE"]),
        killing=st.booleans(),
    )
    def place(
        self, number: int, who: str, selection: int, side: str, size: int, odds: int, kind: str,
        persistence: str, killing: bool,
    ) -> None:  # fmt: skip
        more: dict[str, Any] = {"persistence": persistence, "order_type": kind}
        if killing and persistence == "LAPSE":
            more["time_in_force"] = "FILL_OR_KILL"
        entries = self.desk.order(f"o{number}", side, odds, size, who, selection=selection, **more)
        own = [x for x in entries if getattr(x, "bet_id", "") == f"o{number}"]
        assert own
        self.see(entries)

    @rule(number=numbers, who=bettors, cut=st.sampled_from([0, 1, 50]))
    def cancel(self, number: int, who: str, cut: int) -> None:
        self.see(self.desk.change("cancel", f"o{number}", who, size_reduction_minor=cut))

    @rule(number=numbers, anew=numbers, who=bettors, odds=prices)
    def replace(self, number: int, anew: int, who: str, odds: int) -> None:
        more = {"new_bet_id": f"o{anew}", "odds_e4": odds}
        self.see(self.desk.change("replace", f"o{number}", who, **more))

    @rule(number=numbers, who=bettors, to=st.sampled_from(["LAPSE", "PERSIST", "MARKET_ON_CLOSE"]))
    def update(self, number: int, who: str, to: str) -> None:
        self.see(self.desk.change("update", f"o{number}", who, persistence=to))

    @rule(status=st.sampled_from(["OPEN", "OPEN", "OPEN", "SUSPENDED", "INACTIVE"]))
    def status(self, status: str) -> None:
        self.see(self.desk.operate_market("market_status", status=status))

    @rule()
    def off(self) -> None:
        self.see(self.desk.operate_market("market_status", in_play=True))

    @rule(
        selection=selections,
        factor=st.sampled_from([0, 100, 969, 2_500, 9_000]),
        keep=st.booleans(),
    )
    def withdraw(self, selection: int, factor: int, keep: bool) -> None:
        more = {"reduction_factor_e4": factor, "keep_unmatched": keep}
        self.see(self.desk.operate_market("selection_removed", selection_id=selection, **more))

    @rule(back_ms=st.integers(0, 3_000))
    def void(self, back_ms: int) -> None:
        from_ms = self.desk.now_ms - back_ms
        self.see(self.desk.operate_market("bets_voided", from_ms=from_ms))

    @rule(who=bettors, e4=st.sampled_from([0, 2_000, 10_000]))
    def discount(self, who: str, e4: int) -> None:
        self.see(self.desk.operate_market("discounts", discounts=[[who, e4]]))

    @rule(winners=st.lists(selections, min_size=1, max_size=3, unique=True), void=st.booleans())
    def result(self, winners: list[int], void: bool) -> None:
        self.desk.operate_market("market_status", status="SUSPENDED")
        self.see(self.desk.operate_market("result", winners=winners, void=void))

    @rule()
    def roll_back_and_repeat(self) -> None:
        market = self.desk.market()
        if not market.settled:
            return
        winners, void, before = market.winners, market.refund, self._money()
        self.desk.operate_market("result_rolled_back")
        self.desk.operate_market("result", winners=list(winners), void=void)
        assert self._money() == before

    def _money(self) -> object:
        market = self.desk.market()
        orders = [
            (o.bet_id, o.status, o.payout_minor, o.fills if isinstance(o, Order) else ())
            for o in market.bets
        ]
        return orders, market.postings, market.commissions, market.escrow_minor

    @rule()
    def roll_back(self) -> None:
        self.see(self.desk.operate_market("result_rolled_back"))

    @rule(step_ms=st.sampled_from([1, 999, 1_000]))
    def pass_time(self, step_ms: int) -> None:
        self.desk.tick(self.desk.now_ms + step_ms)

    @rule()
    def restart(self) -> None:
        """A new process folds the journal and goes on."""
        desk = ExchangeDesk(self.desk.now_ms)
        desk.engine = Engine(fold(0, self.desk.journal))
        desk.journal, desk.images = self.desk.journal, self.desk.images
        desk.dead, desk.offsets = self.desk.dead, self.desk.offsets
        self.desk = desk

    @invariant()
    def the_fold_is_the_state(self) -> None:
        records = self.desk.records()[self.folded_to :]
        for record in records:
            evolve(self.folded, record)
        self.folded_to += len(records)
        assert state_hash(self.folded) == self.desk.hash()

    @invariant()
    def sizes_money_and_the_book_are_right(self) -> None:
        if EVENT not in self.desk.state.events:
            return
        market = self.desk.market()
        check_market(market)
        found = self.desk.state.events[EVENT].bets.values()
        for order in found:
            assert isinstance(order, Order)
            parts = (order.matched_minor, order.remaining_minor, order.lapsed_minor)
            gone = order.cancelled_minor + order.voided_minor
            assert order.stake_minor == sum(parts) + gone
        assert {(b.client_id, b.bet_id) for b in found} <= self.firsts
        waiting = {k for k, b in self.desk.state.events[EVENT].bets.items() if b.status == PENDING}
        assert waiting == set(market.pending)

    @invariant()
    def exposure_is_never_understated(self) -> None:
        if EVENT not in self.desk.state.events or self.desk.market().settled:
            return
        for who in BETTORS:
            stated, worst = worst_results(self.desk.market(), who)
            assert stated <= worst

    @invariant()
    def a_virtual_trade_is_never_left_out(self) -> None:
        """Where two of a market's sides would trade virtually, only dust is left of one."""
        if EVENT not in self.desk.state.events:
            return
        market = self.desk.market()
        book = market.exchange
        assert book is not None
        active = [r for r in book.runners.values() if r.active]
        if not book.crossing or len(active) < 2:
            return
        for lay in (False, True):
            fronts = [next((r.lays if lay else r.backs).in_turn(), None) for r in active]
            if not all(fronts):
                continue
            whole = sum(10_000 / f.asked_odds_e4 for f in fronts if f is not None)
            left = min(f.remaining_minor for f in fronts if f is not None)
            # Where the others alone pay for every result, the best price is the ladder's last, and
            # what they can pay at it may be less than a unit.
            for front in fronts:
                others = [f for f in fronts if f is not None and f is not front]
                price = virtual_price_e4(lay, [f.asked_odds_e4 for f in others], book.ladder)
                if price:
                    pays = min(f.remaining_minor * f.asked_odds_e4 for f in others)
                    left = min(left, pays // price)
            crossed = whole < 0.999 if lay else whole > 1.001
            assert not crossed or left < 50, "a virtual trade was passed over"

    def teardown(self) -> None:
        if EVENT in self.desk.state.events:
            image = self.desk.images[EVENT, MARKET]
            assert image.staked_minor == sum(s.staked_minor for s in image.selections)
            open_orders = [b for b in self.desk.market().bets if b.status == ACCEPTED]
            assert not self.desk.market().settled or not open_orders


TestExchangeLife = ExchangeLife.TestCase
TestExchangeLife.settings = settings(
    max_examples=120, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
