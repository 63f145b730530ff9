"""The tables of accounts and all that hangs on them, of bans and of mutes, in memory: the hub decides from them alone.

A change is applied here when it is durable, and not before; `RecordChanges` sees to that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, assert_never

from msgspec.structs import replace

from securechat.errors import LocalProtocolError
from securechat.hub.accounts.bans import BanIndex
from securechat.hub.environment import HubEnvironment
from securechat.hub.rooms.directory import RoomDirectory
from securechat.model import Person
from securechat.records.accounts import (
    Account,
    AccountKind,
    AccountRow,
    ApiToken,
    AuditEntry,
    Ban,
    BanKind,
    Certificate,
    Change,
    Drop,
    EraseSender,
    Invite,
    Login,
    Mute,
    OutgoingWebhook,
    PurgeGuests,
    PurgeMessageKeys,
    Put,
    Role,
    StoredAccounts,
    TrimAudit,
    WriteAudit,
)
from securechat.records.files import DropGoneFiles, PurgeFiles
from securechat.records.rooms import StoredRooms
from securechat.text.confusables import skeleton
from securechat.text.names import name_key

RowT = TypeVar("RowT", Account, Login, ApiToken, Invite, OutgoingWebhook)
_DAY_MS = 86_400_000


def hash_of(token: str) -> bytes:
    """Return what is stored of a login or invite token: the SHA-256 of its bytes (it has 128 random bits: no salt)."""
    return hashlib.sha256(bytes.fromhex(token)).digest()


class AccountDirectory:
    """Accounts, logins, certificates, invites, bans and mutes.

    Args:
        environment: the clock and the limits.

    Attributes:
        accounts, logins, tokens, certificates, invites, bans, mutes: by number (sender_id for accounts and mutes).
        banned: finds bans by what they keep out.
        leaving: records, by kind and number, that a change on its way drops: they prove nothing any more.
        arriving: accounts that a change on its way makes, by what their names look like: these names are not free.
        being_deleted: accounts that are being deleted: no new message may name them.
        ended_logins: logins that have ended and whose connections are still here; the hub ends those with its next
            answer or batch.
        ended_tokens: API tokens likewise.
        dropped_accounts: accounts that are gone, until the hub gives up what they have not sent.
        bots_of: the bots and webhooks that an account has made.
        outgoing: outgoing webhooks, by the sender_id of their account.
        changed_outgoing: those that have changed or gone and whose deliveries do not know yet; `Hub.on_commit` tells
            them.
        room_directory: rooms and their memberships.
        removed: senders whose messages were removed, and the seq up to which, the latest last; kept by `PurgeDelivery`.
    """

    def __init__(self, environment: HubEnvironment) -> None:
        self.clock = environment.clock
        self.wall_ms = self.clock.now_ms
        self._session_ms = int(environment.limits.session_days * _DAY_MS)
        self.accounts: dict[int, Account] = {}
        self.logins: dict[int, Login] = {}
        self.tokens: dict[int, ApiToken] = {}
        self.certificates: dict[int, Certificate] = {}
        self.invites: dict[int, Invite] = {}
        self.banned = BanIndex(self.lasts)
        self.mutes: dict[int, Mute] = {}
        self._muted_names: dict[str, set[int]] = {}
        self._muted_along: dict[int, int] = {}  # guests with a muted guest's name, and whose mute counts for them
        self.being_deleted: set[int] = set()
        self.removed: dict[int, int] = {}
        self.outgoing: dict[int, OutgoingWebhook] = {}
        self.changed_outgoing: set[int] = set()
        self._serial = 0
        self.leaving: set[tuple[type[AccountRow], int]] = set()
        self.arriving: dict[str, Account] = {}
        self._epochs: dict[int, int] = {}
        self._by_key: dict[str, int] = {}
        self._by_skeleton: dict[str, int] = {}
        self._same_skeleton: dict[str, list[int]] = {}  # further accounts of a skeleton, from an older database alone
        self._by_token: dict[bytes, int] = {}
        self._by_api_token: dict[bytes, int] = {}
        self._tokens_of: dict[int, dict[int, ApiToken]] = {}
        self.bots_of: dict[int, set[int]] = {}
        self._by_fingerprint: dict[str, int] = {}
        self._by_invite: dict[bytes, int] = {}
        self.room_directory = RoomDirectory(self.accounts, self.bots_of, self.clock)
        self._logins_of: dict[int, dict[int, Login]] = {}
        self.ended_logins: set[int] = set()
        self.ended_tokens: set[int] = set()
        self.dropped_accounts: set[int] = set()

    def restore(self, people: StoredAccounts, room_records: StoredRooms) -> None:
        """Take over what the log remembers."""
        self._serial = people.serial
        self.removed.update(people.removed)
        for rows in (
            people.accounts, people.logins, people.tokens, people.outgoing, people.certificates, people.invites,
            people.bans, people.mutes,
        ):  # fmt: skip
            for row in rows:
                self._put(row)
        self.room_directory.restore(room_records)

    # --- Finding --------------------------------------------------------------------------------------------------

    def account_named(self, name: str) -> Account | None:
        """Return the account of this name, however it is spelled."""
        return self.account_of_key(name_key(name))

    def account_of_key(self, key: str) -> Account | None:
        """Return the account with this name key."""
        sender_id = self._by_key.get(key)
        return None if sender_id is None else self.accounts[sender_id]

    def look_alike(self, name: str) -> Account | None:
        """Return the account whose name is this one or looks like it; also one whose making is not durable yet."""
        if (account := self.account_named(name)) is not None:
            return account
        looks = skeleton(name)
        sender_id = self._by_skeleton.get(looks)
        return self.arriving.get(looks) if sender_id is None else self.accounts[sender_id]

    def living(self, sender_id: int) -> Account | None:
        """Return an account that is there and is not being deleted."""
        return None if (Account, sender_id) in self.leaving else self.accounts.get(sender_id)

    def is_bot(self, sender_id: int) -> bool:
        """Tell whether a sender is a bot or an incoming webhook."""
        account = self.accounts.get(sender_id)
        return account is not None and account.kind is not AccountKind.PERSON

    def person(self, sender_id: int, name: str) -> Person:
        """Return a sender as others see it."""
        return Person(sender_id, name, self.is_bot(sender_id))

    def present(self, kind: type[RowT], number: int) -> RowT | None:
        """Return a record that is there and not on its way out."""
        return None if (kind, number) in self.leaving else self._table(kind).get(number)

    def is_leaving(self, kind: type[AccountRow], number: int) -> bool:
        """Tell whether a record is on its way out."""
        return (kind, number) in self.leaving

    def epoch(self, sender_id: int) -> int:
        """Return the count of an account's passwords since the start; a rehash is no new password."""
        return self._epochs.get(sender_id, 0)

    def begin_epoch(self, sender_id: int) -> None:
        """Count a new password of an account: proofs of the one before are void."""
        self._epochs[sender_id] = self.epoch(sender_id) + 1

    def login_with(self, token: str) -> Login | None:
        """Return the login that holds this token, unless it has expired."""
        try:
            number = self._by_token.get(hash_of(token), 0)
        except ValueError:  # a token of another kind, as programs send it over HTTP
            return None
        return self.logins[number] if self.has_login(number) else None

    def has_login(self, number: int) -> bool:
        """Tell whether a login is there, has not expired, and is not being ended."""
        login = self.logins.get(number)
        return (
            login is not None
            and login.expires_at_ms > self.clock.earliest_ms()
            and not self.leaving & {(Login, number), (Account, login.sender_id)}
        )

    def token_with(self, token_hash: bytes) -> ApiToken | None:
        """Return the API token with this hash, also an expired one."""
        return self.present(ApiToken, self._by_api_token.get(token_hash, 0))

    def tokens_of(self, sender_id: int) -> list[ApiToken]:
        """The API tokens of an account that have not expired, by number."""
        mine = self._tokens_of.get(sender_id, {}).values()
        return sorted((row for row in mine if self.lasts(row.expires_at_ms)), key=lambda row: row.token_id)

    def all_tokens_of(self, sender_id: int) -> list[ApiToken]:
        """The API tokens of an account, also those that have expired."""
        return list(self._tokens_of.get(sender_id, {}).values())

    def certificate_with(self, fingerprint: str) -> Certificate | None:
        """Return the certificate with this public key."""
        row = self.certificates.get(self._by_fingerprint.get(fingerprint, 0))
        if row is None or self.leaving & {(Certificate, row.certificate_id), (Account, row.sender_id)}:
            return None
        return row

    def invite_with(self, token: str) -> Invite | None:
        """Return the invite with this token, also a revoked, used or expired one."""
        return self.invites.get(self._by_invite.get(hash_of(token), 0))

    def logins_of(self, sender_id: int) -> list[Login]:
        """The logins of an account that have not expired, the latest used last."""
        now_ms = self.clock.earliest_ms()
        mine = [row for row in self._logins_of.get(sender_id, {}).values() if row.expires_at_ms > now_ms]
        return sorted(mine, key=lambda row: (row.used_at_ms, row.login_id))

    def certificates_of(self, sender_id: int) -> list[Certificate]:
        """The client certificates of an account."""
        return [row for row in self.certificates.values() if row.sender_id == sender_id]

    @property
    def bans(self) -> dict[int, Ban]:
        """Every ban by its number, in force or not."""
        return self.banned.rows

    def mute_on(self, sender_id: int) -> Mute | None:
        """Return the mute of a sender, if it lasts.

        A guest with a muted guest's name shares that one, and a bot that of the account that made it.
        """
        mute = self.mutes.get(sender_id)
        if mute is None or not self.lasts(mute.until_ms):
            account = self.accounts.get(sender_id)
            shared = self._muted_along.get(sender_id, 0) if account is None else account.made_by
            mute = self.mutes.get(shared)
        return mute if mute is not None and self.lasts(mute.until_ms) else None

    def mute_along(self, sender_id: int, name: str) -> None:
        """Let the mute of a guest whose name is this one, or looks like it, count for this guest while it is here.

        Starting the client anew, with another secret, is no way out of a mute. Nothing is stored, however often that
        happens, and lifting the one mute lifts it for all.
        """
        for muted in self._muted_names.get(skeleton(name), ()):
            if muted != sender_id and muted not in self.accounts and self.lasts(self.mutes[muted].until_ms):
                self._muted_along[sender_id] = muted
                return

    def muted_by(self, mute: Mute) -> list[int]:
        """Return the senders for whom a mute counts: its own, and the guests here who share it with its name."""
        return [mute.sender_id, *(sender for sender, muted in self._muted_along.items() if muted == mute.sender_id)]

    def forget_muted_along(self, sender_id: int) -> None:
        """A guest has left, and a mute that counted for it with its name counts for it no more."""
        self._muted_along.pop(sender_id, None)

    def lasts(self, until_ms: int | None) -> bool:
        """Tell whether something with this end is still in force."""
        return until_ms is None or until_ms > self.wall_ms()

    # --- Changing -------------------------------------------------------------------------------------------------

    def number(self) -> int:
        """Return a number never given to a login, certificate, invite or ban before."""
        self._serial += 1
        return self._serial

    def note(self, actor: str, act: str, target: str = "", detail: str = "") -> WriteAudit:
        """Return an audit entry of this moment."""
        return WriteAudit(AuditEntry(self.wall_ms(), actor, act, target, detail))

    def _table(self, kind: type[AccountRow]) -> dict[int, Any]:
        if kind is Account:
            return self.accounts
        if kind is Login:
            return self.logins
        if kind is ApiToken:
            return self.tokens
        if kind is Invite:
            return self.invites
        if kind is OutgoingWebhook:
            return self.outgoing
        raise LocalProtocolError(f"{kind.__name__} is never amended")

    def end_of_login(self, now_ms: int, login: Login | None = None) -> int:
        """Return when a login that is used now expires; one that is there never earlier than it would have."""
        end_ms = now_ms + self._session_ms
        return end_ms if login is None else max(end_ms, login.expires_at_ms)

    def apply(self, changes: Sequence[Change], dropped: Iterable[int]) -> None:
        """Apply changes that are durable.

        Args:
            changes: in their order.
            dropped: rooms whose record has gone.
        """
        for change in changes:
            self._apply(change)
        for room_id in dropped:
            self.room_directory.dropped(room_id)

    def _apply(self, change: Change) -> None:
        match change:
            case Put(row):
                self._put(row)
            case Drop(kind, number):
                self._drop(kind, number)
            case WriteAudit() | EraseSender() | PurgeGuests() | PurgeMessageKeys() | TrimAudit():
                pass
            case DropGoneFiles() | PurgeFiles():  # the log alone knows files
                pass
            case _:
                self.room_directory.apply(change)

    def _put(self, row: AccountRow) -> None:
        match row:
            case Account():
                self._unname(row.sender_id)
                self.accounts[row.sender_id] = row
                administrators = self.room_directory.administrators
                (administrators.add if row.role is Role.ADMIN else administrators.discard)(row.sender_id)
                self._by_key[row.key] = row.sender_id
                if row.kind is not AccountKind.PERSON:
                    self.bots_of.setdefault(row.made_by, set()).add(row.sender_id)
                looks = skeleton(row.name)
                if self._by_skeleton.setdefault(looks, row.sender_id) != row.sender_id:
                    self._same_skeleton.setdefault(looks, []).append(row.sender_id)
            case Login():
                self.logins[row.login_id] = row
                self._by_token[row.token_hash] = row.login_id
                self._logins_of.setdefault(row.sender_id, {})[row.login_id] = row
            case ApiToken():
                self.tokens[row.token_id] = row
                self._by_api_token[row.token_hash] = row.token_id
                self._tokens_of.setdefault(row.sender_id, {})[row.token_id] = row
            case OutgoingWebhook():
                self.outgoing[row.sender_id] = row
                self.changed_outgoing.add(row.sender_id)
            case Certificate():
                self.certificates[row.certificate_id] = row
                self._by_fingerprint[row.fingerprint] = row.certificate_id
            case Invite():
                self.invites[row.invite_id] = row
                self._by_invite[row.token_hash] = row.invite_id
            case Ban():
                self.banned.put(row)
            case Mute():
                self._drop_mute(row.sender_id)
                self.mutes[row.sender_id] = row
                self._muted_names.setdefault(skeleton(row.name), set()).add(row.sender_id)
            case _:
                assert_never(row)

    def _drop(self, kind: type[AccountRow], number: int) -> None:
        if kind is Account:
            self._drop_account(number)
        elif kind is Login and (login := self.logins.pop(number, None)) is not None:
            self._by_token.pop(login.token_hash, None)
            self._logins_of[login.sender_id].pop(number, None)
        elif kind is ApiToken and (token := self.tokens.pop(number, None)) is not None:
            self._by_api_token.pop(token.token_hash, None)
            self._tokens_of[token.sender_id].pop(number, None)
            self.ended_tokens.add(number)
        elif kind is OutgoingWebhook and self.outgoing.pop(number, None) is not None:
            self.changed_outgoing.add(number)
        elif kind is Certificate and (certificate := self.certificates.pop(number, None)) is not None:
            self._by_fingerprint.pop(certificate.fingerprint, None)
        elif kind is Invite and (invite := self.invites.pop(number, None)) is not None:
            self._by_invite.pop(invite.token_hash, None)
        elif kind is Ban:
            self.banned.drop(number)
        elif kind is Mute:
            self._drop_mute(number)
            if self._muted_along:
                self._muted_along = {guest: muted for guest, muted in self._muted_along.items() if muted != number}

    def _drop_mute(self, sender_id: int) -> None:
        mute = self.mutes.pop(sender_id, None)
        if mute is None:
            return
        looks = skeleton(mute.name)
        self._muted_names[looks].discard(sender_id)
        if not self._muted_names[looks]:
            del self._muted_names[looks]

    def _drop_account(self, sender_id: int) -> None:
        self._unname(sender_id)
        account = self.accounts.pop(sender_id, None)
        if account is not None and account.kind is not AccountKind.PERSON:
            self.bots_of[account.made_by].discard(sender_id)
        self.dropped_accounts.add(sender_id)
        self.room_directory.administrators.discard(sender_id)
        self.room_directory.forget_account(sender_id)
        for login_id in list(self._logins_of.get(sender_id, ())):
            self._drop(Login, login_id)
        self._logins_of.pop(sender_id, None)
        for token_id in list(self._tokens_of.get(sender_id, ())):
            self._drop(ApiToken, token_id)
        self._tokens_of.pop(sender_id, None)
        self._epochs.pop(sender_id, None)
        self._drop(OutgoingWebhook, sender_id)
        for certificate in self.certificates_of(sender_id):
            self._drop(Certificate, certificate.certificate_id)
        for ban in self.banned.of(BanKind.ACCOUNT, str(sender_id)):
            self._drop(Ban, ban.ban_id)
        self._drop(Mute, sender_id)

    def _unname(self, sender_id: int) -> None:
        if (old := self.accounts.get(sender_id)) is not None:
            self._by_key.pop(old.key, None)
            self._forget_look(skeleton(old.name), sender_id)

    def _forget_look(self, looks: str, sender_id: int) -> None:
        further = self._same_skeleton.get(looks, [])
        if sender_id in further:
            further.remove(sender_id)
        elif further:
            self._by_skeleton[looks] = further.pop(0)
        else:
            self._by_skeleton.pop(looks, None)
        if not further:
            self._same_skeleton.pop(looks, None)


def seen(account: Account, seq: int, now_ms: int) -> Account:
    """Return the account as it is after a device of it has been sent everything up to ``seq``."""
    return replace(account, seen_at_ms=now_ms, seen_seq=max(account.seen_seq, seq))
