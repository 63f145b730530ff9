"""Sentences about the connection, rooms joined and left, pending messages, pipes and the command line.

Functions take the parts that vary as named arguments. Text that a peer may have chosen is made safe before it comes
here (rendering.py does that); names of members go through `names.quoted`, and foreign text stands at the end, after a
colon.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue import rooms as room_sentences
from securechat.client.catalogue.names import capital, listed, quoted
from securechat.client.catalogue.rooms import span
from securechat.client.core.events.connection import Disconnect, DisconnectReason, EndReason
from securechat.client.core.events.requests import DeferredKind, RejectReason
from securechat.errors import ErrorCode, TlsProblem
from securechat.limits import MAX_TEXT_CHARS
from securechat.programs import Program, command

NAME_PROMPT = "Name: "
PROMPT = ">> "
MORE_HELP = "/help shows the commands; exit or Ctrl-D quits"
ALONE = "You are alone here"
CONNECTION_BACK = "Connected again"
NO_HISTORY = "There are no messages yet"
HISTORY_RESET = "The server's history was restored or replaced. Recent messages may be missing"
LEAVING = "Quitting. Waiting for the server to store your messages (Ctrl-C: quit now)"
NO_ROOMS = "There are no rooms"
NAME_MISSING = "A name is needed. Without a terminal, give it with --name NAME"
STDIN_CLOSED = "Standard input is closed, so there is nothing to send. Give it a file or a pipe, or use --tail"
STDOUT_CLOSED = "Standard output is closed, so nothing can be printed. Give it a file or a pipe"
CA_AND_PIN = "--ca and --pin exclude each other. Trust a file or a fingerprint"
INPUT_NOT_UTF8 = (
    "The input is UTF-16 or UTF-32, not UTF-8, and nothing was sent. Convert it first: iconv -f UTF-16 -t UTF-8"
)
COMMANDS_NOT_HERE = "--commands excludes --send and --tail. --send sends every line as it stands"
JSON_WITHOUT_TAIL = "--json and --history need --tail"


def name_prompt(login: str | None) -> str:
    """Ask for a name, offering one."""
    return f"Name [{login}]: " if login else NAME_PROMPT


def prompt(*, room: str | None, waiting: int) -> str:
    """Return the prompt of the line editor: the room if it is not the lobby, and the number of pending messages."""
    return "".join([f"#{room} " if room else "", f"({waiting} waiting) " if waiting else "", PROMPT])


def connecting(host: str, port: int) -> str:
    """Tell which server is dialled."""
    return f"Connecting to {host} port {port}"


def connected(host: str, port: int, name: str) -> str:
    """Tell that the user is logged in."""
    return f"Connected to {host} port {port} as {quoted(name)}, encrypted and verified"


def entered(room: str, others: Sequence[str], total: int, *, made: bool = False, owned: bool = False) -> str:
    """Tell that the user has joined a room; ``made`` where it did not exist before, ``owned`` by the user."""
    if made:
        new = f"#{room}, a new room, which you own" if owned else f"#{room}, a room that no member owns"
        return f"Joined {new}. {ALONE}"
    if others:
        return f"Joined #{room}. Also here: {', '.join(others)}"
    return f"Joined #{room}. {ALONE if total <= 1 else f'{total} people are here'}"


def nobody_else(room: str, *, made: bool) -> str:
    """Tell a script that nobody reads its messages now; ``made`` where the room did not exist before."""
    new = f"#{room} is a new room" if made else f"Nobody else is in #{room} now"
    return f"{new}. Check its name, if you did not expect that. What you send is stored there"


def left_room(room: str, owner: str = "") -> str:
    """Tell that the user has left a room, and which member is its owner now, if the user was its only one."""
    return f"You left #{room}. {quoted(owner)} is its owner now" if owner else f"You left #{room}"


def came(room: str | None, names: Sequence[str]) -> str:
    """Tell that others joined; ``room`` where it is neither the active one nor the lobby."""
    return f"{listed(names)} joined{_room(room)}"


def went(room: str | None, names: Sequence[str]) -> str:
    """Tell that others left; ``room`` where it is neither the active one nor the lobby."""
    return f"{listed(names)} left{_room(room)}"


def renamed(old: str, new: str) -> str:
    """Tell that a member has another name."""
    return f"{quoted(old)} is now known as {quoted(new)}"


def renamed_self(new: str) -> str:
    """Tell that the user has another name."""
    return f"You are now known as {quoted(new)}"


def roster(room: str, names: Sequence[str], total: int) -> str:
    """Show the members in a room."""
    return f"In #{room} ({total}): {', '.join(names)}"


def rooms(counts: Sequence[tuple[str, int]]) -> str:
    """Show the rooms."""
    return "Rooms: " + ", ".join(f"#{room} ({total})" for room, total in counts) if counts else NO_ROOMS


def ignoring(name: str, *, hidden: bool) -> str:
    """Tell that the messages of a member are hidden or shown."""
    return f"Messages of {quoted(name)} are now {'hidden' if hidden else 'shown again'}"


def line_waiting(text: str, code: ErrorCode | None) -> str:
    """Tell that a message is sent later."""
    why = {
        ErrorCode.DISK_FULL: "The server's disk is full. Waiting until there is space",
        ErrorCode.SLOW_MODE: "The room is in slow mode. Waiting to be sent in its turn",
    }
    return f"{why[code]}: {text}" if code in why else f"Waiting to be sent: {text}"


def line_refused(text: str, why: str, *, to: str) -> str:
    """Tell that the server refused a message, and why; ``to`` names the member it was for, if it was for one."""
    return f"{why}. Not sent{f' to {quoted(to)}' if to else ''}: {text}"


def postponed(kind: DeferredKind, subject: str, text: str) -> str:
    """Tell that a command is carried out after a reconnect; it is shown as it was typed."""
    typed = {DeferredKind.NAME: "/nick {0}", DeferredKind.JOIN: "/join {0}", DeferredKind.DIRECT: "/msg {0} {1}"}[kind]
    return f"Will be done after reconnecting: {typed.format(subject, text)}"


def back_in_room(room: str) -> str:
    """Tell that the active room has changed."""
    return f"Now talking in #{room}"


def line_lost(text: str) -> str:
    """Tell that a message may not have been stored."""
    return f"Not confirmed by the server and possibly lost: {text}"


def slowed_down() -> str:
    """Tell that the message rate is exceeded."""
    return "You are sending faster than the server allows. Your messages are sent one by one, and none is lost"


def request_refused(why: str, room: str | None) -> str:
    """Tell that the server refused a command; ``room`` is the one it was about."""
    return why if room is None or f"#{room}" in why else f"#{room}: {why}"


def name_refused(name: str, why: str, code: ErrorCode, *, kept: bool = False) -> str:
    """Tell that another name is needed; ``kept`` where it is free again after a time, as ``why`` says."""
    if code is ErrorCode.NAME_IN_USE and not kept:
        return f"The name {quoted(name)} is taken. Choose another one"
    return wrong_name(name, why)


def name_kept(name: str, seconds: float, *, can_choose: bool) -> str:
    """Tell that the name is kept for a member who lost the connection, and that the client waits for it."""
    other = ", /nick NAME takes another" if can_choose else ""
    return f"{quoted(name)} is kept for another {max(1, round(seconds))} s after a lost connection. Trying again{other}"


def name_awaited(name: str, seconds: float) -> str:
    """Tell that a script waits for a name that another connection has."""
    return f"The name {quoted(name)} is taken. Waiting up to {span(seconds)} for it"


def login_late(seconds: float) -> str:
    """Tell that a script gives up before it could log in."""
    if seconds <= 0:
        return "Not logged in, and --wait 0 waits for nothing. Nothing was sent"
    return f"Not logged in after another {span(seconds)}, giving up. Nothing was sent"


def connection_lost(loss: Disconnect, code: ErrorCode | None, text: str) -> str:
    """Tell that the connection is lost, and what the client does.

    Args:
        loss: what the client has seen.
        code: of the server's last words, if it sent some; a code without a sentence here has ``text``.
        text: the server's last sentence. It may tell a person to connect again, which the client does by itself.
    """
    said = capital(text or _LOSSES.get(loss.kind, loss.detail))
    why = said if code is None else _CLOSED_FOR.get(code, said)
    when = " when it is back" if code is ErrorCode.SHUTTING_DOWN else ""
    return f"Connection lost. {why}. Reconnecting{when}, what you type is kept"


def still_away(loss: Disconnect) -> str:
    """Tell that a reconnect failed for another reason than before."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        return f"Not connected. {tls_failure(loss.tls.problem, loss.tls.detail)}. Trying again"
    return f"Not connected. {capital(_LOSSES.get(loss.kind, loss.detail))}. Trying again"


