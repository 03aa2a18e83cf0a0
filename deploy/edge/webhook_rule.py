"""Webhook rules: what is published goes to a URL, one event a request or many, as Ably sends it.

Rules stand in the keys file, written as for Ably's control interface. Batches are signed with a
key of the app, tried again with a growing pause, and given up after five minutes.
Source: Ably's documentation of outgoing webhooks.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from deploy.edge.app import App
from deploy.edge.keys import Key
from deploy.edge.refusals import RULE_BUSY, RULE_REFUSED, RULE_UNREACHED
from deploy.edge.rule_event import SITE, SOURCES, RuleEvent, Taker
from deploy.edge.wire import Format, encode_value
from pipelines.errors import StackError

__all__ = ["WebhookRule", "read_rules"]

logger = logging.getLogger(__name__)

VERSION: Final = "1.2"
BATCH_MAX: Final = 1_000
BATCH_INTERVAL_S: Final = 1.0
KEPT_MS: Final = 300_000
PAUSE_FIRST_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
SINGLE_AT_ONCE_MAX: Final = 25
SINGLE_WAITING_MAX: Final = 1_000
SINGLE_PAUSES_S: Final = (4.0, 20.0)
TIMEOUT_S: Final = 15.0


class _Source(Struct, rename="camel"):
    type: str = "channel.message"
    channel_filter: str = ""


class _Target(Struct, rename="camel"):
    url: str
    headers: list[dict[str, str]] = []
    signing_key_id: str = ""
    enveloped: bool = True
    format: str = "json"


class _Rule(Struct, rename="camel"):
    rule_type: str
    target: _Target
    id: str = "webhook"
    request_mode: str = "batch"
    source: _Source = msgspec.field(default_factory=_Source)


class WebhookRule(Taker):
    """One rule; `run` sends for as long as the edge lives."""

    def __init__(
        self,
        rule: _Rule,
        app_id: str,
        keys: Mapping[str, Key],
        now_ms: Callable[[], int],
        client: httpx.AsyncClient,
    ) -> None:
        self._rule = rule
        self.source, self.id = rule.source.type, rule.id
        self._app_id = app_id
        self._now_ms = now_ms
        self._client = client
        self._form = Format.MSGPACK if rule.target.format == "msgpack" else Format.JSON
        self._covers = re.compile(rule.source.channel_filter)
        self._key = keys.get(f"{app_id}.{rule.target.signing_key_id}") or keys.get(
            rule.target.signing_key_id
        )
        self._waiting: deque[RuleEvent] = deque()
        self._woken = asyncio.Event()
        self._singles: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(SINGLE_AT_ONCE_MAX)
        self.dropped = 0

    def covers(self, app: App, channel: str) -> bool:
        """Return whether the rule is for a channel."""
        return app.id == self._app_id and self._covers.search(channel) is not None

    def take(self, event: RuleEvent) -> None:
        """Send an event on, by itself or in the next batch."""
        if self._rule.request_mode == "single":
            self._single(event)
            return
        self._waiting.append(event)
        self._woken.set()

    def _single(self, event: RuleEvent) -> None:
        if len(self._singles) >= SINGLE_WAITING_MAX:
            self._drop(1, "too many requests are under way")
            self.trouble(RULE_BUSY, "too many requests of a rule are under way")
            return
        task = asyncio.get_running_loop().create_task(self._send_single(event))
        self._singles.add(task)
        task.add_done_callback(self._singles.discard)

    async def _send_single(self, event: RuleEvent) -> None:
        async with self._at_once:
            body = encode_value(self._alone(event), self._form)
            for pause_s in (*SINGLE_PAUSES_S, None):
                status = await self._post(body, {})
                if status < 500 or pause_s is None:
                    break
                await asyncio.sleep(pause_s)
            if not 200 <= status < 300:
                self._drop(1, f"the last answer was {status}")

    def _alone(self, event: RuleEvent) -> Any:
        """Return what is sent of an event by itself."""
        if self._rule.target.enveloped:
            return event.envelope(self._app_id, self._rule.id, self._form)
        body = event.body(self._form)
        return body if event.state is not None else next(iter(body.values()))[0].get("data")

    async def run(self) -> None:
        """Send batches, at most one a second and one at a time."""
        pause_s = PAUSE_FIRST_S
        while True:
            await self._woken.wait()
            self._expire()
            batch = [self._waiting[i] for i in range(min(BATCH_MAX, len(self._waiting)))]
            if not batch:
                self._woken.clear()
                continue
            body = encode_value({"items": [self._item(one) for one in batch]}, self._form)
            status = await self._post(body, self._signature(body))
            if 200 <= status < 300:
                for _ in batch:
                    self._waiting.popleft()
                pause_s = PAUSE_FIRST_S
                await asyncio.sleep(BATCH_INTERVAL_S)
            else:
                pause_s = min(pause_s * math.sqrt(2), PAUSE_MAX_S)
                await asyncio.sleep(pause_s)

    def _expire(self) -> None:
        before_ms, count = self._now_ms() - KEPT_MS, 0
        while self._waiting and self._waiting[0].at_ms < before_ms:
            self._waiting.popleft()
            count += 1
        if count:
            self._drop(count, "nobody took them for five minutes")

    def _item(self, event: RuleEvent) -> dict[str, Any]:
        data = event.body(self._form)
        if event.state is None:
            data = {"channelId": event.channel, "site": SITE, **data}
        return {
            "webhookId": self._rule.id,
            "source": event.source,
            "serial": event.serial,
            "timestamp": event.at_ms,
            "name": event.name,
            "data": data,
        }

    def _signature(self, body: bytes) -> dict[str, str]:
        if self._key is None:
            return {}
        mac = hmac.new(self._key.secret.encode(), body, hashlib.sha256).digest()
        return {"X-Ably-Key": self._key.name, "X-Ably-Signature": base64.b64encode(mac).decode()}

    async def _post(self, body: bytes, signature: dict[str, str]) -> int:
        """Send one request; 599 stands for no answer."""
        kind = "application/x-msgpack" if self._form is Format.MSGPACK else "application/json"
        own = {one["name"]: one["value"] for one in self._rule.target.headers}
        headers = {**own, "content-type": kind, "x-ably-version": VERSION, **signature}
        try:
            response = await self._client.post(
                self._rule.target.url, content=body, headers=headers, timeout=TIMEOUT_S
            )
        except httpx.HTTPError as error:
            logger.info("webhook got no answer rule=%s error=%s", self._rule.id, error)
            self.trouble(RULE_UNREACHED, "the webhook gave no answer")
            return 599
        if not response.is_success:
            self.trouble(RULE_REFUSED, f"the webhook answered {response.status_code}")
        return response.status_code

    def _drop(self, count: int, why: str) -> None:
        self.dropped += count
        logger.warning("webhook events dropped rule=%s count=%d why=%s", self._rule.id, count, why)

    def close(self) -> None:
        """End what is under way."""
        for task in self._singles:
            task.cancel()


def read_rules(
    given: Sequence[object],
    app_id: str,
    keys: Mapping[str, Key],
    now_ms: Callable[[], int],
    client: httpx.AsyncClient,
) -> list[WebhookRule]:
    """Return the webhook rules among those of a keys file. Raises StackError."""
    rules = []
    for value in given:
        try:
            rule = msgspec.convert(value, _Rule)
            if rule.rule_type != "http":
                raise StackError(f"a rule of type {rule.rule_type!r} is not one the edge has")
            if rule.source.type not in SOURCES or rule.request_mode not in ("single", "batch"):
                raise StackError("a webhook rule's source or requestMode is not one the edge has")
            rules.append(WebhookRule(rule, app_id, keys, now_ms, client))
        except (msgspec.ValidationError, re.error) as error:
            raise StackError(f"a rule in the keys file cannot be read: {error}") from error
    return rules
