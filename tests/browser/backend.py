"""The engine's part, played by hand: publishes by the edge's REST, reads what bettors sent."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

NAMES = ("Amber Tide", "Brass Lantern", "Cold Harbour", "Driftwood Lane")
BET_WAIT_S = 8.0


@dataclass
class Backend:
    """A backend with the edge's own key; `key` is NAME:SECRET, `event_seq` its last decision."""

    url: str
    key: str
    event_seq: int = 0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        name, _, secret = self.key.partition(":")
        self.client = httpx.Client(base_url=self.url, auth=(name, secret), timeout=5)

    def __enter__(self) -> "Backend":
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.close()

    def publish(self, channel: str, name: str, data: dict[str, Any]) -> None:
        """Publish one message."""
        path = f"/channels/{quote(channel, safe='')}/messages"
        self.client.post(path, json={"name": name, "data": data}).raise_for_status()

    def open_event(self, image: dict[str, Any]) -> None:
        """Put a market of an event on the list of open events, then publish its image."""
        shared = ("event_id", "event_name", "market_id", "name", "market_type")
        state = ("status", "in_play", "start_ms", "settlement")
        self.publish("outbound:events", "event", {k: image[k] for k in shared + state})
        self.show(image)

    def show(self, image: dict[str, Any]) -> None:
        """Publish a market's image."""
        self.publish(f"outbound:odds:{image['event_id']}", "odds", image)

    def answer(self, client_id: str, bet: dict[str, Any], status: str, **own: Any) -> None:
        """Publish a receipt for a bet; `event_seq` rises by itself."""
        self.event_seq += 1
        common = {
            "bet_id": bet["bet_id"],
            "event_id": bet["event_id"],
            "market_id": bet["market_id"],
            "event_seq": self.event_seq,
            "at_ms": int(time.time() * 1000),
            "status": status,
        }
        self.publish(f"outbound:bets:{client_id}", status, common | own)

    def bets(self, event_id: str) -> list[dict[str, Any]]:
        """All messages that bettors sent on an event, oldest first: `data` and `clientId`."""
        path = f"/channels/{quote(f'inbound:bets:{event_id}', safe='')}/messages"
        response = self.client.get(path, params={"direction": "forwards", "limit": 100})
        response.raise_for_status()
        found = response.json()
        for message in found:
            if isinstance(message["data"], str):
                message["data"] = json.loads(message["data"])
        return list(found)

    def next_bet(self, event_id: str, count: int = 1) -> dict[str, Any]:
        """Wait until `count` messages have arrived on an event and return the last of them."""
        bets = wait_for(lambda: self.bets(event_id)[count - 1 :], f"{count} bets on {event_id}")
        return dict(bets[0])


def wait_for(probe: Callable[[], Any], what: str) -> Any:
    """Return the first true value of the probe; fails after a few seconds."""
    deadline = time.monotonic() + BET_WAIT_S
    while not (found := probe()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def image(event_id: str, seq: int, odds: tuple[int, ...], **other: Any) -> dict[str, Any]:
    """A market's full image with one selection per odds; `other` replaces fields."""
    selections = [
        {
            "selection_id": number,
            "name": NAMES[number - 1],
            "status": "ACTIVE",
            "odds_e4": odds_e4,
            "staked_minor": 0,
        }
        for number, odds_e4 in enumerate(odds, start=1)
    ]
    made: dict[str, Any] = {
        "v": 1,
        "event_id": event_id,
        "event_seq": seq,
        "event_name": "Ascot 14:30 Handicap",
        "market_id": "win",
        "seq": seq,
        "version": seq,
        "market_type": "WIN",
        "name": "Win",
        "engine": "fixed",
        "status": "OPEN",
        "in_play": False,
        "bet_delay_ms": 0,
        "start_ms": int(time.time() * 1000) + 300_000,
        "at_ms": int(time.time() * 1000),
        "staked_minor": 0,
        "settlement": 0,
        "selections": selections,
    }
    return made | other
