"""Sentences of the screen's shell: of the clipboard, the editor, links and pastes."""

from __future__ import annotations

from securechat.translation import LazyText, _, ngettext

# Translators: tmux is a program, and set-clipboard on is typed so.
COPIED = LazyText("Sent to the terminal for the clipboard. tmux needs: set-clipboard on")
COPY_TOO_LONG = LazyText("The text is too long for the clipboard of a terminal")
LINK_COPIED = LazyText("The link cannot be opened on this machine. It was sent to the terminal for the clipboard")
QUESTION_GONE = LazyText("The question is gone. What you type now goes nowhere until you press Enter")
# Translators: LC_ALL=C.UTF-8 is typed so; U+FFFD is the sign that stands for what cannot be read.
NOT_DECODED = LazyText(
    "The terminal sent characters that are neither UTF-8 nor of its locale: U+FFFD stands for them in your text. "
    "Set LC_ALL=C.UTF-8"
)
EDITOR_FAILED = LazyText("The editor failed, and the text is as it was. $EDITOR names another one")

START_TITLE = LazyText("Which server do you want to chat on?")
# Translators: the keys of the form; at most 40 columns.
START_KEYS = LazyText("Enter: go on   Tab: next   Escape: leave")
# Translators: the keys of a further page of the form; at most 40 columns.
FURTHER_KEYS = LazyText("Enter: go on   Tab: next   Escape: back")
LIST_KEYS = LazyText("Enter: go there   Escape: leave")
OTHER_SERVER = LazyText("Another server")
START_BUSY = LazyText("Looking at the server ...")
ADDRESS = LazyText("Server")
ADDRESS_HINT = LazyText("Its name or address, with :PORT if it has another one; or an invite link")
FINGERPRINT = LazyText("Fingerprint")
# Translators: CA: certificate authority. system is typed so.
FINGERPRINT_HINT = LazyText(
    "Of its CA, if you have it: sha256:...  Empty: you compare it next. system: a CA that this machine trusts"
)
NAME = LazyText("Name")
NAME_HINT = LazyText("What others call you. Of an account: its name")
SHELL = LazyText("Show it as")
# Translators: a choice in a form: the chat on a full screen.
SHELL_SCREEN = LazyText("screen")
# Translators: a choice in a form: the chat line by line.
SHELL_LINES = LazyText("lines")
SHELL_HINT = LazyText(
    "Space changes it. Lines suit screen readers and slow links. Later: --plain or --no-plain, or plain in client.toml"
)
COMPARE_TITLE = LazyText("Is this the server's fingerprint?")
COMPARE = LazyText(
    "Compare it with what the server printed when it started, or ask its administrator. "
    "If it differs, another computer may be between you and the server"
)
CONFIRM = LazyText("The same?")
CONFIRM_HINT = LazyText("Type yes, or paste the fingerprint that you were told")
OTHER_FINGERPRINT = LazyText("This is not the fingerprint above. Do not go on if the server has another one")
NOT_A_SERVER_YET = LazyText("No server is known yet")

READER_HAS_LINES = LazyText("--reader is for lines")
NOT_ON_WINDOWS = LazyText("it does not run on Windows yet")
NOT_ONE_TERMINAL = LazyText("input, output and errors are not one terminal")


def too_small(columns: int, rows: int) -> str:
    """Tell what size of the terminal the screen needs."""
    return _("the terminal is smaller than {columns} columns and {rows} rows", columns=columns, rows=rows)


def not_a_screen(term: str) -> str:
    """Tell that a terminal cannot show a screen, by the name that it has in TERM."""
    return _("a terminal of the kind TERM={term} cannot show it", term=term)


def no_screen(why: str) -> str:
    """Tell why lines are shown where the full screen was asked for."""
    return _("There is no full screen: {why}. Lines are shown instead", why=why)


def choice_unsaved(why: str) -> str:
    """Tell that a choice is not remembered."""
    return _("Your choice is not remembered: {why}", why=why)


def history_unusable(why: str) -> str:
    """Tell that sent lines and notification levels cannot be kept."""
    return _("Sent lines and what notifies are not remembered: {why}", why=why)


def file_is_at(path: str) -> str:
    """Tell where a file is that no program of this machine opens, or that is not opened over SSH."""
    return _("Not opened. The file is here: {path}", path=path)


def file_opens(path: str) -> str:
    """Tell that a file was given to the system's opener."""
    return _("Opening {path}", path=path)


def unsent_unusable(why: str) -> str:
    """Tell that what is written and not sent cannot be kept, or was not read."""
    return _("What is written and not sent is not kept: {why}", why=why)


def not_unicode(encoding: str) -> str:
    """Tell that the terminal has other characters than UTF-8's: the locale says so."""
    return _(
        "This terminal's characters are {encoding}, not UTF-8: others are shown as ?. Set LC_ALL=C.UTF-8",
        encoding=encoding,
    )


def typed_lost(count: int) -> str:
    """Tell that what was typed while the client was busy did not find a place."""
    return ngettext(
        "The client was busy, and {count} character typed was left out. Look at your text before you send it",
        "The client was busy, and {count} characters typed were left out. Look at your text before you send it",
        count,
    )


def no_pictures(protocol: str) -> str:
    """Tell that the terminal has not said that it shows pictures so; kitty, sixel and off are typed so."""
    if protocol == "kitty":
        return _("No pictures are shown: this terminal does not answer to kitty's protocol. --pictures sixel may do")
    return _("No pictures are shown: this terminal does not say that it has sixels. --pictures kitty may do")


def paste_cut(count: int) -> str:
    """Tell that of a paste not everything found a place."""
    return ngettext(
        "The paste is too long, and {count} character was left out",
        "The paste is too long, and {count} characters were left out",
        count,
    )
