"""Sentences of the full screen: notifications, panes, overlays, questions, the connection."""

from __future__ import annotations

from collections.abc import Sequence

from securechat.client.catalogue.names import quoted
from securechat.translation import LazyText, _, ngettext


def room_notification(room: str, count: int) -> str:
    """Tell through the terminal that a room has new messages."""
    # Translators: of a notification: short, and no colon.
    return ngettext("#{room} has {count} new message", "#{room} has {count} new messages", count, room=room)


def direct_notification(count: int) -> str:
    """Tell through the terminal that there are new direct messages."""
    return ngettext("{count} new direct message", "{count} new direct messages", count)


# --- panes ------------------------------------------------------------------------------------------------------------

TOO_SMALL = LazyText("The window is too small: 20 columns and 6 rows are needed")
PRIVATE = LazyText("private")
READ_ONLY = LazyText("read-only")
ARCHIVED = LazyText("archived")
COMPOSER_HINT = LazyText("Write a message; / shows the commands")
HIDDEN_INPUT = LazyText("What you type is not shown")


def members(count: int) -> str:
    """Return the title of the list of members."""
    return ngettext("{count} member", "{count} members", count)


def new_below(count: int, key: str) -> str:
    """Return the bar that tells how many messages came below what is shown; ``key`` leads there."""
    # Translators: short; it stands below the messages, beside who is typing.
    return ngettext("{count} new · {key}", "{count} new · {key}", count, key=key)


def title(count: int) -> str:
    """Return the title of the terminal's window, with the number of messages that are for the user."""
    return f"securechat ({count})" if count else "securechat"


def characters_left(count: int) -> str:
    """Tell how many characters a message may still have; negative for too many."""
    if count < 0:
        return ngettext("{count} character too many", "{count} characters too many", -count)
    return ngettext("{count} character left", "{count} characters left", count)


def replying(name: str) -> str:
    """Return what stands before the answered message, above the composer."""
    return _("Reply to {name}:", name=quoted(name))


EDITING = LazyText("Edit your message:")
REPLY_GONE = LazyText("The message that you reply to is gone")


# --- connection -------------------------------------------------------------------------------------------------------

CONNECTED = LazyText("connected")
CONNECTING = LazyText("connecting")
LOGGING_IN = LazyText("logging in")
OFFLINE = LazyText("offline")
ENDED = LazyText("ended")
QUITTING = LazyText("quitting")
DO_NOT_DISTURB = LazyText("do not disturb")
MOUSE_OFF = LazyText("mouse off")


def reconnecting(seconds: int) -> str:
    """Tell when the next attempt to connect comes."""
    return ngettext("reconnecting in {count} s", "reconnecting in {count} s", seconds)


def waiting(count: int) -> str:
    """Tell how many messages wait for a connection."""
    return ngettext("{count} waiting", "{count} waiting", count)


def resending(count: int) -> str:
    """Tell how many messages are sent again after a lost connection."""
    return ngettext("resending {count}", "resending {count}", count)


def sending(count: int) -> str:
    """Tell how many messages are sent and not yet stored."""
    return ngettext("sending {count}", "sending {count}", count)


def failed(count: int) -> str:
    """Tell how many messages were not stored, and wait for the user."""
    return ngettext("{count} not sent", "{count} not sent", count)


def last_attempt(why: str) -> str:
    """Tell why the last attempt to connect failed."""
    return _("The last attempt failed: {why}", why=why)


# --- lists over the panes ---------------------------------------------------------------------------------------------

