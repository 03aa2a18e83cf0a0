"""What a bettor does on the page, as functions; shared by all browser tests."""

from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
PHONE: ViewportSize = {"width": 390, "height": 844}
TIMEOUT_MS = 10_000


def open_page(
    browser: Browser,
    base_url: str,
    name: str = "",
    event_id: str = "",
    faults: list[str] | None = None,
) -> Page:
    """Open the bettor page on a phone as a guest, on an event or the list, and wait until live.

    `faults` gathers what the page logs as errors. Close `page.context` when done.
    """
    context = browser.new_context(viewport=PHONE)
    context.set_default_timeout(TIMEOUT_MS)
    if name:
        context.add_init_script(
            f"localStorage.getItem('overround.name') || "
            f"localStorage.setItem('overround.name', '{name}')"
        )
    page = context.new_page()
    if faults is not None:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    place = f"#event/{quote(event_id, safe='')}" if event_id else ""
    page.goto(f"{base_url}/pages/{place}")
    wait_live(page)
    return page


def wait_live(page: Page) -> None:
    """Wait until the page says that it is connected."""
    expect(page.locator("#link-word")).to_have_text("Live", timeout=TIMEOUT_MS)


def client_name(page: Page) -> str:
    """The guest name under which the page bets."""
    return page.locator("#name-text").inner_text()


def open_event(page: Page, event_name: str) -> None:
    """Tap an event in the list."""
    page.locator("#events .event", has_text=event_name).first.click()


def market(page: Page, market_id: str) -> Locator:
    """The card of a market."""
    return page.locator(f'.market[data-market="{market_id}"]')


def odds_button(page: Page, market_id: str, selection_id: int) -> Locator:
    """The odds button of a selection."""
    return market(page, market_id).locator(f'[data-selection="{selection_id}"] .odds')


def fill_slip(
    page: Page, market_id: str, selection_id: int, stake: str, policy: str = "better"
) -> None:
    """Tap odds and fill the bet slip; `policy` exact, better or any (ignored by pools)."""
    odds_button(page, market_id, selection_id).click()
    page.locator("#slip-stake").fill(stake)
    choice = page.locator(f'input[name=policy][value="{policy}"]')
    if choice.is_visible():
        choice.check()


def place_bet(
    page: Page, market_id: str, selection_id: int, stake: str, policy: str = "better"
) -> Locator:
    """Place a bet and return its card in "My bets"; the page shows that tab afterwards."""
    fill_slip(page, market_id, selection_id, stake, policy)
    page.locator("#slip-place").click()
    return newest_bet(page)


def newest_bet(page: Page) -> Locator:
    """The card of the bet that was placed last, wherever newer ones go later."""
    bet_id = page.locator("#bets .bet").first.get_attribute("data-bet")
    return page.locator(f'.bet[data-bet="{bet_id}"]')


def show_tab(page: Page, tab: str) -> None:
    """Tap a tab of the phone's bar: events or bets."""
    page.locator(f"#tab-{tab}").click()


def expect_bet(card: Locator, badge: str, sentence: str) -> None:
    """Wait until a bet's card shows this badge and this sentence (a part of it)."""
    expect(card.locator(".bet-status")).to_have_text(badge, timeout=TIMEOUT_MS)
    expect(card.locator(".bet-sentence")).to_contain_text(sentence)
