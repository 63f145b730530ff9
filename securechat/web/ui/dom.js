/**
 * Makes elements and icons, and imports what comes behind the first message. Text becomes text nodes and nothing else: no function here
 * takes markup.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [properties] `class`, `data-…`, `aria-…` and other names with a dash become attributes; `on` holds
 *   listeners by event; the rest become properties of the element. null, undefined and false are left out.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(/** @type {Record<string, EventListener>} */ (value))) {
        element.addEventListener(event, listener);
      }
    } else if (name === "class" || name === "role" || name === "for" || name.includes("-")) {
      element.setAttribute(name, value === true ? "" : String(value));
    } else {
      Reflect.set(element, name, value);
    }
  }
  put(element, ...children);
  return element;
}

/**
 * Puts children behind what an element has.
 *
 * @param {Node} element
 * @param {...Child} children
 */
export function put(element, ...children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

/**
 * Replaces the children of an element.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  put(element, ...children);
}

/**
 * Puts the children of an element into an order. One that has sunk is moved by itself, not all that were below it.
 *
 * @param {Element} element
 * @param {readonly Element[]} wanted all of them
 */
export function arrange(element, wanted) {
  let at = element.firstElementChild;
  for (const each of wanted) {
    if (at && at !== each && at.nextElementSibling === each) {
      const sunk = at;
      at = each;
      element.append(sunk);
    }
    if (at === each) at = each.nextElementSibling;
    else element.insertBefore(each, at);
  }
}

/**
 * Makes a listener that does something in place of what the browser would do.
 *
 * @param {() => unknown} run
 * @returns {(event: Event) => void}
 */
export function instead(run) {
  return (event) => {
    event.preventDefault();
    run();
  };
}

/**
 * Makes an icon of one path in a square of 24.
 *
 * @param {string} path of the attribute `d`
 * @returns {SVGSVGElement} hidden from screen readers: the button around it has the name
 */
export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.appendChild(line);
  return svg;
}

// --- icons ---

/** The icons of the frame: paths in a square of 24, drawn as lines. */
export const BACK = "M15 5l-7 7 7 7";
export const PLUS = "M12 5v14M5 12h14";
export const SEARCH = "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20";
export const PEOPLE =
  "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.4-4 3-6 6.5-6s6.1 2 6.5 6M15.5 4.3a3.5 3.5 0 0 1 0 6.4M18 14.3c2 .8 3.2 2.7 3.5 5.7";
export const MORE =
  "M5 11.4a.6.6 0 1 0 0 1.2.6.6 0 0 0 0-1.2zM12 11.4a.6.6 0 1 0 0 1.2.6.6 0 0 0 0-1.2zM19 11.4a.6.6 0 1 0 0 1.2.6.6 0 0 0 0-1.2z";
export const SETTINGS =
  "M4 7h8M18 7h2M4 17h2M12 17h8M15 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM9 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z";
export const CLOSE = "M6 6l12 12M18 6L6 18";
export const LOCK = "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z";

// --- what is imported behind the first message ---

const PANELS = "../panels.css";
/** What is needed to write and to choose from menus. */
export const WRITING = [
  PANELS,
  "./about.js",
  "./actions.js",
  "./attach.js",
  "./composer.js",
  "./files.js",
  "./keys.js",
  "./menu.js",
  "./page_keys.js",
];
/** The screens around the chat. */
export const SCREENS = [PANELS, "./entrance.js"];
/** What shows files of messages. */
export const FILES = [PANELS, "./files.js"];
const ALL = [...WRITING, ...SCREENS, "./commands.js", "./dialogs.js", "./search.js", "./settings.js"];
/** @type {Map<string, Promise<void>>} */
const fetched = new Map();

/** @param {string} name */
async function fetchFile(name) {
  const address = new URL(name, import.meta.url).href;
  const response = await fetch(address);
  if (!response.ok) throw new TypeError(`no import: ${response.status}`);
  await response.arrayBuffer();
  if (name !== PANELS) return;
  const sheet = h("link", { rel: "stylesheet", href: address });
  await new Promise((resolve) => {
    sheet.onload = sheet.onerror = resolve;
    document.head.append(sheet);
  });
}

/**
 * Imports a file. Chromium does not try again what it could not import once, for as long as the page lives: so it is fetched first, with
 * all that it imports. It is immutable, and the import finds it in the browser's cache.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @param {readonly string[]} [files] with what they import
 * @returns {Promise<T>}
 * @throws {TypeError} without a connection; a later call tries again
 */
export async function later(load, files = ALL) {
  await Promise.all(files.map((name) => {
    const known = fetched.get(name) ?? fetchFile(name);
    fetched.set(name, known);
    known.catch(() => fetched.delete(name));
    return known;
  }));
  return await load();
}

/** Imports everything, so that it works without a connection too. @returns {Promise<unknown>} */
export const preload = () =>
  later(() =>
    Promise.all([
      import("./commands.js"),
      import("./dialogs.js"),
      import("./entrance.js"),
      import("./settings.js"),
    ])
  ).catch(() => {});
