"""Lines both ways, without a prompt: a pipe, or a terminal that can do nothing but lines.

Lines mean what they mean to the interactive client. Only at a terminal is a person there to be asked for a name or a
password, and only there stand numbers beside the lines: scripts read names and texts.
"""

from __future__ import annotations

import sys
from typing import Any

from securechat.client import deeds, sentences, tidings
from securechat.client import happenings as told
from securechat.client import intents as want
from securechat.client import sentences_accounts as accounts
from securechat.client import sentences_talk as talk
from securechat.client.asking import Cancelled, Dialogue, Purpose
from securechat.client.commands import encodable, read
from securechat.client.core import ClientCore
from securechat.client.happenings import Happening
from securechat.client.hush import Hush
from securechat.client.lines import Lines
from securechat.client.meanings import CertificateFile, Day, Help, Prefill, Problem, Secretly
from securechat.client.pipes import Sending
from securechat.client.rendering import change_line, day_at_ms, elsewhere, tail_line
from securechat.client.runner import Endpoint
from securechat.client.secret_files import certificate_to_add
from securechat.client.sentences_help import PAGES, usage
from securechat.client.state import Key, key_of
from securechat.model import Message
from securechat.text import one_line


class Conversing(Sending):
    """Lines both ways, without a prompt: a pipe, or a terminal that can do nothing but lines.

    Args:
        echo: whether the terminal shows what is typed, so that one's own lines need no second showing.
    """

    def __init__(self, core: ClientCore, endpoint: Endpoint, room: str, *, echo: bool) -> None:
        super().__init__(core, endpoint, room)
        self._echo = echo
        self._hush = Hush()
        self._shown = Lines(core)
        self._asking_name = False
        self._dialogue: Dialogue | None = None

    def restore(self) -> None:
        """Show what is typed again."""
        self._hush.off()

    def pull(self) -> None:
        """A name or a password may be asked for, before anybody is online and later: the next line is the answer."""
        while True:
            self._answer_questions()
            super().pull()
            if not self.asks or self._lines.empty():
                return

    @property
    def asks(self) -> bool:
        """Whether the next line is an answer."""
        return self._asking_name or self._dialogue is not None

    def _answer_questions(self) -> None:
        while self.asks and not self._lines.empty():
            if (typed := self._lines.get_nowait()) is None:
                self._asking_name, self._dialogue = False, None
                self.runner.want(want.Finish(0.0))
            elif self._dialogue is not None:
                self._answer(self._dialogue, encodable(typed))
            else:
                self._asking_name = False
                self.runner.want(want.ChooseName(typed))

    def name_refused(self, name: str, code: Any, text: str) -> None:
        """At a terminal, ask again."""
        if self._echo:
            self.notice(sentences.name_refused(one_line(name), one_line(text), code))
            self._ask_name()
        else:
            super().name_refused(name, code, text)

    def say(self, line: str) -> None:
        """At a terminal the rest of a paste would go to the shell: there a mistake of ours must not end the chat."""
        try:
            self._understand(line)
        except Exception as error:
            if not self._echo:
                raise
            self.notice(sentences.mistake(one_line(repr(error))))

    def password_needed(self, event: deeds.PasswordNeeded) -> None:
        """At a terminal, ask."""
        if self._echo:
            self.notice(accounts.password_needed(event.code, one_line(event.text)))
            self._ask(Dialogue(Purpose.INVITED if event.new else Purpose.LOG_IN, one_line(event.name)))
        else:
            super().password_needed(event)

    def _ask(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._hush.on()
        sys.stderr.write(dialogue.question)
        sys.stderr.flush()

    def _answer(self, dialogue: Dialogue, typed: str) -> None:
        self._dialogue = None
        self._hush.off()
        sys.stderr.write("\n")
        match dialogue.give(typed):
            case None:
                self._ask(dialogue)
            case str(why):
                self.notice(why)
                self._ask(dialogue)
            case Cancelled() if dialogue.purpose in {Purpose.LOG_IN, Purpose.INVITED}:
                self._ask_name()
            case Cancelled():
                self.notice(accounts.CANCELLED)
            case intent:
                self.runner.want(intent)

    def _add_certificate(self, path: str) -> None:
        intent = certificate_to_add(path, self.runner.endpoint.context, self.core.me.id)
        if isinstance(intent, str):
            self.notice(one_line(intent))
        else:
            self.runner.want(intent)

    def _understand(self, line: str) -> None:
        """Lines mean what they mean to the interactive client."""
        match read(line, self.core.current, self.core.known_names(), self._shown.numbers, self.core.me.id):
            case Help(page):
                self.notice(PAGES[page])
            case Problem(why):
                self.notice(one_line(why))
            case Prefill():
                self.notice(usage("/edit"))
            case Day(target, date):
                self._show_day(target, date)
            case Secretly(purpose) if self._echo:
                self._ask(Dialogue(purpose, one_line(self.core.me.name)))
            case Secretly():
                self.notice(accounts.TERMINAL_ONLY)
            case CertificateFile(path):
                self._add_certificate(path)
            case intent:
                self.runner.want(intent)

    def _show_day(self, target: Key, date: str) -> None:
        if (at_ms := day_at_ms(date)) is None:
            self.notice(talk.no_such_day(one_line(date)))
        else:
            self.runner.want(want.Jump(target, at_ms=at_ms))

    def otherwise(self, happening: Happening) -> None:
        """Messages to stdout, all else to stderr."""
        self._shown.note(happening)
        match happening:
            case told.Shown() | told.Recalled(messages=(_, *_)) | tidings.Excerpted(messages=(_, *_)):
                self._put_messages(happening)
            case tidings.SearchShown() | tidings.Amended():
                self._put_more(happening)
            case told.NameNeeded():
                self._ask_name()
            case told.Declined(told.Impossible.NAME_INVALID) if self._echo and not self.core.me.id:
                self.tell(happening)
                self._ask_name()
            case tidings.Excerpted():
                self.notice(talk.NOTHING_THERE)
            case _:
                self.tell(happening)

    def _put_messages(self, happening: told.Shown | told.Recalled | tidings.Excerpted) -> None:
        if isinstance(happening, told.Shown):
            if happening.elsewhere or not (happening.own and self._echo):
                room = elsewhere(happening.key, self.core.current, happening.message)
                self._print(happening.key, happening.message, room)
            return
        for message in happening.messages:
            self._print(happening.key, message, None)
        if isinstance(happening, tidings.Excerpted) and happening.more:
            self.notice(talk.MORE)

    def _put_more(self, happening: tidings.SearchShown | tidings.Amended) -> None:
        if isinstance(happening, tidings.SearchShown):
            for hit in happening.hits:
                self._print(key_of(hit.message, self.core.me.id), hit.message, hit.message.room)
            for said in talk.after_hits(len(happening.hits), more=happening.more, building=happening.building):
                self.notice(said)
            return
        change, key = happening.change, happening.key
        room = None if key == self.core.current else change.room
        if (line := change_line(change, room=room, number=self._number_of(key, change.target))) is not None:
            self.put(line)

    def _print(self, key: Key, message: Message, room: str | None) -> None:
        number = self._number_of(key, message.seq, message)
        self.put(tail_line(message, room=room, number=number))

    def _number_of(self, key: Key, seq: int, message: Message | None = None) -> int | None:
        """The number of a line, where a person sees it: scripts read names and texts."""
        number = self._shown.numbers.give(key, seq, message)
        return number if self._echo else None

    def _ask_name(self) -> None:
        self._asking_name = True
        sys.stderr.write(sentences.NAME_PROMPT)
        sys.stderr.flush()
