"""Reads the history of a channel over Ably's REST interface, or the local edge's: oldest first."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urljoin

import httpx
import msgspec

from pipelines.audit.channels import HistoryMessage
from pipelines.errors import EdgeError

__all__ = ["ChannelHistory"]

PROTOCOL_VERSION: Final = "5"
PAGE_MESSAGES: Final = 1_000
PAGES_MAX: Final = 10_000
REQUEST_TIMEOUT_S: Final = 20.0
MESSAGE_BYTES: Final = 256  # counted for each message beside its data
TRIES_MAX: Final = 5
WAIT_S_MAX: Final = 10.0


class ChannelHistory:
    """History of channels with a backend's key (`app.key:secret`); used by one thread."""

    def __init__(self, url: str, key: str) -> None:
        name, _, secret = key.partition(":")
        self._http = httpx.Client(
            base_url=url,
            auth=(name, secret),
            timeout=REQUEST_TIMEOUT_S,
            headers={"X-Ably-Version": PROTOCOL_VERSION, "Accept": "application/json"},
            trust_env=False,
        )

    def messages(self, channel: str) -> Iterator[HistoryMessage]:
        """Yield what the channel still has, in the order it was published. Raises EdgeError."""
        path = f"/channels/{quote(channel, safe='')}/messages"
        page: str | None = f"{path}?direction=forwards&limit={PAGE_MESSAGES}"
        for _ in range(PAGES_MAX):
            if page is None:
                return
            response = self._get(page)
            try:
                found = response.json()
            except json.JSONDecodeError as error:
                raise EdgeError(f"history of {channel} is not JSON: {error}") from error
            if not isinstance(found, list):
                raise EdgeError(f"history of {channel} is not a list")
            yield from (_message(one) for one in found if isinstance(one, dict))
            following = response.links.get("next", {}).get("url")
            page = urljoin(str(response.url), following) if following else None
        raise EdgeError(f"history of {channel} has more than {PAGES_MAX} pages")

    def close(self) -> None:
        """Release connections; safe to call twice."""
        self._http.close()

    def _get(self, page: str) -> httpx.Response:
        for attempt in range(1, TRIES_MAX + 1):
            try:
                response = self._http.get(page)
            except httpx.HTTPError as error:
                if attempt == TRIES_MAX:
                    raise EdgeError(f"the edge does not answer: {type(error).__name__}") from error
                time.sleep(0.2 * attempt)
                continue
            if response.is_success:
                return response
            status = response.status_code
            if attempt == TRIES_MAX or not (status == 429 or status >= 500):
                raise EdgeError(f"the edge answered {status} to a request for history", 0, status)
            after = response.headers.get("retry-after", "")
            time.sleep(min(float(after) if after.isdigit() else 0.2 * attempt, WAIT_S_MAX))
        raise AssertionError("the last try returns or raises")


def _message(one: dict[str, Any]) -> HistoryMessage:
    data = one.get("data")
    size = len(data) if isinstance(data, str) else 0
    for step in reversed(str(one.get("encoding") or "").split("/")):
        if step == "base64" and isinstance(data, str):
            data = base64.b64decode(data)
        elif step == "json" and isinstance(data, str | bytes):
            try:
                data = msgspec.json.decode(data)
            except msgspec.DecodeError:
                data = None  # shows as no image
    timestamp_ms = one.get("timestamp")
    return HistoryMessage(
        str(one.get("id", "")),
        str(one.get("name", "")),
        data,
        timestamp_ms if isinstance(timestamp_ms, int) else 0,
        size + MESSAGE_BYTES,
    )
