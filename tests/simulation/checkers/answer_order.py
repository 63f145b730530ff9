"""The answers on one connection come in the order of its requests, but for those that the log reads (section 4)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from securechat.model import AskConversations, AskUnread, Command, Event, History, Join, Search

READS = (History, Search, AskUnread, AskConversations)
"""What is read elsewhere, and answered when it is ready."""


@dataclass
class _Waiting:
    """A request with the number of answers that it still gets."""

    ref: int
    answers: int


class AnswerOrder:
    """The requests of one connection that wait for an answer."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()

    def sent(self, command: Command) -> None:
        """A command went up."""
        ref = getattr(command, "ref", 0)
        if ref and not isinstance(command, READS):
            answers = len(set(command.rooms)) if isinstance(command, Join) else 1
            self._waiting.append(_Waiting(ref, answers))

    def overtaken(self, event: Event) -> int | None:
        """An event came down; return the request that it should have waited for."""
        ref = getattr(event, "ref", None)
        if not ref or all(each.ref != ref for each in self._waiting):
            return None
        first = self._waiting[0]
        if first.ref != ref:
            return first.ref
        first.answers -= 1
        if not first.answers:
            self._waiting.popleft()
        return None
