"""Sentences about accounts: logins, invites, certificates, passwords, and the logins remembered on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from securechat.client.catalogue.names import capital, in_turn, marked, quoted
from securechat.client.catalogue.rooms import span
from securechat.client.core.events.account import AccountAction
from securechat.errors import ErrorCode
from securechat.limits import MIN_PASSWORD_CHARS
from securechat.programs import Program, command, shown_path
from securechat.translation import LazyText, _, ngettext

OLD_PASSWORD_PROMPT = LazyText("Old password (empty: cancel): ")
TEMPORARY_PASSWORD_PROMPT = LazyText("Temporary password: ")
AGAIN_PROMPT = LazyText("Password again: ")
PROVING_PROMPT = LazyText("Logging in (Ctrl-C quits): ")
TYPED_TOO_SOON = LazyText(
    "You are not logged in yet. Your last line was not sent; wait for the server and type it again"
)
NOWHERE_PROMPT = LazyText("Input is hidden and will not be sent (press Enter): ")
WENT_NOWHERE = LazyText("Your last line was hidden and was not sent")
# Translators: the words to type are those of "yes" and "no".
HELD_PROMPT = LazyText("Not sent, because it may be a password. Send it as a message? yes or no: ")
HELD_DROPPED = LazyText("Your line was not sent")
HAS_NO_PASSWORD = LazyText("You are a guest and have no password. /register reserves your name with one")
HAS_ACCOUNT = LazyText("Your name is registered already. /password changes the password")
LINK_PROMPT = LazyText("Invite link: ")
REST_PROMPT = LazyText("The rest of the link: ")
# Translators: the word to type is that of "yes".
YES_PROMPT = LazyText("Type yes to trust the link: ")
NOT_THE_PASSWORD = LazyText("Wrong password")
THE_OLD_ONE = LazyText("This is the old password. Choose another one")
NOT_THE_SAME = LazyText("The passwords do not match. Start again")
CANCELLED = LazyText("Cancelled. Nothing was changed")
CHOOSE_NAME = LazyText("Choose a name")
NO_LINK = LazyText("No invite link was given. Paste the link that you received")
LINK_IN_ARGUMENTS = LazyText(
    "This link can be used several times, and what stands behind a command can be read in process lists and in the "
    "shell's history. Use --invite and paste the link when asked"
)
LINK_AND_MORE = LazyText(
    "An invite link contains the server and its fingerprint. Leave out HOST, --port, --ca and --pin"
)
NOTHING_KEPT = LazyText("Nothing is remembered about this server")
NO_MEMORY = LazyText("Nothing is remembered, because SECURECHAT_STATE is empty")
TERMINAL_ONLY = LazyText("A password can be typed at a terminal only")
TYPED_IN_THE_OPEN = LazyText(
    "Do not type a password behind the command, where others can see it. Type the command alone, and you are asked for "
    "the password. Choose another one than the one you have just shown"
)
GUEST = LazyText("You are a guest. /register reserves this name with a password")
MUST_CHANGE = LazyText("An administrator has set your password. Choose your own now: nothing else works until then")
MUST_CHANGE_AT_TERMINAL = LazyText(
    "An administrator has set your password. Log in once at a terminal to choose your own"
)
ADMINISTERS = LazyText("You are an administrator of this server")
NO_LOGINS = LazyText("There are no sessions")
MORE_LOGINS = LazyText("Older sessions are not shown. End some of these to see them")
MORE_CERTIFICATES = LazyText("Older certificates are not shown. Remove some of these to see them")
NO_CERTIFICATES = LazyText("Your account has no client certificate. /cert add FILE adds one")

CLI_CERT = LazyText("log in with this client certificate: certificate and key in one PEM file")
CLI_FILE_FOR_LOGIN = LazyText(
    "log in with the password in the first line of this file, which only you may be able to read (or "
    "SECURECHAT_PASSWORD_FILE)"
)
CLI_INVITE = LazyText(
    "make an account with an invite link, which is asked for at a terminal and otherwise read from the first line of "
    "stdin"
)
CLI_SERVERS = LazyText("choose among the servers used so far, or another one; without a screen, print them")
CLI_FORGET = LazyText("forget what is remembered about HOST, or about the server used last, and exit")
CLI_MEMORY = LazyText(
    "What worked is remembered, in a folder of yours that others cannot read: without HOST, --ca and --pin the server "
    "used last, its CA and your name are used again, and a login needs no password. SECURECHAT_STATE names another "
    "folder for it; if it is empty, nothing is remembered."
)


def own_password_prompt() -> str:
    """Ask for the password that replaces one of an administrator."""
    return _("Your new password, at least {least} characters: ", least=MIN_PASSWORD_CHARS)


def new_password_prompt() -> str:
    """Ask for a new password."""
    return _("New password, at least {least} characters (empty: cancel): ", least=MIN_PASSWORD_CHARS)


def password_prompt(name: str) -> str:
    """Ask for a password."""
    return _("Password for {name} (empty: choose another name): ", name=quoted(name))


def password_too_long(most: int) -> str:
    """Refuse a password of too many characters."""
    return _("A password has at most {most} characters. Choose a shorter one", most=most)


def password_needed(code: ErrorCode, text: str) -> str:
    """Give the reason for which a password is asked for; ``text`` is the server's sentence."""
    return _WHY_PASSWORD[code]() if code in _WHY_PASSWORD else text


