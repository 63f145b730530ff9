"""The command line of `securechat-admin`: one table of commands, from which ``--help`` is made."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from securechat import programs
from securechat.admin import certificate_options, program_commands, server_commands
from securechat.admin.argument_types import filled, scopes
from securechat.admin.context import CommandContext, CommandFunction
from securechat.admin.exit_codes import MEANINGS, AdminExit
from securechat.text.durations import parse_duration
from securechat.translation import LazyText, Sentence, _, translated

_USERS = LazyText("NOTES: muted (may read, not write), banned (kept out).")
_ROOMS = LazyText(
    "NOTES: guests (a public room without settings or members; it ends with its last guest, but the lobby stays), "
    "private (for its members), archived (read-only), unused (without members, guests and invitations: `rooms prune` "
    "removes it)."
)
_INVITES = LazyText("STATE: open (can be used), used up (no uses are left), revoked (taken back), expired (too old).")


def _codes() -> str:
    """Return the table of exit codes."""
    return "\n".join([_("exit codes:"), *(f"  {code.value:<4} {meaning()}" for code, meaning in MEANINGS.items())])


class _Commands:
    """Adds commands that all take --data, --config and --json, before or after their name."""

    def __init__(self, program: argparse.ArgumentParser) -> None:
        self.common = argparse.ArgumentParser(add_help=False)
        add_common(self.common, argparse.SUPPRESS)
        self._subparsers = program.add_subparsers(metavar=_("COMMAND"), required=True)

    def __call__(self, name: str, run: CommandFunction, about: str, more: str = "") -> argparse.ArgumentParser:
        description = f"{about[0].upper()}{about[1:]}. {more}".rstrip()
        command: argparse.ArgumentParser = self._subparsers.add_parser(
            name, help=about, description=description, parents=[self.common], allow_abbrev=False
        )
        command.set_defaults(run=run)
        return command


class _Group:
    """Adds the actions of a command, which does without one what it is made for.

    Args:
        commands: have the options that every action takes too.
        of: the command.
        shown: the actions, for the usage line.
    """

    def __init__(self, commands: _Commands, of: argparse.ArgumentParser, shown: str) -> None:
        self._commands = commands
        self._actions = of.add_subparsers(metavar=shown, required=False)

    def __call__(self, name: str, run: CommandFunction, about: str) -> argparse.ArgumentParser:
        action: argparse.ArgumentParser = self._actions.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            parents=[self._commands.common],
            allow_abbrev=False,
        )
        action.set_defaults(run=run)
        return action


def _later(module: str, name: str) -> CommandFunction:
    """Return a command whose module is imported when it is run.

    The commands that work on files need the database and X.509, half of a start; the others need neither.
    """

    def run(context: CommandContext) -> AdminExit:
        command: CommandFunction = getattr(import_module(f"securechat.admin.{module}"), name)
        return command(context)

    return run


def add_common(parser: argparse.ArgumentParser, default: object) -> None:
    """Add the options of every command."""
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR",
        type=filled,
        default=default,
        help=_("the server's data directory (SECURECHAT_DATA, or securechat-data)"),
    )
    add(
        "--config",
        metavar="FILE",
        type=filled,
        default=default,
        help=_("the server's configuration file (may set --data)"),
    )
    add("--json", action="store_true", default=default, help=_("one JSON object a line instead of text"))
    programs.add_language_flag(parser, default)


class _Parser(argparse.ArgumentParser):
    """Says how a name with blanks is written, where a command got more words than it takes."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the command line; ends the program if it is wrong."""
        words = sys.argv[1:] if args is None else list(args)
        options, surplus = self.parse_known_args(words, namespace)
        if surplus:
            self.error(_surplus(words, surplus, options))
        return options


def _surplus(words: Sequence[str], surplus: Sequence[str], options: argparse.Namespace) -> str:
    """Return what is wrong, and how words that are one text are written where the surplus ones go on with a text."""
    text, shown = _whole_text(words, surplus, options), " ".join(surplus)
    if not text:
        return _("unrecognized arguments: {words}", words=shown)
    return _(
        "unrecognized arguments: {words}. Put a name, a reason or a text with blanks in quotes: {quoted}",
        words=shown,
        quoted=_quoted(text),
    )


def _whole_text(words: Sequence[str], surplus: Sequence[str], options: argparse.Namespace) -> str:
    """Return the text that was meant; empty where the surplus words do not go on with a text."""
    first = words.index(surplus[0])
    one, before = words[max(0, first - 2) : first] if first > 1 else ("", "")
    if before not in vars(options).values() or any(word.startswith("-") for word in surplus):
        return ""
    if one and one == getattr(options, "reason", ""):  # --reason two words NAME
        return f"{one} {before}"
    return " ".join([before, *surplus])


