"""Sentences and amounts that bettors read."""

import pytest

from pipelines.notifier.wording import KINDS, money, words


@pytest.mark.parametrize(
    ("amount_minor", "text"),
    [(0, "0.00"), (5, "0.05"), (1_250, "12.50"), (123_456_789, "1,234,567.89"), (-250, "-2.50")],
)
def test_money(amount_minor: int, text: str) -> None:
    assert money(amount_minor) == text


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("corrected", [False, True])
def test_every_kind_has_a_sentence(kind: str, corrected: bool) -> None:
    wording = words(kind, "Aintree, Win", 1_250, corrected)
    assert "Aintree, Win" in wording.body
    assert wording.body.endswith(".")
    assert (wording.title == "Result corrected") is corrected
    assert ("12.50" in wording.body) is (kind != "loss")
