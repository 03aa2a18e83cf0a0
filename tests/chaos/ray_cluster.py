"""`python -m tests.chaos.ray_cluster KAFKA PARTITIONS NODES EDGE`: the engine on several Ray nodes.

EDGE is the edge's address, its key is ABLY_API_KEY. A process of its own, because Ray ends whoever
has joined a cluster whose head is gone. It takes commands on its input, one a line, and answers
each with one line: `owners` the processes of the shards, `audit` what the audit says, `end` stops
everything.
"""

import json
import os
import sys
from typing import Any

from actors import launch
from actors.options import partition_of
from deploy.audit import run_audit
from pipelines.errors import OverroundError
from pipelines.settings import Settings
from tests.cluster.nodes import nodes_of

READY_S = 120.0


def owners() -> dict[int, int]:
    """Process of each partition's running shard."""
    return {
        partition: actor["health"]["pid"]
        for actor in launch.overview()["actors"]
        if (partition := partition_of(actor["name"])) is not None
        and actor["health"]
        and actor["health"]["status"].get("state") == "running"
    }


def answer(command: str, settings: Settings) -> Any:
    """What a command gives."""
    if command == "owners":
        return owners()
    report = run_audit(settings, edge=True, complete=False, ask=launch.state_hashes)
    return {
        "bets": report.figures.bets,
        "failed": [f"{c.name}: {c.failures} {c.examples[:1]}" for c in report.checks if c.failures],
        "wrong": sum(c.failures for c in report.checks if c.name == "answers"),
        "hashes": next(c.result for c in report.checks if c.name == "state hash"),
    }


def say(what: Any) -> None:
    """One line on the output that the test reads."""
    print("=" + json.dumps(what), flush=True)


def main() -> None:
    """Serve until `end`."""
    kafka, partitions, count, edge = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    settings = Settings(
        kafka_bootstrap_servers=kafka,
        partitions=partitions,
        ably_url=edge,
        ably_api_key=os.environ["ABLY_API_KEY"],
        metrics_port=0,  # several nodes share one machine
    )
    with nodes_of(count):
        launch.up(settings)
        launch.wait_ready(READY_S)
        say("ready")
        for line in sys.stdin:
            if line.strip() == "end":
                break
            try:
                say(answer(line.strip(), settings))
            except OverroundError as error:
                say({"error": str(error)})
        launch.down()


if __name__ == "__main__":
    main()
