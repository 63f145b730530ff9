"""Drives a screen's state with a real core against the model server, and reads its views as text."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from securechat import model as m
from securechat.client.core import actions, events
from securechat.client.core.state import ConversationId, PersonKey, Visibility
from securechat.client.ui.input.completion import emoji_words
from securechat.client.ui.input.ui_actions import KeyTable
from securechat.client.ui.input.unsent_texts import UnsentRecord, UnsentTexts
from securechat.client.ui.screen_model.lists import ServerInfo
from securechat.client.ui.screen_model.state import ScreenState
from securechat.client.ui.screen_model.view import (
    ChooseItem,
    CloseOverlay,
    FocusChanged,
    FrameShown,
    RunAction,
    ScreenInput,
    ScreenResized,
    ScreenView,
    ShellRequest,
    SubmitText,
    TypedFilter,
    TypedText,
    ViewRow,
)
from securechat.model import Message
from securechat.text.refusals import refusal_for
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import ChangingServer, Driver

SERVER = ServerInfo("chat.lan", 8443, "ab12" * 16, "TLSv1.3")


@dataclass
class ScreenServer(ChangingServer):
    """A model server that also searches, lists conversations, keeps replies, and refuses what says so."""

    page_rows: int = 200
    refuse_texts: bool = False
    features: tuple[str, ...] = ("conversations",)
    account: bool = False
    logins: tuple[m.LoginInfo, ...] = ()

    def hello(self, secret: str, name: str) -> None:
        begin = len(self.out)
        super().hello(secret, name)
        self.out[begin:] = [
            replace(each, account=self.account) if isinstance(each, m.Welcome) else each for each in self.out[begin:]
        ]

    def receive(self, command: m.Command) -> None:
        match command:
            case m.AskConversations(ref):
                peers = {each.sender_id for each in self.log if each.to == self.my_id}
                self.out.append(m.ConversationList(ref, [self._dialogue(peer) for peer in sorted(peers)]))
            case m.AskUnread(ref):
                self.out.append(m.UnreadList(ref))
            case m.Search(ref, query):
                found = [each for each in reversed(self.log) if query.strip('"') in each.text]
                self.out.append(m.SearchPage(ref, [m.Hit(each) for each in found]))
            case m.Who(ref, room):
                self.out.append(m.Roster(ref, room, [m.Person(self.me, "me"), m.Person(99, "p99")], 2))
            case m.Rooms(ref):
                self.out.append(m.RoomsPage(ref, [m.RoomCount("lobby", 2), m.RoomCount("ops", 1)]))
            case m.Logins(ref):
                self.out.append(m.LoginList(ref, list(self.logins)))
            case m.Logout(ref, number):
                self.logins = tuple(each for each in self.logins if each.login != number)
                self.out.append(m.Done(ref))
            case m.Say(client_id) if self.refuse_texts:
                self.out.append(m.Refused.of(refusal_for("room_read_only", room="ops"), client_id=client_id))
            case m.Say(reply=int(reply)):
                super().receive(command)
                self.log[-1] = replace(self.log[-1], reply=reply)
                self.entries[-1] = self.log[-1]
                self.out[-1] = self.log[-1]
            case _:
                super().receive(command)

    def history(self, ask: m.History) -> None:
        if ask.around is None and ask.at is None:
            super().history(ask)
            return
        rows = [each for each in self.log if self._asked_for(each, ask)]
        if ask.around is not None:
            at = next((index for index, each in enumerate(rows) if each.seq == ask.around), 0)
            page = rows[max(0, at - 20) : at + 20]
        else:
            page = [each for each in rows if each.sent_at_ms >= (ask.at or 0)][:40]
        self.out.append(m.HistoryPage(ask.ref, page, self.fed, bool(page) and page[-1] is not rows[-1]))

    def _dialogue(self, peer: int) -> m.ConversationItem:
        seqs = [each.seq for each in self.log if peer in (each.sender_id, each.to)]
        person = m.Person(peer, f"p{peer}")
        return m.ConversationItem(peer=person, last_seq=seqs[-1], unread=len(seqs), first_seq=seqs[0])


class ScreenRig:
    """A screen of 100 by 30, logged in as `me` with some rooms, whose terminal has the keyboard.

    Args:
        rooms: besides the lobby; the last one is open.
        online: whether it is logged in.
        size: columns and rows.
        server: one that was there before; None for a new one.
        record: what an earlier run has left unsent, told at the login as the session does.
        focus: what the terminal reports of it; None for nothing.
        logins: of the user's account; none for a guest.
        options: of `ScreenState`.

    Attributes:
        reads: whether the terminal takes what is drawn.
    """

    def __init__(
        self,
        *rooms: str,
        online: bool = True,
        size: tuple[int, int] = (100, 30),
        core_options: dict[str, object] | None = None,
        server: ScreenServer | None = None,
        record: UnsentRecord | None = None,
        focus: bool | None = True,
        logins: tuple[m.LoginInfo, ...] = (),
        **options: object,
    ) -> None:
        self._record = record
        self.driver = Driver(
            server or ScreenServer(account=bool(logins), logins=logins),
            visibility=Visibility.REPORTED,
            rooms=rooms,
            typing=True,
            **(core_options or {}),
        )
        self.core = self.driver.core
        self.acts: list[actions.Action] = []
        self.requests: list[ShellRequest] = []
        self._noted = 0
        self.reads = True
        options.setdefault("emoji", emoji_words(["\N{THUMBS UP SIGN} thumbs up\n\N{ROCKET} rocket"]))
        self.state = ScreenState(
            self.core,
            self.act,
            lambda: self.driver.now,
            KeyTable(),
            context=ClientContext(ssl.PROTOCOL_TLS_CLIENT),
            server=SERVER,
            **options,  # type: ignore[arg-type]
        )
        self.take(ScreenResized(*size))
        if focus is not None:
            self.take(FocusChanged(focus))
        if online:
            self.pump()

    # --- what happens -------------------------------------------------------------------------------------------------

    def act(self, action: actions.Action) -> None:
        self.acts.append(action)
        self.driver.want(action)
        self.note()

    def note(self) -> None:
        """Tell the screen what the core has shown since."""
        ui_events = self.driver.told[self._noted :]
        self._noted = len(self.driver.told)
        if self._record is not None and any(isinstance(each, events.LoggedIn) for each in ui_events):
            self.state.use_unsent(UnsentTexts(self._record))
            self._record = None
        if ui_events:
            self.requests += self.state.note(ui_events)

    def pump(self) -> None:
        """Deliver everything in both directions, until nothing follows."""
        for _ in range(50):
            self.driver.settle()
            if self._noted == len(self.driver.told) and not self.driver.wire:
                break
            self.note()
            self.draw()
        self.draw()

    def draw(self) -> None:
        """Have the terminal show what there is, unless it takes nothing."""
        while (frame := self.state.view().frame) and self.reads:
            self.take(FrameShown(frame))

    def take(self, *screen_inputs: ScreenInput) -> list[ShellRequest]:
        """What the person does; returns what the shell has to do for it."""
        before = len(self.requests)
        for each in screen_inputs:
            self.requests += self.state.take(each)
        return self.requests[before:]

    def run(self, action_id: str, argument: str = "") -> list[ShellRequest]:
        """Run an action as a key does, and deliver what follows."""
        self.draw()
        requests = self.take(RunAction(action_id, argument))
        if self.core.phase.value == "online":
            self.pump()
        return requests

    def type(self, text: str) -> None:
        self.take(TypedText(text, len(text), self.view.composer.revision, text.count("\n") + 1))

    def submit(self, text: str) -> list[ShellRequest]:
        revision = self.view.composer.revision
        if not self.view.composer.hidden:
            self.type(text)
        requests = self.take(SubmitText(text, revision))
        if self.core.phase.value == "online":
            self.pump()
        return requests

    def choose(self, filter_text: str = "") -> list[ShellRequest]:
        overlay = self.view.overlay
        if filter_text and overlay is not None:
            self.take(TypedFilter(filter_text, overlay.revision))
        requests = self.take(ChooseItem())
        self.pump()
        return requests

    def escape(self) -> None:
        self.take(CloseOverlay())

    def say(self, text: str, room: str = "lobby", by: int = 99) -> Message:
        """Another member says something."""
        message = self.driver.server.store(by, text, room=room)
        self.driver.server.push(message)
        self.pump()
        return message

    def tell(self, text: str, by: int = 99) -> Message:
        """Another member sends a direct message."""
        message = self.driver.server.store(by, text, to=self.core.me.id)
        self.driver.server.push(message)
        self.pump()
        return message

    # --- what is seen -------------------------------------------------------------------------------------------------

    @property
    def view(self) -> ScreenView:
        return self.state.view()

    @property
    def messages(self) -> str:
        return text_of(self.view.messages)

    @property
    def overlay(self) -> str:
        overlay = self.view.overlay
        assert overlay is not None, "no list is open"
        return "\n".join([str(overlay.title), *map(str, overlay.above), text_of(overlay.items)])

    @property
    def selected(self) -> str:
        return text_of([row for row in self.view.messages if row.selected])

    def key(self, room: str) -> ConversationId:
        return self.core.room(room)


def text_of(rows: Sequence[ViewRow]) -> str:
    return "\n".join(str(row.row).rstrip() for row in rows)


def dialogue(person_id: int = 99) -> PersonKey:
    return PersonKey(person_id)


__all__ = ["SERVER", "ScreenRig", "UnsentTexts", "dialogue", "text_of"]
