"""The commands that the running server carries out: each asks the server and prints the answer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from securechat.admin import tables as show
from securechat.admin.connection import AdminConnection, refusal_sentence
from securechat.admin.context import CommandContext
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.invite_output import cut_off, explained_at, link_address, make_links, unnamed
from securechat.programs import Program, command, on_data
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
from securechat.server.qr_code import SIGNS, qr_lines
from securechat.text.names import name_key
from securechat.text.refusals import refusal_for
from securechat.translation import LazyText, _, ngettext

ReplyRow = dict[str, Any]
_NOW_OF_ROLE = {"admin": LazyText("{name} is now an admin"), "member": LazyText("{name} is now a member")}
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
    heads: Sequence[LazyText],
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
    none = _("There are no accounts, and no guest is online")
    return _table(context, ListUsers(), show.USERS, show.user, none, lambda row: name_key(row["name"]))


def rooms(context: CommandContext) -> AdminExit:
    """List every room with a record, and every occupied one."""
    return _table(context, ListRooms(), show.ROOMS, show.room, _("There are no rooms"), _room_name)


def prune_rooms(context: CommandContext) -> AdminExit:
    """Remove unused rooms, after a question."""
    days, none = context.options.unused_days, _("There are no unused rooms to remove")
    found = sorted(context.ask(PruneRooms(days, dry_run=True)).rows, key=_room_name)
    if context.options.dry_run or not found:
        context.output.table(found, show.ROOMS, [show.room(row) for row in found], none)
        return AdminExit.OK
    context.confirm(
        _(
            "This removes {rooms} with {messages}: {names}. It cannot be undone.",
            rooms=ngettext("{count:number} unused room", "{count:number} unused rooms", len(found)),
            messages=show.counted_messages(sum(row["messages"] for row in found)),
            names=_named([f"#{row['room']}" for row in found]),
        )
    )
    removed = sorted(context.ask(PruneRooms(days), _("removing rooms")).rows, key=_room_name)
    context.output.table(removed, show.PRUNED, [show.pruned(row) for row in removed], none)
    return AdminExit.OK


def _room_name(row: ReplyRow) -> str:
    return str(row["room"])


def _named(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_MOST_NAMED]), len(names) - _MOST_NAMED
    return ngettext("{names} and {count} more", "{names} and {count} more", more, names=shown) if more > 0 else shown


def sessions(context: CommandContext) -> AdminExit:
    """List sessions and connections."""
    question = ListSessions(context.options.name)
    none = _("There are no sessions")
    return _table(
        context, question, show.SESSIONS, show.session, none, lambda row: (name_key(row["name"]), row["login"])
    )


def invites(context: CommandContext) -> AdminExit:
    """List every invite."""
    now_ms = int(time.time() * 1000)
    return _table(context, ListInvites(), show.INVITES, lambda row: show.invite(row, now_ms), _("There are no invites"))


def bans(context: CommandContext) -> AdminExit:
    """List every ban in force."""
    return _table(context, ListBans(), show.BANS, show.ban, _("There are no bans"))


def mutes(context: CommandContext) -> AdminExit:
    """List every mute in force."""
    return _table(context, ListMutes(), show.MUTES, show.mute, _("There are no mutes"))


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
    link, web = make_links(host, port, made, facts)
    output = context.output
    if output.json_lines:
        output.record({**made, "link": link, "web": web}, ())
        return AdminExit.OK
    shown = web or link
    too_small = None
    draws = output.is_terminal and output.draws(SIGNS)
    if draws:
        output.block(qr_lines(shown))
        too_small = cut_off(shown, shutil.get_terminal_size())
    revoking = on_data(Program.ADMIN, context.data, f"revoke {made['invite']}")
    output.record(made, [shown])
    output.record(made, [
        _use_of(made),
        _("Send it privately: it works for all who have it, and it is shown only once."),
        *_ways_in(has_web=web is not None, has_code=draws),
        *_warning(explained_at(host, port, facts)),
        _("To revoke it:  {command}", command=revoking),
        *([too_small] if too_small else []),
    ])  # fmt: skip
    return AdminExit.OK


def _ways_in(*, has_web: bool, has_code: bool) -> list[str]:
    """Return how an invited person comes in."""
    join = command(Program.CLIENT, "--invite")
    if not has_web:
        return [_("The new member types  {command}  and pastes the link when asked.", command=join)]
    scanned = _("It opens in a browser; on a phone, scan the code with the phone's camera, not inside another app.")
    return [
        scanned if has_code else _("It opens in a browser, on a phone too."),
        _("In a terminal, the new member types  {command}  and pastes the link when asked.", command=join),
    ]


def _warning(page: str | None) -> list[str]:
    return [] if page is None else [_("The browser shows a warning first. It is explained at {page}", page=page)]


def _use_of(made: ReplyRow) -> str:
    """Return who may use an invite, and until when."""
    uses, room, until = made["uses"], made["room"], show.shown_moment(made["expires_at_ms"])
    if room:
        return ngettext(
            "This link makes an account for one person, who joins #{room}, until {until}.",
            "This link makes an account for {count} people, who join #{room}, until {until}.",
            uses,
            room=room,
            until=until,
        )
    return ngettext(
        "This link makes an account for one person, until {until}.",
        "This link makes an account for {count} people, until {until}.",
        uses,
        until=until,
    )


def revoke(context: CommandContext) -> AdminExit:
    """Revoke an invite."""
    done = context.ask(RevokeInvite(context.options.number)).done
    if done["used_by"]:
        names = ", ".join(done["used_by"])
        sentence = _("Invite {invite} is revoked. It was used by {names}", invite=done["invite"], names=names)
    else:
        sentence = _("Invite {invite} is revoked", invite=done["invite"])
    context.output.record(done, [sentence])
    return AdminExit.OK


# --- Moderation ------------------------------------------------------------------------------------------------------


def kick(context: CommandContext) -> AdminExit:
    """Disconnect a user."""
    done = context.ask(KickMember(context.options.name, context.options.reason)).done
    sentence = ngettext(
        "Kicked {name} ({count} connection closed). A kicked user may reconnect; `ban` prevents it",
        "Kicked {name} ({count} connections closed). A kicked user may reconnect; `ban` prevents it",
        done["connections"],
        name=done["name"],
    )
    context.output.record(done, [sentence])
    return AdminExit.OK


def ban(context: CommandContext) -> AdminExit:
    """Ban a name, an account, an address or a network."""
    options = context.options
    done = context.ask(AddBan(options.target, options.reason, options.duration_s, options.address)).done
    context.output.record(done, [_banned(done), *show.ban_covers(done)])
    return AdminExit.OK


def _banned(done: ReplyRow) -> str:
    shown = {"kind": show.ban_kind(done), "target": done["target"], "ban": done["ban"]}
    if done["until_ms"]:
        until = show.shown_moment(done["until_ms"])
        return _("Banned the {kind} {target} until {until} (ban {ban})", until=until, **shown)
    return _("Banned the {kind} {target} permanently (ban {ban})", **shown)


def unban(context: CommandContext) -> AdminExit:
    """Lift a ban."""
    done = context.ask(RemoveBan(context.options.target)).done
    lifted = [
        _("Unbanned the {kind} {target}", kind=show.ban_kind(row), target=show.ban_target(row)) for row in done["bans"]
    ]
    context.output.record(done, lifted)
    return AdminExit.OK


def mute(context: CommandContext) -> AdminExit:
    """Let a user read but not write."""
    options = context.options
    done = context.ask(AddMute(options.name, options.reason, options.duration_s)).done
    if done["until_ms"]:
        muted = _("Muted {name} until {until}", name=done["name"], until=show.shown_moment(done["until_ms"]))
    else:
        muted = _("Muted {name} permanently", name=done["name"])
    context.output.record(done, [muted, show.mute_covers(done)])
    return AdminExit.OK


def unmute(context: CommandContext) -> AdminExit:
    """Let a user write again."""
    done = context.ask(RemoveMute(context.options.name)).done
    context.output.record(done, [_("Unmuted {name}", name=done["name"])])
    return AdminExit.OK


# --- Accounts -------------------------------------------------------------------------------------------------------


def logout(context: CommandContext) -> AdminExit:
    """Log a session out."""
    done = context.ask(EndSession(context.options.number)).done
    sentence = _(
        "Session {session} ({client} at {address}) is logged out",
        session=done["login"],
        client=done["client"],
        address=done["address"],
    )
    context.output.record(done, [sentence])
    return AdminExit.OK


def reset_password(context: CommandContext) -> AdminExit:
    """Set a temporary password, which is printed and stored nowhere."""
    done = context.ask(ResetPassword(context.options.name)).done
    output = context.output
    output.record(done, [
        _("Temporary password of {name}:  {password}", name=done["name"], password=done["password"]),
        _("It is shown only once and must be changed at the next login. All sessions of the account are logged out."),
    ])  # fmt: skip
    return AdminExit.OK


def role(context: CommandContext) -> AdminExit:
    """Give an account a role."""
    done = context.ask(SetAccountRole(context.options.name, Role(context.options.role))).done
    context.output.record(done, [_NOW_OF_ROLE[done["role"]](name=done["name"])])
    return AdminExit.OK


def _account_name(context: CommandContext, name: str) -> str:
    """Return the name of an account as it is written; a question about one that is not there would be for nothing.

    Raises:
        AdminFailure: REFUSED; there is no such account.
    """
    accounts = {name_key(row["name"]): row["name"] for row in context.ask(ListUsers()).rows if row["account"]}
    if (found := accounts.get(name_key(name))) is None:
        refusal = refusal_for("unknown_account")
        raise AdminFailure(AdminExit.REFUSED, refusal_sentence(refusal), refusal.code.value)
    return str(found)


def delete_user(context: CommandContext) -> AdminExit:
    """Delete an account, after a question."""
    name, fate = _account_name(context, context.options.name), context.options.messages
    if fate == "remove":
        question = _("This deletes the account {name} and every message it ever wrote. It cannot be undone.", name=name)
    else:
        question = _(
            "This deletes the account {name}; its messages stay, without its name. It cannot be undone.", name=name
        )
    context.confirm(question)
    done = context.ask(DeleteUser(name, fate), _("processing the messages of {name}", name=name)).done
    if done["removed"]:
        sentence = ngettext(
            "Deleted the account {name}. {count:number} message removed",
            "Deleted the account {name}. {count:number} messages removed",
            done["messages"],
            name=done["name"],
        )
    else:
        sentence = ngettext(
            "Deleted the account {name}. {count:number} message kept without a name",
            "Deleted the account {name}. {count:number} messages kept without a name",
            done["messages"],
            name=done["name"],
        )
    context.output.record(done, [sentence])
    return AdminExit.OK


# --- The server -----------------------------------------------------------------------------------------------------


def announce(context: CommandContext) -> AdminExit:
    """Send an announcement to all who are online."""
    done = context.ask(SendAnnouncement(context.options.text)).done
    sentence = ngettext("Announced to {count} person", "Announced to {count} people", done["people"])
    context.output.record(done, [sentence])
    return AdminExit.OK


def shutdown(context: CommandContext) -> AdminExit:
    """Stop the server, and wait until it has stopped."""
    with AdminConnection(context.data) as line:
        done = line.ask(ShutDown()).done
        line.wait_for_end()
    sentence = _("The server has stopped. Every acknowledged message is stored")
    context.output.record({**done, "stopped": True}, [sentence])
    return AdminExit.OK
