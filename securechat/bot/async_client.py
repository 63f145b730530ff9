"""The client for asyncio: the same names as `Client`, with ``await`` and ``async for``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from securechat.bot.base import MOST_READ_BYTES, Bot, Steps
from securechat.bot.records import (
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
    Sent,
    Stopped,
)

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class AsyncFile(HeardFile):
    """A file of a message that `AsyncClient` hands out."""

    _chat: AsyncClient = field(repr=False, compare=False)

    async def save(self, place: str | os.PathLike[str] | None = None) -> Path:
        """Write the file to this machine; see `File.save`."""
        return await self._chat._run(self._chat._save_steps(self, place))

    async def read(self, most_bytes: int = MOST_READ_BYTES) -> bytes:
        """Return the bytes of the file; see `File.read`."""
        return await self._chat._run(self._chat._read_steps(self, most_bytes))


@dataclass(frozen=True, kw_only=True)
class AsyncMessage(HeardMessage):
    """A message that `AsyncClient` hands out."""

    _chat: AsyncClient = field(repr=False, compare=False)

    files: tuple[AsyncFile, ...] = ()

    async def reply(
        self, text: str = "", *, files: Sequence[str | os.PathLike[str]] = (), as_file: bool = False
    ) -> Sent | None:
        """Answer the message, in its room or dialogue; see `Client.reply`."""
        return await self._chat.reply(self, text, files=files, as_file=as_file)

    async def react(self, emoji: str) -> int:
        """React to the message; see `Client.react`."""
        return await self._chat.react(self, emoji)


AsyncEvent: TypeAlias = AsyncMessage | Edited | Deleted | Reacted | Gap | LeftRoom | Disconnected | Reconnected


class AsyncClient(Bot):
    """A bot, for programs on asyncio: ``async with AsyncClient.from_environment() as chat``; see `Client`.

    The connection lives on a thread of its own, so a coroutine that computes for a minute loses none.
    """

    async def __aenter__(self) -> Self:
        session, folder = await self._aside(self._prepare)
        self._session = session
        try:
            me = await self._wait(session.start())
            await self._aside(self._began, session, folder, me)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye; a loop over `messages` ends. What is under way gets three seconds."""
        self._closed = True
        if self._session is not None:
            await self._aside(self._session.close)

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def messages(self, *, own: bool = False, bots: bool = False) -> AsyncIterator[AsyncMessage]:
        """Yield each message once, in order; see `Client.messages`."""
        async for event in self._hear(own=own, bots=bots):
            if isinstance(event, AsyncMessage):
                yield event

    async def events(self) -> AsyncIterator[AsyncEvent]:
        """Yield everything that the bot hears, its own and other bots' messages too; see `Client.messages`."""
        async for event in self._hear(own=True, bots=True):
            yield event

    async def _hear(self, *, own: bool, bots: bool) -> AsyncIterator[AsyncEvent]:
        while True:
            self._ended()
            if not self._live.waiting:
                await self._aside(self._keep)
            try:
                heard = await self._wait(self._next())
            except Stopped:
                await self._aside(self._keep)
                if self._closed:
                    return
                raise
            is_wanted = self._begins(heard, own=own, bots=bots)
            if is_wanted and heard.fields is not None:
                await self._aside(self._keep)
            self._handed_out(heard)
            if is_wanted and heard.fields is not None:
                yield self._message(heard.fields)
            elif is_wanted and heard.event is not None:
                yield heard.event

    # --- doing --------------------------------------------------------------------------------------------------------

    async def join(self, room: str) -> None:
        """Enter a room. Raises Refused."""
        await self._wait(self._live.join(room))

    async def send(
        self,
        room: str,
        text: str = "",
        *,
        reply_to: int | None = None,
        key: str | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent:
        """Send a message to a room; see `Client.send`."""
        return await self._run(self._send_steps(room, text, reply_to, key, files, as_file=as_file))

    async def direct(
        self,
        name: str,
        text: str = "",
        *,
        key: str | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent:
        """Send a direct message to a person; see `Client.direct`."""
        return await self._run(self._direct_steps(name, text, key, files, as_file=as_file))

    async def reply(
        self,
        message: HeardMessage,
        text: str = "",
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent | None:
        """Answer a message; see `Client.reply`."""
        return await self._run(self._reply_steps(message, text, files, as_file=as_file))

    async def edit(self, message: HeardMessage | Sent, text: str) -> int:
        """Replace the text of one of the bot's messages; see `Client.edit`."""
        return await self._run(self._edit_steps(message, text))

    async def delete(self, message: HeardMessage | Sent) -> int:
        """Delete a message; see `Client.delete`."""
        return await self._run(self._delete_steps(message))

    async def react(self, message: HeardMessage | Sent, emoji: str, *, on: bool = True) -> int:
        """Add a reaction to a message, or take it away; see `Client.react`."""
        return await self._run(self._react_steps(message, emoji, on=on))

    # --- asking -------------------------------------------------------------------------------------------------------

    async def history(self, target: str | int, limit: int = 50, *, before: int | None = None) -> list[AsyncMessage]:
        """Return the last messages of a conversation, oldest first; see `Client.history`."""
        return self._made(await self._run(self._history_steps(target, limit, before)))

    async def search(self, query: str, limit: int = 20) -> list[AsyncMessage]:
        """Return the newest messages that match, newest first. Raises Refused."""
        return self._made(await self._run(self._search_steps(query, limit)))

    async def members(self, room: str) -> list[Person]:
        """Return the people who are in a room now. Raises Refused."""
        return await self._run(self._members_steps(room))

    def _made(self, found: list[dict[str, Any]]) -> list[AsyncMessage]:
        return [self._message(fields) for fields in found]

    def _message(self, fields: dict[str, Any]) -> AsyncMessage:
        files = tuple(AsyncFile(**file, _chat=self) for file in fields.get("files", ()))
        return AsyncMessage(**{**fields, "files": files}, _chat=self)

    async def _run(self, steps: Steps[_T]) -> _T:
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

    async def _aside(self, do: Callable[..., _T], *arguments: Any) -> _T:
        """Wait for what would hold up the event loop, such as a disk."""
        return await asyncio.to_thread(do, *arguments)

    async def _wait(self, future: Future[_T]) -> _T:
        waited = asyncio.wrap_future(future)
        waited.add_done_callback(_retrieve_exception)  # asyncio logs what nothing retrieves after a cancelled wait
        return await asyncio.shield(waited)


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
