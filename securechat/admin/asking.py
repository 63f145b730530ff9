"""The commands that the running server carries out: ask, and print what it says."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from securechat.admin import rendering as show
from securechat.admin.context import Context
from securechat.admin.durations import shown_time
from securechat.admin.exit_codes import Exit
from securechat.admin.invitation import QR_SIGNS, cut_off, link_address, make_link, qr_lines, unnamed
from securechat.admin.line import Line
from securechat.hub.people import Role
from securechat.names import name_key
from securechat.server.requests import (
    Announce,
    Bans,
    Command,
    DeleteUser,
    Invites,
    Kick,
    Logout,
    MakeBan,
    MakeInvite,
    MakeMute,
    Mutes,
    PruneRooms,
    ResetPassword,
    Revoke,
    Rooms,
    Sessions,
    SetRole,
    Shutdown,
    Status,
    Unban,
    Unmute,
    Users,
)

Row = dict[str, Any]
_MOST_NAMED = 10
"""Rooms that a question names."""


# --- Looking --------------------------------------------------------------------------------------------------------


def status(context: Context) -> Exit:
    """The server at a glance."""
    done = context.ask(Status()).done
    context.output.record(done, show.status(done))
    return Exit.OK


def _table(
    context: Context,
    question: Command,
    heads: Sequence[str],
    cells: Callable[[Row], Sequence[str]],
    none: str,
    order: Callable[[Row], Any] | None = None,
) -> Exit:
    """Show rows, in an order if one is given: the server sorts nothing, because others would wait for it."""
    rows = context.ask(question).rows
    if order is not None:
        rows.sort(key=order)
    context.output.table(rows, heads, [cells(row) for row in rows], none)
    return Exit.OK


def users(context: Context) -> Exit:
    """Everybody with an account, and the guests who are here."""
    none = "nobody is here, and nobody has an account"
    return _table(context, Users(), show.USERS, show.user, none, lambda row: name_key(row["name"]))


def rooms(context: Context) -> Exit:
    """Every room with a record, and every occupied one."""
    return _table(context, Rooms(), show.ROOMS, show.room, "there is no room")


def prune_rooms(context: Context) -> Exit:
    """Remove rooms that nobody belongs to, after a question."""
    days, none = context.options.unused_days, "there is no such room"
    found = context.ask(PruneRooms(days, dry_run=True)).rows
    if context.options.dry_run or not found:
        context.output.table(found, show.ROOMS, [show.room(row) for row in found], none)
        return Exit.OK
    messages = sum(row["messages"] for row in found)
    names = ", ".join(f"#{row['room']}" for row in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    context.confirm(
        f"This removes {show.people(len(found), 'room')} that nobody belongs to, with "
        f"{show.people(messages, 'message')}: {names}{more}. It cannot be undone."
    )
    removed = context.ask(PruneRooms(days), "removing rooms").rows
    context.output.table(removed, show.PRUNED, [show.pruned(row) for row in removed], none)
    return Exit.OK


def sessions(context: Context) -> Exit:
    """Logins and connections."""
    question = Sessions(context.options.name)
    none = "nobody is logged in"
    return _table(
        context, question, show.SESSIONS, show.session, none, lambda row: (name_key(row["name"]), row["login"])
    )


def invites(context: Context) -> Exit:
    """Every invite."""
    now_ms = int(time.time() * 1000)
    return _table(context, Invites(), show.INVITES, lambda row: show.invite(row, now_ms), "there are no invites")


def bans(context: Context) -> Exit:
    """Every ban in force."""
    return _table(context, Bans(), show.BANS, show.ban, "nobody is banned")


def mutes(context: Context) -> Exit:
    """Every mute in force."""
    return _table(context, Mutes(), show.MUTES, show.mute, "nobody is muted")


# --- Invites --------------------------------------------------------------------------------------------------------


def invite(context: Context) -> Exit:
    """Make an invite, and show its link; the address is chosen first, so that no token is made for nothing."""
    options = context.options
    with Line(context.data) as line:
        facts = line.ask(Status()).done
        host, port = link_address(facts, options.host)
        if (warning := unnamed(host, facts)) is not None:
            context.output.notice(warning)
        made = line.ask(MakeInvite(options.uses, options.days, options.room)).done
    link = make_link(host, port, made, facts["ca_fingerprint"])
    output = context.output
    if output.json_lines:
        output.record({**made, "link": link}, ())
        return Exit.OK
    times = "one person" if made["uses"] == 1 else f"{made['uses']} people"
    room = f", who will then be in #{made['room']}" if made["room"] else ""
    too_small = None
    if output.is_terminal and output.draws(QR_SIGNS):
        output.block(qr_lines(link))
        too_small = cut_off(link, shutil.get_terminal_size())
    output.record(made, [link])
    output.record(made, [
        f"This link makes an account for {times}{room}, until {shown_time(made['expires_at_ms'])}.",
        "Whoever has it can use it: send it where nobody else reads, and it is shown this once only.",
        "The other person types  securechat-client --invite  and pastes the link when asked.",
        f"To take it back:  securechat-admin revoke {made['invite']}",
        *([too_small] if too_small else []),
    ])  # fmt: skip
    return Exit.OK


def revoke(context: Context) -> Exit:
    """Take an invite back."""
    done = context.ask(Revoke(context.options.number)).done
    used = f"; {', '.join(done['used_by'])} had used it" if done["used_by"] else ""
    context.output.record(done, [f"invite {done['invite']} can no longer be used{used}"])
    return Exit.OK


# --- Order ----------------------------------------------------------------------------------------------------------


def kick(context: Context) -> Exit:
    """End somebody's connections."""
    done = context.ask(Kick(context.options.name, context.options.reason)).done
    closed = show.people(done["connections"], "connection")
    context.output.record(done, [f"{done['name']} is out ({closed} closed) and may come back; `ban` keeps people out"])
    return Exit.OK


