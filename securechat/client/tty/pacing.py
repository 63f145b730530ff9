"""The pace at which the list is drawn: on a slow link, what is typed does not wait behind it.

Between a program and its terminal there are buffers of unknown size: of the kernel, of sshd, of TCP. So the terminal is
asked for its state (DSR, ECMA-48, 8.3.35; every VT100 answers) behind each piece of the list. An answer that comes
later than the link's own time says that pieces wait in line: then less is written a second, and smaller pieces, and
more again while answers come in time (as TCP Vegas: Brakmo and Peterson 1995). A terminal that has never answered gets
all at once. The same answers tell that a frame is on the terminal. The class knows no clock and writes nothing; it is
called by the threads of input and of output.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

ASK_STATE = "\x1b[5n"
STATE_ANSWERS = frozenset({"\x1b[0n", "\x1b[3n"})
"""Ready, and a malfunction: both are an answer."""
PIECE_CHARS = 4096
"""Written at once at most."""
LEAST_PIECE_CHARS = 384
PIECE_S = 0.012
"""A piece is what takes so long at the rate: a key waits that long at most behind one."""
QUEUE_S = 0.02
"""An answer so much later than the fastest one says that the link is full; busy terminals take half of that."""
FEW = 4
"""Answers that have to be late: one is, where the terminal or this computer is busy."""
LATELY = 32
"""Answers of which the fastest is the link's own time: a second of them, as the link may become another one."""
LESS, MORE = 0.5, 1.03
"""Of the rate that was measured, so that the line becomes empty; and of the present one, once per round trip."""
LEAST_RATE = 2048.0
MOST_RATE = 1e6
"""Characters a second; from here on there is no pace."""
UNANSWERED = 3
"""Questions without any answer, after which none is asked any more."""
LOST_S = 2.0
"""Time for an answer, after which it is lost, or the terminal reads nothing."""
MOST_LOST = 10_000
"""Questions of which a late answer is still told apart: a quarter of an hour of a link that takes nothing."""
FORGET_S = 5.0
"""Time without a piece, after which the link may be another one."""


class OutputPacing:
    """The pace of what is drawn; times are monotonic seconds.

    Attributes:
        answers: whether the terminal has ever answered.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._rate = MOST_RATE
        self._fastest_s = float("inf")
        self._lately_s: deque[float] = deque(maxlen=LATELY)
        self._asked: deque[tuple[float, int, int]] = deque()
        self._lost: deque[tuple[float, int, int]] = deque(maxlen=MOST_LOST)
        self.answers = False
        self._tries = 0
        self._took: deque[tuple[float, float, int]] = deque(maxlen=FEW)
        self._slower_at = self._last_change = self._last_piece = float("-inf")
        self._next = float("-inf")

    @property
    def piece_chars(self) -> int:
        """Characters of the next piece."""
        return max(LEAST_PIECE_CHARS, min(PIECE_CHARS, int(self._rate * PIECE_S)))

    def expects_answer(self, now: float) -> bool:
        """Tell whether the terminal has an answer to give, as far as one knows: the first one may be on its way."""
        with self._lock:
            self._lose(now)
            return bool(self._asked)

    def waits_s(self, now: float) -> float:
        """Return the seconds until the next piece may be written; 0 for now."""
        with self._lock:
            self._lose(now)
            if not self.answers or self._rate >= MOST_RATE:
                return 0.0
            return max(0.0, self._next - now)

    def awaits_frame(self, now: float) -> bool:
        """Tell whether an answer about a frame is on its way."""
        with self._lock:
            self._lose(now)
            return any(frame for _, _, frame in self._asked)

    def ask(self, now: float, chars: int, frame: int = 0) -> str:
        """Return the question behind a piece that is written now; empty for none.

        Args:
            now: the time.
            chars: of the piece; 0 where the question is about a frame alone.
            frame: what `answered` returns then; 0 for none.
        """
        with self._lock:
            if not self.answers and self._tries >= UNANSWERED:
                return ""
            if now - self._last_piece > FORGET_S and not self._asked:
                self._rate, self._lately_s = MOST_RATE, deque(maxlen=LATELY)
                self._lost.clear()
            self._tries += 1
            self._asked.append((now, chars, frame if self.answers else 0))
            self._last_piece = now
            self._next = max(now, self._next) + chars / self._rate
            return ASK_STATE

    def answered(self, now: float) -> int:
        """Take the terminal's answer to the oldest question; returns the frame that it was about, 0 for none."""
        with self._lock:
            self.answers = True
            waiting = self._lost or self._asked  # one that was taken for lost is late, after all
            if not waiting:
                return 0
            asked_at, chars, frame = waiting.popleft()
            if chars and asked_at >= self._slower_at:  # what was written before says nothing of the rate that holds
                self._measure(now, asked_at, chars)
            return frame

    def _lose(self, now: float) -> None:
        while self._asked and self._asked[0][0] < now - LOST_S:
            self._lost.append(self._asked.popleft())

    def _measure(self, now: float, asked_at: float, chars: int) -> None:
        took_s = now - asked_at
        self._lately_s.append(took_s)
        self._fastest_s = min(self._lately_s)
        self._took.append((now, took_s, chars))
        late_s = min(took_s for _, took_s, _ in self._took) - self._fastest_s
        if late_s > QUEUE_S and len(self._took) == FEW:
            began = self._took[0][0]
            taken = sum(chars for _, _, chars in self._took) - self._took[0][2]
            self._change(now, min(self._rate, taken / max(now - began, 1e-3)) * LESS)
            self._slower_at = now
            self._took.clear()
            self._next = now + late_s  # let the line become empty
        elif took_s - self._fastest_s < QUEUE_S and now - self._last_change > max(self._fastest_s, QUEUE_S):
            self._change(now, self._rate * MORE)

    def _change(self, now: float, rate: float) -> None:
        self._rate = min(MOST_RATE, max(LEAST_RATE, rate))
        self._last_change = now
