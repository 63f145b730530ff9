"""``securechat-client``: reads flags and environment, plans the connection, and starts a chat mode."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import random
import re
import secrets
import sys
from collections.abc import Sequence
from typing import TextIO

from msgspec.structs import replace

from securechat import __version__
from securechat.cli.process import run, told
from securechat.cli.setting_flags import add_setting_flags, filled
from securechat.cli.terminal_choice import why_no_screen, why_not_all_signs
from securechat.client import catalogue
from securechat.client.connection_plan import (
    ConnectionOptions,
    ConnectionPlan,
    StartupError,
    checked,
    decide,
    forget,
    read_line_of_stdin,
)
from securechat.client.core.client import ClientCore
from securechat.client.core.state import Visibility
from securechat.client.exit_codes import ClientExit
from securechat.client.files.https import TransferError
from securechat.client.files.sources import LocalFile, local_files
from securechat.client.local_store import LocalStore, open_local_store
from securechat.client.pipe.chat import PipeChat
from securechat.client.pipe.files import PipeSendFiles
from securechat.client.pipe.pipes import WAIT_S, PipeClient, PipeSend, PipeTail
from securechat.client.settings_file import read_settings, settings_language, settings_path
from securechat.client.ui.rows.rendering import NOTICE_MARK, excerpt
from securechat.client.ui.settings import LoadedSettings, printed_settings, settings_theme
from securechat.errors import Refusal
from securechat.invite_link import BadLink, InviteLink, looks_like_link, parse_link
from securechat.programs import Program, add_language_flag, command, version
from securechat.text.names import LOBBY, check_name, check_room
from securechat.text.sanitize import one_line
from securechat.translation import is_yes, translated

RECALL = 10
"""Earlier messages shown at first: half a small screen; as many as `tail` prints."""
LONGEST_WAIT_S = 86_400
"""The most that --wait allows: a day."""
_LINK_TRIES = 5
"""Lines that are read for an invite link: pastes that went wrong, or the parts of a broken one."""
_KEY_CHARS = 100
"""Of --key: a line's number comes behind it."""
_WITHOUT_LINKS = frozenset({"linux", "vt100", "vt220", "ansi"})
"""Values of TERM of terminals that may show the sequences of a link as text."""
MOST_HOST = 261
"""Characters of a host and port: 253 of a name (RFC 1035, section 2.3.4), and what stands around them."""
MOST_RECALL = 10_000
"""The most that --history allows: 50 pages, a few MB."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the client; returns its exit code."""
    local_store = open_local_store(os.environ)
    return run(
        lambda: _main(argv, local_store),
        "securechat-client",
        argv,
        failed=ClientExit.CRASHED,
        output_failed=ClientExit.OUTPUT_FAILED,
        interrupted=ClientExit.INTERRUPTED,
        remembered=lambda: _remembered_language(local_store, sys.argv[1:] if argv is None else argv),
    )


def _remembered_language(local_store: LocalStore | None, arguments: Sequence[str]) -> str:
    """Return what ``/lang`` has kept, else what the settings have."""
    return (local_store.language() if local_store is not None else "") or settings_language(arguments, os.environ)


def _main(argv: Sequence[str] | None, local_store: LocalStore | None) -> int:
    try:
        return _run(_parsed_flags(argv), local_store)
    except StartupError as stop:
        _say(catalogue.names.capital(translated(stop.sentence)))
        return stop.code
    except KeyboardInterrupt:  # while learning the CA, before the chat has started
        return ClientExit.INTERRUPTED


