"""Numbers for several entries decided at once: dense in the event and in the market."""

from pipelines.shard.state import EventState, MarketState

__all__ = ["Numbers"]


class Numbers:
    """Hands out the head of the next entry: event id, its number, market id, its number."""

    __slots__ = ("event_id", "event_seq", "market_id", "market_seq")

    def __init__(self, event: EventState, market: MarketState) -> None:
        self.event_id = event.event_id
        self.event_seq = event.seq
        self.market_id = market.definition.market_id
        self.market_seq = market.seq

    def ahead(self, count: int) -> tuple[str, int, str, int]:
        """Return the head of the last entry; the next `count` numbers are used by the caller."""
        last = (self.event_id, self.event_seq, self.market_id, self.market_seq)
        self.event_seq += count
        self.market_seq += count
        return last

    def next(self) -> tuple[str, int, str, int]:
        """Return the head of the next entry."""
        self.event_seq += 1
        self.market_seq += 1
        return self.event_id, self.event_seq, self.market_id, self.market_seq
