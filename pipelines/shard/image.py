"""A market as bettors see it, made from the state alone, so that a fold makes the same."""

from itertools import islice
from typing import Final

from msgspec import structs

from pipelines.books.exchange import ExchangeBook, Runner
from pipelines.books.lmsr_book import LmsrBook
from pipelines.limits import TRADED_PRICES_SHOWN
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.images import ExchangeImage, MakerImage, OddsImage, SelectionImage
from pipelines.messages.operations import Selection
from pipelines.shard.order_sp import near_and_far_e4
from pipelines.shard.state import EARLY, EventState, MarketState

__all__ = ["UNSEEN", "image_of"]

#: Entries that change nothing that bettors see of a market.
UNSEEN: Final = frozenset(
    {
        e.BetPending,
        e.BetRejected,
        e.BetDeclined,
        e.BetCancelled,
        e.CancelRejected,
        e.BetRepeated,
        e.BetConflict,
        e.OperationRefused,
        co.CashOutQuoted,
        co.CashOutRejected,
        e.SettlementWentOn,
        e.RollbackBegan,
        e.RefundBegan,
        e.RefundEnded,
        e.SelectionResultEnded,
        e.RiskWasSet,
        e.LeverWasSet,
        e.ReferralAccepted,
        e.OperationWaits,
        e.OperationTaken,
        oe.OrderPending,
        oe.OrderRejected,
        oe.ChangeRejected,
        oe.CommissionCharged,
        oe.CommissionReturned,
        oe.DiscountsWereSet,
        oe.AccountSettled,
        oe.AccountUnsettled,
        oe.ExposureRaised,
        be.FundsHeld,
        be.LegHeld,
        be.LegRefused,
        be.LegKept,
        be.LegReleased,
        be.LegSettled,
        be.LegUnsettled,
        ie.MarketHandedOver,
    }
)


def image_of(event: EventState, market: MarketState) -> OddsImage:
    """Return the full image of a market as of its last entry."""
    definition, book = market.definition, market.book
    if market.exchange is not None:
        selections = _of_exchange(market, market.exchange)
        staked = sum([s.staked_minor for s in selections])
    else:
        shown, statuses = book.shown(), market.selections
        selections = tuple(
            [
                _selection(s, statuses[s.selection_id], *shown[s.selection_id])
                for s in definition.selections
            ]
        )
        staked = sum([staked for _, staked in shown.values()])
    if market.settled and not market.refund:
        placed = _placed(market)
        selections = tuple(_settled(s, market.winners, placed) for s in selections)
    return OddsImage(
        event.event_id,
        market.event_seq,
        event.name,
        definition.market_id,
        market.seq,
        market.version,
        definition.market_type,
        definition.name,
        definition.engine,
        "SETTLED" if market.settled else market.status,
        market.in_play,
        market.bet_delay_ms,
        event.start_ms,
        market.at_ms,
        staked,
        market.settlement,
        selections,
        market_maker=_maker(book) if isinstance(book, LmsrBook) else None,
    )


def _selection(
    selection: Selection, status: str, odds_e4: int, staked_minor: int
) -> SelectionImage:
    if status in EARLY:
        odds_e4 = 0  # nobody can bet on it any more
    return SelectionImage(selection.selection_id, selection.name, status, odds_e4, staked_minor)


def _of_exchange(market: MarketState, book: ExchangeBook) -> tuple[SelectionImage, ...]:
    """Return all selections; one in which nothing changed as it was shown before."""
    found = []
    for selection in market.definition.selections:
        runner = book.runners[selection.selection_id]
        image = runner.shown
        if book.crossing or not isinstance(image, SelectionImage):
            image = runner.shown = _with_depth(selection, runner, market, book)
        found.append(image)
    return tuple(found)


def _with_depth(
    selection: Selection, runner: Runner, market: MarketState, book: ExchangeBook
) -> SelectionImage:
    selection_id = selection.selection_id
    near = far = virtual_back = virtual_lay = 0
    if market.definition.bsp_market and not book.reconciled and runner.active:
        near, far = near_and_far_e4(runner)
    if book.crossing:
        virtual_back = book.virtual_e4(selection_id, False)
        virtual_lay = book.virtual_e4(selection_id, True)
    traded = runner.traded.items()
    if book.depth and len(traded) > TRADED_PRICES_SHOWN:
        shown = sorted(islice(reversed(traded), TRADED_PRICES_SHOWN))
    else:
        shown = sorted(traded)
    to_back = runner.lays.depth(book.depth)
    return SelectionImage(
        selection_id,
        selection.name,
        market.selections[selection_id],
        max(virtual_back, to_back[0][0] if to_back else 0),
        runner.traded_minor,
        ExchangeImage(
            to_back,
            runner.backs.depth(book.depth),
            virtual_back,
            virtual_lay,
            runner.last_odds_e4,
            tuple(shown),
            near,
            far,
            runner.sp_e4,
        ),
    )


def _maker(book: LmsrBook) -> MakerImage:
    return MakerImage(book.worst_loss_minor(), book.loss_bound_minor())


def _placed(market: MarketState) -> frozenset[int]:
    """Return the selections on which an each-way bet is paid its place part or more."""
    rules = market.definition.fixed
    if rules is None or not rules.each_way_divisor:
        return frozenset()
    return frozenset(selection_id for selection_id, won, _, _ in market.factors if won)


def _settled(
    selection: SelectionImage, winners: tuple[int, ...], placed: frozenset[int]
) -> SelectionImage:
    if selection.status != "ACTIVE":
        return selection
    if selection.selection_id in winners:
        status = "WINNER"
    else:
        status = "PLACED" if selection.selection_id in placed else "LOSER"
    return structs.replace(selection, status=status)
