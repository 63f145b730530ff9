"""Sentences in two clauses: what is wrong with a certificate or a file, and what mends it.

A line shows both, as ``server.pem: holds no private key; put it in the same file``; a table has a column for each.
"""

from __future__ import annotations

from securechat.translation import N_, Sentence


class ProblemSentence(Sentence):
    """Both clauses in one sentence.

    Args:
        what: what is wrong.
        advice: what to do about it.
    """

    __slots__ = ("advice", "what")

    what: str
    advice: str

    def __new__(cls, what: str, advice: str) -> ProblemSentence:
        """Join the two."""
        # Translators: what is wrong, and what to do about it; the semicolon stays, because tables split there
        made = super().__new__(cls, N_("{what}; {advice}"), what=what, advice=advice)
        assert isinstance(made, ProblemSentence)
        made.what, made.advice = what, advice
        return made


def in_two(text: str) -> tuple[str, str]:
    """Return what is wrong and what to do, each to be translated by itself; no advice where the text has none."""
    return (text.what, text.advice) if isinstance(text, ProblemSentence) else (text, "")
