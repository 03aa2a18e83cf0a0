"""One bettor's connection to Ably or the local edge, through the unmodified `ably` SDK.

Against the local edge (http) a token for the bettor's name comes from its development endpoint;
against Ably's cloud (https) the API key signs for it.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from ably import AblyRealtime
from ably.types.channeloptions import ChannelOptions
from ably.types.message import Message
from ably.util.exceptions import AblyException

from pipelines.errors import EdgeError

__all__ = ["NOT_CONNECTED", "EdgeLink", "Listener"]

#: Called with (message name, data) in the event loop's thread.
Listener = Callable[[str, dict[str, Any]], None]

CONNECT_TIMEOUT_S: Final = 20.0
TOKEN_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_MS: Final = 5_000
RETRY_MS: Final = 1_000
ABLY_ENDPOINT: Final = "main.realtime.ably.net"
DEAD_STATES: Final = ("failed", "closed")
UNACKNOWLEDGED_MAX: Final = 2
NOT_CONNECTED: Final = 90_000  # the SDK's code for a message that it did not send


class EdgeLink:
    """A realtime connection under one client id. Use inside one running event loop."""

    def __init__(self, url: str, key: str, client_id: str) -> None:
        self.client_id = client_id
        self._url = url.rstrip("/")
        self._key = key
        self._ably: AblyRealtime | None = None
        self._unacknowledged = 0  # publishes in a row

    async def open(self, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Connect. Raises EdgeError when there is no connection in time."""
        self._unacknowledged = 0
        self._ably = ably = AblyRealtime(**self._options())
        deadline = asyncio.get_running_loop().time() + timeout_s
        while str(ably.connection.state.value) != "connected":
            state = str(ably.connection.state.value)
            if state in DEAD_STATES or asyncio.get_running_loop().time() > deadline:
                reason = ably.connection.error_reason
                await self.close()
                raise EdgeError(
                    f"{self.client_id} cannot connect to {self._url}: {reason or 'no answer'}"
                )
            await asyncio.sleep(0.01)

    @property
    def alive(self) -> bool:
        """Whether the SDK works or will mend itself; where it does not, close and open the link."""
        # After a lost connection the SDK can mix up its message serials and wait for ever.
        if self._ably is None or self._unacknowledged >= UNACKNOWLEDGED_MAX:
            return False
        return str(self._ably.connection.state.value) not in DEAD_STATES

    async def subscribe(self, channel: str, listener: Listener, rewind: str = "") -> None:
        """Receive a channel's messages; returns when attached. Raises EdgeError."""
        options = ChannelOptions(params={"rewind": rewind}) if rewind else ChannelOptions()

        def received(message: Message) -> None:
            listener(message.name or "", _data_of(message.data))

        try:
            await self._client().channels.get(channel, options).subscribe(received)
        except AblyException as error:
            raise EdgeError(f"{self.client_id} cannot subscribe to {channel}: {error}") from error

    async def unsubscribe(self, channel: str) -> None:
        """Receive them no more. Raises EdgeError."""
        try:
            held = self._client().channels.get(channel)
            held.unsubscribe()
            await held.detach()
            self._client().channels.release(channel)
        except AblyException as error:
            raise EdgeError(f"{self.client_id} cannot leave {channel}: {error}") from error

    async def publish(
        self, channel: str, messages: Sequence[tuple[str, object]], timeout_s: float
    ) -> None:
        """Send messages in one go, in order; returns at the acknowledgement. Raises EdgeError."""
        built = [Message(name=name, data=data) for name, data in messages]
        try:
            async with asyncio.timeout(timeout_s):
                await self._client().channels.get(channel).publish(built)
            self._unacknowledged = 0
        except AblyException as error:
            raise EdgeError(f"{channel} refused a message: {error}", error.code or 0) from error
        except TimeoutError as error:
            self._unacknowledged += 1
            raise EdgeError(f"{channel} gave no acknowledgement in {timeout_s:.0f} s") from error

    def release(self, channel: str) -> None:
        """Forget a channel that was only published to; the SDK keeps each until told."""
        if self._ably is not None:
            self._ably.channels.release(channel)

    async def close(self) -> None:
        """Disconnect; safe to call twice."""
        ably, self._ably = self._ably, None
        if ably is not None:
            try:
                async with asyncio.timeout(TOKEN_TIMEOUT_S):
                    await ably.close()
            except (AblyException, TimeoutError):
                return  # it was not connected: there is nothing to say goodbye to

    def _client(self) -> AblyRealtime:
        if self._ably is None:
            raise EdgeError(f"{self.client_id} is not connected")
        return self._ably

    def _options(self) -> dict[str, Any]:
        place = urlsplit(self._url)
        options: dict[str, Any] = {
            "client_id": self.client_id,
            "queue_messages": False,  # a bet is sent now or not at all
            "realtime_request_timeout": REQUEST_TIMEOUT_MS,
            "disconnected_retry_timeout": RETRY_MS,
            "suspended_retry_timeout": RETRY_MS,
            "channel_retry_timeout": RETRY_MS,
        }
        if place.scheme == "https":
            if place.hostname != ABLY_ENDPOINT:
                options["endpoint"] = place.hostname
            return options | {"key": self._key}
        # The slash makes the SDK use the port for both of its protocols.
        options |= {"endpoint": f"{place.netloc}/", "tls": False, "auth_callback": self._token}
        return options

    async def _token(self, _params: object) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=TOKEN_TIMEOUT_S) as http:
            response = await http.get(
                f"{self._url}/overround/token", params={"client_id": self.client_id}
            )
            response.raise_for_status()
            details: dict[str, Any] = response.json()
            return details


def _data_of(data: object) -> dict[str, Any]:
    """Return message data as an object; text that is JSON is read as such."""
    if isinstance(data, str | bytes | bytearray):
        try:
            data = json.loads(data)
        except ValueError:
            return {}
    return data if isinstance(data, dict) else {}
