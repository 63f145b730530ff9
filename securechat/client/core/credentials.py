"""Makes the hello with the user's proofs, and decides what follows when the server refuses it.

A guest's name needs no proof. An account's needs a token of an earlier login, a password, or a client certificate that
the TLS layer has shown; an invite with a new password makes an account. One secret belongs to one identity: a guest
who logs in, or an account that becomes a guest, takes a fresh one.

Knows no connection and no file. Nothing it holds shows in a repr.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from securechat.client.core.refused_hello import HelloOutcome, outcome_of
from securechat.errors import ErrorCode
from securechat.model import PROTOCOL_VERSION, Hello, Refused, Welcome
from securechat.text.names import name_key

LONGEST_PASSWORD = 512
"""Characters a hello can carry (model.Password); a longer one would be malformed."""


class Credentials:
    """The proofs of one user.

    Args:
        secret: the resume secret to begin with.
        fresh_secret: makes another; without it the first is kept, whatever happens.
        tokens: of earlier logins at this server, by account name.
        password: for the first time the server asks for one, from a file; empty for none.
        invite: the token of an invite link; empty for none.
        certificate: whether a client certificate is shown in the handshake.
        token: of a program, which says it with every hello: whatever its name is, the server knows it by this.

    Attributes:
        account: whether the last welcome was an account's.
        wanted: the kind of password that the user must give before the next hello; None for none.
        temporary: the password of the last hello, when it must be changed; empty for none.
    """

    def __init__(
        self,
        secret: str,
        *,
        fresh_secret: Callable[[], str] | None = None,
        tokens: Mapping[str, str] | None = None,
        password: str = "",
        invite: str = "",
        certificate: bool = False,
        token: str = "",
    ) -> None:
        self.account = False
        self.wanted: HelloOutcome | None = None
        self.temporary = ""
        self._secret = secret
        self._fresh_secret = fresh_secret
        self._tokens = {name_key(name): token for name, token in (tokens or {}).items()}
        self._password_from_file = password
        self._password = ""
        self._invite = invite
        self._certificate = certificate
        self._token = token
        self._bound: tuple[bool, str] | None = None
        self._exchanged = False
        self._fresh = False  # whether the secret was made in this process, and belongs to no identity yet

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    @property
    def expects_password(self) -> bool:
        """Whether a person will be asked for a password before the login: an invite makes an account."""
        return bool(self._invite) and not self._password and not self._password_from_file

    def hello(self, name: str, client: str) -> Hello:
        """Return the hello to say now."""
        token = self._token
        if not (token or self._password or self._invite):
            token = self._tokens.get(name_key(name), "")
        if self._bound is not None and self._is_another_identity(name, proven=bool(token or self._password)):
            self._exchange()
        return Hello(
            PROTOCOL_VERSION,
            name,
            self._secret,
            client,
            password=self._password or None,
            token=token or None,
            invite=self._invite or None,
        )

    def take_identity_change(self) -> bool:
        """Return, once, whether the secret was exchanged after it had belonged to an identity."""
        exchanged, self._exchanged = self._exchanged, False
        return exchanged

    def give_password(self, password: str) -> None:
        """Say this password with the next hello."""
        self._password = password
        self.wanted = None

    def choose_name(self) -> None:
        """Forget the password: another name was chosen instead. One chosen for an invite still holds."""
        self.wanted = None
        if not self._invite:
            self._password = ""

    def welcomed(self, event: Welcome) -> None:
        """The hello was accepted; the password is forgotten."""
        self.account = event.account
        self._bound = (event.account, name_key(event.name))
        self.temporary = self._password if event.must_change else ""
        self._password = self._invite = ""
        self._fresh = False
        if event.token:
            self.keep_token(event.name, event.token)

    def keep_token(self, name: str, token: str) -> None:
        """The server gave a token for this name."""
        self._tokens[name_key(name)] = token

    def registered(self, name: str, token: str) -> None:
        """The guest has become an account."""
        self.account = True
        self._bound = (True, name_key(name))
        self.keep_token(name, token)

    def renamed(self, old: str, new: str) -> str:
        """The account has another name; returns the token that goes with it, or nothing."""
        if self._bound is not None:
            self._bound = (self._bound[0], name_key(new))
        token = self._tokens.pop(name_key(old), "") if self.account else ""
        if token:
            self.keep_token(new, token)
        return token

    def forget(self, name: str) -> bool:
        """Forget the token of a name; tell whether there was one."""
        return self._tokens.pop(name_key(name), None) is not None

    def refused(self, event: Refused) -> HelloOutcome:
        """Return what follows from a refused hello."""
        code = event.code
        if self._invite and code is ErrorCode.LOGIN_REQUIRED and self._fresh_secret is not None and not self._fresh:
            self._exchange()  # the secret belongs to an account, so no name would be accepted with it
            return HelloOutcome.AGAIN
        if self._invite and code is ErrorCode.LOGIN_REQUIRED:
            return HelloOutcome.ANOTHER_NAME
        outcome = outcome_of(event)
        if outcome in {HelloOutcome.PASSWORD, HelloOutcome.NEW_PASSWORD}:
            return self._ask(outcome)
        if code is ErrorCode.INVALID and self._bound is not None and self._fresh_secret is not None:
            self._exchange()
            return HelloOutcome.AGAIN
        return outcome

    def _ask(self, outcome: HelloOutcome) -> HelloOutcome:
        self._password, self._password_from_file = self._password_from_file, ""
        if self._password:
            return HelloOutcome.AGAIN
        self.wanted = outcome
        return outcome

    def _is_another_identity(self, name: str, *, proven: bool) -> bool:
        """Return whether this hello is for another identity than the one that the secret belongs to."""
        if self._bound is None:
            return False
        was_account, was_called = self._bound
        if not was_account:
            # The name may be the user's own account by now: a registration whose answer was lost. Then the secret is
            # the account's, and messages in flight are known by it; if not, the server refuses with INVALID, and the
            # secret is exchanged.
            return proven and was_called != name_key(name)
        return was_called != name_key(name) or not (proven or self._certificate)

    def _exchange(self) -> None:
        self._bound = None
        if self._fresh_secret is not None:
            self._secret = self._fresh_secret()
            self._exchanged = self._fresh = True
