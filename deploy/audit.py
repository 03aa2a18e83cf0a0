"""`overround audit`: reads the topics, and asks the running system, whether all is as it must be.

Where no system runs, the shards cannot be asked for their hashes: that check says "not checked" and
fails nothing. The channels are checked with `--edge` alone, as far back as their history goes.
With `--complete`, inputs that have no answer yet and bets that still wait count as failures.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from deploy.attach import attached_settings, join_ray
from deploy.audit_edge import LOCAL_BOUNDS, check_edge, history_start_ms
from deploy.audit_table import print_report
from deploy.local.lockfile import StackInfo
from pipelines.audit.channels import UNBOUNDED
from pipelines.audit.odds import Odds
from pipelines.audit.partition import Audit, Sources, audit_partitions
from pipelines.audit.report import AuditReport
from pipelines.audit.tally import Place
from pipelines.errors import StackError
from pipelines.kafka.ends import Bounds
from pipelines.kafka.topic_reader import TopicReader
from pipelines.ports import Record
from pipelines.settings import Settings
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, JOURNAL, ODDS, TRANSFERS

__all__ = ["audit_command", "run_audit"]

#: Journal number and state hash by partition; None where no system runs.
Answers = dict[int, tuple[int, str]]
Advance = Callable[[int], None]

SHARDS_ANSWER_MAX_S: Final = 45.0
COMMIT_WAIT_MAX_S: Final = 20.0
ABLY_URL: Final = "https://main.realtime.ably.net"


def audit_command(settings: Settings, edge: bool, as_json: bool, complete: bool) -> int:
    """Audit and print; return 0 only if no check fails. Raises StackError, BrokerError, EdgeError.

    `edge`: check the channels too; `as_json`: print one JSON object; `complete`: see above.
    """
    report = run_audit(settings, edge, complete)
    if as_json:
        whole = {"holds": report.holds} | msgspec.to_builtins(report)
        print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
    else:
        print_report(report, Console())
    return 0 if report.holds else 1


def run_audit(
    settings: Settings, edge: bool, complete: bool, ask: Callable[[int], Answers] | None = None
) -> AuditReport:
    """Audit the running system, or the topics that the settings name.

    `ask`: called with the partition count, returns what the shards say; by default the actors are
    asked through Ray. Raises StackError where there is neither system nor Kafka, BrokerError and
    EdgeError where they do not answer.
    """
    found, info = attached_settings(settings)
    if not found.kafka_bootstrap_servers:
        raise StackError(_nothing_runs(settings))
    keep_from_ms = None
    if edge:
        if not found.ably_api_key:
            raise StackError("--edge needs the running local system, or ABLY_API_KEY")
        keep_from_ms = history_start_ms(info)
    audit = Audit()
    with ExitStack() as held:
        readers = {topic: TopicReader(found.kafka_bootstrap_servers, topic) for topic in _TOPICS}
        for reader in readers.values():
            held.callback(reader.close)
        partitions = _partitions(readers)
        if ask is not None:
            answers = ask(partitions)
        else:
            answers = _ask(audit, found, info, readers[JOURNAL], partitions)
        advance = held.enter_context(_progress(readers[JOURNAL], partitions))
        read: list[Odds] = []
        sources = [
            _sources(readers, partition, answers.get(partition), keep_from_ms)
            for partition in range(partitions)
        ]
        audit_partitions(audit, sources, complete, read.append, advance)
    audit.links.finish(complete)
    audit.moves.finish(complete)
    audit.exposures.finish(complete)
    if edge:
        bounds = LOCAL_BOUNDS if info is not None else UNBOUNDED
        url, key = found.ably_url or ABLY_URL, found.ably_api_key
        check_edge(audit.channels, read, url, key, bounds)
    else:
        audit.channels.not_checked("not asked for: --edge reads the channels' history")
    return audit.report()


_TOPICS: Final = (BETS, EVENTS, TRANSFERS, JOURNAL, ODDS, DEAD_LETTERS)


def _nothing_runs(settings: Settings) -> str:
    folder = Path(settings.data_dir).resolve()
    if (folder / "kafka").exists():
        return (
            f"the system in {folder} is stopped, and its Kafka with it: start it with "
            "`overround run`, then audit it from another terminal"
        )
    return (
        f"no system runs on {folder}: start one with `overround run`, or set "
        "KAFKA_BOOTSTRAP_SERVERS to the Kafka whose topics are to be audited"
    )


def _partitions(readers: dict[str, TopicReader]) -> int:
    counts = {topic: reader.partitions() for topic, reader in readers.items()}
    absent = [topic for topic, count in counts.items() if not count]
    if absent:
        raise StackError(f"Kafka has no topics {', '.join(absent)}: nothing was ever run there")
    if len(set(counts.values())) > 1:
        raise StackError(f"the topics must have the same number of partitions, but have {counts}")
    return counts[JOURNAL]


def _ask(
    audit: Audit,
    settings: Settings,
    info: StackInfo | None,
    journal: TopicReader,
    partitions: int,
) -> Answers:
    """Ask all running shards for their hashes. Shards that do not answer are a failure.

    One that is being restored answers for nothing yet, so it is asked again.
    """
    if not settings.ray_address:
        audit.hashes.not_checked("no running system was found, so no shard could be asked")
        return {}
    from actors.launch import state_hashes

    written = {p for p in range(partitions) if journal.bounds(p).end}
    deadline_s = time.monotonic() + SHARDS_ANSWER_MAX_S
    with _joined(settings.ray_address, info.ray_token_file if info else ""):
        while True:
            over = time.monotonic() > deadline_s
            try:
                answers = state_hashes(partitions)
            except StackError as error:
                # A shard that was just killed is on its way back.
                if over:
                    audit.hashes.fail(Place(JOURNAL, -1, -1), error.message)
                    return {}
            else:
                if over or all(answers[p][0] for p in written):
                    return answers
            time.sleep(1.0)


@contextmanager
def _joined(address: str, token_file: str) -> Iterator[None]:
    import ray

    if ray.is_initialized():  # the system was started by this very process
        yield
        return
    with join_ray(address, token_file):
        yield


def _sources(
    readers: dict[str, TopicReader],
    partition: int,
    answer: tuple[int, str] | None,
    keep_from_ms: int | None,
) -> Sources:
    """Choose how far to read, while the system may run on.

    Every transaction that `odds` has before `settled` is in the journal as read, and every one
    that the journal has is in `odds` as read: each end is taken once what was open then has ended.
    """
    settled = readers[ODDS].bounds(partition)
    journal = readers[JOURNAL].settled_bounds(partition)
    odds = readers[ODDS].settled_bounds(partition)
    letters = readers[DEAD_LETTERS].settled_bounds(partition)
    bets = readers[BETS].bounds(partition)
    transfers = readers[TRANSFERS].settled_bounds(partition)
    events = readers[EVENTS].bounds(partition)
    return Sources(
        partition,
        readers[JOURNAL].resume(partition, journal),
        readers[BETS].resume(partition, bets),
        readers[EVENTS].resume(partition, events),
        readers[ODDS].resume(partition, odds),
        readers[DEAD_LETTERS].resume(partition, letters),
        readers[TRANSFERS].resume(partition, transfers),
        transfers_first=transfers.first,
        bets_first=bets.first,
        events_first=events.first,
        odds_trimmed=odds.first > 0,
        odds_settled_end=settled.end,
        odds_keep_from_ms=keep_from_ms,
        letters_trimmed=letters.first > 0,
        hash_answer=answer,
        journal_more=lambda: _more(readers[JOURNAL], partition, journal.end),
    )


def _more(reader: TopicReader, partition: int, start: int) -> Iterator[Record]:
    """Yield what is committed to the journal from now on, for a bounded time."""
    deadline_s = time.monotonic() + COMMIT_WAIT_MAX_S
    while time.monotonic() < deadline_s:
        end = reader.bounds(partition).end
        if end > start:
            yield from reader.resume(partition, Bounds(start, end))
            start = end
        else:
            time.sleep(0.1)


@contextmanager
def _progress(journal: TopicReader, partitions: int) -> Iterator[Advance]:
    """Show a bar on a terminal; yields what to call with the number of records read."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda records: None
        return
    bounds = [journal.bounds(partition) for partition in range(partitions)]
    total = sum(one.end - one.first for one in bounds)
    columns = (TextColumn("auditing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("auditing", total=total)
        yield lambda records: progress.advance(task, records)
