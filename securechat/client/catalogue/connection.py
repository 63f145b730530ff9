"""Sentences about the connection, rooms joined and left, pending messages, pipes and the command line.

Functions take the parts that vary as named arguments. Text that a peer may have chosen is made safe before it comes
here (rendering.py does that); names of members go through `names.quoted`, and foreign text stands at the end, after a
colon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from securechat.client.catalogue import programs as program_sentences
from securechat.client.catalogue import rooms as room_sentences
from securechat.client.catalogue.names import capital, in_turn, marked, quoted
from securechat.client.catalogue.rooms import span
from securechat.client.core.events.connection import Disconnect, DisconnectReason, EndReason
from securechat.client.core.events.requests import DeferredKind, RejectReason
from securechat.errors import ErrorCode, TlsProblem
from securechat.limits import MAX_TEXT_CHARS
from securechat.programs import Program, command
from securechat.translation import LazyText, _, ngettext

NAME_PROMPT = LazyText("Name: ")
PROMPT = ">> "
NAMED_ROOMS = 5
"""Rooms that are named after a login: with names of 12 characters, one or two rows of 80 columns."""
MORE_HELP = LazyText("/help shows the commands; exit or Ctrl-D quits")
ALONE = LazyText("You are alone here")
CONNECTION_BACK = LazyText("Connected again")
NO_HISTORY = LazyText("There are no messages yet")
HISTORY_RESET = LazyText("The server's history was restored or replaced. Recent messages may be missing")
LEAVING = LazyText("Quitting. Waiting for the server to store your messages (Ctrl-C: quit now)")
NO_ROOMS = LazyText("There are no rooms")
NAME_MISSING = LazyText("A name is needed. Without a terminal, give it with --name NAME")
STDIN_CLOSED = LazyText(
    "Standard input is closed, so there is nothing to send. Give it a file or a pipe, or use --tail"
)
STDOUT_CLOSED = LazyText("Standard output is closed, so nothing can be printed. Give it a file or a pipe")
CA_AND_PIN = LazyText("--ca and --pin exclude each other. Trust a file or a fingerprint")
INPUT_NOT_UTF8 = LazyText(
    "The input is UTF-16 or UTF-32, not UTF-8, and nothing was sent. Convert it first: iconv -f UTF-16 -t UTF-8"
)
COMMANDS_NOT_HERE = LazyText("--commands excludes --send and --tail. --send sends every line as it stands")
KEYS_UNKNOWN = LazyText(
    "This server is too old for --key: it would store the lines again. Nothing was sent; leave --key out to send them"
)
KEY_OF_GUEST = LazyText(
    "--key needs an account: a guest is a new sender at each start, and the server knows a key by its sender. Nothing "
    "was sent"
)
KEY_WITHOUT_SEND = LazyText("--key needs --send")
JSON_WITHOUT_TAIL = LazyText("--json and --history need --tail")


def name_prompt(login: str | None) -> str:
    """Ask for a name, offering one."""
    return _("Name [{login}]: ", login=login) if login else NAME_PROMPT()


def prompt(*, room: str | None, waiting: int, person: str | None = None) -> str:
    """Return the prompt of the line editor.

    Args:
        room: the room, if it is not the lobby.
        waiting: the number of pending messages.
        person: the other side of the dialogue, in place of a room.
    """
    # Translators: how many messages wait to be sent, in the prompt of the input line.
    pending = _("({count} waiting)", count=waiting) if waiting else ""
    place = f"@{person}" if person is not None else f"#{room}" if room else ""
    return " ".join(part for part in (place, pending, PROMPT) if part)


def connecting(host: str, port: int) -> str:
    """Tell which server is dialled."""
    return _("Connecting to {host} port {port}", host=host, port=port)


def connected(host: str, port: int, name: str) -> str:
    """Tell that the user is logged in."""
    return _(
        "Connected to {host} port {port} as {name}, encrypted and verified", host=host, port=port, name=quoted(name)
    )


def entered(room: str, others: Sequence[str], total: int, *, made: bool = False, owned: bool = False) -> str:
    """Tell that the user has joined a room; ``made`` where it did not exist before, ``owned`` by the user."""
    if made and owned:
        return in_turn(_("Joined #{room}, a new room, which you own", room=room), ALONE())
    if made:
        return in_turn(_("Joined #{room}, a room that no member owns", room=room), ALONE())
    if others:
        people = _("Also here: {names}", names=", ".join(map(marked, others)))
    elif total <= 1:
        people = ALONE()
    else:
        people = ngettext("{count} person is here", "{count} people are here", total)
    return in_turn(_("Joined #{room}", room=room), people)


def kept_rooms(rooms: Sequence[str]) -> str:
    """Tell after a login which rooms the account is in besides the lobby: a few names, and the number of the others."""
    names = [f"#{room}" for room in rooms[:NAMED_ROOMS]]
    if len(rooms) <= NAMED_ROOMS:
        return _("You are also in {rooms:list}", rooms=names)
    return ngettext(
        "You are also in {rooms} and {count} more room",
        "You are also in {rooms} and {count} more rooms",
        len(rooms) - NAMED_ROOMS,
        rooms=", ".join(names),
    )


def nobody_else(room: str, *, made: bool) -> str:
    """Tell a script that no member reads its messages now; ``made`` where the room did not exist before."""
    return in_turn(
        _("#{room} is a new room", room=room) if made else _("Nobody else is in #{room} now", room=room),
        _("Check its name, if you did not expect that. What you send is stored there"),
    )


def left_room(room: str, owner: str = "") -> str:
    """Tell that the user has left a room, and which member is its owner now, if the user was its only one."""
    if owner:
        return _("You left #{room}. {owner} is its owner now", room=room, owner=quoted(owner))
    return _("You left #{room}", room=room)


def came(room: str | None, names: Sequence[str]) -> str:
    """Tell that others joined; ``room`` where it is neither the active one nor the lobby."""
    people = [quoted(name) for name in names]
    if room:
        return _("{names:list} joined #{room}", names=people, room=room)
    return _("{names:list} joined", names=people)


def went(room: str | None, names: Sequence[str]) -> str:
    """Tell that others left; ``room`` where it is neither the active one nor the lobby."""
    people = [quoted(name) for name in names]
    if room:
        return _("{names:list} left #{room}", names=people, room=room)
    return _("{names:list} left", names=people)


def renamed(old: str, new: str) -> str:
    """Tell that a member has another name."""
    return _("{old} is now known as {new}", old=quoted(old), new=quoted(new))


def renamed_self(new: str) -> str:
    """Tell that the user has another name."""
    return _("You are now known as {new}", new=quoted(new))


def roster(room: str, names: Sequence[str], total: int) -> str:
    """Show the members in a room."""
    return _("In #{room} ({total}): {names}", room=room, total=total, names=", ".join(map(marked, names)))


def rooms(counts: Sequence[tuple[str, int]]) -> str:
    """Show the rooms."""
    listed = ", ".join(f"#{room} ({total})" for room, total in counts)
    return _("Rooms: {rooms}", rooms=listed) if counts else NO_ROOMS()


def person(name: str, rooms: Sequence[str], *, absent: bool, ignored: bool) -> str:
    """Tell which person has a name: where that person is, and whether the user sees the messages.

    Args:
        name: safe to show.
        rooms: that both are in, safe to show, without their marks.
        absent: whether it is an account, and its owner is not here.
        ignored: whether the messages are hidden.
    """
    # Translators: NAME has an account on this server and is not connected now.
    parts = [_("{name} has an account and is not here now", name=name) if absent else _("{name} is here", name=name)]
    if rooms:
        parts.append(_("You are both in {rooms:list}", rooms=[f"#{room}" for room in rooms]))
    if ignored:
        parts.append(_("Messages from {name} are hidden. /ignore {name} shows them again", name=name))
    return "\n".join(parts)


def ignoring(name: str, *, hidden: bool) -> str:
    """Tell that the messages of a member are hidden or shown."""
    if hidden:
        return _("Messages of {name} are now hidden", name=quoted(name))
    return _("Messages of {name} are now shown again", name=quoted(name))


def line_waiting(text: str, code: ErrorCode | None) -> str:
    """Tell that a message is sent later."""
    if code is ErrorCode.DISK_FULL:
        return _("The server's disk is full. Waiting until there is space: {text}", text=text)
    if code is ErrorCode.SLOW_MODE:
        return _("The room is in slow mode. Waiting to be sent in its turn: {text}", text=text)
    return _("Waiting to be sent: {text}", text=text)


def line_refused(text: str, why: str, *, to: str) -> str:
    """Tell that the server refused a message, and why; ``to`` names the member it was for, if it was for one."""
    if to:
        return in_turn(why, _("Not sent to {name}: {text}", name=quoted(to), text=text))
    return in_turn(why, _("Not sent: {text}", text=text))


def postponed(kind: DeferredKind, subject: str, text: str) -> str:
    """Tell that a command is carried out after a reconnect; it is shown as it was typed."""
    typed = {
        DeferredKind.NAME: f"/nick {subject}",
        DeferredKind.JOIN: f"/join {subject}",
        DeferredKind.DIRECT: f"/msg {subject} {text}",
    }
    return _("Will be done after reconnecting: {command}", command=typed[kind])


def back_in_room(room: str) -> str:
    """Tell that the active room has changed."""
    return _("Now talking in #{room}", room=room)


def in_dialogue(name: str) -> str:
    """Tell that what is typed goes to one person now."""
    return in_turn(_("Direct messages with {name}", name=quoted(name)), _("/join leads back to the room"))


def line_lost(text: str) -> str:
    """Tell that a message may not have been stored."""
    return _("Not confirmed by the server and possibly lost: {text}", text=text)


def slowed_down() -> str:
    """Tell that the message rate is exceeded."""
    return _("You are sending faster than the server allows. Your messages are sent one by one, and none is lost")


def request_refused(why: str, room: str | None) -> str:
    """Tell that the server refused a command; ``room`` is the one it was about."""
    return why if room is None or f"#{room}" in why else f"#{room}: {why}"


def name_refused(name: str, why: str, code: ErrorCode, *, kept: bool = False) -> str:
    """Tell that another name is needed; ``kept`` where it is free again after a time, as ``why`` says."""
    if code is ErrorCode.NAME_IN_USE and not kept:
        return _("The name {name} is taken. Choose another one", name=quoted(name))
    return wrong_name(name, why)


def name_kept(name: str, seconds: float, *, can_choose: bool) -> str:
    """Tell that the name is kept for a member who lost the connection, and that the client waits for it."""
    count = max(1, round(seconds))
    if can_choose:
        return _(
            "{name} is kept for another {seconds} s after a lost connection. Trying again, /nick NAME takes another",
            name=quoted(name),
            seconds=count,
        )
    return _(
        "{name} is kept for another {seconds} s after a lost connection. Trying again", name=quoted(name), seconds=count
    )


def name_not_awaited(name: str, seconds: float) -> str:
    """Tell that the name is kept for a member who lost the connection, and that the client does not wait for it."""
    return _(
        "{name} is kept for another {seconds} s after a lost connection. Ended, as --wait 0 waits for nothing",
        name=quoted(name),
        seconds=max(1, round(seconds)),
    )


def name_awaited(name: str, seconds: float) -> str:
    """Tell that a script waits for a name that another connection has."""
    return _("The name {name} is taken. Waiting up to {time} for it", name=quoted(name), time=span(seconds))


def login_late(seconds: float) -> str:
    """Tell that a script gives up before it could log in."""
    if seconds <= 0:
        return _("Not logged in, and --wait 0 waits for nothing. Nothing was sent")
    return _("Not logged in after another {time}, giving up. Nothing was sent", time=span(seconds))


def connection_lost(loss: Disconnect, code: ErrorCode | None, text: str) -> str:
    """Tell that the connection is lost, and what the client does.

    Args:
        loss: what the client has seen.
        code: of the server's last words, if it sent some; a code without a sentence here has ``text``.
        text: the server's last sentence. It may tell a person to connect again, which the client does by itself.
    """
    seen = capital(text) if text else _LOSSES[loss.kind]()
    why = _CLOSED_FOR[code]() if code in _CLOSED_FOR else seen
    follows = (
        _("Reconnecting when it is back, what you type is kept")
        if code is ErrorCode.SHUTTING_DOWN
        else _("Reconnecting, what you type is kept")
    )
    return in_turn(_("Connection lost"), why, follows)


def still_away(loss: Disconnect) -> str:
    """Tell that a reconnect failed for another reason than before."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        why = tls_failure(loss.tls.problem, loss.tls.detail)
    else:
        why = _LOSSES[loss.kind]()
    return in_turn(_("Not connected"), why, _("Trying again"))


