"""The sentences about names that somebody owns: logins, invites, certificates, and what this machine remembers.

The second half of the catalogue; the rules are those of sentences.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.core.events.account import AccountAction
from securechat.errors import ErrorCode
from securechat.text.passwords import MIN_PASSWORD_CHARS

OLD_PASSWORD_PROMPT = "Old password (Enter alone: cancel): "  # noqa: S105 - a prompt
NEW_PASSWORD_PROMPT = f"New password, at least {MIN_PASSWORD_CHARS} characters (Enter alone: cancel): "
AGAIN_PROMPT = "The same again: "
PROVING_PROMPT = "Logging in (Ctrl-C leaves): "
TYPED_TOO_SOON = "you are not logged in yet: what you have just typed went nowhere; wait for the server"
NOWHERE_PROMPT = "Nothing of this line shows or is sent (Enter ends it): "
WENT_NOWHERE = "what you have just typed, where nothing shows, went nowhere"
LINK_PROMPT = "Invite link: "
REST_PROMPT = "The rest of the link: "
YES_PROMPT = "Type yes to trust the link: "
YES = "yes"
NOT_THE_PASSWORD = "this is not the password of this name"  # noqa: S105 - a sentence
THE_OLD_ONE = "this is the old password; choose another one"
NOT_THE_SAME = "these were two different passwords; begin again"
CANCELLED = "nothing was changed"
CHOOSE_NAME = "choose a name"
NO_LINK = "there is no invite link; paste the one you were given"
LINK_IN_ARGUMENTS = "this link can be used several times, and what is typed behind a command is shown in process lists \
and kept in the shell's history: use --invite, and paste the link when asked"
LINK_AND_MORE = "an invite link says itself where to connect and whom to trust; leave out HOST, --port, --ca and --pin"
NOTHING_KEPT = "nothing is remembered about this server"
NO_MEMORY = "nothing is remembered, because SECURECHAT_STATE is set to nothing"
TERMINAL_ONLY = "a password is typed at a terminal only; nobody can be asked here"
TYPED_IN_THE_OPEN = (
    "a password does not belong behind the command, where everybody sees it; type the command alone, and you are asked "
    "for it; do not use the password you have just shown"
)
OWN_YOUR_NAME = "your name is nobody's own; /register makes it yours"
MUST_CHANGE = "your password was set by an administrator; choose your own with /password"
ADMINISTERS = "you administer this server"
NO_LOGINS = "there are no logins"
MORE_LOGINS = "there are more, not used for longer, than fit here; end some of these to see them"
MORE_CERTIFICATES = "there are older ones that do not fit here; remove some of these to see them"
NO_CERTIFICATES = "no client certificate logs in to your account; /cert add FILE adds one"

CLI_CERT = "log in with this client certificate: certificate and key in one PEM file"
CLI_FILE_FOR_LOGIN = "log in with the password in the first line of this file, which only you may read (or \
SECURECHAT_PASSWORD_FILE)"
CLI_INVITE = "make an account with an invite link, which is asked for at a terminal, and otherwise the first line of \
stdin"
CLI_FORGET = "forget what is remembered about HOST, or about the server used last, and exit"
CLI_MEMORY = (
    "What worked is remembered, in a folder of yours that others cannot read: without HOST, --ca and --pin the \
server used last, its CA and your name are used again, and a login needs no password. SECURECHAT_STATE names another \
folder for it; set to nothing, nothing is kept."
)


def password_prompt(name: str) -> str:
    """Ask for a password."""
    return f"Password of {name} (Enter alone: another name): "


def password_too_long(most: int) -> str:
    """More than fits."""
    return f"a password has at most {most} characters; choose a shorter one"


def password_needed(code: ErrorCode, text: str) -> str:
    """Why a password is asked for; ``text`` is the server's sentence."""
    return _WHY_PASSWORD.get(code) or text


_WHY_PASSWORD = {
    ErrorCode.LOGIN_FAILED: f"{NOT_THE_PASSWORD}; try again",
    ErrorCode.LOGIN_EXPIRED: "your login here has ended; log in with your password, or leave and come back as somebody "
    "else with --name",
    ErrorCode.CERTIFICATE_UNKNOWN: "your certificate belongs to no account yet; log in with your password, then type "
    "/cert add",
    ErrorCode.PASSWORD_NEEDED: "the invite is good and the name is free; choose the password of your new account",
}


def password_missing(code: ErrorCode, text: str) -> str:
    """A password is needed where nobody can be asked."""
    how = "log in once at a terminal, or use --password-file FILE or --cert FILE"
    return f"{NOT_THE_PASSWORD if code is ErrorCode.LOGIN_FAILED else text}; {how}"


def login_held(seconds: float, code: ErrorCode) -> str:
    """The hello is repeated later."""
    span = f"{max(1, round(seconds))} second{'' if round(seconds) <= 1 else 's'}"
    if code is ErrorCode.LOGIN_SLOWED:
        return f"too many wrong passwords have been tried; yours is tried by itself in {span}"
    return f"the server is busy; your login is tried again by itself in {span}"


def logged_in(*, account: bool, admin: bool, must_change: bool) -> str:
    """What the name means here."""
    if not account:
        return OWN_YOUR_NAME
    return "\n".join([*([ADMINISTERS] if admin else []), *([MUST_CHANGE] if must_change else [])])


def became_another(name: str) -> str:
    """In again, under another identity."""
    return f"you are somebody else than before the connection was lost; you are: {name}"