def caught_up(missed: int) -> str:
    """Tell how many messages were missed, after they were shown."""
    return f"{missed} {'message' if missed == 1 else 'messages'} while you were away, shown above"


_DECLINED = {
    RejectReason.AWAY: "You are offline. Try again when you are connected",
    RejectReason.QUEUE_FULL: "Too many messages are waiting. This one was not taken, send it again later",
    RejectReason.TEXT_EMPTY: "The message is empty",
    RejectReason.TEXT_TOO_LONG: f"A message has at most {MAX_TEXT_CHARS} characters, this one has {{0}}. "
    "Send it in parts",
    RejectReason.NOT_IN_ROOM: "You are not in #{0}. /join {0} joins it",
    RejectReason.LOBBY_STAYS: "You cannot leave #lobby. /quit exits",
    RejectReason.NOTHING_MORE: room_sentences.NOTHING_MORE,
    RejectReason.NOTHING_UNREAD: room_sentences.NOTHING_UNREAD,
    RejectReason.NOT_THERE: room_sentences.NOT_THERE,
    RejectReason.NO_CONVERSATION: "No person, no room of yours and no day is called: {0}",
    RejectReason.LEAVING: "You are quitting. Nothing more can be sent",
}


def declined(reason: RejectReason, subject: str, detail: str) -> str:
    """Tell that the client refuses an action; a rule about names has its own sentence."""
    return str(_DECLINED[reason]).format(subject) if reason in _DECLINED else wrong_name(subject, detail)


