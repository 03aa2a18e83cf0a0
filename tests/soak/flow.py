"""How far bets came on their way through a running system, as the scrape target counts them."""

import time
from dataclasses import dataclass, fields

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.system.conftest import Running

ANSWERS_MAX_S = 30.0
#: Series by the field that sums them; those of the publisher are told apart by what they carry.
FIELDS = {
    ("overround_bet_latency_seconds_count", ""): "bets",
    ("overround_answers_total", ""): "answers",
    ("overround_odds_images_total", ""): "images",
    ("overround_bets_lag", ""): "waiting",
    ("overround_published_total", "odds"): "images_out",
    ("overround_published_total", "receipt"): "receipts_out",
}


@dataclass(frozen=True)
class Flow:
    """Since the start: bets decided, answers, images written, images and receipts that the edge
    took; and how many bets wait in Kafka now."""

    bets: float = 0.0
    answers: float = 0.0
    images: float = 0.0
    waiting: float = 0.0
    images_out: float = 0.0
    receipts_out: float = 0.0

    def since(self, before: "Flow") -> "Flow":
        """What came between two looks; what waits is not a count and stays."""
        counts = {f.name: getattr(self, f.name) - getattr(before, f.name) for f in fields(Flow)}
        return Flow(**(counts | {"waiting": self.waiting}))

    def images_line(self, when: str) -> str:
        """How many bets one image stands for, at the shards and at the edge."""
        return (
            f"{when}: {self.bets:,.0f} bets changed odds, shards wrote {self.images:,.0f} images "
            f"({self.bets / max(self.images, 1):.1f} bets each), the publisher sent "
            f"{self.images_out:,.0f} and left out {max(self.images - self.images_out, 0):,.0f}"
        )


def flow_of(running: Running, shards: int) -> Flow:
    """Look once; again where a shard or the publisher did not answer the scrape target."""
    port = running.environment["OVERROUND_METRICS_PORT"]
    deadline_s = time.monotonic() + ANSWERS_MAX_S
    while True:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text
        found: dict[str, float] = {}
        heard = 0
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = FIELDS.get((sample.name, sample.labels.get("kind", "")))
                if name is not None:
                    found[name] = found.get(name, 0.0) + sample.value
                    heard += name == "waiting"
        if heard == shards and "images_out" in found:
            return Flow(**found)
        assert time.monotonic() < deadline_s, f"{heard} of {shards} shards are heard of"
        time.sleep(0.5)
