/**
 * The files of messages: their rows, pictures in full, and the user's own files by size. Addresses come over the connection, for this login
 * alone; only pictures that the server wrote are shown, and everything else is a download.
 *
 * @import {FileInfo, Message} from "../core/records.js"
 * @import {App, Conversation} from "../core/types.js"
 * @import {Row} from "./actions.js"
 */
import { oneLine, visible } from "../core/text.js";
import { BACK, CLOSE, fill, h, icon, later, WRITING } from "./dom.js";
import { _, date, refusalText, size } from "./i18n.js";

/** The longer side of a picture in a row, and in full, pixels: the previews that a server makes. */
const ROW_PX = 320;
const FULL_PX = 1600;
const LEAST_PX = 48; // a line of pixels can be pressed too
/** The place of one that moves, whose size is not told. @type {[number, number]} */
const MOVING = [240, 180];
const MOST_LINKS = 100; // asked for at once
/** How often, and after which time, the quota is asked for once a file is deleted. */
const MOST_ASKED = 30;
const ASK_AGAIN_MS = 500;
const DOWN = "M12 4v11M7 10.5l5 5 5-5M5 20h14";
const NEXT = "M9 5l7 7-7 7";

// --- lines ---

// By these a message's text names its files, for clients that do not know files: securechat/text/file_lines.py.

const LINE_NAME_CHARS = 60;

/** @param {string} name @param {number} bytes */
const fileLine = (name, bytes) => `[file: ${shortened(name)}, ${sizeWords(bytes)}]`;

/** @param {string} name code points count, as on the server */
function shortened(name) {
  const points = [...name];
  if (points.length <= LINE_NAME_CHARS) return name;
  const behind = Math.floor(LINE_NAME_CHARS / 3);
  const first = uncut(points, LINE_NAME_CHARS - behind - 1, -1);
  const last = uncut(points, points.length - behind, 1);
  return `${points.slice(0, first).join("")}…${points.slice(last).join("")}`;
}

const MOST_BACK = 16; // code points that belong together; of more, some are torn apart
const ATTACHED = /^[\u200d\u{1f3fb}-\u{1f3ff}\p{M}]/u;
const FLAG_LETTER = /^[\u{1f1e6}-\u{1f1ff}]/u;

/**
 * The next place where no character is torn apart: securechat/text/clusters.py.
 *
 * @param {readonly string[]} points
 * @param {number} at
 * @param {1 | -1} step
 */
function uncut(points, at, step) {
  let place = at;
  while (place > 0 && place < points.length && Math.abs(place - at) <= MOST_BACK && isJoined(points, place)) {
    place += step;
  }
  return Math.abs(place - at) <= MOST_BACK ? place : at;
}

/** @param {readonly string[]} points @param {number} at */
function isJoined(points, at) {
  if (ATTACHED.test(points[at] ?? "") || points[at - 1] === "\u200d") return true;
  let letters = 0; // of flags, before the cut
  while (FLAG_LETTER.test(points[at - 1 - letters] ?? "")) letters++;
  return letters % 2 === 1 && FLAG_LETTER.test(points[at] ?? "");
}

/** Always English, as the server's; a half upwards. @param {number} bytes */
function sizeWords(bytes) {
  const rounded = (/** @type {number} */ times, /** @type {number} */ unit) =>
    Number((BigInt(bytes) * BigInt(2 * times) + BigInt(unit)) / BigInt(2 * unit));
  if (bytes < 1024) return `${bytes} B`;
  const whole = rounded(1, 1024);
  if (whole < 1024) return `${whole} KiB`;
  const tenths = rounded(10, 1024 ** 2);
  return tenths < 10_240 ? `${(tenths / 10).toFixed(1)} MiB` : `${(rounded(10, 1024 ** 3) / 10).toFixed(1)} GiB`;
}

/**
 * @param {string} text
 * @param {readonly {name: string, size: number}[]} files
 */
export const withFileLines = (text, files) =>
  [...(text ? [text] : []), ...files.map(({ name, size }) => fileLine(name, size))].join("\n");

/**
 * A text without the lines of these files, where it ends with them.
 *
 * @param {string} text
 * @param {readonly {name: string, size: number}[]} files
 */
export function withoutFileLines(text, files) {
  for (const file of [...files].reverse()) {
    const line = fileLine(file.name, file.size);
    if (text === line) return "";
    if (!text.endsWith(`\n${line}`)) break;
    text = text.slice(0, -line.length - 1);
  }
  return text;
}

