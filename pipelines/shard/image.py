"""A market as bettors see it, made from the state alone, so that a fold makes the same."""

from msgspec import structs

from pipelines.messages.images import OddsImage, SelectionImage
from pipelines.shard.state import EventState, MarketState

__all__ = ["image_of"]


def image_of(event: EventState, market: MarketState) -> OddsImage:
    """Return the full image of a market as of its last entry."""
    definition, book = market.definition, market.book
    shown, statuses = book.shown(), market.selections
    selections = tuple(
        [
            SelectionImage(s.selection_id, s.name, statuses[s.selection_id], *shown[s.selection_id])
            for s in definition.selections
        ]
    )
    if market.settled and not market.refund:
        selections = tuple(_settled(s, market.winners) for s in selections)
    return OddsImage(
        event.event_id,
        market.event_seq,
        event.name,
        definition.market_id,
        market.seq,
        market.version,
        definition.market_type,
        definition.name,
        definition.engine,
        "SETTLED" if market.settled else market.status,
        market.in_play,
        market.bet_delay_ms,
        event.start_ms,
        market.at_ms,
        sum([staked for _, staked in shown.values()]),
        market.settlement,
        selections,
    )


def _settled(selection: SelectionImage, winners: tuple[int, ...]) -> SelectionImage:
    if selection.status != "ACTIVE":
        return selection
    status = "WINNER" if selection.selection_id in winners else "LOSER"
    return structs.replace(selection, status=status)
