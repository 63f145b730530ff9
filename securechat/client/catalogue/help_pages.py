"""The pages of /help: one screen of everything, one each for messages, rooms and the account, one for each command.

Each row is a command as it is typed, two spaces, and what it does; `usage` takes the first part. A test holds every
page to 80 columns and 24 rows.
"""

from __future__ import annotations

from securechat.client.catalogue.help_commands import COMMAND_PAGES

HELP = """\
text             send it to the current room; //text sends /text
/msg NAME text   send a direct message; names with spaces: "user1 pc"
/reply 12 text   reply to message [12]
/edit 12 text    edit message [12]; /edit text: your last message
/delete [12]     delete your last message, or [12]
/react 12 👍     react to [12]; again: remove the reaction
/search words    find messages; /more shows more
/unread [N]      list unread conversations; with a number: show one
/history [N]     show the last N messages; also yesterday, or of @NAME
/join ROOM       join a room; /leave [ROOM] leaves it; /rooms lists them
/who [ROOM]      list the members who are in the room
/room            show the settings of the room; /topic: its topic
/nick NAME       change your name; /register reserves it with a password
/ignore NAME     hide the messages of a member; again: show them
/typing off      do not send typing notices, and do not see them
/lang en|id      English or Bahasa Indonesia; /lang shows which is in use
/quit, exit      quit; so do Ctrl-D, and Ctrl-C on an empty line
[12]             the number beside a message; other screens have others
/help messages   more about messages; also /help rooms and /help account
/help join       explain a command"""

MESSAGES = """\
/reply N text    reply to message [N]; it is quoted above your reply
/edit [N] text   edit your last message, or message [N]
/edit N          put the text of message [N] into the input line
/delete [N]      delete your last message, or message [N]
/react N EMOJI   react to message [N]; again, or -EMOJI: remove the reaction
/search words    also "two words" beg* from:ann in:ops has:link
                 before:2026-11-20 after:2026-11 after:yesterday
/more            show the next page of the last list
/unread [N]      list unread conversations; show the Nth
/jump            show this room from the first unread message on
/history [N] [ROOM or NAME]    show the last N messages, here or with NAME
/history DAY [ROOM or NAME]    show messages from a day on: 2026-11-20,
                 today, yesterday, monday
/around N        show the messages before and after message [N]
/typing on|off   send and see typing notices, or neither
@name            mention a member; Tab completes the name
several lines    paste them; between two rows of ``` they stay as typed"""

ROOMS = """\
/join ROOM       join a room, or go back to one you are in
/leave [ROOM]    leave a room; --yes also as its only member
/rooms           list the rooms
/who [ROOM]      list the members who are in the room
/topic [TEXT]    show the topic, or set it; /topic "" removes it
/room [set KEY VALUE]  show the settings and your role, or change a setting:
    private on|off     only invited members can join and see the room
    read-only on|off   only moderators and owners can write
    slow 10s|off       slow mode: the time between two messages of a member
    retention 30d|off  delete messages that are older
    history joined|all    whether new members see earlier messages
    archived on|off    make the room read-only, also for owners
    name NEW           rename the room
/invite NAME     invite a member to the room
/kick NAME [why]         remove a member from the room
/ban NAME [10m] [why]    the same, and keep the member out
/unban NAME      lift a ban
/mute NAME [10m] [why]   let a member read but not write
/unmute NAME     let the member write again
/role NAME owner|moderator|member  change the role of a member"""

ACCOUNT = """\
/nick NAME       change your name
/register        reserve your name with a password
/password        change your password
/sessions [end N]  list your sessions; log one of them out
/cert [add [FILE]|remove N]  client certificates that log you in
/logout          quit, and log in with the password next time"""

PAGES = {"": HELP, "messages": MESSAGES, "rooms": ROOMS, "account": ACCOUNT, **COMMAND_PAGES}


def usage(command: str) -> str:
    """Show how a command is typed."""
    rows = (row for page in (MESSAGES, ROOMS, ACCOUNT, HELP) for row in page.splitlines())
    row = next(row for row in rows if command in row.split("  ")[0].replace(",", "").split())
    first = " ".join(row.split("  ")[0].split())
    return f"Usage: {', '.join([first, *_MORE_FORMS.get(command, ())])}"


_MORE_FORMS = {
    "/sessions": ("/sessions end N",),
    "/cert": ("/cert add [FILE]", "/cert remove N"),
    "/history": ("/history DAY [ROOM or NAME]",),
    "/room": ("/help rooms lists the settings",),
}
