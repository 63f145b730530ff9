"""A library for bots: it connects, verifies, logs in and comes back by itself, and hands out each message once.

>>> from securechat.bot import Client
>>> with Client.from_environment() as chat:  # doctest: +SKIP
...     chat.join("ops")
...     for message in chat.messages():
...         if message.text == "!ping":
...             message.reply("pong")

docs/bots.md explains it. What stands in `__all__` is promised, with its signatures.
"""

from __future__ import annotations

from securechat.bot.async_client import AsyncClient, AsyncEvent
from securechat.bot.client import Client, Event
from securechat.bot.records import (
    AsyncMessage,
    BotError,
    Deleted,
    Disconnected,
    Edited,
    Gap,
    LeftRoom,
    Message,
    Person,
    Reacted,
    Reconnected,
    Refused,
    StartupFailed,
    Stopped,
)

__all__ = [
    "AsyncClient", "AsyncEvent", "AsyncMessage", "BotError", "Client", "Deleted", "Disconnected", "Edited", "Event",
    "Gap", "LeftRoom", "Message", "Person", "Reacted", "Reconnected", "Refused", "StartupFailed", "Stopped",
]  # fmt: skip
