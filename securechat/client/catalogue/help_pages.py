"""The pages of /help: one screen of everything; one each for messages, files, rooms and the account, and each command.

Each row is a command as it is typed and what it does; `usage` takes the first part. A test holds every page to 80
columns and 24 rows, in each language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from securechat.client.catalogue.help_commands import COMMAND_PAGES
from securechat.client.catalogue.help_layout import HelpRow, page_text
from securechat.translation import LazyText, _

HELP = (
    # Translators: in a page of help the first text of a row is what is typed. Translate its placeholders, such as NAME
    # and text, and nothing that is typed as it stands, such as on|off. A row has 76 columns: be as short as English.
    HelpRow(LazyText("text"), LazyText("send it to the current room; //text sends /text")),
    HelpRow(LazyText("/msg NAME text"), LazyText('send a direct message; names with spaces: "user1 pc"')),
    HelpRow(LazyText("/dm NAME"), LazyText("talk with one person; /dm lists them, /join leads back")),
    HelpRow(LazyText("/reply 12 text"), LazyText("reply to message [12]")),
    HelpRow(LazyText("/edit 12 text"), LazyText("edit message [12]; /edit text: your last message")),
    HelpRow("/delete [12]", LazyText("delete your last message, or [12]")),
    HelpRow("/react [12] \N{THUMBS UP SIGN}", LazyText("react to the last message, or [12]; again: remove it")),
    HelpRow(LazyText("/upload PATH"), LazyText("send a file; /save 12 saves one, /files lists your own")),
    HelpRow(LazyText("/search words"), LazyText("find messages; /more shows more")),
    HelpRow("/unread [N]", LazyText("list unread conversations; with a number: show one")),
    HelpRow("/history [N]", LazyText("show the last N messages; also yesterday, or of @NAME")),
    HelpRow(LazyText("/join ROOM"), LazyText("join a room; /leave [ROOM] leaves it; /rooms lists them")),
    HelpRow(LazyText("/who [ROOM]"), LazyText("list the members who are in the room; /whois NAME: one")),
    HelpRow("/room", LazyText("show the settings of the room; /topic: its topic")),
    HelpRow(LazyText("/nick NAME"), LazyText("change your name; /register reserves it with a password")),
    HelpRow(LazyText("/ignore NAME"), LazyText("hide the messages of a member; again: show them")),
    HelpRow("/typing off", LazyText("do not send typing notices, and do not see them")),
    HelpRow("/lang id", LazyText("in Bahasa Indonesia from now on; /lang shows the languages")),
    HelpRow("/quit, exit", LazyText("quit; so do Ctrl-D, and Ctrl-C on an empty line")),
    HelpRow("[12]", LazyText("the number of a message, on every screen; its last digits do")),
    HelpRow("/help messages", LazyText("more about messages; also /help files, rooms and account")),
    HelpRow("/help join", LazyText("explain a command")),
)

MESSAGES = (
    HelpRow(LazyText("/dm [NAME]"), LazyText("talk with one person; list your direct messages")),
    HelpRow(LazyText("/reply N text"), LazyText("reply to message [N]; it is quoted above your reply")),
    HelpRow(LazyText("/edit [N] text"), LazyText("edit your last message, or message [N]")),
    HelpRow("/edit N", LazyText("put the text of message [N] into the input line")),
    HelpRow("/delete [N]", LazyText("delete your last message, or message [N]")),
    HelpRow("/react [N] EMOJI", LazyText("react to the last message, or [N]; again, or -EMOJI: remove it")),
    HelpRow(
        LazyText("/search words"),
        LazyText('also "two words" beg* from:ann in:ops has:link before:2026-11-20 after:2026-11 after:yesterday'),
    ),
    HelpRow("/more", LazyText("show the next page of the last list")),
    HelpRow("/unread [N]", LazyText("list unread conversations; show the Nth")),
    HelpRow("/jump", LazyText("show this room from the first unread message on")),
    HelpRow(LazyText("/history [N] [ROOM or NAME]"), LazyText("show the last N messages, here or with NAME")),
    HelpRow(
        LazyText("/history DAY [ROOM or NAME]"),
        LazyText("show messages from a day on: 2026-11-20, today, yesterday, monday"),
    ),
    HelpRow("/around N, /time N", LazyText("show the messages around it; tell when it was sent")),
    HelpRow("/typing on|off", LazyText("send and see typing notices, or neither")),
    HelpRow(LazyText("@name"), LazyText("mention a member; Tab completes the name")),
    HelpRow(LazyText("several lines"), LazyText("paste them; between two rows of ``` they stay as typed")),
)

FILES = (
    HelpRow(LazyText("/upload PATH [text]"), LazyText("send a file; /help upload")),
    HelpRow(LazyText("/save N [PATH]"), LazyText("save the files of message [N]; N.2: the second")),
    HelpRow("/files", LazyText("list your own files; /delete N deletes them")),
    HelpRow("/open N, /url N", LazyText("open the link of message [N]; show it whole")),
    HelpRow("/copy N [text]", LazyText("copy the link of message [N], or its text")),
)

ROOMS = (
    HelpRow(LazyText("/join ROOM"), LazyText("join a room, or go back to one you are in")),
    HelpRow(LazyText("/leave [ROOM]"), LazyText("leave a room; --yes also as its only member")),
    HelpRow("/rooms", LazyText("list the rooms")),
    HelpRow(LazyText("/who [ROOM]"), LazyText("list the members who are in the room")),
    HelpRow(LazyText("/whois NAME"), LazyText("show who has a name, and the rooms you share")),
    HelpRow(LazyText("/topic [TEXT]"), LazyText('show the topic, or set it; /topic "" removes it')),
    HelpRow(LazyText("/room [set KEY VALUE]"), LazyText("show settings and your role, or change a setting:")),
    HelpRow("private on|off", LazyText("only invited members can join and see the room"), indented=True),
    HelpRow("read-only on|off", LazyText("only moderators and owners can write"), indented=True),
    HelpRow("slow 10s|off", LazyText("slow mode: the time between two messages of a member"), indented=True),
    HelpRow("retention 30d|off", LazyText("delete messages that are older"), indented=True),
    HelpRow("history joined|all", LazyText("whether new members see earlier messages"), indented=True),
    HelpRow("archived on|off", LazyText("make the room read-only, also for owners"), indented=True),
    HelpRow(LazyText("name NEW"), LazyText("rename the room"), indented=True),
    HelpRow(LazyText("/invite NAME"), LazyText("invite a member to the room")),
    HelpRow(LazyText("/kick NAME [why]"), LazyText("remove a member from the room")),
    HelpRow(LazyText("/ban NAME [10m] [why]"), LazyText("the same, and keep the member out")),
    HelpRow(LazyText("/unban NAME"), LazyText("lift a ban")),
    HelpRow(LazyText("/mute NAME [10m] [why]"), LazyText("let a member read but not write")),
    HelpRow(LazyText("/unmute NAME"), LazyText("let the member write again")),
    HelpRow(LazyText("/role NAME owner|moderator|member"), LazyText("change the role of a member")),
)

ACCOUNT = (
    HelpRow(LazyText("/nick NAME"), LazyText("change your name")),
    HelpRow("/register", LazyText("reserve your name with a password")),
    HelpRow("/password", LazyText("change your password")),
    HelpRow("/sessions [end N]", LazyText("list your sessions; log one of them out")),
    HelpRow("/cert [add [FILE]|remove N]", LazyText("client certificates that log you in")),
    HelpRow("/logout", LazyText("quit, and log in with the password next time")),
    HelpRow(LazyText("/bot [add NAME [#ROOM] [DAYS]]"), LazyText("list your bots; make one; /help bot")),
    HelpRow(LazyText("/hook [add NAME]"), LazyText("list the webhooks of the room; add one; /help hook")),
    HelpRow(LazyText("/token [add NAME]"), LazyText("list your tokens for programs; make one; /help token")),
)

PAGES: Mapping[str, Sequence[HelpRow]] = {
    "": HELP,
    "messages": MESSAGES,
    "files": FILES,
    "rooms": ROOMS,
    "account": ACCOUNT,
    **COMMAND_PAGES,
}
"""The rows of each page, by what is typed after /help."""


def page(name: str) -> str:
    """Return a page in the language in use.

    Args:
        name: a key of `PAGES`.
    """
    return page_text(PAGES[name])


def usage(command: str) -> str:
    """Show how a command is typed."""
    rows = (*MESSAGES, *FILES, *ROOMS, *ACCOUNT, *HELP)
    first = next(row.usage for row in rows if command in _in_english(row.usage).replace(",", "").split())
    return _("Usage: {forms}", forms=", ".join(map(str, (first, *_MORE_FORMS.get(command, ())))))


def _in_english(usage: str | LazyText) -> str:
    return usage if isinstance(usage, str) else usage.msgid


_MORE_FORMS: Mapping[str, Sequence[str | LazyText]] = {
    "/sessions": ("/sessions end N",),
    "/cert": ("/cert add [FILE]", "/cert remove N"),
    "/bot": (LazyText("/bot rotate NAME"), LazyText("/bot remove NAME")),
    "/hook": (LazyText("/hook rotate NAME"), LazyText("/hook remove NAME")),
    "/token": ("/token rotate N", "/token remove N"),
    "/delete": ("/delete upload N",),
    "/history": (LazyText("/history DAY [ROOM or NAME]"),),
    "/room": (LazyText("/help rooms lists the settings"),),
}
