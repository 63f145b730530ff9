"""The largest legal value of every event fits into a frame, in the characters that take the most bytes.

A value is made as the server makes it: through `securechat.hub.messages.paging` where it holds a list, and with every
text as long as the rules let it be. A new event needs a builder here, and a list is made in no other place than
paging.py."""

import ast
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.protocol import Protocol, Side, State

from securechat import model as m
from securechat.errors import ErrorCode, LocalProtocolError
from securechat.hub.members import Member
from securechat.hub.messages import paging
from securechat.hub.rooms.room import HubRoom
from securechat.limits import (
    EXCERPT_CHARS,
    FRAME_SPARE_BYTES,
    KIB,
    MAX_FILE_NAME_BYTES,
    MAX_FILE_NAME_CHARS,
    MAX_FILE_TYPE_BYTES,
    MAX_MENTIONS,
    MAX_NAME_CHARS,
    MAX_ROOM_CHARS,
    MAX_SIGN_CHARS,
    MAX_TOPIC_CHARS,
    PAGE_LIMITS,
    PREVIEW_SIDES,
    Limits,
    PageLimits,
)
from securechat.model.rooms import Reason
from securechat.pictures.answers import TERMINAL_SIDE
from securechat.records.queries import HistoryQuery, HistoryRows, SearchQuery, SearchRows
from securechat.text.file_names import clean_name
from securechat.text.names import check_name, check_room
from securechat.text.refusals import REASONS
from securechat.text.sanitize import is_hostile
from securechat.wire.native import NativeClientCodec, NativeFormat
from securechat.wire.websocket import WebFormat

SIZES = [
    PAGE_LIMITS,
    PageLimits.of_frames(4 * KIB),
    PageLimits.of_frames(16 * KIB),
    PageLimits.of_frames(8 * KIB, page_rows=5),
]
ID = 2**53 - 1
MAX_REASON_CHARS = Reason.__metadata__[0].max_length
BIG = 2**63 - 1
CONTROL = "\x01"  # six bytes in JSON
NAME = "\U00010331" * MAX_NAME_CHARS  # four bytes each, and a letter
ROOM = "\U00010331" * MAX_ROOM_CHARS
SIGN = "\U0001f600" * MAX_SIGN_CHARS
TOPIC = CONTROL * MAX_TOPIC_CHARS
REASON = CONTROL * 500
TOKEN = "f" * 32
PERSON = m.Person(ID, NAME, bot=True)
EDITOR = m.Person(ID, NAME)
FILE_NAME = '"' * 85 + "\u00e9" + "\U00010331" * 42  # at both limits of a name, and with as many escapes as can be
FILE = m.FileInfo(
    "f" * 32, FILE_NAME, ID, "x" * MAX_FILE_TYPE_BYTES, 10**8 - 1, 10**8 - 1, [TERMINAL_SIDE, *PREVIEW_SIDES]
)
LIMITS = Limits()


def test_the_parts_are_legal_and_as_long_as_can_be():
    assert check_name(NAME) == NAME
    assert check_room(ROOM) == ROOM
    assert not is_hostile(SIGN)
    assert len(NAME.encode()) == 128
    assert clean_name(FILE_NAME) == FILE_NAME
    assert len(msgspec.json.encode(FILE)) < paging.file_bound(FILE)
    assert len(FILE_NAME.encode()) == MAX_FILE_NAME_BYTES
    assert len(FILE_NAME) == MAX_FILE_NAME_CHARS


def message(pages, seq=ID, marks=0, text=None):
    return m.Message(
        seq, ID, ID, NAME, BIG, text or CONTROL * pages.text_chars, ROOM, ID, NAME, ID, [ID] * MAX_MENTIONS, ID, ID,
        [m.Reaction(SIGN, [ID]) for _ in range(pages.reactions)], ID, PERSON, bot=True, files=[FILE] * pages.files,
    )  # fmt: skip


