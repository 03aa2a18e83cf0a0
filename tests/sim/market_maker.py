"""Whether the automated market maker sold its shares at what they cost, told from the journals."""

from collections import defaultdict
from collections.abc import Iterable
from math import exp, log

from pipelines.messages import entries as e
from pipelines.messages.operations import Market
from pipelines.shard.isolation_changes import APPLY_TO_ISOLATION

__all__ = ["sold_below_cost"]

ODDS_ONE = 10_000
#: What floats may be wrong by, in minor units.
EXACT_MINOR = 1e-6
#: With these the shares that are owed stay what the bets before say.
_CHANGES_NO_SHARES = frozenset(
    {
        e.MarketWasOpened,
        e.MarketChanged,
        e.BetRejected,
        e.BetRepeated,
        e.BetConflict,
        e.CancelRejected,
        *APPLY_TO_ISOLATION,
    }
)


def sold_below_cost(records: Iterable[e.JournalRecord]) -> list[str]:
    """Return the bets that paid less than C(q after) - C(q before), of all markets of the journals.

    A market is followed as long as its bets are taken at once and none is taken back.
    """
    markets: dict[tuple[str, str], dict[int, e.Entry]] = defaultdict(dict)
    for record in records:
        entry = record.entry
        if entry.market_seq:
            markets[entry.event_id, entry.market_id][entry.market_seq] = entry
    found: list[str] = []
    for entries in markets.values():
        opened = entries.get(1)
        if isinstance(opened, e.MarketWasOpened) and opened.market.engine == "lmsr":
            found += _follow(opened.market, [entries[seq] for seq in sorted(entries)])
    return found


def _follow(market: Market, entries: Iterable[e.Entry]) -> list[str]:
    rules = market.lmsr
    assert rules is not None
    owed = {selection.selection_id: 0.0 for selection in market.selections}
    b = rules.liquidity_minor or rules.max_loss_minor / log(len(owed))
    found = []
    for entry in entries:
        if isinstance(entry, e.BetAccepted):
            before = _cost(owed.values(), b)
            owed[entry.selection_id] += entry.stake_minor * entry.odds_e4 // ODDS_ONE
            costs = _cost(owed.values(), b) - before
            if costs > entry.stake_minor + EXACT_MINOR:
                found.append(f"{entry.bet_id} paid {entry.stake_minor} for what costs {costs:.2f}")
        elif type(entry) not in _CHANGES_NO_SHARES:
            break
    return found


def _cost(owed: Iterable[float], b: float) -> float:
    """C(q) = b ln sum(exp(q / b))."""
    shares = list(owed)
    most = max(shares)
    return most + b * log(sum(exp((one - most) / b) for one in shares))