def caught_up(missed: int) -> str:
    """Tell how many messages were missed, after they were shown."""
    return ngettext(
        "{count} message while you were away, shown above", "{count} messages while you were away, shown above", missed
    )


_DECLINED: Mapping[RejectReason, LazyText] = {
    RejectReason.AWAY: LazyText("You are offline. Try again when you are connected"),
    RejectReason.QUEUE_FULL: LazyText("Too many messages are waiting. This one was not taken, send it again later"),
    RejectReason.TEXT_EMPTY: LazyText("The message is empty"),
    RejectReason.TEXT_TOO_LONG: LazyText(
        "A message has at most {most} characters, this one has {length}. Send it in parts"
    ),
    RejectReason.NOT_IN_ROOM: LazyText("You are not in #{room}. /join {room} joins it"),
    RejectReason.ONESELF: LazyText("This is you"),
    RejectReason.LOBBY_STAYS: LazyText("You cannot leave #lobby. /quit exits"),
    RejectReason.NO_CONVERSATION: LazyText("No person, no room of yours and no day is called: {name}"),
    RejectReason.LEAVING: LazyText("You are quitting. Nothing more can be sent"),
}


def declined(reason: RejectReason, subject: str, detail: str) -> str:  # noqa: PLR0911 - one row a reason
    """Tell that the client refuses an action; a rule about names has its own sentence."""
    match reason:
        case RejectReason.NOTHING_MORE:
            return str(room_sentences.NOTHING_MORE)
        case RejectReason.NOTHING_UNREAD:
            return str(room_sentences.NOTHING_UNREAD)
        case RejectReason.NOT_THERE:
            return str(room_sentences.NOT_THERE)
        case RejectReason.NAME_INVALID | RejectReason.ROOM_INVALID:
            return wrong_name(subject, detail)
        case RejectReason.NO_PROGRAMS:
            return program_sentences.NO_PROGRAMS()
        case RejectReason.NO_SUCH_BOT:
            return program_sentences.no_such_bot(subject)
        case RejectReason.BOT_WITHOUT_TOKEN:
            return program_sentences.bot_without_token(subject)
    return _DECLINED[reason](room=subject, name=subject, length=subject, most=MAX_TEXT_CHARS)


