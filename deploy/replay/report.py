"""What a replay shows: a progress bar on a terminal, lines elsewhere, and a table at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.replay.account import Account
from deploy.replay.latency import Latencies
from deploy.replay.replayer import Replayer
from deploy.replay.script import Step
from deploy.replay.tally import Tally
from pipelines.notifier.wording import money

__all__ = ["ReplayProgress", "progress_of", "table_of"]

LINE_INTERVAL_S: Final = 5.0


class ReplayProgress:
    """Told of every step."""

    def __init__(self, total: int, tally: Tally, bar: Progress | None) -> None:
        self._total = total
        self._tally = tally
        self._bar = bar
        self._task = bar.add_task("replay", total=total, bets="") if bar is not None else None
        self._line_s = time.monotonic()

    def step(self, step: Step) -> None:
        """Show how far the play is."""
        tally = self._tally
        if self._bar is not None and self._task is not None:
            text = f"{tally.placed:,} bets, {tally.answered:,} answered"
            self._bar.update(self._task, completed=step.messages, bets=text)
        elif time.monotonic() - self._line_s >= LINE_INTERVAL_S:
            self._line_s = time.monotonic()
            share = step.messages * 100 // max(self._total, 1)
            print(
                f"{step.messages:,} of {self._total:,} messages ({share} %), "
                f"{tally.placed:,} bets placed, {tally.answered:,} answered",
                flush=True,
            )


@contextmanager
def progress_of(console: Console, total: int, tally: Tally) -> Iterator[ReplayProgress]:
    """Show progress for as long as the block takes."""
    if not console.is_terminal:
        yield ReplayProgress(total, tally, None)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[bets]}"),
    )
    with Progress(*columns, console=console) as bar:
        yield ReplayProgress(total, tally, bar)


def table_of(run_id: str, replayer: Replayer, tally: Tally, account: Account, seen: int) -> Table:
    """Return the figures of a replay; `seen` odds images reached the bettors."""
    table = Table(title=f"Replay {run_id}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    settled = tally.results
    rows: list[tuple[str, str]] = [
        ("bets placed", f"{tally.placed:,}"),
        ("  accepted", f"{tally.answers['accepted']:,}"),
        ("  rejected", f"{tally.answers['rejected']:,}"),
        *((f"    {code}", f"{count:,}") for code, count in sorted(tally.codes.items())),
    ]
    for name, count in (
        ("  cancelled", tally.answers["cancelled"]),
        ("  conflict", tally.answers["conflict"]),
        ("  unanswered", tally.placed - tally.answered),
        ("moments without odds", replayer.unseen),
    ):
        if count:
            rows.append((name, f"{count:,}"))
    rows += [
        ("markets played", f"{len(replayer.markets):,}"),
        ("markets settled", f"{len(account.settled_markets):,}"),
        ("odds images published", f"{account.odds_images:,}"),
        ("odds images seen by bettors", f"{seen:,}"),
        ("bets settled", f"{settled.total():,}"),
        (
            "  won / lost / refunded",
            f"{settled['win']:,} / {settled['loss']:,} / {settled['void']:,}",
        ),
        ("money in", money(account.in_minor)),
        ("  paid out", money(account.paid_minor)),
        ("  to the house", money(account.house_minor)),
        ("  held", money(account.held_minor)),
        ("bet to answer p50 / p99", _latency(tally.answer_latency)),
    ]
    if len(tally.odds_latency):
        rows.append(("bet to odds p50 / p99", _latency(tally.odds_latency)))
    rows += [
        ("feed to odds p50 / p99", _latency(replayer.feed_latency)),
        ("pushes sent", f"{account.pushes.total():,}"),
        *((f"  {kind}", f"{count:,}") for kind, count in sorted(account.pushes.items())),
    ]
    for (operation, code), count in sorted(account.refused.items()):
        rows.append((f"refused: {operation} {code}", f"{count:,}"))
    for name, value in rows:
        table.add_row(name, value)
    return table


def _latency(latencies: Latencies) -> str:
    p50, p99 = latencies.percentile_ms(0.5), latencies.percentile_ms(0.99)
    return "-" if p50 is None or p99 is None else f"{p50:g} / {p99:g} ms"
