"""Where a start leads: what was typed wins over what is remembered, and that over the defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from securechat.client import connection_plan
from securechat.client.connection_plan import ConnectionOptions, StartupError, decide, forget
from securechat.client.exit_codes import ClientExit
from securechat.client.local_store import LocalStore, authority_of
from securechat.invite_link import InviteLink
from securechat.tls.certificate_directory import ensure_server
from securechat.tls.contexts import SYSTEM_CAS
from tests.support.secrecy import PASSWORD, keep_secret

TOKEN = keep_secret("d0e1f2031425364758697a8b9cadbecf")
HERE = ("chat.example", 9000)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    found = []
    for name in ("one", "two"):
        directory = tmp_path_factory.mktemp(name)
        ensure_server(directory)
        found.append(directory / "ca.pem")
    return found[0], found[1]


@pytest.fixture
def ca(files: tuple[Path, Path]) -> str:
    return files[0].read_text()


@pytest.fixture
def memory(tmp_path: Path, ca: str, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """Ann was at HERE, and this folder has no certs/ca.pem."""
    monkeypatch.chdir(tmp_path)
    memory = LocalStore(tmp_path / "securechat-state")
    memory.keep_server(*HERE, ca, "ann")
    memory.keep_login(*HERE, ca, "ann", TOKEN)
    return memory


def where(
    given: ConnectionOptions, memory: LocalStore | None, *, interactive: bool = True
) -> tuple[str, int, str | None, str | None]:
    """Host, port, name, and the token that would be shown."""
    found = decide(given, memory, interactive=interactive)
    hello = found.credentials.hello(found.name or "nobody", "")
    return found.server_target.host, found.server_target.port, found.name, hello.token


def test_with_nothing_typed_it_goes_where_it_was_and_says_so(memory: LocalStore) -> None:
    assert where(ConnectionOptions(), memory) == (*HERE, "ann", TOKEN)
    assert decide(ConnectionOptions(), memory, interactive=True).notes == [
        "Using the last server, chat.example port 9000, as ann"
    ]


def test_who_knows_several_servers_is_told_how_to_go_to_another_one(memory: LocalStore, ca: str) -> None:
    memory.keep_server("other.example", 9000, ca, "ann")
    last = "Using the last server, other.example port 9000, as ann"
    interactive, piped = (decide(ConnectionOptions(), memory, interactive=each).notes for each in (True, False))
    assert interactive == [last, "For another server: securechat-client --servers"]
    assert len(piped) == 1


def test_what_was_typed_wins(memory: LocalStore, files: tuple[Path, Path]) -> None:
    assert where(ConnectionOptions(name="bob"), memory) == (*HERE, "bob", None)
    assert where(ConnectionOptions(ca=str(files[0])), memory) == ("localhost", 8443, None, None)
    assert where(ConnectionOptions(ca=str(files[0]), server="chat.example:9000"), memory) == (*HERE, "ann", TOKEN)


def test_a_login_is_not_shown_to_another_ca(memory: LocalStore, files: tuple[Path, Path]) -> None:
    given = ConnectionOptions(ca=str(files[1]), server="chat.example:9000", name="ann")
    assert where(given, memory) == (*HERE, "ann", None)
    assert where(ConnectionOptions(ca=str(files[1]), server="chat.example:9000"), memory)[2] is None


def test_a_server_that_was_named_again_is_trusted_as_before(memory: LocalStore, ca: str) -> None:
    found = decide(ConnectionOptions(server="Chat.Example", port=9000), memory, interactive=True)
    assert found.name == "ann"
    assert found.notes == []


def test_another_ca_than_before_is_warned_about_however_it_was_given(
    memory: LocalStore, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked through: --ca FILE, --ca system and --pin; an invite asks, and has its own tests. A file with the old CA
    and the new one, for a change of CA, is no other CA."""
    monkeypatch.setattr(connection_plan, "learn_ca", lambda *_: files[1].read_text())
    shown = [f"sha256:{authority_of(path.read_text())}" for path in files]
    for given, now in (
        (ConnectionOptions("chat.example:9000", ca=str(files[1])), shown[1]),
        (ConnectionOptions("chat.example:9000", pin=shown[1]), shown[1]),
        (ConnectionOptions("chat.example:9000", ca="system"), "the CAs that this machine trusts"),
    ):
        for interactive in (True, False):
            notes = decide(given, memory, interactive=interactive).notes
            assert notes[:3] == [
                "WARNING: chat.example port 9000 used another CA before",
                f"Remembered: {shown[0]}",
                f"Given now: {now}",
            ]
    both = files[0].with_name("both.pem")
    both.write_text(files[1].read_text() + files[0].read_text())
    assert decide(ConnectionOptions("chat.example:9000", ca=str(both)), memory, interactive=True).notes == []


