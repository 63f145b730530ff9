"""What is chosen and sent on a screen is there in the next run, for the same server alone."""

from __future__ import annotations

from pathlib import Path

from securechat.client.local_store import LocalStore
from securechat.client.screen_choices import MOST_BYTES, ScreenChoices
from securechat.client.ui.screen_model.composer import MOST_HISTORY
from securechat.client.ui.settings import ClientSettings
from securechat.tls.contexts import SYSTEM_CAS


def choices(folder: Path, host: str = "chat.lan", **settings: object) -> ScreenChoices:
    return ScreenChoices(LocalStore(folder), host, 8443, SYSTEM_CAS, ClientSettings(**settings))  # type: ignore[arg-type]


def test_they_are_there_again_and_only_for_their_server(tmp_path: Path) -> None:
    one = choices(tmp_path)
    assert one.chosen("notify.#ops", "none")
    assert one.sent("hello")
    assert one.store() == ""
    again = choices(tmp_path, "CHAT.lan")
    assert again.settings.notify == {"#ops": "none"}
    assert again.history == ("hello",)
    other = choices(tmp_path, "other.lan")
    assert not other.settings.notify
    assert other.history == ()


def test_a_choice_goes_before_the_settings_until_it_is_the_same(tmp_path: Path) -> None:
    given = {"#ops": "all", "#dev": "all"}
    one = choices(tmp_path, notify=given)
    one.chosen("notify.#ops", "none")
    one.store()
    assert choices(tmp_path, notify=given).settings.notify == {"#ops": "none", "#dev": "all"}
    one.chosen("notify.#ops", "all")
    one.store()
    assert choices(tmp_path, notify={"#ops": "mentions"}).settings.notify == {"#ops": "mentions"}


def test_the_history_is_bounded_by_lines_and_bytes_and_can_always_be_read_again(tmp_path: Path) -> None:
    one = choices(tmp_path)
    for number in range(MOST_HISTORY + 5):
        one.sent(f"line {number}")
    assert len(one.history) == MOST_HISTORY
    assert one.history[-1] == f"line {MOST_HISTORY + 4}"
    for number in range(60):
        one.sent("\x01" * 10_000 + f"\ud800{number}")
    assert sum(map(len, one.history)) <= MOST_BYTES
    assert one.store() == ""
    (path,) = tmp_path.rglob("screen-*.json")
    assert path.stat().st_mode & 0o077 == 0
    assert choices(tmp_path).history[-1] == "\x01" * 10_000 + "?59"


def test_forgetting_a_server_forgets_them(tmp_path: Path) -> None:
    one = choices(tmp_path)
    one.sent("hello")
    one.store()
    assert LocalStore(tmp_path).forget_server("chat.lan", 8443) == ()
    assert not list(tmp_path.rglob("screen-*"))


def test_without_a_store_nothing_is_stored_and_it_works(tmp_path: Path) -> None:
    one = ScreenChoices(None, "chat.lan", 8443, SYSTEM_CAS, ClientSettings())
    assert not one.sent("hello")
    assert one.history == ("hello",)
    assert one.store() == ""
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    one = choices(tmp_path / "state")
    one.sent("hello")
    assert one.store()
    assert one.store() == ""


def test_plain_is_kept_beside_the_other_preferences(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.plain() is None
    store.keep_language("id")
    store.keep_plain(on=True)
    assert LocalStore(tmp_path).plain() is True
    assert LocalStore(tmp_path).language() == "id"


def test_servers_come_once_each_the_one_used_last_first(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for host in ("a.lan", "b.lan", "a.lan"):
        store.keep_server(host, 1, SYSTEM_CAS, "ann")
    assert [each.host for each in store.servers()] == ["a.lan", "b.lan"]
