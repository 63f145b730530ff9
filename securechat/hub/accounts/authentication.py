"""Authenticates hellos: decides which account a hello proves, or that it is a guest's.

There are five proofs: a login's token, an API token, a client certificate, a password, and an invite with a password
for a new account. A hello without one is a guest's: allowed under ``--access open``, with a name that is no account's
and looks like none. Whether a name is free otherwise is decided by `NameReservations`.

A stranger must not learn which names exist. Under ``--access members`` every hello without a valid proof gets the same
answer, for any name. A wrong password and an unknown name get the same answer after the same work (a hash of the same
cost), and are slowed down in the same way (`login_throttle`).
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from securechat.errors import ErrorCode, Refusal
from securechat.hub.accounts.bans import made_for
from securechat.hub.accounts.directory import hash_of
from securechat.hub.accounts.login_throttle import LoginThrottle
from securechat.hub.context import HubContext
from securechat.hub.interfaces import Access, PasswordCheck, Peer
from securechat.hub.programs.scopes import expect_connecting
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.workflow import HashPassword, VerifyPassword, Workflow, amend
from securechat.limits import SECRET_BYTES
from securechat.model import Hello
from securechat.records.accounts import Account, ApiToken, Ban, BanKind, Change, Drop, Invite, Login, Put
from securechat.text.api_tokens import is_api_token
from securechat.text.confusables import is_like_reserved
from securechat.text.names import name_key
from securechat.text.passwords import check_password, normal_password
from securechat.text.refusals import refusal_for


class LoginKind(StrEnum):
    """What a hello claims to prove it by. Values are stable words for metrics."""

    GUEST = "guest"
    TOKEN = "token"  # noqa: S105 - a kind, not a token
    API_TOKEN = "api_token"  # noqa: S105 - a kind, not a token
    CERTIFICATE = "certificate"
    PASSWORD = "password"  # noqa: S105 - a kind, not a password
    INVITE = "invite"


def login_kind(hello: Hello, certificate: str | None) -> LoginKind:
    """Return what a hello is judged by.

    Args:
        hello: the hello.
        certificate: that its connection presented; see `Peer.certificate`.
    """
    if hello.invite is not None:
        return LoginKind.INVITE
    if hello.token is not None:
        return LoginKind.API_TOKEN if is_api_token(hello.token) else LoginKind.TOKEN
    if hello.password is not None:
        return LoginKind.PASSWORD
    return LoginKind.CERTIFICATE if certificate is not None else LoginKind.GUEST


class Authenticated(Struct):
    """A hello that has proved enough.

    Attributes:
        name: as it will be shown.
        account: the account that was proved; None for a guest, and with an invite until the account is made.
        login: the login, by token or by password.
        token: the token of a new login.
        api_token: the API token that was the proof.
        certificate: the fingerprint that was the proof.
        invite: the invite that was the proof; ``password`` is the PHC string of the account to be made.
        changes: the changes to be made along with the identity.
        epoch: the count of the password that was the proof (`AccountDirectory.epoch`); None for another proof.
        holds_use: whether a use of the invite is pending for it.
    """

    name: str
    account: Account | None = None
    login: Login | None = None
    token: str = ""
    api_token: ApiToken | None = None
    certificate: str | None = None
    invite: Invite | None = None
    password: str | None = None
    changes: tuple[Change, ...] = ()
    epoch: int | None = None
    holds_use: bool = False

    def __repr__(self) -> str:
        return f"Authenticated({self.name!r})"


class Authenticator:
    """Judges hellos.

    Args:
        context: accounts and what hangs on them, access, hashing, randomness and limits.
        login_throttle: judges when a password may be tried.
        api_tokens: judges API tokens.

    Attributes:
        hashing: hashes the passwords of peers.
        proven: see `AuthenticationSettings`.
    """

    def __init__(self, context: HubContext, login_throttle: LoginThrottle, api_tokens: ApiTokens) -> None:
        self._context = context
        self._api_tokens = api_tokens
        self._directory = context.accounts
        self._keys = context.authentication
        self._login_throttle = login_throttle
        self._limits = context.limits
        self.hashing = context.hashing
        self.proven = context.authentication.proven
        self._uses_pending: dict[int, int] = {}

    def authenticate(self, peer: Peer, hello: Hello, name: str) -> Workflow[Authenticated]:
        """Judge a hello.

        Args:
            peer: the connection.
            hello: what it has sent.
            name: its name, checked.

        Raises:
            Refusal: it proves nothing, or is banned.
        """
        self.require_unbanned(peer.host)
        if hello.invite is not None:
            return (yield from self._by_invite(peer, hello, name))
        if hello.token is not None:
            return self._by_token(hello.token)
        if hello.password is not None:
            return (yield from self._by_password(peer, hello, name))
        if peer.certificate is not None:
            return self._by_certificate(peer.certificate, name)
        return self._as_guest(name)

    def recheck(self, entry: Authenticated, host: str, sender_id: int) -> None:
        """Judge again what may have changed during a commit, and a guest by the sender that the log knows it as.

        Raises:
            Refusal: the account, the login, the certificate or the password is gone, or a ban has come.
        """
        self.require_unbanned(host)
        if entry.account is None:
            self.check_free(entry.name)
            self._check_sender_ban(sender_id)
            return
        account = self._directory.living(entry.account.sender_id)
        if account is None or entry.epoch not in (None, self._directory.epoch(account.sender_id)):
            raise refusal_for("login_failed")
        entry.account = account
        entry.name = account.name
        self._check_sender_ban(account.sender_id)
        if entry.api_token is not None:
            self._api_tokens.expect_good(entry.api_token)
        if entry.login is not None and not self._directory.has_login(entry.login.login_id):
            raise refusal_for("login_expired")
        if entry.certificate is not None and self._directory.certificate_with(entry.certificate) is None:
            raise refusal_for("certificate_unknown")

    def judge_api_token(self, secret: str) -> ApiToken:
        """Return the token with this secret.

        Raises:
            Refusal: TOKEN_INVALID, it is mistyped, unknown or over; BANNED, its account is.
        """
        row = self._api_tokens.judge(secret)
        self._check_sender_ban(row.sender_id)
        return row

    def require_unbanned(self, host: str) -> None:
        """Require that a network address is not banned.

        Raises:
            Refusal: BANNED.
        """
        if (ban := self._directory.banned.on_host(host)) is not None:
            raise banned(ban, self._directory.wall_ms())

    def changes(self, entry: Authenticated, host: str) -> tuple[Change, ...]:
        """Return the changes to be made along with the identity: a new login, or that an old one was used."""
        if entry.api_token is not None:
            present = self._directory.present(ApiToken, entry.api_token.token_id)
            return () if present is None else self._api_tokens.note_use(present, host)
        login = entry.login
        if entry.changes or login is None or not self._directory.has_login(login.login_id):
            return entry.changes
        now_ms = self._directory.wall_ms()
        end_ms = self._directory.end_of_login(now_ms, login)
        return (Put(replace(login, used_at_ms=now_ms, address=host, expires_at_ms=end_ms)),)

    def release(self, entry: Authenticated) -> None:
        """End an entry, with or without success: its use of an invite is no longer pending. May be called twice."""
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
        """Check that a guest or a new account may have a name.

        An account whose name looks reserved and is older than this rule keeps it: a login does not come here.

        Raises:
            Refusal: it is an account's, looks like one, looks like a name reserved for the server, or is banned.
        """
        if is_like_reserved(name):
            raise refusal_for("name_reserved_for_server")
        if (account := self._directory.look_alike(name)) is not None:
            if account.key == name_key(name):
                raise refusal_for("name_registered")
            raise refusal_for("name_like_account")
        if (ban := self._directory.banned.on_name(name)) is not None:
            raise banned(ban, self._directory.wall_ms())

    # --- The proofs -----------------------------------------------------------------------------------------------

    def _as_guest(self, name: str) -> Authenticated:
        if self._keys.access is Access.MEMBERS:
            raise refusal_for("members_only")
        self.check_free(name)
        return Authenticated(name)

    def _by_api_token(self, secret: str) -> Authenticated:
        row = self.judge_api_token(secret)
        expect_connecting(row)
        account = self._directory.accounts[row.sender_id]
        return Authenticated(account.name, account=account, api_token=row)

    def _by_token(self, token: str) -> Authenticated:
        if is_api_token(token):
            return self._by_api_token(token)
        login = self._directory.login_with(token)
        if login is None:
            raise refusal_for("login_expired")
        account = self._directory.accounts[login.sender_id]
        self._check_sender_ban(account.sender_id)
        return Authenticated(account.name, account=account, login=login)

    def _by_certificate(self, fingerprint: str, name: str) -> Authenticated:
        certificate = self._directory.certificate_with(fingerprint)
        if certificate is None:
            raise refusal_for("certificate_unknown")
        account = self._directory.accounts[certificate.sender_id]
        if account.key != name_key(name):  # the owner of several accounts must not end up in the wrong one
            raise refusal_for("certificate_of_another_account")
        self._check_sender_ban(account.sender_id)
        return Authenticated(account.name, account=account, certificate=fingerprint)

    def _by_password(self, peer: Peer, hello: Hello, name: str) -> Workflow[Authenticated]:
        key = name_key(name)
        self._login_throttle.check(peer, key, self._context.now)
        asked = self._directory.account_named(name)
        epoch = self._directory.epoch(asked.sender_id) if asked is not None else 0
        password = normal_password(hello.password or "")
        try:
            phc = asked.password if asked is not None else None
            verdict: PasswordCheck = yield VerifyPassword(phc, password, peer)
        except BaseException:  # nothing was compared: the try does not count
            self._login_throttle.retract(peer, key, self._context.now)
            raise
        account = self._directory.living(asked.sender_id) if asked is not None else None
        if not verdict.match or account is None or self._directory.epoch(account.sender_id) != epoch:
            self._login_throttle.failed(peer, key, self._context.now)
            raise refusal_for("login_failed")
        self._login_throttle.succeeded(peer, key)
        self._check_sender_ban(account.sender_id)
        if verdict.stale:
            self._context.workflows.run(self._rehash(account, password))
        login, token, changes = self.new_login(account.sender_id, hello.client, peer.host)
        return Authenticated(account.name, account=account, login=login, token=token, changes=changes, epoch=epoch)

    def _by_invite(self, peer: Peer, hello: Hello, name: str) -> Workflow[Authenticated]:
        assert hello.invite is not None
        if self._made_account(hello, name):
            try:
                return (yield from self._by_password(peer, hello, name))
            except Refusal as refusal:
                if refusal.code is not ErrorCode.LOGIN_FAILED:
                    raise
        entry = Authenticated(name, invite=self._good_invite(hello.invite))
        if self._directory.look_alike(name) is not None:
            raise refusal_for("name_not_free")
        self.check_free(name)
        if hello.password is None:
            raise refusal_for("password_needed")
        password = check_password(hello.password, name)
        self._hold(entry)
        try:
            entry.password = yield HashPassword(password, peer)
        except BaseException:
            self.release(entry)
            raise
        return entry

    def _made_account(self, hello: Hello, name: str) -> bool:
        """Tell whether this very hello has made its account already: a client that has lost its welcome sends it again.

        The name and the invite are no proof. They only let the password be tried, which counts as a try.
        """
        invite = self._directory.invite_with(hello.invite or "")
        account = self._directory.account_named(name)
        return (
            invite is not None and account is not None and hello.password is not None and account.name in invite.used_by
        )

    def _good_invite(self, token: str) -> Invite:
        invite = self._directory.invite_with(token)
        if invite is None:
            raise refusal_for("invite_unknown")
        _expect_open(invite)
        if invite.expires_at_ms <= self._directory.wall_ms():
            raise refusal_for("invite_expired")
        if len(invite.used_by) + self._uses_pending.get(invite.invite_id, 0) >= invite.uses:
            raise refusal_for("invite_in_use", retry_after_s=2.0)
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
            expires_at_ms=self._directory.end_of_login(now_ms),
        )
        mine = self._directory.logins_of(sender_id)
        surplus = mine[: max(0, len(mine) + 1 - self._limits.sessions_per_account)]
        return login, token, (*(Drop(Login, old.login_id) for old in surplus), Put(login))

    def _rehash(self, account: Account, password: str) -> Workflow[None]:
        """Hash a password again with today's parameters; if the server is busy, a later login does it."""
        phc = yield HashPassword(password)

        def edit(row: Account) -> Account:
            return replace(row, password=phc) if row.password == account.password else row

        yield from amend(self._directory, Account, account.sender_id, edit)

    def _check_sender_ban(self, sender_id: int) -> None:
        if (ban := self._directory.banned.on_sender(sender_id)) is not None:
            raise banned(ban, self._directory.wall_ms())


