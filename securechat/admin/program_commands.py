"""The commands about bots, webhooks and API tokens: each asks the server and prints the answer."""

from __future__ import annotations

from typing import Any

from securechat.admin import tables as show
from securechat.admin.connection import AdminConnection
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit
from securechat.admin.invite_output import program_address, program_ca, unnamed
from securechat.admin.tables import shown_moment
from securechat.server.admin_protocol import (
    CreateBot,
    CreateOutgoing,
    DeleteBot,
    GetStatus,
    ListBots,
    ListTokens,
    RevokeToken,
    RotateBot,
    SwitchOn,
)
from securechat.text.api_examples import UNKNOWN_CA, api_example
from securechat.text.names import name_key
from securechat.translation import LazyText, _

_OLD = LazyText("The old one works for one more day.")


def add_bot(context: CommandContext) -> AdminExit:
    """Make a bot, and show its token once."""
    options = context.options
    scopes = list(dict.fromkeys(options.scope)) or ["post", "read"]
    return _show_token(context, CreateBot(options.name, "bot", options.room, scopes, options.days))


def add_hook(context: CommandContext) -> AdminExit:
    """Make an incoming webhook, and show its address once."""
    options = context.options
    return _show_token(context, CreateBot(options.name, "hook", [options.room], days=options.days))


def add_outgoing(context: CommandContext) -> AdminExit:
    """Make an outgoing webhook, and show its secret once."""
    options = context.options
    name = options.name or (options.on.lstrip("!") if options.on.startswith("!") else "webhook")
    made = context.ask(CreateOutgoing(options.room, options.url, options.on, name, options.bots)).done
    if made.get("doubt"):
        context.output.notice(
            _(
                "Nothing can be delivered to {to} for now: {why}. The webhook is made, and tries again. "
                "A change of webhook_networks takes effect when the server starts again.",
                to=made["outgoing"]["to"],
                why=made["doubt"],
            )
        )
    return _show_secret(context, made, [])


def _show_secret(context: CommandContext, made: dict[str, Any], more: list[str]) -> AdminExit:
    outgoing = made["outgoing"]
    lines = [
        made["secret"],
        _(
            "{name} posts messages of #{room} to {to}. The receiver verifies them with this secret, which is shown "
            "only once.",
            name=made["name"],
            room=outgoing["room"],
            to=outgoing["to"],
        ),
        *more,
        _("docs/bots.md has a receiver to copy; `hook list` shows whether deliveries succeed."),
    ]
    context.output.record(made, lines)
    return AdminExit.OK


def switch_on(context: CommandContext) -> AdminExit:
    """Switch an outgoing webhook on again."""
    done = context.ask(SwitchOn(context.options.name)).done
    context.output.record(done, [_("{name} is on, and goes on where it stopped", name=done["name"])])
    return AdminExit.OK


def rotate(context: CommandContext) -> AdminExit:
    """Make another token for a bot or webhook, or another secret for an outgoing one, and show it once."""
    name = context.options.name
    rows = context.ask(ListBots(None)).rows
    if any(row.get("outgoing") and name_key(row["name"]) == name_key(name) for row in rows):
        made = context.ask(RotateBot(name)).done
        until = shown_moment(made["outgoing"]["old_until_ms"])
        return _show_secret(
            context, made, [_("Until {until} deliveries are signed with the old secret, too.", until=until)]
        )
    return _show_token(context, RotateBot(context.options.name))


def _show_token(context: CommandContext, command: CreateBot | RotateBot) -> AdminExit:
    """Make a token and show it; the address is chosen first, so that none is made for nothing."""
    output = context.output
    with AdminConnection(context.data) as line:
        facts = line.ask(GetStatus()).done
        host, port = program_address(facts, context.options.host)
        if (warning := unnamed(host, facts)) is not None:
            output.notice(warning)
        made = line.ask(command).done
    ca = program_ca(facts)
    example = api_example(host, port, made["secret"], scopes=made["scopes"], rooms=made["rooms"], ca=ca)
    rotated = [_OLD()] if isinstance(command, RotateBot) else []
    if "hook" in made["scopes"]:
        once = _(
            "All who have this address can post with it into #{room}, and it is shown only once.", room=made["rooms"][0]
        )
        output.record({**made, "example": example}, [example, once, *rotated])
        return AdminExit.OK
    if made["scopes"] == ["metrics"]:
        once = _("All who have this token can read the metrics, and it is shown only once.")
    else:
        once = _("All who have this token can act as {name}, and it is shown only once.", name=made["account"])
    lines = [made["secret"], once, *rotated, _("This line works with it:"), example]
    if ca == UNKNOWN_CA:
        lines.append(_("In it, {file} stands for a file with the server's CA.", file=ca))
    output.record({**made, "example": example}, lines)
    return AdminExit.OK


def bots(context: CommandContext) -> AdminExit:
    """List the bots and webhooks."""
    return _bots(context, _("There are no bots and no webhooks"), None)


def hooks(context: CommandContext) -> AdminExit:
    """List the webhooks, of the server or of a room."""
    return _bots(context, _("There are no webhooks"), "hook")


def _bots(context: CommandContext, none: str, kind: str | None) -> AdminExit:
    rows = [row for row in context.ask(ListBots(context.options.room)).rows if kind in {None, row["kind"]}]
    rows.sort(key=lambda row: name_key(row["name"]))
    outgoing = [row for row in rows if row.get("outgoing")]
    if outgoing:
        context.output.table(outgoing, show.OUTGOING, [show.outgoing(row) for row in outgoing], "")
        rows = [row for row in rows if not row.get("outgoing")]
        if not rows:
            return AdminExit.OK
    context.output.table(rows, show.BOTS, [show.bot(row) for row in rows], none)
    return AdminExit.OK


def remove(context: CommandContext) -> AdminExit:
    """Remove a bot or webhook, after a question."""
    name = context.options.name
    context.confirm(_("This removes {name} and its tokens; its messages stay. It cannot be undone.", name=name))
    done = context.ask(DeleteBot(name)).done
    context.output.record(done, [_("Removed {name}", name=done["name"])])
    return AdminExit.OK


def tokens(context: CommandContext) -> AdminExit:
    """List the API tokens of an account, or those of all bots and webhooks."""
    rows = context.ask(ListTokens(context.options.name)).rows
    context.output.table(rows, show.TOKENS, [show.token(row) for row in rows], _("There are no tokens"))
    return AdminExit.OK


def remove_token(context: CommandContext) -> AdminExit:
    """End an API token."""
    done = context.ask(RevokeToken(context.options.number)).done
    sentence = _("Token {token} ({name}) is removed", token=done["token"], name=done["name"])
    context.output.record(done, [sentence])
    return AdminExit.OK
