/**
 * Finds messages, rooms and people. The panel of a search stays open while its hits are visited, and has its last search when it is opened again.
 *
 * @import {Message} from "../core/records.js"
 * @import {App, Conversation, Refusal} from "../core/types.js"
 */
import { named, nameKey, oneLine, visible } from "../core/text.js";
import { go } from "./actions.js";
import { fitting } from "./commands.js";
import { invitations } from "./conversation.js";
import { fill, h, icon, SEARCH } from "./dom.js";
import { _, moment, ngettext, pgettext, weekday } from "./i18n.js";
import { nextOf, openDialog, panel, refusalOf } from "./menu.js";
import { botMark, nameText } from "./message_row.js";

/** @typedef {{message: Message, marks: readonly (readonly [number, number])[]}} Hit marks: [start, end) in code points */
/** @typedef {"query" | "from" | "room" | "after" | "before" | "link"} FieldName */

const LONGEST = 500;
const AROUND = 60; // code points before the first mark of a long text
const SHOWN = 280;
const TRIES = 6; // where the server is busy
const WIDE = "(min-width: 900px)";
const PART = /(?:(from|in|before|after|has):)?(?:"([^"]*)(?:"|$)\*?|((?:[^\s"]|(?<=[^\s:"])")+))?/giy;

/** @type {{values: Record<FieldName, string>, hits: Hit[], more: boolean, indexed: boolean, asked: string, top: number}} */
const kept = {
  values: { query: "", from: "", room: "", after: "", before: "", link: "" },
  hits: [],
  more: false,
  indexed: true,
  asked: "",
  top: 0,
};
/** @type {(() => void) | null} */
let runOpen = null;

/** Searches, in the panel that is open or will be. @param {string} query */
export function searchFor(query) {
  Object.assign(kept.values, { query, from: "", room: "", after: "", before: "", link: "" });
  kept.asked = "";
  runOpen?.();
}

/**
 * When a day, month or year begins here.
 *
 * @param {string} text 2026-11-20, 2026-11, 2026, today, yesterday, or the name of a day: the last one
 * @param {number} [now] ms
 * @returns {number | null} ms since 1970
 */
export function dayOf(text, now = Date.now()) {
  const wanted = text.toLowerCase();
  const [, year, month = "1", day = "1"] = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/.exec(text) ?? [];
  if (year) {
    const date = new Date(Number(year), Number(month) - 1, Number(day));
    return date.getMonth() === Number(month) - 1 && date.getDate() === Number(day) ? Math.max(0, date.getTime()) : null;
  }
  const date = new Date(now);
  date.setHours(0, 0, 0, 0);
  for (let ago = 0; ago < 7; ago++) {
    const names = [date.toLocaleDateString("en", { weekday: "long" }), weekday(date.getTime())];
    if (ago === 0) names.push("today", pgettext("a day that is typed", "today"));
    if (ago === 1) names.push("yesterday", pgettext("a day that is typed", "yesterday"));
    if (names.some((name) => name.toLowerCase().replaceAll(" ", "-") === wanted)) return date.getTime();
    date.setDate(date.getDate() - 1);
  }
  return null;
}

/**
 * The days of a search where the user is: the server counts them in UTC. Names of days become dates.
 *
 * @param {string} query as typed
 * @param {number} [now] ms
 * @returns {{query: string, since?: number, until?: number}}
 */
export function withDays(query, now = Date.now()) {
  /** @type {number[]} */
  const since = [];
  /** @type {number[]} */
  const until = [];
  let said = "";
  for (PART.lastIndex = 0; PART.lastIndex < query.length;) {
    const from = PART.lastIndex;
    const [part = "", key = "", quoted, plain] = PART.exec(query) ?? [];
    PART.lastIndex = from + (part.length || 1); // a failed match begins anew
    const value = quoted ?? plain ?? "";
    const at = /^(after|before)$/i.test(key) ? dayOf(value, now) : null;
    if (at !== null) (key.toLowerCase() === "after" ? since : until).push(at);
    said += at === null || /^\d/.test(value) ? part || query.charAt(from) : `${key}:${isoDay(at)}`;
  }
  return {
    query: said,
    ...(since.length > 0 && { since: Math.max(...since) }),
    ...(until.length > 0 && { until: Math.min(...until) }),
  };
}

