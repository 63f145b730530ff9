"""The frame around every program: closed streams, an interrupted start, and output that nothing takes.

A shell can start a program with closed descriptors (``>&-``), with a full disk behind standard output, or in a folder
that is deleted meanwhile. Python then writes a traceback, or ends with exit code 120 and no sentence. Here each of
these ends with a sentence on standard error, where there is one, and with an exit code of the program's own table.

The module imports little beside the standard library: it runs before anything else.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from securechat.text.sanitize import one_line
from securechat.translation import _, chosen, system_error, translated, use

_PROGRAMS = frozenset({"-m", "securechat-server", "securechat-client", "securechat-admin"})
"""``sys.argv[0]`` while a program imports its modules: ``-m`` under ``python -m``, else the installed command."""


def is_program() -> bool:
    """Whether the present process is one of the programs, which still imports its modules."""
    return Path(sys.argv[0] if sys.argv else "").stem in _PROGRAMS and _in_main_thread()


def end_quietly_while_importing() -> None:
    """Let Ctrl-C end a program that still imports its modules, without a traceback; `run` takes it back."""
    if is_program():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(
    main: Callable[[], int],
    program: str,
    arguments: Sequence[str] | None,
    *,
    failed: int,
    output_failed: int,
    interrupted: int,
    remembered: Callable[[], str] | None = None,
) -> int:
    """Run a program's main function in the user's language, and return its exit code.

    Args:
        main: returns an exit code; argparse may end it with SystemExit.
        program: its name, before the sentences.
        arguments: the command line without the program's name; None for the process's own.
        failed: the exit code of an error of the operating system that `main` did not handle.
        output_failed: the exit code of a standard output that cannot be written.
        interrupted: the exit code of Ctrl-C.
        remembered: returns the language that the user has chosen in an earlier run; empty for none.
    """
    _restore_interrupt()
    hold_closed_streams()
    _buffer(sys.stdout)
    try:
        speak(program, arguments, remembered() if remembered is not None else None)
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else failed
    except KeyboardInterrupt:
        code = interrupted
        say(program, _("Stopped"))
    except BrokenPipeError:
        code = output_failed
        say(program, _reader_gone())
    except OSError as error:
        code = _without_output(program, error, output_failed) if _is_output(error) else failed
        if code == failed:
            say(program, os_sentence(error))
    return _flushed(code, program, output_failed)


def speak(program: str, arguments: Sequence[str] | None, configured: str | None = None) -> None:
    """Choose the language of what is printed, and say once what is wrong with the one that was asked for.

    Args:
        program: its name, before the sentence.
        arguments: the command line without the program's name; None for the process's own.
        configured: the language of a configuration file, or that was remembered.
    """
    language, problem = chosen(sys.argv[1:] if arguments is None else arguments, configured=configured)
    for sentence in filter(None, (problem, use(language))):
        if sentence not in _told:  # a program chooses again when it has read its configuration
            _told.add(sentence)
            say(program, one_line(translated(sentence)))


def was_told(sentence: str) -> bool:
    """Whether this was said already about the language that was asked for."""
    return sentence in _told


def told() -> tuple[str, ...]:
    """Return what was said about the language that was asked for, for a program that hides what stood there."""
    return tuple(one_line(translated(sentence)) for sentence in sorted(_told))


_told: set[str] = set()
"""What was said about the language that was asked for."""


def _reader_gone() -> str:
    return _("The program that reads the output has ended, so a part of it was lost")


_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EBADF, errno.EDQUOT})


def _is_output(error: OSError) -> bool:
    """Whether an error without a file name is one of standard output: `write` names no file."""
    return error.filename is None and error.errno in _OUTPUT_ERRORS


def _without_output(program: str, error: OSError, code: int) -> int:
    reason = _("Standard output cannot be written: {why}. Give it a file or a pipe with space", why=system_error(error))
    say(program, reason)
    return code


def os_sentence(error: OSError) -> str:
    """Return what an error of the operating system says, with what to do where the working directory is gone."""
    if error.errno == errno.ENOENT and not _has_working_directory():
        return _("The working directory was deleted. Change to one that exists, then run this again")
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{translated(system_error(error))}"


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def hold_closed_streams() -> None:
    """Open the null device for streams closed by ``>&-`` (None in Python), so that no socket gets their numbers."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this stream's
    if sys.stderr is None:
        sys.stderr = open_null()


def open_null() -> TextIO:
    """Return a stream that takes everything and keeps nothing."""
    return Path(os.devnull).open("w", encoding="utf-8")


def say(program: str, sentence: str) -> None:
    """Write a sentence to standard error, if it takes one."""
    try:
        sys.stderr.write(f"{program}: {sentence}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)  # full or closed: the sentence has no other way out


def drop_unwritten(stream: TextIO | None) -> None:
    """Flush a stream, or drop what it does not take."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def _flushed(code: int, program: str, output_failed: int) -> int:
    """Flush both streams before Python does, which would end with 120; returns the exit code."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        if not code:
            say(program, _reader_gone())
        code = code or output_failed
    except (OSError, ValueError) as error:
        _discard(sys.stdout)
        if not code and isinstance(error, OSError):
            code = _without_output(program, error, output_failed)
    drop_unwritten(sys.stderr)
    return code


def _discard(stream: TextIO | None) -> None:
    """Give a stream that cannot be written the null device, which takes what is left in its buffer."""
    if stream is None:
        return
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return  # a test's stream, or one that is closed
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def _buffer(stream: TextIO | None) -> None:
    """Buffer a stream under PYTHONUNBUFFERED too: argparse ignores an error of `write`, the last flush does not."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(write_through=False)


def _restore_interrupt() -> None:
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
