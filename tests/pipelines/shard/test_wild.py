"""Well-formed messages at their extremes: nothing raises, all is answered, and money is kept."""

import pytest

from tests.pipelines.decided import entries
from tests.pipelines.shard.wild import Wild
from tests.pipelines.shard.wild_coupons import WildCoupons

SEQUENCES = 300


@pytest.mark.parametrize("first", range(0, SEQUENCES, 50))
def test_whatever_is_sent_is_answered_and_audited(first: int) -> None:
    engines: set[str] = set()
    codes: set[str] = set()
    for number in range(first, first + 50):
        wild = Wild(number)
        wild.run()
        engines.add(wild.engine)
        codes |= wild.codes
    assert engines == {"fixed", "pool", "exchange", "lmsr"}
    assert len(codes) >= 20, codes


def test_whatever_becomes_of_coupons_each_is_answered() -> None:
    settled = taken = 0
    for number in range(40):
        wild = WildCoupons(number)
        wild.run()
        settled += len(entries(wild.desk.printed, "coupon_settled"))
        taken += len(entries(wild.desk.printed, "coupon_accepted"))
    assert settled >= 5
    assert taken >= 40