/** @param {number} at ms */
function isoDay(at) {
  const day = new Date(at);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/**
 * The search that the fields stand for.
 *
 * @param {Record<FieldName, string>} values
 * @returns {string}
 */
export function queryOf({ query, from, room, after, before, link }) {
  return [
    query.trim(),
    from.trim() && `from:"${from.trim().replace(/^@/, "")}"`,
    room && `in:#${room}`,
    after && `after:${after}`,
    before && `before:${before}`,
    link && "has:link",
  ].filter(Boolean).join(" ");
}

/**
 * A text in which files are named, and nothing more; with the marks where they stand then.
 *
 * @param {Message} message
 * @param {Hit["marks"]} marks
 * @returns {[string, Hit["marks"]]}
 */
export function shownText({ text, files }, marks) {
  if (!files?.length) return [text, marks];
  const points = [...text];
  const lines = text.split("\n");
  /** @type {number[]} the new place of each code point */
  const places = [];
  let place = 0;
  for (const line of lines) {
    const old = [...line];
    const shown = [...named(line)];
    const from = shown.length === old.length ? 0 : 7; // behind "[file: "
    for (let at = 0; at <= old.length; at++) places.push(place + Math.max(0, Math.min(at - from, shown.length)));
    place += shown.length + 1;
  }
  const moved = marks.map((
    [start, end],
  ) => /** @type {[number, number]} */ ([places[start] ?? 0, places[Math.min(end, points.length)] ?? 0]));
  return [named(text), moved.filter(([start, end]) => end > start)];
}

/**
 * A text with its marks; a long one from shortly before the first of them.
 *
 * @param {string} text
 * @param {Hit["marks"]} marks
 * @returns {(string | HTMLElement)[]}
 */
export function marked(text, marks) {
  const points = [...text];
  const first = marks[0]?.[0] ?? 0;
  const begin = points.length > SHOWN ? Math.max(0, Math.min(first - AROUND, points.length - SHOWN)) : 0;
  const end = Math.min(points.length, begin + SHOWN);
  const cut = (/** @type {number} */ from, /** @type {number} */ to) => visible(points.slice(from, to).join(""));
  /** @type {(string | HTMLElement)[]} */
  const nodes = [begin > 0 ? "… " : ""];
  let at = begin;
  for (const [start, stop] of marks) {
    if (stop <= at || start >= end) continue;
    nodes.push(cut(at, Math.max(at, start)), h("mark", {}, cut(Math.max(at, start), Math.min(stop, end))));
    at = Math.min(stop, end);
  }
  nodes.push(cut(at, end), end < points.length ? " …" : "");
  return nodes;
}

/**
 * @param {App} app
 * @param {Conversation | null} conversation
 * @param {() => void} close
 */
export function searchPanel(app, conversation, close) {
  const { values } = kept;
  let ended = false;
  let run = 0;
  /** @type {number | undefined} */
  let timer;
  const rooms = [...app.core.conversations.values()].filter((each) => each.kind === "room").map(({ name }) => name);
  if (values.room && !rooms.includes(values.room)) rooms.push(values.room);
  const here = conversation?.kind === "room" ? conversation.name : "";
  const names = h(
    "datalist",
    { id: "search-names" },
    ...app.core.knownNames().map((name) => h("option", { value: name })),
  );

  /**
   * @param {FieldName} name
   * @param {string} label
   * @param {Record<string, unknown>} properties
   */
  const input = (name, label, properties) =>
    h("label", { class: "field" }, h("span", {}, label), h("input", { name, value: values[name], ...properties }));
  const link = h("input", { type: "checkbox", name: "link", checked: Boolean(values.link) });
  const place = h(
    "select",
    { name: "room" },
    h("option", { value: "" }, _("Everywhere")),
    ...rooms.sort((a, b) => Number(b === here) - Number(a === here) || a.localeCompare(b)).map((name) =>
      h("option", { value: name, selected: name === values.room }, `#${name}`)
    ),
  );
  const words = h("input", {
    type: "search",
    name: "query",
    value: values.query,
    maxLength: LONGEST,
    enterKeyHint: "search",
    placeholder: _("Search messages"),
    "aria-label": _("Search for"),
  });
  const form = h(
    "form",
    {
      role: "search",
      class: "search-form",
      on: {
        submit(/** @type {Event} */ event) {
          event.preventDefault();
          read();
          ask();
        },
        change: read,
      },
    },
    h(
      "div",
      { class: "search-row" },
      words,
      h("button", { class: "icon-button", "aria-label": _("Search") }, icon(SEARCH)),
    ),
    h(
      "details",
      { class: "search-filters", open: Object.entries(values).some(([name, value]) => name !== "query" && value) },
      h("summary", {}, _("Filters")),
      h(
        "div",
        { class: "search-grid" },
        input("from", _("Sender"), { autocomplete: "off", maxLength: 100 }),
        h("label", { class: "field" }, h("span", {}, _("In")), place),
        input("after", _("After"), { type: "date" }),
        input("before", _("Before"), { type: "date" }),
        h("label", { class: "check" }, link, h("span", {}, _("With a link"))),
      ),
    ),
    names,
  );
  form.querySelector("[name=from]")?.setAttribute("list", names.id);
  const status = h("p", { class: "search-status", role: "status" });
  const list = h("ol", { class: "hits", "aria-label": _("Results") });
  const more = h(
    "button",
    { type: "button", class: "button", hidden: true, on: { click: () => ask(true) } },
    _("Show more"),
  );
  const scroll = h(
    "div",
    { class: "panel-scroll", on: { scroll: () => kept.top = scroll.scrollTop } },
    status,
    list,
    more,
  );
  const element = panel(_("Search"), close, form, scroll);

  function read() {
    for (const [name, value] of new FormData(form)) values[/** @type {FieldName} */ (name)] = String(value);
    values.link = link.checked ? "on" : "";
  }

  /** @param {boolean} [further] the next page */
  async function ask(further = false) {
    const query = queryOf(values);
    const last = kept.hits.at(-1);
    clearTimeout(timer);
    const mine = ++run;
    if (!query) return fill(status, _("Type what to look for, or choose a filter."));
    if (!further) {
      kept.hits = [];
      kept.more = false;
      kept.asked = "";
      show();
    }
    fill(status, _("Searching …"));
    list.setAttribute("aria-busy", "true");
    for (let tries = 1;; tries++) {
      try {
        const answer = await app.ask({
          ask: "search",
          ...withDays(query),
          ...(further && last && { before: last.message.seq }),
        });
        if (ended || mine !== run) return;
        const before = kept.hits.length;
        kept.hits = [...kept.hits, ...answer.hits];
        kept.more = answer.more;
        kept.indexed = (answer.indexed ?? null) === null;
        kept.asked = query;
        const isHere = element.contains(document.activeElement);
        show();
        if (further && isHere) list.children[before]?.querySelector("button")?.focus();
        break;
      } catch (error) {
        if (ended || mine !== run) return;
        const refusal = /** @type {Refusal} */ (error);
        if (refusal?.code !== "busy" || tries >= TRIES) {
          fill(status, refusalOf(error));
          break;
        }
        await new Promise((resolve) => timer = setTimeout(resolve, 1000 * Math.max(0.5, refusal.retryS ?? 1)));
        if (ended || mine !== run) return;
      }
    }
    list.removeAttribute("aria-busy");
  }

  function show() {
    const count = kept.hits.length;
    const said = !kept.asked
      ? ""
      : count === 0
      ? _("Nothing was found.")
      : kept.more
      ? ngettext("{n}+ result", "{n}+ results", count)
      : ngettext("{n} result", "{n} results", count);
    fill(
      status,
      said,
      kept.asked && !kept.indexed && ` ${_("The search index is being made: older messages may be missing.")}`,
    );
    fill(list, ...kept.hits.map(hitRow));
    more.hidden = !kept.more;
  }

  /** @param {Hit} hit */
  function hitRow({ message, marks }) {
    const where = message.room ? `#${oneLine(message.room)}` : _("direct message");
    const name = nameText(app.core.nameOf(message.by) ?? message.name);
    const go = () => visit(message);
    return h(
      "li",
      {
        class: "hit",
        on: { click: () => !getSelection()?.toString() && go() },
      },
      h(
        "button",
        { type: "button", class: "hit-go" },
        h("span", { class: `name person-${message.by % 8}` }, h("bdi", {}, name), " ", botMark(message.bot)),
        " ",
        h("span", { class: "hit-where" }, `${where} · ${moment(message.at)}`),
      ),
      h("p", { class: "hit-text" }, ...marked(...shownText(message, marks))),
    );
  }

  /** @param {Message} message */
  async function visit(message) {
    const { core } = app;
    const other = message.by === core.me.id
      ? { id: message.to ?? 0, name: message.toname ?? "" }
      : { id: message.by, name: message.name };
    try {
      const found = message.room
        ? core.roomNamed(message.room)
        : core.directWith(other.id) ?? await app.ask({ ask: "openPerson", person: other });
      if (!found) return app.toast(_("You are not in #{room}. Join it first", { room: message.room ?? "" }));
      // narrow: the panel covers the list, and back leads to it again
      app.go({ key: found.key, seq: message.seq, panel: matchMedia(WIDE).matches ? "search" : "" });
    } catch (error) {
      app.toast(refusalOf(error));
    }
  }

  element.addEventListener("keydown", (event) => {
    const choices = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".hit-go")]);
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const inList = active.classList.contains("hit-go");
    if (!inList && (event.key !== "ArrowDown" || active !== words)) return;
    const up = event.key === "ArrowUp" && active === choices[0];
    const to = up ? words : event.key.length > 1 ? nextOf(choices, inList ? active : null, event) : undefined;
    if (!to) return;
    event.preventDefault();
    to.focus();
  });

  const unlisten = app.listen((changes) => {
    const online = changes.some((change) => change.kind === "phase" && change.phase === "online");
    if (online && queryOf(values) && kept.asked !== queryOf(values)) ask();
  });

  runOpen = () => {
    for (const each of form.querySelectorAll("input, select")) {
      if (each instanceof HTMLInputElement || each instanceof HTMLSelectElement) {
        each.value = values[/** @type {FieldName} */ (each.name)];
      }
    }
    link.checked = false;
    ask();
  };
  show();
  requestAnimationFrame(() => scroll.scrollTop = kept.top);
  if (queryOf(values) && !kept.asked) ask();

  return {
    element,
    end() {
      ended = true;
      runOpen = null;
      clearTimeout(timer);
      unlisten();
    },
  };
}

