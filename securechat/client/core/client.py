"""The client without a socket, clock, thread or randomness: events and actions in, commands and UI events out.

Every input takes ``now`` (monotonic seconds) and returns a `CoreOutput`: commands to send in order, UI events to show
in order, and whether to dial or to hang up. `ClientCore.deadline` says when `tick` is wanted at the latest. A line
client, a full screen and the simulation drive the same core.

It promises its part of promise 2: every message is shown once, in its conversation's order, and every message typed is
kept until acknowledged, whatever the connection does in between. It refuses to know bytes, TLS and sentences.

`ClientCore` is a facade: it hands each input to the component whose subject it is; they share a `CoreContext`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias, assert_never

from msgspec import Struct

from securechat import model
from securechat.client.core import actions, events
from securechat.client.core.account import AccountActions
from securechat.client.core.connecting import Connecting
from securechat.client.core.context import CoreContext
from securechat.client.core.conversations import Conversations
from securechat.client.core.credentials import Credentials
from securechat.client.core.events import UiEvent
from securechat.client.core.events.account import AccountAction
from securechat.client.core.events.connection import Disconnect
from securechat.client.core.events.requests import RejectReason
from securechat.client.core.files import FileRequests
from securechat.client.core.joined_rooms import JoinedRooms
from securechat.client.core.pending import (
    PendingAccountAction,
    PendingDirect,
    PendingFileRequest,
    PendingHistory,
    PendingIgnore,
    PendingJoin,
    PendingLeave,
    PendingModeration,
    PendingNameLookup,
    PendingPerson,
    PendingProgramAction,
    PendingQuestion,
    PendingRename,
)
from securechat.client.core.programs import ProgramActions
from securechat.client.core.queries import Queries
from securechat.client.core.room_admin import RoomAdmin
from securechat.client.core.rooms import FENCE, RoomActions
from securechat.client.core.sending import Sending
from securechat.client.core.state import (
    ConnectionPhase,
    Conversation,
    ConversationId,
    RoomKey,
    RoomState,
    Visibility,
)
from securechat.client.core.typing import TypingState
from securechat.errors import ErrorCode
from securechat.text.names import LOBBY, check_room

_AnswerOrRoomEvent: TypeAlias = (
    model.Refused
    | model.Joined
    | model.Left
    | model.RoomRules
    | model.RoleChanged
    | model.Invited
    | model.HistoryPage
    | model.SearchPage
    | model.UnreadList
    | model.ConversationList
    | model.Roster
    | model.RoomsPage
    | model.Found
    | model.PeopleList
    | model.Named
    | model.Registered
    | model.Done
    | model.LoginList
    | model.CertificateList
    | model.BotList
    | model.TokenList
    | model.TokenMade
    | model.UploadAdded
    | model.FileLinks
    | model.FileList
)


class CoreOutput(Struct, frozen=True):
    """What one input leads to. Commands go out before hanging up."""

    commands: tuple[model.Command, ...] = ()
    ui_events: tuple[UiEvent, ...] = ()
    dial: bool = False
    hang_up: bool = False


class ClientCore:
    """One user's session, over as many connections as it takes.

    Args:
        secret: the resume secret, 32 lower-case hex digits, made for the CA in use.
        jitter: returns a number in [0, 1).
        name: the name to ask for; None asks the user once connected.
        rooms: rooms to enter besides the lobby, as typed.
        backfill_count: how many earlier messages to show of the current room, when it is entered for the first time.
        client: program and version, for the server's log.
        credentials: prove who the user is; without them, only ``secret`` does.
        visibility: the shown messages that count as read.
        typing: whether typing notices are sent and shown.
        known: where an earlier run of a program ended, by the number of its account: what was said since is shown
            first.
    """

    def __init__(
        self,
        *,
        secret: str,
        jitter: Callable[[], float],
        name: str | None = None,
        rooms: tuple[str, ...] = (),
        backfill_count: int = 0,
        client: str = "",
        credentials: Credentials | None = None,
        visibility: Visibility = Visibility.NOBODY,
        typing: bool = False,
        known: Mapping[int, int] | None = None,
    ) -> None:
        checked = tuple(check_room(room) for room in rooms)
        first_room = checked[-1] if checked else LOBBY
        context = self._context = CoreContext(
            model.Person(0, name or ""), first_room, credentials or Credentials(secret)
        )
        self._membership = JoinedRooms(context, checked)
        self._typing = TypingState(context, on=typing)
        self._conversations = Conversations(context, self._typing, visibility, known)
        self._sending = Sending(context, self._membership, self._conversations)
        self._rooms = RoomActions(context, self._membership, self._conversations, backfill_count)
        self._room_admin = RoomAdmin(context, self._membership)
        self._account = AccountActions(context)
        self._programs = ProgramActions(context)
        self._files = FileRequests(context, self._conversations)
        self._queries = Queries(context, self._membership, self._conversations)
        self._connecting = Connecting(
            context,
            self._account,
            self._programs,
            self._conversations,
            self._sending,
            self._rooms,
            self._room_admin,
            self._queries,
            self._typing,
            self._files,
            jitter=jitter,
            client=client,
        )

    # --- what a user interface reads ----------------------------------------------------------------------------------

    @property
    def phase(self) -> ConnectionPhase:
        """State of the connection."""
        return self._context.phase

    @property
    def leaving(self) -> bool:
        """Whether the user wants to go."""
        return self._connecting.leaving

    @property
    def hurried(self) -> bool:
        """Whether the user asked a second time to leave: then the client does not wait for the answer to Quit."""
        return self._connecting.hurried

    @property
    def away(self) -> bool:
        """Whether there was a connection and is none."""
        return self._connecting.away

    @property
    def me(self) -> model.Person:
        """Id and name of the user; the id is 0 before the first welcome."""
        return self._context.me

    @property
    def account(self) -> bool:
        """Whether the last welcome was an account's."""
        return self._context.credentials.account

    @property
    def features(self) -> tuple[str, ...]:
        """The additions to the protocol that the server has; see `model.FEATURES`."""
        return self._context.features

    @property
    def limits(self) -> Mapping[str, float]:
        """The numbers that the server told last; see `model.WELCOME_LIMITS`."""
        return self._context.limits

    @property
    def expects_password(self) -> bool:
        """Whether a person will be asked for a password before the login."""
        return self._context.credentials.expects_password

    @property
    def rooms(self) -> Mapping[str, RoomState]:
        """The rooms that the user is in, by their present names."""
        return {room.name: room for room in self._membership.rooms.values()}

    @property
    def wanted_rooms(self) -> Sequence[str]:
        """Rooms besides the lobby that are joined after each welcome."""
        return [room.room for room in self._membership.wanted]

    @property
    def conversations(self) -> Mapping[ConversationId, Conversation]:
        """Messages and unread counts of each conversation."""
        return self._conversations.timeline.conversations

    @property
    def current(self) -> ConversationId:
        """The conversation that the user looks at."""
        return self._context.current

    @property
    def unread_known(self) -> bool:
        """Whether the server has told what was unread before this login, or will not: nothing is seen until then."""
        return not self._conversations.read_markers.waits

    @property
    def typists(self) -> tuple[model.Person, ...]:
        """The members who type in the current conversation."""
        return self._typing.typists(self._context.current)

    @property
    def ignored(self) -> AbstractSet[int]:
        """The sender_ids whose messages are hidden."""
        return self._context.ignored

    @property
    def unsent(self) -> tuple[events.PendingMessage, ...]:
        """Messages not yet acknowledged, in the order typed."""
        return self._sending.unsent

    @property
    def full(self) -> bool:
        """Whether no further message can be taken now."""
        return self._sending.full

    @property
    def began_at(self) -> int:
        """Everything above this seq was said since the first welcome, or since the server has another log."""
        return self._conversations.timeline.began_at

    @property
    def goes_on(self) -> bool:
        """Whether what was said since the earlier run is shown."""
        return self._conversations.goes_on

    @property
    def complete_through(self) -> int:
        """Every entry of the user's conversations up to this seq was shown, or will never be."""
        return self._conversations.timeline.complete_through

    @property
    def catching_up(self) -> bool:
        """Whether what was missed is still being read."""
        return self._conversations.timeline.catching_up

    @property
    def reading(self) -> bool:
        """Whether a question to the log waits or is under way."""
        return self._conversations.timeline.reading

    def room(self, name: str) -> RoomKey:
        """Return the room with this name, as `text.names.check_room` returns it, whether the user is in it or not."""
        return self._context.rooms.named(name)

    def conversation_of(self, message: model.Message) -> ConversationId:
        """Return the conversation that a message belongs to."""
        return self._context.rooms.conversation_of(message, self.me.id)

    def name_of(self, person_id: int) -> str | None:
        """Return the latest name of a person, if ever seen."""
        return self._context.people.name(person_id)

    def is_bot(self, person_id: int) -> bool:
        """Whether a person is known to be a bot or an incoming webhook."""
        return self._context.people.is_bot(person_id)

    def known_names(self) -> tuple[str, ...]:
        """Return every name that a command may mean."""
        return tuple(self._context.people.names())

    def find_message(self, key: ConversationId, seq: int) -> model.Message | None:
        """Return a message that is kept."""
        return self._conversations.timeline.find(key, seq)

    def deadline(self) -> float | None:
        """Return when `tick` is wanted at the latest."""
        context = self._context
        if context.phase is ConnectionPhase.ENDED:
            return None
        due = [self._connecting.deadline, self._conversations.timeline.deadline, self._typing.deadline]
        if context.online:
            due += [self._sending.deadline, self._files.deadline]
            if context.credentials.account:
                due.append(self._conversations.read_markers.deadline())
        return min((when for when in due if when is not None), default=None)

    # --- inputs -------------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> CoreOutput:
        """A verified connection is there."""
        self._context.now = now
        self._connecting.connected()
        return self._output()

    def disconnected(self, loss: Disconnect, now: float) -> CoreOutput:
        """The connection ended, or could not be made."""
        self._context.now = now
        if self.phase is not ConnectionPhase.ENDED:
            self._connecting.lost(loss)
        return self._output()

    def received(self, event: model.Event, now: float) -> CoreOutput:
        """An event of the server has arrived."""
        self._context.now = now
        if self._connecting.heard():
            self._handle(event)
        return self._output()

    def act(self, action: actions.Action, now: float) -> CoreOutput:
        """The user asks for an action."""
        self._context.now = now
        if self.phase is not ConnectionPhase.ENDED:
            if self.leaving and not isinstance(action, actions.LeaveChat):
                self._context.reject(RejectReason.LEAVING)
            else:
                self._perform(action)
        return self._output()

    def tick(self, now: float) -> CoreOutput:
        """Time has passed."""
        self._context.now = now
        if self.phase is ConnectionPhase.ENDED:
            return CoreOutput()
        self._connecting.tick()
        return self._output()

    def _output(self) -> CoreOutput:
        """Do what is due after every input; return what all of it leads to."""
        context, read_markers = self._context, self._conversations.read_markers
        if context.online:
            self._sending.send_due()
            self._queries.send_due()
            self._files.send_due()
            if context.credentials.account and (read := read_markers.due(context.now)) is not None:
                context.send(read)
        self._typing.expire()
        self._connecting.leave_when_done()
        output = CoreOutput(tuple(context.commands), tuple(context.ui_events), context.dial, context.hang_up)
        context.commands, context.ui_events = [], []
        context.dial = context.hang_up = False
        return output

    # --- user actions -------------------------------------------------------------------------------------------------

    def _perform(self, action: actions.Action) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat match
        context = self._context
        match action:
            case actions.ChooseName(name):
                self._connecting.choose_name(name)
            case actions.GivePassword(password):
                self._connecting.give_password(password)
            case actions.LeaveChat(patience_s):
                self._connecting.leave(patience_s)
            case actions.SendMessage(text, target, reply, key, files):
                self._typing.message_sent()
                self._sending.send(target, text, reply=reply, key=key, files=files)
            case actions.SendDirect(name, text, files):
                self._typing.message_sent()
                self._sending.send_direct(name, text, files)
            case actions.ChangeMessage():
                self._sending.change(action)
            case actions.JoinRoom(room):
                self._rooms.join(room)
            case actions.LeaveRoom(room, sure):
                self._rooms.leave(room, sure=sure)
            case actions.AskServer(number, make):
                if context.require_online():
                    context.send(make(context.requests.ask(PendingQuestion(number))))
            case actions.AskLog(number, ask):
                self._queries.ask_log(number, ask)
            case actions.HoldBack(on):
                timeline = self._conversations.timeline
                timeline.hold_back() if on else timeline.go_on()
            case actions.AskWho(room):
                self._rooms.ask_roster(room)
            case actions.AskPerson(name):
                self._rooms.ask_person(name)
            case actions.AskRooms():
                self._rooms.ask_list()
            case actions.SelectConversation(target):
                self._conversations.select(target)
            case actions.MarkSeen(target, seq):
                self._conversations.mark_seen(target, seq)
            case actions.MarkUnread(target, seq, known):
                self._conversations.mark_unread(target, seq, known)
            case actions.IgnorePerson(name):
                self._conversations.ignore(name)
            case actions.NotifyTyping(target):
                self._typing.notify(target)
            case actions.SetTypingNotices(on):
                self._typing.switch(on=on)
            case actions.AskRoomSettings() | actions.ChangeRoomSettings() | actions.ModerateMember():
                self._room_admin.request(action)
            case actions.ShowMore() if isinstance(self._conversations.next_page, actions.ShowFiles):
                self._files.request(self._conversations.next_page)
            case (
                actions.AskUpload()
                | actions.AskFileLinks()
                | actions.DropFileRequest()
                | actions.ShowFiles()
                | actions.DropUpload()
            ):
                self._files.request(action)
            case (
                actions.AskHistory()
                | actions.FindMessages()
                | actions.ShowMore()
                | actions.ListUnread()
                | actions.ListConversations()
                | actions.ShowUnread()
                | actions.ShowHistory()
                | actions.ShowDirectHistory()
            ):
                self._queries.request(action)
            case (
                actions.MakeBot()
                | actions.ShowBots()
                | actions.ReplaceBotToken()
                | actions.EndBot()
                | actions.MakeToken()
                | actions.ShowTokens()
                | actions.ReplaceToken()
                | actions.EndToken()
            ):
                self._programs.request(action)
            case _:
                self._account.request(action)

    # --- server events ------------------------------------------------------------------------------------------------

    def _handle(self, event: model.Event) -> None:  # noqa: C901, PLR0912 - one flat match
        context = self._context
        match event:
            case model.Message() | model.Edited() | model.Deleted() | model.Reacted():
                is_bot = isinstance(event, model.Message) and event.bot
                context.people.see(event.sender_id, event.name, bot=is_bot)
                self._conversations.timeline.live(event)
            case model.Acked(client_id, seq):
                self._sending.acked(client_id, seq)
            case model.Purged():
                self._conversations.timeline.purged(event)
            case model.Presence():
                self._rooms.presence(event)
            case model.TypingNow():
                self._typing.received(event)
            case model.ReadElsewhere():
                if self._conversations.read_elsewhere(event):
                    self._queries.ask_unread()
            case model.Notice(text, sent_at_ms, reason, arguments):
                if reason:
                    context.show(events.NoticeShown(text, reason, arguments))
                else:
                    context.show(events.AnnouncementShown(text, sent_at_ms))
            case model.Throttled(retry_after_s):
                self._connecting.throttled(retry_after_s)
                self._sending.throttled(retry_after_s)
            case model.Welcome():
                self._connecting.welcomed(event)
            case model.Closing():
                self._connecting.closing(event)
            case model.Ping(n):
                context.send(model.Pong(n))
            case model.Pong(n):
                if n == FENCE:
                    self._rooms.confirm()
            case _:
                self._handle_answer(event)

    def _handle_answer(self, event: _AnswerOrRoomEvent) -> None:  # noqa: C901, PLR0912 - one flat match
        """Handle what answers a request, and what members do to rooms."""
        ref = getattr(event, "ref", None)
        request = self._context.requests.get(ref)
        if isinstance(request, PendingQuestion):
            self._context.requests.take(ref)
            self._context.show(events.QuestionAnswered(request.number, event))
            return
        match event:
            case model.Refused():
                self._refused(event)
            case model.Joined():
                self._rooms.joined(event)
                self._connecting.go_online()
            case model.Left():
                self._rooms.left(event)
            case model.RoomRules():
                self._room_settings(event)
            case model.RoleChanged():
                self._rooms.role_changed(event)
            case model.Invited(room, by):
                self._context.show(events.InvitedToRoom(room, by))
            case model.HistoryPage() | model.SearchPage() | model.UnreadList() | model.ConversationList():
                self._conversations.timeline.answered(event)
            case model.Roster():
                self._rooms.roster(event)
            case model.RoomsPage():
                self._rooms.room_list(event)
            case model.Found():
                self._found(event)
            case model.Named():
                self._account.renamed(event)
            case model.Registered() | model.Done() | model.LoginList() | model.CertificateList():
                self._account_answered(event)
            case model.BotList() | model.TokenList() | model.TokenMade():
                self._programs.answered(event)
            case model.UploadAdded() | model.FileLinks() | model.FileList():
                self._files.answered(event)
            case model.PeopleList():
                pass  # this client never asks
            case _:
                assert_never(event)

    def _account_answered(self, event: model.Registered | model.Done | model.LoginList | model.CertificateList) -> None:
        request = self._context.requests.get(event.ref)
        if isinstance(request, PendingModeration) and isinstance(event, model.Done):
            self._context.requests.take(event.ref)
            self._room_admin.done(request, guest=event.guest)
            return
        if isinstance(request, PendingProgramAction) and isinstance(event, model.Done):
            self._programs.answered(event)
            return
        if isinstance(request, PendingFileRequest) and isinstance(event, model.Done):
            self._files.answered(event)
            return
        self._account.answered(event)
        if isinstance(request, PendingAccountAction) and request.account_action is AccountAction.CHANGE_PASSWORD:
            self._connecting.password_changed()
        if self._account.logged_out:
            self._connecting.end(events.ClientEnded(events.EndReason.LOGGED_OUT))

    def _found(self, event: model.Found) -> None:
        request = self._context.requests.take(event.ref)
        if isinstance(request, PendingDirect | PendingHistory | PendingIgnore | PendingNameLookup | PendingPerson):
            self._context.see(event.person)
        match request:
            case PendingDirect():
                self._sending.found(request, event)
            case PendingPerson():
                self._rooms.person_found(event)
            case PendingIgnore():
                self._conversations.toggle_ignored(event.person)
            case PendingHistory():
                self._queries.found(request, event.person)
            case PendingNameLookup():
                self._room_admin.found(request, event.person)
            case _:
                pass  # the answer to a question of an earlier connection

    def _room_settings(self, event: model.RoomRules) -> None:
        if event.ref:
            self._room_admin.settings(event)
            return
        self._rooms.settings_changed(event)

    # --- refusals -----------------------------------------------------------------------------------------------------

    def _refused(self, event: model.Refused) -> None:
        if self.phase is ConnectionPhase.GREETING:
            self._connecting.hello_refused(event)
        elif event.client_id is not None:
            self._sending.refused(event.client_id, event)
        elif self._queries.refused(event):
            pass
        elif event.code is ErrorCode.UNKNOWN_TYPE and event.ref is None:
            self._typing.unknown_to_server()  # of all that is sent, only a typing notice has no number
        else:
            self._request_refused(event)
            self._connecting.go_online()

    def _request_refused(self, event: model.Refused) -> None:
        request = self._context.requests.get(event.ref)
        if isinstance(request, PendingJoin):
            self._rooms.join_refused(event, request)
        else:
            self._context.requests.take(event.ref)
        match request:
            case PendingDirect():
                self._sending.not_found(request, event)
            case PendingHistory():
                self._queries.not_found(request, event)
            case PendingRename(name):
                self._context.show(events.RenameRefused(name, event.code, event.text, event.reason, event.arguments))
            case PendingLeave():
                self._rooms.leave_refused(event, request)
            case PendingFileRequest():
                self._files.refused(request, event)
            case None if event.ref is not None:
                pass  # a question of an earlier connection
            case _:
                self._context.show(events.RequestRefused.of(event))
                self._connecting.ask_password(event.code)
