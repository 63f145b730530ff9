"""Sentences about accounts: logins, invites, certificates, passwords, and the logins remembered on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue.names import capital, quoted
from securechat.client.core.events.account import AccountAction
from securechat.errors import ErrorCode
from securechat.limits import MIN_PASSWORD_CHARS

OLD_PASSWORD_PROMPT = "Old password (empty: cancel): "  # noqa: S105 - a prompt
TEMPORARY_PASSWORD_PROMPT = "Temporary password: "  # noqa: S105 - a prompt
OWN_PASSWORD_PROMPT = f"Your new password, at least {MIN_PASSWORD_CHARS} characters: "
NEW_PASSWORD_PROMPT = f"New password, at least {MIN_PASSWORD_CHARS} characters (empty: cancel): "
AGAIN_PROMPT = "Password again: "
PROVING_PROMPT = "Logging in (Ctrl-C quits): "
TYPED_TOO_SOON = "You are not logged in yet. Your last line was not sent; wait for the server and type it again"
NOWHERE_PROMPT = "Input is hidden and will not be sent (press Enter): "
WENT_NOWHERE = "Your last line was hidden and was not sent"
HELD_PROMPT = "Not sent, because it may be a password. Send it as a message? yes or no: "
HELD_DROPPED = "Your line was not sent"
HAS_NO_PASSWORD = "You are a guest and have no password. /register reserves your name with one"  # noqa: S105 - a sentence
HAS_ACCOUNT = "Your name is registered already. /password changes the password"
LINK_PROMPT = "Invite link: "
REST_PROMPT = "The rest of the link: "
YES_PROMPT = "Type yes to trust the link: "
YES = "yes"
NO = "no"
NOT_THE_PASSWORD = "Wrong password"  # noqa: S105 - a sentence
THE_OLD_ONE = "This is the old password. Choose another one"
NOT_THE_SAME = "The passwords do not match. Start again"
CANCELLED = "Cancelled. Nothing was changed"
CHOOSE_NAME = "Choose a name"
NO_LINK = "No invite link was given. Paste the link that you received"
LINK_IN_ARGUMENTS = (
    "This link can be used several times, and what stands behind a command can be read in process lists \
and in the shell's history. Use --invite and paste the link when asked"
)
LINK_AND_MORE = "An invite link contains the server and its fingerprint. Leave out HOST, --port, --ca and --pin"
NOTHING_KEPT = "Nothing is remembered about this server"
NO_MEMORY = "Nothing is remembered, because SECURECHAT_STATE is empty"
TERMINAL_ONLY = "A password can be typed at a terminal only"
TYPED_IN_THE_OPEN = (
    "Do not type a password behind the command, where others can see it. Type the command alone, and you are asked for "
    "the password. Choose another one than the one you have just shown"
)
GUEST = "You are a guest. /register reserves this name with a password"
MUST_CHANGE = "An administrator has set your password. Choose your own now: nothing else works until then"
MUST_CHANGE_AT_TERMINAL = "An administrator has set your password. Log in once at a terminal to choose your own"
ADMINISTERS = "You are an administrator of this server"
NO_LOGINS = "There are no sessions"
MORE_LOGINS = "Older sessions are not shown. End some of these to see them"
MORE_CERTIFICATES = "Older certificates are not shown. Remove some of these to see them"
NO_CERTIFICATES = "Your account has no client certificate. /cert add FILE adds one"

CLI_CERT = "log in with this client certificate: certificate and key in one PEM file"
CLI_FILE_FOR_LOGIN = "log in with the password in the first line of this file, which only you may be able to read (or \
SECURECHAT_PASSWORD_FILE)"
CLI_INVITE = "make an account with an invite link, which is asked for at a terminal and otherwise read from the first \
line of stdin"
CLI_FORGET = "forget what is remembered about HOST, or about the server used last, and exit"
CLI_MEMORY = (
    "What worked is remembered, in a folder of yours that others cannot read: without HOST, --ca and --pin the \
server used last, its CA and your name are used again, and a login needs no password. SECURECHAT_STATE names another \
folder for it; if it is empty, nothing is remembered."
)


def password_prompt(name: str) -> str:
    """Ask for a password."""
    return f"Password for {quoted(name)} (empty: choose another name): "


def password_too_long(most: int) -> str:
    """Refuse a password of too many characters."""
    return f"A password has at most {most} characters. Choose a shorter one"


def password_needed(code: ErrorCode, text: str) -> str:
    """Give the reason for which a password is asked for; ``text`` is the server's sentence."""
    return _WHY_PASSWORD.get(code) or text


