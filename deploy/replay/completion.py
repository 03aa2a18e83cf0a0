"""Whether a replay is over for everybody: answered, settled, pushed; and what is missing if not."""

import asyncio
from collections.abc import Iterable
from typing import Final

from deploy.replay.account import Account
from deploy.replay.tally import Tally
from pipelines.betfair.opening import Translated

__all__ = ["missing", "wait_until_complete"]

CHECK_INTERVAL_S: Final = 0.1
NAMED_MAX: Final = 3


def missing(markets: Iterable[Translated], tally: Tally, account: Account) -> list[str]:
    """Return what has not come yet, in words; empty when all is there."""
    found = []
    unanswered = [bet for bet in tally.bets.values() if bet.status == "sent"]
    if unanswered:
        names = _named(bet.request.bet_id for bet in unanswered)
        found.append(f"{len(unanswered)} bets have no answer: {names}")
    settled = {market.market_id for market in markets if market.settled}
    waiting = [
        bet for bet in tally.open() if bet.status != "sent" and bet.request.market_id in settled
    ]
    if waiting:
        names = _named(bet.request.bet_id for bet in waiting)
        found.append(f"{len(waiting)} bets are not settled: {names}")
    done = {market_id for _, market_id in account.settled_markets}
    if unsettled := settled - done:
        found.append(f"{len(unsettled)} markets are not settled: {_named(sorted(unsettled))}")
    expected = {
        (bet.request.event_id, bet.request.market_id, bet.client_id, bet.settlement)
        for bet in tally.bets.values()
        if bet.status == "settled" and bet.settlement
    }
    if unpushed := expected - account.pushed:
        names = _named(f"{client} on {market}" for _, market, client, _ in sorted(unpushed))
        found.append(f"{len(unpushed)} pushes are not sent: {names}")
    return found


async def wait_until_complete(
    markets: Iterable[Translated], tally: Tally, account: Account, timeout_s: float
) -> list[str]:
    """Wait until nothing is missing; return what is after `timeout_s` without any progress."""
    loop = asyncio.get_running_loop()
    markets = list(markets)
    progress, since_s = "", loop.time()
    while lacking := missing(markets, tally, account):
        now = f"{lacking} {account.journal_records} {len(account.pushed)}"
        if now != progress:
            progress, since_s = now, loop.time()
        elif loop.time() - since_s > timeout_s:
            return lacking
        await asyncio.sleep(CHECK_INTERVAL_S)
    return []


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - NAMED_MAX} more" if len(listed) > NAMED_MAX else ""
    return ", ".join(listed[:NAMED_MAX]) + more
