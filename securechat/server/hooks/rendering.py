"""Renders Slack's payload as the text of one message.

Everything that says something becomes words, in the order in which Slack shows it; colours, icons and channels are
left out and counted. Pictures and buttons are their addresses, which nothing fetches. A message is never refused for
being long: it is cut at a line, and says how much is missing.

Payloads come from strangers' templates: each field may be missing or of any type, and what cannot be read is left out
and counted, too. The work is bounded (`Budget`), whatever the payload is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.server.hooks.answers import NO_TEXT, HookError
from securechat.server.hooks.mrkdwn import Budget, link, plain, word
from securechat.server.hooks.payload import HookPayload
from securechat.server.hooks.shortening import shortened

MOST_PARTS = 1_000
"""Attachments, blocks, fields, elements, texts, links and marks of emphasis that are looked at in one message, at most
4 us each. Slack itself allows 100 attachments, 50 blocks and 10 fields a block."""
MOST_CHARS = 2 * MAX_TEXT_CHARS
"""Code points of markup that are looked at in one message; entities and links grow shorter when they are undone."""

_MESSAGE = frozenset({"text", "attachments", "blocks", "mrkdwn", "username"})
_ORDER = (
    *("pretext", "author_name", "title", "text", "fields", "blocks", "actions", "image_url", "thumb_url", "footer"),
)
"""The fields of an attachment that say something, as Slack shows them."""
_ATTACHMENT = frozenset({*_ORDER, "author_link", "title_link", "fallback"})
_FIELD = frozenset({"title", "value", "short"})
_BLOCKS: Mapping[str, frozenset[str]] = {
    "header": frozenset({"type", "text"}),
    "section": frozenset({"type", "text", "fields", "accessory"}),
    "context": frozenset({"type", "elements"}),
    "actions": frozenset({"type", "elements"}),
    "rich_text": frozenset({"type", "elements"}),
    "divider": frozenset({"type"}),
    "image": frozenset({"type", "title", "alt_text", "image_url"}),
    "markdown": frozenset({"type", "text"}),
    "video": frozenset({"type", "title", "title_url", "video_url", "description"}),
}
_BUTTON = frozenset({"type", "text", "url"})
_RICH = frozenset({"type", "elements", "style", "indent", "offset", "border"})
_INLINE: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "link": ("text", "url"),
    "emoji": ("unicode", "name"),
    "user": ("user_id",),
    "usergroup": ("usergroup_id",),
    "channel": ("channel_id",),
    "broadcast": ("range",),
    "date": ("fallback", "url"),
    "color": ("value",),
}
_TITLED = re.compile(r"\s*\*([^*\n]{1,200}?):?\*[ \t]*\r?\n(?=.*\S)", re.DOTALL)
"""A field of a section that begins with its title in bold, on a line of its own."""
_DIVIDER = "---"
_BETWEEN = " · "
_MOST_INDENT = 8
_MOST_OFFSET = 9_999
_MOST_EMOJI_POINTS = 10
_ON_KEYCAPS = frozenset(map(ord, "#*0123456789"))
_EMOJI = re.compile(r"[0-9a-f]{2,6}(?:-[0-9a-f]{2,6})*")


class RenderedText(Struct, frozen=True):
    """A payload as text.

    Attributes:
        text: within the limits of a message's text.
        ignored: fields and parts of the payload that are not in the text.
    """

    text: str
    ignored: int = 0


def render(payload: HookPayload, most_chars: int = MAX_TEXT_CHARS, most_bytes: int = MAX_TEXT_BYTES) -> RenderedText:
    """Return the text of a message.

    Args:
        payload: of any fields.
        most_chars: code points of a message's text, at least 100.
        most_bytes: the same in UTF-8.

    Raises:
        HookError: NO_TEXT, for a payload that says nothing.
    """
    rendering = _Rendering()
    if payload.fields is None:
        text = payload.text.replace("\r\n", "\n").replace("\r", "\n").strip()
    else:
        text = rendering.message(payload.fields)
    short = shortened(text, most_chars, most_bytes, rendering.budget.unseen_chars, whole=not rendering.is_cut)
    if not short.strip():
        raise HookError(NO_TEXT)
    return RenderedText(short, rendering.ignored)


class _Rendering:
    """The rendering of one payload, with its work and what it leaves out counted."""

    def __init__(self) -> None:
        self.budget = Budget(MOST_PARTS, MOST_CHARS)
        self.ignored = 0
        self.is_cut = False  # parts were left out that nothing has counted the characters of
        self._emphasis = True
        self._in_blocks: set[str] = set()  # the lines of all blocks
        self._noted_chars = 0

    def message(self, fields: Mapping[str, Any]) -> str:
        """Return the text of a payload, uncut."""
        self._count_unknown(fields, _MESSAGE)
        self._emphasis = fields.get("mrkdwn", True) not in (False, 0)
        text = self._words(fields.get("text"))
        self._emphasis = True
        blocks = self._blocks(fields.get("blocks"))
        attachments = [
            "\n".join(lines) for each in self._parts(fields.get("attachments")) if (lines := self._attachment(each))
        ]
        if text and self._is_repeated(text):
            text = ""
        return "\n".join(filter(None, (text, "\n".join(blocks), "\n\n".join(attachments))))

    # --- What every part is made of ---------------------------------------------------------------------------------

    def _parts(self, value: object) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a list, as far as the budget goes; one object stands for a list of it."""
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            self.ignored += value is not None
            return
        for each in value:
            if not self.budget.spend():
                self.is_cut = True
                return
            if isinstance(each, dict):
                yield each
            else:
                self.ignored += 1

    def _words(self, value: object) -> str:
        """Return a text, a number or a text object of Slack's as words."""
        emphasis = self._emphasis
        if isinstance(value, dict):
            emphasis = value.get("type") != "plain_text"
            value = value.get("text")
        if isinstance(value, str):
            return plain(value, self.budget, emphasis=emphasis) if value else ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        self.ignored += value is not None
        return ""

    def _address(self, value: object) -> str:
        """Return an address, which stands on one line; empty where there is none."""
        if isinstance(value, str):
            return " ".join(plain(value, self.budget, emphasis=False).split()) if value else ""
        self.ignored += value is not None
        return ""

    def _count_unknown(self, part: Mapping[str, Any], known: frozenset[str]) -> None:
        if not part.keys() <= known:
            self.ignored += len(part.keys() - known)

    # --- Attachments ------------------------------------------------------------------------------------------------

    def _attachment(self, part: Mapping[str, Any]) -> list[str]:
        self._count_unknown(part, _ATTACHMENT)
        lines: list[str] = []
        for name in _ORDER:
            if name in part:
                lines += filter(None, self._attached(name, part))
        if not lines and (fallback := self._words(part.get("fallback"))):
            lines.append(fallback)
        return lines

    def _attached(self, name: str, part: Mapping[str, Any]) -> Iterable[str]:
        value = part[name]
        match name:
            case "author_name" | "title":
                address = self._address(part.get("author_link" if name == "author_name" else "title_link"))
                return (_linked(self._words(value), address),)
            case "fields":
                return self._fields(value)
            case "blocks":
                return self._blocks(value)
            case "actions":
                return self._buttons(value)
            case "image_url" | "thumb_url":
                return (self._address(value),)
            case _:
                return (self._words(value),)

    def _fields(self, value: object) -> list[str]:
        """Return the fields of an attachment, the short ones that follow each other on one line."""
        lines: list[str] = []
        may_join = False
        for part in self._parts(value):
            self._count_unknown(part, _FIELD)
            title, text = self._words(part.get("title")), self._words(part.get("value"))
            line = _titled(title, text)
            if not line:
                continue
            is_short = bool(part.get("short")) and "\n" not in line
            if is_short and may_join:
                lines[-1] = f"{lines[-1]}{_BETWEEN}{line}"
            else:
                lines.append(line)
            may_join = is_short
        return lines

    def _buttons(self, value: object) -> Iterator[str]:
        """Yield buttons that lead to an address; without one there is nothing that could be pressed here."""
        for part in self._parts(value):
            if button := self._button(part):
                yield button

    def _button(self, part: Mapping[str, Any]) -> str:
        self._count_unknown(part, _BUTTON)
        label, url = self._words(part.get("text")), self._address(part.get("url"))
        if not url:
            self.ignored += 1
            return ""
        return _linked(label, url)

    # --- Blocks -----------------------------------------------------------------------------------------------------

    def _blocks(self, value: object) -> list[str]:
        lines: list[str] = []
        for part in self._parts(value):
            for line in self._block(part):
                if line:
                    lines.append(line)
                    self._note(line)
        while lines and lines[-1] == _DIVIDER:
            lines.pop()
        while lines and lines[0] == _DIVIDER:
            lines.pop(0)
        return lines

    def _block(self, part: Mapping[str, Any]) -> Iterator[str]:
        kind = part.get("type")
        known = _BLOCKS.get(kind) if isinstance(kind, str) else None
        if known is None:
            self.ignored += 1
            yield self._words(part.get("text"))
            return
        self._count_unknown(part, known)
        match kind:
            case "header" | "section":
                yield self._words(part.get("text"))
                if kind == "section":
                    yield from self._section_fields(part.get("fields"))
                    yield from self._accessory(part.get("accessory"))
            case "context":
                yield " ".join(filter(None, map(self._element, self._parts(part.get("elements")))))
            case "actions":
                yield from self._buttons(part.get("elements"))
            case "rich_text":
                for each in self._parts(part.get("elements")):
                    yield from self._rich(each)
            case "divider":
                yield _DIVIDER
            case "image":
                yield self._image(part)
            case "markdown":
                yield self._words({"type": "plain_text", "text": part.get("text")})
            case "video":
                address = self._address(part.get("title_url")) or self._address(part.get("video_url"))
                yield _linked(self._words(part.get("title")), address)
                yield self._words(part.get("description"))

    def _section_fields(self, value: object) -> Iterator[str]:
        for part in self._parts(value):
            source = part.get("text")
            found = _TITLED.match(source) if isinstance(source, str) and part.get("type") != "plain_text" else None
            if found is None or not isinstance(source, str):
                yield self._words(part)
                continue
            text = self._words(source[found.end() :])
            for line in text[:MAX_TEXT_CHARS].split("\n"):
                self._note(line)
            yield _titled(self._words(found[1]), text)

    def _accessory(self, value: object) -> Iterator[str]:
        for part in self._parts(value):
            yield self._image(part) if part.get("type") == "image" else self._button(part)

    def _element(self, part: Mapping[str, Any]) -> str:
        """Return an element of a context: an icon is the word beside it."""
        if part.get("type") == "image":
            self.ignored += 1
            return ""
        return self._words(part)

    def _image(self, part: Mapping[str, Any]) -> str:
        title = self._words(part.get("title")) or self._words(part.get("alt_text"))
        return _linked(title, self._address(part.get("image_url")))

    # --- Rich text --------------------------------------------------------------------------------------------------

    def _rich(self, part: Mapping[str, Any]) -> Iterator[str]:
        self._count_unknown(part, _RICH)
        match part.get("type"):
            case "rich_text_list":
                yield from self._list(part)
            case "rich_text_preformatted":
                code = self._inline(part)
                yield f"```\n{code}\n```" if code and "```" not in code else code
            case "rich_text_quote":
                yield "\n".join(f"> {line}" for line in self._inline(part)[:MAX_TEXT_CHARS].split("\n"))
            case _:
                yield self._inline(part)

    def _list(self, part: Mapping[str, Any]) -> Iterator[str]:
        before = "  " * _between(part.get("indent"), _MOST_INDENT)
        first = _between(part.get("offset"), _MOST_OFFSET) + 1
        is_ordered = part.get("style") == "ordered"
        for number, each in enumerate(self._parts(part.get("elements")), first):
            if item := self._inline(each):
                yield f"{before}{number}. {item}" if is_ordered else f"{before}• {item}"

    def _inline(self, part: Mapping[str, Any]) -> str:
        pieces: list[str] = []
        for each in self._parts(part.get("elements")):
            pieces.append(self._inline_element(each, pieces[-1] if pieces else ""))
        return "".join(pieces).strip("\n")

    def _inline_element(self, part: Mapping[str, Any], before: str) -> str:
        kind = part.get("type")
        names = _INLINE.get(kind) if isinstance(kind, str) else None
        if names is None:
            self.ignored += 1
            return ""
        values = [value if isinstance(value := part.get(name), str) else "" for name in names]
        first = values[0].replace("\r\n", "\n").replace("\r", "\n")
        match kind:
            case "link" | "date":
                return _linked(first, self._address(values[1]))
            case "emoji":
                return _emoji(first) or (f":{word(values[1])}:" if values[1] else "")
            case "channel":
                return word(f"#{first}", before)
            case "user" | "usergroup" | "broadcast":
                return word(first, before)
            case _:
                return first

    # --- Text that the blocks repeat --------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        """Remember the lines of a block, as many as a message can show."""
        if self._noted_chars < MAX_TEXT_CHARS:
            shown = text[:MAX_TEXT_CHARS]
            self._noted_chars += len(shown) + 1
            self._in_blocks.update(" ".join(line.split()) for line in shown.split("\n"))

    def _is_repeated(self, text: str) -> bool:
        """Tell whether every line of the text is one of a block, or the value of a field in one."""
        if not self._in_blocks or len(text) > MAX_TEXT_CHARS:
            return False
        lines = (" ".join(line.split()) for line in text.split("\n"))
        return all(line in self._in_blocks for line in lines if line)


def _between(value: object, most: int) -> int:
    """Return a number of a payload, from 0 to the most that has a meaning."""
    return min(max(value, 0), most) if isinstance(value, int) else 0


def _linked(label: str, url: str) -> str:
    return link(label, url) if url else label


def _titled(title: str, text: str) -> str:
    if not title or not text:
        return title or text
    between = "\n" if "\n" in text else " "
    return f"{title.removesuffix(':')}:{between}{text}"


def _emoji(code_points: str) -> str:
    """Return the emoji that Slack writes as hex digits with dashes between; empty for anything else."""
    if not _EMOJI.fullmatch(code_points) or code_points.count("-") >= _MOST_EMOJI_POINTS:
        return ""
    numbers = [int(each, 16) for each in code_points.split("-")]
    return "".join(map(chr, numbers)) if all(map(_is_of_emoji, numbers)) else ""


def _is_of_emoji(number: int) -> bool:
    """Tell whether a code point may be part of an emoji: beyond ASCII, or the sign on a keycap (UTS #51)."""
    return 0xA9 <= number < 0xD800 or 0xE000 <= number <= 0x10FFFF or number in _ON_KEYCAPS
