// Pushes to this browser, by ably-js and its push plugin: a notification also when the page is
// not looked at. Served by the edge on this machine, the page uses the edge's own push service;
// anywhere else the browser's.

import { isLocal, useLocalPushService } from "./push_local.js";

const WORKER_URL = new URL("./push_worker.js", import.meta.url).pathname;

/** Options that an Ably client needs beside its others; `Plugin` is the push plugin's global. */
export function pushOptions(Plugin) {
  return { plugins: { Push: Plugin }, pushServiceWorkerUrl: WORKER_URL };
}

/** Whether this browser can be pushed to at all. */
export function canPush() {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

/**
 * Register this browser as a device of the client's bettor. Asks for permission where it was not
 * given; rejects with the reason where it is refused or the registration fails.
 */
export async function activatePush(ably, place = window.location) {
  if (!canPush()) throw new Error("this browser has no notifications for pages");
  if (isLocal(place)) useLocalPushService(place.origin);
  await ably.push.activate();
  return ably.device().id;
}

/** Take this browser off the bettor's devices. */
export async function deactivatePush(ably) {
  await ably.push.deactivate();
}
