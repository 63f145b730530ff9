"""Commands whose answers would be longer than a frame are answered in pages, each of which fits.

The frames are small, so that a few people and rooms do what thousands would; `HubRig` encodes whatever it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from securechat.hub.messages.paging import encoded_bound
from securechat.limits import (
    KIB,
    MAX_NAME_CHARS,
    MAX_ROOM_CHARS,
    MAX_SIGN_CHARS,
    Limits,
    PageLimits,
)
from securechat.model import (
    AddCertificate,
    AskUnread,
    CertificateList,
    Certificates,
    Direct,
    History,
    HistoryPage,
    Join,
    Joined,
    LoginList,
    Logins,
    Message,
    Nick,
    Notice,
    Presence,
    Quit,
    React,
    Refused,
    Register,
    Rooms,
    RoomsPage,
    Roster,
    Say,
    Search,
    SearchPage,
    SetRoom,
    UnreadItem,
    UnreadList,
    Welcome,
    Who,
)
from securechat.wire.native import NativeFormat
from tests.support.hub_rig import FakePeer, HubRig
from tests.unit.hub.accounts.test_accounts import PASSWORD, hello

PAGES = PageLimits.of_frames(4 * KIB)
ROOM = "\U00010331" * (MAX_ROOM_CHARS - 2)
CONTROL = "\x01"
SIGNS = ["\U0001f600" * (MAX_SIGN_CHARS - 1) + chr(0x1F600 + n) for n in range(200)]


@pytest.fixture
def rig() -> HubRig:
    return HubRig(Limits(rooms_per_member=500), pages=PAGES)


def long_name(number: int) -> str:
    return "\U00010331" * (MAX_NAME_CHARS - 4) + f"{number:04d}"


def account(rig: HubRig, name: str) -> FakePeer:
    peer = rig.member(name)
    rig.do(peer, Register(ref=901, password=PASSWORD))
    return peer


def pages_of(rig: HubRig, peer: FakePeer, kind: type[Any], ask: Callable[[Any], Any]) -> list[Any]:
    """Ask on until there is no more."""
    answers: list[Any] = []
    while not answers or answers[-1].more:
        before = len(peer.events)
        rig.do(peer, ask(answers[-1] if answers else None))
        (answer,) = peer.events[before:]
        assert isinstance(answer, kind), answer
        answers.append(answer)
        assert len(answers) < 100
    return answers


def unread(rig: HubRig, peer: FakePeer) -> list[UnreadList]:
    def ask(last: UnreadList | None) -> AskUnread:
        return AskUnread(7) if last is None else AskUnread(7, last.through, last.through_room)

    return pages_of(rig, peer, UnreadList, ask)


def items_of(answers: list[UnreadList]) -> list[UnreadItem]:
    return [item for answer in answers for item in answer.items]


def test_unread_dialogues_come_in_pages(rig: HubRig) -> None:
    """The first critical finding: many people, one direct message from each."""
    ann = account(rig, "ann")
    ann_id = ann.last(Welcome).sender_id
    writers = {}
    for number in range(60):
        guest = rig.member(long_name(number))
        rig.do(guest, Direct(1, ann_id, "hello"))
        writers[guest.last(Welcome).sender_id] = long_name(number)
        if number % 2:
            rig.do(guest, Quit())
            writers[guest.last(Welcome).sender_id] = ""
    ann.events.clear()
    answers = unread(rig, ann)
    assert len(answers) > 3
    found = [item.peer for item in items_of(answers) if item.peer is not None]
    assert {person.id: person.name for person in found} == writers
    assert [person.id for person in found] == sorted(writers), "each once, in order"


def test_unread_rooms_come_before_dialogues_and_in_pages(rig: HubRig) -> None:
    ann, bob = account(rig, "ann"), account(rig, "bob")
    rooms = [f"{ROOM}{number:02d}" for number in range(30)]
    for peer in (ann, bob):
        for room in rooms:
            rig.do(peer, Join(ref=1, rooms=[room]))
    for number, room in enumerate(reversed(rooms), 1):
        rig.do(bob, Say(number, room, "hello"))
    rig.do(bob, Direct(99, ann.last(Welcome).sender_id, "hello"))
    answers = unread(rig, ann)
    assert len(answers) > 2
    items = items_of(answers)
    assert [item.room for item in items] == [*rooms, None]
    assert items[-1].peer is not None
    assert items[-1].peer.name == "bob"


def test_more_rooms_than_rows_are_asked_for_page_by_page() -> None:
    rig = HubRig(pages=PageLimits(page_rows=3))
    ann, bob = account(rig, "ann"), account(rig, "bob")
    for peer in (ann, bob):
        rig.do(peer, Join(ref=1, rooms=[f"r{number}" for number in range(7)]))
    rig.do(bob, Say(1, "r6", "hello"))
    rig.do(bob, Direct(2, ann.last(Welcome).sender_id, "hello"))
    answers = unread(rig, ann)
    assert [len(answer.items) for answer in answers] == [0, 0, 2], "a page may be empty, and still not be the last"
    assert [answer.through_room for answer in answers] == ["r1", "r4", None]


def test_a_client_that_knows_of_no_pages_gets_the_first(rig: HubRig) -> None:
    ann = account(rig, "ann")
    for number in range(30):
        rig.do(rig.member(f"guest{number}"), Direct(1, ann.last(Welcome).sender_id, "hello"))
    rig.do(ann, AskUnread(ref=1))
    first = ann.last(UnreadList)
    assert (len(first.items) > 5, first.more) == (True, True)


def longest_messages(rig: HubRig, peer: FakePeer, count: int, pages: PageLimits) -> list[int]:
    """Say as much as may be said, with as many reactions as may be, below a text of half a page; return the seqs."""
    rig.do(peer, Join(ref=1, rooms=[ROOM]))
    half = Message(1, 0, 1, long_name(1), 0, "", ROOM)
    chars = min(pages.text_chars, (pages.page_bytes // 2 - encoded_bound(half)) // 6)
    rig.do(peer, Say(1, ROOM, CONTROL * chars))
    number = 1
    for _ in range(count):
        number += 1
        rig.do(peer, Say(number, ROOM, "\U0001f600 " + CONTROL * (pages.text_chars - 2)))
        seq = rig.fed[-1].seq
        for sign in SIGNS[: pages.reactions]:
            number += 1
            rig.do(peer, React(number, seq, sign, ROOM))
    assert not peer.of(Refused)
    return [message.seq for message in rig.fed if isinstance(message, Message)]


@pytest.mark.parametrize("pages", [PAGES, PageLimits()], ids=["small", "protocol"])
def test_history_of_the_longest_messages_fits_from_every_side(pages: PageLimits) -> None:
    """The second critical finding: a page around a long message with another one before it."""
    rig = HubRig(pages=pages)
    peer = rig.member(long_name(1))
    seqs = longest_messages(rig, peer, 3, pages)
    rig.do(peer, Say(10_000, ROOM, "short"))
    for command in (
        History(2, ROOM),
        History(2, ROOM, after=0),
        History(2, ROOM, at=0),
        History(2, after=0),
        *(History(2, ROOM, around=seq) for seq in (0, *seqs, seqs[1] + 1, 10**9)),
        *(History(2, ROOM, before=seq) for seq in seqs),
    ):
        rig.do(peer, command)
        page = peer.last(HistoryPage)
        assert page.messages or page.more or command.before == seqs[0]
        if command.around in seqs:
            assert command.around in [message.seq for message in page.messages]
    collected: list[int] = []
    answers = pages_of(
        rig, peer, HistoryPage, lambda last: History(3, ROOM, after=last.through if last is not None else 0)
    )
    for page in answers:
        collected += [message.seq for message in page.messages]
    assert collected == [*seqs, rig.fed[-1].seq]


def test_hits_in_the_longest_messages_fit(rig: HubRig) -> None:
    peer = rig.member(long_name(1))
    rig.do(peer, Join(ref=1, rooms=[ROOM]))
    for number in range(1, 4):
        rig.do(peer, Say(1_000 * number, ROOM, "a " * (PAGES.text_chars // 2)))
        for at, sign in enumerate(SIGNS[: PAGES.reactions]):
            rig.do(peer, React(1_000 * number + 1 + at, rig.fed[-1].seq, sign, ROOM))
    answers = pages_of(
        rig,
        peer,
        SearchPage,
        lambda last: Search(1, "a*", before=last.hits[-1].message.seq if last is not None else None),
    )
    hits = [hit for answer in answers for hit in answer.hits]
    assert len(hits) == 3
    assert all(hit.marks for hit in hits)


def test_who_and_rooms_and_greetings_fit(rig: HubRig) -> None:
    names = [long_name(number) for number in range(60)]
    peers = [rig.member(name) for name in names]
    for number, peer in enumerate(peers):
        rig.do(peer, Join(ref=1, rooms=[ROOM, f"{ROOM}{number:02d}"]))
    joined = peers[-1].of(Joined)
    assert [bool(one.members) for one in joined] == [False, False, True], "too many to be named, and one alone"
    rosters = pages_of(
        rig, peers[0], Roster, lambda last: Who(1, ROOM, last.members[-1].id if last is not None else None)
    )
    assert [person.name for answer in rosters for person in answer.members] == names
    rooms = pages_of(rig, peers[0], RoomsPage, lambda last: Rooms(1, last.rooms[-1].room if last is not None else None))
    assert len([room for answer in rooms for room in answer.rooms]) == 62
    for number, peer in enumerate(peers):
        rig.do(peer, Nick(2, long_name(5_000 + number)))
    rig.pass_time(1)
    assert [one for one in peers[0].of(Presence) if one.room == ROOM][-1] == Presence(ROOM, 60)


def test_a_room_with_the_longest_of_everything_greets(rig: HubRig) -> None:
    owner = account(rig, long_name(0))
    for number in range(1, 6):
        rig.do(rig.member(long_name(number)), Join(ref=1, rooms=[ROOM]))
    rig.do(owner, Join(ref=1, rooms=[ROOM]))
    rig.do(owner, SetRoom(2, ROOM, name=ROOM[:-1] + "x", topic=CONTROL * 300))
    late = rig.member(long_name(7))
    rig.do(late, Join(ref=1, rooms=[ROOM[:-1] + "x"]))
    assert len(late.last(Joined).topic) == 300


def test_logins_and_certificates_are_cut_to_what_fits_and_say_so() -> None:
    rig = HubRig(Limits(certificates_per_account=50), pages=PAGES)
    ann = account(rig, "ann")
    for number in range(30):
        ann.certificate = f"sha256:{number:064x}"
        rig.do(ann, AddCertificate(ref=1, label=CONTROL * 64))
        rig.lose(hello(rig, "ann", password=PASSWORD))
        rig.pass_time(1)
    rig.do(ann, Logins(ref=2))
    rig.do(ann, Certificates(ref=3))
    logins, certificates = ann.last(LoginList), ann.last(CertificateList)
    assert logins.more
    assert any(login.current for login in logins.logins), "one's own is always there"
    assert certificates.more
    assert certificates.certificates[-1].fingerprint == f"sha256:{29:064x}", "the latest is always there"


def test_an_announcement_of_any_kind_fits(rig: HubRig) -> None:
    peer = rig.member("ann")
    rig.hub.admin_commands.announce("op", CONTROL * 1_000, lambda _: None)
    rig.settle()
    assert len(peer.last(Notice).text) == 1_000


# --- Each peer by its own format --------------------------------------------------------------------------------------


def test_each_peer_gets_pages_of_its_own_length() -> None:
    rig = HubRig(Limits(rooms_per_member=500))
    short, long = account(rig, "short"), account(rig, "long")
    short.page_limits = PageLimits(page_rows=2)
    for peer in (short, long):
        rig.do(peer, Join(1, [f"room{number}" for number in range(4)]))
    for number in range(1, 5):
        rig.do(long, Say(number, f"room{number - 1}", f"m{number}"))
        rig.do(long, Say(10 + number, "room0", f"m{number}"))
    for peer, rows in ((short, 2), (long, 5)):
        rig.do(peer, Rooms(3))
        assert len(peer.last(RoomsPage).rooms) == rows
        rig.do(peer, History(4, room="room0"))
        assert len(peer.last(HistoryPage).messages) == rows
        rig.do(peer, Search(5, "m*", limit=5))
        assert len(peer.last(SearchPage).hits) == rows
        rig.do(peer, AskUnread(6))
        assert len(peer.last(UnreadList).items) <= rows
    rig.member("third")
    for peer, rows in ((short, 2), (long, 3)):
        rig.do(peer, Who(2, "lobby"))
        assert len(peer.last(Roster).members) == rows
    assert not short.of(Refused)


def test_a_page_has_no_more_bytes_than_the_format_of_the_asker_allows() -> None:
    rig = HubRig()
    short, long = rig.member("short"), rig.member("long")
    short.page_limits = PAGES
    for number in range(1, 4):
        rig.do(long, Say(number, "lobby", "x" * 1_500))
    for peer, rows in ((short, 1), (long, 3)):
        rig.do(peer, History(4, room="lobby"))
        assert len(peer.last(HistoryPage).messages) == rows
        rig.do(peer, Search(5, "from:long"))
        assert len(peer.last(SearchPage).hits) == rows
    NativeFormat(PAGES).encode(short.last(HistoryPage))


def test_what_peers_share_fits_the_shortest_of_their_pages() -> None:
    rig = HubRig()
    plain = rig.member("plain")
    rig.pass_time(1)
    for number in range(30):
        rig.member(long_name(number))
    rig.pass_time(1)
    assert len(plain.last(Presence).joined) == 30, "all of them have the protocol's pages"
    short = rig.member("short")
    short.page_limits = PAGES
    rig.pass_time(1)
    for number in range(30, 60):
        rig.member(long_name(number))
    rig.pass_time(1)
    for peer in (plain, short):
        assert peer.last(Presence).joined == []
        assert peer.last(Presence).total == 62
    NativeFormat(PAGES).encode(short.last(Presence))


def test_the_devices_of_a_member_share_a_greeting_that_fits_each() -> None:
    rig = HubRig()
    ana = account(rig, "ana")
    for number in range(30):
        rig.do(rig.member(long_name(number)), Join(1, ["ops"]))
    short = hello(rig, "ana", password=PASSWORD)
    short.page_limits = PAGES
    rig.do(ana, Join(2, ["ops"]))
    for peer in (ana, short):
        assert (peer.last(Joined).room, peer.last(Joined).total, peer.last(Joined).members) == ("ops", 31, [])
    NativeFormat(PAGES).encode(short.last(Joined))