def wrong_name(name: str, why: str) -> str:
    """Refuse the name of a member or room; ``why`` is the sentence of the rule."""
    return in_turn(capital(why), _("Not accepted: {name}", name=name)) if name else capital(why)


def unknown_command(word: str, nearest: str | None) -> str:
    """Refuse a command that does not exist."""
    return in_turn(
        _("Unknown command {word}", word=word),
        _("Did you mean {nearest}?", nearest=nearest)
        if nearest
        else _("/help lists the commands, // sends a text that begins with /"),
    )


BLANK_BEFORE_COMMAND = LazyText(
    "Not sent, because it may be a command. Remove the blank before the / to run it, or begin with // to send the text"
)
LINE_CLEARED = LazyText("Your line was not sent. Ctrl-C on an empty line quits")
LINE_CLEARED_IN_TRANSFER = LazyText("Your line was not sent. Ctrl-C on an empty line cancels the transfer of files")
NOT_TEXT = LazyText(
    "Not sent, because your line has bytes that are not UTF-8 text. Type it again, or paste it as UTF-8"
)


def ambiguous_name(longer: str, shorter: str, command: str) -> str:
    """Refuse a name that can end at two places; both are shown as they would be typed."""
    return _(
        'Nothing was done, because the name can be "{shorter}" or "{longer}". Put it in quotes: '
        '{command} "{longer}" or {command} "{shorter}"',
        shorter=shorter,
        longer=longer,
        command=command,
    )


