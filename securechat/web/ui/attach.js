/**
 * Files for a message: chosen, dropped, pasted or photographed; what each becomes is said before it is sent. Pictures are drawn on a canvas
 * from the file. Messages whose files are on their way stand behind the others of their conversation.
 *
 * @import {App, Attachment, Parcel, Refusal, Uploads} from "../core/types.js"
 *
 * @typedef {object} Hooks
 * @property {HTMLElement | undefined} outgoing where messages stand until they are sent
 * @property {() => void} changed something of the draft has changed
 * @property {(text: string) => void} say
 * @property {(text: string, reply: number | null) => void} restore puts a text back into the field
 * @property {() => boolean} closed whether one cannot write here
 */
import { oneLine } from "../core/text.js";
import { CLOSE, fill, h, icon } from "./dom.js";
import { kindOf, nameView } from "./files.js";
import { _, number, refusalText, size } from "./i18n.js";
import { openMenu } from "./menu.js";
import { nameText, textView } from "./message_row.js";

const MOST = 10; // of a message
const CLIP = "M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.4 3.4 0 0 1 4.8 4.8L10 17a1.7 1.7 0 0 1-2.4-2.4l7.4-7.4";
const THUMB_PX = 128;
/** Of the beginning of a picture, in which it says that it moves. */
const HEAD_BYTES = 65_536;
const PICTURE = /^image\/(jpeg|png|webp|gif)$/;
const PICTURE_NAME = /\.(jpe?g|png|webp|gif)$/i;
/** What may know a place or a time: heic and avif too. */
const KNOWING = /^(image|video)\/|^application\/pdf$/;
const KNOWING_NAME = /\.(heic|heif|avif|tiff?|mov|mp4|m4v|webm|mkv|avi|3gp|pdf|dng)$/i;

/**
 * The button, and what was chosen.
 *
 * @param {App} app
 * @param {string} key of the conversation
 * @param {Hooks} hooks
 */
