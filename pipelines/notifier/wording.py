"""What bettors read in a push: all sentences in one place, money from minor units."""

from typing import Final, NamedTuple

__all__ = ["COUPON", "KINDS", "Wording", "money", "starting", "words"]

#: Kinds of pushes, as in the notices and in the push's data.
KINDS: Final = ("win", "loss", "refund", "starting")

MINOR_PER_MAJOR: Final = 100
#: How a push names a coupon.
COUPON: Final = "your multiple"


class Wording(NamedTuple):
    """Title and body of a push."""

    title: str
    body: str


def money(amount_minor: int) -> str:
    """Format an amount: 123456 is `1,234.56`."""
    sign = "-" if amount_minor < 0 else ""
    major, minor = divmod(abs(amount_minor), MINOR_PER_MAJOR)
    return f"{sign}{major:,}.{minor:02d}"


def words(kind: str, where: str, payout_minor: int, corrected: bool) -> Wording:
    """Word a win, loss or refund; `corrected`: an earlier result was rolled back."""
    match kind:
        case "win":
            title, body = "You won", f"You won {money(payout_minor)} on {where}."
        case "refund":
            title, body = "Stake refunded", f"{money(payout_minor)} was refunded on {where}."
        case "loss":
            title, body = "No win this time", f"Your bets on {where} did not win."
        case _:
            raise AssertionError(f"no words for {kind}")
    if corrected:
        return Wording("Result corrected", f"The result of {where} was corrected. {body}")
    return Wording(title, body)


def starting(where: str) -> Wording:
    """Word the push that an event is starting."""
    return Wording("Starting now", f"{where} is starting. You have bets on it.")
