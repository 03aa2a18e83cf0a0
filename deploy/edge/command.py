"""The command that serves the edge alone, without Ray: `overround edge --port 8880`."""

import asyncio
import ipaddress
import logging
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import typer

from deploy.edge.application import make_server
from deploy.edge.bounds import HISTORY_DEFAULT_MS
from deploy.edge.kafka_rule import KafkaRule
from deploy.edge.kafka_stream import read_streams
from deploy.edge.keys import EdgeKeys
from deploy.edge.limits import PACKAGES
from deploy.edge.namespace import Namespace
from deploy.edge.server import Edge
from deploy.edge.store import SqliteStore
from deploy.edge.webhook_rule import read_rules
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector_of_clients

__all__ = ["edge_command"]

logger = logging.getLogger(__name__)


def edge_command(
    port: Annotated[int, typer.Option(help="Port for REST, WebSockets and pages.")] = 8880,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Guests are served on loopback only.")
    ] = "127.0.0.1",
    keys_file: Annotated[
        Path, typer.Option(help="API keys; made with a fresh key where there is no such file.")
    ] = Path("edge-keys.json"),
    kafka: Annotated[
        str, typer.Option(help="Kafka's bootstrap servers: bets are forwarded to its topic `bets`.")
    ] = "",
    history_seconds: Annotated[
        int, typer.Option(help="How long channels outbound:* and inbound:* keep their messages.")
    ] = HISTORY_DEFAULT_MS // 1000,
    tls: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Certificate and key, for https and wss.")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Let anybody make apps over REST, for tests.")
    ] = False,
    limits: Annotated[
        str, typer.Option(help="Ably's limits of a package: free, production; or none.")
    ] = "none",
    data: Annotated[
        Path | None,
        typer.Option(help="SQLite file: history of outbound:* and of persisted namespaces."),
    ] = None,
) -> None:
    """Serve Ably's protocol on this machine: for development, tests and closed networks.

    Unmodified Ably SDKs connect to it. The first key of the keys file is the backend's. Without
    --kafka, bets stay in their channel.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("uvicorn.error", "websockets.server", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if limits not in PACKAGES:
        raise typer.BadParameter(f"one of {', '.join(PACKAGES)}", param_hint="--limits")
    keys = EdgeKeys.load_or_create(keys_file, secrets.token_urlsafe)
    retention_ms = history_seconds * 1000
    namespaces = (
        Namespace("outbound", retention_ms, persisted=data is not None),
        Namespace("inbound", retention_ms),
        *(Namespace.of(one) for one in keys.namespaces),
    )
    tune_collector_of_clients()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(keys, namespaces, host, port, kafka, tls, sandbox, limits, data))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's event loop where that is installed: the same, in less time."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(
    keys: EdgeKeys,
    namespaces: tuple[Namespace, ...],
    host: str,
    port: int,
    kafka: str,
    tls: tuple[Path, Path] | None,
    sandbox: bool,
    limits: str,
    data: Path | None,
) -> None:
    loop = asyncio.get_running_loop()
    # Uvicorn hands the signal that ended it on; what is below must still write and close.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    rule = KafkaRule(kafka, loop) if kafka else None
    rules = [rule] if rule is not None else []
    clock, random_text = SystemClock(), secrets.token_urlsafe
    edge = Edge(keys, namespaces, clock, random_text, loop, rules, PACKAGES[limits])
    is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    files = (str(tls[0]), str(tls[1])) if tls else None
    store = SqliteStore(data, loop, keys.app_id) if data is not None else None
    if store is not None:
        edge.keep_in(store)
    server = make_server(edge, host, port, is_local, files, sandbox)
    async with httpx.AsyncClient(trust_env=False) as client:
        to_kafka = [one for one in keys.rules if one.get("ruleType") == "kafka"]
        others = [one for one in keys.rules if one.get("ruleType") != "kafka"]
        streams = read_streams(to_kafka, keys.app_id, clock.time_ms)
        for stream in streams:
            edge.publishing.observers.append(stream.messages)
            stream.watch(edge.app)
        webhooks = read_rules(others, keys.app_id, edge.app.keys, clock.time_ms, client)
        tasks = [asyncio.ensure_future(edge.keep_time())]
        for webhook in webhooks:
            edge.publishing.observers.append(webhook.messages)
            webhook.watch(edge.app)
            tasks.append(asyncio.ensure_future(webhook.run()))
        logger.info("edge serves at %s://%s:%d", "https" if tls else "http", host, port)
        try:
            await server.serve()
        finally:
            for task in tasks:
                task.cancel()
            for webhook in webhooks:
                webhook.close()
            for closing in (rule, *streams):
                if closing is not None:
                    await loop.run_in_executor(None, closing.close)
            if store is not None:
                store.save_stats(edge.app.id, edge.app.stats)
                store.close()
