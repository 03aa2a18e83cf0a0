"""Recordings through the pure core, with bets: all answered, all settled, postings sum to zero."""

from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import msgspec
import pytest

from deploy.replay.seen import shows
from pipelines.betfair.opening import Rules
from pipelines.betfair.recording import read_messages, scan
from pipelines.betfair.translation import Translation
from pipelines.messages import entries as e
from pipelines.messages.images import OddsImage
from pipelines.messages.operations import Operation
from pipelines.messages.requests import BetRequest
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.image import image_of
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, EVENTS
from tests.pipelines.betfair.recordings import RECORDED, SHIPPED, Recorded, recorded

BETTORS = 7
WALL_MS = 1_800_000_000_000


class Play:
    """One recording on one shard; somebody bets on what they see after each change."""

    def __init__(self, engine: str, bets_max: int = 3_000) -> None:
        self.engine = Engine(ShardState(0))
        self.rules = Rules(engine="pool" if engine == "pool" else "fixed")
        self.entries: list[e.Entry] = []
        self.sent: list[tuple[str, str]] = []
        self._bets_max = bets_max
        self._rng = Random(4)
        self._offsets = Counter[str]()

    def run(self, file: Path) -> Translation:
        translation = Translation("run", self.rules, scan(file).names)
        for message in read_messages(file):
            self._operate(translation.apply(message))
            self._look_and_bet(translation)
        self._operate(translation.finish())
        return translation

    def _record(self, topic: str, key: str, value: bytes, client_id: str = "") -> None:
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        self.engine.process(Record(topic, 0, offset, WALL_MS, key.encode(), value, client_id))
        self.entries += [record.entry for record in self.engine.drain().journal_records]

    def _operate(self, operations: list[Operation]) -> None:
        for operation in operations:
            self._record(EVENTS, operation.event_id, msgspec.json.encode(operation))
        self.engine.tick(WALL_MS + 60_000)  # a large market is settled in chunks, by wall time
        self.entries += [record.entry for record in self.engine.drain().journal_records]

    def _look_and_bet(self, translation: Translation) -> None:
        for market in translation.touched.values():
            event = self.engine.state.events[market.event_id]
            image = image_of(event, event.markets[market.market_id])
            assert shows(image, market), "the translation knows what the engine has made of it"
            if len(self.sent) < self._bets_max:
                self._bet(image)

    def _bet(self, image: OddsImage) -> None:
        selection = self._rng.choice(image.selections)
        bet = BetRequest(
            f"bet-{len(self.sent)}",
            image.event_id,
            image.market_id,
            selection.selection_id,
            self._rng.randrange(100, 100_200),
            selection.odds_e4 if image.engine == "fixed" else 0,
            market_version=image.version,
        )
        client_id = f"bettor-{self._rng.randrange(BETTORS)}"
        self.sent.append((client_id, bet.bet_id))
        self._record(BETS, image.event_id, msgspec.json.encode(bet), client_id)


def _check(play: Play, translation: Translation) -> None:
    entries = play.entries
    assert not [x for x in entries if isinstance(x, e.OperationRefused | e.RecordDeadLettered)]
    first = (e.BetAccepted, e.BetPending, e.BetRejected)
    answers = Counter((x.client_id, x.bet_id) for x in entries if isinstance(x, first))
    assert answers == Counter(play.sent), "each bet has one first answer"
    stakes: dict[tuple[str, str], int] = {
        (x.client_id, x.bet_id): x.stake_minor
        for x in entries
        if isinstance(x, e.BetAccepted | e.BetPending)
    }
    sums: defaultdict[str, int] = defaultdict(int)
    open_bets: set[tuple[str, str]] = set()
    for entry in entries:
        if isinstance(entry, e.BetAccepted | e.BetConfirmed):
            sums[entry.market_id] += stakes[entry.client_id, entry.bet_id]
            open_bets.add((entry.client_id, entry.bet_id))
        elif isinstance(entry, e.BetSettled):
            sums[entry.market_id] -= entry.payout_minor
            open_bets.remove((entry.client_id, entry.bet_id))
        elif isinstance(entry, e.MarketSettled):
            sums[entry.market_id] -= sum(amount for _, amount in entry.postings)
    assert not open_bets, "every accepted bet is settled once"
    assert not any(sums.values()), "the postings of each market sum to zero"
    settled = {x.market_id for x in entries if isinstance(x, e.MarketSettled)}
    assert settled == set(translation.markets)


@pytest.mark.parametrize("engine", ["fixed", "pool"])
def test_the_shipped_recording(engine: str) -> None:
    play = Play(engine)
    _check(play, play.run(SHIPPED))
    kinds = Counter(type(entry) for entry in play.entries)
    assert kinds[e.BetPending] > 0
    assert kinds[e.EventIsStarting] == 2
    assert kinds[e.SelectionWasRemoved] == 1


@pytest.mark.parametrize("engine", ["fixed", "pool"])
@pytest.mark.parametrize("known", RECORDED, ids=lambda known: known.name)
def test_recorded_markets(known: Recorded, engine: str) -> None:
    play = Play(engine)
    translation = play.run(recorded(known.name))
    _check(play, translation)
    resulted = {x.market_id: x for x in play.entries if isinstance(x, e.MarketResulted)}
    for market_id, winners in known.winners.items():
        assert resulted[market_id].winners == winners
    if not known.winners:
        assert all(result.void for result in resulted.values())
    results = Counter(x.result for x in play.entries if isinstance(x, e.BetSettled))
    assert results["win"] + results["void"] > 0
