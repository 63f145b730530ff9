"""The commands that work on the files, with or without a running server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from securechat.admin import tables as show
from securechat.admin.backup_archive import KEY_FILE, CertificateFiles, Manifest, is_file_member, make_backup
from securechat.admin.context import CommandContext, shell
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.health import HealthFinding, HealthSubject, examine
from securechat.admin.restore import RestoredBackup, mend, next_steps, recover, restore
from securechat.errors import LogError, TlsFailure
from securechat.hub.wall_clock import Doubt
from securechat.server.admin_protocol import AddAuditNote, GetStatus
from securechat.server.clock_file import doubt_at_rest
from securechat.storage.files.layout import FileLayout
from securechat.storage.sqlite.loss import extent
from securechat.storage.tools.backup import DATABASE, Snapshot
from securechat.storage.tools.integrity import damage, last_message_at_ms
from securechat.storage.tools.stored_files import RecordedFile, files_by_room, files_by_sender
from securechat.text.sanitize import one_line
from securechat.tls.certificate_directory import CA_FILE, CA_KEY_FILE, SERVER_FILE
from securechat.tls.pem_bundle import read_bundle
from securechat.translation import LazyText, _, english, ngettext, nsentence, translated

_NOT_NOTED = {
    "backup": LazyText("The backup was made, but it is not in the audit: {why}"),
    "export": LazyText("The export was made, but it is not in the audit: {why}"),
}
_FINDINGS = {
    "clock": LazyText("clock"),
    "disk": LazyText("disk"),
    "permissions": LazyText("permissions"),
    "socket": LazyText("socket"),
    "certificate": LazyText("certificate"),
    # Translators: stored messages, which a damaged disk has lost
    "lost": LazyText("lost"),
    "database": LazyText("database"),
    "webhook": LazyText("webhook"),
    "message": LazyText("message"),
    # Translators: a file of a message
    "file": LazyText("file"),
}
"""The words of findings, for a person."""


def audit(context: CommandContext) -> AdminExit:
    """List the last administrative acts."""
    with readable(context.data) as snapshot:
        rows = [msgspec.to_builtins(entry) for entry in snapshot.audit(context.options.last)]
    context.output.table(rows, show.AUDIT, [show.audit(row) for row in rows], _("The audit log is empty"))
    return AdminExit.OK


def backup(context: CommandContext) -> AdminExit:
    """Make a backup, and record it in the audit."""
    options, target = context.options, Path(context.options.file)
    if context.options.file == "-":
        raise AdminFailure(
            AdminExit.USAGE,
            _("A backup holds the server's private key, so it is written to a file only. Name one, such as backup.tar"),
        )
    certificate, key = _certificate_files(context, _facts(context))
    certificates = _certificates(certificate, key, with_ca_key=options.with_ca_key)
    with readable(context.data):
        pass  # a wrong --data is told before anything else
    manifest = make_backup(
        target,
        context.data,
        certificates,
        force=options.force,
        progress=lambda share: context.output.progress(_("backup"), share),
        with_files=not options.without_files,
    )
    note(context, "backup", str(target.absolute()), _audited(manifest))
    sentences = [
        _(
            "Wrote {file}: {messages}, {accounts}, {size:size} ({names})",
            file=target,
            **_contents(manifest),
            size=sum(member.bytes for member in manifest.members.values()),
            names=", ".join(name for name in manifest.members if not is_file_member(name)),
        ),
        _files_in(manifest),
        _("It contains the server's private key and all messages. Keep it where only you can read it."),
    ]
    if manifest.missing_files:
        sentences.append(_("Missing on the disk, and so in the backup: {files}", files=some(manifest.missing_files)))
    if manifest.damaged_files:
        sentences.append(_("Damaged on the disk, and so in the backup: {files}", files=some(manifest.damaged_files)))
    if not options.with_ca_key:
        sentences.append(
            _("The CA's key ({file}) is not in it. Keep a copy elsewhere, or add --with-ca-key.", file=CA_KEY_FILE)
        )
    context.output.record({"file": str(target), **msgspec.to_builtins(manifest)}, sentences)
    return AdminExit.OK


def restore_backup(context: CommandContext) -> AdminExit:
    """Unpack a backup into two empty directories."""
    options = context.options
    archive, data, certs = Path(options.file), Path(options.data), Path(options.certs)
    if not archive.is_file():
        raise AdminFailure(AdminExit.IO, _("There is no file {file}", file=archive))
    restored = restore(archive, data, certs, lambda share: context.output.progress(_("restore"), share))
    manifest = restored.manifest
    has_certificate = SERVER_FILE in manifest.members
    context.output.record(
        {
            "data": str(data),
            "certs": str(certs),
            **msgspec.to_builtins(manifest),
            "missing_files": [each.file_id for each in restored.missing],
            "damaged_files": [each.file_id for each in restored.damaged],
            "surplus_files": restored.surplus,
        },
        [
            _(
                "Restored the backup of {made}: {messages}, {accounts}. Every byte was checked",
                made=_made_at(manifest),
                **_contents(manifest),
            ),
            *_restored_files(restored),
            _("Clients notice that the history was restored, tell their users, and continue."),
            *next_steps(data, certs, has_certificate=has_certificate),
        ],
    )
    return AdminExit.OK


def recover_journal(context: CommandContext) -> AdminExit:
    """Drop the damaged end of the journal."""
    now = dt.datetime.now(dt.UTC)
    done = recover(context.data, f"{DATABASE}-wal.damaged-{now:%Y%m%dT%H%M%SZ}", context.confirm)
    if done is None:
        context.output.record({"copy": None}, [_("The journal is not damaged. Nothing was changed")])
        return AdminExit.OK
    with readable(context.data) as snapshot:
        found = damage(snapshot, lambda share: context.output.progress(_("checking the database"), share))
        newest = show.shown_moment(last_message_at_ms(snapshot))
    sentences = [
        _(
            "Lost: {lost}. Their messages cannot be read; the newest message that is left is of {newest}",
            lost=extent(done.lost),
            newest=newest,
        ),
        _(
            "The readable part of the journal is now in the database. A copy of the whole journal: {copy}",
            copy=done.copy,
        ),
        *(_("Database: {finding}", finding=sentence) for sentence in found),
        _("The database is damaged. Restore the last good backup") if found else _("The server can be started"),
    ]
    lost = {"transactions": done.lost.transactions, "pages": done.lost.lost}
    context.output.record({"copy": str(done.copy), "findings": found, "lost": lost}, sentences)
    return AdminExit.FINDINGS if found else AdminExit.OK


def check(context: CommandContext) -> AdminExit:
    """Check files, disk, certificate, clock and database."""
    if not context.data.is_dir():
        raise AdminFailure(AdminExit.IO, _("There is no data directory {data}. Name it with --data", data=context.data))
    if context.options.mend_times:
        return _mend_times(context)
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
    found = examine(subject, lambda share: context.output.progress(_("checking the database"), share))
    for finding, lines in zip(found, _finding_lines(found), strict=True):
        context.output.record({"finding": finding.word, "text": finding.text, "fix": finding.fix}, lines)
    looked_at = _("clock, disk space, permissions, socket, certificate, every page of the database and every file")
    if found:
        verdict = ngettext(
            "{count} finding (checked: {what})", "{count} findings (checked: {what})", len(found), what=looked_at
        )
    else:
        verdict = _("No problems found (checked: {what})", what=looked_at)
    context.output.record({"findings": len(found)}, [verdict])
    return AdminExit.FINDINGS if found else AdminExit.OK


def _finding_lines(found: Sequence[HealthFinding]) -> list[list[str]]:
    """Return the lines of each finding; advice that several in a row share stands below the last of them."""
    lines = []
    for finding, behind in zip_longest(found, found[1:]):
        is_last = behind is None or behind.fix != finding.fix
        advice = ["    " + _("fix: {fix}", fix=finding.fix)] if is_last else []
        lines.append([f"{_FINDINGS[finding.word]()}: {finding.text}", *advice])
    return lines


def _mend_times(context: CommandContext) -> AdminExit:
    count = mend(context.data, dt.datetime.now(dt.UTC), context.confirm)
    if count:
        sentence = ngettext(
            "Gave {count:number} message the present time. The server can be started",
            "Gave {count:number} messages the present time. The server can be started",
            count,
        )
    else:
        sentence = _("No message is from the future. The server can be started")
    context.output.record({"mended": count}, [sentence])
    return AdminExit.OK


_NAMED_FILES = 5
"""Of those that something is wrong with; ``--json`` names all."""


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many further ones there are."""
    shown = ", ".join(names[:_NAMED_FILES])
    more = len(names) - _NAMED_FILES
    if more <= 0:
        return shown
    return ngettext("{names} and {count:number} more", "{names} and {count:number} more", more, names=shown)


