// The one link to the system: an unmodified ably-js client against the origin of this page.
// Channels: outbound:events, outbound:odds:<event>, outbound:bets:<name>, inbound:bets:<event>.

import { activatePush, pushOptions } from "./push.js";

const RETRY_MS = 2000;
const EVENTS_REWIND = "100";
const ODDS_REWIND = "50";
const BETS_REWIND = "2m";

/** Options of ably-js for a page served by the edge itself. */
function clientOptions(name, place) {
  const secure = place.protocol === "https:";
  const port = Number(place.port) || (secure ? 443 : 80);
  // A host without a dot would be taken for the name of an Ably routing policy.
  const named = /[.:]/.test(place.hostname) || place.hostname === "localhost";
  const host = named
    ? { endpoint: place.hostname }
    : { restHost: place.hostname, realtimeHost: place.hostname };
  return {
    ...host,
    authUrl: `${place.origin}/overround/token?client_id=${encodeURIComponent(name)}`,
    clientId: name,
    tls: secure,
    port,
    tlsPort: port,
    transports: ["web_socket"],
    disableConnectivityCheck: true,
    webSocketSlowTimeout: 60_000, // no probe of hosts on the internet
    disconnectedRetryTimeout: RETRY_MS,
    suspendedRetryTimeout: RETRY_MS * 2,
  };
}

/** Message data as an object; text that is JSON is read as such. */
function dataOf(message) {
  if (typeof message.data !== "string") return message.data ?? {};
  try {
    return JSON.parse(message.data);
  } catch {
    return {};
  }
}

export class Connection {
  #ably;
  #name;
  #oddsChannel = null;

  /** `Ably` is the library's global object, `PushPlugin` that of its push plugin, if it is there. */
  constructor(Ably, name, place, PushPlugin) {
    this.#name = name;
    const push = PushPlugin ? pushOptions(PushPlugin) : {};
    this.#ably = new Ably.Realtime({ ...clientOptions(name, place), ...push });
  }

  /** Register this browser for pushes to the bettor; rejects with the reason. */
  activatePush() {
    return activatePush(this.#ably);
  }

  /** Calls back with (state, reason) now and at every change. */
  onState(listener) {
    const { connection } = this.#ably;
    listener(connection.state, null);
    connection.on((change) => {
      if (change.event !== "update") listener(change.current, change.reason ?? null);
    });
  }

  /** Open events and markets: calls back with each one's data. */
  onEvents(listener) {
    const channel = this.#ably.channels.get("outbound:events", { params: { rewind: EVENTS_REWIND } });
    subscribe(channel, (message) => {
      if (message.name === "event") listener(dataOf(message));
    });
  }

  /** Odds of one event; the event watched before is let go. */
  watchOdds(eventId, listener) {
    this.leaveOdds();
    const name = `outbound:odds:${eventId}`;
    const channel = this.#ably.channels.get(name, { params: { rewind: ODDS_REWIND } });
    this.#oddsChannel = channel;
    subscribe(channel, (message) => {
      if (message.name === "odds" && this.#oddsChannel === channel) listener(dataOf(message));
    });
  }

  leaveOdds() {
    const channel = this.#oddsChannel;
    this.#oddsChannel = null;
    if (!channel) return;
    channel.unsubscribe();
    channel.detach().catch((error) => console.warn("overround: detach:", error.message));
  }

  /** Answers to this bettor: `onAnswer(name, data)`; `onGap()` where some may have been missed. */
  onAnswers(onAnswer, onGap) {
    const channel = this.#ably.channels.get(`outbound:bets:${this.#name}`, {
      params: { rewind: BETS_REWIND },
    });
    channel.on("attached", (change) => change.resumed || onGap());
    channel.on("update", (change) => change.resumed || onGap());
    subscribe(channel, (message) => onAnswer(message.name, dataOf(message)));
  }

  /** Send a bet or a cancel; resolves at the acknowledgement, rejects with the edge's reason. */
  async send(request) {
    await this.#ably.channels.get(`inbound:bets:${request.event_id}`).publish(request.type, request);
  }
}

function subscribe(channel, listener) {
  channel.subscribe(listener).catch((error) => {
    console.warn(`overround: ${channel.name}: ${error.message}`);
  });
}
