"""`python -m deploy.replay.simulator`: made-up races and matches without end, and bettors on them.

Operations go to topic `events`, bets through the edge; figures go to a status file each second. At
the end everything that is on is closed and refunded; what an earlier simulator left open (it was
killed) is closed at the start.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from deploy.replay.crowd import Crowd
from deploy.replay.feed import Feed
from deploy.replay.stage import Stage
from pipelines.errors import BrokerError, OverroundError
from pipelines.messages.operations import MarketStatus, Operation, Result

__all__ = ["Simulator", "main"]

logger = logging.getLogger(__name__)

STEP_S_MAX: Final = 0.25
STATUS_EVERY_S: Final = 1.0
FLUSH_TIMEOUT_S: Final = 3.0
FEED_PATIENCE_MS: Final = 3_600_000  # Kafka may be away for long; the feed waits for it
LEFT_OPEN_MAX: Final = 1_000
REASON: Final = "the simulation was stopped"


class Simulator:
    """The stage, the feed and the crowd together."""

    def __init__(self, feed: Feed, crowd: Crowd, stage: Stage, status_file: Path) -> None:
        self._feed = feed
        self._crowd = crowd
        self._stage = stage
        self._status_file = status_file
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; `run` returns soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Simulate until stopped."""
        for operation in left_open(self._status_file):
            self._feed.send(operation)
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._perform(), name="stage"),
            asyncio.create_task(self._crowd.keep_connected(), name="connections"),
            asyncio.create_task(self._crowd.bet(), name="bets"),
            asyncio.create_task(self._report(), name="status"),
        ]
        tasks.append(asyncio.create_task(self._stopping.wait(), name="stop"))
        try:
            # A task that fails ends the simulation: half of it would mislead.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end()

    async def _perform(self) -> None:
        stage = self._stage
        while True:
            for operation in stage.due(_now_ms()):
                self._feed.send(operation)
            self._crowd.watch(stage.opened, stage.ended)
            stage.opened, stage.ended = [], []
            wait_s = (stage.next_ms() - _now_ms()) / 1_000
            await asyncio.sleep(min(max(wait_s, 0.005), STEP_S_MAX))

    async def _report(self) -> None:
        while True:
            self._write(open_markets=True)
            await asyncio.sleep(STATUS_EVERY_S)

    async def _end(self) -> None:
        try:
            for operation in self._stage.finish():
                self._feed.send(operation)
            await asyncio.to_thread(self._feed.flush, FLUSH_TIMEOUT_S)
        except BrokerError as error:
            logger.warning("open events could not be closed reason=%s", error.message)
        else:
            self._write(open_markets=False)
        await self._crowd.stop()

    def _write(self, open_markets: bool) -> None:
        crowd, tally = self._crowd, self._crowd.tally
        status: dict[str, Any] = {
            "at_ms": _now_ms(),
            "placed": tally.placed,
            "answered": tally.answered,
            "accepted": tally.answers["accepted"],
            "rejected": tally.answers["rejected"],
            "settled": tally.results.total(),
            "lost": crowd.lost,
            "unsent": crowd.unsent,
            "bettors_connected": crowd.connected,
            "p50_ms": tally.answer_latency.percentile_ms(0.5),
            "p99_ms": tally.answer_latency.percentile_ms(0.99),
            "odds_p50_ms": tally.odds_latency.percentile_ms(0.5),
            "odds_p99_ms": tally.odds_latency.percentile_ms(0.99),
            "events": self._stage.names(),
            "open": [
                [m.event_id, m.market_id]
                for m in self._stage.markets()
                if open_markets and not m.settled
            ],
        }
        draft = self._status_file.with_name(self._status_file.name + ".new")
        draft.write_text(json.dumps(status))
        os.replace(draft, self._status_file)


def left_open(status_file: Path) -> list[Operation]:
    """Return what closes the markets that an earlier simulator left open."""
    try:
        found = json.loads(status_file.read_text())
        pairs = [(str(event), str(market)) for event, market in found["open"][:LEFT_OPEN_MAX]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # there was none, or it closed all
    operations: list[Operation] = []
    for event_id, market_id in pairs:
        operations.append(MarketStatus(event_id, market_id, status="CLOSED", reason=REASON))
        operations.append(Result(event_id, market_id, (), True, REASON))
    return operations


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _run(options: argparse.Namespace) -> None:
    run_id = f"s{_now_ms() // 1_000:x}"
    seed = options.seed if options.seed is not None else _now_ms()
    crowd = Crowd(
        options.edge_url,
        os.environ.get("ABLY_API_KEY", ""),
        options.bettors,
        options.rate,
        seed,
        run_id,
    )
    feed = Feed(options.kafka, FEED_PATIENCE_MS)
    simulator = Simulator(feed, crowd, Stage(run_id, seed, _now_ms()), options.status_file)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, simulator.stop)
    await simulator.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until TERM or Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.replay.simulator",
        description="Made-up races and matches on topic events, and bettors at the edge.",
    )
    parser.add_argument("--kafka", required=True, help="bootstrap servers")
    parser.add_argument("--edge-url", required=True, help="base URL of the edge or of Ably")
    parser.add_argument("--bettors", type=int, default=20, help="each with a connection")
    parser.add_argument("--rate", type=float, default=20.0, help="bets a second, of all in sum")
    parser.add_argument("--status-file", type=Path, required=True, help="figures, each second")
    parser.add_argument("--seed", type=int, help="what happens and who bets; default: the time")
    options = parser.parse_args(arguments)
    if options.bettors < 1 or options.rate < 0:
        parser.error("--bettors must be at least 1 and --rate not negative")
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logger.setLevel("INFO")
    logging.getLogger("ably").setLevel(
        "ERROR"
    )  # one warning a bettor and try while the edge is away
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(options))
    except OverroundError as error:
        logger.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
