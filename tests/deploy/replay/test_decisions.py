"""Bettors decide by the seed and by what they see, by nothing else."""

from collections import Counter

from deploy.replay.decisions import bet_request, participants, takes_part, wishes
from pipelines.messages.images import OddsImage, SelectionImage


def _image(engine: str = "fixed", status: str = "OPEN") -> OddsImage:
    selections = (
        SelectionImage(1, "One", "ACTIVE", 30_000 if engine == "fixed" else 0, 0),
        SelectionImage(2, "Two", "ACTIVE", 50_000 if engine == "fixed" else 0, 0),
        SelectionImage(3, "Three", "REMOVED", 0, 0),
        SelectionImage(4, "Four", "ACTIVE", 0, 0),
    )
    return OddsImage(
        "e", 9, "Event", "1.5", 8, 3, "WIN", "Win", engine, status, False, 0, 0, 0, 0, 0, selections
    )


def test_the_same_seed_decides_the_same() -> None:
    assert wishes(1, 5, _image(), [0, 1]) == wishes(1, 5, _image(), [0, 1])
    assert [wishes(1, n, _image(), [0, 1]) for n in range(20)] != [
        wishes(2, n, _image(), [0, 1]) for n in range(20)
    ]


def test_bets_are_at_the_odds_and_version_that_were_seen() -> None:
    image = _image()
    offered = {1: 30_000, 2: 50_000}
    for moment in range(200):
        for wish in wishes(1, moment, image, [0, 1, 2]):
            bet = bet_request(wish, image, "b")
            assert bet.odds_e4 == offered[bet.selection_id]
            assert bet.market_version == 3
            assert (bet.event_id, bet.market_id) == ("e", "1.5")


def test_a_pool_is_bet_on_without_odds() -> None:
    found = [wish for n in range(50) for wish in wishes(1, n, _image("pool"), [0])]
    assert {wish.odds_e4 for wish in found} == {0}
    assert {wish.selection_id for wish in found} == {1, 2, 4}


def test_nobody_wants_to_bet_on_what_is_not_open() -> None:
    assert not any(wishes(1, n, _image(status="SUSPENDED"), [0]) for n in range(50))
    assert wishes(1, 1, _image(), []) == []


def test_the_chance_is_met() -> None:
    hits = sum(takes_part(1, "1.5", moment, 250_000) for moment in range(4_000))
    assert 850 < hits < 1_150
    assert all(takes_part(1, "1.5", moment, 1_000_000) for moment in range(100))
    assert not any(takes_part(1, "1.5", moment, 0) for moment in range(100))


def test_events_are_shared_out_among_many_bettors() -> None:
    assert participants(1, "9", 3, 5) == (0, 1, 2)
    chosen = [participants(1, str(n), 10, 2) for n in range(300)]
    assert all(len(set(one)) == 2 for one in chosen)
    assert len(Counter(n for one in chosen for n in one)) == 10
