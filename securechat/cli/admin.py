"""``securechat-admin``: runs one command and reports errors in one sentence.

The first statements choose the key-exchange groups, as in the server: importing its settings imports ``ssl``.
"""

from __future__ import annotations

from securechat.tls.key_exchange import prefer_modern_groups

prefer_modern_groups()

# ruff: noqa: E402  (see above)
import os
import sys
from collections.abc import Sequence

from securechat.admin.context import CommandContext, settings
from securechat.admin.exit_codes import AdminExit, AdminFailure
from securechat.admin.output import TableOutput
from securechat.admin.parser import make_parser
from securechat.cli.process import os_sentence, run, say, speak
from securechat.errors import LogError
from securechat.translation import _, translated, use


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program's name; None for the process's own.

    Returns:
        An `AdminExit`.
    """
    return run(
        lambda: _main(arguments),
        "securechat-admin",
        arguments,
        failed=AdminExit.IO,
        output_failed=AdminExit.IO,
        interrupted=AdminExit.INTERRUPTED,
    )


def _main(arguments: Sequence[str] | None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if getattr(options, "needs_data", False) and options.data is None:
        parser.error(_("restore needs --data DIR, so that the data does not land in a wrong place"))
    os.umask(0o077)
    if options.json:
        use("en")  # for programs: the sentences in it stay as they are in every language
    if sys.stdout is None:
        say("securechat-admin", _("Standard output is closed, so nothing was done. Give it a file or a pipe"))
        return AdminExit.IO
    output = TableOutput(json_lines=options.json)
    try:
        config = settings(options, warn=output.notice)
        if config.lang and not options.json:
            speak("securechat-admin", arguments, config.lang)
        command = options.run
        code: AdminExit = command(CommandContext(config, options, output))
    except AdminFailure as failure:
        code = failure.code
        output.failure(failure.sentence, failure.word)
    except LogError as error:
        code = AdminExit.IO
        output.failure(translated(error), "log")
    except OSError as error:
        if error.filename is None:
            raise  # of standard output, which takes no JSON either
        code = AdminExit.IO
        output.failure(os_sentence(error), "io")
    except KeyboardInterrupt:
        code = AdminExit.INTERRUPTED
        output.failure(_("Stopped. The command may have been carried out"), "interrupted")
    return code


if __name__ == "__main__":
    sys.exit(main())