def _expect_open(invite: Invite) -> None:
    if invite.revoked:
        raise refusal_for("invite_revoked")
    if len(invite.used_by) >= invite.uses:
        raise refusal_for("invite_used")


def banned(ban: Ban, now_ms: int) -> Refusal:
    """Return the refusal of a hello that a ban keeps out, or the last words of a connection.

    One that a ban on an address keeps out may be another person: it reads no reason that was written for someone else.
    """
    left_s = max(0.0, (ban.until_ms - now_ms) / 1000) if ban.until_ms is not None else None
    if ban.kind is BanKind.NETWORK:
        return _banned_address("" if made_for(ban) else ban.reason, left_s)
    if left_s is None:
        return refusal_for("banned_because", why=ban.reason) if ban.reason else refusal_for("banned")
    if ban.reason:
        return refusal_for("banned_for_because", left=ceil(left_s), why=ban.reason, retry_after_s=left_s)
    return refusal_for("banned_for", left=ceil(left_s), retry_after_s=left_s)


def _banned_address(why: str, left_s: float | None) -> Refusal:
    if left_s is None:
        return refusal_for("address_banned_because", why=why) if why else refusal_for("address_banned")
    if why:
        return refusal_for("address_banned_for_because", left=ceil(left_s), why=why, retry_after_s=left_s)
    return refusal_for("address_banned_for", left=ceil(left_s), retry_after_s=left_s)
