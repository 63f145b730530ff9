from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from securechat.errors import TlsFailure
from securechat.tls.private_files import PUBLIC_MODE, SECRET_MODE, write_pem

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [SECRET_MODE, PUBLIC_MODE])
def test_mode_whatever_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_pem(tmp_path / "x", b"x", mode=mode, replace=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode


@posix
def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen at the moment of creation, before any chmod."""
    seen: list[int] = []
    real = os.fchmod

    def spy(descriptor: int, mode: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", spy)
    before = os.umask(0)
    try:
        write_pem(tmp_path / "x", b"x", mode=SECRET_MODE, replace=False)
    finally:
        os.umask(before)
    assert seen == [SECRET_MODE]


def test_existing_file_stands_unless_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(TlsFailure, match="exists already and is not overwritten"):
        write_pem(path, b"new", mode=SECRET_MODE, replace=False)
    assert path.read_bytes() == b"old"
    write_pem(path, b"new", mode=SECRET_MODE, replace=True)
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_args: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    write_pem(tmp_path / "x", b"one", mode=SECRET_MODE, replace=False)
    with pytest.raises(TlsFailure, match="exists already"):
        write_pem(tmp_path / "x", b"two", mode=SECRET_MODE, replace=False)
    assert (tmp_path / "x").read_bytes() == b"one"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TlsFailure, match="cannot be written: No space left on device"):
        write_pem(path, b"new", mode=SECRET_MODE, replace=True)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TlsFailure, match="is no directory"):
        write_pem(tmp_path / "file" / "x", b"x", mode=SECRET_MODE, replace=False)
    with pytest.raises(TlsFailure, match="cannot be written: Not a directory"):
        write_pem(tmp_path / "file" / "deeper" / "x", b"x", mode=SECRET_MODE, replace=False)
