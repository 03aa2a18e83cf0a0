// The button that turns on notifications of wins and starts in this browser.

import { byId, setText } from "./dom.js";
import { canPush } from "./push.js";

/** Shows the button where the browser can notify; `activate()` registers it, or rejects. */
export function offerNotifications(activate) {
  const button = byId("notify-button");
  if (!canPush()) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    setText(button, "Turning on…");
    try {
      await activate();
      setText(button, "Notifications are on");
    } catch (error) {
      const denied = globalThis.Notification?.permission === "denied";
      setText(button, denied ? "Your browser blocks notifications" : "Not turned on. Try again");
      button.disabled = denied;
      console.warn("overround: notifications:", error.message);
    }
  });
}
