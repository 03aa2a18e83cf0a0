"""Live figures from the metrics page: rates and percentiles between two looks at it."""

from collections import defaultdict
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Figures", "Look", "compare", "look"]

LATENCY = "overround_bet_latency_seconds_bucket"
BETS = "overround_answers_total"
IMAGES = "overround_odds_images_total"


class Look(NamedTuple):
    """The counters at one moment."""

    at_s: float
    answers: dict[str, float]
    images: float
    buckets: dict[float, float]


class Figures(NamedTuple):
    """What happened between two looks; percentiles in milliseconds, None where nothing did."""

    bets_per_second: float
    odds_per_second: float
    p50_ms: float | None
    p99_ms: float | None
    answers: dict[str, int]


def look(url: str, at_s: float) -> Look | None:
    """Read the metrics page; None where it does not answer now."""
    try:
        response = httpx.get(url, timeout=2, trust_env=False)
        response.raise_for_status()
    except httpx.HTTPError:
        return None
    answers: dict[str, float] = defaultdict(float)
    buckets: dict[float, float] = defaultdict(float)
    images = 0.0
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            if sample.name == BETS:
                answers[sample.labels.get("answer", "")] += sample.value
            elif sample.name == IMAGES:
                images += sample.value
            elif sample.name == LATENCY:
                buckets[float(sample.labels["le"])] += sample.value
    return Look(at_s, dict(answers), images, dict(buckets))


def compare(before: Look, after: Look) -> Figures:
    """Return what happened in between; a counter that went back counts from zero."""
    seconds = max(after.at_s - before.at_s, 1e-9)
    counts = {le: max(n - before.buckets.get(le, 0), 0) for le, n in after.buckets.items()}
    bets = max(counts.values(), default=0.0)
    images = after.images - before.images
    return Figures(
        bets / seconds,
        (images if images >= 0 else after.images) / seconds,
        _quantile_ms(counts, 0.5),
        _quantile_ms(counts, 0.99),
        {name: int(value) for name, value in sorted(after.answers.items())},
    )


def _quantile_ms(counts: dict[float, float], quantile: float) -> float | None:
    """Interpolate in the bucket that holds the quantile, as Prometheus does."""
    marks = sorted(counts)
    total = counts[marks[-1]] if marks else 0
    if not total:
        return None
    wanted, lower, below = quantile * total, 0.0, 0.0
    for mark in marks:
        if counts[mark] >= wanted:
            if mark == float("inf"):
                return lower * 1_000
            inside = counts[mark] - below
            share = (wanted - below) / inside if inside else 1.0
            return (lower + (mark - lower) * share) * 1_000
        lower, below = mark, counts[mark]
    return lower * 1_000
