"""Commands that make sense one after the other: they reach states of the server that single records seldom do."""

from __future__ import annotations

import random
from collections.abc import Callable

from securechat.model import (
    AddCertificate,
    AskConversations,
    AskRoom,
    AskUnread,
    Certificates,
    ChangePassword,
    Command,
    Delete,
    Direct,
    Edit,
    Grant,
    History,
    InviteTo,
    Join,
    Leave,
    Logins,
    Logout,
    Moderate,
    Nick,
    Ping,
    React,
    Read,
    Register,
    RemoveCertificate,
    Rooms,
    Say,
    Search,
    SetRoom,
    Typing,
    Who,
    Whois,
)
from tests.fuzz.grammar import KEYS, SIGNS, Grammar, Speaker
from tests.support.secrecy import OTHER_PASSWORD, PASSWORD

Conversation = Callable[[Grammar, Speaker], list[Command]]


def talk(grammar: Grammar, me: Speaker) -> list[Command]:
    """Say a few things in one's rooms, some as answers."""
    dice = grammar.dice
    return [
        Say(me.next_client_id(), _own_room(grammar, me), grammar.text()[:4000] or "x", _reply(grammar, dice))
        for _ in range(dice.randint(1, 8))
    ]


def dialogue(grammar: Grammar, me: Speaker) -> list[Command]:
    """Write to people, who may have gone."""
    dice, people = grammar.dice, grammar.known.people
    return [
        Direct(me.next_client_id(), dice.choice(people), grammar.text()[:4000] or "x")
        for _ in range(dice.randint(1, 4))
    ]


def say_again(grammar: Grammar, me: Speaker) -> list[Command]:
    """Say what a program says that does not know whether it has been said: the same under the same key."""
    dice = grammar.dice
    key, whom = dice.choice(KEYS), dice.choice(grammar.known.people)
    commands: list[Command] = [
        Say(me.next_client_id(), dice.choice(["lobby", "lobby", _own_room(grammar, me)]), f"alert {key}", key=key)
        for _ in range(dice.randint(1, 3))
    ]
    if dice.random() < 0.3:
        commands.append(Direct(me.next_client_id(), whom, f"alert {key}", key=key))
    return commands


def revise(grammar: Grammar, me: Speaker) -> list[Command]:
    """Edit and delete one's own, react to what others said."""
    dice = grammar.dice
    commands: list[Command] = []
    for _ in range(dice.randint(1, 4)):
        seq, room, to = dice.choice(me.mine or grammar.known.entries)
        heard, where, whom = dice.choice(grammar.known.entries)
        match dice.randrange(4):
            case 0:
                commands.append(Edit(me.next_client_id(), seq, grammar.text()[:4000] or "x", room, to))
            case 1:
                commands.append(Delete(me.next_client_id(), seq, room, to))
            case _:
                sign, on = dice.choice(SIGNS), dice.random() < 0.7
                commands.append(React(me.next_client_id(), heard, sign, where, whom, on))
    return commands


def pile(grammar: Grammar, me: Speaker) -> list[Command]:
    """Two of the longest texts, in what takes six bytes a letter, or many long signs under one; then look at it."""
    dice = grammar.dice
    piled = [entry for entry in grammar.known.longest if entry[1] in me.rooms]
    if not piled or dice.random() < 0.3:
        room = _own_room(grammar, me)
        return [Say(me.next_client_id(), room, "\x01" * dice.choice([3940, 4000])) for _ in range(2)]
    seq, room, _ = piled[-1]
    signs = dice.sample(range(0x1F300, 0x1F600), 200)
    commands: list[Command] = [React(me.next_client_id(), seq, chr(sign) * 16, room) for sign in signs]
    around = History(me.next_ref(), room, around=seq, limit=dice.choice([1, 2, 3, 10, 200]))
    return [*commands, around, History(me.next_ref(), room, before=seq + 1)]


def read_back(grammar: Grammar, me: Speaker) -> list[Command]:
    """History, in one of its forms."""
    dice = grammar.dice
    seq, room, to = dice.choice(grammar.known.entries)
    ref = me.next_ref
    match dice.randrange(7):
        case 0:
            return [History(ref(), room, to, around=seq, limit=dice.choice([1, 2, 50, 200]))]
        case 1:
            return [History(ref(), room, to, at=dice.choice([0, 1, 1_735_689_603_000, 2**53 - 1]))]
        case 2:
            return [History(ref(), after=seq, before=seq + dice.randrange(500))]
        case 3:
            return [History(ref(), room, to, before=seq, limit=dice.choice([1, 200]))]
        case 4:
            return [History(ref(), after=max(0, seq - dice.randrange(100))), History(ref(), after=seq)]
        case 5:
            return [History(ref(), peer=dice.choice(grammar.known.people))]
        case _:
            return [History(ref())]


def look(grammar: Grammar, me: Speaker) -> list[Command]:
    """Ask who and what there is."""
    dice, ref = grammar.dice, me.next_ref
    room = _own_room(grammar, me)
    questions: list[Command] = [
        Who(ref(), room, dice.choice([None, 0, 5])), Whois(ref(), dice.choice(grammar.known.names)),
        Rooms(ref(), dice.choice([None, "a", "#m", "zz"])), AskRoom(ref(), room), AskUnread(ref()),
        AskConversations(ref(), dice.choice([None, 0, 5]), dice.choice([None, "", "m"])),
        Logins(ref()), Certificates(ref()),
    ]  # fmt: skip
    return dice.sample(questions, dice.randint(1, 4))


