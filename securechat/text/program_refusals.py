"""The refusals that bots, webhooks and API tokens meet, or the members who make them; a part of `refusals.REASONS`.

The rules of the table hold here too: see `securechat.text.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.errors import ErrorCode
from securechat.translation import N_

PROGRAM_REASONS: Mapping[str, tuple[ErrorCode, str]] = {
    "account_is_bot": (
        ErrorCode.INVALID,
        N_("This is a bot or a webhook, not a person. Other commands manage those"),
    ),
    "bot_is_no_person": (
        ErrorCode.NO_RIGHT,
        N_("A bot cannot make bots, webhooks or tokens. Ask the member that made it"),
    ),
    "bot_is_no_owner": (ErrorCode.INVALID, N_("A bot cannot own #{room}. Make a person its owner")),
    "bot_removed": (ErrorCode.LOGGED_OUT, N_("This bot was removed")),
    "bot_stopped": (
        ErrorCode.TOKEN_INVALID,
        N_("This bot is stopped, because the account that made it is banned or gone. Ask an administrator"),
    ),
    "bot_without_token": (ErrorCode.NOT_FOUND, N_("This bot has no token any more. Remove it, and add it again")),
    "bots_made_today": (ErrorCode.QUOTA, N_("You have made as many bots and webhooks today as you may. Try tomorrow")),
    "bots_used_up": (
        ErrorCode.TOO_MANY,
        N_("You have made {count} bots and webhooks, as many as allowed. Remove one first"),
    ),
    "bots_of_server_used_up": (
        ErrorCode.TOO_MANY,
        N_("The server has as many bots and webhooks as it may. Ask an administrator to remove some"),
    ),
    "hook_needs_moderator": (
        ErrorCode.NO_RIGHT,
        N_("Only moderators of #{room} add and see its webhooks. Ask one of them"),
    ),
    "hook_needs_room": (ErrorCode.INVALID, N_("A webhook posts into one room. Give exactly one")),
    "outgoing_hooks_used_up": (
        ErrorCode.TOO_MANY,
        N_("The server has {count} outgoing webhooks, as many as allowed. Remove one first"),
    ),
    "trigger_invalid": (
        ErrorCode.INVALID,
        N_("Behind --on stands all, mention, or a command such as !deploy (at most {most} characters)"),
    ),
    "webhook_url_invalid": (ErrorCode.INVALID, N_("No webhook can be delivered there. {why}")),
    "webhook_storage_used_up": (
        ErrorCode.QUOTA,
        N_("This webhook has stored all it may for today. It can post again tomorrow"),
    ),
    "webhooks_off": (ErrorCode.INVALID, N_("Webhooks are turned off. Start the server without --webhooks off")),
    "not_outgoing": (ErrorCode.NOT_FOUND, N_("{name} is no outgoing webhook. `hook list` shows them")),
    "hooks_of_room_used_up": (
        ErrorCode.TOO_MANY,
        N_("#{room} has {count} webhooks, as many as allowed. Remove one first"),
    ),
    "maker_has_no_right": (
        ErrorCode.NO_RIGHT,
        N_("The member that made this bot may not do this here, so the bot may not either"),
    ),
    "name_of_webhook_only": (
        ErrorCode.NO_RIGHT,
        N_("Only a webhook posts under another name, and that name ends in 'via' and its own"),
    ),
    "no_such_bot": (ErrorCode.NOT_FOUND, N_("There is no such bot or webhook of yours. /bot and /hook list them")),
    "no_such_token": (ErrorCode.NOT_FOUND, N_("There is no token {token} of yours. /token and /bot list them")),
    "token_cannot": (ErrorCode.NO_RIGHT, N_("A token cannot do this. Log in with a password or a certificate")),
    "token_ended": (ErrorCode.LOGGED_OUT, N_("The token of this connection was removed or has expired")),
    "token_expired": (ErrorCode.TOKEN_INVALID, N_("This token has expired. Make a new one")),
    "token_for_rooms_only": (
        ErrorCode.NO_RIGHT,
        N_("This token is good for some rooms only. Name one of them, or make a token without rooms"),
    ),
    "token_mistyped": (
        ErrorCode.TOKEN_INVALID,
        N_("This token has a wrong or missing character. Copy it again, from scb_ to its end"),
    ),
    "token_name_invalid": (
        ErrorCode.INVALID,
        N_("The name of a token has 1 to {most} visible characters. Choose another one"),
    ),
    "token_metrics_not_yours": (
        ErrorCode.NO_RIGHT,
        N_("The scope metrics is for administrators of the server. Ask one of them for a token"),
    ),
    "token_needs_scope": (ErrorCode.NO_RIGHT, N_("This token may not do this. Make one with the scope {scope}")),
    "token_unknown": (
        ErrorCode.TOKEN_INVALID,
        N_("This server does not know this token. It was removed, or belongs to another server. Make a new one"),
    ),
    "unknown_bot": (ErrorCode.NOT_FOUND, N_("There is no bot or webhook of this name")),
    "unknown_room": (
        ErrorCode.NO_SUCH_ROOM,
        N_(
            "There is no room of this name that a member with an account has made. Such a member makes it in the chat, "
            "by joining it"
        ),
    ),
    "unknown_token": (ErrorCode.NOT_FOUND, N_("There is no token of this number")),
    "tokens_used_up": (ErrorCode.TOO_MANY, N_("There are {count} tokens, as many as allowed. Remove one first")),
}
"""As `securechat.text.refusals.REASONS`."""