/** What its author wrote. @param {Message} message */
export const textOf = (message) => withoutFileLines(message.text, message.files ?? []);

// --- links ---

/** Addresses by file, while the connection lasts. @type {Map<string, string>} */
const links = new Map();
/** Who waits for an address; "": there is none. @type {Map<string, ((path: string) => void)[]>} */
const wanted = new Map();
/** @type {App | null} */
let listening = null;
let asking = false;

/**
 * @param {App} app
 * @param {string} id
 * @param {(path: string) => void} use called once, when the address is known
 */
function want(app, id, use) {
  const known = links.get(id);
  if (known !== undefined) return use(known);
  wanted.set(id, [...wanted.get(id) ?? [], use]);
  if (listening !== app) {
    listening = app;
    app.listen((changes) => {
      if (changes.some(({ kind }) => kind === "welcome")) links.clear(); // another login has other ones
      if (changes.some(({ kind }) => kind === "phase")) askAll(app);
    });
  }
  askAll(app);
}

/** Asks for what is wanted; without a connection when there is one again. @param {App} app */
async function askAll(app) {
  if (asking) return;
  asking = true;
  await Promise.resolve(); // all rows of a page together
  try {
    while (wanted.size && app.core.phase === "online") {
      const ids = [...wanted.keys()].slice(0, MOST_LINKS);
      const { links: found } = await app.ask({ ask: "links", ids });
      for (const { id, path } of found) links.set(id, path);
      for (const id of ids) answered(id);
    }
  } catch (refusal) {
    if (/** @type {any} */ (refusal)?.code !== "offline") { for (const id of [...wanted.keys()]) answered(id); }
  } finally {
    asking = false;
  }
}

/** @param {string} id */
function answered(id) {
  const uses = wanted.get(id) ?? [];
  wanted.delete(id);
  for (const use of uses) use(links.get(id) ?? "");
}

/**
 * @param {string} path of a file
 * @param {string} name under which a browser saves it
 * @param {number} [px] of a preview
 */
const addressOf = (path, name, px = 0) => `${path}/${encodeURIComponent(name)}${px ? `?size=${px}` : ""}`;

// --- rows ---

/** Whether the server wrote it from pixels. @param {FileInfo} file */
const isPicture = ({ width, height }) => width > 0 && height > 0;

/** Whether there is something of it to be seen: of one that moves, its first picture alone. @param {FileInfo} file */
const isShown = (file) => isPicture(file) || (file.previews ?? []).length > 0;

/** @param {FileInfo} file @param {number} px wanted @returns {number} of the preview that is large enough; 0: the file itself */
const previewOf = ({ previews, width }, px) =>
  previews.find((each) => each >= px) ?? (width ? 0 : previews.at(-1) ?? 0);

/**
 * The files of a message.
 *
 * @param {App} app
 * @param {Message} message
 * @param {string} key of the conversation
 * @param {Element | null} [before] what the row showed until now
 * @returns {Element}
 */
export function fileRows(app, { seq, files }, key, before) {
  const ids = files.map(({ id }) => id).join(" ");
  if (before && /** @type {HTMLElement} */ (before).dataset.ids === ids) {
    before.dispatchEvent(new Event("again"));
    return before;
  }
  const pictures = files.filter(isShown);
  const others = files.filter((each) => !isPicture(each));
  return h(
    "div",
    { class: "files", "data-ids": ids, on: { again: (/** @type {Event} */ event) => refresh(app, event) } },
    pictures.length > 0 &&
      h(
        "div",
        { class: "pictures" },
        ...pictures.map((file) => picture(app, file, (from) => openGallery(app, key, seq, file, from))),
      ),
    ...others.map((file) => download(app, file)),
  );
}

/** Asks for the addresses anew, after a reconnect. @param {App} app @param {Event} event */
function refresh(app, { currentTarget }) {
  for (const each of /** @type {Element} */ (currentTarget).querySelectorAll("[data-file]")) {
    want(app, /** @type {HTMLElement} */ (each).dataset.file ?? "", (path) => path && linked.get(each)?.(path));
  }
}

/** What is done with the address of a file. @type {WeakMap<Element, (path: string) => void>} */
const linked = new WeakMap();

/**
 * A picture in a row: its place is as large as it before anything of it is there.
 *
 * @param {App} app
 * @param {FileInfo} file
 * @param {(from: HTMLElement) => unknown} open
 */
