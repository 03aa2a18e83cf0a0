// The edge's push service in place of the browser's, which is on the internet: a page that runs
// against an edge on the same machine gets its pushes without leaving it.

const PATH = "/overround/web-push";
const POLL_MS = 1000;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether a page is served by an edge on this machine. */
export function isLocal(place) {
  return LOOPBACK.has(place.hostname);
}

/** Let every subscription of this page be one at the edge; safe to call again. */
export function useLocalPushService(origin) {
  const subscribed = new Map();
  PushManager.prototype.subscribe = async (options) => {
    const key = textOf(options.applicationServerKey);
    if (!subscribed.has(key)) subscribed.set(key, await subscribe(origin, key));
    return subscribed.get(key);
  };
}

async function subscribe(origin, key) {
  const response = await fetch(`${origin}${PATH}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ applicationServerKey: key }),
  });
  if (!response.ok) throw new Error(`the edge's push service answered ${response.status}`);
  const made = await response.json();
  const state = { isOver: false };
  handOver(made.endpoint, state);
  return {
    endpoint: made.endpoint,
    getKey: (name) => bytesOf(made.keys[name]).buffer,
    unsubscribe: async () => {
      state.isOver = true;
      return (await fetch(made.endpoint, { method: "DELETE" })).ok;
    },
  };
}

/** Give the page's worker what is pushed, as the browser would, until it is over. */
async function handOver(endpoint, state) {
  let after = 0;
  while (!state.isOver) {
    try {
      const response = await fetch(`${endpoint}?after=${after}`, { cache: "no-store" });
      if (response.status === 404) return; // the edge was restarted; activate again
      // Not `ready`: that stays the page's first worker, also after it registered another.
      const worker = (await navigator.serviceWorker.getRegistration())?.active;
      for (const { number, payload } of worker ? await response.json() : []) {
        worker.postMessage({ kind: "overround-push", payload });
        after = number;
      }
    } catch (error) {
      console.warn("overround: push:", error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function textOf(key) {
  if (typeof key === "string") return key;
  const text = btoa(String.fromCharCode(...new Uint8Array(key)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytesOf(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}
