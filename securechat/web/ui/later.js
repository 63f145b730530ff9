/**
 * Imports what is not needed before the first message.
 *
 * Chromium does not try again what it could not import once, for as long as the page lives. So all files are fetched first: they are
 * immutable, and the import finds them in the browser's cache.
 */

const FILES = [
  "actions",
  "commands",
  "completion",
  "dialogs",
  "emoji",
  "members",
  "menu",
  "search",
  "settings",
  "switcher",
];
/** @type {Promise<unknown> | null} */
let fetched = null;

/** @param {string} name */
async function fetchFile(name) {
  const response = await fetch(new URL(`./${name}.js`, import.meta.url));
  if (!response.ok) throw new TypeError(`no import: ${response.status}`);
  await response.arrayBuffer();
}

/**
 * @template T
 * @param {() => Promise<T>} load imports one of the files
 * @returns {Promise<T>}
 * @throws {TypeError} without a connection; a later call tries again
 */
export async function later(load) {
  fetched ??= Promise.all(FILES.map(fetchFile));
  try {
    await fetched;
  } catch (error) {
    fetched = null;
    throw error;
  }
  return await load();
}

/** Imports everything, so that it works without a connection too. @returns {Promise<unknown>} */
export const preload = () =>
  later(() =>
    Promise.all([
      import("./commands.js"),
      import("./dialogs.js"),
      import("./emoji.js"),
      import("./members.js"),
      import("./settings.js"),
    ])
  ).catch(() => {});
