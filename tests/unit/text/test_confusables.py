"""Which names look alike across scripts, and which only seem to."""

from __future__ import annotations

import string
import subprocess
import sys
import unicodedata

import pytest
from confusable_homoglyphs.utils import load
from hypothesis import given
from hypothesis import strategies as st

from securechat.errors import Refusal
from securechat.text import confusables
from securechat.text.confusables import preload, skeleton
from securechat.text.names import check_name, name_key


@pytest.fixture(scope="module")
def table() -> dict[int, str]:
    preload()
    return confusables._table()


@pytest.mark.parametrize(
    ("fake", "name"),
    [
        ("аdmin", "admin"),  # Cyrillic a
        ("АDMIN", "admin"),  # its capital
        ("Вob", "Bob"),  # Cyrillic Ve: only the capital looks like B
        ("Βob", "Bob"),  # Greek Beta, as well
        ("Маrк", "Mark"),
        ("Тom", "Tom"),
        ("bοb", "bob"),  # Greek omicron
        ("Ζοε", "zoe"),
        ("ѕіtі", "siti"),
        ("ｂｕｄｉ", "budi"),
        ("𝐛𝐮𝐝𝐢", "budi"),
        ("bսdi", "budi"),  # Armenian seh
        ("օlga", "olga"),  # Armenian oh
        ("Ꭺna", "ana"),  # Cherokee go
        ("ᎪᏁᎪ", "aᏁa"),
        ("ليلى", "ليلي"),  # without dots at its end, as it is often written
        ("土伟", "士伟"),  # earth and scholar: only the lengths of the strokes differ
        ("user০", "user0"),  # Bengali zero
        ("user०", "user0"),  # Devanagari
        ("user١", "user1"),  # Arabic-Indic one
        ("user۱", "user1"),  # Extended Arabic-Indic one
        ("budı", "budi"),  # dotless i
        ("BUDİ", "budi"),  # dotted capital I
        ("ana\u0251", "anaa"),  # Latin alpha
        ("\U000118e3odern", "modern"),  # what Unicode draws as rn is an m here
        ("мodern", "modern"),
        ("ɱira", "m\u0326ira"),
        ("budi_ѕantoso", "budi santoso"),
        ("ǆ", "dž"),
    ],
)
def test_look_alikes_have_one_skeleton(fake: str, name: str) -> None:
    assert skeleton(check_name(fake)) == skeleton(check_name(name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("modern", "modem"),
        ("user1", "userl"),
        ("Ian", "lan"),
        ("b0b", "bob"),
        ("vvati", "wati"),
        ("clara", "dara"),
        ("a|b", "alb"),
    ],
)
def test_ascii_names_are_compared_by_their_keys_alone(one: str, other: str) -> None:
    assert skeleton(one) == name_key(one)
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize(
    "names",
    [
        ["Budi", "Budy", "Siti", "Sita", "Dewi", "Devi", "Wati", "Yanti", "Agus", "Ayu", "Putri", "Putra", "Nur"],
        ["ꦧꦸꦢꦶ", "ꦱꦶꦠꦶ", "ꦢꦺꦮꦶ", "ꦮꦠꦶ", "ꦲꦒꦸꦱ꧀", "ꦱꦼꦏꦂ"],
        ["محمد", "أحمد", "أمل", "فاطمة", "علي", "عمر", "نور", "حسن", "حسين", "زينب", "سارة", "مريم", "ليلى"],
        ["王伟", "王芳", "李伟", "李娜", "张敏", "刘洋", "陈静", "杨洋", "赵磊", "黄强", "日月", "曰月"],
        ["Dũng", "Dụng", "Dung", "Dừng", "Dựng", "Hà", "Há", "Hạ", "Hải", "Hai", "Đặng", "Dặng", "Lê", "Lệ", "Lể"],
        ["Анна", "Инна", "Иван", "Иванна", "Юля", "Юлия", "Мария", "Марина", "Саша", "Маша", "Паша", "Даша", "Лев"],
        ["Игорь", "Егор", "Олег", "Ольга", "Вова", "Вера", "Нина", "Дима", "Дина", "Петя", "Катя", "Настя", "Майя"],
        ["さくら", "さくち", "ゆき", "ゆうき", "はると", "ひろと", "ケン", "ケソ", "김민준", "김민수", "이서연"],
        ["สมชาย", "สมหญิง", "राम", "रमा", "সুমন", "সুমনা", "Νίκος", "Νίκη", "Ελένη", "Μαρία", "Γιώργος"],
    ],
)  # fmt: skip
def test_names_of_one_script_stay_distinct(names: list[str]) -> None:
    looks = {skeleton(check_name(name)) for name in names}
    same = {one for one in names for other in names if one != other and skeleton(one) == skeleton(other)}
    assert len(looks) == len(names), same


