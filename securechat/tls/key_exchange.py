"""Key-exchange groups: X25519, P-256 and P-384, as Mozilla's "modern" profile asks.

Before Python 3.15 the ``ssl`` module can only restrict a context to a single group. OpenSSL itself reads a list from
its configuration file, once, when the library starts; so the server's entry point calls ``prefer_modern_groups`` before
anything imports ``ssl``. This module must therefore never import it, directly or indirectly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, MutableMapping
from pathlib import Path

MODERN_GROUPS = "X25519:P-256:P-384"
"""https://ssl-config.mozilla.org, "modern"; the same list as in ``openssl.cnf``."""

_CONF = Path(__file__).with_name("openssl.cnf")
_FIPS_FLAG = Path("/proc/sys/crypto/fips_enabled")


def prefer_modern_groups(
    environ: MutableMapping[str, str] | None = None,
    loaded: Container[str] | None = None,
    fips_flag: Path = _FIPS_FLAG,
) -> bool:
    """Point OpenSSL at this program's configuration, unless the user or the system has set another.

    A user's own ``OPENSSL_CONF`` stays. In a system in FIPS mode the distribution's file loads the provider that is
    required there, so it stays too. Child processes inherit the variable.

    Args:
        environ: the environment to change; by default this process's.
        loaded: names of imported modules; by default this process's.
        fips_flag: the kernel's file that reads ``1`` in FIPS mode.

    Returns:
        Whether the configuration will be used; False also when ``ssl`` was imported before and it is too late.
    """
    environ = os.environ if environ is None else environ
    loaded = sys.modules if loaded is None else loaded
    if "OPENSSL_CONF" in environ or "_ssl" in loaded or not _CONF.is_file() or _in_fips_mode(fips_flag):
        return False
    environ["OPENSSL_CONF"] = str(_CONF)
    return True


def _in_fips_mode(flag: Path) -> bool:
    try:
        return flag.read_text().strip() == "1"
    except OSError:
        return False
