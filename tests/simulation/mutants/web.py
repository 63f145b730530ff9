"""Bugs of the page's core: a piece of its text is replaced in a copy, which the browsers run meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation.web_core import CORE, core_in

WEB_MUTANTS: dict[str, tuple[str, str, str]] = {
    "message_sent_again_after_its_ack": (
        "requests.js",
        '    this.#drop(draft);\n    this.#context.show({ kind: "acked"',
        '    this.#wait(draft);\n    this.#context.show({ kind: "acked"',
    ),
    "gap_of_a_reconnect_not_filled": (
        "client.js",
        "if (resumes) this.#feed.resume(event.live_from);",
        "if (resumes) this.#feed.cursor = event.live_from;",
    ),
    "resume_begins_one_entry_late": (
        "feed.js",
        "new GapFill(null, Math.max(this.#floor, this.cursor), liveFrom)",
        "new GapFill(null, Math.max(this.#floor, this.cursor) + 1, liveFrom)",
    ),
    "entries_not_held_back": (
        "feed.js",
        "    if (this.#resume) {\n      this.#owners.set(",
        "    if (false) {\n      this.#owners.set(",
    ),
    "number_used_again_by_the_next_page": ("requests.js", "this.lastCid = Math.max(", "this.lastCid = Math.min(0, "),
    "unsent_message_gets_a_new_number": ("requests.js", "cid: failed ? 0 : cid,", "cid: ++this.lastCid,"),
    "unsent_messages_forgotten_by_the_next_page": ("requests.js", "of sound) {", "of sound.slice(1)) {"),
    "messages_lost_with_the_connection": (
        "requests.js",
        '      draft.state = "waiting";\n      this.#changed(draft);\n',
        "",
    ),
    "state_saved_without_the_last_number": ("client.js", "lastCid: this.#queue.lastCid,", "lastCid: 0,"),
    "own_message_shown_twice": (
        "client.js",
        "    this.#windows.message(conversation, message);",
        """    this.#windows.message(conversation, message);
    const twice = { kind: "message", key: conversation.key, message, own, late, mentionsMe };
    if (own && late) this.#context.show(/** @type {any} */ (twice));""",
    ),
    "window_without_what_came_meanwhile": (
        "feed.js",
        "for (const message of window.atEnd ? tail : []) this.#append(window, message);",
        "",
    ),
    "room_that_is_left_stays": ("client.js", "        this.#membership.left(event);\n", ""),
}
"""By name: the file, what stands there, and what stands there in its place."""

SIGHTINGS = {
    "resume_begins_one_entry_late": 58,
    "entries_not_held_back": 76,
    "unsent_message_gets_a_new_number": 18,
    "room_that_is_left_stays": 145,
}
"""Seeds that found what the first ones did not: they are tried first."""


@contextmanager
def web_mutant(name: str) -> Iterator[None]:
    """Plant a bug, and take it out again."""
    file, old, new = WEB_MUTANTS[name]
    with TemporaryDirectory() as made:
        folder = Path(made) / "core"
        shutil.copytree(CORE, folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, f"{name}: {file} has no {old!r} any more"
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        with core_in(folder):
            yield