def ban(context: Context) -> Exit:
    """Keep a name, an account, an address or a network out."""
    options = context.options
    done = context.ask(MakeBan(options.target, options.reason, options.duration_s)).done
    sentence = f"the {done['kind']} {done['target']} is banned {show.until(done)} (ban {done['ban']})"
    context.output.record(done, [sentence])
    return Exit.OK


def unban(context: Context) -> Exit:
    """Lift a ban."""
    done = context.ask(Unban(context.options.target)).done
    lifted = [f"the {row['kind']} {row['target']} is no longer banned" for row in done["bans"]]
    context.output.record(done, lifted)
    return Exit.OK


def mute(context: Context) -> Exit:
    """Let somebody read but not write."""
    options = context.options
    done = context.ask(MakeMute(options.name, options.reason, options.duration_s)).done
    context.output.record(done, [f"{done['name']} may read but not write, {show.until(done)}"])
    return Exit.OK


def unmute(context: Context) -> Exit:
    """Let somebody write again."""
    done = context.ask(Unmute(context.options.name)).done
    context.output.record(done, [f"{done['name']} may write again"])
    return Exit.OK


# --- Accounts -------------------------------------------------------------------------------------------------------


def logout(context: Context) -> Exit:
    """End a login."""
    done = context.ask(Logout(context.options.number)).done
    context.output.record(done, [f"login {done['login']} ({done['client']} at {done['address']}) has ended"])
    return Exit.OK


def reset_password(context: Context) -> Exit:
    """Give an account a temporary password, which this prints and nothing remembers."""
    done = context.ask(ResetPassword(context.options.name)).done
    output = context.output
    output.record(done, [
        f"{done['name']}'s temporary password:  {done['password']}",
        "It is shown this once only, must be changed at the next login, and all logins of the account have ended.",
    ])  # fmt: skip
    return Exit.OK


def role(context: Context) -> Exit:
    """Give an account a role."""
    done = context.ask(SetRole(context.options.name, Role(context.options.role))).done
    context.output.record(done, [f"{done['name']} is {done['role']} now"])
    return Exit.OK


def delete_user(context: Context) -> Exit:
    """Delete an account, after a question."""
    name, fate = context.options.name, context.options.messages
    what = " and every message it ever wrote" if fate == "remove" else "; its messages stay, without its name"
    context.confirm(f"This deletes the account {name}{what}. It cannot be undone.")
    done = context.ask(DeleteUser(name, fate), f"going through the messages of {name}").done
    touched = show.people(done["messages"], "message")
    after = f"{touched} removed" if done["removed"] else f"{touched} kept without a name"
    context.output.record(done, [f"the account {done['name']} is deleted; {after}"])
    return Exit.OK


# --- Everybody ------------------------------------------------------------------------------------------------------


def announce(context: Context) -> Exit:
    """Tell everybody who is here something."""
    done = context.ask(Announce(context.options.text)).done
    context.output.record(done, [f"{show.people(done['people'], 'person')} told"])
    return Exit.OK


def shutdown(context: Context) -> Exit:
    """Stop the server, and wait until it has stopped."""
    with Line(context.data) as line:
        done = line.ask(Shutdown()).done
        line.wait_for_end()
    context.output.record({**done, "stopped": True}, ["the server has stopped; everything acknowledged is stored"])
    return Exit.OK
