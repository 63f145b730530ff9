"""All rows of the line clients: of messages by event_rows.py, of everything else by describe.py.

A terminal with a line editor and one without show these, so that both have the same; only what they can do with them
differs. The exit code, the prompt and the end of the session are theirs.
"""

from __future__ import annotations

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.translation import refusal_sentence
from securechat.client.core import events
from securechat.client.core.client import ClientCore
from securechat.client.core.events import UiEvent
from securechat.client.core.state import PersonKey
from securechat.client.ui.rows.describe import EventText, is_error
from securechat.client.ui.rows.describe_programs import token_lines
from securechat.client.ui.rows.event_rows import MessageRows
from securechat.client.ui.rows.rendering import local_time_of
from securechat.client.ui.rows.styled_text import TextRow, TextStyle
from securechat.text.sanitize import one_line, visible

GATHER_S = 0.5
"""Time to gather reactions: they come in groups, and each alone would be a line."""


class ServerAddress(Struct, frozen=True):
    """Who is at the other end, for the greeting and for examples.

    Attributes:
        host: as the user typed it.
        port: TCP port.
        ca: see `describe_programs.token_lines`.
    """

    host: str
    port: int
    ca: str | None


class SessionRows:
    """Makes the rows of one session.

    Args:
        core: the core whose events are shown.
        server: who is at the other end.
        reader: whether the rows are for a screen reader; see `securechat.client.ui.rows.reader_rows`.

    Attributes:
        messages: the rows of messages, and the numbers of those shown.
    """

    def __init__(self, core: ClientCore, server: ServerAddress, *, reader: bool = False) -> None:
        self.messages = MessageRows(core, reader=reader)
        self._server = server
        self._event_text = EventText(core)
        self._trouble: object = None

    def rows(self, ui_event: UiEvent, columns: int) -> list[TextRow]:
        """Return the rows of an event; none for one that shows nothing."""
        shown = self.messages.rows(ui_event, columns)
        return self._others(ui_event, columns) if shown is None else shown

    def connecting(self, columns: int) -> list[TextRow]:
        """Return the first rows: which server is dialled."""
        return self.messages.notice(catalogue.connection.connecting(self._server.host, self._server.port), columns)

    def _others(self, ui_event: UiEvent, columns: int) -> list[TextRow]:  # noqa: PLR0911 - one row an event
        match ui_event:
            case events.NameRefused(name, code):
                why = refusal_sentence(ui_event)
                refused = catalogue.connection.name_refused(one_line(name), why, code)
                return self.messages.notice(refused, columns, TextStyle.ERROR)
            case events.PasswordNeeded(code=code):
                needed = catalogue.accounts.password_needed(code, refusal_sentence(ui_event))
                return self.messages.notice(needed, columns)
            case events.AnnouncementShown(text, sent_at_ms):
                clock = catalogue.days.clock(local_time_of(sent_at_ms))
                return self.messages.announcement(catalogue.accounts.announcement(clock, visible(text)), columns)
            case events.ApiTokenMade():
                return self._token_rows(ui_event, columns)
            case events.LoggedIn():
                return self.messages.notice(self._greeting(ui_event), columns)
            case events.Reconnecting(_, attempt, loss) if attempt > 1 and (loss.kind, loss.detail) != self._trouble:
                self._trouble = (loss.kind, loss.detail)
                return self.messages.notice(catalogue.connection.still_away(loss), columns, TextStyle.ERROR)
            case events.BackOnline():
                self._trouble = None
        said = self._event_text.of(ui_event)
        style = TextStyle.ERROR if is_error(ui_event) else TextStyle.NOTICE
        return self.messages.notice(said, columns, style) if said else []

    def _token_rows(self, event: events.ApiTokenMade, columns: int) -> list[TextRow]:
        where, rows = self._server, list[TextRow]()
        for line in token_lines(event, where.host, where.port, where.ca):
            rows += [TextRow.of(line.text)] if line.copied else self.messages.notice(line.text, columns)
        return rows

    def _greeting(self, event: events.LoggedIn) -> str:
        where = self._server
        connected = catalogue.connection.connected(where.host, where.port, one_line(event.me.name))
        means = catalogue.accounts.logged_in(account=event.account, admin=event.admin)
        return "\n".join(part for part in (connected, means, catalogue.connection.MORE_HELP()) if part)


def rings(ui_event: UiEvent) -> bool:
    """Tell whether the bell rings for an event: a message for this user alone, or one that mentions the user."""
    if not isinstance(ui_event, events.MessageShown) or ui_event.late:
        return False
    return ui_event.mentions_me or (isinstance(ui_event.key, PersonKey) and not ui_event.own)
