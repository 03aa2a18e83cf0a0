// What the browser keeps between visits: the guest's name and their last bets. A browser that
// keeps nothing (private mode, full disk) loses comfort, not bets: the engine has them.

import { isName } from "./format.js";

const NAME_KEY = "overround.name";
const BETS_KEY = "overround.bets.";
export const BETS_KEPT = 50;

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch (error) {
    console.warn("overround: the browser keeps nothing:", error.name);
  }
}

/** The guest's name; a random one at the first visit. */
export function loadName() {
  const kept = read(NAME_KEY);
  if (kept && isName(kept)) return kept;
  const made = `guest-${crypto.randomUUID().slice(0, 8)}`;
  write(NAME_KEY, made);
  return made;
}

export function saveName(name) {
  write(NAME_KEY, name);
}

/** The last bets of this name, newest first. */
export function loadBets(name) {
  try {
    const kept = JSON.parse(read(BETS_KEY + name) ?? "[]");
    return Array.isArray(kept) ? kept.filter((bet) => typeof bet?.bet_id === "string") : [];
  } catch {
    return []; // not ours, or cut off: start afresh
  }
}

export function saveBets(name, bets) {
  write(BETS_KEY + name, JSON.stringify(bets.slice(0, BETS_KEPT)));
}
