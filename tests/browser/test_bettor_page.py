"""A bettor's visit from end to end: odds that move, bets and their answers, cuts and overlays."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import page as pages
from tests.browser.backend import Backend, image
from tests.browser.relay import Relay

pytestmark = pytest.mark.browser

Opened = Callable[..., Page]


@pytest.fixture
def relay(edge: Backend) -> Iterator[Relay]:
    """The way from the browser to the edge, which the test can cut."""
    port = urlsplit(edge.url).port
    assert port is not None
    with Relay(port) as running:
        yield running


def test_a_bet_from_the_list_of_events_to_its_payout(
    edge: Backend, opened: Opened, faults: list[str], tmp_path: Path
) -> None:
    edge.open_event(image("visit", 1, (35_500, 21_000, 64_000)))
    page = opened("visitor")
    expect(page.locator(".event", has_text="Ascot")).to_contain_text("Open")
    pages.open_event(page, "Ascot 14:30 Handicap")
    button = pages.odds_button(page, "win", 1)
    expect(button).to_contain_text("3.55")

    edge.show(image("visit", 2, (36_000, 20_500, 64_000), in_play=True, bet_delay_ms=5_000))
    expect(button).to_contain_text("▲")
    expect(button).to_contain_text("3.60")
    expect(pages.odds_button(page, "win", 2)).to_contain_text("▼")
    expect(pages.odds_button(page, "win", 3).locator(".arrow")).to_have_text("")
    expect(pages.market(page, "win")).to_contain_text("In-play")
    expect(pages.market(page, "win")).to_contain_text("bets wait 5 s")
    page.screenshot(path=tmp_path / "market.png")

    pages.fill_slip(page, "win", 1, "12.50")
    expect(page.locator("#slip-return")).to_have_text("45.00")
    page.locator("#slip-place").click()
    card = pages.newest_bet(page)
    pages.expect_bet(card, "Sent", "Waiting for the answer")
    sent = edge.next_bet("visit")
    bet = sent["data"]
    assert sent["clientId"] == "visitor"
    assert bet == {
        "v": 1,
        "type": "bet",
        "bet_id": card.get_attribute("data-bet"),
        "event_id": "visit",
        "market_id": "win",
        "selection_id": 1,
        "stake_minor": 1250,
        "odds_e4": 36_000,
        "price_policy": "better",
        "market_version": 2,
    }
    edge.answer("visitor", bet, "pending", selection_id=1, stake_minor=1250, odds_e4=36_000)
    pages.expect_bet(card, "Pending", "Held for the bet delay")
    edge.answer("visitor", bet, "accepted", odds_e4=37_000)
    pages.expect_bet(card, "Accepted", "Accepted at 3.70.")
    expect(page.locator("#announcer")).to_contain_text("Amber Tide: Accepted at 3.70.")
    edge.answer("visitor", bet, "settled", result="win", payout_minor=4625, settlement=1)
    pages.expect_bet(card, "Won", "46.25 paid to you")
    edge.answer("visitor", bet, "unsettled", payout_minor=4625, settlement=1)
    pages.expect_bet(card, "Accepted", "taken back")
    edge.answer("visitor", bet, "settled", result="void", payout_minor=1250, settlement=2)
    pages.expect_bet(card, "Refunded", "12.50 returned to you")
    assert faults == []


def test_a_refused_bet_says_why_and_stays_after_a_reload(edge: Backend, opened: Opened) -> None:
    edge.open_event(image("refused", 1, (35_500, 21_000)))
    page = opened("refused-guest", "refused")
    card = pages.place_bet(page, "win", 2, "5", "exact")
    bet = edge.next_bet("refused")["data"]
    assert bet["price_policy"] == "exact"
    reason = "The odds have changed. Your bet was not taken."
    edge.answer("refused-guest", bet, "rejected", code="ODDS_CHANGED", reason=reason)
    pages.expect_bet(card, "Rejected", reason)
    page.reload()
    pages.wait_live(page)
    pages.show_tab(page, "bets")
    expect(card).to_contain_text("Brass Lantern")
    pages.expect_bet(card, "Rejected", reason)
    assert len(edge.bets("refused")) == 1


def test_the_slip_keeps_the_odds_that_were_seen(edge: Backend, opened: Opened) -> None:
    edge.open_event(image("slip", 1, (35_500, 21_000)))
    page = opened("slip-guest", "slip")
    pages.fill_slip(page, "win", 1, "10")
    edge.show(image("slip", 2, (34_000, 21_000)))
    expect(page.locator("#slip-notice")).to_contain_text("fallen from 3.55 to 3.40")
    page.locator("#slip-place").click()
    assert edge.bets("slip") == []
    expect(page.locator("#slip-place")).to_have_text("Place bet of 10.00")
    edge.show(image("slip", 3, (34_500, 21_000)))
    expect(page.locator("#slip-odds")).to_have_text("3.45")
    page.locator("#slip-place").click()
    bet = edge.next_bet("slip")["data"]
    assert (bet["odds_e4"], bet["market_version"]) == (34_500, 3)


def test_a_suspended_market_takes_no_bets(edge: Backend, opened: Opened) -> None:
    edge.open_event(image("shut", 5, (35_500, 21_000)))
    page = opened("shut-guest", "shut")
    pages.fill_slip(page, "win", 1, "10")
    edge.show(image("shut", 6, (35_500, 21_000), status="SUSPENDED"))
    expect(page.locator("#slip-place")).to_be_disabled()
    expect(page.locator("#slip-place")).to_have_text("Suspended")
    page.keyboard.press("Escape")
    expect(pages.market(page, "win").locator(".cover")).to_have_text("Suspended")
    expect(pages.odds_button(page, "win", 1)).to_be_disabled()
    # An older image comes late: the market stays shut.
    edge.show(image("shut", 4, (90_000, 90_000)))
    edge.show(image("shut", 7, (35_500, 21_500), status="SUSPENDED"))
    expect(pages.odds_button(page, "win", 2)).to_contain_text("2.15")
    expect(pages.odds_button(page, "win", 1)).to_contain_text("3.55")
    expect(pages.odds_button(page, "win", 1)).to_be_disabled()
    edge.show(image("shut", 8, (35_500, 21_500)))
    expect(pages.odds_button(page, "win", 1)).to_be_enabled()
    winners = image("shut", 9, (35_500, 21_500), status="SETTLED")
    winners["selections"][0]["status"] = "WINNER"
    winners["selections"][1]["status"] = "LOSER"
    edge.show(winners)
    expect(pages.market(page, "win")).to_contain_text("Winner")
    expect(pages.odds_button(page, "win", 1)).to_be_disabled()


def test_a_pool_bet_carries_no_price_and_can_be_cancelled(edge: Backend, opened: Opened) -> None:
    edge.open_event(image("pool", 1, (35_500, 21_000), engine="pool", staked_minor=152_300))
    page = opened("pool-guest", "pool")
    expect(pages.market(page, "win")).to_contain_text("shared among the winners")
    expect(pages.market(page, "win")).to_contain_text("1,523.00")
    card = pages.place_bet(page, "win", 1, "2,50")
    bet = edge.next_bet("pool")["data"]
    assert (bet["odds_e4"], bet["stake_minor"]) == (0, 250)
    edge.answer("pool-guest", bet, "pending", odds_e4=0)
    card.get_by_role("button", name="Cancel this bet").click()
    cancel = edge.next_bet("pool", 2)["data"]
    assert cancel == {
        "v": 1,
        "type": "cancel",
        "bet_id": bet["bet_id"],
        "event_id": "pool",
        "market_id": "win",
    }
    edge.answer("pool-guest", bet, "cancelled")
    pages.expect_bet(card, "Cancelled", "not taken")


def test_a_cut_connection_heals_and_loses_no_answer(
    edge: Backend, opened: Opened, relay: Relay
) -> None:
    edge.open_event(image("cut", 1, (35_500, 21_000)))
    page = opened("cut-guest", "cut", f"http://127.0.0.1:{relay.port}")
    first = pages.place_bet(page, "win", 1, "10")
    bet = edge.next_bet("cut")["data"]
    pages.expect_bet(first, "Sent", "Waiting")
    relay.cut()
    expect(page.locator("#banner")).to_contain_text("econnecting")
    edge.answer("cut-guest", bet, "accepted", odds_e4=35_500)
    edge.show(image("cut", 2, (30_000, 21_000)))
    pages.show_tab(page, "events")
    second = pages.place_bet(page, "win", 2, "4", "any")
    pages.expect_bet(second, "Sending", "On its way")
    relay.mend()
    pages.wait_live(page)
    expect(page.locator("#banner")).to_be_hidden()
    pages.expect_bet(first, "Accepted", "Accepted at 3.55.")
    pages.expect_bet(second, "Sent", "Waiting")
    assert edge.next_bet("cut", 2)["data"]["bet_id"] == second.get_attribute("data-bet")
    pages.show_tab(page, "events")
    expect(pages.odds_button(page, "win", 1)).to_contain_text("3.00")


def test_a_bet_without_an_answer_says_so_and_is_sent_again_under_its_id(
    edge: Backend, opened: Opened
) -> None:
    edge.open_event(image("silent", 1, (35_500, 21_000)))
    page = opened("silent-guest", "silent")
    page.clock.install()  # takes effect where the page's scripts start
    page.reload()
    pages.wait_live(page)
    card = pages.place_bet(page, "win", 1, "10")
    pages.expect_bet(card, "Sent", "Waiting")
    page.clock.run_for(10_500)
    pages.expect_bet(card, "No answer yet", "it never counts twice")
    card.get_by_role("button", name="Send again").click()
    again = edge.next_bet("silent", 2)["data"]
    assert again == edge.bets("silent")[0]["data"]
    edge.answer("silent-guest", again, "accepted", odds_e4=35_500, repeated=True)
    pages.expect_bet(card, "Accepted", "3.55")


def test_names_are_text_and_never_markup(edge: Backend, opened: Opened) -> None:
    trick = "<img src=x onerror=document.title='broken'>"
    tricky = image("markup", 1, (35_500,), name=trick, event_name=f"Cup {trick}")
    tricky["selections"][0]["name"] = trick
    edge.open_event(tricky)
    page = opened("markup-guest")
    pages.open_event(page, "Cup <img")
    expect(pages.market(page, "win")).to_contain_text(trick)
    assert page.locator("img").count() == 0
    assert page.title() == "Overround"


def test_the_page_works_by_keyboard_and_the_name_can_be_changed(
    edge: Backend, opened: Opened
) -> None:
    edge.open_event(image("keys", 1, (35_500, 21_000)))
    page = opened("", "keys")
    assert re.fullmatch(r"guest-[0-9a-f]{8}", pages.client_name(page))
    page.locator("#name-button").click()
    page.locator("#name-input").fill("not a name")
    page.keyboard.press("Enter")
    expect(page.locator("#name-error")).to_contain_text("letters, digits")
    page.locator("#name-input").fill("keys-guest")
    page.keyboard.press("Enter")
    expect(page.locator("#name-text")).to_have_text("keys-guest")
    pages.wait_live(page)
    pages.odds_button(page, "win", 1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#slip-stake")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#slip-error")).to_contain_text("Enter a stake")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    assert edge.next_bet("keys")["clientId"] == "keys-guest"
