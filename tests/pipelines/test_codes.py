"""Codes of refusals: each is its own name and has a sentence for the bettor."""

from pipelines.codes import SENTENCES, Code


def test_a_code_goes_over_the_wire_by_its_name() -> None:
    assert all(code.value == code.name for code in Code)


def test_each_sentence_is_one_that_a_bettor_can_read() -> None:
    for code, sentence in SENTENCES.items():
        assert sentence[0].isupper(), code
        assert sentence.endswith("."), code
        assert "_" not in sentence
        assert len(sentence) < 100


def test_betfairs_names_are_kept() -> None:
    betfair = {
        "INVALID_MARKET_ID",
        "INVALID_RUNNER",
        "RUNNER_REMOVED",
        "INVALID_BET_SIZE",
        "INVALID_ODDS",
        "INVALID_MARKET_VERSION",
        "MARKET_SUSPENDED",
        "MARKET_NOT_OPEN_FOR_BETTING",
        "LOSS_LIMIT_EXCEEDED",
        "DUPLICATE_TRANSACTION",
        "PERMISSION_DENIED",
        "BET_TAKEN_OR_LAPSED",
    }
    assert betfair <= {code.value for code in Code}
