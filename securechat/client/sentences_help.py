"""What /help shows: one screen of everything, and a screen each for messages, rooms and the account.

Each row is a command as it is typed, two spaces, and what it does; `usage` takes the first half of it. A test holds
every page to 80 columns and 24 rows.
"""

from __future__ import annotations

HELP = """\
text              say it in the current room; // at the beginning says one /
/msg NAME text    say it to one person; names with spaces: "user1 pc"
/reply 12 text    answer the line that is marked [12]
/edit [12] text   say your last line, or [12], otherwise; /delete [12] takes it back
/react 12 👍      put a sign under [12]; again: take it away
/search words     find messages; /more shows the next ones
/unread [N]       what you have not read; with its number: show it
/history [N]      the last N messages; /history 2026-11-20 those of a day
/join ROOM        enter a room; /leave [ROOM] leaves it; /rooms: which there are
/who [ROOM]       who is there
/topic, /room     what the room is about, and its rules
/nick NAME        take another name; /register makes it your own
/ignore NAME      hide what somebody says, for you alone; again: show it
/typing off       tell nobody that you are writing, and do not be told
/quit, exit       leave; so do Ctrl-D and Ctrl-C
/help messages    more about messages; /help rooms, /help account: about those"""

MESSAGES = """\
/reply N text     answer line [N]; what it answers stands above it
/edit [N] text    say your last line, or line [N], otherwise
/edit N           put the text of line [N] into the input line, to change it there
/delete [N]       take back your last line, or line [N]
/react N SIGN     put a sign under line [N], or take yours away; /react N -SIGN
/search words     newest first; also "two words", beg*, from:ann in:ops has:link
                  before:2026-11-20 after:2026-11 after:yesterday
/more             the next page of what was shown last
/unread [N]       rooms and people with unread messages; the Nth from the first on
/jump             from the first unread message of this room on
/history [N]      the last N messages
/history DAY [ROOM]  from the first message of a day on: /history 2026-11-20 ops
/around N         what was said before and after line [N]
/typing on|off    whether others see that you are writing, and you that they are
@name             mentions somebody; Tab completes the name
several lines     paste them; what stands between two lines of ``` stays as it is"""

ROOMS = """\
/topic [TEXT]     show the topic, or set it; /topic "" takes it away
/room             the rules of this room, and what you are in it
/room set private on|off       only who was invited may enter and see it
/room set read-only on|off     only moderators and owners write
/room set slow 10s|off         a pause between two messages of one member
/room set retention 30d|off    delete what is older
/room set history joined|all   whether new members read what was said before
/room set archived on|off      nobody writes any more
/room set name NEW             another name
/invite NAME      let somebody enter
/kick NAME [why]  take somebody out
/ban NAME [10m] [why]   and keep them out; /unban NAME
/unban NAME       let them enter again
/mute NAME [10m]  somebody may read, and not write; /unmute NAME
/unmute NAME      let them write again
/role NAME owner|moderator|member   what somebody is in this room"""

ACCOUNT = """\
/nick NAME      take another name
/register       make your name your own, with a password
/password       change your password
/sessions       where you are logged in; /sessions end N ends one
/cert           client certificates that log you in; /cert add [FILE], /cert remove N
/logout         leave, and log in with the password next time"""

PAGES = {"": HELP, "messages": MESSAGES, "rooms": ROOMS, "account": ACCOUNT}


def usage(command: str) -> str:
    """A command without what it needs."""
    rows = (row for page in (MESSAGES, ROOMS, ACCOUNT, HELP) for row in page.splitlines())
    row = next(row for row in rows if command in row.split("  ")[0].replace(",", "").split())
    first = " ".join(row.split("  ")[0].split())
    return f"use it like this: {', '.join([first, *_MORE_FORMS.get(command, ())])}"


_MORE_FORMS = {"/sessions": ("/sessions end N",), "/cert": ("/cert add [FILE]", "/cert remove N")}
