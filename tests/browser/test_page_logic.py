"""The page's pure modules, run by the browser itself and compared to Python's own arithmetic."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

STATIC = Path(__file__).parents[2] / "deploy/pages/static"
ORIGIN = "http://page.test"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page whose origin serves the modules from disk; no server runs."""
    context = browser.new_context()
    context.route(
        f"{ORIGIN}/**",
        lambda route: (
            route.fulfill(
                path=STATIC / route.request.url.rsplit("/", 1)[1], content_type="text/javascript"
            )
            if route.request.url.endswith(".js")
            else route.fulfill(body="<!doctype html>", content_type="text/html")
        ),
    )
    page = context.new_page()
    page.goto(f"{ORIGIN}/")
    yield page
    context.close()


def call(page: Page, module: str, script: str, argument: Any = None) -> Any:
    """Evaluate `script`, a function body with the module as `m` and the argument as `a`."""
    return page.evaluate(
        f"async (a) => {{ const m = await import('/{module}.js'); {script} }}", argument
    )


def test_odds_and_money_are_written_without_floats(page: Page) -> None:
    odds = [10_100, 20_000, 35_500, 10_001, 12_345, 12_340, 10_000_000, *range(10_000, 40_000, 777)]
    shown = call(page, "format", "return a.map(m.formatOdds)", odds)
    assert [Decimal(text) for text in shown] == [Decimal(one) / 10_000 for one in odds]
    assert shown[:4] == ["1.01", "2.00", "3.55", "1.0001"]
    assert call(page, "format", "return [0, null, 1.5].map(m.formatOdds)") == ["\u2013"] * 3
    money = [0, 1, 99, 100, 123_456, 99_999_999, 10**12, 2**53 - 1]
    shown = call(page, "format", "return a.map(m.formatMoney)", money)
    assert shown == [f"{Decimal(one) / 100:,.2f}" for one in money]
    assert call(page, "format", "return m.formatMoney(-150)") == "\u22121.50"


def test_a_stake_is_read_as_it_was_typed_or_not_at_all(page: Page) -> None:
    good = {
        "5": 500,
        " 2.5 ": 250,
        "2,50": 250,
        "0.01": 1,
        "10000000000.00": None,
        "9999999999": 999_999_999_900,
    }
    bad = ["", "0", "-1", "1.234", "1e3", "1.2.3", "abc", "1,000.00", "12345678901"]
    read = call(page, "format", "return a.map(m.parseStake)", [*good, *bad])
    assert read == [*good.values(), *[None] * len(bad)]


