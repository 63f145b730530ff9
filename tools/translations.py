#!/usr/bin/env python3
"""Keep the catalogues of ``securechat/locale``: extract the texts of the source, check the translations, compile them.

    python tools/translations.py update    take new and changed texts of the source into both catalogues
    python tools/translations.py check     find what is missing, stale or does not fit; exit code 1 when anything is
    python tools/translations.py compile   write the .mo files, and messages.LANGUAGE.json for the page

An installation compiles by itself (tools/build_backend.py), and so do the tests. Translators edit the .po files alone.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import javascript_texts
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "securechat" / "locale"
WEB = ROOT / "securechat" / "web"
REFUSALS = {
    ROOT / "securechat" / "text" / "refusals.py": "REASONS",
    ROOT / "securechat" / "text" / "file_refusals.py": "FILE_REASONS",
    ROOT / "securechat" / "text" / "program_refusals.py": "PROGRAM_REASONS",
}
"""The table of refusals and its part, by file."""
LANGUAGES = ("en", "id")
PLURALS = {"en": "(n != 1)", "id": "0"}
KEYWORDS: Mapping[str, Any] = {
    "_": None,
    "N_": None,
    "LazyText": None,
    "Sentence": None,
    "ngettext": (1, 2),
    "nsentence": (1, 2),
    "pgettext": ((1, "c"), 2),
    "_unit": (2, 3),
}
SOURCES = (("securechat", "**.py"), ("tools", "dev.py"), ("tools", "gen_certs.py"))
HEADER = "# securechat in {language}. Texts come from the source: see tools/translations.py.\n"
FIELD = re.compile(r"\{(\w*(?::[a-z]+)?)\}|(%(?:\(\w+\))?[a-z])")
"""A field of ours, or one of argparse's."""
PAGE = "securechat/web/"
"""Where the page's own texts come from; beside them it has the refusals."""
NOT_FOR_MEMBERS = re.compile(
    r"admin_|.*certificate|fingerprint_proves|key_proof|frame_|record_(?:type|invalid)|protocol_unknown|hello_repeated"
    r"|announcement_|days_out|duration_out|invite_(?:days|uses)|network_invalid|no_address|not_muted"
    r"|unknown_(?:account|ban|invite|member|session)|too_many_invites|message_(?:fragments|not_text)|websocket_|hello_"
    r"|command_invalid|field_invalid|text_half|draft_|secret_|unsupported_version|(?:change|jump)_without|question_under"
    r"|bot_(?:is|removed|stopped)|bots_of|hook_needs_m|key_of|maker_has|no_such_(?:bot|token)|token_(?!name)"
    r"|webhook_storage|goodbye$|replaced$|password_needed|already_registered|connection_ended|record_gone|text_empty|name_empty"
)
"""Reasons that only the operator, a client with a certificate or a faulty one meets; the page says them in English."""

ARGPARSE_TEXTS = (
    "usage: ",
    "options",
    "positional arguments",
    "show this help message and exit",
    "show program's version number and exit",
    "%(prog)s: error: %(message)s\n",
    "argument %(argument_name)s: %(message)s",
    "unrecognized arguments: %s",
    "the following arguments are required: %s",
    "expected one argument",
    "expected at least one argument",
    "not allowed with argument %s",
    "one of the arguments %s is required",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "invalid %(type)s value: %(value)r",
    "ignored explicit argument %r",
    "ambiguous option: %(option)s could match %(matches)s",
)
"""The words of Python's argparse that our programs show; argparse looks them up in our catalogue."""


def extracted() -> Catalog:
    """Return every text of the source, with the files it stands in."""
    catalog = Catalog(project="securechat", charset="utf-8")
    for folder, pattern in SOURCES:
        found = extract_from_dir(
            ROOT / folder,
            [(pattern, "python")],
            keywords=KEYWORDS,
            comment_tags=("Translators:",),
            strip_comment_tags=True,
        )
        for name, _line, message, comments, context in found:
            if name.startswith("testing/"):
                continue
            catalog.add(message, None, [(f"{folder}/{name}", None)], auto_comments=comments, context=context)
    for path in sorted(WEB.rglob("*.js")):
        for call in javascript_texts.calls(path.read_text(encoding="utf-8")):
            if call.literals is not None:
                comments = [call.comment] if call.comment else []
                where = [(path.relative_to(ROOT).as_posix(), None)]
                catalog.add(call.message, None, where, auto_comments=comments, context=call.context)
    for text in ARGPARSE_TEXTS:
        catalog.add(text, None, [("argparse", None)])
    return catalog


