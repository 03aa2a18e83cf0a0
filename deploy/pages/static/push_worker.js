// The page's service worker: shows a push as a notification, and leads back to the page.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// From the browser's push service.
self.addEventListener("push", (event) => event.waitUntil(show(payloadOf(event))));

// From the edge's, by way of the page.
self.addEventListener("message", (event) => {
  if (event.data?.kind === "overround-push") event.waitUntil(show(event.data.payload));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage());
});

function payloadOf(event) {
  try {
    return event.data?.json() ?? {};
  } catch {
    return {}; // not one of ours; there is nothing to show
  }
}

/** One notification a collapse key: a newer one takes the older one's place. */
async function show(payload) {
  const notification = payload.notification ?? {};
  if (!notification.title) return;
  await self.registration.showNotification(notification.title, {
    body: notification.body ?? "",
    icon: notification.icon ?? "favicon.svg",
    tag: notification.collapseKey ?? "",
    data: payload.data ?? {},
  });
}

async function openPage() {
  const [page] = await self.clients.matchAll({ type: "window" });
  if (page) return page.focus();
  return self.clients.openWindow("./");
}
