"""The first start on a screen and what goes wrong at one: how the form looks, what is told, and a hostile server."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from securechat import model as m
from securechat.tls.pem_bundle import fingerprint
from tests.e2e.test_screen_snapshots import Golden
from tests.e2e.test_terminal_hostile import LEAVING as ALL_LEAVING
from tests.support.client import CLIENT, ROOT, at
from tests.support.native import NativeClient
from tests.support.played_server import BOB, PlayedModel, PlayedServer
from tests.support.screen import ENTER, ON, Screen
from tests.support.server import ServerProcess
from tests.support.terminal_escapes import escapes, known
from tests.support.terminal_state import TerminalUnderTest, is_shown_safely

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix"),
    pytest.mark.not_pseudo("is about English and Indonesian"),
]
Open = Callable[..., TerminalUnderTest]
ESCAPE = "\x1b[27u"
CLEAR, TAB, F2 = "\x15", "\t", "\x1bOQ"
LEAVING = ALL_LEAVING["screen"]
SHELLS = {"lines": {}, "screen": ON}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Open]:
    """Starts clients in a folder without a CA, with a memory of their own."""
    opened: list[TerminalUnderTest] = []

    def make(*flags: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None) -> TerminalUnderTest:
        memory = {"SECURECHAT_STATE": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}
        whole = {**memory, "COLORTERM": "truecolor", **(env or {})}
        one = TerminalUnderTest([*CLIENT, *flags], cwd=tmp_path, columns=columns, rows=rows, env=whole)
        opened.append(one)
        return one

    yield make
    for each in opened:
        each.__exit__()


def pin_of(ca: Path) -> str:
    return fingerprint(x509.load_pem_x509_certificate(ca.read_bytes()))


def masked_pins(ca: Path) -> Callable[[str], str]:
    """Return what replaces the pieces of a fingerprint, which is another one in each run."""
    digits = pin_of(ca).removeprefix("sha256:")

    def mask(text: str) -> str:
        return re.sub(r"[0-9a-f]{8,}", lambda found: "0" * len(found[0]) if found[0] in digits else found[0], text)

    return mask


# --- how the form looks


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 20)])
def test_each_step_of_the_form(
    start: Open, certs: Path, request: pytest.FixtureRequest, columns: int, rows: int, language: str
) -> None:
    with PlayedServer(certs) as server:
        golden = Golden(update=request.config.getoption("--update-golden"), port=server.port)
        one = start("--name", "ann", columns=columns, rows=rows, env={**ON, "SECURECHAT_LANG": language})

        def expect(step: str) -> None:
            golden.expect(one, f"start_{step}_{columns}x{rows}_{language}", masked_pins(server.ca))

        def answers(*keys: str) -> None:
            """Type, and wait until what was typed has been tried."""
            before = len(one.output)
            one.type("".join(keys))
            one.wait_until(lambda: len(one.output) > before, "an answer", 20)

        one.wait_for("ann")
        expect("fields")
        answers("127.0.0.1:1", TAB, TAB, TAB, ENTER)
        expect("address_refused")
        answers(CLEAR, f"{server.host}:{server.port}", TAB, "sha256:", "0" * 64, TAB, TAB, ENTER)
        expect("fingerprint_refused")
        answers(CLEAR, TAB, TAB, ENTER)
        expect("compare")
        answers("no", ENTER)
        expect("compare_refused")
        answers(CLEAR, pin_of(server.ca), ENTER)
        one.wait_for("ann · ")
        one.type(ESCAPE)
        one.line("/quit")
        assert one.wait_for_exit() == 0
        one = start("--servers", columns=columns, rows=rows, env={**ON, "SECURECHAT_LANG": language})
        one.wait_for(f"{server.host}:{server.port}")
        expect("servers")


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 20)])
def test_a_wrong_password_is_told_where_it_was_asked(
    start: Open, server: ServerProcess, request: pytest.FixtureRequest, columns: int, rows: int, language: str
) -> None:
    golden = Golden(update=request.config.getoption("--update-golden"), port=server.port)
    with NativeClient(server.port, server.ca) as ann:
        ann.hello("ann")
        ann.send(m.Register(ref=1, password="correct horse battery"))
        ann.wait_for(m.Registered)
    one = start(*at(server, "--name", "ann"), columns=columns, rows=rows, env={**ON, "SECURECHAT_LANG": language})
    one.wait_for({"en": "Password for", "id": "Kata sandi ann"}[language])
    one.line("wrong horse battery")
    one.wait_for({"en": "Wrong password", "id": "Kata sandi salah"}[language])
    golden.expect(one, f"start_password_refused_{columns}x{rows}_{language}", masked_pins(server.ca))


# --- what is broken at the start


def broken_config(folder: Path) -> tuple[list[str], dict[str, str], str]:
    file = folder / "client.toml"
    file.write_text('theme = "pink"\n')
    return ["--config", str(file)], {}, f"{file}:1: theme is auto or dark or light"


def half_a_config(folder: Path) -> tuple[list[str], dict[str, str], str]:
    file = folder / "client.toml"
    file.write_text("[notify\n")
    return [], {"SECURECHAT_CLIENT_CONFIG": str(file)}, f"{file}:1: "


def no_config(folder: Path) -> tuple[list[str], dict[str, str], str]:
    return ["--config", str(folder / "none.toml")], {}, f"{folder / 'none.toml'} cannot be read"


def bytes_for_a_config(folder: Path) -> tuple[list[str], dict[str, str], str]:
    file = folder / "client.toml"
    file.write_bytes(b"theme = \xff\xfe\x1b[2J\n")
    return ["--config", str(file)], {}, f"{file}"


def a_file_for_a_state_folder(folder: Path) -> tuple[list[str], dict[str, str], str]:
    (folder / "memory").write_text("in the way")
    told = f"The file {folder / 'memory' / 'v1'} cannot be read and is not used: Not a directory"
    return [], {"SECURECHAT_STATE": str(folder / "memory")}, told


def an_unwritable_state_folder(folder: Path) -> tuple[list[str], dict[str, str], str]:
    return [], {"SECURECHAT_STATE": "/proc/securechat"}, "Your login could not be saved in /proc/securechat/v1"


def a_damaged_entry(folder: Path) -> tuple[list[str], dict[str, str], str]:
    (folder / "memory" / "v1").mkdir(parents=True, mode=0o700)
    entry = folder / "memory" / "v1" / "habits-1.json"
    entry.write_bytes(b"\x00\x1b[2J")
    entry.chmod(0o600)
    return [], {"SECURECHAT_STATE": str(folder / "memory")}, str(entry)


def no_such_language(folder: Path) -> tuple[list[str], dict[str, str], str]:
    return [], {"SECURECHAT_LANG": "xx"}, "There is no translation called xx"


def no_catalogue(folder: Path) -> tuple[list[str], dict[str, str], str]:
    return ["--lang", "id"], {"SECURECHAT_LOCALE_DIR": str(folder)}, f"{folder}/id/LC_MESSAGES/securechat.mo cannot be"


def no_such_locale(folder: Path) -> tuple[list[str], dict[str, str], str]:
    """Python takes UTF-8 then, and English is shown: nothing is lacking, so nothing is told."""
    return [], {"LC_ALL": "xx_YY.UTF-8", "LANG": "xx_YY.UTF-8"}, "Joined #lobby"


def no_utf_8(folder: Path) -> tuple[list[str], dict[str, str], str]:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return [], env, "This terminal's characters are ascii, not UTF-8: others are shown as ?. Set LC_ALL=C.UTF-8"


Broken = Callable[[Path], tuple[list[str], dict[str, str], str]]
BROKEN: tuple[Broken, ...] = (
    broken_config,
    half_a_config,
    no_config,
    bytes_for_a_config,
    a_file_for_a_state_folder,
    an_unwritable_state_folder,
    a_damaged_entry,
    no_such_language,
    no_catalogue,
    no_such_locale,
    no_utf_8,
)


@pytest.mark.cold
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_told_with_its_place_and_the_chat_starts(
    standing: ServerProcess, tmp_path: Path, broken: Broken, shell: str
) -> None:
    """In a process each, as the locale is that of a start."""
    flags, env, told = broken(tmp_path)
    name = f"{broken.__name__}-{shell}".replace("_", "-")[-32:].lstrip("-")
    command = [*CLIENT, *at(standing, "--name", name, *flags)]
    with (
        NativeClient(standing.port, standing.ca) as bob,
        Screen(command, cwd=ROOT, columns=300, env={**SHELLS[shell], **env}) as one,
    ):
        bob.hello(f"bob{name[-29:]}")
        one.wait_for("Joined #lobby")
        one.wait_until(lambda: one.text.count(told) == 1, f"once: {told}")
        assert is_shown_safely("".join(one.rows))
        one.line(f"all the same, {name}")
        bob.wait_for_text(f"all the same, {name}")


# --- a hostile server


class HostileModel(PlayedModel):
    """A server that gives the user another name.

    Attributes:
        given_name: instead of the one asked for.
    """

    given_name = ""

    def hello(self, secret: str, name: str) -> None:
        super().hello(secret, self.given_name)


HOSTILE = {
    "escapes": "\x1b]0;pwned\x07\x1b[2J\x1b[?1049l\x1b]52;c;eA==\x07\x9b2J\r\nroot# \x00\x7f",
    "long": "long" * 2_500,
    "wide": "漢" * 5_000,
    "combining": "e" + "\u0301\u0489\u20dd" * 3_000,
    "bidi": "\u202egnp.exe\u2066\u200f\u2028 \U000e0041",
    "markup": "[bold]x[/] {0} %s [@click=app.quit]q[/]",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇮" * 500,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_server_says_of_itself_and_of_the_user_harms_nothing(start: Open, certs: Path, kind: str) -> None:
    hostile = HOSTILE[kind]
    model = HostileModel(server_name=hostile, topics={"lobby": hostile}, people=[BOB, m.Person(9, hostile)])
    model.given_name = "ann"
    with PlayedServer(certs, model) as server:
        where = ("--ca", str(server.ca), f"{server.host}:{server.port}", "--name", "ann")

        def around(one: TerminalUnderTest) -> tuple[object, ...]:
            """All that stays as it is: title, modes, cursor, the edge between the panes, the last row."""
            return one.state(), one.cells(20, 0, 1, 22), one.cells(0, 23, 80, 1)

        def connected() -> TerminalUnderTest:
            one = start(*where, env=ON)
            server.wait_until_connected()
            one.wait_until(lambda: "Joined #lobby" in one.text and not one.emulator.cursor.hidden, "connected", 20)
            one.type(f"\x1b[I{ESCAPE}")
            one.wait_until(lambda: "Joined #lobby" not in one.text, "no notices", 20)
            return one

        model.server_name, model.topics, model.people = "played", {"lobby": "x"}, [BOB]
        harmless = connected()
        wanted = around(harmless)
        harmless.line("/quit")
        harmless.wait_for_exit()
        model.server_name, model.topics, model.given_name = hostile, {"lobby": hostile}, hostile
        model.people = [BOB, m.Person(9, hostile)]
        one = connected()
        one.wait_until(lambda: around(one) == wanted, "all around as with harmless words", 20)
        server.push([m.Notice(hostile, model.at_ms), server.say("after it")])
        one.wait_for("after it")
        assert is_shown_safely("".join(one.rows))
        one.type(F2)
        one.wait_for("Program: ")
        assert is_shown_safely("".join(one.rows))
        one.type(ESCAPE)
        one.wait_until(lambda: "Program: " not in one.text and around(one) == wanted, "all around as before", 20)
        one.line("/quit")
        assert one.wait_for_exit() == 0
        assert "pwned" not in str(one.emulator.title)
        assert escapes(one.output) <= known("screen") | LEAVING
        listed = start("--servers")
        assert listed.wait_for_exit() == 0
        assert escapes(listed.output) <= {"U+000D", "U+000A"}
        assert len(listed.output) < 1_000
        assert is_shown_safely("".join(listed.rows))
        form = start("--servers", env=ON)
        form.wait_for(f"{server.host}:{server.port}")
        assert is_shown_safely("".join(form.rows))
        form.type(f"\x1b[B{ENTER}")
        form.wait_for("Fingerprint")
        assert is_shown_safely("".join(form.rows))
        assert escapes(form.output) <= known("screen")
