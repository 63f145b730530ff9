"""The blocking client: ``with Client.from_environment() as chat: for message in chat.messages(): ...``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
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
_POLL_S = 0.5
"""Between two looks for Ctrl-C while waiting: Windows cannot interrupt a longer wait."""


@dataclass(frozen=True, kw_only=True)
class File(HeardFile):
    """A file of a message that `Client` hands out."""

    _chat: Client = field(repr=False, compare=False)

    def save(self, place: str | os.PathLike[str] | None = None) -> Path:
        """Write the file to this machine; returns where it is. Never over another file: ``name (1).ext`` then.

        Args:
            place: a folder, in which it gets its own name, made safe; or a path in one. By default the user's
                downloads folder.

        Raises:
            Refused: it is not there any more (``not_found``), or cannot be written.
        """
        return self._chat._run(self._chat._save_steps(self, place))

    def read(self, most_bytes: int = MOST_READ_BYTES) -> bytes:
        """Return the bytes of the file. Raises Refused, also where it has more than ``most_bytes``."""
        return self._chat._run(self._chat._read_steps(self, most_bytes))


@dataclass(frozen=True, kw_only=True)
class Message(HeardMessage):
    """A message that `Client` hands out."""

    _chat: Client = field(repr=False, compare=False)

    files: tuple[File, ...] = ()

    def reply(
        self, text: str = "", *, files: Sequence[str | os.PathLike[str]] = (), as_file: bool = False
    ) -> Sent | None:
        """Answer the message, in its room or dialogue; see `Client.reply`."""
        return self._chat.reply(self, text, files=files, as_file=as_file)

    def react(self, emoji: str) -> int:
        """React to the message; see `Client.react`."""
        return self._chat.react(self, emoji)


Event: TypeAlias = Message | Edited | Deleted | Reacted | Gap | LeftRoom | Disconnected | Reconnected


class Client(Bot):
    """A bot, for programs that wait.

    Use it in a ``with`` block: connecting, verifying the server, logging in and coming back after a lost connection
    happen there and behind it. Its methods may be called from any thread; `messages` and `events` belong to one.

    Args:
        server: ``HOST[:PORT]``; by default localhost.
        name: the bot's name; with a token, the server knows it.
        ca: the file with the server's CA, or ``system`` for the CAs that this machine trusts.
        pin: the CA's fingerprint, in place of the file.
        token_file: a file with the bot's token, which only the bot's user may read.
        password_file: a file with the password of the bot's account; wanted once, then a login is kept in ``state``.
        link: an invite link, which names server and CA, and makes the account when the bot comes for the first time.
        state: the directory of what is kept between runs: the login, and the bot's cursor. By default where
            ``securechat-client`` keeps its state; empty for none.

    Raises:
        StartupFailed: on entering the block; the sentence says what to do.
    """

    def __enter__(self) -> Self:
        session, folder = self._prepare()
        self._session = session
        try:
            self._began(session, folder, self._wait(session.start()))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye; a loop over `messages` ends. What is under way gets three seconds."""
        self._closed = True
        if self._session is not None:
            self._session.close()

    # --- hearing ------------------------------------------------------------------------------------------------------

    def messages(self, *, own: bool = False, bots: bool = False) -> Iterator[Message]:
        """Yield each message once, in order: over lost connections, and with an account over restarts too.

        The first run begins with what is said from then on. A message is handled when the loop asks for the next one:
        a run that ends before, also by ``break``, gets it again, with ``again`` true.

        Args:
            own: whether the bot's own messages are wanted.
            bots: whether other bots' messages are wanted.

        Raises:
            Stopped: the server has ended the session for good.
            CursorNotKept: the disk does not take the bot's cursor.
        """
        for event in self._hear(own=own, bots=bots):
            if isinstance(event, Message):
                yield event

    def events(self) -> Iterator[Event]:
        """Yield everything that the bot hears, its own and other bots' messages too; see `messages`."""
        return self._hear(own=True, bots=True)

    def _hear(self, *, own: bool, bots: bool) -> Iterator[Event]:
        while True:
            self._ended()
            if not self._live.waiting:
                self._keep()
            try:
                heard = self._wait(self._next())
            except Stopped:
                self._keep()
                if self._closed:
                    return
                raise
            is_wanted = self._begins(heard, own=own, bots=bots)
            if is_wanted and heard.fields is not None:
                self._keep()
            self._handed_out(heard)
            if is_wanted and heard.fields is not None:
                yield self._message(heard.fields)
            elif is_wanted and heard.event is not None:
                yield heard.event

    # --- doing --------------------------------------------------------------------------------------------------------

    def join(self, room: str) -> None:
        """Enter a room. Raises Refused."""
        self._wait(self._live.join(room))

    def send(
        self,
        room: str,
        text: str = "",
        *,
        reply_to: int | None = None,
        key: str | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent:
        """Send a message to a room; returns its seq when it is durable.

        Args:
            room: one that the bot is in.
            text: 1 to 4,000 characters; may be empty with files.
            reply_to: the seq of the message that it answers.
            key: what the program calls the message; sent again with it within 30 days, it is stored once.
            files: paths of up to 10 files of this machine that it brings.
            as_file: whether pictures among them stay as they are, with place and time in them.

        Raises:
            Refused: a rule forbids it, or a file cannot be read. Rates and lost connections are waited for.
        """
        return self._run(self._send_steps(room, text, reply_to, key, files, as_file=as_file))

    def direct(
        self,
        name: str,
        text: str = "",
        *,
        key: str | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent:
        """Send a direct message to a person; returns its seq when it is durable. See `send`. Raises Refused."""
        return self._run(self._direct_steps(name, text, key, files, as_file=as_file))

    def reply(
        self,
        message: HeardMessage,
        text: str = "",
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        as_file: bool = False,
    ) -> Sent | None:
        """Answer a message, in its room or dialogue; returns the seq of the answer when it is durable.

        Answers are counted, and the n-th answer to a message is stored once, whatever run sends it.

        Returns:
            None when an earlier run has given this answer with another text.

        Raises:
            Refused: a rule forbids it.
        """
        return self._run(self._reply_steps(message, text, files, as_file=as_file))

    def edit(self, message: HeardMessage | Sent, text: str) -> int:
        """Replace the text of one of the bot's messages; returns the seq of the change. Raises Refused."""
        return self._run(self._edit_steps(message, text))

    def delete(self, message: HeardMessage | Sent) -> int:
        """Delete a message; returns the seq of the change. Raises Refused."""
        return self._run(self._delete_steps(message))

    def react(self, message: HeardMessage | Sent, emoji: str, *, on: bool = True) -> int:
        """Add a reaction to a message, or take it away; returns the seq of the change. Raises Refused."""
        return self._run(self._react_steps(message, emoji, on=on))

    # --- asking -------------------------------------------------------------------------------------------------------

    def history(self, target: str | int, limit: int = 50, *, before: int | None = None) -> list[Message]:
        """Return the last messages of a room, by name, or of a dialogue, by the other's number, oldest first.

        Args:
            target: which conversation.
            limit: at most so many.
            before: only those below this seq.

        Raises:
            Refused: the bot may not read there.
        """
        return self._made(self._run(self._history_steps(target, limit, before)))

    def search(self, query: str, limit: int = 20) -> list[Message]:
        """Return the newest messages that match, newest first. Raises Refused."""
        return self._made(self._run(self._search_steps(query, limit)))

    def members(self, room: str) -> list[Person]:
        """Return the people who are in a room now. Raises Refused."""
        return self._run(self._members_steps(room))

    def _made(self, found: list[dict[str, Any]]) -> list[Message]:
        return [self._message(fields) for fields in found]

    def _message(self, fields: dict[str, Any]) -> Message:
        files = tuple(File(**file, _chat=self) for file in fields.get("files", ()))
        return Message(**{**fields, "files": files}, _chat=self)

    def _run(self, steps: Steps[_T]) -> _T:
        try:
            future = next(steps)
            while True:
                try:
                    result = self._wait(future)
                except Exception as error:  # noqa: BLE001 - the request decides what it means
                    future = steps.throw(error)
                else:
                    future = steps.send(result)
        except StopIteration as done:
            value: _T = done.value
            return value

    def _wait(self, future: Future[_T]) -> _T:
        while not future.done():
            wait_for([future], _POLL_S)
        return future.result()
