"""The common part of the blocking and the asyncio client: options, the bot's progress, requests of several questions.

Each request is a generator of the futures that it waits for: the clients differ only in how they wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from securechat.bot.records import Gap, HeardFile, HeardMessage, Person, Refused, Sent, Stopped

if TYPE_CHECKING:
    from securechat.bot.cursor import CursorFile, CursorFolder, Progress
    from securechat.bot.hearing import HeardEntry
    from securechat.bot.session import BotSession

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Future[Any], Any, _T]
LocalPaths: TypeAlias = Sequence[str | os.PathLike[str]]
"""Files of this machine."""
MOST_READ_BYTES = 32 * 1024 * 1024
"""Of a file that is read into memory, where a program names no other limit."""
MOST_COUNTED = 1_000
"""Messages with replies that are counted: those that a program may still be answering."""
_KEY_USED = "key_used"
_PREFIX = "SECURECHAT_"


class Bot:
    """A bot before and after its connection; see `Client` for the arguments."""

    def __init__(
        self,
        server: str | None = None,
        name: str | None = None,
        *,
        ca: str | os.PathLike[str] | None = None,
        pin: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        password_file: str | os.PathLike[str] | None = None,
        link: str | None = None,
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        self._given: dict[str, str | None] = {
            "server": server,
            "name": name,
            "ca": _path(ca),
            "pin": pin,
            "token_file": _path(token_file),
            "password_file": _path(password_file),
            "link": link,
            "state": _path(state),
        }
        self._me = Person(0, name or "")
        self._session: BotSession | None = None
        self._cursor: CursorFile | None = None
        self._progress: Progress | None = None
        self._closed = False
        self._keeping = threading.Lock()
        self._counting = threading.Lock()
        self._reply_counts: dict[int, int] = {}
        self._taking: Future[HeardEntry] | None = None
        self._handling: HeardEntry | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Take everything from variables.

        SECURECHAT_SERVER (HOST[:PORT]) and SECURECHAT_CA (a file, or ``system``) or SECURECHAT_PIN (a fingerprint), or
        both in SECURECHAT_LINK, an invite link; SECURECHAT_TOKEN_FILE, or SECURECHAT_NAME and
        SECURECHAT_PASSWORD_FILE; SECURECHAT_STATE, the directory of what is kept between runs.

        Args:
            environment: in place of the process's own.
        """
        given = os.environ if environment is None else environment

        def value(name: str) -> str | None:
            return given.get(_PREFIX + name) or None

        return cls(
            value("SERVER"),
            value("NAME"),
            ca=value("CA"),
            pin=value("PIN"),
            token_file=value("TOKEN_FILE"),
            password_file=value("PASSWORD_FILE"),
            link=value("LINK"),
            state=given.get(f"{_PREFIX}STATE"),
        )

    @property
    def me(self) -> Person:
        """The bot: its number and its name."""
        return self._me

    # --- the connection -----------------------------------------------------------------------------------------------

    def _prepare(self) -> tuple[BotSession, CursorFolder]:
        """Decide how to connect, which may learn a CA over the network.

        Raises:
            StartupFailed: it cannot be decided.
        """
        # The client core, the network and cryptography: most of the time of an import.
        from securechat.bot.startup import BotOptions, prepare  # noqa: PLC0415

        return prepare(BotOptions(**self._given))

    def _began(self, session: BotSession, folder: CursorFolder, me: Person) -> None:
        """The bot is logged in. A guest is another one at the next start, and has no place to come back to."""
        from securechat.bot.cursor import Progress  # noqa: PLC0415 - see `_prepare`

        self._me = me
        self._progress = Progress(session.begins_at())
        self._cursor = folder.file(me.id) if session.core.account else None
        self._keep()

    def _keep(self) -> None:
        """Keep on disk what is handled.

        Raises:
            CursorNotKept: it cannot be written.
        """
        with self._keeping:
            if self._cursor is not None and self._progress is not None:
                self._cursor.write(self._progress.cursor)

    @property
    def _live(self) -> BotSession:
        if self._session is None:
            raise Stopped("The bot is not connected: use it in a with block.")
        return self._session

    # --- what is heard ------------------------------------------------------------------------------------------------

    def _next(self) -> Future[HeardEntry]:
        """The next entry; the same one again until it is handed out, also where a wait was interrupted."""
        taking = self._taking
        if taking is None or taking.cancelled() or (taking.done() and taking.exception() is not None):
            taking = self._taking = self._live.take()
        return taking

    def _begins(self, heard: HeardEntry, *, own: bool, bots: bool) -> bool:
        """Tell whether an entry is for the program, and note that it is going to be handled."""
        assert self._progress is not None
        if isinstance(heard.event, Gap) and heard.event.through is None:
            self._progress.restart(heard.through)  # another log has other numbers
        if heard.fields is None:
            return not (heard.seq and self._progress.is_done(heard.seq))
        is_wanted = own if heard.fields["own"] else bots or not heard.fields.get("bot", False)
        if not is_wanted or self._progress.is_done(heard.seq):
            return False
        heard.fields["again"] = self._progress.is_again(heard.seq)
        self._progress.begins(heard.seq)
        return True

    def _handed_out(self, heard: HeardEntry) -> None:
        self._taking = None
        self._handling = heard

    def _ended(self) -> None:
        """The loop asks for the next entry: the one before is handled."""
        heard, self._handling = self._handling, None
        if heard is not None and heard.seq and self._progress is not None:
            self._progress.ended(heard.seq, heard.through)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _send_steps(
        self,
        target: str | int,
        text: str,
        reply_to: int | None,
        key: str | None,
        files: LocalPaths = (),
        *,
        as_file: bool = False,
    ) -> Steps[Sent]:
        reply_to = None if reply_to is None else int(reply_to)  # it may be Sent
        begun: list[Any] = []
        try:
            uploaded = yield from self._upload_steps(files, begun, as_file=as_file)
            seq: int = yield self._live.send(target, text, reply_to, key, uploaded)
        except BaseException:
            for upload in begun:
                self._live.discard(upload.path)
            raise
        if key is not None:  # the answer may be the message of an earlier run, and these files are in none
            for upload in begun:
                self._live.discard(upload.path)
        return Sent(seq, target)

    def _upload_steps(self, paths: LocalPaths, begun: list[Any], *, as_file: bool) -> Steps[list[tuple[str, str]]]:
        """Send files; returns the id and name of each. What has begun is noted, to be taken back."""
        if not paths:
            return []
        local = yield self._live.look_at([os.fspath(path) for path in paths])
        for file in local:
            upload = yield self._live.begin_upload(file, as_file=as_file)
            begun.append(upload)  # at once: a later one may be refused
        for index, file in enumerate(local):
            for is_last in (False, False, True):
                try:
                    yield self._live.upload(file, begun[index].path)
                    break
                except Refused as refused:
                    if refused.code != "not_found" or is_last:
                        raise
                # The server ended before the upload was on its disk, or the disk has lost it: begin anew.
                begun[index] = yield self._live.begin_upload(file, as_file=as_file)
        return [(upload.id, upload.name) for upload in begun]

    def _save_steps(self, file: HeardFile, place: str | os.PathLike[str] | None) -> Steps[Path]:
        typed = None if place is None else os.fspath(place)
        saved: Path = yield from self._linked_steps(file, lambda path: self._live.save(path, file, typed))
        return saved

    def _read_steps(self, file: HeardFile, most_bytes: int) -> Steps[bytes]:
        if file.size > most_bytes:
            raise Refused("file_too_large", f"The file has {file.size} bytes, and at most {most_bytes} are to be read")
        data: bytes = yield from self._linked_steps(file, lambda path: self._live.read(path, file))
        return data

    def _linked_steps(self, file: HeardFile, transfer: Callable[[str], Future[Any]]) -> Steps[Any]:
        """Ask for the address of a file and use it; once more where the login that it was for has ended meanwhile."""
        for is_last in (False, True):
            links = yield self._live.links(file.id)
            path = next((link.path for link in links.links if link.id == file.id), None)
            try:
                if path is None:
                    raise Refused("not_found", "The file is not there any more, or the bot may not read it any more")
                return (yield transfer(path))
            except Refused as refused:
                if refused.code != "not_found" or is_last:
                    raise
        raise AssertionError

    def _direct_steps(
        self, name: str, text: str, key: str | None, files: LocalPaths = (), *, as_file: bool = False
    ) -> Steps[Sent]:
        found = yield self._live.find_person(name)
        return (yield from self._send_steps(found.person.id, text, None, key, files, as_file=as_file))

    def _reply_steps(
        self, message: HeardMessage, text: str, files: LocalPaths = (), *, as_file: bool = False
    ) -> Steps[Sent | None]:
        number = self._count_reply(message.seq)
        key = f"reply:{message.seq}:{number}"
        try:
            return (yield from self._send_steps(message.target, text, message.seq, key, files, as_file=as_file))
        except Refused as refused:
            if refused.code == _KEY_USED:
                return None
            self._uncount_reply(message.seq, number)
            raise

    def _count_reply(self, seq: int) -> int:
        """Return the number of the next answer to a message; the n-th one has the same key in each run."""
        with self._counting:
            number = self._reply_counts.pop(seq, 0) + 1
            self._reply_counts[seq] = number
            if len(self._reply_counts) > MOST_COUNTED:
                del self._reply_counts[next(iter(self._reply_counts))]
            return number

    def _uncount_reply(self, seq: int, number: int) -> None:
        """Nothing was stored: the next answer takes the number, as it does in a run in which this one is not tried."""
        with self._counting:
            if self._reply_counts.get(seq) == number:
                self._reply_counts[seq] = number - 1

    def _edit_steps(self, message: HeardMessage | Sent, text: str) -> Steps[int]:
        seq: int = yield self._live.edit(message.target, _seq(message), text)
        return seq

    def _delete_steps(self, message: HeardMessage | Sent) -> Steps[int]:
        seq: int = yield self._live.delete(message.target, _seq(message))
        return seq

    def _react_steps(self, message: HeardMessage | Sent, emoji: str, *, on: bool) -> Steps[int]:
        seq: int = yield self._live.react(message.target, _seq(message), emoji, on=on)
        return seq

    def _history_steps(self, target: str | int, limit: int, before: int | None) -> Steps[list[dict[str, Any]]]:
        found: list[Any] = []
        while len(found) < limit:
            page = yield self._live.history_page(target, None if before is None else int(before), limit - len(found))
            found[:0] = page.messages
            if not page.messages or not page.more:
                break
            before = page.messages[0].seq
        return [self._live.fields_of(message) for message in found]

    def _search_steps(self, query: str, limit: int) -> Steps[list[dict[str, Any]]]:
        found: list[Any] = []
        before: int | None = None
        while len(found) < limit:
            page = yield self._live.search_page(query, before, limit - len(found))
            found += [hit.message for hit in page.hits]
            if not page.hits or not page.more:
                break
            before = page.hits[-1].message.seq
        return [self._live.fields_of(message) for message in found]

    def _members_steps(self, room: str) -> Steps[list[Person]]:
        found: list[Person] = []
        after: int | None = None
        while True:
            roster = yield self._live.members_page(room, after)
            found += [Person(member.id, member.name) for member in roster.members]
            if not roster.members or not roster.more:
                return found
            after = roster.members[-1].id


def _path(given: str | os.PathLike[str] | None) -> str | None:
    return None if given is None else os.fspath(given)


def _seq(message: HeardMessage | Sent) -> int:
    return message.seq if isinstance(message, HeardMessage) else int(message)
