"""Cuts lists to pages that fit into a frame; every event with a list is made here, and nowhere else (a test checks).

The hub knows no bytes, so it counts with upper bounds of what JSON needs; property tests hold them against the native
codec. The rows of an event take at most ``page_bytes``, whatever they contain, and one row alone always fits: the
largest message, with every reaction it may have, is smaller than a page (`PageLimits`).

A page of history that goes forward is a span of the log: messages and what changed older ones, in one order of seq.
Wherever it is cut, everything up to there is in it and nothing from beyond, so ``through`` is the seq of its last
entry, of either kind. A page that goes back holds messages alone: a client that reads them for the first time gets them
with all changes applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from securechat.hub.interfaces import Peer
from securechat.hub.rooms.room import HubRoom
from securechat.limits import (
    EDITOR_FIELDS_BYTES,
    FILE_FIELDS_BYTES,
    LISTED_ID_BYTES,
    MAX_NAME_BYTES,
    MAX_TOPIC_CHARS,
    MESSAGE_FIELDS_BYTES,
    REACTION_FIELDS_BYTES,
    PageLimits,
)
from securechat.model import (
    BotInfo,
    BotList,
    CertificateInfo,
    CertificateList,
    ConversationItem,
    ConversationList,
    Edited,
    FileInfo,
    FileLink,
    FileLinks,
    FileList,
    HistoryPage,
    Hit,
    Joined,
    LogEntry,
    LoginInfo,
    LoginList,
    Message,
    OwnFile,
    OwnUpload,
    PeopleList,
    Person,
    Presence,
    Reacted,
    Renaming,
    RoomCount,
    RoomsPage,
    Roster,
    SearchPage,
    TokenInfo,
    TokenList,
    TokenMade,
    UnreadItem,
    UnreadList,
)
from securechat.records.queries import HistoryQuery, HistoryRows, SearchQuery, SearchRows

_Row = TypeVar("_Row")
_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_MARK_BYTES = 14
"""``[1234,1234],`` and two to spare."""
_PERSON_BYTES = 48 + MAX_NAME_BYTES
"""A person in a list. A name has at most 32 characters of four bytes, and none that JSON escapes takes more."""
_RENAMING_BYTES = 48 + 2 * MAX_NAME_BYTES
_ROOM_FIELDS_BYTES = 44
"""A room in a list, without its name."""
_UNREAD_FIELDS_BYTES = 152
"""An item of what was not read, without the name in it."""
_CONVERSATION_FIELDS_BYTES = 344
"""An item of the list of conversations, without names and text: 337 bytes with every number as long as can be."""
_LOGIN_FIELDS_BYTES = 140
_CERTIFICATE_FIELDS_BYTES = 120
_TOKEN_FIELDS_BYTES = 260
"""A token in a list, without names, scopes and address: 236 bytes with every number as long as can be."""
_BOT_FIELDS_BYTES = 220
_OWN_FILE_FIELDS_BYTES = 120
"""What a list of files says of the message of one, without the room."""
_OWN_UPLOAD_FIELDS_BYTES = 160
"""What a list of files says of an upload, without its name."""
_LINK_FIELDS_BYTES = 64
"""The address of a file, without the path."""
_TOPIC_BYTES = 6 * MAX_TOPIC_CHARS


# --- Bounds of sizes --------------------------------------------------------------------------------------------------


def encoded_bound(entry: LogEntry) -> int:
    """Return at least as many bytes as the entry takes in JSON (RFC 8259: an escape takes at most six)."""
    size = MESSAGE_FIELDS_BYTES + _text_bytes(entry.name) + _text_bytes(entry.room)
    if isinstance(entry, Message):
        size += _text_bytes(entry.text) + _text_bytes(entry.to_name) + LISTED_ID_BYTES * len(entry.mentions)
        size += sum(map(_editor_bound, (entry.edited_by, entry.deleted_by)))
        for reaction in entry.reactions:
            size += REACTION_FIELDS_BYTES + _text_bytes(reaction.sign) + LISTED_ID_BYTES * len(reaction.by)
        if entry.files:
            size += sum(map(file_bound, entry.files))
    elif isinstance(entry, Edited):
        size += _text_bytes(entry.text) + LISTED_ID_BYTES * len(entry.mentions)
    elif isinstance(entry, Reacted):
        size += _text_bytes(entry.sign)
    return size


def _editor_bound(editor: Person | None) -> int:
    return 0 if editor is None else EDITOR_FIELDS_BYTES + _text_bytes(editor.name)


def file_bound(file: FileInfo) -> int:
    """Return at least as many bytes as a file takes in JSON, which escapes only quotation marks of a name."""
    return FILE_FIELDS_BYTES + len(file.name.encode()) + file.name.count('"') + len(file.type)


def _text_bytes(text: str | None) -> int:
    return len(text.encode()) + 5 * len(_ESCAPED.findall(text)) if text else 0


def _hit_bound(hit: Hit) -> int:
    return encoded_bound(hit.message) + _MARK_BYTES * (len(hit.marks) + 2)


def _room_bound(room: RoomCount) -> int:
    return _ROOM_FIELDS_BYTES + _text_bytes(room.room)


def _unread_bound(item: UnreadItem) -> int:
    name = item.room if item.peer is None else item.peer.name
    return _UNREAD_FIELDS_BYTES + _text_bytes(name)


def _conversation_bound(item: ConversationItem) -> int:
    names = (person.name for person in (item.peer, item.by) if person is not None)
    size = _CONVERSATION_FIELDS_BYTES + _text_bytes(item.room) + _text_bytes(item.text) + sum(map(_text_bytes, names))
    return size + sum(map(_editor_bound, (item.edited_by, item.deleted_by)))


def _login_bound(login: LoginInfo) -> int:
    return _LOGIN_FIELDS_BYTES + _text_bytes(login.client) + _text_bytes(login.address)


def _certificate_bound(row: CertificateInfo) -> int:
    return _CERTIFICATE_FIELDS_BYTES + _text_bytes(row.fingerprint) + _text_bytes(row.label)


def _token_bound(row: TokenInfo) -> int:
    texts = (row.name, row.address, *row.scopes, *row.rooms)
    return _TOKEN_FIELDS_BYTES + sum(_text_bytes(text) + 3 for text in texts)


def _bot_bound(row: BotInfo) -> int:
    maker = row.made_by.name if row.made_by is not None else ""
    texts = [row.name, maker, *((row.outgoing.to, row.outgoing.on) if row.outgoing is not None else ())]
    return _BOT_FIELDS_BYTES + sum(map(_text_bytes, texts)) + sum(map(_token_bound, row.tokens))


def _with_fewer_rooms(row: TokenInfo, room_bytes: int) -> TokenInfo:
    """Leave out rooms of a token from the end, until it fits."""
    while len(row.rooms) > 1 and _token_bound(row) > room_bytes:  # without any it would be told as one for all
        row = replace(row, rooms=row.rooms[:-1])
    return row


def _fitting(
    rows: Iterable[_Row], bound: Callable[[_Row], int], room_bytes: int, *, at_least: int = 1, most: int | None = None
) -> list[_Row]:
    """The first rows that fit, ``most`` at most, and ``at_least`` so many whether they do or not."""
    kept: list[_Row] = []
    size = 0
    for row in rows:
        size += bound(row)
        if len(kept) == most or (len(kept) >= at_least and size > room_bytes):
            break
        kept.append(row)
    return kept


# --- Messages ---------------------------------------------------------------------------------------------------------


def history_page(ref: int, query: HistoryQuery, rows: HistoryRows, pages: PageLimits) -> HistoryPage:
    """Cut rows to a page: the oldest first where the query goes forward, the newest where it goes back.

    Around a seq, what comes before it gets at most half of the bytes, and the seq itself its own before that; what is
    left goes to what follows. ``more`` and ``through`` are about what follows.

    Args:
        ref: the request.
        query: what was asked of the log.
        rows: what the log answered.
        pages: how long a page may be.
    """
    end = query.up_to if query.before is None else min(query.up_to, query.before - 1)
    if query.after is None and query.since_ms is None and query.around is None:
        newest = _fitting(reversed(rows.messages), encoded_bound, pages.page_bytes)[::-1]
        more = rows.more or len(newest) < len(rows.messages)
        return HistoryPage(ref, newest, max(end, 0), more)
    around = query.around or 0
    jumps = query.after is None
    onwards = sorted(
        (entry for entry in chain(rows.messages, rows.changes) if entry.seq >= around), key=lambda entry: entry.seq
    )
    half = min(pages.page_bytes // 2, pages.page_bytes - sum(map(encoded_bound, onwards[:1])))
    earlier = (message for message in reversed(rows.messages) if message.seq < around)
    before = _fitting(earlier, encoded_bound, half, at_least=0 if onwards else 1)
    kept = _fitting(onwards, encoded_bound, pages.page_bytes - sum(map(encoded_bound, before)))
    more = rows.more or len(kept) < len(onwards)
    entries = [*before[::-1], *kept]
    return HistoryPage(
        ref=ref,
        messages=[entry for entry in entries if isinstance(entry, Message)],
        through=kept[-1].seq if more and kept else max(end, 0),
        more=more,
        changes=[entry for entry in entries if not isinstance(entry, Message)],
        more_before=jumps and _may_be_more_before(query, entries),
        more_after=jumps and more,
    )


def _may_be_more_before(query: HistoryQuery, entries: Sequence[LogEntry]) -> bool:
    """Tell whether the conversation may have messages below a page: the oldest one tells which was before it.

    That one may have been deleted for good since, so a page below may be empty.
    """
    oldest = next((entry for entry in entries if isinstance(entry, Message)), None)
    if oldest is None:
        return bool(query.up_to)
    return oldest.prev > max((floor for _, floor in query.floors), default=0)


def search_page(ref: int, query: SearchQuery, rows: SearchRows, pages: PageLimits) -> SearchPage:
    """Cut hits to a page, the newest first; a hit that would not fit alone keeps its first marks only.

    Args:
        ref: the request.
        query: what was asked of the log.
        rows: what the log answered.
        pages: how long a page may be.
    """
    kept = _fitting((_with_fewer_marks(hit, pages) for hit in rows.hits), _hit_bound, pages.page_bytes)
    more = rows.more or len(kept) < len(rows.hits)
    indexed = rows.indexed_to if rows.indexed_to < query.up_to else None
    return SearchPage(ref=ref, hits=kept, more=more, indexed=indexed)


def _with_fewer_marks(hit: Hit, pages: PageLimits) -> Hit:
    excess_bytes = _hit_bound(hit) - pages.page_bytes
    if excess_bytes <= 0:
        return hit
    return replace(hit, marks=hit.marks[: max(0, len(hit.marks) - excess_bytes // _MARK_BYTES - 1)])


def unread_page(
    ref: int, items: Sequence[UnreadItem], pages: PageLimits, *, through: int | None, through_room: str | None
) -> UnreadList:
    """Cut conversations with unread messages to a page: rooms by name, then dialogues by sender_id.

    Args:
        ref: the request.
        items: what the log found.
        pages: how long a page may be.
        through: the last dialogue that the log looked at, when there are more.
        through_room: the last room that was asked about, when there are more, and with them all dialogues.
    """
    kept = _fitting(items, _unread_bound, pages.page_bytes, most=pages.page_rows)
    if len(kept) < len(items):
        through, through_room = _through(kept[-1])
    more = through is not None or through_room is not None
    return UnreadList(ref=ref, items=kept, more=more, through=through, through_room=through_room)


def conversations_page(
    ref: int, items: Sequence[ConversationItem], pages: PageLimits, *, through: int | None, through_room: str | None
) -> ConversationList:
    """Cut a list of conversations to a page: rooms by name, then dialogues by sender_id. Arguments as `unread_page`."""
    kept = _fitting(items, _conversation_bound, pages.page_bytes, most=pages.page_rows)
    if len(kept) < len(items):
        through, through_room = _through(kept[-1])
    more = through is not None or through_room is not None
    return ConversationList(ref=ref, items=kept, more=more, through=through, through_room=through_room)


def _through(last: UnreadItem | ConversationItem) -> tuple[int | None, str | None]:
    """Return the position behind the last conversation of a page: in the dialogues, or in the rooms."""
    return (None, last.room) if last.peer is None else (last.peer.id, None)


# --- People and rooms -------------------------------------------------------------------------------------------------


def people_per_page(pages: PageLimits) -> int:
    """Return the number of people that fit into a page, whatever their names, with a topic beside them."""
    return min(pages.page_rows, max(1, (pages.page_bytes - _TOPIC_BYTES) // _PERSON_BYTES))


def roster_page(ref: int, room: HubRoom, after: int, pages: PageLimits) -> Roster:
    """Return a page of a room's members, by sender_id.

    Args:
        ref: the request.
        room: the room.
        after: only sender_ids above this.
        pages: how long a page may be.
    """
    ids = sorted(sender_id for sender_id in room.members if sender_id > after)
    most = people_per_page(pages)
    people = [room.members[sender_id].person for sender_id in ids[:most]]
    return Roster(ref=ref, room=room.name, members=people, total=len(room.members), more=len(ids) > most)


def people_list(ref: int, people: Sequence[Person], pages: PageLimits) -> PeopleList:
    """Cut people to what fits; ``more`` tells whether some are left out."""
    most = people_per_page(pages)
    return PeopleList(ref, list(people[:most]), more=len(people) > most)


def rooms_page(ref: int, rooms: Sequence[RoomCount], pages: PageLimits, *, more: bool) -> RoomsPage:
    """Cut rooms to a page; ``more`` tells whether the listing goes on behind them."""
    kept = _fitting(rooms, _room_bound, pages.page_bytes, most=pages.page_rows)
    return RoomsPage(ref=ref, rooms=kept, more=more or len(kept) < len(rooms))


def with_people(joined: Joined, room: HubRoom, most: int, peers: Sequence[Peer]) -> Joined:
    """Add the members of a room to its `Joined`, unless they are more than ``most``, or than fit for all the peers."""
    if len(room.members) > min(most, *(people_per_page(peer.page_limits) for peer in peers)):
        return joined
    return replace(joined, members=room.people())


def presence(
    room: str,
    total: int,
    changes: tuple[Collection[Person], Collection[Person], Collection[Renaming]],
    most: int,
    peers: Sequence[Peer],
) -> Presence:
    """Return the event of members that joined, left or have a new name.

    It has no names, only the total, where the names are more than ``most``, or than fit into a page. The peers share
    the event, so the smallest of their page limits counts.

    Args:
        room: its name.
        total: the number of members now.
        changes: members that joined, that left, and that have a new name.
        most: the largest room, and the most changes, of which names are given.
        peers: the connections that get the event.
    """
    joined, left, renamed = changes
    size_bytes = _PERSON_BYTES * (len(joined) + len(left)) + _RENAMING_BYTES * len(renamed)
    if (
        total > most
        or len(joined) + len(left) + len(renamed) > most
        or any(size_bytes > peer.page_limits.page_bytes for peer in peers)
    ):
        return Presence(room=room, total=total)
    return Presence(room=room, total=total, joined=list(joined), left=list(left), renamed=list(renamed))


# --- The own account --------------------------------------------------------------------------------------------------


def login_list(ref: int, logins: Sequence[LoginInfo], pages: PageLimits) -> LoginList:
    """Cut logins to what fits: this connection's, those that are online, and those that were used last."""
    by_use = sorted(logins, key=lambda login: (login.current, login.online, login.used_at_ms), reverse=True)
    kept = {login.login for login in _fitting(by_use, _login_bound, pages.page_bytes)}
    return LoginList(ref, [login for login in logins if login.login in kept], more=len(kept) < len(logins))


