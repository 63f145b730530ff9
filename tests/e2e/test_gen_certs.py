"""``python tools/gen_certs.py`` as a user runs it: another process, from a checkout, its words and its exit code."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from securechat.tls.client_certificates import fingerprint_of_file
from securechat.tls.contexts import ServerCertificate, client_context, handshake_in_memory, server_context
from securechat.tls.pem_bundle import fingerprint, read_bundle
from securechat.tls.trust import load_ca_file, parse_pin

TOOL = Path(__file__).resolve().parents[2] / "tools" / "gen_certs.py"


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -I: neither the current directory nor PYTHONPATH helps it to find the package.
    command = [sys.executable, "-I", str(TOOL), "--dir", "certs", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("gen_certs: ") and done.stderr.count("\n") == 1, "one line, no traceback"
    return done.stderr


def test_a_folder_is_printed_as_it_was_typed(tmp_path: Path) -> None:
    for folder in ("n x", str(tmp_path / "n x")):
        done = run(tmp_path, "--dir", folder)
        assert f"--cert {shlex.quote(str(Path(folder, 'server.pem')))}" in done.stdout, done.stderr
        assert f"--ca {shlex.quote(str(Path(folder, 'ca.pem')))}" in done.stdout


def test_first_run_second_run_and_a_client(tmp_path: Path) -> None:
    first = run(tmp_path, "--name", "chat.example", "--name", "10.1.2.3")
    assert (first.returncode, first.stderr) == (0, "")
    certs = tmp_path / "certs"
    ca = (certs / "ca.pem").read_bytes()
    bundle = read_bundle(certs / "server.pem")
    assert bundle.authority is not None
    assert fingerprint(bundle.authority) in first.stdout
    assert parse_pin(re.findall(r"sha256:\S+", first.stdout)[0])
    assert f"Next: securechat-server --cert {Path('certs', 'server.pem')}" in first.stdout

    second = run(tmp_path)
    assert second.returncode == 0
    assert (certs / "ca.pem").read_bytes() == ca
    assert read_bundle(certs / "server.pem").leaf != bundle.leaf
    for host in ("localhost", "127.0.0.1", "::1", "chat.example", "10.1.2.3"):
        trusted = client_context(load_ca_file(certs / "ca.pem"))
        handshake_in_memory(server_context(certs / "server.pem"), trusted, host)

    third = run(tmp_path, "--if-needed")
    assert "is still valid. Nothing was written" in third.stdout

    client = run(tmp_path, "--client", "ci bot")
    assert (client.returncode, client.stderr) == (0, "")
    own = certs / "client-ci_bot.pem"
    assert fingerprint_of_file(own) in client.stdout
    assert 'securechat-client --cert certs/client-ci_bot.pem --name "ci bot"' in client.stdout.replace("\\", "/")
    assert "/cert add" in client.stdout
    if os.name == "posix":
        assert own.stat().st_mode & 0o777 == 0o600
    showing = client_context(load_ca_file(certs / "ca.pem"), certificate=own)
    end, _ = handshake_in_memory(server_context(certs / "server.pem"), showing, "localhost")
    assert end.getpeercert()["subject"] == ((("commonName", "ci bot"),),)  # type: ignore[index]
    assert "exists already and is not overwritten" in refused(run(tmp_path, "--client", "ci bot"))


def test_a_client_for_a_week(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, "--client", "ana", "--days", "7").returncode == 0
    left = read_bundle(tmp_path / "certs" / "client-ana.pem").not_after - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=6) < left <= dt.timedelta(days=7)
    for days in ("0", "-1", "x", "1.5", "99999"):
        done = run(tmp_path, "--client", "ben", "--days", days)
        assert (done.returncode, "not a number of days" in done.stderr) == (2, True), days


def test_new_ca_is_explained(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / "certs" / "ca.pem").read_bytes()
    done = run(tmp_path, "--new-ca")
    assert done.returncode == 0
    assert (tmp_path / "certs" / "ca.pem").read_bytes() != before
    assert "Clients refuse this server until they have the new ca.pem or pin" in done.stdout
    trusted = client_context(load_ca_file(tmp_path / "certs" / "ca.pem"))
    handshake_in_memory(server_context(tmp_path / "certs" / "server.pem"), trusted, "localhost")


def test_refusals_are_one_line(tmp_path: Path) -> None:
    assert "wildcards are not issued" in refused(run(tmp_path, "--name", "*.example"))
    assert "Make the CA first" in refused(run(tmp_path, "--client", "x"))
    assert not (tmp_path / "certs").exists()
    run(tmp_path)
    assert "is reserved" in refused(run(tmp_path, "--client", "server"))
    assert "A name cannot contain ':'" in refused(run(tmp_path, "--client", "a:b"))
    assert "--days is for client certificates" in refused(run(tmp_path, "--days", "3"))
    (tmp_path / "certs" / "ca.key").unlink()
    assert "ca.key: is missing" in refused(run(tmp_path))
    shutil.rmtree(tmp_path / "certs")
    (tmp_path / "certs").write_bytes(b"")
    assert "is no directory; name another one with --dir" in refused(run(tmp_path))


def test_it_speaks_indonesian(tmp_path: Path) -> None:
    """Files, commands and JSON stay as they are; what a person reads is translated, also by SECURECHAT_LANG."""
    first = run(tmp_path, "--lang", "id")
    assert (first.returncode, first.stderr) == (0, "")
    written, facts, then = first.stdout.replace("\\", "/").strip().split("\n\n")
    assert written.splitlines() == [
        "certs/ca.pem ditulis: sertifikat CA, untuk setiap klien",
        "certs/ca.key ditulis: kunci privat CA. Rahasiakan",
        "certs/server.pem ditulis: sertifikat dan kunci privat server. Simpan hanya di server",
    ]
    assert [line[:11] for line in facts.splitlines()] == ["  nama     ", "  berlaku  ", "  CA       "]
    assert re.search(r"sampai \d{1,2} [A-Z][a-z]{2} \d{4} \(perbarui dengan menjalankan ini lagi\)", facts)
    assert then.splitlines() == [
        "Berikutnya: securechat-server --cert certs/server.pem",
        "Lalu: securechat-client --ca certs/ca.pem",
    ]
    client = run(tmp_path, "--lang=id", "--client", "{x} %s")
    assert client.stdout.splitlines()[-1] == (
        "      masuk sekali dengan kata sandi, lalu ketik /cert add. Setelah itu cukup dengan sertifikat"
    )
    assert 'hanya untuk "{x} %s"' in client.stdout, "an argument is no template"
    assert "sudah ada dan tidak ditimpa; --force menggantinya" in refused(
        run(tmp_path, "--lang=id", "--client", "{x} %s")
    )
    assert "wildcard tidak diterbitkan" in refused(run(tmp_path, "--lang=id", "--name", "*.example"))
    help_page = run(tmp_path, "--lang=id", "--help").stdout
    assert "Buat CA dan sertifikat server untuk mesin ini" in help_page
    assert max(map(len, help_page.splitlines())) <= 80


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_openssl_agrees(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path, "--client", "bot")
    for purpose, file, more in (
        ("sslserver", "server.pem", ["-verify_hostname", "localhost"]),
        ("sslserver", "server.pem", ["-verify_ip", "127.0.0.1"]),
        ("sslclient", "client-bot.pem", []),
    ):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", *more, file]
        done = subprocess.run(command, cwd=tmp_path / "certs", capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout.strip()) == (0, f"{file}: OK"), done.stderr


def run_without(package: str, checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool of a checkout on a Python where a package cannot be imported, which stands in for its absence."""
    stub = checkout / "run.py"
    tool = str(checkout / "tools" / "gen_certs.py")
    stub.write_text(
        "import sys, runpy\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"sys.argv = [{tool!r}, *sys.argv[1:]]\n"
        f"runpy.run_path({tool!r}, run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, str(stub), *arguments], cwd=checkout, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout: nothing is installed in it."""
    (tmp_path / "tools").mkdir()
    shutil.copy(TOOL, tmp_path / "tools")
    (tmp_path / "securechat").symlink_to(TOOL.parents[1] / "securechat")
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="links and scripts as POSIX has them")
@pytest.mark.parametrize("package", ["cryptography", "msgspec"])
def test_in_a_fresh_checkout_one_sentence_names_the_command_that_works(checkout: Path, package: str) -> None:
    done = run_without(package, checkout, "--client", "ci bot")
    assert "`python3 tools/dev.py certs --client 'ci bot'`" in refused(done)
    assert package in done.stderr
    done = run_without(package, checkout, "--lang", "id")
    assert f"{package} belum terpasang untuk Python ini. Jalankan `python3 tools/dev.py certs --lang id`" in refused(
        done
    )