NO_ME = LazyText("/me is not supported. Send it as a message")


def history_count(text: str, least: int, most: int) -> str:
    """Refuse the argument of /history."""
    days = str(room_sentences.A_DAY)
    return _("Not a number ({least}-{most}) or a day ({days}): {text}", least=least, most=most, days=days, text=text)


def mistake(what: str) -> str:
    """Report an exception over a typed line; the chat goes on."""
    return _(
        "This program made a mistake over your last line, which may not have been sent. Please report: {what}",
        what=what,
    )


# --- why there is no connection -----------------------------------------------------------------------------------

_LOSSES: Mapping[DisconnectReason, LazyText] = {
    DisconnectReason.CLOSED: LazyText("The server went away"),
    DisconnectReason.SILENT: LazyText("The server does not respond"),
    DisconnectReason.REFUSED: LazyText("The server is not running"),
    DisconnectReason.TIMEOUT: LazyText("The server does not respond"),
    DisconnectReason.HOST_NOT_FOUND: LazyText("The server's name cannot be resolved"),
    DisconnectReason.UNREACHABLE: LazyText("The network is unreachable"),
    DisconnectReason.NONSENSE: LazyText("The server sent something that is not securechat"),
    DisconnectReason.TLS: LazyText("The secure connection broke"),
    DisconnectReason.HUNG_UP: LazyText("The server closed the connection during the TLS handshake"),
}

