#!/usr/bin/env python3
"""Write securechat/web/core/records.js, the wire's records as JSDoc types, from securechat/model; a test compares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from msgspec import inspect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from securechat import model  # noqa: E402  (a checkout works without being installed)
from securechat.errors import ErrorCode  # noqa: E402

RECORDS = ROOT / "securechat" / "web" / "core" / "records.js"
DENO = Path(sys.executable).with_name("deno.exe" if os.name == "nt" else "deno")
_NAMES = {
    model.Message: "Message",
    model.Edited: "Edited",
    model.Deleted: "Deleted",
    model.Reacted: "Reacted",
    model.Ping: "Ping",
    model.Pong: "Pong",
}
_HEAD = """/**
 * The records of the wire, as types, and the fields that the server leaves out. Made by tools/web_records.py.
 *
"""
_FOOT = """
/**
 * Puts the fields in that were left out, here and in what is inside.
 * @template T
 * @param {T} record as it was parsed
 * @param {string} [type] where the record has none of its own
 * @returns {T} the same object, complete
 */
export function complete(record, type = "") {
  const fields = /** @type {Record<string, unknown>} */ (record);
  const known = RECORDS[/** @type {string} */ (fields.t) ?? type];
  if (!known) return record;
  for (const [name, value] of Object.entries(known.defaults ?? {})) {
    const fresh = Array.isArray(value) ? [] : typeof value === "object" && value ? {} : value;
    if (fields[name] === undefined) fields[name] = fresh;
  }
  for (const [name, inside] of Object.entries(known.inside ?? {})) {
    const value = fields[name];
    for (const each of Array.isArray(value) ? value : value ? [value] : []) complete(each, inside);
  }
  return record;
}
"""


class _Writer:
    """Collects the types, each once.

    Attributes:
        types: JSDoc lines by name of the type.
        received: of each record that is received, by its tag: its defaults, and the types of records in its fields.
    """

    def __init__(self) -> None:
        self.types: dict[str, list[str]] = {}
        self.received: dict[str, dict[str, Any]] = {}

    def add(self, record: type, *, received: bool) -> str:
        """Add a record; return its name in JavaScript."""
        name = record.__name__
        info = inspect.type_info(record)
        assert isinstance(info, inspect.StructType)
        if name in self.types and (not received or (str(info.tag or name)) in self.received):
            return name
        lines = [f" * @typedef {{object}} {name}"]
        self.types[name] = lines
        if info.tag is not None:
            lines.append(f' * @property {{"{info.tag}"}} t')
        defaults: dict[str, Any] = {}
        inside: dict[str, str] = {}
        completed = _is_completed(info)
        for each in info.fields:
            value = _default(each)
            may_lack = not (received and completed) and not each.required
            lines.append(
                f" * @property {{{self._type(each.type, received=received)}}} "
                + (f"[{each.encode_name}]" if may_lack else each.encode_name)
                + (f" default {json.dumps(value)}" if may_lack else "")
            )
            if not each.required and completed:
                defaults[each.encode_name] = value
            if received and (of := _struct_in(each.type)) is not None:
                inside[each.encode_name] = of.__name__
        if received:
            kept = {"defaults": defaults, "inside": inside}
            self.received[str(info.tag or name)] = {key: value for key, value in kept.items() if value}
        return name

    def _type(self, kind: inspect.Type, *, received: bool) -> str:  # noqa: PLR0911 - one flat match
        match kind:
            case inspect.UnionType(types):
                return " | ".join(dict.fromkeys(self._type(each, received=received) for each in types))
            case inspect.NoneType():
                return "null"
            case inspect.BoolType():
                return "boolean"
            case inspect.IntType() | inspect.FloatType():
                return "number"
            case inspect.StrType() | inspect.EnumType():
                return "string"
            case inspect.LiteralType(values):
                return " | ".join(json.dumps(value) for value in values)
            case inspect.ListType(item) | inspect.VarTupleType(item):
                of = self._type(item, received=received)
                return f"({of})[]" if " " in of else f"{of}[]"
            case inspect.TupleType(items):
                return f"[{', '.join(self._type(each, received=received) for each in items)}]"
            case inspect.DictType(_, value):
                return f"Record<string, {self._type(value, received=received)}>"
            case inspect.StructType(cls):
                return self.add(cls, received=received)
            case _:
                raise TypeError(f"no JavaScript for {kind}")


def _default(each: inspect.Field) -> Any:
    value = each.default_factory() if callable(each.default_factory) else each.default
    if each.required:
        return None
    return list(value) if isinstance(value, tuple) else int(value) if isinstance(value, float) else value


def _is_completed(info: inspect.StructType) -> bool:
    """Tell whether the page puts in what was left out; not into the many small records that lack but a false."""
    return any(not each.required and each.default is not False for each in info.fields)


def _struct_in(kind: inspect.Type) -> type | None:
    """Return the record in a field that has defaults of its own, or of one that is in it."""
    match kind:
        case inspect.StructType(cls, fields=fields):
            return cls if _is_completed(kind) or any(_struct_in(each.type) is not None for each in fields) else None
        case inspect.ListType(item):
            return _struct_in(item)
        case inspect.UnionType(types):
            return next((found for each in types if (found := _struct_in(each)) is not None), None)
        case _:
            return None


def _union(name: str, members: Iterable[str]) -> str:
    return f" * @typedef {{{' | '.join(members)}}} {name}"


def text() -> str:
    """Return the module."""
    writer = _Writer()
    events = [writer.add(each, received=True) for each in get_args(model.Event)]
    commands = [writer.add(each, received=False) for each in get_args(model.Command)]
    lines = [line for each in writer.types.values() for line in (*each, " *")]
    lines.append(_union("MessageChange", ("Edited", "Deleted", "Reacted")))
    lines.append(_union("LogEntry", ("Message", "MessageChange")))
    lines.append(_union("ErrorCode", (json.dumps(code.value) for code in ErrorCode)))
    lines.append(_union("Event", events))
    lines.append(_union("Command", commands))
    rows = (f"  {json.dumps(name)}: {json.dumps(known)}," for name, known in writer.received.items() if known)
    table = "{\n" + "\n".join(rows) + "\n}"
    made = (
        f"{_HEAD}{chr(10).join(lines)}\n */\n\n"
        "// deno-fmt-ignore\n"
        "/** @type {Record<string, {defaults?: Record<string, unknown>, inside?: Record<string, string>}>} */\n"
        f"const RECORDS = {table};\n{_FOOT}"
    )
    return formatted(made)


def formatted(made: str) -> str:
    """Return JavaScript as `deno fmt` leaves it."""
    command = [str(DENO), "fmt", "--config", str(ROOT / "tools" / "deno.json"), "--ext", "js", "-"]
    environment = {"DENO_NO_UPDATE_CHECK": "1", "HOME": "/nonexistent", "DENO_DIR": "/nonexistent"}
    done = subprocess.run(command, input=made, capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def main() -> None:
    """Write the file."""
    RECORDS.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
