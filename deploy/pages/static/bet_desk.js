// Places bets and keeps them: sends, waits for the acknowledgement and the receipt, sends the same
// bet id again after a gap (the engine answers a repeat with the answer it gave), and remembers.

import {
  betFromReceipt, isLinkFault, isOpen, newBet, onAck, onNack, onOverdue, onReceipt, onResend,
  shouldAskAgain, statusSentence,
} from "./bets.js";
import { BETS_KEPT, loadBets, saveBets } from "./storage.js";

const ANSWER_DUE_MS = 10_000;
const ASK_AFTER_MS = 1500; // what the channel replays comes first
const ASKED_AT_ONCE_MAX = 20;

export class BetDesk {
  #bets = new Map(); // newest first when listed: the map holds them oldest first
  #name;
  #connection;
  #view;
  #announce;
  #namesOf;
  #timers = new Map();
  #gapTimer = 0;

  constructor({ name, connection, view, announce, namesOf }) {
    this.#name = name;
    this.#connection = connection;
    this.#view = view;
    this.#announce = announce;
    this.#namesOf = namesOf;
    for (const bet of loadBets(name).reverse()) this.#keep(onOverdue(bet));
    connection.onAnswers((kind, data) => this.#answer(kind, data), () => this.#gap());
  }

  place(request, names) {
    this.#keep(newBet(request, names, Date.now()));
    this.#send(request.bet_id);
  }

  resend(betId) {
    const bet = this.#bets.get(betId);
    if (!bet?.request) return;
    this.#keep(onResend(bet));
    this.#send(betId);
  }

  async cancel(betId) {
    const bet = this.#bets.get(betId);
    if (!bet?.request) return;
    const { event_id, market_id } = bet.request;
    try {
      await this.#connection.send({ v: 1, type: "cancel", bet_id: betId, event_id, market_id });
      this.#announce("Asked to cancel the bet.");
    } catch (error) {
      this.#announce(`The bet could not be cancelled: ${error.message}`);
    }
  }

  /** The link is back: what is overdue goes out again, under the same id. */
  reconnected() {
    const now = Date.now();
    for (const bet of [...this.#bets.values()]) {
      if (bet.overdue && shouldAskAgain(bet, now)) this.resend(bet.bet_id);
    }
  }

  async #send(betId) {
    const { request } = this.#bets.get(betId);
    clearTimeout(this.#timers.get(betId));
    this.#timers.set(betId, setTimeout(() => this.#change(betId, onOverdue), ANSWER_DUE_MS));
    try {
      await this.#connection.send(request);
      this.#change(betId, onAck);
    } catch (error) {
      const change = isLinkFault(error) ? onOverdue : (bet) => onNack(bet, error);
      this.#change(betId, change, true);
    }
  }

  #answer(kind, data) {
    if (kind === "refused") {
      this.#announce(`A request was refused: ${data.reason || data.code}`);
      return;
    }
    if (typeof data?.bet_id !== "string" || data.bet_id === "") return;
    const bet = this.#bets.get(data.bet_id);
    if (bet) {
      this.#change(data.bet_id, (known) => onReceipt(known, kind, data), true);
    } else if (kind !== "cancel_rejected" && kind !== "conflict") {
      this.#keep(betFromReceipt(kind, data, this.#namesOf(data)));
    }
  }

  #gap() {
    clearTimeout(this.#gapTimer);
    this.#gapTimer = setTimeout(() => {
      const now = Date.now();
      const open = [...this.#bets.values()].filter((bet) => shouldAskAgain(bet, now));
      for (const bet of open.slice(-ASKED_AT_ONCE_MAX)) {
        if (!bet.overdue && now - bet.placed_ms < ANSWER_DUE_MS) continue; // its answer is to come
        if (bet.status === "sending" || bet.status === "sent") this.resend(bet.bet_id);
        else this.#connection.send(bet.request).catch((error) => this.#notAsked(error));
      }
    }, ASK_AFTER_MS);
  }

  #notAsked(error) {
    console.warn("overround: a bet's state could not be asked for:", error.message);
  }

  #change(betId, step, aloud = false) {
    const before = this.#bets.get(betId);
    if (!before) return;
    const after = step(before);
    if (after === before) return;
    this.#keep(after);
    if (aloud && statusSentence(after) !== statusSentence(before)) {
      this.#announce(`${after.selection_name}: ${statusSentence(after)}`);
    }
  }

  #keep(bet) {
    this.#bets.set(bet.bet_id, bet);
    if (this.#bets.size > BETS_KEPT) {
      const [oldest] = this.#bets.keys();
      this.#bets.delete(oldest);
      this.#view.remove(oldest);
    }
    if (bet.status !== "sending" && bet.status !== "sent") {
      clearTimeout(this.#timers.get(bet.bet_id));
      this.#timers.delete(bet.bet_id);
    }
    this.#view.show(bet);
    const all = [...this.#bets.values()];
    this.#view.count(all.filter(isOpen).length);
    saveBets(this.#name, all.reverse());
  }
}
