"""The console command `overround`: what an operator types; each command's work is in its file."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy import dead_letters, journal
from deploy.command_settings import SettingsFile, kafka_settings
from deploy.command_settings import command_settings as _settings
from deploy.edge.command import edge_command
from pipelines.errors import OverroundError

__all__ = ["application", "main"]

application = typer.Typer(
    name="overround",
    help="Actor-based, distributed odds engine for real-time betting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@application.command()
def run(settings_file: SettingsFile = None) -> None:
    """Start the whole system on this machine and show it until Ctrl-C.

    A real Kafka, a local Ray, the edge, the engine, a simulator with bettors, and the page. Data is
    kept in .overround and used again at the next start. KAFKA_BOOTSTRAP_SERVERS, ABLY_API_KEY and
    RAY_ADDRESS replace each part by one of your own.
    """
    from deploy.run import run_command

    raise typer.Exit(run_command(_settings(settings_file)))


@application.command()
def replay(
    recordings: Annotated[list[Path], typer.Argument(help="Betfair stream files (bz2 or plain).")],
    speed: Annotated[float, typer.Option(help="Times real time; 0 as fast as it goes.")] = 0.0,
    seed: Annotated[int, typer.Option(help="What the simulated bettors do.")] = 1,
    bettors: Annotated[int, typer.Option(help="How many bettors take part.")] = 5,
    engine: Annotated[str, typer.Option(help="fixed or pool.")] = "fixed",
    run_id: Annotated[str, typer.Option(help="Prefix that keeps replays apart.")] = "",
    audit_after: Annotated[bool, typer.Option("--audit", help="Audit at the end.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Play recorded markets through the running system, with bettors at its edge.

    Where no system runs, one is started and stopped at the end, its data kept.
    """
    from deploy.replay_run import replay_run

    settings = _settings(settings_file)
    raise typer.Exit(
        replay_run(settings, recordings, speed, seed, bettors, engine, run_id, audit_after)
    )


