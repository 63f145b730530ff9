"""What one seed is about: which things break, what people are up to, how narrow the limits are.

Swarm testing (Groce et al., ISSTA 2012): each run has only some of the faults and of the features, so that each gets
the room to do its worst, and pairs meet that would hide each other if everything happened everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from securechat.limits import KIB, PAGE_LIMITS, Limits, PageLimits

if TYPE_CHECKING:
    import random

FAULTS = ("cut", "delay", "hold", "slow", "kill", "power", "drain", "full", "failure", "index", "clock", "device")
"""What breaks. "delay" and "cut" also shape new connections."""
FEATURES = ("admin", "rates", "rules", "revise", "seek", "certificates", "upkeep")
"""What goes on besides talking, coming and going."""
SETTLED = "settled"
"""Before anything breaks, everybody has come, most have registered, and entered a room."""
EXTREMES = ("stuffed", "tiny")
"""A reader that stops while everybody writes much; connections that pass single bytes."""
SIZES = ("small", "crowd")
"""Small pages, few rooms, names and texts at their limits; guests who do what costs most, within their rates."""
BUGS = ("bug",) if find_spec("securechat.containment") is not None else ()
"""Now and then a completion raises, which costs its connection and nothing else, where the product contains it."""
PROGRAM = "program"
"""A program posts alerts by their keys."""
TOKENS = "tokens"
"""People make bots and tokens, programs come by them, and an administrator acts on those who made them."""
_SHARE = 0.4
"""In how many runs each of these is."""
_RARER = {"rules": 0.35, "certificates": 0.2, "tiny": 0.1, "stuffed": 0.025}
"""What takes longer to simulate than other runs, up to ten times."""
_BUGGY = 1 / 20
_PROGRAM = 1 / 8
_TOKENS = 1 / 15
_SMALL = 1 / 6
_CROWDED = 0.6
"""How many of the small worlds have a crowd; others have none: what a crowd does is felt where limits are small."""
HTTP = "http"
"""Scripts post over HTTP, by the tokens that people make."""
EVENTS = "events"
"""Programs read event streams over HTTP, beside scripts that post, and that edit, delete and react."""
OUTGOING = "outgoing"
"""The operator makes outgoing webhooks, beside scripts that post over HTTP."""
FILES = "files"
"""Guests, bots and scripts send and read files, beside people who act on their accounts and rooms."""
WEB = "web"
"""Some devices are browsers, which have no certificates."""
_BESIDE_STUFFED = frozenset({"admin", "rates", "delay", "clock", "revise"})
"""Nothing else may end the connection of the reader who has stopped."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a seed makes, with parts of it taken away.

    Attributes:
        people: at most so many; None for what the seed says.
        hostile: at most so many.
        without: faults, features and extremes that there are not.
        active_s: for how long everybody acts, at most.
        only: the acts that happen, by name (`schedule`); None for all.
        web: whether some devices are browsers.
        bot: whether a bot answers, but where a reader stops, whose lines would only get longer.
        http: whether people make tokens and scripts post over HTTP, but there.
        events: whether programs read event streams as well.
        outgoing: whether there are outgoing webhooks, beside such scripts.
        files: whether files are sent and read, beside such scripts.
    """

    people: int | None = None
    hostile: int | None = None
    without: frozenset[str] = frozenset()
    active_s: float | None = None
    only: frozenset[str] | None = None
    web: bool = False
    bot: bool = False
    http: bool = False
    events: bool = False
    outgoing: bool = False
    files: bool = False

    def flags(self) -> str:
        """Return what makes the same run again, for `tools/simulate.py`."""
        said = []
        if self.people is not None:
            said.append(f"--people {self.people}")
        if self.hostile is not None:
            said.append(f"--hostile {self.hostile}")
        if self.without:
            said.append(f"--without {','.join(sorted(self.without))}")
        if self.active_s is not None:
            said.append(f"--active {self.active_s}")
        if self.only is not None:
            said.append(f"--only {written(self.only)}")
        if self.web:
            said.append("--web")
        if self.bot:
            said.append("--bot")
        if self.http:
            said.append("--http")
        if self.events:
            said.append("--events")
        if self.outgoing:
            said.append("--outgoing")
        if self.files:
            said.append("--files")
        return " ".join(said)


def written(acts: frozenset[str]) -> str:
    """Write the names of acts down: `ann:3,7;faults:2`."""
    by_actor: dict[str, list[int]] = {}
    for name in acts:
        actor, _, number = name.partition(":")
        by_actor.setdefault(actor, []).append(int(number))
    parts = (f"{actor}:{','.join(map(str, sorted(numbers)))}" for actor, numbers in sorted(by_actor.items()))
    return ";".join(parts) or "-"


def read(text: str) -> frozenset[str]:
    """Read what `written` wrote.

    Raises:
        ValueError: it is no list of acts.
    """
    acts = set()
    for part in text.split(";") if text != "-" else ():
        actor, colon, numbers = part.partition(":")
        if not colon:
            raise ValueError(f"{part!r} names no acts: write them as ann:3,7;faults:2")
        acts |= {f"{actor}:{int(number)}" for number in numbers.split(",")}
    return frozenset(acts)


def flavour_of(rng: random.Random, without: frozenset[str]) -> frozenset[str]:
    """Draw what a run has."""
    some = {name for name in (*FAULTS, *FEATURES, *EXTREMES) if rng.random() < _RARER.get(name, _SHARE)}
    if some & {"rules", "certificates"} or rng.random() < 0.1:
        some.add(SETTLED)
    if "stuffed" in some:
        some = {"stuffed", "slow"} | some & _BESIDE_STUFFED
    return frozenset(some) - without


def sizes_of(dice: random.Random, flavour: frozenset[str], without: frozenset[str]) -> frozenset[str]:
    """Draw whether a run is small, and crowded, with dice of their own: all other runs stay as they are.

    A crowd keeps to its rates, so there are some, and accounts to write to.
    """
    is_small, is_crowded = dice.random() < _SMALL, dice.random() < _CROWDED
    if not is_small or "stuffed" in flavour:
        return frozenset()
    return frozenset((*SIZES, "rates", SETTLED) if is_crowded else SIZES[:1]) - without


def bugs_of(dice: random.Random, flavour: frozenset[str], without: frozenset[str]) -> frozenset[str]:
    """Draw whether completions raise in a run; with dice of their own as well."""
    is_buggy = dice.random() < _BUGGY
    return frozenset(BUGS if is_buggy and "stuffed" not in flavour else ()) - without


def program_of(dice: random.Random, flavour: frozenset[str], without: frozenset[str]) -> frozenset[str]:
    """Draw whether a program posts; with dice of its own as well."""
    has_program = dice.random() < _PROGRAM
    return frozenset((PROGRAM,) if has_program and "stuffed" not in flavour else ()) - without


def tokens_of(dice: random.Random, flavour: frozenset[str], without: frozenset[str]) -> frozenset[str]:
    """Draw whether people make bots and tokens, which takes accounts; with dice of its own as well."""
    has_tokens = dice.random() < _TOKENS
    return frozenset((TOKENS, SETTLED) if has_tokens and "stuffed" not in flavour else ()) - without


def pages_of(dice: random.Random, sizes: frozenset[str]) -> PageLimits:
    """Draw how long answers may be."""
    if "small" not in sizes:
        return PAGE_LIMITS
    return PageLimits.of_frames(dice.choice((4 * KIB, 8 * KIB)), page_rows=dice.choice((5, 5, 40)))


def small(limits: Limits, dice: random.Random) -> Limits:
    """Make limits of places small: few rooms, few names in a presence, few accounts."""
    return replace(
        limits,
        rooms_total=10,
        rooms_per_member=dice.choice((3, 6)),
        presence_names=dice.choice((2, 5)),
        accounts_per_address_day=3,
        certificates_per_account=2,
    )


def limits_of(rng: random.Random) -> Limits:
    """Draw limits that a few people can reach in a few seconds."""
    return Limits(
        outbox_hard_bytes=65_536,
        outbox_soft_bytes=24_576,
        outbox_soft_s=2.0,
        outboxes_total_bytes=150_000,
        append_queue=rng.choice((6, 64, 4096)),
        commit_messages=rng.choice((2, 16, 1024)),
        message_burst=20.0,
        message_rate=20.0,
        byte_burst=262_144,
        byte_rate=102_400,
        unacknowledged_drafts=rng.choice((4, 64)),
        name_reservation_s=20.0,
        quiet_return_s=rng.choice((0.5, 4.0)),
        session_days=1.0,
        sessions_per_account=5,
        login_tries_per_connection=30,
        login_delay_max_s=5.0,
        wal_bytes=65_536,
        low_disk_bytes=1,
        hash_queue=4,
        retention_batch=rng.choice((2, 500)),
    )


def with_files(limits: Limits, dice: random.Random) -> Limits:
    """Make limits of files that a few senders reach in some seconds."""
    return replace(
        limits,
        file_bytes=8_000,
        files_per_person_bytes=dice.choice((12_000, 90_000)),
        files_per_bot_bytes=dice.choice((16_000, 200_000, 200_000)),
        files_per_guest_bytes=dice.choice((9_000, 60_000)),
        files_free_bytes=1_000,
        uploads_per_person=dice.choice((3, 6)),
        uploads_total=dice.choice((8, 40)),
        upload_buffer_bytes=dice.choice((800, 8_000)),
        upload_buffers_bytes=dice.choice((1_500, 20_000)),
        transfer_turn_bytes=dice.choice((200, 16_384)),
        transfers_per_pass_bytes=dice.choice((500, 65_536)),
        upload_stall_s=dice.choice((0.5, 30.0)),
    )
