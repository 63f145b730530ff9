"""Splits the name of a member off a command that goes on after it, and never guesses where the name ends.

Names may contain blanks. ``/msg ana budi hello`` is for "ana" or for "ana budi", and only the user knows: with a known
name of several words in front, quotes are required. Without one the first word is the name.
"""

from __future__ import annotations

from collections.abc import Iterable

from securechat.client import catalogue
from securechat.client.ui.commands.results import InputError
from securechat.text.names import longest_known_name, name_key
from securechat.text.sanitize import one_line

QUOTES = {'"': '"', "\u201c": "\u201d", "\u201e": "\u201c", "\u00ab": "\u00bb"}
"""Opening and closing marks; word processors and telephones put the curved ones in place of the straight."""


def split_name(word: str, rest: str, known: Iterable[str]) -> tuple[str, str] | InputError | None:
    """Split a command's text into a name and what follows it.

    Args:
        word: the command, for the error message.
        rest: the text after the command.
        known: names that the line may mention.

    Returns:
        The name as known (or as typed) and the rest; None without a name, or with a quote that does not end.
    """
    rest = rest.strip()
    if rest[:1] in QUOTES and rest:
        name, closing, more = rest[1:].partition(QUOTES[rest[0]])
        ends = bool(closing) and bool(name.strip()) and (not more or more[0].isspace())
        return (name.strip(), more.strip()) if ends else None
    if not rest:
        return None
    names = tuple(known)
    first, *more_words = rest.split(maxsplit=1)
    longest, _ = longest_known_name(" ".join(rest.split()), names) or (first, "")
    if name_key(longest) != name_key(first):
        return InputError(catalogue.connection.ambiguous_name(one_line(longest), one_line(first), word))
    return longest, more_words[0].strip() if more_words else ""
