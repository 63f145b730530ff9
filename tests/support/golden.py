"""Reads the golden vectors: frames and records that every version of the protocol must keep understanding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from securechat import model
from securechat.errors import ErrorCode

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def vectors(side: str, kind: str) -> list[dict[str, Any]]:
    """Return the vectors of one side (command, event) and kind (record, accepted, refused, closed, skipped)."""
    return [row for row in all_vectors() if row["side"] == side and row["kind"] == kind]


def all_vectors() -> list[dict[str, Any]]:
    """Return every vector of the native protocol."""
    return _read("native_v1.jsonl")


def web_vectors(side: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the vectors of WebSocket frames, of one side (client, server) and some kinds or all.

    Kinds: record; handled, which the codec answers by itself; closed, which end the connection; closing, last words.
    """
    return [row for row in _read("web_v1.jsonl") if row["side"] == side and (not kinds or row["kind"] in kinds)]


def _read(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file; the bytes of a frame stand there as hex, or as pairs of hex and a repetition."""
    rows = [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["bytes"] = frame_bytes(row["frame"])
    return rows


def frame_bytes(frame: str | list[list[Any]]) -> bytes:
    """Return what the ``frame`` of a vector stands for."""
    if isinstance(frame, str):
        return bytes.fromhex(frame)
    return b"".join(bytes.fromhex(piece) * times for piece, times in frame)


def build(value: Any) -> Any:
    """Return the record that a vector describes by class and field names."""
    if isinstance(value, list):
        return [build(each) for each in value]
    if not isinstance(value, dict) or "fields" not in value:
        return value
    fields = {name: build(each) for name, each in value["fields"].items()}
    if "marks" in fields:
        fields["marks"] = [tuple(mark) for mark in fields["marks"]]
    if "features" in fields:
        fields["features"] = tuple(fields["features"])
    if "code" in fields and fields["code"] is not None:
        fields["code"] = ErrorCode(fields["code"])
    return getattr(model, value["type"])(**fields)