def _named(files: Sequence[RecordedFile]) -> str:
    """Return some files by name and message."""
    return some([f"{one_line(each.name)} ({each.seq})" for each in files])


def _files_in(manifest: Manifest) -> str:
    """Return what a backup has of the files of messages."""
    if not manifest.files:
        return _("The files of messages are not in it.")
    members = manifest.file_members()
    count = sum("." not in name for name in members)
    size_bytes = sum(member.bytes for member in members.values())
    return ngettext(
        "{count:number} file of messages is in it ({size:size} with previews).",
        "{count:number} files of messages are in it ({size:size} with previews).",
        count,
        size=size_bytes,
    )


def _restored_files(restored: RestoredBackup) -> list[str]:
    """Return what became of the files of messages."""
    sentences = []
    if restored.files:
        sentences.append(
            ngettext(
                "{count:number} file of messages was restored, with its SHA-256",
                "{count:number} files of messages were restored, each with its SHA-256",
                restored.files,
            )
        )
    if restored.missing and not restored.manifest.files:
        sentences.append(
            ngettext(
                "The backup was made without files: {count:number} file that messages show is missing",
                "The backup was made without files: {count:number} files that messages show are missing",
                len(restored.missing),
            )
        )
    elif restored.missing:
        sentences.append(_("Missing in the backup: {files}", files=_named(restored.missing)))
    if restored.damaged:
        sentences.append(_("Damaged when the backup was made: {files}", files=_named(restored.damaged)))
    if restored.surplus:
        sentences.append(_("Not restored, because no message shows them: {files}", files=some(restored.surplus)))
    return sentences


