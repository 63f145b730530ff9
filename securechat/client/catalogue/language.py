"""Sentences about the language of the client."""

from __future__ import annotations

from securechat.translation import LANGUAGES, _, language


def in_use() -> str:
    """Tell which language is in use, and how to change to the others."""
    now = language()
    others = ", ".join(f"/lang {code} ({name})" for code, name in LANGUAGES.items() if code != now)
    # Translators: {name} is the name of a language in its own words: English, Bahasa Indonesia.
    shown = _("Language: {name} ({code})", name=LANGUAGES.get(now, now), code=now)
    return "\n".join((shown, _("Others: {others}", others=others)))


def changed() -> str:
    """Tell that the language is another one from now on."""
    # Translators: {name} is the name of a language in its own words: English, Bahasa Indonesia.
    return _("From now on: {name}", name=LANGUAGES.get(language(), language()))


def not_kept(why: str) -> str:
    """Tell that the language cannot be remembered."""
    return _("Your language could not be saved. It holds until you quit: {why}", why=why)
