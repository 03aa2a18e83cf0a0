"""The whole system under steady load; nothing it uses may grow. `make soak` takes 30 minutes.

SOAK_MINUTES is how long, SOAK_RATE the bets/s, SOAK_SVG where to draw. Printed: a table and a
verdict. With OVERLOAD=3 the test of `test_overload.py` runs instead.
"""

import os
from pathlib import Path

import pytest

from tests.chaos.watch import audited
from tests.soak.conftest import THROUGH_EDGE, load_on
from tests.soak.growth import draw, growth, table
from tests.soak.sample import Sampler
from tests.system.conftest import Running

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(7_200)]

SHORT_S = 20.0
MINUTES = float(os.environ.get("SOAK_MINUTES", SHORT_S / 60))
RATE = int(os.environ.get("SOAK_RATE", "300"))
OVERLOAD = float(os.environ.get("OVERLOAD", "0"))
SVG = os.environ.get("SOAK_SVG", "")


@pytest.mark.skipif(OVERLOAD > 0, reason="OVERLOAD asks for the other test")
def test_nothing_grows_under_steady_load(running: Running, report: list[str]) -> None:
    load = load_on(running, RATE - THROUGH_EDGE)
    sampler = Sampler(running)
    try:
        duration_s = MINUTES * 60
        third_sent = 0
        interval_s = max(1.0, duration_s / 180)
        sampler.every(interval_s, duration_s / 3)
        third_sent = load.sent
        sampler.every(interval_s, duration_s)
        added = load.sent - third_sent
    finally:
        load.stop()
    if SVG:
        draw(sampler.samples, Path(SVG))
    found = growth(sampler.samples, added)
    report += [f"soak: {MINUTES:.1f} min at {RATE} bets/s", *table(sampler.samples)]
    report.append(f"  {added:,} bets more are open at the end than after the first third")
    report.append("verdict: nothing grows" if not found else f"verdict: GROWS {found}")
    audit = audited(running)
    report.append(audit.line("after the soak"))
    assert not audit.failed
    assert not found
