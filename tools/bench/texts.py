"""Messages as people write them, from a seed: several languages, Zipf words, lengths with a long tail, links.

The words are real where they are common and made of syllables where they are rare, because an index cares for how
often words come and how many there are, and for nothing they mean.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import accumulate

RARE_WORD = "quokka"
"""Comes about once in 50,000 messages."""
VOCABULARY = 40_000
"""Words of each language written with spaces."""

_COMMON = {
    "english": "the to and you it is in of that for on we have not but this with be are was can so do at if what just "
    "there will about when they one would like know out from up get time now good see think work meeting deploy server",
    "indonesian": "yang di dan itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada bisa sudah kita "
    "ajar belajar pelajaran mengajar ajaran makan makanan besok rapat kerja pekerjaan tolong terima kasih",
    "vietnamese": "là và của có không được người những một cho trong đã với các để này khi về đi nhưng cũng mình "
    "họp làm việc ngày mai cảm ơn tiếng việt đường phố",
    "german": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
    "er hat dass über größe straße morgen besprechung natürlich",
    "french": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont été café "
    "réunion demain déjà très voilà français",
}
_SYLLABLES = {
    "english": "con ter ing al pre ment ver sta lo ri ca dis tion er un mo na per fi do tra le",
    "indonesian": "me ber ke pe ter di an kan nya ma sa ra ta la ngu ba ja ka su ti",
    "vietnamese": "thanh ngh trư ờng hòa bì nh tuấn phượ ng quyết đị ản ộc ết ươi ầm",
    "german": "ver ge be auf schaft ung heit lich stell über mög büro rei zei kraft mei",
    "french": "tion ment ré pré eur ance con dé ité ble vou ché gran lai nou jou",
}
_SPACELESS = {
    "chinese": (
        "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后",
        0x4E00,
        0x6E00,
    ),
    "japanese": (
        "のにはをたがでてとしれさるいなもかられるのですますこと東京会議明日今日仕事学校お願いしますカタメーテスト",
        0x5000,
        0x6200,
    ),
    "korean": ("이다는에을가의고하지은를한사기아나서해자들로그대오일리어시인회의내안녕세요", 0xAC00, 0xC4B0),
    "thai": ("การที่ไม่มีเป็นของในจะได้และให้มาไปคนนี้ว่าประชุมพรุ่งนี้", 0x0E01, 0x0E2E),
}
_SHARES = {
    "english": 45, "indonesian": 15, "vietnamese": 7, "german": 7, "french": 6, "chinese": 9, "japanese": 6,
    "korean": 3, "thai": 2,
}  # fmt: skip


class Writer:
    """Writes one message after the other.

    Args:
        seed: the same messages for the same seed.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._languages = [_spaced(self._random, name) for name in _COMMON]
        self._languages += [_spaceless(self._random, name) for name in _SPACELESS]
        names = [*_COMMON, *_SPACELESS]
        self._weights = list(accumulate(_SHARES[name] for name in names))

    def text(self) -> str:
        """The next message: half of them have under nine words, one in a thousand more than a hundred."""
        rng = self._random
        (speak,) = rng.choices(self._languages, cum_weights=self._weights)
        text = speak(min(400, 1 + int(rng.lognormvariate(2.05, 0.85))))
        chance = rng.random()
        if chance < 0.03:
            return f"{text} https://example.org/{rng.randrange(10**6)}/page?id={rng.randrange(999)}"
        if chance < 0.05:
            return f"{text} {rng.choice(('🎉', '👍', '😂', '🚀', '❤️'))}"
        if chance < 0.07:
            return f"{text} get_user_{rng.randrange(999)}(self.{rng.choice(('name', 'id', 'room'))})"
        return f"{text} {RARE_WORD}" if chance < 0.07002 else text


def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / (rank + 2.7) ** 1.05 for rank in range(count)))


def _spaced(rng: random.Random, name: str) -> Callable[[int], str]:
    parts = _SYLLABLES[name].split()
    words = list(dict.fromkeys(_COMMON[name].split()))
    words += ["".join(rng.choices(parts, k=rng.choice((2, 2, 3, 3, 4)))) for _ in range(VOCABULARY - len(words))]
    weights = _zipf(len(words))

    def speak(length: int) -> str:
        said = " ".join(rng.choices(words, cum_weights=weights, k=length))
        return said.capitalize() + rng.choice(("", ".", "?", "!"))

    return speak


def _spaceless(rng: random.Random, name: str) -> Callable[[int], str]:
    common, low, high = _SPACELESS[name]
    characters: Sequence[str] = list(dict.fromkeys(common)) + [chr(code) for code in range(low, high)]
    weights = _zipf(len(characters))

    def speak(length: int) -> str:
        said = "".join(rng.choices(characters, cum_weights=weights, k=2 * length))
        return " ".join(said[at : at + 5] for at in range(0, len(said), 5)) if name == "korean" else said

    return speak
