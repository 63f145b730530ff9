/**
 * Tells the user that something was said while they look elsewhere: title and icon, a sound, a notification of the system.
 *
 * @import {Core, Conversation, Settings, Change} from "../core/types.js"
 * @import {Message} from "../core/records.js"
 * @typedef {{sound: boolean, system: boolean}} Verdict
 */

const QUIET_S = 2; // between two sounds
const NONE = { sound: false, system: false };

/**
 * Decides what a new message deserves. Pure.
 *
 * @param {{own: boolean, late: boolean, mentionsMe: boolean, by: number}} message
 * @param {Conversation} conversation
 * @param {Settings} settings
 * @param {boolean} seen it is on the screen, and the screen is being looked at
 * @returns {Verdict}
 */
export function verdict({ own, late, mentionsMe, by }, conversation, settings, seen) {
  if (own || late || seen || !settings.disturb || settings.ignored.includes(by)) return NONE;
  if (!isWanted(conversation, settings, mentionsMe)) return NONE;
  return { sound: settings.sound, system: settings.system };
}

/**
 * Whether the user wants to hear of a message, by the choice made for the room.
 *
 * @param {Conversation} conversation
 * @param {Settings} settings
 * @param {boolean} mentionsMe
 */
export function isWanted(conversation, settings, mentionsMe) {
  if (conversation.kind === "direct") return true;
  const choice = settings.notify[conversation.name] ?? "mentions";
  return choice === "all" || (choice === "mentions" && mentionsMe);
}

/**
 * Counts what waits for the user: direct messages, and in rooms what they chose to hear of. Pure.
 *
 * @param {Iterable<Conversation>} conversations
 * @param {Settings} settings
 * @returns {{count: number, more: boolean}} more: nothing to count, and yet something unread
 */
export function waiting(conversations, settings) {
  let count = 0;
  let more = false;
  for (const each of conversations) {
    const choice = settings.notify[each.name] ?? "mentions";
    if (each.kind === "direct" || choice === "all") count += each.unread;
    else if (choice === "mentions") count += each.mentions;
    if (each.unread && (each.kind === "direct" || choice !== "none")) more = true;
  }
  return { count, more: more && count === 0 };
}

/**
 * @typedef {object} Words what is said; of the user interface, because it knows the language
 * @property {(message: Message, conversation: Conversation) => {title: string, body: string}} message
 * @property {(missed: number) => {title: string, body: string}} missed
 * @property {() => string} place where the user is, for the title
 */

/**
 * Starts to notify.
 *
 * @param {object} ends
 * @param {Core} ends.core
 * @param {Settings} ends.settings
 * @param {() => string | null} ends.shown key of the conversation on the screen
 * @param {(conversation: Conversation, seq: number) => string} ends.address of a message
 * @param {(address: string) => void} ends.go
 * @param {Words} words
 */
export function notifications({ core, settings, shown, address, go }, words) {
  const icon = document.querySelector("link[rel~=icon]");
  const plain = icon?.getAttribute("href") ?? "";
  const dotted = document.querySelector("link[data-icon=icon-unread]")?.getAttribute("href") ?? plain;
  let soundAt = -Infinity;
  /** @type {AudioContext | null} */
  let audio = null;
  const started = startWorker().catch(() => null);
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (typeof data?.go === "string") go(data.go);
  });
  // Browsers let a page make sounds only once its user has touched it.
  const wake = () => {
    if (!settings.sound || !settings.disturb) return;
    audio = new AudioContext();
    removeEventListener("pointerdown", wake);
    removeEventListener("keydown", wake);
  };
  addEventListener("pointerdown", wake);
  addEventListener("keydown", wake);

  const looking = () => document.visibilityState === "visible" && document.hasFocus();

  /** @param {string} title @param {string} body @param {string} tag @param {string} where */
  async function show(title, body, tag, where) {
    if (globalThis.Notification?.permission !== "granted") return;
    const options = { body, tag, data: where, silent: true, icon: plain };
    const worker = await started;
    if (worker) worker.showNotification(title, options).catch(() => {});
    else {
      try {
        const shownNow = new Notification(title, options);
        shownNow.onclick = () => {
          focus();
          go(where);
          shownNow.close();
        };
      } catch {
        // Chrome on Android lets only a service worker show them.
      }
    }
  }

  return {
    /** @param {readonly Change[]} changes */
    heard(changes) {
      for (const change of changes) {
        if (change.kind === "message") {
          const conversation = core.conversations.get(change.key);
          if (!conversation) continue;
          const seen = looking() && shown() === change.key;
          const { sound, system } = verdict({ ...change, by: change.message.by }, conversation, settings, seen);
          const now = performance.now() / 1000;
          if (sound && now - soundAt > QUIET_S) {
            soundAt = now;
            beep(audio);
          }
          if (system) {
            const { title, body } = words.message(change.message, conversation);
            show(title, body, conversation.key, address(conversation, change.message.seq));
          }
        } else if (
          change.kind === "caughtUp" && change.missed > 0 && !looking() && settings.system && settings.disturb
        ) {
          const { count } = waiting(core.conversations.values(), settings);
          const { title, body } = words.missed(count);
          if (count > 0) show(title, body, "missed", "#/");
        }
      }
      this.count();
    },
    count() {
      const { count, more } = waiting(core.conversations.values(), settings);
      const mark = count > 999 ? "(999+) " : count > 0 ? `(${count}) ` : more ? "• " : "";
      const title = mark + words.place();
      if (document.title !== title) document.title = title;
      const wanted = count > 0 || more ? dotted : plain;
      if (icon?.getAttribute("href") !== wanted) icon?.setAttribute("href", wanted);
      const badges = /** @type {{setAppBadge?: (count: number) => Promise<void>}} */ (navigator);
      badges.setAppBadge?.(count).catch(() => {});
    },
  };
}

/** A service worker that shows notifications and does nothing else. */
async function startWorker() {
  if (!navigator.serviceWorker) return null;
  /** @type {any} */
  const types = /** @type {any} */ (globalThis).trustedTypes;
  const policy = types?.createPolicy("worker", { createScriptURL: () => "/sw.js" });
  await navigator.serviceWorker.register(policy ? policy.createScriptURL("") : "/sw.js", { scope: "/" });
  return await navigator.serviceWorker.ready;
}

/**
 * Two short tones.
 *
 * @param {AudioContext | null} audio
 */
function beep(audio) {
  if (!audio) return;
  if (audio.state === "suspended") audio.resume().catch(() => {});
  const start = audio.currentTime + 0.01;
  for (const [offset, frequency] of /** @type {const} */ ([[0, 660], [0.11, 880]])) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, start + offset);
    volume.gain.linearRampToValueAtTime(0.12, start + offset + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, start + offset + 0.16);
    tone.connect(volume).connect(audio.destination);
    tone.start(start + offset);
    tone.stop(start + offset + 0.18);
  }
}