@application.command()
def audit(
    edge: Annotated[bool, typer.Option("--edge", help="Check the channels' history too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="Inputs that still wait count as failures.")
    ] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Prove from the topics that no bet was lost, doubled, or settled wrongly; exit 0 if so."""
    from deploy.audit import audit_command

    raise typer.Exit(audit_command(_settings(settings_file), edge, as_json, complete))


@application.command()
def decide(
    file: Annotated[str, typer.Argument(help="JSON lines of records; - for standard input.")],
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Let time pass at the end until no bet waits.")
    ] = False,
    state_hash: Annotated[
        bool, typer.Option("--hash", help="Print the state hash at the end.")
    ] = False,
) -> None:
    """Run the engine over a file of records and print what it decides: a dry run of the rules."""
    from deploy.decide import decide_command

    raise typer.Exit(decide_command(file, until_idle, state_hash))


@application.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Show the actors of the running system: state, positions, lag, restarts."""
    from deploy.attach import status_command

    raise typer.Exit(status_command(_settings(settings_file), as_json))


@application.command()
def snapshot(settings_file: SettingsFile = None) -> None:
    """Write a snapshot of each partition now, so that its next restore is as short as can be.

    The engine does it by itself after every OVERROUND_SNAPSHOT_RECORDS of a
    partition's journal (0: never): its standbys, or the actor `snapshots`
    where there are none. It disturbs no shard.
    """
    from deploy.snapshots import snapshot_command

    raise typer.Exit(snapshot_command(_settings(settings_file)))


RayAddress = Annotated[
    str, typer.Option("--address", help="Ray's; without it RAY_ADDRESS, or the system run here.")
]


@application.command()
def up(address: RayAddress = "", settings_file: SettingsFile = None) -> None:
    """Start the engine's actors on a Ray cluster that is already there.

    Kafka and Ably are named by KAFKA_BOOTSTRAP_SERVERS and ABLY_API_KEY. Run again with other
    settings or a newer version, it replaces the actors.
    """
    from deploy.cluster import up_command

    raise typer.Exit(up_command(_settings(settings_file), address))


@application.command()
def down(address: RayAddress = "", settings_file: SettingsFile = None) -> None:
    """End the engine's actors, between two transactions; the cluster and the topics stay."""
    from deploy.cluster import down_command

    raise typer.Exit(down_command(_settings(settings_file), address))


@application.command()
def scale(
    shards: Annotated[int, typer.Option(min=0, help="Nodes that shall host shards.")] = 0,
    publishers: Annotated[int, typer.Option(min=0, help="Publishers that there shall be.")] = 0,
    notifiers: Annotated[int, typer.Option(min=0, help="Notifiers that there shall be.")] = 0,
    address: RayAddress = "",
    settings_file: SettingsFile = None,
) -> None:
    """Change over how many nodes, publishers and notifiers the work is spread, while bets flow.

    --shards: the partitions are spread evenly over so many nodes; their
    number stays. Each one that has to move is folded on its new node first,
    then changes hands. Nodes are not started or stopped; use it after adding
    nodes, or before taking some away.

    --publishers, --notifiers: more where Ably's answers are what odds or
    pushes wait for, at most one a partition: of N, each takes every Nth
    partition. Only they are replaced; the old ones end before the new ones
    begin, and what is committed meanwhile waits. An isolated event stays
    within one publisher and notifier, so while markets are away from home
    another number is refused: `overround rejoin EVENT` first. The number
    holds until the next `overround up`, which sets it to
    OVERROUND_PUBLISHERS and OVERROUND_NOTIFIERS.

    Example: overround scale --publishers 3 --notifiers 2
    """
    from deploy.cluster import scale_command

    if not (shards or publishers or notifiers):
        raise typer.BadParameter("say what to change: --shards, --publishers or --notifiers")
    raise typer.Exit(
        scale_command(_settings(settings_file), address, shards, publishers, notifiers)
    )


@application.command()
def move(
    partition: Annotated[int, typer.Argument(help="Number of the partition.")],
    node: Annotated[str, typer.Argument(help="Node: start of its id, its address or name.")],
    address: RayAddress = "",
    settings_file: SettingsFile = None,
) -> None:
    """Move a partition to another node without losing a bet; prints how long it stood still."""
    from deploy.cluster import move_command

    raise typer.Exit(move_command(_settings(settings_file), address, partition, node))


@application.command()
def drain(
    node: Annotated[str, typer.Argument(help="Node: start of its id, its address or name.")],
    address: RayAddress = "",
    settings_file: SettingsFile = None,
) -> None:
    """Move every actor off a node, so that it can be stopped; prints each partition's stall.

    Its metrics target stays until the node goes. The supervisor forgets it when itself restarts.
    """
    from deploy.cluster import drain_command

    raise typer.Exit(drain_command(_settings(settings_file), address, node))


EventId = Annotated[str, typer.Argument(help="The event's id.")]
Markets = Annotated[list[str] | None, typer.Option("--market", help="Only this one; repeatable.")]


@application.command()
def isolate(
    event: EventId,
    partitions: Annotated[
        str, typer.Option(help="Numbers, such as 2,4; without: where `event/market` lies.")
    ] = "",
    market: Markets = None,
    settings_file: SettingsFile = None,
) -> None:
    """Spread a hot event's markets over other shards while bets flow; prints each one's stall."""
    from deploy.isolate import isolate_command

    try:
        chosen = [int(one) for one in partitions.split(",") if one.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"{partitions!r} names no partitions, such as 2,4") from error
    settings = kafka_settings(settings_file)
    raise typer.Exit(isolate_command(settings, event, chosen, market or []))


@application.command()
def rejoin(event: EventId, market: Markets = None, settings_file: SettingsFile = None) -> None:
    """Bring a hot event's markets back to its own shard; prints how long each stood still."""
    from deploy.isolate import rejoin_command

    raise typer.Exit(rejoin_command(kafka_settings(settings_file), event, market or []))


Minor = Annotated[int, typer.Option(min=0, help="In minor units; 0 for no limit.")]


@application.command()
def limits(
    loss: Minor = 0,
    bettor_stake: Minor = 0,
    bettor_payout: Minor = 0,
    partition: Annotated[
        list[int] | None, typer.Option(help="Only this one; repeatable. Without: all.")
    ] = None,
    settings_file: SettingsFile = None,
) -> None:
    """Limit what all books of each partition may lose, and what a bettor has at stake there.

    What is not named has no limit any more.
    """
    from deploy.shard_limits import Limits, limits_command

    wanted = Limits(loss, bettor_stake, bettor_payout)
    raise typer.Exit(limits_command(kafka_settings(settings_file), wanted, partition or []))


@application.command()
def generate(
    file: Annotated[Path, typer.Argument(help="Where to write; .bz2 is compressed.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    markets: Annotated[int, typer.Option(help="Markets in the file.")] = 1,
    runners: Annotated[int, typer.Option(help="Runners a market.")] = 8,
    updates: Annotated[int, typer.Option(help="Price updates a market.")] = 1_000,
) -> None:
    """Write a made-up recording in Betfair's stream format."""
    from deploy.replay.generate import generate_command

    raise typer.Exit(generate_command(file, seed, markets, runners, updates))


application.command("edge")(edge_command)
application.add_typer(dead_letters.application, name="dead-letters")
application.add_typer(journal.application, name="journal")


def main() -> None:
    """Run the command; errors that are expected are one line, not a traceback."""
    try:
        application()
    except OverroundError as error:
        Console(stderr=True).print(
            f"[bold red]overround:[/] {escape(error.message)}",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
