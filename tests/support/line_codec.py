r"""A toy protocol of lines, to show what a codec may do that the native one does not.

Lines end with ``\n``; texts are percent-encoded, so that a line holds anything.

    SECRET <hex>                LOGIN <name>              gathered to one hello
    JOIN <room>                 SAY <room> <text>         drafts and requests are numbered by the codec
    HISTORY <room> [<before>]   PONG <n>                  QUIT
    PING <word>                 answered by the codec
    STOP                        the protocol's own way to close, as a close frame of WebSocket (RFC 6455, 5.5.1)

The server drops the echo of one's own messages, which depends on the connection, so bytes are not shared.
"""

from __future__ import annotations

from itertools import count
from urllib.parse import quote, unquote

from securechat.errors import ErrorCode, RemoteProtocolError
from securechat.limits import MAX_FRAME_BYTES, MAX_HELLO_FRAME_BYTES, PageLimits
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
    Ping,
    Pong,
    Quit,
    Refused,
    Say,
    Throttled,
    Welcome,
)
from securechat.text.refusals import refusal_for
from securechat.wire.codec import (
    HANDLED,
    STRANGER_FRAMES,
    FrameRefused,
    Handled,
    ServerCodec,
    WireFormat,
    validated,
)
from securechat.wire.negotiation import CodecTable, SpokenProtocol, begins_with

PAGE_LIMITS = PageLimits(page_rows=3)
CLIENT = "line/1"


class LineFormat:
    """How events look in lines."""

    name = "line/1"
    page_limits = PAGE_LIMITS
    shares = False
    bodies = None

    def framed(self, body: bytes) -> bytes:
        raise NotImplementedError

    def encode(self, event: Event) -> bytes:
        """Return the event as lines; what the protocol has no word for is said by its name alone."""
        match event:
            case Welcome():
                return line("WELCOME", event.name)
            case Joined():
                return line("JOINED", event.room, str(event.total))
            case Message():
                return _message("MSG", event)
            case Acked():
                return line("OK", str(event.client_id))
            case Refused():
                return line("REFUSED", event.code.value, event.text)
            case Closing():
                return line("CLOSING", event.code.value, event.text)
            case Throttled():
                return line("WAIT", str(event.retry_after_s))
            case HistoryPage():
                rows = b"".join(_message("PAST", message) for message in event.messages)
                return rows + line("END", "more" if event.more else "all")
            case Ping() | Pong():
                return line(type(event).__name__.upper(), str(event.n))
            case _:
                return line("EVENT", type(event).__name__)


LINES = LineFormat()