def test_the_systems_cas_are_remembered_and_are_no_file(memory: LocalStore) -> None:
    memory.forget_server(*HERE)
    memory.keep_server(*HERE, "system", "ann")
    memory.keep_login(*HERE, "system", "ann", TOKEN)
    assert where(ConnectionOptions(), memory) == (*HERE, "ann", TOKEN)
    assert decide(ConnectionOptions("chat.example:9000", ca="system"), memory, interactive=True).notes == []
    with pytest.raises(StartupError) as caught:
        decide(ConnectionOptions("chat.example:9000", ca="./system"), memory, interactive=True)
    assert caught.value.code is ClientExit.BAD_CA_FILE


@pytest.mark.parametrize("given", [ConnectionOptions(server="elsewhere"), ConnectionOptions(port=1)])
def test_a_server_nobody_knows_needs_a_ca(memory: LocalStore, given: ConnectionOptions) -> None:
    with pytest.raises(StartupError) as caught:
        decide(given, memory, interactive=True)
    assert caught.value.code is ClientExit.BAD_CA_FILE


def test_without_a_memory_the_defaults_of_a_checkout_hold(tmp_path: Path, ca: str, memory: LocalStore) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "ca.pem").write_text(ca)
    assert where(ConnectionOptions(), None) == ("localhost", 8443, None, None)
    memory.forget_server(*HERE)
    assert where(ConnectionOptions(), memory) == ("localhost", 8443, None, None)


def test_a_script_takes_a_remembered_name_only_with_a_proof_of_it(memory: LocalStore, ca: str) -> None:
    assert where(ConnectionOptions(), memory, interactive=False) == (*HERE, "ann", TOKEN)
    memory.keep_server(*HERE, ca, "a guest")
    assert where(ConnectionOptions(), memory, interactive=False)[2] is None
    with pytest.raises(StartupError) as caught:
        decide(ConnectionOptions(), memory, interactive=False, needs_name=True)
    assert caught.value.code is ClientExit.USAGE


