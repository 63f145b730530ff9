"""``securechat-client``: reads flags and environment, decides what to trust, and starts one way of chatting."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import ipaddress
import os
import random
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from securechat import __version__
from securechat.client import sentences
from securechat.client.commands import encodable
from securechat.client.core import ClientCore
from securechat.client.exit_codes import OF_TLS_PROBLEM, Exit
from securechat.client.outcome import of_loss
from securechat.client.pipes import Conversing, Pipe, Sending, Tail
from securechat.client.rendering import NOTICE_MARK, excerpt
from securechat.client.runner import Endpoint, loss_of
from securechat.errors import ConfigError, Refusal, TlsFailure
from securechat.limits import SECRET_BYTES
from securechat.names import LOBBY, check_name, check_room
from securechat.text import one_line
from securechat.tls.contexts import ClientContext, client_context
from securechat.tls.trust import learn_ca, load_ca_file, parse_pin

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 8443
DEFAULT_CA = Path("certs/ca.pem")
LEARN_TIMEOUT_S = 10.0
"""For the handshake that learns a CA by its fingerprint: the server's own handshake_timeout_s."""
RECALL = 10
"""Earlier messages shown at first: half a small screen; what `tail` prints."""
MOST_RECALL = 10_000
"""Of --history: 50 pages, a few MB."""


class _Stop(Exception):
    """End here with a sentence and a code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the client; returns its exit code."""
    _hold_closed_streams()
    try:
        options = _parser().parse_args(argv)
        return _run(options)
    except _Stop as stop:
        with contextlib.suppress(OSError):  # a stderr that takes nothing is nothing to tell anybody
            sys.stderr.write(f"{NOTICE_MARK}{one_line(stop.sentence)}\n")
        return stop.code
    except KeyboardInterrupt:  # while learning the CA, before there is anything to leave
        return Exit.INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    host, port = _address(options.server or DEFAULT_HOST, options.port)
    if (options.json or options.history is not None) and not options.tail:
        raise _Stop(Exit.USAGE, sentences.JSON_WITHOUT_TAIL)
    room = _checked(check_room, options.room or LOBBY, Exit.ROOM_REFUSED)
    name = options.name or os.environ.get("SECURECHAT_NAME") or None
    if name is not None:
        name = _checked(check_name, name, Exit.NAME_INVALID)
    if sys.stdin is None and not options.tail:
        raise _Stop(Exit.USAGE, sentences.STDIN_CLOSED)
    if sys.stdout is None and not options.send:
        raise _Stop(Exit.OUTPUT_FAILED, sentences.STDOUT_CLOSED)
    interactive = _is_terminal(sys.stdin) and _is_terminal(sys.stdout) and not options.send and not options.tail
    if name is None and not interactive and not options.tail:
        raise _Stop(Exit.USAGE, sentences.NAME_MISSING)
    endpoint = Endpoint(host, port, _trusted(options, host, port))
    recall = options.history if options.history is not None else RECALL if interactive or options.tail else 0
    core = ClientCore(
        secret=secrets.token_hex(SECRET_BYTES),
        jitter=random.random,
        name=name or (_made_up_name() if options.tail else None),
        rooms=() if room == LOBBY else (room,),
        recall=recall,
        client=f"securechat-client {__version__}",
    )
    if interactive and os.environ.get("TERM", "") not in {"dumb", "unknown"}:
        return _terminal(core, endpoint)
    return _pipe(options, core, endpoint, room, named=name is not None, echo=interactive).run()


