"""Every sentence a user of the client reads, in one place: translations will replace this module and nothing else.

Functions take what varies as named arguments. Whatever a peer may have chosen comes in already made safe (rendering.py
does that). In notices the fixed words come first, then a colon, then names separated by commas: a name can contain
neither, so no name can make a notice say something else.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue import rooms as talk
from securechat.client.catalogue.help_pages import usage
from securechat.client.core.events.connection import Disconnect, DisconnectReason, EndReason
from securechat.client.core.events.requests import DeferredKind, RejectReason
from securechat.errors import ErrorCode, TlsProblem
from securechat.limits import MAX_TEXT_CHARS

NAME_PROMPT = "Name: "
PROMPT = ">> "
MORE_HELP = "/help shows the commands; exit or Ctrl-D leaves"
ALONE = "nobody else is here"
CONNECTION_BACK = "connected again"
NO_HISTORY = "there are no messages yet"
HISTORY_RESET = "the server has another log than before: what you saw is not in it, and everybody is new to it"
LEAVING = "leaving, waiting for the server to store what you typed (Ctrl-C again: leave now)"
BYE = "bye"
DELETED = "/deleted account/"
"""Who wrote what an account left behind; no name contains a slash."""
NO_ROOMS = "there are no rooms"
CRASHED = "this client has made a mistake and stops; please report the lines above"
NAME_MISSING = "a name is needed when no terminal is there to ask: use --name NAME"
STDIN_CLOSED = "standard input is closed: there is nothing to send; give it a file or a pipe, or use --tail"
STDOUT_CLOSED = "standard output is closed: there is nowhere to print to; give it a file or a pipe"
CA_AND_PIN = "--ca and --pin exclude each other: trust a file or a fingerprint"
JSON_WITHOUT_TAIL = "--json and --history belong to --tail"


def name_prompt(login: str | None) -> str:
    """Ask for a name, offering one."""
    return f"Name [{login}]: " if login else NAME_PROMPT


def prompt(*, room: str | None, waiting: int) -> str:
    """The prompt of the line editor: the room where it is not the lobby, and how many lines wait."""
    return "".join([f"#{room} " if room else "", f"({waiting} waiting) " if waiting else "", PROMPT])


def connecting(host: str, port: int) -> str:
    """The first words."""
    return f"connecting to {host} port {port}"


def connected(host: str, port: int, name: str) -> str:
    """In."""
    return f"connected to {host} port {port}, encrypted, certificate verified; you are: {name}"


def entered(room: str, others: Sequence[str], total: int) -> str:
    """In a room."""
    if others:
        return f"in #{room} with: {', '.join(others)}"
    return f"in #{room}: {ALONE}" if total <= 1 else f"in #{room}: {total} people"


def left_room(room: str) -> str:
    """Out of a room."""
    return f"you left #{room}"


def came(room: str | None, names: Sequence[str]) -> str:
    """Others entered."""
    return f"{_in(room)}joined: {', '.join(names)}"


def went(room: str | None, names: Sequence[str]) -> str:
    """Others left."""
    return f"{_in(room)}left: {', '.join(names)}"


def renamed(old: str, new: str) -> str:
    """Somebody has another name; a name contains no slash."""
    return f"new name: {old} / {new}"


def renamed_self(new: str) -> str:
    """You have another name."""
    return f"you are now: {new}"


def roster(room: str, names: Sequence[str], total: int) -> str:
    """Who is in a room."""
    return f"in #{room} ({total}): {', '.join(names)}"


def rooms(counts: Sequence[tuple[str, int]]) -> str:
    """Which rooms there are."""
    return "rooms: " + ", ".join(f"#{room} ({total})" for room, total in counts) if counts else NO_ROOMS


def ignoring(name: str, *, hidden: bool) -> str:
    """A person is hidden or shown."""
    return f"hidden now: {name}" if hidden else f"shown again: {name}"


def line_waiting(text: str, code: ErrorCode | None) -> str:
    """A line cannot go out yet."""
    why = {
        ErrorCode.DISK_FULL: "the server's disk is full, it will be sent again",
        ErrorCode.SLOW_MODE: "slow mode, it will be sent in its turn",
    }
    return f"waiting ({why[code]}): {text}" if code in why else f"waiting: {text}"


def line_refused(text: str, why: str, *, to: str) -> str:
    """The server will not take a line; ``to`` is the person it was for, if it was for one."""
    return f"not sent to {to} ({why}): {text}" if to else f"not sent ({why}): {text}"


def postponed(wish: DeferredKind, subject: str, text: str) -> str:
    """No connection now; the wish is written as the command that it came from."""
    command = {DeferredKind.NAME: "/nick {0}", DeferredKind.JOIN: "/join {0}", DeferredKind.DIRECT: "/msg {0} {1}"}[
        wish
    ]
    return f"will be done when the connection is back: {command.format(subject, text)}"


def back_in_room(room: str) -> str:
    """/join of a room one is in already."""
    return f"what you type goes to #{room} now"


def line_lost(text: str) -> str:
    """Leaving with a line unacknowledged."""
    return f"not acknowledged, possibly lost: {text}"


def slowed_down() -> str:
    """Over the message rate."""
    return "you are faster than the server allows; your lines go out one by one, none is lost"


def request_refused(why: str, room: str | None) -> str:
    """The server said no to a command."""
    return f"#{room}: {why}" if room else why


def name_refused(name: str, why: str, code: ErrorCode) -> str:
    """Another name is needed."""
    if code is ErrorCode.NAME_IN_USE:
        return f"this name is taken, choose another: {name}"
    return wrong_name(name, why)


def name_refused_while_away(name: str) -> str:
    """The name went to somebody else while away."""
    return f"while you were away your name was taken; type another one: {name}"


def connection_lost(loss: Disconnect, text: str) -> str:
    """Away from now on."""
    why = text or _LOSSES.get(loss.kind, loss.detail)
    return f"connection lost ({why}); reconnecting, what you type is kept"


def still_away(loss: Disconnect) -> str:
    """A reconnect met a new kind of trouble."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        return f"not reconnected: {tls_failure(loss.tls.problem, loss.tls.detail)}; trying again"
    return f"not reconnected: {_LOSSES.get(loss.kind, loss.detail)}; trying again"


