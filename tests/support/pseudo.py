"""``pytest --pseudo``: programs speak the pseudo-locale, and what they say past the catalogue is found.

Each text of the catalogue stands between two marks there (`locales.LEFT` and `locales.RIGHT`). They are removed from
what a test reads, so that its assertions hold as they are, and looked for in what the program wrote:

- a notice (``-- bob joined``) and a sentence behind a program's name without a mark did not come from the catalogue;
- nor did words outside the marks that stand in a text of the source, by four in a row or as the whole of a short text;
- JSON and the operator's log have no marks, because programs read them.

Chat, typed lines, paths, commands and table cells with names and numbers are outside the marks, and are no texts of the
source. A program whose test chooses its language itself keeps it. A test that cannot be run so has the mark
``not_pseudo`` with the reason.
"""

from __future__ import annotations

import ast
import codecs
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from securechat.translation.catalogue import DIRECTORY_VARIABLE
from securechat.translation.languages import FLAG, VARIABLE
from tests.support.locales import LEFT, PSEUDO, RIGHT, ROOT, bracketed, write_pseudo_locale

_MARKS = {ord(LEFT): None, ord(RIGHT): None}
_MARKS_IN_BYTES = tuple(each.encode() for each in (LEFT, RIGHT))
_ENCODING = "pseudo"
_SYSTEM_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")

Command = Sequence[str] | str


class Output:
    """What a program wrote to one of its streams, with the marks."""

    def __init__(self, command: object) -> None:
        self.command = command if isinstance(command, str) else " ".join(map(str, command))  # type: ignore[call-overload]
        self.text = ""
        self._held = b""

    def unmarked(self, data: bytes) -> bytes:
        """Remember the bytes that were read next, and return them without the marks; a part of one waits."""
        data = self._held + data
        cut = next((n for n in (2, 1) if any(data.endswith(mark[:n]) for mark in _MARKS_IN_BYTES)), 0)
        data, self._held = data[: len(data) - cut], data[len(data) - cut :]
        self.text += data.decode(errors="replace")
        for mark in _MARKS_IN_BYTES:
            data = data.replace(mark, b"")
        return data


class _Run:
    """The state of this run."""

    folder: Path | None = None
    outputs: list[Output]
    commands: list[object]


_run = _Run()
_run.outputs, _run.commands = [], []


def install(folder: Path) -> None:
    """Have all programs that are started from now on speak the pseudo-locale."""
    write_pseudo_locale(folder)
    folder.chmod(0o755)  # some tests start programs as another user
    _run.folder = folder
    codecs.register(_codec)
    subprocess.Popen = _Popen  # type: ignore[misc]


def is_installed() -> bool:
    """Tell whether this is a run with the pseudo-locale."""
    return _run.folder is not None


