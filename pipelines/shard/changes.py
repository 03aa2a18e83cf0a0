"""What the entries of events, markets and settlements change in the state; called by `evolve`."""

from pipelines.books.engines import open_book
from pipelines.books.exchange import ExchangeBook
from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.limits import RETIRED_EVENTS_MAX
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.shard.clock import timers_of
from pipelines.shard.isolation_changes import retire_when_settled
from pipelines.shard.market_funds import MarketFunds
from pipelines.shard.order import Order
from pipelines.shard.risk_changes import count_bet, forget_market, note_prices
from pipelines.shard.settling_changes import arm
from pipelines.shard.state import (
    ACCEPTED,
    CASHED_OUT,
    EARLY,
    RESULTS,
    EventState,
    MarketState,
    Settling,
    ShardState,
    ShareBet,
)


def event_opened(
    shard: ShardState, event: None, market: None, entry: e.EventWasOpened, at_ms: int
) -> None:
    """An event exists from here on; its start is a timer."""
    feed = entry.clock == "feed"
    opened = EventState(entry.event_id, entry.name, entry.event_type, entry.start_ms, feed)
    opened.seq = entry.event_seq
    if feed:
        opened.now_ms = at_ms
    shard.events[entry.event_id] = opened
    if entry.start_ms > at_ms:
        timer = (entry.start_ms, shard.shard_seq, "start", entry.event_id, "", "")
        timers_of(shard, opened, "start").add(timer)


def event_starting(
    shard: ShardState, event: EventState, market: None, entry: e.EventIsStarting, at_ms: int
) -> None:
    """The start has come."""
    timers_of(shard, event, "start").remove("start", event.event_id, "", "")


def event_retired(
    shard: ShardState, event: EventState, market: None, entry: e.EventRetired, at_ms: int
) -> None:
    """The event is forgotten, its id remembered for a while."""
    shard.account_markets -= sum(m.definition.accounts for m in event.markets.values())
    for one in event.markets.values():
        forget_market(shard, event, one)
    shard.timers.remove("retire", event.event_id, "", "")
    timers_of(shard, event, "start").remove("start", event.event_id, "", "")
    del shard.events[event.event_id]
    shard.retired[event.event_id] = None
    if len(shard.retired) > RETIRED_EVENTS_MAX:
        del shard.retired[next(iter(shard.retired))]


def market_opened(
    shard: ShardState, event: EventState, market: None, entry: e.MarketWasOpened, at_ms: int
) -> None:
    """A market exists, with an empty book."""
    m = entry.market
    book = open_book(m)
    event.markets[m.market_id] = MarketState(
        m,
        book,
        {s.selection_id: "ACTIVE" for s in m.selections},
        m.status,
        m.in_play,
        m.bet_delay_ms,
        m.stake_min_minor,
        m.stake_max_minor,
        event_seq=entry.event_seq,
        at_ms=at_ms,
        exchange=book if isinstance(book, ExchangeBook) else None,
        funds=MarketFunds() if m.accounts and m.engine == "exchange" else None,
    )
    shard.account_markets += m.accounts
    shard.timers.remove("retire", event.event_id, "", "")


def market_changed(
    shard: ShardState, event: EventState, market: MarketState, entry: e.MarketChanged, at_ms: int
) -> None:
    """Status, in-play flag or bet delay are new."""
    market.status = entry.status
    market.in_play = entry.in_play
    market.bet_delay_ms = entry.bet_delay_ms
    market.version = entry.version
    market.material_version = entry.material_version


def odds_set(
    shard: ShardState, event: EventState, market: MarketState, entry: e.OddsSet, at_ms: int
) -> None:
    """A fixed book has new odds."""
    note_prices(event, market, entry, at_ms)
    market.book.set_prices(entry.prices)


def selection_removed(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.SelectionWasRemoved,
    at_ms: int,
) -> None:
    """A selection is withdrawn."""
    market.selections[entry.selection_id] = "REMOVED"
    market.version = market.material_version = entry.version
    market.book.remove(entry.selection_id, entry.deduction_e4)


def resulted(
    shard: ShardState, event: EventState, market: MarketState, entry: e.MarketResulted, at_ms: int
) -> None:
    """The result stands."""
    market.status = "CLOSED"
    market.version += 1
    market.material_version = market.version
    market.settlement = entry.settlement
    early = market.settled_early
    market.settling = Settling("settle", len(market.bets), entry.reason, 0, *early)
    arm(shard, event, market)
    market.winners = entry.winners
    market.refund = entry.void
    market.dividends = entry.dividends
    market.factors = entry.factors
    market.finish = entry.finish


