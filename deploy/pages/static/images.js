// Market images as they arrive on `outbound:odds:<event>`: the newest one of each market wins.
// Pure: no page, no network, the time is given.

/** A board of the markets of one event. */
export class Board {
  #markets = new Map();

  /**
   * Take an image. Returns null where it is not newer than the one shown, else
   * {image, moves}: `moves` maps a selection id to {from, to, way: "up"|"down"}.
   */
  take(image) {
    if (!isImage(image)) return null;
    const shown = this.#markets.get(image.market_id);
    if (shown && image.seq <= shown.seq) return null;
    this.#markets.set(image.market_id, image);
    return { image, moves: shown ? movesBetween(shown, image) : new Map() };
  }

  get(marketId) {
    return this.#markets.get(marketId);
  }

  get size() {
    return this.#markets.size;
  }
}

/** Whether the data has what the page shows; anything else is left alone. */
export function isImage(data) {
  return (
    typeof data === "object" && data !== null &&
    typeof data.market_id === "string" && Number.isSafeInteger(data.seq) &&
    Array.isArray(data.selections)
  );
}

/** Odds that rose or fell; odds that came or went are no move. */
export function movesBetween(before, after) {
  const old = new Map(before.selections.map((one) => [one.selection_id, one.odds_e4]));
  const moves = new Map();
  for (const { selection_id: id, odds_e4: to } of after.selections) {
    const from = old.get(id);
    if (from && to && from !== to) moves.set(id, { from, to, way: to > from ? "up" : "down" });
  }
  return moves;
}

/** Whether a bet on the selection could be taken as things are shown. */
export function canBet(image, selection) {
  if (!image || !selection) return false;
  if (image.status !== "OPEN" || selection.status !== "ACTIVE") return false;
  return image.engine === "pool" || selection.odds_e4 > 0;
}

/** What lies over a market that takes no bets; "" where it takes them. */
export function closedWords(image) {
  switch (image.status) {
    case "OPEN": return "";
    case "SUSPENDED": return "Suspended";
    case "INACTIVE": return "Not open yet";
    case "SETTLED": return "Settled";
    default: return "Closed";
  }
}
