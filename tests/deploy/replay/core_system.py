"""The real core, receipts and publications in one process, for tests of what replays decide.

Stands where Kafka, the actors and the edge are in a running system: an operation or a bet goes to
the engine at once, what it publishes reaches the subscribers in the event loop's next turn.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from deploy.replay.account import Account
from deploy.replay.edge_link import EdgeLink, Listener
from pipelines.channels import INBOUND_BETS
from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from pipelines.messages.images import OddsImage
from pipelines.messages.operations import Operation
from pipelines.ports import Publication, Record
from pipelines.publisher.odds import Summaries, odds_of
from pipelines.publisher.receipts import receipts_of
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, EVENTS, ODDS

__all__ = ["CoreLink", "CoreSystem"]

WALL_MS: Final = 1_800_000_000_000
_decode_image = msgspec.msgpack.Decoder(OddsImage).decode


class CoreSystem:
    """One shard; `entries` is its journal."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, e.Entry]] = []
        self.account = Account()
        self._engine = Engine(ShardState(0))
        self._offsets: defaultdict[str, int] = defaultdict(int)
        self._summaries = Summaries()
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    def send(self, operation: Operation) -> None:
        """Take an operation, as the feed's sink."""
        self.take(EVENTS, operation.event_id, msgspec.json.encode(operation))

    def take(self, topic: str, key: str, value: bytes, client_id: str = "") -> None:
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        self._engine.process(Record(topic, 0, offset, WALL_MS, key.encode(), value, client_id))
        drained = self._engine.drain()
        for record in drained.journal_records:
            self.entries += [(record.at_ms, part) for part in apart(record.entry)]
            for receipt in receipts_of(record, 0):
                self._publish(receipt)
        for name, _, value in drained.outputs:
            self.account.take(name, value)
            if name != ODDS:
                continue
            image = _decode_image(value)
            self._publish(odds_of(image))
            if (summary := self._summaries.changed(image)) is not None:
                self._publish(summary)

    def subscribe(self, channel: str, listener: Listener) -> None:
        self._listeners[channel].append(listener)

    def _publish(self, publication: Publication) -> None:
        data: Any = msgspec.json.decode(msgspec.json.encode(publication.data))
        for listener in self._listeners[publication.channel]:
            asyncio.get_running_loop().call_soon(listener, publication.name, data)


class CoreLink(EdgeLink):
    """A bettor's connection to the core."""

    def __init__(self, system: CoreSystem, client_id: str) -> None:
        super().__init__("http://127.0.0.1:1", "", client_id)
        self._system = system

    @property
    def alive(self) -> bool:
        """The core is always there."""
        return True

    async def open(self, timeout_s: float = 0.0) -> None:
        """Nothing is to be connected."""

    async def subscribe(self, channel: str, listener: Listener, rewind: str = "") -> None:
        """Receive what the core publishes from now on."""
        self._system.subscribe(channel, listener)

    async def publish(
        self, channel: str, messages: Sequence[tuple[str, object]], timeout_s: float
    ) -> None:
        """Hand bets to the core."""
        event_id = channel.removeprefix(INBOUND_BETS)
        for _, data in messages:
            self._system.take(BETS, event_id, msgspec.json.encode(data), self.client_id)
        await asyncio.sleep(0)
