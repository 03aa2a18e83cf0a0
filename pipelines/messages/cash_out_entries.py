"""Journal entries of cash-outs: what a bet would be bought back for, and that it was."""

from pipelines.messages.entry_bases import BetReference

__all__ = ["AnyCashOutEntry", "BetCashedOut", "CashOutQuoted", "CashOutRejected"]


class CashOutQuoted(BetReference, frozen=True, gc=False, array_like=True, tag=52):
    """The bet would be bought back for `amount_minor` now, its selection's odds being these."""

    amount_minor: int
    odds_e4: int


class BetCashedOut(BetReference, frozen=True, gc=False, array_like=True, tag=53):
    """The bet is closed: posts `amount_minor` from the market to the bettor.

    `postings` (account, amount) move what is left of its stake, or what is missing, to the house.
    """

    amount_minor: int
    odds_e4: int
    postings: tuple[tuple[str, int], ...]


class CashOutRejected(BetReference, frozen=True, gc=False, array_like=True, tag=54):
    """The bet stands. `amount_minor` is what it would be bought back for, 0 for nothing."""

    code: str
    reason: str
    amount_minor: int = 0


AnyCashOutEntry = CashOutQuoted | BetCashedOut | CashOutRejected
