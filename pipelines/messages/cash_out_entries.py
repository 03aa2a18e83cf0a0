"""Journal entries of cash-outs: what a bet would be bought back for, and that it was."""

from pipelines.messages.entry_bases import BetReference

__all__ = [
    "AnyCashOutEntry",
    "BetCashedOut",
    "BetPartlyCashedOut",
    "CashOutQuoted",
    "CashOutRejected",
]


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


class BetPartlyCashedOut(BetReference, frozen=True, gc=False, array_like=True, tag=57):
    """Part of the bet is closed as by `BetCashedOut`; it goes on with `stake_minor` at its odds.

    `closed_minor` is the part of the stake that is closed; `shares_minor` what is left of a market
    maker's shares.
    """

    amount_minor: int
    odds_e4: int
    postings: tuple[tuple[str, int], ...]
    stake_minor: int
    closed_minor: int
    shares_minor: int = 0


class CashOutRejected(BetReference, frozen=True, gc=False, array_like=True, tag=54):
    """The bet stands. `amount_minor` is what it would be bought back for, 0 for nothing."""

    code: str
    reason: str
    amount_minor: int = 0


AnyCashOutEntry = CashOutQuoted | BetCashedOut | BetPartlyCashedOut | CashOutRejected
