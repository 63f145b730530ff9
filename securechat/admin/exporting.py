"""`export`: writes a room's messages as JSON lines; a running server only records it in the audit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from securechat.admin.connection import refusal_sentence
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.file_commands import note, readable
from securechat.errors import Refusal
from securechat.storage.tools.export import export_room, has_room, room_sizes
from securechat.text.names import check_room
from securechat.translation import _, english, ngettext, nsentence

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
    with readable(context.data) as snapshot:
        if not has_room(snapshot.connection, room):
            raise AdminFailure(
                AdminExit.REFUSED, _("There is no room #{room}. `rooms` lists the rooms", room=room), "not_found"
            )
        total = dict(room_sizes(snapshot.connection)).get(room, 0)
        rows = _watched(context, export_room(snapshot.connection, room), total)
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
    return AdminExit.OK


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