def list_files(context: CommandContext) -> AdminExit:
    """List what each person and each room keeps of files, from the database, and of uploads, from the disk."""
    with readable(context.data) as snapshot:
        if context.options.rooms:
            rows = [msgspec.to_builtins(each) for each in files_by_room(snapshot)]
            cells = [show.room_files(row) for row in rows]
            context.output.table(rows, show.ROOM_FILES, cells, _("There are no files"))
        else:
            rows = [msgspec.to_builtins(each) for each in files_by_sender(snapshot, FileLayout(context.data))]
            cells = [show.sender_files(row) for row in rows]
            context.output.table(rows, show.SENDER_FILES, cells, _("There are no files"))
    return AdminExit.OK


def _contents(manifest: Manifest) -> dict[str, str]:
    """Return how many messages and accounts a backup holds, in words."""
    counts = manifest.counts
    return {
        "messages": show.counted_messages(counts["messages"]),
        "accounts": show.counted_accounts(counts.get("accounts", 0)),
    }


def _audited(manifest: Manifest) -> str:
    """Return what the audit says of a backup, in English as all of it."""
    messages = manifest.counts["messages"]
    files = sum("." not in name or not is_file_member(name) for name in manifest.members)  # without smaller copies
    return ", ".join(
        [
            english(nsentence("{count:number} message", "{count:number} messages", messages)),
            english(nsentence("{count} file", "{count} files", files)),
        ]
    )


def _made_at(manifest: Manifest) -> str:
    """Return when a backup was made; a time that cannot be read stays as it is."""
    try:
        made_at = dt.datetime.fromisoformat(manifest.made_at)
    except ValueError:
        return manifest.made_at
    return show.shown_moment(int(made_at.timestamp() * 1000))


def readable(data: Path) -> Snapshot:
    """Open the database of a data directory, for reading.

    Raises:
        Failure: IO.
    """
    try:
        return Snapshot(data / DATABASE)
    except LogError as error:
        raise AdminFailure(AdminExit.IO, translated(error)) from error


def _facts(context: CommandContext) -> dict[str, Any] | None:
    """Return the running server's status; None when no server answers."""
    try:
        return context.ask(GetStatus()).done
    except AdminFailure:
        return None


def _certificate_files(context: CommandContext, facts: dict[str, Any] | None) -> tuple[Path, Path | None]:
    """Return the certificate and key: those given, else the running server's, else those of the settings."""
    if context.options.cert is None and facts is not None:
        key = context.options.key or facts["key"]
        return Path(facts["certificate"]), Path(key).expanduser() if key else None
    return context.config.cert, context.config.key


def _clock_doubt(data: Path, facts: dict[str, Any] | None, now: dt.datetime) -> Doubt | None:
    """Return the doubt about the clock of the running server, or of one that started now."""
    if facts is None:
        return doubt_at_rest(data, int(now.timestamp() * 1000))
    return msgspec.convert(facts.get("clock_doubt"), Doubt | None)


def _certificates(certificate: Path, key: Path | None, *, with_ca_key: bool) -> CertificateFiles:
    """Return the files to pack: the server's, a separate key, the CA's certificate, and its key if asked for."""
    try:
        bundle = read_bundle(certificate, key)
    except TlsFailure as failure:
        raise AdminFailure(
            AdminExit.IO,
            _(
                "{problem}. Name the server's certificate with --cert FILE, and a key elsewhere with --key FILE",
                problem=failure.detail,
            ),
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
                _(
                    "There is no {file} in {directory}. Leave --with-ca-key out, or copy it there",
                    file=CA_KEY_FILE,
                    directory=shell(directory),
                ),
            )
        files[CA_KEY_FILE] = directory / CA_KEY_FILE
    authority = bundle.authority
    return CertificateFiles(files, authority.public_bytes(Encoding.PEM) if authority is not None else None)


def note(context: CommandContext, act: Literal["backup", "export"], target: str, detail: str) -> None:
    """Record an act in the audit, if a server is running."""
    try:
        context.ask(AddAuditNote(act, one_line(target[-200:]), detail))
    except AdminFailure as failure:
        if failure.code is not AdminExit.NOT_RUNNING:
            context.output.notice(_NOT_NOTED[act](why=failure.sentence))
