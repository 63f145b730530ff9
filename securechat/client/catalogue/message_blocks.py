"""Words around the messages of the screen: separators, states of the user's own messages, comings and goings."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue.names import in_turn, quoted
from securechat.translation import LazyText, _, ngettext

# Translators: the line above the first unread message. Short.
NEW = LazyText("New")
SENDING = LazyText("Sending…")
WAITING = LazyText("Waiting for the connection")

_MOST_NAMED = 3
"""People named in one line about comings and goings; the others are counted."""


def editing(state: str) -> str:
    """Return the state of an edit that is not stored yet."""
    return _("Edit: {state}", state=state)


def deleting(state: str) -> str:
    """Return the state of a deletion that is not stored yet."""
    return _("Deletion: {state}", state=state)


def reacting(emoji: str, state: str) -> str:
    """Return the state of a reaction that is not stored yet."""
    return _("Reaction {emoji}: {state}", emoji=emoji, state=state)


def failed(why: str) -> str:
    """Tell that a message is not sent, and what can be done; ``why`` is a sentence, or empty."""
    said = _("Not sent: {name}", name=why) if why else _("Not sent")
    return in_turn(said, _("Send it again, edit, copy or discard it"))


def file_line(name: str, size: int, media_type: str) -> str:
    """Describe a file that is no picture."""
    return _("{name}, {size:size}, {type}", name=name, size=size, type=media_type)


def comings(joined: Sequence[str], left: Sequence[str], renamed: Sequence[tuple[str, str]]) -> str:
    """Tell who came, who left and who has another name since the message above, on one line.

    Args:
        joined: names, as `names.named` returns them.
        left: likewise.
        renamed: the old name and the new one of each.
    """
    parts = []
    if joined:
        parts.append(_("{names:list} joined", names=_several(joined)))
    if left:
        parts.append(_("{names:list} left", names=_several(left)))
    parts += [_("{old} is now known as {new}", old=quoted(old), new=quoted(new)) for old, new in renamed[:_MOST_NAMED]]
    if (others := len(renamed) - _MOST_NAMED) > 0:
        parts.append(ngettext("{count} other has another name", "{count} others have other names", others))
    return " / ".join(parts)


def _several(names: Sequence[str]) -> list[str]:
    most = len(names) if len(names) == _MOST_NAMED + 1 else _MOST_NAMED
    shown = [quoted(name) for name in names[:most]]
    if (others := len(names) - len(shown)) > 0:
        shown.append(ngettext("{count} other", "{count} others", others))
    return shown
