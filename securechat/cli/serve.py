"""``securechat-server``: reads the settings, starts the server, and turns what goes wrong into one sentence.

The first statements choose the key-exchange groups: OpenSSL reads them once, when ``ssl`` is first imported.
"""

from __future__ import annotations

from securechat.tls.groups import prefer_modern_groups

prefer_modern_groups()

# ruff: noqa: E402  (see above)
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from securechat.errors import ConfigError
from securechat.server.app import ExitCode, Server, StartFailure
from securechat.server.config import DEFAULT_CERT, ServerConfig, load
from securechat.server.console import Console
from securechat.text import one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server until it is told to stop.

    Args:
        arguments: the command line without the program's name; None for the process's own.

    Returns:
        An `ExitCode`.
    """
    try:
        config = _with_certificate(load(arguments, os.environ))
    except ConfigError as error:
        about = "" if error.key in error.source.lower().replace("-", "_") else f"{error.key}: "
        return _fail(ExitCode.USAGE, f"{error.source}: {about}{error.reason}")
    except StartFailure as failure:
        return _fail(failure.code, str(failure))
    os.umask(0o077)  # whatever is created from here on is nobody else's business
    console = Console(json=config.log_format == "json")
    try:
        return Server(config, console, from_checkout=os.environ.get("SECURECHAT_BANNER") == "dev").run()
    except StartFailure as failure:
        console.close()
        return _fail(failure.code, str(failure))
    finally:
        console.close()


def _with_certificate(config: ServerConfig) -> ServerConfig:
    """Look for the certificate where gen_certs.py puts it, when none was named."""
    path = config.cert if config.cert is not None else DEFAULT_CERT
    if not path.exists():
        asked = "" if config.cert is not None else "no --cert was given, and "
        raise StartFailure(
            ExitCode.CERTIFICATE,
            f"there is no certificate: {asked}{path} does not exist; make one with `python tools/gen_certs.py`",
        )
    return replace(config, cert=path)


def _fail(code: ExitCode, sentence: str) -> int:
    print(f"securechat-server: {one_line(sentence)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
