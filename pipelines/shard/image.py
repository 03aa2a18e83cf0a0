"""A market as bettors see it, made from the state alone, so that a fold makes the same."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec
from msgspec import Raw, structs

from pipelines.books.exchange import ExchangeBook, Runner
from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.margin import probabilities_of
from pipelines.limits import ODDS_ONE, TRADED_PRICES_SHOWN
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.images import ExchangeImage, MakerImage, OddsImage, SelectionImage
from pipelines.messages.operations import Selection
from pipelines.shard.order_sp import near_and_far_e4
from pipelines.shard.state import EARLY, EventState, MarketState

__all__ = ["UNSEEN", "image_bytes", "image_of"]

_encode = msgspec.msgpack.Encoder().encode

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
        if book.sells_shares or (definition.fixed is not None and definition.fixed.show_fair):
            selections = tuple(_with_probabilities(market, selections))
        staked = sum([staked for _, staked in shown.values()])
    if market.settled and not market.refund:
        placed = _placed(market)
        selections = tuple(_settled(s, market.winners, placed) for s in selections)
    return _image(event, market, staked, selections)


def image_bytes(event: EventState, market: MarketState) -> bytes:
    """Return the image of a market as it is written, the same as of `image_of`."""
    book = market.exchange
    if book is None or (market.settled and not market.refund):
        return _encode(image_of(event, market))
    staked = 0
    selections: list[Raw] = []
    for selection_id, runner in book.runners.items():
        shown = runner.shown
        if shown is None or book.crossing:
            shown = _show(selection_id, runner, market, book)
        selections.append(shown[1])
        staked += runner.traded_minor
    return _encode(_image(event, market, staked, tuple(selections)))


def _image(
    event: EventState,
    market: MarketState,
    staked_minor: int,
    selections: tuple[SelectionImage, ...] | tuple[Raw, ...],
) -> OddsImage:
    definition, book = market.definition, market.book
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
        staked_minor,
        market.settlement,
        selections,  # type: ignore[arg-type]
        market_maker=_maker(book) if isinstance(book, LmsrBook) else None,
    )


def _selection(
    selection: Selection, status: str, odds_e4: int, staked_minor: int
) -> SelectionImage:
    if status in EARLY:
        odds_e4 = 0  # nobody can bet on it any more
    return SelectionImage(selection.selection_id, selection.name, status, odds_e4, staked_minor)


def _with_probabilities(
    market: MarketState, selections: tuple[SelectionImage, ...]
) -> Iterator[SelectionImage]:
    """Yield selections with a market maker's prices and shares, or what fixed odds stand for."""
    book = market.book
    shares = book.owed if isinstance(book, LmsrBook) else {}
    if isinstance(book, LmsrBook):
        found = book.prices()
    else:
        assert isinstance(book, FixedBook)
        inverse = {s.selection_id: ODDS_ONE / s.odds_e4 for s in selections if s.odds_e4}
        fair = probabilities_of(list(inverse.values()), book.rules.margin_model) if inverse else []
        found = dict(zip(inverse, fair, strict=True))
    for one in selections:
        millionths = round(found.get(one.selection_id, 0.0) * 1_000_000)
        sold = shares.get(one.selection_id, 0)
        yield structs.replace(one, probability_e6=millionths, shares_minor=sold)


def _of_exchange(market: MarketState, book: ExchangeBook) -> tuple[SelectionImage, ...]:
    """Return all selections; one in which nothing changed as it was shown before."""
    return tuple(
        [
            _show(selection_id, runner, market, book)[0]
            if runner.shown is None or book.crossing
            else runner.shown[0]
            for selection_id, runner in book.runners.items()
        ]
    )


def _show(
    selection_id: int, runner: Runner, market: MarketState, book: ExchangeBook
) -> tuple[SelectionImage, Raw]:
    """Return a selection as it is, and as it is written, and keep both."""
    image = _with_depth(runner, selection_id, market, book)
    runner.shown = (image, Raw(_encode(image)))
    return runner.shown


def _with_depth(
    runner: Runner, selection_id: int, market: MarketState, book: ExchangeBook
) -> SelectionImage:
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
    to_back = runner.lays.depth()
    return SelectionImage(
        selection_id,
        runner.name,
        market.selections[selection_id],
        max(virtual_back, to_back[0][0] if to_back else 0),
        runner.traded_minor,
        ExchangeImage(
            to_back,
            runner.backs.depth(),
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
