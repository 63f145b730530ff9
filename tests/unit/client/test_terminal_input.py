"""What a terminal sends, whole, in pieces, in halves, and what no terminal should send."""

from __future__ import annotations

import random

import pytest

from securechat.client.ui.input.terminal_input import (
    ESCAPE_S,
    HALF_S,
    PASTE_CHARS,
    PASTE_S,
    InputDecoder,
    InputKind,
    TerminalInput,
)

STREAM = (
    "hi ä\r\x1b[A\x1bOP\x1b[1;5A\x1b[13;2u\x1ba\x1b[<0;5;7M\x1b[<64;5;7m\x1b[I"
    "\x1b[200~two\nlines\x1b[201~\x1b[?2026;1$y"
    "\x1b]11;rgb:1818/1919/1c1c\x1b\\\x1b[?62;22c\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[5~end\x1b[[A\x1b[Z"
)
WANTED = [
    (InputKind.TEXT, "hi ä\r"),
    (InputKind.KEY, "\x1b[A"),
    (InputKind.KEY, "\x1bOP"),
    (InputKind.KEY, "\x1b[1;5A"),
    (InputKind.KEY, "\x1b[13;2u"),
    (InputKind.KEY, "\x1ba"),
    (InputKind.MOUSE, "\x1b[<0;5;7M"),
    (InputKind.MOUSE, "\x1b[<64;5;7m"),
    (InputKind.FOCUS, "\x1b[I"),
    (InputKind.PASTE, "two\nlines"),
    (InputKind.ANSWER, "\x1b[?2026;1$y"),
    (InputKind.ANSWER, "\x1b]11;rgb:1818/1919/1c1c\x1b\\"),
    (InputKind.ANSWER, "\x1b[?62;22c"),
    (InputKind.ANSWER, "\x1b_Gi=31;OK\x1b\\"),
    (InputKind.ANSWER, "\x1b[6;20;10t"),
    (InputKind.KEY, "\x1b[5~"),
    (InputKind.TEXT, "end"),
    (InputKind.KEY, "\x1b[[A"),
    (InputKind.KEY, "\x1b[Z"),
]


def joined(parts: list[TerminalInput]) -> list[tuple[InputKind, str]]:
    """Parts, with text that came in pieces as one."""
    found: list[tuple[InputKind, str]] = []
    for part in parts:
        if part.kind is InputKind.TEXT and found and found[-1][0] is InputKind.TEXT:
            found[-1] = (InputKind.TEXT, found[-1][1] + part.text)
        else:
            found.append((part.kind, part.text))
    return found


def test_a_stream_is_cut_into_its_parts() -> None:
    assert joined(InputDecoder().feed(STREAM, 0.0)) == WANTED


def test_a_stream_in_pieces_is_cut_alike() -> None:
    single = InputDecoder()
    assert joined([part for char in STREAM for part in single.feed(char, 0.0)]) == WANTED
    chance = random.Random(1)
    for _ in range(200):
        cuts = sorted(chance.sample(range(1, len(STREAM)), 5))
        decoder, found = InputDecoder(), []
        for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
            found += decoder.feed(STREAM[start:end], 0.0)
        assert joined(found) == WANTED, cuts


def test_escape_alone_is_a_key_after_a_short_time() -> None:
    decoder = InputDecoder()
    assert decoder.feed("\x1b", 1.0) == []
    assert decoder.deadline == 1.0 + ESCAPE_S
    assert decoder.tick(1.0) == []
    assert decoder.tick(1.0 + ESCAPE_S) == [TerminalInput(InputKind.KEY, "\x1b")]
    assert decoder.deadline is None


@pytest.mark.parametrize("half", ["\x1b[1", "\x1b]11;rgb:12", "\x1bPabc", "\x1b[<0;4", "\x1b[M", "\x1b_x", "\x1b[20"])
def test_a_half_sequence_is_dropped_and_the_keyboard_goes_on(half: str) -> None:
    decoder = InputDecoder()
    assert decoder.feed(half, 0.0) == []
    assert decoder.tick(HALF_S) == []
    assert decoder.feed("x", HALF_S) == [TerminalInput(InputKind.TEXT, "x")]


@pytest.mark.parametrize("half", ["\x1b[1", "\x1b]11;rgb:12", "\x1bPabc", "\x1b[<0;4", "\x1b_x"])
def test_a_sequence_interrupted_by_another_is_dropped(half: str) -> None:
    assert joined(InputDecoder().feed(half + "\x1b[Ax", 0.0)) == [(InputKind.KEY, "\x1b[A"), (InputKind.TEXT, "x")]


def test_a_string_without_end_costs_no_memory_and_ends_at_the_next_sequence() -> None:
    decoder = InputDecoder()
    for _ in range(100):
        assert decoder.feed("\x1b]52;c;" + "A" * 10_000, 0.0) == []
    assert joined(decoder.feed("A\x1b\\typed", 0.0)) == [(InputKind.TEXT, "typed")]
    decoder.feed("\x1b]52;" + "A" * 10_000, 1.0)
    assert decoder.tick(1.0 + HALF_S) == []
    assert joined(decoder.feed("typed", 2.0)) == [(InputKind.TEXT, "typed")]


