// What became of each bet: a state machine fed by acknowledgements and receipts. Pure.
//
//   sending --ack--> sent --pending--> pending --accepted--> accepted --settled--> settled
//      |               \--accepted / rejected--/  \--rejected, cancelled     ^--unsettled--/
//      \--nack--> failed (the bet was not taken)
//
// Receipts may come twice, or before the acknowledgement. `event_seq` rises with every decision
// on an event, so a receipt that is not newer than the last one of its bet changes nothing.

import { formatMoney, formatOdds } from "./format.js";

const TAKEN = new Set(["accepted", "settled", "cancelled"]);
const UNANSWERED = new Set(["sending", "sent"]);
const RECEIPTS = new Set([
  "accepted", "pending", "rejected", "cancelled", "settled",
  "unsettled", "cancel_rejected", "conflict",
]);
const ASK_AGAIN_MS = 10 * 60_000;

/** A bet that was just placed; `names` are words for people. */
export function newBet(request, names, nowMs) {
  return {
    bet_id: request.bet_id, request, ...names, placed_ms: nowMs, status: "sending",
    stake_minor: request.stake_minor, odds_e4: request.odds_e4, event_seq: 0,
    overdue: false, note: "", code: "", result: "", payout_minor: null, in_doubt: false,
  };
}

/** A bet that this page learns of from a receipt, as it was placed elsewhere. */
export function betFromReceipt(name, data, names) {
  const bare = {
    bet_id: data.bet_id, request: null, ...names, placed_ms: data.at_ms ?? 0, status: "sent",
    stake_minor: data.stake_minor ?? null, odds_e4: data.odds_e4 ?? 0, event_seq: 0,
    overdue: false, note: "", code: "", result: "", payout_minor: null,
  };
  return onReceipt(bare, name, data);
}

/** The edge has the bet; the engine has not answered. */
export function onAck(bet) {
  return bet.status === "sending" ? { ...bet, status: "sent" } : bet;
}

/**
 * The edge refused the message: the engine never saw the bet. Where an earlier copy may have
 * arrived, the refusal of a later one says nothing about it.
 */
export function onNack(bet, error) {
  if (bet.status !== "sending") return bet;
  if (bet.in_doubt) return { ...bet, status: "sent", overdue: true };
  return { ...bet, status: "failed", overdue: false, note: nackWords(error) };
}

/** No answer came in time. */
export function onOverdue(bet) {
  return UNANSWERED.has(bet.status) ? { ...bet, overdue: true } : bet;
}

/** The same bet goes out again. */
export function onResend(bet) {
  if (bet.status === "failed") return { ...bet, status: "sending", overdue: false, note: "" };
  return UNANSWERED.has(bet.status)
    ? { ...bet, status: "sending", overdue: false, note: "", in_doubt: true }
    : bet;
}

/** A receipt from `outbound:bets:<name>`. */
export function onReceipt(bet, name, data) {
  if (!RECEIPTS.has(name)) return bet;
  const seq = data.event_seq ?? 0;
  if (seq > 0 && seq <= bet.event_seq) return bet;
  const seen = { ...bet, event_seq: Math.max(seq, bet.event_seq), overdue: false };
  const reason = data.reason || data.code || "";
  switch (name) {
    case "pending":
      return TAKEN.has(bet.status) || bet.status === "rejected"
        ? seen
        : { ...seen, status: "pending", due_ms: data.due_ms ?? null, note: "" };
    case "accepted":
      if (bet.status === "settled" || bet.status === "cancelled") return seen;
      return { ...seen, status: "accepted", odds_e4: data.odds_e4 ?? bet.odds_e4, note: "", code: "" };
    case "rejected":
      if (TAKEN.has(bet.status)) return seen;
      return { ...seen, status: "rejected", code: data.code ?? "", note: reason };
    case "cancelled":
      return { ...seen, status: "cancelled", note: "" };
    case "settled":
      return {
        ...seen, status: "settled", result: data.result ?? "", note: data.reason ?? "",
        payout_minor: data.payout_minor ?? (data.repeated ? bet.payout_minor : null),
      };
    case "unsettled":
      return {
        ...seen, status: "accepted", result: "", payout_minor: null,
        note: "The result was taken back. The bet is open again.",
      };
    default: // cancel_rejected, conflict: the bet stands as it is
      return { ...seen, note: reason };
  }
}

/** Why the edge did not take the message, in words. */
export function nackWords(error) {
  const code = error?.code ?? 0;
  if (code === 42910 || code === 42911 || error?.statusCode === 429 || error?.statusCode === 503) {
    return "The system is busy: your bet was not taken. Try again in a moment.";
  }
  const why = error?.message ? ` (${error.message})` : "";
  return `Your bet was not taken${why}.`;
}

/** Whether a failed publish is the link's fault, so that the bet may or may not have arrived. */
export function isLinkFault(error) {
  const code = error?.code ?? 0;
  return (code >= 80000 && code < 81000) || code === 50003;
}

/** Whether the bet's present state should be asked for after a gap, by sending it again. */
export function shouldAskAgain(bet, nowMs) {
  if (!bet.request) return false;
  if (bet.status === "pending" || bet.status === "accepted") return true;
  // An unanswered bet might be taken anew: not when the bettor has long forgotten it.
  return UNANSWERED.has(bet.status) && nowMs - bet.placed_ms < ASK_AGAIN_MS;
}

/** Whether an answer or a result is still to come. */
export function isOpen(bet) {
  return UNANSWERED.has(bet.status) || bet.status === "pending" || bet.status === "accepted";
}

/** Short word for the bet's badge. */
export function statusWord(bet) {
  if (bet.status === "settled") {
    return { win: "Won", loss: "Lost", void: "Refunded" }[bet.result] ?? "Settled";
  }
  if (bet.overdue) return "No answer yet";
  return {
    sending: "Sending", sent: "Sent", pending: "Pending", accepted: "Accepted",
    rejected: "Rejected", cancelled: "Cancelled", failed: "Not taken",
  }[bet.status];
}

/** The sentence under a bet, also read aloud. */
export function statusSentence(bet) {
  const money = bet.payout_minor === null ? "" : formatMoney(bet.payout_minor);
  if (bet.overdue) {
    return "No answer came yet. Sending the same bet again is safe: it never counts twice.";
  }
  switch (bet.status) {
    case "sending": return "On its way…";
    case "sent": return "Received. Waiting for the answer…";
    case "pending": return bet.note || "Held for the bet delay, then checked again.";
    case "accepted": {
      if (bet.note) return bet.note;
      return bet.odds_e4 ? `Accepted at ${formatOdds(bet.odds_e4)}.` : "Accepted into the pool.";
    }
    case "rejected": return bet.note || "The bet was refused.";
    case "cancelled": return "Cancelled. Your stake was not taken.";
    case "failed": return bet.note;
    case "settled":
      if (bet.result === "win") return money ? `Won: ${money} paid to you.` : "Won.";
      if (bet.result === "loss") return "Lost.";
      if (bet.result === "void") return money ? `Refunded: ${money} returned to you.` : "Refunded.";
      return "Settled.";
    default: return "";
  }
}

/** How a bet's card is coloured; the word says the same. */
export function tone(bet) {
  if (bet.status === "settled") return { win: "good", loss: "flat", void: "wait" }[bet.result] ?? "flat";
  if (bet.status === "accepted") return "good";
  if (bet.status === "rejected" || bet.status === "failed") return "bad";
  return bet.status === "cancelled" ? "flat" : "wait";
}
