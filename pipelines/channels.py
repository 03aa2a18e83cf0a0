"""Names of the Ably channels, in one place. An event id or client id is their last part."""

from typing import Final

__all__ = ["INBOUND_BETS", "OUTBOUND_BETS", "OUTBOUND_ODDS", "bets_in", "bets_out", "odds_out"]

INBOUND_BETS: Final = "inbound:bets:"
OUTBOUND_BETS: Final = "outbound:bets:"
OUTBOUND_ODDS: Final = "outbound:odds:"


def bets_in(event_id: str) -> str:
    """Channel on which bettors send bets on an event; a Kafka rule forwards it to `bets`."""
    return INBOUND_BETS + event_id


def bets_out(client_id: str) -> str:
    """Channel on which one bettor receives the answers to their bets."""
    return OUTBOUND_BETS + client_id


def odds_out(event_id: str) -> str:
    """Channel on which everybody receives the odds of an event."""
    return OUTBOUND_ODDS + event_id
