// One market as a card: odds buttons that say when they move, and an overlay while it is shut.

import { element, setText } from "./dom.js";
import { formatMoney, formatOdds } from "./format.js";
import { canBet, closedWords } from "./images.js";

const MOVE_SHOWN_MS = 4000;
const ENGINE_WORDS = {
  pool: "Pool: stakes are shared among the winners. Odds are estimates until betting closes.",
  fixed: "Fixed odds: you keep the odds at which your bet is accepted.",
};
const SELECTION_WORDS = { REMOVED: "Withdrawn", WINNER: "Winner", PLACED: "Placed", LOSER: "" };

export class MarketView {
  #onPick;
  #image = null;
  #rows = new Map();
  #name = element("h2");
  #inPlay = element("span", { class: "badge in-play", text: "In-play" });
  #settled = element("span", { class: "badge", text: "Settled" });
  #delay = element("span", { class: "small delay" });
  #words = element("p", { class: "small engine" });
  #list = element("ul", { class: "selections" });
  #cover = element("p", { class: "cover", role: "status" });
  #staked = element("p", { class: "small staked" });

  /** `onPick(marketId, selectionId)` is called when odds are tapped. */
  constructor(onPick) {
    this.#onPick = onPick;
    this.card = element(
      "article", { class: "market" },
      element(
        "header", {}, this.#name,
        element("span", { class: "badges" }, this.#delay, this.#inPlay, this.#settled),
      ),
      this.#words,
      element("div", { class: "covered" }, this.#list, this.#cover),
      this.#staked,
    );
  }

  /** Paint an image and the moves that led to it. */
  show(image, moves) {
    this.#image = image;
    const { card } = this;
    card.dataset.status = image.status;
    card.dataset.market = image.market_id;
    setText(this.#name, image.name || image.market_type || image.market_id);
    const settled = image.status === "SETTLED";
    this.#inPlay.hidden = !image.in_play || settled;
    this.#settled.hidden = !settled;
    const delayed = image.in_play && image.bet_delay_ms > 0 && image.status === "OPEN";
    setText(this.#delay, delayed ? `bets wait ${formatSeconds(image.bet_delay_ms)}` : "");
    setText(this.#words, ENGINE_WORDS[image.engine] ?? "");
    setText(this.#staked, image.engine === "pool" ? `In the pool: ${formatMoney(image.staked_minor)}` : "");
    // Once settled, the winners are to be read: nothing covers them.
    setText(this.#cover, settled ? "" : closedWords(image));
    this.#cover.hidden = image.status === "OPEN" || settled;
    for (const selection of image.selections) this.#showSelection(selection, moves);
    const present = new Set(image.selections.map((one) => one.selection_id));
    for (const [id, row] of this.#rows) {
      if (!present.has(id)) {
        row.item.remove();
        this.#rows.delete(id);
      }
    }
  }

  #showSelection(selection, moves) {
    const id = selection.selection_id;
    let row = this.#rows.get(id);
    if (!row) {
      row = this.#makeRow(id);
      this.#rows.set(id, row);
      this.#list.append(row.item);
    }
    const name = selection.name || `Selection ${id}`;
    setText(row.name, name);
    setText(row.note, SELECTION_WORDS[selection.status] ?? "");
    setText(row.odds, formatOdds(selection.odds_e4));
    row.item.dataset.status = selection.status;
    row.button.disabled = !canBet(this.#image, selection);
    const estimate = this.#image.engine === "pool" ? "estimated odds" : "odds";
    row.button.setAttribute("aria-label", `${name}, ${estimate} ${formatOdds(selection.odds_e4)}`);
    const move = moves.get(id);
    if (move) showMove(row, move);
  }

  #makeRow(id) {
    const name = element("span", { class: "selection-name" });
    const note = element("span", { class: "small" });
    const arrow = element("span", { class: "arrow", "aria-hidden": "true" });
    const odds = element("span", { class: "odds-number" });
    const button = element("button", { class: "odds", type: "button" }, arrow, odds);
    button.addEventListener("click", () => this.#onPick(this.#image.market_id, id));
    const words = element("span", { class: "selection-words" }, name, note);
    const item = element("li", { "data-selection": String(id) }, words, button);
    return { item, name, note, arrow, odds, button, timer: 0 };
  }
}

function showMove(row, move) {
  clearTimeout(row.timer);
  row.button.dataset.move = move.way;
  setText(row.arrow, move.way === "up" ? "▲" : "▼");
  // The animation starts anew when the odds move twice the same way.
  for (const animation of row.button.getAnimations()) {
    animation.cancel();
    animation.play();
  }
  row.timer = setTimeout(() => {
    delete row.button.dataset.move;
    setText(row.arrow, "");
  }, MOVE_SHOWN_MS);
}

function formatSeconds(milliseconds) {
  return `${Math.ceil(milliseconds / 1000)} s`;
}