export function attachments(app, key, hooks) {
  const stop = new AbortController();
  const { signal } = stop;
  /** @type {Uploads | null} */
  let uploads = null;
  let opening = false;
  /** @type {readonly File[]} chosen before it was loaded */
  let early = [];
  let frame = 0;
  /** @type {(() => void)[]} */
  const ends = [];
  /** @type {Map<string, ReturnType<typeof fileRow>>} */
  const rows = new Map();
  const picker = h("input", { type: "file", multiple: true, hidden: true, on: { change: chosen } });
  const camera = h("input", {
    type: "file",
    accept: "image/\u002a", // a star there would begin a comment to our tools
    capture: "environment",
    hidden: true,
    on: { change: chosen },
  });
  const button = h("button", {
    type: "button",
    class: "icon-button",
    hidden: true,
    "aria-label": _("Attach files"),
    title: _("Attach files"),
    on: { click: choose, pointerdown: (/** @type {Event} */ event) => event.preventDefault() },
  }, icon(CLIP));
  const list = h("ul", { class: "attachments", "aria-label": _("Files of this message") });
  const words = h("p", { class: "attached-words" });
  const element = h("div", { class: "attached", hidden: true }, list, words, picker, camera);

  const takes = () => Boolean(app.core.features?.includes("files"));
  const draft = () => uploads?.of(key).find(({ state }) => state === "draft");

  async function open() {
    button.hidden = !takes();
    if (button.hidden || uploads || opening) return;
    opening = true;
    try {
      uploads = await app.uploads();
      if (signal.aborted) return;
      ends.push(uploads.listen(schedule));
      schedule();
      if (early.length) add(early);
      early = [];
    } catch { // it is tried again at the next welcome, or the next file
      if (early.length) hooks.say(_("This works when you are connected."));
    } finally {
      opening = false;
    }
  }

  /** One button; iPhones and computers offer the camera by themselves, Android does not. */
  function choose() {
    if (!/Android/.test(navigator.userAgent)) return picker.click();
    openMenu(button, [
      { label: _("Take a photo"), run: () => camera.click() },
      { label: _("Choose files"), run: () => picker.click() },
    ]);
  }

  /** @param {Event} event */
  function chosen(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    add([...input.files ?? []]);
    input.value = ""; // the same one can be chosen again
  }

  /** @param {readonly File[]} files */
  function add(files) {
    if (!files.length) return;
    if (!uploads) {
      early = [...early, ...files];
      return open();
    }
    const room = MOST - (draft()?.files.length ?? 0);
    if (files.length > room) {
      hooks.say(_("A message has at most {most} files. Send the rest in another one", { most: MOST }));
    }
    if (room > 0) uploads.add(key, files.slice(0, room));
  }

  /** @param {DataTransfer | null} data */
  function filesIn(data) {
    const items = [...data?.items ?? []].filter(({ kind }) => kind === "file");
    const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
    if (folders.length) hooks.say(_("Folders cannot be sent. Choose the files in them"));
    return items.filter((item) => !folders.includes(item)).flatMap((item) => item.getAsFile() ?? []);
  }

  function schedule() {
    frame ||= requestAnimationFrame(update);
  }

  function update() {
    frame = 0;
    if (signal.aborted || !uploads) return;
    const parcel = draft();
    const files = parcel?.files ?? [];
    const parcels = uploads.of(key).filter(({ state }) => state === "sending");
    const all = new Set([...files, ...parcels.flatMap((each) => each.files)]);
    for (const [id, row] of rows) if (![...all].some((each) => each.id === id)) rows.delete(id), row.element.remove();
    place(list, files.map((file) => rowOf(file, false).element));
    element.hidden = files.length === 0;
    const { account, features, limits } = app.core;
    const guest = account ? 0 : (limits.guest_file_hours ?? 0) * 3600;
    const said = [
      files.some(isPicture) && !features.includes("pictures") &&
      _("This server cannot clean pictures: place, time and camera stay inside them."),
      guest && _("You are a guest, so your files are deleted after {left:duration}.", { left: guest }),
    ];
    fill(words, said.filter(Boolean).join(" "));
    showOutgoing(parcels);
    hooks.changed();
  }

  /** @param {Attachment} file @param {boolean} sending */
  function rowOf(file, sending) {
    let row = rows.get(file.id);
    if (!row || row.file !== file) {
      row?.element.remove();
      row = fileRow(app, /** @type {Uploads} */ (uploads), file);
      rows.set(file.id, row);
    }
    row.update(sending);
    return row;
  }

  // --- on their way ---

  /** @type {Map<string, {element: HTMLElement, list: HTMLElement, state: HTMLElement}>} */
  const parcelRows = new Map();

  /** @param {readonly Parcel[]} parcels */
  function showOutgoing(parcels) {
    if (!hooks.outgoing) return;
    for (const id of [...parcelRows.keys()]) if (!parcels.some((each) => each.id === id)) parcelRows.delete(id);
    place(
      hooks.outgoing,
      parcels.map((parcel) => {
        let row = parcelRows.get(parcel.id);
        if (!row) parcelRows.set(parcel.id, row = parcelRow(parcel));
        place(row.list, parcel.files.map((file) => rowOf(file, true).element));
        const stuck = parcel.files.find(isStuck);
        const said = stuck
          ? `${_("The message was not sent.")} ${remedyOf(stuck)}`
          : app.core.phase === "online"
          ? _("Sending…")
          : _("Waiting for the connection");
        if (row.state.textContent !== said) row.state.textContent = said;
        row.element.classList.toggle("failed", Boolean(stuck));
        return row.element;
      }),
    );
  }

  /** @param {Parcel} parcel */
  function parcelRow(parcel) {
    const { name, id } = app.core.me;
    const files = h("ul", { class: "attachments" });
    const state = h("div", { class: "state" });
    const act = (/** @type {string} */ label, /** @type {() => void} */ click) =>
      h("button", { type: "button", on: { click } }, label);
    const element = h(
      "article",
      { class: "row own pending head", "aria-label": `${nameText(name)}: ${_("Not sent yet")}` },
      h(
        "div",
        { class: "line" },
        h("div", { class: "side" }),
        h(
          "div",
          { class: "main" },
          h(
            "div",
            { class: "who" },
            h("bdi", { class: `name person-${id % 8}` }, nameText(name)),
            h("span", { class: "you" }, _("you")),
          ),
          parcel.text && textView(parcel.text),
          files,
          state,
          h(
            "div",
            { class: "remedies" },
            act(_("Edit"), () => {
              uploads?.takeBack(parcel);
              hooks.restore(parcel.text, parcel.reply);
            }),
            act(_("Discard"), () => uploads?.discard(parcel)),
          ),
        ),
      ),
    );
    return { element, list: files, state };
  }

  // --- dropped and pasted ---

  const holdsFiles = (/** @type {DragEvent} */ event) => takes() && event.dataTransfer?.types.includes("Files");
  const marked = (/** @type {boolean} */ on) => element.closest(".composer")?.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault(); // else the browser would show the file in place of the page
    const open = !hooks.closed() && !document.querySelector("dialog[open]");
    if (event.dataTransfer) event.dataTransfer.dropEffect = open ? "copy" : "none";
    marked(open);
  }, { signal });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || marked(false), { signal });
  document.addEventListener("drop", (event) => {
    marked(false);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    if (!hooks.closed() && !document.querySelector("dialog[open]")) add(filesIn(event.dataTransfer));
  }, { signal });
  ends.push(app.listen((changes) => {
    if (changes.some(({ kind }) => kind === "welcome")) open();
    if (changes.some(({ kind }) => kind === "phase")) schedule();
  }));
  open();

  return {
    element,
    button,
    choose,
    /** @param {ClipboardEvent} event @returns {boolean} whether it had files, and no text */
    paste(event) {
      const { clipboardData: data } = event;
      if (!data?.files.length || data.getData("text/plain")) return false;
      event.preventDefault();
      if (!takes()) hooks.say(_("Files and pictures cannot be sent here yet."));
      else add(filesIn(data));
      return true;
    },
    get count() {
      return draft()?.files.length ?? 0;
    },
    /** Why it cannot be sent as it is. */
    get problem() {
      const stuck = draft()?.files.find(isStuck);
      return stuck ? remedyOf(stuck) : "";
    },
    /** @param {string} text @param {number | null} reply */
    send: (text, reply) => uploads?.send(key, text, reply),
    /** @param {readonly {id: string}[]} files of a message that was refused */
    async takeBack(files) {
      const all = (await app.uploads()).of(key);
      const parcel = all.find((each) => each.files.some(({ upload }) => files.some(({ id }) => id === upload?.id)));
      if (parcel) (await app.uploads()).takeBack(parcel);
    },
    end() {
      stop.abort();
      cancelAnimationFrame(frame);
      hooks.outgoing?.replaceChildren();
      for (const end of ends) end();
    },
  };
}

