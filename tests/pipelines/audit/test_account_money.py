"""The audit of exchange markets of accounts holds on what shards write, and finds what is wrong."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipelines.audit.bettors import Bettors
from pipelines.audit.exposures import Exposures
from pipelines.audit.money import Money
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.messages import bettor_entries as be
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.messages.apart import apart
from pipelines.messages.entries import JournalRecord
from tests.pipelines.shard.exchange_town import ExchangeTown

replace = msgspec.structs.replace
_decode = msgspec.msgpack.Decoder(JournalRecord).decode

Change = Callable[[JournalRecord], JournalRecord | None]


def failures(town: ExchangeTown, change: Change = lambda record: record) -> int:
    """Read the journals of a town, each record as changed; None leaves it out."""
    tally = Tally("money", "")
    exposures = Exposures(tally)
    for partition, journal in enumerate(town.journals):
        money, bettors = Money(tally, Totals()), Bettors(tally, exposures)
        for offset, value in enumerate(journal):
            record = change(_decode(value))
            if record is not None:
                place = Place("journal", partition, offset)
                for part in apart(record.entry):
                    money.see(place, part, record.at_ms)
                bettors.see(place, record.entry)
    exposures.finish(complete=True)
    return tally.failures


@pytest.fixture(scope="module")
def town() -> ExchangeTown:
    """Trades, a withdrawal that takes a hedge, a result, its rollback, and another."""
    found = ExchangeTown()
    found.start(market_base_rate_e4=500)
    for client in ("ann", "bob"):
        found.fund(client, 10_000)
    for number, runner in enumerate((1, 2, 1)):
        found.back("bob", f"b{number}", 20_000, 1_000, selection_id=runner)
        found.lay("ann", f"l{number}", 20_000, 700, selection_id=runner)
    found.rest()
    found.operate_market("selection_removed", selection_id=2, reduction_factor_e4=0)
    found.settle(1)
    found.roll_back("race")
    found.settle(3)
    found.rest()
    found.check_at_rest()
    return found


def test_an_intact_market_holds(town: ExchangeTown) -> None:
    assert not failures(town)


def changed(kind: type, make: Callable[[Any], Any], nth: int = 0) -> Change:
    """Change the nth entry of a kind."""
    seen = [0]

    def change(record: JournalRecord) -> JournalRecord | None:
        entry = record.entry
        if not isinstance(entry, kind) and not (
            isinstance(entry, be.TransferSent) and isinstance(entry.body, kind)
        ):
            return record
        seen[0] += 1
        if seen[0] != nth + 1:
            return record
        if not isinstance(entry, kind):
            assert isinstance(entry, be.TransferSent)
            return replace(record, entry=replace(entry, body=make(entry.body)))
        made = make(entry)
        return None if made is None else replace(record, entry=made)

    return change


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (t.ExposureHeld, lambda b: replace(b, held_minor=b.held_minor - 1)),
        (t.ExposureHeld, lambda b: replace(b, held_minor=b.held_minor + 1)),
        (t.MarketPosted, lambda b: replace(b, amount_minor=b.amount_minor + 1)),
        (t.MarketPosted, lambda b: replace(b, held_minor=1)),
        (oe.AccountSettled, lambda x: replace(x, net_minor=x.net_minor + 1)),
        (oe.AccountSettled, lambda x: replace(x, commission_minor=x.commission_minor + 1)),
        (oe.AccountSettled, lambda x: None),
        (oe.AccountUnsettled, lambda x: replace(x, net_minor=0)),
        (oe.AccountUnsettled, lambda x: None),
        (be.ExposureWasHeld, lambda x: replace(x, held_minor=x.held_minor + 1)),
        (be.ExposureWasHeld, lambda x: replace(x, released_minor=1_000_000)),
        (be.FundsReserved, lambda x: replace(x, amount_minor=x.amount_minor + 1)),
    ],
)
def test_what_is_wrong_is_found(town: ExchangeTown, kind: type, make: Callable[[Any], Any]) -> None:
    assert failures(town, changed(kind, make))


def test_a_posting_of_another_amount_is_found(town: ExchangeTown) -> None:
    def more(x: be.FundsPosted) -> be.FundsPosted:
        (mine, mine_minor), (other, other_minor) = x.postings
        postings = ((mine, mine_minor + 1), (other, other_minor - 1))
        return replace(
            x,
            amount_minor=x.amount_minor + 1,
            balance_minor=x.balance_minor + 1,
            postings=postings,
        )

    posted = [
        _decode(value).entry
        for journal in town.journals
        for value in journal
        if isinstance(_decode(value).entry, be.FundsPosted)
    ]
    last = len(posted) - 1
    assert posted[last].of_market  # type: ignore[union-attr]
    assert failures(town, changed(be.FundsPosted, more, last))


def test_an_order_that_is_let_in_without_its_money_is_found() -> None:
    town = ExchangeTown()
    town.start()
    town.fund("ann", 10_000)
    town.back("ann", "b1", 30_000, 1_000)
    town.back("ann", "b2", 30_000, 500)
    assert not failures(town)
    last = changed(t.ExposureHeld, lambda b: replace(b, held_minor=1_000), 1)
    assert failures(town, last)