function picture(app, file, open) {
  const name = oneLine(file.name);
  const [wide, high] = isPicture(file) ? [file.width, file.height] : MOVING;
  const scale = Math.min(1, ROW_PX / Math.max(wide, high));
  const width = Math.max(LEAST_PX, Math.round(wide * scale));
  const height = Math.max(LEAST_PX, Math.round(high * scale));
  const image = h("img", { alt: name, loading: "lazy", decoding: "async", width, height, draggable: false });
  const button = h("button", {
    type: "button",
    class: "picture",
    title: `${name} · ${size(file.size)}`,
    "data-file": file.id,
    on: { click: () => open(button) },
  }, image);
  button.style.width = `${width}px`;
  button.style.aspectRatio = `${width} / ${height}`;
  show(app, image, button, file, ROW_PX);
  return button;
}

/**
 * Shows a picture as soon as its address is known. What fails is asked for anew, once a connection.
 *
 * @param {App} app
 * @param {HTMLImageElement} image
 * @param {Element} holder that gets another address after a reconnect
 * @param {FileInfo} file
 * @param {number} px
 */
function show(app, image, holder, file, px) {
  let failures = 0;
  let loading = ""; // the address
  /** @param {string} path */
  const use = (path) => {
    if (image.complete && image.naturalWidth) return; // the browser has it
    holder.classList.toggle("missing", !path);
    const address = path && addressOf(path, file.name, previewOf(file, failures < 2 ? px : ROW_PX));
    if (!address || address === loading) return; // the same again would load it again
    image.src = loading = address;
  };
  linked.set(holder, (path) => {
    failures = 0;
    use(path);
  });
  image.addEventListener("error", () => {
    loading = "";
    if (++failures > 2) return holder.classList.add("missing");
    links.delete(file.id);
    want(app, file.id, use);
  });
  image.addEventListener("load", () => holder.classList.remove("missing"));
  want(app, file.id, use);
}

/** A name with its real ending, however long it is. @param {string} name */
export const nameView = (name) => h("bdi", { class: "file-name", title: visible(name) }, oneLine(shortened(name)));

/** A label by the name, never a promise. @param {{name: string, type: string}} file */
export function kindOf({ name, type }) {
  const kinds = { image: _("Picture"), video: _("Video"), audio: _("Audio") };
  const ending = /\.([\p{L}\p{N}]{1,8})$/u.exec(name)?.[1]?.toUpperCase() ?? "";
  return [kinds[/** @type {keyof typeof kinds} */ (type.split("/")[0])], ending].filter(Boolean).join(" · ") ||
    _("File");
}

/** @param {App} app @param {FileInfo} file */
function download(app, file) {
  const element = h(
    "a",
    { class: "file", download: file.name, rel: "noreferrer", "data-file": file.id },
    h("span", { class: "file-icon" }, icon(DOWN)),
    h(
      "span",
      { class: "file-words" },
      nameView(file.name),
      h("span", { class: "file-size" }, `${size(file.size)} · ${kindOf(file)}`),
    ),
  );
  const use = (/** @type {string} */ path) => {
    element.classList.toggle("missing", !path);
    if (path) element.href = addressOf(path, file.name);
  };
  linked.set(element, use);
  want(app, file.id, use);
  return element;
}

// --- pictures in full ---

/** @param {App} app @param {string} key @returns {{seq: number, file: FileInfo, name: string}[]} of the messages that are loaded */
function picturesOf(app, key) {
  const messages = app.core.conversations.get(key)?.window.messages ?? [];
  return messages.filter(({ by, deleted }) => !deleted && !app.settings.ignored.includes(by))
    .flatMap(({ seq, name, files }) => (files ?? []).filter(isShown).map((file) => ({ seq, file, name })));
}

/**
 * Shows a picture as large as the screen, with those before and after it.
 *
 * @param {App} app
 * @param {string} key of the conversation
 * @param {number} seq of the message
 * @param {FileInfo} first
 * @param {HTMLElement} from gets the focus back
 */
