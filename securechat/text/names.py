"""Names of members and rooms: validation, normalisation and comparison.

Members' names follow the Nickname profile of PRECIS (RFC 8266): spaces are allowed and folded, width is folded, and two
names are the same when their case-mapped forms are equal. In addition ``_`` counts as a space, so that ``user1_pc``
cannot pass for ``user1 pc``. Rooms use the same profile, without spaces.

A name's *key* decides whether it is unique; it is never shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from securechat.errors import Refusal
from securechat.limits import MAX_NAME_BYTES, MAX_NAME_CHARS, MAX_ROOM_CHARS
from securechat.text.precis import NICKNAME_MAPPED, NICKNAME_PRESERVED, TooLong, enforce, grows_beyond
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import is_hostile

_LIKE_COLONS = "\u02d0\u02d1\u02f8\u0589\u05c3\u0703\u0704\u16ec\u1803\u1809\u205a\u2236\ua4fd\ua789\ufe30"
"""Characters that look like ``:`` (Unicode's confusables.txt, UTS #39) and would let a name pass for ``name: text``.

Without the visargas of Devanagari and Gujarati, which are letters of ordinary words."""
FORBIDDEN_IN_NAMES = ":#@,!/" + _LIKE_COLONS
FORBIDDEN_IN_ROOMS = FORBIDDEN_IN_NAMES + " "
BLANK = "\u2800"
"""Braille without a dot: a symbol to PRECIS, but invisible. Texts may contain it, names may not."""
RESERVED_KEYS = frozenset({"server", "system"})
LOBBY = "lobby"

MAX_KEY_CHARS = 3 * MAX_NAME_CHARS
"""Code points of a name's key: folding makes at most three of one that NFKC leaves alone."""
_SHORT_CHARS = MAX_KEY_CHARS // 18
"""A word this short is folded without a look at its growth: NFKC makes at most 18 code points of one (UAX #15)."""
_MAX_RAW_NAME_CHARS = 4 * MAX_NAME_CHARS
"""A name as typed may be decomposed: a letter and three marks for each stored code point."""
_MAX_RAW_ROOM_CHARS = 2 * MAX_ROOM_CHARS
_REMEMBERED = 4096
"""Entries in each cache, the latest: keys of at most 128 code points, so all three caches take at most 10 MiB."""


@lru_cache(maxsize=_REMEMBERED)
def check_name(raw: str) -> str:
    """Return the form of a member's name that is stored and shown.

    Args:
        raw: the name as typed.

    Returns:
        The name after RFC 8266 section 2.3 (enforcement): trimmed, single spaces, NFKC.

    Raises:
        Refusal: NAME_INVALID with a sentence that tells what to change, or NAME_RESERVED.
    """
    name = _enforce(raw)
    if len(name) > MAX_NAME_CHARS or len(name.encode()) > MAX_NAME_BYTES:
        raise _name_too_long()
    _reject_characters(name, FORBIDDEN_IN_NAMES, of_room=False)
    if not any(char.isalnum() for char in name):
        raise refusal_for("name_without_letter")
    if name_key(name) in RESERVED_KEYS:
        raise refusal_for("name_reserved_for_server")
    return name


def name_key(name: str) -> str:
    """Return the key of a name: two valid names are the same if their keys are (RFC 8266 section 2.4, comparison).

    Case, width and spaces are folded; ``_`` counts as a space. It validates nothing: an invalid name, too long or with
    forbidden characters, has a key that no valid name has.
    """
    return name if len(name) > _MAX_RAW_NAME_CHARS else _remembered_key(name)


def unremembered_key(name: str) -> str:
    """Return the same as `name_key` without caching: for secrets, and for names too many to cache."""
    return name if len(name) > _MAX_RAW_NAME_CHARS else _key(name)


def word_key(word: str) -> str | None:
    """Return the part that a word contributes to the key of a name: a name's key is its words' keys, joined by spaces.

    Args:
        word: without whitespace, at most MAX_NAME_CHARS code points.

    Returns:
        Empty for separators alone; None for a word that no name can contain, because it is too long once folded.
    """
    key = " ".join(word.replace("_", " ").split())
    if key.isascii():
        return key.lower()
    if len(key) > _SHORT_CHARS and grows_beyond(key, MAX_KEY_CHARS):
        return None
    # Twice, as the profile does: what NFKC makes of a letter may hold spaces and capitals.
    once = _folded(key)
    folded = once if once == key else _folded(once)
    return folded if len(folded) <= MAX_KEY_CHARS else None


def _key(name: str) -> str:
    key = " ".join(name.replace("_", " ").split())
    if not key:  # only separators: compare by the name itself
        return name
    if key.isascii():
        return key.lower()  # the same, 20 times as fast
    try:
        return enforce(NICKNAME_MAPPED, key, MAX_KEY_CHARS)
    except (UnicodeEncodeError, TooLong):
        return name


_remembered_key = lru_cache(maxsize=_REMEMBERED)(_key)


def _folded(text: str) -> str:
    """Apply the mappings of the Nickname profile (RFC 8266 section 2.4) without validating code points."""
    return unicodedata.normalize("NFKC", " ".join(text.split()).casefold())


@lru_cache(maxsize=_REMEMBERED)
def check_room(raw: str) -> str:
    """Return the form of a room's name that is stored: folded to lower case, without its leading ``#``.

    Args:
        raw: the name as typed, with or without ``#``.

    Raises:
        Refusal: ROOM_INVALID with a sentence that tells what to change.
    """
    bare = raw.strip().removeprefix("#")
    if len(bare) > _MAX_RAW_ROOM_CHARS:  # judged before the profile spends time on it
        raise refusal_for("room_too_long", most=MAX_ROOM_CHARS)
    try:
        room = enforce(NICKNAME_MAPPED, bare, MAX_ROOM_CHARS)
    except TooLong:
        raise refusal_for("room_too_long", most=MAX_ROOM_CHARS) from None
    except UnicodeEncodeError as error:
        raise _unusable(error, of_room=True) from None
    _reject_characters(room, FORBIDDEN_IN_ROOMS, of_room=True)
    return room


def longest_known_name(text: str, known: Iterable[str]) -> tuple[str, str] | None:
    """Split ``text`` into a leading name and the rest, as commands such as ``/msg NAME text`` need it.

    In ``"user1 pc" hello`` the name is the quoted part; otherwise it is the longest of ``known`` that ``text`` begins
    with, else the first word.

    Args:
        text: the text after the command word.
        known: names of members that the user can see.

    Returns:
        The name as known (or as typed) and the rest without leading spaces; None when ``text`` is empty.
    """
    text = text.strip()
    if text.startswith('"') and (end := text.find('"', 1)) > 1:
        return text[1:end], text[end + 1 :].lstrip()
    words = text.split(" ")
    keys = {name_key(name): name for name in known}
    for count in range(min(len(words), MAX_NAME_CHARS), 0, -1):
        if (name := keys.get(name_key(" ".join(words[:count])))) is not None:
            return name, " ".join(words[count:]).lstrip()
    return (words[0], " ".join(words[1:]).lstrip()) if words[0] else None


def _enforce(raw: str) -> str:
    if len(raw) > _MAX_RAW_NAME_CHARS:  # judged before the profile spends time on it
        raise _name_too_long()
    if raw.isascii() and raw.isprintable() and (name := " ".join(raw.split())):
        return name  # the same, 20 times as fast: in a storm of logins every name is new
    try:
        return enforce(NICKNAME_PRESERVED, raw, MAX_NAME_CHARS)
    except TooLong:
        raise _name_too_long() from None
    except UnicodeEncodeError as error:
        raise _unusable(error, of_room=False) from None


def _reject_characters(value: str, forbidden: str, *, of_room: bool) -> None:
    if bad := next((char for char in value if char in forbidden), None):
        if bad == " ":
            raise refusal_for("room_has_space")
        raise refusal_for("room_character_not_allowed" if of_room else "name_character_not_allowed", character=bad)
    if value.startswith("-"):
        raise refusal_for("room_begins_with_dash" if of_room else "name_begins_with_dash")
    if unicodedata.category(value[0]).startswith("M"):
        raise refusal_for("room_begins_with_mark" if of_room else "name_begins_with_mark")
    if BLANK in value or is_hostile(value):
        raise refusal_for("room_has_invisible_character" if of_room else "name_has_invisible_character")


def _unusable(error: UnicodeEncodeError, *, of_room: bool) -> Refusal:
    if "empty" in error.reason.lower():
        return refusal_for("room_empty" if of_room else "name_empty")
    bad = ord(error.object[error.start]) if error.start < len(error.object) else 0
    return refusal_for("room_character_unusable" if of_room else "name_character_unusable", code_point=f"U+{bad:04X}")


def _name_too_long() -> Refusal:
    return refusal_for("name_too_long", most=MAX_NAME_CHARS, most_bytes=MAX_NAME_BYTES)
