/// <reference lib="webworker" />
/**
 * Chrome on Android shows notifications through a service worker alone. This one does nothing else: it intercepts no
 * request and keeps nothing, so a reload always brings the server's page.
 *
 * @type {any}
 */
const worker = self;

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(open(String(event.notification.data ?? "#/")));
});

/** @param {string} address of what was said, from its "#" on */
async function open(address) {
  const [page] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!page) return await worker.clients.openWindow("/" + address);
  page.postMessage({ go: address });
  return await page.focus();
}