_WHY_PASSWORD: Mapping[ErrorCode, LazyText] = {
    ErrorCode.LOGIN_FAILED: LazyText("Wrong password. Try again"),
    ErrorCode.LOGIN_EXPIRED: LazyText(
        "You were logged out. Log in with your password, or quit and use --name for another name"
    ),
    ErrorCode.CERTIFICATE_UNKNOWN: LazyText(
        "Your certificate belongs to no account yet. Log in with your password, then type /cert add"
    ),
    ErrorCode.PASSWORD_NEEDED: LazyText(
        "The invite is valid and the name is free. Choose a password for your new account"
    ),
}


def password_missing(code: ErrorCode, text: str) -> str:
    """Tell a script that a password is needed."""
    why = NOT_THE_PASSWORD() if code is ErrorCode.LOGIN_FAILED else text
    return in_turn(why, _("Log in once at a terminal, or use --password-file FILE or --cert FILE"))


def login_held(seconds: float, code: ErrorCode) -> str:
    """Tell when the login is tried again."""
    time = span(seconds)
    if code is ErrorCode.LOGIN_SLOWED:
        return _("Too many wrong passwords were tried. Your login is tried again in {time}", time=time)
    if code is ErrorCode.DISK_FULL:
        return _(
            "The server's disk is full, and it cannot store your login. It is tried again in {time}, and then on",
            time=time,
        )
    if code not in {ErrorCode.BUSY, ErrorCode.OVERLOADED}:
        return _("The server does not let you in yet. Your login is tried again in {time}", time=time)
    return _("The server is busy. Your login is tried again in {time}", time=time)


def logged_in(*, account: bool, admin: bool) -> str:
    """Describe the user's standing on the server."""
    return GUEST() if not account else ADMINISTERS() if admin else ""


def became_another(name: str) -> str:
    """Tell that a reconnect gave the user another identity."""
    return _("You are connected again, but as another user. You are now {name}", name=quoted(name))


def announcement(clock: str, text: str) -> str:
    """Show an announcement of the administrators."""
    return _("Announcement from the server, {clock}: {text}", clock=clock, text=text)


def kept_for(name: str) -> str:
    """Tell that a direct message is delivered later."""
    return _("{name} is offline. Your message will be delivered later", name=quoted(name))


def entered_elsewhere(room: str, others: Sequence[str], total: int) -> str:
    """Tell that the user is in a room without having asked: by another device, an invite, or from before."""
    where = _("You are also in #{room}", room=room)
    if others:
        return in_turn(where, _("Also there: {names}", names=", ".join(map(marked, others))))
    if total > 1:
        return in_turn(where, ngettext("{count} person is there", "{count} people are there", total))
    return where


def left_elsewhere(room: str) -> str:
    """Tell that another device of the account left a room."""
    return _("You left #{room} on another device", room=room)


_DONE: Mapping[AccountAction, LazyText] = {
    AccountAction.CHANGE_PASSWORD: LazyText("Password changed. All your other sessions are logged out"),
    AccountAction.END_LOGIN: LazyText("Session {number} is logged out"),
    AccountAction.ADD_CERTIFICATE: LazyText("Your account has this certificate now. --cert FILE logs in with it"),
    AccountAction.REMOVE_CERTIFICATE: LazyText("Certificate {number} removed"),
    AccountAction.REGISTER: LazyText("Registered as {name}. You stay logged in on this machine"),
}


def done(account_action: AccountAction, number: int | None, name: str) -> str:
    """Tell that the server did it."""
    return _DONE[account_action](number=number, name=quoted(name))


_LOOK = {
    AccountAction.REGISTER: "/register",
    AccountAction.CHANGE_PASSWORD: "/password",
    AccountAction.END_LOGIN: "/sessions",
    AccountAction.LOG_OUT: "/logout",
    AccountAction.ADD_CERTIFICATE: "/cert",
    AccountAction.REMOVE_CERTIFICATE: "/cert",
}


def unanswered(account_action: AccountAction) -> str:
    """Tell that the connection broke before the answer."""
    return _(
        "The connection broke before the server answered. Try {command} again when you are connected",
        command=_LOOK[account_action],
    )


def login_line(number: int, client: str, address: str, since: str, used: str, *, online: bool, current: bool) -> str:
    """Describe one session of the list; dates and times are this machine's."""
    now = _("this session") if current else _("online") if online else _("last used {day}", day=used)
    parts = [client, _("from {address}", address=address), _("since {day}", day=since), now]
    return f"{number}  {', '.join(parts)}"


END_LOGIN_HINT = LazyText("/sessions end N logs a session out")


