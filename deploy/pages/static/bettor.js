// The bettor page: puts the connection, the views and the bet desk together.

import { BetDesk } from "./bet_desk.js";
import { BetsView } from "./bets_view.js";
import { Connection } from "./connection.js";
import { byId, setText } from "./dom.js";
import { EventsView } from "./events_view.js";
import { isName } from "./format.js";
import { Board } from "./images.js";
import { MarketView } from "./market_view.js";
import { offerNotifications } from "./notify_view.js";
import { SlipView } from "./slip_view.js";
import { loadName, saveName } from "./storage.js";

const REFRESH_MS = 30_000;
const LINK_WORDS = {
  initialized: ["Connecting", ""],
  connecting: ["Connecting", ""],
  connected: ["Live", ""],
  disconnected: ["Offline", "Reconnecting… Odds may be out of date."],
  suspended: ["Offline", "Still reconnecting… Odds may be out of date."],
  closing: ["Closed", ""],
  closed: ["Closed", "The connection is closed. Reload the page to go on."],
  failed: ["Offline", "The connection was refused. Reload the page to try again."],
};

const name = loadName();
const events = new EventsView();
let board = new Board();
let views = new Map();
let eventId = "";
let connection = null;
let desk = null;

const slip = new SlipView((request, names) => {
  desk?.place(request, names);
  showBets();
});
const bets = new BetsView({
  cancel: (betId) => desk?.cancel(betId),
  resend: (betId) => desk?.resend(betId),
});

function announce(words) {
  setText(byId("announcer"), words);
}

function namesOf(data) {
  const image = data.event_id === eventId ? board.get(data.market_id) : undefined;
  const selection = image?.selections.find((one) => one.selection_id === data.selection_id);
  const id = data.selection_id;
  return {
    selection_name: selection?.name || (id === undefined ? "Bet" : `Selection ${id}`),
    market_name: events.marketName(data.event_id, data.market_id),
    event_name: events.nameOf(data.event_id),
  };
}

let wasConnected = false;

function showLink(state, reason) {
  const reconnecting = wasConnected && state === "connecting";
  const [word, banner] = LINK_WORDS[reconnecting ? "disconnected" : state] ?? [state, ""];
  byId("link-state").dataset.state = state;
  setText(byId("link-word"), word);
  const words = state === "failed" && reason ? `${banner} (${reason.message})` : banner;
  setText(byId("banner"), words);
  byId("banner").hidden = words === "";
  document.body.dataset.link = state;
  if (state !== "connected") return;
  if (wasConnected) desk?.reconnected();
  wasConnected = true;
}

function takeImage(image) {
  if (image.event_id !== eventId) return;
  const taken = board.take(image);
  if (!taken) return;
  let view = views.get(image.market_id);
  if (!view) {
    view = new MarketView(pick);
    views.set(image.market_id, view);
    byId("markets").append(view.card);
  }
  view.show(taken.image, taken.moves);
  slip.update(taken.image);
  byId("markets-empty").hidden = true;
  if (image.event_name) setText(byId("event-title"), image.event_name);
}

function pick(marketId, selectionId) {
  const image = board.get(marketId);
  const selection = image?.selections.find((one) => one.selection_id === selectionId);
  if (selection) slip.open(image, selection);
}

function showPlace() {
  const match = /^#event\/(.+)$/.exec(location.hash);
  const wanted = match ? decodeOrNothing(match[1]) : "";
  byId("events-view").hidden = wanted !== "";
  byId("event-view").hidden = wanted === "";
  showTab("events");
  if (wanted === eventId) return;
  eventId = wanted;
  board = new Board();
  views = new Map();
  byId("markets").replaceChildren();
  byId("markets-empty").hidden = false;
  slip.close();
  if (!wanted) {
    connection?.leaveOdds();
    return;
  }
  setText(byId("event-title"), events.nameOf(wanted));
  connection?.watchOdds(wanted, takeImage);
  window.scrollTo(0, 0);
}

function decodeOrNothing(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // a damaged address leads to the list
  }
}

function showTab(tab) {
  document.body.dataset.tab = tab;
  byId("tab-events").setAttribute("aria-pressed", String(tab === "events"));
  byId("tab-bets").setAttribute("aria-pressed", String(tab === "bets"));
}

function showBets() {
  showTab("bets");
  window.scrollTo(0, 0);
}

function setUpName() {
  const dialog = byId("name-dialog");
  const input = byId("name-input");
  setText(byId("name-text"), name);
  byId("name-button").addEventListener("click", () => {
    input.value = name;
    setText(byId("name-error"), "");
    dialog.showModal();
    input.select();
  });
  byId("name-cancel").addEventListener("click", () => dialog.close());
  byId("name-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isName(input.value)) {
      setText(byId("name-error"), "Use 1 to 64 letters, digits, dots, hyphens or underscores.");
      return;
    }
    saveName(input.value);
    location.reload(); // another name is another identity: everything starts anew
  });
}

function start() {
  setUpName();
  byId("tab-events").addEventListener("click", () => showTab("events"));
  byId("tab-bets").addEventListener("click", showBets);
  window.addEventListener("hashchange", showPlace);
  if (!globalThis.Ably) {
    setText(byId("banner"), "The page's scripts are missing. Run `make pages` on the server.");
    byId("banner").hidden = false;
    return;
  }
  const plugin = globalThis.AblyPushPlugin;
  connection = new Connection(globalThis.Ably, name, location, plugin);
  if (plugin) offerNotifications(() => connection.activatePush());
  desk = new BetDesk({ name, connection, view: bets, announce, namesOf });
  connection.onEvents((data) => events.take(data));
  connection.onState(showLink);
  setInterval(() => events.refresh(), REFRESH_MS);
  showPlace();
}

start();
