"""`overround run`: the whole system on this machine, with live figures until Ctrl-C."""

import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.figures import Figures, Look, compare, look
from deploy.local.processes import Child
from deploy.stack import Stack
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["run_command"]

logger = logging.getLogger(__name__)

REFRESH_S: Final = 1.0
LINE_INTERVAL_S: Final = 5.0


class Stopping:
    """Set by Ctrl-C or TERM; a second Ctrl-C during the clean-up is ignored."""

    def __init__(self) -> None:
        self.event = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.event.set()


def run_command(settings: Settings) -> int:
    """Run until stopped; return the exit code. Raises StackError where it cannot start."""
    console = Console()
    began_s = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began_s:5.1f} s  {text}[/]", highlight=False)

    _log_to_file(Path(settings.data_dir).resolve(), settings.log_level)
    with Stack(settings, say) as stack:
        # Ray replaces the handlers when it starts, so ours come after it.
        stopping = Stopping()
        simulator = _simulator(stack)
        try:
            simulator.start()
            _say_where(console, stack)
            _show(console, stack, simulator, stopping)
        finally:
            say("stopping")
            simulator.stop()
    console.print("stopped; the data is kept in", str(stack.data_dir), highlight=False)
    return 0


def _log_to_file(data_dir: Path, level: str) -> None:
    """Keep the terminal for figures; what this process logs goes to a file beside the others'."""
    data_dir.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=data_dir / "overround.log",
        level=level,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    # A line a request would be a line a second.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _simulator(stack: Stack) -> Child:
    settings = stack.settings
    command = [
        sys.executable,
        "-m",
        "deploy.replay.simulator",
        "--kafka",
        settings.kafka_bootstrap_servers,
        "--edge-url",
        settings.ably_url,
        "--bettors",
        str(settings.bettors),
        "--rate",
        str(settings.bets_per_second),
        "--status-file",
        str(stack.data_dir / "simulator.json"),
    ]
    return Child("simulator", command, stack.data_dir / "simulator.log")


def _say_where(console: Console, stack: Stack) -> None:
    settings = stack.settings
    table = Table.grid(padding=(0, 2))
    rows = [
        *(_edge_pages(settings.ably_url) if stack.has_edge else ()),
        ("metrics", f"http://127.0.0.1:{settings.metrics_port}/metrics"),
        ("Ray dashboard", _dashboard(stack)),
        ("Kafka", settings.kafka_bootstrap_servers),
        ("data", str(stack.data_dir)),
    ]
    for name, where in rows:
        table.add_row(name, Text(where, style="cyan"))
    console.print(table)
    console.print("Ctrl-C stops everything.\n")


def _dashboard(stack: Stack) -> str:
    if not stack.dashboard_url:
        return "off"
    token = f", asks for the token in {stack.ray_token_file}" if stack.ray_token_file else ""
    return stack.dashboard_url + token


def _edge_pages(url: str) -> list[tuple[str, str]]:
    return [("bettor page", f"{url}/pages/"), ("phones", f"{url}/overround/phone")]


def _show(console: Console, stack: Stack, simulator: Child, stopping: Stopping) -> None:
    """Show live figures: a picture on a terminal, a line now and then elsewhere."""
    url = f"http://127.0.0.1:{stack.settings.metrics_port}/metrics"
    status_file = stack.data_dir / "simulator.json"
    before: Look | None = None
    interval_s = REFRESH_S if console.is_terminal else LINE_INTERVAL_S
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not stopping.event.wait(interval_s):
            stack.tend()
            if not simulator.alive:
                simulator.stop()
                simulator.start()
            after = look(url, time.monotonic())
            figures = compare(before, after) if before is not None and after is not None else None
            before = after or before
            if figures is None:
                continue
            if not console.is_terminal:
                print(_line(figures), flush=True)
                continue
            live.update(_picture(figures, _overview(), _simulated(status_file)))
            live.refresh()


def _overview() -> dict[str, Any]:
    """What the supervisor sees; no actors while it is on its way back itself."""
    from actors import launch

    try:
        return launch.overview()
    except StackError as error:
        logger.warning("no overview: %s", error.message)
        return {"actors": []}


def _simulated(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}  # not written yet, or just being written
    return found if isinstance(found, dict) else {}


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _line(figures: Figures) -> str:
    return (
        f"{figures.bets_per_second:.0f} bets/s  {figures.odds_per_second:.0f} odds/s  "
        f"bet to odds p50 {_ms(figures.p50_ms)} p99 {_ms(figures.p99_ms)}"
    )


def _picture(figures: Figures, overview: dict[str, Any], simulated: dict[str, Any]) -> Group:
    from deploy.status import render_status

    answers = "  ".join(f"{name} {count:,}" for name, count in figures.answers.items())
    head = Text(_line(figures), style="bold green")
    seen = simulated.get("p99_ms")
    bettors = f"bettors: {simulated.get('placed', 0):,} bets placed"
    if seen is not None:
        bettors += f", answered at their phones p50 {simulated.get('p50_ms')} ms p99 {seen} ms"
    return Group(head, Text(answers, style="dim"), Text(bettors), render_status(overview))
