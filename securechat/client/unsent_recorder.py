"""Stores the unsent texts of the account that a session has logged in to, and says once why they cannot be stored."""

from __future__ import annotations

from collections.abc import Callable

from securechat.client.catalogue import screen_shell as words
from securechat.client.local_store import LocalStore, authority_of
from securechat.client.ui.input.unsent_texts import UnsentRecord, UnsentTexts
from securechat.client.unsent_store import UnsentStore
from securechat.translation import system_error


class UnsentRecorder:
    """The unsent texts of one session.

    Args:
        local_store: in whose folder they are kept; None to keep none.
        host, port: of the server.
        ca_pem: the CA that verified it.
    """

    def __init__(self, local_store: LocalStore | None, host: str, port: int, ca_pem: str) -> None:
        self._folder = None if local_store is None else local_store.folder
        self._server = (host, port, ca_pem)
        self._store: UnsentStore | None = None
        self._complained = False

    def read(self, name: str, use: Callable[[UnsentTexts], None]) -> str:
        """Hand over, once, what the last run of this account has left; returns why it cannot be read, or nothing."""
        if self._folder is None or self._store is not None:
            return ""
        host, port, ca_pem = self._server
        self._store = UnsentStore(self._folder, authority_of(ca_pem), host, port, name)
        try:
            use(UnsentTexts(self._store.read()))
        except OSError as error:
            return words.unsent_unusable(system_error(error))
        return ""

    def write(self, record: UnsentRecord) -> str:
        """Store the texts; returns why not, once, and empty where they are stored."""
        if self._store is None:
            return ""
        try:
            self._store.write(record)
        except OSError as error:
            told, self._complained = self._complained, True
            return "" if told else words.unsent_unusable(system_error(error))
        return ""
