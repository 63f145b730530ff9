"""Password rules: minimum length, the most common passwords, and normalisation.

Prepared by the OpaqueString profile of PRECIS (RFC 8265 section 4.2): composed and decomposed letters, and all kinds of
space, compare equal; case and width stay. The rules are those of NIST SP 800-63B (section 5.1.1.2): length and a list
of the most common passwords, no rules about digits and punctuation. This module hashes nothing, and no error message
repeats a password.
"""

from __future__ import annotations

import unicodedata

from securechat.limits import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS
from securechat.text.names import name_key, unremembered_key
from securechat.text.precis import OPAQUE_STRING, TooLong, enforce
from securechat.text.refusals import refusal_for

# A short list of our own: runs of digits, keyboard walks, the words and names that head every list of leaked passwords,
# then common Indonesian ones. Of eight characters or more, in folded case.
_COMMON_ONES = """
    12345678 123456789 1234567890 12345678910 0123456789 987654321 9876543210 87654321 11223344 12341234 123123123
    123321123 147258369 123654789 741852963 789456123 11111111 00000000 88888888 12344321 123456780 1234512345
    1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 zaq12wsx q1w2e3r4 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234
    asdfghjk asdfghjkl asdf1234 zxcvbnm1 zxcvbnm123 abcd1234 abcdefgh abc12345 abc123456 a1b2c3d4 aa123456 a1234567
    a12345678 a123456789 1234abcd 123456abc 123456qwerty 12345qwert q1w2e3r4t5
    password passw0rd p@ssw0rd p@ssword password1 password12 password123 password1234 pass1234 pass12345 admin123
    admin1234 administrator root1234 adminadmin welcome1 welcome123 letmein1 changeme changeme1 iloveyou iloveyou1
    sunshine princess football baseball superman batman123 starwars trustno1 whatever computer internet michelle
    jennifer liverpool chelsea1 arsenal1 manchester barcelona realmadrid pokemon1 naruto123 master123 dragon123
    monkey123 shadow123 google123 facebook instagram samsung1 samsung123 test1234 testtest user1234 guest123
    secret123 default1 login123 server123 securechat securechat1 securechat123 summer2024 winter2024
    sayang123 sayangku sayangkamu akusayangkamu cintaku1 cinta123 akucintakamu bismillah bismillah1 bismillah123
    alhamdulillah assalamualaikum allahuakbar indonesia indonesia1 indonesia123 indonesia45 merdeka45 merdeka17
    garuda123 jakarta1 jakarta123 bandung1 bandung123 surabaya surabaya1 surabaya123 semarang yogyakarta jogjakarta
    makassar palembang denpasar persib1933 persebaya persija1928 rahasia1 rahasia123 rahasiaku katasandi sandi123
    sandi1234 kosong123 doraemon doraemon1 terserah sembarang matahari bintang1 bintang123 pelangi1 anakku123 mamapapa
    papamama ibusayang semangat semangat45 kucing123 gantengku cantik123 ganteng123 guru1234 siswa123 sekolah1
    sekolah123
"""
_COMMON = frozenset(_COMMON_ONES.split())


def check_password(raw: str, name: str) -> str:
    """Validate a new password.

    Args:
        raw: the password as typed.
        name: the account's name.

    Returns:
        The password as it is to be hashed.

    Raises:
        Refusal: PASSWORD_INVALID with a sentence that tells what to change, and never the password.
    """
    if len(raw) > 2 * MAX_PASSWORD_CHARS:  # checked before the profile spends time on it
        raise refusal_for("password_too_long", most=MAX_PASSWORD_CHARS)
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in raw):
        raise refusal_for("password_has_control_character")
    try:
        password = enforce(OPAQUE_STRING, raw, MAX_PASSWORD_CHARS) if raw else ""
    except TooLong:
        raise refusal_for("password_too_long", most=MAX_PASSWORD_CHARS) from None
    except UnicodeEncodeError:
        # Not chained: the exception carries the password.
        raise refusal_for("password_has_unusable_character") from None
    if len(password) < MIN_PASSWORD_CHARS:
        raise refusal_for("password_too_short", least=MIN_PASSWORD_CHARS)
    if unremembered_key(password) == name_key(name):
        raise refusal_for("password_is_name")
    folded = password.casefold()
    if len(set(folded)) == 1:
        raise refusal_for("password_one_character")
    if folded in _COMMON:
        raise refusal_for("password_too_common")
    return password


def normal_password(raw: str) -> str:
    """Return the form in which a login is compared; never refuses.

    Returns:
        The password as `check_password` returned it when it was new; ``raw`` when it cannot have been one.
    """
    if len(raw) > 2 * MAX_PASSWORD_CHARS:
        return raw
    try:
        return enforce(OPAQUE_STRING, raw, MAX_PASSWORD_CHARS)
    except (UnicodeEncodeError, TooLong):
        return raw
