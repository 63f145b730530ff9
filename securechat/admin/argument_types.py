"""The type of command-line arguments that are a name, a path or a text: an empty one is a mistake.

``--data "$DIR"`` with an unset variable would otherwise mean the working directory, or the default.
"""

from __future__ import annotations

import argparse

from securechat.translation import _


def filled(text: str) -> str:
    """Return the text of an argument.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError(_("the value is empty; give one, or leave it out"))
    return text


SCOPES = ("post", "read", "files", "metrics")
"""What the token of a bot may be good for."""


def scopes(text: str) -> list[str]:
    """Return the scopes in a text, with commas between them.

    Raises:
        argparse.ArgumentTypeError: one is none.
    """
    found = [word.strip() for word in text.split(",")]
    if any(word not in SCOPES for word in found):
        words = _("not a list of {scopes}: {text}", scopes=", ".join(SCOPES), text=repr(text))
        raise argparse.ArgumentTypeError(words)
    return found
