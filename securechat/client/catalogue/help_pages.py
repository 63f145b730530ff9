"""What /help shows: one screen of everything, and a screen each for messages, rooms and the account.

Each row is a command as it is typed, two spaces, and what it does; `usage` takes the first half of it. A test holds
every page to 80 columns and 24 rows.
"""

from __future__ import annotations

HELP = """\
text             say it in the current room; // at the beginning says one /
/msg NAME text   say it to one person; names with spaces: "user1 pc"
/reply 12 text   answer the line that is marked [12]
/edit 12 text    say line [12] otherwise; /edit text: your last line
/delete [12]     take back your last line, or [12]
/react 12 👍     put a sign under [12]; again: take it away
/search words    find messages; /more shows the next ones
/unread [N]      what you have not read; with its number: show it
/history [N]     the last N messages; /history 2026-11-20: those of a day
/join ROOM       enter a room; /leave [ROOM] leaves it; /rooms lists them
/who [ROOM]      who is there
/room            the rules of the room; /topic: what it is about
/nick NAME       take another name; /register makes it your own
/ignore NAME     hide what somebody says, for you alone; again: show it
/typing off      tell nobody that you are writing, and do not be told
/quit, exit      leave; so do Ctrl-D and Ctrl-C
/help messages   more about messages; also /help rooms and /help account"""

MESSAGES = """\
/reply N text    answer line [N]; what it answers stands above it
/edit [N] text   say your last line, or line [N], otherwise
/edit N          put the text of line [N] into the input line
/delete [N]      take back your last line, or line [N]
/react N SIGN    put a sign under line [N]; again, or -SIGN: take it away
/search words    also "two words" beg* from:ann in:ops has:link
                 before:2026-11-20 after:2026-11 after:yesterday
/more            the next page of what was shown last
/unread [N]      where there is something unread; show the Nth
/jump            from the first unread message of this room on
/history [N]     the last N messages
/history DAY [ROOM]  from the first of a day on: /history 2026-11-20 ops
/around N        what was said before and after line [N]
/typing on|off   whether others see that you write, and you see it of them
@name            mentions somebody; Tab completes the name
several lines    paste them; between two rows of ``` they stay as typed"""

ROOMS = """\
/join ROOM       enter a room, or go back to one you are in
/leave [ROOM]    leave a room
/rooms           which rooms there are
/who [ROOM]      who is there
/topic [TEXT]    show the topic, or set it; /topic "" takes it away
/room [set KEY VALUE]  the rules of this room, and what you are in it
    private on|off     only who was invited may enter and see it
    read-only on|off   only moderators and owners write
    slow 10s|off       a pause between two messages of one member
    retention 30d|off  delete what is older
    history joined|all    whether new members read what was said before
    archived on|off    nobody writes any more
    name NEW           another name
/invite NAME     let somebody enter
/kick NAME [why]         take somebody out
/ban NAME [10m] [why]    the same, and keep them out
/unban NAME      let them enter again
/mute NAME [10m] [why]   let somebody read, and not write
/unmute NAME     let them write again
/role NAME owner|moderator|member  what somebody is in this room"""

ACCOUNT = """\
/nick NAME       take another name
/register        make your name your own, with a password
/password        change your password
/sessions [end N]  where you are logged in; end one of them
/cert [add [FILE]|remove N]  client certificates that log you in
/logout          leave, and log in with the password next time"""

PAGES = {"": HELP, "messages": MESSAGES, "rooms": ROOMS, "account": ACCOUNT}


def usage(command: str) -> str:
    """A command without what it needs."""
    rows = (row for page in (MESSAGES, ROOMS, ACCOUNT, HELP) for row in page.splitlines())
    row = next(row for row in rows if command in row.split("  ")[0].replace(",", "").split())
    first = " ".join(row.split("  ")[0].split())
    return f"use it like this: {', '.join([first, *_MORE_FORMS.get(command, ())])}"


_MORE_FORMS = {
    "/sessions": ("/sessions end N",),
    "/cert": ("/cert add [FILE]", "/cert remove N"),
    "/history": ("/history DAY [ROOM]",),
    "/room": ("as /help rooms shows",),
}
