"""The language of everything that a person reads: gettext catalogues, and formats from CLDR.

English is the language of the source: a text is its own key (GNU gettext's ``msgid``), and what a catalogue lacks is
shown in English. What programs read stays English and stable: logs, JSON, exit codes, the names of commands and flags.

- `_`, `ngettext`, `pgettext` translate at once, where a sentence is shown.
- `LazyText` is a constant that is translated when it is used; tables and module constants hold these.
- `Sentence` is the text of an error: a str in English, for logs, which `translated` shows to a person.

This package uses the standard library only and imports nothing of the product: `tools/dev.py` uses it before anything
is installed.
"""

from __future__ import annotations

from securechat.translation.answers import is_no, is_yes
from securechat.translation.catalogue import (
    N_,
    LazyText,
    Sentence,
    _,
    english,
    formatted,
    language,
    ngettext,
    nsentence,
    pgettext,
    sentence_of,
    translated,
    translator,
    use,
    verbatim,
)
from securechat.translation.languages import LANGUAGES, chosen, flag_value, given
from securechat.translation.system_errors import system_error

__all__ = [
    "LANGUAGES",
    "N_",
    "LazyText",
    "Sentence",
    "_",
    "chosen",
    "english",
    "flag_value",
    "formatted",
    "given",
    "is_no",
    "is_yes",
    "language",
    "ngettext",
    "nsentence",
    "pgettext",
    "sentence_of",
    "system_error",
    "translated",
    "translator",
    "use",
    "verbatim",
]