def environment(command: Command, env: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return the environment of a program to be started: None for this process's own."""
    if not _is_ours(command, env):
        return env
    return {**(os.environ if env is None else env), VARIABLE: PSEUDO, DIRECTORY_VARIABLE: str(_run.folder)}


def encoding(command: Command, env: Mapping[str, str] | None) -> str | None:
    """Return the encoding of a program's streams, which removes the marks; None for the usual one."""
    if not _is_ours(command, env):
        return None
    _run.commands.append(command)
    return f"{_ENCODING}_{len(_run.commands) - 1}"


def output(command: Command, env: Mapping[str, str] | None) -> Output | None:
    """Return what takes a program's output, if that is looked at."""
    if not _is_ours(command, env):
        return None
    _run.outputs.append(Output(command))
    return _run.outputs[-1]


def taken() -> list[Output]:
    """Return what was written since the last call."""
    outputs, _run.outputs = _run.outputs, []
    return outputs


def _is_ours(command: Command, env: Mapping[str, str] | None) -> bool:
    if _run.folder is None:
        return False
    if env is not None and (VARIABLE in env or DIRECTORY_VARIABLE in env):
        return env.get(DIRECTORY_VARIABLE) == str(_run.folder)
    if env is not None and any(str(env.get(name, "")).startswith("id") for name in _SYSTEM_VARIABLES):
        return False
    words = command.split() if isinstance(command, str) else command
    return not any(str(word).partition("=")[0] == FLAG for word in words)


# --- Streams without marks --------------------------------------------------------------------------------------------


class _Popen(subprocess.Popen):  # type: ignore[type-arg]
    """`subprocess.Popen`, which starts everything in the pseudo-locale and gives texts without its marks."""

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        env = options.get("env")
        self._is_text = any(options.get(name) for name in ("text", "universal_newlines", "encoding", "errors"))
        self._pseudo = None if self._is_text else output(args, env)
        if self._is_text and options.get("encoding") in (None, "utf-8"):
            options["encoding"] = encoding(args, env) or options.get("encoding")
        options["env"] = environment(args, env)
        super().__init__(args, *rest, **options)

    def communicate(self, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        """Return both outputs, of bytes too, without marks."""
        both = super().communicate(*arguments, **options)
        if self._pseudo is None:
            return both
        return tuple(self._pseudo.unmarked(each) if isinstance(each, bytes) else each for each in both)  # type: ignore[return-value]


def _codec(name: str) -> codecs.CodecInfo | None:
    kind, _underscore, number = name.partition("_")
    if kind != _ENCODING or not number.isdigit():
        return None
    command = _run.commands[int(number)]
    utf8 = codecs.lookup("utf-8")

    def decode(data: bytes, errors: str = "strict") -> tuple[str, int]:
        text, length = utf8.decode(data, errors)
        _run.outputs.append(Output(command))
        _run.outputs[-1].text = text
        return text.translate(_MARKS), length

    class Decoder(codecs.IncrementalDecoder):
        def __init__(self, errors: str = "strict") -> None:
            super().__init__(errors)
            self._utf8 = codecs.getincrementaldecoder("utf-8")(errors)
            self._output = Output(command)

        def decode(self, data: Any, final: bool = False) -> str:
            text = self._utf8.decode(data, final)
            if self._output not in _run.outputs:
                self._output.text = ""
                _run.outputs.append(self._output)
            self._output.text += text
            return text.translate(_MARKS)

        def getstate(self) -> Any:
            return self._utf8.getstate()

        def setstate(self, state: Any) -> None:
            self._utf8.setstate(state)

        def reset(self) -> None:
            self._utf8.reset()

    return codecs.CodecInfo(
        utf8.encode, decode, incrementalencoder=utf8.incrementalencoder, incrementaldecoder=Decoder, name=name
    )


# --- What did not come from the catalogue -----------------------------------------------------------------------------

_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPE = re.compile(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[\x00-\x09\x0b-\x1f\x7f]")
_LOG = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
_NOTICE = re.compile(r"--+ \S|(securechat-(server|client|admin)|gen_certs|dev): ")
_ROW = re.compile(r"-- |\d\d:\d\d ")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_AROUND_WORDS = ".,:;!?()\"'"
_COMMANDS = frozenset({"securechat-admin", "securechat-client", "securechat-server"})
_RUN = 4
"""So many words in a row are no coincidence; a shorter text of the source has to be there as a whole."""
_LEAST_LETTERS = 12


def findings(raw: str) -> Iterator[str]:
    """Find what a person reads that did not come from the catalogue, and what programs read that did."""
    depth = 0
    for line in _ESCAPE.sub("\n", _STYLE.sub("", raw.replace("\r\n", "\n"))).split("\n"):
        if _ROW.match(line) or not line:
            depth = 0  # a sentence whose end was not shown
        begins_inside = depth > 0
        outside, depth = _outside(line, depth)
        if _is_json(line) or _LOG.match(line):
            if begins_inside or outside != line or "\\ufe04" in line:
                yield f"translated, although programs read it: {bracketed(line)}"
        elif _NOTICE.match(outside) and outside == line and not begins_inside:
            yield f"not from the catalogue: {line}"
        elif words := _known_words(outside):
            yield f"not from the catalogue: {words!r} in {bracketed(line)}"


def _outside(line: str, depth: int) -> tuple[str, int]:
    """Return what stands outside the marks, and how many are open at the end."""
    kept = []
    for char in line:
        if char == LEFT:
            depth += 1
            kept.append("\0")
        elif char == RIGHT and depth:
            depth -= 1
        elif char == RIGHT:
            kept = [
                "\0"
            ]  # begun where nothing shows a mark: a line editor drops what takes no cell in the first column
        elif not depth:
            kept.append(char)
    return "".join(kept), depth


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _known_words(outside: str) -> str:
    runs, whole = source_phrases()
    for part in outside.split("\0"):
        words = _words(part)
        for index in range(len(words)):
            for length in (_RUN, 3, 2):
                found = " ".join(words[index : index + length])
                if found in (runs if length == _RUN else whole):
                    return found
    return ""


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case; what is no word, such as a path or command, is an empty text."""
    cleaned = (token.strip(_AROUND_WORDS) for token in text.split())
    return [token.lower() if _WORD.fullmatch(token) and token not in _COMMANDS else "" for token in cleaned]


@lru_cache(maxsize=1)
def source_phrases() -> tuple[frozenset[str], frozenset[str]]:
    """Return the runs of words in the texts of the source, and the texts that are shorter than a run."""
    runs, whole = set(), set()
    for path in (ROOT / "securechat").rglob("*.py"):
        if "testing" not in path.relative_to(ROOT).parts:
            for text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
                for part in re.split(r"\{\{?[^{}]*\}?\}|%\w|\n", text):
                    words = _words(part)
                    found = (words[n : n + _RUN] for n in range(len(words) - _RUN + 1))
                    runs.update(" ".join(each) for each in found if all(each))
                    if 2 <= len(words) < _RUN and all(words) and sum(map(len, words)) >= _LEAST_LETTERS:
                        whole.add(" ".join(words))
    return frozenset(runs), frozenset(whole)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Return every string that is no docstring: what stands alone is one."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value
