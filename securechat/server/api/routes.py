"""The routes of ``/api/v1`` and what each does.

``{room}`` is the name of a room, percent-encoded, with or without ``#``. ``{person}`` is the sender_id of a person in
digits, or a name; a name of digits alone has ``@`` before it. ``{seq}`` is a message's number, ``{emoji}`` a reaction,
``{id}`` that of a file or an upload. `securechat.server.api.files` has the paths whose bodies are bytes.

| method | path | does |
|---|---|---|
| GET | /me | tells who the token speaks for |
| GET | /rooms | lists rooms; `after` |
| GET | /rooms/{room} | tells the rules of a room |
| GET | /rooms/{room}/members | lists who is there; `after` |
| GET | /rooms/{room}/messages | reads a page of messages; `after`, `before`, `limit` |
| POST | /rooms/{room}/messages | posts a message: text, or JSON; Idempotency-Key |
| GET | /rooms/{room}/messages/{seq} | reads one message |
| PATCH | /rooms/{room}/messages/{seq} | edits it: text, or JSON |
| DELETE | /rooms/{room}/messages/{seq} | deletes it |
| PUT | /rooms/{room}/messages/{seq}/reactions/{emoji} | reacts to it |
| DELETE | /rooms/{room}/messages/{seq}/reactions/{emoji} | takes the reaction back |
| GET | /people/{person} | looks a person up |
| GET, POST | /people/{person}/messages | as in a room: direct messages |
| GET, PATCH, DELETE | /people/{person}/messages/{seq} | as in a room |
| PUT, DELETE | /people/{person}/messages/{seq}/reactions/{emoji} | as in a room |
| GET | /files | lists the program's own files and uploads; `after` |
| DELETE | /files/{id} | deletes a file with its message, or gives an upload up |
| GET | /events | streams events; `rooms`, `after`; Last-Event-ID |
| GET | /search | finds messages; `q`, `before`, `limit` |

A room that the program is not in, but may enter, is entered on the way; one that does not exist is never made. A room
that may not be seen is answered as one that does not exist: both are asked for by the same commands of the hub. So is a
room that guests alone have opened, because the first account that enters such a room becomes its owner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Struct

from securechat.errors import ErrorCode, Refusal
from securechat.limits import PAGE_ROWS
from securechat.model import (
    Acked,
    AskFiles,
    AskPeople,
    AskRoom,
    Command,
    Delete,
    Direct,
    Edit,
    FileList,
    Found,
    History,
    HistoryPage,
    Join,
    Message,
    PeopleList,
    Person,
    React,
    RemoveUpload,
    RoomRules,
    Rooms,
    RoomsPage,
    Roster,
    Say,
    Search,
    SearchPage,
    Who,
    Whois,
)
from securechat.server.api.answers import ApiAnswer, answer
from securechat.server.api.problems import ProblemError, method_not_allowed
from securechat.server.api.records import (
    DeletedFile,
    FileListing,
    HitList,
    KnownPerson,
    MemberList,
    MessagePage,
    OwnIdentity,
    RoomInfo,
    RoomList,
    Stored,
)
from securechat.server.api.requests import (
    MOST_ID,
    EditedText,
    PostedMessage,
    edited_text_of,
    message_key,
    message_of,
    number,
    number_parameter,
)
from securechat.text.refusals import refusal_for

if TYPE_CHECKING:
    from securechat.server.api.peer import Steps

DEFAULT_ROWS = 50
OWN_FILES = "/files"
"""The path of the list of own files; each is below it."""
_FILE_ID = re.compile(r"[0-9a-f]{32}\Z")
_encode = msgspec.json.Encoder().encode


class ApiCall(Struct, frozen=True):
    """One request, as a route sees it.

    Attributes:
        parts: what stands in the path, by name, decoded.
        query: the parameters.
        body: the whole of it.
        is_json: whether it is JSON.
        key: of the header Idempotency-Key.
        own_id: the sender_id that the token speaks for.
        server: the program and its version.
    """

    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    is_json: bool
    key: str | None
    own_id: int
    server: str


class ApiRoute(Struct, frozen=True):
    """One method of one path.

    Attributes:
        method: GET, and HEAD with it; or another.
        path: below the root, with names in braces.
        summary: one sentence, for the description of the API.
        run: what it does; None for the event stream, which `EventStreams` begins.
        status: of its answer.
        makes: the record of its answer.
        takes: the record of a JSON body; None for no body.
        parameters: of its query, with whether they are numbers.
        is_keyed: whether Idempotency-Key means something.
    """

    method: str
    path: str
    summary: str
    run: Callable[[ApiCall], Steps] | None
    status: int
    makes: type[Struct]
    takes: type[Struct] | None = None
    parameters: Mapping[str, bool] = {}
    is_keyed: bool = False


_Answered: TypeAlias = Generator[Command, Any, Any]


def _made(record: Struct, status: int = 200) -> ApiAnswer:
    return answer(status, _encode(record))


# --- Conversations: rooms and dialogues -------------------------------------------------------------------------------


class Target(Struct, frozen=True):
    """A room or a person of a request."""

    room: str | None = None
    person: int | None = None


def target_of(call: ApiCall) -> Generator[Command, Any, Target]:
    """Find the conversation that a path names."""
    room = call.parts.get("room")
    if room is not None:
        return Target(room=room)
    return Target(person=(yield from _person(call.parts["person"])))


def _person(raw: str) -> Generator[Command, Any, int]:
    """Return the sender_id of a person in a path."""
    sender_id = number(raw)
    if sender_id is not None:
        return sender_id
    found: Found = yield Whois(0, raw.removeprefix("@"))
    return found.person.id


def in_room(room: str | None, command: Command) -> _Answered:
    """Give a command; enter its room first where the program is not in it and may."""
    try:
        return (yield command)
    except Refusal as refusal:
        if room is None or refusal.code is not ErrorCode.NOT_A_MEMBER:
            raise
    yield AskRoom(0, room)
    yield Join(0, [room])
    return (yield command)


def _seq(call: ApiCall) -> int:
    """Return the number of a message in a path; what is none belongs to no message."""
    seq = number(call.parts["seq"])
    if not seq or seq >= MOST_ID:
        raise refusal_for("no_such_message")
    return seq


def stored(acked: Acked, status: int = 200) -> ApiAnswer:
    """Return the answer that tells the number of what was stored."""
    return _made(Stored(acked.seq), status)


def _post(call: ApiCall) -> Steps:
    message = message_of(call.body, as_json=call.is_json)
    key = call.key
    if message.key is not None:
        own = message_key(message.key.encode())
        if key not in (None, own):
            raise ProblemError(422, "body_invalid", "The body and the header Idempotency-Key have different keys")
        key = own
    target = yield from target_of(call)
    if target.person is not None:
        return stored((yield Direct(0, target.person, message.text, message.reply_to, key, message.files)), 201)
    room = target.room or ""
    acked: Acked = yield from in_room(room, Say(0, room, message.text, message.reply_to, key, None, message.files))
    return stored(acked, 201)


def _edit(call: ApiCall) -> Steps:
    text, seq = edited_text_of(call.body, as_json=call.is_json), _seq(call)
    target = yield from target_of(call)
    acked: Acked = yield from in_room(target.room, Edit(0, seq, text, target.room, target.person))
    return stored(acked)


def _delete(call: ApiCall) -> Steps:
    seq = _seq(call)
    target = yield from target_of(call)
    acked: Acked = yield from in_room(target.room, Delete(0, seq, target.room, target.person))
    return stored(acked)


def _react(call: ApiCall) -> Steps:
    return (yield from _reaction(call, on=True))


def _unreact(call: ApiCall) -> Steps:
    return (yield from _reaction(call, on=False))


def _reaction(call: ApiCall, *, on: bool) -> Steps:
    seq, emoji = _seq(call), call.parts["emoji"]
    target = yield from target_of(call)
    acked: Acked = yield from in_room(target.room, React(0, seq, emoji, target.room, target.person, on))
    return stored(acked)


def _read_page(call: ApiCall) -> Steps:
    after, before = number_parameter(call.query, "after"), number_parameter(call.query, "before")
    limit = _limit(call)
    target = yield from target_of(call)
    page: HistoryPage = yield from in_room(target.room, History(0, target.room, target.person, after, before, limit))
    return _made(MessagePage(page.messages, page.through, page.more, page.changes))


def _read_one(call: ApiCall) -> Steps:
    seq = _seq(call)
    target = yield from target_of(call)
    page: HistoryPage = yield from in_room(target.room, History(0, target.room, target.person, seq - 1, seq + 1, 1))
    if not page.messages:
        raise refusal_for("no_such_message")
    return _made(page.messages[0])


def _limit(call: ApiCall) -> int:
    limit = number_parameter(call.query, "limit")
    if limit is None:
        return DEFAULT_ROWS
    if not 1 <= limit <= PAGE_ROWS:
        raise ProblemError(
            400, "bad_request", f"The parameter limit is from 1 to {PAGE_ROWS}", args={"parameter": "limit"}
        )
    return limit


# --- Rooms and people -------------------------------------------------------------------------------------------------


def _me(call: ApiCall) -> Steps:
    person = yield from _named(call.own_id)
    return _made(OwnIdentity(person.id, person.name, call.server))


def _named(sender_id: int) -> Generator[Command, Any, Person]:
    """Return a sender with its present name."""
    listed: PeopleList = yield AskPeople(0, [sender_id])
    if not listed.people:
        raise refusal_for("no_such_person")
    return listed.people[0]


def _list_rooms(call: ApiCall) -> Steps:
    page: RoomsPage = yield Rooms(0, call.query.get("after") or None)
    return _made(RoomList(page.rooms, page.more))


def _room_info(call: ApiCall) -> Steps:
    rules: RoomRules = yield AskRoom(0, call.parts["room"])
    return _made(
        RoomInfo(
            room=rules.room,
            id=rules.room_id,
            topic=rules.topic,
            private=rules.private,
            read_only=rules.read_only,
            archived=rules.archived,
            slow_s=rules.slow_s,
            retention_days=rules.retention_days,
            history=rules.history,
            role=rules.role,
        )
    )


def _list_members(call: ApiCall) -> Steps:
    room, after = call.parts["room"], number_parameter(call.query, "after")
    roster: Roster = yield from in_room(room, Who(0, room, after))
    return _made(MemberList(roster.members, roster.total, roster.more))


def _look_up(call: ApiCall) -> Steps:
    raw = call.parts["person"]
    sender_id = number(raw)
    name = raw.removeprefix("@") if sender_id is None else (yield from _named(sender_id)).name
    found: Found = yield Whois(0, name)
    return _made(KnownPerson(found.person.id, found.person.name, found.absent))


def _search(call: ApiCall) -> Steps:
    query = call.query.get("q", "")
    if not query:
        raise refusal_for("search_empty")
    page: SearchPage = yield Search(0, query, number_parameter(call.query, "before"), _limit(call))
    return _made(HitList(page.hits, page.more, page.indexed))


# --- Files ------------------------------------------------------------------------------------------------------------


def _file_id(raw: str) -> str:
    """Return the id of a file in a query or a path; what is none belongs to no file."""
    if not _FILE_ID.match(raw):
        raise refusal_for("no_such_file")
    return raw


def _list_files(call: ApiCall) -> Steps:
    after = call.query.get("after")
    if after is not None and not _FILE_ID.match(after):
        raise ProblemError(400, "bad_request", "The parameter after is the id of a file", args={"parameter": "after"})
    page: FileList = yield AskFiles(0, after)
    return _made(FileListing(page.files, page.uploads, page.more, page.used, page.most))


def _delete_file(call: ApiCall) -> Steps:
    """Delete one's own file. It goes with its message, which is deleted; an upload has none."""
    file_id = _file_id(call.parts["id"])
    try:
        yield RemoveUpload(0, file_id)
    except Refusal as refusal:
        if refusal.reason != "upload_unknown":
            raise
    else:
        return _made(DeletedFile(file_id, None))
    page: FileList = yield AskFiles(0, None, file_id)
    if not page.files:
        raise refusal_for("no_such_file")
    own = page.files[0]
    if own.room is None and own.to is None:
        words = "The file is in a room that you are not in. Join it, or ask a moderator there to delete its message"
        raise ProblemError(404, ErrorCode.NOT_A_MEMBER.value, words)
    acked: Acked = yield Delete(0, own.seq, own.room, own.to)
    return _made(DeletedFile(file_id, acked.seq))