@pytest.mark.parametrize(
    "nothing",
    [
        "\x1b[99999999u",
        "\x1b[55296u",
        "\x1b[201~",
        "\x1b[24;80R",
        "\x1b[M abc"[:6],
        "\x1b[8;24;80t",
        "\x1b[" + "1;" * 60 + "u",
        "\x1b[<999999999999;1;1M",
    ],
)
def test_what_is_no_key_is_nothing(nothing: str) -> None:
    assert joined(InputDecoder().feed(nothing + "x", 0.0)) == [(InputKind.TEXT, "x")]


@pytest.mark.parametrize(
    ("sequence", "key"),
    [
        ("\x1b[97:65;2u", "\x1b[97;2u"),
        ("\x1b[97:65:99;5:1u", "\x1b[97;5u"),
        ("\x1b[1;5:2A", "\x1b[1;5A"),
        ("\x1b[97;1;97:98u", "\x1b[97;1;97u"),
        ("\x1b[3;:2~", "\x1b[3;~"),
    ],
)
def test_what_a_terminal_adds_to_a_key_in_other_modes_is_cut_off(sequence: str, key: str) -> None:
    assert joined(InputDecoder().feed(sequence, 0.0)) == [(InputKind.KEY, key)]


@pytest.mark.parametrize("sequence", ["\x1b[97;1:3u", "\x1b[1;5:3A", "\x1b[97:65;:3u"])
def test_a_key_that_is_let_go_is_nothing(sequence: str) -> None:
    assert joined(InputDecoder().feed(sequence + "x", 0.0)) == [(InputKind.TEXT, "x")]


def test_a_late_answer_whose_escape_was_taken_for_a_key_is_no_text() -> None:
    decoder = InputDecoder()
    decoder.expects_answer = True
    decoder.feed("\x1b", 0.0)
    decoder.tick(ESCAPE_S)
    assert joined(decoder.feed("]11;rgb:1818/1919/1c1c\x07hello", 1.0)) == [(InputKind.TEXT, "hello")]
    assert joined(decoder.feed("_Gi=31;OK\x1b\\hello", 2.0))[-1] == (InputKind.TEXT, "hello")
    assert joined(decoder.feed("[6;20;10thello", 3.0)) == [(InputKind.TEXT, "hello")]
    assert joined(InputDecoder().feed("]11;rgb:1818/1919/1c1c", 0.0)) == [(InputKind.TEXT, "]11;rgb:1818/1919/1c1c")]


# --- pastes


def test_a_paste_of_ten_mib_is_counted_and_cut() -> None:
    decoder = InputDecoder()
    decoder.feed("\x1b[200~", 0.0)
    piece = "0123456789abcdef" * 4096
    for _ in range(160):
        assert decoder.feed(piece, 0.0) == []
    (paste,) = decoder.feed("\x1b[201~", 0.0)
    assert paste.kind is InputKind.PASTE
    assert (len(paste.text), paste.chars) == (PASTE_CHARS, 160 * len(piece))


def test_a_mark_of_the_end_inside_of_a_paste_does_not_end_it() -> None:
    found = InputDecoder().feed("\x1b[200~harmless\x1b[201~\rrm -rf\r\x1b[201~x", 0.0)
    assert joined(found) == [(InputKind.PASTE, "harmless\rrm -rf\r"), (InputKind.TEXT, "x")]


def test_two_pastes_are_two() -> None:
    found = InputDecoder().feed("\x1b[200~a\x1b[201~\x1b[200~b\x1b[201~", 0.0)
    assert joined(found) == [(InputKind.PASTE, "a"), (InputKind.PASTE, "b")]


def test_a_paste_whose_end_is_lost_ends_by_itself() -> None:
    decoder = InputDecoder()
    assert decoder.feed("\x1b[200~some", 0.0) == []
    assert decoder.feed("thing\x1b[2", 1.0) == []
    assert decoder.tick(1.0 + PASTE_S) == [TerminalInput(InputKind.PASTE, "something\x1b[2", 12)]
    assert joined(decoder.feed("typed", 9.0)) == [(InputKind.TEXT, "typed")]


def test_escapes_inside_of_a_paste_are_pasted() -> None:
    assert joined(InputDecoder().feed("\x1b[200~\x1b[A\x1b]0;x\x07\x1b[201~", 0.0)) == [
        (InputKind.PASTE, "\x1b[A\x1b]0;x\x07")
    ]


def test_noise_raises_nothing_and_leaves_the_keyboard_alive() -> None:
    chance = random.Random(2)
    signs = "\x1b[]OP_^X<?;:0123456789~uMmARIO\\\x07\r\nab\x00\x7fé"
    for _ in range(2000):
        decoder, now = InputDecoder(), 0.0
        for _ in range(chance.randrange(1, 6)):
            decoder.feed("".join(chance.choices(signs, k=chance.randrange(1, 12))), now)
            now += chance.random()
            decoder.tick(now)
        decoder.tick(now + PASTE_S)
        decoder.tick(now + 2 * PASTE_S)
        assert joined(decoder.feed("alive", now + 9.0))[-1] == (InputKind.TEXT, "alive")
