from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from securechat.tls import key_exchange

from .conftest import ServerFile


def test_sets_our_configuration(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    assert key_exchange.prefer_modern_groups(environ, loaded=(), fips_flag=tmp_path / "absent")
    conf = Path(environ["OPENSSL_CONF"])
    assert f"Groups = {key_exchange.MODERN_GROUPS}" in conf.read_text().splitlines()


def test_a_users_own_configuration_stands(tmp_path: Path) -> None:
    environ = {"OPENSSL_CONF": "/somewhere"}
    assert not key_exchange.prefer_modern_groups(environ, loaded=(), fips_flag=tmp_path / "absent")
    assert environ == {"OPENSSL_CONF": "/somewhere"}


def test_too_late_once_ssl_is_there(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    assert not key_exchange.prefer_modern_groups(environ, loaded=("_ssl",), fips_flag=tmp_path / "absent")
    assert environ == {}


def test_fips_mode_keeps_the_system_configuration(tmp_path: Path) -> None:
    flag = tmp_path / "fips_enabled"
    flag.write_text("1\n")
    environ: dict[str, str] = {}
    assert not key_exchange.prefer_modern_groups(environ, loaded=(), fips_flag=flag)
    flag.write_text("0\n")
    assert key_exchange.prefer_modern_groups(environ, loaded=(), fips_flag=flag)


# A group that the configuration leaves out is refused with it and accepted without it.
_PROBE = """
import sys
from securechat.tls.key_exchange import prefer_modern_groups
if sys.argv[2] == "modern":
    assert prefer_modern_groups()
import ssl
from pathlib import Path
from securechat.tls.contexts import client_context, handshake_in_memory, server_context
directory = Path(sys.argv[1])
server = server_context(directory / "server.pem")
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.load_verify_locations(directory / "server.pem")
client.set_ecdh_curve(sys.argv[3])
try:
    handshake_in_memory(server, client, "localhost")
except ssl.SSLError as error:
    print(error.reason)
else:
    print("agreed")
"""


def test_what_a_handshake_makes_of_it(server_file: ServerFile) -> None:
    directory = server_file().parent

    def outcome(mode: str, group: str) -> str:
        environ = {"PYTHONPATH": str(Path(key_exchange.__file__).parents[2]), "PATH": ""}
        command = [sys.executable, "-c", _PROBE, str(directory), mode, group]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    assert outcome("modern", "prime256v1") == "agreed"
    assert outcome("modern", "secp384r1") == "agreed"
    assert outcome("default", "secp521r1") == "agreed"
    assert outcome("modern", "secp521r1") != "agreed"