# --- The table --------------------------------------------------------------------------------------------------------

_PAGE = {"after": True, "before": True, "limit": True}


def _of_conversation(root: str, whose: str) -> tuple[ApiRoute, ...]:
    """The routes that rooms and people have alike."""
    messages, one = f"{root}/messages", f"{root}/messages/{{seq}}"
    reaction = f"{one}/reactions/{{emoji}}"
    return (
        ApiRoute("GET", messages, f"Reads a page of the messages {whose}.", _read_page, 200, MessagePage, None, _PAGE),
        ApiRoute("POST", messages, f"Posts a message {whose}.", _post, 201, Stored, PostedMessage, is_keyed=True),
        ApiRoute("GET", one, f"Reads one message {whose}.", _read_one, 200, Message),
        ApiRoute("PATCH", one, f"Edits a message {whose}.", _edit, 200, Stored, EditedText),
        ApiRoute("DELETE", one, f"Deletes a message {whose}.", _delete, 200, Stored),
        ApiRoute("PUT", reaction, f"Reacts to a message {whose}.", _react, 200, Stored),
        ApiRoute("DELETE", reaction, f"Takes a reaction {whose} back.", _unreact, 200, Stored),
    )


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("GET", "/me", "Tells who the token speaks for.", _me, 200, OwnIdentity),
    ApiRoute("GET", "/rooms", "Lists rooms by name.", _list_rooms, 200, RoomList, None, {"after": False}),
    ApiRoute("GET", "/rooms/{room}", "Tells the rules of a room.", _room_info, 200, RoomInfo),
    ApiRoute(
        "GET", "/rooms/{room}/members", "Lists who is in a room.", _list_members, 200, MemberList, None, {"after": True}
    ),
    *_of_conversation("/rooms/{room}", "of a room"),
    ApiRoute("GET", "/people/{person}", "Looks a person up by name.", _look_up, 200, KnownPerson),
    *_of_conversation("/people/{person}", "to and from a person"),
    ApiRoute(
        "GET",
        "/search",
        "Finds messages.",
        _search,
        200,
        HitList,
        None,
        {"q": False, "before": True, "limit": True},
    ),
    ApiRoute("GET", OWN_FILES, "Lists own files and uploads.", _list_files, 200, FileListing, None, {"after": False}),
    ApiRoute("DELETE", "/files/{id}", "Deletes an own file, or gives an upload up.", _delete_file, 200, DeletedFile),
    ApiRoute(
        "GET",
        "/events",
        "Streams messages and their changes as they come.",
        None,
        200,
        Message,
        None,
        {"rooms": False, "after": False},
    ),
)


