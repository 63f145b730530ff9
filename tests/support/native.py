"""A small blocking client of the native protocol, for tests that look at every frame."""

from __future__ import annotations

import itertools
import secrets
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from securechat.model import (
    Acked,
    Closing,
    Command,
    Event,
    Hello,
    History,
    HistoryPage,
    Join,
    Joined,
    Message,
    Refused,
    Say,
    Welcome,
)
from securechat.tls.contexts import client_context
from securechat.wire.native import NativeClientCodec
from tests.support.secure_socket import secure_socket
from tests.support.server import PATIENCE_S

E = TypeVar("E")


class Gone(AssertionError):
    """The server closed the connection; ``events`` holds what came before."""


class NativeClient:
    """One connection.

    Args:
        port: of the server on 127.0.0.1, unless ``host`` says otherwise.
        ca: its CA.
        secret: the resume secret; a fresh one by default.
    """

    def __init__(
        self, port: int, ca: Path, *, host: str = "127.0.0.1", secret: str | None = None, rcvbuf: int | None = None
    ) -> None:
        self.secret = secret or secrets.token_hex(16)
        self.events: list[Event] = []
        self.closed = False
        self._codec = NativeClientCodec()
        self._client_ids = itertools.count(1)
        self._refs = itertools.count(1)
        self._seen = 0
        self.sock = secure_socket(
            client_context(ca.read_text()), (host, port), receive_buffer=rcvbuf, suppress_ragged_eofs=False
        )

    # --- sending

    def send(self, *commands: Command) -> None:
        self.send_raw(b"".join(self._codec.encode(command) for command in commands))

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def say(self, text: str, room: str = "lobby", client_id: int | None = None) -> int:
        """Send a draft; returns its client_id."""
        client_id = next(self._client_ids) if client_id is None else client_id
        self.send(Say(client_id, room, text))
        return client_id

    # --- receiving

    def pump(self, timeout_s: float) -> bool:
        """Read once; False when nothing came in time or the connection is over."""
        if self.closed:
            return False
        self.sock.settimeout(max(timeout_s, 0.001))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return False
        except (ssl.SSLError, OSError):
            data = b""
        if not data:
            self.close()
            return False
        self._codec.receive_data(data)
        while (event := self._codec.next_event()) is not None:
            self.events.append(event)
        return True

    def wait_for(self, kind: type[E], test: Callable[[E], Any] = lambda _: True, patience_s: float = PATIENCE_S) -> E:
        """Return the first event of ``kind``, seen or to come, for which ``test`` holds."""
        deadline = time.monotonic() + patience_s
        looked_at = 0
        while True:
            for event in self.events[looked_at:]:
                if isinstance(event, kind) and test(event):
                    return event
            looked_at = len(self.events)
            left_s = deadline - time.monotonic()
            if not self.pump(left_s) and (self.closed or left_s <= 0) and looked_at == len(self.events):
                raise Gone(f"no {kind}; closed={self.closed}; last: {str(self.events[-5:])[:1000]}")

    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]

    def wait_for_text(self, text: str) -> Message:
        return self.wait_for(Message, lambda message: message.text == text)

    def read_to_end(self, patience_s: float = PATIENCE_S) -> list[Event]:
        """Read until the server closes; fails if it does not."""
        deadline = time.monotonic() + patience_s
        while not self.closed:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"still open; last: {self.events[-5:]}"
            self.pump(left_s)
        return self.events

    def last_words(self) -> Closing:
        """Read to the end and return the Closing."""
        closings = [event for event in self.read_to_end() if isinstance(event, Closing)]
        assert closings, f"closed without a word; last: {self.events[-5:]}"
        return closings[-1]

    # --- conversations

    def hello(self, name: str) -> Welcome:
        """Say hello; fails on a refusal."""
        before = len(self.events)
        self.send(Hello(version=1, name=name, secret=self.secret, client="test/1"))
        answer = self.wait_for(Welcome | Refused, lambda event: event in self.events[before:])  # type: ignore[arg-type]
        assert isinstance(answer, Welcome), answer
        self._client_ids = itertools.count(max(next(self._client_ids), answer.last_client_id + 1))
        self.wait_for(Joined, lambda joined: joined.room == "lobby" and joined in self.events[before:])
        return answer

    def join(self, room: str) -> Joined:
        ref = next(self._refs)
        self.send(Join(ref=ref, rooms=[room]))
        return self.wait_for(Joined, lambda joined: joined.ref == ref)

    def say_acked(self, text: str, room: str = "lobby") -> Acked:
        client_id = self.say(text, room)
        return self.wait_for(Acked, lambda acked: acked.client_id == client_id)

    def history(self, room: str | None = None, after: int = 0) -> list[Message]:
        """Read everything, page by page."""
        messages: list[Message] = []
        while True:
            page = self._page(History(ref=next(self._refs), room=room, after=after))
            messages += page.messages
            after = page.through
            if not page.more:
                return messages

    def _page(self, query: History) -> HistoryPage:
        self.send(query)
        page = self.wait_for(HistoryPage | Refused, lambda event: event.ref == query.ref)  # type: ignore[arg-type,attr-defined]
        assert isinstance(page, HistoryPage), page
        return page

    def close(self) -> None:
        """Drop the connection without a word, as a crash does."""
        self.closed = True
        self.sock.close()

    def __enter__(self) -> NativeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