async function openGallery(app, key, seq, first, from) {
  const { showModal } = await later(() => import("./menu.js"), WRITING);
  let at = { seq, id: first.id };
  const title = h("h2", { class: "title", tabIndex: -1 });
  const count = h("span", { class: "quiet" });
  const save = h(
    "a",
    { class: "icon-button", rel: "noreferrer", "aria-label": _("Download"), title: _("Download") },
    icon(DOWN),
  );
  const place = h("div", { class: "gallery-picture" });
  const button = (/** @type {string} */ label, /** @type {string} */ path, /** @type {() => void} */ click) =>
    h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click } }, icon(path));
  const before = button(_("Previous picture"), BACK, () => step(-1));
  const after = button(_("Next picture"), NEXT, () => step(1));
  const dialog = h(
    "dialog",
    { class: "gallery", "aria-label": _("Picture") },
    h(
      "header",
      { class: "bar" },
      h("div", { class: "titles" }, title, count),
      save,
      button(_("Close"), CLOSE, () => dialog.close()),
    ),
    h("div", { class: "gallery-body" }, before, place, after),
  );

  /** @param {number} by */
  function step(by) {
    const all = picturesOf(app, key);
    const next = all[all.findIndex(({ file }) => file.id === at.id) + by];
    if (!next) return;
    at = { seq: next.seq, id: next.file.id };
    draw();
  }

  function draw() {
    const all = picturesOf(app, key);
    const index = all.findIndex(({ file }) => file.id === at.id);
    const found = all[index];
    if (!found) return dialog.close(); // deleted meanwhile
    const { file, name } = found;
    title.textContent = oneLine(file.name);
    count.textContent = _("{n} of {count} · {name} · {bytes:size}", {
      n: index + 1,
      count: all.length,
      name: oneLine(name),
      bytes: file.size,
    });
    before.disabled = index === 0;
    after.disabled = index === all.length - 1;
    const image = h("img", {
      alt: oneLine(file.name),
      decoding: "async",
      width: file.width || null,
      height: file.height || null,
    });
    fill(place, image);
    place.className = "gallery-picture";
    show(app, image, place, file, FULL_PX);
    save.removeAttribute("href");
    save.download = file.name;
    want(app, file.id, (path) => {
      if (path && at.id === file.id) save.href = addressOf(path, file.name);
    });
  }

  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
  });
  place.addEventListener("click", ({ target }) => target === place && dialog.close());
  const unlisten = app.listen((changes) => {
    if (changes.some(({ kind }) => kind === "messageChanged" || kind === "purged" || kind === "reset")) {
      if (!picturesOf(app, key).some(({ file }) => file.id === at.id)) dialog.close();
    }
  });
  dialog.addEventListener("close", () => {
    unlisten();
    dialog.remove();
    from.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  draw();
  showModal(dialog);
  title.focus({ preventScroll: true });
}

// --- the user's own files ---

/** @param {App} app */
export async function openFiles(app) {
  const { openDialog, confirm, refusalOf } = await later(() => import("./menu.js"), WRITING);
  const bar = h("progress", { max: 1, value: 0, "aria-label": _("Used of your quota") });
  const used = h("p", { class: "quiet", role: "status" }, _("Loading …"));
  const rows = h("ul", { class: "own-files" });
  const more = h(
    "button",
    { type: "button", class: "button", hidden: true, on: { click: () => load(true) } },
    _("Show more"),
  );
  const dialog = openDialog({
    title: _("My files"),
    wide: true,
    body: h("div", { class: "own-body" }, used, bar, rows, more),
    closed: () => unlisten(),
  });
  /** @type {string | undefined} */
  let last;

  /** @param {boolean} [further] */
  async function load(further = false) {
    try {
      const page = await app.ask(further && last ? { ask: "files", after: last } : { ask: "files" });
      if (!further) fill(rows, ...(page.uploads ?? []).map(uploadRow));
      rows.append(...page.files.map(row));
      last = page.files.at(-1)?.file.id ?? last;
      more.hidden = !page.more;
      tell(page);
    } catch (error) {
      fill(used, refusalOf(error));
    }
  }

  /** @param {{used: number, most: number}} page */
  function tell(page) {
    bar.max = page.most;
    bar.value = Math.min(page.used, page.most);
    const left = Math.max(0, page.most - page.used);
    fill(
      used,
      rows.children.length ? "" : `${_("You have sent no files.")} `,
      _("{used:size} of {most:size} used, {left:size} left.", { used: page.used, most: page.most, left }),
    );
  }

  /** A file counts until the disk has its room again, a moment after its message is gone. */
  async function deleted() {
    const before = bar.value;
    await load();
    for (let tries = 0; tries < MOST_ASKED && bar.isConnected && bar.value === before; tries++) {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      await app.ask({ ask: "files" }).then(tell, () => {});
    }
  }

  /** An upload counts against the quota, although no message has it. @param {any} own an OwnUpload */
  function uploadRow(own) {
    const { name, offset, size: whole, until_ms: at } = own;
    const until = date(at);
    const words = offset === whole
      ? _("{size:size} · not sent, kept until {until}", { size: whole, until })
      : _("{offset:size} of {size:size} · unfinished, kept until {until}", { offset, size: whole, until });
    return h(
      "li",
      {},
      h("div", { class: "file-words" }, nameView(name), h("span", { class: "file-size" }, words)),
      h("button", {
        type: "button",
        class: "button danger",
        "aria-label": _("Remove {name}", { name: oneLine(name) }),
        on: { click: () => removeUpload(own) },
      }, _("Remove")),
    );
  }

  /** @param {any} own */
  async function removeUpload(own) {
    const text = _("It is in no message. Where it is still being sent, that ends.");
    if (!await confirm(_("Remove {name}?", { name: oneLine(own.name) }), text, _("Remove"), { danger: true })) return;
    try {
      await app.ask({ ask: "uploadremove", id: own.id });
      await load();
    } catch (error) {
      fill(used, refusalOf(error));
    }
  }

  /** @param {any} own an OwnFile */
  function row(own) {
    const { file, room, to, sent_at_ms: at } = own;
    const sizeView = (/** @type {string} */ where) =>
      h("span", { class: "file-size" }, `${size(file.size)} · ${where} · ${date(at)}`);
    if (!room && !to) {
      const where = _("in a room you are not in, where only a moderator can delete it");
      return h("li", {}, h("div", { class: "file-words" }, nameView(file.name), sizeView(where)));
    }
    const where = room ? `#${oneLine(room)}` : oneLine(app.core.nameOf(to) ?? _("direct message"));
    return h(
      "li",
      {},
      h(
        "div",
        { class: "file-words" },
        nameView(file.name),
        sizeView(where),
      ),
      h("button", { type: "button", class: "button", on: { click: () => visit(own) } }, _("Go to message")),
      h("button", {
        type: "button",
        class: "button danger",
        "aria-label": _("Delete {name}", { name: oneLine(file.name) }),
        on: { click: () => remove(own) },
      }, _("Delete")),
    );
  }

  /** @param {any} own @returns {Promise<Conversation | null>} */
  async function conversationOf({ room, to }) {
    if (room) {
      const found = app.core.roomNamed(room);
      if (!found) app.toast(_("You are not in #{room}. Join it first", { room }));
      return found;
    }
    return app.core.directWith(to) ??
      await app.ask({ ask: "openPerson", person: { id: to, name: app.core.nameOf(to) ?? "" } });
  }

  /** @param {any} own */
  async function visit(own) {
    const found = await conversationOf(own).catch(() => null);
    if (!found) return;
    dialog.close();
    app.go({ key: found.key, seq: own.seq, panel: "" });
  }

  /** The number of a deletion that is on its way. @type {number | undefined} */
  let number;
  /** @param {any} own */
  async function remove(own) {
    const found = await conversationOf(own).catch(() => null);
    if (!found) return;
    const text = _("Its message is deleted with it. Others see that there was a message, and not what it said.");
    if (!await confirm(_("Delete {name}?", { name: oneLine(own.file.name) }), text, _("Delete"), { danger: true })) {
      return;
    }
    app.act({ do: "delete", key: found.key, seq: own.seq });
    number = app.core.pending.find(({ kind, seq }) => kind === "delete" && seq === own.seq)?.number;
  }

  const unlisten = app.listen((changes) => {
    for (const change of changes) {
      if (change.kind === "acked" && change.number === number) deleted();
      else if (change.kind === "failed" && change.number === number) fill(used, refusalText(change.refusal));
    }
  });
  load();
}

/** @param {{app: App}} context */
const takesFiles = ({ app }) => app.core.features.includes("files");

/** What can be done about files; rows of the table of actions. @type {readonly Row[]} */
export const FILE_ACTIONS = [
  {
    name: "upload",
    label: () => _("Send files"),
    place: "conversation",
    usage: () => "/upload",
    isPossible: takesFiles,
    run: async () => (await import("./composer.js")).openComposer()?.choose?.(),
  },
  {
    name: "files",
    label: () => _("My files"),
    place: "app",
    usage: () => "/files",
    isPossible: takesFiles,
    run: ({ app }) => openFiles(app),
  },
];
