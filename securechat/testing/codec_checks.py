"""The conformance suite of codecs: every codec of the server is held against it, in any dialect.

A codec is described by a `Dialect`: how to make one, how a client of that dialect writes commands, and what nonsense
looks like there. The checks know nothing else. In pytest::

    @pytest.mark.parametrize("check", CODEC_CHECKS)
    def test_my_codec(check):
        check(MY_DIALECT)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from securechat.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from securechat.limits import MAX_HELLO_FRAME_BYTES, MAX_TEXT_CHARS, MESSAGE_FIELDS_BYTES, PAGE_ROWS
from securechat.model import (
    Acked,
    Closing,
    Command,
    Event,
    Found,
    Hello,
    HistoryPage,
    Joined,
    Left,
    Message,
    Named,
    Person,
    Ping,
    Pong,
    Presence,
    Quit,
    Refused,
    Renaming,
    RoomCount,
    RoomsPage,
    Roster,
    Say,
    Throttled,
    Welcome,
)
from securechat.wire.codec import HANDLED, STRANGER_FRAMES, FrameRefused, ServerCodec

MARK = "zq-marker-7f"
"""A text that stands in no sentence: a refusal that contains it is an echo."""

_PEOPLE = [Person(7, "user1 pc"), Person(8, 'tab\t"quoted" ünïcode 你好')]
_WELCOME = Welcome(1, "securechat/1", 77, "user1 pc", 12)
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
        chatter: what a stranger may send a few times without saying hello.
        answered: input that the codec answers by itself, with bytes of its own.
    """

    make: Callable[[], ServerCodec]
    write: Callable[[Command], bytes]
    commands: Sequence[Command]
    refused: Sequence[bytes]
    nonsense: Sequence[bytes]
    chatter: Sequence[bytes]
    answered: Sequence[bytes] = ()


def drain(codec: ServerCodec) -> list[Command]:
    """Take every command that is complete."""
    commands: list[Command] = []
    while (command := codec.next_command()) is not None:
        if command is not HANDLED:
            commands.append(command)
    return commands


def member(dialect: Dialect) -> ServerCodec:
    """A codec whose hello was accepted, as the session leaves it."""
    codec = dialect.make()
    codec.receive_data(dialect.write(dialect.commands[0]))
    assert drain(codec) == [dialect.commands[0]]
    codec.encode(_WELCOME)
    codec.hello_accepted()
    codec.data_to_send()
    return codec


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
    """No event is too strange for the dialect, no code is without words, and shared bytes are those of every peer."""
    codec = member(dialect)
    fmt = codec.format
    assert fmt.name
    for event in EVENTS:
        encoded = codec.encode(event)
        assert isinstance(encoded, bytes)
        if isinstance(event, Refused):
            assert encoded, f"{event.code} is not told"
        if fmt.shares:
            assert fmt.encode(event) == fmt.encode(event), "the same event is told in two ways"
        if fmt.shares and isinstance(event, Message | Presence | Named):
            assert fmt.encode(event) == encoded, "an event of many has bytes of its own, and the format shares"
    assert any(codec.encode(event) for event in EVENTS)


def check_last_words_are_said_at_any_time(dialect: Dialect) -> None:
    """The connection may end before a hello, as a member, and in the middle of a frame; every code has its words."""
    for code in ErrorCode:
        fresh, talking, cut = dialect.make(), member(dialect), dialect.make()
        cut.receive_data(dialect.write(dialect.commands[0])[:-1])
        drain(cut)
        for codec in (fresh, talking, cut):
            assert codec.close(Closing(code, "a sentence", resume_after=9, retry_after_s=0.5)), f"{code} is not told"


def check_bytes_of_its_own_come_once(dialect: Dialect) -> None:
    """The codec's own bytes are handed out once, for a frame that the session counts."""
    for data in dialect.answered:
        codec = member(dialect)
        for _ in range(2):
            codec.receive_data(data)
            assert codec.next_command() is HANDLED
            assert codec.data_to_send(), "nothing is answered"
            assert codec.data_to_send() == b"", "an answer comes twice"
            assert codec.next_command() is None
    silent = member(dialect)
    for event in EVENTS:
        silent.encode(event)
        silent.data_to_send()
        assert silent.data_to_send() == b""


def check_only_a_hello_makes_a_member(dialect: Dialect) -> None:
    """Before the hello is accepted nothing but Hello, Ping, Pong and Quit reaches the hub, whatever is said."""
    for command in dialect.commands:
        codec = dialect.make()
        codec.receive_data(dialect.write(command))
        try:
            taken = drain(codec)
        except RemoteProtocolError as error:
            assert error.code is ErrorCode.HELLO_EXPECTED
            assert not isinstance(command, Hello)
        else:
            assert all(isinstance(each, Hello | Ping | Pong | Quit) for each in taken), f"{taken} of a stranger"


