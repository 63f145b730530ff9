"""Commands about the links of a message: open, copy, and print one whole.

A message is named as everywhere; behind its number stands the place of one link of several: ``/open 48213.2``.
"""

from __future__ import annotations

import re

from securechat.client.catalogue.help_pages import usage
from securechat.client.ui.commands.results import InputError, LinkRequest, LinkVerb, ParsedInput

_VERBS = {"/open": LinkVerb.OPEN, "/copy": LinkVerb.COPY, "/url": LinkVerb.PRINT}
WORDS = tuple(_VERBS)
_ARGUMENTS = re.compile(r"\[?([0-9]{1,15})(?:\.([0-9]{1,3}))?\]?(?:\s+(text))?", re.IGNORECASE)


def about_links(word: str, rest: str) -> ParsedInput | None:
    """Parse a command about links; None when it is another command.

    Args:
        word: the command, in lower case.
        rest: the text after it.
    """
    if (verb := _VERBS.get(word)) is None:
        return None
    found = _ARGUMENTS.fullmatch(rest)
    if found is None or (found[3] and (verb is not LinkVerb.COPY or found[2])):
        return InputError(usage(word))
    return LinkRequest(verb, found[1], int(found[2]) if found[2] else None, whole_text=bool(found[3]))
