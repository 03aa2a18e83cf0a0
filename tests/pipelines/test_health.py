"""Health is progress: verdicts over what actors say, and the waits between two bounces."""

from itertools import pairwise

import pytest

from pipelines.health import (
    BOUNCE_WAIT_MAX_S,
    BOUNCES_GIVEN_UP,
    RUNNING_IDLE_S_MAX,
    SETTLED_S,
    SILENT_S_MAX,
    STARTING_IDLE_S_MAX,
    Backoff,
    judge,
)


def said(state: str, idle_s: float = 0.0, inner: str = "", error: str = "") -> dict[str, object]:
    status: dict[str, object] = {"state": inner} if inner else {}
    return {"state": state, "idle_s": idle_s, "error": error, "status": status}


@pytest.mark.parametrize(
    ("health", "silent_s", "verdict"),
    [
        (None, 0.0, "well"),
        (None, SILENT_S_MAX, "well"),
        (None, SILENT_S_MAX + 1, "silent"),
        (said("running"), 0.0, "well"),
        (said("running", RUNNING_IDLE_S_MAX), 0.0, "well"),
        (said("running", RUNNING_IDLE_S_MAX + 1), 0.0, "stalled"),
        # An actor's thread runs while its loop restores, which may take longer.
        (said("running", RUNNING_IDLE_S_MAX + 1, "restoring"), 0.0, "well"),
        (said("running", STARTING_IDLE_S_MAX + 1, "restoring"), 0.0, "stalled"),
        (said("starting", STARTING_IDLE_S_MAX), 0.0, "well"),
        (said("starting", STARTING_IDLE_S_MAX + 1), 0.0, "stalled"),
        # What has ended makes no progress, and must not be bounced for it.
        (said("fenced", 10_000.0), 0.0, "fenced"),
        (said("running", 10_000.0, "fenced"), 0.0, "fenced"),
        (said("stopped", 10_000.0), 0.0, "stopped"),
        (said("failed", 10_000.0), 0.0, "failed"),
    ],
)
def test_the_verdict_follows_progress(
    health: dict[str, object] | None, silent_s: float, verdict: str
) -> None:
    assert judge(health, silent_s).name == verdict


def test_a_verdict_says_why_in_words() -> None:
    assert judge(said("fenced", error="a newer owner"), 0.0).why == "a newer owner"
    assert "90 s" in judge(said("running", 90.0), 0.0).why
    assert judge(said("running"), 0.0).why == ""


def bounce_times(until_s: float) -> list[float]:
    backoff, now_s, times = Backoff(), 0.0, []
    while now_s < until_s:
        if backoff.may_bounce(now_s):
            backoff.bounced(now_s)
            times.append(now_s)
        now_s += 1.0
    return times


def test_the_waits_between_bounces_double_up_to_a_bound() -> None:
    times = bounce_times(3_000.0)
    waits = [after - before for before, after in pairwise(times)]
    assert times[0] == 0.0
    assert waits[:6] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0]
    assert set(waits[6:]) == {BOUNCE_WAIT_MAX_S}


def test_what_bouncing_does_not_help_counts_as_given_up_until_it_was_quiet() -> None:
    backoff = Backoff()
    for number in range(BOUNCES_GIVEN_UP):
        assert not backoff.gave_up
        backoff.bounced(float(number))
    assert backoff.gave_up
    backoff.bounced(BOUNCES_GIVEN_UP + SETTLED_S)
    assert not backoff.gave_up
    assert backoff.bounces == 1