/**
 * Puts elements into their order, and nothing else; those that stay keep the focus.
 *
 * @param {Element} parent
 * @param {readonly Element[]} children
 */
function place(parent, children) {
  for (const each of [...parent.children]) if (!children.includes(each)) each.remove();
  children.forEach((each, index) =>
    parent.children[index] === each || parent.insertBefore(each, parent.children[index] ?? null)
  );
}

/** Whether a message waits for what is done about this file. @param {Attachment} file */
const isStuck = ({ state }) => state === "failed" || state === "unreadable";

/** Whether the same file may go through another time. @param {Attachment} file */
const mayWork = ({ state, refusal }) =>
  state === "failed" && !/^file_(too_large|empty|unreadable)$/.test(refusal?.reason ?? "");

/** What can be done about a file that cannot be sent. @param {Attachment} file */
function remedyOf(file) {
  const name = oneLine(file.name);
  if (file.state === "unreadable") return _("{name} cannot be sent. Remove it, or send it as a file", { name });
  return mayWork(file)
    ? _("{name} cannot be sent. Remove it, or try it again", { name })
    : _("{name} cannot be sent. Remove it", { name });
}

/** @param {{name: string, type: string}} file */
const isPicture = ({ name, type }) => PICTURE.test(type) || PICTURE_NAME.test(name);

/**
 * What was chosen, as a row: how far it is, what stays inside, and what can be done.
 *
 * @param {App} app
 * @param {Uploads} uploads
 * @param {Attachment} file
 */