class RouteTable:
    """Finds routes by method and path.

    Args:
        routes: all of them.
    """

    def __init__(self, routes: tuple[ApiRoute, ...] = ROUTES) -> None:
        self._by_path: dict[int, list[tuple[tuple[str, ...], dict[str, ApiRoute]]]] = {}
        methods: dict[str, dict[str, ApiRoute]] = {}
        for route in routes:
            if route.path not in methods:
                methods[route.path] = {}
                pattern = tuple(route.path.split("/")[1:])
                self._by_path.setdefault(len(pattern), []).append((pattern, methods[route.path]))
            methods[route.path][route.method] = route

    def find(self, method: str, path: str) -> tuple[ApiRoute, dict[str, str]]:
        """Return a route, and the parts of the path by name, as they came.

        Args:
            method: of the request.
            path: below the root, with its first slash.

        Raises:
            ProblemError: 404, there is nothing at this path; 405, another method is needed.
        """
        segments = path.split("/")[1:]
        for pattern, methods in self._by_path.get(len(segments), ()):
            parts: dict[str, str] = {}
            for name, given in zip(pattern, segments, strict=True):
                if name[:1] == "{" and given:
                    parts[name[1:-1]] = given
                elif name != given:
                    break
            else:
                route = methods.get("GET" if method == "HEAD" else method)
                if route is not None and route.run is None and method == "HEAD":
                    route = None  # a stream has no end, of which its head could tell
                if route is None:
                    raise _no_method(methods)
                return route, parts
        raise ProblemError(404, "no_such_path", "There is nothing at this address. /api/v1/openapi.json has them all")


def _no_method(methods: Mapping[str, ApiRoute]) -> ProblemError:
    allowed = [*methods, *(("HEAD",) if "GET" in methods and methods["GET"].run is not None else ())]
    return method_not_allowed(*allowed)
