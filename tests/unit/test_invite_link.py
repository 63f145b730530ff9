"""Invite links: what is written is read back, what mail does to them is put up with, and all else is a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.invite_link import BadLink, InviteLink, format_link, looks_like_link, parse_link
from securechat.translation import translated, use

TOKEN = "0123456789abcdef" * 2
CA = "fedcba9876543210" * 4
LINK = f"securechat://chat.example:8443/join-once/{TOKEN}/{CA}"
HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,40}", fullmatch=True),
    st.ip_addresses().map(str),
)
HEX = "0123456789abcdef"
LINKS = st.builds(
    InviteLink,
    host=HOSTS,
    port=st.integers(1, 65535),
    token=st.text(HEX, min_size=32, max_size=32),
    ca_fingerprint=st.text(HEX, min_size=64, max_size=64).map("sha256:{}".format),
    once=st.booleans(),
)


@given(LINKS)
def test_what_is_written_is_read_back(link: InviteLink) -> None:
    assert parse_link(format_link(link)) == link


def test_the_forms() -> None:
    assert parse_link(LINK) == InviteLink("chat.example", 8443, TOKEN, f"sha256:{CA}", once=True)
    assert not parse_link(LINK.replace("join-once", "join")).once
    assert parse_link(LINK.replace("chat.example", "[fd00::2]")).host == "fd00::2"
    assert format_link(parse_link(LINK.replace("chat.example", "[fd00::2]"))).startswith("securechat://[fd00::2]:8443/")


@given(st.integers(0, len(LINK)))
def test_a_line_break_anywhere_is_put_up_with(at: int) -> None:
    assert parse_link(f"{LINK[:at]}\r\n   {LINK[at:]}") == parse_link(LINK)


@pytest.mark.parametrize("around", ["  {}  ", "<{}>", "\n<{}>\n", "< {} >"])
def test_what_stands_around_a_link_is_put_up_with(around: str) -> None:
    assert parse_link(around.format(LINK)) == parse_link(LINK)
    assert looks_like_link(around.format(LINK))


def test_digits_of_either_case() -> None:
    assert parse_link(LINK.replace(TOKEN, TOKEN.upper()).replace(CA, CA.upper())) == parse_link(LINK)


@given(st.integers(1, len(LINK) - 1))
def test_every_beginning_of_a_link_is_called_cut_off_and_what_completes_it_is_taken(length: int) -> None:
    with pytest.raises(BadLink) as caught:
        parse_link(LINK[:length])
    assert caught.value.cut_off
    assert "cut off" in caught.value.sentence
    assert "copy the whole link" in caught.value.sentence
    assert parse_link(f"{LINK[:length]}\n{LINK[length:]}") == parse_link(LINK)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("https://chat.example/", "begins with securechat://"),
        ("", "begins with securechat://"),
        (LINK.replace("join-once", "jion"), "a kind that this version does not know"),
        (LINK.replace("join-once", "call"), "a kind that this version does not know"),
        (LINK.replace(":8443", ""), "must be HOST:PORT"),
        (LINK.replace("chat.example", "fd00::2"), "must be HOST:PORT"),
        (LINK.replace("chat.example", "[fd00::zz]"), "must be HOST:PORT"),
        (LINK.replace("chat.example", "a b"), "must be HOST:PORT"),
        (LINK.replace(":8443", ":0"), "no number from 1 to 65535"),
        (LINK.replace(":8443", ":99999"), "no number from 1 to 65535"),
        (LINK.replace(TOKEN, TOKEN[:-1]), "invite is damaged"),
        (LINK.replace(TOKEN, "x" + TOKEN[1:]), "invite is damaged"),
        (LINK + "0", "fingerprint is damaged"),
        (LINK + ".", "fingerprint is damaged"),
        (LINK + "/more", "fingerprint is damaged"),
    ],
)
def test_what_is_wrong_is_said(link: str, says: str) -> None:
    with pytest.raises(BadLink, match=says) as caught:
        parse_link(link)
    assert not caught.value.cut_off


@given(st.text(max_size=200))
def test_nothing_but_a_link_or_a_sentence_comes_out(text: str) -> None:
    try:
        parse_link("securechat://" + text)
    except BadLink as bad:
        assert bad.sentence.isprintable()


def test_neither_the_link_nor_what_is_wrong_with_it_shows_its_secret() -> None:
    assert TOKEN not in repr(parse_link(LINK))
    with pytest.raises(BadLink) as caught:
        parse_link(LINK[:-1])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("securechat", "Tautannya terpotong: berakhir sebelum alamat server"),
        ("securechat://chat.example", "Tautannya terpotong: berakhir di tengah alamat server"),
        ("securechat://chat.example:8443/jo", "Tautannya terpotong: berakhir setelah alamat server"),
        (LINK[: -len(CA) - 1], "Tautannya terpotong: sidik jari CA server tidak ada"),
        (LINK[:-1], "Tautannya terpotong: sidik jarinya hanya 63 dari 64 karakter; salin seluruh tautan"),
        (LINK[: -len(CA) - 2], "Tautannya terpotong: undangannya hanya 31 dari 32 karakter; salin seluruh tautan"),
        (LINK.replace(TOKEN, "x" + TOKEN[1:]), "Undangan di tautan rusak: harus 32 digit heksadesimal"),
        (LINK + "{x}", "Sidik jari di tautan rusak: harus 64 digit heksadesimal"),
        (LINK.replace(":8443", ":0"), "Port di tautan bukan angka"),
        (LINK.replace("chat.example", "a b"), "Alamat server di tautan rusak"),
        (LINK.replace("join-once", "call"), "Jenis tautan ini tidak dikenal"),
        ("{x}", "Ini bukan tautan undangan; tautan undangan diawali securechat://"),
    ],
)
def test_what_is_wrong_is_said_in_the_language_of_the_person(
    link: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "")
    with pytest.raises(BadLink) as caught:
        parse_link(link)
    assert use("id") == ""
    try:
        assert translated(caught.value).startswith(says)
    finally:
        use("en")
