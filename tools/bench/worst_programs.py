"""The worst of what is asked about bots, webhooks and API tokens; cases as in `worst_cases`."""

from __future__ import annotations

from securechat.model import (
    AddBot,
    AddToken,
    AskBots,
    AskTokens,
    BotList,
    RemoveBot,
    RemoveToken,
    RotateToken,
    Say,
    TokenList,
)
from tools.bench.worst_cases import CASES, GROWS, Timed, case, sent, simple
from tools.bench.worst_world import World

__all__ = ["CASES"]

_ROOM_COUNT = 10


def _told(world: World, number: int, kind: type[BotList] | type[TokenList]) -> list[int]:
    """The numbers of the account's bots or tokens."""
    directory = world.hub._directory
    sender_id = directory.accounts[number + 1].sender_id
    if kind is BotList:
        return sorted(directory.bots_of.get(sender_id, ()))
    return [row.token_id for row in directory.tokens_of(sender_id)]


@case(AddBot, "admin", "ten crowded rooms, and every field")
def add_bot(world: World) -> Timed:
    session = world.enter(0)
    rooms = world.crowded[:_ROOM_COUNT]
    yield sent(world, session, AddBot(1, "worst bot", "bot", rooms, ["post", "read", "metrics"], 30), for_s=0.5)
    for bot in _told(world, 0, BotList):
        world.send(session, RemoveBot(2, bot))
    world.drop(session)


simple(AddBot, "account", "a name and rooms that grow", lambda _: AddBot(1, GROWS * 128, "hook", [GROWS * 128] * 10))
simple(AskBots, "admin", "of a crowded room", lambda w: AskBots(1, w.crowded[0], 7))


@case(RemoveBot, "admin", "one in ten crowded rooms")
def remove_bot(world: World) -> Timed:
    session = world.enter(0)
    world.send(session, AddBot(1, "worst bot", "bot", world.crowded[:_ROOM_COUNT]))
    yield sent(world, session, RemoveBot(2, next(iter(_told(world, 0, BotList)), 1)), for_s=0.5)
    world.drop(session)


@case(AddToken, "admin", "ten rooms, and every field")
def add_token(world: World) -> Timed:
    session = world.enter(0)
    command = AddToken(1, "\u00e4" * 32, ["metrics", "post", "read"], world.crowded[:_ROOM_COUNT], 30)
    yield sent(world, session, command, for_s=0.5)
    for token in _told(world, 0, TokenList):
        world.send(session, RemoveToken(2, token))
    world.drop(session)


@case(AskTokens, "admin", "twenty tokens for ten rooms each")
def ask_tokens(world: World) -> Timed:
    session = world.enter(0)
    for number in range(20):
        world.send(session, AddToken(1, f"token {number}", rooms=world.crowded[:_ROOM_COUNT]))
    yield sent(world, session, AskTokens(1, 1))
    for token in _told(world, 0, TokenList):
        world.send(session, RemoveToken(2, token))
    world.drop(session)


@case(RotateToken, "admin", "one for ten rooms")
def rotate_token(world: World) -> Timed:
    session = world.enter(0)
    world.send(session, AddToken(1, "token", rooms=world.crowded[:_ROOM_COUNT]))
    yield sent(world, session, RotateToken(2, next(iter(_told(world, 0, TokenList)), 1)), for_s=0.5)
    for token in _told(world, 0, TokenList):
        world.send(session, RemoveToken(3, token))
    world.drop(session)


simple(RemoveToken, "account", "one that is not there", lambda _: RemoveToken(1, 1))
simple(Say, "account", "a webhook's name that grows", lambda _: Say(1, "small", "x", shown_as=GROWS * 128))
