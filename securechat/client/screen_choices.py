"""Keeps what is chosen and sent on the screen of one server: which messages notify, and the history of sent lines.

A choice made on the screen goes before the settings' `[notify]`, until it is the same as what they say. No password is
in the history: none comes here (`screen_view.AddHistory`).
"""

from __future__ import annotations

from msgspec.structs import replace

from securechat.client.catalogue import screen_shell as words
from securechat.client.local_store import LocalStore, StoredChoices
from securechat.client.ui.screen_model.composer import MOST_HISTORY
from securechat.client.ui.screen_model.view import AddHistory, KeepSetting
from securechat.client.ui.settings import NOTIFY, NOTIFY_WORDS, ClientSettings
from securechat.translation import system_error

MOST_BYTES = 128 * 1024
"""Of the history: an entry of the store must be below 1 MiB, and JSON writes six bytes for a control character."""


class ScreenChoices:
    """The choices and the history.

    Args:
        local_store: where they are kept; None to keep none.
        host: of the server.
        port: of the server.
        ca_pem: the CA that verifies it: another server at its address has other rooms.
        settings: of this run.
    """

    def __init__(
        self, local_store: LocalStore | None, host: str, port: int, ca_pem: str, settings: ClientSettings
    ) -> None:
        self._local_store = local_store
        self._ca_pem = ca_pem
        self._given = settings
        self._complained = False
        if local_store is None:
            self._kept = StoredChoices(host.lower(), port)
        else:
            self._kept = local_store.screen_choices(host, port, ca_pem)

    @property
    def settings(self) -> ClientSettings:
        """The settings with what was chosen on the screen."""
        known = {name: word for name, word in self._kept.notify.items() if word in NOTIFY_WORDS}
        return replace(self._given, notify={**self._given.notify, **known})

    @property
    def history(self) -> tuple[str, ...]:
        """The lines that were sent, the newest last."""
        return self._kept.history

    def take(self, request: AddHistory | KeepSetting) -> bool:
        """Remember what the screen asks for; tell whether that is to be stored."""
        return self.sent(request.line) if isinstance(request, AddHistory) else self.chosen(request.name, request.value)

    def sent(self, line: str) -> bool:
        """Remember a line; tell whether that is to be stored."""
        lines = [*self._kept.history, line][-MOST_HISTORY:]
        spare = MOST_BYTES - sum(len(each.encode("utf-8", "replace")) for each in lines)
        while lines and spare < 0:
            spare += len(lines.pop(0).encode("utf-8", "replace"))
        self._kept = replace(self._kept, history=tuple(lines))
        return self._local_store is not None

    def chosen(self, name: str, value: str) -> bool:
        """Remember a setting, named `table.key`; tell whether that is to be stored."""
        table, _, key = name.partition(".")
        if table != NOTIFY:
            return False
        notify = {**self._kept.notify, key: value}
        if self._given.notify.get(key) == value:
            del notify[key]
        self._kept = replace(self._kept, notify=notify)
        return self._local_store is not None

    def store(self) -> str:
        """Write them; returns why not, once, and empty where they are stored."""
        if self._local_store is None:
            return ""
        try:
            self._local_store.keep_screen_choices(self._ca_pem, self._kept)
        except OSError as error:
            complained, self._complained = self._complained, True
            return "" if complained else words.history_unusable(system_error(error))
        return ""
