// The list of open events, from `outbound:events`. One line an event, its markets beneath.

import { byId, element, setText } from "./dom.js";
import { formatStart } from "./format.js";

const STATUS_WORDS = {
  OPEN: "Open", SUSPENDED: "Suspended", INACTIVE: "Soon", CLOSED: "Closed", SETTLED: "Settled",
};
const RANK = { OPEN: 0, SUSPENDED: 1, INACTIVE: 2, CLOSED: 3, SETTLED: 4 };
export const EVENTS_SHOWN = 200;

export class EventsView {
  #events = new Map(); // event id -> {name, start_ms, markets: Map, row}
  #list = byId("events");

  /** Take one market's line of news. */
  take(data) {
    if (typeof data?.event_id !== "string" || typeof data.market_id !== "string") return;
    let event = this.#events.get(data.event_id);
    if (!event) {
      if (this.#events.size >= EVENTS_SHOWN) return;
      event = { name: "", start_ms: 0, markets: new Map(), row: makeRow(data.event_id) };
      this.#events.set(data.event_id, event);
    }
    event.name = data.event_name || data.event_id;
    event.start_ms = data.start_ms ?? event.start_ms;
    event.markets.set(data.market_id, data);
    this.#paint(event);
    this.#order();
    byId("events-empty").hidden = true;
  }

  nameOf(eventId) {
    return this.#events.get(eventId)?.name ?? eventId;
  }

  marketName(eventId, marketId) {
    const market = this.#events.get(eventId)?.markets.get(marketId);
    return market?.name || market?.market_type || marketId;
  }

  /** Start times are relative, so they are painted anew now and then. */
  refresh() {
    for (const event of this.#events.values()) this.#paint(event);
  }

  #paint(event) {
    const markets = [...event.markets.values()];
    const best = markets.reduce((a, b) => (rank(b) < rank(a) ? b : a));
    const { row } = event;
    const { length } = markets;
    setText(row.name, event.name);
    setText(row.detail, [
      length === 1 ? best.name || best.market_type || "1 market" : `${length} markets`,
      formatStart(event.start_ms, Date.now()),
    ].filter(Boolean).join(" · "));
    setText(row.status, STATUS_WORDS[best.status] ?? "");
    row.status.dataset.status = best.status;
    row.inPlay.hidden = !markets.some((one) => one.in_play && rank(one) < 2);
    row.item.dataset.over = String(rank(best) >= 3);
  }

  #order() {
    const sorted = [...this.#events.values()].sort(
      (a, b) => eventRank(a) - eventRank(b) || a.start_ms - b.start_ms || a.name.localeCompare(b.name),
    );
    // Rows move only where the order changed, so that the focus stays where it is.
    sorted.forEach((event, place) => {
      if (this.#list.children[place] !== event.row.item) {
        this.#list.insertBefore(event.row.item, this.#list.children[place] ?? null);
      }
    });
  }
}

function rank(market) {
  return RANK[market.status] ?? 3;
}

function eventRank(event) {
  return Math.min(...[...event.markets.values()].map(rank)) >= 3 ? 1 : 0;
}

function makeRow(eventId) {
  const name = element("span", { class: "event-name" });
  const detail = element("span", { class: "small" });
  const inPlay = element("span", { class: "badge in-play", text: "In-play" });
  const status = element("span", { class: "badge status" });
  const words = element("span", { class: "event-words" }, name, detail);
  const badges = element("span", { class: "badges" }, inPlay, status);
  const href = `#event/${encodeURIComponent(eventId)}`;
  const item = element("li", {}, element("a", { class: "event", href }, words, badges));
  return { item, name, detail, inPlay, status };
}
