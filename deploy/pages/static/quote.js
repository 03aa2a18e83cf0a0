// The price in the bet slip: it stays what the bettor saw until they agree to another. Pure.

/** What a bet slip holds when odds are tapped. */
export function quoteOf(image, selection) {
  return {
    event_id: image.event_id,
    market_id: image.market_id,
    selection_id: selection.selection_id,
    engine: image.engine,
    odds_e4: image.engine === "pool" ? 0 : selection.odds_e4,
    market_version: image.version,
  };
}

/**
 * What a newer image does to the quote under a price policy. Returns {quote, offered_e4, ask}:
 * `ask` is true where the bettor must first agree to `offered_e4`. Where the policy allows the new
 * odds, or they are the same, the quote takes them over silently.
 */
export function requote(quote, image, policy) {
  const selection = image.selections.find((one) => one.selection_id === quote.selection_id);
  const current = quoteOf(image, selection ?? { selection_id: quote.selection_id, odds_e4: 0 });
  const offered = current.odds_e4;
  const fine =
    quote.engine === "pool" || offered === quote.odds_e4 ||
    (policy === "any" && offered > 0) || (policy === "better" && offered > quote.odds_e4);
  return { quote: fine ? current : quote, offered_e4: offered, ask: !fine && offered > 0 };
}

/** The bet as it goes over the wire, see docs/messages.md. */
export function betRequest(quote, betId, stakeMinor, policy) {
  return {
    v: 1,
    type: "bet",
    bet_id: betId,
    event_id: quote.event_id,
    market_id: quote.market_id,
    selection_id: quote.selection_id,
    stake_minor: stakeMinor,
    odds_e4: quote.engine === "pool" ? 0 : quote.odds_e4,
    price_policy: quote.engine === "pool" ? "any" : policy,
    market_version: quote.market_version,
  };
}