// --- switcher ---

// Chooses a room or person by a few letters of its name: to go there, to join, to write to.

/** @typedef {{label: string, detail?: string, deed?: string, run: () => unknown}} Choice a Refusal thrown is shown */

const MOST = 12;
const MOST_ROOMS = 5000;

/**
 * Opens a dialog with a field and a list of what fits it. The field keeps the focus.
 *
 * @param {string} title
 * @param {string} label of the field
 * @param {(query: string) => Choice[]} choicesFor
 * @param {string} [note]
 * @returns {{show: () => void, isOpen: () => boolean}} show: asks for the choices anew
 */
export function openPicker(title, label, choicesFor, note = "") {
  const list = h("ul", { id: "picker", class: "choice-list", role: "listbox", "aria-label": title });
  const field = h("input", {
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    maxLength: 256,
    placeholder: label,
    "aria-label": label,
    "aria-expanded": "true",
    "aria-controls": list.id,
    "aria-autocomplete": "list",
    on: { input: show, keydown },
  });
  /** @type {Choice[]} */
  let choices = [];
  let at = 0;
  const body = h("div", { class: "picker" }, field, note && h("p", { class: "quiet" }, note), list);
  const dialog = openDialog({ title, body });

  function show() {
    choices = choicesFor(field.value.trim());
    at = 0;
    dialog.refuse("");
    fill(
      list,
      ...choices.map(({ label, detail, deed }, index) =>
        h(
          "li",
          { role: "option", id: `picker-${index}`, class: "choice-row", on: { click: () => choose(index) } },
          h("span", { class: "choice-label" }, label),
          detail && h("span", { class: "choice-detail" }, detail),
          deed && h("span", { class: "choice-deed" }, deed),
        )
      ),
    );
    mark();
  }

  function mark() {
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    field.setAttribute("aria-activedescendant", choices.length > 0 ? `picker-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  function keydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (!step) return choose(at);
    at = (at + step + choices.length) % (choices.length || 1);
    mark();
  }

  /** @param {number} index */
  async function choose(index) {
    try {
      const choice = choices[index];
      if (!choice) return;
      await choice.run();
      dialog.close();
    } catch (error) {
      dialog.refuse(refusalOf(error));
    }
  }

  show();
  return { show, isOpen: () => dialog.element.open };
}

/**
 * The names that fit what was typed; last what was typed, which may be the name of a person that was not seen.
 *
 * @param {string} query
 * @param {Iterable<string>} names
 * @param {(name: string) => unknown} run
 * @returns {Choice[]}
 */
export function nameChoices(query, names, run) {
  const typed = query.replace(/^@/, "");
  const found = fitting(names, typed, (name) => name, MOST);
  if (typed && !found.some((name) => nameKey(name) === nameKey(typed))) found.push(typed);
  return found.map((name) => ({ label: name, run: () => run(name) }));
}

/** @param {App} app */
export function openDirect(app) {
  const note = _("Only the two of you can read it. The operator of the server can read everything.");
  openPicker(_("New direct message"), _("Name of the person"), (query) => {
    const names = app.core.knownNames().filter((name) => name !== app.core.me.name);
    return nameChoices(query, names, (name) => write(app, name));
  }, note);
}

/**
 * @param {App} app
 * @param {string} name
 */
async function write(app, name) {
  const direct = await app.ask({ ask: "openDirect", name });
  if (direct) go(app, direct);
  else app.toast(_("This is you."));
}

/**
 * The rooms there are: to join, and to make one.
 *
 * @param {App} app
 */
export async function openRooms(app) {
  /** @type {Map<string, number>} members by room */
  const rooms = new Map();
  for (const { name, room } of app.core.conversations.values()) if (room) rooms.set(name, room.total);
  const picker = openPicker(_("Rooms"), _("Find a room, or type a new name"), (query) => {
    const typed = query.replace(/^#/, "").toLowerCase();
    const largest = [...rooms.keys()].sort((a, b) => (rooms.get(b) ?? 0) - (rooms.get(a) ?? 0));
    /** @type {Choice[]} */
    const choices = fitting(largest, typed, (name) => name, 200).map((name) => {
      const mine = app.core.roomNamed(name);
      return {
        label: `#${oneLine(name)}`,
        detail: ngettext("{n} member", "{n} members", rooms.get(name) ?? 0),
        deed: mine?.member ? _("Open") : _("Join"),
        run: () => mine?.member ? go(app, mine) : join(app, name),
      };
    });
    return typed && !rooms.has(typed) ? [...choices, ...newRoom(app, typed)] : choices;
  });
  for (let after = undefined, more = true; more && picker.isOpen() && rooms.size < MOST_ROOMS;) {
    const page = await app.ask({ ask: "rooms", after });
    for (const { room, total } of page.rooms) rooms.set(room, total);
    after = page.rooms.at(-1)?.room;
    more = page.more && after;
    picker.show();
  }
}