def certificate_list(
    ref: int, rows: Sequence[CertificateInfo], presented: str | None, pages: PageLimits
) -> CertificateList:
    """Cut certificates to what fits: this connection's, and those that were added last."""
    by_age = sorted(rows, key=lambda row: (row.current, row.added_at_ms), reverse=True)
    kept = {row.certificate for row in _fitting(by_age, _certificate_bound, pages.page_bytes)}
    listed = [row for row in rows if row.certificate in kept]
    return CertificateList(ref, listed, presented, more=len(kept) < len(rows))


def bot_list(ref: int, bots: Sequence[BotInfo], pages: PageLimits) -> BotList:
    """Cut bots to a page; where one alone does not fit, its tokens name fewer rooms."""
    cut = []
    for bot in bots[: pages.page_rows]:
        share = (pages.page_bytes - _bot_bound(replace(bot, tokens=[]))) // max(1, len(bot.tokens))
        cut.append(replace(bot, tokens=[_with_fewer_rooms(token, share) for token in bot.tokens]))
    kept = _fitting(cut, _bot_bound, pages.page_bytes)
    return BotList(ref, kept, more=len(kept) < len(bots))


def token_list(ref: int, tokens: Sequence[TokenInfo], pages: PageLimits) -> TokenList:
    """Cut tokens to a page; where one alone does not fit, it names fewer rooms."""
    cut = [_with_fewer_rooms(token, pages.page_bytes) for token in tokens[: pages.page_rows]]
    kept = _fitting(cut, _token_bound, pages.page_bytes)
    return TokenList(ref, kept, more=len(kept) < len(tokens))