def catalogue_path(language: str) -> Path:
    """Return the .po file of a language."""
    return LOCALES / language / "LC_MESSAGES" / "securechat.po"


def read(language: str) -> Catalog:
    """Return the catalogue of a language; an empty one where there is none yet."""
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language, project="securechat", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def key(message: Message) -> tuple[str, tuple[str, ...]]:
    """Return what identifies a text: its context and its English forms."""
    return message.context or "", forms(message.id)


def forms(value: Any) -> tuple[str, ...]:
    """Return the forms of a text or translation."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def entries(catalog: Catalog) -> Iterator[Message]:
    """Return the texts of a catalogue, without its header."""
    return (message for message in catalog if message.id)


def updated(language: str, source: Catalog) -> bytes:
    """Return the .po file of a language with the texts of the source: translations that still fit are kept."""
    known = {key(message): message.string for message in entries(read(language))}
    fresh = Catalog(locale=language, charset="utf-8", project="securechat", header_comment="")
    for message in sorted(entries(source), key=lambda each: (min(each.locations)[0], key(each))):
        string = message.id if language == "en" else known.get(key(message), "")
        if language == "id" and isinstance(message.id, tuple):
            string = forms(string)[:1] if string else ("",)
        fresh.add(
            message.id,
            string,
            sorted({(name, None) for name, _line in message.locations}),
            auto_comments=message.auto_comments,
            context=message.context,
        )
    return serialized(language, fresh)


def serialized(language: str, catalog: Catalog) -> bytes:
    """Return a .po file: no dates, names or line numbers, which would differ without a reason."""
    import io  # noqa: PLC0415

    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, omit_header=True, include_lineno=False)
    header = (
        HEADER.format(language=language)
        + 'msgid ""\nmsgstr ""\n'
        + f'"Language: {language}\\n"\n'
        + '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        + f'"Plural-Forms: nplurals={1 if language == "id" else 2}; plural={PLURALS[language]};\\n"\n\n'
    )
    return header.encode() + buffer.getvalue().strip() + b"\n"


def problems(language: str, source: Catalog) -> Iterator[str]:
    """Find what is missing, stale or does not fit in the catalogue of a language."""
    path = catalogue_path(language).relative_to(ROOT)
    if f"plural={PLURALS[language]};" not in catalogue_path(language).read_text(encoding="utf-8"):
        yield f"{path}: the rule for plural forms is not {PLURALS[language]}"
    known = {key(message): message for message in entries(read(language))}
    wanted = {key(message): message for message in entries(source)}
    for each in sorted(wanted.keys() - known.keys()):
        yield f"{path}: {each[1][0]!r} is missing. Run: python tools/translations.py update"
    for each in sorted(known.keys() - wanted.keys()):
        yield f"{path}: {each[1][0]!r} is no longer in the source. Run: python tools/translations.py update"
    for each in sorted(known.keys() & wanted.keys()):
        message = known[each]
        strings = forms(message.string)
        if not all(strings):
            yield f"{path}: {each[1][0]!r} is not translated"
            continue
        if message.fuzzy:
            yield f"{path}: {each[1][0]!r} is marked fuzzy. Check it and remove the mark"
        most = max((sorted(FIELD.findall(form)) for form in each[1]), key=len)
        for string in strings:
            if sorted(FIELD.findall(string)) != most and not (len(strings) > 1 and language == "en"):
                yield f"{path}: the fields of {each[1][0]!r} differ in its translation: {string!r}"
            if (string[:1] == " ", string[-1:] in " \n") != (each[1][0][:1] == " ", each[1][0][-1:] in " \n"):
                yield f"{path}: only one of {each[1][0]!r} and its translation begins or ends with a space"


def compile_catalogues(target: Path = LOCALES, web: Path = WEB) -> None:
    """Write the .mo file of each language, and its messages.LANGUAGE.json; each file appears at once, or not.

    Args:
        target: the folder for the .mo files.
        web: the folder for what the page reads. English needs none.
    """
    for language in LANGUAGES:
        catalog = read(language)
        folder = target / language / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f"securechat.mo.{os.getpid()}"
        with scratch.open("wb") as file:
            write_mo(file, catalog)
        scratch.replace(folder / "securechat.mo")
        if language != "en":
            scratch = web / f"messages.{language}.json.{os.getpid()}"
            made = page(language, catalog)
            short = {**made, "texts": shortened(made["texts"]), "refusals": shortened(made["refusals"])}
            scratch.write_text(json.dumps(short, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
            scratch.replace(page_path(language, web))


def page_path(language: str, web: Path = WEB) -> Path:
    """Return the catalogue of the page in a language."""
    return web / f"messages.{language}.json"


def page(language: str, catalog: Catalog) -> dict[str, Any]:
    """Return what the page needs to speak a language; `securechat/web/ui/i18n.js` describes it as Catalog."""
    texts: dict[str, str | list[str]] = {}
    translations = {}
    for message in entries(catalog):
        name = forms(message.id)[0]
        strings = forms(message.string)
        translations[name] = strings[0]
        if all(strings) and any(where.startswith(PAGE) for where, _line in message.locations):
            several = isinstance(message.id, tuple)
            texts[f"{message.context}\4{name}" if message.context else name] = list(strings) if several else strings[0]
    refusals = {
        reason: translations[text]
        for reason, text in reasons().items()
        if translations.get(text) and not NOT_FOR_MEMBERS.match(reason)
    }
    return {"language": language, "texts": texts, "refusals": refusals}


def shortened(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts or refusals of a page by short keys: the English texts stand in its modules already.

    Raises:
        ValueError: two have the same key; one of them needs another word.
    """
    short = {short_key(text): translated for text, translated in texts.items()}
    if len(short) < len(texts):
        raise ValueError("two texts or two refusals of the page have the same short key")
    return short


