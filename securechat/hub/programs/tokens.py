"""Judges API tokens, counts their messages, and notes when they were used.

A token stands for its account. That of a bot or an incoming webhook stops with the account that made it: where that one
is banned or gone, so is the right to act for it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from securechat.hub.context import HubContext
from securechat.hub.interfaces import Peer
from securechat.hub.rate_limits import TokenBucket
from securechat.limits import API_TOKEN_BYTES
from securechat.records.accounts import Account, ApiToken, Ban, Put, Scope
from securechat.text.api_tokens import api_token, hash_of_api_token, is_well_formed
from securechat.text.refusals import refusal_for

_MINUTE_MS = 60_000
_NEVER = float("inf")
_LOOK_AGAIN_S = 86_400.0
"""Before a later expiry is looked at again: the wall clock may have been set meanwhile."""


class TokenRates(NamedTuple):
    """The rates of one token.

    Attributes:
        messages: that may be sent.
        requests: others.
        size_bytes: bytes that may be sent.
    """

    messages: TokenBucket
    requests: TokenBucket
    size_bytes: TokenBucket


class ApiTokens:
    """The API tokens of one server.

    Args:
        context: accounts, their tokens, bans, and the limits.
    """

    def __init__(self, context: HubContext) -> None:
        self._directory = context.accounts
        self._limits = context.limits
        self._keys = context.authentication
        self._rates: dict[int, TokenRates] = {}
        self._context = context
        self._next_expiry = _NEVER

    def judge(self, secret: str) -> ApiToken:
        """Return the token with this secret.

        Raises:
            Refusal: TOKEN_INVALID, it is mistyped, unknown or over.
        """
        if not is_well_formed(secret):
            raise refusal_for("token_mistyped")
        row = self._directory.token_with(hash_of_api_token(secret))
        if row is None:
            raise refusal_for("token_unknown")
        self.expect_good(row)
        return row

    def expect_good(self, row: ApiToken) -> Account:
        """Require that a token is good for its account at this moment; return the account.

        Raises:
            Refusal: TOKEN_INVALID.
        """
        directory = self._directory
        account = directory.living(row.sender_id)
        if account is None or directory.present(ApiToken, row.token_id) is None:
            raise refusal_for("token_unknown")
        if not directory.lasts(row.expires_at_ms):
            raise refusal_for("token_expired")
        if self.is_stopped(account):
            raise refusal_for("bot_stopped")
        return account

    def is_stopped(self, account: Account) -> bool:
        """Tell whether a bot can do nothing, because the account that made it is banned or gone."""
        maker, directory = account.made_by, self._directory
        is_gone = directory.living(maker) is None or maker in directory.being_deleted
        return bool(maker) and (is_gone or self.ban_on_maker(account.sender_id) is not None)

    def ban_on_maker(self, sender_id: int) -> Ban | None:
        """Return the ban on the account that made a bot."""
        account = self._directory.accounts.get(sender_id)
        maker = account.made_by if account is not None else 0
        return self._directory.banned.on_sender(maker) if maker else None

    def make(
        self, sender_id: int, name: str, scopes: tuple[Scope, ...], rooms: tuple[int, ...], days: int | None
    ) -> tuple[ApiToken, str]:
        """Return a token that does not exist yet, and its secret."""
        secret = api_token(self._keys.token_bytes(API_TOKEN_BYTES))
        now_ms = self._directory.wall_ms()
        row = ApiToken(
            token_id=self._directory.number(),
            sender_id=sender_id,
            name=name,
            token_hash=hash_of_api_token(secret),
            scopes=scopes,
            rooms=rooms,
            made_at_ms=now_ms,
            expires_at_ms=None if days is None else now_ms + days * 86_400_000,
        )
        return row, secret

    def note_use(self, row: ApiToken, host: str) -> tuple[Put, ...]:
        """Return the change that notes a use of a token; none within the minute of the last one from this address."""
        if (ApiToken, row.token_id) in self._context.workflows.turns:
            return ()  # its end is being changed, which this would undo
        minute_ms = self._directory.wall_ms() // _MINUTE_MS * _MINUTE_MS
        if row.used_at_ms == minute_ms and row.address == host:
            return ()
        return (Put(replace(row, used_at_ms=minute_ms, address=host)),)

    def rates(self, token_id: int) -> TokenRates:
        """Return the rates of a token, which all of its connections share, and no connection of its account's person.

        A program that asks too much would have its person wait otherwise.
        """
        rates = self._rates.get(token_id)
        if rates is None:
            limits = self._limits
            rates = self._rates[token_id] = TokenRates(
                TokenBucket(limits.bot_message_burst, limits.bot_message_rate),
                TokenBucket(limits.request_burst, limits.request_rate),
                TokenBucket(limits.byte_burst, limits.byte_rate),
            )
        return rates

    def watch(self, row: ApiToken) -> None:
        """Have `overdue` called when a token in use expires."""
        if row.expires_at_ms is not None:
            now = self._context.now
            left_s = max(0.0, (row.expires_at_ms - self._directory.wall_ms()) / 1000)
            self._next_expiry = min(self._next_expiry, now + min(left_s, _LOOK_AGAIN_S))
            self._context.alarm(self._next_expiry)

    def overdue(self) -> list[Peer]:
        """Return the connections by tokens that have expired; to be called at every tick."""
        if self._context.now < self._next_expiry:
            if self._next_expiry < _NEVER:
                self._context.alarm(self._next_expiry)
            return []
        self._next_expiry = _NEVER
        over: list[Peer] = []
        for peer, connection in self._context.connections.items():
            row = self._directory.tokens.get(connection.token.token_id) if connection.token is not None else None
            if row is not None and not self._directory.lasts(row.expires_at_ms):
                over.append(peer)
            elif row is not None:
                self.watch(row)
        return over

    def ended(self, numbers: set[int]) -> None:
        """Forget the rates of tokens that have ended."""
        for token_id in numbers:
            self._rates.pop(token_id, None)
