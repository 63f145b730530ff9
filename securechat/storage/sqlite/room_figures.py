"""Counts the messages of rooms and finds the time of the last one, for administrators."""

from __future__ import annotations

import msgspec

from securechat.records.queries import RoomFigures
from securechat.storage.sqlite.history import HistoryReader
from securechat.storage.store import ROOM_MESSAGES_MOST

_FIGURES = f"""
SELECT json_group_array(json_array(room, messages, ifnull(last_at_ms, 0))) FROM (
    SELECT room,
        (SELECT count(*) FROM (SELECT 1 FROM messages AS m WHERE m.conversation = c.conversation
            LIMIT {ROOM_MESSAGES_MOST})) AS messages,
        (SELECT sent_at_ms FROM messages WHERE seq = (
            SELECT max(seq) FROM messages AS m WHERE m.conversation = c.conversation)) AS last_at_ms
    FROM json_each(:rooms) CROSS JOIN conversations AS c ON room = value)
"""  # noqa: S608  # only our own number is put in

_decode = msgspec.json.Decoder(list[tuple[str, int, int]]).decode


def room_figures(reader: HistoryReader, rooms: tuple[str, ...]) -> list[RoomFigures]:
    """Return the figures of those of the rooms that ever had a message, or that have a record.

    Raises:
        QueryTooExpensive: it took more than one query may.
        apsw.Error: the database cannot be read.
    """
    found = _decode(reader.ask(_FIGURES, {"rooms": msgspec.json.encode(rooms).decode()}))
    return sorted((RoomFigures(*row) for row in found), key=lambda figures: figures.room)