_WHY_PASSWORD = {
    ErrorCode.LOGIN_FAILED: f"{NOT_THE_PASSWORD}. Try again",
    ErrorCode.LOGIN_EXPIRED: "You were logged out. Log in with your password, or quit and use --name for another name",
    ErrorCode.CERTIFICATE_UNKNOWN: "Your certificate belongs to no account yet. Log in with your password, then type "
    "/cert add",
    ErrorCode.PASSWORD_NEEDED: "The invite is valid and the name is free. Choose a password for your new account",
}


def password_missing(code: ErrorCode, text: str) -> str:
    """Tell a script that a password is needed."""
    how = "Log in once at a terminal, or use --password-file FILE or --cert FILE"
    return f"{NOT_THE_PASSWORD if code is ErrorCode.LOGIN_FAILED else text}. {how}"


def login_held(seconds: float, code: ErrorCode) -> str:
    """Tell when the login is tried again."""
    span = f"{max(1, round(seconds))} second{'' if round(seconds) <= 1 else 's'}"
    if code is ErrorCode.LOGIN_SLOWED:
        return f"Too many wrong passwords were tried. Your login is tried again in {span}"
    if code is ErrorCode.DISK_FULL:
        return f"The server's disk is full, and it cannot store your login. It is tried again in {span}, and then on"
    if code not in {ErrorCode.BUSY, ErrorCode.OVERLOADED}:
        return f"The server does not let you in yet. Your login is tried again in {span}"
    return f"The server is busy. Your login is tried again in {span}"


def logged_in(*, account: bool, admin: bool) -> str:
    """Describe the user's standing on the server."""
    return GUEST if not account else ADMINISTERS if admin else ""


def became_another(name: str) -> str:
    """Tell that a reconnect gave the user another identity."""
    return f"You are connected again, but as another user. You are now {quoted(name)}"


def announcement(clock: str, text: str) -> str:
    """Show an announcement of the administrators."""
    return f"Announcement from the server, {clock}: {text}"


def kept_for(name: str) -> str:
    """Tell that a direct message is delivered later."""
    return f"{quoted(name)} is offline. Your message will be delivered later"


def entered_elsewhere(room: str, others: Sequence[str], total: int) -> str:
    """Tell that the user is in a room without having asked: by another device, an invite, or from before."""
    people = f". Also there: {', '.join(others)}" if others else f". {total} people are there" if total > 1 else ""
    return f"You are also in #{room}{people}"


def left_elsewhere(room: str) -> str:
    """Tell that another device of the account left a room."""
    return f"You left #{room} on another device"


_DONE = {
    AccountAction.CHANGE_PASSWORD: "Password changed. All your other sessions are logged out",
    AccountAction.END_LOGIN: "Session {number} is logged out",
    AccountAction.ADD_CERTIFICATE: "Your account has this certificate now. --cert FILE logs in with it",
    AccountAction.REMOVE_CERTIFICATE: "Certificate {number} removed",
    AccountAction.REGISTER: "Registered as {name}. You stay logged in on this machine",
}


def done(account_action: AccountAction, number: int | None, name: str) -> str:
    """Tell that the server did it."""
    return _DONE[account_action].format(number=number, name=quoted(name))


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
    return f"The connection broke before the server answered. Try {_LOOK[account_action]} again when you are connected"


def login_line(number: int, client: str, address: str, since: str, used: str, *, online: bool, current: bool) -> str:
    """Describe one session of the list; dates and times are this machine's."""
    now = "this session" if current else "online" if online else f"last used {used}"
    return f"{number}  {client}, from {address}, since {since}, {now}"


END_LOGIN_HINT = "/sessions end N logs a session out"