def wrong_name(name: str, why: str) -> str:
    """Refuse the name of a member or room; ``why`` is the sentence of the rule."""
    return f"{capital(why)}. Not accepted: {name}" if name else capital(why)


def unknown_command(word: str, nearest: str | None) -> str:
    """Refuse a command that does not exist."""
    hint = f"Did you mean {nearest}?" if nearest else "/help lists the commands, // sends a text that begins with /"
    return f"Unknown command {word}. {hint}"


BLANK_BEFORE_COMMAND = (
    "Not sent, because it may be a command. Remove the blank before the / to run it, or begin with // to send the text"
)
LINE_CLEARED = "Your line was not sent. Ctrl-C on an empty line quits"
NOT_TEXT = "Not sent, because your line has bytes that are not UTF-8 text. Type it again, or paste it as UTF-8"


def ambiguous_name(longer: str, shorter: str, command: str) -> str:
    """Refuse a name that can end at two places; both are shown as they would be typed."""
    return (
        f'Nothing was done, because the name can be "{shorter}" or "{longer}". Put it in quotes: '
        f'{command} "{longer}" or {command} "{shorter}"'
    )


NO_ME = "/me is not supported. Send it as a message"


def history_count(text: str, least: int, most: int) -> str:
    """Refuse the argument of /history."""
    return f"Not a number ({least}-{most}) or a day ({room_sentences.A_DAY}): {text}"


def mistake(what: str) -> str:
    """Report an exception over a typed line; the chat goes on."""
    return f"This program made a mistake over your last line, which may not have been sent. Please report: {what}"


# --- why there is no connection -----------------------------------------------------------------------------------

_LOSSES = {
    DisconnectReason.CLOSED: "The server went away",
    DisconnectReason.SILENT: "The server does not respond",
    DisconnectReason.REFUSED: "The server is not running",
    DisconnectReason.TIMEOUT: "The server does not respond",
    DisconnectReason.HOST_NOT_FOUND: "The server's name cannot be resolved",
    DisconnectReason.UNREACHABLE: "The network is unreachable",
    DisconnectReason.NONSENSE: "The server sent something that is not securechat",
    DisconnectReason.TLS: "The secure connection broke",
    DisconnectReason.HUNG_UP: "The server closed the connection during the TLS handshake",
}

