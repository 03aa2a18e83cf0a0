// The bet slip, a sheet from below: stake, price policy, what it could return, and the odds the
// bettor agrees to, which never change unseen.

import { byId, element, setText } from "./dom.js";
import { formatMoney, formatOdds, parseStake, potentialReturn } from "./format.js";
import { canBet, closedWords } from "./images.js";
import { betRequest, quoteOf, requote } from "./quote.js";

const CHIPS_MINOR = [200, 500, 1000, 2000, 5000];

export class SlipView {
  #dialog = byId("slip");
  #stake = byId("slip-stake");
  #place = byId("slip-place");
  #onPlace;
  #image = null;
  #quote = null;
  #asked = null; // odds that wait for the bettor's consent

  /** `onPlace(request, names)` is called with a complete bet. */
  constructor(onPlace) {
    this.#onPlace = onPlace;
    byId("slip-close").addEventListener("click", () => this.close());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.close(); // a tap beside the sheet
    });
    byId("slip-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#stake.addEventListener("input", () => this.#paint());
    byId("slip-policies").addEventListener("change", () => this.update(this.#image));
    for (const minor of CHIPS_MINOR) {
      const chip = element("button", { type: "button", class: "chip", text: String(minor / 100) });
      chip.addEventListener("click", () => {
        this.#stake.value = formatMoney(minor).replaceAll(",", "");
        this.#paint();
      });
      byId("slip-chips").append(chip);
    }
  }

  open(image, selection) {
    this.#image = image;
    this.#quote = quoteOf(image, selection);
    this.#asked = null;
    this.#error("");
    const pool = image.engine === "pool";
    byId("slip-policies").hidden = pool;
    byId("slip-pool").hidden = !pool;
    setText(byId("slip-odds-label"), pool ? "Estimate" : "Odds");
    setText(byId("slip-return-label"), pool ? "Estimated return" : "Potential return");
    this.#paint();
    this.#dialog.showModal();
    this.#stake.focus();
    this.#stake.select();
  }

  close() {
    this.#dialog.close();
  }

  /** A newer image of the market in the slip. */
  update(image) {
    if (!this.#quote || !image || image.market_id !== this.#quote.market_id) return;
    if (image.event_id !== this.#quote.event_id) return;
    this.#image = image;
    const { quote, offered_e4: offered, ask } = requote(this.#quote, image, this.#policy());
    this.#quote = quote;
    this.#asked = ask ? offered : null;
    this.#paint();
  }

  #policy() {
    return document.querySelector("input[name=policy]:checked").value;
  }

  #selection() {
    return this.#image.selections.find((one) => one.selection_id === this.#quote.selection_id);
  }

  #names() {
    const selection = this.#selection();
    return {
      selection_name: selection?.name || `Selection ${this.#quote.selection_id}`,
      market_name: this.#image.name || this.#image.market_type || this.#image.market_id,
      event_name: this.#image.event_name || this.#image.event_id,
    };
  }

  #paint() {
    const names = this.#names();
    const selection = this.#selection();
    const pool = this.#quote.engine === "pool";
    const shown = pool ? selection?.odds_e4 ?? 0 : this.#quote.odds_e4;
    const stake = parseStake(this.#stake.value);
    const open = canBet(this.#image, selection);
    setText(byId("slip-title"), names.selection_name);
    setText(byId("slip-market"), `${names.event_name} · ${names.market_name}`);
    setText(byId("slip-odds"), formatOdds(shown));
    setText(byId("slip-return"), formatMoney(potentialReturn(stake ?? 0, shown)));
    setText(byId("slip-notice"), this.#notice(open));
    setText(this.#place, this.#placeWords(open, stake));
    this.#place.disabled = !open;
    this.#place.dataset.ask = String(open && this.#asked !== null);
    if (stake !== null || this.#stake.value === "") this.#error("");
  }

  #notice(open) {
    if (!open) return `${closedWords(this.#image) || "Not available"}: no bets are taken just now.`;
    if (this.#asked === null) return "";
    const way = this.#asked > this.#quote.odds_e4 ? "▲ risen" : "▼ fallen";
    return `Odds have ${way} from ${formatOdds(this.#quote.odds_e4)} to ${formatOdds(this.#asked)}.`;
  }

  #placeWords(open, stake) {
    if (!open) return closedWords(this.#image) || "Not available";
    if (this.#asked !== null) return `Accept odds ${formatOdds(this.#asked)}`;
    return stake === null ? "Place bet" : `Place bet of ${formatMoney(stake)}`;
  }

  #error(words) {
    setText(byId("slip-error"), words);
    this.#stake.setAttribute("aria-invalid", String(words !== ""));
  }

  #submit() {
    const selection = this.#selection();
    if (!canBet(this.#image, selection)) return;
    if (this.#asked !== null) {
      this.#quote = quoteOf(this.#image, selection);
      this.#asked = null;
      this.#paint();
      return;
    }
    const stake = parseStake(this.#stake.value);
    if (stake === null) {
      this.#error("Enter a stake such as 5 or 2.50.");
      this.#stake.focus();
      return;
    }
    const names = this.#names();
    const request = betRequest(this.#quote, crypto.randomUUID(), stake, this.#policy());
    this.close();
    this.#onPlace(request, names);
  }
}
