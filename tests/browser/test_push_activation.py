"""A browser becomes a device: activated by ably-js, pushed to by the backend, shown by its worker.

The browser's own push service is on the internet. The subscription is one of the edge's, which
proves and decrypts what is pushed; the last step, a `push` event of the browser, is made by the
browser's debugging interface.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.backend import Backend, wait_for

pytestmark = pytest.mark.browser

PLUGIN = Path(__file__).parents[2] / "deploy/pages/static/vendor/ably-push.min.js"
ACTIVATE = """async (name) => {
  const { activatePush, pushOptions } = await import("/pages/push.js");
  const place = window.location;
  window.pushed = new Ably.Realtime({
    endpoint: place.hostname, port: Number(place.port), tls: false, clientId: name,
    authUrl: `${place.origin}/overround/token?client_id=${name}`,
    transports: ["web_socket"], disableConnectivityCheck: true,
    ...pushOptions(AblyPushPlugin),
  });
  return await activatePush(window.pushed);
}"""
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  const shown = await registration.getNotifications();
  return shown.map((one) => ({ title: one.title, body: one.body, tag: one.tag, data: one.data }));
}"""


@pytest.fixture
def page(opened: Callable[..., Page], edge: Backend) -> Iterator[Page]:
    """The bettor page, allowed to show notifications, with the push plugin at hand."""
    if not PLUGIN.is_file():
        pytest.skip("the push plugin is not fetched (make pages)")
    page = opened("pushed")
    page.context.grant_permissions(["notifications"], origin=edge.url)
    yield page
    page.evaluate("() => window.pushed?.close()")
    gone = edge.client.delete("/push/deviceRegistrations", params={"clientId": "pushed"})
    gone.raise_for_status()


def devices(edge: Backend) -> list[dict[str, Any]]:
    response = edge.client.get("/push/deviceRegistrations", params={"clientId": "pushed"})
    response.raise_for_status()
    return list(response.json())


def push(edge: Backend, **payload: Any) -> None:
    body = {"recipient": {"clientId": "pushed"}, **payload}
    edge.client.post("/push/publish", json=body).raise_for_status()


def test_a_push_to_a_bettor_is_a_notification_in_the_browser(page: Page, edge: Backend) -> None:
    device_id = page.evaluate(ACTIVATE, "pushed")
    [device] = devices(edge)
    assert (device["id"], device["platform"]) == (device_id, "browser")
    assert device["push"]["recipient"]["transportType"] == "web"

    won = {"title": "You won", "body": "45.00", "collapseKey": "bet-1"}
    push(edge, notification=won, data={"bet_id": "1"})
    push(edge, notification={**won, "body": "46.00"}, data={"bet_id": "1"})
    [shown] = wait_for(
        lambda: [one for one in page.evaluate(SHOWN) if one["body"] == "46.00"], "the notification"
    )
    assert shown == {
        "title": "You won",
        "body": "46.00",
        "tag": "bet-1",
        "data": {"bet_id": "1"},
    }

    page.evaluate("""async () => {
      const { deactivatePush } = await import("/pages/push.js");
      await deactivatePush(window.pushed);
    }""")
    assert devices(edge) == []


def test_the_button_of_the_page_turns_notifications_on(page: Page, edge: Backend) -> None:
    page.get_by_role("button", name="My bets").click()
    page.get_by_role("button", name="Notify me").click()
    page.get_by_role("button", name="Notifications are on").wait_for()
    [device] = devices(edge)
    assert device["platform"] == "browser"
    push(edge, notification={"title": "You won", "body": "9.00"}, data={"bet_id": "2"})
    wait_for(
        lambda: [one for one in page.evaluate(SHOWN) if one["body"] == "9.00"], "the notification"
    )


def test_a_push_of_the_browser_itself_is_shown_likewise(page: Page) -> None:
    page.evaluate("""async () => {
      await navigator.serviceWorker.register("/pages/push_worker.js");
      const { active } = await navigator.serviceWorker.ready;
      while (active.state !== "activated") await new Promise((done) => setTimeout(done, 20));
    }""")
    session = page.context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    registration = wait_for(
        lambda: [page.evaluate("1")] and [one for one in found if not one["isDeleted"]],
        "the worker's registration",
    )[0]
    origin = page.evaluate("() => location.origin")

    def deliver(text: str) -> None:
        session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": origin, "registrationId": registration["registrationId"], "data": text},
        )

    def shown_after_delivery() -> list[dict[str, Any]]:
        """Deliver once more: a browser that is busy drops what it was given before."""
        deliver("not JSON")
        deliver(json.dumps({"data": {"quiet": "yes"}}))
        deliver(json.dumps({"notification": {"title": "Off soon", "body": "14:30"}}))
        page.wait_for_timeout(200)
        return list(page.evaluate(SHOWN))

    shown = wait_for(shown_after_delivery, "the notification")
    assert {(one["title"], one["body"]) for one in shown} == {("Off soon", "14:30")}


def test_a_browser_that_may_not_notify_is_not_registered(page: Page, edge: Backend) -> None:
    page.context.clear_permissions()
    refused = page.evaluate(
        """async (activate) => {
          Notification.requestPermission = async () => "denied";
          return await eval(activate)("pushed").then(() => "", (error) => error.message);
        }""",
        ACTIVATE,
    )
    assert "denied" in refused
    assert devices(edge) == []
