"""PRECIS string preparation (RFC 8264) with bounded work per text.

The profiles come from a library; three measures around them are ours, because remote users choose the texts:

* NFKC expands one code point to up to 18 (U+FDFA), so the length is checked again after the mapping, and a text that
  grows too far is rejected before all of it is normalised.
* The library looks up Unicode's tables anew for every code point (1.8 us); `_ALLOWED` caches those that the free-form
  class allows in every position, at most _MOST_REMEMBERED entries.
* Two contextual rules examine the whole text for each code point they apply to, which is quadratic. Their answer is the
  same for every occurrence, so they are applied to the first only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

from precis_i18n import get_profile
from precis_i18n.derived import FREE_PVAL, PVALID, derived_property

NICKNAME_PRESERVED: Final = get_profile("NicknameCasePreserved")
"""RFC 8266: the form of a name that is shown."""
NICKNAME_MAPPED: Final = get_profile("NicknameCaseMapped:CaseFold")
"""RFC 8266: the form of a name that is compared."""
OPAQUE_STRING: Final = get_profile("OpaqueString")
"""RFC 8265, section 4.2: a password."""

_ALLOWED: set[str] = set()
_MOST_REMEMBERED = 8_192
"""Code points; some 0.8 MiB. When full, the cache is cleared: refilling 8,192 takes 15 ms, spread over many texts."""
_LETTERS = re.compile("[\u3400-\u4db5\u4e00-\u9fef\uac00-\ud7a3\U00017000-\U000187ec\U00020000-\U0002a6d6]+")
"""Ideographs and Hangul syllables, 80,000 code points that the class allows everywhere: too many to remember."""
_STRETCH = 8
"""Code points normalised before the growth is judged: 8 of the worst take 25 us."""
_MERGED = 8
"""Code points by which a chunk can shrink through its neighbours: a mark or a jamo joins the one before."""
_WHOLE_TEXT = re.compile("[\u30fb\u0660-\u0669\u06f0-\u06f9]")
"""Katakana middle dot and the two sets of Arabic digits (RFC 5892, appendices A.7 to A.9)."""
_NEUTRAL = "-"
"""An allowed character without script or joining behaviour: contextual rules treat it like those it stands for."""


class TooLong(Exception):
    """The text has more code points than allowed, before or after the mapping."""


def enforce(profile: object, text: str, most_chars: int) -> str:
    """Apply a profile to a text.

    Args:
        profile: one of this module's; all have the free-form class.
        text: anything; the caller has checked its raw length.
        most_chars: code points that the result may have.

    Raises:
        TooLong: it would have more.
        UnicodeEncodeError: the profile does not allow the text; ``object[start]`` is the code point.
    """
    if grows_beyond(text, most_chars, "NFC" if profile is OPAQUE_STRING else "NFKC"):
        raise TooLong
    assert hasattr(profile, "apply_five_rules") and hasattr(profile, "idempotence_check")
    value = str(profile.idempotence_check(profile.apply_five_rules(text)))
    if len(value) > most_chars:
        raise TooLong
    if not value or not _is_allowed(value):
        _refuse_disallowed(profile, text, value)
    return value


def grows_beyond(text: str, most_chars: int, form: Literal["NFC", "NFKC"] = "NFKC") -> bool:
    """Tell, at a bounded cost, whether a text is certainly longer than so many code points once it is normalised.

    A text that passes may still grow to at most ``(most_chars + 8) / 8`` times its present length.
    """
    if len(text) <= _STRETCH:  # as almost every word is: a third of the time
        return len(unicodedata.normalize(form, text)) > most_chars + _MERGED
    return any(
        len(unicodedata.normalize(form, text[at : at + _STRETCH])) > most_chars + _MERGED
        for at in range(0, len(text), _STRETCH)
    )


def _is_allowed(value: str) -> bool:
    """Whether every code point is allowed in every position."""
    if _ALLOWED.issuperset(value):
        return True
    if len(_ALLOWED) > _MOST_REMEMBERED:
        _ALLOWED.clear()
    ucd = NICKNAME_PRESERVED.base.ucd
    fresh = set(_LETTERS.sub("", value)) - _ALLOWED
    allowed = {char for char in fresh if derived_property(ord(char), ucd)[0] in (PVALID, FREE_PVAL)}
    _ALLOWED.update(allowed)
    return len(allowed) == len(fresh)


def _refuse_disallowed(profile: object, text: str, value: str) -> None:
    """Apply the contextual rules; raises UnicodeEncodeError as the profile does."""
    assert hasattr(profile, "enforce") and hasattr(profile, "base") and hasattr(profile, "name")
    if not value:
        profile.enforce(text)  # empty: let the library say so
    seen: set[str] = set()

    def first_only(found: re.Match[str]) -> str:
        if found[0] in seen:
            return _NEUTRAL
        seen.add(found[0])
        return found[0]

    profile.base.enforce(_WHOLE_TEXT.sub(first_only, value), profile.name)