_CLOSED_FOR = {
    ErrorCode.HELLO_TIMEOUT: "The login took too long",
    ErrorCode.INTERNAL: "The server made a mistake",
    ErrorCode.LOG_FAILED: "The server cannot store messages any more and is stopping",
    ErrorCode.PING_TIMEOUT: "The connection did not answer in time",
    ErrorCode.SHUTTING_DOWN: "The server is shutting down",
    ErrorCode.SLOW_READER: "The connection is too slow for what is sent to it",
}
"""Why the server has closed a connection that the client makes again: without its advice to connect again."""

_TLS_ADVICE = {
    TlsProblem.WRONG_CA: "Get the right ca.pem from the server's administrator. If you have it, the connection may be "
    "intercepted",
    TlsProblem.WRONG_PIN: "Compare the pin with the one that the server prints when it starts. If it is the same, the "
    "connection may be intercepted",
    TlsProblem.CHAIN_INCOMPLETE: "The CA that you gave is not the one that issued it, or the server does not show its "
    "intermediate certificates (fullchain.pem). Ask the server's administrator",
    TlsProblem.PIN_NOT_OF_CA: "Pin the server's root CA, or name the file of its CA with --ca (for a public one: --ca "
    "system)",
    TlsProblem.UNUSABLE: "The server's administrator must replace it. Trying again does not help",
    TlsProblem.HOST_MISMATCH: "Use one of its names, or ask the server's administrator to add this one "
    f"({command(Program.CERTIFICATES, '--name HOST')})",
    TlsProblem.EXPIRED: "The server's administrator must renew it. Check this machine's clock as well",
    TlsProblem.NOT_YET_VALID: "Set the clock that is wrong",
    TlsProblem.NO_CERTIFICATE: f"The server needs a certificate ({command(Program.CERTIFICATES)} makes one)",
    TlsProblem.NOT_TLS: "Check host and port. A securechat server always uses TLS",
    TlsProblem.NO_COMMON_PROTOCOL: "Check host and port",
    TlsProblem.BAD_FILE: "Copy ca.pem from the server's certs folder, or use --pin with the fingerprint it prints. "
    "A public certificate needs neither, but --ca system",
    TlsProblem.OTHER: "Try again. If it does not help, ask the server's administrator",
}


def tls_failure(problem: TlsProblem, detail: str) -> str:
    """Explain a refused certificate or handshake, with advice."""
    return f"{capital(detail)}. {_TLS_ADVICE[problem]}"


_NOT_REACHED = {
    DisconnectReason.REFUSED: "No server is running at {where}. Start it, or check host and port",
    DisconnectReason.HOST_NOT_FOUND: "There is no host called {host}. Check the spelling or use its address",
    DisconnectReason.TIMEOUT: "{where} does not respond. Check the address, the network and the firewall",
    DisconnectReason.SILENT: "{where} does not respond. Check host and port",
    DisconnectReason.UNREACHABLE: "{where} cannot be reached. Check the address and the network",
    DisconnectReason.NONSENSE: "{where} sent something that is not securechat. Check host and port",
    DisconnectReason.CLOSED: "{where} closed the connection. Try again, or ask the server's administrator",
    DisconnectReason.TLS: "The secure connection to {where} broke. Try again, or ask the server's administrator",
    DisconnectReason.HUNG_UP: "{where} closed the connection during the TLS handshake. It may be full, shutting down, "
    "or no TLS server; or it refuses your address after too many connections, then wait ten minutes",
}


