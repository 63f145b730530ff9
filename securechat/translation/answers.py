"""Understands the answers to questions that are answered by yes or no."""

from __future__ import annotations

from securechat.translation.catalogue import LazyText

# Translators: what a person types as an answer; the English word is accepted too.
_YES = LazyText("yes")
# Translators: what a person types as an answer; the English word is accepted too.
_NO = LazyText("no")


def is_yes(answer: str) -> bool:
    """Tell whether an answer is yes: in the language in use, or in English."""
    return answer.strip().casefold() in {_YES.msgid, _YES().casefold()}


def is_no(answer: str) -> bool:
    """Tell whether an answer is no: in the language in use, or in English; an empty one is neither."""
    return answer.strip().casefold() in {_NO.msgid, _NO().casefold()}
