"""An exchange market of accounts: what is held covers what may be lost, what is posted was won.

Kept apart from the fold on purpose: positions of its own, exact where the engine rounds.
"""

from pipelines.audit.tally import Place, Tally
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.messages.operations import Market
from pipelines.shard.bettor import client_of

__all__ = ["AccountMoney", "Exact"]

UNIT = 10_000
Exact = tuple[int, int]  # result if it wins, if it loses, in ten-thousandths of a minor unit

#: Before these everything that follows from what came before was said.
_FIRST = oe.OrderPlaced | oe.OrderPending | oe.OrderRejected | oe.OrderConfirmed | e.MarketResulted


class AccountMoney:
    """One market's bettors."""

    def __init__(self, tally: Tally, definition: Market) -> None:
        self._tally = tally
        self._places = definition.number_of_winners
        self._active = {one.selection_id for one in definition.selections}
        self._positions: dict[str, dict[int, Exact]] = {}
        self._held: dict[str, int] = {}
        self._touched: dict[str, None] = {}
        self._due: dict[str, int] = {}  # amounts that an account has still to be told
        self._posted: dict[str, tuple[int, int]] = {}  # net and commission

    def moved(self, client_id: str, selection_id: int, before: Exact, after: Exact) -> None:
        """An order comes to something else from here on."""
        if before != after:
            positions = self._positions.setdefault(client_id, {})
            win, lose = positions.get(selection_id, (0, 0))
            change = (win + after[0] - before[0], lose + after[1] - before[1])
            positions[selection_id] = change
            self._touched[client_id] = None

    def see(
        self, place: Place, entry: e.Entry, nets: dict[str, int], charged: dict[str, int]
    ) -> None:
        """Look at the market's next entry; `nets` and `charged` are those of the settlement."""
        if isinstance(entry, _FIRST):
            self.check(place)
        elif isinstance(entry, e.SelectionWasRemoved):
            self._active.discard(entry.selection_id)
            self._touched.update(dict.fromkeys(self._positions))
        elif isinstance(entry, oe.AccountSettled):
            client_id = entry.client_id
            said = (entry.net_minor, entry.commission_minor)
            right = (nets.get(client_id, 0), charged.get(client_id, 0))
            if said != right or client_id in self._posted:
                self._tally.fail(place, f"{client_id!r} is posted {said}, not {right}, once")
            self._posted[client_id] = said
            self._due[client_id] = said[0] - said[1]
        elif isinstance(entry, oe.AccountUnsettled):
            client_id = entry.client_id
            said = (entry.net_minor, entry.commission_minor)
            if self._posted.pop(client_id, None) != said:
                self._tally.fail(place, f"{client_id!r} was not posted {said}")
            self._due[client_id] = said[1] - said[0]
        elif isinstance(entry, e.MarketSettled):
            self._settled(place, entry, nets)
        elif isinstance(entry, e.MarketUnsettled):
            self.check(place)
            if self._posted:
                self._tally.fail(place, f"{len(self._posted)} postings are not reversed")

    def _settled(self, place: Place, entry: e.MarketSettled, nets: dict[str, int]) -> None:
        self.check(place)
        self._tally.count("markets of accounts settled")
        if self._posted.keys() != nets.keys():
            self._tally.fail(place, f"{len(self._posted)} of {len(nets)} bettors are posted")
        house = sum(amount for _, amount in entry.postings)
        bettors = sum(net - commission for net, commission in self._posted.values())
        if house + bettors:
            self._tally.fail(place, f"accounts are posted {bettors}, the house {house}")

    def sent(self, place: Place, to: str, body: t.ExposureHeld | t.MarketPosted) -> None:
        """An account is told to hold so much; or what the market came to."""
        client_id = client_of(to)
        self._tally.count("holds for exchange markets")
        self._held[client_id] = body.held_minor
        self._touched[client_id] = None
        if isinstance(body, t.MarketPosted):
            due = self._due.pop(client_id, None)
            if due != body.amount_minor:
                self._tally.fail(place, f"{client_id!r} is sent {body.amount_minor}, not {due}")
            if body.held_minor and client_id in self._posted:
                self._tally.fail(place, f"{body.held_minor} of {client_id!r} are kept")

    def check(self, place: Place) -> None:
        """What is held must cover the worst case of everybody."""
        if self._due:
            self._tally.fail(place, f"{sorted(self._due)} were not told what they came to")
            self._due.clear()
        for client_id in self._touched:
            if client_id in self._posted:
                continue
            worst, held = self._worst(client_id), self._held.get(client_id, 0)
            if worst > held * UNIT:
                what = f"{held} is held for {client_id!r}, who may lose {worst / UNIT}"
                self._tally.fail(place, what)
        self._touched.clear()

    def _worst(self, client_id: str) -> int:
        found = self._positions.get(client_id, {}).items()
        positions = [position for runner, position in found if runner in self._active]
        places = min(self._places, len(self._active))
        gaps = [win - lose for win, lose in positions]
        gaps += [0] * (len(self._active) - len(gaps))
        return -sum(lose for _, lose in positions) - sum(sorted(gaps)[:places])

    def left_minor(self) -> int:
        """Return what is still held for anybody."""
        return sum(self._held.values())