_CLOSED_FOR: Mapping[ErrorCode | None, LazyText] = {
    ErrorCode.HELLO_TIMEOUT: LazyText("The login took too long"),
    ErrorCode.INTERNAL: LazyText("The server made a mistake"),
    ErrorCode.LOG_FAILED: LazyText("The server cannot store messages any more and is stopping"),
    ErrorCode.PING_TIMEOUT: LazyText("The connection did not answer in time"),
    ErrorCode.SHUTTING_DOWN: LazyText("The server is shutting down"),
    ErrorCode.SLOW_READER: LazyText("The connection is too slow for what is sent to it"),
}
"""Why the server has closed a connection that the client makes again: without its advice to connect again."""

_TLS_ADVICE: Mapping[TlsProblem, LazyText] = {
    TlsProblem.WRONG_CA: LazyText(
        "Get the right ca.pem from the server's administrator. If you have it, the connection may be intercepted"
    ),
    TlsProblem.WRONG_PIN: LazyText(
        "Compare the pin with the one that the server prints when it starts. If it is the same, the connection may be "
        "intercepted"
    ),
    TlsProblem.CHAIN_INCOMPLETE: LazyText(
        "The CA that you gave is not the one that issued it, or the server does not show its intermediate certificates "
        "(fullchain.pem). Ask the server's administrator"
    ),
    TlsProblem.PIN_NOT_OF_CA: LazyText(
        "Pin the server's root CA, or name the file of its CA with --ca (for a public one: --ca system)"
    ),
    TlsProblem.UNUSABLE: LazyText("The server's administrator must replace it. Trying again does not help"),
    TlsProblem.HOST_MISMATCH: LazyText(
        "Use one of its names, or ask the server's administrator to add this one ({adds_name})"
    ),
    TlsProblem.EXPIRED: LazyText("The server's administrator must renew it. Check this machine's clock as well"),
    TlsProblem.NOT_YET_VALID: LazyText("Set the clock that is wrong"),
    TlsProblem.NO_CERTIFICATE: LazyText("The server needs a certificate ({makes_one} makes one)"),
    TlsProblem.NOT_TLS: LazyText("Check host and port. A securechat server always uses TLS"),
    TlsProblem.NO_COMMON_PROTOCOL: LazyText("Check host and port"),
    TlsProblem.BAD_FILE: LazyText(
        "Copy ca.pem from the server's certs folder, or use --pin with the fingerprint it prints. A public certificate "
        "needs neither, but --ca system"
    ),
    TlsProblem.OTHER: LazyText("Try again. If it does not help, ask the server's administrator"),
}