def check_a_refused_hello_lets_another_follow(dialect: Dialect) -> None:
    """Several names may be tried; each counts as one frame of a stranger."""
    codec = dialect.make()
    for _ in range(3):
        codec.receive_data(dialect.write(dialect.commands[0]))
        assert drain(codec) == [dialect.commands[0]]
        assert codec.encode(Refused(ErrorCode.NAME_IN_USE, "a sentence")), "a refused hello is not told"
        codec.hello_refused()
    left = STRANGER_FRAMES - 3
    codec.receive_data(dialect.chatter[0] * (left + 1))
    try:
        for _ in range(left + 1):  # or earlier: a hello may take several frames
            codec.next_command()
    except RemoteProtocolError as error:
        assert error.code is ErrorCode.HELLO_EXPECTED
        return
    raise AssertionError("refused hellos do not count")


def check_a_stranger_is_given_up(dialect: Dialect) -> None:
    """A peer that sends frames without an acceptable hello is given up after STRANGER_FRAMES of them."""
    for data in (*dialect.chatter, *dialect.refused):
        codec = dialect.make()
        codec.receive_data(data * (STRANGER_FRAMES + 1))
        taken = 0
        try:
            while taken <= STRANGER_FRAMES:
                taken += 1
                with suppress(FrameRefused):
                    assert codec.next_command() is not None
        except RemoteProtocolError as error:
            assert error.code is ErrorCode.HELLO_EXPECTED
            assert taken == STRANGER_FRAMES + 1, "given up early"
        else:
            raise AssertionError("a stranger may talk for ever")


def check_commands_keep_their_bounds(dialect: Dialect) -> None:
    """The hub trusts the types: what is out of their bounds is refused."""
    codec = member(dialect)
    codec.receive_data(dialect.write(Say(1, "lobby", "x" * (4 * MAX_TEXT_CHARS + 1))))
    try:
        codec.next_command()
    except FrameRefused as refusal:
        assert refusal.code is ErrorCode.INVALID
        return
    raise AssertionError("a text that is too long was taken")


def check_pages_hold_what_must_come_whole(dialect: Dialect) -> None:
    """A page of the format's own rows can be said, each of them as long as the protocol allows one to be."""
    codec = member(dialect)
    limits = codec.format.page_limits
    assert 1 <= limits.page_rows <= PAGE_ROWS
    longest = Message(9, 4, 7, "n", 0, "x" * MAX_TEXT_CHARS, room="lobby")
    rows = min(limits.page_rows, max(1, limits.page_bytes // (MAX_TEXT_CHARS + MESSAGE_FIELDS_BYTES)))
    assert codec.encode(HistoryPage(1, [longest] * rows, 9))


def check_refused_input_is_skipped(dialect: Dialect) -> None:
    """Invalid input is refused without an echo, and the next command is read."""
    for data in dialect.refused:
        codec = dialect.make()
        codec.receive_data(data + dialect.write(dialect.commands[0]))
        try:
            while codec.next_command() is HANDLED:
                pass
        except FrameRefused as refusal:
            assert refusal.code in {ErrorCode.UNKNOWN_TYPE, ErrorCode.INVALID}
            assert refusal.detail
            assert MARK not in refusal.detail, "an echo"
        else:
            raise AssertionError("nothing was refused")
        assert drain(codec) == [dialect.commands[0]]


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
    known, stranger = member(dialect), dialect.make()
    known.receive_data(long)
    assert isinstance(known.next_command(), Say)
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
        encoded = member(dialect).encode(page)
    except LocalProtocolError:
        return
    assert len(encoded) > MAX_TEXT_CHARS, "the page was cut silently"


CODEC_CHECKS: Sequence[Callable[[Dialect], None]] = (
    check_commands_survive_any_cut,
    check_every_event_and_code_can_be_said,
    check_last_words_are_said_at_any_time,
    check_bytes_of_its_own_come_once,
    check_only_a_hello_makes_a_member,
    check_a_refused_hello_lets_another_follow,
    check_a_stranger_is_given_up,
    check_commands_keep_their_bounds,
    check_pages_hold_what_must_come_whole,
    check_refused_input_is_skipped,
    check_nonsense_ends_the_connection,
    check_a_stranger_has_little_room,
    check_what_does_not_fit_is_our_own_fault,
)
"""The suite."""
