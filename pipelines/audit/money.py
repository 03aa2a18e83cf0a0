"""Money: what came in, what was paid, what is left; for each bet and each market.

Each stake is in one place at a time: remaining (pending), matched (accepted), lapsed (declined),
cancelled or voided; each market's postings sum to zero when it is settled, and to its open stakes
when a result is rolled back. Payouts are worked out again from the result. Kept apart from the
fold on purpose: it follows the entries with a ledger of its own.
"""

from typing import Final

from pipelines.audit.exchange_money import ExchangeMoney
from pipelines.audit.outcomes import outcome, worth_minor
from pipelines.audit.stakes import GONE, MATCHED, REMAINING, SETTLED, AuditedMarket, AuditedStake
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.pool import PoolBook
from pipelines.books.results import outcome_of
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import transfers as t
from pipelines.messages.bettor_entries import TransferSent
from pipelines.messages.operations import Result

__all__ = ["Money"]

_ALSO: Final = {("loss", 0): (("win", 0),)}
_DECIDED: Final = e.BetConfirmed | e.BetPartlyConfirmed | e.BetDeclined | e.BetCancelled
_STAKED: Final = e.BetAccepted | e.BetPartlyAccepted | e.BetPending


class Money:
    """Follows one partition's postings."""

    def __init__(self, tally: Tally, totals: Totals) -> None:
        self._tally = tally
        self._totals = totals
        self._markets: dict[str, dict[str, AuditedMarket]] = {}
        self._exchanges: dict[str, dict[str, ExchangeMoney]] = {}

    def see(self, place: Place, entry: e.Entry, at_ms: int = 0) -> None:
        """Look at the next entry of the journal, of this engine time."""
        exchange = self._exchanges.get(entry.event_id, {}).get(entry.market_id)
        if exchange is not None:
            exchange.see(place, entry, at_ms)
            return
        if isinstance(entry, e.MarketWasOpened) and entry.market.engine == "exchange":
            opened = ExchangeMoney(self._tally, self._totals, entry.market)
            self._exchanges.setdefault(entry.event_id, {})[entry.market_id] = opened
            return
        if isinstance(entry, e.MarketWasOpened):
            self._markets.setdefault(entry.event_id, {})[entry.market_id] = AuditedMarket(
                entry.market
            )
            return
        if isinstance(entry, e.EventRetired):
            self._retire(place, entry)
            return
        if isinstance(entry, TransferSent):
            self._sent(place, entry)
            return
        market = self._markets.get(entry.event_id, {}).get(entry.market_id)
        if market is None:
            if isinstance(entry, _STAKED):
                self._tally.fail(place, f"a stake in market {entry.market_id!r}, which is unknown")
            return
        if isinstance(entry, _STAKED):
            self._staked(market, entry)
        elif isinstance(entry, _DECIDED):
            self._decided(place, market, entry)
        elif isinstance(entry, e.OddsSet | e.SelectionWasRemoved):
            market.change(entry)
        elif isinstance(entry, e.SelectionWasResulted):
            market.early[entry.selection_id] = entry.result
        elif isinstance(entry, co.BetCashedOut | co.BetPartlyCashedOut):
            self._cashed_out(place, market, entry)
        elif isinstance(entry, e.MarketResulted):
            self._resulted(place, market, entry)
        elif isinstance(entry, e.BetSettled):
            self._settled(place, market, entry)
        elif isinstance(entry, e.MarketSettled):
            self._closed(place, market, entry)
        elif isinstance(entry, e.BetUnsettled):
            self._unsettled(place, market, entry)
        elif isinstance(entry, e.MarketUnsettled):
            self._reopened(place, market, entry)

    def leave(self, event_id: str, market_id: str) -> AuditedMarket | ExchangeMoney | None:
        """Return and forget the ledger of a market that goes to another shard."""
        exchange = self._exchanges.get(event_id, {}).pop(market_id, None)
        return exchange or self._markets.get(event_id, {}).pop(market_id, None)

    def arrive(
        self, event_id: str, market_id: str, ledger: AuditedMarket | ExchangeMoney | None
    ) -> None:
        """A market came from another shard, with its ledger."""
        if isinstance(ledger, ExchangeMoney):
            self._exchanges.setdefault(event_id, {})[market_id] = ledger
        elif ledger is not None:
            self._markets.setdefault(event_id, {})[market_id] = ledger

    def _sent(self, place: Place, entry: TransferSent) -> None:
        body = entry.body
        if isinstance(body, t.ExposureHeld | t.MarketPosted):
            market = self._exchanges.get(body.event_id, {}).get(body.market_id)
            if market is None or market.accounts is None:
                self._tally.fail(place, f"money of market {body.market_id!r}, which is unknown")
            else:
                market.accounts.sent(place, entry.to, body)

    def _staked(
        self, market: AuditedMarket, entry: e.BetAccepted | e.BetPartlyAccepted | e.BetPending
    ) -> None:
        key = (entry.client_id, entry.bet_id)
        if isinstance(entry, e.BetPending):
            market.stakes[key] = AuditedStake(entry, REMAINING, 0)
            return
        market.stakes[key] = stake = AuditedStake(entry, MATCHED, entry.odds_e4)
        stake.shares_minor = entry.shares_minor
        market.take(stake)
        self._totals.staked(entry.stake_minor)

    def _decided(
        self,
        place: Place,
        market: AuditedMarket,
        entry: e.BetConfirmed | e.BetPartlyConfirmed | e.BetDeclined | e.BetCancelled,
    ) -> None:
        stake = self._at(place, market, entry, REMAINING)
        if stake is None:
            return
        if isinstance(entry, e.BetPartlyConfirmed) and not stake.take_part(entry):
            what = f"bet {entry.bet_id!r} of {entry.client_id!r} is taken in part, unasked"
            self._tally.fail(place, what)
        if isinstance(entry, e.BetConfirmed | e.BetPartlyConfirmed):
            stake.place, stake.odds_e4 = MATCHED, entry.odds_e4
            stake.shares_minor = entry.shares_minor
            market.take(stake)
            self._totals.staked(stake.stake_minor)
        else:
            stake.place = GONE

    def _cashed_out(
        self, place: Place, market: AuditedMarket, entry: co.BetCashedOut | co.BetPartlyCashedOut
    ) -> None:
        stake = self._at(place, market, entry, MATCHED)
        book = market.book
        if stake is None or not isinstance(book, FixedBook | LmsrBook):
            return
        self._tally.count("cash-outs")
        part = isinstance(entry, co.BetPartlyCashedOut)
        closed = stake.stake_minor
        if isinstance(entry, co.BetPartlyCashedOut):
            closed = entry.closed_minor
        right = worth_minor(book, stake, closed)
        posted = sum(amount for _, amount in entry.postings)
        if entry.amount_minor != right or posted != closed - right:
            what = f"bet {entry.bet_id!r} of {entry.client_id!r} is cashed out for "
            what += f"{entry.amount_minor}, should be {right}, and {posted} is the house's"
            self._tally.fail(place, what)
        before = stake.pays_minor()
        book.give_back(stake.selection_id, stake.stake_minor, stake.odds_e4, before)
        if part:
            if stake.shares_minor:
                stake.shares_minor -= before * closed // stake.stake_minor
            stake.stake_minor -= closed
            what_left = (stake.selection_id, stake.stake_minor, stake.odds_e4)
            book.keep(*what_left, stake.pays_minor())
        else:
            stake.place = GONE
        market.escrow_minor -= closed
        book.total += closed - entry.amount_minor
        self._totals.paid("cash_out", entry.amount_minor, 0 if part else 1)
        self._totals.posted(posted, 0)

    def _resulted(self, place: Place, market: AuditedMarket, entry: e.MarketResulted) -> None:
        market.result = entry
        if entry.void or market.definition.engine != "pool":
            return
        # The dividends again, from the stakes that stand in this ledger.
        book = PoolBook(market.definition)
        for stake in market.stakes.values():
            if stake.place == MATCHED:
                book.take(stake.selection_id, stake.stake_minor, 0)
        self._tally.count("dividends", len(entry.dividends))
        told = Result("-", "-", entry.winners, finish=entry.finish, score=entry.score)
        right = outcome_of(market.definition, book, entry.winners, told).dividends
        if right != entry.dividends:
            self._tally.fail(place, f"dividends {entry.dividends} where the stakes give {right}")

    def _settled(self, place: Place, market: AuditedMarket, entry: e.BetSettled) -> None:
        stake = self._at(place, market, entry, MATCHED)
        if stake is None:
            return
        self._tally.count("bets settled")
        right = outcome(market, stake, entry)
        # Earlier programs called a share that pays nothing won, by some rules of a market.
        if (entry.result, entry.payout_minor) not in (right, *_ALSO.get(right, ())):
            what = f"bet {entry.bet_id!r} of {entry.client_id!r}: {entry.result} "
            what += f"{entry.payout_minor}, should be {right[0]} {right[1]}"
            self._tally.fail(place, what)
        stake.place = SETTLED if entry.settlement else GONE
        stake.paid_minor, stake.result = entry.payout_minor, entry.result
        if market.book is not None and not entry.settlement:
            before = stake.pays_minor()
            market.book.give_back(stake.selection_id, stake.stake_minor, stake.odds_e4, before)
        market.escrow_minor -= entry.payout_minor
        if entry.settlement:
            market.staked += stake.stake_minor
            market.paid += entry.payout_minor
        self._totals.paid(entry.result, entry.payout_minor, 1)

    def _closed(self, place: Place, market: AuditedMarket, entry: e.MarketSettled) -> None:
        name = f"market {entry.market_id!r} of {entry.event_id!r}"
        self._tally.count("markets settled")
        posted = sum(amount for _, amount in entry.postings)
        market.escrow_minor -= posted
        self._totals.posted(posted, 1)
        if market.escrow_minor:
            self._tally.fail(place, f"postings of {name} sum to {market.escrow_minor}, not to 0")
        if (entry.staked_minor, entry.paid_minor) != (market.staked, market.paid):
            said = f"{entry.staked_minor} staked and {entry.paid_minor} paid"
            found = f"{market.staked} and {market.paid}"
            self._tally.fail(place, f"{name} says {said}, its bets say {found}")
        left = market.open_minor()
        if left:
            self._tally.fail(place, f"{name} is settled with {left} still staked")

    def _unsettled(self, place: Place, market: AuditedMarket, entry: e.BetUnsettled) -> None:
        stake = self._at(place, market, entry, SETTLED)
        if stake is None:
            return
        if entry.payout_minor != stake.paid_minor:
            what = f"bet {entry.bet_id!r} of {entry.client_id!r} gives back {entry.payout_minor}"
            self._tally.fail(place, f"{what}, was paid {stake.paid_minor}")
        stake.place, stake.paid_minor = MATCHED, 0
        market.escrow_minor += entry.payout_minor
        market.staked -= stake.stake_minor
        market.paid -= entry.payout_minor
        self._totals.paid(stake.result, -entry.payout_minor, -1)

    def _reopened(self, place: Place, market: AuditedMarket, entry: e.MarketUnsettled) -> None:
        self._tally.count("results rolled back")
        posted = sum(amount for _, amount in entry.postings)
        market.escrow_minor -= posted
        market.result = None
        market.early.clear()
        self._totals.posted(posted, -1)
        if market.escrow_minor != (left := market.open_minor()):
            what = f"market {entry.market_id!r} holds {market.escrow_minor} after a rollback"
            self._tally.fail(place, f"{what}, its open bets {left}")

    def _at(
        self, place: Place, market: AuditedMarket, entry: e.BetReference, at: str
    ) -> AuditedStake | None:
        """Return the stake of a bet, if it is where it must be before this entry."""
        stake = market.stakes.get((entry.client_id, entry.bet_id))
        if stake is not None and stake.place == at:
            return stake
        found = "nowhere" if stake is None else stake.place
        what = f"{type(entry).__name__} of bet {entry.bet_id!r} of {entry.client_id!r}"
        self._tally.fail(place, f"{what}: its stake is {found}, not {at}")
        return None

    def _retire(self, place: Place, entry: e.EventRetired) -> None:
        held: dict[str, AuditedMarket | ExchangeMoney] = {}
        held.update(self._markets.pop(entry.event_id, {}))
        held.update(self._exchanges.pop(entry.event_id, {}))
        for name, market in held.items():
            accounts = market.accounts if isinstance(market, ExchangeMoney) else None
            if accounts is not None and accounts.left_minor():
                left = accounts.left_minor()
                self._tally.fail(place, f"market {name!r} is forgotten, {left} are held for it")
            if market.escrow_minor:
                what = f"market {name!r} is forgotten with {market.escrow_minor} in it"
                self._tally.fail(place, what)
