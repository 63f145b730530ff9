"""Backups that cannot be made leave nothing behind; and what `check` thinks of clocks, certificates and disks."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from securechat.admin import backup_archive
from securechat.admin.backup_archive import CertificateFiles, make_backup, unpack
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.health import HealthFinding, HealthSubject, examine
from securechat.hub.wall_clock import Doubt
from securechat.limits import Limits
from securechat.model import Draft
from securechat.records.accounts import Account, AccountKind, OutgoingWebhook, Put
from securechat.storage.sqlite.store import SqliteStore
from securechat.storage.store import ApplyChanges
from securechat.tls.certificate_directory import ensure_server

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def quiet(share: float) -> None:
    assert 0 <= share <= 1


@pytest.fixture
def data(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "data", Limits(), wall_ms=lambda: int(NOW.timestamp() * 1000))
    store.open()
    store.apply([Draft(1, "ann", number, f"text {number}", "lobby") for number in range(1, 100)])
    store.close()
    return tmp_path / "data"


def test_progress_rises_and_every_member_can_be_checked(data: Path, tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    pem.write_bytes(b"certificate")
    shares: list[float] = []
    made = make_backup(
        tmp_path / "b.tar",
        data,
        CertificateFiles({"server.pem": pem}, b"authority"),
        force=False,
        progress=shares.append,
    )
    assert shares == sorted(shares)
    assert made.counts["messages"] == made.counts["last_seq"] == 99
    read = unpack(tmp_path / "b.tar", lambda name: tmp_path / f"out-{name}", quiet)
    assert read == made
    assert (tmp_path / "out-ca.pem").read_bytes() == b"authority"


def _full(*_: object) -> SimpleNamespace:
    return SimpleNamespace(free=1000)


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("member", ["disk_usage", "fsync", "replace", "interrupted"])
def test_a_backup_that_fails_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    (tmp_path / "out").mkdir()
    expected: type[BaseException] = AdminFailure
    progress: Callable[[float], None] = quiet
    if member == "disk_usage":
        monkeypatch.setattr(shutil, "disk_usage", _full)
    elif member == "fsync":
        monkeypatch.setattr(backup_archive.os, "fsync", _no_space)
    elif member == "replace":
        monkeypatch.setattr(backup_archive.Path, "replace", _no_space)
    else:
        expected = KeyboardInterrupt

        def progress(share: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(expected) as failure:
        make_backup(tmp_path / "out" / "b.tar", data, CertificateFiles({}), force=False, progress=progress)
    if isinstance(failure.value, AdminFailure):
        assert failure.value.code is AdminExit.IO
        assert "space" in failure.value.sentence
    assert list((tmp_path / "out").iterdir()) == []


def test_an_old_backup_survives_a_new_one_that_fails(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b.tar"
    target.write_bytes(b"old")
    monkeypatch.setattr(backup_archive.os, "fsync", _no_space)
    with pytest.raises(AdminFailure):
        make_backup(target, data, CertificateFiles({}), force=True, progress=quiet)
    assert target.read_bytes() == b"old"


# --- check ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def subject(data: Path, tmp_path: Path) -> Callable[..., list[HealthFinding]]:
    ensure_server(tmp_path / "certs", now=NOW - dt.timedelta(days=1))

    def found(now: dt.datetime, low_disk_bytes: int = 0) -> list[HealthFinding]:
        certificate = tmp_path / "certs" / "server.pem"
        return examine(
            HealthSubject(data=data, certificate=certificate, key=None, low_disk_bytes=low_disk_bytes, now=now), quiet
        )

    return found


def test_webhooks_that_are_off_are_found_with_the_reason_and_what_to_do(
    data: Path, subject: Callable[..., list[HealthFinding]]
) -> None:
    store = SqliteStore(data, Limits(), wall_ms=lambda: int(NOW.timestamp() * 1000))
    store.open()
    rows: list[Put] = []
    for number, off in enumerate(["", "gone", "failing", "room_gone"], 2):
        account = Account(number, f"hook {number}", f"hook {number}", kind=AccountKind.HOOK)
        row = OutgoingWebhook(number, "00", 0, "https://ci.lan/", "all", bots=False, secret="x", off=off)
        rows += [Put(account), Put(row)]
    store.apply([ApplyChanges(tuple(rows))])
    store.close()
    found = [each for each in subject(NOW) if each.word == "webhook"]
    assert [each.text for each in found] == [
        "The outgoing webhook hook 3 is off: its receiver answered 410",
        "The outgoing webhook hook 4 is off: every delivery of a day has failed",
        "The outgoing webhook hook 5 is off: its room was deleted",
    ]
    assert ["hook on 'hook" in each.fix for each in found] == [True, True, False]
    assert all("hook remove 'hook" in each.fix for each in found)


def test_nothing_is_found_where_nothing_is_wrong(subject: Callable[..., list[HealthFinding]]) -> None:
    assert subject(NOW) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (NOW + dt.timedelta(days=70), ["expires in 19 days"]),
        (NOW + dt.timedelta(days=100), ["has expired"]),
        (NOW - dt.timedelta(hours=1), ["1 h ahead"]),
        (NOW - dt.timedelta(days=2), ["valid from", "2 d ahead"]),
        (dt.datetime(1980, 1, 1, tzinfo=dt.UTC), ["1 Jan 1980, which is impossible", "valid from", "ahead"]),
    ],
)
def test_clocks_and_certificates(
    subject: Callable[..., list[HealthFinding]], now: dt.datetime, words: list[str]
) -> None:
    found = subject(now)
    assert len(found) == len(words), found
    for finding, word in zip(found, words, strict=True):
        assert word in finding.text
        assert finding.fix


@pytest.mark.parametrize("days", [-10, 10])
def test_a_clock_far_from_when_the_server_last_ran_is_a_finding(data: Path, tmp_path: Path, days: int) -> None:
    ensure_server(tmp_path / "certs", now=NOW - dt.timedelta(days=1))
    now_ms = int(NOW.timestamp() * 1000)
    subject = HealthSubject(
        data=data,
        certificate=tmp_path / "certs" / "server.pem",
        key=None,
        low_disk_bytes=0,
        now=NOW,
        clock_doubt=Doubt(now_ms, now_ms - days * 86_400_000, 86_400.0),
    )
    (finding,) = examine(subject, quiet)
    assert finding.word == "clock"
    assert ("was off" in finding.text) == (days > 0)
    assert "set-ntp" in finding.fix


def test_a_disk_that_is_too_full(subject: Callable[..., list[HealthFinding]]) -> None:
    (finding,) = subject(NOW, 1 << 62)
    assert finding.word == "disk"
