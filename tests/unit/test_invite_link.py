"""Invite links: what is written is read back, what mail does to them is put up with, and all else is a sentence."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from securechat.invite_link import BadLink, InviteLink, format_link, format_web_link, looks_like_link, parse_link
from securechat.translation import translated, use

TOKEN = "0123456789abcdef" * 2
CA = "fedcba9876543210" * 4
LINK = f"securechat://chat.example:8443/join-once/{TOKEN}/{CA}"
WEB = f"https://chat.example:8443/#join-once/{TOKEN}/{CA}"
PUBLIC = WEB.removesuffix(f"/{CA}")
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
    assert parse_link(format_link(link)) == parse_link(format_web_link(link)) == link


def test_the_forms() -> None:
    assert parse_link(LINK) == InviteLink("chat.example", 8443, TOKEN, f"sha256:{CA}", once=True)
    assert not parse_link(LINK.replace("join-once", "join")).once
    assert parse_link(LINK.replace("chat.example", "[fd00::2]")).host == "fd00::2"
    assert format_link(parse_link(LINK.replace("chat.example", "[fd00::2]"))).startswith("securechat://[fd00::2]:8443/")
    assert format_web_link(parse_link(LINK)) == WEB


def test_the_form_for_browsers() -> None:
    assert parse_link(WEB) == parse_link(LINK)
    assert parse_link(WEB.replace("/#", "#")) == parse_link(LINK)
    assert parse_link(WEB.replace("#", "%23")) == parse_link(LINK), "as some mail programs write it"
    assert parse_link(WEB.replace("https", "HTTPS")) == parse_link(LINK)
    assert (
        parse_link(WEB.replace(":8443", "")).port == parse_link(WEB.replace("chat.example:8443", "[::1]")).port == 443
    )
    assert parse_link(PUBLIC) == InviteLink("chat.example", 8443, TOKEN, None, once=True)
    assert format_web_link(parse_link(PUBLIC)) == PUBLIC
    assert looks_like_link(WEB) and looks_like_link(WEB[:-5])
    assert not looks_like_link("https://chat.example:8443/")


@given(st.sampled_from((LINK, WEB)), st.integers(0, len(WEB)))
def test_a_line_break_anywhere_is_put_up_with(link: str, at: int) -> None:
    assert parse_link(f"{link[:at]}\r\n   {link[at:]}") == parse_link(LINK)


@pytest.mark.parametrize("around", ["  {}  ", "<{}>", "\n<{}>\n", "< {} >"])
def test_what_stands_around_a_link_is_put_up_with(around: str) -> None:
    assert parse_link(around.format(LINK)) == parse_link(LINK)
    assert looks_like_link(around.format(LINK))


def test_digits_of_either_case() -> None:
    assert parse_link(LINK.replace(TOKEN, TOKEN.upper()).replace(CA, CA.upper())) == parse_link(LINK)


@given(st.sampled_from((LINK, WEB)), st.integers(1, len(WEB) - 1))
def test_every_beginning_of_a_link_is_called_cut_off_and_what_completes_it_is_taken(link: str, length: int) -> None:
    assume(length < len(link) and link[:length] != PUBLIC)
    with pytest.raises(BadLink) as caught:
        parse_link(link[:length])
    assert caught.value.cut_off
    assert "cut off" in caught.value.sentence
    assert f"copy the whole link, from {link[: link.index('//') + 2]} to its end" in caught.value.sentence or length < 3
    assert parse_link(f"{link[:length]}\n{link[length:]}") == parse_link(LINK)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("https://chat.example/a/page", "begins with https:// or securechat://"),
        ("http://chat.example:8443/", "begins with https:// or securechat://"),
        ("", "begins with https:// or securechat://"),
        (WEB.replace("join-once", "room"), "a kind that this version does not know"),
        (WEB.replace(":8443", ":x"), "no number from 1 to 65535"),
        (WEB.replace("chat.example", "a b"), "must be HOST:PORT"),
        (WEB.replace("chat.example", "me@chat.example"), "must be HOST:PORT"),
        (WEB.replace("/#", "/?x=1#"), "begins with https:// or securechat://"),
        (WEB.replace(TOKEN, "x" + TOKEN[1:]), "invite is damaged.*from https:// to its end and no further"),
        (PUBLIC + ".", "invite is damaged"),
        (WEB + "/more", "fingerprint is damaged"),
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


@given(st.sampled_from(("securechat://", "https://", "https://h:1/#", "")), st.text(max_size=200))
def test_nothing_but_a_link_or_a_sentence_comes_out(begins: str, text: str) -> None:
    try:
        parse_link(begins + text)
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
        ("{x}", "Ini bukan tautan undangan; tautan undangan diawali https:// atau securechat://"),
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
