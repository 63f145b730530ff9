/// <reference lib="deno.ns" />
import {
  _,
  chosenLanguage,
  clock,
  dayKey,
  daySeparator,
  duration,
  list,
  moment,
  ngettext,
  number,
  pgettext,
  refusalText,
  setCatalog,
  shortDuration,
  shortKey,
  shortTime,
  size,
  weekday,
} from "../../securechat/web/ui/i18n.js";

const INDONESIAN = {
  language: "id",
  texts: {
    "Hello, {name}": "Halo, {name}",
    "{n} message": ["{n} pesan"],
    "a verb\u0004open": "buka",
    "{count} minute": ["{count} menit"],
    Today: "Hari ini",
    Yesterday: "Kemarin",
    "There is no connection to the server": "Tidak ada koneksi ke server",
  },
  refusals: { slow_mode: "#{room} lambat. Tunggu {left:duration}", muted_because: "Kamu dibisukan: {why}" },
};

/**
 * @param {unknown} found
 * @param {unknown} wanted
 */
function same(found, wanted) {
  if (found !== wanted) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

/**
 * @param {string} reason
 * @param {Record<string, string | number>} args
 */
function refusal(reason, args) {
  return { code: "x", text: "In English", reason, args, retryS: null };
}

const NOON = new Date(2026, 10, 29, 6, 13).getTime();
const DAY_MS = 86400_000;

Deno.test("texts and reasons are found by their short keys", () => {
  same(shortKey("Today"), "wk0u"); // as short_key of tools/translations.py says
  same(shortKey("👍 é"), "dz8s");
  setCatalog({ language: "id", texts: { wk0u: "Hari ini" }, refusals: { [shortKey("slow_mode")]: "Tunggu" } });
  same(_("Today"), "Hari ini");
  same(refusalText(refusal("slow_mode", {})), "Tunggu");
});

Deno.test("English needs no catalogue", () => {
  setCatalog(null);
  same(_("Hello, {name}", { name: "ana" }), "Hello, ana");
  same(ngettext("{n} message", "{n} messages", 1), "1 message");
  same(ngettext("{n} message", "{n} messages", 0), "0 messages");
  same(pgettext("a verb", "open"), "open");
  same(duration(301), "6 minutes");
  same(shortDuration(7500), "2 h 5 min");
  same(shortDuration(0), "0 s");
  same(moment(NOON), "29 Nov 2026, 06:13");
  same(number(1234.5), "1,234.5");
  same(list(["ana", "budi", "cici"]), "ana, budi and cici");
  same(daySeparator(NOON, NOON + 5 * DAY_MS), "Sunday, 29 November 2026");
  same(refusalText(refusal("slow_mode", { room: "ops", left: 61 })), "In English");
});

Deno.test("a catalogue translates, and lacks say English", () => {
  setCatalog(INDONESIAN);
  same(_("Hello, {name}", { name: "ana" }), "Halo, ana");
  same(_("constructor"), "constructor");
  same(ngettext("{n} message", "{n} messages", 2), "2 pesan");
  same(pgettext("a verb", "open"), "buka");
  same(duration(61), "2 menit");
  same(clock(NOON), "06.13");
  same(weekday(NOON), "Minggu");
  same(number(1234.5), "1.234,5");
  same(size(1536), "1,5 KiB");
  same(daySeparator(NOON, NOON), "Hari ini");
  same(shortTime(NOON, NOON + DAY_MS), "Kemarin");
  same(shortTime(NOON, NOON + 3 * DAY_MS), "Minggu");
  same(shortTime(NOON, NOON - DAY_MS), "29 Nov 2026");
  same(dayKey(NOON), "2026-11-29");
});

Deno.test("a value is never a template, and braces can be said", () => {
  setCatalog(null);
  same(_("{a} {{b}} {c}", { a: "{b}", b: "x" }), "{b} {b} {c}");
  same(_("{toString}"), "{toString}");
  same(_("{at:moment}", { at: NOON }), "29 Nov 2026, 06:13");
});

Deno.test("a refusal is said from reason and arguments", () => {
  setCatalog(INDONESIAN);
  same(refusalText(refusal("slow_mode", { room: "ops", left: 61 })), "#ops lambat. Tunggu 2 menit");
  same(refusalText(refusal("slow_mode", { room: "ops" })), "In English");
  same(refusalText(refusal("constructor", {})), "In English");
  const ours = { ...refusal("offline", {}), text: "There is no connection to the server" };
  same(refusalText(ours), "Tidak ada koneksi ke server");
  const said = refusalText(refusal("muted_because", { why: "a\u202eb\u0007{why}\nc" }));
  for (const hostile of ["\u202e", "\u0007", "\n"]) same(said.includes(hostile), false);
  same(said.endsWith("c"), true);
});

Deno.test("the language is the settings' or the browser's", () => {
  same(chosenLanguage("", ["de-DE", "id-ID", "en"]), "id");
  same(chosenLanguage("", ["in"]), "id");
  same(chosenLanguage("", ["de"]), "en");
  same(chosenLanguage("", []), "en");
  same(chosenLanguage("en", ["id"]), "en");
  same(chosenLanguage("constructor", ["id"]), "en");
});