def announcement(clock: str, text: str) -> str:
    """From the people who run the server."""
    return f"announcement of the server, {clock}: {text}"


def kept_for(name: str) -> str:
    """A direct message to somebody absent."""
    return f"not here now, the message waits for them: {name}"


def entered_elsewhere(room: str, others: Sequence[str], total: int) -> str:
    """In a room without having asked: by another device of the account, an invite, or from before."""
    people = f" with: {', '.join(others)}" if others else f", {total} people" if total > 1 else ""
    return f"you are also in #{room}{people}"


def left_elsewhere(room: str) -> str:
    """Another device of the account left a room."""
    return f"you left #{room} on another device"


_DONE = {
    AccountAction.CHANGE_PASSWORD: "your password is changed; every other login has ended",
    AccountAction.END_LOGIN: "login {number} has ended",
    AccountAction.ADD_CERTIFICATE: "the certificate logs in to your account now; use it with --cert FILE",
    AccountAction.REMOVE_CERTIFICATE: "certificate {number} logs in no longer",
    AccountAction.REGISTER: "this name is yours now, and this machine stays logged in: {name}",
}


def done(account_action: AccountAction, number: int | None, name: str) -> str:
    """The server did it."""
    return _DONE[account_action].format(number=number, name=name)


_LOOK = {
    AccountAction.REGISTER: "/register",
    AccountAction.CHANGE_PASSWORD: "/password",
    AccountAction.END_LOGIN: "/sessions",
    AccountAction.LOG_OUT: "/logout",
    AccountAction.ADD_CERTIFICATE: "/cert",
    AccountAction.REMOVE_CERTIFICATE: "/cert",
}


def unanswered(account_action: AccountAction) -> str:
    """The connection broke over it."""
    return f"the connection broke before the server answered; try again when it is back: {_LOOK[account_action]}"


def login_line(number: int, client: str, address: str, since: str, used: str, *, online: bool, current: bool) -> str:
    """One login of the list; dates and times are this machine's."""
    now = "this one" if current else "here now" if online else f"last used {used}"
    return f"{number}  {client}, from {address}, since {since}, {now}"


END_LOGIN_HINT = "/sessions end N ends a login; who has its machine is out then"


def certificate_line(number: int, label: str, fingerprint: str, added: str, *, current: bool) -> str:
    """One certificate of the list."""
    named = f"{label}, " if label else ""
    return f"{number}  {named}added {added}, {fingerprint}{', this one' if current else ''}"


def presented(fingerprint: str) -> str:
    """What this connection has shown, and the account does not know."""
    return f"you show a certificate that is none of these; /cert add adds it: {fingerprint}"


def certificate_file(text: str) -> str:
    """/cert add FILE with a file that is of no use."""
    return f"no certificate was added: {text}"


# --- the end ------------------------------------------------------------------------------------------------------

LOGGED_OUT = "logged out; this machine has forgotten the login"


def invite_refused(text: str) -> str:
    """The invite makes no account."""
    return f"the invite was not accepted: {text}"


def removed(text: str) -> str:
    """Somebody has ended it on purpose."""
    return f"the server has ended your connection for good: {text}"


# --- what is remembered -------------------------------------------------------------------------------------------


def going_to(host: str, port: int, name: str | None) -> str:
    """Where it goes when nothing was typed."""
    return f"going to the server used last, {host} port {port}" + (f", as: {name}" if name else "")


def not_kept(why: str) -> str:
    """Nothing can be written."""
    return f"this machine could not remember your login, and will ask again next time: {why}"


def set_aside(path: str, where: str) -> str:
    """A damaged file of ours."""
    return f"{path} is damaged and was set aside as {where}; you may have to log in again"


def not_readable(path: str, why: str) -> str:
    """A file of ours that cannot be read."""
    return f"what is remembered in {path} cannot be read ({why}) and is not used"


def forgotten(host: str, port: int, names: Sequence[str]) -> str:
    """--forget."""
    logins = f"; logins forgotten: {', '.join(names)}" if names else ""
    return f"forgotten: {host} port {port}{logins}" + ("; /sessions in another client ends them" if names else "")


def not_forgotten(why: str) -> str:
    """--forget could not delete."""
    return f"not everything could be forgotten: {why}"


def password_file(path: str, why: str) -> str:
    """A password file that cannot be used."""
    return f"the password file {path} cannot be used: {why}"


FILE_EMPTY = "its first line is empty"
FILE_TOO_LONG = "its first line is longer than a password can be"
FILE_NO_TEXT = "its first line is no text in UTF-8"
PIPE_SILENT = "nothing was written into this pipe"


def file_open_to_others(path: str) -> str:
    """Somebody else could have read the password."""
    return f"others can read it; make it yours alone with: chmod 600 {path}"


# --- invites ------------------------------------------------------------------------------------------------------


def invited(host: str, port: int) -> str:
    """Where the link leads."""
    return f"the invite is for {host} port {port}"


def other_ca(host: str, port: int, known: str, linked: str) -> str:
    """The link trusts another CA than the one that worked before."""
    return (
        f"WARNING: {host} port {port} proved itself with another CA before\n"
        f"remembered: {known}\n"
        f"in the link: {linked}\n"
        "either the server has a new CA, or somebody wants you to talk to another server; ask whoever runs it, not "
        "whoever sent the link, and compare the fingerprint"
    )


NOT_TRUSTED = "the link was not used: it names another CA than the one remembered; --forget HOST forgets that one"
