"""Undoes Slack's markup, mrkdwn: links, entities and emphasis become plain words.

The rules are those of Slack's "Formatting message text". What has the form of a mention there is a word here, without
an ``@``: no text that comes from it can mention a member (`securechat.hub.messages.mentions`). A ``<`` that begins
nothing of Slack's stays: senders forget to escape it.

The time is bounded by a `Budget`: each thing that is undone costs one of it, and a text behind the last is counted
and not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_TOKEN = re.compile(
    r"<(?:(?P<sign>[!@#])(?P<word>[^<>|\n]++)|(?P<url>(?:(?:https?|ftp|slack)://|mailto:|tel:|sms:)[^<>|\s]++))"
    r"(?:\|(?P<label>[^<>\n]*+))?>"
)
_EMPHASIS = re.compile(
    r"```.*?```|`[^`\n]++`"  # code: what is in it stays
    r"|(?<![^\s(\[{\"'“‘>|—–-])(?:"
    r"(?P<stars>\*\*?)(?!\s)(?P<bold>[^*\n]++)(?<![\s\u034f])(?P=stars)"
    r"|_(?!\s)(?P<italic>[^_\n]++)(?<!\s)_"
    r"|~(?!\s)(?P<struck>[^~\n]++)(?<!\s)~"
    r")(?![^\s.,;:!?)\]}\"'”’<|—–-])",
    re.DOTALL,
)
"""Signs of emphasis stand at the edges of words: ``snake_case`` and ``2 * 3 * 4`` have none."""
_SIGNS = re.compile("[&<*_~\r]")
_PASSES = 2
"""Emphasis within emphasis: bold and italic."""
_JOINER = "\u034f"
"""Combining grapheme joiner: Healthchecks writes it before an asterisk that is no markup, as Slack has no escape."""
_SCHEME = re.compile(r"\A(?:https?://|mailto:|tel:|sms:)")


@dataclass(slots=True)
class Budget:
    """The work that one message may still cost.

    Attributes:
        left: parts, texts and marks that may still be looked at.
        chars_left: code points that may still be looked at.
        unseen_chars: code points that were not looked at, because nothing was left.
    """

    left: int
    chars_left: int
    unseen_chars: int = 0

    def spend(self) -> bool:
        """Take one; false when nothing is left."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True

    def affordable(self, text: str) -> str:
        """Take a text, or its beginning. It ends before a ``<`` that is not closed: half a token is no token."""
        if not self.spend():
            self.unseen_chars += len(text)
            return ""
        if len(text) <= self.chars_left:
            self.chars_left -= len(text)
            return text
        end = self.chars_left
        opened = text.rfind("<", 0, end)
        if opened > text.rfind(">", 0, end):
            end = opened
        self.unseen_chars += len(text) - end
        self.chars_left = 0
        return text[:end]


def unescaped(text: str) -> str:
    """Return ``text`` without the three entities that Slack has."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if "&" in text else text


def plain(text: str, budget: Budget, *, emphasis: bool = True) -> str:
    """Return ``text`` without markup, its line ends as line feeds, without blanks around it.

    Args:
        text: mrkdwn, or a plain-text object of Slack's, in which links and entities mean the same.
        budget: what this may cost.
        emphasis: whether ``*bold*``, ``_italic_`` and ``~struck~`` are markup; in plain text they are not.
    """
    text = budget.affordable(text).strip()
    if not _SIGNS.search(text):
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if emphasis:
        for _ in range(_PASSES):
            if _EMPHASIS.search(text) is None:
                break
            text = _without_emphasis(text, budget)
    if "<" in text:
        text = _without_tokens(text, budget)
    return unescaped(text).replace(f"{_JOINER}*", "*")


def link(label: str, url: str) -> str:
    """Return an address with its label, once where both are the same."""
    return url if not label or label in (url, _SCHEME.sub("", url).rstrip("/")) else f"{label} ({url})"


def word(name: str, before: str = "") -> str:
    """Return what names a person, a group or a room in Slack as a word that mentions no member.

    Args:
        name: as the payload has it.
        before: the text that it is written behind.
    """
    bare = name.replace("@", "").strip()
    return f" {bare}" if before.endswith("@") else bare


def _without_emphasis(text: str, budget: Budget) -> str:
    """Marks beyond the budget stay: they are a character each."""
    kept: list[str] = []
    end = 0
    for found in islice(_EMPHASIS.finditer(text), budget.left):
        budget.left -= 1
        inner = found["bold"] or found["italic"] or found["struck"]
        if inner is not None:
            kept += text[end : found.start()], inner
            end = found.end()
    kept.append(text[end:])
    return "".join(kept)


def _without_tokens(text: str, budget: Budget) -> str:
    """A text behind the last token of the budget is left out, because it may have mentions in it."""
    kept: list[str] = []
    end = 0
    for found in _TOKEN.finditer(text):
        if not budget.spend():
            budget.unseen_chars += len(text) - found.start()
            return "".join((*kept, text[end : found.start()]))
        before = text[end : found.start()]
        kept += before, _shown(found, before or (kept[-1] if kept else ""))
        end = found.end()
    kept.append(text[end:])
    return "".join(kept)


def _shown(found: re.Match[str], before: str) -> str:
    label = found["label"] or ""
    if (url := found["url"]) is not None:
        return link(label, url)
    sign, name = found["sign"], found["word"]
    if sign == "#":
        return word(f"#{label or name}", before)
    if sign == "!" and not label:
        name = name.removeprefix("subteam^")
        if name.startswith("date^"):  # <!date^SECONDS^FORMAT|FALLBACK>, whose fallback is not optional
            name = name.split("^")[1]
    return word(label or name, before)