def test_a_return_is_rounded_down_as_the_engine_does(page: Page) -> None:
    pairs = [(1, 10_100), (333, 35_500), (1250, 36_000), (10**11, 99_999), (999, 19_999)]
    found = call(page, "format", "return a.map(([s, o]) => m.potentialReturn(s, o))", pairs)
    assert found == [stake * odds // 10_000 for stake, odds in pairs]


def test_only_a_newer_image_is_shown(page: Page) -> None:
    script = """
      const board = new m.Board();
      const image = (seq, odds_e4) =>
        ({market_id: "win", seq, selections: [{selection_id: 1, odds_e4}]});
      const taken = a.map(([seq, odds]) => board.take(image(seq, odds)));
      return [taken.map((t) => t && [...t.moves.values()].map((v) => v.way)), board.get("win").seq];
    """
    images = [
        (3, 20_000),
        (3, 30_000),
        (2, 30_000),
        (5, 21_000),
        (4, 1),
        (6, 21_000),
        (7, 0),
        (8, 9),
    ]
    taken, seq = call(page, "images", script, images)
    assert taken == [[], None, None, ["up"], None, [], [], []]
    assert seq == 8
    bad = "return [null, 1, {}, {market_id: 'x', seq: '1', selections: []}].map(m.isImage)"
    assert call(page, "images", bad) == [False] * 4


@pytest.mark.parametrize(
    ("policy", "offered", "odds_after", "ask"),
    [
        ("exact", 20_000, 20_000, False),
        ("exact", 21_000, 20_000, True),
        ("better", 21_000, 21_000, False),
        ("better", 19_000, 20_000, True),
        ("any", 19_000, 19_000, False),
        ("any", 0, 20_000, False),
    ],
)
def test_the_slip_asks_before_it_takes_other_odds(
    page: Page, policy: str, offered: int, odds_after: int, ask: bool
) -> None:
    script = """
      const image = (version, odds) => ({event_id: "e", market_id: "w", engine: "fixed", version,
        selections: [{selection_id: 1, odds_e4: odds}]});
      const before = image(1, 20000);
      const {quote, ask} = m.requote(m.quoteOf(before, before.selections[0]), image(2, a[1]), a[0]);
      return [quote.odds_e4, quote.market_version, ask];
    """
    version = 2 if odds_after == offered else 1
    assert call(page, "quote", script, [policy, offered]) == [odds_after, version, ask]


# Steps of one bet, and where they lead: ack, nack, overdue, resend, or (receipt, event_seq).
STORIES: list[tuple[list[Any], str]] = [
    (["ack"], "sent"),
    (["nack"], "failed"),
    (["nack", "resend"], "sending"),
    (["ack", "nack"], "sent"),
    ([("accepted", 1), "ack"], "accepted"),
    ([("accepted", 1), "nack"], "accepted"),
    (["ack", ("pending", 1), ("accepted", 2)], "accepted"),
    (["ack", ("pending", 1), ("rejected", 2)], "rejected"),
    (["ack", ("accepted", 2), ("pending", 1)], "accepted"),
    (["ack", ("accepted", 1), ("settled", 5), ("accepted", 1)], "settled"),
    (["ack", ("settled", 5), ("accepted", 7)], "settled"),
    (["ack", ("accepted", 1), ("settled", 5), ("unsettled", 6)], "accepted"),
    (["ack", ("accepted", 1), ("settled", 5), ("unsettled", 6), ("settled", 5)], "accepted"),
    (["ack", ("accepted", 1), ("rejected", 0)], "accepted"),
    (["ack", ("accepted", 1), ("conflict", 2)], "accepted"),
    (["ack", ("pending", 1), ("cancelled", 2), ("accepted", 1)], "cancelled"),
    (["ack", ("nonsense", 1)], "sent"),
    (["ack", "overdue", "resend"], "sending"),
    ([("accepted", 1), "overdue", "resend"], "accepted"),
]


@pytest.mark.parametrize(("steps", "status"), STORIES)
def test_a_bet_goes_from_state_to_state(page: Page, steps: list[Any], status: str) -> None:
    script = """
      let bet = m.newBet({bet_id: "b", stake_minor: 100, odds_e4: 20000}, {}, 0);
      for (const step of a) {
        if (step === "ack") bet = m.onAck(bet);
        else if (step === "nack") bet = m.onNack(bet, {code: 42911});
        else if (step === "overdue") bet = m.onOverdue(bet);
        else if (step === "resend") bet = m.onResend(bet);
        else bet = m.onReceipt(bet, step[0], {event_seq: step[1]});
      }
      return [bet.status, bet.overdue, m.statusWord(bet), m.statusSentence(bet)];
    """
    found, overdue, word, sentence = call(page, "bets", script, steps)
    assert (found, overdue) == (status, False)
    assert word
    assert sentence


def test_the_refusal_of_a_second_copy_does_not_deny_the_first(page: Page) -> None:
    script = """
      let bet = m.newBet({bet_id: "b", stake_minor: 100, odds_e4: 20000}, {}, 0);
      bet = m.onNack(m.onResend(m.onOverdue(bet)), {code: 42910});
      const doubt = [m.statusWord(bet), m.statusSentence(bet)];
      return [doubt, m.onReceipt(bet, "accepted", {event_seq: 1}).status];
    """
    (word, sentence), then = call(page, "bets", script)
    assert word == "No answer yet"
    assert "never counts twice" in sentence
    assert then == "accepted"


def test_a_busy_edge_is_told_apart_from_a_lost_link(page: Page) -> None:
    errors = [{"code": 42911}, {"statusCode": 503, "code": 50000}, {"code": 40160, "message": "No"}]
    words = call(page, "bets", "return a.map(m.nackWords)", errors)
    assert "busy" in words[0]
    assert "busy" in words[1]
    assert words[2] == "Your bet was not taken (No)."
    links = [{"code": 80003}, {"code": 80000}, {"code": 42911}, {"code": 40160}, {}]
    assert call(page, "bets", "return a.map(m.isLinkFault)", links) == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_only_what_is_open_and_not_long_forgotten_is_asked_again(page: Page) -> None:
    script = """
      const bet = (status, placed_ms, request = {}) => ({status, placed_ms, request});
      return [bet("accepted", 0), bet("sent", 0), bet("sent", 9e6), bet("rejected", 9e6),
        bet("settled", 9e6), bet("pending", 0, null)].map((b) => m.shouldAskAgain(b, 9e6 + 1000));
    """
    assert call(page, "bets", script) == [True, False, True, False, False, False]
