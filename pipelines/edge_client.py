"""Port `Edge` on HTTP: publications and pushes to Ably's REST interface, or the local edge's.

Publications go by `POST /messages`, one BatchSpec each, so that each keeps its own message id and
fails alone. This is plain HTTP and not the SDK because the SDK has no batch call (one request a
channel: a ratio of 28 to 47 on 100 channels of a local edge; measured by
`python -m tests.bench.edge_publish` on two shared cores), does not repeat on 429, and is
asynchronous where the publisher is one thread with one request in flight.

Answers: taken (code 0), refused for good (code, no retry), or to be sent again (retry). A request
that fails as a whole raises EdgeError: connection, time-out, 401, 429 and 5xx. A request refused
for good as a whole is halved until the one message it was refused for stands alone.
"""

import base64
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import msgspec

from pipelines.errors import EdgeError
from pipelines.limits import (
    ABLY_BATCH_BYTES_MAX,
    ABLY_CHANNELS_PER_BATCH_MAX,
    ABLY_MESSAGES_PER_BATCH_MAX,
    ABLY_PUSHES_PER_BATCH_MAX,
)
from pipelines.ports import Clock, Publication, Push, Taken

__all__ = ["EdgeClient"]

logger = logging.getLogger(__name__)

PROTOCOL_VERSION: Final = "5"
CONNECT_TIMEOUT_S: Final = 4.0
REQUEST_TIMEOUT_S: Final = 10.0
RETRY_AFTER_S_MAX: Final = 60.0
TOKEN_TTL_MS: Final = 3_600_000
TOKEN_RENEWED_BEFORE_MS: Final = 60_000
INTERNAL_ERROR: Final = 50_000
TAKEN: Final = Taken(0, False)


