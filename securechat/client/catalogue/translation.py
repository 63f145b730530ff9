"""Makes the sentence of a refusal from its reason and arguments, or takes the server's where these are not known here.

So the sentence is in the language of the person, whatever the server speaks. Arguments come from the server, and so
from its members: they are made safe to show like every other text, and are never templates.
"""

from __future__ import annotations

from typing import TypeAlias

from securechat.client.catalogue.names import capital
from securechat.client.core import events
from securechat.errors import ErrorCode
from securechat.text.refusals import REASONS, translatable_sentence
from securechat.text.sanitize import one_line
from securechat.translation import LazyText, translated

NOT_SUPPORTED = LazyText("This server does not support that yet")


RefusalUiEvent: TypeAlias = (
    events.ClientEnded
    | events.ConnectionLost
    | events.FileRequestRefused
    | events.MessageRefused
    | events.NameRefused
    | events.NoticeShown
    | events.PasswordNeeded
    | events.RenameRefused
    | events.RequestRefused
    | events.RoomLeft
)
"""The UI events that carry a refusal, or a notice made as one."""


def refusal_sentence(refused: RefusalUiEvent) -> str:
    """Return the sentence of a refusal in the language in use, safe to show; empty where the server gave none."""
    if not isinstance(refused, events.RoomLeft | events.NoticeShown) and refused.code is ErrorCode.UNKNOWN_TYPE:
        return NOT_SUPPORTED()
    if refused.reason in REASONS:
        safe = {name: one_line(each) if isinstance(each, str) else each for name, each in refused.arguments.items()}
        try:
            return translated(translatable_sentence(refused.reason, safe))
        except (KeyError, TypeError, ValueError):  # an argument is missing, or is no number where one belongs
            pass
    return capital(one_line(refused.text))
