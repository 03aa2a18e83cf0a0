"""`overround replay`: recorded markets through the running system, with bettors at its edge."""

import asyncio
import signal
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from deploy.attach import attached_settings
from deploy.replay.account import Account
from deploy.replay.bettor import Bettor
from deploy.replay.completion import wait_until_complete
from deploy.replay.edge_link import EdgeLink
from deploy.replay.feed import Feed
from deploy.replay.replayer import Replayer
from deploy.replay.report import progress_of, table_of
from deploy.replay.script import Script
from deploy.replay.tally import Tally
from deploy.replay.witness import Witness
from deploy.stack import Stack
from pipelines.betfair.opening import Rules
from pipelines.errors import SettingsError, StackError
from pipelines.settings import Settings

__all__ = ["replay_run"]

COMPLETE_TIMEOUT_S: Final = 60.0  # without any progress
FLUSH_TIMEOUT_S: Final = 60.0
BEGIN_TIMEOUT_S: Final = 60.0
RUN_ID_LENGTH_MAX: Final = 40
BETTORS_MAX: Final = 200


def replay_run(
    settings: Settings,
    recordings: list[Path],
    speed: float,
    seed: int,
    bettors: int,
    engine: str,
    run_id: str,
    audit_after: bool,
) -> int:
    """Replay and print what came of it; return 0 if every bet was answered, settled and told."""
    run_id = run_id or f"r{int(time.time() * 1_000):x}"
    rules = _checked(speed, bettors, engine, run_id)
    console = Console()
    script = Script(recordings, run_id, rules)  # before the stack: a bad file costs no start
    for market_id, reason in sorted(script.skipped.items()):
        console.print(f"market {market_id} is left out: {reason}", highlight=False)
    with _system(settings, console) as running:
        console.print(
            f"replay {run_id}: {script.messages:,} messages, {len(script.moments):,} markets, "
            f"{len(script.events):,} events",
            highlight=False,
        )
        lacking = asyncio.run(
            _stoppable(_play(running, script, run_id, speed, seed, bettors, console), run_id)
        )
        for what in lacking:
            console.print(f"[bold red]missing:[/] {what}", highlight=False)
        audit_code = _audit(running) if audit_after else 0
    return 1 if lacking else audit_code


def _checked(speed: float, bettors: int, engine: str, run_id: str) -> Rules:
    problems = []
    if not 0 <= speed < float("inf"):
        problems.append(f"--speed must be 0 or more, was {speed}")
    if not 1 <= bettors <= BETTORS_MAX:
        problems.append(f"--bettors must be 1 to {BETTORS_MAX}, was {bettors}")
    if engine not in ("fixed", "pool"):
        problems.append(f"--engine must be fixed or pool, was {engine}")
    plain = run_id.replace("-", "").replace("_", "")
    if not plain.isalnum() or len(run_id) > RUN_ID_LENGTH_MAX:
        problems.append(
            f"--run-id must be at most {RUN_ID_LENGTH_MAX} letters, digits, - and _, was {run_id!r}"
        )
    if problems:
        raise SettingsError("cannot replay:\n" + "\n".join(f"  - {p}" for p in problems))
    return Rules(engine="pool" if engine == "pool" else "fixed")


@contextmanager
def _system(settings: Settings, console: Console) -> Iterator[Settings]:
    """Use the running system, or start one for as long as the block takes."""
    running, info = attached_settings(settings)
    if info is not None:
        yield running
        return
    if settings.kafka_bootstrap_servers and settings.ray_address and settings.ably_api_key:
        # Everything is elsewhere: a cluster that runs already.
        yield settings if settings.ably_url else _with_cloud(settings)
        return
    with Stack(settings, lambda text: console.print(f"[dim]{text}[/]")) as stack:
        yield stack.settings
    console.print("stopped; the data is kept in", str(stack.data_dir), highlight=False)


def _with_cloud(settings: Settings) -> Settings:
    return replace(settings, ably_url="https://main.realtime.ably.net")


async def _stoppable(play: Coroutine[Any, Any, list[str]], run_id: str) -> list[str]:
    """Let Ctrl-C or TERM end the play so that everything is closed. Raises StackError then."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(play)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise StackError(f"replay {run_id} was stopped; its open bets stay open") from None


async def _play(
    settings: Settings,
    script: Script,
    run_id: str,
    speed: float,
    seed: int,
    count: int,
    console: Console,
) -> list[str]:
    """Play, wait for the end of it, print the table; return what is missing."""
    tally = Tally()
    bettors = [
        Bettor(name, EdgeLink(settings.ably_url, settings.ably_api_key, name), tally)
        for name in (f"{run_id}-bettor-{number}" for number in range(1, count + 1))
    ]
    servers = settings.kafka_bootstrap_servers
    feed = Feed(servers)
    with Witness(servers, settings.partitions, run_id) as witness:
        account = witness.account

        async def begun() -> None:
            await _wait_until_begun(account, feed, run_id)

        try:
            await asyncio.gather(*(bettor.start() for bettor in bettors))
            with progress_of(console, script.messages, tally) as progress:
                replayer = Replayer(
                    script, run_id, feed, bettors, seed, speed, progress.step, begun
                )
                await replayer.play()
            await asyncio.to_thread(feed.flush, FLUSH_TIMEOUT_S)
            lacking = await wait_until_complete(
                replayer.markets.values(), tally, account, COMPLETE_TIMEOUT_S
            )
        except StackError as error:
            if (
                account.refused["event_opened", "DUPLICATE_EVENT"]
                or account.refused["event_opened", "UNCHANGED"]
            ):
                raise StackError(
                    f"run id {run_id} was played before on this system: choose another --run-id"
                ) from error
            raise
        finally:
            await asyncio.gather(*(bettor.stop() for bettor in bettors))
        if replayer.unseen:
            lacking.append(f"odds of {replayer.unseen} moments did not reach the bettors in time")
        if witness.problem:
            lacking.append(witness.problem)
        seen = sum(bettor.seen.images_count for bettor in bettors)
        console.print(table_of(run_id, replayer, tally, account, seen))
    return lacking


async def _wait_until_begun(account: Account, feed: Feed, run_id: str) -> None:
    """Wait for the engine's first entry. Raises StackError: there is none, or the id is taken."""
    await asyncio.to_thread(feed.flush, FLUSH_TIMEOUT_S)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BEGIN_TIMEOUT_S
    while not account.journal_records:
        if loop.time() > deadline:
            raise StackError(
                f"the engine took no notice of the feed for {BEGIN_TIMEOUT_S:.0f} s; "
                "see `overround status`"
            )
        await asyncio.sleep(0.005)
    if any(operation == "event_opened" for operation, _ in account.refused):
        raise StackError(
            f"run id {run_id} was played before on this system: choose another --run-id"
        )


def _audit(settings: Settings) -> int:
    from deploy.audit import audit_command

    code: int = audit_command(settings, edge=True, as_json=False, complete=True)
    return code