function fileRow(app, uploads, file) {
  const name = oneLine(file.name);
  const picture = isPicture(file);
  let moves = false;
  let shown = "";
  const canvas = h("canvas", { class: "thumb", width: 0, height: 0, "aria-hidden": "true" });
  const status = h("span", { class: "file-size" });
  const bar = h("progress", { max: file.size || 1, value: 0, "aria-label": _("Upload of {name}", { name }) });
  const hint = h("span", { class: "file-hint" });
  const box = h("input", { type: "checkbox", on: { change: () => uploads.asFile(file, box.checked) } });
  const choice = h("label", { class: "as-file" }, box, " ", _("As a file"));
  const again = h(
    "button",
    { type: "button", class: "link", on: { click: () => uploads.retry(file) } },
    _("Try again"),
  );
  const keep = h(
    "button",
    { type: "button", class: "link", on: { click: () => uploads.asFile(file, true) } },
    _("Send as a file"),
  );
  const remove = h("button", {
    type: "button",
    class: "icon-button",
    "aria-label": _("Remove {name}", { name }),
    title: _("Remove {name}", { name }),
    on: { click: () => uploads.remove(file) },
  }, icon(CLOSE));
  const element = h(
    "li",
    { class: "attachment" },
    canvas,
    h(
      "div",
      { class: "file-words" },
      nameView(file.name),
      status,
      bar,
      hint,
      h("div", { class: "file-acts" }, choice, again, keep),
    ),
    remove,
  );
  if (picture) {
    drawn = drawn.then(() => draw(canvas, uploads, file)).then((found) => (moves = found, update()), () => {});
  }

  /** What stays inside. */
  function inside() {
    const { features } = app.core;
    if (!picture) {
      const knows = KNOWING.test(file.type) || KNOWING_NAME.test(file.name);
      return knows ? _("Place, time and camera stay inside.") : "";
    }
    if (!features.includes("pictures")) return "";
    if (file.asFile) return _("Place, time and camera stay inside.");
    if (moves) return _("It moves, so it stays as it is: place, time and camera stay inside.");
    return _("Place, time and camera are taken out.");
  }

  function state() {
    const all = size(file.size);
    if (file.refusal) return `${all} · ${whyNot(file.refusal)}`;
    if (file.state === "done") return `${all} · ${kindOf(file)}`;
    if (file.state === "waiting") return `${all} · ${_("waiting")}`;
    const part = Math.floor(100 * file.sent / file.size);
    return part < 100
      ? _("{part} % of {bytes:size}", { part: number(part), bytes: file.size })
      : `${all} · ${_("almost done")}`;
  }

  function update(sending = false) {
    if (sending) element.dataset.sending = "";
    else delete element.dataset.sending;
    const failed = isStuck(file);
    const said = state();
    if (status.textContent !== said) status.textContent = said;
    if (file.state !== shown && file.refusal) app.announce(`${name}: ${whyNot(file.refusal)}`, true);
    shown = file.state;
    element.classList.toggle("failed", failed);
    bar.value = file.sent;
    bar.hidden = failed || file.state === "done";
    fill(hint, failed ? "" : inside());
    box.checked = file.asFile;
    choice.hidden = !picture || sending || file.state === "unreadable" || !app.core.features.includes("pictures") ||
      moves;
    again.hidden = !mayWork(file);
    keep.hidden = file.state !== "unreadable";
  }
  return { element, file, update };
}

/** One picture after the other: phones have little memory. @type {Promise<unknown>} */
let drawn = Promise.resolve();

/**
 * Draws a picture that is not sent yet.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Uploads} uploads
 * @param {Attachment} file
 * @returns {Promise<boolean>} whether it moves
 */
async function draw(canvas, uploads, file) {
  const source = await uploads.read(file);
  if (!source) return false;
  const found = moves(new Uint8Array(await source.slice(0, HEAD_BYTES).arrayBuffer()));
  try {
    const bitmap = await createImageBitmap(source, { resizeWidth: 2 * THUMB_PX, resizeQuality: "medium" })
      .catch(() => createImageBitmap(source)); // some browsers take no size
    const scale = Math.max(THUMB_PX / bitmap.width, THUMB_PX / bitmap.height);
    canvas.width = canvas.height = THUMB_PX;
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    canvas.getContext("2d")?.drawImage(bitmap, (THUMB_PX - width) / 2, (THUMB_PX - height) / 2, width, height);
    bitmap.close();
  } catch { // what cannot be drawn may be sent all the same
  }
  return found;
}

/**
 * @param {Uint8Array} head the beginning of a GIF, WebP or PNG
 * @returns {boolean} whether it says that it has several pictures
 */
export function moves(head) {
  const text = String.fromCharCode(...head.subarray(0, 32));
  const has = (/** @type {string} */ word) => {
    const codes = [...word].map((each) => each.charCodeAt(0));
    return head.some((_byte, at) => codes.every((code, index) => head[at + index] === code));
  };
  if (text.startsWith("GIF8")) return has("NETSCAPE2.0") || has("ANIMEXTS1.0");
  if (text.startsWith("RIFF") && text.slice(8, 16) === "WEBPVP8X") return ((head[20] ?? 0) & 2) > 0;
  return text.startsWith("\x89PNG") && has("acTL");
}

/** @param {Refusal} refusal */
function whyNot(refusal) {
  const { reason, args } = refusal;
  switch (reason) { // said by this page, before the server hears of it
    case "file_too_large":
      return _("The file has {size:size}, and at most {most:size} are allowed for one file. Send a smaller one", args);
    case "file_empty":
      return _("The file is empty. Choose another one");
    case "file_unreadable":
      return _("This browser does not have the file any more. Choose it again");
    case "file_failed":
      return _("The file could not be sent. Try again");
  }
  return refusalText(refusal);
}