/**
 * @param {App} app
 * @param {string} room
 */
const join = async (app, room) => go(app, await app.ask({ ask: "join", room }));

/**
 * @param {App} app
 * @param {string} typed
 * @returns {Choice[]} one, with the name that is meant; none where nothing of it can be a name
 */
function newRoom(app, typed) {
  const room = typed.toLowerCase().replace(/[\s:#@,!/]+/g, "-").replace(/^-+|-+$/g, "");
  return room ? [{ label: _("Join or create #{room}", { room }), run: () => join(app, room) }] : [];
}

/** @param {App} app */
export function openSwitcher(app) {
  openPicker(_("Go to a room or person"), _("Room or person"), (typed) => choicesFor(app, typed));
}

/**
 * How well letters fit a name: all of them in this order, the better the closer together and to the beginnings of words.
 *
 * @param {string} query
 * @param {string} name
 * @returns {number} 0: not at all
 */
export function score(query, name) {
  const wanted = nameKey(query);
  const text = nameKey(name);
  const whole = text.indexOf(wanted);
  if (whole === 0) return 100 - text.length / 100;
  if (whole > 0) return /[\p{L}\p{N}]/u.test(text.charAt(whole - 1)) ? 60 : 80;
  let at = -1;
  for (const letter of wanted.replaceAll(" ", "")) {
    at = text.indexOf(letter, at + 1);
    if (at < 0) return 0;
  }
  return 20 - at / text.length;
}

/**
 * @param {App} app
 * @param {string} typed
 * @returns {Choice[]}
 */
function choicesFor(app, typed) {
  const { core, route } = app;
  const query = typed.replace(/^[#@]/, "");
  const wanted = { "#": "room", "@": "direct" }[typed.charAt(0)];
  const all = [...core.conversations.values()].filter(({ kind }) => !wanted || kind === wanted);
  const weight = (/** @type {Conversation} */ each) =>
    (query ? score(query, each.name) : 0) + (each.mentions ? 3 : each.unread ? 2 : 0) +
    (each.key === route.key ? -1 : 0);
  /** @type {Choice[]} */
  const choices = all.filter((each) => score(query, each.name))
    .sort((a, b) => weight(b) - weight(a) || (b.last?.seq ?? 0) - (a.last?.seq ?? 0)).slice(0, MOST).map((each) => ({
      label: (each.room ? "#" : "") + oneLine(each.name),
      detail: oneLine(each.room?.topic ?? "").slice(0, 80),
      deed: each.unread >= 999
        ? _("999+ unread")
        : each.unread
        ? ngettext("{n} unread", "{n} unread", each.unread)
        : "",
      run: () => go(app, each),
    }));
  if (wanted !== "direct") {
    const rooms = [...invitations.keys()].filter((name) => score(query, name));
    choices.push(...rooms.map((name) => ({ label: `#${oneLine(name)}`, deed: _("Join"), run: () => join(app, name) })));
  }
  if (wanted !== "room") {
    const listed = new Set([core.me.name, ...all.filter(({ room }) => !room).map(({ name }) => name)]);
    const others = core.knownNames().filter((name) => score(query, name) >= 60 && !listed.has(name)).slice(0, 5);
    choices.push(...others.map((name) => ({ label: _("Message {name}", { name }), run: () => write(app, name) })));
  }
  if (query && wanted !== "direct" && !core.roomNamed(query.toLowerCase())?.member) {
    choices.push(...newRoom(app, query));
  }
  return choices;
}
