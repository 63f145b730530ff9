"""Names are completed where a member is named, and nowhere else; a paste without an end leaves the keyboard alive."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

from securechat.client.terminal.editor import PASTE_END, MentionCompleter, PasteParser

NAMES = ("ann", "Anna B", "bob", "an\u202ex")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("@an", ["ann ", "Anna B "]),
        ("well, @Anna", ["Anna B "]),
        ("@anna_b", ["Anna B "]),
        ("@", ["ann ", "Anna B ", "bob "]),
        ("an", []),
        ("mail@an", []),
        ("@zoe", []),
    ],
)
def test_at_names(typed: str, found: list[str]) -> None:
    completions = MentionCompleter(lambda: NAMES).get_completions(Document(typed), CompleteEvent())
    assert [completion.text for completion in completions] == found


PASTE_BEGIN = "\x1b[200~"
PAUSE = None
"""Nothing comes for half a second."""


def parsed(*reads: str | None) -> list[tuple[str, str]]:
    """The keys of some reads: (key, text), neighbouring pastes joined."""
    presses: list[KeyPress] = []
    parser = PasteParser(presses.append)
    for read in reads:
        if read is PAUSE:
            parser.flush()
        else:
            parser.feed(read)
    keys: list[tuple[str, str]] = []
    for press in presses:
        key = press.key.value if isinstance(press.key, Keys) else press.key
        if keys and key == keys[-1][0] == PASTE:
            keys[-1] = (key, keys[-1][1] + press.data)
        else:
            keys.append((key, press.data))
    return keys


PASTE = Keys.BracketedPaste.value
CTRL_C = (Keys.ControlC.value, "\x03")


def test_a_paste_is_the_same_wherever_it_is_cut_and_pauses() -> None:
    pasted = f"{PASTE_BEGIN}one\r\ntwo \x1b[20 three\r{PASTE_END}x"
    whole = parsed(pasted)
    assert whole == [(PASTE, "one\r\ntwo \x1b[20 three\r"), ("x", "x")]
    for at in range(len(PASTE_BEGIN), len(pasted)):
        assert parsed(pasted[:at], PAUSE, pasted[at:]) == whole
        assert parsed(pasted[:at], PAUSE, PAUSE, *pasted[at:]) == whole


@pytest.mark.parametrize("cut", ["a\r", "a\x1b[201"])
def test_what_may_be_half_of_more_waits_for_the_other_half(cut: str) -> None:
    assert parsed(f"{PASTE_BEGIN}{cut}", PAUSE) == [(PASTE, "a")]


def test_ctrl_c_ends_a_paste_whose_end_is_lost() -> None:
    assert parsed(f"{PASTE_BEGIN}lost", PAUSE, "typed", "\r", PAUSE, "\x03", "x") == [
        (PASTE, "losttyped"),
        CTRL_C,
        ("x", "x"),
    ]
    assert parsed(f"{PASTE_BEGIN}lost", PAUSE, "\x03", f"{PASTE_BEGIN}two{PASTE_END}") == [
        (PASTE, "lost"),
        CTRL_C,
        (PASTE, "two"),
    ]


def test_ctrl_c_within_a_paste_that_comes_is_pasted() -> None:
    assert parsed(f"{PASTE_BEGIN}a", "\x03", f"/kick ana\r{PASTE_END}") == [(PASTE, "a\x03/kick ana\r")]
    assert parsed(f"{PASTE_BEGIN}a", PAUSE, "\x03/kick ana\r", PASTE_END) == [(PASTE, "a\x03/kick ana\r")]
