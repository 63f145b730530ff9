"""What nobody may get away with, as the outside world knows it: bans, mutes, ended logins, names, and fair treatment.

The law is written down when an act is reported done, and judged by what happens afterwards; it asks the hub for no
opinion of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from securechat.errors import ErrorCode
from securechat.hub.accounts.directory import hash_of
from securechat.model import Closing, Hello, Message, Refused, Welcome
from securechat.records.accounts import Ban, BanKind, Mute
from securechat.testing.log_checks import HistoryBroken
from securechat.text.confusables import skeleton
from securechat.text.names import name_key
from tests.simulation.certificates import fingerprint

if TYPE_CHECKING:
    from securechat.hub.interfaces import Peer
    from securechat.model import CertificateInfo
    from tests.simulation.device import Device
    from tests.simulation.people import Person
    from tests.simulation.world import World

NEVER = frozenset(
    {
        ErrorCode.BAD_FRAME,
        ErrorCode.FRAME_TOO_LARGE,
        ErrorCode.HELLO_EXPECTED,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.UNKNOWN_TYPE,
        ErrorCode.UNKNOWN,
        ErrorCode.TEXT_EMPTY,
        ErrorCode.TEXT_TOO_LONG,
        ErrorCode.QUOTA,
        ErrorCode.TOO_MANY_ROOMS,
    }
)
"""What no honest client can deserve."""
_OF_SMALL = frozenset({ErrorCode.TOO_MANY_ROOMS, ErrorCode.QUOTA})
"""What honest people can hear where there are few places."""
_OF_ROOMS = frozenset(
    {ErrorCode.ARCHIVED, ErrorCode.READ_ONLY, ErrorCode.SLOW_MODE, ErrorCode.ROOM_BANNED, ErrorCode.MUTED}
)
"""What nobody can hear before somebody has made it so."""
_DESERVED = ("to yourself", "#", "showed no certificate", "no proof for this key")
"""Words of refusals that are about what was asked, and not about who asks."""
_DAY_MS = 86_400_000
SLOW = frozenset({"stuffed", "tiny", "slow", "hold", "delay"})
"""Flavours that make honest readers slow."""
_LINGERING_S = 13.0
"""From the moment the hub loses somebody to the one when the connection is over: drain_s and lingering_close_s."""


class Holder:
    """Who has a name, as the server's own log of events tells it.

    Attributes:
        owner: a person or stranger, by name.
        lost_at: when the last connection was lost; None while there is one.
        renamed_at: when the name was taken in place of another.
    """

    def __init__(self, owner: str, renamed_at: float = 0.0) -> None:
        self.owner = owner
        self.lost_at: float | None = None
        self.renamed_at = renamed_at


class Law:
    """The world's own memory of who may do what."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bans: dict[int, Ban] = {}
        self.mutes: dict[int, Mute] = {}
        self.ended_tokens: set[bytes] = set()
        self.ended_logins: set[int] = set()
        self.kicked: set[int] = set()  # persons, by number
        self.tidied_at_ms = [0]  # when each daily round began: one may still be under way when the next begins
        self._deleted: dict[int, bool] = {}  # sender_ids, and whether their messages had to go
        self._certificates: dict[int, str] = {}  # fingerprints by number, as they were shown
        self._removing: set[str] = set()  # fingerprints whose removal was asked for, and no new admission since
        self._removed: set[str] = set()  # fingerprints that log nobody in
        self._used_at_ms: dict[int, int] = {}  # when a login was used last, at the latest
        self._moved_at = 0.0
        self._dead_hello: set[int] = set()
        self._was_muted = False
        self._holders: dict[str, Holder] = {}

    # --- bans and mutes

    def lasts(self, until_ms: int | None) -> bool:
        return until_ms is None or until_ms > self.world.clock.wall_ms()

    def forget_what_is_over(self) -> None:
        """What has come to its end does not come back when the wall clock does."""
        self.bans = {number: ban for number, ban in self.bans.items() if self.lasts(ban.until_ms)}
        self.mutes = {number: mute for number, mute in self.mutes.items() if self.lasts(mute.until_ms)}

    def check_seats(self, *, in_batch: bool = False) -> None:
        """Nobody banned is in, by whatever way, and nobody by a login that was ended.

        Args:
            in_batch: whether answers of the same batch of the log are still to come: connections of logins that ended
                in it, and of accounts that were deleted in it, are closed when it is over, before anything of it is
                fanned out.
        """
        if not (self.bans or self.ended_logins or self._removed or self._deleted):
            return
        self.forget_what_is_over()
        server = self.world.server
        for session, seat in server.hub._connections.items():
            if seat.login_id in self.ended_logins and not in_batch:
                raise HistoryBroken(f"{seat.member.name} is in by login {seat.login_id}, which was ended")
            if seat.certificate in self._removed:
                raise HistoryBroken(f"{seat.member.name} is in by a certificate that was removed")
            if seat.member.sender_id in self._deleted and not in_batch:
                raise HistoryBroken(f"{seat.member.name} is in, and was deleted")
            for ban in self.bans.values():
                if self.lasts(ban.until_ms) and self._hits(ban, session, seat.member):
                    raise HistoryBroken(f"{seat.member.name} is in, and banned ({ban.kind} {ban.shown})")

    def _hits(self, ban: Ban, session: Peer, member: object) -> bool:
        match ban.kind:
            case BanKind.ACCOUNT:
                return bool(member.account) and str(member.sender_id) == ban.target  # type: ignore[attr-defined]
            case BanKind.NAME:
                return not member.account and skeleton(member.name) == ban.target  # type: ignore[attr-defined]
            case BanKind.GUEST:
                return str(member.sender_id) == ban.target  # type: ignore[attr-defined]
            case BanKind.NETWORK:
                return session.host == ban.shown
            case _:
                assert_never(ban.kind)

    def is_banned(self, person: Person) -> bool:
        """Whether somebody is kept out now, as far as is known."""
        return any(self.lasts(ban.until_ms) and ban.shown in person.known_as for ban in self.bans.values())

    def muted(self, mute: Mute) -> None:
        """Somebody is reported muted."""
        self.mutes[mute.sender_id] = mute

    def about_to_mute(self) -> None:
        """Somebody is being muted: from now on a refusal may say so."""
        self._was_muted = True

    def said(self, sender_id: int, text: str) -> None:
        """The hub has given a draft to the log."""
        mute = self.mutes.get(sender_id)
        if mute is not None and self.lasts(mute.until_ms):
            raise HistoryBroken(f"{mute.name} is muted, and said {text[:40]!r}")

    # --- logins

    def end_token(self, token: str) -> None:
        """A login is reported ended."""
        self.ended_tokens.add(hash_of(token))

    def hello_sent(self, device: Device, hello: Hello) -> None:
        """A device says hello: was its proof worthless by then?"""
        is_dead = hello.token is not None and hash_of(hello.token) in self.ended_tokens
        by_certificate = device.key and not (hello.token or hello.password or hello.invite)
        if is_dead or (by_certificate and fingerprint(device.key) in self._removed):
            self._dead_hello.add(id(hello))
            self.world.keep.append(hello)
        if hello.password is not None:
            device.person.makes_login()
        self.world.administrator.ambush(device.person, device.rng)
        if "cut" in self.world.flavour and not self.world.calm and device.rng.random() < 0.1:
            self.world.clock.call_later(device.rng.uniform(0.0, 0.1), lambda: device.person.lose_line(device))

    def welcomed(self, device: Device, event: Welcome, hello: Hello | None) -> None:
        """A device is in."""
        if hello is not None and id(hello) in self._dead_hello:
            raise HistoryBroken(f"{device.name} came in by a proof that was worth nothing before its hello")
        device.person.known_as.add(event.name)

    def came_in(self, login_id: int, *, new: bool) -> None:
        """The server has let somebody in by a login: its time must not have been over."""
        now_ms = self.world.clock.wall_ms()
        used_at_ms = self._used_at_ms.get(login_id, now_ms)
        if not new and now_ms >= used_at_ms + int(self.world.limits.session_days * _DAY_MS):
            raise HistoryBroken(f"login {login_id} was used last {(now_ms - used_at_ms) / 1000:.0f} s ago, and lets in")
        self._used_at_ms[login_id] = max(used_at_ms, now_ms)

    def tidied(self) -> None:
        """The server tidies: logins that are in use begin their time anew."""
        now_ms = self.world.clock.wall_ms()
        self.tidied_at_ms.append(now_ms)
        for seat in self.world.server.hub._connections.values():
            if seat.login_id:
                self._used_at_ms[seat.login_id] = max(now_ms, self._used_at_ms.get(seat.login_id, 0))

    # --- certificates, and accounts that are gone

    def certificates_shown(self, person: Person, certificates: Sequence[CertificateInfo]) -> None:
        """The server lists somebody's certificates: they are that person's."""
        own = {fingerprint(key) for key in person.keys}
        for each in certificates:
            self._certificates[each.certificate] = each.fingerprint
            if each.fingerprint not in own:
                raise HistoryBroken(f"{person.base} is shown a certificate of somebody else")

    def may_add(self, key: int) -> None:
        """The certificate of this key is being added: from now on it may log in."""
        self._removing.discard(fingerprint(key))
        self._removed.discard(fingerprint(key))

    def may_remove(self, number: int) -> None:
        """A certificate that was shown is being removed: it logs nobody in once that is reported."""
        self._removing.add(self._certificates[number])

    def lost_certificate(self, person: Person, number: int) -> int | None:
        """A certificate is reported removed; return its key."""
        shown = self._certificates.get(number)
        if shown is None:
            return None
        if shown in self._removing:  # nobody has wished to add it again since
            self._removed.add(shown)
        return next((key for key in person.keys if fingerprint(key) == shown), None)

    def deleted(self, sender_id: int, *, remove: bool) -> None:
        """An account is reported deleted."""
        self._deleted[sender_id] = remove

    def check_rows(self, rows: Sequence[Message]) -> None:
        """Nothing in the log names who was deleted, or is theirs where it had to go."""
        for row in rows:
            if row.sender_id in self._deleted and (row.name or self._deleted[row.sender_id]):
                raise HistoryBroken(f"message {row.seq} is still there as {row.name!r}'s, who was deleted")
            if row.to in self._deleted and row.to_name:
                raise HistoryBroken(f"message {row.seq} still names {row.to_name!r}, who was deleted")

    # --- names

    def named(self, owner: str, name: str, renamed_at: float = 0.0) -> None:
        """The server has given somebody a name: was it kept for somebody else?"""
        key = name_key(name)
        holder = self._holders.get(key)
        if holder is not None and holder.owner != owner:
            away_s = 0.0 if holder.lost_at is None else self.world.clock.now - holder.lost_at
            moved = holder.lost_at is not None and self._moved_at > holder.lost_at - _LINGERING_S
            if not moved and away_s < self.world.limits.name_reservation_s - _LINGERING_S:
                raise HistoryBroken(f"{name!r} went from {holder.owner} to {owner}, {away_s:.2f} s after the loss")
        # Back under another name: the log keeps only the latest for its owner.
        kept = {old: each for old, each in self._holders.items() if each.owner != owner or each.lost_at is None}
        self._holders = {**kept, key: Holder(owner, renamed_at)}

    def renamed(self, old: str, new: str) -> None:
        """Somebody has another name."""
        holder = self._holders.pop(name_key(old), None)
        if holder is not None:
            self.named(holder.owner, new, self.world.clock.now)

    def left(self, name: str) -> None:
        """Somebody is out of the lobby: for good, unless the connection was lost before."""
        holder = self._holders.get(name_key(name))
        if holder is not None and holder.lost_at is None:
            del self._holders[name_key(name)]

    def lost(self, name: str) -> None:
        """The last connection of somebody is over."""
        holder = self._holders.get(name_key(name))
        if holder is not None and holder.lost_at is None:
            holder.lost_at = self.world.clock.now

    def expelled(self, name: str) -> None:
        """Nothing is kept for a guest of this name: it was kicked, or is an account's."""
        self._holders.pop(name_key(name), None)

    def stopped(self) -> None:
        """The server is gone.

        A guest's new name is told at once and durable with the next commit: it may be lost. An account's name is the
        account's; whether a new one was stored, nobody may have heard.
        """
        now, members = self.world.clock.now, self.world.server.hub.context.members_by_key
        stored_until = min(now, self.world.server.failed_at)
        for key, holder in list(self._holders.items()):
            is_account = key in members and members[key].account
            if is_account or holder.renamed_at > stored_until - 1.0 or self.world.storage.full:
                del self._holders[key]
            elif holder.lost_at is None:
                holder.lost_at = now

    def wall_moves(self) -> None:
        """The wall clock is about to jump: what is reserved in the log, and in force, is judged by it."""
        self.forget_what_is_over()
        self.world.token_law.wall_moves()
        self._moved_at = self.world.clock.now
        self._holders = {key: holder for key, holder in self._holders.items() if holder.lost_at is None}

    # --- fairness

    def judged(self, device: Device, event: Closing | Refused, *, slow: bool) -> None:
        """The server sends a device away, or says no."""
        code = event.code
        person = device.person
        unfair = code in NEVER and not (code in _OF_SMALL and "small" in self.world.flavour)
        if isinstance(event, Closing):
            match code:
                case ErrorCode.SLOW_READER | ErrorCode.PING_TIMEOUT | ErrorCode.HELLO_TIMEOUT:
                    unfair = not slow and not self.world.flavour & SLOW
                case ErrorCode.KICKED:
                    unfair = person.number not in self.kicked
                case ErrorCode.BANNED:
                    unfair = not person.was_banned
                case ErrorCode.LOGGED_OUT:
                    unfair = not person.lost_logins
                case ErrorCode.HELLO_EXPECTED if event.reason == "too_many_tries":
                    unfair = False  # wrong passwords, one after the other; the codec's tests count them
                case ErrorCode.REPLACED:  # the server closes the older connection; a device hears only its newest
                    unfair = device not in person.replaced
                case _:
                    pass
        elif code is ErrorCode.INVALID:
            unfair = not person.may_be_invalid and not any(word in event.text for word in _DESERVED)
        elif code in _OF_ROOMS:
            unfair = code not in self.world.house.was and not (code is ErrorCode.MUTED and self._was_muted)
        if unfair:
            raise HistoryBroken(
                f"{device.name} did nothing wrong and hears {type(event).__name__} {code}: {event.text}"
            )