def test_a_password_comes_from_its_file_only(memory: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "my.password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    assert PASSWORD not in repr(decide(ConnectionOptions(password_file=str(path)), memory, interactive=True))
    with pytest.raises(StartupError) as caught:
        decide(ConnectionOptions(password_file=str(tmp_path / "nowhere")), memory, interactive=True)
    assert caught.value.code is ClientExit.LOGIN_REFUSED


def test_a_certificate_file_that_is_none_is_not_blamed_on_the_ca(memory: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        decide(ConnectionOptions(certificate=str(tmp_path / "nowhere.pem")), memory, interactive=True)
    assert caught.value.code is ClientExit.LOGIN_REFUSED
    assert "ca.pem" not in caught.value.sentence


# --- invites ----------------------------------------------------------------------------------------------------------


def link_for(ca: str) -> InviteLink:
    return InviteLink(*HERE, token=TOKEN, ca_fingerprint=f"sha256:{authority_of(ca)}", once=True)


@pytest.fixture
def learned(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {f"sha256:{authority_of(path.read_text())}": path.read_text() for path in files}
    monkeypatch.setattr(connection_plan, "learn_ca", lambda host, port, pin, timeout_s: texts[f"sha256:{pin.hex()}"])


@pytest.mark.usefixtures("learned")
def test_an_invite_says_where_to_go_and_whom_to_trust_and_asks_for_a_new_name(memory: LocalStore, ca: str) -> None:
    found = decide(ConnectionOptions(invite=link_for(ca)), memory, interactive=True)
    assert (found.server_target.host, found.server_target.port, found.name) == (*HERE, None)
    hello = found.credentials.hello("new", "")
    assert (hello.invite, hello.token) == (TOKEN, None)


@pytest.mark.usefixtures("learned")
@pytest.mark.parametrize("answer", [True, False])
def test_an_invite_for_another_ca_than_the_one_remembered_is_a_warning_and_a_question(
    memory: LocalStore, files: tuple[Path, Path], answer: bool
) -> None:
    warnings: list[str] = []

    def confirm(warning: str) -> bool:
        warnings.append(warning)
        return answer

    other = files[1].read_text()
    given = ConnectionOptions(invite=link_for(other), name="new")
    if answer:
        decide(given, memory, interactive=True, confirm=confirm)
    else:
        with pytest.raises(StartupError) as caught:
            decide(given, memory, interactive=True, confirm=confirm)
        assert caught.value.code is ClientExit.WRONG_CA
    (warning,) = warnings
    assert authority_of(other) in warning
    assert authority_of(files[0].read_text()) in warning
    with pytest.raises(StartupError):
        decide(given, memory, interactive=False)


def test_an_invite_without_a_fingerprint_trusts_the_cas_of_the_machine(memory: LocalStore, ca: str) -> None:
    link = InviteLink(*HERE, token=TOKEN, ca_fingerprint=None, once=True)
    elsewhere = InviteLink("other.example", 9000, token=TOKEN, ca_fingerprint=None, once=True)
    warnings: list[str] = []
    decide(
        ConnectionOptions(invite=elsewhere, name="new"),
        memory,
        interactive=True,
        confirm=lambda warning: bool(warnings.append(warning)),
    )
    assert warnings == [], "nothing is remembered about that server"
    with pytest.raises(StartupError) as caught:  # it would trust another CA than the one remembered
        decide(ConnectionOptions(invite=link, name="new"), memory, interactive=True, confirm=lambda _warning: False)
    assert caught.value.code is ClientExit.WRONG_CA
    memory.keep_server(*HERE, SYSTEM_CAS, "ann")
    found = decide(ConnectionOptions(invite=link, name="new"), memory, interactive=True)
    assert found.credentials.hello("new", "").invite == TOKEN


# --- forgetting -------------------------------------------------------------------------------------------------------


def test_forgetting_names_the_server_or_means_the_last(memory: LocalStore, ca: str) -> None:
    memory.keep_server("elsewhere", 1, ca, "ann")
    assert "chat.example port 9000" in forget(ConnectionOptions(server="chat.example:9000"), memory)
    assert "elsewhere port 1" in forget(ConnectionOptions(), memory)
    assert memory.last() is None
    assert forget(ConnectionOptions(), memory) == "Nothing is remembered about this server"
    with pytest.raises(StartupError):
        forget(ConnectionOptions(), None)


def test_the_file_with_the_ca_is_known_where_it_came_from_one(
    memory: LocalStore, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a line for curl can name: a path for every folder, nothing for a remembered or learned CA."""
    monkeypatch.setattr(connection_plan, "learn_ca", lambda *_: files[0].read_text())
    fingerprint = f"sha256:{authority_of(files[0].read_text())}"

    def path(given: ConnectionOptions) -> str | None:
        return decide(given, memory, interactive=True).server_target.ca

    assert path(ConnectionOptions("other.example", ca=str(files[0]))) == str(files[0])
    spaced = tmp_path / "my ca.pem"
    spaced.write_text(files[0].read_text())
    assert path(ConnectionOptions("other.example", ca="my ca.pem")) == f"'{spaced}'"
    assert path(ConnectionOptions(ca="system")) == ""
    assert path(ConnectionOptions()) is None
    assert path(ConnectionOptions("other.example", pin=fingerprint)) is None
    link = InviteLink("other.example", 9000, "0" * 32, fingerprint, once=True)
    assert path(ConnectionOptions(invite=link)) is None
    default = tmp_path / "certs" / "ca.pem"
    default.parent.mkdir()
    default.write_text(files[0].read_text())
    assert path(ConnectionOptions("other.example")) == "certs/ca.pem"