def _hold_closed_streams() -> None:
    """Python has None for a stream closed by ``>&-``: keep its number from the next socket, and stderr writable."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, that is this one
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as we live


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _terminal(core: ClientCore, endpoint: Endpoint) -> int:
    from securechat.client.terminal import Terminal  # noqa: PLC0415 - pipes need no line editor, and start faster

    return Terminal(core, endpoint, _login()).run()


def _pipe(
    options: argparse.Namespace, core: ClientCore, endpoint: Endpoint, room: str, *, named: bool, echo: bool
) -> Pipe:
    if options.tail:
        return Tail(core, endpoint, room, json=options.json, rename=None if named else _made_up_name)
    if options.send:
        return Sending(core, endpoint, room)
    return Conversing(core, endpoint, room, echo=echo)


def _trusted(options: argparse.Namespace, host: str, port: int) -> ClientContext:
    """Decide what verified means. There is no other way to a context than these two."""
    ca, pin = options.ca, options.pin
    if ca and pin:
        raise _Stop(Exit.USAGE, sentences.CA_AND_PIN)
    if not ca and not pin:
        ca, pin = os.environ.get("SECURECHAT_CA"), os.environ.get("SECURECHAT_PIN")
    try:
        if pin and not ca:
            return client_context(_learned(host, port, pin))
        path = Path(ca) if ca else DEFAULT_CA
        if not ca and not path.exists():
            raise _Stop(Exit.BAD_CA_FILE, sentences.no_ca(str(DEFAULT_CA)))
        return client_context(load_ca_file(path))
    except TlsFailure as failure:
        raise _Stop(
            OF_TLS_PROBLEM[failure.problem], sentences.not_reached(loss_of(failure, host), host, port)
        ) from None


def _learned(host: str, port: int, pin: str) -> str:
    try:
        return learn_ca(host, port, parse_pin(pin), LEARN_TIMEOUT_S)
    except ConfigError as error:
        raise _Stop(Exit.USAGE, error.reason) from None
    except (OSError, UnicodeError) as error:
        loss = loss_of(error, host)
        raise _Stop(of_loss(loss), sentences.not_reached(loss, host, port)) from None


def _address(text: str, port: int | None) -> tuple[str, int]:
    """Split HOST[:PORT]; an IPv6 address stands in brackets when a port follows."""
    host, given = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        given = rest.removeprefix(":")
        if not bracket or (rest and not rest.startswith(":")):
            raise _Stop(Exit.USAGE, sentences.bad_address(text))
    elif text.count(":") == 1:
        host, _, given = text.partition(":")
    elif ":" in text and not _is_ipv6(text):
        raise _Stop(Exit.USAGE, sentences.bad_address(text))
    valid = not given or (given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65536)
    if not host or not valid:
        raise _Stop(Exit.USAGE, sentences.bad_address(text))
    return host, int(given) if given else port or DEFAULT_PORT


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _checked(check: Callable[[str], str], raw: str, code: Exit) -> str:
    try:
        return check(encodable(raw))
    except Refusal as refusal:
        raise _Stop(code, sentences.wrong_name(excerpt(raw), refusal.detail)) from None


def _login() -> str | None:
    """The name this user has on this machine, where it is a valid one here."""
    try:
        return check_name(getpass.getuser())
    except (Refusal, OSError, KeyError, ImportError):  # what getuser raises differs by platform and version
        return None


def _made_up_name() -> str:
    return f"tail-{secrets.token_hex(2)}"


def _parser() -> argparse.ArgumentParser:
    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in Exit)
    parser = argparse.ArgumentParser(
        prog="securechat-client", description=sentences.CLI_DESCRIPTION, epilog=f"{sentences.CLI_EXIT_CODES}{codes}."
    )
    parser.add_argument("server", nargs="?", metavar="HOST[:PORT]", help=sentences.CLI_HOST)
    parser.add_argument("--ca", metavar="FILE", help=sentences.CLI_CA)
    parser.add_argument("--pin", metavar="sha256:...", help=sentences.CLI_PIN)
    parser.add_argument("--name", help=sentences.CLI_NAME)
    parser.add_argument("--room", help=sentences.CLI_ROOM)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--send", action="store_true", help=sentences.CLI_SEND)
    ways.add_argument("--tail", action="store_true", help=sentences.CLI_TAIL)
    parser.add_argument("--history", metavar="N", type=_count, help=sentences.CLI_HISTORY)
    parser.add_argument("--json", action="store_true", help=sentences.CLI_JSON)
    parser.add_argument("--port", type=_port, help=sentences.CLI_PORT)
    parser.add_argument("--version", action="version", version=__version__, help=sentences.CLI_VERSION)
    return parser


def _count(text: str) -> int:
    return _between(text, 0, MOST_RECALL)


def _port(text: str) -> int:
    return _between(text, 1, 65535)


def _between(text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and least <= int(text[:9]) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(sentences.not_between(text, least, most))


if __name__ == "__main__":
    sys.exit(main())
