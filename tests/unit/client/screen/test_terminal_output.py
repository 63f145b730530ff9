"""The painter: what differs is written, once, the newest alone; and a terminal that reads nothing holds nothing up."""

from __future__ import annotations

import os
import queue
import re
import select
import sys
import threading

import pyte
import pytest

from securechat.client.tty.frames import RowPart, TerminalPainter, TerminalWriter
from securechat.client.tty.pacing import ASK_STATE, PIECE_CHARS, UNANSWERED
from tests.support.patience import PATIENCE_S

NO_ROWS = range(0)
ANSWER = "\x1b[0n"


def part(text: str, column: int = 0, columns: int = 20) -> RowPart:
    return RowPart(column, columns, text, "\x1b[m")


def shown(*texts: str) -> list[str]:
    screen = pyte.Screen(20, 5)
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    return [row.rstrip() for row in screen.display]


def test_a_frame_is_written_once_and_nothing_after_it() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("one")}, 1: {0: part("two")}}, (3, 1), 20, NO_ROWS)
    text = painter.take()
    assert shown(text)[:2] == ["one", "two"]
    assert text.endswith("\x1b[2;4H\x1b[?25h")
    assert painter.take() == ""


def test_only_the_part_that_differs_is_written() -> None:
    painter = TerminalPainter()
    left, right = part("left", 0, 10), part("right", 10, 10)
    painter.show({0: {0: left, 10: right}}, (0, 0), 20, NO_ROWS)
    painter.take()
    painter.show({0: {10: part("other", 10, 10)}}, (0, 0), 20, NO_ROWS)
    text = painter.take()
    assert "left" not in text
    assert "\x1b[1;11H\x1b[m\x1b[Kother" in text


def test_every_part_begins_with_its_place_and_an_erase_of_its_cells() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("left", 0, 10), 10: part("right", 10, 10)}}, None, 20, NO_ROWS)
    assert "\x1b[1;1H\x1b[m\x1b[10Xleft\x1b[1;11H\x1b[m\x1b[Kright" in painter.take()


def test_a_frame_that_was_not_taken_is_replaced() -> None:
    painter = TerminalPainter()
    for number in range(1000):
        painter.show({0: {0: part(f"frame {number}")}}, (0, 0), 20, NO_ROWS)
    text = painter.take()
    assert "frame 999" in text
    assert len(text) < 100
    assert painter.take() == ""


def test_urgent_rows_come_first_and_a_page_comes_in_pieces() -> None:
    painter = TerminalPainter()
    long = {y: {0: part("x" * 1000)} for y in range(30)}
    painter.show({**long, 30: {0: part("typed")}}, (0, 0), 20, range(30, 31))
    first = painter.take()
    assert re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", first).startswith("typed")
    assert len(first) < PIECE_CHARS + 1100
    painter.show({30: {0: part("typed more")}}, (0, 0), 20, range(30, 31))
    assert "typed more" in painter.take()[:200]


def test_while_the_link_is_full_urgent_rows_alone_are_taken() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("message")}, 3: {0: part("typed")}, 4: {0: part("more")}}, (4, 4), 20, range(3, 5))
    assert shown(painter.take(0)) == ["", "", "", "typed", "more"]
    assert (painter.waits, painter.took_rows) == (True, False)
    assert painter.take(0) == ""
    assert painter.waits
    assert "message" in painter.take()
    assert (painter.waits, painter.took_rows) == (False, True)


def test_the_terminal_is_asked_behind_other_rows_and_answered_before_the_end() -> None:
    reading, writing = os.pipe()
    painter = TerminalPainter()
    writer = TerminalWriter(writing, painter)
    painter.show({0: {0: part("message")}, 3: {0: part("typed")}}, (4, 4), 20, range(3, 4))
    writer.start()
    writer.wake()
    text = b""
    while b"\x1b[5n" not in text:
        text += os.read(reading, 4096)
    assert text.endswith(b"\x1b[5n")
    assert not writer.answered("\x1b[?1u")
    assert writer.answered("\x1b[0n")
    painter.show({0: {0: part("another")}}, (4, 4), 20, range(3, 4))
    writer.wake()
    os.read(reading, 4096)
    waiter = threading.Thread(target=writer.await_answers, args=(60.0,))
    waiter.start()
    assert writer.answered("\x1b[0n")
    waiter.join(60.0)
    assert not waiter.is_alive()
    writer.stop("")
    os.close(reading)
    os.close(writing)


