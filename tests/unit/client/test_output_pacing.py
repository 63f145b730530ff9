"""The pace of output, against a model of a link: a rate, a delay, and a queue that nothing but answers tells of."""

from __future__ import annotations

import heapq

import pytest

from securechat.client.tty.pacing import ASK_STATE, FORGET_S, LEAST_RATE, LOST_S, PIECE_CHARS, UNANSWERED, OutputPacing

STEP_S = 0.001
FRAME_CHARS, FRAMES_PER_S = 4300, 12


class ModelLink:
    """A list that is drawn anew all the time, on a link.

    Args:
        chars_s: of the link.
        delay_s: of each direction.
    """

    def __init__(self, chars_s: float, delay_s: float) -> None:
        self.pace = OutputPacing()
        self.now = 0.0
        self.chars_s, self.delay_s = chars_s, delay_s
        self.written = 0
        self.queues_s: list[float] = []
        self._free_at = 0.0
        self._answers: list[float] = []

    def run(self, seconds: float) -> None:
        end, left, next_frame = self.now + seconds, 0, self.now
        while self.now < end:
            while self._answers and self._answers[0] <= self.now:
                heapq.heappop(self._answers)
                self.pace.answered(self.now)
            if self.now >= next_frame:
                left, next_frame = FRAME_CHARS, next_frame + 1 / FRAMES_PER_S
            if left > 0 and not self.pace.waits_s(self.now):
                size = min(left, self.pace.piece_chars)
                left -= size
                self.write(size)
            self.queues_s.append(max(0.0, self._free_at - self.now))
            self.now += STEP_S

    def write(self, size: int) -> None:
        question = self.pace.ask(self.now, size)
        self.written += size
        self._free_at = max(self._free_at, self.now) + (size + len(question)) / self.chars_s
        if question:
            heapq.heappush(self._answers, self._free_at + 2 * self.delay_s)


def test_on_a_slow_link_little_waits_in_line_and_most_of_the_link_is_used() -> None:
    link = ModelLink(32_000.0, 0.1)
    link.run(5.0)
    link.queues_s.clear()
    link.written = 0
    link.run(60.0)
    assert sorted(link.queues_s)[len(link.queues_s) // 2] < 0.01
    assert sorted(link.queues_s)[len(link.queues_s) * 99 // 100] < 0.06
    assert link.written / 60.0 > 0.5 * link.chars_s


@pytest.mark.parametrize(("chars_s", "delay_s"), [(1e7, 0.0001), (1e6, 0.02), (200_000.0, 0.15)])
def test_a_link_that_takes_all_has_no_pace(chars_s: float, delay_s: float) -> None:
    link = ModelLink(chars_s, delay_s)
    link.run(20.0)
    assert link.pace.piece_chars == PIECE_CHARS
    assert link.written >= 0.98 * 20.0 * FRAME_CHARS * FRAMES_PER_S


def test_a_link_that_has_become_slower_and_farther_is_learned() -> None:
    link = ModelLink(1e7, 0.0001)
    link.run(5.0)
    link.chars_s, link.delay_s = 32_000.0, 0.1
    link.run(30.0)
    link.queues_s.clear()
    link.written = 0
    link.run(30.0)
    assert sorted(link.queues_s)[len(link.queues_s) * 9 // 10] < 0.03
    assert link.written / 30.0 > 0.4 * link.chars_s


def test_single_late_answers_change_nothing() -> None:
    pace = OutputPacing()
    for number in range(200):
        now = number * 0.1
        assert pace.ask(now, 1000) == ASK_STATE
        pace.answered(now + (0.09 if number % 3 == 0 else 0.001))
        assert pace.waits_s(now + 0.099) == 0.0


def test_a_terminal_that_never_answers_is_asked_no_more_and_not_waited_for() -> None:
    pace = OutputPacing()
    asked = [pace.ask(number * 0.1, 4000) for number in range(10)]
    assert asked == [ASK_STATE] * UNANSWERED + [""] * (10 - UNANSWERED)
    assert pace.waits_s(1.0) == 0.0
    assert not pace.expects_answer(1.0 + LOST_S)


def test_a_pause_forgets_the_link() -> None:
    link = ModelLink(8_000.0, 0.1)
    link.run(10.0)
    assert link.pace.waits_s(link.now) or link.pace.piece_chars < PIECE_CHARS
    now = link.now + LOST_S + FORGET_S + 1.0
    link.pace.waits_s(now)
    link.pace.ask(now, 1)
    assert link.pace.piece_chars == PIECE_CHARS


def test_the_pace_never_stops() -> None:
    link = ModelLink(100.0, 1.0)
    for _ in range(60):
        link.run(1.0)
        assert link.pace.waits_s(link.now) <= LOST_S + PIECE_CHARS / LEAST_RATE


def test_an_answer_that_is_late_tells_of_its_own_frame_and_not_of_a_later_one() -> None:
    """A link that hangs for a while and goes on: what was shown is known then, and nothing is known too early."""
    pace = OutputPacing()
    pace.ask(0.0, 100)
    pace.answered(0.01)
    assert pace.ask(1.0, 100, frame=7)
    assert pace.awaits_frame(1.1)
    assert not pace.awaits_frame(1.0 + LOST_S + 0.1)
    assert pace.ask(3.2, 100, frame=8)
    assert pace.answered(3.3) == 7
    assert pace.answered(3.4) == 8
    assert pace.answered(3.5) == 0
