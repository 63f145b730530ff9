"""The promised names of `securechat.bot`, what importing them costs, and what a type checker makes of a program.

    python -m pytest tests/unit/bot/test_api.py --update-golden

records the names again: lines may be added; what changes or goes is announced a release before.
"""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securechat import bot

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "bot_api.txt"


def signature(function: Callable[..., object]) -> str:
    """How it is called; annotations without the quotes that they have as strings."""
    return str(inspect.signature(function)).replace("'", "")


def described(name: str) -> Iterator[str]:
    """The lines of one name: its bases, fields and methods, as a program may use them."""
    value = getattr(bot, name)
    if not isinstance(value, type):
        yield f"{name} = {' | '.join(each.__name__ for each in typing.get_args(value))}"
        return
    bases = [base.__name__ for base in value.__bases__ if hasattr(bot, base.__name__) or base in {Exception, int}]
    yield f"class {name}({', '.join(bases)}):" if bases else f"class {name}:"
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            if not field.name.startswith("_"):
                yield f"    {field.name}: {field.type}{default}"
    else:
        yield from (f"    {key}: {kind}" for key, kind in vars(value).get("__annotations__", {}).items())
        if value.__init__ not in {Exception.__init__, int.__init__, bot.BotError.__init__}:
            yield f"    def __init__{signature(value.__init__)}"
    for key in sorted(dir(value)):
        found = inspect.getattr_static(value, key)
        if key.startswith("_") or hasattr(Exception, key) or (issubclass(value, int) and hasattr(int, key)):
            continue
        if isinstance(found, property):
            assert found.fget is not None
            yield f"    {key}: {signature(found.fget).rpartition('-> ')[2]}"
        elif isinstance(found, classmethod):
            yield f"    classmethod {key}{signature(found.__func__)}"
        elif inspect.isfunction(found):
            kind = "async " if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found) else ""
            yield f"    {kind}def {key}{signature(found)}"


def test_what_is_promised_stays(request: pytest.FixtureRequest) -> None:
    text = "\n\n".join("\n".join(described(name)) for name in sorted(bot.__all__)) + "\n"
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "lines may be added: record them with --update-golden"


def test_both_clients_have_the_same_names() -> None:
    assert [key for key in dir(bot.Client) if not key.startswith("_")] == [
        key for key in dir(bot.AsyncClient) if not key.startswith("_")
    ]


def imported(program: str) -> set[str]:
    """The modules that a program has imported at its end."""
    program += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_library_imports_neither_core_nor_terminal() -> None:
    """87 to 112 ms of CPU with asyncio (63 ms) on a machine where the client's core, network and TLS take 400 more."""
    found = imported("import securechat.bot")
    heavy = {"prompt_toolkit", "cryptography", "msgspec", "ssl", "selectors", "platformdirs"} - imported(
        "import asyncio"
    )
    assert not found & heavy
    assert {name for name in found if name.startswith("securechat.") and "bot" not in name} == set()


def test_a_bot_that_starts_imports_no_terminal() -> None:
    found = imported("import securechat.bot.startup")
    assert not {name for name in found if name.startswith(("prompt_toolkit", "securechat.client.terminal"))}
    assert not {name for name in found if name.startswith(("securechat.server", "securechat.hub", "apsw"))}


GOOD = """
import asyncio
from collections.abc import Iterator
from typing import assert_never
from securechat.bot import (
    AsyncClient, Client, Deleted, Disconnected, Edited, Event, Gap, LeftRoom, Message, Person, Reacted, Reconnected,
    Refused, Sent,
)

def told(event: Event) -> str:
    match event:
        case Message(text=text, sender=Person(name=name)):
            return f"{name}: {text}"
        case Edited() | Deleted() | Reacted():
            return f"{event.message} by {event.by.name}"
        case Gap(room, through):
            return f"{room} {through}"
        case LeftRoom() | Disconnected():
            return event.text
        case Reconnected():
            return "back"
        case _:
            assert_never(event)

def main() -> None:
    with Client("chat.lan", token_file="robi.token", state="state") as chat:
        messages: Iterator[Message] = chat.messages(own=True)
        for message in messages:
            sent: Sent | None = message.reply(message.text)
            if sent is not None:
                chat.edit(sent, "better")
        try:
            status: int = chat.send("ops", "x", key="k")
            print(status)
        except Refused as refused:
            print(refused.code, refused.arguments, refused.retry_after_s)
        print([told(event) for event in chat.events()], chat.history("ops")[0].sent_at.isoformat())

async def same() -> None:
    async with AsyncClient.from_environment() as chat:
        async for message in chat.messages():
            await message.reply("ok")
            print(await chat.members("ops"))

main()
asyncio.run(same())
"""
WRONG = """
from securechat.bot import AsyncClient, Client, Message

def wrong(chat: Client, other: AsyncClient, message: Message) -> None:
    chat.send(5, "x")
    message.reply(5)
    message.text = "x"
    text: str = other.send("ops", "x")
    chat.messages(owns=True)
"""


@pytest.mark.slow
def test_a_program_is_checked_by_a_strict_type_checker(tmp_path: Path) -> None:
    for name, source, errors in (("good.py", GOOD, 0), ("wrong.py", WRONG, 5)):
        program = tmp_path / name
        program.write_text(source, encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--follow-imports=silent",
            str(program),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert len([line for line in done.stdout.splitlines() if "error:" in line]) == errors, done.stdout + done.stderr
