/// <reference lib="deno.ns" />

import { fragmentOf, inviteOf, looksLikeInvite, placeOf } from "../../securechat/web/shell/browser.js";
import { equal } from "./core_help.js";

const TOKEN = "0123456789abcdef0123456789abcdef";
const CA = "ab".repeat(32);

Deno.test("an invite is read with and without a leading slash, in any case of letters", () => {
  equal(inviteOf(`#join-once/${TOKEN}/${CA}`), { token: TOKEN, ca: CA, once: true });
  equal(inviteOf(`#/join/${TOKEN.toUpperCase()}/${CA.toUpperCase()}`), { token: TOKEN, ca: CA, once: false });
  equal(inviteOf(`#join-once%2F${TOKEN}%2f${CA}`), { token: TOKEN, ca: CA, once: true });
  equal(looksLikeInvite(`#/join%2F${TOKEN}`), true);
  equal(inviteOf(`#join/${TOKEN}`), { token: TOKEN, ca: "", once: false }); // a public certificate: no fingerprint
});

Deno.test("a damaged invite is none, and is taken out of the address all the same", () => {
  const damaged = [
    `#join/${TOKEN.slice(1)}/${CA}`,
    `#join/${TOKEN}/${CA.slice(1)}`,
    `#join/${TOKEN}/${CA}/more`,
    `#join-once/`,
    `#join`,
  ];
  for (const each of damaged) {
    equal([each, inviteOf(each)], [each, null]);
    equal([each, looksLikeInvite(each)], [each, true]);
  }
  for (const each of ["", "#/", "#/room/join", "#joiners"]) equal([each, looksLikeInvite(each)], [each, false]);
});

Deno.test("places are written and read back", () => {
  const places = [
    { room: "ops", person: 0, seq: 123, panel: "" },
    { room: "a b/c?d#e%🎉", person: 0, seq: null, panel: "members" },
    { room: "", person: 12, seq: 345, panel: "search" },
    { room: "", person: 0, seq: null, panel: "settings" },
  ];
  for (const place of places) equal(placeOf(fragmentOf(place)), place);
  equal(fragmentOf({ room: "ops", seq: 123 }), "#/room/ops/123");
  equal(fragmentOf({ person: 12, seq: 345 }), "#/person/12/345");
  equal(fragmentOf({}), "#/");
});

Deno.test("a damaged place is the list", () => {
  const nowhere = { room: "", person: 0, seq: null, panel: "" };
  for (const each of ["", "#", "#/", "#/room/%ff", "#/person/x", "#/person/-1", "#/else/ops", "#/?<b>"]) {
    equal([each, placeOf(each)], [each, nowhere]);
  }
  equal(placeOf("#/room/ops/1e3").seq, null);
});
