"""The name under which a message of a hook is shown: ``NAME via HOOK``, or ``HOOK`` alone.

NAME is what the payload asks for, made to fit the rules of members' names (`securechat.text.names`): what a name may
not contain becomes a space, and what is too long is cut. It is left out where a member could be meant by it: a hook
never speaks in the name of a person.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from securechat.errors import Refusal
from securechat.limits import MAX_NAME_CHARS
from securechat.server.hooks.mrkdwn import unescaped
from securechat.text.confusables import is_like_reserved, skeleton
from securechat.text.names import FORBIDDEN_IN_NAMES, check_name

_VIA = " via "
_MAX_RAW_CHARS = 4 * MAX_NAME_CHARS
"""Of the name in the payload that is looked at, before anything is spent on it."""
_NOT_IN_NAMES = str.maketrans(dict.fromkeys(FORBIDDEN_IN_NAMES, " "))


def shown_name(username: object, hook: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name to show.

    Args:
        username: of the payload, of any type.
        hook: the name of the hook's account, a valid name.
        is_taken: whether a name belongs to a member or an account, or looks like one that does. The hook's own does
            not count.

    Returns:
        A valid name, not taken, unless it is the hook's own.
    """
    if not isinstance(username, str):
        return hook
    name = _fitting(username, hook)
    if name is None or is_like_reserved(name) or skeleton(name) == skeleton(hook):
        return hook
    shown = f"{name}{_VIA}{hook}"
    return hook if is_taken(name) or is_taken(shown) else shown


def _fitting(username: str, hook: str) -> str | None:
    """Return the name as it stands before ``via``; None when nothing is left of it."""
    most_chars = max(MAX_NAME_CHARS - len(_VIA) - len(hook), 0)  # so many have no more than MAX_NAME_BYTES either
    # As the profile of names does it (RFC 8266), but before the cut: NFKC makes up to 18 code points of one.
    raw = unicodedata.normalize("NFKC", unescaped(username[:_MAX_RAW_CHARS]))
    for left in (raw, "".join(char if char.isalnum() else " " for char in raw)):
        name = _begun(_visible(left))[:most_chars].rstrip()
        whole = f"{name}{_VIA}{hook}"
        try:
            if check_name(name) == name and check_name(whole) == whole:
                return name
        except Refusal:
            continue
    return None


def _visible(raw: str) -> str:
    """Replace what no name has, and what does not show, by spaces; of several in a row one is left."""
    chars = (" " if unicodedata.category(char)[0] in "CZ" else char for char in raw.translate(_NOT_IN_NAMES))
    return " ".join("".join(chars).split())


def _begun(name: str) -> str:
    """Drop what no name may begin with: dashes, spaces and combining marks."""
    start = 0
    while start < len(name) and (name[start] in "- " or unicodedata.category(name[start])[0] == "M"):
        start += 1
    return name[start:]
