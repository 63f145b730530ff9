"""Which names are valid, which are the same, and how a name is found at the head of a line."""

from __future__ import annotations

import pytest

from securechat.errors import ErrorCode, Refusal
from securechat.text.names import check_name, check_room, longest_known_name, name_key


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ana", "ana"),
        ("Ana", "Ana"),
        ("user1 pc", "user1 pc"),
        ("  user1   pc ", "user1 pc"),
        ("user1\u00a0pc", "user1 pc"),
        ("user1\u3000pc", "user1 pc"),
        ("ＡＮＡ", "ANA"),
        ("ana_b", "ana_b"),
        ("e\u0301va", "éva"),
        ("日本語", "日本語"),
        ("عربى", "عربى"),
        ("a-b.c", "a-b.c"),
        ("x" * 32, "x" * 32),
        ("Ⅳ", "IV"),
    ],
)
def test_valid_names(typed: str, name: str) -> None:
    assert check_name(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "\t", "_", "...", "x" * 33, "x" * 100_000, "\U00010400" * 33,
        "a:b", "a：b", "#a", "＃a", "a@b", "a,b", "a!b", "a/b", "℀", "-a", "－a", " -a",
        "a\nb", "a\tb", "a\x00", "a\x1b[2J", "a\x7f", "a\x9b", "a\u2028b",
        "a\u202eb", "a\u2066b", "a\u200eb", "a\u061cb",
        "a\u200bb", "a\u200db", "a\ufeff", "a\u00adb", "a\u2060", "a\u3164", "a\u115f", "a\u2800", "a\u034fb",
        "a\ufe0f", "a\U000e0041", "a\ud800", "\u0301ana", "a" + "\u0308\u0323" * 8,
    ],
)  # fmt: skip
def test_invalid_names(typed: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_name(typed)
    assert caught.value.code is ErrorCode.NAME_INVALID
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize("typed", ["server", "Server", "ＳＥＲＶＥＲ", "ſerver", "server_", " _System", "ⓢystem"])
def test_reserved_names(typed: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_name(typed)
    assert caught.value.code is ErrorCode.NAME_RESERVED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana", "ANA"),
        ("ana", "ＡＮＡ"),
        ("user1 pc", "User1_PC"),
        ("user1 pc", "user1__pc"),
        ("user1 pc", "user1   pc"),
        ("user1 pc", "_user1 pc_"),
        ("straße", "STRASSE"),
        ("éva", "E\u0301VA"),
        ("σοφός", "ΣΟΦΌΣ"),
    ],
)
def test_look_alikes_are_the_same_name(one: str, other: str) -> None:
    assert name_key(check_name(one)) == name_key(check_name(other))


def test_different_names_differ() -> None:
    names = ["ana", "anna", "user1pc", "user1 pc", "user-1 pc", "u ser1pc"]
    assert len({name_key(check_name(name)) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("typed", "room"),
    [("ops", "ops"), ("#Ops", "ops"), (" #ops ", "ops"), ("ＯＰＳ", "ops"), ("kelas-7", "kelas-7"), ("日本", "日本")],
)
def test_valid_rooms(typed: str, room: str) -> None:
    assert check_room(typed) == room


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "#",
        " ",
        "##a",
        "a b",
        "a,b",
        "a:b",
        "a/b",
        "-a",
        "a\u3000b",
        "a\u202eb",
        "a\x1bb",
        "\u0301a",
        "x" * 65,
        "\ud800",
    ],
)
def test_invalid_rooms(typed: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_room(typed)
    assert caught.value.code is ErrorCode.ROOM_INVALID
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ana hello there", ("ana", "hello there")),
        ("user1 pc hello", ("user1 pc", "hello")),
        ("User1_PC hello", ("user1 pc", "hello")),
        ("user1  pc   hello", ("user1 pc", "hello")),
        ('"user1 pc" hello', ("user1 pc", "hello")),
        ('"stranger two" hello', ("stranger two", "hello")),
        ("user1 other", ("user1", "other")),
        ("nobody hi", ("nobody", "hi")),
        ('"" hi', ('""', "hi")),
        ("ana", ("ana", "")),
        ("", None),
        ("   ", None),
    ],
)
def test_longest_known_name(text: str, found: tuple[str, str] | None) -> None:
    assert longest_known_name(text, ["ana", "user1", "user1 pc"]) == found


@pytest.mark.parametrize("colon", list(":：﹕︓꞉∶ː˸։׃⁚"))
def test_nothing_that_looks_like_a_colon_is_allowed(colon: str) -> None:
    for check in (check_name, check_room):
        with pytest.raises(Refusal):
            check(f"bob{colon} hi" if check is check_name else f"bob{colon}hi")