SWITCHER = LazyText("Go to a room or person")
PALETTE = LazyText("Actions and commands")
LINKS = LazyText("Links")
ROOM_LINKS = LazyText("Links of this conversation")
UNREAD = LazyText("Unread")
HELP = LazyText("Keys and commands")
DETAILS = LazyText("Message")
CONNECTION = LazyText("Connection")
EMOJI = LazyText("React with")
MENTIONS = LazyText("Mentions of you")
ROOMS = LazyText("Rooms")
FILES = LazyText("Your files")
TOKEN = LazyText("New token")
FIND = LazyText("Find: ")
YES = LazyText("Yes")
NO = LazyText("No")
COMMANDS = LazyText("Commands")
WRITE_TO = LazyText("Write a direct message")
NO_LINKS = LazyText("There is no link")
NO_MESSAGE_SELECTED = LazyText("No message is selected")
MESSAGE_GONE = LazyText("This message is not there any more")
CONVERSATION_GONE = LazyText("This conversation is not there any more")
NOT_YOURS = LazyText("You can edit your own messages only")
NOT_EDITABLE = LazyText("This message is deleted and cannot be changed")
TEXT_NOT_PLAIN = LazyText("This message has characters that cannot be shown as they are. Type the whole text anew")
NO_PREVIOUS = LazyText("There is nowhere to go back to")
ALL_READ = LazyText("Everything is read")
NOTHING_TO_COPY = LazyText("There is no text to copy")
DISTURB_ON = LazyText("Notifications are on")
DISTURB_OFF = LazyText("Do not disturb: nothing notifies")
NOTICES = LazyText("Past notices")
# Translators: what notifies in a room or dialogue; each stands in a list, and behind the room's name and a colon.
LEVEL_ALL = LazyText("all messages notify")
LEVEL_MENTIONS = LazyText("mentions notify")
LEVEL_NONE = LazyText("nothing notifies")
STILL_SENDING = LazyText("This message is still on its way. It cannot be changed before it is stored")
READ_HERE_ONLY = LazyText("Unread from here on, on this screen")
BARE_IS_EMPTY = LazyText("No messages here. Escape leads back")


def quit_again(key: str) -> str:
    """Tell that the key leaves the chat when it is pressed once more."""
    return _("{key} again leaves the chat", key=key)


def level_is(place: str, level: str) -> str:
    """Tell what notifies in a room or dialogue from now on."""
    return _("{place}: {level}", place=place, level=level)


def no_level(word: str, words: Sequence[str]) -> str:
    """Tell that a word is no level of notification; the words are typed as they are."""
    return _("{word} is not among: {words:list}", word=quoted(word), words=words)


def level_title(place: str) -> str:
    """Return the title of the levels of notification of a room or dialogue."""
    return _("What notifies in {place}", place=place)


def minutes_ago(count: int) -> str:
    """Tell how long ago a notice came."""
    return ngettext("{count} minute ago", "{count} minutes ago", count)


def search_title(query: str) -> str:
    """Return the title of search hits."""
    return _("Found for: {query}", query=query)


def answer_title(command: str) -> str:
    """Return the title of what a command has answered."""
    return _("Answer to {command}", command=command)


def delete_question(text: str) -> str:
    """Ask whether a message is to be deleted."""
    return _("Delete this message? {text}", text=text)


# Translators: what Enter does with the selected row of a list, behind the name of the key in the last row of the
# screen: two words where they do, 20 characters at most.
ENTER_GO = LazyText("Go there")
ENTER_GO_MESSAGE = LazyText("Go to the message")
ENTER_DO = LazyText("Do it")
ENTER_RUN = LazyText("Run it")
ENTER_WRITE = LazyText("Write it below")
ENTER_OPEN = LazyText("Open it")
ENTER_REACT = LazyText("React")
ENTER_COPY = LazyText("Copy it")
ENTER_END = LazyText("End it")
ENTER_DELETE = LazyText("Delete")
ENTER_LEAVE = LazyText("Leave it so")
ENTER_SEARCH = LazyText("Search")
ENTER_DAY = LazyText("Go to this day")
# Translators: likewise, of the keys that move the selection, and of Esc.
KEYS_MOVE = LazyText("Choose")
KEYS_SCROLL = LazyText("Scroll")
KEY_CLOSE = LazyText("Close")


# --- all about a message, and about the connection --------------------------------------------------------------------


def number_line(number: str) -> str:
    """Tell the number of a message."""
    return _("Number: {number}", number=number)


def author_line(name: str) -> str:
    """Tell who wrote a message."""
    return _("From: {name}", name=name)


def recipient_line(name: str) -> str:
    """Name the receiver of a direct message."""
    return _("To: {name}", name=name)


def sent_line(date: str) -> str:
    """Tell when a message was stored."""
    return _("Sent: {date}", date=date)


