"""Topic `events`, key `bettor/<client id>`: what operators say of a bettor's account."""

from typing import Annotated

from msgspec import Meta, Struct

from pipelines.limits import STAKE_MAX_MINOR
from pipelines.messages.requests import Id

__all__ = ["AccountOperation", "AccountSet", "Deposit", "Withdrawal"]

Amount = Annotated[int, Meta(ge=1, le=STAKE_MAX_MINOR)]
Version = Annotated[int, Meta(ge=1, le=1)]


class AccountSet(Struct, frozen=True, tag_field="type", tag="account_set"):
    """Open an account, close it to new bets, or change how far it may go below zero."""

    client_id: Id
    credit_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    open: bool = True
    at_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    v: Version = 1


class Deposit(Struct, frozen=True, tag_field="type", tag="deposit"):
    """Money came in; the same `reference` counts once."""

    client_id: Id
    reference: Id
    amount_minor: Amount
    at_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    v: Version = 1


class Withdrawal(Struct, frozen=True, tag_field="type", tag="withdrawal"):
    """Money goes out, if it is free; the same `reference` counts once."""

    client_id: Id
    reference: Id
    amount_minor: Amount
    at_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    v: Version = 1


AccountOperation = AccountSet | Deposit | Withdrawal
