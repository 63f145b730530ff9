"""The page's core behind the interface of the Python client core: the same people, faults and checkers use both.

The cores run in one `deno` process, lines of JSON over a pipe. A `WebCore` translates: actions and events of the server
into inputs of the page's core, its changes into the UI events that the checkers look at.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from securechat import model
from securechat.client.core import actions, events
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.client import CoreOutput
from securechat.client.core.events.account import AccountAction
from securechat.client.core.events.messages import MessageChanged, PendingMessage
from securechat.client.core.events.rooms import RoomSettingsChanged
from securechat.client.core.state import ConnectionPhase, Conversation, ConversationId, PersonKey, RoomKey, RoomState
from securechat.errors import ErrorCode
from securechat.model import Person, RevisionKind, RoomRules
from securechat.testing.log_checks import HistoryBroken
from tests.support.deno import DENO

_BRIDGE = Path(__file__).with_name("web_bridge.js")
CORE = Path(__file__).resolve().parents[2] / "securechat" / "web" / "core"
_COMMAND: msgspec.json.Decoder[Any] = msgspec.json.Decoder(model.Command)
_ENDS = {"left": events.EndReason.QUIT, "loggedOut": events.EndReason.LOGGED_OUT, "version": events.EndReason.VERSION}
_REQUESTS = {
    "register": AccountAction.REGISTER,
    "password": AccountAction.CHANGE_PASSWORD,
    "logout": AccountAction.END_LOGIN,
}


class Bridge:
    """The process.

    Args:
        folder: of the core.
    """

    def __init__(self, folder: Path) -> None:
        assert DENO.exists(), "deno is not installed: run `python tools/dev.py test` once, which installs it"
        environment = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
        command = [str(DENO), "run", "--no-remote", "--no-check", "--no-lock", f"--allow-read={folder}", str(_BRIDGE)]
        self._process = subprocess.Popen(
            [*command, folder.as_uri()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._pid = os.getpid()
        self.count = 0

    def ask(self, **fields: Any) -> Any:
        """Give a core an input; return what it leads to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(fields) + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"the page's core fails: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process."""
        if self._pid == os.getpid() and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    @property
    def is_mine(self) -> bool:
        """Whether this process has started it: a fork has not."""
        return self._pid == os.getpid()


_bridges: list[Bridge] = []


def bridge() -> Bridge:
    """Return the process of this one."""
    if not _bridges or not _bridges[-1].is_mine:
        _bridges.append(Bridge(CORE))
        atexit.register(_bridges[-1].close)
    return _bridges[-1]


@contextmanager
def core_in(folder: Path) -> Iterator[None]:
    """Run the cores made meanwhile from a copy of the core."""
    other = Bridge(folder)
    _bridges.append(other)
    try:
        yield
    finally:
        _bridges.remove(other)
        other.close()


class WebOutput(Struct, frozen=True):
    """As `CoreOutput`, with the state to save before anything is sent."""

    commands: tuple[Any, ...] = ()
    ui_events: tuple[events.UiEvent, ...] = ()
    dial: bool = False
    hang_up: bool = False
    save: dict[str, Any] | None = None


