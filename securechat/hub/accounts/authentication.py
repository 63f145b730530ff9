"""The door: what a hello proves. It decides who somebody is; whether the name is free is decided behind it.

Four proofs lead in: a login's token, a client certificate, a password, or an invite with a password for a new account.
Without one only a guest comes in, under ``--access open``, by a name that is nobody's account and looks like none.

What strangers may learn: under ``--access members`` every hello without a valid proof is answered the same way, whether
the name exists or not. A wrong password and an unknown name get the same answer after the same work (a hash of the
same cost), and are slowed down in the same way (`login_throttle`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.directory import hash_of
from securechat.hub.accounts.hashing_quota import HashingQuota
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Access, PasswordCheck, Peer
from securechat.limits import SECRET_BYTES
from securechat.model import Hello
from securechat.records.accounts import Account, Ban, Change, Drop, Invite, Login, Put
from securechat.text.names import name_key
from securechat.text.passwords import check_password, normal_password

_WRONG = "the name or the password is wrong; try again"
_MEMBERS_ONLY = "this server is for members: log in with your name and password, or ask its administrator for an invite"
_EXPIRED = "this login has ended or expired; log in with your password again"


class Authenticated(Struct):
    """Somebody who may come in.

    Attributes:
        name: as it will be shown.
        account: whose proof it was; None for a guest, and for an invited until the account is made.
        login: the login by token or password.
        token: of a login made just now.
        certificate: the fingerprint that was the proof.
        invite: the invite that was the proof; ``password`` is the PHC string of the account to be made.
        changes: what must be durable before the welcome.
        epoch: which password was the proof; None for another proof.
        holds_use: whether a use of the invite is pending for it.
    """

    name: str
    account: Account | None = None
    login: Login | None = None
    token: str = ""
    certificate: str | None = None
    invite: Invite | None = None
    password: str | None = None
    changes: tuple[Change, ...] = ()
    epoch: int | None = None
    holds_use: bool = False

    def __repr__(self) -> str:
        return f"Entry({self.name!r})"


AuthenticationDone: TypeAlias = Callable[["Authenticated | Refusal"], None]


class Authenticator:
    """Judges hellos.

    Args:
        context: accounts and what hangs on them, access, hashing, randomness and limits.
        login_throttle: judges when a password may be tried.

    Attributes:
        hashing: hashes what peers ask for.
        proven: see `AuthenticationSettings`.
    """

    def __init__(self, context: HubContext, login_throttle: LoginThrottle) -> None:
        self._context = context
        self._directory = context.accounts
        self._keys = context.authentication
        self._login_throttle = login_throttle
        self._limits = context.limits
        self.hashing = HashingQuota(context.authentication.hasher, context.limits)
        self.proven = context.authentication.proven
        self._uses_pending: dict[int, int] = {}

    def authenticate(self, peer: Peer, hello: Hello, name: str, opened: AuthenticationDone) -> None:
        """Judge a hello, now or when a password has been compared.

        Args:
            peer: who knocks.
            hello: what they say.
            name: its name, checked.
            opened: told the outcome, perhaps before this returns.

        Raises:
            Refusal: the outcome is known now, and is no.
        """
        if (ban := self._directory.banned.on_host(peer.host)) is not None:
            raise banned(ban, self._directory.wall_ms())
        if hello.invite is not None:
            self._by_invite(peer, hello, name, opened)
        elif hello.token is not None:
            opened(self._by_token(hello.token))
        elif hello.password is not None:
            self._by_password(peer, hello, name, opened)
        elif peer.certificate is not None:
            opened(self._by_certificate(peer.certificate, name))
        else:
            opened(self._as_guest(name))

    def recheck(self, entry: Authenticated, host: str) -> None:
        """Judge again what may have changed while the log was asked.

        Raises:
            Refusal: the account, the login, the certificate or the password is gone, or a ban has come.
        """
        if (ban := self._directory.banned.on_host(host)) is not None:
            raise banned(ban, self._directory.wall_ms())
        if entry.account is None:
            self.check_free(entry.name)
            return
        account = self._directory.living(entry.account.sender_id)
        if account is None or entry.epoch not in (None, self._directory.epoch(account.sender_id)):
            raise Refusal(ErrorCode.LOGIN_FAILED, _WRONG)
        entry.account = account
        entry.name = account.name
        if (ban := self._directory.banned.on_account(account.sender_id)) is not None:
            raise banned(ban, self._directory.wall_ms())
        if entry.login is not None and not self._directory.has_login(entry.login.login_id):
            raise Refusal(ErrorCode.LOGIN_EXPIRED, _EXPIRED)
        if entry.certificate is not None and self._directory.certificate_with(entry.certificate) is None:
            raise _unknown_certificate()

    def changes(self, entry: Authenticated, host: str) -> tuple[Change, ...]:
        """Return what must be durable before an account's welcome: a new login, or that an old one was used."""
        login = entry.login
        if entry.changes or login is None or not self._directory.has_login(login.login_id):
            return entry.changes
        end_ms = self._directory.end_of_login(login)
        return (Put(replace(login, used_at_ms=self._directory.wall_ms(), address=host, expires_at_ms=end_ms)),)

    def release(self, entry: Authenticated) -> None:
        """The entry is over, with or without success: the invite's use is no longer pending. May be told twice."""
        if entry.holds_use and entry.invite is not None:
            entry.holds_use = False
            number = entry.invite.invite_id
            self._uses_pending[number] -= 1
            if not self._uses_pending[number]:
                del self._uses_pending[number]

    def _hold(self, entry: Authenticated) -> None:
        """One use of the entry's invite is pending, until `release`."""
        assert entry.invite is not None
        number = entry.invite.invite_id
        self._uses_pending[number] = self._uses_pending.get(number, 0) + 1
        entry.holds_use = True

    def check_free(self, name: str) -> None:
        """Let a guest, or a new account, have a name.

        Raises:
            Refusal: it is an account's, looks like one, or is banned.
        """
        if (account := self._directory.look_alike(name)) is not None:
            if account.key == name_key(name):
                raise Refusal(
                    ErrorCode.LOGIN_REQUIRED,
                    "this name belongs to somebody: log in with its password, or choose another name",
                )
            raise Refusal(ErrorCode.NAME_IN_USE, "this name looks like somebody else's; choose another one")
        if (ban := self._directory.banned.on_name(name)) is not None:
            raise banned(ban, self._directory.wall_ms())

    # --- The proofs -----------------------------------------------------------------------------------------------

    def _as_guest(self, name: str) -> Authenticated:
        if self._keys.access is Access.MEMBERS:
            raise Refusal(ErrorCode.LOGIN_REQUIRED, _MEMBERS_ONLY)
        self.check_free(name)
        return Authenticated(name)

    def _by_token(self, token: str) -> Authenticated:
        login = self._directory.login_with(token)
        if login is None:
            raise Refusal(ErrorCode.LOGIN_EXPIRED, _EXPIRED)
        account = self._directory.accounts[login.sender_id]
        if (ban := self._directory.banned.on_account(account.sender_id)) is not None:
            raise banned(ban, self._directory.wall_ms())
        return Authenticated(account.name, account=account, login=login)

    def _by_certificate(self, fingerprint: str, name: str) -> Authenticated:
        certificate = self._directory.certificate_with(fingerprint)
        if certificate is None:
            raise _unknown_certificate()
        account = self._directory.accounts[certificate.sender_id]
        if account.key != name_key(name):  # whoever has several accounts must not end up as the wrong one
            raise Refusal(
                ErrorCode.CERTIFICATE_UNKNOWN,
                "your certificate is not that name's: use the name of the account that has added it, or your password",
            )
        if (ban := self._directory.banned.on_account(account.sender_id)) is not None:
            raise banned(ban, self._directory.wall_ms())
        return Authenticated(account.name, account=account, certificate=fingerprint)

    def _by_password(self, peer: Peer, hello: Hello, name: str, opened: AuthenticationDone) -> None:
        key = name_key(name)
        self._login_throttle.check(peer, key, self._context.now)
        asked = self._directory.account_named(name)
        epoch = self._directory.epoch(asked.sender_id) if asked is not None else 0
        password = normal_password(hello.password or "")

        def verified(verdict: PasswordCheck | Refusal) -> None:
            if isinstance(verdict, Refusal):  # nothing was compared: the try counts for nothing
                self._login_throttle.retract(peer, key, self._context.now)
                opened(verdict)
                return
            account = self._directory.living(asked.sender_id) if asked is not None else None
            if not verdict.match or account is None or self._directory.epoch(account.sender_id) != epoch:
                self._login_throttle.failed(peer, key, self._context.now)
                opened(Refusal(ErrorCode.LOGIN_FAILED, _WRONG))
                return
            self._login_throttle.succeeded(peer, key)
            if (ban := self._directory.banned.on_account(account.sender_id)) is not None:
                opened(banned(ban, self._directory.wall_ms()))
                return
            if verdict.stale:
                self._rehash(account, password)
            login, token, changes = self.new_login(account.sender_id, hello.client, peer.host)
            opened(Authenticated(account.name, account=account, login=login, token=token, changes=changes, epoch=epoch))

        try:
            self.hashing.verify(peer, asked.password if asked is not None else None, password, verified)
        except BaseException:
            self._login_throttle.retract(peer, key, self._context.now)
            raise

    def _by_invite(self, peer: Peer, hello: Hello, name: str, opened: AuthenticationDone) -> None:
        assert hello.invite is not None
        invite = self._good_invite(hello.invite)
        if self._directory.look_alike(name) is not None:
            raise Refusal(ErrorCode.NAME_IN_USE, "this name is somebody's, or looks like it; choose another one")
        self.check_free(name)
        if hello.password is None:
            raise Refusal(ErrorCode.PASSWORD_NEEDED, "the invite is good and the name is free: choose a password")
        password = check_password(hello.password, name)

        entry = Authenticated(name, invite=invite)

        def hashed(phc: str | Refusal) -> None:
            if isinstance(phc, Refusal):
                self.release(entry)
                opened(phc)
                return
            entry.password = phc
            opened(entry)

        self._hold(entry)
        try:
            self.hashing.hash(peer, password, hashed)
        except BaseException:
            self.release(entry)
            raise

    def _good_invite(self, token: str) -> Invite:
        invite = self._directory.invite_with(token)
        if invite is None:
            raise Refusal(ErrorCode.INVITE_UNKNOWN, "this server knows no such invite; ask for a new one")
        _expect_open(invite)
        if invite.expires_at_ms <= self._directory.wall_ms():
            raise Refusal(ErrorCode.INVITE_EXPIRED, "this invite has expired; ask for a new one")
        if len(invite.used_by) + self._uses_pending.get(invite.invite_id, 0) >= invite.uses:
            raise Refusal(ErrorCode.BUSY, "somebody is using this invite at this moment; try again", retry_after_s=2.0)
        return invite

    def spend(self, invite: Invite, name: str, host: str) -> Invite:
        """Return the invite as it is when this name has used it.

        Raises:
            Refusal: it was revoked while the hello was answered, or a ban has come.
        """
        _expect_open(invite)
        if (ban := self._directory.banned.on_host(host)) is not None:
            raise banned(ban, self._directory.wall_ms())
        used_by = (*invite.used_by, name)
        if len(used_by) < invite.uses:
            return replace(invite, used_by=used_by)
        ended_ms = min(invite.expires_at_ms, self._directory.wall_ms())  # it is forgotten some time after its end
        return replace(invite, used_by=used_by, expires_at_ms=ended_ms)

    # --- Logins ---------------------------------------------------------------------------------------------------

    def new_login(self, sender_id: int, client: str, host: str) -> tuple[Login, str, tuple[Change, ...]]:
        """Return a login that does not exist yet, its token, and the changes that make it exist."""
        token = self._keys.token_bytes(SECRET_BYTES).hex()
        now_ms = self._directory.wall_ms()
        login = Login(
            login_id=self._directory.number(),
            sender_id=sender_id,
            token_hash=hash_of(token),
            client=client,
            address=host,
            made_at_ms=now_ms,
            used_at_ms=now_ms,
            expires_at_ms=self._directory.end_of_login(),
        )
        mine = self._directory.logins_of(sender_id)
        surplus = mine[: max(0, len(mine) + 1 - self._limits.sessions_per_account)]
        return login, token, (*(Drop(Login, old.login_id) for old in surplus), Put(login))

    def _rehash(self, account: Account, password: str) -> None:
        """Hash a password again with today's parameters, when there is time for it."""

        def hashed(phc: str | Refusal) -> None:
            if isinstance(phc, Refusal):
                return  # the next login will do it

            def edit(row: Account) -> Account:
                return replace(row, password=phc) if row.password == account.password else row

            self._directory.amend(Account, account.sender_id, edit, (), lambda _: None)

        with suppress(Refusal):  # busy: the next login will do it
            self._keys.hasher.hash(password, hashed)


def _expect_open(invite: Invite) -> None:
    if invite.revoked:
        raise Refusal(ErrorCode.INVITE_REVOKED, "this invite was taken back; ask for a new one")
    if len(invite.used_by) >= invite.uses:
        raise Refusal(ErrorCode.INVITE_USED, "this invite has been used up; ask for a new one")


def banned(ban: Ban, now_ms: int) -> Refusal:
    """What somebody banned is told, as the last words of the connection."""
    reason = f" ({ban.reason})" if ban.reason else ""
    if ban.until_ms is None:
        return Refusal(ErrorCode.BANNED, f"you are banned from this server{reason}; ask its administrator")
    left_s = max(0.0, (ban.until_ms - now_ms) / 1000)
    return Refusal(ErrorCode.BANNED, f"you are banned from this server for another {span(left_s)}{reason}", left_s)


def span(seconds: float) -> str:
    """Return a duration as a person says it, rounded up to one unit."""
    for unit_s, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit_s:
            count = -int(-seconds // unit_s)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{max(1, round(seconds))} s"


def _unknown_certificate() -> Refusal:
    return Refusal(
        ErrorCode.CERTIFICATE_UNKNOWN,
        "your certificate belongs to no account here: log in with your password, then add it with /cert add",
    )
