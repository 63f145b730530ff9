"""The commands that this tool carries out by itself, on the files, whether a server runs or not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.admin import tables as show
from securechat.admin.backup_archive import KEY_FILE, CertificateFiles, Manifest, make_backup
from securechat.admin.context import CommandContext, shell
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.health import HealthSubject, examine
from securechat.admin.restore import next_steps, recover, restore
from securechat.errors import LogError, TlsFailure
from securechat.hub.wall_clock import Doubt
from securechat.server.admin_protocol import AddAuditNote, GetStatus
from securechat.server.clock_file import doubt_at_rest
from securechat.storage.sqlite.loss import extent
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.storage.tools.integrity import damage, last_message_at_ms
from securechat.text.counts import counted
from securechat.text.durations import shown_time
from securechat.tls.certificate_directory import CA_FILE, CA_KEY_FILE, SERVER_FILE
from securechat.tls.pem_bundle import read_bundle


def audit(context: CommandContext) -> AdminExit:
    """The last administrative acts."""
    with readable(context.data) as snapshot:
        rows = [msgspec.to_builtins(entry) for entry in snapshot.audit(context.options.last)]
    context.output.table(rows, show.AUDIT, [show.audit(row) for row in rows], "nothing was ever administrated here")
    return AdminExit.OK


def backup(context: CommandContext) -> AdminExit:
    """Make a backup, and have the server write down that it was made."""
    options, target = context.options, Path(context.options.file)
    certificate, key = _certificate_files(context, _facts(context))
    certificates = _certificates(certificate, key, with_ca_key=options.with_ca_key)
    with readable(context.data):
        pass  # a wrong --data is told before anything else
    manifest = make_backup(
        target, context.data, certificates, force=options.force, progress=lambda s: context.output.progress("backup", s)
    )
    note(
        context,
        "backup",
        str(target.absolute()),
        f"{counted(manifest.counts['messages'], 'message')}, {counted(len(manifest.members), 'file')}",
    )
    size_mib = sum(member.bytes for member in manifest.members.values()) / (1 << 20)
    names = ", ".join(manifest.members)
    sentences = [
        f"{target}: {_contents(manifest)}, {size_mib:.1f} MiB ({names})",
        "It holds the server's private key and everybody's messages: keep it where only you can read it.",
    ]
    if not options.with_ca_key:
        sentences.append(f"The CA's key is not in it ({CA_KEY_FILE}): keep that elsewhere, or add --with-ca-key.")
    context.output.record({"file": str(target), **msgspec.to_builtins(manifest)}, sentences)
    return AdminExit.OK


def restore_backup(context: CommandContext) -> AdminExit:
    """Unpack a backup into two empty directories."""
    options = context.options
    archive, data, certs = Path(options.file), Path(options.data), Path(options.certs)
    if not archive.is_file():
        raise AdminFailure(AdminExit.IO, f"there is no file {archive}")
    manifest = restore(archive, data, certs, lambda share: context.output.progress("restore", share))
    has_certificate = SERVER_FILE in manifest.members
    context.output.record(
        {"data": str(data), "certs": str(certs), **msgspec.to_builtins(manifest)},
        [
            f"restored what was there at {manifest.made_at}: {_contents(manifest)}; every byte was checked",
            "Clients notice that the server has another log, say so, and go on.",
            *next_steps(data, certs, has_certificate=has_certificate),
        ],
    )
    return AdminExit.OK


def recover_journal(context: CommandContext) -> AdminExit:
    """Go on without the end of a damaged journal."""
    now = dt.datetime.now(dt.UTC)
    done = recover(context.data, f"{DATABASE}-wal.damaged-{now:%Y%m%dT%H%M%SZ}", context.confirm)
    if done is None:
        context.output.record({"copy": None}, ["the journal is not damaged: nothing was changed"])
        return AdminExit.OK
    with readable(context.data) as snapshot:
        found = damage(snapshot, lambda share: context.output.progress("checking the database", share))
        newest = shown_time(last_message_at_ms(snapshot))
    sentences = [
        f"lost: {extent(done.lost)}; which messages were in them cannot be read, the newest that is left: {newest}",
        f"the journal's readable part is in the database now; a copy of all of it: {done.copy}",
        *(f"database: {sentence}" for sentence in found),
        "the database contradicts itself: restore the last good backup" if found else "the server can be started",
    ]
    lost = {"transactions": done.lost.transactions, "pages": done.lost.lost}
    context.output.record({"copy": str(done.copy), "findings": found, "lost": lost}, sentences)
    return AdminExit.FINDINGS if found else AdminExit.OK


def check(context: CommandContext) -> AdminExit:
    """Look for what is wrong."""
    if not context.data.is_dir():
        raise AdminFailure(AdminExit.IO, f"there is no data directory {context.data}: name it with --data")
    facts = _facts(context)
    certificate, key = _certificate_files(context, facts)
    now = dt.datetime.now(dt.UTC)
    subject = HealthSubject(
        data=context.data,
        certificate=certificate,
        key=key,
        low_disk_bytes=context.config.limits.low_disk_bytes,
        now=now,
        clock_doubt=_clock_doubt(context.data, facts, now),
    )
    found = examine(subject, lambda share: context.output.progress("checking the database", share))
    for finding in found:
        context.output.record(
            {"finding": finding.word, "text": finding.text, "fix": finding.fix},
            [f"{finding.word}: {finding.text}", f"    to mend it: {finding.fix}"],
        )
    verdict = counted(len(found), "finding") if found else "nothing found: all is well"
    looked_at = "clock, disk space, permissions, socket, certificate and every page of the database"
    context.output.record({"findings": len(found)}, [f"{verdict} (looked at {looked_at})"])
    return AdminExit.FINDINGS if found else AdminExit.OK


def _contents(manifest: Manifest) -> str:
    counts = manifest.counts
    return f"{counted(counts['messages'], 'message')}, {counted(counts.get('accounts', 0), 'account')}"


def readable(data: Path) -> Snapshot:
    """Open the database of a data directory, for reading.

    Raises:
        Failure: IO.
    """
    try:
        return Snapshot(data / DATABASE)
    except LogError as error:
        raise AdminFailure(AdminExit.IO, str(error)) from error


def _facts(context: CommandContext) -> dict[str, Any] | None:
    """What the running server says of itself; None when no server answers."""
    try:
        return context.ask(GetStatus()).done
    except AdminFailure:
        return None


def _certificate_files(context: CommandContext, facts: dict[str, Any] | None) -> tuple[Path, Path | None]:
    """Which certificate and key: those named, else those of the running server, else those of the settings."""
    if context.options.cert is None and facts is not None:
        return Path(facts["certificate"]), Path(facts["key"]) if facts["key"] else None
    return context.config.cert, context.config.key


def _clock_doubt(data: Path, facts: dict[str, Any] | None, now: dt.datetime) -> Doubt | None:
    """Whether the running server doubts the clock, or a server that started now would."""
    if facts is None:
        return doubt_at_rest(data, int(now.timestamp() * 1000))
    return msgspec.convert(facts.get("clock_doubt"), Doubt | None)


def _certificates(certificate: Path, key: Path | None, *, with_ca_key: bool) -> CertificateFiles:
    """The files to pack: the server's, its key where that is apart, the CA's certificate, and its key if asked for."""
    try:
        bundle = read_bundle(certificate, key)
    except TlsFailure as failure:
        raise AdminFailure(
            AdminExit.IO, f"{failure.detail}; name the server's certificate with --cert FILE"
        ) from failure
    files = {SERVER_FILE: certificate}
    if bundle.key_path != certificate:
        files[KEY_FILE] = bundle.key_path
    directory = certificate.parent
    if (directory / CA_FILE).is_file():
        files[CA_FILE] = directory / CA_FILE
    if with_ca_key:
        if not (directory / CA_KEY_FILE).is_file():
            raise AdminFailure(
                AdminExit.REFUSED,
                f"there is no {CA_KEY_FILE} in {shell(directory)}: leave --with-ca-key out, or put it there",
            )
        files[CA_KEY_FILE] = directory / CA_KEY_FILE
    authority = bundle.authority
    return CertificateFiles(files, authority.public_bytes(Encoding.PEM) if authority is not None else None)


def note(context: CommandContext, act: Literal["backup", "export"], target: str, detail: str) -> None:
    """Have it in the audit, where a server can write one."""
    try:
        context.ask(AddAuditNote(act, target[-200:], detail))
    except AdminFailure as failure:
        if failure.code is not AdminExit.NOT_RUNNING:
            context.output.notice(f"the {act} is made, but is not in the audit: {failure.sentence}")
