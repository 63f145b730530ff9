"""What nobody may get away with, as the outside world knows it: bans, mutes, ended logins, names, and fair treatment.

The law is written down when an act is reported done, and judged by what happens afterwards; it asks the hub for no
opinion of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securechat.errors import ErrorCode
from securechat.hub.people import Ban, BanKind, Mute
from securechat.hub.registry import hash_of
from securechat.model import Closing, Hello, Refused, Welcome
from securechat.names import name_key
from securechat.skeletons import skeleton
from securechat.testing.log_checks import HistoryBroken

if TYPE_CHECKING:
    from securechat.server.session import Session
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
SLOW = frozenset({"stuffed", "tiny", "slow", "hold", "delay"})
"""Flavours that make honest readers slow."""
_MARGIN_S = 2.0
"""From the server's view of a loss to the client's: the longest delay of a line."""


class Claimant(Protocol):
    """Somebody who may have a name."""

    name: str
    released: bool
    heard_at: float
    expelled_at: float
    renamed_at: float
    unsure_of_name: bool
    known_as: set[str]


class Law:
    """The world's own memory of who may do what."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bans: dict[int, Ban] = {}
        self.mutes: dict[int, Mute] = {}
        self.ended_tokens: set[bytes] = set()
        self.ended_logins: set[int] = set()
        self.kicked: set[int] = set()  # persons, by number
        self.jumped_at = self.stopped_at = 0.0
        self._dead_hello: set[int] = set()
        self._holders: dict[str, Claimant] = {}

    # --- bans and mutes

    def lasts(self, until_ms: int | None) -> bool:
        return until_ms is None or until_ms > self.world.clock.wall_ms()

    def check_seats(self) -> None:
        """Nobody banned is in, by whatever way, and nobody by a login that was ended."""
        if not self.bans and not self.ended_logins:
            return
        server = self.world.server
        for session in server.sessions:
            seat = server.hub._seats.get(session)
            if seat is None:
                continue
            if seat.login_id in self.ended_logins:
                raise HistoryBroken(f"{seat.member.name} is in by login {seat.login_id}, which was ended")
            for ban in self.bans.values():
                if self.lasts(ban.until_ms) and self._hits(ban, session, seat.member):
                    raise HistoryBroken(f"{seat.member.name} is in, and banned ({ban.kind} {ban.shown})")

    def _hits(self, ban: Ban, session: Session, member: object) -> bool:
        match ban.kind:
            case BanKind.ACCOUNT:
                return bool(member.account) and str(member.sender_id) == ban.target  # type: ignore[attr-defined]
            case BanKind.NAME:
                return not member.account and skeleton(member.name) == ban.target  # type: ignore[attr-defined]
            case BanKind.NETWORK:
                return session.host == ban.shown

    def is_banned(self, person: Person) -> bool:
        """Whether somebody is kept out now, as far as is known."""
        return any(self.lasts(ban.until_ms) and ban.shown in person.known_as for ban in self.bans.values())

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
        if hello.token is not None and hash_of(hello.token) in self.ended_tokens:
            self._dead_hello.add(id(hello))
            self.world.keep.append(hello)
        self.world.administrator.ambush(device.person)
        if "cut" in self.world.flavour and not self.world.calm and self.world.rng.random() < 0.1:
            self.world.later(0.0, 0.1, lambda: device.person.lose_line(device))

    def welcomed(self, device: Device, event: Welcome, hello: Hello | None) -> None:
        """A device is in."""
        if hello is not None and id(hello) in self._dead_hello:
            raise HistoryBroken(f"{device.name} came in by a login that was ended before its hello")
        person = device.person
        person.released = False
        self.claimed(person, event.name)

    # --- names

    def claimed(self, person: Claimant, name: str) -> None:
        """Somebody has this name now: was it somebody else's?"""
        key = name_key(name)
        holder = self._holders.get(key)
        if holder is not None and holder is not person and not holder.released and name_key(holder.name) == key:
            away_s = self.world.clock.now - holder.heard_at
            # A guest's new name is told at once and durable with the next commit.
            if self.stopped_at > holder.heard_at - _MARGIN_S and holder.renamed_at > self.stopped_at - 3 * _MARGIN_S:
                pass
            elif holder.unsure_of_name or holder.expelled_at > holder.heard_at - 2 * _MARGIN_S:
                pass  # a kick or ban frees the name, and its last words may have been lost
            elif (
                away_s < self.world.limits.name_reservation_s - _MARGIN_S
                and self.jumped_at < holder.heard_at - _MARGIN_S
            ):
                raise HistoryBroken(f"{name!r} went to another person {away_s:.2f} s after its owner was last heard")
        self._holders[key] = person
        person.known_as.add(name)

    def heard(self, device: Device) -> None:
        """The server says something to a device."""
        device.person.heard_at = self.world.clock.now

    # --- fairness

    def judged(self, device: Device, event: Closing | Refused, *, slow: bool) -> None:
        """The server sends a device away, or says no."""
        code = event.code
        person = device.person
        unfair = code in NEVER
        if isinstance(event, Closing):
            match code:
                case ErrorCode.SLOW_READER | ErrorCode.PING_TIMEOUT | ErrorCode.HELLO_TIMEOUT:
                    unfair = not slow and not self.world.flavour & SLOW
                case ErrorCode.KICKED:
                    unfair = person.number not in self.kicked
                    person.released = True
                case ErrorCode.BANNED:
                    unfair = not person.was_banned
                    person.released = True
                case ErrorCode.LOGGED_OUT:
                    unfair = not person.lost_logins
                    person.released = True
                case ErrorCode.REPLACED:
                    unfair = True  # the server closes the older connection; a device hears only its newest
                case _:
                    pass
        elif code is ErrorCode.INVALID:
            unfair = not person.may_be_invalid and "to yourself" not in event.text
        if unfair:
            raise HistoryBroken(
                f"{device.name} did nothing wrong and hears {type(event).__name__} {code}: {event.text}"
            )
