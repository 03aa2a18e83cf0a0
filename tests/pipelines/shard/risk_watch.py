"""What limits allow, worked out anew from the journal's entries at each bet that is taken.

It knows nothing of the engine's state: bets as lists, every result of every market tried.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import floor

from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.operations import Market
from pipelines.messages.risk_operations import RiskSet, ShardRiskSet

Where = tuple[str, str]  # event, market


@dataclass
class Stake:
    where: Where
    client_id: str
    selection_id: int
    stake_minor: int
    odds: Fraction
    open: bool = True

    @property
    def payout_minor(self) -> int:
        return floor(self.stake_minor * self.odds)


@dataclass
class WatchedMarket:
    definition: Market
    stakes: list[Stake] = field(default_factory=list)
    settled: bool = False
    lost_minor: int = 0

    def loss_minor(self) -> int:
        """The worst result of those that are possible, 0 for none; settled: what it was."""
        if self.settled:
            return self.lost_minor
        if self.definition.engine != "fixed":
            return 0
        selections = [one.selection_id for one in self.definition.selections]
        kept = sum(one.stake_minor for one in self.stakes)
        results = combinations(selections, self.definition.number_of_winners)
        paid = [sum(x.payout_minor for x in self.stakes if x.selection_id in w) for w in results]
        return max(0, max(paid) - kept)


class RiskWatch:
    """Follows one journal; `taken` counts the bets that were held against limits."""

    def __init__(self) -> None:
        self.rules: dict[str, RiskSet] = {}
        self.shard: ShardRiskSet | None = None
        self.levers: dict[str, dict[tuple[str, str], e.LeverWasSet]] = {}
        self.markets: dict[Where, WatchedMarket] = {}
        self.bets: dict[tuple[str, str, str], Stake] = {}
        self.pending: dict[tuple[str, str, str], e.BetPending] = {}
        self.feeds: set[str] = set()  # events in feed time, which shards do not limit
        self.taken = 0

    def see(self, entry: e.Entry) -> None:
        """Look at the next entry; fail where it takes more than was allowed then."""
        where = (entry.event_id, entry.market_id)
        if isinstance(entry, e.EventWasOpened):
            self.feeds |= {entry.event_id} if entry.clock == "feed" else set()
        elif isinstance(entry, e.MarketWasOpened):
            self.markets[where] = WatchedMarket(entry.market)
        elif isinstance(entry, e.RiskWasSet):
            self.rules[entry.event_id] = entry.risk
        elif isinstance(entry, e.ShardRiskWasSet):
            self.shard = entry.risk
        elif isinstance(entry, e.LeverWasSet):
            levers = self.levers.setdefault(entry.event_id, {})
            levers[entry.market_id, entry.client_id] = entry
        elif isinstance(entry, e.EventRetired):
            self._forget(entry.event_id)
        elif isinstance(entry, e.MarketSettled | e.MarketUnsettled):
            market = self.markets[where]
            market.settled = isinstance(entry, e.MarketSettled)
            market.lost_minor = max(0, -sum(amount for _, amount in entry.postings))
        else:
            self._bet(where, entry)

    def _forget(self, event_id: str) -> None:
        self.feeds.discard(event_id)
        self.rules.pop(event_id, None)
        self.levers.pop(event_id, None)
        for kept in (self.markets, self.bets, self.pending):
            for key in [key for key in kept if key[0] == event_id]:
                del kept[key]  # type: ignore[attr-defined]

    def _bet(self, where: Where, entry: e.Entry) -> None:
        key = (where[0], getattr(entry, "client_id", ""), getattr(entry, "bet_id", ""))
        if isinstance(entry, e.BetPending):
            self.pending[key] = entry
        elif isinstance(entry, e.BetAccepted | e.BetPartlyAccepted):
            assert self._lever(where, entry.client_id) != "refer", entry
            self._take(key, entry, entry.stake_minor, entry.odds_e4)
        elif isinstance(entry, e.BetConfirmed | e.BetPartlyConfirmed):
            asked = self.pending.pop(key)
            stake_minor = getattr(entry, "stake_minor", asked.stake_minor)
            self._take(key, asked, stake_minor, entry.odds_e4)
        elif isinstance(entry, e.BetSettled):
            stake = self.bets[key]
            stake.open = False
            if not entry.settlement:
                self.markets[where].stakes.remove(stake)
        elif isinstance(entry, e.BetUnsettled):
            self.bets[key].open = True
        assert not isinstance(entry, co.BetCashedOut), "not followed here"

    def _take(
        self, key: tuple[str, str, str], asked: e.BetEntry, stake_minor: int, odds_e4: int
    ) -> None:
        where = (asked.event_id, asked.market_id)
        odds = Fraction(odds_e4, 10_000)
        stake = Stake(where, asked.client_id, asked.selection_id, stake_minor, odds)
        self.bets[key] = stake
        self.markets[where].stakes.append(stake)
        self._check(stake)

    def _lever(self, where: Where, client_id: str) -> str:
        levers = self.levers.get(where[0], {})
        for name in ((where[1], client_id), ("", client_id), (where[1], ""), ("", "")):
            if name in levers and levers[name].action != "none":
                return levers[name].action
        return "none"

    def _check(self, new: Stake) -> None:
        """Assert that every limit holds with this bet."""
        event_id, market_id = new.where
        levers = self.levers.get(event_id, {})
        assert self._lever(new.where, new.client_id) != "reject", new
        if self._lever(new.where, new.client_id) == "limit":
            near = ((market_id, new.client_id), ("", new.client_id), (market_id, ""), ("", ""))
            pulled = next(levers[n] for n in near if n in levers and levers[n].action != "none")
            assert new.stake_minor <= pulled.stake_max_minor, new
        rules = self.rules.get(event_id)
        mine = [one for one in self.bets.values() if one.open and one.client_id == new.client_id]
        there = [one for one in mine if one.where[0] == event_id]
        here = [one for one in mine if one.where == new.where]
        market = self.markets[new.where]
        if rules is not None:
            self.taken += 1
            within(there, rules.bettor_stake_max_minor, rules.bettor_payout_max_minor)
            within(here, rules.bettor_market_stake_max_minor, rules.bettor_market_payout_max_minor)
            lost = [m.loss_minor() for where, m in self.markets.items() if where[0] == event_id]
            assert sum(lost) <= rules.event_loss_limit_minor or not rules.event_loss_limit_minor
            limit = rules.selection_loss_limit_minor
            on = sum(x.payout_minor for x in market.stakes if x.selection_id == new.selection_id)
            cost = on - sum(x.stake_minor for x in market.stakes)
            assert market.definition.engine != "fixed" or not limit or cost <= limit, new
        if self.shard is not None and event_id not in self.feeds:
            self.taken += 1
            mine = [one for one in mine if one.where[0] not in self.feeds]
            within(mine, self.shard.bettor_stake_max_minor, self.shard.bettor_payout_max_minor)
            limit = self.shard.loss_limit_minor
            assert self.loss_minor() <= limit or not limit, new

    def loss_minor(self) -> int:
        """What all markets that are not settled may lose together."""
        return sum(
            market.loss_minor()
            for where, market in self.markets.items()
            if not market.settled and where[0] not in self.feeds
        )


def within(stakes: list[Stake], stake_max_minor: int, payout_max_minor: int) -> None:
    """Assert limits of a bettor, 0 for none."""
    staked = sum(one.stake_minor for one in stakes)
    paid = sum(one.payout_minor for one in stakes)
    assert staked <= stake_max_minor or not stake_max_minor, stakes
    assert paid <= payout_max_minor or not payout_max_minor, stakes
