"""The exit codes of `securechat-admin`, for scripts; ``--help`` prints this table."""

from __future__ import annotations

from enum import IntEnum

from securechat.translation import LazyText


class AdminExit(IntEnum):
    """Exit codes. 128 + n is left to signals, as shells have it."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_RUNNING = 3
    FINDINGS = 4
    IO = 5
    INTERRUPTED = 130


MEANINGS = {
    # Translators: the meaning of exit code 0
    AdminExit.OK: LazyText("done"),
    AdminExit.REFUSED: LazyText("refused; the message gives the reason"),
    AdminExit.USAGE: LazyText("the command line is wrong"),
    AdminExit.NOT_RUNNING: LazyText("no server is running on this data directory"),
    AdminExit.FINDINGS: LazyText("check found something"),
    AdminExit.IO: LazyText("a file, the disk or the connection to the server failed"),
    AdminExit.INTERRUPTED: LazyText("stopped with Ctrl-C"),
}


class AdminFailure(Exception):
    """The command ends here.

    Args:
        code: the exit code.
        sentence: says what is wrong and what to do.
        word: a stable word for ``--json``; by default the exit code's own.
    """

    def __init__(self, code: AdminExit, sentence: str, word: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.word = word or code.name.lower()