class EdgeClient:
    """Ably's REST interface over one kept-alive connection; used by one thread.

    `url`: base such as https://main.realtime.ably.net; `key`: `app.key:secret`. Over https, and
    over http where the server allows it, the key itself signs requests; a server that refuses
    that is asked for a token with a signed TokenRequest, and the secret does not travel.
    """

    def __init__(
        self,
        url: str,
        key: str,
        clock: Clock,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._key_name, _, self._key_secret = key.partition(":")
        self._clock = clock
        self._nonce = nonce
        self._token = ""
        self._token_expires_ms = 0
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(request_timeout_s, connect=CONNECT_TIMEOUT_S),
            headers={"X-Ably-Version": PROTOCOL_VERSION, "Accept": "application/json"},
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            # Local and cloud edges are addressed directly; a proxy is set by its own URL if ever.
            trust_env=False,
        )

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        """Publish in order, in as few requests as the limits allow. Raises EdgeError."""
        encoded = [_spec(publication) for publication in publications]
        channels = [publication.channel for publication in publications]
        return self._in_parts(
            encoded, channels, ABLY_MESSAGES_PER_BATCH_MAX, "/messages?newBatchResponse=true"
        )

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        """Send pushes; a time-out may have sent some. Raises EdgeError."""
        encoded = [_push(one) for one in pushes]
        return self._in_parts(encoded, None, ABLY_PUSHES_PER_BATCH_MAX, "/push/batch/publish")

    def close(self) -> None:
        """Release connections; safe to call twice."""
        self._http.close()

    def _in_parts(
        self, encoded: list[bytes], channels: list[str] | None, count_max: int, path: str
    ) -> list[Taken]:
        answers: list[Taken] = []
        for start, end in _parts(encoded, channels, count_max):
            try:
                answers += self._send(path, encoded[start:end])
            except EdgeError as error:
                if not answers:
                    raise
                # What was taken stays taken; the rest is sent again, in its order.
                answers += [Taken(error.code, True)] * (len(encoded) - start)
                break
        return answers

    def _send(self, path: str, specs: list[bytes]) -> list[Taken]:
        response = self._request(path, b"[" + b",".join(specs) + b"]")
        answers = _answers(response, len(specs))
        if answers is not None:
            return answers
        code, message = _error_of(response)
        if len(specs) == 1:
            logger.error("edge refused path=%s code=%d message=%s", path, code, message)
            return [Taken(code or response.status_code * 100, False)]
        half = len(specs) // 2
        first = self._send(path, specs[:half])
        try:
            return first + self._send(path, specs[half:])
        except EdgeError as error:
            return first + [Taken(error.code, True)] * (len(specs) - half)

    def _request(self, path: str, body: bytes) -> httpx.Response:
        """Send one request, with a fresh token after one 401. Raises EdgeError."""
        response = self._post(path, body, self._authorization())
        if response.status_code == 401:
            self._renew_token()
            response = self._post(path, body, self._authorization())
        status = response.status_code
        if status in (401, 408, 429) or status >= 500:
            code, message = _error_of(response)
            raise EdgeError(
                f"edge answered {status} to {path}: {message}",
                code or status * 100,
                status,
                _retry_after_s(response),
            )
        return response

    def _post(self, path: str, body: bytes, authorization: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        try:
            return self._http.post(path, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise EdgeError(
                f"edge did not answer {path}: {type(error).__name__}", INTERNAL_ERROR, 503
            ) from error

    def _authorization(self) -> str:
        if self._token:
            if self._clock.time_ms() > self._token_expires_ms - TOKEN_RENEWED_BEFORE_MS:
                self._renew_token()
            return "Bearer " + base64.b64encode(self._token.encode()).decode()
        raw = f"{self._key_name}:{self._key_secret}".encode()
        return "Basic " + base64.b64encode(raw).decode()

    def _renew_token(self) -> None:
        """Get a token for a request that this key signs. Raises EdgeError."""
        self._token = ""
        path = f"/keys/{self._key_name}/requestToken"
        asked = _token_request(
            self._key_name, self._key_secret, self._clock.time_ms(), self._nonce()
        )
        response = self._post(path, msgspec.json.encode(asked), "")
        if not response.is_success:
            code, message = _error_of(response)
            raise EdgeError(
                f"edge gave no token: {message}",
                code or response.status_code * 100,
                response.status_code,
                _retry_after_s(response),
            )
        details = _json(response)
        if not isinstance(details, dict) or not isinstance(details.get("token"), str):
            raise EdgeError("edge gave no token: its answer has none", INTERNAL_ERROR, 502)
        self._token = details["token"]
        expires = details.get("expires")
        self._token_expires_ms = (
            int(expires) if isinstance(expires, int) else self._clock.time_ms() + TOKEN_TTL_MS
        )


def _token_request(key_name: str, secret: str, now_ms: int, nonce: str) -> dict[str, Any]:
    capability = '{"*":["*"]}'
    signed = f"{key_name}\n{TOKEN_TTL_MS}\n{capability}\n\n{now_ms}\n{nonce}\n"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return {
        "keyName": key_name,
        "ttl": TOKEN_TTL_MS,
        "capability": capability,
        "timestamp": now_ms,
        "nonce": nonce,
        "mac": base64.b64encode(mac).decode(),
    }


def _spec(publication: Publication) -> bytes:
    message = {
        "id": publication.id,
        "name": publication.name,
        "data": msgspec.json.encode(publication.data).decode(),
        "encoding": "json",
    }
    return msgspec.json.encode({"channels": publication.channel, "messages": message})


def _push(push: Push) -> bytes:
    notification = {"title": push.title, "body": push.body, "collapseKey": push.collapse_key}
    payload = {"notification": notification, "data": push.data}
    return msgspec.json.encode({"recipient": {"clientId": push.client_id}, "payload": payload})


def _parts(
    encoded: list[bytes], channels: list[str] | None, count_max: int
) -> list[tuple[int, int]]:
    """Cut into ranges that each fit one request."""
    parts = []
    start, size, seen = 0, 2, set[str]()
    for index, spec in enumerate(encoded):
        channel = channels[index] if channels is not None else ""
        if index > start and (
            index - start >= count_max
            or size + len(spec) + 1 > ABLY_BATCH_BYTES_MAX
            or len(seen | {channel}) > ABLY_CHANNELS_PER_BATCH_MAX
        ):
            parts.append((start, index))
            start, size, seen = index, 2, set()
        size += len(spec) + 1
        seen.add(channel)
    if encoded:
        parts.append((start, len(encoded)))
    return parts


def _answers(response: httpx.Response, count: int) -> list[Taken] | None:
    """Read one answer a spec from any of the documented shapes; None: there are none in it.

    New: [{successCount, failureCount, results: [{..} or {error}]}]. Old: [{..} or {error}], or
    {error, batchResponse: [..]} with 400. An empty success takes all.
    """
    body = _json(response)
    if isinstance(body, dict) and isinstance(body.get("batchResponse"), list):
        body = body["batchResponse"]
    if isinstance(body, list) and len(body) == count and count:
        return [_answer(item) for item in body]
    if response.is_success:
        if body is not None and body not in ([], {}):
            logger.debug("edge success of unknown shape status=%d", response.status_code)
        return [TAKEN] * count
    return None


def _answer(item: object) -> Taken:
    if not isinstance(item, dict):
        return TAKEN
    results = item.get("results")
    candidates = results if isinstance(results, list) else [item]
    for result in candidates:
        error = result.get("error") if isinstance(result, dict) else None
        if isinstance(error, dict):
            code = error.get("code")
            status = error.get("statusCode")
            code = code if isinstance(code, int) and code else INTERNAL_ERROR
            status = status if isinstance(status, int) else code // 100
            return Taken(code, status == 429 or status >= 500)
    return TAKEN


def _error_of(response: httpx.Response) -> tuple[int, str]:
    """Code and message of an error, from the body or the headers; 0 where there is no code."""
    body = _json(response)
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        return error["code"], str(error.get("message", ""))
    header = response.headers.get("x-ably-errorcode", "")
    code = int(header) if header.isdigit() else 0
    return code, response.headers.get("x-ably-errormessage", response.reason_phrase)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds of a Retry-After header; 0 without one, or where it is a date."""
    header = response.headers.get("retry-after", "")
    return min(float(header), RETRY_AFTER_S_MAX) if header.isdigit() else 0.0