def short_key(text: str) -> str:
    """Return the key of a text: FNV-1a of its UTF-16, in base 36; `shortKey` of `securechat/web/ui/i18n.js`."""
    units = text.encode("utf-16-le")
    value = 0x811C9DC5
    for at in range(0, len(units), 2):
        value = (value ^ int.from_bytes(units[at : at + 2], "little")) * 0x01000193 & 0xFFFFFFFF
    digits = ""
    value %= 36**4
    while value:
        value, digit = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


def reasons() -> dict[str, str]:
    """Return the English sentences of `securechat.text.refusals` by reason: read, because nothing is installed yet."""
    return {reason: text for path, name in REFUSALS.items() for reason, text in _rows_of(path, name).items()}


def _rows_of(path: Path, table: str) -> dict[str, str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == table and node.value is not None:
            rows: Any = node.value
            pairs = [each for each in zip(rows.keys, rows.values, strict=True) if each[0] is not None]  # None: a **part
            return {reason.value: ast.literal_eval(row.elts[1].args[0]) for reason, row in pairs}
    raise LookupError(f"{path} has no {table}")


def is_stale() -> bool:
    """Tell whether a catalogue was changed after it was compiled."""
    for language in LANGUAGES:
        source = catalogue_path(language)
        made = [source.with_suffix(".mo"), *([page_path(language)] if language != "en" else [])]
        newest = max(each.stat().st_mtime_ns for each in (source, *REFUSALS))
        if any(not each.exists() or each.stat().st_mtime_ns < newest for each in made):
            return True
    return False


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code."""
    if arguments == ["update"]:
        source = extracted()
        for language in LANGUAGES:
            catalogue_path(language).parent.mkdir(parents=True, exist_ok=True)
            catalogue_path(language).write_bytes(updated(language, source))
        return 0
    if arguments == ["check"]:
        source = extracted()
        found = [each for language in LANGUAGES for each in problems(language, source)]
        print("\n".join(found) or "Both catalogues are complete")
        return 1 if found else 0
    if arguments == ["compile"]:
        compile_catalogues()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