def tls_failure(problem: TlsProblem, detail: str) -> str:
    """Explain a refused certificate or handshake, with advice."""
    adds_name, makes_one = command(Program.CERTIFICATES, "--name HOST"), command(Program.CERTIFICATES)
    return in_turn(capital(detail), _TLS_ADVICE[problem](adds_name=adds_name, makes_one=makes_one))


_NOT_REACHED: Mapping[DisconnectReason, LazyText] = {
    DisconnectReason.REFUSED: LazyText("No server is running at {host} port {port}. Start it, or check host and port"),
    DisconnectReason.HOST_NOT_FOUND: LazyText("There is no host called {host}. Check the spelling or use its address"),
    DisconnectReason.TIMEOUT: LazyText(
        "{host} port {port} does not respond. Check the address, the network and the firewall"
    ),
    DisconnectReason.SILENT: LazyText("{host} port {port} does not respond. Check host and port"),
    DisconnectReason.UNREACHABLE: LazyText("{host} port {port} cannot be reached. Check the address and the network"),
    DisconnectReason.NONSENSE: LazyText(
        "{host} port {port} sent something that is not securechat. Check host and port"
    ),
    DisconnectReason.CLOSED: LazyText(
        "{host} port {port} closed the connection. Try again, or ask the server's administrator"
    ),
    DisconnectReason.TLS: LazyText(
        "The secure connection to {host} port {port} broke. Try again, or ask the server's administrator"
    ),
    DisconnectReason.HUNG_UP: LazyText(
        "{host} port {port} closed the connection during the TLS handshake. It may be full, shutting down, or no TLS "
        "server; or it refuses your address after too many connections, then wait ten minutes"
    ),
}


