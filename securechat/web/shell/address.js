/**
 * Reads and writes what stands behind "#" in the address: an invite, or where the user is.
 *
 * An invite is `join-once/TOKEN/CA` or `join/TOKEN/CA`; a place `/room/NAME/SEQ`, `/person/ID/SEQ` or `/`, with `?PANEL`. Uses no DOM.
 *
 * @import {Invite} from "../core/types.js"
 * @typedef {{room: string, person: number, seq: number | null, panel: string}} Place `person` 0 and `room` "": the list
 */

const INVITE = /^#?\/?(join|join-once)\/([0-9a-f]{32})(?:\/([0-9a-f]{64})?)?$/i;
const PANEL = /^[a-z]{1,20}$/;

/**
 * Reads an invite.
 *
 * @param {string} fragment as `location.hash`
 * @returns {Invite | null}
 */
export function inviteOf(fragment) {
  const match = INVITE.exec(fragment.trim());
  if (!match) return null;
  const [, kind = "", token = "", ca = ""] = match;
  return { token: token.toLowerCase(), ca: ca.toLowerCase(), once: kind.toLowerCase() === "join-once" };
}

/**
 * Whether a fragment is meant as an invite, valid or not.
 *
 * @param {string} fragment
 */
export function looksLikeInvite(fragment) {
  return /^#?\/?join(-once)?(\/|$)/i.test(fragment);
}

/**
 * Reads a place. What is damaged is the list.
 *
 * @param {string} fragment as `location.hash`
 * @returns {Place}
 */
export function placeOf(fragment) {
  const [path = "", panel = ""] = fragment.replace(/^#/, "").split("?", 2);
  const place = {
    room: "",
    person: 0,
    seq: /** @type {number | null} */ (null),
    panel: PANEL.test(panel) ? panel : "",
  };
  const [, kind, name = "", seq] = path.split("/");
  if (kind === "room") place.room = decoded(name);
  else if (kind === "person") place.person = number(name) ?? 0;
  if (place.room || place.person) place.seq = number(seq ?? "");
  return place;
}

/**
 * Writes a place.
 *
 * @param {Partial<Place>} place
 * @returns {string} begins with "#/"
 */
export function fragmentOf({ room = "", person = 0, seq = null, panel = "" }) {
  const where = room ? `room/${encodeURIComponent(room)}` : person ? `person/${person}` : "";
  return `#/${where}${where && seq !== null ? `/${seq}` : ""}${panel ? `?${panel}` : ""}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** @param {string} text */
function number(text) {
  return /^\d{1,16}$/.test(text) ? Number(text) : null;
}
