"""What people say: never the same twice, with words to search for, names to mention, and rubbish to choke on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.client.core.state import ConversationId, PersonKey, RoomKey

if TYPE_CHECKING:
    from tests.simulation.device import Device

WORDS = ("tea", "lunch", "deploy", "printer", "café", "会議")
_AT_LIMITS = ("\x01", '"', "\U00020000", "e\u0301", "\ufdfa")
"""What fills a text up to its limit, where that is near: six bytes in JSON, two, four, combining, 18 when folded."""
_FULL = 0.3
"""How many texts are filled."""
_FILLERS = ("", "", "", "", " https://example.org/a?id=7", " \u202edrow\x1b[31m", " two\nlines", " " + "x" * 300)


class Speech:
    """One person's sentences.

    Args:
        number: of the person: no two say the same.
        long_winded: whether they write as much as fits.
    """

    def __init__(self, number: int, *, long_winded: bool) -> None:
        self._number = number
        self._long_winded = long_winded
        self._lines = 0

    def next(self, device: Device, target: ConversationId) -> str:
        """Return something never said before, for a place; where others may not hear it, it names the place."""
        self._lines += 1
        person, rng = device.person, device.person.rng
        most = person.world.pages.text_chars
        filler = " " + "y" * rng.randint(1_500, 3_900) if self._long_winded else rng.choice(_FILLERS)
        words = " ".join(rng.choice(WORDS) for _ in range(rng.choice((1, 1, 2))))
        mention = f" @{rng.choice(person.world.people).name}" if rng.random() < 0.2 else ""
        text = f"{self._number}:{self._lines}{_mark(device, target)} {words}"
        if "small" not in person.world.flavour:
            return f"{text}{mention}{filler}"
        text += mention if len(text + mention) < most else ""
        return filled(text, rng.choice(_AT_LIMITS), most) if rng.random() < _FULL else (text + filler)[:most]


def filled(text: str, filler: str, most: int) -> str:
    """Return a text with as much behind it as fits; what is behind it is a word of its own, or several."""
    return f"{text} {filler * ((most - len(text) - 1) // len(filler))}"


def long_name(name: str, most: int) -> str:
    """Return a name that is as long as can be, four bytes a character, and another one for each that is given."""
    return "".join(chr(0x20000 + ord(char)) for char in name).ljust(most, "\U00020000")


def _mark(device: Device, target: ConversationId) -> str:
    me = device.core.me.id if device.core is not None else 0
    match target:
        case RoomKey(room) if room.startswith("hush"):
            return f" {room}"
        case PersonKey(other) if me and other:
            return f" psst{me}-{other};"
        case _:
            return ""
