"""Who takes over waits for all that were there, and gives way to who came later."""

from collections.abc import Collection

import pytest

from pipelines.handover import take_over


class Noted:
    """What is noted beside a group's offsets, as one reader sees it."""

    notes: list[str] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def claims(self) -> set[str]:
        return set(Noted.notes) - {self.name}

    def claim(self, besides: Collection[str] = ()) -> None:
        Noted.notes = [self.name, *besides]


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    Noted.notes = []


def test_the_first_waits_for_nobody() -> None:
    assert take_over(Noted("a"), lambda claim: pytest.fail(f"{claim} was there before"))
    assert Noted.notes == ["a"]


def test_the_one_before_ends_and_is_noted_until_it_has() -> None:
    Noted.notes = ["a"]

    def end(claim: str) -> bool:
        assert claim == "a"
        assert Noted.notes == ["b", "a"]
        Noted.notes = ["a"]  # it notes its last offsets
        return True

    assert take_over(Noted("b"), end)
    assert Noted.notes == ["b"]


def test_a_third_waits_for_both_and_the_second_gives_way() -> None:
    Noted.notes = ["a"]
    ended: list[str] = []

    def end_of_third(claim: str) -> bool:
        ended.append(claim)
        return True

    def end_of_second(claim: str) -> bool:
        assert take_over(Noted("c"), end_of_third)
        return True

    assert not take_over(Noted("b"), end_of_second)
    assert ended == ["a", "b"]
    assert Noted.notes == ["c"]


def test_one_that_does_not_answer_is_told_of_and_not_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Noted.notes = ["a"]
    assert take_over(Noted("b"), lambda claim: False)
    assert "did not answer" in caplog.text
    assert Noted.notes == ["b"]
