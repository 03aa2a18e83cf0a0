"""Money of exchange markets: each order's size is in one place, trades balance, payouts are right.

Kept apart from the fold on purpose: a ledger of its own, with fractions. Stakes, liabilities,
payouts and commissions are worked out again from the trades and the result.
"""

from fractions import Fraction
from math import ceil, floor

from pipelines.audit.account_money import AccountMoney, Exact
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages.operations import Market
from pipelines.shard.state import BetKey

__all__ = ["ExchangeMoney"]

UNIT = 10_000


class _Order:
    __slots__ = (
        "asked_odds_e4",
        "fills",
        "held",
        "inside",
        "lay",
        "limit",
        "paid",
        "places",
        "selection_id",
    )

    def __init__(self, entry: oe.OrderEntry) -> None:
        self.selection_id = entry.selection_id
        self.asked_odds_e4 = entry.asked_odds_e4
        self.lay = entry.side == "LAY"
        self.limit = entry.order_type == "LIMIT"
        self.inside = False  # in the market, not pending
        self.fills: list[tuple[int, int, int]] = []  # odds_e4, size, at ms
        self.held = 0  # in the market
        self.paid: int | None = None
        self.places = dict.fromkeys(("matched", "remaining", "lapsed", "cancelled", "voided"), 0)
        self.places["remaining"] = entry.stake_minor

    def stake(self) -> int:
        size = sum(size for _, size, _ in self.fills)
        if not self.lay:
            return size
        return ceil(sum((Fraction((odds - UNIT) * s, UNIT) for odds, s, _ in self.fills)))

    def position(self) -> Exact:
        """Return what it comes to if it wins and if it loses, what waits by its bad side."""
        if not self.inside:
            return 0, 0
        size = sum(size for _, size, _ in self.fills) * UNIT
        win = sum((odds - UNIT) * size for odds, size, _ in self.fills)
        left = self.places["remaining"]
        if not self.lay:
            return win, -size - left * UNIT
        return -win - left * (self.asked_odds_e4 - UNIT if self.limit else UNIT), size

    def won(self, share: Fraction) -> int:
        """Return what is paid where the selection has this share of a win."""
        value = share * sum((Fraction(odds * size, UNIT) for odds, size, _ in self.fills))
        if not self.lay:
            return floor(value)
        return max(self.held + sum(size for _, size, _ in self.fills) - ceil(value), 0)


