"""The play of a script: in step, complete, and with the same journal at any speed."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from deploy.replay import bettor as bettor_module
from deploy.replay import replayer as replayer_module
from deploy.replay.bettor import Bettor
from deploy.replay.completion import missing, wait_until_complete
from deploy.replay.replayer import Replayer
from deploy.replay.script import Script, Step
from deploy.replay.tally import Tally
from pipelines.betfair.generator import recording
from pipelines.betfair.opening import Rules
from pipelines.betfair.recording import RecordingError
from pipelines.errors import StackError
from pipelines.messages import entries as e
from pipelines.messages.operations import EventOpened, Operation
from tests.deploy.replay.core_system import CoreLink, CoreSystem
from tests.pipelines.betfair.recordings import SHIPPED, recorded

BETTORS = 4


class Played:
    """What a replay left behind."""

    def __init__(self, system: CoreSystem, tally: Tally, replayer: Replayer) -> None:
        self.system = system
        self.tally = tally
        self.replayer = replayer

    @property
    def journal(self) -> list[tuple[int, e.Entry]]:
        return self.system.entries


async def _play(files: list[Path], engine: str, speed: float, seed: int) -> Played:
    system, tally = CoreSystem(), Tally()
    script = Script(files, "run", Rules(engine="pool" if engine == "pool" else "fixed"))
    bettors = [
        Bettor(name, CoreLink(system, name), tally)
        for name in (f"run-bettor-{n}" for n in range(BETTORS))
    ]
    for bettor in bettors:
        await bettor.start()
    steps: list[Step] = []
    begun: list[int] = []

    async def on_first() -> None:
        begun.append(len(system.entries))

    replayer = Replayer(script, "run", system, bettors, seed, speed, steps.append, on_first)
    await replayer.play()
    await asyncio.sleep(0.01)
    assert len(begun) == 1
    assert [step.messages for step in steps] == sorted(step.messages for step in steps)
    assert steps[-1].messages == script.messages
    return Played(system, tally, replayer)


def _replay(files: list[Path], engine: str = "fixed", speed: float = 0.0, seed: int = 1) -> Played:
    return asyncio.run(_play(files, engine, speed, seed))


@pytest.mark.parametrize("engine", ["fixed", "pool"])
def test_every_bet_is_answered_and_settled(engine: str) -> None:
    played = _replay([SHIPPED], engine)
    tally, account = played.tally, played.system.account
    assert tally.placed > 100
    assert tally.answered == tally.placed
    assert tally.open() == []
    assert played.replayer.unseen == played.replayer.unanswered == 0
    assert not account.refused
    assert account.held_minor == 0
    assert account.in_minor > 0
    accepted = [b for b in tally.bets.values() if b.was_accepted]
    assert account.in_minor == sum(b.request.stake_minor for b in accepted)
    assert account.paid_minor == sum(b.payout_minor for b in accepted)


def test_bettors_hesitate_and_are_refused() -> None:
    tally = _replay([SHIPPED]).tally
    assert {"ODDS_CHANGED", "MARKET_SUSPENDED", "ABOVE_MAX_BET_AMOUNT"} <= set(tally.codes)
    assert tally.answers["accepted"] > 5 * tally.answers["rejected"]


def test_the_journal_is_the_same_at_any_speed() -> None:
    assert _replay([SHIPPED]).journal == _replay([SHIPPED], speed=20_000.0).journal


def test_another_seed_bets_otherwise() -> None:
    first, other = _replay([SHIPPED]), _replay([SHIPPED], seed=2)
    assert first.journal != other.journal
    operations = (e.OddsSet, e.MarketChanged, e.MarketResulted)
    kinds = [
        Counter(type(x) for _, x in one.journal if isinstance(x, operations))
        for one in (first, other)
    ]
    assert kinds[0] == kinds[1]


def test_recordings_of_one_race_are_played_as_one_event() -> None:
    played = _replay([recorded("1.197931750"), recorded("1.197931751")])
    opened = [x for _, x in played.journal if isinstance(x, e.EventWasOpened)]
    markets = {x.market_id for _, x in played.journal if isinstance(x, e.MarketSettled)}
    assert len(opened) == 1
    assert markets == {"1.197931750", "1.197931751"}


def test_what_is_missing_is_named() -> None:
    played = _replay([SHIPPED])
    tally, account = played.tally, played.system.account
    markets = list(played.replayer.markets.values())
    [pushes] = missing(markets, tally, account)  # nobody sends pushes here
    assert "pushes are not sent" in pushes
    for bet in tally.bets.values():
        account.pushed.add(
            (bet.request.event_id, bet.request.market_id, bet.client_id, bet.settlement)
        )
    assert missing(markets, tally, account) == []
    first = next(iter(tally.bets.values()))
    first.status = "sent"
    account.settled_markets.pop()
    unanswered, unsettled = asyncio.run(wait_until_complete(markets, tally, account, 0.01))
    assert first.request.bet_id in unanswered
    assert "1 markets are not settled" in unsettled


class DeafSystem(CoreSystem):
    """Takes the feed's events and nothing after them."""

    def send(self, operation: Operation) -> None:
        if isinstance(operation, EventOpened):
            super().send(operation)


def test_a_system_that_does_not_follow_ends_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayer_module, "SEEN_TIMEOUT_S", 0.01)
    monkeypatch.setattr("tests.deploy.replay.test_replayer.CoreSystem", DeafSystem)
    with pytest.raises(StackError, match="does not follow the replay"):
        _replay([SHIPPED])


class ForgetfulLink(CoreLink):
    """Loses the first message of each bettor on its way."""

    lost = False

    async def publish(self, channel: str, messages: object, timeout_s: float) -> None:
        if not self.lost:
            self.lost = True
            return
        await super().publish(channel, messages, timeout_s)  # type: ignore[arg-type]  # as given


def test_a_bet_that_got_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bettor_module, "RESEND_AFTER_S", 0.02)
    monkeypatch.setattr("tests.deploy.replay.test_replayer.CoreLink", ForgetfulLink)
    played = _replay([SHIPPED])
    assert played.tally.answered == played.tally.placed
    first = (e.BetAccepted, e.BetPending, e.BetRejected)
    answers = Counter(x.bet_id for _, x in played.journal if isinstance(x, first))
    assert set(answers.values()) == {1}


def test_recordings_that_do_not_overlap_are_played_without_the_gap(tmp_path: Path) -> None:
    late = tmp_path / "late"
    messages = [json.loads(line) for line in recording(9, 1, 4, 10)]
    late.write_text("\n".join(json.dumps(m | {"pt": m["pt"] + 10**9}) for m in messages))
    early = tmp_path / "early"
    early.write_bytes(b"".join(recording(8, 1, 4, 10)))
    lengths = [list(Script([file], "r", Rules()).steps())[-1].offset_ms for file in (early, late)]
    both = list(Script([late, early], "r", Rules()).steps())
    assert both[-1].offset_ms == sum(lengths)
    assert [step.offset_ms for step in both] == sorted(step.offset_ms for step in both)


def test_a_recording_without_a_market_to_play_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "closed"
    file.write_text(
        '{"op":"mcm","pt":1,"mc":[{"id":"1.1","marketDefinition":{"status":"CLOSED"}}]}'
    )
    with pytest.raises(RecordingError, match=r"1\.1: it was closed before"):
        Script([file], "r", Rules())
    with pytest.raises(RecordingError, match="at least one"):
        Script([], "r", Rules())
