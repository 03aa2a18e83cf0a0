"""What a struck system is watched by: its figures from outside, and the audit."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from tests.system.conftest import Running

RECOVERY_S = 150.0
AUDIT_S = 900.0  # of a million bets, beside everything else
MOVES = 8
IMAGES = re.compile(r"^overround_odds_images_total\{(.*?)\} (\S+)$", re.MULTILINE)
LOST, HASH = "answers", "state hash"


def actors(running: Running) -> list[dict[str, Any]]:
    """Actors as `overround status` tells them; asked again while the supervisor is away."""
    deadline_s = time.monotonic() + RECOVERY_S
    while True:
        done = running.overround("status", "--json")
        if done.stdout:
            found: list[dict[str, Any]] = json.loads(done.stdout)["actors"]
            return found
        assert time.monotonic() < deadline_s, done.stderr
        time.sleep(0.5)


def pid_of(running: Running, name: str) -> int:
    """Process of the first actor whose name begins so."""
    deadline_s = time.monotonic() + RECOVERY_S
    while True:
        for actor in actors(running):
            if actor["name"].startswith(name) and actor["health"]:
                return int(actor["health"]["pid"])
        assert time.monotonic() < deadline_s, f"no process of {name}"


def children(running: Running, words: str) -> list[int]:
    """Processes that the system started, by words of their command line."""
    found = []
    for process in psutil.Process(running.process.pid).children(recursive=True):
        try:
            if words in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def kill(pid: int) -> None:
    """Kill -9 of one process; 0 would be the whole group of this one."""
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def images_by_shard(running: Running) -> dict[str, float]:
    """Odds images so far by the labels of their series; nothing while the target is away."""
    port = running.environment["OVERROUND_METRICS_PORT"]
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.HTTPError:
        return {}
    return {labels: float(value) for labels, value in IMAGES.findall(text)}


def images(running: Running) -> float:
    """Odds images so far; -1 where the scrape target is away."""
    return sum(images_by_shard(running).values()) or -1.0


@dataclass(frozen=True)
class Gap:
    """Longest times in which no new odds were committed: by no shard at all, and by one of them."""

    all_s: float
    one_s: float | None  # None where a shard may have no open market


class _Moves:
    """When a count moved last, how long it stood at the most, and how often it moved."""

    def __init__(self, seen: float, now_s: float) -> None:
        self.seen, self.moved_s, self.longest_s, self.moves = seen, now_s, 0.0, 0

    def look(self, seen: float, now_s: float) -> None:
        # Counters begin anew in a new process: any change is progress.
        if seen != self.seen:
            self.longest_s = max(self.longest_s, now_s - self.moved_s)
            self.seen, self.moved_s, self.moves = seen, now_s, self.moves + 1


def gap_after(running: Running, strike: Callable[[Running], None], each: bool) -> Gap:
    """Strike; return for how long there were no new odds meanwhile, and until they flow again.

    `each`: every shard has bets all the time, so that each of them must move again.
    """
    first, began_s = images_by_shard(running), time.monotonic()
    shards = {labels: _Moves(count, began_s) for labels, count in first.items()}
    total = _Moves(sum(first.values()), began_s)
    with ThreadPoolExecutor(1) as pool:
        struck = pool.submit(strike, running)
        over_s, moves = 0.0, 0
        while not over_s or total.moves < moves + MOVES or (each and not _moved(shards, over_s)):
            now_s = time.monotonic()
            if struck.done() and not over_s:
                struck.result()
                over_s, moves = now_s, total.moves
            assert not over_s or now_s - over_s < RECOVERY_S, "no new odds"
            found = images_by_shard(running)
            if found:
                total.look(sum(found.values()), now_s)
            for labels in found.keys() & shards.keys():
                shards[labels].look(found[labels], now_s)
            time.sleep(0.1)
    worst_s = max((one.longest_s for one in shards.values()), default=0.0)
    return Gap(total.longest_s, worst_s if each else None)


def _moved(shards: dict[str, _Moves], since_s: float) -> bool:
    """Whether each shard has moved since; one that never did has no open market to move."""
    return all(one.moved_s > since_s or not one.moves for one in shards.values())


@dataclass(frozen=True)
class Audited:
    """What an audit said."""

    report: dict[str, Any]

    @property
    def failed(self) -> list[str]:
        """Checks that fail, with the first example of each."""
        return [
            f"{check['name']}: {check['failures']}, {check['examples'][:1]}"
            for check in self.report["checks"]
            if check["failures"]
        ]

    def check(self, name: str) -> dict[str, Any]:
        """One check's result."""
        (found,) = [check for check in self.report["checks"] if check["name"] == name]
        return dict(found)

    def line(self, fault: str, gap: Gap | None = None) -> str:
        """What is printed after a fault."""
        wrong = self.check(LOST)["failures"]
        equal = "equal" if self.check(HASH)["result"] == "holds" else "NOT equal"
        verdict = "the audit holds" if not self.failed else f"FAILS {self.failed}"
        away = f"{gap.all_s:.1f} s without new odds; " if gap else ""
        if gap and gap.one_s is not None:
            away = f"{gap.all_s:.1f} s without new odds, {gap.one_s:.1f} s of one shard; "
        return (
            f"{fault}: {away}{self.report['figures']['bets']:,} bets, "
            f"{wrong} lost, doubled or unanswered; state hashes {equal}; {verdict}"
        )


def audited(running: Running, *options: str, timeout_s: float = AUDIT_S) -> Audited:
    """The audit of the system, edge included; asked again where a part is on its way back."""
    for attempt in range(3):
        done = running.overround("audit", "--edge", "--json", *options, timeout_s=timeout_s)
        if done.returncode == 0 or attempt == 2:
            break
        time.sleep(5)
    assert done.stdout, done.stderr
    return Audited(json.loads(done.stdout))
