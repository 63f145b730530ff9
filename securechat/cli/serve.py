"""``securechat-server``: reads the settings, runs the server, and reports errors in one sentence.

The first statements choose the key-exchange groups: OpenSSL reads them once, when ``ssl`` is first imported. They also
keep a SIGHUP that comes while the server starts, which lasts half a second and would end with it.
"""

from __future__ import annotations

import gc

from securechat.cli.process import is_program
from securechat.server.hangup import hold_hangups
from securechat.tls.key_exchange import prefer_modern_groups

if is_program() or __name__ == "__main__":
    hold_hangups()
    gc.disable()  # modules and tables stay: collecting among them is a tenth of a start. The server enables it again
prefer_modern_groups()

# ruff: noqa: E402  (see above)
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from securechat.cli.process import drop_unwritten, open_null, run, say, speak, was_told
from securechat.server.app import ExitCode, Server, StartFailure
from securechat.server.config.loading import ParsedSettings, RequestedOutput, ServerConfig, read
from securechat.server.config.preflight import machine_problems, missing_certificate, untried
from securechat.server.config.report import checked, first_sentence, printed
from securechat.server.console import Console
from securechat.text.sanitize import one_line
from securechat.translation import _, translated


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server until it is told to stop, or print what the command line asks for.

    Args:
        arguments: the command line without the program's name; None for the process's own.

    Returns:
        An `ExitCode`.
    """
    return run(
        lambda: _main(arguments),
        "securechat-server",
        arguments,
        failed=ExitCode.INTERNAL,
        output_failed=ExitCode.OUTPUT,
        interrupted=ExitCode.STOPPED_AT_ONCE,
    )


def _main(arguments: Sequence[str] | None) -> int:
    reading = read(arguments, os.environ)
    if configured := reading.given["lang"].value:
        speak("securechat-server", arguments, configured)
    if reading.wanted is RequestedOutput.CHECK:
        return _check(reading)
    if reading.problems:
        return _fail(ExitCode.USAGE, translated(first_sentence(reading.problems)))
    if reading.wanted is RequestedOutput.PRINT:
        return _print(printed(reading))
    return _run(reading.config())


def _run(config: ServerConfig) -> int:
    hold_hangups()
    if (missing := missing_certificate(config.cert)) is not None:
        return _fail(ExitCode.CERTIFICATE, translated(missing))
    os.umask(0o077)  # files created from here on are private to this user
    console = Console(sys.stdout or open_null(), json=config.log_format == "json")
    try:
        return Server(config, console).run()
    except StartFailure as failure:
        console.close()
        return _fail(failure.code, translated(failure))
    finally:
        console.close()
        drop_unwritten(sys.stdout)  # lines of the log that nothing takes: said already, and no failure of the server


def _check(reading: ParsedSettings) -> int:
    """Print every problem of the settings and start nothing."""
    warnings = (warning for warning in reading.warnings if not was_told(warning.reason))
    found = [*reading.problems, *machine_problems(reading), *warnings]
    for line in checked(found):
        say("securechat-server", line)
    if any(not problem.is_warning for problem in found):
        return ExitCode.USAGE
    for sentence in untried(reading):
        say("securechat-server", one_line(_("note: {sentence}", sentence=sentence)))
    if not found:
        good = _("the configuration is good")
        return _print(f"securechat-server: {good}\n")
    return ExitCode.OK


def _print(text: str) -> int:
    """Write what was asked for, and return the exit code."""
    if sys.stdout is None:
        closed = _("Standard output is closed, so nothing can be printed. Give it a file or a pipe")
        return _fail(ExitCode.OUTPUT, closed)
    _write(sys.stdout, text)
    return ExitCode.OK


def _fail(code: ExitCode, sentence: str) -> int:
    say("securechat-server", one_line(sentence))
    return code


def _write(stream: TextIO, text: str) -> None:
    """Write text that may contain any file name, also where the stream's encoding lacks a character of it."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