def _parsed_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; a TEXT may stand behind flags that stand behind HOST."""
    options, rest = _parser().parse_known_args(argv)
    if options.file and options.text is None and len(rest) == 1 and not rest[0].startswith("-"):
        options.text = rest[0]
    elif rest:
        return _parser().parse_args(argv)  # which tells what is not known
    return options


def _run(options: argparse.Namespace, local_store: LocalStore | None) -> int:
    if (options.json or options.history is not None) and not options.tail:
        raise StartupError(ClientExit.USAGE, catalogue.connection.JSON_WITHOUT_TAIL())
    if options.commands and (options.send or options.tail):
        raise StartupError(ClientExit.USAGE, catalogue.connection.COMMANDS_NOT_HERE())
    loaded = _settings(options)
    if options.print_config:
        path = settings_path(options.config, os.environ)
        sys.stdout.write(printed_settings(loaded, str(path) if path is not None else catalogue.settings.NO_FILE()))
        return ClientExit.OK
    if options.key and not options.send:
        raise StartupError(ClientExit.USAGE, catalogue.connection.KEY_WITHOUT_SEND())
    files = _files(options)
    if options.forget:
        _say(forget(ConnectionOptions(options.server, options.port), local_store))
        return ClientExit.OK
    room = checked(check_room, options.room or LOBBY, ClientExit.ROOM_REFUSED)
    if sys.stdin is None and not options.tail and not files:
        raise StartupError(ClientExit.USAGE, catalogue.connection.STDIN_CLOSED())
    if sys.stdout is None and not options.send:
        raise StartupError(ClientExit.OUTPUT_FAILED, catalogue.connection.STDOUT_CLOSED())
    interactive = _is_terminal(sys.stdin) and _is_terminal(sys.stdout) and not options.send and not options.tail
    screen = interactive and _opens_screen(loaded, local_store)
    if options.servers and not screen:
        return _print_servers(local_store)
    destination, screen = _destination(options, local_store, loaded, interactive=interactive, screen=screen)
    notes = _notes(destination, local_store, interactive=interactive)
    typing = interactive and (local_store is None or local_store.typing())
    core = _core(options, destination, room, interactive=interactive, typing=typing, screen=screen)
    if screen:
        return _screen(core, destination, local_store, loaded, notes)
    if interactive:
        return _at_terminal(core, destination, loaded, room, wait_s=options.wait)
    return _pipe(options, core, destination, room, files).run()


def _notes(plan: ConnectionPlan, local_store: LocalStore | None, *, interactive: bool) -> Sequence[str]:
    """Say what is to be known before the chat, and return it."""
    troubles = local_store.troubles if local_store is not None else ()
    notes = [*plan.notes, *troubles, *(why_not_all_signs(sys.stdout) if interactive else ())]
    for note in notes:
        _say(note)
    return notes


def _destination(
    options: argparse.Namespace,
    local_store: LocalStore | None,
    loaded: LoadedSettings,
    *,
    interactive: bool,
    screen: bool,
) -> tuple[ConnectionPlan, bool]:
    """Decide how to connect, by a form where it is the first start, and whether on a screen."""
    given = _given(options)
    if screen:
        from securechat.cli.first_start import ask, is_first  # noqa: PLC0415 - nothing else needs the form

        if options.servers or is_first(given, local_store):
            asks_shell = not _says_plain(loaded) and (local_store is None or local_store.plain() is None)
            answers = ask(given, local_store, loaded.settings, login=_login(), asks_shell=asks_shell)
            return replace(answers.plan, notes=[*answers.plan.notes, *answers.notes]), not answers.plain
    needs_name = not interactive and not options.tail
    return decide(given, local_store, interactive=interactive, needs_name=needs_name, confirm=_confirmed), screen


def _files(options: argparse.Namespace) -> tuple[LocalFile, ...]:
    """Look at the files to be sent, before anything else is done."""
    if (options.file or options.as_file) and not options.send:
        raise StartupError(ClientExit.USAGE, catalogue.files.WITH_SEND())
    if (options.text or options.as_file) and not options.file:
        raise StartupError(ClientExit.USAGE, catalogue.files.TEXT_WITHOUT_FILE())
    try:
        return local_files(options.file)
    except TransferError as error:
        raise StartupError(ClientExit.USAGE, str(error)) from None


def _core(
    options: argparse.Namespace,
    destination: ConnectionPlan,
    room: str,
    *,
    interactive: bool,
    typing: bool,
    screen: bool,
) -> ClientCore:
    recall = options.history if options.history is not None else RECALL if interactive or options.tail else 0
    return ClientCore(
        secret=destination.secret,
        jitter=random.random,
        name=destination.name or (_made_up_name() if options.tail else None),
        rooms=() if room == LOBBY else (room,),
        backfill_count=recall,
        client=f"securechat-client {__version__}",
        credentials=destination.credentials,
        visibility=Visibility.REPORTED if screen else Visibility.ALL if interactive else Visibility.NOBODY,
        typing=typing,
    )


def _given(options: argparse.Namespace) -> ConnectionOptions:
    """Combine the typed options with the environment, which fills in omitted ones."""
    if options.ca and options.pin:
        raise StartupError(ClientExit.USAGE, catalogue.connection.CA_AND_PIN())
    link = _link(options)
    if link is not None and (options.ca or options.pin or options.port):
        raise StartupError(ClientExit.USAGE, catalogue.accounts.LINK_AND_MORE())
    ca, pin = options.ca, options.pin
    if not ca and not pin and link is None:
        ca, pin = os.environ.get("SECURECHAT_CA"), os.environ.get("SECURECHAT_PIN")
    return ConnectionOptions(
        server=None if link is not None else options.server,
        port=options.port,
        ca=ca or None,
        pin=pin or None,
        name=options.name or os.environ.get("SECURECHAT_NAME") or None,
        certificate=options.cert,
        password_file=options.password_file or os.environ.get("SECURECHAT_PASSWORD_FILE") or None,
        invite=link,
    )


def _link(options: argparse.Namespace) -> InviteLink | None:
    """The invite, from the command line if that is safe, or asked for."""
    if options.server is not None and looks_like_link(options.server):
        link = _parsed(options.server)
        if not link.once:
            raise StartupError(ClientExit.USAGE, catalogue.accounts.LINK_IN_ARGUMENTS())
        return link
    if not options.invite:
        return None
    if options.server is not None:
        raise StartupError(ClientExit.USAGE, catalogue.accounts.LINK_AND_MORE())
    return _asked_link()


def _asked_link() -> InviteLink:
    """Read a link; one that a mail program broke off may continue on the next line.

    At a terminal the user is told what is wrong with a link, and asked again a few times.
    """
    text = _ask(catalogue.accounts.LINK_PROMPT())
    for tries_left in reversed(range(_LINK_TRIES)):
        if not text:
            break
        try:
            return parse_link(text)
        except BadLink as bad:
            at_terminal = _is_terminal(sys.stdin)
            if not tries_left or not (at_terminal or bad.cut_off):
                raise StartupError(ClientExit.USAGE, bad.sentence) from None
            if at_terminal:
                _say(translated(bad))
            more = _ask(catalogue.accounts.REST_PROMPT() if bad.cut_off else catalogue.accounts.LINK_PROMPT())
            if not more:
                raise StartupError(ClientExit.USAGE, bad.sentence) from None
            text = f"{text}\n{more}" if bad.cut_off and not looks_like_link(more) else more
    raise StartupError(ClientExit.USAGE, catalogue.accounts.NO_LINK())


def _parsed(text: str) -> InviteLink:
    try:
        return parse_link(text)
    except BadLink as bad:
        raise StartupError(ClientExit.USAGE, bad.sentence) from None


def _ask(prompt: str) -> str:
    """Ask for a line, with a prompt at a terminal; empty at the end of the input."""
    if sys.stdin is None:
        raise StartupError(ClientExit.USAGE, catalogue.connection.STDIN_CLOSED())
    if _is_terminal(sys.stdin):
        sys.stderr.write(prompt)
        sys.stderr.flush()
    return (read_line_of_stdin() or "").strip()


def _confirmed(warning: str) -> bool:
    """Show a warning and ask; without a terminal to ask at, the answer is no."""
    for line in warning.split("\n"):
        _say(line)
    return _is_terminal(sys.stdin) and is_yes(_ask(catalogue.accounts.YES_PROMPT()))


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):  # stderr is closed: the message has no other way out
        sys.stderr.write(f"{NOTICE_MARK}{one_line(sentence)}\n")


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _says_plain(loaded: LoadedSettings) -> bool:
    """Whether a flag, variable or line of the file says which of screen and lines is wanted."""
    return "plain" in loaded.origins or loaded.settings.reader


def _opens_screen(loaded: LoadedSettings, local_store: LocalStore | None) -> bool:
    """Whether the chat opens a screen: where the terminal can show one, and no lines are wanted.

    Where a flag, variable or line of the file asks for the screen, the user is told why there is none.
    """
    is_given = "plain" in loaded.origins
    if loaded.settings.plain if is_given else local_store is not None and local_store.plain():
        return False
    why = why_no_screen(os.environ, reader=loaded.settings.reader)
    if why and is_given:
        _say(catalogue.screen_shell.no_screen(why))
    return not why


def _print_servers(local_store: LocalStore | None) -> int:
    """Print the known servers, the one used last first, each with the name used there."""
    from securechat.cli.first_start import shown_address  # noqa: PLC0415 - nothing else needs it

    known = local_store.servers() if local_store is not None else ()
    if not known:
        _say(catalogue.screen_shell.NOT_A_SERVER_YET())
    for each in known:
        sys.stdout.write(f"{f'{excerpt(shown_address(each), MOST_HOST)} {excerpt(each.name)}'.rstrip()}\n")
    return ClientExit.OK


def _settings(options: argparse.Namespace) -> LoadedSettings:
    """Read the settings; one of the file that cannot be used is told, a flag or variable ends the start."""
    loaded = read_settings(vars(options), options.config, os.environ)
    if loaded.problems:
        raise StartupError(ClientExit.USAGE, loaded.problems[0])
    for sentence in _file_problem(loaded):
        _say(sentence)
    return loaded


def _file_problem(loaded: LoadedSettings) -> Sequence[str]:
    return [catalogue.names.capital(translated(loaded.file_problem))] if loaded.file_problem else []


def _at_terminal(
    core: ClientCore, destination: ConnectionPlan, loaded: LoadedSettings, room: str, *, wait_s: float
) -> int:
    """Chat with a person in lines, with a line editor where the terminal can have one."""
    if os.environ.get("TERM", "") not in {"dumb", "unknown"}:
        return _terminal(core, destination, loaded)
    from securechat.client.pipe.dumb import DumbTerminal  # noqa: PLC0415 - pipes need no rows

    return DumbTerminal(core, destination.server_target, room, wait_s=wait_s, reader=loaded.settings.reader).run()


def _screen(
    core: ClientCore,
    destination: ConnectionPlan,
    local_store: LocalStore | None,
    loaded: LoadedSettings,
    notes: Sequence[str],
) -> int:
    """Chat with a person on a screen, which hides what was said before it."""
    from securechat.client.screen.session import ScreenSession  # noqa: PLC0415 - nothing else needs the toolkit

    said = [*told(), *_file_problem(loaded), *notes]
    return ScreenSession(core, destination.server_target, _login(), local_store, loaded.settings, said).run()


def _terminal(core: ClientCore, destination: ConnectionPlan, loaded: LoadedSettings) -> int:
    from securechat.client.terminal.app import Terminal  # noqa: PLC0415 - pipes need no line editor, and start faster without
    from securechat.client.ui.themes import ThemeName  # noqa: PLC0415 - as above

    settings = loaded.settings
    terminal = Terminal(
        core,
        destination.server_target,
        _login(),
        # The terminal's own colours, because it is not asked for its background here.
        settings_theme(settings, os.environ, unknown=ThemeName.TERMINAL),
        pictures=settings.pictures == "kitty",
        has_links=os.environ.get("TERM", "") not in _WITHOUT_LINKS,
        reader=settings.reader,
    )
    return terminal.run()


def _pipe(
    options: argparse.Namespace,
    core: ClientCore,
    destination: ConnectionPlan,
    room: str,
    files: tuple[LocalFile, ...],
) -> PipeClient:
    server_target = destination.server_target
    if options.tail:
        made_up = destination.name is None
        rename = _made_up_name if made_up else None
        return PipeTail(core, server_target, room, json=options.json, rename=rename, wait_s=options.wait)
    if files:
        return PipeSendFiles(
            core,
            server_target,
            room,
            files,
            options.text or "",
            as_file=options.as_file,
            message_key=options.key,
            wait_s=options.wait,
        )
    if options.send:
        return PipeSend(core, server_target, room, message_key=options.key, wait_s=options.wait)
    commands = options.commands or _is_terminal(sys.stdin)  # typed lines may be commands, those of a pipe not
    return PipeChat(core, server_target, room, commands=commands, wait_s=options.wait)


def _login() -> str | None:
    """The user's login name on this machine, if it is a valid chat name."""
    try:
        return check_name(getpass.getuser())
    except (Refusal, OSError, KeyError, ImportError):  # what getuser raises differs by platform and version
        return None


