"""No text for a person stands in the page's modules outside a call that translates; what is translated is a literal.

A heuristic, as in test_untranslated.py: three words in a row, or a literal that begins with a capital letter and goes
on like a word. Names of keys, events and errors are none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "securechat" / "web"
GENERATED = {"core/records.js"}
THREE_WORDS = re.compile(r"(?<![\w/-])[A-Za-z][a-z'’]+,? [a-z'’]+,? [a-z'’]+(?![\w/-])")
SENTENCE = re.compile(r"^[A-Z][a-z'’]+(?: [\w'’]+)*[.:?!…]?$")
NAMES = frozenset(
    {
        *(
            "Alt",
            "Backspace",
            "Control",
            "Dead",
            "Delete",
            "End",
            "Enter",
            "Escape",
            "Home",
            "Insert",
            "Meta",
            "Process",
        ),
        *("Numpad", "Shift", "Space", "Tab", "Unidentified", "Ctrl K", "Mod", "Page"),
        *(
            "Android",
            "Chrome",
            "Close",
            "Content-Type",
            "English",
            "Error",
            "Files",
            "Firefox",
            "Linux",
            "Notification",
        ),
        *("Edg", "Edge", "Mac OS", "Opera", "Safari", "Windows", "Z"),
    }
)
"""Names of keys, and others that no person reads as words."""
NO_TEXT = re.compile(r"class(?:Name)?[:=]|\.(?:closest|matches|querySelector(?:All)?)[(]|new \w*Error[(]|console[.]")
"""Lines with names of classes, selectors, errors of the programmer, and what is written for one."""

ALLOWED: dict[str, tuple[str, ...]] = {
    "ui/i18n.js": ("Bahasa Indonesia",),  # each language in its own words
    "ui/menu.js": (":is([tabindex='0'], a, button, input, select, textarea):not([tabindex='-1'])",),  # a selector
}
"""By module: literals that look like texts and are none."""


def javascript_texts() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import javascript_texts
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return javascript_texts


tool = javascript_texts()


def modules() -> list[str]:
    found = (path.relative_to(WEB).as_posix() for path in sorted(WEB.rglob("*.js")))
    return [name for name in found if name not in GENERATED]


def untranslated(source: str) -> Iterator[tuple[int, str]]:
    """Return line and text of each literal that looks like a text and is not translated."""
    passed = _lines_without_texts(source)
    for literal in tool.literals(source):
        if literal.text in NAMES or literal.line in passed:
            continue
        if THREE_WORDS.search(literal.text) or SENTENCE.match(literal.text):
            yield literal.line, literal.text


def _lines_without_texts(source: str) -> set[int]:
    lines = source.splitlines()
    return {
        number
        for number, line in enumerate(lines, 1)
        if NO_TEXT.search(line) or re.search(r"new \w*Error[(]$", lines[number - 2] if number > 1 else "")
    }


@pytest.mark.parametrize("name", modules())
def test_every_text_comes_from_the_catalogue(name: str) -> None:
    allowed = ALLOWED.get(name, ())
    found = {line: text for line, text in untranslated((WEB / name).read_text("utf-8")) if text not in allowed}
    assert found == {}


@pytest.mark.parametrize("name", modules())
def test_what_is_translated_is_a_literal(name: str) -> None:
    source = (WEB / name).read_text("utf-8")
    calls = list(tool.calls(source))
    assert [call for call in calls if call.literals is None] == []
    assert len(calls) == tool.written_calls(source), "the extraction was led astray"


def test_what_is_allowed_is_still_there() -> None:
    gone = [
        (name, text)
        for name, texts in ALLOWED.items()
        for text in texts
        if (WEB / name).exists()
        and text not in {found for _line, found in untranslated((WEB / name).read_text("utf-8"))}
    ]
    assert gone == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('say("You have left the room")', 1),
        ("say(`${name} has left the room`)", 1),
        ('const item = { label: "Cancel" }', 1),
        ('say(_("You have left the room"))', 0),
        ('say(_("{a} of {b}", { a: _("Cancel"), b: `x ${_("Close now")}` }))', 0),
        ('say(ngettext("{n} message left", "{n} messages " + "are left", n))', 0),
        ('say(pgettext("a button", "Open the room"))', 0),
        ('if (event.key === "Enter" || event.key === "ArrowUp") x("aria-label", "is open")', 0),
        ('throw new Error("You have left the room")', 0),
        ('element.closest("input, textarea, select"); h("div", { class: "row own pending" })', 0),
        ('ownRefusal("offline", "There is no connection")', 0),
        ("const a = b / c; say(`${x ? `y ${_('Close now')}` : ''}`); d = e / f", 0),
        ("// You have left the room\n/** You have left the room */", 0),
        ("x = /You have left the room/", 0),
    ],
)
def test_a_text_is_told_from_other_literals(source: str, count: int) -> None:
    assert len(list(untranslated(source))) == count


def test_calls_inside_calls_and_templates_are_found() -> None:
    source = """
    // Translators: a greeting
    _("Hello, {name}", { name: _("nested") + `x ${_("in a template")}` });
    ngettext("one", "ma" +
      "ny", n);
    pgettext("a verb", "open"); other._("no"); function _(a) {} _(variable);
    """
    found = [(call.function, call.context, call.literals and call.message, call.comment) for call in tool.calls(source)]
    assert found == [
        ("_", None, "Hello, {name}", "a greeting"),
        ("_", None, "nested", ""),
        ("_", None, "in a template", ""),
        ("ngettext", None, ("one", "many"), ""),
        ("pgettext", "a verb", "open", ""),
        ("_", None, None, ""),
    ]