def certificate_line(number: int, label: str, fingerprint: str, added: str, *, current: bool) -> str:
    """Describe one certificate of the list."""
    named = f"{label}, " if label else ""
    return f"{number}  {named}added {added}, {fingerprint}{', in use now' if current else ''}"


def presented(fingerprint: str) -> str:
    """Show the fingerprint of a certificate of this connection that the account does not know."""
    return f"This connection uses a certificate that is not in the list. /cert add adds it: {fingerprint}"


def certificate_file(text: str) -> str:
    """Refuse the file of /cert add FILE."""
    return f"No certificate was added. {capital(text)}"


# --- the end ------------------------------------------------------------------------------------------------------

LOGGED_OUT = "Logged out. This machine has forgotten the login"


def invite_refused(text: str) -> str:
    """Tell that the invite makes no account."""
    return f"The invite was not accepted. {capital(text)}"


def removed(text: str) -> str:
    """Show the server's last words: kicked, banned or logged out."""
    return capital(text)


# --- what is remembered -------------------------------------------------------------------------------------------


def going_to(host: str, port: int, name: str | None) -> str:
    """Name the server that is used when none was typed."""
    return f"Using the last server, {host} port {port}" + (f", as {quoted(name)}" if name else "")


def not_kept(why: str) -> str:
    """Tell that the login cannot be stored."""
    return f"Your login could not be saved on this machine. You will be asked again next time: {why}"


def set_aside(path: str, where: str) -> str:
    """Tell that a damaged file was replaced."""
    return f"The file {path} is damaged and was renamed to {where}. You may have to log in again"


def not_readable(path: str, why: str) -> str:
    """Tell that a file cannot be read."""
    return f"The file {path} cannot be read and is not used: {why}"


def forgotten(host: str, port: int, names: Sequence[str]) -> str:
    """Answer --forget."""
    logins = f". Logins forgotten: {', '.join(names)}" if names else ""
    ends = ". They are still valid on the server; /sessions in another client ends them" if names else ""
    return f"Forgotten: {host} port {port}{logins}{ends}"


def not_forgotten(why: str) -> str:
    """Tell that --forget could not delete everything."""
    return f"Not everything could be forgotten: {why}"


def password_file(path: str, why: str) -> str:
    """Tell that a password file cannot be used."""
    return f"The password file {path} cannot be used: {why}"


FILE_EMPTY = "its first line is empty"
FILE_TOO_LONG = "its first line is longer than a password can be"
FILE_NO_TEXT = "its first line is not UTF-8 text"
PIPE_SILENT = "nothing was written into this pipe"


def no_home(typed: str) -> str:
    """Refuse a path that begins with the home directory of a user without one."""
    return f"this machine has no home directory for {typed}. Type the whole path"


def file_open_to_others(path: str) -> str:
    """Refuse a password file that other users may read."""
    return f"other users can read it. Fix it with: chmod 600 {path}"


# --- invites ------------------------------------------------------------------------------------------------------


def invited(host: str, port: int) -> str:
    """Name the server of an invite."""
    return f"The invite is for {host} port {port}"


def other_ca(host: str, port: int, known: str, linked: str) -> str:
    """Warn of a link that trusts another CA than the remembered one."""
    return (
        f"WARNING: {host} port {port} used another CA before\n"
        f"Remembered: {known}\n"
        f"In the link: {linked}\n"
        "Either the server has a new CA, or the link leads you to another server. Ask the server's administrator, not "
        "the sender of the link, and compare the fingerprint"
    )


SYSTEM_CAS = "the CAs that this machine trusts"


def other_ca_given(host: str, port: int, known: str, given: str) -> str:
    """Warn that the user trusts another CA now than the remembered one."""
    return (
        f"WARNING: {host} port {port} used another CA before\n"
        f"Remembered: {known}\n"
        f"Given now: {given}\n"
        "Either the server has a new CA, or this is another server. Compare the fingerprint with the server's "
        "administrator. Names and logins kept for the earlier CA are not used"
    )


NOT_TRUSTED = (
    "The link was not used, because it names another CA than the remembered one. --forget HOST forgets that one"
)
