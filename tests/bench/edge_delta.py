"""What deltas save: the odds images of a recorded market, whole and as the edge sends them.

Run with `python -m tests.bench.edge_delta [RECORDING]`; prints bytes and time. The recording goes
through the engine as in a replay; each image is the message that subscribers of its channel get.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path

import msgspec

from deploy.edge.delta import DeltaStream
from deploy.edge.wire import Action, Format, Frame, Message, Protocol
from deploy.replay.script import Script
from pipelines.betfair.opening import Rules
from pipelines.messages.images import OddsImage
from pipelines.messages.operations import Operation
from pipelines.ports import Record
from pipelines.publisher.odds import odds_of
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import EVENTS, ODDS

RECORDING = Path(__file__).parents[2] / "deploy" / "replay" / "recordings" / "generated-1.bz2"
WALL_MS = 1_800_000_000_000


class Market:
    """One channel's stream, counted."""

    def __init__(self) -> None:
        self._deltas = DeltaStream()
        self.count = self.whole = self.sent = 0

    def take(self, channel: str, text: str) -> None:
        message = Message(id=f"{self.count}:0", name="odds", data=text, encoding="json")
        frame = Frame(Protocol(action=Action.MESSAGE, channel=channel, messages=[message]))
        step = self._deltas.advance([message], frame, wanted=True)
        assert step is not None
        self.count += 1
        self.whole += len(frame.wire(Format.MSGPACK))
        self.sent += len((step.changed or frame).wire(Format.MSGPACK))


def images(recording: Path) -> list[tuple[str, str]]:
    """Return channel and text of each image, in order."""
    engine, found = Engine(ShardState(0)), []
    offset = 0

    def play(operation: Operation) -> None:
        nonlocal offset
        value = msgspec.json.encode(operation)
        key = operation.event_id.encode()
        engine.process(Record(EVENTS, 0, offset, WALL_MS, key, value, ""))
        offset += 1
        for topic, _, image in engine.drain().outputs:
            if topic == ODDS:
                publication = odds_of(msgspec.msgpack.decode(image, type=OddsImage))
                text = msgspec.json.encode(publication.data).decode()
                found.append((publication.channel, text))

    for step in Script([recording], "bench", Rules()).steps():
        for operation in step.operations:
            play(operation)
    return found


def main() -> None:
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING
    markets: defaultdict[str, Market] = defaultdict(Market)
    played = images(recording)
    began_s = time.perf_counter()
    for channel, text in played:
        markets[channel].take(channel, text)
    took_s = time.perf_counter() - began_s
    count = sum(one.count for one in markets.values())
    whole = sum(one.whole for one in markets.values())
    sent = sum(one.sent for one in markets.values())
    print(
        f"{recording.name}: {count} images, {whole:,} bytes whole, {sent:,} with deltas "
        f"({sent / whole:.0%}); {whole / count:.0f} and {sent / count:.0f} bytes an image; "
        f"{took_s / count * 1e6:.0f} us an image, both frames encoded"
    )


if __name__ == "__main__":
    main()
