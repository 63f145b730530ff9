"""What is written and not sent: by server, account and conversation, bounded, and in a file that survives much."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securechat.client import unsent_store
from securechat.client.core.state import PersonKey, RoomKey
from securechat.client.ui.input.unsent_texts import (
    MOST_BYTES,
    MOST_CHARS,
    MOST_TEXTS,
    UnsentRecord,
    UnsentText,
    UnsentTexts,
)
from securechat.client.unsent_store import UnsentStore

OPS, ANA = RoomKey("ops"), PersonKey(7)
HERE = ("c0ffee", "chat.example", 8443, "Ana")
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")


def record(**texts: str) -> UnsentRecord:
    """Texts by the names of rooms."""
    return UnsentRecord(9, tuple(UnsentText(f"#{room}", text) for room, text in texts.items()))


def again(texts: UnsentTexts) -> UnsentTexts:
    """What the next start makes of them."""
    return UnsentTexts(texts.all())


def test_each_conversation_has_its_own_text() -> None:
    one = UnsentTexts()
    one.put(OPS, "half a")
    one.put(ANA, "dear")
    assert (one.get(OPS), one.get(ANA), one.get(RoomKey("dev"))) == ("half a", "dear", "")
    one.put(OPS, "")
    assert one.get(OPS) == ""
    assert len(one.all().texts) == 1


def test_a_room_is_known_by_name_over_a_restart() -> None:
    one = UnsentTexts()
    one.put(OPS, "half a")
    assert again(one).get(RoomKey("ops")) == "half a"


@pytest.mark.parametrize(
    "other",
    [
        ("beef", "chat.example", 8443, "Ana"),
        ("c0ffee", "other.example", 8443, "Ana"),
        ("c0ffee", "chat.example", 8444, "Ana"),
        ("c0ffee", "chat.example", 8443, "Budi"),
    ],
)
def test_another_server_or_account_has_other_texts(tmp_path: Path, other: tuple[str, str, int, str]) -> None:
    UnsentStore(tmp_path, *HERE).write(record(ops="half a"))
    UnsentStore(tmp_path, *other).write(record(ops="of another"))
    assert UnsentStore(tmp_path, *HERE).read() == record(ops="half a")
    assert UnsentStore(tmp_path, "c0ffee", "CHAT.example", 8443, "ana").read() == record(ops="half a")


def test_a_text_goes_with_its_room_when_that_gets_another_name() -> None:
    one = UnsentTexts()
    room = RoomKey("ops")
    one.put(room, "half a")
    room.room = "dev"
    one.renamed("ops", room)
    assert (one.get(room), one.get(RoomKey("ops"))) == ("half a", "")


def test_only_what_differs_is_to_be_written() -> None:
    one = UnsentTexts()
    assert not one.changed
    one.put(OPS, "a")
    assert one.changed
    one.all()
    one.put(OPS, "a")
    one.put(ANA, "")
    assert not one.changed


def test_the_longest_unchanged_ones_are_dropped() -> None:
    one = UnsentTexts()
    for number in range(MOST_TEXTS):
        one.put(PersonKey(number), "x")
    one.put(PersonKey(0), "xy")
    one.put(OPS, "new")
    assert (one.get(PersonKey(1)), one.get(PersonKey(0)), one.get(OPS)) == ("", "xy", "new")
    assert len(one.all().texts) == MOST_TEXTS


def test_they_are_bounded_in_bytes() -> None:
    one = UnsentTexts()
    for number in range(MOST_TEXTS):
        one.put(PersonKey(number), "\N{GRINNING FACE}" * (MOST_CHARS + 5))
    texts = one.all().texts
    assert sum(len(each.where) + len(each.text.encode()) for each in texts) <= MOST_BYTES
    assert len(one.get(PersonKey(MOST_TEXTS - 1))) == MOST_CHARS


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.builds(UnsentText, st.text(), st.text(), st.text(), st.integers(1, 9), st.just(5), st.text()),
        min_size=1,
        max_size=5,
    )
)
def test_the_file_has_what_was_written(tmp_path_factory: pytest.TempPathFactory, texts: list[UnsentText]) -> None:
    store = UnsentStore(tmp_path_factory.mktemp("state"), *HERE)
    store.write(UnsentRecord(7, tuple(texts)))
    assert store.read() == UnsentRecord(7, tuple(texts))


def test_half_a_surrogate_pair_stops_nothing(tmp_path: Path) -> None:
    store = UnsentStore(tmp_path, *HERE)
    store.write(record(a="x\ud83d"))
    assert store.read() == record(a="x?")


def test_without_texts_there_is_no_file(tmp_path: Path) -> None:
    store = UnsentStore(tmp_path / "state", *HERE)
    assert store.read() == UnsentRecord()
    store.write(UnsentRecord(9))
    assert not (tmp_path / "state").exists()
    store.write(record(a="x"))
    store.write(UnsentRecord(9))
    assert list((tmp_path / "state").iterdir()) == []


@posix
def test_the_file_is_for_the_user_alone(tmp_path: Path) -> None:
    UnsentStore(tmp_path / "state", *HERE).write(record(a="x"))
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()] == [0o600]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"texts": 1}',
        b"[]",
        b'{"texts": [{"where": "\xff", "text": ""}]}',
        b'{"texts": [{"where": 1, "text": ""}]}',
        b" " * 5_000_000,
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    store = UnsentStore(tmp_path, *HERE)
    store.path.write_bytes(content)
    assert store.read() == UnsentRecord()
    assert store.path.with_suffix(".damaged").read_bytes() == content
    assert not store.path.exists()


@posix
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    store, elsewhere = UnsentStore(tmp_path, *HERE), tmp_path / "elsewhere.json"
    store.path.symlink_to(elsewhere)
    elsewhere.write_text('{"a": "x"}')
    with pytest.raises(OSError, match="symbolic link"):
        store.read()
    store.write(record(b="y"))
    assert elsewhere.read_text() == '{"a": "x"}'


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = UnsentStore(tmp_path, *HERE)
    store.write(record(a="x"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unsent_store.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(record(a="y"))
    assert store.read() == record(a="x")
    assert list(tmp_path.iterdir()) == [store.path]