def caught_up(missed: int) -> str:
    """What was missed has been shown."""
    return f"{missed} {'message' if missed == 1 else 'messages'} while you were away, shown above"


_DECLINED = {
    RejectReason.AWAY: "there is no connection now; try again when it is back",
    RejectReason.QUEUE_FULL: "too many lines are waiting already; this one was not taken, type it again later",
    RejectReason.TEXT_EMPTY: "there is no text to send",
    RejectReason.TEXT_TOO_LONG: f"a message has at most {MAX_TEXT_CHARS} characters, this has {{0}}; send it in parts",
    RejectReason.NOT_IN_ROOM: "you are not in #{0}; /join {0} enters it",
    RejectReason.LOBBY_STAYS: "everybody is in the lobby; /quit leaves the chat",
    RejectReason.NOTHING_MORE: talk.NOTHING_MORE,
    RejectReason.NOTHING_UNREAD: talk.NOTHING_UNREAD,
    RejectReason.NOT_THERE: talk.NOT_THERE,
    RejectReason.LEAVING: "you are leaving; nothing more can be sent",
}


def declined(reason: RejectReason, subject: str, detail: str) -> str:
    """The client itself says no; a rule about names brings its own sentence."""
    return _DECLINED[reason].format(subject) if reason in _DECLINED else wrong_name(subject, detail)


def wrong_name(name: str, why: str) -> str:
    """A rule about names of people or rooms; ``why`` is the rule's own sentence."""
    return f"{why}: {name}" if name else why


