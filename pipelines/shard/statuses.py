"""How a bet stands, as a number in the state and as a name for people."""

from typing import Final

__all__ = [
    "ACCEPTED",
    "CANCELLED",
    "CASHED_OUT",
    "LAPSED",
    "LOST",
    "PENDING",
    "REJECTED",
    "STATUS_NAMES",
    "VOID",
    "WON",
]

PENDING: Final = 0
ACCEPTED: Final = 1
REJECTED: Final = 2
CANCELLED: Final = 3
WON: Final = 4
LOST: Final = 5
VOID: Final = 6
LAPSED: Final = 7
CASHED_OUT: Final = 8
STATUS_NAMES: Final = (
    "pending",
    "accepted",
    "rejected",
    "cancelled",
    "won",
    "lost",
    "void",
    "lapsed",
    "cashed_out",
)
