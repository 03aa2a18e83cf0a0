"""What an event's home keeps of a market that lives in another shard. `evolve` changes it."""

from msgspec import Struct

from pipelines.messages.transfers import Forwarded

__all__ = ["Away"]


class Away(Struct):
    """A market elsewhere: requests for it go to the book `to`, or wait while it is `coming`."""

    to: str
    coming: bool = False
    settled: bool = False
    waiting: list[Forwarded] = []