def deleted(seq=ID):
    return m.Message(
        seq, ID, ID, NAME, BIG, "", ROOM, ID, NAME, ID, deleted=ID, changed=ID, deleted_by=PERSON, bot=True
    )


def room_of(count, limits=LIMITS):
    room = HubRoom(ROOM)
    for number in range(count):
        room.add(Member(ID - number, b"", NAME, NAME, limits, bot=True))
    return room


def history_pages(pages):
    """Every way to cut: forward, back, around, from a time on."""
    base = (ID, ID, ID, NAME, BIG, ROOM, ID)
    changes = [m.Edited(*base, CONTROL * pages.text_chars, [ID] * MAX_MENTIONS), m.Reacted(*base, SIGN, on=False)] * 50
    messages = [message(pages, seq) for seq in range(ID - 4, ID + 1)]
    for query in (
        HistoryQuery(ID, 200, after=0),
        HistoryQuery(ID, 200),
        *(HistoryQuery(ID, 200, around=seq) for seq in (1, ID - 4, ID - 2, ID, ID + 1)),
        HistoryQuery(ID, 200, since_ms=0),
    ):
        yield paging.history_page(ID, query, HistoryRows(messages, True, changes if query.after == 0 else []), pages)
    forward = HistoryQuery(ID, 200, after=0)
    yield paging.history_page(ID, forward, HistoryRows([], True, changes * 2), pages)
    yield paging.history_page(
        ID, forward, HistoryRows([], True, [m.Deleted(*base), m.Reacted(*base, SIGN)] * 100), pages
    )
    yield paging.history_page(ID, HistoryQuery(ID, 200), HistoryRows([deleted()] * 200, True), pages)
    # what precedes a message may be anything that leaves too little for the message itself
    for size in (1, pages.page_bytes // 12 - 400, pages.text_chars):
        before = m.Message(ID - 2, 0, ID, NAME, BIG, CONTROL * max(1, min(size, pages.text_chars)), ROOM)
        rows = HistoryRows([before, message(pages, ID - 1), message(pages)], False)
        yield paging.history_page(ID, HistoryQuery(ID, 200, around=ID - 1), rows, pages)


def search_pages(pages):
    marks = [(number, number + 1) for number in range(0, pages.text_chars, 2)]
    hits = [m.Hit(message(pages), marks), m.Hit(message(pages), marks)]
    short = [m.Hit(message(pages, text="x"), [(0, 1)])] * 200
    for rows in (hits, short, short[:1] + hits, [m.Hit(deleted(), [(0, 1)])] * 200):
        yield paging.search_page(ID, SearchQuery(ID + 1, 200), SearchRows(rows, True, ID), pages)


def unread_pages(pages):
    rooms = [m.UnreadItem(ID, 999, 999, ID, room=ROOM)] * 1_000
    people = [m.UnreadItem(ID, 999, 999, ID, peer=PERSON)] * 1_000
    for items in (rooms, people, rooms[:3] + people):
        yield paging.unread_page(ID, items, pages, through=ID, through_room=None)
    yield paging.unread_page(ID, rooms[:1], pages, through=None, through_room=ROOM)


def conversation_pages(pages):
    most = {
        "last_seq": ID,
        "by": PERSON,
        "sent_at_ms": BIG,
        "text": CONTROL * EXCERPT_CHARS,
        "cut": True,
        "deleted": True,
        "edited_by": PERSON,
        "deleted_by": PERSON,
    }
    counted = {"read_seq": ID, "unread": 999, "mentions": 999, "first_seq": ID, "muted_s": 1e300 / 3, "slow_s": 86_400}
    rooms = [m.ConversationItem(room=ROOM, room_id=ID, **most, **counted)] * 1_000
    people = [m.ConversationItem(peer=PERSON, **most, **counted)] * 1_000
    for items in (rooms, people, rooms[:3] + people):
        yield paging.conversations_page(ID, items, pages, through=ID, through_room=None)
    yield paging.conversations_page(ID, rooms[:1], pages, through=None, through_room=ROOM)


def reader(pages):
    return SimpleNamespace(page_limits=pages)


def presences(pages):
    people, renamed = [PERSON] * 199, [m.Renaming(ID, NAME, NAME)] * 199
    for count in (1, 10, 50, 66, 100, 199):
        for change in (
            (people[:count], [], []), ([], people[:count], []), ([], [], renamed[:count]),
            (people[: count // 3], people[: count // 3], renamed[: count // 3]),
        ):  # fmt: skip
            yield paging.presence(ROOM, 200, change, LIMITS.presence_names, [reader(pages)])


def greetings(pages):
    joined = m.Joined(ROOM, ID, ID, [], ID, TOPIC, "moderator", private=True, read_only=True, archived=True, room_id=ID,
                      made=True, purged=ID)  # fmt: skip
    for count in (1, 4, 8, 100, 200, 201):
        yield paging.with_people(joined, room_of(count), LIMITS.presence_names, [reader(pages)])


def sentences(kind, **fields):
    """What people are told is cut by the format, however long it and its arguments are."""
    texts = (REASON, CONTROL * 100_000, "x" * 100_000, SIGN * 10_000)
    arguments = ({}, {"name": NAME, "at": BIG}, {f"argument{n}": CONTROL * 500 for n in range(16)})
    reason = max(REASONS, key=len)
    return lambda _: (kind(text=text, reason=reason, arguments=each, **fields) for text in texts for each in arguments)


SENTENCES = (m.Refused, m.Closing, m.Left, m.Notice)
CODE = max(ErrorCode, key=len)
BASE = {"seq": ID, "target": ID, "sender_id": ID, "name": NAME, "sent_at_ms": BIG, "room": ROOM, "to": ID}
LOGIN = m.LoginInfo(ID, CONTROL * 64, "f" * 45, BIG, BIG, online=True, current=True)
API_TOKEN = m.TokenInfo(
    ID, NAME, ["files", "metrics", "post", "read"], BIG, [ROOM] * 10, BIG, BIG, "f" * 45, online=True
)
OUTGOING = m.OutgoingInfo("https://" + "h" * 253 + ":65535", "!" + "😀" * 31, bots=True, off="room_gone")
BOT = m.BotInfo(ID, NAME, "hook", [API_TOKEN] * 4, PERSON, stopped=True, outgoing=OUTGOING)
CERTIFICATE = m.CertificateInfo(ID, "f" * 71, CONTROL * 64, BIG, current=True)
FILE_ID = "f" * 32

LARGEST = {
    m.Welcome: lambda _: [
        m.Welcome(
            1,
            "securechat/0.1.0",
            ID,
            NAME,
            ID,
            ID,
            True,
            True,
            True,
            TOKEN,
            ID,
            True,
            ID,
            dict.fromkeys(m.WELCOME_LIMITS, 1e300 / 3),
            (*m.FEATURES, m.FILES_FEATURE, m.PICTURES_FEATURE),
        )
    ],
    m.Joined: greetings,
    m.Left: sentences(m.Left, room=ROOM, ref=ID, code=CODE, owner=PERSON),
    m.Named: lambda _: [m.Named(NAME, ID)],
    m.Registered: lambda _: [m.Registered(ID, NAME, TOKEN)],
    m.Done: lambda _: [m.Done(ID, guest=True)],
    m.LoginList: lambda pages: [
        paging.login_list(ID, [msgspec.structs.replace(LOGIN, login=n) for n in range(1_000)], pages)
    ],
    m.CertificateList: lambda pages: [
        paging.certificate_list(
            ID, [msgspec.structs.replace(CERTIFICATE, certificate=n) for n in range(1_000)], "f" * 71, pages
        )
    ],
    m.BotList: lambda pages: [paging.bot_list(ID, [BOT] * 1_000, pages), paging.bot_list(ID, [BOT], pages)],
    m.TokenList: lambda pages: [
        paging.token_list(ID, [API_TOKEN] * 1_000, pages),
        paging.token_list(ID, [API_TOKEN], pages),
    ],
    m.TokenMade: lambda pages: [paging.token_made(m.TokenMade(0, "f" * 53, API_TOKEN, PERSON), ID, pages)],
    m.UploadAdded: lambda _: [m.UploadAdded(ID, FILE_ID, f"/api/v1/uploads/{FILE_ID}/{FILE_ID}", FILE_NAME, BIG)],
    m.FileLinks: lambda pages: [
        paging.file_links(ID, [m.FileLink(FILE_ID, f"/files/{FILE_ID}/{ID}-{ID}-{FILE_ID}")] * 100, pages)
    ],
    m.FileList: lambda pages: [
        paging.file_list(
            ID,
            [m.OwnFile(FILE, ID, BIG, ROOM, ID)] * 50,
            [m.OwnUpload(FILE_ID, FILE_NAME, ID, ID, BIG)] * 20,
            ID,
            ID,
            pages,
            more=True,
        ),
    ],
    m.ReadElsewhere: lambda _: [m.ReadElsewhere(ID, ROOM, ID)],
    m.Notice: sentences(m.Notice, sent_at_ms=BIG),
    m.Message: lambda pages: [message(pages), deleted()],
    m.Edited: lambda pages: [m.Edited(**BASE, text=CONTROL * pages.text_chars, mentions=[ID] * MAX_MENTIONS)],
    m.Deleted: lambda _: [m.Deleted(**BASE)],
    m.Reacted: lambda _: [m.Reacted(**BASE, sign=SIGN, on=False)],
    m.SearchPage: search_pages,
    m.RoomRules: lambda _: [
        m.RoomRules(ROOM, ID, TOPIC, True, True, 86_400, 36_500, "joined", True, ROOM, PERSON, "moderator", ID)
    ],
    m.Invited: lambda _: [m.Invited(ROOM, PERSON)],
    m.RoleChanged: lambda _: [m.RoleChanged(ROOM, PERSON, "moderator", PERSON, 1e300 / 3, CONTROL * MAX_REASON_CHARS)],
    m.TypingNow: lambda _: [m.TypingNow(PERSON, ROOM)],
    m.UnreadList: unread_pages,
    m.ConversationList: conversation_pages,
    m.Purged: lambda _: [m.Purged(ID, ROOM, ID)],
    m.Acked: lambda _: [m.Acked(ID, ID)],
    m.Refused: sentences(m.Refused, code=CODE, ref=ID, client_id=ID, room=CONTROL * 256, retry_after_s=1e300 / 3),
    m.Throttled: lambda _: [m.Throttled(1e300 / 3)],
    m.HistoryPage: history_pages,
    m.Roster: lambda pages: [paging.roster_page(ID, room_of(1_000), -1, pages)],
    m.RoomsPage: lambda pages: [paging.rooms_page(ID, [m.RoomCount(ROOM, ID)] * 1_000, pages, more=True)],
    m.PeopleList: lambda pages: [paging.people_list(ID, [PERSON] * count, pages) for count in (1, 200, 1_000)],
    m.Found: lambda _: [m.Found(ID, PERSON, absent=True)],
    m.Presence: presences,
    m.Closing: sentences(m.Closing, code=CODE, resume_after=ID, retry_after_s=1e300 / 3),
    m.Ping: lambda _: [m.Ping(ID)],
    m.Pong: lambda _: [m.Pong(ID)],
}


def test_every_event_has_a_builder():
    assert set(LARGEST) == set(m.Event.__args__)


def filled(value, path):
    """The paths of all fields with another value than their default, in records within records too."""
    if isinstance(value, list | tuple):
        return set().union(*(filled(each, path) for each in value))
    if not isinstance(value, msgspec.Struct):
        return set()
    found = set()
    for field in msgspec.structs.fields(value):
        inner = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if default is msgspec.NODEFAULT or inner != default:
            found |= {f"{path}.{field.name}"} | filled(inner, f"{path}.{field.name}")
    return found


def fields_of(info, path):
    """The paths of all fields that a type has."""
    if isinstance(info, msgspec.inspect.UnionType):
        return set().union(*(fields_of(each, path) for each in info.types))
    if isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        return fields_of(info.item_type, path)
    if not isinstance(info, msgspec.inspect.StructType):
        return set()
    inner = (fields_of(field.type, f"{path}.{field.name}") for field in info.fields)
    return {f"{path}.{field.name}" for field in info.fields}.union(*inner)


@pytest.mark.parametrize("kind", m.Event.__args__, ids=lambda kind: kind.__name__)
def test_every_field_is_filled_in_the_largest(kind):
    """A new field of an old event takes bytes too: its builder must have it."""
    wanted = fields_of(msgspec.inspect.type_info(kind), kind.__name__)
    assert wanted - set().union(*(filled(event, kind.__name__) for event in LARGEST[kind](PAGE_LIMITS))) == set()


@pytest.mark.parametrize("pages", SIZES, ids=lambda pages: f"{pages.frame_bytes} bytes")
@pytest.mark.parametrize("kind", m.Event.__args__, ids=lambda kind: kind.__name__)
def test_the_largest_fits_into_a_frame(kind, pages):
    fmt, largest = NativeFormat(pages), 0
    for event in LARGEST[kind](pages):
        encoded = fmt.encode(event)
        codec = NativeClientCodec(pages.frame_bytes)
        codec.receive_data(encoded)
        assert type(codec.next_event()) is kind
        largest = max(largest, len(encoded))
    if LISTS.get(kind.__name__):
        assert largest <= pages.page_bytes + FRAME_SPARE_BYTES, "the rows of a page take more than they may"
    print(f"{kind.__name__}: {largest}")  # shown with -s: what is left of a frame


@pytest.mark.parametrize("kind", m.Event.__args__, ids=lambda kind: kind.__name__)
def test_the_largest_is_one_message_of_a_websocket(kind):
    web = WebFormat(PageLimits.of_frames(4 * KIB))
    for event in LARGEST[kind](web.page_limits):
        reader = Protocol(Side.CLIENT, state=State.OPEN, max_size=4 * KIB)
        reader.receive_data(web.encode(event))
        (frame,) = reader.events_received()
        assert type(msgspec.json.decode(frame.data, type=m.Event)) is kind


def test_a_page_is_not_smaller_than_it_must_be():
    """The bounds are near to what is needed, or pages of ordinary rows would be many."""
    for kind, least in (
        (m.Roster, 30_000),
        (m.UnreadList, 38_000),
        (m.RoomsPage, 45_000),
        (m.HistoryPage, 45_000),
        (m.ConversationList, 40_000),
    ):
        assert max(len(msgspec.json.encode(event)) for event in LARGEST[kind](PAGE_LIMITS)) > least


@given(
    texts=st.lists(st.integers(1, PAGE_LIMITS.text_chars), min_size=1, max_size=8),
    reactions=st.lists(st.integers(0, PAGE_LIMITS.reactions), min_size=8, max_size=8),
    at=st.integers(0, 7),
)
def test_a_page_around_fits_whatever_surrounds_it(texts, reactions, at):
    messages = [
        m.Message(seq, 0, ID, NAME, BIG, CONTROL * size, ROOM, reactions=[m.Reaction(SIGN, [ID])] * reactions[seq - 1])
        for seq, size in enumerate(texts, 1)
    ]
    query = HistoryQuery(up_to=100, limit=200, around=at)
    page = paging.history_page(ID, query, HistoryRows(messages, False), PAGE_LIMITS)
    assert len(msgspec.json.encode(page)) <= PAGE_LIMITS.page_bytes + FRAME_SPARE_BYTES
    assert at not in range(1, len(texts) + 1) or any(message.seq == at for message in page.messages)


def test_an_event_that_does_not_fit_is_not_cut_silently():
    with pytest.raises(LocalProtocolError):
        NativeFormat(PageLimits.of_frames(4 * KIB)).encode(message(PAGE_LIMITS))


@given(text=st.text(st.sampled_from(["a", '"', CONTROL, "\u00e9", "\U0001f600"]), max_size=3_000))
def test_a_long_sentence_keeps_as_much_as_fits(text):
    fmt = NativeFormat()
    fmt.frame_bytes = 1 * KIB
    codec = NativeClientCodec()
    codec.receive_data(encoded := fmt.encode(m.Refused(ErrorCode.BANNED, text, ref=7)))
    told = codec.next_event()
    assert (told.code, told.ref) == (ErrorCode.BANNED, 7)
    if told.text != text:
        assert told.text.endswith("\u2026")
        assert text.startswith(told.text[:-1])
        assert len(encoded) > 1 * KIB - 12


# --- One place for lists ----------------------------------------------------------------------------------------------

HUB = Path(paging.__file__).parent
OF_THE_LOG = {m.Message, m.Edited}
"""Their lists have limits of their own: MAX_MENTIONS and MAX_REACTIONS."""
BOUNDED = {"Welcome.limits", "Welcome.features", *(f"{kind.__name__}.arguments" for kind in SENTENCES)}
"""The same for every server; or left out by the format where they are too long."""
_MANY = (
    msgspec.inspect.ListType, msgspec.inspect.VarTupleType, msgspec.inspect.SetType, msgspec.inspect.FrozenSetType,
    msgspec.inspect.DictType,
)  # fmt: skip


def holds_many(info):
    if isinstance(info, msgspec.inspect.UnionType):
        return any(map(holds_many, info.types))
    return holds_many(info.type) if isinstance(info, msgspec.inspect.Metadata) else isinstance(info, _MANY)


LISTS = {
    kind.__name__: [
        (at, field.name)
        for at, field in enumerate(msgspec.structs.fields(kind))
        if holds_many(msgspec.inspect.type_info(field.type)) and f"{kind.__name__}.{field.name}" not in BOUNDED
    ]
    for kind in m.Event.__args__
    if kind not in OF_THE_LOG
}
LIST_NAMES = {name for lists in LISTS.values() for _, name in lists}


def made_with_a_list(source, name):
    """Where a file makes an event and gives it a list, or replaces a field that is one in some event."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        for at, field in LISTS.get(called, ()):
            if len(node.args) > at or any(word.arg in (field, None) for word in node.keywords):
                yield f"{name}:{node.lineno} {called}.{field}"
        if called == "replace":
            yield from (f"{name}:{node.lineno} replace {word.arg}" for word in node.keywords if word.arg in LIST_NAMES)


def in_file(path):
    return made_with_a_list(path.read_text(encoding="utf-8"), path.name)


@pytest.mark.parametrize(
    "source", ["UnreadList(1, rows)", "model.UnreadList(1, items=rows)", "replace(page, items=rows)", "Roster(**all)"]
)
def test_a_list_that_is_made_elsewhere_is_found(source):
    assert list(made_with_a_list(source, "x.py"))


def test_lists_are_made_in_one_place():
    assert sum(map(bool, LISTS.values())) == 15
    others = [path for path in HUB.parent.rglob("*.py") if path.name != "paging.py" and "client" not in path.parts]
    others = [path for path in others if "testing" not in path.parts]
    no_events = {
        HUB.parent / "admin" / "rooms.py",  # rows of the operator's tool, where these names are numbers
        HUB.parent / "programs" / "hearing.py",  # the rooms of a stored token
    }
    assert [each for path in others if path not in no_events for each in in_file(path)] == []
    assert all(" replace " in each for path in no_events for each in in_file(path))
    assert len(set(in_file(HUB / "paging.py"))) >= 15
