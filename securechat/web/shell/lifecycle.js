/**
 * What happens to a page besides its user: it sleeps and wakes, the network comes and goes, other tabs open, the server gets a newer page.
 */

const LOCK = "securechat";
const PATIENCE_MS = 400; // another tab that lives answers in a few; a page being reloaded lets go of its lock meanwhile

/**
 * Calls `woke` whenever a connection that calls itself open may be dead.
 *
 * @param {() => void} woke
 */
export function onWake(woke) {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") woke();
  });
  addEventListener("pageshow", (event) => {
    if (/** @type {PageTransitionEvent} */ (event).persisted) woke(); // from the back/forward cache
  });
  document.addEventListener("resume", woke); // of a frozen page
  addEventListener("online", woke);
}

/**
 * @typedef {object} TabEvents
 * @property {() => void} got this tab has the chat
 * @property {() => void} elsewhere another tab has it
 * @property {() => string} give another tab asks for it: stop, and return what it needs
 * @property {() => void} lost another tab has taken it without an answer
 */

/**
 * Lets one tab of this browser have the chat. Browsers without Web Locks let every tab have it; the server then ends the older connection.
 *
 * @param {TabEvents} events
 * @param {boolean} steal whether another tab is to lose it
 * @returns {{take(): Promise<string>}} asks the tab that has it; "" if that does not answer
 */
export function shareTabs(events, steal) {
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(LOCK) : null;
  let has = false;
  const waiting = new AbortController();
  /** @type {((packed: string) => void) | null} */
  let taken = null;

  const got = () => {
    has = true;
    events.got();
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data?.take && has) {
        has = false;
        channel.postMessage({ given: events.give(), to: data.take });
      } else if (data?.given !== undefined && data.to === id) taken?.(String(data.given));
    };
  }
  const id = crypto.getRandomValues(new Uint32Array(2)).join("-");

  if (!navigator.locks) got();
  else {
    const timer = setTimeout(() => {
      if (!has) events.elsewhere();
    }, PATIENCE_MS);
    const options = steal ? { steal } : { signal: waiting.signal };
    navigator.locks.request(LOCK, options, () => {
      clearTimeout(timer);
      got();
      return new Promise(() => {}); // for as long as the page lives
    }).catch(() => {
      const lost = has;
      has = false;
      if (lost) events.lost();
    });
  }

  return {
    take() {
      waiting.abort();
      return new Promise((resolve) => {
        taken = resolve;
        setTimeout(() => resolve(""), 1000);
        if (channel) channel.postMessage({ take: id });
        else resolve("");
      });
    },
  };
}

/** @returns {string} the addresses that this page was made of: they carry hashes of the content */
export function filesOfPage() {
  const names = ["src", "href"];
  const elements = [...document.head.querySelectorAll("script[src], link[href]")];
  return elements.map((element) => names.map((name) => element.getAttribute(name)).join("")).sort().join(" ");
}

/**
 * Finds the same addresses in the text of a page, without parsing it as a document (which Trusted Types forbid).
 *
 * @param {string} text
 * @returns {string} as `filesOfPage`
 */
export function filesOfText(text) {
  const tags = text.split(/<\/head>/i, 1)[0]?.match(/<(?:script|link)\b[^>]*>/gi) ?? [];
  return tags.map((tag) => /\s(?:src|href)=["']?([^"'\s>]+)/i.exec(tag)?.[1]).filter(Boolean).sort().join(" ");
}

/**
 * Whether the server has another page than this one: to be asked after a reconnect.
 *
 * @param {string} files of `filesOfPage`, from before anything was changed
 * @returns {Promise<boolean>}
 */
export async function isOutdated(files) {
  try {
    const answer = await fetch("/", { cache: "no-cache" });
    return answer.ok && filesOfText(await answer.text()) !== files;
  } catch {
    return false;
  }
}