def test_the_end_waits_for_the_first_answer_too() -> None:
    """A session that ends at once must leave no answer to the shell."""
    painter, reading, writing = TerminalPainter(), *os.pipe()
    writer = TerminalWriter(writing, painter)
    painter.show({0: {0: part("message")}}, (4, 4), 20, NO_ROWS)
    writer.start()
    writer.wake()
    text = b""
    while b"\x1b[5n" not in text:
        text += os.read(reading, 4096)
    waits, answered = threading.Event(), threading.Event()

    def wait(timeout_s: float) -> bool:
        waits.set()
        return answered.wait(timeout_s)

    writer._answered.wait = wait  # type: ignore[method-assign, assignment]
    waiter = threading.Thread(target=writer.await_answers, args=(60.0,))
    waiter.start()
    assert waits.wait(60.0)
    assert writer.answered("\x1b[0n")
    answered.set()
    waiter.join(60.0)
    assert not waiter.is_alive()
    writer.stop("")
    os.close(reading)
    os.close(writing)


def test_the_cursor_alone_moves_without_anything_else() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("one")}}, (0, 0), 20, NO_ROWS)
    painter.take()
    painter.show({}, (2, 0), 20, NO_ROWS)
    assert painter.take() == "\x1b[1;3H"
    painter.show({}, None, 20, NO_ROWS)
    assert painter.take() == "\x1b[?25l"
    painter.show({}, (2, 0), 20, NO_ROWS)
    assert painter.take() == "\x1b[1;3H\x1b[?25h"


def test_a_terminal_that_knows_it_gets_whole_frames() -> None:
    painter = TerminalPainter()
    painter.synchronized = True
    painter.show({0: {0: part("one")}}, (0, 0), 20, NO_ROWS)
    text = painter.take()
    assert (text[:8], text[-8:]) == ("\x1b[?2026h", "\x1b[?2026l")


def test_painting_anew_writes_everything_and_a_change_of_size_forgets_rows() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("one")}, 4: {0: part("five")}}, (0, 0), 20, NO_ROWS)
    painter.take()
    painter.paint_anew("\x1b[2J")
    assert shown(painter.take()) == ["one", "", "", "", "five"]
    painter.paint_anew("\x1b[2J", rows=3)
    painter.show({0: {0: part("one")}}, (0, 0), 20, NO_ROWS)
    assert "five" not in painter.take()


def test_a_row_of_a_frame_of_the_former_size_is_not_drawn_over_the_last_one() -> None:
    painter = TerminalPainter()
    painter.paint_anew(rows=2)
    painter.show({row: {0: part(f"row {row}")} for row in range(3)}, (0, 0), 20, NO_ROWS)
    text = painter.take()
    assert "row 1" in text
    assert "row 2" not in text
    assert painter.take() == ""
    painter.paint_anew(rows=3)
    painter.show({row: {0: part(f"row {row}")} for row in range(3)}, (0, 0), 20, NO_ROWS)
    assert "row 2" in painter.take()


def test_rows_without_panes_replace_all_and_the_panes_come_back() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("pane")}}, (0, 0), 20, NO_ROWS)
    first = painter.take()
    painter.show_bare("\x1b[2J\x1b[Hbare")
    second = painter.take()
    assert shown(first, second)[0] == "bare"
    painter.show({0: {0: part("newer")}}, (0, 0), 20, NO_ROWS)
    assert painter.take() == ""
    painter.show_bare(None)
    assert shown(first, second, painter.take())[0] == "newer"


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a pipe")
def test_a_terminal_that_reads_nothing_holds_up_nothing_and_gets_the_newest_frame() -> None:
    import fcntl

    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    painter = TerminalPainter()
    writer = TerminalWriter(writing, painter)
    writer.start()
    for number in range(300):
        painter.show({y: {0: part(f"{number} " + "x" * 1000)} for y in range(5)}, (0, 0), 20, NO_ROWS)
        writer.wake()
        select.select([reading], [], [])  # it has begun to write, and nobody reads
    assert writer.writes_since is not None
    painter.show({y: {0: part("newest")} for y in range(5)}, (0, 0), 20, NO_ROWS)
    writer.wake()
    assert not writer.stop("the end", timeout_s=0.01)
    read = bytearray()

    def read_all() -> None:
        while data := os.read(reading, 65536):
            read.extend(data)

    reader = threading.Thread(target=read_all)
    reader.start()
    assert writer.stop("")
    os.close(writing)
    reader.join()
    os.close(reading)
    assert writer.writes_since is None
    assert read.endswith(b"the end")
    assert read.count(b"x" * 1000) < 300