def test_no_two_letters_or_digits_of_ascii_are_ever_one(table: dict[int, str]) -> None:
    plain = string.ascii_lowercase + string.digits
    assert not [char for char in plain if ord(char) in table]
    data = load("confusables.json")
    groups = {one: {other["c"] for other in others} | {one} for one, others in data.items()}
    merged = [group & set(plain) for group in groups.values() if len(group & set(plain)) > 1]
    assert merged, "Unicode does take some of them for one another"
    for members in merged:
        assert len({skeleton(char) for char in members}) == len(members)


def test_every_letter_of_ascii_has_its_look_alikes_elsewhere(table: dict[int, str]) -> None:
    found = set(table.values())
    assert set(string.ascii_lowercase) <= found


def test_the_table_is_closed_and_folded(table: dict[int, str]) -> None:
    for char, look in table.items():
        assert confusables._drawn(look, table) == look, chr(char)
        assert look and not any(part.isspace() or part == "_" for part in look), chr(char)
        assert "\u200e" not in look


def test_a_name_of_separators_in_disguise_keeps_a_skeleton() -> None:
    assert skeleton("\u07fa\u07fa") == "\u07fa\u07fa"


def test_ascii_names_need_no_table() -> None:
    code = (
        "import sys; from securechat.text.confusables import skeleton, preload\n"
        "assert skeleton('Budi_1') == 'budi 1'\n"
        "assert 'confusable_homoglyphs' not in sys.modules\n"
        "preload(); assert 'confusable_homoglyphs' in sys.modules\n"
        "assert 'confusable_homoglyphs.confusables' not in sys.modules, 'it would keep the data'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _tricky() -> st.SearchStrategy[str]:
    """Letters that have look-alikes, in both cases, with marks between them."""
    chars = sorted(chr(char) for char in confusables._table())
    cased = [form for char in chars for form in (char, char.upper(), char.title())]
    return st.text(st.sampled_from([*cased, *"abimorn1l0O _", "\u0307", "\u0323", "\u0345", "\u0301"]), max_size=12)


NAMES = st.deferred(_tricky) | st.text(st.characters(), max_size=20)


@given(NAMES, st.sampled_from(["upper", "lower", "swapcase", "casefold", "NFC", "NFD", "NFKC", "NFKD"]))
def test_equal_keys_have_equal_skeletons(typed: str, change: str) -> None:
    try:
        name = check_name(typed)
        other = check_name(
            unicodedata.normalize(change, name) if change.isupper() else getattr(name, change)()  # type: ignore[arg-type]
        )
    except Refusal:
        return
    if name_key(name) == name_key(other):
        assert skeleton(name) == skeleton(other)
    assert skeleton(name_key(name)) == skeleton(name)


@given(NAMES)
def test_a_skeleton_is_its_own(typed: str) -> None:
    try:
        name = check_name(typed)
    except Refusal:
        return
    assert skeleton(skeleton(name)) == skeleton(name) != ""