def search(grammar: Grammar, me: Speaker) -> list[Command]:
    """One search, and another right behind it."""
    dice = grammar.dice
    before = dice.choice([None, dice.choice(grammar.known.entries)[0]])
    return [
        Search(
            me.next_ref(),
            grammar.query() or "x",
            before,
            dice.choice([1, 20, 200]),
            since=dice.choice([None, None, 0, 2**52]),
            until=dice.choice([None, None, 0, 2**52]),
        )
        for _ in range(dice.choice([1, 1, 2]))
    ]


def come_and_go(grammar: Grammar, me: Speaker) -> list[Command]:
    """Into rooms and out of them."""
    dice = grammar.dice
    rooms = [f"room{dice.randrange(60)}" for _ in range(dice.choice([1, 2, 10, 100]))]
    commands: list[Command] = [Join(me.next_ref(), rooms)]
    leaving = dice.sample(sorted(me.rooms), min(len(me.rooms), dice.choice([0, 1, 5, 30])))
    return commands + [Leave(me.next_ref(), room) for room in leaving]


def keep_order(grammar: Grammar, me: Speaker) -> list[Command]:
    """What owners and moderators do, whether one is one or not."""
    dice, ref = grammar.dice, me.next_ref
    room, whom = _own_room(grammar, me), dice.choice(grammar.known.people)
    match dice.randrange(6):
        case 0:
            rules = SetRoom(
                ref(),
                room,
                topic=grammar.text()[:300],
                slow_s=dice.choice([None, 0, 0, 1]),
                history=dice.choice(["all", "joined", None]),
            )
            return [rules, AskRoom(ref(), room)]
        case 1:
            name = dice.choice([None, f"room{dice.randrange(60)}", "quiet"])
            return [
                SetRoom(
                    ref(),
                    room,
                    name=name,
                    private=dice.choice([True, False, None]),
                    read_only=dice.choice([True, False]),
                ),
                SetRoom(ref(), room, archived=dice.choice([True, False, False]), read_only=False),
            ]
        case 2:
            return [
                InviteTo(ref(), room, whom),
                Grant(ref(), room, whom, dice.choice(["owner", "moderator", "member"])),
            ]
        case 3:
            acts = [("mute", 1), ("unmute", None), ("ban", 1), ("unban", None), ("kick", None)]
            return [
                Moderate(ref(), room, whom, act, seconds, grammar.text()[:300]) for act, seconds in dice.sample(acts, 2)
            ]  # type: ignore[arg-type]
        case 4:
            return [Grant(ref(), room, me.sender_id, "member"), Leave(ref(), room), Join(ref(), [room])]
        case _:
            return [
                Join(ref(), [f"room{dice.randrange(60)}"]),
                Moderate(ref(), room, whom, "kick"),
                InviteTo(ref(), room, whom),
            ]


def own_account(grammar: Grammar, me: Speaker) -> list[Command]:
    """Passwords, logins and certificates; passwords seldom, because each takes 30 ms of another thread."""
    dice, ref = grammar.dice, me.next_ref
    fingerprint = "sha256:" + grammar.hex() * 2
    match dice.randrange(8):
        case 0:
            return [Register(ref(), PASSWORD)]
        case 1:
            return [
                ChangePassword(ref(), dice.choice([PASSWORD, OTHER_PASSWORD]), dice.choice([PASSWORD, OTHER_PASSWORD]))
            ]
        case 2:
            return [Logins(ref()), Logout(ref(), dice.choice(grammar.known.logins)), Logins(ref())]
        case 3 if dice.random() < 0.3:
            return [Logout(ref())]
        case 4:
            return [
                AddCertificate(ref(), fingerprint, grammar.text()[:64]),
                AddCertificate(ref(), fingerprint),
                Certificates(ref()),
            ]
        case 5:
            return [Certificates(ref()), RemoveCertificate(ref(), dice.randrange(30))]
        case 6:
            return [AddCertificate(ref())]
        case _:
            return [Nick(ref(), grammar.name()[:256]), Nick(ref(), dice.choice(grammar.known.names))]


def small_talk(grammar: Grammar, me: Speaker) -> list[Command]:
    """What is not answered, or only by a pong."""
    dice = grammar.dice
    seq, room, to = dice.choice(grammar.known.entries)
    commands: list[Command] = [
        Typing(_own_room(grammar, me)),
        Typing(peer=dice.choice(grammar.known.people)),
        Read(seq, room, to),
        Read(seq, "ops"),
    ]
    return [*dice.sample(commands, 2), Ping(dice.randrange(100)), AskUnread(me.next_ref())]


CONVERSATIONS: tuple[tuple[Conversation, float], ...] = (
    (talk, 10), (dialogue, 4), (say_again, 3), (revise, 6), (pile, 0.7), (read_back, 5), (look, 5), (search, 4),
    (come_and_go, 3), (keep_order, 5), (own_account, 2), (small_talk, 4),
)  # fmt: skip
"""What there is to do, and how often."""


def conversation(grammar: Grammar, me: Speaker) -> list[Command]:
    """Return one of them."""
    chosen = grammar.dice.choices([each for each, _ in CONVERSATIONS], [weight for _, weight in CONVERSATIONS])[0]
    return chosen(grammar, me)


def _own_room(grammar: Grammar, me: Speaker) -> str:
    return grammar.dice.choice(sorted(me.rooms)) if me.rooms else "lobby"


def _reply(grammar: Grammar, dice: random.Random) -> int | None:
    return dice.choice(grammar.known.entries)[0] if dice.random() < 0.2 else None
