"""What every codec of the server must do, whatever its dialect: run it over each of them.

A codec is described by a `Dialect`: how to make one, how a client of that dialect writes commands, and what nonsense
looks like there. The checks know nothing else. In pytest::

    @pytest.mark.parametrize("check", CODEC_CHECKS)
    def test_my_codec(check):
        check(MY_DIALECT)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from securechat.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from securechat.limits import MAX_HELLO_FRAME_BYTES, MAX_TEXT_CHARS
from securechat.model import (
    Acked,
    Closing,
    Command,
    Event,
    Found,
    HistoryPage,
    Joined,
    Left,
    Message,
    Named,
    Person,
    Ping,
    Pong,
    Presence,
    Refused,
    Renaming,
    RoomCount,
    RoomsPage,
    Roster,
    Say,
    Throttled,
    Welcome,
)
from securechat.wire.codec import HANDLED, FrameRefused, ServerCodec

MARK = "zq-marker-7f"
"""A text that nobody would say: whatever repeats it is an echo."""

_PEOPLE = [Person(7, "user1 pc"), Person(8, 'tab\t"quoted" ünïcode 你好')]
_MESSAGE = Message(9, 4, 7, "user1 pc", 1_795_224_928_000, 'line\nline\u2028\x00\x1b[2J "q" \\ 𝄞', room="lobby")
EVENTS: Sequence[Event] = (
    Welcome(1, "securechat/1", 7, "user1 pc", 12, 3, resumed=True),
    Joined("lobby", 12, 2, _PEOPLE, 1),
    Left("lobby", 2),
    Named("new name", 3),
    _MESSAGE,
    Message(10, 0, 7, "user1 pc", 0, "x" * MAX_TEXT_CHARS, to=8, to_name="bob"),
    Acked(5, 9),
    Throttled(1.5),
    HistoryPage(4, [_MESSAGE], 9, more=True),
    Roster(5, "lobby", _PEOPLE, 2, more=True),
    RoomsPage(6, [RoomCount("lobby", 2)], more=True),
    Found(7, _PEOPLE[0]),
    Presence("lobby", 2, _PEOPLE, [Person(1, "gone")], [Renaming(7, "old", "new")]),
    Ping(1),
    Pong(1),
    *(Refused(code, "a sentence", ref=1, client_id=2, room="lobby", retry_after_s=0.5) for code in ErrorCode),
    *(Closing(code, "a sentence", resume_after=9, retry_after_s=0.5) for code in ErrorCode),
)
"""One of every event, with hostile text, and every code in both places where codes are said."""


class Dialect(Struct, frozen=True):
    """A codec under test.

    Attributes:
        make: a fresh codec, as for a connection that has just been accepted.
        write: the bytes with which a client says a command.
        commands: commands that the dialect can say, beginning with a Hello.
        refused: well-formed input that is refused, after which the connection lives; each contains MARK.
        nonsense: input that ends the connection; each contains MARK, in bytes that are read.
    """

    make: Callable[[], ServerCodec]
    write: Callable[[Command], bytes]
    commands: Sequence[Command]
    refused: Sequence[bytes]
    nonsense: Sequence[bytes]


def drain(codec: ServerCodec) -> list[Command]:
    """Take every command that is complete."""
    commands: list[Command] = []
    while (command := codec.next_command()) is not None:
        if command is not HANDLED:
            commands.append(command)
    return commands


def check_commands_survive_any_cut(dialect: Dialect) -> None:
    """The same bytes give the same commands, whole, byte by byte, and in pieces of every size."""
    data = b"".join(dialect.write(command) for command in dialect.commands)
    for step in (len(data), 1, 2, 3, 7, 64):
        codec = dialect.make()
        codec.hello_accepted()
        seen: list[Command] = []
        for start in range(0, len(data), step):
            codec.receive_data(data[start : start + step])
            seen += drain(codec)
        assert seen == list(dialect.commands), f"cut every {step} bytes"
        assert drain(codec) == [], "something is left over"


def check_every_event_and_code_can_be_said(dialect: Dialect) -> None:
    """No event is too strange for the dialect, and joined encodings are the encodings joined."""
    fmt = dialect.make().format
    assert fmt.name
    for event in EVENTS:
        encoded = fmt.encode(event)
        assert isinstance(encoded, bytes)
        assert fmt.encode(event) == encoded, "the same event is told in two ways"
    assert any(fmt.encode(event) for event in EVENTS)


def check_refused_input_is_skipped(dialect: Dialect) -> None:
    """What makes no sense is refused without an echo, and the next command is heard."""
    for data in dialect.refused:
        codec = dialect.make()
        codec.receive_data(data + dialect.write(dialect.commands[0]))
        try:
            codec.next_command()
        except FrameRefused as refusal:
            assert refusal.code in {ErrorCode.UNKNOWN_TYPE, ErrorCode.INVALID}
            assert refusal.detail
            assert MARK not in refusal.detail, "an echo"
        else:
            raise AssertionError("nothing was refused")
        assert codec.next_command() == dialect.commands[0]


def check_nonsense_ends_the_connection(dialect: Dialect) -> None:
    """Nonsense raises RemoteProtocolError without an echo, and again at every later call."""
    for data in dialect.nonsense:
        codec = dialect.make()
        codec.receive_data(data)
        for _ in range(2):
            try:
                codec.next_command()
            except RemoteProtocolError as error:
                assert error.detail
                assert MARK not in error.detail, "an echo"
            else:
                raise AssertionError(f"{data[:40]!r} was taken")
            codec.receive_data(dialect.write(dialect.commands[0]))


def check_a_stranger_has_little_room(dialect: Dialect) -> None:
    """A command over MAX_HELLO_FRAME_BYTES is nonsense from a stranger and welcome from a member."""
    long = dialect.write(Say(1, "lobby", "𝄞" * (MAX_HELLO_FRAME_BYTES // 4)))
    member, stranger = dialect.make(), dialect.make()
    member.hello_accepted()
    member.receive_data(long)
    assert isinstance(member.next_command(), Say)
    stranger.receive_data(long)
    try:
        stranger.next_command()
    except RemoteProtocolError:
        return
    raise AssertionError("a stranger may send as much as a member")


def check_what_does_not_fit_is_our_own_fault(dialect: Dialect) -> None:
    """An event that no frame can hold raises LocalProtocolError instead of breaking the stream."""
    page = HistoryPage(1, [Message(n, 0, 1, "n", 0, "x" * MAX_TEXT_CHARS, room="r") for n in range(60)], 60)
    try:
        encoded = dialect.make().format.encode(page)
    except LocalProtocolError:
        return
    assert len(encoded) > MAX_TEXT_CHARS, "the page was cut silently"


CODEC_CHECKS: Sequence[Callable[[Dialect], None]] = (
    check_commands_survive_any_cut,
    check_every_event_and_code_can_be_said,
    check_refused_input_is_skipped,
    check_nonsense_ends_the_connection,
    check_a_stranger_has_little_room,
    check_what_does_not_fit_is_our_own_fault,
)
"""The suite."""
