"""A server started with ``--lang id``: its start speaks Indonesian, its log and its files stay English.

Looked through: help, banner, an overview of mistakes, every kind of StartFailure, printed settings, and the log of one
session in both forms, compared with the same session of a server in English.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from securechat.server.app import ExitCode
from tests.e2e.test_configuration import serve
from tests.support.native import NativeClient
from tests.support.server import ServerProcess

INDONESIAN = {"SECURECHAT_LANG": "id"}
SLOW_READER = "pembaca lambat diputus sebelum sempat diberi waktu"
RULE = "─" * 78


@pytest.fixture
def flags(certs: Path, tmp_path: Path) -> list[str]:
    """Flags with which nothing is wrong."""
    return ["--cert", str(certs / "server.pem"), "--host", "127.0.0.1", "--port", "0", "--data", str(tmp_path / "data")]


# --- The log ----------------------------------------------------------------------------------------------------------


def session_of(certs: Path, data: Path, language: str, *, json_log: bool) -> list[str]:
    """Run a server through a short session; return its console lines without what differs between two runs."""
    flags = ["--lang", language, "--rate-limit", "off", "--show-messages"]
    with ServerProcess(certs, data, *flags, json_log=json_log).start() as server:
        with NativeClient(server.port, server.ca) as ana:
            ana.hello("ana")
            ana.say("halo")
            server.wait_for_line("halo")
            ana.send_raw(b"\x00 no frame")
            ana.read_to_end()
        server.wait_for_line("disconnected")
        if sys.platform != "win32":
            server.signal(signal.SIGHUP)
            server.wait_for_line("new certificate in use")
        assert server.stop() == 0
        assert server.stderr == ""
        return [line for line in server.lines if "the loop was busy" not in line]  # a slow machine


def without_banner(lines: list[str]) -> list[str]:
    """Return the lines outside the two rules."""
    first = lines.index(RULE)
    return lines[:first] + lines[lines.index(RULE, first + 1) + 1 :]


def normalized(line: str) -> str:
    """Return a line of the log without times, ports and numbers."""
    return re.sub(r"\d+", "#", line)


def test_the_log_as_text_is_english(certs: Path, tmp_path: Path) -> None:
    english = session_of(certs, tmp_path / "en", "en", json_log=False)
    indonesian = session_of(certs, tmp_path / "id", "id", json_log=False)
    assert english != indonesian  # the banner
    assert list(map(normalized, without_banner(indonesian))) == list(map(normalized, without_banner(english)))
    assert any("message rates are off" in line for line in indonesian)
    assert any("all acknowledged messages are stored" in line for line in indonesian)


def test_the_log_as_json_is_english(certs: Path, tmp_path: Path) -> None:
    english = session_of(certs, tmp_path / "en", "en", json_log=True)
    indonesian = session_of(certs, tmp_path / "id", "id", json_log=True)
    assert list(map(normalized, indonesian)) == list(map(normalized, english))
    texts = [record["text"] for record in map(json.loads, indonesian) if "text" in record]
    assert "message rates are off (--rate-limit off)" in texts


# --- What a person reads ----------------------------------------------------------------------------------------------


def test_the_banner_is_indonesian_and_its_commands_are_not(certs: Path, tmp_path: Path) -> None:
    with ServerProcess(certs, tmp_path / "data", "--lang", "id", json_log=False).start() as server:
        server.wait_for_line("siap. Hentikan dengan Ctrl-C.")
        command = server.wait_for_line("--pin sha256:")
        assert re.fullmatch(rf"   securechat-client --pin sha256:[0-9a-f]{{64}} localhost:{server.port}", command)
        alamat, pin = server.wait_for_line(" alamat "), server.wait_for_line(" sidik jari CA ")
        assert alamat.index("127.0.0.1") == pin.index("sha256:")
        server.wait_for_line(" Untuk mengobrol dari komputer ini:")
        assert server.stop() == 0


def test_five_mistakes_are_told_in_indonesian(tmp_path: Path, flags: list[str]) -> None:
    file = tmp_path / "securechat.toml"
    file.write_text(
        "tls12 = 'on'\naccess = 'semua'\nlog-format = 'json'\n[limits]\noutbox_soft_bytes = 2_000_000\n", "utf-8"
    )
    done = serve("--check-config", "--config", str(file), *flags, "--port", "x", environ=INDONESIAN)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.replace("securechat-server: ", "").splitlines() == [
        f"galat: {file}:1: tls12: harus true atau false, tanpa tanda kutip, bukan teks 'on'",
        f"galat: {file}:2: access: harus open atau members, bukan 'semua'",
        f"galat: {file}:3: log-format: tidak ada pengaturan seperti itu; maksudmu log_format?",
        "galat: --port: harus angka dari 0 sampai 65535, bukan 'x'",
        f"galat: {file}:5: outbox_soft_bytes: harus lebih kecil dari outbox_hard_bytes; kalau tidak, {SLOW_READER}",
        "5 galat: server tidak akan bisa dijalankan",
    ]
    done = serve("--config", str(file), *flags, environ=INDONESIAN)
    assert done.stderr.endswith(" (3 masalah lain: --check-config menampilkan semuanya)\n")


@pytest.mark.not_pseudo("the file chooses the language")
def test_the_language_may_come_from_the_file_whose_mistakes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "securechat.toml"
    file.write_text("lang = 'id'\nport = 'x'\n", "utf-8")
    told = (
        f"securechat-server: {file}:2: port: harus angka dari 0 sampai 65535, bukan teks 'x' (hapus tanda kutipnya)\n"
    )
    assert serve("--config", str(file)).stderr == told


def test_a_good_configuration_is_called_good_in_indonesian(flags: list[str]) -> None:
    done = serve("--check-config", *flags, environ=INDONESIAN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "securechat-server: konfigurasinya benar\n", "")


def test_the_printed_settings_are_the_same_in_every_language(flags: list[str]) -> None:
    english, indonesian = (serve("--print-config", *flags, "--lang", each).stdout for each in ("en", "id"))
    assert indonesian.replace('lang = "id"', 'lang = "en"') == english


def test_the_help_is_indonesian_and_fits_80_columns() -> None:
    done = serve("--help", environ={**INDONESIAN, "COLUMNS": "80"})
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "--host ALAMAT" in done.stdout
    for word in (" the ", " and ", " of ", " must ", "ADDRESS"):
        assert word not in done.stdout


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (
            ["--cert", "none.pem"],
            ExitCode.CERTIFICATE,
            "none.pem tidak ada; buat server.pem dengan `",
        ),
        (["--data", __file__], ExitCode.LOG, f"tidak bisa membuat direktori data {__file__}: File sudah ada; pilih"),
        (["--data", "/tmp/" + "d" * 300], ExitCode.LOG, "path direktori data terlalu panjang: dengan"),
        (["--host", "192.0.2.77"], ExitCode.ADDRESS, "mesin ini tidak punya alamat itu; pakai --host"),
        (["--host", "0.0.0.0"], ExitCode.ADDRESS, "127.0.0.1 berarti alamat yang sama, atau yang satu mencakup"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="errors as Unix has them")
def test_a_failed_start_is_told_in_indonesian(flags: list[str], wrong: list[str], code: ExitCode, words: str) -> None:
    done = serve(*flags, *wrong, environ=INDONESIAN)
    assert done.returncode == code
    assert words in done.stderr


def test_what_is_in_use_is_told_in_indonesian(certs: Path, tmp_path: Path, flags: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = serve(*flags, "--port", port, environ=INDONESIAN)
        assert f"127.0.0.1:{port}: dipakai program lain (server yang sudah jalan?)" in done.stderr
    with ServerProcess(certs, tmp_path / "data").start() as server:
        done = serve(*flags, environ=INDONESIAN)
        assert done.stderr == (
            f"securechat-server: server securechat lain (proses {server.pid}) sudah memakai {tmp_path / 'data'}: "
            "hentikan, atau pilih --data lain\n"
        )
        done = serve("--check-config", *flags, environ=INDONESIAN)
        assert "--data lain. Port, soket, dan filenya tidak dicoba" in done.stderr


def test_what_sqlite_says_is_told_in_indonesian(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "securechat.db").write_bytes(b"no database" * 1000)
    done = serve(*flags, environ=INDONESIAN)
    assert done.returncode == ExitCode.LOG
    assert f"tidak bisa membuka log pesan di {tmp_path / 'data'}: file ini bukan database. Sebutkan direktori" in (
        done.stderr
    )


def test_a_database_that_went_away_is_told_in_indonesian(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "search.db").write_bytes(b"an index, or something like it")
    done = serve(*flags, environ=INDONESIAN)
    assert done.returncode == ExitCode.LOG
    assert "tidak ada, padahal search.db adalah indeks dari sebuah log (indeksnya sendiri tidak bisa dibaca)" in (
        done.stderr
    )
    assert "untuk mulai dari awal tanpa isinya, pindahkan search.db\n" in done.stderr
