"""The page of /help about each command: how it is typed, what it does, and an example where that helps.

A test holds every page to 80 columns and 12 rows, and every command to a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from securechat.client.catalogue.help_layout import HelpRow
from securechat.translation import LazyText

COMMAND_PAGES: Mapping[str, Sequence[HelpRow]] = {
    "/help": (
        HelpRow("/help", LazyText("show the commands on one screen")),
        HelpRow("/help messages", LazyText("show more about messages; also files, rooms and account")),
        HelpRow(LazyText("/help COMMAND"), LazyText("explain a command: /help kick")),
    ),
    "/who": (
        HelpRow("/who", LazyText("list who is in the current room")),
        HelpRow(LazyText("/who ROOM"), LazyText("list who is in another room: /who ops")),
        HelpRow("", LazyText("Also /names. Members who are offline are not listed.")),
    ),
    "/join": (
        HelpRow(LazyText("/join ROOM"), LazyText("join a room and talk in it: /join ops")),
        HelpRow("/join lobby", LazyText("talk in the lobby again; so with every room you are in")),
        HelpRow("", LazyText("A room that does not exist is made, and the account that makes it owns it.")),
        HelpRow("", LazyText("/rooms lists the rooms that exist.")),
    ),
    "/leave": (
        HelpRow("/leave", LazyText("leave the current room")),
        HelpRow(LazyText("/leave ROOM"), LazyText("leave another room: /leave ops")),
        HelpRow(
            LazyText("/leave ROOM --yes"),
            LazyText("leave also as the only member of a private room, which is lost then"),
        ),
        HelpRow("", LazyText("Also /part. The lobby cannot be left; /quit exits.")),
    ),
    "/rooms": (
        HelpRow("/rooms", LazyText("list the rooms and how many are in each")),
        HelpRow("", LazyText("Also /list. Private rooms are listed for their members only.")),
    ),
    "/msg": (
        HelpRow(LazyText("/msg NAME text"), LazyText("send a message that only NAME reads: /msg ana see you")),
        HelpRow(LazyText('/msg "user1 pc" text'), LazyText("a name with blanks stands in quotes")),
        HelpRow("", LazyText("A member with an account who is offline gets it later.")),
        HelpRow(LazyText("/dm NAME"), LazyText("go to the direct messages with NAME: what you type goes there")),
        HelpRow("/dm", LazyText("list your direct messages, with the number of unread ones")),
        HelpRow("/join", LazyText("leads back to the room, and so does /leave")),
        HelpRow("", LazyText("/msg and /dm are the same. /history @NAME shows the messages between the two of you.")),
    ),
    "/history": (
        HelpRow("/history", LazyText("show the last 20 messages of the current conversation")),
        HelpRow("/history 50", LazyText("show the last 50")),
        HelpRow(
            LazyText("/history DAY"),
            LazyText(
                "show the messages from a day on. A day is 2026-11-20, today, yesterday, or the last day of that name: "
                "monday"
            ),
        ),
        HelpRow("/history #ops", LazyText("show a room you are in; also /history 50 #ops")),
        HelpRow("/history @ana", LazyText("show direct messages with ana; also /history yesterday @ana")),
        HelpRow("/more", LazyText("shows the next page of each")),
    ),
    "/nick": (
        HelpRow(LazyText("/nick NAME"), LazyText("change your name: /nick ana")),
        HelpRow("/register", LazyText("reserves the name with a password")),
    ),
    "/whois": (
        HelpRow(LazyText("/whois NAME"), LazyText("show who has a name: here or away, and the rooms you share")),
        HelpRow("", LazyText('A name with blanks stands in quotes: /whois "user1 pc"')),
    ),
    "/ignore": (
        HelpRow(LazyText("/ignore NAME"), LazyText("hide the messages of a member; again: show them")),
        HelpRow("", LazyText("NAME is not told. It holds until you quit.")),
    ),
    "/quit": (
        HelpRow("/quit, /exit, exit", LazyText("quit, when the server has stored what you sent")),
        HelpRow("", LazyText("Ctrl-D quits too, and so does Ctrl-C on an empty line, unless files are on their way.")),
    ),
    "/exit": (HelpRow("/quit, /exit, exit", LazyText("quit, when the server has stored what you sent")),),
    "/register": (
        HelpRow("/register", LazyText("make an account of your name: nobody else can use it then")),
        HelpRow("", LazyText("The password is asked for, where nothing shows what you type.")),
        HelpRow("", LazyText("You stay logged in on this machine.")),
    ),
    "/password": (
        HelpRow("/password", LazyText("change the password of your account")),
        HelpRow("", LazyText("The old and the new one are asked for, where nothing shows what you type.")),
        HelpRow("", LazyText("All your other sessions are logged out.")),
    ),
    "/sessions": (
        HelpRow("/sessions", LazyText("list the logins of your account, each with its number")),
        HelpRow("/sessions end N", LazyText("log one of them out: /sessions end 2")),
    ),
    "/logout": (HelpRow("/logout", LazyText("quit, and log in with the password next time")),),
    "/cert": (
        HelpRow("/cert", LazyText("list the client certificates that log in to your account")),
        HelpRow("/cert add", LazyText("allow the certificate of this connection (--cert)")),
        HelpRow("/cert add FILE", LazyText("allow the certificate in a PEM file with its key")),
        HelpRow("/cert remove N", LazyText("remove one from the list")),
    ),
    "/bot": (
        HelpRow("/bot", LazyText("list the bots and webhooks that you have made, with their tokens")),
        HelpRow(
            LazyText("/bot add NAME [#ROOM ...] [DAYS]"),
            LazyText("make a bot, and show its token once: /bot add deploy #ops 90. Without rooms it is good for all"),
        ),
        HelpRow(LazyText("/bot add NAME --files"), LazyText("make one that can also send files")),
        HelpRow(LazyText("/bot rotate NAME"), LazyText("give it another token; the old one works for one more day")),
        HelpRow(LazyText("/bot remove NAME"), LazyText("remove it at once; its messages stay")),
        HelpRow("", LazyText("A bot can do what you can do, and nothing more. [bot] stands behind its name.")),
    ),
    "/hook": (
        HelpRow("/hook", LazyText("list the webhooks of the current room, and the bots in it; also /hook #ops")),
        HelpRow(
            LazyText("/hook add NAME [#ROOM]"),
            LazyText("make an address at which other programs post into the room, and show it once: /hook add grafana"),
        ),
        HelpRow(LazyText("/hook rotate NAME"), LazyText("give it another address; the old one works for one more day")),
        HelpRow(LazyText("/hook remove NAME"), LazyText("remove it at once; its messages stay")),
        HelpRow("", LazyText("For moderators and owners of the room.")),
    ),
    "/token": (
        HelpRow("/token", LazyText("list the tokens with which programs act as you")),
        HelpRow(
            LazyText("/token add NAME"),
            LazyText("make one that can post, and show it once. Behind NAME: post, read, files, #ROOM, DAYS"),
        ),
        HelpRow("/token rotate N", LazyText("make another one like it; the old one works for one more day")),
        HelpRow("/token remove N", LazyText("remove it at once")),
    ),
    "/reply": (
        HelpRow(LazyText("/reply 12 text"), LazyText("reply to message [12]; it is quoted above your reply")),
        HelpRow("", LazyText("The numbers stand beside the messages, and are the same on every screen.")),
        HelpRow("", LazyText("The last two digits or more do, while no other message shown here ends in them.")),
    ),
    "/edit": (
        HelpRow(LazyText("/edit text"), LazyText("replace the text of your last message here")),
        HelpRow(LazyText("/edit 12 text"), LazyText("replace the text of your message [12]")),
        HelpRow("/edit, /edit 12", LazyText("put the text into the input line, to be changed there")),
    ),
    "/delete": (
        HelpRow("/delete", LazyText("delete your last message here")),
        HelpRow("/delete 12", LazyText("delete message [12]")),
        HelpRow("", LazyText("Moderators and owners of a room can delete messages of others.")),
    ),
    "/react": (
        HelpRow("/react \N{THUMBS UP SIGN}", LazyText("react to the last message here with an emoji")),
        HelpRow("/react 12 \N{THUMBS UP SIGN}", LazyText("react to message [12] with an emoji; again: take it back")),
        HelpRow("/react 12 -\N{THUMBS UP SIGN}", LazyText("remove the reaction")),
        HelpRow("", LazyText("Paste the emoji, or pick it with the emoji key of your system.")),
    ),
    "/search": (
        HelpRow(LazyText("/search printer"), LazyText("find messages with a word; all words must be in them")),
        HelpRow(LazyText('/search "two words"'), LazyText("find a phrase; beg* finds words that begin so")),
        HelpRow("from:ana", LazyText('only messages of a member; from:"user1 pc" with a blank')),
        HelpRow("in:#ops", LazyText("only in a room")),
        HelpRow("before:2026-11-20", LazyText("only before a day; also after:2026-11, after:yesterday")),
        HelpRow("has:link", LazyText("only with a link")),
        HelpRow(LazyText("/search report from:ana after:yesterday"), LazyText("several together")),
        HelpRow("/more", LazyText("shows the next page")),
    ),
    "/upload": (
        HelpRow(
            LazyText("/upload PATH text"), LazyText("send a file; the text may be left out: /upload report.pdf done")
        ),
        HelpRow("", LazyText('A path with blanks stands in quotes: /upload "my photo.jpg"')),
        HelpRow(LazyText("/upload a.pdf b.pdf text"), LazyText("send up to 10 files in one message")),
        HelpRow("", LazyText("A further name without a dot needs ./ before it. What stands behind -- is text.")),
        HelpRow(LazyText("/upload @NAME PATH"), LazyText("send it to a member alone")),
        HelpRow(
            LazyText("/upload --as-file PATH"),
            LazyText("keep a picture as it is, with place, time and camera in it; else they are taken out"),
        ),
        HelpRow("", LazyText("While it is sent, Ctrl-C on an empty line cancels it. /files lists what you have sent.")),
    ),
    "/save": (
        HelpRow("/save 12", LazyText("save all files of message [12] in your downloads folder")),
        HelpRow("/save 12.2", LazyText("save the second of them")),
        HelpRow(LazyText("/save 12 PATH"), LazyText("in another folder, or under another name")),
        HelpRow("", LazyText("No file is written over: a second report.pdf becomes report (1).pdf.")),
    ),
    "/open": (
        HelpRow("/open 12", LazyText("open the link of message [12] in your browser")),
        HelpRow("/open 12.2", LazyText("open the second of several")),
        HelpRow("", LazyText("Where no browser can be started, as over SSH, the link is copied instead.")),
    ),
    "/copy": (
        HelpRow("/copy 12", LazyText("copy the link of message [12]; without a link, its text")),
        HelpRow("/copy 12.2", LazyText("copy the second link")),
        HelpRow("/copy 12 text", LazyText("copy the text of message [12]")),
        HelpRow("", LazyText("By the clipboard of your terminal (OSC 52), which not every terminal has.")),
    ),
    "/url": (
        HelpRow("/url 12", LazyText("show the links of message [12] whole, each on a line of its own")),
        HelpRow("/url 12.2", LazyText("show the second link")),
    ),
    "/files": (
        HelpRow("/files", LazyText("list your own files, the largest first, and how much room they take")),
        HelpRow("/more", LazyText("shows the next page")),
        HelpRow("/delete 12", LazyText("deletes message [12] with its files")),
        HelpRow("/delete upload 1", LazyText("removes an upload of the list that is not sent")),
    ),
    "/more": (HelpRow("/more", LazyText("show the next page of the last search, history or list")),),
    "/unread": (
        HelpRow("/unread", LazyText("list the conversations with unread messages")),
        HelpRow("/unread 2", LazyText("show the second one of the list, from where you stopped")),
        HelpRow("", LazyText("Guests have no unread counts.")),
    ),
    "/jump": (HelpRow("/jump", LazyText("show this conversation from the first unread message on")),),
    "/around": (
        HelpRow("/around 12", LazyText("show what stands before and after message [12]")),
        HelpRow("", LazyText("Useful after /search, and for a number from another screen.")),
    ),
    "/time": (HelpRow("/time 12", LazyText("tell when message [12] was sent, with the day")),),
    "/typing": (
        HelpRow("/typing", LazyText("switch typing notices on or off")),
        HelpRow("/typing off", LazyText("do not send them, and do not see those of others")),
    ),
    "/lang": (
        HelpRow("/lang", LazyText("show the language, and those that there are")),
        HelpRow("/lang id", LazyText("Bahasa Indonesia from now on, and at the next start")),
        HelpRow("/lang en", "English"),
        HelpRow("", LazyText("--lang and SECURECHAT_LANG go before what is remembered.")),
    ),
    "/topic": (
        HelpRow("/topic", LazyText("show the topic of the current room")),
        HelpRow(LazyText("/topic TEXT"), LazyText("set it; for moderators and owners")),
        HelpRow('/topic ""', LazyText("remove it")),
    ),
    "/room": (
        HelpRow("/room", LazyText("show the settings of the current room and your role in it")),
        HelpRow(LazyText("/room set KEY VALUE"), LazyText("change a setting; for owners: /room set private on")),
        HelpRow(
            "",
            LazyText(
                "Settings: private, read-only, slow, retention, history, archived, name and topic. "
                "/help rooms explains them."
            ),
        ),
    ),
    "/role": (
        HelpRow(LazyText("/role NAME moderator"), LazyText("NAME can invite, kick, ban, mute and set the topic")),
        HelpRow(LazyText("/role NAME owner"), LazyText("NAME can also change settings and roles")),
        HelpRow(LazyText("/role NAME member"), LazyText("NAME has no special role")),
        HelpRow("", LazyText("For owners of the room. NAME needs an account and must belong to the room.")),
    ),
    "/invite": (
        HelpRow(LazyText("/invite NAME"), LazyText("let NAME join this private room: /invite ana")),
        HelpRow("", LazyText("For moderators and owners. NAME needs an account.")),
    ),
    "/kick": (
        HelpRow(LazyText("/kick NAME"), LazyText("remove NAME from the current room")),
        HelpRow(LazyText("/kick NAME why"), LazyText("the same, and tell NAME why: /kick ana too loud")),
        HelpRow(
            "",
            LazyText(
                "For moderators and owners, and only those below them. NAME can join a public room again: "
                "/ban keeps out."
            ),
        ),
    ),
    "/ban": (
        HelpRow(LazyText("/ban NAME"), LazyText("remove NAME from the current room, and keep NAME out")),
        HelpRow(LazyText("/ban NAME 10m why"), LazyText("for a time, with a reason: 30s, 10m, 2h, 7d, 1w")),
        HelpRow("", LazyText("For moderators and owners, and only those below them. /unban NAME lifts it.")),
    ),
    "/unban": (HelpRow(LazyText("/unban NAME"), LazyText("let NAME join the current room again")),),
    "/mute": (
        HelpRow(LazyText("/mute NAME"), LazyText("let NAME read the current room, but not write")),
        HelpRow(LazyText("/mute NAME 10m why"), LazyText("for a time, with a reason: 30s, 10m, 2h, 7d, 1w")),
        HelpRow(
            "",
            LazyText(
                "For moderators and owners, and only those below them. /unmute NAME lifts it; "
                "/ignore NAME hides NAME for you alone."
            ),
        ),
    ),
    "/unmute": (HelpRow(LazyText("/unmute NAME"), LazyText("let NAME write in the current room again")),),
}
