"""The page of /help about each command: how it is typed, what it does, and an example where that helps.

A test holds every page to 80 columns and 12 rows, and every command to a page.
"""

from __future__ import annotations

COMMAND_PAGES = {
    "/help": """\
/help              show the commands on one screen
/help messages     show more about messages; also rooms and account
/help COMMAND      explain a command: /help kick""",
    "/who": """\
/who               list who is in the current room
/who ROOM          list who is in another room: /who ops
Also /names. Members who are offline are not listed.""",
    "/join": """\
/join ROOM         join a room and talk in it: /join ops
/join lobby        talk in the lobby again; so with every room you are in
A room that does not exist is made, and the account that makes it owns it.
/rooms lists the rooms that exist.""",
    "/leave": """\
/leave             leave the current room
/leave ROOM        leave another room: /leave ops
/leave ROOM --yes  leave also as the only member of a private room, which is
                   lost then
Also /part. The lobby cannot be left; /quit exits.""",
    "/rooms": """\
/rooms             list the rooms and how many are in each
Also /list. Private rooms are listed for their members only.""",
    "/msg": """\
/msg NAME text     send a message that only NAME reads: /msg ana see you
/msg "user1 pc" text  a name with blanks stands in quotes
Also /dm. A member with an account who is offline gets it later.
/history @NAME shows the messages between the two of you.""",
    "/history": """\
/history           show the last 20 messages of the current conversation
/history 50        show the last 50
/history DAY       show the messages from a day on. A day is 2026-11-20,
                   today, yesterday, or the last day of that name: monday
/history #ops      show a room you are in; also /history 50 #ops
/history @ana      show your direct messages with ana; also
                   /history yesterday @ana
/more              shows the next page of each""",
    "/nick": """\
/nick NAME         change your name: /nick ana
/register          reserves the name with a password""",
    "/ignore": """\
/ignore NAME       hide the messages of a member; again: show them
NAME is not told. It holds until you quit.""",
    "/quit": """\
/quit, /exit, exit quit, when the server has stored what you sent
Ctrl-D quits too, and so does Ctrl-C on an empty line.""",
    "/exit": """\
/quit, /exit, exit quit, when the server has stored what you sent""",
    "/register": """\
/register          make an account of your name: nobody else can use it then
The password is asked for, where nothing shows what you type.
You stay logged in on this machine.""",
    "/password": """\
/password          change the password of your account
The old and the new one are asked for, where nothing shows what you type.
All your other sessions are logged out.""",
    "/sessions": """\
/sessions          list the logins of your account, each with its number
/sessions end N    log one of them out: /sessions end 2""",
    "/logout": """\
/logout            quit, and log in with the password next time""",
    "/cert": """\
/cert              list the client certificates that log in to your account
/cert add          allow the certificate of this connection (--cert)
/cert add FILE     allow the certificate in a PEM file with its key
/cert remove N     remove one from the list""",
    "/reply": """\
/reply 12 text     reply to message [12]; it is quoted above your reply
The numbers stand beside the messages.""",
    "/edit": """\
/edit text         replace the text of your last message here
/edit 12 text      replace the text of your message [12]
/edit, /edit 12    put the text into the input line, to be changed there""",
    "/delete": """\
/delete            delete your last message here
/delete 12         delete message [12]
Moderators and owners of a room can delete messages of others.""",
    "/react": """\
/react 12 \N{THUMBS UP SIGN}       react to message [12] with an emoji; again: take it back
/react 12 -\N{THUMBS UP SIGN}      remove the reaction
Paste the emoji, or pick it with the emoji key of your system.""",
    "/search": """\
/search printer    find messages with a word; all words must be in them
/search "two words"  find a phrase; beg* finds words that begin so
from:ana           only messages of a member; from:"user1 pc" with a blank
in:#ops            only in a room
before:2026-11-20  only before a day; also after:2026-11, after:yesterday
has:link           only with a link
/search report from:ana after:yesterday   several together
/more              shows the next page""",
    "/more": """\
/more              show the next page of the last search, history or list""",
    "/unread": """\
/unread            list the conversations with unread messages
/unread 2          show the second one of the list, from where you stopped
Guests have no unread counts.""",
    "/jump": """\
/jump              show this conversation from the first unread message on""",
    "/around": """\
/around 12         show what stands before and after message [12]
Useful after /search.""",
    "/typing": """\
/typing            switch typing notices on or off
/typing off        do not send them, and do not see those of others""",
    "/lang": """\
/lang              show the language, and those that there are
/lang id           Bahasa Indonesia from now on, and at the next start
/lang en           English
--lang and SECURECHAT_LANG go before what is remembered.""",
    "/topic": """\
/topic             show the topic of the current room
/topic TEXT        set it; for moderators and owners
/topic ""          remove it""",
    "/room": """\
/room              show the settings of the current room and your role in it
/room set KEY VALUE  change a setting; for owners: /room set private on
Settings: private, read-only, slow, retention, history, archived, name and
topic. /help rooms explains them.""",
    "/role": """\
/role NAME moderator  NAME can invite, kick, ban, mute and set the topic
/role NAME owner   NAME can also change settings and roles
/role NAME member  NAME has no special role
For owners of the room. NAME needs an account and must belong to the room.""",
    "/invite": """\
/invite NAME       let NAME join this private room: /invite ana
For moderators and owners. NAME needs an account.""",
    "/kick": """\
/kick NAME         remove NAME from the current room
/kick NAME why     the same, and tell NAME why: /kick ana too loud
For moderators and owners, and only those below them. NAME can join a public
room again: /ban keeps out.""",
    "/ban": """\
/ban NAME          remove NAME from the current room, and keep NAME out
/ban NAME 10m why  for a time, with a reason: 30s, 10m, 2h, 7d, 1w
For moderators and owners, and only those below them. /unban NAME lifts it.""",
    "/unban": """\
/unban NAME        let NAME join the current room again""",
    "/mute": """\
/mute NAME         let NAME read the current room, but not write
/mute NAME 10m why for a time, with a reason: 30s, 10m, 2h, 7d, 1w
For moderators and owners, and only those below them. /unmute NAME lifts it;
/ignore NAME hides NAME for you alone.""",
    "/unmute": """\
/unmute NAME       let NAME write in the current room again""",
}