def certificate_line(number: int, label: str, fingerprint: str, added: str, *, current: bool) -> str:
    """Describe one certificate of the list."""
    # Translators: of a certificate in a list.
    parts = [label, _("added {day}", day=added), fingerprint, _("in use now") if current else ""]
    return f"{number}  {', '.join(part for part in parts if part)}"


def presented(fingerprint: str) -> str:
    """Show the fingerprint of a certificate of this connection that the account does not know."""
    return _(
        "This connection uses a certificate that is not in the list. /cert add adds it: {fingerprint}",
        fingerprint=fingerprint,
    )


def certificate_file(text: str) -> str:
    """Refuse the file of /cert add FILE."""
    return in_turn(_("No certificate was added"), capital(text))


# --- the end ------------------------------------------------------------------------------------------------------

LOGGED_OUT = LazyText("Logged out. This machine has forgotten the login")


def invite_refused(text: str) -> str:
    """Tell that the invite makes no account."""
    return in_turn(_("The invite was not accepted"), capital(text))


def removed(text: str) -> str:
    """Show the server's last words: kicked, banned or logged out."""
    return capital(text)


# --- what is remembered -------------------------------------------------------------------------------------------


def going_to(host: str, port: int, name: str | None) -> str:
    """Name the server that is used when none was typed."""
    if name:
        return _("Using the last server, {host} port {port}, as {name}", host=host, port=port, name=quoted(name))
    return _("Using the last server, {host} port {port}", host=host, port=port)


def other_servers() -> str:
    """Tell the command that shows the servers used so far."""
    return _("For another server: {command}", command=command(Program.CLIENT, "--servers"))


def not_kept(why: str, folder: str) -> str:
    """Tell that the login cannot be stored, and where it would be."""
    return _(
        "Your login could not be saved in {folder}. You will be asked again next time: {why}", why=why, folder=folder
    )


def set_aside(path: str, where: str) -> str:
    """Tell that a damaged file was replaced."""
    return _(
        "The file {path} is damaged and was renamed to {where}. You may have to log in again", path=path, where=where
    )


def not_readable(path: str, why: str) -> str:
    """Tell that a file cannot be read."""
    return _("The file {path} cannot be read and is not used: {why}", path=path, why=why)


def forgotten(host: str, port: int, names: Sequence[str]) -> str:
    """Answer --forget."""
    parts = [_("Forgotten: {host} port {port}", host=host, port=port)]
    if names:
        parts.append(_("Logins forgotten: {names}", names=", ".join(names)))
        parts.append(_("They are still valid on the server; /sessions in another client ends them"))
    return in_turn(*parts)


def not_forgotten(why: str) -> str:
    """Tell that --forget could not delete everything."""
    return _("Not everything could be forgotten: {why}", why=why)


def password_file(path: str, why: str) -> str:
    """Tell that a password file cannot be used."""
    return _("The password file {path} cannot be used: {why}", path=path, why=why)


FILE_EMPTY = LazyText("its first line is empty")
FILE_TOO_LONG = LazyText("its first line is longer than a password can be")
FILE_NO_TEXT = LazyText("its first line is not UTF-8 text")
PIPE_SILENT = LazyText("nothing was written into this pipe")


def no_home(typed: str) -> str:
    """Refuse a path that begins with the home directory of a user without one."""
    return _("This machine has no home directory for {path}. Type the whole path", path=typed)


def file_open_to_others(path: str) -> str:
    """Refuse a password file that other users may read."""
    fix = f"chmod 600 {shown_path(Path(path))}"
    return _("other users can read it. Fix it with: {command}", command=fix)


# --- invites ------------------------------------------------------------------------------------------------------


def invited(host: str, port: int) -> str:
    """Name the server of an invite."""
    return _("The invite is for {host} port {port}", host=host, port=port)


def other_ca(host: str, port: int, known: str, linked: str) -> str:
    """Warn of a link that trusts another CA than the remembered one."""
    return "\n".join(
        [
            *_changed_ca(host, port, known),
            _("In the link: {fingerprint}", fingerprint=linked),
            _(
                "Either the server has a new CA, or the link leads you to another server. Ask the server's "
                "administrator, not the sender of the link, and compare the fingerprint"
            ),
        ]
    )


def _changed_ca(host: str, port: int, known: str) -> tuple[str, str]:
    return (
        _("WARNING: {host} port {port} used another CA before", host=host, port=port),
        _("Remembered: {fingerprint}", fingerprint=known),
    )


SYSTEM_CAS = LazyText("the CAs that this machine trusts")


def other_ca_given(host: str, port: int, known: str, given: str) -> str:
    """Warn that the user trusts another CA now than the remembered one."""
    return "\n".join(
        [
            *_changed_ca(host, port, known),
            _("Given now: {fingerprint}", fingerprint=given),
            _(
                "Either the server has a new CA, or this is another server. Compare the fingerprint with the server's "
                "administrator. Names and logins kept for the earlier CA are not used"
            ),
        ]
    )


NOT_TRUSTED = LazyText(
    "The link was not used, because it names another CA than the remembered one. --forget HOST forgets that one"
)
