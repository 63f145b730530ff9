"""Questions to the log about what is stored, and their answers: messages, unread counts, figures of rooms."""

from __future__ import annotations

from msgspec import Struct

from securechat.limits import PAGE_ROWS
from securechat.model import (
    Hit,
    Message,
    MessageChange,
)

UNREAD_LOOKS = 2_000
"""Dialogues that one question about unread messages looks at: 3 ms of the reading thread where all of them have been
read, 9 for the first page of an account with 20,000. Counting in 200 with 999 each takes 80."""


class HistoryQuery(Struct, frozen=True, gc=False):
    """A page of committed messages to read.

    Attributes:
        rooms: rooms to read.
        floors: of some of them, only messages above this seq: (room, seq).
        dialogue: read the dialogue between these two senders.
        dialogues_of: read all dialogues of this sender.
        after: only messages with a higher seq; the oldest of them come first.
        before: only messages with a lower seq; without ``after`` the newest of them are chosen.
        up_to: never a message above this seq (the hub's fed_seq).
        limit: rows, at most limits.PAGE_ROWS.
        around: the page around this seq: half of the limit before it, the rest from it on.
        since_ms: the page that begins with the first message sent at or after this, UTC.
    """

    up_to: int
    limit: int
    rooms: tuple[str, ...] = ()
    dialogue: tuple[int, int] | None = None
    dialogues_of: int | None = None
    after: int | None = None
    before: int | None = None
    floors: tuple[tuple[str, int], ...] = ()
    around: int | None = None
    since_ms: int | None = None


class HistoryRows(Struct, frozen=True, gc=False):
    """The answer: messages by rising seq in their final state, and whether there is more in the direction asked for.

    ``changes`` are the entries of the same conversations in the span of seqs that the page covers (above ``after``, up
    to the last message or to the end): what a reader who has the messages before needs to bring them up to date. An
    edit that a later one has replaced comes without its text, which is gone.
    """

    messages: list[Message]
    more: bool
    changes: list[MessageChange] = []


class SearchQuery(Struct, frozen=True, gc=False):
    """A search for messages; every part that is set must hold.

    Attributes:
        up_to: never a message above this seq (the hub's fed_seq).
        limit: hits at most.
        words: what the text must contain, each as a phrase; a last ``*`` finds words that begin so.
        rooms, floors, dialogues_of: where the searcher may look; as in HistoryQuery.
        dialogue: only in this dialogue.
        senders: only from these.
        before: only below this seq: the next page.
        before_ms, after_ms: sent before, or at or after, this time, UTC.
        has_link: only with a link.
    """

    up_to: int
    limit: int
    words: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    floors: tuple[tuple[str, int], ...] = ()
    dialogues_of: int | None = None
    dialogue: tuple[int, int] | None = None
    senders: tuple[int, ...] | None = None
    before: int | None = None
    before_ms: int | None = None
    after_ms: int | None = None
    has_link: bool = False


class SearchRows(Struct, frozen=True, gc=False):
    """The newest hits first, in their final state; never a deleted message.

    Attributes:
        hits: each with the spans of its text that matched, [start, end) in code points.
        more: whether there are older ones: ask again with ``before`` = the last seq.
        indexed_to: everything up to this seq has been looked at; below ``up_to`` while the index is being rebuilt.
    """

    hits: list[Hit]
    more: bool
    indexed_to: int


class Unread(Struct, frozen=True, gc=False):
    """The unread messages of a reader in a room, or in the dialogue with ``peer``.

    Attributes:
        read_seq: read up to here.
        unread: messages of others above it; counted up to 999.
        mentions: those of them that name the reader.
        first_seq: the first of them; 0 for none.
    """

    read_seq: int
    unread: int
    mentions: int
    first_seq: int
    room: str | None = None
    peer: int | None = None


class UnreadQuery(Struct, frozen=True, gc=False):
    """The conversations to count unread messages in: rooms, and a range of the reader's dialogues.

    Attributes:
        sender_id: the reader.
        rooms: each with the seq above which it counts.
        up_to: never a message above this seq (the hub's fed_seq).
        after: only dialogues with sender_ids above this; None for no dialogues.
        limit: dialogues in the answer, at most.
        looks: dialogues looked at, at most: most of them have been read, and finding that out is work too.
    """

    sender_id: int
    rooms: tuple[tuple[str, int], ...]
    up_to: int
    after: int | None = 0
    limit: int = PAGE_ROWS
    looks: int = UNREAD_LOOKS


class UnreadRows(Struct, frozen=True, gc=False):
    """Conversations with unread messages: rooms in the order asked, then dialogues by sender_id.

    Attributes:
        rows: one for each.
        through: dialogues up to this sender_id have been looked at, and there may be more; None for all of them.
    """

    rows: list[Unread]
    through: int | None = None


class ConversationQuery(Struct, frozen=True, gc=False):
    """The conversations of a reader to list: rooms, and a range of its dialogues.

    Attributes:
        sender_id: the reader.
        rooms: each with the seq above which it counts as unread.
        up_to: never a message above this seq (the hub's fed_seq).
        floors: of some of the rooms, only messages above this seq: (room, seq).
        after: only dialogues with sender_ids above this; None for no dialogues.
        limit: dialogues in the answer, at most.
        looks: dialogues looked at, at most: of some, all messages may have been removed.
        is_counted: whether unread messages are counted.
    """

    sender_id: int
    rooms: tuple[tuple[str, int], ...]
    up_to: int
    floors: tuple[tuple[str, int], ...] = ()
    after: int | None = 0
    limit: int = PAGE_ROWS
    looks: int = UNREAD_LOOKS
    is_counted: bool = True


class ConversationRow(Struct, frozen=True, gc=False):
    """A conversation of a reader.

    Attributes:
        counts: what of it is unread, and which conversation it is.
        last: the last message that the reader may read, in its final state; None for none.
    """

    counts: Unread
    last: Message | None


class ConversationRows(Struct, frozen=True, gc=False):
    """Every room in the order asked, then dialogues with a message, by sender_id; ``through`` as in `UnreadRows`."""

    rows: list[ConversationRow]
    through: int | None = None


class RoomFigures(Struct, frozen=True, gc=False):
    """The number of messages in a room.

    Attributes:
        room: its name.
        messages: that it has now, counted up to 10,000.
        last_at_ms: when the last of them was sent, UTC; 0 for none.
    """

    room: str
    messages: int
    last_at_ms: int