def not_reached(loss: Disconnect, host: str, port: int) -> str:
    """Tell that the first connection failed."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        return tls_failure(loss.tls.problem, loss.tls.detail)
    return _NOT_REACHED[loss.kind].format(where=f"{host} port {port}", host=host)


def ended(cause: EndReason, code: ErrorCode | None, text: str) -> str:
    """Tell that the server ended the session for good."""
    if code is ErrorCode.REPLACED:
        return "You connected from elsewhere with this session. This client stops"
    if cause is EndReason.VERSION:
        return f"The server speaks another version of the protocol. Update the older program: {text}"
    return f"The server closed the connection. {capital(text)}"


def no_ca(default: str) -> str:
    """Ask for a CA."""
    return (
        f"There is no {default} here. Name the server's CA with --ca FILE, or use --pin sha256:... with the "
        "fingerprint that the server prints when it starts. For a public certificate use --ca system"
    )


def bad_address(text: str) -> str:
    """Refuse a HOST[:PORT]."""
    return f"Not HOST[:PORT]; an IPv6 address with a port is written [::1]:8443: {text}"


# --- pipes --------------------------------------------------------------------------------------------------------


def progress(acked: int, waiting: int, rate: float, *, more: bool) -> str:
    """Report the progress of --send at ``rate`` messages a second; ``more`` while the input may go on."""
    known = "At least" if more else "About"
    speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
    return (
        f"{acked} stored, {waiting} on their way. The server limits the rate of a sender, nothing is lost. "
        f"{known} {span(waiting / rate)} left at {speed} a second"
    )


def output_failed(why: str) -> str:
    """Tell that standard output cannot be written."""
    return f"Cannot write to standard output, stopping: {why}"


def input_failed(why: str) -> str:
    """Tell that standard input cannot be read."""
    return f"Cannot read from standard input, nothing more is sent: {why}"


def input_line_too_long(number: int, length: int, most: int) -> str:
    """Refuse a line of standard input."""
    return f"Line {number} has {length} characters and was not sent. A message has at most {most}"


def input_line_not_text(number: int, byte: int, place: int) -> str:
    """Refuse a line of standard input that is not UTF-8; ``place`` of the byte is counted from 1."""
    return f"Line {number} was not sent, because it is not UTF-8 text: byte 0x{byte:02X} at position {place}"


def input_line(number: int, why: str) -> str:
    """Tell about one line of standard input."""
    return f"Line {number}: {why}"


def input_rest(number: int) -> str:
    """Tell that the end came before the end of standard input; ``number`` is the first line not taken."""
    return f"Line {number} and the lines after it were not sent"


def input_secret(number: int) -> str:
    """Tell that a command that asks for a password ends the reading of standard input."""
    return (
        f"Line {number}: a password can be typed at a terminal only. Stopping here, because the lines after it may be "
        "passwords"
    )


def stalled(seconds: float) -> str:
    """Tell that --send gives up."""
    return f"The server has stored nothing for {seconds:.0f} seconds, giving up"


def room_refused(room: str, why: str) -> str:
    """Tell that the room of --room cannot be joined."""
    return f"Cannot join #{room}. {why}" if room else why


# --- the command line ---------------------------------------------------------------------------------------------

CLI_DESCRIPTION = "Chat over verified TLS. Without --send or --tail: interactive at a terminal; in a pipe, every \
line of stdin is sent as it stands and what arrives is printed, until the end of the input."
CLI_HOST = (
    "the server, or an invite link for one use; default: the server used last, at first localhost:8443; IPv6 with \
a port: [::1]:8443"
)
CLI_CA = "trust the CA in this file (default certs/ca.pem, or SECURECHAT_CA); system for the CAs of this machine"
CLI_PIN = "trust the CA with this fingerprint, which the server prints (or SECURECHAT_PIN)"
CLI_NAME = "your name (or SECURECHAT_NAME); asked for at a terminal"
CLI_ROOM = "a room to join besides the lobby, and to talk in"
CLI_SEND = "send each line of stdin to the room, wait until all are stored, and exit"
CLI_COMMANDS = "in a pipe: obey lines that begin with / as at a terminal, for programs that chat; a line that is only \
text begins with // there"
CLI_TAIL = "print the room's last messages and then new ones, a line each"
CLI_HISTORY = "with --tail: number of earlier messages printed first (default 10)"
CLI_JSON = "with --tail: JSON lines with the fields seq, at (UTC), room, by (a number), name, text"
CLI_WAIT = (
    "without a terminal: seconds to wait for a name that is taken, and for a login that the server delays (default 60)"
)
CLI_PORT = "the port, if not given with HOST (default 8443)"
CLI_VERSION = "print the version and exit"
CLI_EXIT_CODES = "Exit codes: "


EMPTY_VALUE = "the value is empty; give one, or leave it out"


def not_between(text: str, least: int, most: int) -> str:
    """Refuse a number of the command line."""
    return f"not a number from {least} to {most}: {text}"


def _room(room: str | None) -> str:
    return f" #{room}" if room else ""