class LineCodec(ServerCodec):
    """One connection of lines, on the server's side."""

    __slots__ = (
        "_buffer", "_drafts", "_failure", "_me", "_most_bytes", "_own", "_refs", "_secret", "_strange_left", "format",
        "wants_close",
    )  # fmt: skip

    def __init__(self) -> None:
        self.format: WireFormat = LINES
        self.wants_close = False
        self._buffer = bytearray()
        self._own = bytearray()
        self._failure: RemoteProtocolError | None = None
        self._most_bytes = MAX_HELLO_FRAME_BYTES
        self._secret = ""
        self._me = 0
        self._drafts = count(1)
        self._refs = count(1)
        self._strange_left: int | None = STRANGER_FRAMES

    # --- in

    def receive_data(self, data: bytes) -> None:
        """Take decrypted bytes."""
        if self._failure is None and not self.wants_close:
            self._buffer += data

    def next_command(self) -> Command | Handled | None:
        """Return what the next line asks for."""
        if self._failure is not None:
            raise self._failure
        if self.wants_close:
            return None
        raw, newline, rest = self._buffer.partition(b"\n")
        if len(raw) > self._most_bytes:
            raise self._fail(ErrorCode.FRAME_TOO_LARGE, f"a line has at most {self._most_bytes} bytes")
        if not newline:
            return None
        self._buffer = rest
        if not raw.isascii():
            raise self._fail(ErrorCode.BAD_FRAME, "a line is ASCII; encode everything else by percent signs")
        verb, _, arguments = raw.rstrip(b"\r").decode().partition(" ")
        return self._taken(verb, arguments.split(" ", 1 if verb == "SAY" else -1))

    def _taken(self, verb: str, arguments: list[str]) -> Command | Handled:
        """Return what a line asks for, and count it where it is a stranger's and says no hello."""
        if self._strange_left is not None and verb in ("JOIN", "SAY", "HISTORY"):
            raise self._fail(ErrorCode.HELLO_EXPECTED, "say LOGIN first")
        taken: Command | Handled | None = None
        try:
            taken = self._command(verb, *arguments)
        except (TypeError, ValueError):
            raise FrameRefused(refusal_for("command_invalid")) from None
        finally:
            if self._strange_left is not None and not isinstance(taken, Hello):
                self._count_strange_line()
        return taken

    def _count_strange_line(self) -> None:
        assert self._strange_left is not None
        self._strange_left -= 1
        if self._strange_left < 0:
            raise self._fail(ErrorCode.HELLO_EXPECTED, "say LOGIN first") from None

    def _command(self, verb: str, first: str = "", second: str = "") -> Command | Handled:
        match verb:
            case "SECRET":
                self._secret = first
                return HANDLED
            case "LOGIN":
                return validated(Hello(1, unquote(first, errors="strict"), self._secret, CLIENT))
            case "JOIN":
                return validated(Join(next(self._refs), [unquote(first, errors="strict")]))
            case "SAY":
                return validated(Say(next(self._drafts), first, unquote(second, errors="strict")))
            case "HISTORY":
                before = int(second) if second else None
                return validated(History(next(self._refs), room=first, before=before))
            case "PING":
                self._own += line("PONG", first)
                return HANDLED
            case "PONG":
                return validated(Pong(int(first)))
            case "QUIT":
                return Quit()
            case "STOP":
                self._own += line("STOPPED")
                self.wants_close = True
                return HANDLED
            case _:
                self._own += line("TIP", "the commands are JOIN, SAY, HISTORY, PING, QUIT and STOP")
                raise FrameRefused(refusal_for("record_type_unknown"))

    def _fail(self, code: ErrorCode, detail: str) -> RemoteProtocolError:
        self._failure = RemoteProtocolError(code, detail)
        self._buffer.clear()
        self._own += line("TIP", "nothing more is read")
        return self._failure

    def hello_accepted(self) -> None:
        """Lift the limits for strangers."""
        self._most_bytes = MAX_FRAME_BYTES
        self._strange_left = None

    def hello_refused(self) -> None:
        """Count it as any other line of a stranger."""
        if self._strange_left is not None:
            self._strange_left -= 1

    # --- out

    def encode(self, event: Event) -> bytes:
        """Return the lines of an event, but for the echo of one's own messages."""
        if self.wants_close or (isinstance(event, Message) and event.sender_id == self._me):
            return b""
        if isinstance(event, Welcome):
            self._me = event.sender_id
            self._drafts = count(event.last_client_id + 1)
            self._own += line("TIP", "HISTORY lobby shows what was said")
        return self.format.encode(event)

    def close(self, closing: Closing) -> bytes:
        """Say why, and then what the protocol ends with."""
        return self.format.encode(closing) + line("STOPPED")

    def data_to_send(self) -> bytes:
        """Return bytes of the codec's own, once."""
        own, self._own = bytes(self._own), bytearray()
        return own


LINE_ROW = SpokenProtocol("line/1", LineCodec, begins_with(b"SECRET ", b"LOGIN ", b"PING "))
LINE_TABLE = CodecTable([LINE_ROW])


def line(*words: str) -> bytes:
    """Return words as a line."""
    return (" ".join(quote(word, safe=" #,;:/'?!()") for word in words) + "\n").encode()


def _message(verb: str, message: Message) -> bytes:
    where = f"#{message.room}" if message.to is None else "you"
    return line(verb, str(message.seq), where, message.name.replace(" ", "_"), message.text)


def write(command: Command) -> bytes:
    """Return the lines with which a client says a command."""
    match command:
        case Hello():
            return line("SECRET", command.secret) + f"LOGIN {quote(command.name)}\n".encode()
        case Join():
            return b"".join(f"JOIN {quote(room)}\n".encode() for room in command.rooms)
        case Say():
            return line("SAY", command.room, command.text)
        case History():
            return line("HISTORY", command.room or "", *([str(command.before)] if command.before else []))
        case Pong():
            return line("PONG", str(command.n))
        case Quit():
            return line("QUIT")
        case _:
            raise AssertionError(f"no line says {command}")