def bet_settled(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetSettled, at_ms: int
) -> None:
    """A bet came out: its payout leaves the escrow."""
    bet = event.bets.of(entry.client_id, entry.bet_id)
    assert bet is not None
    bet.status = RESULTS[entry.result]
    count_bet(shard, event, bet, -1)
    bet.payout_minor = entry.payout_minor
    bet.settlement = entry.settlement
    market.escrow_minor -= entry.payout_minor
    if not entry.settlement:
        assert not isinstance(bet, Order)
        market.book.give_back(bet.selection_id, bet.stake_minor, bet.odds_e4, bet.pays_minor())
        return
    settling = market.settling
    assert settling is not None
    settling.bets += 1
    settling.paid_minor += entry.payout_minor
    if not isinstance(bet, Order):
        settling.staked_minor += bet.stake_minor
        return
    settling.staked_minor += bet.staked_minor
    client_id = entry.client_id
    if client_id not in settling.nets:
        settling.clients.append(client_id)
        settling.nets[client_id] = 0
    settling.nets[client_id] += entry.payout_minor - bet.staked_minor


def market_settled(
    shard: ShardState, event: EventState, market: MarketState, entry: e.MarketSettled, at_ms: int
) -> None:
    """What is left goes to the house; forgetting is a timer once all markets are settled."""
    market.settled = True
    market.settling = None
    arm(shard, event, market)
    market.postings = entry.postings
    market.escrow_minor -= sum(amount for _, amount in entry.postings)
    retire_when_settled(shard, event)


def bet_unsettled(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetUnsettled, at_ms: int
) -> None:
    """A payout is taken back."""
    bet = event.bets.of(entry.client_id, entry.bet_id)
    assert bet is not None
    bet.status, bet.payout_minor = ACCEPTED, 0
    count_bet(shard, event, bet, 1)
    market.escrow_minor += entry.payout_minor
    settling = market.settling
    if settling is not None and settling.kind == "reopen_part":
        settling.bets -= 1
        settling.staked_minor -= bet.stake_minor
        settling.paid_minor -= entry.payout_minor


def market_unsettled(
    shard: ShardState, event: EventState, market: MarketState, entry: e.MarketUnsettled, at_ms: int
) -> None:
    """The result is gone."""
    market.settled = False
    market.settling = None
    market.settled_early = (0, 0, 0)
    for selection_id, status in market.selections.items():
        if status in EARLY:
            market.selections[selection_id] = "ACTIVE"
    arm(shard, event, market)
    market.refund = False
    market.winners = ()
    market.dividends = ()
    market.factors = ()
    market.finish = ()
    market.postings = ()
    market.version += 1
    market.material_version = market.version
    market.escrow_minor -= sum(amount for _, amount in entry.postings)
    shard.timers.remove("retire", event.event_id, "", "")


def cashed_out(
    shard: ShardState, event: EventState, market: MarketState, entry: co.BetCashedOut, at_ms: int
) -> None:
    """A bet is closed by its bettor: paid, and what is left of its stake is the house's."""
    bet = event.bets[(entry.client_id, entry.bet_id)]
    bet.status = CASHED_OUT
    count_bet(shard, event, bet, -1)
    bet.payout_minor = entry.amount_minor
    rest = bet.stake_minor - entry.amount_minor
    market.escrow_minor -= bet.stake_minor
    market.cashed_out_minor += rest
    book = market.book
    assert isinstance(book, FixedBook | LmsrBook)
    assert not isinstance(bet, Order)
    book.give_back(bet.selection_id, bet.stake_minor, bet.odds_e4, bet.pays_minor())
    book.total += rest


def partly_cashed_out(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: co.BetPartlyCashedOut,
    at_ms: int,
) -> None:
    """Part of a bet is closed: it goes on as one of a smaller stake, at the same odds."""
    key = (entry.client_id, entry.bet_id)
    bet, book = event.bets[key], market.book
    assert isinstance(book, FixedBook | LmsrBook)
    assert not isinstance(bet, Order)
    event.parts.setdefault(key, bet.stake_minor)
    count_bet(shard, event, bet, -1)
    book.give_back(bet.selection_id, bet.stake_minor, bet.odds_e4, bet.pays_minor())
    bet.stake_minor = entry.stake_minor
    if isinstance(bet, ShareBet):
        bet.shares_minor = entry.shares_minor
    book.keep(bet.selection_id, bet.stake_minor, bet.odds_e4, bet.pays_minor())
    book.total += entry.closed_minor - entry.amount_minor
    count_bet(shard, event, bet, 1)
    market.escrow_minor -= entry.closed_minor
