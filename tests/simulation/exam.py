"""When nothing goes on any more: every question has one right answer, which the log's rows give.

Each device asks what was not read and searches for a word, page after page; what it is told must be exactly what
somebody finds who looks at every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from securechat.client.core import actions
from securechat.limits import EXCERPT_CHARS
from securechat.model import ConversationItem, ConversationList, SearchPage, UnreadItem, UnreadList
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import LOBBY
from tests.simulation.texts import WORDS
from tests.simulation.web_core import WebCore
from tests.simulation.web_device import WebDevice

if TYPE_CHECKING:
    from securechat.model import Message
    from tests.simulation.device import Device
    from tests.simulation.world import World

_T = TypeVar("_T")
_PageT = TypeVar("_PageT", UnreadList, ConversationList)
_PATIENCE_S = 60.0
"""Virtual time for an answer: some pages, at five requests a second."""
_AGAIN_S = 2.0
"""Until a question is asked again that was not answered completely."""
_TRIES = 3
"""How often somebody is asked what is not read, if another of their devices reads meanwhile."""
_UNREAD_MOST = 999
_LISTED_S = 320.0
"""Until a page has asked for its list again, where it does not know any more what is unread."""


class Exam:
    """What the devices are asked, one after the other.

    Args:
        world: at rest.
        rows: everything that its log holds.
    """

    def __init__(self, world: World, rows: Sequence[Message]) -> None:
        self._world = world
        self._rows = rows

    def search(self, device: Device) -> None:
        """Let a device search.

        Raises:
            HistoryBroken: it finds something else than there is.
        """
        word = device.rng.choice(WORDS)  # which stand alone in what people say
        found = self._search(device, word)
        if found is not None:
            self._check_found(device, word, found)

    def keep(self, device: Device) -> None:
        """Look at what a device keeps of the rooms and dialogues that it is in; a page keeps a list and windows.

        A program knows rooms by their names alone (docs/design/0009-rooms-by-identity.md): where another room has got a
        name while it was away, it keeps what was said in the first, and is told no more of that.

        Raises:
            HistoryBroken: it keeps a message that is gone for good.
        """
        core = device.core
        if core is None or not device.is_quiet:
            return
        if isinstance(device, WebDevice):
            self._check_list(device)
        there = {row.seq for row in self._rows}
        transcript = self._world.storage.transcript
        for conversation in core.conversations.values():
            for message in conversation.messages if conversation.member else ():
                half_done = message.sender_id in transcript.taken_back - transcript.deleted
                said, room = transcript.said.get(message.seq), getattr(conversation.key, "room", None)
                is_of_another = said and room is not None and transcript.conversation_in(room) != said.place
                if message.seq not in there and not half_done and not is_of_another:
                    self._broken(device, f"message {message.seq} is kept, and is gone for good")

    def count(self, device: Device) -> None:
        """Let a device ask what is not read.

        Raises:
            HistoryBroken: the answer is wrong.
        """
        if device.core is not None and device.core.account and not isinstance(device, WebDevice):
            told = None
            for _ in range(_TRIES):
                before = device.reads_elsewhere
                told = self._all_unread(device)
                if device.reads_elsewhere == before:
                    break
                told = None  # the program has asked as well, of its own accord: these are pages of two answers
            if told is not None:
                self._check_unread(device, told)

    def list_conversations(self, device: Device) -> None:
        """Let a device list its conversations.

        Raises:
            HistoryBroken: the answer is wrong.
        """
        if device.core is not None and not isinstance(device, WebDevice):
            told = self._all_pages(device, actions.ListConversations(), ConversationList)
            if told is not None:
                self._check_conversations(device, [item for page in told for item in page.items])

    def _all_unread(self, device: Device) -> list[UnreadItem] | None:
        told = self._all_pages(device, actions.ListUnread(), UnreadList)
        return None if told is None else [item for page in told for item in page.items]

    def _all_pages(self, device: Device, intent: actions.Action, kind: type[_PageT]) -> list[_PageT] | None:
        """Return the pages that the program asks for, one after the other; None when that breaks off."""
        self._let_it_finish(device)
        clock, before = self._world.clock, len(device.heard)
        device.want(intent)
        pages = device.heard

        def is_answered() -> bool:
            last = pages[-1] if len(pages) > before else None
            return not device.is_quiet or (last is not None and not (isinstance(last, kind) and last.more))

        if not clock.run_until(clock.now + _PATIENCE_S, is_answered, every=1):
            self._broken(device, f"{intent} was not answered, or without an end: {len(pages) - before} pages")
        told = [page for page in pages[before:] if isinstance(page, kind)]
        return told if told and len(told) == len(pages) - before and not told[-1].more else None

    def _search(self, device: Device, word: str) -> list[int] | None:
        """Return every hit; None when the connection breaks under it. An index that is being made is waited for."""
        clock = self._world.clock
        latest = clock.now + _PATIENCE_S
        while (found := self._pages(device, word)) is None and device.is_quiet:
            if clock.now >= latest:
                self._broken(device, f"a search for {word!r} has no complete answer")
            clock.run_until(clock.now + _AGAIN_S)
        return found

    def _pages(self, device: Device, word: str) -> list[int] | None:
        """Return every hit, page after page; None when the server says that these are not all."""
        found: list[int] = []
        intent: actions.Action = actions.FindMessages(word)
        while True:
            page = self._ask(device, intent, SearchPage)
            if page is None or page.indexed is not None:
                return None
            found += [hit.message.seq for hit in page.hits]
            if not page.more:
                return found
            intent = actions.ShowMore()

    def _ask(self, device: Device, intent: actions.Action, answer: type[_T]) -> _T | None:
        """Return the answer to a question; None when it is refused for now, or the connection breaks under it."""
        self._let_it_finish(device)
        clock, heard = self._world.clock, device.heard
        before = len(heard)
        device.want(intent)

        def is_answered() -> bool:
            return len(heard) > before or not device.is_quiet

        if not clock.run_until(clock.now + _PATIENCE_S, is_answered, every=1):
            self._broken(device, f"{intent} was not answered")
        return next((each for each in heard[before:] if isinstance(each, answer)), None)

    def _let_it_finish(self, device: Device) -> None:
        """What the program asked of its own accord is answered first: it would be taken for the answer to the exam."""
        if device.is_asking:
            clock = self._world.clock
            clock.run_until(clock.now + _PATIENCE_S, lambda: not (device.is_asking and device.is_quiet), every=1)

    def _check_list(self, device: WebDevice) -> None:
        """The list that a page keeps by itself is what the log says."""
        self._world.clock.run_until(self._world.clock.now + _LISTED_S)
        self._let_it_finish(device)
        core = device.core
        if not isinstance(core, WebCore) or not device.is_quiet or core.catching_up:
            return
        visible = self._visible(device, surely=False)
        for each in core.view():
            key = each["name"] if each["kind"] == "room" else each["id"]
            rows = [
                row
                for row in visible
                if key == (row.room or (row.to if row.sender_id == core.me.id else row.sender_id))
            ]
            last = each["last"]
            if last is not None and rows and last["seq"] >= rows[-1].seq:
                text = "" if rows[-1].deleted is not None else rows[-1].text
                if last["seq"] != rows[-1].seq or last["text"] not in {text, text[:EXCERPT_CHARS]}:
                    self._broken(device, f"{key} is listed with {last}, and the last is {rows[-1]}")
            unread = [
                row for row in rows if row.sender_id != core.me.id and row.deleted is None and row.seq > each["read"]
            ]
            right = min(len(unread), _UNREAD_MOST)
            if core.account and each["unread"] != right:
                seqs = [row.seq for row in unread]
                self._broken(device, f"{key} has {each['unread']} unread above {each['read']}, and there are {seqs}")
            self._check_window(device, each, rows)

    def _check_window(self, device: WebDevice, listed: dict[str, Any], rows: Sequence[Message]) -> None:
        """A window shows a stretch of the log as it is, without a gap, up to the end where it says so."""
        window = listed["window"]
        if not window["loaded"]:
            return
        shown = {message["seq"]: message for message in window["messages"]}
        if list(shown) != sorted(shown) or len(shown) < len(window["messages"]):
            self._broken(device, f"the window of {listed['name']} has {list(shown)}")
        low = 0 if window["atStart"] else min(shown, default=window["high"])
        high = 2**53 if window["atEnd"] else max(shown, default=0)
        house = self._world.house
        above = house.hears_above(listed["name"], device.core.me.id)[1] if listed["kind"] == "room" else 0
        must = [row.seq for row in rows if max(low, above + 1) <= row.seq <= high]
        if missing := set(must) - set(shown):
            self._broken(device, f"the window of {listed['name']} ({low} to {high}) lacks {missing}: {list(shown)}")
        for row in rows:
            message = shown.get(row.seq)
            if message is not None and (message["text"], message["deleted"]) != (row.text, row.deleted):
                self._broken(device, f"the window of {listed['name']} shows {message}, and the log has {row}")

    # --- the right answers

    def _visible(self, device: Device, *, surely: bool = True) -> list[Message]:
        """What a device may read, or surely can: of its rooms, as far back as it may, and its dialogues."""
        assert device.core is not None
        me, rooms = device.core.me.id, device.core.rooms
        house = self._world.house
        return [
            row
            for row in self._rows
            if (row.room in rooms and row.seq > house.hears_above(row.room, me)[surely])
            or (row.room is None and me in (row.sender_id, row.to))
        ]

    def _check_found(self, device: Device, word: str, found: list[int]) -> None:
        may, must = (
            [
                row.seq
                for row in self._visible(device, surely=surely)
                if row.deleted is None and word in row.text.split()
            ]
            for surely in (False, True)
        )
        if found != sorted(set(found), reverse=True) or not set(must) <= set(found) <= set(may):
            self._broken(device, f"a search for {word!r} found {found}, and there are {must[::-1]}")

    def _check_unread(self, device: Device, told: Sequence[UnreadItem]) -> None:
        assert device.core is not None
        me = device.core.me.id
        by_place: dict[str | int, list[Message]] = {}
        for row in self._visible(device):
            if row.sender_id != me and row.deleted is None:
                by_place.setdefault(row.room or row.sender_id, []).append(row)
        items = {item.room or (item.peer.id if item.peer else 0): item for item in told}
        if len(items) < len(told):
            self._broken(device, f"a place is told twice: {told}")
        for key, item in items.items():
            unread = [row for row in by_place.pop(key, []) if row.seq > item.read_seq]
            mentions = sum(me in row.mentions for row in unread)
            right = (min(len(unread), _UNREAD_MOST), min(mentions, _UNREAD_MOST), unread[0].seq if unread else 0)
            if (item.unread, item.mentions, item.first_seq) != right:
                self._broken(device, f"{key} has {item} not read, and there are {right}")
        marks_of = self._world.storage.transcript.read_marks_of(me)
        for key, rows in by_place.items():
            read_seq = max(marks_of.get(key, 0), self._since(me, key))
            if unread := [row.seq for row in rows if row.seq > read_seq]:
                self._broken(device, f"{unread} of {key} were not read (only up to {read_seq}), and it is not told")

    def _check_conversations(self, device: Device, told: Sequence[ConversationItem]) -> None:
        """Each conversation is listed once, in order, with a last message that is the last; what is unread is right."""
        assert device.core is not None
        rooms = device.core.rooms
        may, must = (self._last_rows(device, surely=surely) for surely in (False, True))
        listed = [item.room if item.peer is None else item.peer.id for item in told]
        people = sorted(key for key in may if isinstance(key, int))
        if listed != [*sorted(rooms), *people]:
            self._broken(device, f"the conversations {listed} are listed, and there are {sorted(rooms)} and {people}")
        for key, item in zip(listed, told, strict=True):
            rows = [row for last in (may, must) if (row := last.get(key)) is not None]
            if key not in must and not item.last_seq:
                continue
            row = next((row for row in rows if row.seq == item.last_seq), None)
            text = "" if row is None or row.deleted is not None else row.text[:EXCERPT_CHARS]
            if row is None or (item.text, item.deleted, _changers(item)) != (
                text, row.deleted is not None, _changers(row),
            ):  # fmt: skip
                self._broken(device, f"{item} is told, and the last is {rows}")
        unread = [
            UnreadItem(item.read_seq, item.unread, item.mentions, item.first_seq, item.room, item.peer)
            for item in told
            if item.unread
        ]
        if device.core.account:
            self._check_unread(device, unread)
        elif unread or any(item.read_seq for item in told):
            self._broken(device, f"a guest is told what is not read: {unread}")

    def _last_rows(self, device: Device, *, surely: bool) -> dict[str | int, Message]:
        assert device.core is not None
        me = device.core.me.id
        return {
            row.room if row.room is not None else (row.to or 0) if row.sender_id == me else row.sender_id: row
            for row in self._visible(device, surely=surely)
        }

    def _since(self, me: int, key: str | int) -> int:
        """Where unread messages begin to count: in rooms from when the account joined them on."""
        if isinstance(key, int) or key == LOBBY:
            return 0
        place = self._world.house.place(key)
        row = None if place is None else self._world.house.membership(place, me)
        return 0 if row is None else row.joined_seq

    def _broken(self, device: Device, what: str) -> NoReturn:
        raise HistoryBroken(f"{device.name}: {what}")


def _changers(told: ConversationItem | Message) -> list[int | None]:
    """Who changed a message that is not theirs, last; once it was deleted, who edited it means nothing."""
    editor = None if told.deleted else told.edited_by
    return [None if person is None else person.id for person in (editor, told.deleted_by)]