class ExchangeMoney:
    """One market's orders."""

    def __init__(self, tally: Tally, totals: Totals, definition: Market) -> None:
        self._tally = tally
        self._totals = totals
        self._definition = definition
        self._orders: dict[BetKey, _Order] = {}
        self._discounts: dict[str, int] = {}
        self._nets: dict[str, int] = {}
        self._charged: dict[str, int] = {}
        self._result: e.MarketResulted | None = None
        self._one_sided: dict[int, int] = {}  # by odds, what the other side has still to match
        self.escrow_minor = 0
        self.accounts = AccountMoney(tally, definition) if definition.accounts else None

    def see(self, place: Place, entry: e.Entry, at_ms: int) -> None:
        """Look at the market's next entry."""
        accounts = self.accounts
        if accounts is None:
            self._see(place, entry, at_ms)
            return
        accounts.see(place, entry, self._nets, self._charged)
        key = (getattr(entry, "client_id", ""), getattr(entry, "bet_id", ""))
        known = self._orders.get(key)
        before = known.position() if known is not None else (0, 0)
        self._see(place, entry, at_ms)
        order = self._orders.get(key)
        if order is not None:
            order.inside |= isinstance(entry, oe.OrderPlaced | oe.OrderConfirmed)
            accounts.moved(key[0], order.selection_id, before, order.position())

    def _see(self, place: Place, entry: e.Entry, at_ms: int) -> None:
        if isinstance(entry, oe.BetMatched) and entry.kind == "order":
            left = self._one_sided.get(entry.odds_e4, 0) - entry.size_minor
            self._one_sided[entry.odds_e4] = left
        elif not isinstance(entry, oe.BetMatched):
            self._balanced(place)
        if isinstance(entry, oe.OrderPlaced | oe.OrderPending):
            self._orders[entry.client_id, entry.bet_id] = _Order(entry)
        if isinstance(entry, oe.OrderPlaced | oe.OrderConfirmed):
            order = self._orders[entry.client_id, entry.bet_id]
            for odds, size, virtual in entry.fills:
                if not virtual:
                    self._one_sided[odds] = self._one_sided.get(odds, 0) + size
                self._fill(place, order, odds, size, size, at_ms)
        elif isinstance(entry, oe.BetMatched):
            order = self._orders[entry.client_id, entry.bet_id]
            if entry.kind != "sp" and entry.odds_e4 != order.asked_odds_e4:
                what = (
                    f"bet {entry.bet_id!r} of {entry.client_id!r} waited at {order.asked_odds_e4}"
                )
                self._tally.fail(place, f"{what} and is matched at {entry.odds_e4}")
            used = order.places["remaining"] - entry.remaining_minor
            self._fill(place, order, entry.odds_e4, entry.size_minor, used, at_ms)
        elif isinstance(entry, oe.OrderCancelled):
            self._move(place, entry, "remaining", "cancelled", entry.size_minor)
        elif isinstance(entry, oe.OrderLapsed):
            self._move(place, entry, "remaining", "lapsed", entry.size_minor)
        elif isinstance(entry, e.BetDeclined | e.BetCancelled):
            order = self._orders[entry.client_id, entry.bet_id]
            self._move(place, entry, "remaining", "lapsed", order.places["remaining"])
        elif isinstance(entry, oe.BetVoided | oe.OddsReduced):
            self._corrected(place, entry)
        else:
            self._settlement(place, entry)

    def _balanced(self, place: Place) -> None:
        """A trade has two sides, at one price."""
        for odds, left in self._one_sided.items():
            if left:
                self._tally.fail(place, f"{left} matched at {odds} on one side and not the other")
        self._one_sided.clear()

    def _settlement(self, place: Place, entry: e.Entry) -> None:
        if isinstance(entry, oe.DiscountsWereSet):
            self._discounts.update(entry.discounts)
        elif isinstance(entry, e.MarketResulted):
            self._result = entry
            self._nets = {}
        elif isinstance(entry, e.BetSettled):
            self._settled(place, entry)
        elif isinstance(entry, oe.CommissionCharged):
            self._commission(place, entry)
        elif isinstance(entry, e.MarketSettled):
            self._closed(place, entry)
        elif isinstance(entry, oe.CommissionReturned):
            self.escrow_minor -= entry.commission_minor
            if self._charged.pop(entry.client_id, None) != entry.commission_minor:
                self._tally.fail(place, f"{entry.client_id!r} was not charged so much commission")
        elif isinstance(entry, e.BetUnsettled):
            self._unsettled(place, entry)
        elif isinstance(entry, e.MarketUnsettled):
            self._tally.count("results rolled back")
            posted = sum(amount for _, amount in entry.postings)
            self.escrow_minor -= posted
            self._totals.posted(posted, -1)
            self._result = None
            if self.escrow_minor != (held := sum(one.held for one in self._orders.values())):
                what = f"market {entry.market_id!r} holds {self.escrow_minor} after a rollback"
                self._tally.fail(place, f"{what}, its open bets {held}")

    def _fill(
        self, place: Place, order: _Order, odds: int, size: int, used: int, at_ms: int
    ) -> None:
        order.fills.append((odds, size, at_ms))
        order.places["matched"] += used
        order.places["remaining"] -= used
        if order.places["remaining"] < 0:
            self._tally.fail(place, "more is matched than waited")
        self._hold(order)

    def _hold(self, order: _Order) -> int:
        """Recount what an order holds; return by how much it is less."""
        before, order.held = order.held, order.stake()
        self.escrow_minor += order.held - before
        self._totals.staked(order.held - before)
        return before - order.held

    def _move(
        self, place: Place, entry: e.BetReference, source: str, target: str, size: int
    ) -> None:
        order = self._orders[entry.client_id, entry.bet_id]
        order.places[source] -= size
        order.places[target] += size
        if order.places[source] < 0:
            what = f"{type(entry).__name__} of bet {entry.bet_id!r} of {entry.client_id!r}"
            self._tally.fail(place, f"{what}: {size} were not {source}")

    def _corrected(self, place: Place, entry: oe.BetVoided | oe.OddsReduced) -> None:
        order = self._orders[entry.client_id, entry.bet_id]
        if isinstance(entry, oe.BetVoided):
            self._move(place, entry, "matched", "voided", entry.size_minor)
            order.fills = [f for f in order.fills if not entry.from_ms <= f[2] <= entry.to_ms]
        else:
            order.fills = [(self._cut(f[0], entry.factor_e4), f[1], f[2]) for f in order.fills]
        if self._hold(order) != entry.returned_minor:
            what = f"bet {entry.bet_id!r} of {entry.client_id!r} gets {entry.returned_minor} back"
            self._tally.fail(place, what)

    def _cut(self, odds: int, factor: int) -> int:
        left = 1 - Fraction(factor, UNIT)
        if self._definition.number_of_winners > 1:
            exact = 1 + (Fraction(odds, UNIT) - 1) * left
        elif factor < 250:
            return odds
        else:
            exact = Fraction(odds, UNIT) * left
        return max(floor(exact * 100 + Fraction(1, 2)) * 100, 10_100)

    def _settled(self, place: Place, entry: e.BetSettled) -> None:
        self._tally.count("bets settled")
        order = self._orders[entry.client_id, entry.bet_id]
        result = self._result
        right = order.held
        if result is not None and not result.void:
            right = order.won(self._share(order.selection_id, result))
        if entry.payout_minor != right or order.paid is not None:
            what = f"bet {entry.bet_id!r} of {entry.client_id!r}: {entry.result} "
            self._tally.fail(place, f"{what}{entry.payout_minor}, should be {right}, once")
        order.paid = entry.payout_minor
        self.escrow_minor -= entry.payout_minor
        net = entry.payout_minor - order.held
        self._nets[entry.client_id] = self._nets.get(entry.client_id, 0) + net
        self._totals.paid(entry.result, entry.payout_minor, 1)

    def _share(self, selection_id: int, result: e.MarketResulted) -> Fraction:
        """Return which part of a win a selection has: places not taken before it, over the tied."""
        left = self._definition.number_of_winners
        for group in result.finish or (result.winners,):
            if selection_id in group:
                return min(Fraction(1), Fraction(max(left, 0), len(group)))
            left -= len(group)
        return Fraction(0)

    def _commission(self, place: Place, entry: oe.CommissionCharged) -> None:
        net = self._nets.get(entry.client_id, 0)
        discount = Fraction(self._discounts.get(entry.client_id, 0), UNIT)
        exact = max(net, 0) * Fraction(self._definition.market_base_rate_e4, UNIT) * (1 - discount)
        right = floor(exact + Fraction(1, 2))
        self._tally.count("commissions")
        if (entry.net_minor, entry.commission_minor) != (net, right):
            said = f"{entry.commission_minor} on {entry.net_minor}"
            self._tally.fail(place, f"commission of {entry.client_id!r}: {said}, not {right}")
        self._charged[entry.client_id] = entry.commission_minor
        self.escrow_minor += entry.commission_minor

    def _closed(self, place: Place, entry: e.MarketSettled) -> None:
        name = f"market {entry.market_id!r} of {entry.event_id!r}"
        self._tally.count("markets settled")
        posted = sum(amount for _, amount in entry.postings)
        self.escrow_minor -= posted
        self._totals.posted(posted, 1)
        if self.escrow_minor:
            self._tally.fail(place, f"postings of {name} sum to {self.escrow_minor}, not to 0")
        for (client_id, bet_id), order in self._orders.items():
            if order.places["remaining"] or (order.fills and order.paid is None):
                self._tally.fail(place, f"{name}: bet {bet_id!r} of {client_id!r} is still open")

    def _unsettled(self, place: Place, entry: e.BetUnsettled) -> None:
        order = self._orders[entry.client_id, entry.bet_id]
        if entry.payout_minor != order.paid:
            what = f"bet {entry.bet_id!r} of {entry.client_id!r} gives back {entry.payout_minor}"
            self._tally.fail(place, f"{what}, was paid {order.paid}")
        result = self._result
        won = "win" if entry.payout_minor else "loss"
        self._totals.paid("void" if result and result.void else won, -entry.payout_minor, -1)
        order.paid = None
        self.escrow_minor += entry.payout_minor