def edited_line(name: str) -> str:
    """Tell who edited a message."""
    return _("Edited by: {name}", name=name)


def deleted_line(name: str) -> str:
    """Tell who deleted a message."""
    return _("Deleted by: {name}", name=name)


def reply_line(number: str) -> str:
    """Tell which message is answered."""
    return _("Reply to: {number}", number=number)


def mentions_line(names: Sequence[str]) -> str:
    """Name the people that a message mentions."""
    return _("Mentions: {names:list}", names=names)


def reaction_line(emoji: str, names: Sequence[str]) -> str:
    """Tell who reacted with an emoji."""
    return f"{emoji} {', '.join(names)}"


def server_line(address: str) -> str:
    """Tell the server's address."""
    return _("Server: {address}", address=address)


def program_line(program: str) -> str:
    """Tell the server's program."""
    return _("Program: {program}", program=program)


def state_line(state: str) -> str:
    """Tell the state of the connection."""
    return _("State: {state}", state=state)


def encryption_line(version: str) -> str:
    """Tell how the connection is encrypted; ``version`` such as TLSv1.3."""
    return _("Encryption: {version}, verified", version=version)


def fingerprint_line(digits: str) -> str:
    """Tell the CA's fingerprint, in groups of four."""
    return _("Fingerprint of the CA: {digits}", digits=digits)


SYSTEM_CA = LazyText("The CA is one that this machine trusts")
LOGIN_GUEST = LazyText("You are a guest: no password")
LOGIN_ACCOUNT = LazyText("You are logged in to your account")
LOGINS = LazyText("Your logins")
ENDS_THIS_LOGIN = LazyText("It is this one: the chat ends here, and the next login needs your password")
OPERATOR_READS = LazyText(
    "Who runs the server can read what is stored on it: messages, also direct ones, files, names and addresses"
)
NETWORK_READS_NOTHING = LazyText("The network between you and the server sees nothing of it")


def end_login_question(line: str) -> str:
    """Ask whether a login is to be ended."""
    return _("End this login? {line}", line=line)


# --- own messages, comings and goings ---------------------------------------------------------------------------------

MAYBE_STORED = LazyText("the connection broke, and the server may have stored it")


def more_comings(count: int) -> str:
    """Tell how many others came or went."""
    return ngettext("{count} other came or went", "{count} others came or went", count)


# --- what is submitted ------------------------------------------------------------------------------------------------

SEARCH = LazyText("Search")
DAY = LazyText("Go to day")
ANSWER_FIRST = LazyText("Not sent: a password is asked for. Your text comes back afterwards")
ANSWER_QUESTION = LazyText("Not sent: a question is asked. Your text comes back afterwards")
QUESTION_OVER = LazyText("Not taken: the question is over")
PERSON_OF_ANOTHER_LOG = LazyText(
    "Not sent: the server has another log now, and this person is not known there. Your text is kept"
)
TEXTS_OF_ANOTHER_LOG = LazyText(
    "The server has another log now. What you were editing, and what you wrote to people, is kept and comes back"
)
# Translators: Esc is a key.
EDIT_IS_HERE = LazyText("You were changing this message when the chat ended. Enter changes it; Esc leaves it as it is")
EDIT_IS_GONE = LazyText("The message that you were changing is gone. What you wrote is kept here as a new text")
EDIT_IS_SOUGHT = LazyText("The message that you are changing is not found yet. Your text stays here")
# Translators: Ctrl+P is a key.
EDIT_LEFT = LazyText("The message is as it was. Ctrl+P brings back what you had changed")
EDIT_IS_EMPTY = LazyText("An edited message needs a text. To delete it, press Esc and delete it in the list")


def text_for(name: str) -> str:
    """Tell that a kept text stands in the composer as a command: its person's number is another person's now."""
    # Translators: Enter is a key.
    return _("You wrote this to {name}. Look whether that is the same person before you press Enter", name=name)


def not_sent_there(place: str) -> str:
    """Tell that a text stays where it was typed, because that conversation is not open any more."""
    return _("Not sent. Your text waits in {place}", place=place)
