"""A question of a peer as the owner of the work that answers it.

A question changes nothing, so an exception while it is answered refuses the question alone; the connection goes on
(`securechat.containment`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from securechat.model import (
    AskConversations,
    AskFiles,
    AskPeople,
    AskUnread,
    History,
    Refused,
    Rooms,
    Search,
    Who,
    Whois,
)
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer

Question: TypeAlias = Who | Whois | AskPeople | Rooms | History | Search | AskUnread | AskConversations | AskFiles


class ContainedQuestion:
    """The owner of the work for one question.

    Args:
        peer: the connection it came on.
        question: the command.
        forget: ends what is under way for the connection; None where nothing ever is.
    """

    __slots__ = ("_forget", "_peer", "_question")

    def __init__(self, peer: Peer, question: Question, forget: Callable[[Peer], None] | None = None) -> None:
        self._peer = peer
        self._question = question
        self._forget = forget

    @property
    def label(self) -> str:
        """The connection and the kind of its question."""
        return f"{getattr(self._peer, 'label', '')} {type(self._question).__name__.lower()}".strip()

    def fail(self) -> None:
        """Refuse the question."""
        if self._forget is not None:
            self._forget(self._peer)
        self._peer.deliver(Refused.of(refusal_for("question_failed"), ref=self._question.ref))
