"""A bet is quoted and bought back at the odds of the moment; it is closed for good."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audit.money import Money
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.codes import Code
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market, pool_market


def ask(desk: Desk, amount: int = 0, bet_id: str = "b1", **more: Any) -> Any:
    value = {"type": "cash_out", "bet_id": bet_id, "event_id": EVENT, "market_id": MARKET}
    client_id = more.pop("by", "ann")
    (entry,) = desk.bets(value | {"amount_minor": amount} | more, client_id)
    return entry


def betting(**fixed: Any) -> Desk:
    desk = Desk().open(fixed_market(fixed=fixed))
    desk.bet("b1", selection_id=1, odds_e4=30_000, stake_minor=1_000)
    desk.operate_market("prices", prices=[[1, 20_000]])
    return desk


def test_a_quote_changes_nothing_and_is_paid_where_it_is_taken() -> None:
    desk = betting(cash_out_margin_e4=500)
    quote = ask(desk)
    assert isinstance(quote, co.CashOutQuoted)
    assert (quote.amount_minor, quote.odds_e4) == (1_425, 20_000)  # 1000 * 3 / 2 less 5 %
    assert desk.market().escrow_minor == 1_000
    paid = ask(desk, 1_425)
    assert isinstance(paid, co.BetCashedOut)
    assert (paid.amount_minor, paid.postings) == (1_425, (("house:cash_out", -425),))
    assert desk.market().escrow_minor == 0
    desk.check()


def test_once() -> None:
    desk = betting()
    assert isinstance(ask(desk, 1_500), co.BetCashedOut)
    again = ask(desk, 1_500)
    assert isinstance(again, e.BetRepeated)
    assert again.status == "cashed_out"
    same = desk.bet("b1", selection_id=1, odds_e4=30_000, stake_minor=1_000)
    assert isinstance(same, e.BetRepeated)
    assert desk.market().bets[0].payout_minor == 1_500


@pytest.mark.parametrize(("tolerance", "kind"), [(0, co.CashOutRejected), (500, co.BetCashedOut)])
def test_lower_than_asked_for_only_within_the_tolerance(tolerance: int, kind: type) -> None:
    desk = betting()
    desk.operate_market("prices", prices=[[1, 30_000]])
    entry = ask(desk, 1_500, tolerance_minor=tolerance)
    assert isinstance(entry, kind)
    assert isinstance(entry, co.CashOutRejected | co.BetCashedOut)
    assert entry.amount_minor == 1_000
    if isinstance(entry, co.CashOutRejected):
        assert entry.code == Code.ODDS_CHANGED
    desk.check()


def test_higher_than_asked_for_is_paid_in_full() -> None:
    assert ask(betting(), 100).amount_minor == 1_500


def test_refusals() -> None:
    desk = betting()
    assert ask(desk, bet_id="b9").code == Code.INVALID_BET_ID
    assert ask(desk, by="bob").code == Code.INVALID_BET_ID
    assert ask(desk, client_id="bob").code == Code.PERMISSION_DENIED
    assert ask(desk, event_id="other").code == Code.EVENT_KEY_MISMATCH
    desk.operate_market("prices", prices=[[1, 0]])
    assert ask(desk).code == Code.CASH_OUT_UNAVAILABLE
    desk.operate_market("market_status", status="SUSPENDED")
    assert ask(desk, 1).code == Code.MARKET_SUSPENDED
    desk.operate_market("market_status", status="OPEN")
    desk.operate_market("selection_removed", selection_id=1)
    assert ask(desk, 1).code == Code.BET_TAKEN_OR_LAPSED
    desk.check()


def test_only_where_the_odds_say_what_a_bet_is_worth() -> None:
    pool = Desk().open(pool_market())
    pool.bet("b1", odds_e4=0)
    assert ask(pool).code == Code.CASH_OUT_UNAVAILABLE
    each_way = Desk().open(fixed_market(fixed={"each_way_divisor": 4, "each_way_places": 2}))
    each_way.bet("b1")
    assert ask(each_way).code == Code.CASH_OUT_UNAVAILABLE
    delayed = Desk().open(fixed_market(in_play=True, bet_delay_ms=1_000))
    assert isinstance(delayed.bet("b1"), e.BetPending)
    assert ask(delayed).code == Code.BET_IN_PROGRESS
    delayed.tick(delayed.now_ms + 1_000)
    assert ask(delayed).code == Code.CASH_OUT_UNAVAILABLE


def test_a_part_is_closed_once_and_the_rest_goes_on() -> None:
    desk = betting(rule_4=True)
    part = ask(desk, 1, keep_stake_minor=400)
    assert isinstance(part, co.BetPartlyCashedOut)
    assert (part.amount_minor, part.closed_minor, part.stake_minor) == (900, 600, 400)
    assert isinstance(ask(desk, 1, keep_stake_minor=400), e.BetRepeated)
    assert ask(desk, 1, keep_stake_minor=401).code == Code.INVALID_BET_SIZE
    # The bet is what it was: the same again is not another, and withdrawals still count for it.
    same = desk.bet("b1", selection_id=1, odds_e4=30_000, stake_minor=1_000)
    assert isinstance(same, e.BetRepeated)
    desk.operate_market("selection_removed", selection_id=2)  # 4.0: 25p
    assert ask(desk).amount_minor == 500  # 400 * 2.5 / 2
    assert desk.market().escrow_minor == 400
    desk.operate_market("market_status", status="SUSPENDED")
    for _ in range(2):
        entries = desk.operate_market("result", winners=[1])
        paid = [one.payout_minor for one in entries if isinstance(one, e.BetSettled)]
        assert paid == [1_000]
        desk.operate_market("result_rolled_back")
        desk.check()


def lmsr(**market: Any) -> Desk:
    return Desk().open(
        {
            "market_id": MARKET,
            "engine": "lmsr",
            "selections": [{"selection_id": 1}, {"selection_id": 2}],
            "lmsr": {"liquidity_minor": 10_000},
            **market,
        }
    )


def test_a_market_maker_takes_shares_back() -> None:
    desk = lmsr()
    bought = desk.bet("b1", stake_minor=513, odds_e4=20_000, tolerance_e4=600)
    assert isinstance(bought, e.BetAccepted)
    assert bought.shares_minor == 1_000  # for 512.49
    desk.bet("b2", stake_minor=513, odds_e4=20_000, tolerance_e4=2_000)
    quote = ask(desk)
    assert isinstance(quote, co.CashOutQuoted)
    assert quote.amount_minor > 513  # another has bought since
    assert ask(desk, quote.amount_minor + 1).code == Code.ODDS_CHANGED
    paid = ask(desk, quote.amount_minor)
    assert paid.postings == (("house:cash_out", 513 - quote.amount_minor),)
    desk.check()
    desk.operate_market("market_status", status="SUSPENDED")
    assert ask(desk, bet_id="b2").code == Code.MARKET_SUSPENDED
    entries = desk.operate_market("result", winners=[1])
    assert [one.bet_id for one in entries if isinstance(one, e.BetSettled)] == ["b2"]
    desk.check()


def test_a_market_maker_takes_nothing_back_while_bets_wait() -> None:
    desk = lmsr(in_play=True, bet_delay_ms=1_000)
    desk.bet("b1", stake_minor=513, odds_e4=20_000, tolerance_e4=600)
    desk.tick(desk.now_ms + 1_000)
    assert desk.market().bets[0].pays_minor() == 1_000
    assert ask(desk).code == Code.CASH_OUT_UNAVAILABLE
    desk.check()


def test_neither_result_nor_rollback_nor_void_touch_it() -> None:
    desk = betting()
    desk.bet("b2", selection_id=2, odds_e4=40_000, stake_minor=500)
    ask(desk, 1_500)
    desk.operate_market("market_status", status="SUSPENDED")
    for _ in range(2):
        entries = desk.operate_market("result", winners=[1])
        assert [one.bet_id for one in entries if isinstance(one, e.BetSettled)] == ["b2"]
        entries = desk.operate_market("result_rolled_back")
        assert [one.bet_id for one in entries if isinstance(one, e.BetUnsettled)] == ["b2"]
        desk.check()
    entries = desk.operate_market("bets_voided")
    assert [one.bet_id for one in entries if isinstance(one, e.BetSettled)] == ["b2"]
    assert desk.market().escrow_minor == 0


def test_it_makes_room_within_the_loss_limit() -> None:
    desk = Desk().open(fixed_market(loss_limit_minor=2_000))
    assert isinstance(desk.bet("b1"), e.BetAccepted)  # may lose the house 2000
    assert isinstance(desk.bet("b2"), e.BetRejected)
    ask(desk, 1_000)
    assert isinstance(desk.bet("b3"), e.BetAccepted)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["bet", "cash_out", "prices", "result", "result_rolled_back", "void"]),
            st.integers(0, 9),
            st.sampled_from([15_000, 30_000, 50_000]),
        ),
        max_size=40,
    )
)
def test_money_is_conserved_whatever_comes(steps: list[tuple[str, int, int]]) -> None:
    desk = Desk().open(fixed_market(fixed={"cash_out_margin_e4": 300}))
    for kind, number, odds in steps:
        version = desk.market().version
        if kind == "bet":
            selection = 1 + number % 3
            terms = {"selection_id": selection, "price_policy": "any", "market_version": version}
            desk.bets(bet(f"b{number}", odds_e4=odds, **terms), "ann")
        elif kind == "cash_out":
            ask(desk, 1, bet_id=f"b{number}", keep_stake_minor=odds // 100 if number % 3 else 0)
        elif kind == "prices":
            desk.operate_market("prices", prices=[[1 + number % 3, odds]])
        elif kind == "void":
            desk.operate_market("bets_voided", to_ms=desk.now_ms)
        else:
            status = "SUSPENDED" if number % 2 else "OPEN"
            desk.operate_market("market_status", status=status)
            desk.operate_market(kind, **({"winners": [1]} if kind == "result" else {}))
        desk.now_ms += 1
        desk.check()
    tally = Tally("money", "adds up")
    money = Money(tally, Totals())
    for record in desk.records():
        money.see(Place("journal", 0, record.shard_seq), record.entry, record.at_ms)
    assert not tally.check().failures, tally.check().examples
