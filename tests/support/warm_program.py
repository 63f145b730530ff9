"""A program that has imported everything, and forks for each start: see `warm`.

Usage: python -m tests.support.warm_program FD MODULE [MODULE...]; the first module is the program. FD is a socket on
which each message is one start: what it is given, as JSON, with its three streams and a pipe for its pid and its end.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import struct
import sys
import termios
import threading
import time
from functools import cache
from typing import Any

MOST_BYTES = 1 << 20
_LATER = {
    "securechat.cli.serve": (
        "cryptography.hazmat.backends.openssl.backend",
        "encodings.ascii",
        "encodings.idna",
        "securechat.server.api.paths",
        "securechat.server.api.peers",
        "securechat.server.hooks.paths",
        "securechat.server.metrics.paths",
        "websockets.protocol",
    ),
    "securechat.cli.admin": (
        "encodings.idna",
        "securechat.admin.exporting",
        "securechat.admin.file_commands",
    ),
    "securechat.cli.chat": ("cryptography.hazmat.backends.openssl.backend", "encodings.idna"),
}
"""What a program imports when it comes to need it, which nearly each run does."""


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    program, *others = sys.argv[2:]
    for module in (program, *_LATER.get(program, ()), *others):
        importlib.import_module(module)
    _make_ready(program)
    del sys.modules[program]  # it will be `__main__`
    gc.collect()
    gc.freeze()  # what is never looked at is never copied
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C ends the tests, who see to the rest
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MOST_BYTES, 4)
        if not message:
            _forget_ended()
            return
        if os.fork() == 0:
            channel.close()
            _be_minded(descriptors.pop())
            signal.signal(signal.SIGINT, interrupted)
            _become(program, json.loads(message), descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _forget_ended()


def _make_ready(program: str) -> None:
    """Make what every run of a program makes anew, and alike: tables, decoders, and the page without its comments."""
    from securechat.text import confusables
    from securechat.wire import native

    if program == "securechat.cli.chat":
        native._events()
    if program == "securechat.cli.serve":
        from securechat.server.web import site

        native._commands()
        confusables.preload()
        site.sent = cache(site.sent)
        site._gzip = cache(site._gzip)
        for path, body in site.read_tree().items():
            ending = path.rpartition(".")[2]
            if ending not in site._PACKED:
                site._gzip(site.sent(body, ending))


def _forget_ended() -> None:
    """Bury those who have ended by now, which also counts their time as time of the tests."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _be_minded(told: int) -> None:
    """Fork once more: the parent, which has seen nothing of the streams' other ends, tells how the child ends."""
    if (child := os.fork()) == 0:
        os.close(told)
        return
    os.closerange(0, told)
    os.closerange(told + 1, told + 64)
    os.write(told, struct.pack("i", child))
    os.write(told, struct.pack("i", os.waitpid(child, 0)[1]))
    os._exit(0)


def _become(program: str, start: dict[str, Any], streams: list[int]) -> None:
    """Be what `python -m program` would be by now."""
    if start["terminal"]:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(number, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.chdir(start["cwd"])
    os.environ.clear()
    os.environ.update(start["env"])
    time.tzset()
    sys.path[0] = start["cwd"]
    sys.argv = [program, *start["arguments"]]
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int):
            _end_at_once(end.code)
        raise


def _end_at_once(code: int) -> None:
    """End as the interpreter does, but leave its modules to the kernel: to take them down is two thirds of a short run.

    Returns if the interpreter has something to say about the end.
    """
    threading._shutdown()  # type: ignore[attr-defined] - waits for threads, as Py_FinalizeEx does
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        return
    os._exit(code & 0xFF)


def _stream(number: int, former: io.TextIOWrapper) -> io.TextIOWrapper:
    """A standard stream as Python makes them at its start (create_stdio in CPython's pylifecycle.c).

    Args:
        number: its descriptor.
        former: the one that this process had, made under the same environment.
    """
    is_unbuffered = former.write_through  # PYTHONUNBUFFERED
    buffer = open(  # noqa: SIM115
        number, "wb" if number else "rb", buffering=0 if number and is_unbuffered else -1, closefd=False
    )
    return io.TextIOWrapper(
        buffer,
        encoding=former.encoding,
        errors=former.errors,
        newline="\n",
        line_buffering=not is_unbuffered and (buffer.isatty() or number == 2),
        write_through=is_unbuffered,
    )


if __name__ == "__main__":
    main()