def test_a_frame_is_on_the_terminal_when_all_of_it_was_given_out() -> None:
    painter = TerminalPainter()
    rows = {y: {0: part("x" * PIECE_CHARS)} for y in range(2)}
    painter.show(rows, (0, 0), 20, NO_ROWS)
    painter.is_frame(7)
    assert painter.take()
    assert painter.written() == 0  # a row is left
    assert painter.take()
    assert painter.written() == 7
    assert painter.written() == 0  # it was told


def test_a_frame_that_another_has_begun_to_replace_was_never_whole() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("one")}}, (0, 0), 20, NO_ROWS)
    painter.is_frame(7)
    painter.show({0: {0: part("two")}}, (0, 0), 20, NO_ROWS)
    painter.take()
    assert painter.written() == 0


def test_nothing_is_on_a_terminal_that_is_held_or_has_another_text() -> None:
    painter = TerminalPainter()
    painter.show({0: {0: part("one")}}, (0, 0), 20, NO_ROWS)
    painter.is_frame(7)
    painter.hold(on=True)
    assert painter.written() == 0
    painter.hold(on=False)
    painter.show_bare("bare")
    painter.take()
    assert painter.written() == 0


class Asked:
    """A writer to a pipe, and what it tells."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.painter = TerminalPainter()
        self.told: queue.Queue[int] = queue.Queue()
        self.writer = TerminalWriter(writing, self.painter, shown=self.told.put)
        self.writer.start()

    def show(self, frame: int) -> None:
        self.painter.show({0: {0: part(f"frame {frame}")}}, (0, 0), 20, NO_ROWS)
        self.painter.is_frame(frame)
        self.writer.wake()

    def read_until(self, text: str) -> None:
        read = b""
        while text.encode() not in read:
            read += os.read(self.reading, 65536)


def test_a_terminal_that_answers_is_asked_whether_it_has_read_a_frame() -> None:
    one = Asked()
    assert one.writer.answered(ANSWER)  # as to an earlier question
    one.show(7)
    one.read_until(ASK_STATE)
    assert one.told.empty()  # the kernel has it, and no terminal
    one.show(8)
    one.read_until(ASK_STATE)
    assert one.told.empty()
    assert one.writer.answered(ANSWER)
    assert one.told.get(timeout=PATIENCE_S) == 7
    one.read_until(ASK_STATE)  # about the frame alone, of which the rows were written before
    assert one.writer.answered(ANSWER)
    assert one.told.empty()
    assert one.writer.answered(ANSWER)
    assert one.told.get(timeout=PATIENCE_S) == 8
    assert one.writer.stop("")


def test_a_terminal_that_never_answers_is_believed_and_asked_no_more() -> None:
    one = Asked()
    for frame in range(1, 10):
        one.show(frame)
        assert one.told.get(timeout=PATIENCE_S) == frame
    assert one.writer.stop("end")
    read = os.read(one.reading, 65536).decode()
    assert 0 < read.count(ASK_STATE) <= UNANSWERED


def test_sequences_come_before_frames_in_their_order() -> None:
    reading, writing = os.pipe()
    painter = TerminalPainter()
    writer = TerminalWriter(writing, painter)
    painter.show({0: {0: part("frame")}}, (0, 0), 20, NO_ROWS)
    writer.send("first")
    writer.send("second")
    writer.start()
    text = b""
    while b"frame" not in text:
        text += os.read(reading, 65536)
    assert text.startswith(b"firstsecond")
    assert writer.stop("last")
    assert os.read(reading, 100).endswith(b"last")
    os.close(writing)
    os.close(reading)
