// "My bets": one card a bet, newest first, changed in place as answers arrive.

import { statusSentence, statusWord, tone } from "./bets.js";
import { byId, element, setText } from "./dom.js";
import { formatMoney, formatOdds } from "./format.js";

export class BetsView {
  #list = byId("bets");
  #cards = new Map();
  #actions;

  /** `actions` {cancel(betId), resend(betId)} are called by the cards' buttons. */
  constructor(actions) {
    this.#actions = actions;
  }

  /** Paint one bet; a new one comes first. */
  show(bet) {
    let card = this.#cards.get(bet.bet_id);
    if (!card) {
      card = this.#makeCard(bet.bet_id);
      this.#cards.set(bet.bet_id, card);
      this.#list.prepend(card.item);
    }
    card.item.dataset.tone = tone(bet);
    card.item.dataset.status = bet.status;
    setText(card.selection, bet.selection_name);
    setText(card.place, [bet.event_name, bet.market_name].filter(Boolean).join(" · "));
    setText(card.badge, statusWord(bet));
    const odds = bet.odds_e4 ? ` at ${formatOdds(bet.odds_e4)}` : "";
    setText(card.stake, bet.stake_minor === null ? "" : `Stake ${formatMoney(bet.stake_minor)}${odds}`);
    setText(card.sentence, statusSentence(bet));
    card.cancel.hidden = bet.status !== "pending";
    card.resend.hidden = !(bet.request && (bet.overdue || bet.status === "failed"));
    byId("bets-empty").hidden = true;
  }

  remove(betId) {
    this.#cards.get(betId)?.item.remove();
    this.#cards.delete(betId);
  }

  /** How many bets wait for an answer or a result. */
  count(open) {
    setText(byId("bets-count"), open ? String(open) : "");
  }

  #makeCard(betId) {
    const selection = element("strong", { class: "bet-selection" });
    const badge = element("span", { class: "badge bet-status" });
    const place = element("p", { class: "small" });
    const stake = element("p", { class: "bet-stake" });
    const sentence = element("p", { class: "bet-sentence" });
    const cancel = element("button", { type: "button", class: "quiet", text: "Cancel this bet" });
    const resend = element("button", { type: "button", class: "quiet", text: "Send again" });
    cancel.hidden = resend.hidden = true;
    cancel.addEventListener("click", () => this.#actions.cancel(betId));
    resend.addEventListener("click", () => this.#actions.resend(betId));
    const item = element(
      "li", { class: "bet", "data-bet": betId },
      element("div", { class: "bet-head" }, selection, badge),
      place, stake, sentence, element("div", { class: "bet-actions" }, cancel, resend),
    );
    return { item, selection, badge, place, stake, sentence, cancel, resend };
  }
}
