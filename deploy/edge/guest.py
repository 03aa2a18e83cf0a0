"""What the pages of a development edge use: guest tokens, and what a phone would show.

Anybody who reaches these may be any guest, so they are there only where the edge listens on
loopback, and answer only requests addressed to it (a page elsewhere cannot use them).
"""

import json
import re
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from deploy.edge.http import answer, edge_of, guarded, number_of
from deploy.edge.refusals import INVALID_CLIENT_ID, INVALID_PARAMETER, UNAUTHORIZED, refused
from deploy.edge.rest_auth import TokenRequest, token_details
from pipelines.channels import INBOUND_BETS, OUTBOUND_ODDS, bets_out

__all__ = ["GUEST_ROUTES", "PAGE_ROUTES", "check_local"]

STATIC: Final = Path(__file__).with_name("static")
PAGES: Final = Path(__file__).parents[1] / "pages" / "static"
NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]", "testserver"})
NONCE_BYTES: Final = 9
PUSHES_SHOWN_MAX: Final = 1_000


def check_local(request: Request) -> None:
    """Refuse a request under another host name, as a hostile page makes by rebinding DNS."""
    if request.url.hostname not in LOOPBACK:
        raise refused(UNAUTHORIZED, "guests are served on loopback only")


async def _token(request: Request) -> Response:
    check_local(request)
    edge = edge_of(request)
    client_id = request.query_params.get("client_id", "")
    if not NAME.fullmatch(client_id):
        raise refused(INVALID_CLIENT_ID, "client_id: 1 to 64 letters, digits, '.', '_' or '-'")
    hear = ["history", "subscribe"]
    capability = {
        f"{INBOUND_BETS}*": ["publish"],
        f"{OUTBOUND_ODDS}*": hear,
        "outbound:events": hear,
        bets_out(client_id): [*hear, "push-subscribe"],
    }
    asked = TokenRequest(client_id=client_id, capability=json.dumps(capability))
    details = token_details(
        edge.app, edge.backend_key, asked, edge.clock.time_ms(), edge.random_text(NONCE_BYTES)
    )
    return answer(request, details, headers={"Cache-Control": "no-store"})


async def _pushes(request: Request) -> Response:
    check_local(request)
    limit = number_of(request, "limit", 100)
    if not 1 <= limit <= PUSHES_SHOWN_MAX:
        raise refused(INVALID_PARAMETER, f"limit must be from 1 to {PUSHES_SHOWN_MAX}")
    found = edge_of(request).pushes.newest(limit, request.query_params.get("client_id", ""))
    shown = [msgspec.to_builtins(one) for one in found]
    return answer(request, shown, headers={"Cache-Control": "no-store"})


async def _phone(request: Request) -> Response:
    return FileResponse(STATIC / "phone.html")


async def _home(request: Request) -> Response:
    return RedirectResponse("/pages/")


GUEST_ROUTES: Final[list[BaseRoute]] = [
    Route("/overround/token", guarded(_token), methods=["GET"]),
    Route("/overround/push", guarded(_pushes), methods=["GET"]),
    Route("/overround/phone", _phone, methods=["GET"]),
]
PAGE_ROUTES: Final[list[BaseRoute]] = [
    Route("/", _home, methods=["GET"]),
    Mount("/pages", StaticFiles(directory=PAGES, html=True)),
]
