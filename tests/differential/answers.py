"""What the engine says, in the words of the models."""

from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e

__all__ = ["answer", "money", "taken_back"]


def answer(entry: e.Entry) -> tuple[object, ...]:
    """An entry as the model says it."""
    if isinstance(entry, e.BetAccepted):
        return ("accepted", entry.odds_e4)
    if isinstance(entry, e.BetPending):
        return ("pending", entry.due_ms)
    if isinstance(entry, e.BetRejected):
        return ("rejected", entry.code)
    if isinstance(entry, e.BetRepeated):
        return ("repeated", entry.status, entry.odds_e4, entry.code)
    if isinstance(entry, e.BetConflict):
        return ("conflict",)
    if isinstance(entry, e.BetConfirmed):
        return ("confirmed", (entry.client_id, entry.bet_id), entry.odds_e4)
    if isinstance(entry, e.BetDeclined):
        return ("declined", (entry.client_id, entry.bet_id), entry.code)
    if isinstance(entry, co.CashOutQuoted):
        return ("quoted", entry.amount_minor)
    if isinstance(entry, co.BetCashedOut):
        return ("cashed out", entry.amount_minor)
    if isinstance(entry, co.BetPartlyCashedOut):
        return ("partly cashed out", entry.amount_minor, entry.stake_minor)
    if isinstance(entry, co.CashOutRejected):
        return ("not cashed out", entry.code, entry.amount_minor)
    raise AssertionError(f"not expected here: {entry}")


def money(entries: list[e.Entry]) -> dict[tuple[str, str], tuple[str, int]]:
    return {
        (entry.client_id, entry.bet_id): (entry.result, entry.payout_minor)
        for entry in entries
        if isinstance(entry, e.BetSettled)
    }


def taken_back(entries: list[e.Entry]) -> dict[tuple[str, str], int]:
    return {
        (entry.client_id, entry.bet_id): entry.payout_minor
        for entry in entries
        if isinstance(entry, e.BetUnsettled)
    }