@pytest.mark.skipif(os.name == "nt", reason="links and scripts as POSIX has them")
def test_in_a_checkout_that_is_set_up_its_own_python_goes_on(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o700)
    done = run_without("msgspec", checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^Next: python3 \S*tools/dev.py serve --cert certs/server.pem$", done.stdout, re.MULTILINE)
    python.write_text("no program")
    assert "tools/dev.py certs" in refused(run_without("msgspec", checkout)), "dev.py mends it"


def test_securechat_admin_makes_the_same(tmp_path: Path) -> None:
    """After ``pip install`` there is no checkout. The folder is that of the server's own certificate."""

    def certs(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "securechat.cli.admin", "certs", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    first = certs("--name", "chat.example")
    assert (first.returncode, first.stderr) == (0, "")
    assert f"Next: securechat-server --cert {Path('certs', 'server.pem')}" in first.stdout
    again = json.loads(certs("--if-needed", "--json").stdout)
    assert (again["reasons"], again["new_ca"], "chat.example" in again["names"]) == ([], False, True)
    assert (tmp_path / "certs" / "ca.pem").stat().st_mode & 0o777 == 0o644 or os.name == "nt"
    (tmp_path / "s.toml").write_text('cert = "elsewhere/server.pem"')
    assert certs("--config", "s.toml").returncode == 0
    assert (tmp_path / "elsewhere" / "ca.key").exists()
    (tmp_path / "s.toml").write_text('cert = "live/fullchain.pem"')
    assert certs("--config", "s.toml").returncode == 0
    assert not (tmp_path / "live").exists(), "a certificate of another CA has no place for ours beside it"
    refusal = certs("--days", "3")
    assert (refusal.returncode, refusal.stdout) == (1, "")
    assert refusal.stderr == "securechat-admin: --days is for client certificates. Use it with --client NAME\n"


def test_a_new_ca_is_limited_and_says_so_when_a_name_is_outside(tmp_path: Path) -> None:
    assert run(tmp_path, "--name", "chat.example").returncode == 0
    assert ServerCertificate(tmp_path / "certs" / "server.pem").ca_is_limited
    assert run(tmp_path, "--name", "den.local", "--name", "10.9.9.9").returncode == 0
    told = refused(run(tmp_path, "--name", "other.example"))
    assert "can certify private names and addresses, and the names it was made with, but not other.example" in told
    assert "--new-ca makes a new CA" in told
    assert run(tmp_path, "--name", "other.example", "--new-ca").returncode == 0
    trusted = client_context(load_ca_file(tmp_path / "certs" / "ca.pem"))
    for host in ("chat.example", "other.example", "den.local", "10.9.9.9"):
        handshake_in_memory(server_context(tmp_path / "certs" / "server.pem"), trusted, host)