def _quoted(text: str) -> str:
    """Quote a text for every shell where that is possible, and otherwise for those of Unix."""
    return f'"{text}"' if not set(text) & set('"$`\\!%') else shlex.quote(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    program = _Parser(
        allow_abbrev=False,
        prog=programs.command(programs.Program.ADMIN),
        description=_("Manage a securechat server on this machine, as the user who runs it."),
        epilog=_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_argument(
        "--version",
        action="version",
        version=programs.version(programs.Program.ADMIN),
        help=_("print the version, and end"),
    )
    add_common(program, None)
    program.set_defaults(json=False, cert=None, key=None, yes=False)
    command = _Commands(program)
    command("status", server_commands.status, _("show the server at a glance"))
    _add_people(command)
    _add_invites(command)
    _add_moderation(command)
    _add_accounts(command)
    _add_programs(command)
    text = command(
        "announce", server_commands.announce, _("send an announcement to all who are online; it is not stored")
    )
    text.add_argument("text", metavar=_("TEXT"), type=filled)
    _add_files(command)
    command("shutdown", server_commands.shutdown, _("stop the server cleanly, as SIGTERM does, and wait for it"))
    return program


def _add_people(command: _Commands) -> None:
    about = _("list all accounts, and the guests who are online")
    command("users", server_commands.users, about, _USERS())
    _add_rooms(command)
    sessions = command("sessions", server_commands.sessions, _("list sessions and connections, of one user or all"))
    sessions.add_argument("name", metavar=_("NAME"), type=filled, nargs="?")


def _add_rooms(command: _Commands) -> None:
    about = _("list the rooms; `rooms prune` removes unused ones")
    rooms = command("rooms", server_commands.rooms, about, _ROOMS())
    actions = rooms.add_subparsers(metavar="prune", required=False)
    prune: argparse.ArgumentParser = actions.add_parser(
        "prune",
        help=_("remove unused rooms"),
        description=_("Remove rooms without members, guests and invitations, with their messages."),
        parents=[command.common],
    )
    prune.set_defaults(run=server_commands.prune_rooms)
    prune.add_argument(
        "--unused-days",
        metavar="N",
        type=_days,
        help=_("only rooms without a message for N days (default: all)"),
    )
    prune.add_argument("--dry-run", action="store_true", help=_("list the rooms, but remove nothing"))
    prune.add_argument("--yes", action="store_true", help=_("do not ask"))


def _add_invites(command: _Commands) -> None:
    invite = command("invite", server_commands.invite, _("make an invite link for a new account, and show it once"))
    add = invite.add_argument
    add("--uses", metavar="N", type=_whole, default=1, help=_("number of accounts it can make (default 1)"))
    add("--days", metavar="D", type=_days, default=7.0, help=_("days it can be used (default 7)"))
    add("--room", metavar=_("ROOM"), type=_room, help=_("a room that new members join"))
    add(
        "--host",
        metavar="HOST[:PORT]",
        type=filled,
        help=_("the server's address (default: a private one of its certificate)"),
    )
    command("invites", server_commands.invites, _("list the invites"), _INVITES())
    command("revoke", server_commands.revoke, _("revoke an invite")).add_argument("number", metavar="N", type=_whole)


def _add_moderation(command: _Commands) -> None:
    kick = command("kick", server_commands.kick, _("disconnect a user, who may reconnect"))
    kick.add_argument("name", metavar=_("NAME"), type=filled)
    ban = command("ban", server_commands.ban, _("ban a name, an account, an address or a network (CIDR)"))
    ban.add_argument("target", metavar=_("TARGET"), type=filled)
    ban.add_argument(
        "--address", action="store_true", help=_("also ban the addresses from which the user is connected")
    )
    mute = command("mute", server_commands.mute, _("let a user read but not write"))
    mute.add_argument("name", metavar=_("NAME"), type=filled)
    for one in (kick, ban, mute):
        one.add_argument("--reason", metavar=_("TEXT"), default="", help=_("shown to the user"))
    for one in (ban, mute):
        one.add_argument(
            "--for",
            metavar=_("TIME"),
            dest="duration_s",
            type=_duration,
            help=_("90s, 10m, 2h, 7d, 4w (default: permanent)"),
        )
    unban = command("unban", server_commands.unban, _("lift a ban"))
    unban.add_argument("target", metavar=_("TARGET"), type=filled, help=_("its number, or its target as it was given"))
    unmute = command("unmute", server_commands.unmute, _("let a user write again"))
    unmute.add_argument("name", metavar=_("NAME"), type=filled)
    command("bans", server_commands.bans, _("list the bans"))
    command("mutes", server_commands.mutes, _("list the mutes"))


def _add_accounts(command: _Commands) -> None:
    logout = command("logout", server_commands.logout, _("log a session out"))
    logout.add_argument("number", metavar="N", type=_whole, help=_("its number, as `sessions` lists it"))
    reset = command(
        "reset-password", server_commands.reset_password, _("set a temporary password for an account, and show it once")
    )
    reset.add_argument("name", metavar=_("NAME"), type=filled)
    role = command("role", server_commands.role, _("make an account an admin or a member"))
    role.add_argument("name", metavar=_("NAME"), type=filled)
    role.add_argument("role", metavar=_("ROLE"), type=_role, help=_("admin or member"))
    delete = command("delete-user", server_commands.delete_user, _("delete an account permanently"))
    delete.add_argument("name", metavar=_("NAME"), type=filled)
    delete.add_argument(
        "--messages",
        choices=("keep", "remove"),
        required=True,
        help=_("keep its messages without its name, or remove them"),
    )
    delete.add_argument("--yes", action="store_true", help=_("do not ask"))


def _add_programs(command: _Commands) -> None:
    bots = command("bot", program_commands.bots, _("list the bots and webhooks; `bot add` makes a bot"))
    bots.set_defaults(room=None)
    group = _Group(command, bots, "add|list|rotate|remove")
    group("list", program_commands.bots, _("list the bots and webhooks")).set_defaults(room=None)
    add = group("add", program_commands.add_bot, _("make a bot, and show its token once"))
    add.add_argument("name", metavar=_("NAME"), type=filled)
    add.add_argument(
        "--room", metavar=_("ROOM"), type=_room, action="append", default=[],
        help=_("a room it belongs to; its token is good for these alone (default: all)"),
    )  # fmt: skip
    add.add_argument(
        "--scope", type=scopes, action="extend", default=[], metavar="SCOPE",
        help=_("what its token is good for: post, read, files, metrics; with commas, or repeated (default: post,read)"),
    )  # fmt: skip
    hooks = command("hook", program_commands.hooks, _("list the webhooks; `hook add` makes an incoming one"))
    hooks.set_defaults(room=None)
    hook = _Group(command, hooks, "add|out|list|rotate|on|remove")
    listed = hook("list", program_commands.hooks, _("list the webhooks, of a room or all"))
    listed.add_argument("room", metavar=_("ROOM"), type=_room, nargs="?")
    made = hook("add", program_commands.add_hook, _("make an incoming webhook of a room, and show its address once"))
    made.add_argument("room", metavar=_("ROOM"), type=_room)
    made.add_argument("name", metavar=_("NAME"), type=filled)
    _add_outgoing(hook)
    for one in (add, made):
        one.add_argument("--days", metavar="N", type=_whole, help=_("days until its token expires (default: never)"))
    anew = _("make another token or secret, and show it once; the old one works for one more day")
    rotates = [each("rotate", program_commands.rotate, anew) for each in (group, hook)]
    removes = [each("remove", program_commands.remove, _("remove it; its messages stay")) for each in (group, hook)]
    for one in (*rotates, *removes):
        one.add_argument("name", metavar=_("NAME"), type=filled)
    for one in (add, made, *rotates):
        one.add_argument(
            "--host",
            metavar="HOST[:PORT]",
            type=filled,
            help=_("the server's address in what is shown (default: one of its certificate)"),
        )
    for one in removes:
        one.add_argument("--yes", action="store_true", help=_("do not ask"))
    _add_tokens(command)


def _add_outgoing(hook: _Group) -> None:
    made = hook("out", program_commands.add_outgoing, _("make an outgoing webhook of a room, and show its secret once"))
    made.add_argument("room", metavar=_("ROOM"), type=_room)
    made.add_argument("url", metavar="URL", type=filled, help=_("where its messages are posted"))
    made.add_argument(
        "--on",
        metavar="!WORD|mention|all",
        required=True,
        type=filled,
        help=_("which messages: those that begin with a command such as !deploy, those that mention it, or all"),
    )
    made.add_argument(
        "--name", metavar=_("NAME"), type=filled, help=_("its name in the room (default: the command, or webhook)")
    )
    made.add_argument("--bots", action="store_true", help=_("messages of bots and incoming webhooks count, too"))
    on = hook("on", program_commands.switch_on, _("switch an outgoing webhook on again; it goes on where it stopped"))
    on.add_argument("name", metavar=_("NAME"), type=filled)


def _add_tokens(command: _Commands) -> None:
    tokens = command("token", program_commands.tokens, _("list API tokens; `token remove` ends one"))
    tokens.set_defaults(name=None)
    group = _Group(command, tokens, "list|remove")
    listed = group("list", program_commands.tokens, _("list the tokens of an account, or of all bots and webhooks"))
    listed.add_argument("name", metavar=_("NAME"), type=filled, nargs="?")
    ended = group("remove", program_commands.remove_token, _("end a token and its connections"))
    ended.add_argument("number", metavar="N", type=_whole, help=_("its number, as `token list` shows it"))


def _add_files(command: _Commands) -> None:
    audit = command(
        "audit",
        _later("file_commands", "audit"),
        _("show the audit log; works without a server, too"),
    )
    audit.add_argument("--last", metavar="N", type=_whole, default=50, help=_("number of entries (default 50)"))
    export = command(
        "export",
        _later("exporting", "export"),
        _("write a room's messages as JSON lines; works without a server, too"),
    )
    export.add_argument("room", metavar=_("ROOM"), type=filled)
    export.add_argument("--to", metavar="FILE", type=filled, help=_("a new file (default: standard output)"))
    export.add_argument(
        "--files", metavar="DIR", type=filled, help=_("a new directory, for the files that the messages show")
    )
    files = command(
        "files",
        _later("file_commands", "list_files"),
        _("list what each person keeps of files, or each room; works without a server, too"),
    )
    files.add_argument("--rooms", action="store_true", help=_("by room"))
    backup = command(
        "backup",
        _later("file_commands", "backup"),
        _("pack database, files and certificates into one file, also while the server runs"),
    )
    backup.add_argument("file", metavar="FILE", type=filled)
    backup.add_argument(
        "--with-ca-key", action="store_true", help=_("include the CA's key, with which your server can be impersonated")
    )
    backup.add_argument("--without-files", action="store_true", help=_("leave out the files of messages"))
    backup.add_argument("--force", action="store_true", help=_("replace FILE"))
    restore = command(
        "restore",
        _later("file_commands", "restore_backup"),
        _("unpack a backup into two empty directories (--data and --certs)"),
    )
    restore.add_argument("file", metavar="FILE", type=filled)
    restore.add_argument(
        "--certs", metavar="DIR", type=filled, required=True, help=_("the directory for the certificates")
    )
    restore.set_defaults(needs_data=True)
    recover = command(
        "recover",
        _later("file_commands", "recover_journal"),
        _("drop the damaged end of the journal, after copying it; the server must be stopped"),
    )
    recover.add_argument("--yes", action="store_true", help=_("do not ask"))
    certs = command("certs", _later("certificates", "certs"), str(certificate_options.ABOUT))
    certificate_options.add_options(certs, None, _("that of the server's server.pem, or certs/"))
    check = command(
        "check",
        _later("file_commands", "check"),
        _("check disk, certificate, clock, database and files; exit code 4 if there are findings"),
    )
    check.add_argument(
        "--mend-times",
        action="store_true",
        help=_("give messages from the future the present time, while the server is stopped; asks first"),
    )
    check.add_argument("--yes", action="store_true", help=_("do not ask"))
    for one in (backup, check):
        one.add_argument(
            "--cert",
            metavar="FILE",
            type=filled,
            help=_("the server's certificate (default: the one in use, or in the settings)"),
        )
        one.add_argument(
            "--key",
            metavar="FILE",
            type=filled,
            help=_("its private key (default: the one in use, in the settings, in that file, or beside it)"),
        )


# --- Arguments -----------------------------------------------------------------------------------------------------


def _typed(read: Callable[[str], object]) -> Callable[[str], object]:
    """Raise the error whose sentence argparse shows."""

    def typed(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(translated(error)) from error

    return typed


def _read_whole(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,15}", text.removeprefix("#")) is None or not int(text.removeprefix("#")):
        raise ValueError(Sentence("not a whole number from 1 on: {text}", text=repr(text)))
    return int(text.removeprefix("#"))


def _read_days(text: str) -> float:
    if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) is not None and float(text) > 0:
        return float(text)
    try:
        return parse_duration(text) / 86_400
    except ValueError:
        raise ValueError(Sentence("not a number of days: {text}", text=repr(text))) from None


def _read_role(text: str) -> str:
    if text not in {"admin", "member"}:
        raise ValueError(
            Sentence(
                "not a role: {text} (admin or member). Put a name, a reason or a text with blanks in quotes, such as "
                "{example}",
                text=repr(text),
                example='role "user1 pc" admin',
            )
        )
    return text


_role = _typed(_read_role)
_duration, _whole, _days = _typed(parse_duration), _typed(_read_whole), _typed(_read_days)
_room = _typed(lambda text: filled(text).removeprefix("#"))
