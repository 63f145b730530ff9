"""What `certs` prints about names that the CA cannot certify."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from securechat.admin.certificate_options import add_options
from securechat.admin.certificates import make
from securechat.tls import certificate_directory
from securechat.tls.hostnames import parse_names


def run(directory: Path, *arguments: str) -> tuple[dict[str, object], str]:
    parser = argparse.ArgumentParser()
    add_options(parser, directory, "certs/")
    record, lines = make(parser.parse_args(arguments))
    return record, "\n".join(lines)


def test_a_new_name_of_the_machine_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_directory, "local_names", lambda: parse_names(["localhost", "workstation"]))
    _, printed = run(tmp_path)
    assert "Left out" not in printed
    monkeypatch.setattr(certificate_directory, "local_names", lambda: parse_names(["localhost", "renamed", "8.8.8.8"]))
    record, printed = run(tmp_path, "--if-needed")
    assert "Left out, because this CA cannot certify them: renamed, 8.8.8.8. A new CA can (--new-ca)" in printed
    assert record["reasons"] == []
    record, printed = run(tmp_path, "--new-ca")
    assert "Left out" not in printed
    assert record["new_ca"] is True
    assert record["names"] == ["localhost", "renamed", "workstation", "8.8.8.8"]
