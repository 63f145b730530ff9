"""Sentences about files: what is sent and saved, what stays inside, and what goes wrong with a transfer."""

from __future__ import annotations

from securechat.client.catalogue.names import in_turn
from securechat.translation import LazyText, _, ngettext

CANCELLED = LazyText("The transfer was cancelled")
CHANGED = LazyText("The file has changed while it was sent. Send it again")
NONSENSE = LazyText("The server gave another file than expected. Tell its administrator")
NOT_THERE = LazyText("The file is not there any more, or you may not read it any more")
NO_OWN_FILES = LazyText("You have sent no files")
DELETE_HINT = LazyText("/delete N deletes a message with its files")
REMOVE_HINT = LazyText("/delete upload N removes an upload that is not sent")
NO_FILES_THERE = LazyText("This message has no files")
UNFINISHED = LazyText("The files that were on their way are not sent or saved")
# Translators: tmux and screen are programs.
NO_PICTURES_IN_TMUX = LazyText(
    "No pictures are shown, because tmux and screen do not pass them on. Start the client outside of them"
)
# Translators: kitty is a terminal; kitty and off are typed so.
WITH_SEND = LazyText("--file needs --send")
TEXT_WITHOUT_FILE = LazyText("A text behind HOST needs --file. Without it, --send reads standard input")
CLI_FILE = LazyText("with --send: send this file, and TEXT with it, instead of standard input; up to 10 times")
CLI_TEXT = LazyText("with --file: what the message says")
# Translators: stands for what a person types behind a flag.
PATH_PLACEHOLDER = LazyText("PATH")
TEXT_PLACEHOLDER = LazyText("TEXT")
CLI_AS_FILE = LazyText("with --file: keep a picture as it is, with the place and time in it")


# --- before and while it is sent --------------------------------------------------------------------------------------


def sending(name: str, size: int) -> str:
    """Tell that a file is being sent, of which nothing else is to be said."""
    return _("Sending {name}, {size:size}", name=name, size=size)


def guest_files(seconds: float) -> str:
    """Tell a guest how long files stay."""
    return _(
        "You are a guest, so your files are deleted after {left:duration}. /register keeps later ones", left=seconds
    )


def guest_files_of_script(seconds: float) -> str:
    """Tell a guest without a prompt how long files stay."""
    return _("Files of guests are deleted after {left:duration}. Those of an account stay", left=seconds)


def sending_picture(name: str, size: int) -> str:
    """Tell that a picture is sent, and that the server writes it anew."""
    return in_turn(sending(name, size), _("Place, time and camera are taken out of the picture"))


def sending_as_it_is(name: str, size: int, *, picture: bool) -> str:
    """Tell before a file is sent that its bytes stay as they are; ``picture`` where it is one, not such as a PDF."""
    if picture:
        kept = _("The picture is sent as it is: place, time and camera stay inside, if they are in it")
    else:
        kept = _("The file is sent as it is: place, time and author stay inside, if they are in it")
    return in_turn(sending(name, size), kept)


def progress(name: str, percent: int, place: int, count: int) -> str:
    """Return what stands below the input line while a file moves."""
    if count > 1:
        # Translators: below the input line: the second of three files, how much of it, and its name.
        return _("{place}/{count}: {percent} % of {name}", place=place, count=count, percent=percent, name=name)
    return _("{percent} % of {name}", percent=percent, name=name)


def not_sent(name: str, why: str, *, alone: bool) -> str:
    """Tell that a file is not sent, and with it the message, of which it may be all (``alone``)."""
    return in_turn(why, _not_sent(name, alone=alone))


def picture_unreadable(name: str, why: str, *, alone: bool) -> str:
    """Ask about a picture that the server cannot write anew; ``alone`` where it is all of its message."""
    remedy = _("--as-file sends it so") if alone else _("--as-file sends all pictures of the message so")
    return in_turn(why, remedy, _not_sent(name, alone=alone))


def _not_sent(name: str, *, alone: bool) -> str:
    if alone:
        return _("Not sent: {name}", name=name)
    return _("The message was not sent, because of {name}", name=name)


def delete_some(why: str) -> str:
    """Tell how room is made, where a quota is used up."""
    return in_turn(why, _("/files lists them"))


def nothing_sent(why: str) -> str:
    """Tell that of several files none is sent, because of one."""
    return in_turn(why, _("No file was sent"))