class WebCore:
    """A core of the page.

    Args:
        saved: what the page had stored.
        seed: of its jitter and its secrets.
        invite: of the link by which the page was opened; empty for none.
        now: virtual seconds.
        password: to be given with the first hello, where the server asks for one.
    """

    def __init__(self, saved: Mapping[str, Any], seed: int, now: float, *, invite: str = "", name: str = "") -> None:
        self._bridge = bridge()
        self._bridge.count += 1
        self._id = self._bridge.count
        self._name = name or str(saved["name"])
        self._invite = invite
        self._requests = 0
        self._asked: dict[int, tuple[dict[str, Any], Any]] = {}
        self._keys: dict[str, RoomKey] = {}
        self._view: list[Any] | None = None
        self._search: dict[str, Any] | None = None
        self._opened: list[str] = []
        self._said: list[tuple[int, str]] = []
        self._lines: dict[int, PendingMessage] = {}
        self._by_password = self._had_welcome = False
        self._hello_key = ""
        self._lost_at: float | None = None
        self._more: list[dict[str, Any]] = []
        self.now = now
        self.looks = 0
        self.state: dict[str, Any] = {}
        self.first = self._take(self._bridge.ask(op="new", id=self._id, saved=saved, seed=seed, now=now))

    # --- what the simulation reads

    @property
    def phase(self) -> ConnectionPhase:
        """State of the connection."""
        return ConnectionPhase(self.state["phase"])

    @property
    def me(self) -> Person:
        """Who the user is."""
        return Person(**self.state["me"])

    @property
    def account(self) -> bool:
        """Whether the last welcome was an account's."""
        return bool(self.state["account"])

    @property
    def unsent(self) -> tuple[PendingMessage, ...]:
        """What is not acknowledged, and not refused."""
        return tuple(self._line(number) for number in self.state["unsent"])

    @property
    def catching_up(self) -> bool:
        """Whether what was missed is still being read."""
        return bool(self.state["catchingUp"])

    @property
    def reading(self) -> bool:
        """Whether a question to the log waits or is under way."""
        return bool(self.state["reading"])

    @property
    def rooms(self) -> Mapping[str, RoomState]:
        """The rooms that the user is in, by name."""
        return {
            each["name"]: RoomState(
                self.key(each["key"], each["name"]),  # type: ignore[arg-type]
                each["total"],
                {person["id"]: Person(**person) for person in each["members"]},
                RoomRules(each["name"]),
                each["role"],
            )
            for each in self.view()
            if each["kind"] == "room"
        }

    @property
    def conversations(self) -> Mapping[ConversationId, Conversation]:
        """The windows that are open."""
        found: dict[ConversationId, Conversation] = {}
        for each in self.view():
            key = self.key(each["key"], each["name"])
            messages = deque(msgspec.convert(message, model.Message) for message in each["window"]["messages"])
            found[key] = Conversation(key, messages=messages)
        return found

    def deadline(self) -> float | None:
        """When `tick` is wanted."""
        return self.state["deadline"]  # type: ignore[no-any-return]

    def view(self) -> list[Any]:
        """Return the conversations as the page's user interface sees them."""
        if self._view is None:
            self._view = self._bridge.ask(op="view", id=self._id)
        return self._view

    def room(self, name: str) -> RoomKey:
        """Return the room of this name."""
        return next((key for key in self._keys.values() if key.room == name), None) or RoomKey(name)

    def key(self, key: str, name: str = "") -> ConversationId:
        """Return what the checkers call a conversation of the page."""
        if key.startswith("p"):
            return PersonKey(int(key[1:]))
        if key not in self._keys:
            self._keys[key] = RoomKey(name)
        elif name:
            self._keys[key].room = name
        return self._keys[key]

    # --- inputs

    def connected(self, now: float) -> WebOutput:
        """A verified connection is there."""
        return self._input(now, op="connected")

    def disconnected(self, _: events.Disconnect, now: float) -> WebOutput:
        """The connection ended, or could not be made."""
        if self._lost_at is None:
            self._lost_at = now
        return self._input(now, op="disconnected")

    def received(self, event: model.Event, now: float) -> WebOutput:
        """An event of the server has arrived."""
        output = self._input(now, op="received", event=event)
        return self._with_more(output, now)

    def tick(self, now: float) -> WebOutput:
        """Time has passed."""
        return self._input(now, op="tick")

    def probe(self, now: float) -> WebOutput:
        """The page is seen again."""
        return self._do(now, {"do": "probe"})

    def read(self, key: ConversationId, seq: int, now: float) -> WebOutput:
        """The user has seen everything up to here."""
        if (web_key := self._key_of(key)) is None:
            return WebOutput()
        return self._do(now, {"do": "read", "key": web_key, "seq": seq})

    def retry(self, number: int, now: float) -> WebOutput:
        """Send a message again that failed."""
        return self._do(now, {"do": "retry", "number": number})

    def discard(self, number: int, now: float) -> WebOutput:
        """Give up a message that failed."""
        return self._do(now, {"do": "discard", "number": number})

    def drop(self) -> None:
        """The page is gone."""
        self._bridge.ask(op="drop", id=self._id)

    def act(self, action: actions.Action, now: float) -> WebOutput:
        """The user wants something."""
        if self.phase is ConnectionPhase.ENDED:
            return WebOutput()
        self._more = []
        return self._with_more(self._act(action, now), now)

    def _with_more(self, output: WebOutput, now: float) -> WebOutput:
        """Do what an answer led to: who was looked up is written to."""
        while self._more:
            output = _joined(output, self._do(now, self._more.pop(0)))
        return output

    def _act(self, action: actions.Action, now: float) -> WebOutput:
        match action:
            case actions.ChooseName(name):
                if self.phase is ConnectionPhase.ONLINE:
                    return self._ask(now, {"ask": "nick", "name": name})
                return self._hello(now, name)
            case actions.GivePassword(password):
                return self._hello(now, self._name, password)
            case actions.LeaveChat(patience_s):
                output = self._do(now, {"do": "leave"})
                return output if patience_s > 0 else _joined(output, self._do(now, {"do": "leave"}))
            case actions.SendMessage(text, target, reply):
                return self._at(now, target, {"do": "send", "text": text, "reply": reply})
            case actions.SendDirect(name, text):
                return self._ask(now, {"ask": "openDirect", "name": name}, text)
            case actions.ChangeMessage(target, kind, seq, text, emoji):
                act = {"do": "react", "seq": seq, "sign": emoji, "on": kind is RevisionKind.REACT}
                if kind in {RevisionKind.EDIT, RevisionKind.DELETE}:
                    act = {"do": kind.value, "seq": seq, "text": text}
                return self._at(now, target, act)
            case actions.JoinRoom(room):
                return self._ask(now, {"ask": "join", "room": room})
            case actions.LeaveRoom(room, sure):
                return self._ask_in(now, room, {"ask": "leaveRoom", "sure": sure})
            case actions.AskWho(room):
                return self._ask_in(now, room, {"ask": "who"})
            case actions.AskRooms():
                return self._ask(now, {"ask": "rooms"})
            case actions.AskRoomSettings(room):
                return self._ask_in(now, room, {"ask": "roomInfo"})
            case actions.ChangeRoomSettings(command):
                rules = msgspec.to_builtins(command)
                return self._ask_in(now, rules.pop("room"), {"ask": "setRoom", "rules": rules})
            case actions.ModerateMember():
                return self._moderate(now, action)
            case actions.RegisterAccount(password):
                return self._ask(now, {"ask": "register", "password": password})
            case actions.SetPassword(old, new):
                return self._ask(now, {"ask": "password", "old": old, "new": new})
            case actions.AskLogins():
                return self._ask(now, {"ask": "logins"})
            case actions.EndLogin(number):
                return self._ask(now, {"ask": "logout", **({} if number is None else {"login": number})})
            case actions.FindMessages(query, before):
                return self._find(now, {"ask": "search", "query": query, **({"before": before} if before else {})})
            case actions.ShowMore() if self._search is not None:
                return self._find(now, self._search)
            case actions.NotifyTyping(target):
                return self._at(now, target, {"do": "typing"})
            case actions.SelectConversation(target):
                return self._open(now, target, {"unread": True} if self.looks % 2 else {})
            case actions.ShowHistory(target, around, at_ms):
                asked = {"seq": around} if around is not None else {"at": at_ms} if at_ms is not None else {}
                return self._open(now, target, asked)
            case actions.AskHistory(target):
                output = self._open(now, target, {})
                return _joined(output, self._at(now, target, {"do": "older"}))
            case actions.ShowMore() | actions.ShowUnread() if self._opened:
                self.looks += 1
                return self._do(now, {"do": "older" if self.looks % 3 else "newer", "key": self._opened[-1]})
            case _:
                return WebOutput()  # certificates, and what the page does of its own accord

    def _hello(self, now: float, name: str, password: str = "") -> WebOutput:
        if self.phase is not ConnectionPhase.NAMING:
            return WebOutput()
        self._name = name
        action = {"do": "hello", "name": name}
        if password:
            action["password"] = password
        if self._invite:
            action["invite"] = self._invite
        return self._do(now, action)

    def _open(self, now: float, target: ConversationId, at: dict[str, Any]) -> WebOutput:
        self.looks += 1
        output = self._at(now, target, {"do": "open", **at})
        if (key := self._key_of(target)) is None or key in self._opened:
            return output
        self._opened.append(key)
        if len(self._opened) > 2:
            output = _joined(output, self._do(now, {"do": "close", "key": self._opened.pop(0)}))
        return output

    def _moderate(self, now: float, action: actions.ModerateMember) -> WebOutput:
        people = [person for each in self.view() for person in each["members"] if person["name"] == action.name]
        if not people:
            return WebOutput()
        who: dict[str, Any] = {"person": people[0]["id"]}
        match action.verb:
            case ModerationVerb.INVITE:
                question = {"ask": "invite", **who}
            case ModerationVerb.ROLE:
                question = {"ask": "grant", "role": action.role, **who}
            case verb:
                question = {"ask": "moderate", "act": verb.value, "reason": action.reason, **who}
                if action.seconds is not None:
                    question["seconds"] = action.seconds
        return self._ask_in(now, action.room, question)

    def _find(self, now: float, question: dict[str, Any]) -> WebOutput:
        self._search = None
        return self._ask(now, question)

    def _ask_in(self, now: float, room: str, question: dict[str, Any]) -> WebOutput:
        key = next((each["key"] for each in self.view() if each["kind"] == "room" and each["name"] == room), None)
        return WebOutput() if key is None else self._ask(now, {**question, "key": key})

    def _at(self, now: float, target: ConversationId, action: dict[str, Any]) -> WebOutput:
        output = WebOutput()
        if isinstance(target, PersonKey) and all(each["key"] != f"p{target.person_id}" for each in self.view()):
            if target.person_id == self.me.id:
                return output
            output = self._ask(now, {"ask": "openPerson", "person": {"id": target.person_id, "name": ""}})
        key = self._key_of(target)
        return output if key is None else _joined(output, self._do(now, {**action, "key": key}))

    def _key_of(self, target: ConversationId) -> str | None:
        if isinstance(target, PersonKey):
            return f"p{target.person_id}"
        return next((key for key, known in self._keys.items() if known is target), None)

    def _do(self, now: float, action: dict[str, Any]) -> WebOutput:
        return self._input(now, op="act", action=action)

    def _ask(self, now: float, question: dict[str, Any], then: Any = None) -> WebOutput:
        self._requests += 1
        self._asked[self._requests] = (question, then)
        return self._input(now, op="ask", question=question, request=self._requests)

    def _input(self, now: float, **fields: Any) -> WebOutput:
        self.now = now
        return self._take(self._bridge.ask(id=self._id, now=now, **fields))

    # --- what it leads to

    def _take(self, output: dict[str, Any]) -> WebOutput:
        self._view = None
        before = self.state.get("me")
        self.state = output["state"]
        commands = tuple(_command(each) for each in output["commands"])
        for command in commands:
            if isinstance(command, model.Hello):
                self._by_password = command.password is not None
        told: list[events.UiEvent] = []
        for change in output["changes"]:
            told += self._translated(change, before)
        return WebOutput(commands, tuple(told), output["dial"], output["hangUp"], output["save"])

    def _translated(self, change: dict[str, Any], me: Any) -> list[events.UiEvent]:
        match change["kind"]:
            case "welcome":
                return self._welcome(change)
            case "helloNeeded":
                return [self._hello_needed(change["field"], change["refusal"])]
            case "waits" if change["refusal"] is not None and change["refusal"]["code"] == "name_in_use":
                return [events.NameKept(self._name, change["untilS"] - self.now)]
            case "message":
                message = msgspec.convert(change["message"], model.Message)
                key = self.key(change["key"])
                return [events.MessageShown(message, key, change["own"], change["late"], change["mentionsMe"])]
            case "messageChanged":
                made = msgspec.convert(change["change"], model.MessageChange)
                now = None if change["message"] is None else msgspec.convert(change["message"], model.Message)
                return [MessageChanged(made, self.key(change["key"]), now)]
            case "acked":
                return [events.MessageAcked(self._line(change["number"]), change["seq"])]
            case "failed":
                code, text = ErrorCode._missing_(change["refusal"]["code"]), change["refusal"]["text"]
                return [events.MessageRefused(self._line(change["number"]), _code(change["refusal"]) or code, text)]
            case "joined":
                self.key(change["key"], change["room"])
                return [events.RoomJoined(change["room"], (), 0, change["again"])]
            case "left":
                if change["key"] in self._opened:
                    self._opened.remove(change["key"])
                return [events.RoomLeft(self._keys[change["key"]].room)]
            case "renamed":
                self.key(change["key"], change["room"])
                rules = RoomRules(change["room"], was=change["old"])
                return [RoomSettingsChanged(rules, rules)]
            case "caughtUp":
                return [events.CaughtUp(change["missed"])]
            case "reset":
                return [events.HistoryReset()]
            case "me" if me is not None and me["name"] != self.me.name:
                return [events.MemberRenamed(self.me.id, me["name"], self.me.name, me=True)]
            case "answer":
                return self._answer(change)
            case "ended":
                cause = _ENDS.get(change["why"], events.EndReason.CLOSED)
                refusal = change["refusal"]
                text = refusal["text"] if refusal else ""
                return [events.ClientEnded(cause, None, _code(refusal), text)]
            case _:
                return []

    def _welcome(self, change: dict[str, Any]) -> list[events.UiEvent]:
        self._had_welcome, self._invite = True, ""
        told: list[events.UiEvent] = []
        if change["first"]:
            told.append(events.LoggedIn("web", self.me, change["account"], change["admin"], change["mustChange"]))
        else:
            told.append(events.BackOnline(0.0))
        if change["mustChange"]:
            told.append(events.PasswordTemporary(self.me.name, knows_old=self._by_password))
        return told

    def _hello_needed(self, field: str, refusal: Any) -> events.UiEvent:
        if refusal is None:
            return events.NameNeeded()
        code = _code(refusal) or ErrorCode.INVALID
        match field:
            case "password" | "newPassword":
                return events.PasswordNeeded(self._name, field == "newPassword", code, refusal["text"])
            case "invite":
                self._invite = ""
        return events.NameRefused(self._name, code, refusal["text"])

    def _answer(self, change: dict[str, Any]) -> list[events.UiEvent]:
        question, then = self._asked.pop(change["request"])
        value, refusal = change["value"], change["refusal"]
        kind = _REQUESTS.get(question["ask"])
        if refusal is not None:
            if kind is not None and refusal["code"] == "offline":
                return [events.AccountActionUnconfirmed(kind)]
            if question["ask"] == "password" and self.state["mustChange"]:
                self._by_password = self._by_password and refusal["code"] != "login_failed"
                return [events.PasswordTemporary(self.me.name, knows_old=self._by_password)]
            return []
        match question["ask"]:
            case "openDirect" if then is not None and value is not None:
                self._more.append({"do": "send", "key": value["key"], "text": then})
            case "search" if value["more"] and value["hits"]:
                self._search = {**question, "before": value["hits"][-1]["message"]["seq"]}
            case "register" | "password":
                assert kind is not None
                return [events.AccountActionDone(kind, name=self.me.name)]
            case "logout" if "login" in question:
                return [events.AccountActionDone(AccountAction.END_LOGIN, question["login"])]
        return []

    def _line(self, number: int) -> PendingMessage:
        return PendingMessage(number, PersonKey(0), "")


def _command(fields: dict[str, Any]) -> Any:
    """Return a command; one with a field that the protocol does not know is a bug."""
    command = _COMMAND.decode(json.dumps(fields))
    kept = msgspec.to_builtins(command)
    known = set(kept) | {each.encode_name for each in msgspec.structs.fields(type(command))} | {"t"}
    if unknown := set(fields) - known:
        raise HistoryBroken(f"the page sends {unknown} in {fields}")
    return command


def _code(refusal: Any) -> ErrorCode | None:
    if refusal is None or not refusal["code"]:
        return None
    try:
        return ErrorCode(refusal["code"])
    except ValueError:
        return ErrorCode.UNKNOWN


def _joined(first: WebOutput, second: WebOutput) -> WebOutput:
    return WebOutput(
        (*first.commands, *second.commands),
        (*first.ui_events, *second.ui_events),
        first.dial or second.dial,
        first.hang_up or second.hang_up,
        second.save if second.save is not None else first.save,
    )


__all__ = ["CORE", "Bridge", "CoreOutput", "WebCore", "WebOutput", "bridge", "core_in"]
