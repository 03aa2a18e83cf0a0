"""Receipts are counted once, in the order of their numbers, and timed from the sending."""

from typing import Any

from deploy.replay.latency import Latencies
from deploy.replay.tally import Tally
from pipelines.messages.requests import BetRequest

BET = BetRequest("b1", "e", "m", 1, 500, 30_000)


def _data(event_seq: int, **more: Any) -> dict[str, Any]:
    return {"bet_id": "b1", "event_id": "e", "market_id": "m", "event_seq": event_seq, **more}


def _tally() -> Tally:
    tally = Tally()
    tally.sent("ann", BET, 10.0)
    return tally


def test_a_bet_from_sent_to_settled() -> None:
    tally = _tally()
    tally.receipt("ann", "pending", _data(1), 10.1)
    assert (tally.answered, tally.answers["accepted"]) == (1, 0)
    tally.receipt("ann", "accepted", _data(2), 11.1)
    assert [bet.status for bet in tally.open()] == ["accepted"]
    tally.receipt("ann", "settled", _data(3, result="win", payout_minor=1500, settlement=1), 12.0)
    assert tally.open() == []
    assert (tally.answers["accepted"], tally.results["win"]) == (1, 1)
    assert tally.answer_latency.percentile_ms(0.5) == 100.0


def test_repeated_and_older_receipts_count_nothing() -> None:
    tally = _tally()
    tally.receipt("ann", "accepted", _data(5), 10.2)
    assert tally.receipt("ann", "accepted", _data(5), 10.3) is None
    assert tally.receipt("ann", "rejected", _data(4, code="X"), 10.3) is None
    tally.receipt("ann", "accepted", _data(6, repeated=True), 10.4)
    assert (tally.answered, tally.answers["accepted"], tally.answers["rejected"]) == (1, 1, 0)


def test_refusals_are_counted_by_code() -> None:
    tally = _tally()
    tally.receipt("ann", "pending", _data(1), 10.1)
    tally.receipt("ann", "rejected", _data(2, code="ODDS_CHANGED"), 10.2)
    assert tally.codes == {"ODDS_CHANGED": 1}
    assert tally.open() == []


def test_a_rolled_back_result_opens_the_bet_again() -> None:
    tally = _tally()
    tally.receipt("ann", "accepted", _data(1), 10.1)
    tally.receipt("ann", "settled", _data(2, result="win", payout_minor=9, settlement=1), 10.2)
    tally.receipt("ann", "unsettled", _data(3), 10.3)
    assert (tally.results["win"], len(tally.open())) == (0, 1)
    tally.receipt("ann", "settled", _data(4, result="loss", settlement=2), 10.4)
    assert (tally.results["win"], tally.results["loss"]) == (0, 1)


def test_others_bets_are_none_of_ours() -> None:
    tally = _tally()
    assert tally.receipt("bob", "accepted", _data(1), 10.1) is None
    assert tally.answered == 0


def test_bet_to_odds_ends_with_the_first_image_that_includes_the_bet() -> None:
    tally = _tally()
    bet = tally.receipt("ann", "accepted", _data(7), 10.1)
    assert bet is not None
    tally.moves_odds(bet, 6, 10.1)
    tally.image("e", "m", 6, 10.2)
    assert len(tally.odds_latency) == 0
    tally.image("e", "m", 8, 10.3)
    tally.image("e", "m", 9, 10.9)
    assert (len(tally.odds_latency), tally.odds_latency.percentile_ms(0.5)) == (1, 300.0)


def test_percentiles() -> None:
    latencies = Latencies(samples_max=100)
    assert latencies.percentile_ms(0.5) is None
    for n in range(1, 201):
        latencies.add(n / 1_000)
    assert len(latencies) == 100
    assert latencies.percentile_ms(0.99) == 200.0
    assert latencies.percentile_ms(0.5) == 151.0
