"""Sentences about links of messages, and about what is copied."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.translation import LazyText, _

NO_LINK = LazyText("This message has no such link")
UNKNOWN_TEXT = LazyText("The text of this message is not known here. /around with its number shows it")
# Translators: tmux is a program, and set-clipboard a setting of it.
COPIED = LazyText("Sent to the clipboard of your terminal. Inside tmux this needs: set-clipboard on")
COPIED_INSTEAD = LazyText(
    "No browser can be started here, so the link was sent to the clipboard of your terminal. Inside tmux this needs: "
    "set-clipboard on"
)
TOO_LONG_TO_COPY = LazyText("This is too long for the clipboard of a terminal")
NO_CLIPBOARD = LazyText("This terminal has no clipboard. /url shows a link on a line of its own")
NO_BROWSER = LazyText("No browser can be started here. /url shows a link on a line of its own")


def opened(link: str) -> str:
    """Tell that a link was given to the system's opener."""
    return _("Opened: {link}", link=link)


def several(command: str, number: int, links: Sequence[str]) -> str:
    """Ask which link of a message is meant."""
    rows = [f"[{number}.{place}] {link}" for place, link in enumerate(links, 1)]
    example = f"{command} {number}.1"
    return "\n".join([*rows, _("There are several links. The first one: {example}", example=example)])