def not_reached(loss: Disconnect, host: str, port: int) -> str:
    """Tell that the first connection failed."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        return tls_failure(loss.tls.problem, loss.tls.detail)
    return _NOT_REACHED[loss.kind](host=host, port=port)


def ended(cause: EndReason, code: ErrorCode | None, text: str) -> str:
    """Tell that the server ended the session for good."""
    if code is ErrorCode.REPLACED:
        return _("You connected from elsewhere with this session. This client stops")
    if cause is EndReason.VERSION:
        return _("The server speaks another version of the protocol. Update the older program: {text}", text=text)
    return in_turn(_("The server closed the connection"), capital(text))


def no_ca(default: str) -> str:
    """Ask for a CA."""
    return _(
        "There is no {file} here. Name the server's CA with --ca FILE, or use --pin sha256:... with the fingerprint "
        "that the server prints when it starts. For a public certificate use --ca system",
        file=default,
    )


def bad_address(text: str) -> str:
    """Refuse a HOST[:PORT]."""
    return _("Not HOST[:PORT]; an IPv6 address with a port is written [::1]:8443: {text}", text=text)


# --- pipes --------------------------------------------------------------------------------------------------------


def progress(acked: int, waiting: int, rate: float, *, more: bool) -> str:
    """Report the progress of --send at ``rate`` messages a second; ``more`` while the input may go on."""
    speed = round(rate) if rate >= 10 else float(f"{rate:.2g}")
    left = span(waiting / rate)
    return in_turn(
        _("{acked} stored, {waiting} on their way", acked=acked, waiting=waiting),
        _("The server limits the rate of a sender, nothing is lost"),
        _("At least {time} left at {speed:number} a second", time=left, speed=speed)
        if more
        else _("About {time} left at {speed:number} a second", time=left, speed=speed),
    )


def output_failed(why: str) -> str:
    """Tell that standard output cannot be written."""
    return _("Cannot write to standard output, stopping: {why}", why=why)


def input_failed(why: str) -> str:
    """Tell that standard input cannot be read."""
    return _("Cannot read from standard input, nothing more is sent: {why}", why=why)


def input_line_too_long(number: int, length: int, most: int) -> str:
    """Refuse a line of standard input."""
    return _(
        "Line {number} has {length} characters and was not sent. A message has at most {most}",
        number=number,
        length=length,
        most=most,
    )


def input_line_not_text(number: int, byte: int, place: int) -> str:
    """Refuse a line of standard input that is not UTF-8; ``place`` of the byte is counted from 1."""
    shown = f"0x{byte:02X}"
    return _(
        "Line {number} was not sent, because it is not UTF-8 text: byte {byte} at position {place}",
        number=number,
        byte=shown,
        place=place,
    )


def input_line(number: int, why: str) -> str:
    """Tell about one line of standard input."""
    return _("Line {number}: {why}", number=number, why=why)


def input_rest(number: int) -> str:
    """Tell that the end came before the end of standard input; ``number`` is the first line not taken."""
    return _("Line {number} and the lines after it were not sent", number=number)


def input_secret(number: int) -> str:
    """Tell that a command that asks for a password ends the reading of standard input."""
    return _(
        "Line {number}: a password can be typed at a terminal only. Stopping here, because the lines after it may be "
        "passwords",
        number=number,
    )


def stalled(seconds: float) -> str:
    """Tell that --send gives up."""
    return ngettext(
        "The server has stored nothing for {count} second, giving up",
        "The server has stored nothing for {count} seconds, giving up",
        round(seconds),
    )


def room_refused(room: str, why: str) -> str:
    """Tell that the room of --room cannot be joined."""
    return in_turn(_("Cannot join #{room}", room=room), why) if room else why


# --- the command line ---------------------------------------------------------------------------------------------

CLI_DESCRIPTION = LazyText(
    "Chat over verified TLS. Without --send or --tail: a full screen at a terminal, or lines with --plain; in a pipe, "
    "every line of stdin is sent as it stands and what arrives is printed, until the end of the input."
)
CLI_HOST = LazyText(
    "the server, or an invite link for one use; default: the server used last; at first a form asks, or without a "
    "screen localhost:8443; IPv6 with a port: [::1]:8443"
)
CLI_CA = LazyText(
    "trust the CA in this file (default certs/ca.pem, or SECURECHAT_CA); system for the CAs of this machine"
)
CLI_PIN = LazyText("trust the CA with this fingerprint, which the server prints (or SECURECHAT_PIN)")
CLI_NAME = LazyText("your name (or SECURECHAT_NAME); asked for at a terminal")
CLI_ROOM = LazyText("a room to join besides the lobby, and to talk in")
CLI_SEND = LazyText("send each line of stdin to the room, wait until all are stored, and exit")
CLI_COMMANDS = LazyText(
    "in a pipe: obey lines that begin with / as at a terminal, for programs that chat; a line that is only text begins "
    "with // there"
)
CLI_TAIL = LazyText("print the room's last messages and then new ones, a line each")
CLI_HISTORY = LazyText("with --tail: number of earlier messages printed first (default 10)")
CLI_KEY = LazyText(
    "with --send: a name for these lines, such as backup-2026-11-29; sent again with it by the same account within "
    "30 days, they are stored once"
)
CLI_JSON = LazyText("with --tail: JSON lines with the fields seq, at (UTC), room, by (a number), name, text")
CLI_WAIT = LazyText(
    "without a terminal: seconds to wait for a name that is taken, and for a login that the server delays (default "
    "60); for a name that is kept after a lost connection, the server's time is added, but not to 0"
)
CLI_PORT = LazyText("the port, if not given with HOST (default 8443)")
CLI_VERSION = LazyText("print the version and exit")
CLI_EXIT_CODES = LazyText("Exit codes: {codes}.")
# Translators: these stand for what a person types behind a flag.
NAME_PLACEHOLDER = LazyText("NAME")
ROOM_PLACEHOLDER = LazyText("ROOM")


EMPTY_VALUE = LazyText("the value is empty; give one, or leave it out")


def key_unusable(most: int) -> str:
    """Refuse a key of the command line."""
    return _("a key has 1 to {most} letters, digits and signs of ASCII, and no spaces", most=most)


def not_between(text: str, least: int, most: int) -> str:
    """Refuse a number of the command line."""
    return _("not a number from {least} to {most}: {text}", least=least, most=most, text=text)
