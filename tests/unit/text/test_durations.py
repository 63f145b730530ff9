"""Durations and times: for a person in the language in use, for a log in English."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from securechat.text.durations import logged_duration, logged_time, parse_duration, shown_time
from securechat.translation import translated, use
from securechat.translation.catalogue import formatted

A_DAY_MS = 1_795_932_000_000


@pytest.fixture(autouse=True)
def _language(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", "")
    assert use("id") == ""
    yield
    use("en")


@pytest.mark.parametrize(
    ("seconds", "shown", "logged"),
    [(0, "0 dtk", "0 s"), (60, "1 mnt", "1 min"), (7_500, "2 j 5 mnt", "2 h 5 min"), (90_061, "1 hr 1 j", "1 d 1 h")],
)
def test_a_duration(seconds: float, shown: str, logged: str) -> None:
    assert (formatted("{time:shortduration}", time=seconds), logged_duration(seconds)) == (shown, logged)


def test_a_time_is_written_alike_in_every_language() -> None:
    assert shown_time(A_DAY_MS) == logged_time(A_DAY_MS)
    assert shown_time(A_DAY_MS).startswith("2026-11-")
    assert (shown_time(0), logged_time(0)) == ("belum pernah", "never")
    assert shown_time(1 << 62) == logged_time(1 << 62)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("5", "5 apa? tulis angka dan satuan: 90s, 10m, 2h, 7d, 4w"),
        ("{x}", "'{x}' bukan lama waktu: tulis angka dan satuan"),
        ("0s", "'0s' itu nol: tulis angka dan satuan"),
    ],
)
def test_what_is_no_duration_is_said_to_a_person(written: str, says: str) -> None:
    with pytest.raises(ValueError, match="write a number and a unit") as caught:
        parse_duration(written)
    assert translated(caught.value).startswith(says)