def cancelled(count: int) -> str:
    """Tell that the user has cancelled transfers."""
    return ngettext("{count} transfer cancelled", "{count} transfers cancelled", count)


# --- what stands under a message --------------------------------------------------------------------------------------


def file_line(name: str, size: int, width: int, height: int) -> str:
    """Describe a file of a message; ``width`` and ``height`` in pixels, 0 for what is no picture."""
    if width and height:
        return _("{name}, {size:size}, picture {width} × {height}", name=name, size=size, width=width, height=height)
    return _("{name}, {size:size}", name=name, size=size)


# --- saving -----------------------------------------------------------------------------------------------------------


def saved(path: str) -> str:
    """Tell where a file was saved."""
    return _("Saved: {path}", path=path)


def not_saved(path: str, why: str) -> str:
    """Tell that a file cannot be written."""
    return _("Cannot save in {path}: {why}", path=path, why=why)


def not_saved_file(name: str, why: str) -> str:
    """Tell that a file of a message is not saved."""
    return in_turn(why, _("Not saved: {name}", name=name))


def no_folder(path: str) -> str:
    """Refuse a place to save in."""
    return _("There is no such folder. Name one that exists: {path}", path=path)


# --- one's own files --------------------------------------------------------------------------------------------------


def used(used_bytes: int, most_bytes: int) -> str:
    """Tell how much of the quota is used."""
    return _("Your files take {used:size} of {most:size}", used=used_bytes, most=most_bytes)


def own_file(number: str, line: str, where: str, date: str) -> str:
    """Describe one of the user's own files; ``where`` as `in_room` or `with_person` returns it."""
    return _("{number} {date} {where}: {file}", number=number, date=date, where=where, file=line)


def own_file_elsewhere(line: str, date: str) -> str:
    """Describe one of the user's own files in a room that the user is not in, whose name is not told."""
    return _("{date} in a room you are not in, where only a moderator can delete it: {file}", date=date, file=line)


def no_such_place(number: int, count: int) -> str:
    """Refuse the place of a file behind the last one of its message."""
    return ngettext(
        "[{number}] has {count} file: /save {number}",
        "[{number}] has {count} files: /save {number}.1 to /save {number}.{count}",
        count,
        number=number,
    )


def no_such_upload(number: str) -> str:
    """Refuse a number that no listed upload has."""
    return _("There is no such upload in the list of /files: {number}", number=number)


def own_upload(number: int, name: str, offset: int, size: int, until: str) -> str:
    """Describe an upload that no message has; ``until`` it is given up."""
    if offset == size:
        return _(
            "Upload {number}, not sent, until {until}: {name}, {size:size}",
            number=number,
            until=until,
            name=name,
            size=size,
        )
    return _(
        "Upload {number}, unfinished, until {until}: {name}, {offset:size} of {size:size}",
        number=number,
        until=until,
        name=name,
        offset=offset,
        size=size,
    )


def upload_removed(name: str) -> str:
    """Tell that an upload is removed."""
    return _("Removed: {name}", name=name)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def no_such_file(path: str) -> str:
    """Refuse a path that leads to nothing."""
    return _('There is no such file. A path with blanks stands in quotes, "my photo.jpg". Not found: {path}', path=path)


def text_like_file(word: str) -> str:
    """Refuse a text that begins like a further file: it may be one whose name is mistyped."""
    return _(
        "There is no such file: {path}. For a text that begins so, put -- before it: /upload PATH -- text", path=word
    )


def not_sendable(path: str, why: str) -> str:
    """Refuse a file that cannot be read."""
    return _("The file {path} cannot be sent: {why}", path=path, why=why)


def not_readable(why: str) -> str:
    """Tell that a file cannot be read any more."""
    return _("The file cannot be read any more: {why}", why=why)


def empty(path: str) -> str:
    """Refuse a file without a byte."""
    return _("The file is empty. Choose another one: {path}", path=path)


def upload_stalled() -> str:
    """Tell that an upload is given up."""
    return _("The server takes no more of the file. Try again later")


def download_stalled() -> str:
    """Tell that a download is given up."""
    return _("The server gives no more of the file. Try again later")


def unexpected(status: int) -> str:
    """Tell an answer without a sentence."""
    return _("The server answered with HTTP status {status}. Tell its administrator", status=status)