def unknown_command(word: str, nearest: str | None) -> str:
    """A slash and a word nobody knows."""
    hint = f"did you mean {nearest}? " if nearest else ""
    return f"there is no command {word}; {hint}/help shows them all, // sends a slash"


def history_count(text: str, least: int, most: int) -> str:
    """/history with something that is no number it takes."""
    return f"{not_between(text, least, most)}, nor a day; {usage('/history')}"


def mistake(what: str) -> str:
    """Something of ours went wrong over one line; the chat goes on."""
    return f"this client has made a mistake over your last line, which may not have been sent; please report: {what}"


# --- why there is no connection -----------------------------------------------------------------------------------

_LOSSES = {
    DisconnectReason.CLOSED: "the server went away",
    DisconnectReason.SILENT: "the server has stopped answering",
    DisconnectReason.REFUSED: "nothing listens there now",
    DisconnectReason.TIMEOUT: "the server does not answer",
    DisconnectReason.HOST_NOT_FOUND: "its name is not known now",
    DisconnectReason.UNREACHABLE: "the network does not reach it now",
    DisconnectReason.NONSENSE: "the server sent something that makes no sense",
    DisconnectReason.TLS: "the secure connection broke",
    DisconnectReason.HUNG_UP: "the server hung up during the TLS handshake",
}

_TLS_ADVICE = {
    TlsProblem.WRONG_CA: "get the right ca.pem from whoever runs the server; if you have it, "
    "somebody may be in between",
    TlsProblem.WRONG_PIN: "compare the pin with the one the server prints when it starts; if it is the same, somebody "
    "may be in between",
    TlsProblem.HOST_MISMATCH: "use one of its names, or have the server's certificate made for this one "
    "(tools/gen_certs.py --name HOST)",
    TlsProblem.EXPIRED: "the server's operator renews it with tools/gen_certs.py; check this machine's clock as well",
    TlsProblem.NOT_YET_VALID: "set the clock that is wrong",
    TlsProblem.NO_CERTIFICATE: "the server needs a certificate (tools/gen_certs.py makes one)",
    TlsProblem.NOT_TLS: "check host and port; a securechat server never speaks without TLS",
    TlsProblem.NO_COMMON_PROTOCOL: "check host and port",
    TlsProblem.BAD_FILE: "copy ca.pem from the server's certs folder, or use --pin with the fingerprint it prints",
    TlsProblem.OTHER: "try again; if it stays, ask whoever runs the server",
}


def tls_failure(problem: TlsProblem, detail: str) -> str:
    """Why a certificate or handshake was not accepted, and what to do."""
    return f"{detail}; {_TLS_ADVICE[problem]}"


_NOT_REACHED = {
    DisconnectReason.REFUSED: "nothing listens at {where}; start the server, or check host and port",
    DisconnectReason.HOST_NOT_FOUND: "there is no host called {host}; check the spelling or use its address",
    DisconnectReason.TIMEOUT: "{where} does not answer; check the address, the network and the firewall",
    DisconnectReason.SILENT: "{where} does not answer; check host and port",
    DisconnectReason.UNREACHABLE: "the network does not reach {where}; check the address and the network",
    DisconnectReason.NONSENSE: "{where} sent something that makes no sense; check host and port",
    DisconnectReason.CLOSED: "{where} closed the connection; try again, or ask whoever runs the server",
    DisconnectReason.TLS: "the secure connection with {where} broke; try again, or ask whoever runs the server",
    DisconnectReason.HUNG_UP: "{where} hung up during the TLS handshake: it may be full, shutting down, or no TLS "
    "server; or it may have turned away your address for too many connections: then wait ten minutes",
}


def not_reached(loss: Disconnect, host: str, port: int) -> str:
    """The first connection failed."""
    if loss.tls is not None and loss.kind is DisconnectReason.TLS:
        return tls_failure(loss.tls.problem, loss.tls.detail)
    return _NOT_REACHED[loss.kind].format(where=f"{host} port {port}", host=host)


