"""The commands that the running server carries out: each asks the server and prints the answer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from shlex import quote
from typing import Any

from securechat.admin import tables as show
from securechat.admin.connection import AdminConnection
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.invite_output import QR_SIGNS, cut_off, link_address, make_link, qr_lines, unnamed
from securechat.programs import Program, command
from securechat.records.accounts import Role
from securechat.server.admin_protocol import (
    AddBan,
    AddMute,
    AdminCommand,
    CreateInvite,
    DeleteUser,
    EndSession,
    GetStatus,
    KickMember,
    ListBans,
    ListInvites,
    ListMutes,
    ListRooms,
    ListSessions,
    ListUsers,
    PruneRooms,
    RemoveBan,
    RemoveMute,
    ResetPassword,
    RevokeInvite,
    SendAnnouncement,
    SetAccountRole,
    ShutDown,
)
from securechat.text.counts import counted
from securechat.text.durations import shown_time
from securechat.text.names import name_key
from securechat.text.refusals import refusal_for

ReplyRow = dict[str, Any]
_A_ROLE = {"admin": "an admin", "member": "a member"}
_MOST_NAMED = 10
"""Rooms that a question names."""


# --- Looking --------------------------------------------------------------------------------------------------------


def status(context: CommandContext) -> AdminExit:
    """Show the server at a glance."""
    done = context.ask(GetStatus()).done
    context.output.record(done, show.status(done))
    return AdminExit.OK


def _table(
    context: CommandContext,
    question: AdminCommand,
    heads: Sequence[str],
    cells: Callable[[ReplyRow], Sequence[str]],
    none: str,
    order: Callable[[ReplyRow], Any] | None = None,
) -> AdminExit:
    """Show rows, in an order if one is given: the server does not sort, which would keep its other clients waiting."""
    rows = context.ask(question).rows
    if order is not None:
        rows.sort(key=order)
    context.output.table(rows, heads, [cells(row) for row in rows], none)
    return AdminExit.OK


def users(context: CommandContext) -> AdminExit:
    """List all accounts, and the guests who are online."""
    none = "There are no accounts, and no guest is online"
    return _table(context, ListUsers(), show.USERS, show.user, none, lambda row: name_key(row["name"]))


def rooms(context: CommandContext) -> AdminExit:
    """List every room with a record, and every occupied one."""
    return _table(context, ListRooms(), show.ROOMS, show.room, "There are no rooms")


def prune_rooms(context: CommandContext) -> AdminExit:
    """Remove unused rooms, after a question."""
    days, none = context.options.unused_days, "There are no unused rooms to remove"
    found = context.ask(PruneRooms(days, dry_run=True)).rows
    if context.options.dry_run or not found:
        context.output.table(found, show.ROOMS, [show.room(row) for row in found], none)
        return AdminExit.OK
    messages = sum(row["messages"] for row in found)
    names = ", ".join(f"#{row['room']}" for row in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    context.confirm(
        f"This removes {counted(len(found), 'unused room')} with "
        f"{counted(messages, 'message')}: {names}{more}. It cannot be undone."
    )
    removed = context.ask(PruneRooms(days), "removing rooms").rows
    context.output.table(removed, show.PRUNED, [show.pruned(row) for row in removed], none)
    return AdminExit.OK


def sessions(context: CommandContext) -> AdminExit:
    """List sessions and connections."""
    question = ListSessions(context.options.name)
    none = "There are no sessions"
    return _table(
        context, question, show.SESSIONS, show.session, none, lambda row: (name_key(row["name"]), row["login"])
    )


def invites(context: CommandContext) -> AdminExit:
    """List every invite."""
    now_ms = int(time.time() * 1000)
    return _table(context, ListInvites(), show.INVITES, lambda row: show.invite(row, now_ms), "There are no invites")


def bans(context: CommandContext) -> AdminExit:
    """List every ban in force."""
    return _table(context, ListBans(), show.BANS, show.ban, "There are no bans")


def mutes(context: CommandContext) -> AdminExit:
    """List every mute in force."""
    return _table(context, ListMutes(), show.MUTES, show.mute, "There are no mutes")


# --- Invites --------------------------------------------------------------------------------------------------------


def invite(context: CommandContext) -> AdminExit:
    """Make an invite, and show its link; the address is chosen first, so that no token is made for nothing."""
    options = context.options
    with AdminConnection(context.data) as line:
        facts = line.ask(GetStatus()).done
        host, port = link_address(facts, options.host)
        if (warning := unnamed(host, facts)) is not None:
            context.output.notice(warning)
        made = line.ask(CreateInvite(options.uses, options.days, options.room)).done
    link = make_link(host, port, made, facts["ca_fingerprint"])
    output = context.output
    if output.json_lines:
        output.record({**made, "link": link}, ())
        return AdminExit.OK
    single = made["uses"] == 1
    times = "one person" if single else counted(made["uses"], "person")
    room = f", who {'joins' if single else 'join'} #{made['room']}" if made["room"] else ""
    too_small = None
    if output.is_terminal and output.draws(QR_SIGNS):
        output.block(qr_lines(link))
        too_small = cut_off(link, shutil.get_terminal_size())
    output.record(made, [link])
    output.record(made, [
        f"This link makes an account for {times}{room}, until {shown_time(made['expires_at_ms'])}.",
        "Send it privately: it works for all who have it, and it is shown only once.",
        f"The new member types  {command(Program.CLIENT, '--invite')}  and pastes the link when asked.",
        f"To revoke it:  {command(Program.ADMIN, 'revoke')} {made['invite']}{_same_server(context)}",
        *([too_small] if too_small else []),
    ])  # fmt: skip
    return AdminExit.OK


def _same_server(context: CommandContext) -> str:
    """Return the options with which another command reaches the same server."""
    given = {"--data": context.options.data, "--config": context.options.config}
    return "".join(f" {flag} {quote(value)}" for flag, value in given.items() if value is not None)


def revoke(context: CommandContext) -> AdminExit:
    """Revoke an invite."""
    done = context.ask(RevokeInvite(context.options.number)).done
    used = f". It was used by {', '.join(done['used_by'])}" if done["used_by"] else ""
    context.output.record(done, [f"Invite {done['invite']} is revoked{used}"])
    return AdminExit.OK


# --- Moderation ------------------------------------------------------------------------------------------------------


def kick(context: CommandContext) -> AdminExit:
    """Disconnect a user."""
    done = context.ask(KickMember(context.options.name, context.options.reason)).done
    closed = counted(done["connections"], "connection")
    context.output.record(
        done, [f"Kicked {done['name']} ({closed} closed). A kicked user may reconnect; `ban` prevents it"]
    )
    return AdminExit.OK


def ban(context: CommandContext) -> AdminExit:
    """Ban a name, an account, an address or a network."""
    options = context.options
    done = context.ask(AddBan(options.target, options.reason, options.duration_s, options.address)).done
    sentence = f"Banned the {done['kind']} {done['target']} {show.until(done)} (ban {done['ban']})"
    context.output.record(done, [sentence, *show.ban_covers(done)])
    return AdminExit.OK


def unban(context: CommandContext) -> AdminExit:
    """Lift a ban."""
    done = context.ask(RemoveBan(context.options.target)).done
    lifted = [f"Unbanned the {row['kind']} {show.ban_target(row)}" for row in done["bans"]]
    context.output.record(done, lifted)
    return AdminExit.OK


def mute(context: CommandContext) -> AdminExit:
    """Let a user read but not write."""
    options = context.options
    done = context.ask(AddMute(options.name, options.reason, options.duration_s)).done
    context.output.record(done, [f"Muted {done['name']} {show.until(done)}", show.mute_covers(done)])
    return AdminExit.OK


def unmute(context: CommandContext) -> AdminExit:
    """Let a user write again."""
    done = context.ask(RemoveMute(context.options.name)).done
    context.output.record(done, [f"Unmuted {done['name']}"])
    return AdminExit.OK


# --- Accounts -------------------------------------------------------------------------------------------------------


def logout(context: CommandContext) -> AdminExit:
    """Log a session out."""
    done = context.ask(EndSession(context.options.number)).done
    context.output.record(done, [f"Session {done['login']} ({done['client']} at {done['address']}) is logged out"])
    return AdminExit.OK


def reset_password(context: CommandContext) -> AdminExit:
    """Set a temporary password, which is printed and stored nowhere."""
    done = context.ask(ResetPassword(context.options.name)).done
    output = context.output
    output.record(done, [
        f"Temporary password of {done['name']}:  {done['password']}",
        "It is shown only once and must be changed at the next login. All sessions of the account are logged out.",
    ])  # fmt: skip
    return AdminExit.OK


def role(context: CommandContext) -> AdminExit:
    """Give an account a role."""
    done = context.ask(SetAccountRole(context.options.name, Role(context.options.role))).done
    context.output.record(done, [f"{done['name']} is now {_A_ROLE[done['role']]}"])
    return AdminExit.OK


def _account_name(context: CommandContext, name: str) -> str:
    """Return the name of an account as it is written; a question about one that is not there would be for nothing.

    Raises:
        AdminFailure: REFUSED; there is no such account.
    """
    accounts = {name_key(row["name"]): row["name"] for row in context.ask(ListUsers()).rows if row["account"]}
    if (found := accounts.get(name_key(name))) is None:
        refusal = refusal_for("unknown_account")
        raise AdminFailure(AdminExit.REFUSED, refusal.detail, refusal.code.value)
    return str(found)


def delete_user(context: CommandContext) -> AdminExit:
    """Delete an account, after a question."""
    name, fate = _account_name(context, context.options.name), context.options.messages
    what = " and every message it ever wrote" if fate == "remove" else "; its messages stay, without its name"
    context.confirm(f"This deletes the account {name}{what}. It cannot be undone.")
    done = context.ask(DeleteUser(name, fate), f"processing the messages of {name}").done
    touched = counted(done["messages"], "message")
    after = f"{touched} removed" if done["removed"] else f"{touched} kept without a name"
    context.output.record(done, [f"Deleted the account {done['name']}. {after}"])
    return AdminExit.OK


# --- The server -----------------------------------------------------------------------------------------------------


def announce(context: CommandContext) -> AdminExit:
    """Send an announcement to all who are online."""
    done = context.ask(SendAnnouncement(context.options.text)).done
    context.output.record(done, [f"Announced to {counted(done['people'], 'person')}"])
    return AdminExit.OK


def shutdown(context: CommandContext) -> AdminExit:
    """Stop the server, and wait until it has stopped."""
    with AdminConnection(context.data) as line:
        done = line.ask(ShutDown()).done
        line.wait_for_end()
    context.output.record({**done, "stopped": True}, ["The server has stopped. Every acknowledged message is stored"])
    return AdminExit.OK
