// Integers to words: money in minor units and odds in ten-thousandths become text, and back.
// Pure; no float ever holds money or odds.

const ODDS_ONE = 10000n;
export const STAKE_MAX_MINOR = 1_000_000_000_000;
const NAME_PATTERN = /^[A-Za-z0-9_.-]{1,64}$/;

/** Odds such as 35500 as "3.55"; two to four decimals; 0 or none is a dash. */
export function formatOdds(oddsE4) {
  if (!Number.isSafeInteger(oddsE4) || oddsE4 <= 0) return "–";
  const decimals = String(oddsE4 % 10000).padStart(4, "0").replace(/0{1,2}$/, "");
  return `${Math.floor(oddsE4 / 10000)}.${decimals}`;
}

/** Minor units such as 123456 as "1,234.56". */
export function formatMoney(minor) {
  if (!Number.isSafeInteger(minor)) return "–";
  const size = Math.abs(minor);
  const units = String(Math.floor(size / 100)).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${minor < 0 ? "−" : ""}${units}.${String(size % 100).padStart(2, "0")}`;
}

/** Typed text to minor units; null where it is no valid stake. Takes "5", "5.5", "5,50". */
export function parseStake(text) {
  const match = /^\s*(\d{1,10})(?:[.,](\d{1,2}))?\s*$/.exec(text);
  if (!match) return null;
  const minor = Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
  return minor >= 1 && minor <= STAKE_MAX_MINOR ? minor : null;
}

/** What a winning stake pays at these odds, in minor units, rounded down. */
export function potentialReturn(stakeMinor, oddsE4) {
  if (!stakeMinor || !oddsE4) return 0;
  const paid = (BigInt(stakeMinor) * BigInt(oddsE4)) / ODDS_ONE;
  return paid > BigInt(Number.MAX_SAFE_INTEGER) ? Number.NaN : Number(paid);
}

/** Start of an event for people: "in 5 min", "14:30", "Sat 14:30". */
export function formatStart(startMs, nowMs, locale) {
  if (!startMs) return "";
  const minutes = Math.round((startMs - nowMs) / 60000);
  if (minutes > 0 && minutes < 60) return `in ${minutes} min`;
  const options = { hour: "2-digit", minute: "2-digit" };
  if (Math.abs(startMs - nowMs) > 12 * 3_600_000) {
    Object.assign(options, { weekday: "short", day: "numeric", month: "short" });
  }
  return new Intl.DateTimeFormat(locale, options).format(new Date(startMs));
}

/** Whether a guest may be called so. */
export function isName(text) {
  return NAME_PATTERN.test(text);
}
