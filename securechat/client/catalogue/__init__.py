"""Every sentence a user of the client reads: translations replace this package and nothing else."""

from securechat.client.catalogue import (
    accounts,
    connection,
    days,
    files,
    help_pages,
    language,
    links,
    message_blocks,
    names,
    programs,
    rooms,
    screen,
    screen_shell,
    settings,
    translation,
)

__all__ = [
    "accounts",
    "connection",
    "days",
    "files",
    "help_pages",
    "language",
    "links",
    "message_blocks",
    "names",
    "programs",
    "rooms",
    "screen",
    "screen_shell",
    "settings",
    "translation",
]