def _made_up_name() -> str:
    return f"tail-{secrets.token_hex(2)}"


def _parser() -> argparse.ArgumentParser:
    memory = f"{catalogue.settings.CONFIG_EPILOG()} {catalogue.accounts.CLI_MEMORY()}"
    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ClientExit)
    parser = argparse.ArgumentParser(
        allow_abbrev=False,  # as in the server: a script that says --lo would break with the next such flag
        prog=command(Program.CLIENT),
        description=catalogue.connection.CLI_DESCRIPTION(),
        epilog=f"{memory} {catalogue.connection.CLI_EXIT_CODES(codes=codes)}",
    )
    parser.add_argument("server", nargs="?", type=filled, metavar="HOST[:PORT]", help=catalogue.connection.CLI_HOST())
    parser.add_argument(
        "text", nargs="?", type=filled, metavar=catalogue.files.TEXT_PLACEHOLDER(), help=catalogue.files.CLI_TEXT()
    )
    parser.add_argument("--ca", metavar="FILE", type=filled, help=catalogue.connection.CLI_CA())
    parser.add_argument("--pin", metavar="sha256:...", type=filled, help=catalogue.connection.CLI_PIN())
    name, room = catalogue.connection.NAME_PLACEHOLDER(), catalogue.connection.ROOM_PLACEHOLDER()
    parser.add_argument("--name", metavar=name, type=filled, help=catalogue.connection.CLI_NAME())
    parser.add_argument("--cert", metavar="FILE", type=filled, help=catalogue.accounts.CLI_CERT())
    parser.add_argument("--password-file", metavar="FILE", type=filled, help=catalogue.accounts.CLI_FILE_FOR_LOGIN())
    parser.add_argument("--invite", action="store_true", help=catalogue.accounts.CLI_INVITE())
    parser.add_argument("--servers", action="store_true", help=catalogue.accounts.CLI_SERVERS())
    parser.add_argument("--forget", action="store_true", help=catalogue.accounts.CLI_FORGET())
    parser.add_argument("--room", metavar=room, type=filled, help=catalogue.connection.CLI_ROOM())
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--send", action="store_true", help=catalogue.connection.CLI_SEND())
    ways.add_argument("--tail", action="store_true", help=catalogue.connection.CLI_TAIL())
    path = catalogue.files.PATH_PLACEHOLDER()
    parser.add_argument(
        "--file", metavar=path, action="append", default=[], type=filled, help=catalogue.files.CLI_FILE()
    )
    parser.add_argument("--as-file", action="store_true", help=catalogue.files.CLI_AS_FILE())
    parser.add_argument("--commands", action="store_true", help=catalogue.connection.CLI_COMMANDS())
    parser.add_argument("--key", metavar="KEY", type=_key, help=catalogue.connection.CLI_KEY())
    parser.add_argument("--history", metavar="N", type=_count, help=catalogue.connection.CLI_HISTORY())
    parser.add_argument("--json", action="store_true", help=catalogue.connection.CLI_JSON())
    parser.add_argument("--wait", metavar="S", type=_wait, default=WAIT_S, help=catalogue.connection.CLI_WAIT())
    parser.add_argument("--port", type=_port, help=catalogue.connection.CLI_PORT())
    add_language_flag(parser)
    add_setting_flags(parser)
    parser.add_argument(
        "--version", action="version", version=version(Program.CLIENT), help=catalogue.connection.CLI_VERSION()
    )
    return parser


def _key(text: str) -> str:
    if re.fullmatch(f"[!-~]{{1,{_KEY_CHARS}}}", filled(text)) is None:
        raise argparse.ArgumentTypeError(catalogue.connection.key_unusable(_KEY_CHARS))
    return text


def _count(text: str) -> int:
    return _between(text, 0, MOST_RECALL)


def _wait(text: str) -> float:
    return float(_between(text, 0, LONGEST_WAIT_S))


def _port(text: str) -> int:
    return _between(text, 1, 65535)


def _between(text: str, least: int, most: int) -> int:
    if filled(text).isascii() and text.isdigit() and least <= int(text[:9]) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(catalogue.connection.not_between(text, least, most))


if __name__ == "__main__":
    sys.exit(main())
