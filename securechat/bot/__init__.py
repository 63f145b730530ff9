"""A library for bots: it connects, verifies, logs in and comes back by itself, and hands out each message once.

>>> from securechat.bot import Client
>>> with Client.from_environment() as chat:  # doctest: +SKIP
...     chat.join("ops")
...     for message in chat.messages():
...         if message.text == "!ping":
...             message.reply("pong")

docs/bots.md explains it. What stands in `__all__` is promised, with its signatures. The client core and the network are
imported when a bot starts: a program that only names the library does not pay for them.
"""

from __future__ import annotations

from securechat.bot.async_client import AsyncClient, AsyncEvent, AsyncFile, AsyncMessage
from securechat.bot.client import Client, Event, File, Message
from securechat.bot.records import (
    BotError,
    CursorNotKept,
    Deleted,
    Disconnected,
    Edited,
    Gap,
    HeardFile,
    HeardMessage,
    LeftRoom,
    Person,
    Reacted,
    Reconnected,
    Refused,
    Sent,
    StartupFailed,
    Stopped,
)

__all__ = [
    "AsyncClient", "AsyncEvent", "AsyncFile", "AsyncMessage", "BotError", "Client", "CursorNotKept", "Deleted",
    "Disconnected", "Edited", "Event", "File", "Gap", "HeardFile", "HeardMessage", "LeftRoom", "Message", "Person",
    "Reacted", "Reconnected", "Refused", "Sent", "StartupFailed", "Stopped",
]  # fmt: skip
