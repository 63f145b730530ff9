"""Checks messages and changes against the rules, gives them to the log, and acknowledges them.

A draft belongs to the stream of the connection it came on, and its acknowledgement goes to that connection alone. A
retry is acknowledged when its seq has been fanned out, so that an ack never comes before the message could.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

from securechat.errors import ErrorCode, Refusal
from securechat.hub.context import HubContext
from securechat.hub.interfaces import OperatorEvent, Peer
from securechat.hub.members import Member, MemberConnection
from securechat.hub.messages.mentions import mentioned
from securechat.hub.messages.slow_mode import SlowMode, SlowModeChange
from securechat.hub.mutes import expect_unmuted, expect_unmuted_in
from securechat.hub.rate_limits import DailyQuota
from securechat.hub.rooms.permissions import Permission, Rank, has_permission
from securechat.hub.rooms.room import HubRoom
from securechat.hub.workflow import Append, Workflow
from securechat.limits import MAX_TEXT_BYTES
from securechat.model import (
    Acked,
    Delete,
    Direct,
    Draft,
    Edit,
    React,
    Refused,
    Revision,
    RevisionKind,
    Say,
    StoredFile,
)
from securechat.records.accounts import Account, AccountKind
from securechat.records.log import Appended, AppendOutcome, NotAppended
from securechat.text.file_lines import with_file_lines
from securechat.text.names import LOBBY, check_name, check_room
from securechat.text.refusals import refusal_for
from securechat.text.sanitize import is_blank, is_hostile

if TYPE_CHECKING:
    from securechat.hub.files.service import FileService

DraftCommand: TypeAlias = Say | Direct | Edit | Delete | React
_NO_EARLIER_COPY = frozenset({ErrorCode.NOT_FOUND, ErrorCode.OUT_OF_ORDER, ErrorCode.KEY_USED})
_NEVER_SAID = frozenset({ErrorCode.TEXT_EMPTY, ErrorCode.TEXT_TOO_LONG, ErrorCode.ROOM_INVALID})
TRIAL_FILE = "0" * 32
"""In a draft by which a program asks, before it sends a file, whether it may send it there, or has done so already."""
TRIAL_REASONS = frozenset({"upload_unknown", "upload_not_ready"})
"""Why such a draft is refused that would be taken: no upload has this id; and before uploads are read, none has any."""
_CHANGE_BYTES = 100
"""Bytes that a change takes up besides its text, in tables and indexes: a reaction has no text at all."""


class Posting:
    """Takes drafts to the log, and the answers of the log to their senders.

    Args:
        context: members, rooms and the log.
        files: has the uploads that messages take; None where the server takes no files.
    """

    def __init__(self, context: HubContext, files: FileService | None = None) -> None:
        self._files = files
        self._context = context
        self._containment = context.containment
        self._log = context.log
        self._directory = context.accounts
        self._room_directory = context.rooms
        self._presence = context.presence
        self._operator_log = context.operator_log
        self._hears_messages = context.operator_log.hears_messages
        self._members = context.members
        self._by_key = context.members_by_key
        self._connections = context.connections
        self._text_chars = context.pages.text_chars
        self._quota = DailyQuota(context.limits.stored_bytes_per_address_day)
        self._late_acks: list[tuple[int, Peer, Acked]] = []
        self._slow_mode = SlowMode(context)

    def append(self, peer: Peer, _: Member, command: DraftCommand) -> None:
        """Check a draft and give it to the log.

        A draft that the log may have from before the connection was lost, or by its key, is answered by the log,
        whatever the rules say by now: a refusal would be wrong, and the client would send the draft again as a new one.

        Raises:
            Refusal: a rule forbids it.
            Overloaded: the log cannot take it now; nothing happened.
        """
        connection = self._connections[peer]
        try:
            self._append(peer, connection, command)
        except Refusal as refusal:
            probe = self._probe(connection, command, refusal)
            if probe is None:
                raise
            self._recall(peer, connection, command, refusal, probe)

    def _append(self, peer: Peer, connection: MemberConnection, command: DraftCommand) -> None:  # noqa: C901
        # In one piece, and nothing is looked up twice: each message comes through here, and a call more costs time.
        member, client_id, room = connection.member, command.client_id, None
        made: Draft | Revision
        if isinstance(command, Say):
            self._require_may_write(member, command.text, has_files=bool(command.files))
            room = self._room_of(member, command.room)
            made = self._room_draft(connection, command, room)
        elif isinstance(command, Direct):
            made = self._direct_draft(connection, command)
        else:
            made = self._revision(connection, command)
        text = made.text
        size_bytes = len(text) if text.isascii() else len(text.encode())
        if isinstance(made, Revision):
            size_bytes += _CHANGE_BYTES
        address, context = peer.address, self._context
        noted: SlowModeChange | None = None
        files = made.files if isinstance(made, Draft) else ()
        if not self._quota.take_if_room(address, size_bytes, context.now):
            self._release(files)
            raise refusal_for("daily_storage_used_up")

        def done(outcome: AppendOutcome) -> None:
            if isinstance(outcome, NotAppended) or outcome.retry:
                self._quota.give_back(address, size_bytes)
                self._release(files)
                if noted is not None:
                    self._slow_mode.not_stored(noted)
            elif files and self._files is not None:
                with self._containment.work_for(peer):  # the message is stored, whatever becomes of this
                    self._files.settle(member.sender_id, files)
            self._settle(peer, member, client_id, outcome)

        member.unsettled += 1
        context.unsettled += 1
        try:
            if isinstance(made, Draft):
                self._log.append(made, done)
            else:
                self._log.revise(made, done)
        except BaseException:  # mostly Overloaded: nothing was taken
            member.unsettled -= 1
            context.unsettled -= 1
            self._quota.give_back(address, size_bytes)
            self._release(files)
            raise
        if client_id > connection.last_client_id:  # noqa: PLR1730  (a call of max() per message is slower)
            connection.last_client_id = client_id
        if isinstance(made, Draft):
            if room is not None and room.record is not None and room.record.slow_s:
                noted = self._slow_mode.note_sent(room, made)
            if self._hears_messages:
                self._operator_log.happened(
                    OperatorEvent.SAID, peer, member.name, made.room or made.to_name or "", made.text
                )

    def draft_of(self, account: Account, room: HubRoom, text: str, *, reply: int | None, key: str) -> Draft:
        """Return a message of a program that has no connection; its client_id and stream are the caller's to set.

        Raises:
            Refusal: the text, a mute, or a setting of the room forbids it.
        """
        self._require_may_write(account, text)
        if room.is_renaming:
            raise refusal_for("room_being_renamed", retry_after_s=0.5, room=room.name)
        self._require_writable(account, room, self._room_directory.rank(room, account.sender_id))
        return Draft(
            account.sender_id,
            account.name,
            0,
            text,
            room=room.name,
            reply=reply,
            key=key,
            mentions=mentioned(text, partial(self._sender_named, room)) if "@" in text else (),
            bot=True,
        )

    def store(self, draft: Draft, room: HubRoom, quota_key: str) -> Workflow[None]:
        """Store a message of `draft_of`, within slow mode and the daily quota, of which each key has one.

        Raises:
            Refusal: SLOW_MODE; QUOTA; what the log says.
        """
        record = room.record
        rank = self._room_directory.rank(room, draft.sender_id)
        if record is not None and record.slow_s and not has_permission(rank, Permission.SKIP_SLOW_MODE):
            self._slow_mode.require_waited(record, draft.sender_id, draft.stream, draft.client_id)
        size_bytes = len(draft.text.encode())
        if not self._quota.take_if_room(quota_key, size_bytes, self._context.now):
            raise refusal_for("webhook_storage_used_up")
        noted = self._slow_mode.note_sent(room, draft)
        is_new = False
        try:
            stored: Appended = yield Append(draft)
            is_new = not stored.retry
        finally:
            if not is_new:
                self._quota.give_back(quota_key, size_bytes)
                if noted is not None:
                    self._slow_mode.not_stored(noted)
        if is_new and self._hears_messages:
            self._operator_log.happened(OperatorEvent.SAID, None, draft.name, room.name, draft.text)

    def _probe(self, connection: MemberConnection, command: DraftCommand, refusal: Refusal) -> Draft | None:
        """Return what asks the log for an earlier copy of a refused draft; None where there can be none.

        By its number there may be one from before the connection was lost; by its key, if it could be said at all.
        """
        member, by_number = connection.member, command.client_id <= connection.known_client_id
        if isinstance(command, Say | Direct) and command.files:  # an earlier copy on this connection has used them
            by_number = command.client_id <= max(connection.known_client_id, connection.last_client_id)
        text, reply, key, room, to = "", None, None, LOBBY, None
        if isinstance(command, Say | Direct) and command.key is not None and refusal.code not in _NEVER_SAID:
            text, reply, key = _spoken(command), command.reply, command.key
            if isinstance(command, Say):
                room = self._name_of_room(member, command.room)
            else:
                to = command.to
        if key is None and not by_number:
            return None
        return Draft(
            member.sender_id,
            member.name,
            command.client_id,
            text,
            room=room if to is None else None,
            to=to,
            stream=connection.stream,
            reply=reply,
            known_only=True,
            key=key,
        )

    def _name_of_room(self, member: Member, raw: str) -> str:
        """The present name of a room that a member may have been in."""
        room = member.room_called(raw)
        return room.name if room is not None else check_room(raw)

    def _recall(
        self, peer: Peer, connection: MemberConnection, command: DraftCommand, refusal: Refusal, probe: Draft
    ) -> None:
        """Ask the log for an earlier copy of a refused draft; without one the refusal stands."""
        member = connection.member

        def done(outcome: AppendOutcome) -> None:
            if isinstance(outcome, NotAppended) and outcome.code in _NO_EARLIER_COPY:
                outcome = NotAppended.of(refusal)
                if not is_trial(command, refusal):
                    self._operator_log.happened(OperatorEvent.REFUSED, peer, member.name, str(refusal))
            self._settle(peer, member, command.client_id, outcome)

        member.unsettled += 1
        self._context.unsettled += 1
        try:
            self._log.append(probe, done)
        except BaseException:
            member.unsettled -= 1
            self._context.unsettled -= 1
            raise

    def acknowledge_fed(self) -> None:
        """Acknowledge the retries whose seq has been fanned out by now."""
        if self._late_acks:
            seq = self._context.fed_seq
            entries, self._late_acks = self._late_acks, []
            for late_seq, peer, acked in entries:
                if late_seq > seq:
                    self._late_acks.append((late_seq, peer, acked))
                elif peer in self._connections:
                    with self._containment.work_for(peer):  # telling the rest is vital
                        peer.deliver(acked)

    def _require_may_write(self, member: Member | Account, text: str, *, has_files: bool = False) -> None:
        """Require that a text is none of the forbidden ones, and its author not muted."""
        _check_text(text, self._text_chars, has_files=has_files)
        if self._directory.mutes:
            expect_unmuted(self._directory, member.sender_id)

    def _room_draft(self, connection: MemberConnection, command: Say, room: HubRoom) -> Draft:
        member, text = connection.member, command.text
        self._require_may_say(connection, command, room)
        shown_as = member.name if command.shown_as is None else self._shown_as(member, command.shown_as)
        mentions = mentioned(text, partial(self._sender_named, room)) if "@" in text else ()
        files: tuple[StoredFile, ...] = ()
        if command.files:
            text, files = self._with_files(member, command)
        return Draft(
            member.sender_id,
            shown_as,
            command.client_id,
            text,
            room=room.name,
            stream=connection.stream,
            reply=command.reply,
            key=command.key,
            mentions=mentions,
            bot=member.bot,
            files=files,
        )

    def _with_files(self, member: Member, command: Say | Direct) -> tuple[str, tuple[StoredFile, ...]]:
        """Take the uploads of a draft; asked last, because only what is given to the log gives them back.

        Returns:
            The text with the lines of the files, and the files.

        Raises:
            Refusal: FILES_OFF; an upload cannot be taken; TEXT_TOO_LONG with its lines.
        """
        if self._files is None:
            raise refusal_for("files_off")
        files = self._files.uploads.claim(member.sender_id, command.files)
        named = [(file.info.name, file.info.size) for file in files]
        spoken = _spoken(command)
        text = with_file_lines(spoken, named)
        if len(text) > self._text_chars or len(text.encode()) > MAX_TEXT_BYTES:
            self._release(files)
            left = self._text_chars - len(with_file_lines("", named)) - 1
            raise refusal_for("text_too_long_with_files", left=max(0, left))
        return text, files

    def _release(self, files: tuple[StoredFile, ...]) -> None:
        if files and self._files is not None:
            self._files.uploads.release(files)

    def _shown_as(self, member: Member, raw: str) -> str:
        """Return the name under which an incoming webhook posts: one of its sender's, ``via`` its own.

        Raises:
            Refusal: NAME_INVALID; NAME_IN_USE, a member's name looks like it; NO_RIGHT for all but webhooks.
        """
        account = self._directory.accounts.get(member.sender_id)
        if account is None or account.kind is not AccountKind.HOOK or not raw.endswith(f" via {member.name}"):
            raise refusal_for("name_of_webhook_only")
        name = check_name(raw)
        is_claimed = self._context.names.is_claimed(name, self._context.now)
        if self._directory.look_alike(name) is not None or is_claimed:
            raise refusal_for("name_taken")
        return name

    def _direct_draft(self, connection: MemberConnection, command: Direct) -> Draft:
        member = connection.member
        self._require_may_write(member, command.text, has_files=bool(command.files))
        if command.to == member.sender_id:
            raise refusal_for("message_to_yourself")
        other = self._members.get(command.to) or self._directory.accounts.get(command.to)
        if other is None or command.to in self._directory.being_deleted:
            raise refusal_for("person_absent")
        text, files = self._with_files(member, command) if command.files else (command.text, ())
        return Draft(
            member.sender_id,
            member.name,
            command.client_id,
            text,
            to=other.sender_id,
            to_name=other.name,
            stream=connection.stream,
            reply=command.reply,
            key=command.key,
            bot=member.bot,
            files=files,
        )

    def _revision(self, connection: MemberConnection, command: Edit | Delete | React) -> Revision:
        member = connection.member
        if (command.room is None) == (command.to is None):
            raise refusal_for("change_without_conversation")
        if self._directory.mutes:
            expect_unmuted(self._directory, member.sender_id)
        room: HubRoom | None = None
        spared: frozenset[int] | None = None  # None: it may change no message of others
        if command.room is not None:
            room = self._room_of(member, command.room)
            spared = self._spared(member, room, command)
        text, emoji = "", ""
        mentions: tuple[int, ...] = ()
        match command:
            case Edit():
                # The log knows whether the message has files, and refuses an empty text where it has none.
                _check_text(command.text, self._text_chars, has_files=True)
                kind, text = RevisionKind.EDIT, "" if command.text.isspace() else command.text
                if room is not None:
                    mentions = mentioned(text, partial(self._sender_named, room))
            case Delete():
                kind = RevisionKind.DELETE
            case React():
                kind, emoji = RevisionKind.REACT if command.on else RevisionKind.UNREACT, command.sign
                if is_hostile(emoji) or (command.on and is_blank(emoji)):  # an older one may be taken away
                    raise refusal_for("reaction_invisible")
            case _:
                assert_never(command)
        return Revision(
            kind,
            member.sender_id,
            member.name,
            command.client_id,
            command.seq,
            room=None if room is None else room.name,
            to=command.to,
            text=text,
            sign=emoji,
            any_author=spared is not None,
            spared=spared or frozenset(),
            stream=connection.stream,
            mentions=mentions,
        )

    def _spared(self, member: Member, room: HubRoom, command: Edit | Delete | React) -> frozenset[int] | None:
        """Require that a member may change messages in a room.

        Returns:
            The authors whose messages the member may not change, because they stand as high; None for all others. An
            archived room is closed even to its moderators, but each member may delete there what it wrote itself.

        Raises:
            Refusal: a setting of the room, or a mute, forbids it.
        """
        rank = self._room_directory.rank(room, member.sender_id)
        if isinstance(command, Delete) and room.record is not None and room.record.archived:
            expect_unmuted_in(self._directory, room, member.sender_id)
            return None
        self._require_writable(member, room, rank, reacting=isinstance(command, React))
        if isinstance(command, React) or not has_permission(rank, Permission.REVISE_OTHERS):
            return None
        return self._room_directory.as_high(room, rank)

    def _room_of(self, member: Member, raw: str) -> HubRoom:
        room = self._room_directory.entered(member, raw)
        if room.is_renaming:
            raise refusal_for("room_being_renamed", retry_after_s=0.5, room=room.name)
        return room

    def _require_may_say(self, connection: MemberConnection, command: Say, room: HubRoom) -> None:
        """Require that a member may send a message in a room now."""
        member = connection.member
        room_record = room.record
        if room_record is None:
            return
        rank = self._room_directory.rank(room, member.sender_id)
        self._require_writable(member, room, rank)
        if room_record.slow_s and not has_permission(rank, Permission.SKIP_SLOW_MODE):
            self._slow_mode.require_waited(room_record, member.sender_id, connection.stream, command.client_id)

    def _require_writable(self, member: Member | Account, room: HubRoom, rank: Rank, *, reacting: bool = False) -> None:
        """Require that the settings of a room, and its mutes, let a member write there."""
        room_record = room.record
        if room_record is None:
            return
        if room_record.archived:
            raise refusal_for("room_archived", room=room.name)
        expect_unmuted_in(self._directory, room, member.sender_id)
        if room_record.read_only and not reacting and not has_permission(rank, Permission.WRITE_READ_ONLY):
            raise refusal_for("room_read_only", room=room.name)

    def _sender_named(self, room: HubRoom, key: str) -> int | None:
        """Return the sender that a name in this room means: a member who is there, or an account that may read it."""
        present = self._by_key.get(key)
        if present is not None and room in present.rooms:
            return present.sender_id
        account = self._directory.account_of_key(key)
        if account is None or not (room.is_lobby or room.belongs(account.sender_id)):
            return None
        return account.sender_id

    def _settle(self, peer: Peer, member: Member, client_id: int, outcome: AppendOutcome) -> None:
        """Answer the sender. An exception costs the sender's connection; the rest of the batch goes on."""
        member.unsettled -= 1
        self._context.unsettled -= 1
        before, self._containment.current = self._containment.current, peer
        try:
            if member.departures and not member.unsettled:
                self._presence.settled(member)
            connection = self._connections.get(peer)
            if connection is None or connection.member is not member:
                return
            if isinstance(outcome, NotAppended):
                peer.deliver(Refused.of(outcome.refusal(), client_id=client_id))
            elif isinstance(outcome, Appended):
                acked = Acked(client_id, outcome.seq)
                if outcome.retry and outcome.seq > self._context.fed_seq:
                    self._late_acks.append((outcome.seq, peer, acked))
                else:
                    peer.deliver(acked)
            else:
                assert_never(outcome)
        except Exception as error:  # noqa: BLE001  (the containment reports it)
            self._containment.contain(peer, error)
        finally:
            self._containment.current = before  # the rest of the batch is not this peer's


def is_trial(command: object, refusal: Refusal) -> bool:
    """Tell whether a draft with `TRIAL_FILE` was refused for that alone: it was to ask whether it would be."""
    return refusal.reason in TRIAL_REASONS and isinstance(command, Say | Direct) and TRIAL_FILE in command.files


def _spoken(command: Say | Direct) -> str:
    """Return the text of a draft; empty for one that has files and only spaces besides."""
    return "" if command.files and command.text.isspace() else command.text


def _check_text(text: str, most_chars: int, *, has_files: bool = False) -> None:
    if (not text or text.isspace()) and not has_files:
        raise refusal_for("text_empty")
    if len(text) > most_chars or (not text.isascii() and len(text.encode()) > MAX_TEXT_BYTES):
        raise refusal_for("text_too_long", most=most_chars)
