"""An audit's report for eyes: a row for each check, then the records that show what is wrong."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.audit.report import FAILS, HOLDS, NOT_CHECKED, AuditReport, Check

__all__ = ["print_report"]

COLOURS = {HOLDS: "green", FAILS: "bold red", NOT_CHECKED: "yellow"}


def print_report(report: AuditReport, console: Console) -> None:
    """Print the report; money in units of 100 minor ones."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "result", "compared", "what it says"):
        table.add_column(name, overflow="fold")
    for check in report.checks:
        table.add_row(
            check.name,
            f"[{COLOURS[check.result]}]{_result(check)}[/]",
            ", ".join(f"{number:,} {what}" for what, number in check.compared) or "nothing",
            escape(check.note or check.claim),
        )
    console.print(table)
    for check in report.checks:
        if check.examples:
            _print_examples(check, console)
    figures = report.figures
    console.print(
        f"\nbets {figures.bets:,}, accepted {figures.accepted:,}, rejected "
        f"{figures.rejected + figures.declined:,}; money in {_money(figures.money_in_minor)}, paid "
        f"{_money(figures.paid_minor)}, refunded {_money(figures.refunded_minor)}, to the house "
        f"{_money(figures.house_minor)}, held {_money(figures.held_minor)}",
        highlight=False,
    )
    verdict = "[green]all checks hold[/]" if report.holds else "[bold red]the audit fails[/]"
    console.print(verdict)


def _money(amount_minor: int) -> str:
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{abs(amount_minor) // 100:,}.{abs(amount_minor) % 100:02d}"


def _result(check: Check) -> str:
    return f"fails {check.failures:,} times" if check.failures else check.result


def _print_examples(check: Check, console: Console) -> None:
    shown = len(check.examples)
    console.print(f"\n[bold]{check.name}[/]: {shown} of {check.failures:,}", highlight=False)
    for one in check.examples:
        where = one.topic if one.partition < 0 else f"{one.topic}/{one.partition}"
        at = f" offset {one.offset}" if one.offset >= 0 else ""
        console.print(f"  {escape(where)}{at}: {escape(one.what)}", highlight=False)