def ended(cause: EndReason, code: ErrorCode | None, text: str) -> str:
    """The server's last words, and no way back."""
    if code is ErrorCode.REPLACED:
        return "this session was continued elsewhere; this client stops"
    if cause is EndReason.VERSION:
        return f"the server speaks another version of the protocol ({text}); update whichever is older"
    return f"the server closed the connection: {text}"


def no_ca(default: str) -> str:
    """No CA was named and none lies around."""
    return (
        f"there is no {default} here; name the server's CA with --ca FILE, or use --pin sha256:... with the "
        "fingerprint the server prints when it starts"
    )


def bad_address(text: str) -> str:
    """HOST[:PORT] makes no sense."""
    return f"{text} is no HOST[:PORT]; an IPv6 address with a port is written [::1]:8443"


# --- pipes --------------------------------------------------------------------------------------------------------


def progress(acked: int, waiting: int, rate: float, *, more: bool) -> str:
    """How far --send is, at ``rate`` lines a second; ``more`` when the input may go on."""
    known = "at least" if more else "about"
    why = "the server limits how fast one sender may talk, nothing is lost"
    speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
    return f"{acked} stored, {waiting} on their way; {why}: {known} {_span(waiting / rate)} left at {speed} a second"


def _span(seconds: float) -> str:
    """A length of time, as people say it."""
    number, unit = (round(seconds), "second") if seconds < 90 else (round(seconds / 60), "minute")
    return f"{max(1, number)} {unit}{'s' if number > 1 else ''}"


def output_failed(why: str) -> str:
    """Standard output takes nothing."""
    return f"cannot write to standard output ({why}); what follows would be lost, so this ends here"


def input_failed(why: str) -> str:
    """Standard input gives nothing."""
    return f"cannot read from standard input ({why}); nothing more is sent"


def input_line_too_long(number: int, length: int) -> str:
    """A line of stdin that no server takes."""
    return f"line {number} has {length} characters and was not sent; a message has at most {MAX_TEXT_CHARS}"


def stalled(seconds: float) -> str:
    """--send gives up."""
    return f"the server has stored nothing for {seconds:.0f} seconds; giving up"


def room_refused(room: str, why: str) -> str:
    """--room cannot be entered."""
    return f"cannot enter #{room}: {why}"


# --- the command line ---------------------------------------------------------------------------------------------

CLI_DESCRIPTION = "Chat over verified TLS. Without --send or --tail: at a terminal, interactively; in a pipe, every \
line of stdin is sent and what comes is printed, until the end of the input."
CLI_HOST = (
    "the server, or an invite link for one use; default: the server used last, at first localhost:8443; IPv6 with \
a port: [::1]:8443"
)
CLI_CA = "trust the CA in this file (default certs/ca.pem, or SECURECHAT_CA)"
CLI_PIN = "trust the CA with this fingerprint, which the server prints (or SECURECHAT_PIN)"
CLI_NAME = "your name (or SECURECHAT_NAME); asked for at a terminal"
CLI_ROOM = "a room to enter besides the lobby, and to talk in"
CLI_SEND = "send each line of stdin to the room, wait until all are stored, and exit"
CLI_TAIL = "print the room's last messages and then what comes, a line each"
CLI_HISTORY = "with --tail: how many earlier messages come first (default 10)"
CLI_JSON = "with --tail: JSON lines with the fields seq, at (UTC), room, by (a number), name, text"
CLI_PORT = "the port, if not given with HOST (default 8443)"
CLI_VERSION = "print the version and exit"
CLI_EXIT_CODES = "Exit codes: "


def not_between(text: str, least: int, most: int) -> str:
    """A number of the command line out of its range."""
    return f"{text} is no number from {least} to {most}"


def _in(room: str | None) -> str:
    return f"#{room} " if room else ""
