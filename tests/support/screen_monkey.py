"""Someone who presses anything at the full screen, while the server, the network and other people do what they can.

All of it is drawn from a seed. What is promised all the same: the client lives and answers keys, writes no traceback
and no escape of a peer, stores each message that is sent from an empty composer once, and gives the terminal back.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import random
import re
import signal
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from securechat import model as m
from securechat.client.ui.input.ui_actions import ACTIONS
from tests.support.admin import admin
from tests.support.client import CLIENT
from tests.support.cutting_relay import CuttingRelay
from tests.support.native import Gone, NativeClient
from tests.support.screen import ON, PATIENCE_S, Screen
from tests.support.server import ServerProcess, wait_until

SIZES = ((80, 24), (120, 40), (40, 12), (40, 10), (20, 6), (10, 3), (1, 1), (0, 0), (0, 24), (80, 0), (300, 100))
ANSWERS = {b"\x1b[5n": b"\x1b[0n", b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b]11;?\x1b\\": b"\x1b]11;rgb:0/0/0\x1b\\"}
PEER_MARK = "\x1b]0;peer\x07"
"""What no one may find in the output."""
KEYS = (
    *"\x01\x02\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x14\x15\x16\x17\x18\x19\x1c\x1d\x1e\x1f\x7f\x1b",
    *(f"\x1b[{key}" for key in "ABCDFHZ"),
    *(f"\x1b[{number}~" for number in (1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24)),
    *(f"\x1b[1;{modifier}{key}" for modifier in (2, 3, 5, 6) for key in "ABCDFH"),
    *(f"\x1b{key}" for key in "123abcdefghiklmnopqrstuvwxyzKLP\x7f\r"),
    *("\x1bOP", "\x1bOQ", "\x1b[13;2u", "\x1b[97;5:3u", "\x1b[107:75;6:2u", "\x1b[I", "\x1b[O", "\x1b[27;5;13~"),
)
LETTERS = "abcdeghijklmnoprstuxyz+>/@#:?.0123456789 é漢👩\u202e"


class ScreenMonkey:
    """One person with a full screen; a context manager.

    Args:
        server: a real one.
        directory: for the client's state.
        seed: of everything that is drawn.
    """

    def __init__(self, server: ServerProcess, directory: Path, seed: int) -> None:
        self.server, self.seed, self.state = server, seed, directory / f"state-{seed}"
        self.done: list[str] = []
        self.sent: list[str] = []
        self._random = random.Random(seed)
        self._relay = CuttingRelay(server.port)
        self._others: dict[str, NativeClient] = {}
        self._count = 0
        self._readers = itertools.count(1)
        self._name = f"ann{seed}"
        self.screen = self._open()

    def __enter__(self) -> ScreenMonkey:
        return self

    def __exit__(self, *_: object) -> None:
        self.screen.__exit__()
        for other in self._others.values():
            other.close()
        self._relay.close()

    def _open(self) -> Screen:
        command = [*CLIENT, "--ca", str(self.server.ca), f"127.0.0.1:{self._relay.port}", "--name", self._name]
        answers = ANSWERS if self._random.random() < 0.7 else {}
        env = {**ON, "SECURECHAT_STATE": str(self.state), "DISPLAY": "", "EDITOR": "true", "VISUAL": "true"}
        screen = Screen(command, env=env, answers=answers)
        screen.wait_for("Write a message")
        return screen

    # --- what is done

    def play(self, steps: int) -> None:
        """Do so many things, and look now and then whether the client is well."""
        deeds: list[tuple[Callable[[], str], int]] = [
            (self._press, 30),
            (self._type, 10),
            (self._command, 8),
            (self._point, 8),
            (self._paste, 3),
            (self._resize, 6),
            (self._noise, 3),
            (self._stop, 1),
            (self._other_talks, 14),
            (self._other_changes, 6),
            (self._network_fails, 2),
            (self._server_fails, 1),
            (self._operate, 2),
        ]
        kinds, weights = zip(*deeds, strict=True)
        for step in range(1, steps + 1):
            deed = self._random.choices(kinds, weights)[0]
            self.done.append(f"{deed.__name__} {deed()!r}")
            self._watch(self._random.choice((0, 0, 0.002, 0.02, 0.1)))
            if step % 40 == 0:
                self.expect_well()

    def expect_well(self) -> None:
        """The client answers: a message that is sent now comes into the log, once."""
        self._relay.flow()
        screen = self.screen
        screen.resize(100, 30)
        self._calm()
        self._count += 1
        text = f"sound {self.seed} {self._count}"
        screen.type(text)
        screen.wait_until(lambda: f"> {text}" in screen.text, f"what is typed; {self.told}")
        screen.type("\r")
        self.sent.append(text)
        screen.wait_until(lambda: f"> {text}" not in screen.text, f"an empty composer; {self.told}")
        self.expect_sane()

    def expect_sane(self) -> None:
        """Nothing is written that must not be."""
        output = self.screen.output
        assert b"Traceback" not in output, self.told
        assert PEER_MARK.encode() not in output, self.told
        assert b"\x1b]52;c;cGVlcg" not in output, self.told

    def leave(self, how: str = "key") -> None:
        """Leave, and look at the terminal and the log."""
        self.expect_well()
        screen = self.screen
        self._wait_for_stored()
        if how == "key":
            self._calm()
            screen.type("\x04")
        else:
            screen.process.send_signal(signal.SIGTERM)
        screen.wait_for_exit()
        self.expect_sane()
        output = screen.output
        for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[22;2t", b"\x1b[23;2t"), (b"\x1b[>1u", b"\x1b[<1u")):
            assert output.count(on) == output.count(off), (on, self.told)
        for mode in (1000, 1002, 1004, 1006, 2004):
            at = output.rindex(b"\x1b[?%dl" % mode)
            assert at > output.rfind(b"\x1b[?%dh" % mode), (mode, self.told)
        assert output.rindex(b"\x1b[?25h") >= output.rfind(b"\x1b[?25l"), self.told
        flags = termios.tcgetattr(screen._fd)[3]
        assert flags & termios.ICANON, self.told
        assert flags & termios.ECHO, self.told

    def texts(self) -> list[str]:
        """Return the texts of all messages of the lobby, in order, as another person is told of them."""
        with self._client(f"reader{next(self._readers)}") as reader:
            return [message.text for message in reader.history("lobby")]

    def _client(self, name: str) -> NativeClient:
        client = NativeClient(self.server.port, self.server.ca, host=self.server.host)
        client.hello(name)
        return client

    def _wait_for_stored(self) -> None:
        texts: list[str] = []

        def stored() -> bool:
            texts[:] = self.texts()
            return all(text in texts for text in self.sent)

        wait_until(stored, f"all of {self.sent}; {self.told}")
        assert [text for text in texts if text in self.sent] == self.sent, self.told

    @property
    def told(self) -> str:
        """What was done, for the report of a failure."""
        return f"seed {self.seed}, after:\n" + "\n".join(self.done[-60:])

    def _calm(self) -> None:
        """Lead out of whatever is open, into an empty composer of the lobby."""
        screen = self.screen
        deadline = time.monotonic() + PATIENCE_S
        while True:
            screen.type("\x1b[I\x1b[201~")
            for _ in range(4):  # each for itself: two together are a sequence
                screen.type("\x1b")
                self._watch(0.12)
            screen.type("\x15" * 4)
            for _ in range(30):
                if " > Write a message" in screen.text:
                    break
                screen.type("x\x03")
                self._watch(0.05)
            screen.type("/join lobby\r")
            with contextlib.suppress(AssertionError):
                screen.wait_until(lambda: re.search(r"#lobby > Write", screen.text) is not None, "lobby", 3)
                return
            assert screen.process.poll() is None, f"the client has ended; {self.told}"
            assert time.monotonic() < deadline, f"no way to an empty composer; {self.told}\n{screen.text}"

    def _watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.screen._pump(max(0.0001, until - time.monotonic())) and time.monotonic() < until:
            pass
        assert self.screen.process.poll() is None, f"the client has ended; {self.told}\n{self.screen.text}"

    def _some(self, alphabet: str, most: int) -> str:
        return "".join(self._random.choice(alphabet) for _ in range(self._random.randint(1, most)))

    def _press(self) -> str:
        keys = "".join(self._random.choice(KEYS) for _ in range(self._random.choice((1, 1, 2, 5))))
        keys = keys.replace("\x03", "").replace("\x04", "").replace("\x1a", "")
        self.screen.type(keys)
        return keys

    def _type(self) -> str:
        text = self._some(LETTERS, 12)
        self.screen.type(text)
        return text

    def _command(self) -> str:
        names = [action.command for action in ACTIONS if action.command and action.command not in {"/quit", "/leave"}]
        words = (
            "",
            " bob",
            " ops",
            " lobby",
            " #ops",
            " 1",
            " 2 text",
            " @bob hello",
            " 99999",
            " ann0",
            " on",
            " off",
        )
        line = self._random.choice([*names, "/dm", "/join", "/nick", "/ignore", "/history", "/open", "/part"])
        line = line.split()[0] + self._random.choice(words)
        if line.startswith(
            ("/quit", "/exit", "/leave", "/language", "/nick", "/name", "/register", "/login", "/guest")
        ):
            line = "/help"
        self.screen.type(f"\x15{line}\r")
        return line

    def _point(self) -> str:
        report = f"\x1b[<{self._random.choice((0, 0, 0, 2, 32, 64, 65, 35, 99))};"
        report += f"{self._random.choice((0, 1, 5, 25, 60, 79, 200, 99999))};{self._random.randint(0, 32)}"
        report += self._random.choice("Mm")
        self.screen.type(report)
        return report

    def _paste(self) -> str:
        text = self._some(LETTERS + "\n\r\t\x00\x1b\x07", 200) * self._random.choice((1, 1, 100))
        with contextlib.suppress(BlockingIOError):
            self.screen.paste(text[:3000])
        return text[:20]

    def _resize(self) -> str:
        size = self._random.choice(SIZES)
        fd = self.screen._fd
        columns, rows = size
        if 0 in size:
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.killpg(self.screen.process.pid, signal.SIGWINCH)
        else:
            self.screen.resize(columns, rows)
        return str(size)

    def _noise(self) -> str:
        noise = self._random.choice(
            ("\x1b[0n", "\x1b[3n\x1b[0n", "\x1b[", "\x1b]11;rgb:", "\x1b[?2026;2$y", "\x1b[200~", "\x1b[201~", "\x1bP1")
        )
        self.screen.type(noise)
        return noise

    def _stop(self) -> str:
        """Stop and continue, in one of the ways in which shells do."""
        pid = self.screen.process.pid
        how = self._random.choice(("stop", "tstp", "cont", "key"))
        if how == "cont":
            os.kill(pid, signal.SIGCONT)
            return how
        if how == "key":
            self.screen.type("\x1a")
        else:
            os.kill(pid, signal.SIGSTOP if how == "stop" else signal.SIGTSTP)
        self._watch(0.05)
        os.kill(pid, signal.SIGCONT)
        self._watch(0.7)  # it may stop only now
        os.kill(pid, signal.SIGCONT)
        return how

    def _other(self) -> tuple[str, NativeClient]:
        name = self._random.choice(("bob", "carl"))
        if name not in self._others:
            self._others[name] = self._client(f"{name}{self._count}{len(self.done)}")
        return name, self._others[name]

    def _with_other(self, do: Callable[[NativeClient], Any]) -> str:
        with contextlib.suppress(AssertionError, OSError):
            name, other = self._other()
            try:
                do(other)
                return name
            except (Gone, OSError):
                self._others.pop(name).close()
        return "nobody"

    def _other_talks(self) -> str:
        text = self._random.choice(
            (
                f"a{PEER_MARK}b",
                "https://example.org/" + "x" * 200,
                "```python\nprint(1)\n```",
                "x\n" * 30,
                f"@{self._name} hi",
                "👩‍👩‍👧 हि",
                "\x1b]52;c;cGVlcg==\x07 x",
                "text " * 60,
            )
        )
        count = self._random.choice((1, 1, 1, 30))
        return self._with_other(lambda other: [other.say(text) for _ in range(count)])

    def _other_changes(self) -> str:
        def change(other: NativeClient) -> None:
            other.pump(0.01)
            own = [message for message in other.messages() if message.room == "lobby"]
            if not own:
                other.join("ops")
                other.say("hello", room="ops")
                return
            client_id, seq = next(other._client_ids), self._random.choice(own).seq
            other.send(
                self._random.choice(
                    (
                        m.Edit(client_id, seq, f"edited {PEER_MARK}", room="lobby"),
                        m.Delete(client_id, seq, room="lobby"),
                        m.React(client_id, seq, "👍", room="lobby"),
                    )
                )
            )

        return self._with_other(change)

    def _network_fails(self) -> str:
        how = self._random.choice(("hold", "flow", "cut"))
        getattr(self._relay, how)()
        return how

    def _server_fails(self) -> str:
        number = self._random.choice((signal.SIGKILL, signal.SIGTERM))
        self.server.signal(number)
        self.server.wait()
        self._watch(self._random.choice((0, 0.3)))
        self.server.start()
        return str(number)

    def _operate(self) -> str:
        words = self._random.choice(
            (
                ("rooms", "prune"),
                ("mute", "bob"),
                ("announce", "hello"),
            )
        )
        done = admin(self.server.data, *words)
        return f"{words} {done.returncode} {done.stderr[:60]}"
