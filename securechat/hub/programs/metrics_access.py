"""Judges who may read the metrics of the server with an API token.

A request for metrics is no connection to the hub: it has no presence, hears nothing and gives no command, so each one
is judged anew. Metrics have no names, but tell how many people are here and how much they write. So the scope is given
by the operator, or by an account that is an administrator, and is good for as long as that is one.
"""

from __future__ import annotations

from securechat.errors import Refusal
from securechat.hub.accounts.authentication import Authenticator
from securechat.hub.context import HubContext
from securechat.hub.programs.tokens import ApiTokens
from securechat.hub.workflow import Commit, Workflow
from securechat.records.accounts import AccountKind, ApiToken, Scope
from securechat.text.refusals import refusal_for


class MetricsAccess:
    """Judges requests for metrics.

    Args:
        context: accounts and administrators.
        authenticator: judges tokens and network addresses.
        api_tokens: has the rates of tokens.
    """

    def __init__(self, context: HubContext, authenticator: Authenticator, api_tokens: ApiTokens) -> None:
        self._context = context
        self._authenticator = authenticator
        self._api_tokens = api_tokens

    def is_reader(self, secret: str) -> bool:
        """Whether a token may read the metrics at this moment."""
        try:
            self._judge(secret)
        except Refusal:
            return False
        return True

    def take(self, secret: str, host: str) -> float:
        """Judge and count a request for metrics, and note that its token was used.

        Args:
            secret: the API token, as it came.
            host: the network address that the request came from.

        Returns:
            Seconds after which the token may be used again, where its rate is exceeded: this request is not to be
            answered. 0.0 otherwise.

        Raises:
            Refusal: BANNED; TOKEN_INVALID; NO_RIGHT, the token has not the scope, or its giver is no administrator.
        """
        self._authenticator.require_unbanned(host)
        row = self._judge(secret)
        requests, now = self._api_tokens.rates(row.token_id).requests, self._context.now
        wait_s = requests.take(1.0, now)
        if wait_s:
            requests.give_back(1.0)
            return wait_s
        self._context.workflows.run(self._note_use(row, host))
        return 0.0

    def _judge(self, secret: str) -> ApiToken:
        row = self._authenticator.judge_api_token(secret)
        if Scope.METRICS not in row.scopes:
            raise refusal_for("token_needs_scope", scope=Scope.METRICS.value)
        account = self._context.accounts.accounts[row.sender_id]
        giver = account.sender_id if account.kind is AccountKind.PERSON else account.made_by
        if giver and giver not in self._context.rooms.administrators:  # 0: the operator
            raise refusal_for("token_metrics_not_yours")
        return row

    def _note_use(self, row: ApiToken, host: str) -> Workflow[None]:
        if changes := self._api_tokens.note_use(row, host):
            yield Commit(changes)
