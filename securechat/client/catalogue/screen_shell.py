"""Sentences of the screen's shell: of the clipboard, the editor, links and pastes."""

from __future__ import annotations

from securechat.translation import LazyText, _, ngettext

# Translators: tmux is a program, and set-clipboard on is typed so.
COPIED = LazyText("Sent to the terminal for the clipboard. tmux needs: set-clipboard on")
COPY_TOO_LONG = LazyText("The text is too long for the clipboard of a terminal")
LINK_COPIED = LazyText("The link cannot be opened on this machine. It was sent to the terminal for the clipboard")
QUESTION_GONE = LazyText("The question is gone. What you type now goes nowhere until you press Enter")
EDITOR_FAILED = LazyText("The editor failed, and the text is as it was. $EDITOR names another one")

START_TITLE = LazyText("Which server do you want to chat on?")
START_KEYS = LazyText("Enter: go on   Tab: next field   Escape: leave")
START_BUSY = LazyText("Looking at the server ...")
ADDRESS = LazyText("Server")
ADDRESS_HINT = LazyText("Its name or address, with :PORT if it has another one; or an invite link")
FINGERPRINT = LazyText("Fingerprint")
# Translators: CA: certificate authority.
FINGERPRINT_HINT = LazyText("Of its CA, sha256:..., as its administrator tells it. Leave it empty with an invite link")
NAME = LazyText("Name")
NAME_HINT = LazyText("What others call you. Of an account: its name")


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


def paste_cut(count: int) -> str:
    """Tell that of a paste not everything found a place."""
    return ngettext(
        "The paste is too long, and {count} character was left out",
        "The paste is too long, and {count} characters were left out",
        count,
    )
