"""Journal entries of bets against the house: first answers, and what becomes of pending ones."""

from pipelines.messages.entry_bases import BetEntry, BetReference

__all__ = [
    "BetAccepted",
    "BetCancelled",
    "BetConfirmed",
    "BetDeclined",
    "BetPartlyAccepted",
    "BetPartlyConfirmed",
    "BetPending",
    "BetRejected",
]


class BetAccepted(BetEntry, frozen=True, gc=False, array_like=True, tag=1):
    """Taken at once, at `odds_e4` (0: pool). Posts the stake from the bettor to the market.

    `shares_minor`: what the stake buys of a market maker, in units paid if it wins; 0 elsewhere.
    """

    odds_e4: int
    shares_minor: int = 0


class BetPartlyAccepted(BetEntry, frozen=True, gc=False, array_like=True, tag=83):
    """Taken at once with a part of the stake, `stake_minor`; `asked_stake_minor` was asked for."""

    odds_e4: int
    asked_stake_minor: int
    shares_minor: int = 0


class BetPending(BetEntry, frozen=True, gc=False, array_like=True, tag=2):
    """Held for the bet delay until `due_ms`, then checked again.

    `hold_ms`: until when, by wall time, the bettor's account must have answered; 0 where it is not
    asked. `referred`: a trader decides until `due_ms`. `accept_partial`: a part of it may be taken.
    """

    due_ms: int
    hold_ms: int = 0
    referred: bool = False
    accept_partial: bool = False


class BetRejected(BetEntry, frozen=True, gc=False, array_like=True, tag=3):
    """Refused, for good: the same id gets this answer again.

    `offer_odds_e4` and `offer_stake_minor`: what would be taken instead, 0 for nothing.
    """

    code: str
    reason: str
    offer_odds_e4: int = 0
    offer_stake_minor: int = 0


class BetConfirmed(BetReference, frozen=True, gc=False, array_like=True, tag=4):
    """A pending bet was taken, at `odds_e4`. Posts its stake as `BetAccepted` does."""

    odds_e4: int
    shares_minor: int = 0


class BetPartlyConfirmed(BetReference, frozen=True, gc=False, array_like=True, tag=84):
    """Of a pending bet `stake_minor` was taken; `asked_stake_minor` was asked for."""

    odds_e4: int
    stake_minor: int
    asked_stake_minor: int
    shares_minor: int = 0


class BetDeclined(BetReference, frozen=True, gc=False, array_like=True, tag=5):
    """A pending bet was refused at the second check, or by a trader.

    `offer_odds_e4` and `offer_stake_minor`: the counter-offer, 0 for none.
    """

    code: str
    reason: str
    offer_odds_e4: int = 0
    offer_stake_minor: int = 0


class BetCancelled(BetReference, frozen=True, gc=False, array_like=True, tag=6):
    """A pending bet was withdrawn by its bettor."""
