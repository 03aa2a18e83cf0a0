"""Stage 2 for a new market: are its rules ones that go together?

Looks at the state and changes nothing.
"""

from pipelines.books.exchange_ladder import bands_problem, ladder_of
from pipelines.books.rules_problem import rules_problem
from pipelines.codes import SENTENCES, Code
from pipelines.limits import MARKETS_PER_EVENT_MAX
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.shard.state import EventState

__all__ = ["ENGINES", "open_market"]

#: With its article, in sentences.
ENGINES = {"pool": "a pool", "exchange": "an exchange", "lmsr": "a market maker"}


def open_market(
    event: EventState, operation: o.MarketOpened
) -> e.MarketWasOpened | e.OperationRefused:
    """Return that an event has the market, or why not."""
    market = operation.market
    known = event.markets.get(market.market_id)
    code, why = None, ""
    if known is not None:
        code = Code.UNCHANGED if known.definition == market else Code.DUPLICATE_MARKET
    elif len(event.markets) >= MARKETS_PER_EVENT_MAX:
        code = Code.TOO_MANY_MARKETS
    elif len({s.selection_id for s in market.selections}) != len(market.selections):
        code, why = Code.INVALID_RUNNER, "a selection id stands twice in the market"
    elif market.number_of_winners > len(market.selections):
        code, why = Code.INVALID_INPUT_DATA, "more winners than selections"
    elif market.stake_min_minor > market.stake_max_minor:
        code, why = Code.INVALID_BET_SIZE, "the smallest stake is above the largest"
    elif problem := _exchange_problem(market) or rules_problem(market):
        code, why = Code.INVALID_INPUT_DATA, problem
    else:
        valid = ladder_of(market).valid
        off = [s.odds_e4 for s in market.selections if s.odds_e4 and s.odds_e4 not in valid]
        if off:
            code, why = Code.INVALID_ODDS, f"odds {off[0]} are not on the ladder {market.ladder}"
        elif market.engine != "fixed" and any(s.odds_e4 for s in market.selections):
            code, why = (
                Code.INVALID_ODDS,
                f"{ENGINES.get(market.engine, 'this engine')} opens without odds",
            )
    if code is not None:
        seq = known.seq + 1 if known is not None else 0
        return e.OperationRefused(
            event.event_id,
            event.seq + 1,
            market.market_id,
            seq,
            "market_opened",
            code.value,
            why or SENTENCES[code],
        )
    return e.MarketWasOpened(event.event_id, event.seq + 1, market.market_id, 1, market)


def _exchange_problem(market: o.Market) -> str:
    """Say which rules of an exchange do not go together, "" where all do."""
    if problem := bands_problem(market):
        return problem
    if market.ladder == "ANY" and market.engine != "fixed":
        return "the ladder ANY is for bookmakers"
    if market.engine != "exchange":
        wrong = market.ladder == "CUSTOM" or market.cross_matching or market.bsp_market
        return "this engine has no ladder of its own, cross-matching or starting price" * wrong
    if market.cross_matching and (market.number_of_winners > 1 or len(market.selections) < 2):
        return "cross-matching needs one winner of several selections"
    return ""
