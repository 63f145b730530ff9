"""The texts that are written and not sent, by conversation: kept over a restart, as far as there is room.

A text belongs to a room by name, or to a person by number and name, of one account on one server, which has a file of
its own (unsent_store.py). It is a message that is being written, an edit of an own message, or a message that is on its
way. The longest unchanged texts are dropped first where there are too many.

A number means the same person in one log only. So a text of an earlier run is in the dialogue with a person again when
number and name are known to belong together, as they did then; a text for another name, and every one of another log,
comes back as a command that names the person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.text.names import name_key

MOST_TEXTS = 200
"""Texts kept: conversations with an unsent text, or an edit."""
MOST_CHARS = 16_000
"""Of one text: four messages of the longest kind, so that one that is too long is kept while it is shortened."""
MOST_BYTES = 256 * 1024
"""Of all texts, in UTF-8; and once more of those on their way."""
_SOMEONE: Final = "@"
"""Where a text belongs that was written for a person of another log."""
_EDIT: Final = "edit "
"""Before the key of an edit; no key of a conversation begins so."""


class UnsentText(Struct, frozen=True, omit_defaults=True):
    """A text that is not sent.

    Attributes:
        where: its conversation: ``#`` and the room's name (`name_key`), ``@`` and the sender_id, or ``@`` alone.
        text: what is written.
        name: of the person, when it was written.
        seq: of the message that is edited; 0 for a message of its own.
        sent_at_ms: of that message: in another log the number is of another one.
        was: the text of that message, when the edit began.
    """

    where: str
    text: str
    name: str = ""
    seq: int = 0
    sent_at_ms: int = 0
    was: str = ""


class UnsentRecord(Struct, frozen=True):
    """All unsent texts of an account.

    Attributes:
        through: a seq of the log: what was shown up to here was durable. A log that ends before it is another one.
        texts: the one changed last stands last.
    """

    through: int = 0
    texts: tuple[UnsentText, ...] = ()


class UnsentTexts:
    """The unsent texts of one account on one server.

    Args:
        record: those kept before.

    Attributes:
        changed: whether they differ from what was given, or taken by `all`.
        through: as in `UnsentRecord`.
    """

    def __init__(self, record: UnsentRecord | None = None) -> None:
        self._kept: dict[str, UnsentText] = {}
        self._stored: dict[str, UnsentText | None] = {}  # of those that are not stored as they are: what is instead
        self._of_people: list[UnsentText] = []  # of an earlier run or another log
        self._waiting: tuple[UnsentText, ...] = ()
        self._names: dict[int, str] = {}
        self.changed = False
        self.through = record.through if record is not None else 0
        self._asked = False
        for each in record.texts if record is not None else ():
            if each.where.startswith(_SOMEONE):
                self._of_people.append(each)
            else:
                self._add(each, before=False)
        self.changed = False
        self._bound()

    # --- messages that are written ------------------------------------------------------------------------------------

    def get(self, target: ConversationId) -> str:
        """Return the text of a conversation; empty for none."""
        kept = self._kept.get(_key(target))
        return "" if kept is None else kept.text

    def put(self, target: ConversationId, text: str, name: str = "", *, private: bool = False) -> None:
        """Keep the text of a conversation; an empty one is forgotten.

        Args:
            target: the conversation.
            text: what is written.
            name: of the person of a dialogue.
            private: it may be a password: it is kept in memory only, and what was stored before stays in the file.
        """
        self._put(_key(target), target, UnsentText(_key(target), text[:MOST_CHARS], name), private=private)

    def edit(self, target: ConversationId) -> UnsentText | None:
        """Return the edit of a message of a conversation."""
        return self._kept.get(_EDIT + _key(target))

    def put_edit(self, target: ConversationId, edit: UnsentText | None, *, private: bool = False) -> None:
        """Keep the edit of a message of a conversation, or forget it; ``where`` is filled in here."""
        key = _key(target)
        text = UnsentText(key, "") if edit is None else replace(edit, where=key, text=edit.text[:MOST_CHARS])
        self._put(_EDIT + key, target, text, private=private)

    def renamed(self, old: str, room: RoomKey) -> None:
        """A room has another name; its texts go with it."""
        before, key = _room_key(old), _key(room)
        for prefix in ("", _EDIT):
            if (kept := self._kept.pop(prefix + before, None)) is not None and before != key:
                self._stored.pop(prefix + before, None)
                self._kept[prefix + key] = replace(kept, where=key)
                self.changed = True
            elif kept is not None:
                self._kept[prefix + key] = kept

    def waiting_are(self, waiting: Iterable[tuple[ConversationId | None, UnsentText]]) -> None:
        """Take what is submitted and not durable, by conversation, None for a name alone; ``where`` is filled in."""
        texts = tuple(
            replace(each, where=_SOMEONE if target is None else _key(target)) for target, each in waiting if each.text
        )
        if texts != self._waiting:
            self._waiting = texts
            self.changed = True

    # --- people -------------------------------------------------------------------------------------------------------

    def person_name(self, person_id: int) -> str:
        """Return the name that a person had when a text was written; empty for none."""
        return self._names.get(person_id, "")

    def keep_for(self, name: str, text: str, before: str = "") -> None:
        """Keep a text for a person of another log, instead of what of it was kept ``before``."""
        old = next((each for each in self._of_people if (each.name, each.text) == (name, before)), None)
        if before and old is not None:
            self._of_people.remove(old)
        if text.strip():
            self._of_people.append(UnsentText(_SOMEONE, text[:MOST_CHARS], name))
        self.changed = True
        self._bound()

    def another_log(self) -> bool:
        """Numbers mean other people and messages from now on; tell whether a text is concerned.

        An edit in a room becomes a text of that room.
        """
        concerned = any(each.where != _SOMEONE for each in self._of_people)
        self._of_people = [replace(each, where=_SOMEONE, seq=0) for each in self._of_people]
        for key, each in list(self._kept.items()):
            if each.where.startswith(_SOMEONE):
                del self._kept[key]
                self._of_people.append(replace(each, where=_SOMEONE, seq=0))
                concerned = True
        for key, each in list(self._kept.items()):
            if each.seq:
                del self._kept[key]
                self._add(replace(each, seq=0, sent_at_ms=0, was=""))
                concerned = True
        self._stored.clear()
        self.changed = self.changed or concerned
        return concerned

    def recognise(self, name_of: Callable[[int], str | None]) -> set[ConversationId]:
        """Put texts of an earlier run where the number has the name of then; returns these dialogues."""
        found: set[ConversationId] = set()
        for each in reversed(list(self._of_people)):
            person_id = _person_id(each.where)
            name = name_of(person_id) if person_id else None
            if name is not None and each.name and name_key(name) == name_key(each.name):
                self._of_people.remove(each)
                self._names[person_id] = name
                self._add(each)
                found.add(PersonKey(person_id))
        return found

    def take_for_other(self, name_of: Callable[[int], str | None]) -> UnsentText | None:
        """Take a text out whose number is known to have another name now, or no meaning any more; None for none."""
        for each in self._of_people:
            person_id = _person_id(each.where)
            if each.name and (not person_id or name_of(person_id) is not None):
                self._of_people.remove(each)
                self.changed = True
                return each
        return None

    # --- all of them --------------------------------------------------------------------------------------------------

    def take_over(self, written: UnsentTexts) -> None:
        """Take what was written before these were read: it stands above them."""
        for key, each in written._kept.items():
            if each.seq:
                self._kept[key] = each
            else:
                self._add(each)
        self._names = written._names | self._names
        self._waiting = written._waiting
        self._bound()

    def all(self) -> UnsentRecord:
        """Return all texts, to be written; they count as unchanged then."""
        self.changed = self._asked = False
        stored = (self._stored.get(key, each) for key, each in self._kept.items())
        waiting, size = [], 0
        for each in reversed(self._waiting[-MOST_TEXTS:]):
            size += _bytes_of(each)
            if size > MOST_BYTES:
                break
            waiting.append(each)
        texts = (*self._of_people, *reversed(waiting), *(each for each in stored if each is not None))
        return UnsentRecord(self.through, texts)

    def wants_storing(self) -> bool:
        """Tell whether they are to be written: once after they have changed, and again once `all` was taken."""
        wants, self._asked = self.changed and not self._asked, self.changed
        return wants

    def _put(self, key: str, target: ConversationId, text: UnsentText, *, private: bool) -> None:
        if isinstance(target, PersonKey):
            name = text.name or self._names.get(target.person_id, "")
            text = replace(text, name=name)
            if name:
                self._names[target.person_id] = name
        before = self._kept.get(key)
        if private and text.text:
            self._stored.setdefault(key, before)
        elif before is not None and before.text == text.text and before.seq == text.seq:
            self.changed = self._stored.pop(key, before) != before or self.changed
            return
        else:
            self._stored.pop(key, None)
        if before is None and not text.text:
            return
        self._kept.pop(key, None)
        if text.text:
            self._kept[key] = text
        self.changed = self.changed or not private or not text.text
        self._bound()

    def _add(self, each: UnsentText, *, before: bool = True) -> None:
        """Put a text with what its conversation has: above or below its text; of two edits the first is a text then."""
        if each.seq:
            known = self._kept.pop(_EDIT + each.where, None)
            self._kept[_EDIT + each.where] = each
            if known is not None and known.seq != each.seq:
                self._add(replace(known, seq=0, sent_at_ms=0, was=""))
        else:
            known = self._kept.pop(each.where, None)
            texts = (each.text, known.text if known is not None else "")
            text = "\n".join(filter(None, texts if before else reversed(texts)))
            self._kept[each.where] = replace(each, text=text[:MOST_CHARS])
        self.changed = True

    def _bound(self) -> None:
        size = sum(map(_bytes_of, self._kept.values())) + sum(map(_bytes_of, self._of_people))
        while len(self._kept) + len(self._of_people) > MOST_TEXTS or size > MOST_BYTES:
            if self._of_people:
                size -= _bytes_of(self._of_people.pop(0))
            else:
                key = next(iter(self._kept))
                size -= _bytes_of(self._kept.pop(key))
                self._stored.pop(key, None)
            self.changed = True


def _key(target: ConversationId) -> str:
    return _room_key(target.room) if isinstance(target, RoomKey) else f"{_SOMEONE}{target.person_id}"


def _room_key(room: str) -> str:
    return f"#{name_key(room)}"


def _person_id(where: str) -> int:
    digits = where.removeprefix(_SOMEONE)
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _bytes_of(each: UnsentText) -> int:
    return sum(len(part.encode("utf-8", "surrogatepass")) for part in (each.where, each.text, each.name, each.was))
