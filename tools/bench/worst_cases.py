"""The most expensive legal content of every command of a client; `worst_server` has the rest.

Each case prepares, yields what is timed, and cleans up. `tests/unit/test_worst_cases.py` holds the list against the
commands there are: a new one needs a case here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from securechat.limits import MAX_MESSAGE_FILES
from securechat.model import (
    AddCertificate,
    AddUpload,
    AskConversations,
    AskFiles,
    AskLinks,
    AskPeople,
    AskRoom,
    AskUnread,
    Certificates,
    ChangePassword,
    Command,
    Delete,
    Direct,
    Edit,
    FileInfo,
    Grant,
    Hello,
    History,
    InviteTo,
    Join,
    Leave,
    Logins,
    Logout,
    Moderate,
    Nick,
    Ping,
    Pong,
    Quit,
    React,
    Read,
    Register,
    RemoveCertificate,
    RemoveUpload,
    Rooms,
    Say,
    Search,
    SetRoom,
    StoredFile,
    Typing,
    Who,
    Whois,
)
from securechat.records.accounts import KEPT_REMOVALS, Put
from securechat.server.session import Session
from securechat.text.names import LOBBY
from tests.simulation.certificates import proof
from tools.bench.worst_world import LONGEST_ESCAPE, World

GROWS = "\ufdfa"
"""One code point that NFKC makes 18 of: the most that any grows."""
HANGUL = 0xAC00
RARE = 0x20000


@dataclass
class Work:
    """What is timed: a pass with these inputs, and all that follows from them within ``for_s`` seconds."""

    inputs: tuple[Callable[[], object], ...]
    for_s: float = 0.0
    at_once: bool = False
    """Whether what the preparation has left to be told is a part of it."""


Timed: TypeAlias = Iterator[Work]


@dataclass(frozen=True)
class Case:
    """One case; ``kind`` is a command, a request of the operator, or the name of what happens by itself."""

    kind: Any
    who: str
    what: str
    run: Callable[[World], Timed]
    heard_by: int = 0
    """Connections that are told of it: each costs what a delivery costs, whatever is told."""
    at_once: int = 1
    """Requests or connections whose work this is; more than one share a longer bar."""


EVERYBODY = 10_000
CASES: list[Case] = []
_Made: TypeAlias = Callable[[Callable[[World], Timed]], Callable[[World], Timed]]


def case(kind: Any, who: str, what: str, heard_by: int = 0, at_once: int = 1) -> _Made:
    """Add a case to the list."""

    def made(run: Callable[[World], Timed]) -> Callable[[World], Timed]:
        CASES.append(Case(kind, who, what, run, heard_by, at_once))
        return run

    return made


def sent(world: World, session: Session, *commands: Command, for_s: float = 0.0) -> Work:
    """The commands, in one piece."""
    data = b"".join(world.codec.encode(command) for command in commands)
    return Work((lambda: world.feed(session, data),), for_s)


def simple(kind: Any, who: str, what: str, make: Callable[[World], Command], heard_by: int = 0) -> None:
    """A case that is one command of a member who is here."""

    def run(world: World) -> Timed:
        session = _somebody(world, who)
        if kind is Say:
            world.send(session, Join(1, ["small"]))
        yield sent(world, session, make(world))
        world.drop(session)

    CASES.append(Case(kind, who, what, run, heard_by))


def _somebody(world: World, who: str) -> Session:
    match who:
        case "stranger":
            return world.session()
        case "guest":
            return world.guest()
        case "account":
            return world.enter(1)
        case "correspondent":
            return world.enter(2)
        case _:
            return world.enter(0)


def varied(number: int, length: int) -> str:
    """A text of letters that change from number to number, and so are in no cache."""
    start = secrets.randbelow(11_000)
    return "".join(chr(HANGUL + (start + number * length + at) % 11_172) for at in range(length))


# --- Coming in ---------------------------------------------------------------------------------------------------


def _hello(name: str, **options: Any) -> Hello:
    return Hello(version=1, name=name, secret=secrets.token_hex(16), client="c" * 64, **options)


simple(Hello, "stranger", "a name that grows 18-fold", lambda _: _hello(GROWS * 128))
simple(Hello, "stranger", "a name of the longest raw length", lambda _: _hello("\U0001d400" * 256))
simple(Hello, "stranger", "a guest with the longest name, into the lobby", lambda _: _hello(varied(0, 32)))
simple(Hello, "stranger", "a wrong password that decomposes", lambda w: _hello(w.names[1], password="\u1ea4" * 256))
simple(Hello, "stranger", "a password of unlike characters", lambda w: _hello(w.names[1], password=varied(0, 256)))
simple(Hello, "stranger", "a token of an account in 100 crowded rooms", lambda w: _hello("x", token=w.tokens[5]))
simple(
    Hello,
    "stranger",
    "a first login: the name and invite of nobody",
    lambda _: _hello(varied(0, 32), invite="f" * 32, password="x" * 512),
)


@case(Hello, "stranger", "a second device in 100 crowded rooms")
def second_device(world: World) -> Timed:
    first, second = world.enter(1), world.session()
    yield sent(world, second, _hello("x", token=world.tokens[world.size.logins_each]))
    world.drop(second)
    world.drop(first)


# --- Rooms -------------------------------------------------------------------------------------------------------

simple(
    Join,
    "guest",
    "100 names that grow 18-fold",
    lambda w: Join(1, [GROWS * 127 + chr(HANGUL + n) for n in range(w.size.joins)]),
)
simple(Join, "guest", "100 names of unlike letters", lambda w: Join(1, [varied(n, 64) for n in range(w.size.joins)]))
simple(
    Join, "guest", "100 names of the longest raw length", lambda w: Join(1, ["\u1ea4" * 128 + "#" * 128] * w.size.joins)
)
simple(Join, "guest", "100 crowded rooms", lambda w: Join(1, w.crowded))
simple(
    Join,
    "account",
    "100 rooms that do not exist yet, left before",
    lambda w: Join(1, [f"x{secrets.token_hex(8)}" for _ in range(w.size.joins)]),
)
simple(Join, "admin", "100 rooms it belongs to", lambda w: Join(1, w.crowded))


@case(Join, "account", "100 new rooms with records and their owner")
def found_rooms(world: World) -> Timed:
    session = world.enter(4)
    yield sent(world, session, Join(1, [varied(n, 60) for n in range(world.size.joins - 1)]))
    world.drop(session)


simple(Leave, "guest", "a name that grows 18-fold", lambda _: Leave(1, GROWS * 128))


@case(Leave, "account", "a crowded room, with an heir to be found")
def leave_crowd(world: World) -> Timed:
    session = world.enter(0)
    name = world.crowded[1]
    yield sent(world, session, Leave(1, name), for_s=0.5)
    world.send(session, Join(2, [name]))
    world.drop(session)


simple(AskRoom, "guest", "a name that grows 18-fold", lambda _: AskRoom(1, GROWS * 128))
simple(AskRoom, "account", "the longest topic", lambda w: AskRoom(1, w.crowded[0]))
simple(SetRoom, "admin", "a topic for the lobby", lambda _: SetRoom(1, LOBBY, topic=varied(0, 300)), EVERYBODY)
simple(SetRoom, "admin", "a name that grows 18-fold", lambda w: SetRoom(1, w.crowded[0], name=GROWS * 128))


@case(SetRoom, "admin", "another name for a crowded room")
def rename_room(world: World) -> Timed:
    session = world.enter(0)
    old, new = world.crowded[2], varied(0, 60)
    yield sent(world, session, SetRoom(1, old, name=new), for_s=0.5)
    world.crowded[2] = new
    world.drop(session)


@case(SetRoom, "account", "private: 500 strangers have to go", 500)
def make_private(world: World) -> Timed:
    session, name = world.enter(8), f"r{secrets.token_hex(6)}"
    world.send(session, Join(1, [name]))
    room = world.hub.context.rooms.named_or_new(name)
    for each in world.present[100:600]:
        world.hub._presence.enter(world.hub._connections[each].member, room, world.hub.fed_seq)
    world.loop.run(for_s=1.0)
    yield sent(world, session, SetRoom(2, name, private=True), for_s=0.5)
    assert room.record is not None
    assert room.record.private
    world.drop(session)


simple(
    SetRoom,
    "admin",
    "every rule of a crowded room",
    lambda w: SetRoom(
        1, w.crowded[6], topic=varied(0, 300), read_only=True, slow_s=86_400, retention_days=36_500, history="joined",
        archived=True,
    ),
    150,
)  # fmt: skip
simple(
    Moderate, "admin", "a mute for a time", lambda w: Moderate(1, w.crowded[7], 2, "mute", 31_536_000, varied(0, 300))
)
simple(Leave, "admin", "for good", lambda w: Leave(1, w.crowded[8], sure=True))
simple(InviteTo, "admin", "the longest name of a room", lambda w: InviteTo(1, w.crowded[3], 5))
simple(Moderate, "admin", "kick nobody", lambda w: Moderate(1, w.crowded[3], 12, "kick", reason=varied(0, 300)))


@case(Moderate, "admin", "a ban from a crowded room")
def moderate(world: World) -> Timed:
    session, name = world.enter(0), world.crowded[4]
    yield sent(world, session, Moderate(1, name, 2, "ban", reason=varied(0, 300)), for_s=0.5)
    world.send(session, Moderate(2, name, 2, "unban"), Grant(3, name, 2, "member"))
    world.drop(session)


simple(Grant, "admin", "a role in the lobby of 10,000", lambda _: Grant(1, LOBBY, 2, "moderator"), EVERYBODY)

# --- Saying ------------------------------------------------------------------------------------------------------


def _mention_growing() -> str:
    """As in the report of the attack; every syllable another, so that no cache helps."""
    return "".join(f"@{GROWS * 5}{varied(n, 1)}. {GROWS * 5} {GROWS * 5}, {GROWS * 5}. " for n in range(150))[:4_000]


def _mention_many() -> str:
    """As many candidates as there can be, no two alike."""
    words = "".join(chr(HANGUL + secrets.randbelow(11_172)) for _ in range(2_000))
    pieces = [f"@{words[4 * n]}. {words[4 * n + 1]}. {words[4 * n + 2]}. {words[4 * n + 3]}. " for n in range(307)]
    return "".join(pieces)[:4_000]


def _mention_long() -> str:
    return "".join(f"@{varied(n, 28)} a b" for n in range(120))[:4_000]


def _mention_rare() -> str:
    """Short words, each with a rare ideograph that no other has."""
    return " ".join(f"@\U0001f600{chr(RARE + secrets.randbelow(42_720))}" for _ in range(1_000))[:4_000]


def _mention_ascii() -> str:
    return "".join(f"@{n % 10} {n // 10 % 10}. {n // 100}, c. " for n in range(400))[:4_000]


for _what, _text in (
    ("`@` before what grows 18-fold", _mention_growing),
    ("`@` before 8 candidates, all unlike", _mention_many),
    ("`@` before long names of unlike letters", _mention_long),
    ("`@` before ASCII, 2,200 candidates", _mention_ascii),
    ("`@` before 1,000 rare ideographs", _mention_rare),
    ("`@` before marks in need of order", lambda: "@" + "\u0300\u0316" * 1_999),
    ("`@` and a letter, 1,333 times", lambda: "@\u00e4 " * 1_333),
    ("`@` and what grows, without a space", lambda: "".join(f"@{GROWS * 30}{varied(n, 1)} " for n in range(121))),
    (
        "`@` and words that just may be part of a name",
        lambda: "".join(f"@{GROWS * 5}{varied(n, 2)} " for n in range(440)),
    ),
    ("control characters, the longest escapes", lambda: LONGEST_ESCAPE * 4_000),
    ("16 KiB", lambda: "\U0001f600" * 4_000),
):
    simple(Say, "guest", f"{_what}", lambda _, text=_text: Say(1, "small", text()))

simple(Say, "guest", "one word, to 10,000", lambda _: Say(1, LOBBY, "x"), EVERYBODY)
simple(Say, "guest", "a room that grows 18-fold", lambda _: Say(1, GROWS * 128, "x"))
simple(Say, "guest", "four times the longest text", lambda _: Say(1, LOBBY, "x" * 16_000))
simple(Say, "guest", "16 KiB and the longest key", lambda _: Say(1, "small", "\U0001f600" * 4_000, key="k" * 128))
simple(Direct, "account", "16 KiB", lambda _: Direct(1, 100, "\U0001f600" * 4_000))
simple(Direct, "account", "16 KiB and the longest key", lambda _: Direct(1, 100, "\U0001f600" * 4_000, key="k" * 128))


@case(Say, "account", "a key that is used, again and again", at_once=64)
def same_key(world: World) -> Timed:
    session = world.enter(1)
    world.send(session, Say(1, LOBBY, "hello", key="used"))
    yield sent(world, session, *(Say(2 + number, LOBBY, "hello", key="used") for number in range(64)))
    world.drop(session)


@case(Edit, "guest", "`@` before 8 candidates, all unlike")
def edit(world: World) -> Timed:
    session = world.guest()
    world.send(session, Join(1, ["small"]), Say(1, "small", "x"))
    yield sent(world, session, Edit(2, world.hub.fed_seq, _mention_many(), "small"))
    world.drop(session)


simple(Delete, "admin", "a message with 200 reactions", lambda w: Delete(10_000, w.long_seq - 1, w.crowded[0]))
simple(
    React, "admin", "16 code points, as the 200th", lambda w: React(20_000, w.long_seq, "\U0001f3ff" * 16, w.crowded[0])
)
simple(React, "guest", "a room that grows 18-fold", lambda _: React(1, 1, "x", GROWS * 128))
simple(Typing, "guest", "in the lobby of 10,000", lambda _: Typing(LOBBY))
simple(Typing, "guest", "a room that grows 18-fold", lambda _: Typing(GROWS * 128))
simple(Read, "account", "the longest name of a room", lambda w: Read(1, w.crowded[0]))
simple(Read, "guest", "a room that grows 18-fold", lambda _: Read(1, GROWS * 128))


@case(Say, "guest", "an answer to the longest message, 16 KiB")
def reply(world: World) -> Timed:
    session = world.guest()
    world.send(session, Join(1, ["small"]), Say(1, "small", LONGEST_ESCAPE * 4_000))
    yield sent(world, session, Say(2, "small", "\U0001f600" * 4_000, reply=world.hub.fed_seq))
    world.drop(session)


@case(Direct, "account", "an answer, and all that changes it", at_once=5)
def in_a_dialogue(world: World) -> Timed:
    session, to = world.enter(1), 100 % len(world.names) + 1
    world.send(session, Direct(1, to, "hello"))
    seq, text = world.hub.fed_seq, "\U0001f600" * 4_000
    yield sent(
        world,
        session,
        Direct(2, to, text, reply=seq),
        Edit(3, seq, _mention_many(), to=to),
        React(4, seq, "\U0001f3ff" * 16, to=to),
        React(5, seq, "\U0001f3ff" * 16, to=to, on=False),
        Delete(6, seq, to=to),
        Typing(peer=to),
        Read(seq, peer=to),
    )
    world.drop(session)


# --- Asking ------------------------------------------------------------------------------------------------------

simple(Who, "guest", "the lobby of 10,000, first page", lambda _: Who(1, LOBBY))
simple(Who, "guest", "the lobby of 10,000, a page in the middle", lambda w: Who(1, LOBBY, w.size.accounts // 2))
simple(Who, "guest", "a room that grows 18-fold", lambda _: Who(1, GROWS * 128))
simple(Whois, "guest", "a name that grows 18-fold", lambda _: Whois(1, GROWS * 128))
simple(Whois, "guest", "the longest name", lambda w: Whois(1, w.names[100 % len(w.names)]))
simple(AskPeople, "guest", "as many as may be asked", lambda _: AskPeople(1, list(range(1, 201))))
simple(Rooms, "guest", "10,000 rooms, first page", lambda _: Rooms(1))
simple(Rooms, "account", "10,000 rooms, a page in the middle", lambda w: Rooms(1, w.rooms[len(w.rooms) // 2]))
simple(Rooms, "guest", "after a name that grows 18-fold", lambda _: Rooms(1, GROWS * 128))


def _after_removals(world: World) -> History:
    removed = world.hub.context.accounts.removed
    removed.update((2**40 + number, number) for number in range(1, KEPT_REMOVALS + 1))
    return History(1, after=0)


simple(
    History, "account", "200 messages of 4,000 characters", lambda w: History(1, w.crowded[0], before=w.long_seq - 1)
)
simple(History, "account", "around 200 reactions", lambda w: History(1, w.crowded[0], around=w.long_seq))
simple(History, "account", "of 100 rooms", lambda _: History(1, after=0))
simple(History, "account", "at a time, one message", lambda w: History(1, w.crowded[0], at=1, limit=1))
simple(History, "correspondent", "of a dialogue", lambda _: History(1, peer=5))
simple(History, "account", "of 100 rooms, after as many removed accounts as are remembered", _after_removals)
simple(History, "guest", "a room that grows 18-fold", lambda _: History(1, GROWS * 128))
simple(Search, "account", "20 words that grow, in 500 characters", lambda _: Search(1, " ".join([GROWS * 24] * 19)))
simple(Search, "account", "500 characters of unlike letters", lambda _: Search(1, varied(0, 500)))
simple(
    Search,
    "account",
    "20 `from:` that grow",
    lambda _: Search(1, " ".join(f"from:{GROWS * 18}{chr(HANGUL + n)}" for n in range(19))),
)
simple(
    Search,
    "account",
    "20 `in:` that grow",
    lambda _: Search(1, " ".join(f"in:{GROWS * 18}{chr(HANGUL + n)}" for n in range(20))),
)
simple(Search, "account", "colons and quotation marks", lambda _: Search(1, '":' * 250))
simple(Search, "account", "500 characters that are no words", lambda _: Search(1, "from:" * 100))
simple(Search, "account", "between two times", lambda _: Search(1, "word", before=10**9, since=0, until=2**53 - 1))
simple(Search, "account", "200 hits with 800 marks each", lambda _: Search(1, "word", limit=200))
simple(AskUnread, "correspondent", "1,000 dialogues", lambda _: AskUnread(1))
simple(AskUnread, "account", "100 rooms", lambda _: AskUnread(1))
simple(AskUnread, "account", "100 rooms, from the middle", lambda w: AskUnread(1, after_room=w.rooms[50]))
simple(AskUnread, "correspondent", "1,000 dialogues, from the middle", lambda _: AskUnread(1, after=500))
LONG_FILE = "\ufdfa" * 128
"""A name that NFKC would make long, cut to what is kept."""
simple(AddUpload, "account", "the longest name", lambda _: AddUpload(1, LONG_FILE, 1, as_file=True))
simple(AskLinks, "account", "100 files", lambda _: AskLinks(1, [secrets.token_hex(16) for _ in range(100)]))
simple(AskFiles, "account", "a page behind a file", lambda _: AskFiles(1, after="f" * 32))
simple(AskFiles, "account", "one file", lambda _: AskFiles(1, id="f" * 32))
simple(RemoveUpload, "account", "one that is not there", lambda _: RemoveUpload(1, "f" * 32))


def _uploads(world: World, session: Session) -> list[str]:
    """Ten finished uploads of a member, with the longest names."""
    files, sender_id = world.hub.files, world.hub.context.connections[session].member.sender_id
    assert files is not None
    world.send(session, *(AddUpload(1, LONG_FILE, 1) for _ in range(MAX_MESSAGE_FILES)))
    pending = [upload for upload in files.uploads.of(sender_id) if upload.state.stored is None]
    for upload in pending:
        info = FileInfo(upload.file_id, upload.state.name, 1)
        files.uploads.finished(upload, StoredFile(info, bytes(32)), files.quota_of(sender_id))
    return [upload.file_id for upload in pending][:MAX_MESSAGE_FILES]


@case(Say, "guest", "the longest text with ten files")
def _say_with_files(world: World) -> Timed:
    session = world.guest()
    world.send(session, Join(1, ["small"]))
    yield sent(world, session, Say(1, "small", LONGEST_ESCAPE * 2_000, files=_uploads(world, session)))
    world.drop(session)


@case(Direct, "guest", "the longest text with ten files")
def _direct_with_files(world: World) -> Timed:
    session, other = world.guest(), world.guest()
    to = world.hub.context.connections[other].member.sender_id
    yield sent(world, session, Direct(1, to, LONGEST_ESCAPE * 2_000, files=_uploads(world, session)))
    world.drop(session)
    world.drop(other)


@case(RemoveUpload, "guest", "one of ten")
def _remove_upload(world: World) -> Timed:
    session = world.guest()
    yield sent(world, session, RemoveUpload(1, _uploads(world, session)[5]))
    world.drop(session)


simple(AskConversations, "correspondent", "1,000 dialogues", lambda _: AskConversations(1, after=0))
simple(AskConversations, "account", "100 rooms", lambda _: AskConversations(1))
simple(AskConversations, "account", "from the middle", lambda w: AskConversations(1, after_room=w.rooms[50]))

# --- The own account ---------------------------------------------------------------------------------------------

simple(Nick, "guest", "a name that grows 18-fold", lambda _: Nick(1, GROWS * 128))
simple(Nick, "guest", "the longest name, in the lobby of 10,000", lambda _: Nick(1, varied(0, 32)))
simple(Nick, "guest", "32 letters of two characters' look", lambda _: Nick(1, "\u01c4" * 16))


@case(Nick, "account", "in 100 crowded rooms", EVERYBODY)
def nick_everywhere(world: World) -> Timed:
    session = world.enter(1)
    yield sent(world, session, Nick(1, varied(0, 32)), for_s=0.5)
    world.send(session, Nick(2, world.names[1]))
    world.drop(session)


@case(Register, "guest", "a password that decomposes, in 100 rooms")
def register(world: World) -> Timed:
    session = world.guest(varied(0, 32))
    world.send(session, Join(1, [f"g{secrets.token_hex(6)}" for _ in range(world.size.joins - 1)]))
    world.loop.run(for_s=30.0)
    yield sent(world, session, Register(2, "\u1ea4" * 64 + "\u0344" * 20), for_s=0.5)
    world.drop(session)


simple(Register, "guest", "the longest password", lambda _: Register(1, varied(0, 256)))
simple(ChangePassword, "account", "the longest passwords", lambda _: ChangePassword(1, "\u1ea4" * 256, varied(0, 128)))
simple(Logins, "account", "50 logins", lambda _: Logins(1))
simple(Logout, "account", "one that is not there", lambda _: Logout(1, 1))


@case(Logout, "account", "the own login, in 100 crowded rooms", EVERYBODY)
def logout(world: World) -> Timed:
    session = world.session()
    world.send(session, _hello("x", token=world.tokens[3 * world.size.logins_each + 1]))
    login = world.hub._connections[session].login_id
    row = world.hub._directory.logins[login]
    yield sent(world, session, Logout(1), for_s=0.5)
    world.hub.context.changes.commit((Put(row),))
    world.loop.run()


simple(Certificates, "account", "20 certificates", lambda _: Certificates(1))


@case(AddCertificate, "account", "one more")
def add_certificate(world: World) -> Timed:
    session = world.enter(1)
    shown = proof(1, world.hub._connections[session].member.sender_id)
    yield sent(world, session, AddCertificate(1, shown.fingerprint, "\u00e4" * 64, key=shown.key, proof=shown.proof))
    row = max(world.hub._directory.certificates)
    world.send(session, RemoveCertificate(2, row))
    world.drop(session)


simple(RemoveCertificate, "account", "one that is not there", lambda _: RemoveCertificate(1, 1))


@case(RemoveCertificate, "account", "one with 10,000 others connected")
def remove_certificate(world: World) -> Timed:
    session = world.enter(1)
    shown = proof(2, world.hub._connections[session].member.sender_id)
    world.send(session, AddCertificate(1, shown.fingerprint, key=shown.key, proof=shown.proof))
    row = max(world.hub._directory.certificates)
    yield sent(world, session, RemoveCertificate(2, row))
    world.drop(session)


# --- The connection ----------------------------------------------------------------------------------------------

simple(Ping, "guest", "alone", lambda _: Ping(1))
simple(Pong, "guest", "alone", lambda _: Pong(1))


@case(Ping, "guest", "256 in one pass")
def pings(world: World) -> Timed:
    session = world.guest()
    yield sent(world, session, *[Ping(n) for n in range(256)])
    world.drop(session)


@case("frames", "guest", "20 records of 64 KiB that are none")
def nonsense(world: World) -> Timed:
    session = world.guest()
    body = msgspec.json.encode({"t": "say", "cid": 1, "room": LOBBY, "text": [[0] * 15_000]})
    data = len(body).to_bytes(4, "big") + body
    yield Work((lambda: world.feed(session, data),))
    world.drop(session)


@case(Quit, "account", "in 100 crowded rooms", EVERYBODY)
def quit_(world: World) -> Timed:
    session = world.enter(1)
    yield sent(world, session, Quit(), for_s=0.5)