def file_list(
    ref: int,
    files: Sequence[OwnFile],
    uploads: Sequence[OwnUpload],
    used: int,
    most: int,
    pages: PageLimits,
    *,
    more: bool,
) -> FileList:
    """Cut a sender's files and uploads to a page, of which the uploads take half at most."""
    told = _fitting(uploads[: pages.page_rows], _own_upload_bound, pages.page_bytes // 2)
    room_bytes = pages.page_bytes - sum(map(_own_upload_bound, told))
    kept = _fitting(files[: pages.page_rows], _own_file_bound, room_bytes)
    return FileList(ref, kept, more or len(kept) < len(files), used, most, told)


def file_links(ref: int, links: Sequence[FileLink], pages: PageLimits) -> FileLinks:
    """Cut addresses of files to what fits: of frames as they are, all that may be asked for."""
    return FileLinks(ref, _fitting(links, _link_bound, pages.page_bytes))


def _own_file_bound(own: OwnFile) -> int:
    return _OWN_FILE_FIELDS_BYTES + file_bound(own.file) + _text_bytes(own.room)


def _own_upload_bound(own: OwnUpload) -> int:
    return _OWN_UPLOAD_FIELDS_BYTES + len(own.name.encode()) + own.name.count('"')


def _link_bound(link: FileLink) -> int:
    return _LINK_FIELDS_BYTES + len(link.path)


def token_made(made: TokenMade, ref: int, pages: PageLimits) -> TokenMade:
    """Return the answer to a request; its token names fewer rooms where it does not fit."""
    spare = pages.page_bytes - 2 * _BOT_FIELDS_BYTES - MAX_NAME_BYTES
    return replace(made, ref=ref, info=_with_fewer_rooms(made.info, spare))
