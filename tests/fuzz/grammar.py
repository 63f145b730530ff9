"""Records made from their types: legal, at a limit, or with one thing wrong; a new record is fuzzed as it is added.

A value comes from the field's name where the name means something (a room, a seq, a query), and from its type and
constraints otherwise. One record in a mood has at most one bad field, because a record with two is refused for the
first. Everything is drawn from one `random.Random`; numbers that a server has given out are taken from `KnownServer`.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, TypeAlias

import msgspec
from msgspec import inspect

from securechat.model import Command
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD, WRONG_PASSWORD

Pairs: TypeAlias = list[tuple[str, Any]]
"""The fields of a record in their order; a list, because a peer may name a field twice."""

MAX_ID = 2**53 - 1
EXPANDING = "\ufdfa"
"""One code point that NFKC makes eighteen of: what judges a length before it expands judges the wrong one."""
HOSTILE = (
    EXPANDING, "\u202e", "\u2066\u2069", "\u0301", "e\u0301\u0302\u0303", "\x00", "\x1b[2J", "\x7f", "\u200b", "\ufeff",
    "ﬁ", "İ", "ß", "\u2800", "\u3164", "𐐷", "𠀀", "👩‍👩‍👧‍👦", "\u2028", "\r\n", "\t", "\\", '"', "/", "#", "@",
    ":", "_", "-", "İ",
    "\uffff", "\U0010ffff", "가", "\u0600", "\x85",
)  # fmt: skip
NAMES = (
    "ann", "budi", "Çelik", "user1 pc", "user1_pc", "ΣΑΣ", "ann " + "x" * 28, "𐐷" * 32, "𠀀" * 31 + "a", "o'neil",
    "가나다", "раѵраl", "a" * 32, "Zoë", "42",
)  # fmt: skip
ROOMS = ("lobby", "ops", "#ops", "OPS", "dev", "𐐷" * 64, "r" * 64, "가", "plans-2026", "straße", "quiet", "a.b", "x_y")
WORDS = (
    "deploy", "printer", "coffee", "server", "broken", "again", "friday", "ops", "https://example.org/x",
    "std::move", "naïve",
    "東京", "über",
)  # fmt: skip
SIGNS = ("👍", "+1", "🎉", "👩‍👩‍👧‍👦", "ok", "\u0301", "x" * 16, "𐐷" * 16, "🏳️‍🌈", "?", "1", "é")
QUERIES = (
    "deploy", "depl*", '"coffee server"', "from:ann", 'from:"user1 pc" printer', "in:#ops", "in:lobby broken",
    "has:link",
    "before:2026-11-20", "after:2024", "after:today", "before:yesterday from:@ann", "has:cats", "from:", '"',
    "*", "in:a in:b",
    "after:2026-13-45", "before:0000", "NEAR(a b)", "a AND b OR c NOT d", "東京", " ".join(WORDS), "x " * 30,
    "from:a " * 30, "-", "^a",
)  # fmt: skip
KEYS = ("alert1", "alert2", "build42", "K" * 128)
"""Of messages: few, so that the same one comes again; in letters and digits, which are legal base64 too."""
TARGETS = (
    "127.0.0.10",
    "127.0.0.11/32",
    "10.0.0.0/8",
    "192.168.1.7",
    "2001:db8::/32",
    "::1/129",
    "1.2.3",
    "300.1.1.1/33",
    "[::]",
)


class Verbatim(str):
    """JSON that stands for itself."""

    __slots__ = ()


class Speaker(Protocol):
    """Who a record is made for."""

    sender_id: int
    rooms: set[str]
    mine: deque[tuple[int, str | None, int | None]]

    def next_ref(self) -> int:
        """A number that no other request of this connection has."""

    def next_client_id(self) -> int:
        """The number after that of the last draft."""


class Known:
    """What all peers of a run know: numbers and names that exist or did, and the commands that none has sent yet.

    Attributes:
        unsent: names of the commands that the server has not read from any peer. They are drawn before others, because
            by chance alone a busy machine now and then leaves one out.
    """

    def __init__(self) -> None:
        self.names: deque[str] = deque(NAMES, maxlen=40)
        self.people: deque[int] = deque([1], maxlen=40)
        self.entries: deque[tuple[int, str | None, int | None]] = deque([(1, "lobby", None)], maxlen=200)
        self.longest: deque[tuple[int, str | None, int | None]] = deque(maxlen=6)
        self.logins: deque[int] = deque([1], maxlen=40)
        self.tokens: deque[str] = deque(["0" * 32], maxlen=20)
        self.invites: deque[str] = deque(["f" * 32], maxlen=20)
        self.unsent = {kind.__name__ for kind in kinds_of(Command)}


class Grammar:
    """Makes records.

    Args:
        dice: where every choice comes from.
        known: what exists.
        expanding: whether texts may hold what grows when it is normalised.
    """

    def __init__(self, dice: random.Random, known: Known, *, expanding: bool = True) -> None:
        self.dice = dice
        self.known = known
        self._hostile = tuple(each for each in HOSTILE if expanding or each != EXPANDING)
        self._expanding = expanding

    # --- records

    def record(self, kind: Any, speaker: Speaker) -> Pairs:
        """A record of this kind: four in ten legal, three with a field at its limit, three with a bad one."""
        info = inspect.type_info(kind)
        pairs: Pairs = [(kind.__struct_config__.tag_field, kind.__struct_config__.tag)]
        fields = [each for each in info.fields if each.required or self.dice.random() < 0.5]  # type: ignore[attr-defined]
        odd = self.dice.choice(fields) if fields and self.dice.random() < 0.6 else None
        for each in fields:
            if each is not odd:
                value = self._meaningful(each.encode_name, each.type, speaker)
            elif self.dice.random() < 0.5:
                value = self._at_limit(each.type)
            else:
                value = self._bad(each.type)
            pairs.append((each.encode_name, value))
        return pairs

    def spoilt(self, pairs: Pairs) -> Pairs | Verbatim:
        """The same with its shape broken: a field gone, twice, unknown, nested without end; or no object at all."""
        dice, pairs = self.dice, list(pairs)
        match dice.randrange(8):
            case 0:
                del pairs[dice.randrange(len(pairs))]
            case 1:
                pairs.append((dice.choice(pairs)[0], self._anything()))
            case 2:
                pairs.insert(
                    dice.randrange(len(pairs) + 1), (dice.choice(["x", "", "T", "\x00", "room"]), self._anything())
                )
            case 3:
                depth = dice.choice([3, 60, 900, 1100, 20_000])
                opening = dice.choice(["[", '{"a":'])
                pairs.append(("x", Verbatim(opening * depth + "1" + {"[": "]"}.get(opening, "}") * depth)))
            case 4:
                pairs[0] = (pairs[0][0], dice.choice(["nonsense", "", None, 7, ["say"], "SAY", "welcome", "msg"]))
            case 5:
                dice.shuffle(pairs)
            case 6:
                at = dice.randrange(len(pairs))
                pairs[at] = (pairs[at][0], self._anything())
            case _:
                return Verbatim(
                    dice.choice(
                        ["null", "[]", "7", '"say"', "{}", "", " ", "{", "\ufeff{}", '{"t":"say"', "[{}]", "nul"]
                    )
                )
        return pairs

    def body(self, pairs: Pairs | Verbatim) -> bytes:
        """The JSON of a record; escaped or not, now and then with a lone surrogate or with blanks around."""
        ascii_only = self.dice.random() < 0.5
        text = str(pairs) if isinstance(pairs, Verbatim) else _object(pairs, ascii_only=ascii_only)
        if self.dice.random() < 0.05:
            text = " \n" * self.dice.choice([1, 50, 2000]) + text + "\t"
        return text.encode("utf-8", "surrogatepass") or b" "

    # --- texts

    def text(self) -> str:
        """A message as people write it, or as an attacker does."""
        dice = self.dice
        match dice.choices(range(6), (50, 15, 15, 10, 6, 4))[0]:
            case 0:
                return " ".join(dice.choices(WORDS, k=dice.randint(1, 12)))
            case 1:
                return f"@{dice.choice(self.known.names)} {dice.choice(WORDS)} @{dice.choice(NAMES)}"
            case 2:
                return "".join(dice.choices(self._hostile, k=dice.randint(1, 30)))
            case 3:
                return "".join(self._mention() for _ in range(dice.choice([1, 5, 40, 300])))[:4000]
            case 4:
                return dice.choice(["x", "\x01", "𐐷", "é", " ", "\n", '"']) * dice.choice([1, 1000, 3999, 4000, 4001])
            case _:
                return dice.choice(self._hostile) * dice.choice([64, 1000, 4000])

    def _mention(self) -> str:
        """An unused name, and words that could belong to it: each another, so that nothing is known of it."""
        dice = self.dice
        odd = EXPANDING if self._expanding and dice.random() < 0.5 else dice.choice(self._hostile)
        name = odd * dice.randint(1, 6) + chr(0xAC00 + dice.randrange(11_000))
        return f"@{name}{dice.choice(['. ', ' ', '_x ', '! a b '])}"

    def name(self) -> str:
        """A name that is used, was used, or was never."""
        dice = self.dice
        match dice.randrange(5):
            case 0 | 1:
                return dice.choice(self.known.names)
            case 2:
                return dice.choice(NAMES)
            case 3:
                return f"guest {dice.randrange(1000)}"
            case _:
                return dice.choice(WORDS)[:3] + dice.choice(self._hostile) * dice.choice([1, 5, 32, 128])

    def room(self, speaker: Speaker) -> str:
        """A room one is in, another, or none."""
        dice = self.dice
        match dice.randrange(8):
            case 0 | 1 | 2 | 3 if speaker.rooms:
                return dice.choice(sorted(speaker.rooms))
            case 4:
                return f"room{dice.randrange(60)}"
            case 5:
                return "r" + dice.choice(self._hostile) * dice.choice([1, 3, 64, 200])
            case _:
                return dice.choice(ROOMS)

    # --- values

    def _meaningful(self, name: str, info: Any, speaker: Speaker) -> Any:
        """A value that fits the field's name; by its type where the name says nothing."""
        dice, known = self.dice, self.known
        choose: dict[str, Callable[[], Any]] = {
            "ref": lambda: speaker.next_ref() if dice.random() < 0.95 else dice.randrange(4),
            "cid": lambda: self._client_id(speaker),
            "room": lambda: self.room(speaker),
            "rooms": lambda: [self.room(speaker) for _ in range(dice.choice([1, 1, 2, 5]))],
            "name": self.name,
            "text": self.text,
            "topic": lambda: self.text()[:300],
            "reason": lambda: self.text()[:300],
            "detail": lambda: self.text()[:300],
            "label": lambda: self.text()[:64],
            "client": lambda: self.text()[:64],
            "query": self.query,
            "sign": lambda: dice.choice(SIGNS),
            "key": lambda: dice.choice([*KEYS, self.hex()]),
            "password": self._password,
            "old": self._password,
            "new": self._password,
            "token": lambda: dice.choice([*known.tokens, self.hex()]),
            "invite": lambda: dice.choice([*known.invites, self.hex()]) if _is_text(info) else dice.randrange(1, 40),
            "login": lambda: dice.choice(known.logins),
            "target": lambda: dice.choice([self.name(), dice.choice(TARGETS)]),
            "duration_s": lambda: dice.choice([0.1, 1, 2.5]),
        }
        for each in ("to", "peer", "person"):
            choose[each] = lambda: self._person(speaker)
        for each in ("seq", "reply", "after", "before", "around"):
            choose[each] = lambda: self._seq(speaker) if not _is_text(info) else self.room(speaker)
        return choose[name]() if name in choose else self._legal(info)

    def query(self) -> str:
        """A search, with operators."""
        made = " ".join(self.dice.choices((*QUERIES, *WORDS), k=self.dice.randint(1, 3)))
        return made[:500] if self.dice.random() < 0.9 else self.text()[:500] or "x"

    def hex(self) -> str:
        """An unused secret."""
        return f"{self.dice.getrandbits(128):032x}"

    def _password(self) -> str:
        return self.dice.choices(
            (PASSWORD, OTHER_PASSWORD, WRONG_PASSWORD, "short", "é" * 128, "\x00" * 9, self._hostile[0] * 64),
            (8, 4, 4, 2, 1, 1, 1),
        )[0]

    def _client_id(self, speaker: Speaker) -> int:
        following = speaker.next_client_id()
        match self.dice.choices(range(5), (88, 5, 3, 3, 0.2))[0]:
            case 0:
                return following
            case 1:
                return max(0, following - 1)
            case 2:
                return self.dice.randrange(following + 1)
            case 3:
                return following + self.dice.choice([1, 1000])
            case _:
                return MAX_ID

    def _person(self, speaker: Speaker) -> int:
        return self.dice.choice(
            [self.dice.choice(self.known.people), self.dice.randrange(30), speaker.sender_id, MAX_ID]
        )

    def _seq(self, speaker: Speaker) -> int:
        entries = speaker.mine if speaker.mine and self.dice.random() < 0.4 else self.known.entries
        return max(0, min(MAX_ID, self.dice.choice(entries)[0] + self.dice.choice([0, 0, 0, 1, -1, 50, 10**6])))

    def _legal(self, info: Any) -> Any:
        dice = self.dice
        match info:
            case inspect.Metadata():
                return self._legal(info.type)
            case inspect.UnionType():
                return self._legal(dice.choice(info.types))
            case inspect.IntType():
                low, high = _range(info)
                return dice.choice(
                    [low, min(high, low + dice.randrange(100)), dice.randint(low, min(high, low + 10**6))]
                )
            case inspect.FloatType():
                return dice.choice([0.5, 1, 30.25])
            case inspect.StrType(pattern=str() as pattern):
                return ("sha256:" if "sha256" in pattern else "") + self.hex() * (2 if "64" in pattern else 1)
            case inspect.StrType():
                return (self.text() or "x")[: info.max_length]
            case inspect.BoolType():
                return dice.random() < 0.5
            case inspect.NoneType():
                return None
            case inspect.LiteralType():
                return dice.choice(info.values)
            case inspect.EnumType():
                return dice.choice([each.value for each in info.cls])
            case inspect.ListType():
                return [
                    self._legal(info.item_type)
                    for _ in range(dice.randint(info.min_length or 0, min(info.max_length or 5, 5)))
                ]
            case _:
                raise TypeError(f"no values for {info}: teach grammar.py")

    def _at_limit(self, info: Any) -> Any:
        """The least and the most that the type allows."""
        dice = self.dice
        match info:
            case inspect.Metadata():
                return self._at_limit(info.type)
            case inspect.UnionType():
                return self._at_limit(dice.choice(info.types))
            case inspect.IntType():
                low, high = _range(info)
                return dice.choice([low, low + 1, high - 1, high])
            case inspect.FloatType():
                return dice.choice([0, 0.0, 1e-300, 1e300, 2**53, Verbatim("1E+2")])
            case inspect.StrType(pattern=None):
                longest = info.max_length or 5000
                size = dice.choice([info.min_length or 0, 1, longest // 18, longest // 2, longest - 1, longest])
                return dice.choice(["x", "\x01", *self._hostile])[:1] * size
            case inspect.ListType():
                size = dice.choice([info.min_length or 0, info.max_length or 100])
                return (
                    [self._at_limit(info.item_type)] * size
                    if dice.random() < 0.5
                    else [f"room{n}" for n in range(size)]
                )
            case _:
                return self._legal(info)

    def _bad(self, info: Any) -> Any:
        """One more or less than the type allows, or something else altogether."""
        dice = self.dice
        match info:
            case inspect.Metadata():
                return self._bad(info.type)
            case inspect.UnionType() if dice.random() < 0.7:
                return self._bad(info.types[0])
            case inspect.IntType() if dice.random() < 0.5:
                low, high = _range(info)
                return dice.choice([low - 1, high + 1, 2**63, 2**64, -(2**63) - 1])
            case inspect.StrType() if dice.random() < 0.5:
                return dice.choice(["x", "𐐷", self._hostile[0]]) * ((info.max_length or 5000) + 1)
            case inspect.ListType() if dice.random() < 0.5:
                return ["r"] * ((info.max_length or 100) + 1)
            case _:
                return self._anything()

    def _anything(self) -> Any:
        """A value that no field is waiting for."""
        return self.dice.choice([
            None, True, False, -1, 0, 1.0, 1.5, 1e300, "", "x", "\ud800", "\udc00x", "\x00", [], {}, [[]],
            {"t": "say"}, [None] * 50,
            float("nan"), Verbatim("1e999"), Verbatim("-0"), Verbatim("1" * 400), Verbatim("0x10"),
            Verbatim("01"), "9" * 40,
            Verbatim("9007199254740992"), Verbatim("1.0e1"), Verbatim('"\\u12"'), "7",
        ])  # fmt: skip


def _object(pairs: Pairs, *, ascii_only: bool) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{_value(value, ascii_only=ascii_only)}" for key, value in pairs) + "}"


def _value(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_value(each, ascii_only=ascii_only) for each in value) + "]"
    return json.dumps(value.value if isinstance(value, Enum) else value, ensure_ascii=ascii_only)


def _range(info: Any) -> tuple[int, int]:
    low = info.ge if info.ge is not None else -(2**53)
    high = info.le if info.le is not None else info.lt - 1 if info.lt is not None else 2**53
    return low, high


def _is_text(info: Any) -> bool:
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return any(isinstance(each, inspect.StrType) for each in types)


def kinds_of(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """Every record of a closed union, in an order that does not change."""
    return tuple(sorted(union.__args__, key=lambda kind: str(kind.__struct_config__.tag)))
