"""The command that serves the edge alone, without Ray: `overround edge --port 8880`."""

import asyncio
import ipaddress
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deploy.edge.app import Namespace
from deploy.edge.bounds import HISTORY_DEFAULT_MS
from deploy.edge.kafka_rule import KafkaRule
from deploy.edge.keys import EdgeKeys
from deploy.edge.server import Edge, make_server
from pipelines.clock import SystemClock

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
) -> None:
    """Serve Ably's protocol on this machine: for development, tests and closed networks.

    Unmodified Ably SDKs connect to it. The first key of the keys file is the backend's. Without
    --kafka, bets stay in their channel.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("uvicorn.error", "websockets.server"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    keys = EdgeKeys.load_or_create(keys_file, secrets.token_urlsafe)
    retention_ms = history_seconds * 1000
    namespaces = (Namespace("outbound", retention_ms), Namespace("inbound", retention_ms))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(keys, namespaces, host, port, kafka, tls))


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
) -> None:
    loop = asyncio.get_running_loop()
    rule = KafkaRule(kafka, loop) if kafka else None
    rules = [rule] if rule is not None else []
    edge = Edge(keys, namespaces, SystemClock(), secrets.token_urlsafe, loop, rules)
    is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    files = (str(tls[0]), str(tls[1])) if tls else None
    server = make_server(edge, host, port, is_local, files)
    upkeep = asyncio.ensure_future(edge.keep_time())
    logger.info("edge serves at %s://%s:%d", "https" if tls else "http", host, port)
    try:
        await server.serve()
    finally:
        upkeep.cancel()
        if rule is not None:
            await loop.run_in_executor(None, rule.close)
