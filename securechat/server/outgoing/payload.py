"""The body of a delivery: a message as JSON, under the promise that fields are only added.

The form is that of Standard Webhooks ("Payload structure"): ``type``, ``timestamp``, ``data``. `docs/bots.md`
explains each field to receivers, and `tests/golden/webhook_v1.jsonl` holds the bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from securechat.model import Message

TYPE: Final = "message.posted"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class PayloadSender(Struct, frozen=True):
    """The sender of a message, in a payload.

    Attributes:
        id: its sender_id, which never changes.
        name: its name when it sent the message.
        bot: whether it is a program.
    """

    id: int
    name: str
    bot: bool


class PayloadFile(Struct, frozen=True):
    """A file of a message, in a payload; its bytes are read over the API.

    Attributes:
        id: its number.
        name: as the message shows it.
        size: bytes.
        type: a media type by its name.
    """

    id: str
    name: str
    size: int
    type: str


class PayloadMessage(Struct, frozen=True):
    """A message of a room, in a payload.

    Attributes:
        room: the room's name, without ``#``.
        seq: the message's place in the log.
        text: may contain any character.
        sender: who sent it.
        mentions: the sender_ids of the members that it mentions.
        reply: the seq of the message that it answers; absent when it answers none.
        files: its files, which the last lines of the text name; absent when it has none.
    """

    room: str
    seq: int
    text: str
    sender: PayloadSender
    mentions: list[int]
    reply: int | UnsetType = UNSET
    files: list[PayloadFile] | UnsetType = UNSET


class Payload(Struct, frozen=True):
    """The body of a delivery.

    Attributes:
        type: ``message.posted``; receivers skip types that they do not know.
        timestamp: when the log stored the message: ISO 8601, UTC, milliseconds.
        data: the message.
    """

    type: str
    timestamp: str
    data: PayloadMessage


def payload_of(message: Message, *, bot: bool) -> bytes:
    """Return the body for a message of a room.

    It takes at most 6 bytes for a character of its text, some 500 besides, and some 700 for a file.

    Args:
        message: with a room.
        bot: whether its sender is a program.

    Raises:
        ValueError: it is a direct message, which no webhook gets.
    """
    if message.room is None:
        raise ValueError("a direct message is not delivered to webhooks")
    data = PayloadMessage(
        message.room,
        message.seq,
        message.text,
        PayloadSender(message.sender_id, message.name, bot),
        list(message.mentions),
        UNSET if message.reply is None else message.reply,
        [PayloadFile(file.id, file.name, file.size, file.type) for file in message.files] or UNSET,
    )
    return msgspec.json.encode(Payload(TYPE, _timestamp(message.sent_at_ms), data))


def delivery_id(hook: str, message: Message) -> str:
    """Return the ``webhook-id`` of the delivery of a message by a hook: the same at every attempt, in any run.

    The seq alone does not tell messages apart: a server that was restored from a backup gives the seqs behind it once
    more, to others. Time and sender of a message never change, and its text does, by an edit.

    Args:
        hook: a random text that the hook got when it was made and keeps, so that ids of two servers differ.
        message: what is delivered.
    """
    told = f"securechat webhook {hook} {message.seq} {message.sent_at_ms} {message.sender_id}"
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _timestamp(at_ms: int) -> str:
    at = _EPOCH + dt.timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
