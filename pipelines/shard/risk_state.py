"""What the risk desk has set for an event or a shard, and what bettors and house have at stake."""

from typing import Final

from msgspec import Struct

from pipelines.limits import JUMPS_REMEMBERED_MAX, LATE_WINDOW_MS
from pipelines.messages.risk_operations import RiskLever, RiskSet, ShardRiskSet, TrustClass

__all__ = ["NOTHING_SET", "EventRisk", "Jump", "ShardRisk"]

#: Engine time, and a probability after it rose by what it was before, 20,000 where it doubled.
Jump = tuple[int, int]

UNKNOWN = TrustClass("-")


def _add(sums: dict[str, int], name: str, amount: int) -> None:
    """Add to a sum; nothing is kept of nothing."""
    found = sums.get(name, 0) + amount
    if found:
        sums[name] = found
    else:
        sums.pop(name, None)


class EventRisk(Struct):
    """Limits, levers by market and bettor, sums by bettor; recent jumps of prices by market.

    `losses` are those of each market in its worst result, `loss_minor` their sum. `pulled` are the
    last odds of selections that have none now, by market and selection.
    """

    rules: RiskSet
    levers: dict[tuple[str, str], RiskLever] = {}
    staked: dict[str, int] = {}
    payouts: dict[str, int] = {}
    on_markets: dict[tuple[str, str], tuple[int, int]] = {}  # stake and payout by market and bettor
    jumps: dict[str, list[Jump]] = {}
    classes: dict[str, TrustClass] = {}
    members: dict[str, str] = {}
    losses: dict[str, int] = {}
    loss_minor: int = 0
    pulled: dict[tuple[str, int], int] = {}

    def set_rules(self, rules: RiskSet) -> None:
        """Let other limits hold; levers and sums stay."""
        self.rules = rules
        self.classes = {one.name: one for one in rules.classes}
        self.members = dict(rules.bettors)

    def lever(self, market_id: str, client_id: str) -> RiskLever | None:
        """Return the nearest lever: bettor and market, bettor, market, all."""
        levers = self.levers
        if not levers:
            return None
        for where in ((market_id, client_id), ("", client_id), (market_id, ""), ("", "")):
            found = levers.get(where)
            if found is not None:
                return found
        return None

    def trust(self, client_id: str) -> TrustClass:
        """Return the bettor's class; one without any is trusted as everybody."""
        name = self.members.get(client_id, self.rules.default_class)
        return self.classes.get(name, UNKNOWN)

    def on_market(self, market_id: str, client_id: str) -> tuple[int, int]:
        """Return what a bettor has at stake on a market, and what it may pay."""
        return self.on_markets.get((market_id, client_id), (0, 0))

    def count(self, market_id: str, client_id: str, stake_minor: int, payout_minor: int) -> None:
        """Add what a bettor has at stake, or take it away; nothing is kept of nothing."""
        staked, payout = self.on_market(market_id, client_id)
        self.on_markets[market_id, client_id] = (staked + stake_minor, payout + payout_minor)
        if self.on_markets[market_id, client_id] == (0, 0):
            del self.on_markets[market_id, client_id]
        _add(self.staked, client_id, stake_minor)
        _add(self.payouts, client_id, payout_minor)

    def lose(self, market_id: str, loss_minor: int) -> None:
        """Note what a market loses at worst from now on."""
        self.loss_minor += loss_minor - self.losses.get(market_id, 0)
        self.losses[market_id] = loss_minor

    def jumped(self, market_id: str, at_ms: int, rise_e4: int) -> None:
        """Remember that a market's price moved; what is long past, then the smallest, give way.

        The smallest count least: one that is within the margin costs the house nothing.
        """
        jumps = self.jumps.setdefault(market_id, [])
        jumps.append((at_ms, rise_e4))
        if len(jumps) > JUMPS_REMEMBERED_MAX:
            jumps[:] = [one for one in jumps if at_ms - one[0] <= LATE_WINDOW_MS]
        if len(jumps) > JUMPS_REMEMBERED_MAX:
            jumps.remove(min(jumps, key=lambda one: one[1]))

    def hashed(self) -> object:
        """Return what stands for it in the state's hash."""
        levers = [(m, c, one) for (m, c), one in self.levers.items()]
        # Those by market and bettor follow from the same bets as these.
        sums = (list(self.staked.items()), list(self.payouts.items()), self.loss_minor)
        prices = (list(self.jumps.items()), list(self.pulled.items()))
        return (self.rules, levers, sums, prices)


#: Of an event for which nothing is set, where its shard has limits. Never changed.
NOTHING_SET: Final = EventRisk(RiskSet("-"))


class ShardRisk(Struct):
    """Limits over all books of a shard, and what counts towards them.

    `losses` are those of each market that is not settled, by event and market.
    """

    rules: ShardRiskSet
    staked: dict[str, int] = {}
    payouts: dict[str, int] = {}
    losses: dict[tuple[str, str], int] = {}
    loss_minor: int = 0

    def count(self, client_id: str, stake_minor: int, payout_minor: int) -> None:
        """Add what a bettor has at stake, or take it away."""
        _add(self.staked, client_id, stake_minor)
        _add(self.payouts, client_id, payout_minor)

    def lose(self, event_id: str, market_id: str, loss_minor: int) -> None:
        """Note what a market loses at worst from now on; nothing is kept of nothing."""
        where = (event_id, market_id)
        self.loss_minor += loss_minor - self.losses.pop(where, 0)
        if loss_minor:
            self.losses[where] = loss_minor

    def hashed(self) -> object:
        """Return what stands for it in the state's hash."""
        # The losses follow from the books; their sum is what decisions ask for.
        sums = (list(self.staked.items()), list(self.payouts.items()), self.loss_minor)
        return (self.rules, sums)
