"""tools/dev.py: each decision of the set-up, and once the whole way from a copy of the checkout."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from securechat.client.local_store import FOLDER
from tests.support.server import PATIENCE_S, ServerProcess

ROOT = Path(__file__).resolve().parent.parent.parent
DEV = ROOT / "tools" / "dev.py"
posix = pytest.mark.skipif(os.name == "nt", reason="the fake Python of this test is a shell script")


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, working on an empty checkout of its own."""
    spec = importlib.util.spec_from_file_location("dev", DEV)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path / "check out"
    root.mkdir()
    shutil.copy(ROOT / "pyproject.toml", root)
    monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(module, "VENV", root / ".venv")
    yield module


@pytest.fixture
def pip(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The extras of every installation, instead of the installations."""
    installed: list[list[str]] = []
    monkeypatch.setattr(dev, "install", lambda python, extras: installed.append(list(extras)))
    return installed


@pytest.fixture
def quick_venv(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Real virtual environments, but without pip: a tenth of a second each."""
    made: list[str] = []

    def make() -> None:
        made.append("made")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(dev.VENV)], check=True)

    monkeypatch.setattr(dev, "make_venv", make)
    return made


# --- Which Python -----------------------------------------------------------------------------------------------------


def test_an_old_python_can_read_the_file_to_its_sentence() -> None:
    ast.parse(DEV.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_old_python_is_told_in_one_sentence(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda name: "/usr/bin/python3.12" if name == "python3.12" else None)
    with pytest.raises(
        dev.Problem, match=r"needs Python 3\.11 or newer, but this is 3\.8\.10. Run it with python3\.12"
    ):
        dev.check_python((3, 8, 10))
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(dev.Problem, match=r"this is 3\.10\.0$"):
        dev.check_python((3, 10, 0))
    dev.check_python((3, 11, 0))


@pytest.mark.parametrize(
    ("release", "family"),
    [("ID=debian\n", True), ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', True), ("ID=fedora\n", False), (None, False)],
)
def test_an_incomplete_python_is_told_the_package(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None, family: bool
) -> None:
    path = tmp_path / "os-release"
    if release is not None:
        path.write_text(release, encoding="utf-8")
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000, raising=False)
    hint = dev.venv_hint(["ensurepip"], path)
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert (f"sudo apt install {package}\n" in hint) == family
    assert ("ensurepip missing" in hint) != family


def test_no_half_made_venv_is_begun_without_ensurepip(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    find = dev.importlib.util.find_spec
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(dev.Problem):
        dev.make_venv()
    assert not dev.VENV.exists()


# --- When to install --------------------------------------------------------------------------------------------------


def test_installed_once_and_again_only_for_a_reason(
    dev: ModuleType, pip: list[list[str]], quick_venv: list[str]
) -> None:
    assert Path(dev.set_up()).exists()
    assert pip == [[]]
    dev.set_up()
    assert pip == [[]], "nothing changed, so nothing is fetched"
    dev.set_up("dev")
    assert pip == [[], ["dev"]]
    dev.set_up()
    assert pip == [[], ["dev"]], "more than asked for is there"
    pyproject = dev.ROOT / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace("line-length = 120", "line-length = 100"), encoding="utf-8")
    dev.set_up()
    assert len(pip) == 2, "the settings of a tool need no installation"
    pyproject.write_text(text.replace('"apsw>=3.53"', '"apsw>=3.54"'), encoding="utf-8")
    dev.set_up()
    assert pip[2:] == [["dev"]], "a dependency changed: what is installed is brought up to date, extras included"
    assert quick_venv == ["made"]


def test_a_failed_installation_is_tried_again(
    dev: ModuleType, quick_venv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def fail(python: str, extras: list[str]) -> None:
        tries.append(python)
        raise dev.Problem("no network")

    monkeypatch.setattr(dev, "install", fail)
    monkeypatch.setattr(dev, "run_quietly", lambda command: "3.11" if "-I" in command else "pip 23")
    for _ in range(2):
        with pytest.raises(dev.Problem, match="no network"):
            dev.set_up()
    assert len(tries) == 2
    assert quick_venv == ["made"]


def test_a_server_does_without_pictures_where_there_is_no_pillow(
    dev: ModuleType, quick_venv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries: list[list[str]] = []

    def fail(python: str, extras: list[str]) -> None:
        tries.append(list(extras))
        if extras:
            raise dev.Problem("no wheel")

    monkeypatch.setattr(dev, "install", fail)
    for _ in range(2):
        assert dev.set_up(dev.PICTURES)
    assert tries == [["pictures"], []], "not tried again at each start"
    assert "Without Pillow" in capsys.readouterr().out
    with pytest.raises(dev.Problem):
        dev.set_up("dev")


@posix
@pytest.mark.parametrize("breakage", ["moved", "no python", "python fails", "other python", "no pip", "a file"])
def test_a_broken_venv_is_made_anew(
    dev: ModuleType, pip: list[list[str]], quick_venv: list[str], breakage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dev.set_up()
    stamp = json.loads(dev.stamp_path().read_text(encoding="utf-8"))
    python = Path(dev.venv_python())
    match breakage:
        case "moved":
            dev.stamp_path().write_text(json.dumps({**stamp, "root": "/elsewhere"}), encoding="utf-8")
        case "no python":
            python.unlink()
        case "python fails":
            python.unlink()
            python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
            python.chmod(0o755)
        case "other python":
            dev.stamp_path().write_text(json.dumps({**stamp, "python": "3.10"}), encoding="utf-8")
        case "no pip":
            dev.stamp_path().unlink()
        case _:
            shutil.rmtree(dev.VENV)
            dev.VENV.write_text("not a directory", encoding="utf-8")
    dev.set_up()
    assert quick_venv == ["made", "made"]
    assert pip == [[], []]
    assert "Making .venv again: " in capsys.readouterr().out


def test_two_set_ups_at_once_do_the_work_once(
    dev: ModuleType, quick_venv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[str] = []
    most = 0
    waits = threading.Event()
    try_lock = dev.try_lock

    def watched(descriptor: int) -> bool:
        taken: bool = try_lock(descriptor)
        if not taken:
            waits.set()
        return taken

    def slow(python: str, extras: list[str]) -> None:
        nonlocal most
        running.append(python)
        most = max(most, len(running))
        assert waits.wait(PATIENCE_S), "the other set-up never came to the lock"
        running.pop()

    installed = 0

    def count(python: str, extras: list[str]) -> None:
        nonlocal installed
        installed += 1
        slow(python, extras)

    monkeypatch.setattr(dev, "install", count)
    monkeypatch.setattr(dev, "try_lock", watched)
    threads = [threading.Thread(target=dev.set_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (installed, most, quick_venv) == (1, 1, ["made"])


# --- What becomes of the commands -------------------------------------------------------------------------------------


@pytest.fixture
def became(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What dev.py would have become, with everything before it left out."""
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(dev, "set_up", lambda extra=None: "PY")
    monkeypatch.setattr(dev, "become", lambda command, environment: calls.append((list(command), environment)) or 0)
    monkeypatch.setattr(dev, "see_to_certificates", lambda python: calls.append((["certificates"], {})))
    for name in ("CERT", "CONFIG", "DATA", "CA", "PIN", "STATE"):
        monkeypatch.delenv(f"SECURECHAT_{name}", raising=False)
    return calls


def test_serve_sees_to_certificates_and_passes_flags_on(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dev.main(["serve", "--port", "9000"]) == 0
    (first, _), (command, environment) = became
    certificate = str(dev.ROOT / "certs" / "server.pem")
    assert first == ["certificates"]
    assert command == ["PY", "-P", "-m", "securechat.cli.serve", "--cert", certificate, "--port", "9000"]
    assert environment == {"SECURECHAT_BANNER": "dev", "SECURECHAT_DATA": str(dev.ROOT / "securechat-data")}
    became.clear()
    monkeypatch.chdir(dev.ROOT)
    dev.main(["serve"])
    assert became[1][0][-1] == str(Path("certs") / "server.pem"), "short in the checkout itself"


@pytest.mark.parametrize("flags", [["--cert", "mine.pem"], ["--cert=mine.pem"], ["--help"]])
def test_serve_leaves_other_peoples_certificates_alone(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], flags: list[str]
) -> None:
    dev.main(["serve", *flags])
    assert [command[-len(flags) :] for command, _ in became] == [flags]


@pytest.mark.parametrize("how", ["--config=chat.toml", "--config chat.toml", "SECURECHAT_CONFIG"])
def test_serve_leaves_everything_to_a_configuration_file(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    flags = how.split() if how.startswith("--") else []
    if not flags:
        monkeypatch.setenv(how, "chat.toml")
    dev.main(["serve", *flags])
    assert became == [(["PY", "-P", "-m", "securechat.cli.serve", *flags], {"SECURECHAT_BANNER": "dev"})]


def test_admin_finds_what_serve_has_started(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.main(["admin", "invite", "--uses", "3"])
    dev.main(["admin", "status", "--config", "chat.toml"])
    (command, environment), (_, configured) = became
    assert command == ["PY", "-P", "-m", "securechat.cli.admin", "invite", "--uses", "3"]
    assert environment == {
        "SECURECHAT_BANNER": "dev",
        "SECURECHAT_DATA": str(dev.ROOT / "securechat-data"),
        "SECURECHAT_CERT": str(dev.ROOT / "certs" / "server.pem"),
    }
    assert configured == {"SECURECHAT_BANNER": "dev"}


def test_certs_makes_certificates_with_the_same_options(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]]
) -> None:
    dev.main(["certs", "--client", "ana"])
    command = ["PY", str(dev.ROOT / "tools" / "gen_certs.py"), "--client", "ana"]
    assert became == [(command, {"SECURECHAT_BANNER": "dev"})]


def test_chat_remembers_in_the_checkout_and_not_in_the_home_of_whoever_tries_it(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (dev.ROOT / "certs").mkdir()
    (dev.ROOT / "certs" / "ca.pem").write_text("x", encoding="utf-8")
    memory = dev.ROOT / "data" / "chat"
    (memory / FOLDER).mkdir(parents=True)
    (memory / FOLDER / "server-1.json").write_text("x", encoding="utf-8")
    dev.main(["chat"])
    assert became[-1][1] == {"SECURECHAT_BANNER": "dev", "SECURECHAT_STATE": str(memory)}, (
        "the remembered server has its own CA"
    )
    monkeypatch.setenv("SECURECHAT_STATE", "")
    dev.main(["chat"])
    assert "SECURECHAT_STATE" not in became[-1][1]


def test_chat_trusts_this_checkouts_ca_unless_told_otherwise(
    dev: ModuleType, became: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURECHAT_STATE", "mine")
    dev.main(["chat"])
    (dev.ROOT / "certs").mkdir()
    authority = dev.ROOT / "certs" / "ca.pem"
    authority.write_text("x", encoding="utf-8")
    dev.main(["chat", "--name", "ana"])
    dev.main(["chat", "--pin", "sha256:00", "somewhere"])
    assert [environment.get("SECURECHAT_CA") for _, environment in became] == [None, str(authority), None]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [([], True), (["--name", "ana"], True), (["--history=5"], True), (["localhost"], False), (["--port", "1"], False),
     (["--name", "ana", "localhost"], False), (["--help"], False)],
)  # fmt: skip
def test_chat_goes_to_the_port_of_the_server_that_runs_here(
    dev: ModuleType,
    became: list[tuple[list[str], dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    asked: bool,
) -> None:
    (dev.ROOT / "certs").mkdir()
    (dev.ROOT / "certs" / "ca.pem").write_text("x", encoding="utf-8")
    monkeypatch.setattr(dev, "port_of_server", lambda _: 24443)
    monkeypatch.delenv("SECURECHAT_STATE", raising=False)
    dev.main(["chat", *arguments])
    assert (became[-1][0][-2:] == ["--port", "24443"]) is asked


def test_the_port_is_that_of_a_server_that_runs(
    dev: ModuleType, server: ServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Asked of a real server: a made-up answer once had another field than `status`."""
    monkeypatch.setenv("SECURECHAT_DATA", str(server.data))
    assert dev.port_of_server(sys.executable) == server.port
    monkeypatch.setenv("SECURECHAT_DATA", str(tmp_path))
    assert dev.port_of_server(sys.executable) == 0


@pytest.mark.not_pseudo("a stand-in for the certificate tool speaks")
def test_a_certificate_that_cannot_be_renewed_stops_nobody(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (dev.ROOT / "certs").mkdir()
    (dev.ROOT / "tools").mkdir()
    (dev.ROOT / "tools" / "gen_certs.py").write_text("import sys; sys.exit('gen_certs: no key')", encoding="utf-8")
    with pytest.raises(dev.Problem, match="gen_certs: no key"):
        dev.see_to_certificates(sys.executable)
    (dev.ROOT / "certs" / "server.pem").write_text("old", encoding="utf-8")
    dev.see_to_certificates(sys.executable)
    assert "could not be renewed: gen_certs: no key" in capsys.readouterr().err


def test_certificates_are_made_and_renewed_through_gen_certs(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = dev.VENV.parent / "checkout"
    checkout.mkdir()
    (checkout / "tools").symlink_to(ROOT / "tools")
    monkeypatch.setattr(dev, "ROOT", checkout)
    target = checkout / "certs"
    dev.see_to_certificates(sys.executable)
    said = capsys.readouterr().out
    assert "ca.pem" in said
    assert "Next" not in said, "the server says what comes next"
    before = (target / "server.pem").read_bytes()
    dev.see_to_certificates(sys.executable)
    assert capsys.readouterr().out == "", "still good: not a word"
    assert (target / "server.pem").read_bytes() == before


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["dance"], 2), (["--help"], 0)])
def test_usage(dev: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    assert dev.main(arguments) == code
    said = capsys.readouterr()
    assert "usage: python3 tools/dev.py serve" in (said.out if code == 0 else said.err)


def test_a_failing_check_fails_the_run_but_not_the_others(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        name = " ".join(command[1:])
        ran.append(name)
        return subprocess.CompletedProcess(command, 1 if "ruff check" in name else 0, b"E501 too long")

    monkeypatch.setattr(dev, "set_up", lambda extra=None: "PY")
    monkeypatch.setattr(dev.subprocess, "run", run)
    assert dev.main(["test", "--fast", "tests/unit"]) == 1
    assert len(ran) == 8
    assert ran[-1] == "-m pytest -n 4 -m not slow tests/unit"
    assert "E501 too long" in capsys.readouterr().out
    ran.clear()
    dev.main(["test", "-n0"])
    assert ran[-1] == "-m pytest -n0"


@posix
def test_ctrl_c_on_windows_is_the_childs_business(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent that cannot become the program waits on through Ctrl-C and passes the exit code on."""

    class Child:
        waits = 0

        def wait(self) -> int:
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return 7

    monkeypatch.setattr(dev, "WINDOWS", True)
    monkeypatch.setattr(dev.subprocess, "Popen", lambda command, env: Child())
    assert dev.become(["x"], {}) == 7


# --- The whole way ----------------------------------------------------------------------------------------------------


def expect_catalogues(checkout: Path, target: Path, env: Mapping[str, str]) -> None:
    """Install the package as ``pip install .`` does: it has the catalogues, compiled, and speaks both languages."""
    for compiled in checkout.glob("securechat/locale/**/*.mo"):
        compiled.unlink()  # what is installed is made by the installation
    python = str(dev_python(checkout))
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(checkout)]
    done = subprocess.run(command, cwd=target.parent, capture_output=True, text=True, check=False, timeout=240, env=env)
    assert done.returncode == 0, done.stderr
    page = json.loads((target / "securechat" / "web" / "messages.id.json").read_bytes())
    assert page["language"] == "id"
    assert "Hari ini" in page["texts"].values()
    for language, word in (("en", "usage: "), ("id", "pemakaian: ")):
        shown = subprocess.run(
            [python, "-m", "securechat.cli.chat", "--lang", language, "--help"],
            cwd=target,
            env={**env, "PYTHONPATH": str(target)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.startswith(word)


def dev_python(checkout: Path) -> Path:
    return checkout / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


@pytest.mark.slow
def test_from_a_fresh_copy_to_a_running_program(tmp_path: Path) -> None:
    """Really make the environment and install into it; the client's version proves that it starts from anywhere."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    copy = tmp_path / "copy"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):  # they hold the passwords that runs may not leave
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    index = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(tmp_path / "probe"),
            "setuptools",
        ],
        capture_output=True,
        check=False,
    )
    if index.returncode != 0:
        pytest.skip("no package index can be reached from here")
    command = [sys.executable, str(copy / "tools" / "dev.py"), "chat", "--version"]
    uncompiled = {**os.environ, "PIP_NO_COMPILE": "1"}  # a program compiles what it imports; pip, everything
    first = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240, env=uncompiled
    )
    assert first.returncode == 0, first.stderr
    assert "dev: Installing securechat" in first.stdout
    expect_catalogues(copy, tmp_path / "installed", uncompiled)
    offline = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "1"}
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60, env=offline)
    assert (again.returncode, again.stdout.strip()) == (0, first.stdout.splitlines()[-1])
