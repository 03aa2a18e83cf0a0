"""What the risk desk has set for an event, and what its bettors have at stake there."""

from msgspec import Struct

from pipelines.limits import JUMPS_REMEMBERED_MAX
from pipelines.messages.risk_operations import RiskLever, RiskSet, TrustClass

__all__ = ["EventRisk", "Jump"]

#: Engine time, and a probability after it rose by what it was before, 20,000 where it doubled.
Jump = tuple[int, int]

UNKNOWN = TrustClass("-")


class EventRisk(Struct):
    """Limits, levers by market and bettor, sums by bettor; recent jumps of prices by market."""

    rules: RiskSet
    levers: dict[tuple[str, str], RiskLever] = {}
    staked: dict[str, int] = {}
    payouts: dict[str, int] = {}
    on_markets: dict[tuple[str, str], tuple[int, int]] = {}  # stake and payout by market and bettor
    jumps: dict[str, list[Jump]] = {}
    classes: dict[str, TrustClass] = {}
    members: dict[str, str] = {}

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
        for sums, amount in ((self.staked, stake_minor), (self.payouts, payout_minor)):
            found = sums.get(client_id, 0) + amount
            if found:
                sums[client_id] = found
            else:
                sums.pop(client_id, None)

    def jumped(self, market_id: str, at_ms: int, rise_e4: int) -> None:
        """Remember that a market's price moved; the oldest give way."""
        jumps = self.jumps.setdefault(market_id, [])
        jumps.append((at_ms, rise_e4))
        if len(jumps) > JUMPS_REMEMBERED_MAX:
            del jumps[0]

    def hashed(self) -> object:
        """Return what stands for it in the state's hash."""
        levers = [(m, c, one) for (m, c), one in self.levers.items()]
        # Those by market and bettor follow from the same bets as these.
        sums = (list(self.staked.items()), list(self.payouts.items()))
        return (self.rules, levers, sums, list(self.jumps.items()))
