"""What a bet must come to by the rules, worked out again for the audit's ledger of money."""

from fractions import Fraction
from math import floor

from pipelines.audit.stakes import AuditedMarket, AuditedStake
from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.rounding import payout_minor
from pipelines.limits import ODDS_ONE
from pipelines.messages import entries as e

__all__ = ["outcome", "worth_minor"]


def outcome(market: AuditedMarket, stake: AuditedStake, entry: e.BetSettled) -> tuple[str, int]:
    """Return what the bet must come to: result and payout."""
    result = market.result
    early = market.early.get(stake.selection_id, "ACTIVE")
    if result is None and entry.settlement and early != "ACTIVE":
        winners = (stake.selection_id,) if early == "WINNER" else ()
        result = e.MarketResulted("", 0, "", 0, entry.settlement, winners, False, (), "")
    if not entry.settlement or result is None or result.void:
        return "void", stake.stake_minor
    if isinstance(market.book, FixedBook):
        terms = market.book.terms(result.winners, result.factors)
        return market.book.settled(
            stake.stake_minor, stake.odds_e4, terms[stake.selection_id], stake.number
        )
    paid = 0
    if market.definition.engine == "pool":
        dividend = dict(result.dividends).get(stake.selection_id, 0)
        paid = payout_minor(stake.stake_minor, dividend)
    elif stake.selection_id in result.winners:
        paid = stake.pays_minor() // len(result.winners)  # of a market maker
    return ("win" if paid else "loss"), paid


def worth_minor(book: FixedBook | LmsrBook, stake: AuditedStake, closed_minor: int) -> int:
    """Return what so much of a stake must have been bought back for."""
    if isinstance(book, LmsrBook):
        shares = stake.pays_minor() * closed_minor // stake.stake_minor
        return book.proceeds_minor(stake.selection_id, shares)
    left = 1 - Fraction(book.deduction_e4(stake.number), ODDS_ONE)
    returns = closed_minor * (1 + (Fraction(stake.odds_e4, ODDS_ONE) - 1) * left)
    margin = Fraction(book.rules.cash_out_margin_e4, ODDS_ONE)
    now = Fraction(book.odds(stake.selection_id), ODDS_ONE)
    return floor(returns * (1 - margin) / now) if now else 0
