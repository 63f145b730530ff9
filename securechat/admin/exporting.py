"""`export`: writes a room's messages as JSON lines, and their files into a directory beside them.

A running server only records it in the audit. No file is unlinked while they are copied. Each has a directory of its
own, because names repeat, and is named as `save_name` leaves its name; the line of its message tells the path.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct, field

from securechat.admin.backup_archive import holding
from securechat.admin.connection import refusal_sentence
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.file_commands import note, readable, some
from securechat.errors import Refusal
from securechat.storage.files.layout import FileLayout
from securechat.storage.tools.export import export_room, has_room, room_sizes
from securechat.storage.tools.stored_files import copy_file
from securechat.text.file_names import save_name
from securechat.text.names import check_room
from securechat.text.sanitize import one_line
from securechat.translation import _, english, ngettext, nsentence, system_error

_A_LOOK = 10_000
"""Messages between two progress reports."""


def export(context: CommandContext) -> AdminExit:
    """Write a room's messages to a file, or to standard output."""
    options = context.options
    try:
        room = check_room(options.room)
    except Refusal as refusal:
        context.output.failure(refusal_sentence(refusal), refusal.code.value)
        return AdminExit.USAGE
    with contextlib.ExitStack() as stack:
        target = None if options.files is None else _new_directory(Path(options.files))
        if target is not None:  # before the database is read: what it shows stays on the disk from then on
            stack.enter_context(holding(FileLayout(context.data)))
        snapshot = stack.enter_context(readable(context.data))
        if not has_room(snapshot.connection, room):
            raise AdminFailure(
                AdminExit.REFUSED, _("There is no room #{room}. `rooms` lists the rooms", room=room), "not_found"
            )
        total = dict(room_sizes(snapshot.connection)).get(room, 0)
        rows = _watched(context, export_room(snapshot.connection, room), total)
        copied = _Copied()
        if target is not None:
            rows = _with_files(rows, context.data, target, copied)
        if options.to in (None, "-"):
            count = _write(sys.stdout, rows)
        else:
            try:
                file = Path(options.to).open("x", encoding="ascii")  # noqa: SIM115 - closed below
            except FileExistsError as error:
                raise AdminFailure(
                    AdminExit.REFUSED,
                    _("The file {file} exists. Choose another name, or remove it", file=options.to),
                    "file_exists",
                ) from error
            with file:
                count = _write(file, rows)
    note(context, "export", f"#{room}", english(nsentence("{count:number} message", "{count:number} messages", count)))
    if options.to not in (None, "-"):
        sentence = ngettext(
            "Wrote {count:number} message of #{room} to {file}",
            "Wrote {count:number} messages of #{room} to {file}",
            count,
            room=room,
            file=options.to,
        )
        context.output.record({"room": room, "messages": count, "file": options.to}, [sentence])
    if target is not None:
        return _tell_files(context, target, copied)
    return AdminExit.OK


class _Copied(Struct):
    """What became of the files.

    Attributes:
        files: how many were copied.
        missing: names and messages of those that are not on the disk, or not whole.
    """

    files: int = 0
    missing: list[str] = field(default_factory=list)


def _new_directory(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError as error:
        raise AdminFailure(
            AdminExit.REFUSED, _("{directory} exists. Choose another name, or remove it", directory=path), "file_exists"
        ) from error
    except OSError as error:
        raise _unwritten(path, error) from error
    return path


def _unwritten(path: Path, error: OSError) -> AdminFailure:
    return AdminFailure(AdminExit.IO, _("Cannot write {file}: {why}", file=path, why=system_error(error)))


def _with_files(rows: Iterable[dict[str, Any]], data: Path, target: Path, copied: _Copied) -> Iterator[dict[str, Any]]:
    """Copy the files of each row, and add where they are; null for one that is not whole."""
    layout = FileLayout(data)
    for row in rows:
        for place, file in enumerate(row.get("files", ())):
            folder = target / f"{row['seq']}-{place}"
            path = folder / save_name(file["name"])
            try:
                folder.mkdir(mode=0o700)
                is_copied = copy_file(layout, file["id"], bytes.fromhex(file["sha256"]), path)
                if not is_copied:
                    folder.rmdir()
            except OSError as error:
                raise _unwritten(path, error) from error
            file["path"] = path.relative_to(target).as_posix() if is_copied else None
            if is_copied:
                copied.files += 1
            else:
                copied.missing.append(f"{one_line(file['name'])} ({row['seq']})")
        yield row


def _tell_files(context: CommandContext, target: Path, copied: _Copied) -> AdminExit:
    """Tell what became of the files; on standard error, where the messages went to standard output."""
    sentence = ngettext(
        "Copied {count:number} file to {directory}",
        "Copied {count:number} files to {directory}",
        copied.files,
        directory=target,
    )
    sentences = [sentence]
    if copied.missing:
        sentences.append(_("Missing or damaged on the disk: {files}", files=some(copied.missing)))
    if context.options.to in (None, "-"):
        for each in sentences:
            context.output.notice(each)
    else:
        record = {"directory": str(target), "files": copied.files, "missing_files": copied.missing}
        context.output.record(record, sentences)
    return AdminExit.FINDINGS if copied.missing else AdminExit.OK


def _watched(context: CommandContext, rows: Iterable[dict[str, Any]], total: int) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(rows):
        if number % _A_LOOK == 0 and total:
            context.output.progress(_("export"), min(1.0, number / total))
        yield row


def _write(file: TextIO, rows: Iterable[dict[str, Any]]) -> int:
    """Write one object a line, in printable ASCII, so that nothing hostile in a message reaches a terminal."""
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - how many there were
        file.write(json.dumps(row) + "\n")
    return count
