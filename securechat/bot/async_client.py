"""The client for asyncio: the same names as `Client`, with ``await`` and ``async for``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from securechat import model
from securechat.bot.base import Bot, content_of
from securechat.bot.records import (
    AsyncMessage,
    Deleted,
    Disconnected,
    Edited,
    Gap,
    HeardMessage,
    LeftRoom,
    Person,
    Reacted,
    Reconnected,
)
from securechat.client.core import events

_T = TypeVar("_T")
AsyncEvent: TypeAlias = AsyncMessage | Edited | Deleted | Reacted | Gap | LeftRoom | Disconnected | Reconnected


class AsyncClient(Bot):
    """A bot, for programs on asyncio: ``async with AsyncClient.from_environment() as chat``; see `Client`.

    The connection lives on a thread of its own, so a coroutine that computes for a minute loses none.
    """

    async def __aenter__(self) -> Self:
        self._session = await asyncio.to_thread(self._prepare)
        try:
            self._began(self._session, await self._wait(self._session.start()))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye. What is under way gets three seconds."""
        if self._session is not None:
            await asyncio.to_thread(self._session.close)

    async def messages(self, *, own: bool = False) -> AsyncIterator[AsyncMessage]:
        """Yield each message once, in order; see `Client.messages`."""
        async for event in self.events():
            if isinstance(event, AsyncMessage) and (own or not event.own):
                yield event

    async def events(self) -> AsyncIterator[AsyncEvent]:
        """Yield everything that the bot hears, its own messages too; see `Client.messages`."""
        while not self._is_closed:
            if not self._has_more:
                await asyncio.to_thread(self._note, at=0)
            heard = await self._wait(self._next())
            event: AsyncEvent | None
            if isinstance(heard, events.MessageShown):
                event = AsyncMessage(**self._fields(heard), _chat=self)
                await asyncio.to_thread(self._note, at=event.seq)
            else:
                event = self._other(heard)
            if event is not None:
                yield event
            self._took(heard)

    async def join(self, room: str) -> None:
        """Enter a room. Raises Refused."""
        await self._wait(self._live.join(room))

    async def send(self, room: str, text: str, *, reply_to: int | None = None, key: str | None = None) -> int:
        """Send a message to a room; see `Client.send`."""
        return await self._run(self._send_steps(room, text, reply_to, key))

    async def direct(self, name: str, text: str, *, key: str | None = None) -> int:
        """Send a direct message to a person; see `Client.direct`."""
        return await self._run(self._direct_steps(name, text, key))

    async def reply(self, message: HeardMessage, text: str) -> int | None:
        """Answer a message; see `Client.reply`."""
        return await self._run(self._reply_steps(message, text))

    async def edit(self, message: HeardMessage, text: str) -> int:
        """Replace the text of one of the bot's messages. Raises Refused."""
        return await self._run(self._change_steps(message, model.RevisionKind.EDIT, text))

    async def delete(self, message: HeardMessage) -> int:
        """Delete a message. Raises Refused."""
        return await self._run(self._change_steps(message, model.RevisionKind.DELETE))

    async def react(self, message: HeardMessage, emoji: str, *, on: bool = True) -> int:
        """Add a reaction to a message, or take it away. Raises Refused."""
        kind = model.RevisionKind.REACT if on else model.RevisionKind.UNREACT
        return await self._run(self._change_steps(message, kind, emoji=emoji))

    async def history(self, target: str | int, limit: int = 50, *, before: int | None = None) -> list[AsyncMessage]:
        """Return the last messages of a conversation, oldest first; see `Client.history`."""
        return self._made(await self._run(self._history_steps(target, limit, before)))

    async def search(self, query: str, limit: int = 20) -> list[AsyncMessage]:
        """Return the newest messages that match, newest first. Raises Refused."""
        return self._made(await self._run(self._search_steps(query, limit)))

    async def members(self, room: str) -> list[Person]:
        """Return the people who are in a room now. Raises Refused."""
        return await self._run(self._members_steps(room))

    def _made(self, found: list[model.Message]) -> list[AsyncMessage]:
        return [AsyncMessage(**content_of(each), own=each.sender_id == self.me.id, _chat=self) for each in found]

    async def _run(self, steps: Generator[Future[Any], Any, _T]) -> _T:
        try:
            future = next(steps)
            while True:
                try:
                    result = await self._wait(future)
                except Exception as error:  # noqa: BLE001 - the request decides what it means
                    future = steps.throw(error)
                else:
                    future = steps.send(result)
        except StopIteration as done:
            value: _T = done.value
            return value

    async def _wait(self, future: Future[_T]) -> _T:
        return await asyncio.shield(asyncio.wrap_future(future))
